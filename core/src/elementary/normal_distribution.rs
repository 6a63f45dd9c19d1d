//! The normal distribution function in `f64`: `Phi(-t) = e^(-t^2/2) P(t) / Q(t)` for `t >= 0`, `Phi(t) = 1 - Phi(-t)`.
//!
//! `P / Q`, of degrees 10 and 11, interpolates `e^(t^2/2) Phi(-t)`, an entire function that falls like `1/t`. The nodes are
//! 22 Chebyshev points of `(t - 4.2) / (t + 4.2)` on `[0, 39]`, and the coefficients were found with 80 digits. The error
//! of the rational function is 2^-59, and 2^-56.8 with rounded coefficients. The common factor of P and Q is free; it was
//! chosen so that the coefficients round well.
//!
//! All coefficients are positive, so no Horner scheme cancels. Even and odd powers have separate Horner schemes, which
//! halves the number of consecutive roundings. For `f32` arguments the square is exact. For `f64` a first-order term
//! corrects for its rounding error. Tested against integer arithmetic.

use super::exp;
use super::reduction::{exp_quotient, polynomial};

/// `P(X <= x)` for a standard normal `X`.
///
/// **Accuracy** The error is below 8 ulp (measured: at most 7.4), subnormal results included. Both zeros give `1/2`; the
/// infinities give `+0` and `1`.
///
/// **Source** derived here.
///
/// ```
/// assert_eq!(agop_core::elementary::normal_distribution(0.0), 0.5);
/// assert_eq!(agop_core::elementary::normal_distribution(f64::NEG_INFINITY), 0.0);
/// ```
pub fn normal_distribution(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    let (factor, root) = factors(x);
    factor * root * root
}

/// `(a, b)` with `Phi(x) = a b^2`. `b` is 1 unless the result may be subnormal. Precondition: x is not NaN.
#[inline(always)]
pub(super) fn factors(x: f64) -> (f64, f64) {
    let t = x.abs();
    if x > 9.0 {
        return (1.0, 1.0);
    }
    if t > 39.0 {
        return (0.0, 1.0);
    }
    let (square, square_low) = square(t);
    if t > 37.0 {
        let ratio = mills_numerator(t, square) / mills_denominator(t, square);
        return (ratio - ratio * (0.5 * square_low), exp(-0.25 * square));
    }
    let tail = tail(t, square);
    let tail = tail - tail * (0.5 * square_low);
    (if x > 0.0 { 1.0 - tail } else { tail }, 1.0)
}

/// `Phi(x)` for `|x| < 37`. Precondition: `x^2` is exact, as for an x that was an `f32`.
#[inline(always)]
pub(super) fn distribution(x: f64) -> f64 {
    let t = x.abs();
    let tail = tail(t, t * t);
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// `Phi(-t)` for `0 <= t < 37` from `t` and `t^2`, in one division.
#[inline(always)]
fn tail(t: f64, square: f64) -> f64 {
    let (p, q) = exp_quotient(-0.5 * square);
    p * mills_numerator(t, square) / (q * mills_denominator(t, square))
}

/// `t^2` and its rounding error, for `|t| < 2^400` (Dekker).
#[inline(always)]
pub(super) fn square(t: f64) -> (f64, f64) {
    let shifted = 134_217_729.0 * t; // 2^27 + 1
    let high = shifted - (shifted - t);
    let low = t - high;
    let square = t * t;
    (square, ((high * high - square) + 2.0 * high * low) + low * low)
}

#[inline(always)]
fn mills_numerator(t: f64, square: f64) -> f64 {
    const EVEN: [f64; 6] = [
        3.064_583_091_825_684e-7,
        0.000_145_229_540_416_916_2,
        0.009_679_235_335_037_265,
        0.178_971_837_309_304_58,
        0.918_823_838_042_725,
        0.674_119_409_827_807_2,
    ];
    const ODD: [f64; 5] = [
        9.520_823_802_071_635e-6,
        0.001_414_806_673_333_563,
        0.048_404_900_362_103_55,
        0.483_730_645_867_915_14,
        1.117_892_830_125_919_2,
    ];
    polynomial(EVEN, square) + t * polynomial(ODD, square)
}

#[inline(always)]
fn mills_denominator(t: f64, square: f64) -> f64 {
    const EVEN: [f64; 6] = [
        2.386_516_614_008_607e-5,
        0.003_570_259_576_893_366,
        0.124_831_756_311_283_7,
        1.327_012_045_088_001,
        3.805_742_616_303_312,
        1.348_238_819_655_614_3,
    ];
    const ODD: [f64; 6] = [
        7.681_770_627_924_94e-7,
        0.000_364_804_649_379_874_5,
        0.024_624_745_075_043_33,
        0.472_157_712_639_834_5,
        2.706_821_914_468_227_5,
        3.311_524_598_730_132,
    ];
    polynomial(EVEN, square) + t * polynomial(ODD, square)
}
