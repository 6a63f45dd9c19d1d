//! The correlations with `G^(1/2)`.

use super::eigen::{EigenError, eigen_workspace, symmetric_eigen};
use super::traces::{quadratic, row_sums, take};
use super::{Certified, Correlation, Route, Traces, Unbounded, Undefined, cosine, covariances, varies};
use crate::error::Error;
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef};
use crate::scalar::sqrt;

/// Values of workspace for weights (k x d).
pub(super) const fn workspace(k: usize, d: usize, route: Route) -> usize {
    match route {
        Route::Gram => quadratic(4, k, k, 3).saturating_add(eigen_workspace(k)),
        Route::Direct => {
            let (eigen, agop) = (eigen_workspace(d), quadratic(1, d, k, 0));
            quadratic(2, d, d, 1).saturating_add(if eigen > agop { eigen } else { agop })
        }
    }
}

/// Cosine and Pearson of F with `G^(1/2)`.
///
/// ```text
/// Direct   G = Z diag(g) Z^T,  G^(1/2) = Z diag(sqrt g) Z^T
/// Gram     A = K^(1/2) W, S = A A^T = K^(1/2) M K^(1/2), G^(1/2) = A^T S^(-1/2) A, C = A W^T = K^(1/2) M:
///          tr(F G^(1/2)) = <C C^T, S^(-1/2)>, tr(G) = tr(S), 1^T G^(1/2) 1 = a . S^(-1/2) a with a = K^(1/2) W 1
/// ```
/// Of n eigenvalues those up to `n 2^-52` times the largest count as zero. With `gram` K is a Gram matrix, and all that are
/// negative are zeros that were rounded; without it one below `-n 2^-52` times the largest leaves no square root.
pub(super) fn half<B: Backend<f64>>(
    backend: B,
    weights: MatRef<'_, f64>,
    features: MatRef<'_, f64>,
    gram: bool,
    route: Route,
    plain: &Traces<f64>,
    workspace: &mut [f64],
) -> Result<(Correlation, Correlation), Error> {
    let (k, d) = weights.shape();
    let (fg, gg, g_sum, positive) = match route {
        Route::Direct => {
            let (g, rest) = take(workspace, d * d);
            let (root, rest) = take(rest, d * d);
            let (values, rest) = take(rest, d);
            crate::feature::agop(backend, weights, features, MatMut::new(g, d, d)?, rest)?;
            let (trace, positive) = spectral(backend, g, root, values, rest, 0.5)?;
            let (f, _) = take(rest, d * d); // where the decomposition was
            crate::feature::nfm(backend, weights, MatMut::new(f, d, d)?)?;
            let sum = root.iter().fold(0.0, |sum, x| sum + x);
            (backend.dot(MatRef::new(f, d, d)?, MatRef::new(root, d, d)?), trace, sum, positive)
        }
        Route::Gram => {
            let (root, rest) = take(workspace, k * k);
            let (inverse, rest) = take(rest, k * k);
            let (s, rest) = take(rest, k * k);
            let (c, rest) = take(rest, k * k);
            let (values, rest) = take(rest, k);
            let (v, rest) = take(rest, k);
            let (a, rest) = take(rest, k);
            features.widen_into(s);
            let (_, positive) = spectral(backend, s, root, values, rest, 0.5)?;
            let (m, _) = take(rest, k * k); // where the decomposition was
            kernel::outer(backend, MatMut::new(m, k, k)?, weights.t())?;
            let (m, root) = (MatRef::new(m, k, k)?, MatRef::new(root, k, k)?);
            kernel::product(backend, MatMut::new(c, k, k)?, root, m)?;
            let c = MatRef::new(c, k, k)?;
            kernel::symmetric_product(backend, MatMut::new(s, k, k)?, c, root)?;
            // S is A A^T, whatever K was: what is negative in it is rounding.
            let (trace, _) = spectral(backend, s, inverse, values, rest, -0.5)?;
            kernel::outer(backend, MatMut::new(s, k, k)?, c.t())?;
            let inverse = MatRef::new(inverse, k, k)?;
            let fg = backend.dot(MatRef::new(s, k, k)?, inverse);
            row_sums(weights, v);
            kernel::product(backend, MatMut::new(a, k, 1)?, root, MatRef::column_vector(v))?;
            kernel::product(backend, MatMut::new(v, k, 1)?, inverse, MatRef::column_vector(a))?;
            (fg, trace, backend.dot(MatRef::column_vector(a), MatRef::column_vector(v)), positive)
        }
    };
    if !(gram || positive) {
        return Ok((Err(Undefined::Indefinite), Err(Undefined::Indefinite)));
    }
    let t = Traces { ff: plain.ff, fg, gg, f_sum: plain.f_sum, g_sum };
    let certified = |value| Ok(Certified { value, bound: Err(Unbounded::SquareRoot) });
    let (ff, fg, gg) = covariances(&t, d as f64 * d as f64);
    let pearson = if d > 1 && varies(ff, t.ff, d) && varies(gg, t.gg, d) {
        certified(cosine(ff, fg, gg))
    } else {
        Err(Undefined::ConstantEntries)
    };
    Ok((if t.gg > 0.0 { certified(cosine(t.ff, t.fg, t.gg)) } else { Err(Undefined::ZeroGradient) }, pearson))
}

/// Replaces a symmetric matrix by its eigenvectors and writes its power (1/2 or -1/2, zero on the null space) to `out`;
/// returns the sum of the eigenvalues kept, and whether none is below the negative of the threshold.
fn spectral<B: Backend<f64>>(
    backend: B,
    matrix: &mut [f64],
    out: &mut [f64],
    values: &mut [f64],
    workspace: &mut [f64],
    power: f64,
) -> Result<(f64, bool), Error> {
    let n = values.len();
    symmetric_eigen(backend, matrix, values, workspace).map_err(|error| match error {
        EigenError::NonFinite { row, column } => {
            Error::NotFinite { what: "matrix of an eigen-decomposition", row, column }
        }
        _ => Error::NoConvergence { what: "eigen-decomposition", steps: n },
    })?;
    let largest = values.iter().fold(0.0, |largest, x| if x.abs() > largest { x.abs() } else { largest });
    let threshold = n as f64 * f64::EPSILON * largest;
    let (mut trace, mut positive) = (0.0, true);
    // out = sum_i lambda_i^power z_i z_i^T = Y^T Y with rows y_i = lambda_i^(power / 2) z_i.
    for (row, value) in matrix.chunks_exact_mut(kernel::positive(n)).zip(values.iter()) {
        positive &= *value >= -threshold;
        let factor = if *value > threshold {
            trace += value;
            let fourth = sqrt(sqrt(*value));
            if power > 0.0 { fourth } else { 1.0 / fourth }
        } else {
            0.0
        };
        row.iter_mut().for_each(|x| *x *= factor);
    }
    kernel::outer(backend, MatMut::new(out, n, n)?, MatRef::new(matrix, n, n)?)?;
    Ok((trace, positive))
}
