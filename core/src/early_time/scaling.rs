//! Powers of two that keep products of many factors inside the range of `f64`; scaling by them rounds nothing.

use crate::scalar::sqrt;

/// The e with `2^(e-1) <= largest magnitude < 2^e`, or `None` when every value is zero (or not finite).
pub(super) fn exponent(values: impl Iterator<Item = f64>) -> Option<i32> {
    let mut largest = 0.0;
    for x in values {
        if x.abs() > largest {
            largest = x.abs();
        }
    }
    if !(largest > 0.0 && largest.is_finite()) {
        return None;
    }
    let (x, shift) = if largest < f64::MIN_POSITIVE { (largest * TWO_54, 54) } else { (largest, 0) };
    Some(((x.to_bits() >> 52) & 0x7ff) as i32 - 1022 - shift)
}

const TWO_54: f64 = 18_014_398_509_481_984.0;

/// `x 2^exponent`; exact unless the result leaves the normal range.
pub(super) fn times_power_of_two(x: f64, exponent: i32) -> f64 {
    let (mut x, mut left) = (x, exponent);
    while left != 0 && x != 0.0 && x.is_finite() {
        let step = left.clamp(-1000, 1000);
        x *= f64::from_bits(((1023 + step) as u64) << 52);
        left -= step;
    }
    x
}

/// Brings the largest magnitude into [1/2, 1) and returns the exponent taken out; 0 for all zeros.
pub(super) fn normalize(values: &mut [f64]) -> i32 {
    let taken = exponent(values.iter().copied()).unwrap_or(0);
    for x in values {
        *x = times_power_of_two(*x, -taken);
    }
    taken
}

/// `fg / sqrt(ff gg)` of positive `ff` and `gg`, held within [-1, 1].
pub(super) fn cosine(ff: f64, fg: f64, gg: f64) -> f64 {
    let value = fg / (sqrt(ff) * sqrt(gg));
    if value.abs() > 1.0 { if value > 0.0 { 1.0 } else { -1.0 } } else { value }
}
