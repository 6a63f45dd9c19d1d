//! Exact rational numbers as a scalar: the truth without rounding.

use crate::SplitMix64;
use agop_core::scalar::{Ordered, Scalar};
use num_bigint::{BigInt, BigUint, Sign};
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};
use std::num::NonZeroU64;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A rational number of any size, in lowest terms. Every operation is exact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rational(pub BigRational);

impl Rational {
    /// `numerator / denominator`. Panics if the denominator is zero.
    pub fn new(numerator: i64, denominator: i64) -> Self {
        Self(BigRational::new(numerator.into(), denominator.into()))
    }

    /// The exact value of a float; `None` for infinities and NaN. Both zeros give 0.
    pub fn from_f64(x: f64) -> Option<Self> {
        BigRational::from_float(x).map(Self)
    }

    /// The nearest `f64`, ties to even; subnormal and infinite where that is nearest. Zero gives +0.
    pub fn to_f64(&self) -> f64 {
        let magnitude = ratio_to_f64(self.0.numer().magnitude(), self.0.denom().magnitude());
        if self.0.numer().sign() == Sign::Minus { -magnitude } else { magnitude }
    }

    /// `|self|`.
    #[must_use]
    pub fn abs(&self) -> Self {
        Self(self.0.abs())
    }
}

/// `numerator / denominator` rounded once to nearest even.
fn ratio_to_f64(numerator: &BigUint, denominator: &BigUint) -> f64 {
    if numerator.is_zero() {
        return 0.0;
    }
    // The value lies in (2^(size - 1), 2^(size + 1)). The quotient in units of 2^unit keeps at least two bits below
    // the last bit of the result, subnormal results included, and a sticky bit for the remainder.
    let size = numerator.bits() as i64 - denominator.bits() as i64;
    if size > 1025 {
        return f64::INFINITY;
    }
    let unit = (size - 56).max(-1076);
    let (n, d) = if unit < 0 {
        (numerator << unit.unsigned_abs(), denominator.clone())
    } else {
        (numerator.clone(), denominator << unit.unsigned_abs())
    };
    let (quotient, remainder) = (&n / &d, &n % &d);
    let quotient = quotient.to_u64().expect("at most 58 bits") | u64::from(!remainder.is_zero());
    let bits = 64 - i64::from(quotient.leading_zeros());
    let drop = (bits - 53).max(-1074 - unit);
    let (kept, rest, half) = (quotient >> drop, quotient & ((1 << drop) - 1), 1 << (drop - 1));
    let rounded = kept + u64::from(rest > half || (rest == half && kept & 1 == 1));
    // Exact in two steps, or infinite.
    let exponent = unit + drop;
    rounded as f64 * power_of_two(exponent / 2) * power_of_two(exponent - exponent / 2)
}

/// `2^q` for `-1022 <= q <= 1023`.
fn power_of_two(q: i64) -> f64 {
    f64::from_bits(((1023 + q) as u64) << 52)
}

macro_rules! forward {
    ($($trait:ident $method:ident),*) => {$(
        impl $trait for Rational {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self(self.0.$method(other.0))
            }
        }
    )*};
}
forward!(Add add, Sub sub, Mul mul, Div div);

