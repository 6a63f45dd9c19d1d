//! `ln x` in `f32`, correctly rounded: the `f64` logarithm, rounded once.
//!
//! Every positive `f32` is a normal `f64`, for which the error of [`ln`](super::ln()) is below one ulp of `f64`. Rounding
//! that value is correct for all inputs but five. The logarithms of those five are within 2^-53 (relative) of a midpoint
//! of two floats, and the `f64` value falls on the wrong side; they have table entries. A run over all 2^32 inputs against
//! an independent computation with a proven error (`tests/elementary`) proves that there are no others.

use super::ln;

/// The natural logarithm, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. `ln 1 = +0`,
/// `ln 0 = -inf` for both zeros, NaN below zero.
///
/// **Source** derived here, after [`ln`](super::ln()).
///
/// ```
/// assert_eq!(agop_core::elementary::ln_f32(2.0), core::f32::consts::LN_2);
/// ```
#[inline]
pub fn ln_f32(x: f32) -> f32 {
    let bits = match x.to_bits() {
        0x3c41_3d3a => 0xc08e_158f,
        0x4117_8feb => 0x400f_e5e7,
        0x4c5d_65a5 => 0x418f_034b,
        0x65d8_90d3 => 0x4254_d1f9,
        0x6f31_a8ec => 0x4284_5a89,
        _ => return ln(f64::from(x)) as f32,
    };
    f32::from_bits(bits)
}
