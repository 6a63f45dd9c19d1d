//! Square roots of symmetric matrices, with bounds of the distance of the computed root from the exact one.
//!
//! The computed root of a matrix B is `R = Y^T Y + D`: Y has the rows `y_i = lambda_i^(1/4) z_i`, and D is the rounding
//! error of that product.
//! With `A = R^2` and n the size,
//!
//! ```text
//! | |R| - B^(1/2) |^2 <= trace norm of A - B <= sqrt n |A - B|
//! | |R| - B^(1/2) |   <= |A - B| / (smallest eigenvalue of |R| + that of B^(1/2))
//! | R - |R| |         <= 2 |D|                          zero where R is positive definite
//! ```
//! The smallest eigenvalue of R is at least that of `Y^T Y` minus `|D|`. That of `Y^T Y` is the square of the smallest
//! singular value of Y. The latter is bounded by way of `|Z Z^T - I|`, the departure of the computed eigenvectors from
//! orthonormality.
//!
//! **Source** R. T. Powers and E. Stormer, *Free states of the canonical anticommutation relations*, Commun. Math. Phys. 16
//! (1970), lemma 4.1; J. L. van Hemmen and T. Ando, *An inequality for trace ideals*, Commun. Math. Phys. 76 (1980),
//! proposition 3.2; H. Weyl's inequality.

use super::bound::{Matrix, UNDERFLOW, gamma, height, norm};
use crate::eigen::symmetric_eigen;
use crate::error::Error;
use crate::ieee::{Upper, largest_magnitude, sqrt};
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, cut_mut};

/// Properties of a decomposition, in addition to the root.
pub(super) struct Spectrum {
    /// Sum of the eigenvalues that count as nonzero.
    pub(super) trace: f64,
    /// Whether no eigenvalue is below minus the threshold.
    pub(super) positive: bool,
    /// A lower bound of the smallest eigenvalue of the root; zero if it is not known to be positive.
    pub(super) smallest: f64,
    /// `|D|`.
    pub(super) rounding: Upper,
}

/// Replaces a symmetric matrix by the rows `lambda_i^(power / 2) z_i` and writes its power (1/2 or -1/2, zero on the null
/// space) to `out`. With `bound`, also bounds the smallest eigenvalue of the root.
pub(super) fn spectral<B: Backend<f64>>(
    backend: B,
    matrix: &mut [f64],
    out: &mut [f64],
    values: &mut [f64],
    workspace: &mut [f64],
    power: f64,
    bound: bool,
) -> Result<Spectrum, Error> {
    let n = values.len();
    symmetric_eigen(backend, matrix, values, workspace)?;
    let skew = if bound { skew(backend, matrix, out, n)? } else { Upper(1.0) };
    let largest = largest_magnitude(values.iter().copied());
    let threshold = n as f64 * f64::EPSILON * largest;
    let (mut trace, mut positive, mut min) = (0.0, true, f64::INFINITY);
    // out = sum_i lambda_i^power z_i z_i^T = Y^T Y with rows y_i = lambda_i^(power / 2) z_i.
    for (row, value) in crate::matrix::rows_mut(matrix, n).zip(values.iter()) {
        positive &= *value >= -threshold;
        let factor = if *value > threshold {
            trace += value;
            let fourth = sqrt(sqrt(*value));
            if power > 0.0 { fourth } else { 1.0 / fourth }
        } else {
            0.0
        };
        min = if factor < min { factor } else { min };
        row.iter_mut().for_each(|x| *x *= factor);
    }
    let y = MatRef::new(matrix, n, n)?;
    kernel::outer(backend, MatMut::new(out, n, n)?, y)?;
    if !bound {
        return Ok(Spectrum { trace, positive, smallest: 0.0, rounding: Upper(f64::INFINITY) });
    }
    let y = norm(backend.dot(y, y), height(n, n));
    let rounding = gamma(n) * y * y + UNDERFLOW;
    let orthonormal = sqrt((1.0 - skew.0).next_down()).next_down(); // NaN if the departure is too large
    let singular = ((min * orthonormal).next_down() - (gamma(1) * y + UNDERFLOW).0).next_down();
    let smallest =
        if singular > 0.0 { ((singular * singular).next_down() - rounding.0).next_down() } else { 0.0 };
    Ok(Spectrum { trace, positive, smallest: if smallest > 0.0 { smallest } else { 0.0 }, rounding })
}

/// An upper bound of `|Z Z^T - I|`.
fn skew<B: Backend<f64>>(backend: B, z: &[f64], scratch: &mut [f64], n: usize) -> Result<Upper, Error> {
    let z = MatRef::new(z, n, n)?;
    kernel::outer(backend, MatMut::new(scratch, n, n)?, z.t())?;
    for (i, row) in crate::matrix::rows_mut(scratch, n).enumerate() {
        if let Some(diagonal) = row.get_mut(i) {
            *diagonal -= 1.0;
        }
    }
    let (off, z) = (MatRef::new(scratch, n, n)?, norm(backend.dot(z, z), height(n, n)));
    // The subtraction rounds numbers near zero, except on the diagonal, where it rounds numbers near one.
    Ok(norm(backend.dot(off, off), height(n, n)) + gamma(n + 1) * z * z + UNDERFLOW)
}

/// The computed root of a matrix that was computed with an error itself: its norm, and its distance from the exact root of
/// the exact matrix, which has no negative eigenvalue.
pub(super) fn root_of<B: Backend<f64>>(
    backend: B,
    root: MatRef<'_, f64>,
    spectrum: &Spectrum,
    (matrix, error): (MatRef<'_, f64>, Upper),
    scratch: &mut [f64],
) -> Result<Matrix, Error> {
    let n = root.rows();
    let size = norm(backend.dot(root, root), height(n, n));
    let square = cut_mut(scratch, ..n * n);
    kernel::outer(backend, MatMut::new(square, n, n)?, root)?;
    for (square, x) in square.iter_mut().zip(matrix.elements()) {
        *square -= x;
    }
    let apart = MatRef::new(square, n, n)?;
    let apart = norm(backend.dot(apart, apart), height(n, n)) * (Upper(1.0) + gamma(1));
    let apart = apart + gamma(n) * size * size + error + UNDERFLOW;
    let powers_stormer = (Upper(n as f64).sqrt() * apart).sqrt() + Upper(2.0) * spectrum.rounding;
    let smallest = spectrum.smallest;
    let of_exact = sqrt(((smallest * smallest).next_down() - apart.0).next_down()).next_down();
    let both = (smallest + if of_exact > 0.0 { of_exact } else { 0.0 }).next_down();
    let sharper = if smallest > 0.0 { (apart.0 / both).next_up() } else { f64::INFINITY };
    let error = if sharper < powers_stormer.0 { Upper(sharper) } else { powers_stormer };
    Ok(Matrix { norm: size, error })
}
