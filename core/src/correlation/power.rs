//! The correlations with `G^(1/2)`.

use super::bound::{Enclosed, Matrix, SQRT_2, UNDERFLOW, gamma, height, inner_error, norm};
use super::interval::Interval;
use super::root::{root_of, spectral};
use super::traces::Squares;
use super::{
    Certified, Correlation, Route, Traces, Unbounded, Undefined, certify, certify_pearson, cosine,
    covariances, varies,
};
use crate::eigen::eigen_workspace;
use crate::error::Error;
use crate::ieee::Upper;
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, copy, rows, split, take};

/// Memory of the matrices from which the correlations of a layer are computed: n x n, n as [`Route::side`].
pub(super) struct Buffers<'w> {
    /// G or P.
    pub(super) g: &'w mut [f64],
    /// `K v`.
    pub(super) kv: &'w mut [f64],
    /// `K^(1/2)` on the Gram route, and whether K was positive semidefinite. Both are reused for the next pair with the
    /// same K.
    ptk_root: &'w mut [f64],
    ptk_positive: Option<bool>,
    /// A matrix under decomposition.
    matrix: &'w mut [f64],
    root: &'w mut [f64],
    eigenvalues: &'w mut [f64],
    vector: &'w mut [f64],
    /// Scratch of products and decompositions.
    pub(super) rest: &'w mut [f64],
}

impl<'w> Buffers<'w> {
    /// Values that [`Buffers::new`] divides, saturating.
    pub(super) const fn length(k: usize, d: usize, route: Route) -> usize {
        let (n, agop) = (route.side(k, d), route.scratch(k, d));
        let eigen = eigen_workspace(n);
        let lines = k.saturating_mul(2).saturating_add(n);
        n.saturating_mul(n).saturating_mul(4).saturating_add(lines).saturating_add(if eigen > agop {
            eigen
        } else {
            agop
        })
    }

    pub(super) fn new(workspace: &'w mut [f64], (k, d): (usize, usize), route: Route) -> Self {
        let n = route.side(k, d);
        let square = n * n;
        let ([g, kv, ptk_root, matrix, root, eigenvalues, vector], rest) =
            split(workspace, [square, k, square, square, square, n, k]);
        Self { g, kv, ptk_root, ptk_positive: None, matrix, root, eigenvalues, vector, rest }
    }
}

