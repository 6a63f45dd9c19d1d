//! `e^x` in `f64`: `x = k ln 2 + r`, `e^r = 1 + r + r t / (2 - t)` with `t = r - (r coth(r/2) - 2)`, `|r| <= 0.347`.
//!
//! The order of operations is that of FreeBSD's `e_exp.c`; the exact series replaces its minimax polynomial. The error is
//! below 1 ulp, subnormal results included: half an ulp from the last addition, a quarter from the sum inside it (for
//! `r < 0`, where the result has the smaller ulp), the rest from the quotient. Tested against integer arithmetic.

use super::reduction::{coth_tail, reduce};
use crate::ieee::power_of_two;

/// `e^x`.
///
/// **Accuracy** The error is below 1 ulp. `e^0 = 1`; overflow gives infinity, underflow rounds through the subnormals to
/// `+0`.
///
/// **Source** argument reduction and quotient: FreeBSD `e_exp.c` (Sun Microsystems, 1993). The series is derived here.
///
/// ```
/// assert_eq!(agop_core::elementary::exp(0.0), 1.0);
/// assert_eq!(agop_core::elementary::exp(f64::NEG_INFINITY), 0.0);
/// ```
pub fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 710.0 {
        return f64::INFINITY;
    }
    if x < -746.0 {
        return 0.0;
    }
    let (k, _, high, low) = reduce(x);
    let r = high - low;
    let t = r - coth_tail(r * r);
    let y = 1.0 - ((low - r * t / (2.0 - t)) - high);
    // Multiply by 2^k in two steps. The first is exact, so only the second can round to a subnormal or overflow.
    let k = k as i32;
    let half = k >> 1;
    y * power_of_two(half) * power_of_two(k - half)
}
