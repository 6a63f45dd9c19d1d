//! Synthetic data with known features.

mod alignment_reversing;

pub use alignment_reversing::AlignmentReversing;

use crate::elementary::{exp, ln};
use crate::error::Error;
use crate::ieee::sqrt;
use crate::matrix::MatMut;
use crate::random::Stream;
use crate::scalar::{Real, Scalar};

/// Standard deviation of coordinate `i` (from 0) under the power-law spectrum `lambda = 1 / (1 + (i+1)^alpha)`.
///
/// **Accuracy** a few `f64` ulps, with the same bits on every target ([`crate::elementary`]). `alpha = 0` gives `sqrt(1/2)`
/// for every i.
/// **Source** the spectrum of Beaglehole, Mitliagkas, Agarwala, arXiv 2402.05271.
pub fn power_law_deviation(i: u32, alpha: f64) -> f64 {
    sqrt(1.0 / (1.0 + exp(alpha * ln(f64::from(i) + 1.0))))
}

/// Fills the rows with independent Gaussians: `N(0, I)`, or with the power-law spectrum of the given exponent.
///
/// **Shapes** out (n x d).
/// **Arithmetic** one draw for each value in row-major order; normal times deviation in `f64`, rounded once.
/// **Errors** [`Error::Parameter`] for an exponent that is not finite.
pub fn fill_gaussian<T: Real>(
    stream: &mut Stream,
    spectrum: Option<f64>,
    mut out: MatMut<'_, T>,
) -> Result<(), Error> {
    if let Some(alpha) = spectrum
        && !alpha.is_finite()
    {
        return Err(Error::Parameter {
            what: "spectrum exponent",
            expected: "a finite number",
            found: alpha,
        });
    }
    for row in out.rows_mut() {
        for (i, slot) in row.iter_mut().enumerate() {
            let deviation = spectrum.map_or(1.0, |alpha| power_law_deviation(i as u32, alpha));
            *slot = T::from_f64(stream.normal() * deviation);
        }
    }
    Ok(())
}

/// The chain monomial of rank r: `y = sum_{k<r} x_k x_{(k+1) mod r}`.
///
/// **Shapes** x (d).
/// **Arithmetic** one fma chain over k ascending.
/// **Errors** [`Error::Parameter`] unless `1 <= r <= d`.
/// **Source** Beaglehole, Mitliagkas, Agarwala, arXiv 2402.05271.
pub fn chain_monomial<T: Scalar>(rank: usize, x: &[T]) -> Result<T, Error> {
    check_rank(rank, x.len())?;
    let factors = x.iter().take(rank);
    let next = x.iter().take(rank).cycle().skip(1);
    Ok(factors.zip(next).fold(T::zero(), |sum, (a, b)| T::fma(a, b, sum)))
}

/// The expected gradient outer product `E[grad y grad y^T]` of the chain monomial under independent coordinates.
///
/// As `dy/dx_i = x_{i-1} + x_{i+1}` (indices mod r), its entry (i, j) is `sum_m c_im c_jm lambda_m`, with
/// `c_im` the number of neighbours of i that are m. For r >= 5 and `N(0, I)`: 2 on the diagonal, 1 where `|i - j| = 2`
/// (mod r).
///
/// **Shapes** out (d x d).
/// **Errors** [`Error::Parameter`] unless `1 <= r <= d`; [`Error::Shape`] unless out is square.
/// **Source** derived here.
pub fn chain_monomial_outer_product(
    rank: usize,
    spectrum: Option<f64>,
    mut out: MatMut<'_, f64>,
) -> Result<(), Error> {
    let d = out.columns();
    out.as_ref().check_shape("expected gradient outer product", (d, d))?;
    check_rank(rank, d)?;
    let neighbours =
        |i: usize, m: usize| f64::from(u8::from((i + 1) % rank == m) + u8::from((m + 1) % rank == i));
    for (i, row) in out.rows_mut().enumerate() {
        for (j, slot) in row.iter_mut().enumerate() {
            *slot = if i < rank && j < rank {
                (0..rank).fold(0.0, |sum, m| {
                    let deviation = spectrum.map_or(1.0, |alpha| power_law_deviation(m as u32, alpha));
                    sum + neighbours(i, m) * neighbours(j, m) * (deviation * deviation)
                })
            } else {
                0.0
            };
        }
    }
    Ok(())
}

fn check_rank(rank: usize, dimension: usize) -> Result<(), Error> {
    if (1..=dimension).contains(&rank) {
        Ok(())
    } else {
        Err(Error::Parameter { what: "rank", expected: "between 1 and the dimension", found: rank as f64 })
    }
}
