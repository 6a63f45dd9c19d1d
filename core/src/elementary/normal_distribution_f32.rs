//! The normal distribution function in `f32`, correctly rounded: evaluated in `f64` as in
//! [`normal_distribution`](super::normal_distribution()), rounded once.
//!
//! The `f64` value is within 2^-49 of the truth (relatively), and for two inputs the middle of two floats lies between
//! them: near `1/2 + x / sqrt(2 pi)` with the middles 1/2 + 2^-25 and 1/2 - 2^-26. They are tabulated. That there are no
//! others is proved by running all 2^32 inputs against an independent computation with a proven error
//! (`tests/elementary`). A change of this evaluation needs that run again.
//!
//! No branches: clamping, the exceptions and NaN are selects, so a loop over a slice vectorises.

use super::normal_distribution::distribution;

/// `P(X <= x)` for a standard normal `X`, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. Underflow rounds
/// through the subnormals to `+0`.
///
/// ```
/// assert_eq!(agop_core::elementary::normal_distribution_f32(1.0), 0.841_344_77);
/// ```
#[inline(always)]
pub fn normal_distribution_f32(x: f32) -> f32 {
    let wide = f64::from(x);
    // Beyond these the result is 1 or +0 in f32, and still an ordinary number in f64.
    let wide = if wide > 15.0 { 15.0 } else { wide };
    let wide = if wide < -15.0 { -15.0 } else { wide };
    let y = distribution(wide) as f32;
    let y = if x.to_bits() == 0x33a0_6c99 { f32::from_bits(0x3f00_0001) } else { y };
    let y = if x.to_bits() == 0xb320_6c99 { f32::from_bits(0x3eff_ffff) } else { y };
    if x.is_nan() { f32::NAN } else { y }
}
