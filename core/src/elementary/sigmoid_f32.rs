//! The logistic function in `f32`, correctly rounded: evaluated in `f64` as in [`sigmoid`](super::sigmoid()), rounded
//! once.
//!
//! Beside zero the value is `1/2 + x/4 - x^3/48 + ...`, whose first two terms alone are the middle of two floats for
//! many `x` and whose third is too small for `f64`. There `x (1 - 2^-26)` takes the place of `x`: it moves such a value
//! off the middle, towards 1/2 as the third term does, and no other value across one, for `x/4` is a multiple of 2^-25
//! of its own power of two.
//!
//! The `f64` value is within 2^-50 of the truth (relatively), and for one input only the middle of two floats lies
//! between them; it is tabulated. That there is no other is proved by running all 2^32 inputs against an independent
//! computation with a proven error (`tests/elementary`). A change of this evaluation needs that run again.
//!
//! No branches: clamping, the exception and NaN are selects, so a loop over a slice vectorises.

use super::sigmoid::logistic;

/// The logistic function `1 / (1 + e^-x)`, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. Underflow rounds
/// through the subnormals to `+0`.
///
/// ```
/// assert_eq!(agop_core::elementary::sigmoid_f32(1.0), 0.731_058_6);
/// assert_eq!(agop_core::elementary::sigmoid_f32(-100.0), 3.8e-44);
/// ```
#[inline(always)]
pub fn sigmoid_f32(x: f32) -> f32 {
    const BESIDE_ZERO: f64 = 1.0 / 16_384.0;
    const NUDGE: f64 = 1.0 / 67_108_864.0;
    let wide = f64::from(x);
    // Beyond these the result is 1 or +0 in f32, and still an ordinary number in f64.
    let wide = if wide > 100.0 { 100.0 } else { wide };
    let wide = if wide < -120.0 { -120.0 } else { wide };
    let wide = if wide.abs() < BESIDE_ZERO { wide - wide * NUDGE } else { wide };
    let y = logistic(wide) as f32;
    let y = if x.to_bits() == 0xba92_8601 { f32::from_bits(0x3eff_db5f) } else { y };
    if x.is_nan() { f32::NAN } else { y }
}
