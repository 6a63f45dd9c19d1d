//! The normal density `e^(-x^2/2) / sqrt(2 pi)` in `f32`, correctly rounded: evaluated in `f64`, where the square is exact,
//! rounded once.
//!
//! The relative error of the `f64` value is below 2^-51. For no input is there a midpoint of two floats between that value
//! and the true one, so the last rounding is correct. A run over all 2^32 inputs against an independent computation with a
//! proven error (`tests/elementary`) proves this. After a change of this evaluation, repeat that run; an input that fails
//! needs a table entry as in `ln_f32`.
//!
//! There are no branches: clamping and NaN are selects, so a loop over a slice vectorises.

use super::normal_density::PEAK;
use super::reduction::exp_quotient;

/// `e^(-x^2/2) / sqrt(2 pi)`, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. The function is even;
/// underflow rounds through the subnormals to `+0`.
///
/// **Source** derived here, after [`normal_density`](super::normal_density()).
///
/// ```
/// assert_eq!(agop_core::elementary::normal_density_f32(0.0), 0.398_942_3);
/// ```
#[inline(always)]
pub fn normal_density_f32(x: f32) -> f32 {
    let t = f64::from(x.abs());
    let t = if t > 15.0 { 15.0 } else { t }; // beyond 15 the result is +0 in f32; at 15 it is a normal f64
    let (p, q) = exp_quotient(-0.5 * (t * t));
    let y = (p * PEAK / q) as f32;
    if x.is_nan() { f32::NAN } else { y }
}
