//! Eigenvalues and eigenvectors of F, G and K, on the smaller side of W: what any power of G and the angles are made of.
//!
//! ```text
//! K = Z^T diag(kappa) Z,  D = diag(kappa^(1/2)),  A = D Z W,  G = A^T A,  n = min(k, d)
//! Gram    k < d    M = W W^T = sum f_i u_i u_i^T      F has the eigenvectors W^T u_i / f_i^(1/2)
//!                  S = A A^T = D Z M Z^T D = sum g_i s_i s_i^T      G has A^T s_i / g_i^(1/2)
//! Direct  else     F = sum f_i u_i u_i^T,  G = sum g_i s_i s_i^T
//! ```

use super::measure::{change_error, known, relative, subtract};
use super::scaled::Scaled;
use super::{Route, Traces, Undefined, cosine, covariances, varies};
use crate::eigen::{eigen_workspace, symmetric_eigen};
use crate::elementary::{exp, ln};
use crate::error::{Error, check_at_least_zero, check_workspace};
use crate::ieee::sqrt;
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, rows, rows_mut, split};
use crate::scalar::Real;

/// `K = sum kappa_j z_j z_j^T`, for all W that are measured with it.
#[derive(Clone, Copy, Debug)]
pub struct PtkSpectrum<'w> {
    /// Ascending; zero where rounding lets one not tell it from zero.
    pub(super) values: &'w [f64],
    /// Eigenvectors as rows (k x k).
    pub(super) vectors: &'w [f64],
    pub(super) norm: f64,
    pub(super) trace: f64,
    /// Of K, relative to its norm.
    pub(super) error: Option<f64>,
}

/// Values of memory that [`PtkSpectrum::new`] keeps for K (k x k), saturating.
pub const fn ptk_spectrum_length(k: usize) -> usize {
    k.saturating_mul(k).saturating_add(k)
}

impl<'w> PtkSpectrum<'w> {
    /// Decomposes PTK features.
    ///
    /// **Shapes** ptk (k x k) symmetric, a Gram matrix; memory at least [`ptk_spectrum_length`], workspace at least
    /// [`eigen_workspace`]`(k)`. `error` is `|dK|_F`; `None` without a bound, where a slope is uncertain.
    /// **Arithmetic** K is scaled by a power of two. An eigenvalue up to `k 2^-52` times the largest counts as zero, a
    /// negative one too: it can only be rounding error.
    /// **Errors** [`Error::Shape`], [`Error::Workspace`], [`Error::NotFinite`], [`Error::NotSymmetric`],
    /// [`Error::Parameter`] for a negative error, [`Error::NoConvergence`].
    pub fn new<T: Real, B: Backend<f64>>(
        backend: B,
        ptk: MatRef<'_, T>,
        error: Option<f64>,
        memory: &'w mut [f64],
        workspace: &mut [f64],
    ) -> Result<Self, Error> {
        let k = ptk.rows();
        ptk.check_shape("features", (k, k))?;
        check_workspace("memory of eigenvectors", ptk_spectrum_length(k), memory.len())?;
        check_workspace("workspace", eigen_workspace(k), workspace.len())?;
        check_at_least_zero("error of the features", error.unwrap_or(0.0))?;
        let ([values, vectors], _) = split(memory, [k, k * k]);
        ptk.widen_into(vectors);
        let norm = Scaled::new(backend, "features", (k, k), vectors, true)?.norm();
        let error = error.map(|error| known(Some(relative(error, norm))));
        symmetric_eigen(backend, vectors, values, workspace)?;
        let threshold = k as f64 * f64::EPSILON * largest(values);
        let mut trace = 0.0;
        for value in values.iter_mut() {
            *value = if *value > threshold { *value } else { 0.0 };
            trace += *value;
        }
        Ok(Self { values, vectors, norm: norm.map_or(0.0, |(norm, _)| norm), trace, error })
    }

    /// k.
    pub(super) fn size(&self) -> usize {
        self.values.len()
    }

