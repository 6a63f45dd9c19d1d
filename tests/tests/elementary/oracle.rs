//! Big integers: the difference between the true value and a given double, with 240 bits and more.

use num_bigint::BigInt;
use std::sync::OnceLock;

/// Fraction bits of the constants; every working precision stays below.
const MOST: u32 = 4096;
/// Working precision where the argument asks for no more.
pub const BITS: u32 = 240;

/// A number `n 2^-bits`, with an error of at most 2^40 units.
pub struct Difference {
    n: BigInt,
    bits: i64,
}

impl Difference {
    /// In units of `2^exponent`.
    pub fn in_units(&self, exponent: i64) -> f64 {
        let shift = self.bits + exponent - 30;
        let n = if shift >= 0 { &self.n >> shift as u64 } else { &self.n << shift.unsigned_abs() };
        i64::try_from(n).map_or(f64::INFINITY, |n| n as f64 / f64::from(1 << 30))
    }

    /// The sign; more than 100 bits of agreement would be needed to leave it open.
    pub fn is_positive(&self) -> bool {
        assert!(self.n.bits() > 60, "undecided");
        self.n > BigInt::from(0)
    }
}

/// `x = m 2^e`, exactly.
fn parts(x: f64) -> (i64, i64) {
    let bits = x.to_bits();
    let biased = (bits >> 52 & 0x7ff) as i64;
    let fraction = (bits & ((1 << 52) - 1)) as i64;
    let m = if biased == 0 { fraction } else { fraction | 1 << 52 };
    (if x < 0.0 { -m } else { m }, biased.max(1) - 1075)
}

/// Exponent of the last bit of `x`.
pub fn ulp(x: f64) -> i64 {
    parts(x).1
}

/// `x 2^bits`, exact where the last bit of `x` allows it, else rounded down.
fn fixed(x: f64, bits: i64) -> BigInt {
    let (m, e) = parts(x);
    let shift = e + bits;
    if shift >= 0 { BigInt::from(m) << shift as u64 } else { BigInt::from(m) >> shift.unsigned_abs() }
}

/// `artanh(1/q)` or `arctan(1/q)`.
fn inverse_series(q: i64, alternating: bool) -> BigInt {
    let mut power = (BigInt::from(1) << (MOST + 32)) / q;
    let (mut sum, mut n) = (BigInt::from(0), 1);
    while power != BigInt::from(0) {
        let term = &power / n;
        if alternating && n % 4 == 3 {
            sum -= term;
        } else {
            sum += term;
        }
        power /= q * q;
        n += 2;
    }
    sum >> 32
}

fn ln_2(bits: u32) -> BigInt {
    static VALUE: OnceLock<BigInt> = OnceLock::new();
    VALUE.get_or_init(|| inverse_series(3, false) * 2) >> (MOST - bits)
}

/// `2 pi`, by Machin's formula.
fn two_pi(bits: u32) -> BigInt {
    static VALUE: OnceLock<BigInt> = OnceLock::new();
    VALUE.get_or_init(|| (inverse_series(5, true) * 4 - inverse_series(239, true)) * 8) >> (MOST - bits)
}

/// `e^(x 2^-bits) = m 2^-bits 2^k` with `m` about one; fewer than 2^20 units of error in `m`.
pub fn exp(x: &BigInt, bits: u32) -> (BigInt, i64) {
    let work = bits + 32;
    let (x, ln_2) = (x << 32, ln_2(work));
    let k = ((&x << 1) + &ln_2) / (&ln_2 << 1);
    // r / 256, the series, and eight squarings.
    let r = (x - &k * ln_2) >> 8;
    let mut term = BigInt::from(1) << work;
    let mut sum = term.clone();
    let mut n = 1;
    loop {
        term = ((term * &r) >> work) / n;
        if term.bits() == 0 || term == BigInt::from(-1) {
            break;
        }
        sum += &term;
        n += 1;
    }
    for _ in 0..8 {
        sum = (&sum * &sum) >> work;
    }
    (sum >> 32, i64::try_from(k).unwrap())
}

/// `e^x - t`.
pub fn exp_minus(x: f64, t: f64) -> Difference {
    let (m, k) = exp(&fixed(x, i64::from(BITS)), BITS);
    let bits = i64::from(BITS) - k;
    Difference { n: m - fixed(t, bits), bits }
}

/// `ln x - t`, as `w - w^2 / 2` with `1 + w = x e^-t`: good to a relative `w^2`, and the sign always.
pub fn ln_minus(x: f64, t: f64) -> Difference {
    let (m, k) = exp(&-fixed(t, i64::from(BITS)), BITS);
    let (mx, ex) = parts(x);
    let shift = ex + k;
    let product = m * mx;
    let product = if shift >= 0 { product << shift as u64 } else { product >> shift.unsigned_abs() };
    let w = product - (BigInt::from(1) << BITS);
    Difference { n: &w - ((&w * &w) >> (BITS + 1)), bits: i64::from(BITS) }
}

