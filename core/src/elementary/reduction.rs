//! Shared parts: argument reduction `x = k ln 2 + r` with `|r| <= ln(2) / 2`, the series of `r coth(r/2)` and of `artanh`,
//! and Horner's scheme.
//!
//! With `R = r coth(r/2)`, `e^r = (R + r) / (R - r)`. `R` is an even function of `r`: six terms of its series have an error
//! of 2^-56, for a third of the work of the exponential series.

/// The leading 32 bits of `ln 2`: its product with an integer below 2^21 is exact.
pub(super) const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
/// `ln 2 - LN_2_HIGH`, rounded. The sum of the two is within 2^-86 of `ln 2`.
pub(super) const LN_2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);

/// 1.5 * 2^52. Adding it rounds a number to the nearest integer and leaves that integer in the low bits of the sum.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// `x = k ln 2 + (high - low)`, as `(k, bits whose lowest 12 are k in two's complement, high, low)`.
///
/// For `|x| < 2^20`, `high` is exact and `low` is rounded once. `x / ln 2` is rounded, so `k` may be the neighbour of the
/// best integer; then `|high - low|` exceeds `ln(2) / 2` by less than 2^-30.
#[inline(always)]
pub(super) fn reduce(x: f64) -> (f64, u64, f64, f64) {
    let shifted = x * core::f64::consts::LOG2_E + ROUNDER;
    let k = shifted - ROUNDER;
    (k, shifted.to_bits(), x - k * LN_2_HIGH, k * LN_2_LOW)
}

/// `r coth(r/2) - 2` as a function of `z = r^2 <= 0.1202`.
///
/// **Accuracy** Terms `2 B_2n z^n / (2n)!` of the series up to n = 6 (`B_2n` the Bernoulli numbers). The truncation error is
/// below 1e-17, or 2^-56.5.
#[inline(always)]
pub(super) fn coth_tail(z: f64) -> f64 {
    const C1: f64 = 1.0 / 6.0;
    const C2: f64 = -1.0 / 360.0;
    const C3: f64 = 1.0 / 15_120.0;
    const C4: f64 = -1.0 / 604_800.0;
    const C5: f64 = 1.0 / 23_950_080.0;
    const C6: f64 = -691.0 / 653_837_184_000.0;
    z * (C1 + z * (C2 + z * (C3 + z * (C4 + z * (C5 + z * C6)))))
}

/// `e^x = p / q` with `p = 2^k (R + r)` and `q = R - r`, for `|x| < 700`.
///
/// **Accuracy** `p` and `q` have relative errors below 2^-51.5. The error of their quotient is smaller, because an error of
/// `R` changes both in the same direction. Both `q` and `p 2^-k` are between 1.65 and 2.37.
#[inline(always)]
pub(super) fn exp_quotient(x: f64) -> (f64, f64) {
    let (_, k, high, low) = reduce(x);
    let r = high - low;
    let coth = 2.0 + coth_tail(r * r);
    (f64::from_bits((coth + r).to_bits().wrapping_add(k << 52)), coth - r)
}

/// `2 z/3 + 2 z^2/5 + ... + 2 z^10/21`, which is `ln((1 + s) / (1 - s)) / s - 2` for `z = s^2`.
#[inline(always)]
pub(super) fn artanh_tail(z: f64) -> f64 {
    const C: [f64; 10] = [
        2.0 / 21.0,
        2.0 / 19.0,
        2.0 / 17.0,
        2.0 / 15.0,
        2.0 / 13.0,
        2.0 / 11.0,
        2.0 / 9.0,
        2.0 / 7.0,
        2.0 / 5.0,
        2.0 / 3.0,
    ];
    z * polynomial(C, z)
}

/// Horner's scheme, coefficients from the highest power down.
#[inline(always)]
pub(super) fn polynomial<const N: usize>(coefficients: [f64; N], x: f64) -> f64 {
    coefficients.into_iter().fold(0.0, |sum, c| sum * x + c)
}