    /// The eigenvectors of the `count` largest eigenvalues, as rows.
    pub(super) fn leading(&self, count: usize) -> Result<MatRef<'w, f64>, Error> {
        leading(self.vectors, self.size(), count)
    }
}

/// F and G of one layer in their eigenvectors.
///
/// The eigenvalues of G are those of an exact Gram matrix: none is negative but by rounding.
#[derive(Clone, Copy, Debug)]
pub struct LayerSpectrum<'w> {
    pub(super) ptk: PtkSpectrum<'w>,
    pub(super) route: Route,
    /// W or `W - W_0`, scaled by a power of two.
    pub(super) weights: MatRef<'w, f64>,
    /// Ascending, n.
    pub(super) f_values: &'w [f64],
    /// u as rows (n x n).
    pub(super) f_vectors: &'w [f64],
    /// Ascending, n; zero up to `n 2^-52` times the largest.
    pub(super) g_values: &'w [f64],
    /// s as rows (n x n).
    pub(super) g_vectors: &'w [f64],
    /// `z^T F z` for each eigenvector z of G; zero where its eigenvalue is.
    along: &'w [f64],
    /// `(1 . z)^2`, likewise.
    sums: &'w [f64],
    /// `tr F^2`.
    ff: f64,
    /// Sum of the entries of F.
    f_sum: f64,
    /// Why nothing is defined, if so.
    pub(super) defined: Result<(), Undefined>,
    /// By how much an eigenvalue of F can be wrong.
    pub(super) f_error: f64,
    /// Of G; `None` as that of K.
    pub(super) g_error: Option<f64>,
}

/// Values of memory that [`LayerSpectrum::new`] keeps for weights (k x d), saturating.
pub const fn layer_spectrum_length(k: usize, d: usize) -> usize {
    let n = smaller(k, d);
    let vectors = n.saturating_add(2).saturating_mul(n).saturating_mul(2);
    k.saturating_mul(d).saturating_add(vectors)
}

/// Values of workspace that [`PtkSpectrum::new`] and [`LayerSpectrum::new`] need for weights (k x d), saturating.
pub const fn spectrum_workspace(k: usize, d: usize) -> usize {
    let n = smaller(k, d);
    let buffers = n.saturating_mul(2).saturating_add(3).saturating_mul(k);
    buffers.saturating_add(eigen_workspace(k))
}

/// The correlations of F with a power of G.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerCorrelations {
    /// `rho(F, G^s)`.
    pub cosine: Result<f64, Undefined>,
    /// The same over entries minus their means.
    pub pearson: Result<f64, Undefined>,
}

