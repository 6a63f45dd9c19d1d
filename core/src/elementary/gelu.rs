//! `x Phi(x)` in `f64`, Phi the normal distribution function: `x` times [`normal_distribution`](super::normal_distribution()).
//!
//! Below -37 the three factors of the tail are multiplied so that only the last product can be subnormal. Tested against
//! integer arithmetic.

use super::normal_distribution::factors;

/// `x Phi(x)`, the Gaussian error linear unit (in its definition by the error function, not by tanh).
///
/// **Accuracy** Below 9 ulp (7 are measured), subnormal results included. Keeps the sign of zero; `-0` at minus infinity.
///
/// ```
/// assert_eq!(agop_core::elementary::gelu(f64::INFINITY), f64::INFINITY);
/// assert_eq!(agop_core::elementary::gelu(f64::NEG_INFINITY), 0.0);
/// ```
pub fn gelu(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    let x = if x < -100.0 { -100.0 } else { x };
    let (factor, root) = factors(x);
    x * factor * root * root
}
