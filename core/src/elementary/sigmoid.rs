//! The logistic function `1 / (1 + e^-x)` in `f64`: `p / (p + q)` with `e^x = p / q`.
//!
//! `p = 2^k (R + r)` and `q = R - r` with `R = r coth(r/2)` are positive, so nothing cancels, and the relative error stays
//! small in the tail. Below -40 the value is `e^x` up to a relative error of 2^-57. Tested against integer arithmetic.

use super::exp;
use super::reduction::exp_quotient;

/// The logistic function `1 / (1 + e^-x)`.
///
/// **Accuracy** The error is below 3 ulp (measured: at most 2.5), subnormal results included. Both zeros give `1/2`; the
/// infinities give `+0` and `1`.
///
/// **Source** derived here.
///
/// ```
/// assert_eq!(agop_core::elementary::sigmoid(0.0), 0.5);
/// assert_eq!(agop_core::elementary::sigmoid(f64::NEG_INFINITY), 0.0);
/// ```
#[inline]
pub fn sigmoid(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x > 40.0 {
        return 1.0;
    }
    if x < -40.0 {
        return exp(x);
    }
    logistic(x)
}

/// `p / (p + q)`, for `|x| < 700`.
#[inline(always)]
pub(super) fn logistic(x: f64) -> f64 {
    let (p, q) = exp_quotient(x);
    p / (p + q)
}
