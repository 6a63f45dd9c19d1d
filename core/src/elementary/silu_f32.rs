//! `x / (1 + e^-x)` in `f32`, correctly rounded: evaluated in `f64` as in [`silu`](super::silu()), rounded once.
//!
//! Near zero the value is `x/2 + x^2/4 + ...`, slightly above `x/2`. For every other subnormal `x`, `x/2` is the midpoint of
//! two subnormal floats. The argument of the logistic factor is therefore moved away from zero to at least `2^-40` in
//! magnitude. There the factor is `1/2 +- 2^-42`: on the correct side of 1/2, and too close to it to move a value across a
//! midpoint.
//!
//! The relative error of the `f64` value is below 2^-50. For no input is there a midpoint of two floats between that value
//! and the true one, so the last rounding is correct. A run over all 2^32 inputs against an independent computation with a
//! proven error (`tests/elementary`) proves this. After a change of this evaluation, repeat that run; an input that fails
//! needs a table entry as in `ln_f32`.
//!
//! There are no branches: clamping and NaN are selects, so a loop over a slice vectorises.

use super::sigmoid::logistic;

/// `x / (1 + e^-x)`, the sigmoid linear unit, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. Keeps the sign of zero;
/// underflow rounds through the subnormals to `-0`.
///
/// **Source** derived here, after [`silu`](super::silu()).
///
/// ```
/// assert_eq!(agop_core::elementary::silu_f32(1.0), 0.731_058_6);
/// ```
#[inline(always)]
pub fn silu_f32(x: f32) -> f32 {
    const BESIDE_ZERO: f64 = 1.0 / 1_099_511_627_776.0;
    let wide = f64::from(x);
    // Below -120 the result is -0 in f32; at the clamped argument it is a normal f64. Above 100 the factor is 1.
    let wide = if wide < -120.0 { -120.0 } else { wide };
    let factor = if wide > 100.0 { 100.0 } else { wide };
    let factor = if factor.abs() < BESIDE_ZERO { BESIDE_ZERO.copysign(factor) } else { factor };
    let y = (wide * logistic(factor)) as f32;
    if x.is_nan() { f32::NAN } else { y }
}
