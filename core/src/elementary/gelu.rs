//! `x Phi(x)` in `f64`, Phi the normal distribution function: `x` times
//! [`normal_distribution`](super::normal_distribution()).
//!
//! Below -37 the tail has three factors, multiplied in an order in which only the last product can be subnormal. Tested
//! against integer arithmetic.

use super::normal_distribution::factors;

/// `x Phi(x)`, the Gaussian error linear unit (in its definition by the error function, not by tanh).
///
/// **Accuracy** The error is below 9 ulp (measured: at most 7), subnormal results included. The sign of zero is kept;
/// minus infinity gives `-0`.
///
/// **Source** D. Hendrycks, K. Gimpel, arXiv 1606.08415, section 2. The evaluation is derived here.
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
