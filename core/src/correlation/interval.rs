//! Interval arithmetic on `f64` with outward rounding, for the certificate.

use crate::ieee::sqrt;
use core::ops::{Add, Div, Mul, Sub};

/// All reals between `low` and `high`. Every operation encloses the exact result, because each correctly rounded end point
/// is moved one float outward.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Interval {
    pub(super) fn exact(x: f64) -> Self {
        Self { low: x, high: x }
    }

    /// `center +- radius`.
    pub(super) fn around(center: f64, radius: f64) -> Self {
        Self { low: (center - radius).next_down(), high: (center + radius).next_up() }
    }

    fn outward(low: f64, high: f64) -> Self {
        Self { low: low.next_down(), high: high.next_up() }
    }

    /// Square root of the nonnegative part of the interval.
    pub(super) fn sqrt(self) -> Self {
        let low = if self.low > 0.0 { sqrt(self.low).next_down() } else { 0.0 };
        Self { low, high: sqrt(if self.high > 0.0 { self.high } else { 0.0 }).next_up() }
    }

    /// The largest distance of a point of the interval from `x`, rounded up. Infinite if an end is NaN.
    pub(super) fn radius_about(self, x: f64) -> f64 {
        let (below, above) = ((x - self.low).next_up(), (self.high - x).next_up());
        if !(below.is_finite() && above.is_finite()) {
            return f64::INFINITY;
        }
        if below > above { below } else { above }
    }
}

impl Add for Interval {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::outward(self.low + other.low, self.high + other.high)
    }
}

impl Sub for Interval {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::outward(self.low - other.high, self.high - other.low)
    }
}

impl Mul for Interval {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        hull([self.low * other.low, self.low * other.high, self.high * other.low, self.high * other.high])
    }
}

/// Precondition: the divisor does not contain zero.
impl Div for Interval {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        hull([self.low / other.low, self.low / other.high, self.high / other.low, self.high / other.high])
    }
}

fn hull(ends: [f64; 4]) -> Interval {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for end in ends {
        if end.is_nan() {
            return Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
        }
        if end < low {
            low = end;
        }
        if end > high {
            high = end;
        }
    }
    Interval::outward(low, high)
}

#[cfg(test)]
mod tests {
    use super::Interval;
    use crate::ieee::fma_f64;
    use crate::random::{Purpose, Stream};

    /// The exact end points, from error-free transformations, are inside the computed interval, for either sign.
    #[test]
    fn every_operation_rounds_outward() {
        let mut stream = Stream::new(8, Purpose::TrainInputs, 0);
        for _ in 0..10_000 {
            let [a, b] = [stream.uniform(), stream.uniform()].map(|x: f64| x + 0.01);
            let (x, y) = (Interval::exact(a), Interval::exact(b));
            // `found` encloses `rounded + rest`.
            let encloses = |found: Interval, rounded: f64, rest: f64, what: &str| {
                let inside = found.low - rounded <= rest && rest <= found.high - rounded;
                assert!(inside, "{a} {what} {b}: {found:?}");
            };
            let two_sum = |a: f64, b: f64| {
                let sum = a + b;
                let part = sum - a;
                (sum, (a - (sum - part)) + (b - part))
            };
            let (sum, rest) = two_sum(a, b);
            encloses(x + y, sum, rest, "+");
            encloses(Interval::around(a, b), sum, rest, "around");
            let (difference, rest) = two_sum(a, -b);
            encloses(x - y, difference, rest, "-");
            encloses(Interval::around(a, b), difference, rest, "around");
            encloses(x * y, a * b, fma_f64(a, b, -(a * b)), "*");
            let found = x / y;
            assert!(fma_f64(found.low, b, -a) <= 0.0 && fma_f64(found.high, b, -a) >= 0.0, "{a} / {b}");
            let found = x.sqrt();
            assert!(fma_f64(found.low, found.low, -a) <= 0.0 && fma_f64(found.high, found.high, -a) >= 0.0);
            let radius = Interval { low: a - 1.0, high: 0.5 }.radius_about(b);
            for (x, y) in [(b, 1.0 - a), (0.5, -b)] {
                let (sum, rest) = two_sum(x, y);
                assert!(radius - sum >= rest, "radius of {a} about {b}: {radius}");
            }
        }
    }
}
