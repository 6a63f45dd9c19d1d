//! `ln x` in `f64`: `x = 2^k m`, `sqrt(1/2) <= m < sqrt(2)`, `f = m - 1`, `s = f / (2 + f)`,
//! `ln m = 2 artanh s = f - (f^2/2 - s (f^2/2 + 2 s^2/3 + 2 s^4/5 + ...))`, `|s| <= 0.1716`.
//!
//! The order of operations is that of FreeBSD's `e_log.c`; ten terms of the exact series replace its minimax polynomial,
//! with a truncation error of 2^-60 of the result. The error is below 1 ulp: half an ulp from the last subtraction, the
//! rest from terms that are a quarter of the result or less. Tested against integer arithmetic.

use super::reduction::{LN_2_HIGH, LN_2_LOW, artanh_tail};

/// The natural logarithm.
///
/// **Accuracy** The error is below 1 ulp, subnormal arguments included. `ln 1 = +0`, `ln 0 = -inf` for both zeros, NaN
/// below zero.
///
/// **Source** argument reduction and sum: FreeBSD `e_log.c` (Sun Microsystems, 1993). The series is derived here.
///
/// ```
/// assert_eq!(agop_core::elementary::ln(1.0), 0.0);
/// assert!(agop_core::elementary::ln(-1.0).is_nan());
/// ```
pub fn ln(x: f64) -> f64 {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd; // the bits of sqrt(1/2), rounded up
    const TWO_54: f64 = 18_014_398_509_481_984.0;
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    if !x.is_finite() {
        return x;
    }
    let (x, shift) = if x < f64::MIN_POSITIVE { (x * TWO_54, 54.0) } else { (x, 0.0) };
    let above = x.to_bits().wrapping_sub(SQRT_HALF) as i64;
    let k = (above >> 52) as f64 - shift;
    let m = f64::from_bits(x.to_bits().wrapping_sub((above as u64) & !(u64::MAX >> 12)));
    let f = m - 1.0; // exact
    let s = f / (2.0 + f);
    let half_square = 0.5 * f * f;
    k * LN_2_HIGH - ((half_square - (s * (half_square + artanh_tail(s * s)) + k * LN_2_LOW)) - f)
}