/// Cosine and Pearson of F with `G^(1/2)`.
///
/// ```text
/// Direct   G = Z diag(g) Z^T,  G^(1/2) = Z diag(sqrt g) Z^T
/// Gram     A = K^(1/2) W, S = A A^T = K^(1/2) M K^(1/2), G^(1/2) = A^T S^(-1/2) A, C = A W^T = K^(1/2) M:
///          tr(F G^(1/2)) = <C C^T, S^(-1/2)>, tr(G) = tr(S), 1^T G^(1/2) 1 = a . S^(-1/2) a with a = K^(1/2) W 1
/// ```
/// An eigenvalue of at most `n 2^-52` times the largest counts as zero. With `gram`, a negative eigenvalue counts as
/// rounding error. Without it, there is no square root if an eigenvalue is below `-n 2^-52` times the largest.
///
/// With `enclosed` the function computes bounds too. They hold for the exact G, if it has no negative eigenvalue.
///
/// **Source** derived here.
pub(super) fn roots<B: Backend<f64>>(
    backend: B,
    squares: &Squares<'_, f64>,
    ptk: MatRef<'_, f64>,
    gram: bool,
    plain: &Traces<f64>,
    enclosed: Option<&Enclosed>,
    buffers: &mut Buffers<'_>,
) -> Result<(Correlation, Correlation), Error> {
    let d = squares.weights.columns();
    let n = squares.f.rows();
    let Buffers { g, ptk_root, ptk_positive, matrix, root, eigenvalues, vector, rest, .. } = buffers;
    let (fg, gg, g_sum, positive, exact) = match squares.route {
        Route::Direct => {
            copy(matrix, g);
            let spectrum = spectral(backend, matrix, root, eigenvalues, rest, 0.5, enclosed.is_some())?;
            let sum = root.iter().fold(0.0, |sum, x| sum + x);
            let root = MatRef::new(root, n, n)?;
            let fg = backend.dot(squares.f, root);
            let exact = match enclosed {
                None => None,
                Some(enclosed) => {
                    let r =
                        root_of(backend, root, &spectrum, (MatRef::new(g, n, n)?, enclosed.g.error), rest)?;
                    // 1^T dR 1 <= d |dR|; the sum is one chain.
                    let of_sum =
                        Upper(d as f64) * (r.error + gamma(d.saturating_mul(d)) * r.norm) + UNDERFLOW;
                    let of_root = backend.dot(root, root);
                    Some(around(enclosed, (fg, enclosed.f, r), of_root, Interval::around(sum, of_sum.0), d))
                }
            };
            (fg, spectrum.trace, sum, spectrum.positive, exact)
        }
        Route::Gram => {
            let positive = match *ptk_positive {
                Some(known) => known,
                None => {
                    ptk.widen_into(matrix);
                    spectral(backend, matrix, ptk_root, eigenvalues, rest, 0.5, false)?.positive
                }
            };
            *ptk_positive = Some(positive);
            let ptk_root = MatRef::new(ptk_root, n, n)?;
            kernel::product(backend, MatMut::new(g, n, n)?, ptk_root, squares.f)?;
            let c = MatRef::new(g, n, n)?;
            kernel::symmetric_product(backend, MatMut::new(matrix, n, n)?, c, ptk_root)?;
            // S = A A^T is positive semidefinite for any K, so negative computed eigenvalues are rounding errors.
            let trace = spectral(backend, matrix, root, eigenvalues, rest, -0.5, false)?.trace;
            kernel::outer(backend, MatMut::new(matrix, n, n)?, c.t())?;
            let inverse = MatRef::new(root, n, n)?;
            let fg = backend.dot(MatRef::new(matrix, n, n)?, inverse);
            kernel::product(backend, MatMut::new(eigenvalues, n, 1)?, ptk_root, squares.v)?;
            let a = MatRef::column_vector(eigenvalues);
            kernel::product(backend, MatMut::new(vector, n, 1)?, inverse, a)?;
            let sum = backend.dot(a, MatRef::column_vector(vector));
            let exact = match enclosed {
                None => None,
                Some(enclosed) => Some(through_gram(backend, squares, ptk, enclosed, buffers)?),
            };
            (fg, trace, sum, positive, exact)
        }
    };
    if !(gram || positive) {
        return Ok((Err(Undefined::Indefinite), Err(Undefined::Indefinite)));
    }
    let t = Traces { ff: plain.ff, fg, gg, f_sum: plain.f_sum, g_sum };
    let bounded = |value, certified: fn(f64, &Traces<Interval>, usize) -> Certified| {
        let none = Certified { value, bound: Err(Unbounded::NotComputed) };
        Ok(exact.as_ref().map_or(none, |exact| certified(value, exact, d)))
    };
    let (ff, fg, gg) = covariances(&t, d as f64 * d as f64);
    let pearson = if d > 1 && varies(ff, t.ff, d) && varies(gg, t.gg, d) {
        bounded(cosine(ff, fg, gg), certify_pearson)
    } else {
        Err(Undefined::ConstantEntries)
    };
    let of_traces = |value, exact: &Traces<Interval>, _| certify(value, exact.ff, exact.fg, exact.gg);
    let cosine =
        if t.gg > 0.0 { bounded(cosine(t.ff, t.fg, t.gg), of_traces) } else { Err(Undefined::ZeroGradient) };
    Ok((cosine, pearson))
}

/// Intervals of the exact traces with a root, `<F, R>` and `<R, R>` of matrices of n rows, from the computed ones.
fn around(
    enclosed: &Enclosed,
    (fg, f, root): (f64, Matrix, Matrix),
    squares: f64,
    g_sum: Interval,
    n: usize,
) -> Traces<Interval> {
    Traces {
        fg: Interval::around(fg, inner_error(f, root, height(n, n)).0),
        gg: Interval::around(squares, inner_error(root, root, height(n, n)).0),
        g_sum,
        ..enclosed.traces.clone()
    }
}

