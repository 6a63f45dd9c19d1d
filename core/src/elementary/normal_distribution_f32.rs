//! The normal distribution function in `f32`, correctly rounded: evaluated in `f64` as in
//! [`normal_distribution`](super::normal_distribution()), rounded once.
//!
//! The relative error of the `f64` value is below 2^-49. For exactly two inputs there is a midpoint of two floats between
//! that value and the true one: `1/2 + x / sqrt(2 pi)` is close to the midpoint 1/2 + 2^-25 or 1/2 - 2^-26. The two have
//! table entries. A run over all 2^32 inputs against an independent computation with a proven error (`tests/elementary`)
//! proves that there are no others. After a change of this evaluation, repeat that run.
//!
//! There are no branches: clamping, the exceptions and NaN are selects, so a loop over a slice vectorises.

use super::normal_distribution::distribution;

/// `P(X <= x)` for a standard normal `X`, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. Underflow rounds
/// through the subnormals to `+0`.
///
/// **Source** derived here, after [`normal_distribution`](super::normal_distribution()).
///
/// ```
/// assert_eq!(agop_core::elementary::normal_distribution_f32(1.0), 0.841_344_77);
/// ```
#[inline(always)]
pub fn normal_distribution_f32(x: f32) -> f32 {
    let wide = f64::from(x);
    // Outside [-15, 15] the result is 1 or +0 in f32. At the clamped argument it is a normal f64.
    let wide = if wide > 15.0 { 15.0 } else { wide };
    let wide = if wide < -15.0 { -15.0 } else { wide };
    let y = distribution(wide) as f32;
    let y = if x.to_bits() == 0x33a0_6c99 { f32::from_bits(0x3f00_0001) } else { y };
    let y = if x.to_bits() == 0xb320_6c99 { f32::from_bits(0x3eff_ffff) } else { y };
    if x.is_nan() { f32::NAN } else { y }
}
