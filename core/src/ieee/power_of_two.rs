//! Powers of two. Scaling by one is exact while the result stays in the normal range.

/// `2^q` for `-1022 <= q <= 1023`.
pub(crate) fn power_of_two(q: i32) -> f64 {
    f64::from_bits(((1023 + q) as u64) << 52)
}

/// `x 2^q` for `|q| <= 2000`, in two steps, because `2^q` itself may be out of range. Exact unless the result overflows or
/// is subnormal; a subnormal result has an error of at most 2^-1074.
pub(crate) fn scale_by_halves(x: f64, q: i32) -> f64 {
    let half = q / 2;
    x * power_of_two(half) * power_of_two(q - half)
}

/// `x 2^exponent` for any exponent; exact unless the result leaves the normal range.
pub(crate) fn times_power_of_two(x: f64, exponent: i32) -> f64 {
    let (mut x, mut left) = (x, exponent);
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        x *= power_of_two(step);
        left -= step;
    }
    x
}

/// The e with `2^(e-1) <= x < 2^e`; `None` unless x is positive and finite.
pub(crate) fn exponent_of(x: f64) -> Option<i32> {
    if !(x > 0.0 && x.is_finite()) {
        return None;
    }
    let (x, shift) = if x < f64::MIN_POSITIVE { (x * TWO_54, 54) } else { (x, 0) };
    Some(((x.to_bits() >> 52) & 0x7ff) as i32 - 1022 - shift)
}

const TWO_54: f64 = 18_014_398_509_481_984.0;

/// [`exponent_of`] the largest magnitude.
pub(crate) fn exponent(values: impl Iterator<Item = f64>) -> Option<i32> {
    exponent_of(largest_magnitude(values))
}

/// The largest magnitude of the values. NaN counts as zero.
pub(crate) fn largest_magnitude(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |largest, x| if x.abs() > largest { x.abs() } else { largest })
}

/// Scales the values by `2^-e` so that the largest magnitude is in [1/2, 1), and returns e. All zeros give `e = 0`.
pub(crate) fn normalize(values: &mut [f64]) -> i32 {
    let taken = exponent(values.iter().copied()).unwrap_or(0);
    for x in values {
        *x = times_power_of_two(*x, -taken);
    }
    taken
}