/// The exact traces by way of `M = W W^T`: with `M^(1/2) K M^(1/2) = H^2` and `M^(1/2) q = W 1`,
/// `tr(F G^(1/2)) = <M, H>`, `tr G = <H, H>`, `1^T G^(1/2) 1 = q . H q`.
///
/// Unless M is known to be regular, there is no bound for q.
fn through_gram<B: Backend<f64>>(
    backend: B,
    squares: &Squares<'_, f64>,
    ptk: MatRef<'_, f64>,
    enclosed: &Enclosed,
    buffers: &mut Buffers<'_>,
) -> Result<Traces<Interval>, Error> {
    let (k, m, v) = (squares.weights.rows(), squares.f, squares.v);
    let Buffers { g: h, matrix: y, root, eigenvalues: values, vector: q, rest, .. } = buffers;
    m.widen_into(y);
    let spectrum = spectral(backend, y, root, values, rest, 0.5, true)?;
    let r = root_of(backend, MatRef::new(root, k, k)?, &spectrum, (m, enclosed.f.error), rest)?;

    // q = Y^T diag(1 / lambda) Y v, and the residual R q - v.
    q.fill(0.0);
    for (row, value) in rows(y, k).zip(values.iter()).filter(|_| spectrum.smallest > 0.0) {
        let along = row.iter().zip(v.column(0)).fold(0.0, |sum, (y, v)| sum + y * v) / value;
        q.iter_mut().zip(row).for_each(|(q, y)| *q += along * y);
    }
    let q = MatRef::column_vector(q);
    let size = |x: MatRef<'_, f64>| norm(backend.dot(x, x), height(k, 1));
    let q_size = size(q);
    kernel::product(backend, MatMut::new(values, k, 1)?, MatRef::new(root, k, k)?, q)?;
    values.iter_mut().zip(v.column(0)).for_each(|(rq, v)| *rq -= v);
    let apart = size(MatRef::column_vector(values)) * (Upper(1.0) + gamma(1));
    let apart = apart + (gamma(k) * r.norm + r.error) * q_size + enclosed.v.error + UNDERFLOW;
    let regular = (spectrum.smallest - r.error.0).next_down();
    let q_error = Upper(if regular > 0.0 { (apart.0 / regular).next_up() } else { f64::INFINITY });

    // T = R K, H^2 = T R.
    let (t, _) = take(rest, k * k);
    kernel::product(backend, MatMut::new(t, k, k)?, MatRef::new(root, k, k)?, ptk)?;
    let (t, of_k) = (MatRef::new(t, k, k)?, enclosed.k);
    let t_size = norm(backend.dot(t, t), height(k, k));
    let t_error = r.error * (of_k.norm + of_k.error) + r.norm * of_k.error + gamma(k) * r.norm * of_k.norm;
    kernel::symmetric_product(backend, MatMut::new(y, k, k)?, t, MatRef::new(root, k, k)?)?;
    let error = t_error * (r.norm + r.error) + t_size * r.error + gamma(k) * t_size * r.norm;
    let error = SQRT_2 * error + UNDERFLOW; // one triangle, mirrored
    copy(root, y);
    let spectrum = spectral(backend, root, h, values, rest, 0.5, true)?;
    let h = MatRef::new(h, k, k)?;
    let r = root_of(backend, h, &spectrum, (MatRef::new(y, k, k)?, error), rest)?;

    kernel::product(backend, MatMut::new(values, k, 1)?, h, q)?;
    let sum = backend.dot(q, MatRef::column_vector(values));
    let of_q = (r.norm + r.error) * (Upper(2.0) * q_size + q_error) * q_error;
    let of_sum = of_q + (r.error + gamma(2 * k) * r.norm) * q_size * q_size + UNDERFLOW;
    let g_sum = Interval::around(sum, of_sum.0);
    Ok(around(enclosed, (backend.dot(m, h), enclosed.f, r), backend.dot(h, h), g_sum, k))
}
