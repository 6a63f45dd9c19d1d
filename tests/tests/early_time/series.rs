//! Truncated power series as a scalar: running an algorithm on it expands the result exactly.

use agop_core::scalar::{Ordered, Scalar};
use std::num::NonZeroU64;
use std::ops::{Add, Mul, Neg, Sub};

/// A power series `c_0 + c_1 t + ...` cut off at `t^N`: running an algorithm on it expands it exactly around t = 0+.
#[derive(Clone, Debug, PartialEq)]
pub struct Series<T, const N: usize>(pub [T; N]);

impl<T: Scalar, const N: usize> Series<T, N> {
    pub fn constant(x: T) -> Self {
        Self::monomial(x, 0)
    }
    /// `x t^power`.
    pub fn monomial(x: T, power: usize) -> Self {
        Self(std::array::from_fn(|i| if i == power { x.clone() } else { T::zero() }))
    }
    /// `integral from 0 to t`.
    pub fn integral(&self) -> Self {
        Self(std::array::from_fn(|i| match NonZeroU64::new(i as u64) {
            Some(power) => self.0[i - 1].clone().divide_by(power),
            None => T::zero(),
        }))
    }
}

impl<T: Scalar, const N: usize> Add for Series<T, N> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].clone() + other.0[i].clone()))
    }
}

impl<T: Scalar, const N: usize> Sub for Series<T, N> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].clone() - other.0[i].clone()))
    }
}

impl<T: Scalar, const N: usize> Neg for Series<T, N> {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.map(|x| -x))
    }
}

impl<T: Scalar, const N: usize> Mul for Series<T, N> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| {
            (0..=i).fold(T::zero(), |sum, j| T::fma(&self.0[j], &other.0[i - j], sum))
        }))
    }
}

impl<T: Scalar<Wide = T>, const N: usize> Scalar for Series<T, N> {
    type Wide = Self;
    fn exceeds(&self, other: &Self) -> bool {
        self.0[0].exceeds(&other.0[0])
    }
    fn zero() -> Self {
        Self::constant(T::zero())
    }
    fn one() -> Self {
        Self::constant(T::one())
    }
    fn from_integer(n: i64) -> Self {
        Self::constant(T::from_integer(n))
    }
    fn fma(a: &Self, b: &Self, c: Self) -> Self {
        a.clone() * b.clone() + c
    }
    fn divide_by(self, n: NonZeroU64) -> Self {
        Self(self.0.map(|x| x.divide_by(n)))
    }
    fn widen(&self) -> Self {
        self.clone()
    }
}

/// The sign for small t > 0.
impl<T: Ordered + Scalar<Wide = T>, const N: usize> Ordered for Series<T, N> {
    fn is_positive(&self) -> bool {
        self.0.iter().find(|x| **x != T::zero()).is_some_and(T::is_positive)
    }
}
