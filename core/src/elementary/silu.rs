//! `x / (1 + e^-x)` in `f64`: `x` times the logistic function of [`sigmoid`](super::sigmoid()).
//!
//! Below -700, where `e^x` loses bits before the product does, the value is `x e^(x/2) e^(x/2)`, of which only the last
//! product can be subnormal. Tested against integer arithmetic.

use super::{exp, sigmoid};

/// `x / (1 + e^-x)`, the sigmoid linear unit.
///
/// **Accuracy** Below 4 ulp (2.9 are measured), subnormal results included. Keeps the sign of zero; `-0` at minus infinity.
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
