//! `x Phi(x)` in `f32`, correctly rounded, Phi the normal distribution function: evaluated in `f64` as in
//! [`gelu`](super::gelu()), rounded once.
//!
//! Beside zero the value is `x/2 + x^2 / sqrt(2 pi) + ...`, a little above `x/2`, which is the middle of two subnormal
//! floats for every other subnormal `x`. `Phi` is therefore taken no nearer to zero than at `+-2^-40`, as the logistic
//! factor in `silu_f32`.
//!
//! The `f64` value is within 2^-49 of the truth (relatively), and for one input only the middle of two floats lies
//! between them; it is tabulated. That there is no other is proved by running all 2^32 inputs against an independent
//! computation with a proven error (`tests/elementary`). A change of this evaluation needs that run again.
//!
//! No branches: clamping, the exception and NaN are selects, so a loop over a slice vectorises.

use super::normal_distribution::distribution;

/// `x Phi(x)`, the Gaussian error linear unit (in its definition by the error function, not by tanh), correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. Keeps the sign of zero;
/// underflow rounds through the subnormals to `-0`.
///
/// ```
/// assert_eq!(agop_core::elementary::gelu_f32(1.0), 0.841_344_77);
/// ```
#[inline(always)]
pub fn gelu_f32(x: f32) -> f32 {
    const BESIDE_ZERO: f64 = 1.0 / 1_099_511_627_776.0;
    let wide = f64::from(x);
    // Below -15 the result is -0 in f32, and still an ordinary number in f64; above 15 the factor is 1.
    let wide = if wide < -15.0 { -15.0 } else { wide };
    let factor = if wide > 15.0 { 15.0 } else { wide };
    let factor = if factor.abs() < BESIDE_ZERO { BESIDE_ZERO.copysign(factor) } else { factor };
    let y = (wide * distribution(factor)) as f32;
    let y = if x.to_bits() == 0x37b0_a46f { f32::from_bits(0x3730_a531) } else { y };
    if x.is_nan() { f32::NAN } else { y }
}