impl<'w> LayerSpectrum<'w> {
    /// Decomposes F and G of the weights, or of their change since initialisation.
    ///
    /// **Shapes** weights and initial (k x d), the spectrum of K (k x k), memory at least [`layer_spectrum_length`],
    /// workspace at least [`spectrum_workspace`]. `read` is the relative error of each weight and initial weight.
    /// **Arithmetic** W is scaled by a power of two, the difference `W - W_0` rounded once. No matrix has more rows than k,
    /// and none has d rows where k < d.
    /// **Errors** [`Error::Shape`], [`Error::Workspace`], [`Error::NotFinite`], [`Error::Parameter`] for a negative error,
    /// [`Error::NoConvergence`].
    pub fn new<T: Real, B: Backend<f64>>(
        backend: B,
        (weights, initial): (MatRef<'_, T>, Option<MatRef<'_, T>>),
        read: f64,
        ptk: PtkSpectrum<'w>,
        memory: &'w mut [f64],
        workspace: &mut [f64],
    ) -> Result<Self, Error> {
        let (k, d) = weights.shape();
        if let Some(initial) = initial {
            initial.check_shape("initial weights", (k, d))?;
        }
        crate::error::check_length("eigenvalues of K", k, ptk.size())?;
        check_workspace("memory of eigenvectors", layer_spectrum_length(k, d), memory.len())?;
        check_workspace("workspace", spectrum_workspace(k, d), workspace.len())?;
        check_at_least_zero("error of the weights", read)?;
        let (route, n) = (Route::cheaper(k, d), smaller(k, d));
        let lengths = [k * d, n, n * n, n, n * n, n, n];
        let ([w, f_values, f_vectors, g_values, g_vectors, along, sums], _) = split(memory, lengths);

        weights.widen_into(w);
        let mut scaled = Scaled::new(backend, "weights", (k, d), &mut *w, false)?;
        let mut read = read;
        if let Some(initial) = initial {
            let whole = scaled.norm();
            weights.widen_into(w);
            subtract(w, initial);
            scaled = Scaled::new(backend, "weights minus initial weights", (k, d), &mut *w, false)?;
            read = change_error(read, whole, scaled.norm());
        }
        let (zero, square) = (scaled.exponent.is_none(), scaled.square);
        let weights = MatRef::new(w, k, d)?;
        let defined = if zero {
            Err(Undefined::ZeroWeights)
        } else if ptk.trace > 0.0 {
            Ok(())
        } else {
            Err(Undefined::ZeroGradient)
        };

        let ([first, second, v, roots, a], rest) = split(workspace, [k * n, k * n, k, k, k]);
        roots.iter_mut().zip(ptk.values).for_each(|(root, value)| *root = sqrt(*value));
        for (v, row) in v.iter_mut().zip(rows(w, d)) {
            *v = row.iter().fold(0.0, |sum, x| sum + x);
        }
        let z = MatRef::new(ptk.vectors, k, k)?;
        // D Z v = A 1
        kernel::product(backend, MatMut::new(a, k, 1)?, z, MatRef::column_vector(v))?;
        a.iter_mut().zip(&*roots).for_each(|(a, root)| *a *= root);
        // Gram: Z M, then A W^T = D Z M. Direct: A.
        let x = if route == Route::Gram { weights.t() } else { weights };
        kernel::outer(backend, MatMut::new(f_vectors, n, n)?, x)?;
        let f = MatRef::new(f_vectors, n, n)?;
        let ff = backend.dot(f, f);
        let right = if route == Route::Gram { f } else { weights };
        kernel::product(backend, MatMut::new(first, k, n)?, z, right)?;
        if route == Route::Gram {
            kernel::symmetric_product(
                backend,
                MatMut::new(g_vectors, n, n)?,
                MatRef::new(first, k, n)?,
                z.t(),
            )?;
            for (row, root) in rows_mut(g_vectors, n).zip(&*roots) {
                row.iter_mut().zip(&*roots).for_each(|(x, other)| *x *= root * other);
            }
        }
        rows_mut(first, n).zip(&*roots).for_each(|(row, root)| row.iter_mut().for_each(|x| *x *= root));
        if route == Route::Direct {
            kernel::outer(backend, MatMut::new(g_vectors, n, n)?, MatRef::new(first, k, n)?)?;
        }
        symmetric_eigen(backend, f_vectors, f_values, rest)?;
        symmetric_eigen(backend, g_vectors, g_values, rest)?;
        let threshold = n as f64 * f64::EPSILON * largest(g_values);
        g_values.iter_mut().for_each(|g| *g = if *g > threshold { *g } else { 0.0 });

        // W z for each eigenvector z of G: W A^T s / g^(1/2), or W s. Rows of n times n x k.
        let s = MatRef::new(g_vectors, n, n)?;
        let right = if route == Route::Gram { MatRef::new(first, k, n)? } else { weights.t() };
        kernel::product(backend, MatMut::new(second, n, k)?, s, right)?;
        let moved = rows(second, k).zip(rows(g_vectors, n)).zip(g_values.iter());
        for ((along, sum), ((wz, s), g)) in along.iter_mut().zip(sums.iter_mut()).zip(moved) {
            let (square, entries, scale) = match route {
                Route::Gram => (dot(wz, wz), dot(s, a), *g),
                Route::Direct => (dot(wz, wz), s.iter().fold(0.0, |sum, x| sum + x), 1.0),
            };
            let kept = *g > 0.0;
            *along = if kept { square / scale } else { 0.0 };
            *sum = if kept { entries * entries / scale } else { 0.0 };
        }

        let (size, both) = (k as f64, (k + d) as f64);
        let given = read * (2.0 + read);
        let f_error = square * (given + f64::EPSILON * both) + 2.0 * n as f64 * f64::EPSILON * sqrt(ff);
        let g_error = ptk.error.map(|error| {
            let of_given = (given + error * (1.0 + given)) * ptk.norm;
            square * (of_given + f64::EPSILON * (8.0 * size + 4.0 * both) * ptk.trace)
        });
        Ok(Self {
            ptk,
            route,
            weights,
            f_values,
            f_vectors,
            g_values,
            g_vectors,
            along,
            sums,
            ff,
            f_sum: dot(v, v),
            defined,
            f_error,
            g_error,
        })
    }

