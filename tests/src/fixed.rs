//! Fixed-point numbers of 640 fraction bits as a scalar: what rationals cannot, square roots and elementary functions.

use crate::Rational;
use agop_core::scalar::{Ordered, Scalar, Transcendental};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use std::num::NonZeroU64;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Fraction bits. Every operation is off by at most a few units of the last; functions by at most 2^-600.
const BITS: usize = 640;

/// `n 2^-640`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fixed(BigInt);

impl Fixed {
    /// The value of a finite float, rounded down.
    pub fn from_f64(x: f64) -> Self {
        Self::from_rational(&Rational::from_f64(x).expect("a finite number"))
    }

    /// A rational, rounded down.
    pub fn from_rational(x: &Rational) -> Self {
        Self((x.0.numer() << BITS) / x.0.denom())
    }

    /// The nearest `f64`.
    pub fn to_f64(&self) -> f64 {
        Rational(BigRational::new(self.0.clone(), BigInt::from(1) << BITS)).to_f64()
    }

    /// `|self|`.
    #[must_use]
    pub fn abs(&self) -> Self {
        Self(self.0.abs())
    }

    /// The square root; zero below zero.
    #[must_use]
    pub fn sqrt(&self) -> Self {
        if self.0.is_negative() { Self::zero() } else { Self((&self.0 << BITS).sqrt()) }
    }

    fn shift(&self, by: usize) -> Self {
        Self(&self.0 >> by)
    }
}

impl Add for Fixed {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Fixed {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul for Fixed {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self((self.0 * other.0) >> BITS)
    }
}

impl Div for Fixed {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        Self((self.0 << BITS) / other.0)
    }
}

impl Neg for Fixed {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Scalar for Fixed {
    type Wide = Self;
    fn exceeds(&self, other: &Self) -> bool {
        self.0 > other.0
    }

    fn zero() -> Self {
        Self(BigInt::zero())
    }
    fn one() -> Self {
        Self(BigInt::from(1) << BITS)
    }
    fn from_integer(n: i64) -> Self {
        Self(BigInt::from(n) << BITS)
    }
    fn fma(a: &Self, b: &Self, c: Self) -> Self {
        a.clone() * b.clone() + c
    }
    fn divide_by(self, n: NonZeroU64) -> Self {
        Self(self.0 / n.get())
    }
    fn widen(&self) -> Self {
        self.clone()
    }
}

impl Ordered for Fixed {
    fn is_positive(&self) -> bool {
        self.0.is_positive()
    }
}

impl Transcendental for Fixed {
    /// The series at `x / 2^12`, squared twelve times.
    fn exp(&self) -> Self {
        let x = self.shift(12);
        let (mut sum, mut term, mut n) = (Self::one(), Self::one(), 1);
        while !term.0.is_zero() && term.0 != BigInt::from(-1) {
            term = Self((term * x.clone()).0 / n);
            sum = sum + term.clone();
            n += 1;
        }
        (0..12).fold(sum, |power, _| power.clone() * power)
    }
    /// Halley's iteration on `e^y = x`, from the logarithm of `f64`.
    fn ln(&self) -> Self {
        let mut y = Self::from_f64(agop_core::elementary::ln(self.to_f64()));
        for _ in 0..4 {
            let e = y.exp();
            let step = (self.clone() - e.clone()) / (self.clone() + e);
            y = y + step.clone() + step;
        }
        y
    }
    fn tanh(&self) -> Self {
        let e = (-(self.abs() + self.abs())).exp();
        let t = (Self::one() - e.clone()) / (Self::one() + e);
        if self.0.is_negative() { -t } else { t }
    }
    fn sigmoid(&self) -> Self {
        Self::one() / (Self::one() + (-self.clone()).exp())
    }
    fn softplus(&self) -> Self {
        (Self::one() + self.exp()).ln()
    }
    fn silu(&self) -> Self {
        self.clone() * self.sigmoid()
    }
    fn gelu(&self) -> Self {
        self.clone() * self.normal_distribution()
    }
    /// `1/2 + g(x) (x + x^3/3 + x^5/15 + ...)`; beyond 20, where g has too few bits, 0 or 1, off by less than 2^-290.
    fn normal_distribution(&self) -> Self {
        if self.abs() > Self::from_integer(20) {
            return if self.is_positive() { Self::one() } else { Self::zero() };
        }
        let square = self.clone() * self.clone();
        let (mut sum, mut term, mut n) = (self.clone(), self.clone(), 3);
        while term.0.abs() > BigInt::from(1) {
            term = Self((term * square.clone()).0 / n);
            sum = sum + term.clone();
            n += 2;
        }
        Self::one().shift(1) + self.normal_density() * sum
    }
    fn normal_density(&self) -> Self {
        // 2 pi = 8 (4 arctan(1/5) - arctan(1/239)), by Machin.
        let arctan = |q: i64| {
            let (mut sum, mut power, mut n) = (Self::zero(), Self(Self::one().0 / q), 1);
            while !power.0.is_zero() {
                let term = Self(&power.0 / n);
                sum = if n % 4 == 1 { sum + term } else { sum - term };
                power = Self(power.0 / (q * q));
                n += 2;
            }
            sum
        };
        let two_pi = Self::from_integer(32) * arctan(5) - Self::from_integer(8) * arctan(239);
        (-(self.clone() * self.clone()).shift(1)).exp() / two_pi.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_round_to_those_of_f64() {
        use agop_core::elementary::{exp, gelu, ln, normal_density, sigmoid, silu, softplus, tanh};
        for x in [-7.25, -1.5, -0.125, 0.0, 0.3, 1.0, 2.75, 6.5] {
            let at = Fixed::from_f64(x);
            let pairs = [
                (at.exp(), exp(x)),
                (at.tanh(), tanh(x)),
                (at.sigmoid(), sigmoid(x)),
                (at.softplus(), softplus(x)),
                (at.silu(), silu(x)),
                (at.gelu(), gelu(x)),
                (at.normal_density(), normal_density(x)),
                (at.exp().ln(), x),
                (Fixed::from_f64(x + 8.0).ln(), ln(x + 8.0)),
            ];
            for (index, (found, expected)) in pairs.into_iter().enumerate() {
                let found = found.to_f64();
                assert!(
                    (found - expected).abs() <= 2e-15 * expected.abs(),
                    "{index} at {x}: {found}, {expected}"
                );
            }
        }
        assert_eq!(Fixed::from_f64(2.0).sqrt().to_f64(), 2.0_f64.sqrt());
    }
}
