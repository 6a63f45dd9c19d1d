//! `ln(1 + e^x)` in `f64`: `max(x, 0) + ln(1 + a)` with `a = e^-|x| = p / q`.
//!
//! `ln(1 + a) = 2 artanh s` with `s = a / (2 + a) = p / (2 q + p)`, or, for `a > sqrt(2) - 1`,
//! `ln 2 + 2 artanh s` with `s = (a - 1) / (a + 3) = (p - q) / (p + 3 q)`. Both cases have one division and
//! `|s| <= 0.1716`. Below -40 the value is `e^x` up to a relative error of 2^-58. Tested against integer arithmetic.

use super::exp;
use super::reduction::{artanh_tail, exp_quotient};

/// `ln(1 + e^x)`.
///
/// **Accuracy** The error is below 4 ulp (measured: at most 2.9), subnormal results included. The infinities give `+0` and
/// infinity.
///
/// **Source** derived here.
///
/// ```
/// assert_eq!(agop_core::elementary::softplus(0.0), core::f64::consts::LN_2);
/// assert_eq!(agop_core::elementary::softplus(f64::NEG_INFINITY), 0.0);
/// ```
#[inline]
pub fn softplus(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x > 40.0 {
        return x;
    }
    if x < -40.0 {
        return exp(x);
    }
    log_one_plus_exp(x)
}

/// `ln(1 + e^x)`, for `|x| < 700`.
#[inline(always)]
pub(super) fn log_one_plus_exp(x: f64) -> f64 {
    const SQRT_2_LESS_1: f64 = core::f64::consts::SQRT_2 - 1.0;
    let (p, q) = exp_quotient(-x.abs());
    let large = p > SQRT_2_LESS_1 * q;
    let numerator = if large { p - q } else { p };
    let denominator = if large { p + 3.0 * q } else { 2.0 * q + p };
    let s = numerator / denominator;
    let constant = if large { core::f64::consts::LN_2 } else { 0.0 };
    let positive = if x > 0.0 { x } else { 0.0 };
    positive + (constant + (2.0 * s + s * artanh_tail(s * s)))
}