/// `tanh x - t = ((1 - t) E - (1 + t)) / (E + 1)` with `E = e^2x`, for `2^-60 < |x| < 64`.
pub fn tanh_minus(x: f64, t: f64) -> Difference {
    let (m, k) = exp(&fixed(2.0 * x, i64::from(BITS)), BITS);
    let e = if k >= 0 { m << k as u64 } else { m >> k.unsigned_abs() };
    let (one, t) = (BigInt::from(1) << BITS, fixed(t, i64::from(BITS)));
    let numerator = (&one - &t) * &e - ((&one + t) << BITS);
    Difference { n: numerator / (e + one), bits: i64::from(BITS) }
}

/// `e^x` and one in units of `2^-bits`, fine enough to give `e^x` 240 bits.
fn exp_and_one(x: f64) -> (BigInt, BigInt, u32) {
    let (m, k) = exp(&fixed(x, i64::from(BITS)), BITS);
    let (e, bits) = if k >= 0 { (m << k as u64, BITS) } else { (m, BITS + k.unsigned_abs() as u32) };
    (e, BigInt::from(1) << bits, bits)
}

/// `1 / (1 + e^-x) - t = (E - t (1 + E)) / (1 + E)` with `E = e^x`.
pub fn sigmoid_minus(x: f64, t: f64) -> Difference {
    let (e, one, bits) = exp_and_one(x);
    let bits = i64::from(bits);
    let sum = &e + &one;
    Difference { n: (e * one - fixed(t, bits) * &sum) / sum, bits }
}

/// `x / (1 + e^-x) - t = (x E - t (1 + E)) / (1 + E)` with `E = e^x`, for `|x| > 2^-100`.
pub fn silu_minus(x: f64, t: f64) -> Difference {
    let (e, one, bits) = exp_and_one(x);
    let bits = i64::from(bits);
    let sum = &e + one;
    Difference { n: (fixed(x, bits) * e - fixed(t, bits) * &sum) / sum, bits }
}

/// `ln(1 + e^x) - t`, as `w - w^2 / 2` with `1 + w = (1 + e^x) e^-t`: good to a relative `w^2`, and the sign always.
pub fn softplus_minus(x: f64, t: f64) -> Difference {
    let (e, one, bits) = exp_and_one(x);
    let (m, k) = exp(&-fixed(t, i64::from(bits)), bits);
    let product = ((e + &one) * m) >> bits;
    let w = (if k >= 0 { product << k as u64 } else { product >> k.unsigned_abs() }) - one;
    Difference { n: &w - ((&w * &w) >> (bits + 1)), bits: i64::from(bits) }
}

/// Bits for `Phi(t)`: twice `t^2 / 2` more, for the cancellation against 1/2 and for the size of the density.
fn normal_bits(t: f64) -> u32 {
    BITS + 2 * (t * t) as u32
}

/// `1 / sqrt(2 pi)`.
fn peak(bits: u32) -> BigInt {
    (BigInt::from(1) << (2 * bits)) / (two_pi(bits) << bits).sqrt()
}

/// `e^(-t^2/2) / sqrt(2 pi)`.
fn normal_density(t: f64, bits: u32) -> BigInt {
    let t = fixed(t, i64::from(bits));
    let (m, k) = exp(&-((&t * &t) >> (bits + 1)), bits);
    ((m >> k.unsigned_abs()) * peak(bits)) >> bits
}

/// `e^(-x^2/2) / sqrt(2 pi) - t`.
pub fn density_minus(x: f64, t: f64) -> Difference {
    let bits = normal_bits(x);
    Difference { n: normal_density(x, bits) - fixed(t, i64::from(bits)), bits: i64::from(bits) }
}

/// `Phi(-|t|)` and the density at `t`: `Phi(-t) = 1/2 - phi(t) (t + t^3 / 3 + t^5 / 15 + ...)`.
fn normal_below(t: f64, bits: u32) -> (BigInt, BigInt) {
    let density = normal_density(t, bits);
    let t = fixed(t.abs(), i64::from(bits));
    let square = (&t * &t) >> bits;
    let (mut term, mut sum, mut n) = (t.clone(), t, 3);
    while term.bits() > 0 {
        term = ((term * &square) >> bits) / n;
        sum += &term;
        n += 2;
    }
    ((BigInt::from(1) << (bits - 1)) - ((&density * sum) >> bits), density)
}

/// `Phi(x) - t`.
pub fn normal_minus(x: f64, t: f64) -> Difference {
    let bits = normal_bits(x);
    let (below, _) = normal_below(x, bits);
    let value = if x > 0.0 { (BigInt::from(1) << bits) - below } else { below };
    Difference { n: value - fixed(t, i64::from(bits)), bits: i64::from(bits) }
}

/// `x Phi(x) - t`, for `|x| > 2^-100`.
pub fn gelu_minus(x: f64, t: f64) -> Difference {
    let bits = normal_bits(x);
    let phi = normal_minus(x, 0.0).n;
    let bits = i64::from(bits);
    Difference { n: ((fixed(x, bits) * phi) >> bits as u64) - fixed(t, bits), bits }
}

