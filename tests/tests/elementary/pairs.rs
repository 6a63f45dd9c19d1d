//! Sums of two doubles. Their arithmetic: plain operations, Knuth's two-sum, Dekker's product.

use super::oracle;

pub const ERROR: f64 = 1.0 / (1u64 << 55) as f64;

pub struct Tables {
    ln_2: (f64, f64),
    ln_2_64: (f64, f64),
    powers: Vec<(f64, f64)>,
    /// `(c, -ln c)` for the 128 cells of `[1, 2)`, then those of `[1/2, 1)`; `c m` is within 2^-7 of one.
    reciprocals: Vec<(f64, f64, f64)>,
    /// Ten Taylor coefficients of `e^(t^2/2) Phi(-t)` at the middle of each 32nd of `[0, 15]`.
    mills: Vec<Vec<(f64, f64)>>,
    peak: (f64, f64),
}

fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

fn two_product(a: f64, b: f64) -> (f64, f64) {
    let split = |x: f64| {
        let t = 134_217_729.0 * x;
        let high = t - (t - x);
        (high, x - high)
    };
    let (p, (ah, al), (bh, bl)) = (a * b, split(a), split(b));
    (p, al * bl - (((p - ah * bh) - al * bh) - ah * bl))
}

/// `x (high + low)`.
fn scaled(x: f64, (high, low): (f64, f64)) -> (f64, f64) {
    let (product, rest) = two_product(x, high);
    (product, rest + x * low)
}

/// The quotient of two pairs; its own error is below 2^-100.
fn quotient((n, n_low): (f64, f64), (d, d_low): (f64, f64)) -> (f64, f64) {
    let q = n / d;
    let (p, p_low) = two_product(q, d);
    (q, (((n - p) - p_low) + n_low - q * d_low) / d)
}

/// The bits of `sqrt(1/2)`, rounded up.
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;

/// The cell of `sqrt(1/2) <= m < sqrt(2)`.
fn cell(m: f64) -> usize {
    (m.to_bits() >> 45 & 127) as usize + if m < 1.0 { 128 } else { 0 }
}

/// `ln(1 + z) - z` for `|z| < 2^-7`.
fn ln_1p_tail(z: f64) -> f64 {
    let mut q = 0.0;
    for n in (3..=11).rev() {
        q = 1.0 / f64::from(n) - z * q;
    }
    z * z * (z * q - 0.5)
}

impl Tables {
    pub fn new() -> Self {
        let cell = |j: i32| {
            let center = (1.0 + (f64::from(j % 128) + 0.5) / 128.0) / f64::from(1 + j / 128);
            // One beside one, where the logarithm needs its relative precision.
            let c = if j == 0 || j == 255 { 1.0 } else { (256.0 / center).round() / 256.0 };
            // -ln c on a grid of 2^-42: 42 bits less than its leading zeros.
            let keep = 43 + 52 + oracle::ulp(agop_core::elementary::ln(c));
            let (high, low) = if c == 1.0 { (0.0, 0.0) } else { oracle::minus_ln_pair(c, keep) };
            (c, high, low)
        };
        Self {
            ln_2: oracle::ln_2_pair(0, 32),
            ln_2_64: oracle::ln_2_pair(6, 32),
            powers: (0..64).map(oracle::exp_pair).collect(),
            reciprocals: (0..256).map(cell).collect(),
            mills: (0..480).map(|j| oracle::mills_pairs((f64::from(j) + 0.5) / 32.0, 10)).collect(),
            peak: oracle::peak_pair(),
        }
    }

