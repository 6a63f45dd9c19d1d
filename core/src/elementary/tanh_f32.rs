//! `tanh x` in `f32`, correctly rounded: evaluated in `f64` from `R = r coth(r/2)`, rounded once.
//!
//! `2 |x| = k ln 2 + r`, `|r| <= 0.347`, `s = 2^-k`, `tanh |x| = ((1 - s) R + (1 + s) r) / ((1 + s) R + (1 - s) r)`: six
//! series coefficients and one division. For small arguments `k = 0` and `s = 1`, so the quotient is `2 r / 2 R` and has a
//! small relative error.
//!
//! The relative error of the `f64` value is below 2^-50. For no input is there a midpoint of two floats between that value
//! and the true one, so the last rounding is correct. A run over all 2^32 inputs against an independent computation with a
//! proven error (`tests/elementary`) proves this. After a change of this evaluation, repeat that run; an input that fails
//! needs a table entry as in `ln_f32`.
//!
//! There are no branches: clamping, sign and NaN are selects, so a loop over a slice vectorises.

use super::reduction::{coth_tail, reduce};

/// `tanh x`, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. The function is odd and
/// keeps the sign of zero.
///
/// **Source** derived here, after [`tanh`](super::tanh()).
///
/// ```
/// assert_eq!(agop_core::elementary::tanh_f32(0.5), 0.462_117_16);
/// ```
#[inline]
pub fn tanh_f32(x: f32) -> f32 {
    let magnitude = f64::from(x.abs());
    let magnitude = if magnitude > 10.0 { 10.0 } else { magnitude }; // tanh 10 rounds to 1
    let (_, k, high, low) = reduce(2.0 * magnitude);
    let r = high - low;
    let s = f64::from_bits(1.0f64.to_bits().wrapping_sub(k << 52));
    let (difference, sum) = (1.0 - s, 1.0 + s);
    let coth = 2.0 + coth_tail(r * r);
    let y = (difference * coth + sum * r) / (sum * coth + difference * r);
    let y = (y as f32).copysign(x);
    if x.is_nan() { x } else { y }
}
