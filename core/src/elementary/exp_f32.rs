//! `e^x` in `f32`, correctly rounded: evaluated in `f64` as `2^k (1 + (r + r t / (2 - t)))`, rounded once.
//!
//! `x = k ln 2 + r`, `|r| <= 0.347`, `t = r - (r coth(r/2) - 2)` from the exact series. The relative error of the `f64`
//! value is below 2^-52. For no input is there a midpoint of two floats between that value and the true one, so the last
//! rounding is correct. A run over all 2^32 inputs against an independent computation with a proven error
//! (`tests/elementary`) proves this. After a change of this evaluation, repeat that run; an input that fails needs a table
//! entry as in `ln_f32`.
//!
//! There are no branches: clamping and NaN are selects, so a loop over a slice vectorises.

use super::reduction::{coth_tail, reduce};

/// `e^x`, correctly rounded.
///
/// **Accuracy** The float nearest to the true value, ties to even, for every input: half an ulp. Overflow gives
/// infinity, underflow rounds through the subnormals to `+0`.
///
/// **Source** derived here, after [`exp`](super::exp()).
///
/// ```
/// assert_eq!(agop_core::elementary::exp_f32(1.0), 2.718_281_7);
/// ```
#[inline]
pub fn exp_f32(x: f32) -> f32 {
    let wide = f64::from(x);
    // Outside [-110, 100] the result is infinite or zero in f32. At the clamped argument it is a normal f64.
    let wide = if wide > 100.0 { 100.0 } else { wide };
    let wide = if wide < -110.0 { -110.0 } else { wide };
    let (_, k, high, low) = reduce(wide);
    let r = high - low;
    let t = r - coth_tail(r * r);
    let y = 1.0 + (r + r * t / (2.0 - t));
    let y = f64::from_bits(y.to_bits().wrapping_add(k << 52)) as f32;
    if x.is_nan() { x } else { y }
}
