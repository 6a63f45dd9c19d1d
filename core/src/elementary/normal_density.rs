//! The normal density `e^(-x^2/2) / sqrt(2 pi)` in `f64`.
//!
//! The exponential is taken of the rounded square. A first-order term then corrects for the rounding error of the square.
//! Tested against integer arithmetic.

use super::exp;
use super::normal_distribution::square;

/// `1 / sqrt(2 pi)`.
pub(super) const PEAK: f64 = 0.398_942_280_401_432_7;

/// `e^(-x^2/2) / sqrt(2 pi)`.
///
/// **Accuracy** The error is below 4 ulp (measured: at most 2.7), subnormal results included. The function is even; the
/// infinities give `+0`.
///
/// **Source** derived here.
///
/// ```
/// assert_eq!(agop_core::elementary::normal_density(0.0), 0.398_942_280_401_432_7);
/// assert_eq!(agop_core::elementary::normal_density(f64::INFINITY), 0.0);
/// ```
pub fn normal_density(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x.abs() > 39.0 {
        return 0.0;
    }
    let (square, square_low) = square(x);
    let e = exp(-0.5 * square);
    PEAK * (e - e * (0.5 * square_low))
}