impl Neg for Rational {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Scalar for Rational {
    type Wide = Self;
    fn exceeds(&self, other: &Self) -> bool {
        self.0 > other.0
    }
    fn zero() -> Self {
        Self(BigRational::zero())
    }
    fn one() -> Self {
        Self(BigRational::one())
    }
    fn from_integer(n: i64) -> Self {
        Self(BigRational::from_integer(n.into()))
    }
    fn fma(a: &Self, b: &Self, c: Self) -> Self {
        Self(&a.0 * &b.0 + c.0)
    }
    fn divide_by(self, n: NonZeroU64) -> Self {
        Self(self.0 / BigInt::from(n.get()))
    }
    fn widen(&self) -> Self {
        self.clone()
    }
}

impl Ordered for Rational {
    fn is_positive(&self) -> bool {
        self.0.is_positive()
    }
}

/// `n` fractions with numerators from -12 to 12 and denominators from 1 to 8, zeros among them: small, so that long
/// chains stay cheap.
pub fn random_rationals(rng: &mut SplitMix64, n: usize) -> Vec<Rational> {
    (0..n).map(|_| Rational::new(rng.between(-12, 12), rng.between(1, 8))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_axioms() {
        let all = random_rationals(&mut SplitMix64::new(5), 60);
        for ((a, b), c) in all.iter().zip(all.iter().skip(1)).zip(all.iter().skip(2)) {
            let (a, b, c) = (a.clone(), b.clone(), c.clone());
            assert_eq!(a.clone() + b.clone(), b.clone() + a.clone());
            assert_eq!(a.clone() * (b.clone() + c.clone()), a.clone() * b.clone() + a.clone() * c.clone());
            assert_eq!(Rational::fma(&a, &b, c.clone()), a.clone() * b.clone() + c);
            assert_eq!(a.clone() + -a.clone(), Rational::zero());
            if b != Rational::zero() {
                assert_eq!(a.clone() / b.clone() * b, a);
            }
        }
    }

    #[test]
    fn division_by_integers_and_order() {
        let third = Rational::one().divide_by(NonZeroU64::new(3).unwrap());
        assert_eq!(third, Rational::new(1, 3));
        assert_eq!(
            Rational::one().divide_by(NonZeroU64::MAX) * Rational::from_integer(-1),
            Rational(BigRational::new((-1).into(), u64::MAX.into()))
        );
        assert!(third.is_positive() && !(-third).is_positive() && !Rational::zero().is_positive());
        assert_eq!(
            Rational::from_integer(i64::MIN).abs().0,
            BigRational::from_integer(BigInt::from(1u64 << 63))
        );
    }

    #[test]
    fn floats_of_every_size_survive_the_round_trip() {
        let mut rng = SplitMix64::new(7);
        let edges = [5e-324, -5e-324, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 1.0, -0.1, 0.0, f64::EPSILON];
        let drawn = (0..20_000).map(|_| f64::from_bits(rng.bits())).filter(|x| x.is_finite());
        // Every eighth or so subnormal.
        let mut small = SplitMix64::new(8);
        let subnormal = (0..2000).map(|_| f64::from_bits(small.bits() >> 12));
        for x in edges.into_iter().chain(drawn).chain(subnormal) {
            assert_eq!(Rational::from_f64(x).unwrap().to_f64().to_bits(), x.to_bits(), "{x:e}");
        }
        assert_eq!(Rational::from_f64(-0.0), Some(Rational::zero()));
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Rational::from_f64(x), None);
        }
    }

    #[test]
    fn rounds_to_nearest_even() {
        // Division of floats is correctly rounded by the machine: an independent oracle.
        let mut rng = SplitMix64::new(9);
        for _ in 0..20_000 {
            let (shift_a, shift_b) = (rng.below(2046) << 52, rng.below(2046) << 52);
            let a = f64::from_bits((rng.bits() >> 12) | shift_a);
            let b = f64::from_bits((rng.bits() >> 12) | shift_b);
            if b == 0.0 {
                continue;
            }
            let quotient = Rational::from_f64(a).unwrap() / Rational::from_f64(b).unwrap();
            assert_eq!(quotient.to_f64().to_bits(), (a / b).to_bits(), "{a:e} / {b:e}");
        }
        // Ties and their neighbours, at one, at the smallest subnormal and at the largest number.
        let exact = |x: f64| Rational::from_f64(x).unwrap();
        let half = Rational::new(1, 2);
        for x in [1.0_f64, f64::from_bits(1), f64::from_bits(2), f64::MIN_POSITIVE, 1.5] {
            let (low, high) = (exact(x), exact(x.next_up()));
            let tie = (low.clone() + high.clone()) * half.clone();
            let even = if x.to_bits() & 1 == 0 { x } else { x.next_up() };
            let sliver = (high - low) * exact(1e-200);
            assert_eq!(tie.to_f64(), even);
            assert_eq!((tie.clone() + sliver.clone()).to_f64(), x.next_up());
            assert_eq!((tie - sliver).to_f64(), x);
        }
        assert_eq!((exact(5e-324) * half.clone()).to_f64().to_bits(), 0);
        assert_eq!((exact(f64::MAX) + exact(f64::MAX)).to_f64(), f64::INFINITY);
        let ulp = exact(f64::MAX) - exact(f64::MAX.next_down());
        assert_eq!((exact(f64::MAX) + ulp * half).to_f64(), f64::INFINITY);
        assert_eq!(Rational::new(-1, 3).to_f64(), -1.0 / 3.0);
    }
}
