//! `x Phi(x)` in `f32`, correctly rounded, Phi the normal distribution function: evaluated in `f64` as in
//! [`gelu`](super::gelu()), rounded once.
//!
//! Near zero the value is `x/2 + x^2 / sqrt(2 pi) + ...`, slightly above `x/2`. For every other subnormal `x`, `x/2` is the
//! midpoint of two subnormal floats. The argument of `Phi` is therefore moved away from zero to at least `2^-40` in
//! magnitude, as that of the logistic factor in `silu_f32`.
//!
//! The relative error of the `f64` value is below 2^-49. For exactly one input there is a midpoint of two floats between
//! that value and the true one; that input has a table entry. A run over all 2^32 inputs against an independent
//! computation with a proven error (`tests/elementary`) proves that there is no other. After a change of this evaluation,
//! repeat that run.
//!
//! There are no branches: clamping, the exception and NaN are selects, so a loop over a slice vectorises.

use super::normal_distribution::distribution;

/// `x Phi(x)`, the Gaussian error linear unit (in its definition by the error function, not by tanh), correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. Keeps the sign of zero;
/// underflow rounds through the subnormals to `-0`.
///
/// **Source** derived here, after [`gelu`](super::gelu()).
///
/// ```
/// assert_eq!(agop_core::elementary::gelu_f32(1.0), 0.841_344_77);
/// ```
#[inline(always)]
pub fn gelu_f32(x: f32) -> f32 {
    const BESIDE_ZERO: f64 = 1.0 / 1_099_511_627_776.0;
    let wide = f64::from(x);
    // Below -15 the result is -0 in f32; at the clamped argument it is a normal f64. Above 15 the factor Phi is 1.
    let wide = if wide < -15.0 { -15.0 } else { wide };
    let factor = if wide > 15.0 { 15.0 } else { wide };
    let factor = if factor.abs() < BESIDE_ZERO { BESIDE_ZERO.copysign(factor) } else { factor };
    let y = (wide * distribution(factor)) as f32;
    let y = if x.to_bits() == 0x37b0_a46f { f32::from_bits(0x3730_a531) } else { y };
    if x.is_nan() { f32::NAN } else { y }
}