/// `quantile(p) - t` for `p <= 1/2`, by one Newton step from `t`: `(p - Phi(t)) / phi(t)`.
pub fn quantile_minus(p: f64, t: f64) -> Difference {
    let bits = normal_bits(t);
    let (below, density) = normal_below(t, bits);
    let bits = i64::from(bits);
    Difference { n: ((fixed(p, bits) - below) << bits as u64) / density, bits }
}

/// The Taylor coefficients of `H(t) = e^(t^2/2) Phi(-t)` as sums of two doubles: `H' = t H - 1/sqrt(2 pi)`, and
/// `H^(n+1) = t H^(n) + n H^(n-1)`, where each step cancels a factor of at most `t^2`.
pub fn mills_pairs(t: f64, count: u32) -> Vec<(f64, f64)> {
    let bits = normal_bits(t) + 100;
    let (below, density) = normal_below(t, bits);
    let constant = peak(bits);
    let fixed_t = fixed(t, i64::from(bits));
    let h = below * &constant / density;
    let mut last = ((&fixed_t * &h) >> bits) - constant;
    let (mut before, mut factorial) = (h.clone(), 1);
    let mut pairs = vec![split(&h, i64::from(bits), 53)];
    for n in 1..count {
        factorial *= n;
        pairs.push(split(&(&last / factorial), i64::from(bits), 53));
        let next = ((&fixed_t * &last) >> bits) + &before * n;
        before = std::mem::replace(&mut last, next);
    }
    pairs
}

/// First and second derivative of the activation of that name, `|x| < 100`.
pub fn derivatives(name: &str, x: f64) -> [Derivative; 2] {
    let bits = 2 * normal_bits(if x.abs() > 30.0 { 30.0 } else { x });
    let times = |a: &BigInt, b: &BigInt| -> BigInt { (a * b) >> bits };
    let (wide, one) = (fixed(x, i64::from(bits)), BigInt::from(1) << bits);
    let (m, k) = exp(&wide, bits);
    let e = if k >= 0 { m << k as u64 } else { m >> k.unsigned_abs() };
    let s = (&e << bits) / (e + &one);
    let (slope, rest) = (times(&s, &(&one - &s)), &one - (&s << 1));
    let pair = match name {
        "sigmoid" => [slope.clone(), times(&slope, &rest)],
        "softplus" => [s, slope],
        "silu" => [&s + times(&wide, &slope), times(&slope, &((&one << 1) + times(&wide, &rest)))],
        "gelu" => {
            let density = normal_density(x, bits);
            let first = (normal_minus(x, 0.0).n << (bits - normal_bits(x))) + times(&wide, &density);
            [first, times(&density, &((&one << 1) - times(&wide, &wide)))]
        }
        other => panic!("{other}"),
    };
    pair.map(|n| Derivative { n, bits: i64::from(bits) })
}

/// A derivative in fixed point.
pub struct Derivative {
    n: BigInt,
    bits: i64,
}

impl Derivative {
    /// This less `t`.
    pub fn minus(&self, t: f64) -> Difference {
        Difference { n: &self.n - fixed(t, self.bits), bits: self.bits }
    }
}

/// `1 / sqrt(2 pi)` as a sum of two doubles.
pub fn peak_pair() -> (f64, f64) {
    split(&peak(BITS), i64::from(BITS), 53)
}

/// `ln 2 / 2^by`, `2^(j/64)` and `-ln c` as sums of two doubles, for the pairs: the first rounded to `keep` bits.
pub fn ln_2_pair(by: i64, keep: i64) -> (f64, f64) {
    split(&ln_2(BITS), i64::from(BITS) + by, keep)
}
pub fn exp_pair(j: i64) -> (f64, f64) {
    let (m, k) = exp(&((ln_2(BITS) * j) >> 6), BITS);
    split(&m, i64::from(BITS) - k, 53)
}
pub fn minus_ln_pair(c: f64, keep: i64) -> (f64, f64) {
    // Two Newton steps from the function under test, which serves as a starting value only.
    let mut t = fixed(agop_core::elementary::ln(c), i64::from(BITS));
    for _ in 0..2 {
        let (m, k) = exp(&-&t, BITS);
        let m = if k >= 0 { m << k as u64 } else { m >> k.unsigned_abs() };
        let w = ((m * fixed(c, i64::from(BITS))) >> BITS) - (BigInt::from(1) << BITS);
        t += &w - ((&w * &w) >> (BITS + 1));
    }
    split(&-t, i64::from(BITS), keep)
}

/// `n 2^-bits` as a double of at most `keep` bits and the rest.
fn split(n: &BigInt, bits: i64, keep: i64) -> (f64, f64) {
    let head = |n: &BigInt, keep: i64| {
        let drop = (n.bits() as i64 - keep).max(0);
        let m = i64::try_from(n >> drop as u64).unwrap();
        (m as f64 * crate::power_of_two(drop - bits), BigInt::from(m) << drop as u64)
    };
    let (high, used) = head(n, keep);
    (high, head(&(n - used), 53).0)
}
