//! The normal density `e^(-x^2/2) / sqrt(2 pi)` in `f64`: the exponential of the rounded square, corrected by the square's
//! rounding error. Tested against integer arithmetic.

use super::exp;
use super::normal_distribution::square;

/// `1 / sqrt(2 pi)`.
pub(super) const PEAK: f64 = 0.398_942_280_401_432_7;

/// `e^(-x^2/2) / sqrt(2 pi)`.
///
/// **Accuracy** Below 4 ulp (2.7 are measured), subnormal results included. Even; `+0` at the infinities.
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
