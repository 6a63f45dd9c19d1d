//! `ln(1 + e^x)` in `f32`, correctly rounded: evaluated in `f64` as in [`softplus`](super::softplus()), rounded once.
//!
//! The relative error of the `f64` value is below 2^-50. For exactly one input there is a midpoint of two floats between
//! that value and the true one; that input has a table entry. A run over all 2^32 inputs against an independent
//! computation with a proven error (`tests/elementary`) proves that there is no other. After a change of this evaluation,
//! repeat that run.
//!
//! There are no branches: clamping, the exception and NaN are selects, so a loop over a slice vectorises.

use super::softplus::log_one_plus_exp;

/// `ln(1 + e^x)`, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. Underflow rounds
/// through the subnormals to `+0`.
///
/// **Source** derived here, after [`softplus`](super::softplus()).
///
/// ```
/// assert_eq!(agop_core::elementary::softplus_f32(0.0), core::f32::consts::LN_2);
/// ```
#[inline(always)]
pub fn softplus_f32(x: f32) -> f32 {
    let wide = f64::from(x);
    // Outside [-120, 120] the result is x or +0 in f32. At the clamped argument it is a normal f64.
    let clamped = if wide > 120.0 { 120.0 } else { wide };
    let clamped = if clamped < -120.0 { -120.0 } else { clamped };
    let y = log_one_plus_exp(clamped) as f32;
    let y = if wide > 120.0 { x } else { y };
    let y = if x.to_bits() == 0x39ea_41d0 { f32::from_bits(0x3f31_80bd) } else { y };
    if x.is_nan() { f32::NAN } else { y }
}
