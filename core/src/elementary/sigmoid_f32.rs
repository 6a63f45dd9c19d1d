//! The logistic function in `f32`, correctly rounded: evaluated in `f64` as in [`sigmoid`](super::sigmoid()), rounded
//! once.
//!
//! Near zero the value is `1/2 + x/4 - x^3/48 + ...`. For many `x`, `1/2 + x/4` is exactly the midpoint of two floats, and
//! the third term is too small for `f64`. Near zero `x` is therefore replaced by `x (1 - 2^-26)`. That moves such a value
//! off the midpoint, towards 1/2, as the third term does. It moves no other value across a midpoint, because `x/4` is a
//! multiple of 2^-25 of its own power of two.
//!
//! The relative error of the `f64` value is below 2^-50. For exactly one input there is a midpoint of two floats between
//! that value and the true one; that input has a table entry. A run over all 2^32 inputs against an independent
//! computation with a proven error (`tests/elementary`) proves that there is no other. After a change of this evaluation,
//! repeat that run.
//!
//! There are no branches: clamping, the exception and NaN are selects, so a loop over a slice vectorises.

use super::sigmoid::logistic;

/// The logistic function `1 / (1 + e^-x)`, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. Underflow rounds
/// through the subnormals to `+0`.
///
/// **Source** derived here, after [`sigmoid`](super::sigmoid()).
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
    // Outside [-120, 100] the result is 1 or +0 in f32. At the clamped argument it is a normal f64.
    let wide = if wide > 100.0 { 100.0 } else { wide };
    let wide = if wide < -120.0 { -120.0 } else { wide };
    let wide = if wide.abs() < BESIDE_ZERO { wide - wide * NUDGE } else { wide };
    let y = logistic(wide) as f32;
    let y = if x.to_bits() == 0xba92_8601 { f32::from_bits(0x3eff_db5f) } else { y };
    if x.is_nan() { f32::NAN } else { y }
}
