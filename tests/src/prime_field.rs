//! The integers modulo the Mersenne prime `2^61 - 1`, as a scalar.

use crate::SplitMix64;
use agop_core::scalar::Scalar;
use std::num::NonZeroU64;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// `2^61 - 1`, a prime.
pub const MODULUS: u64 = (1 << 61) - 1;

/// An integer modulo [`MODULUS`]. Every operation is exact. No order: linear and quadratic activations only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PrimeField(u64);

impl PrimeField {
    /// The class of `n`.
    pub fn new(n: u64) -> Self {
        Self::reduce(u128::from(n))
    }

    /// The representative in `0..MODULUS`.
    pub fn value(self) -> u64 {
        self.0
    }

    /// `self^exponent` by squaring; `0^0 = 1`.
    pub fn power(self, mut exponent: u64) -> Self {
        let (mut square, mut result) = (self, Self(1));
        while exponent != 0 {
            if exponent & 1 == 1 {
                result = result * square;
            }
            square = square * square;
            exponent >>= 1;
        }
        result
    }

    /// `1 / self` by Fermat, `self^(p - 2)`; `None` for zero.
    pub fn inverse(self) -> Option<Self> {
        (self.0 != 0).then(|| self.power(MODULUS - 2))
    }

    /// `x mod p` for `x <= p^2`: `2^61 = 1`, so the high part is added to the low part.
    fn reduce(x: u128) -> Self {
        let sum = (x as u64 & MODULUS) + (x >> 61) as u64;
        Self(if sum >= MODULUS { sum - MODULUS } else { sum })
    }
}

impl Add for PrimeField {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::reduce(u128::from(self.0 + other.0))
    }
}

impl Sub for PrimeField {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::reduce(u128::from(self.0 + MODULUS - other.0))
    }
}

impl Mul for PrimeField {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self::reduce(u128::from(self.0) * u128::from(other.0))
    }
}

impl Neg for PrimeField {
    type Output = Self;
    fn neg(self) -> Self {
        Self::reduce(u128::from(MODULUS - self.0))
    }
}

/// Panics on division by zero, as integers do.
impl Div for PrimeField {
    type Output = Self;
    #[allow(clippy::suspicious_arithmetic_impl, reason = "division is multiplication by the inverse")]
    fn div(self, other: Self) -> Self {
        self * other.inverse().expect("division by zero in the prime field")
    }
}

impl Scalar for PrimeField {
    type Wide = Self;
    fn exceeds(&self, other: &Self) -> bool {
        self.0 > other.0
    }
    fn zero() -> Self {
        Self(0)
    }
    fn one() -> Self {
        Self(1)
    }
    fn from_integer(n: i64) -> Self {
        Self(n.rem_euclid(MODULUS as i64) as u64)
    }
    fn fma(a: &Self, b: &Self, c: Self) -> Self {
        Self::reduce(u128::from(a.0) * u128::from(b.0) + u128::from(c.0))
    }
    /// Panics for a multiple of the modulus, which no test divides by.
    fn divide_by(self, n: NonZeroU64) -> Self {
        self / Self::new(n.get())
    }
    fn widen(&self) -> Self {
        *self
    }
}

/// `n` uniform elements.
pub fn random_field(rng: &mut SplitMix64, n: usize) -> Vec<PrimeField> {
    (0..n).map(|_| PrimeField(rng.below(MODULUS))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;

    fn big(x: PrimeField) -> BigInt {
        BigInt::from(x.value())
    }

    /// The representative in `0..p`.
    fn modulo(n: BigInt) -> BigInt {
        let p = BigInt::from(MODULUS);
        ((n % &p) + &p) % &p
    }

    /// Edges of the reduction first, then uniform draws.
    fn elements() -> Vec<PrimeField> {
        let mut all: Vec<_> = [
            0,
            1,
            2,
            MODULUS - 1,
            MODULUS - 2,
            MODULUS / 2,
            MODULUS / 2 + 1,
            1 << 60,
            1 << 31,
            (1 << 31) - 1,
        ]
        .map(PrimeField)
        .to_vec();
        all.extend(random_field(&mut SplitMix64::new(61), 40));
        all
    }

    #[test]
    fn operations_agree_with_big_integers() {
        let all = elements();
        for &a in &all {
            assert_eq!(big(-a), modulo(-big(a)));
            for &b in &all {
                assert_eq!(big(a + b), modulo(big(a) + big(b)));
                assert_eq!(big(a - b), modulo(big(a) - big(b)));
                assert_eq!(big(a * b), modulo(big(a) * big(b)));
                for &c in all.iter().step_by(5) {
                    assert_eq!(big(PrimeField::fma(&a, &b, c)), modulo(big(a) * big(b) + big(c)));
                }
            }
        }
    }

    #[test]
    fn every_result_is_the_canonical_representative() {
        let (top, one) = (PrimeField(MODULUS - 1), PrimeField::one());
        for x in
            [top + one, top * PrimeField::zero(), -PrimeField::zero(), top - top, PrimeField::new(MODULUS)]
        {
            assert_eq!(x.value(), 0);
        }
        assert_eq!(PrimeField::new(u64::MAX).value(), u64::MAX % MODULUS);
        assert_eq!(PrimeField::fma(&top, &top, top).value(), 0); // (p - 1)^2 + p - 1 = (p - 1) p
    }

    #[test]
    fn ring_axioms() {
        let all = elements();
        for (&a, (&b, &c)) in all.iter().zip(all.iter().skip(7).zip(all.iter().skip(19))) {
            assert_eq!(a + b, b + a);
            assert_eq!((a + b) + c, a + (b + c));
            assert_eq!(a * b, b * a);
            assert_eq!((a * b) * c, a * (b * c));
            assert_eq!(a * (b + c), a * b + a * c);
            assert_eq!(a + PrimeField::zero(), a);
            assert_eq!(a * PrimeField::one(), a);
            assert_eq!(a + -a, PrimeField::zero());
        }
    }

    #[test]
    fn inverses() {
        assert_eq!(PrimeField::zero().inverse(), None);
        for x in elements().into_iter().filter(|x| x.value() != 0) {
            assert_eq!(x * x.inverse().unwrap(), PrimeField::one());
            assert_eq!(x / x, PrimeField::one());
            assert_eq!(x.power(MODULUS - 1), PrimeField::one());
        }
    }

    #[test]
    fn division_by_integers() {
        for n in [1, 2, 3, 256, 1437, MODULUS - 1, MODULUS + 1, u64::MAX] {
            for x in elements() {
                let quotient = x.divide_by(NonZeroU64::new(n).unwrap());
                assert_eq!(modulo(big(quotient) * BigInt::from(n)), big(x));
            }
        }
    }

    #[test]
    fn integers_of_either_sign() {
        for n in [0, 1, -1, 7, -7, MODULUS as i64, -(MODULUS as i64), i64::MAX, i64::MIN] {
            assert_eq!(big(PrimeField::from_integer(n)), modulo(BigInt::from(n)));
        }
    }
}
