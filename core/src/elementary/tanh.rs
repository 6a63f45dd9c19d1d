//! `tanh x` in `f64`, from `R(r) = r coth(r/2)`.
//!
//! - `|x| < 0.35`: `tanh x = r / R(r)` with `r = 2 x`, evaluated as `x - x (R - 2) / R`, where the second term is small.
//! - Otherwise `2 |x| = k ln 2 + r`, `|r| <= 0.347`. With `s = 2^-k`, `tanh |x| = N / D`, `N = (1 - s) R + (1 + s) r` and
//!   `D = (1 + s) R + (1 - s) r`.
//! - `0.35 <= |x| <= 1`: the rounding errors of N and D are kept and correct the quotient.
//! - `1 < |x| <= 22`: `1 - (D - N) / D` with `D - N = 2 s (R - r)`, where the quotient is small.
//! - `|x| > 22`: the result is 1.
//!
//! One formula for every k, as in `tanh_f32`, was tried: it cancels in N at `k = 1`, and the error reaches 2.3 ulp.
//!
//! The error is below 2 ulp (measured: at most 1.68): half an ulp from the last operation, up to half an ulp from the
//! quotient, the rest from the series and the products. Tested against integer arithmetic.

use super::reduction::{coth_tail, reduce};

/// `tanh x`.
///
/// **Accuracy** The error is below 2 ulp. The function is odd and keeps the sign of zero; the infinities give `+-1`.
///
/// **Source** derived here.
///
/// ```
/// assert_eq!(agop_core::elementary::tanh(f64::NEG_INFINITY), -1.0);
/// ```
#[inline]
pub fn tanh(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let magnitude = x.abs();
    if magnitude > 22.0 {
        return 1.0f64.copysign(x);
    }
    if magnitude < 0.35 {
        // Where the next product underflows, it is far below the last bit of x.
        let tail = long_coth_tail(4.0 * magnitude * magnitude);
        return (magnitude - magnitude * (tail / (2.0 + tail))).copysign(x);
    }
    let (k, _, high, low) = reduce(2.0 * magnitude);
    let r = high - low;
    let s = f64::from_bits((1023 - k as u64) << 52);
    let (difference, sum) = (1.0 - s, 1.0 + s); // exact for k <= 53; beyond, their error is negligible
    let tail = coth_tail(r * r);
    let beyond_two = sum * tail + difference * r;
    if magnitude > 1.0 {
        let complement = 2.0 * s * (2.0 + (tail - r)) / (2.0 * sum + beyond_two);
        return (1.0 - complement).copysign(x);
    }
    let (numerator, numerator_low) = fast_two_sum(2.0 * difference, difference * tail + sum * r);
    let (denominator, denominator_low) = fast_two_sum(2.0 * sum, beyond_two);
    let quotient = numerator / denominator;
    (quotient + (numerator_low - quotient * denominator_low) / denominator).copysign(x)
}

/// [`coth_tail`] with three more terms, for `z <= 0.49`. The truncation error is below 2^-60.
#[inline(always)]
fn long_coth_tail(z: f64) -> f64 {
    const C1: f64 = 1.0 / 6.0;
    const C2: f64 = -1.0 / 360.0;
    const C3: f64 = 1.0 / 15_120.0;
    const C4: f64 = -1.0 / 604_800.0;
    const C5: f64 = 1.0 / 23_950_080.0;
    const C6: f64 = -691.0 / 653_837_184_000.0;
    const C7: f64 = 1.0 / 37_362_124_800.0;
    const C8: f64 = -3_617.0 / 5_335_311_421_440_000.0;
    const C9: f64 = 43_867.0 / 2_554_547_108_585_472_000.0;
    z * (C1 + z * (C2 + z * (C3 + z * (C4 + z * (C5 + z * (C6 + z * (C7 + z * (C8 + z * C9))))))))
}

/// `a + b` and its rounding error, for `|a| >= |b|` (Dekker 1971).
#[inline(always)]
fn fast_two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}
