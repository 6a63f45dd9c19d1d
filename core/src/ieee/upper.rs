//! Upper bounds of nonnegative reals, computed with upward rounding.

use crate::ieee::sqrt;

/// An upper bound of an exact nonnegative number. Every operation rounds up, so its result is again an upper bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(crate) struct Upper(pub(crate) f64);

impl core::ops::Add for Upper {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self((self.0 + other.0).next_up())
    }
}

impl core::ops::Mul for Upper {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self((self.0 * other.0).next_up())
    }
}

impl Upper {
    pub(crate) fn sqrt(self) -> Self {
        Self(sqrt(self.0).next_up())
    }

    /// The larger of the two bounds. If either is NaN, so is the result.
    pub(crate) fn or(self, other: Self) -> Self {
        if self.0 > other.0 || self.0.is_nan() { self } else { other }
    }
}

/// `gamma_n = n u / (1 - n u)`, which bounds the relative error of n roundings of unit u. Infinite for `n u >= 1/2`.
///
/// **Source** N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, lemma 3.1.
pub(crate) fn gamma(n: usize, u: f64) -> Upper {
    let nu = n as f64 * u;
    if nu < 0.5 {
        Upper((nu.next_up() / (1.0 - nu.next_up()).next_down()).next_up())
    } else {
        Upper(f64::INFINITY)
    }
}

#[cfg(test)]
mod tests {
    use super::{Upper, gamma};

    /// An error-free transformation gives the exact result of each operation. No bound is below it.
    #[test]
    fn every_operation_rounds_up() {
        // Significands from a multiplicative sequence.
        let number =
            |i: u64| f64::from_bits(0x3ff << 52 | i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12) - 0.99;
        for i in 0..10_000 {
            let (a, b) = (number(2 * i), number(2 * i + 1));
            let (sum, product) = (a + b, a * b);
            let part = sum - a;
            let below = (a - (sum - part)) + (b - part); // two_sum
            let found = (Upper(a) + Upper(b)).0;
            assert!(found - sum >= below, "{a} + {b}: {found}");
            let found = (Upper(a) * Upper(b)).0;
            assert!(found - product >= crate::ieee::fma_f64(a, b, -product), "{a} {b}: {found}");
            let found = Upper(a).sqrt().0;
            assert!(crate::ieee::fma_f64(found, found, -a) >= 0.0, "root of {a}: {found}");
        }
    }

    /// Checks `gamma (1 - n u) > n u`. Both sides are exact except for the rounding of one fma.
    #[test]
    fn gamma_is_not_below_its_definition() {
        for n in [1, 2, 3, 7, 100, 12_345, 1 << 30, (1 << 40) + 1] {
            let nu = n as f64 * (f64::EPSILON / 2.0);
            let above = crate::ieee::fma_f64(gamma(n, f64::EPSILON / 2.0).0, 1.0 - nu, -nu);
            assert!(above > 0.0 && above < 4.0 * f64::EPSILON * nu, "{n}: {above}");
        }
        assert_eq!(gamma(usize::MAX, 1e-3).0, f64::INFINITY);
    }
}