    /// `e^x` for `|x| < 110`, `x` an `f32`. With `x = n ln(2)/64 + r`, `|r| < 0.0055`: `T (1 + r + r^2/2 + ...)`.
    /// Relative error: `T r` rounded 2^-60.5, the small part rounded 2^-60.5, the rest 2^-66: below 2^-59.
    pub fn exp(&self, x: f64) -> (f64, f64) {
        const ROUNDER: f64 = 6_755_399_441_055_744.0;
        let n = (x * (64.0 * std::f64::consts::LOG2_E) + ROUNDER) - ROUNDER;
        let (r, r_low) = two_sum(x - n * self.ln_2_64.0, -(n * self.ln_2_64.1));
        let q = 0.5
            + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0)))));
        let small = r_low + r * r * q;
        let n = n as i64;
        let (high, low) = self.powers[(n & 63) as usize];
        let scale = f64::from_bits(((1023 + (n >> 6)) as u64) << 52);
        let (sum, rest) = two_sum(high, high * r);
        // The second sum is for `tanh`: the small part has up to 2^-16 of the result.
        let (sum, rest) = two_sum(sum, rest + (low + high * small + low * r));
        (scale * sum, scale * rest)
    }

    /// `ln x` for positive finite `f32` `x = 2^k m`: `k ln 2 - ln c + ln(1 + z)`, `z = c m - 1` exact, `|z| < 2^-7`.
    /// Error: that of `z^2/2` and its sequel, 2^-53 z^2: relatively below 2^-59 both beside one, where `c` is one
    /// and the result `z`, and elsewhere, where the result is above 2^-8.
    pub fn ln(&self, x: f64) -> (f64, f64) {
        let bits = x.to_bits();
        let k = bits.wrapping_sub(SQRT_HALF) as i64 >> 52;
        let m = f64::from_bits(bits.wrapping_sub((k << 52) as u64));
        let (c, high, low) = self.reciprocals[cell(m)];
        let z = m * c - 1.0;
        let k = k as f64;
        let (sum, rest) = two_sum(k * self.ln_2.0 + high, z);
        (sum, rest + (k * self.ln_2.1 + low + ln_1p_tail(z)))
    }

    /// `tanh x` for `0 <= x < 20`. Series below 1/16 (relative error below 2^-59); above, `(E - 1) / (E + 1)` with
    /// `E = e^2x`, whose error counts `2 E / (E^2 - 1) <= 8` times: below 2^-55.5.
    pub fn tanh(&self, x: f64) -> (f64, f64) {
        if x < 0.0625 {
            let z = x * x;
            let q = [
                -929_569.0 / 638_512_875.0,
                21_844.0 / 6_081_075.0,
                -1382.0 / 155_925.0,
                62.0 / 2835.0,
                -17.0 / 315.0,
                2.0 / 15.0,
                -1.0 / 3.0,
            ];
            return (x, x * (z * q.into_iter().fold(0.0, |sum, c| sum * z + c)));
        }
        let (high, low) = self.exp(2.0 * x);
        let (numerator, rest) = two_sum(high, -1.0);
        let numerator_low = rest + low;
        let (denominator, rest) = two_sum(high, 1.0);
        let denominator_low = rest + low;
        quotient((numerator, numerator_low), (denominator, denominator_low))
    }

    /// `1 / (1 + E)` or `E / (1 + E)` with `E = e^-|x|`, for `|x| < 110`: relative error below 2^-58.
    pub fn sigmoid(&self, x: f64) -> (f64, f64) {
        let (high, low) = self.exp(-x.abs());
        let (sum, rest) = two_sum(1.0, high);
        quotient(if x < 0.0 { (high, low) } else { (1.0, 0.0) }, (sum, rest + low))
    }

    /// `x / (1 + e^-x)` for `2^-100 < |x| < 120`: relative error below 2^-58.
    pub fn silu(&self, x: f64) -> (f64, f64) {
        scaled(x, self.sigmoid(x))
    }

    /// `ln(1 + e^x) = max(x, 0) + ln(1 + E)` with `E = e^-|x|`, for `|x| < 110`. Up to 2^-7 the series in `E`; beyond,
    /// `1 + E = 2^k m` and `ln(1 + E) = k ln 2 - ln c + ln(1 + z)` with `z = c m - 1`, a pair here. Relative error: that of
    /// `E` 2^-59, that of `z^2/2` and its sequel 2^-54 z^2, against a result above 2^-8 where `c` is not one: below 2^-57.
    pub fn softplus(&self, x: f64) -> (f64, f64) {
        let (e, e_low) = self.exp(-x.abs());
        let (start, start_low, z, z_low) = if e < 1.0 / 128.0 {
            (0.0, 0.0, e, e_low)
        } else {
            let (u, rest) = two_sum(1.0, e);
            let bits = u.to_bits();
            let k = bits.wrapping_sub(SQRT_HALF) as i64 >> 52;
            let m = f64::from_bits(bits.wrapping_sub((k << 52) as u64));
            let (c, high, low) = self.reciprocals[cell(m)];
            let (product, product_low) = two_product(c, m);
            let k_low = c * (rest + e_low) / (1u64 << k) as f64;
            let k = k as f64;
            (k * self.ln_2.0 + high, k * self.ln_2.1 + low, product - 1.0, product_low + k_low)
        };
        let (sum, rest) = two_sum(start, z);
        let log_low = rest + (start_low + z_low * (1.0 - z) + ln_1p_tail(z));
        let positive = if x > 0.0 { x } else { 0.0 };
        let (sum, rest) = two_sum(positive, sum);
        (sum, rest + log_low)
    }
    /// `Phi(x)` for `|x| < 15`, `x` an `f32`: `e^(-x^2/2)`, whose argument has 48 bits and is reduced exactly, times the
    /// Taylor series about the middle of the cell, `|d| <= 2^-6`. Relative error: the exponential 2^-59, the tail of the
    /// series (rounded, and what is left out) 2^-64, `d` where it is rounded 2^-60: below 2^-58.
    pub fn normal(&self, x: f64) -> (f64, f64) {
        let t = x.abs();
        let j = (t * 32.0) as usize;
        let d = t - (j as f64 + 0.5) / 32.0;
        let [(a, a_low), (b, b_low), rest @ ..] = self.mills[j].as_slice() else { unreachable!() };
        let tail = d * d * rest.iter().rev().fold(0.0, |sum, (c, _)| sum * d + c);
        let (linear, linear_low) = scaled(d, (*b, *b_low));
        let (h, h_low) = two_sum(*a, linear);
        let h_low = h_low + (a_low + linear_low + tail);
        let (e, e_low) = self.exp(-0.5 * (t * t));
        let (below, low) = scaled(e, (h, h_low));
        let low = low + e_low * h;
        if x > 0.0 {
            let (above, rest) = two_sum(1.0, -below);
            (above, rest - low)
        } else {
            (below, low)
        }
    }

    /// `e^(-x^2/2) / sqrt(2 pi)` for `|x| < 15`, `x` an `f32`: relative error below 2^-58.
    pub fn density(&self, x: f64) -> (f64, f64) {
        let (e, e_low) = self.exp(-0.5 * (x * x));
        let (density, low) = scaled(e, self.peak);
        (density, low + e_low * self.peak.0)
    }

    /// `x Phi(x)` for `2^-100 < |x| < 15`: relative error below 2^-58.
    pub fn gelu(&self, x: f64) -> (f64, f64) {
        scaled(x, self.normal(x))
    }
}
