//! `x / (1 + e^-x)` in `f32`, correctly rounded: evaluated in `f64` as in [`silu`](super::silu()), rounded once.
//!
//! Beside zero the value is `x/2 + x^2/4 + ...`, a little above `x/2`, which is the middle of two subnormal floats for
//! every other subnormal `x`. The logistic factor is therefore taken no nearer to zero than at `+-2^-40`, where it is
//! `1/2 +- 2^-42`: above or below 1/2 as it should be, and too near to it to carry a value across a middle.
//!
//! The `f64` value is within 2^-50 of the truth (relatively), and for no input does the middle of two floats lie between
//! them: proved by running all 2^32 inputs against an independent computation with a proven error (`tests/elementary`).
//! A change of this evaluation needs that run again, and perhaps a table of exceptional inputs as in `ln_f32`.
//!
//! No branches: clamping and NaN are selects, so a loop over a slice vectorises.

use super::sigmoid::logistic;

/// `x / (1 + e^-x)`, the sigmoid linear unit, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. Keeps the sign of zero;
/// underflow rounds through the subnormals to `-0`.
///
/// ```
/// assert_eq!(agop_core::elementary::silu_f32(1.0), 0.731_058_6);
/// ```
#[inline(always)]
pub fn silu_f32(x: f32) -> f32 {
    const BESIDE_ZERO: f64 = 1.0 / 1_099_511_627_776.0;
    let wide = f64::from(x);
    // Below -120 the result is -0 in f32, and still an ordinary number in f64; above 100 the factor is 1.
    let wide = if wide < -120.0 { -120.0 } else { wide };
    let factor = if wide > 100.0 { 100.0 } else { wide };
    let factor = if factor.abs() < BESIDE_ZERO { BESIDE_ZERO.copysign(factor) } else { factor };
    let y = (wide * logistic(factor)) as f32;
    if x.is_nan() { f32::NAN } else { y }
}
