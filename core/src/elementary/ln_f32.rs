//! `ln x` in `f32`, correctly rounded: the `f64` logarithm, rounded once.
//!
//! Every `f32` is a normal `f64`, where [`ln`](super::ln()) errs by less than an ulp. That settles all inputs but five,
//! whose logarithms lie within 2^-53 (relatively) of the middle of two floats on the wrong side of it; they are
//! tabulated. That there are no others is proved by running all 2^32 inputs against an independent computation with a
//! proven error (`tests/elementary.rs`).

use super::ln;

/// The natural logarithm, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. `ln 1 = +0`,
/// `ln 0 = -inf` for both zeros, NaN below zero.
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
