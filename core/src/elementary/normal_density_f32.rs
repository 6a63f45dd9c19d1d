//! The normal density `e^(-x^2/2) / sqrt(2 pi)` in `f32`, correctly rounded: evaluated in `f64`, where the square is exact,
//! rounded once.
//!
//! The `f64` value is within 2^-51 of the truth (relatively), and for no input does the middle of two floats lie between
//! them: proved by running all 2^32 inputs against an independent computation with a proven error (`tests/elementary`).
//! A change of this evaluation needs that run again, and perhaps a table of exceptional inputs as in `ln_f32`.
//!
//! No branches: clamping and NaN are selects, so a loop over a slice vectorises.

use super::normal_density::PEAK;
use super::reduction::exp_quotient;

/// `e^(-x^2/2) / sqrt(2 pi)`, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. Even; underflow rounds
/// through the subnormals to `+0`.
///
/// ```
/// assert_eq!(agop_core::elementary::normal_density_f32(0.0), 0.398_942_3);
/// ```
#[inline(always)]
pub fn normal_density_f32(x: f32) -> f32 {
    let t = f64::from(x.abs());
    let t = if t > 15.0 { 15.0 } else { t }; // the result is +0 in f32, and still an ordinary number in f64
    let (p, q) = exp_quotient(-0.5 * (t * t));
    let y = (p * PEAK / q) as f32;
    if x.is_nan() { f32::NAN } else { y }
}