    /// The correlations of F with `G^s`, s in (0, 1].
    ///
    /// ```text
    /// G^s = sum g_i^s z_i z_i^T:  tr(F G^s) = sum g_i^s z_i^T F z_i,  tr(G^2s) = sum g_i^2s,  1^T G^s 1 = sum g_i^s (1 . z_i)^2
    /// ```
    /// **Arithmetic** `(g / g_max)^s = exp(s ln(g / g_max))` by [`crate::elementary`]; plain sums over ascending g. An
    /// eigenvalue up to `n 2^-52` times the largest counts as zero.
    /// **Accuracy** A power is within 2e-14 of its own size. What is unknown of G weighs more: an eigenvalue of G that is off by
    /// e moves its power by at most `e^s`, and e is a modest multiple of `n 2^-52 |W|_F^2 tr K`. So `s = 1/2` keeps half of
    /// the digits of what is on the null space of G, and a smaller power fewer.
    /// **Errors** [`Error::Parameter`] for another s.
    /// **Source** Radhakrishnan, Beaglehole, Pandit, Belkin, *Mechanism for feature learning in neural networks and
    /// backpropagation-free machine learning models*, Science 383 (2024): the neural feature ansatz with a power.
    pub fn power(&self, s: f64) -> Result<PowerCorrelations, Error> {
        if !(s > 0.0 && s <= 1.0) {
            return Err(Error::Parameter {
                what: "power",
                expected: "a number above 0, at most 1",
                found: s,
            });
        }
        let largest = largest(self.g_values);
        if let Err(why) = self.defined.and(if largest > 0.0 { Ok(()) } else { Err(Undefined::ZeroGradient) })
        {
            return Ok(PowerCorrelations { cosine: Err(why), pearson: Err(why) });
        }
        let mut t = Traces { ff: self.ff, fg: 0.0, gg: 0.0, f_sum: self.f_sum, g_sum: 0.0 };
        for ((g, along), sum) in self.g_values.iter().zip(self.along).zip(self.sums) {
            if *g > 0.0 {
                let power = exp(s * ln(g / largest));
                t.fg += power * along;
                t.gg += power * power;
                t.g_sum += power * sum;
            }
        }
        let d = self.weights.columns();
        let (ff, fg, gg) = covariances(&t, d as f64 * d as f64);
        let pearson = if d > 1 && varies(ff, t.ff, d) && varies(gg, t.gg, d) {
            Ok(cosine(ff, fg, gg))
        } else {
            Err(Undefined::ConstantEntries)
        };
        Ok(PowerCorrelations { cosine: Ok(cosine(t.ff, t.fg, t.gg)), pearson })
    }
}

/// The last of ascending eigenvalues, or zero.
fn largest(values: &[f64]) -> f64 {
    values.last().copied().filter(|value| *value > 0.0).unwrap_or(0.0)
}

/// The last `count` of n eigenvectors.
pub(super) fn leading(vectors: &[f64], n: usize, count: usize) -> Result<MatRef<'_, f64>, Error> {
    Ok(MatRef::new(vectors, n, n)?.row_range(n.saturating_sub(count), count))
}

const fn smaller(k: usize, d: usize) -> usize {
    if k < d { k } else { d }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}
