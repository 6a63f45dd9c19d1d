//! Dual numbers `a + b e` with `e^2 = 0`. An algorithm that runs on them computes its derivative too (forward mode of
//! automatic differentiation).
//!
//! **Source** A. Griewank, A. Walther, *Evaluating Derivatives*, chapter 3.

use crate::activation::{Activation, Gelu, Sigmoid, Silu, Softplus, damped};
use crate::scalar::{Ordered, Scalar, Transcendental};
use core::num::NonZeroU64;
use core::ops::{Add, Div, Mul, Neg, Sub};

/// A value and its derivative along one direction.
///
/// **Arithmetic** The value takes the same operations as without derivatives, so its bits are the same. Comparisons and
/// ReLU use the value only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dual<T> {
    /// The value `a`.
    pub value: T,
    /// The derivative `b`.
    pub derivative: T,
}

impl<T: Scalar> Dual<T> {
    /// `value + derivative e`.
    pub fn new(value: T, derivative: T) -> Self {
        Self { value, derivative }
    }

    /// A constant: its derivative is zero.
    pub fn constant(value: T) -> Self {
        Self { value, derivative: T::zero() }
    }
}

impl<T: Scalar> Add for Dual<T> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, derivative: self.derivative + other.derivative }
    }
}

impl<T: Scalar> Sub for Dual<T> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, derivative: self.derivative - other.derivative }
    }
}

impl<T: Scalar> Mul for Dual<T> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let derivative = T::fma(&self.value, &other.derivative, self.derivative * other.value.clone());
        Self { value: self.value * other.value, derivative }
    }
}

impl<T: Scalar> Neg for Dual<T> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, derivative: -self.derivative }
    }
}

/// `(a / b)' = (a' - (a / b) b') / b`.
impl<T: Transcendental> Div for Dual<T> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value.clone();
        let derivative = T::fma(&-value.clone(), &other.derivative, self.derivative) / other.value;
        Self { value, derivative }
    }
}

impl<T: Scalar> Scalar for Dual<T> {
    type Wide = Dual<T::Wide>;
    fn zero() -> Self {
        Self::constant(T::zero())
    }
    fn one() -> Self {
        Self::constant(T::one())
    }
    fn exceeds(&self, other: &Self) -> bool {
        self.value.exceeds(&other.value)
    }
    fn from_integer(n: i64) -> Self {
        Self::constant(T::from_integer(n))
    }
    /// `(a b + c)' = a b' + (a' b + c')`.
    fn fma(a: &Self, b: &Self, c: Self) -> Self {
        Self {
            value: T::fma(&a.value, &b.value, c.value),
            derivative: T::fma(&a.value, &b.derivative, T::fma(&a.derivative, &b.value, c.derivative)),
        }
    }
    fn divide_by(self, n: NonZeroU64) -> Self {
        Self { value: self.value.divide_by(n), derivative: self.derivative.divide_by(n) }
    }
    fn widen(&self) -> Self::Wide {
        Dual { value: self.value.widen(), derivative: self.derivative.widen() }
    }
    fn is_finite(&self) -> bool {
        self.value.is_finite() && self.derivative.is_finite()
    }
}

impl<T: Ordered> Ordered for Dual<T> {
    fn is_positive(&self) -> bool {
        self.value.is_positive()
    }
}

impl<T: Transcendental> Transcendental for Dual<T> {
    fn exp(&self) -> Self {
        let value = self.value.exp();
        Self { derivative: self.derivative.clone() * value.clone(), value }
    }
    fn ln(&self) -> Self {
        Self { value: self.value.ln(), derivative: self.derivative.clone() / self.value.clone() }
    }
    /// `tanh' = (1 - tanh) (1 + tanh)`.
    fn tanh(&self) -> Self {
        let value = self.value.tanh();
        let slope = (T::one() - value.clone()) * (T::one() + value.clone());
        Self { derivative: self.derivative.clone() * slope, value }
    }
    fn sigmoid(&self) -> Self {
        self.activated(Sigmoid)
    }
    fn softplus(&self) -> Self {
        self.activated(Softplus)
    }
    fn silu(&self) -> Self {
        self.activated(Silu)
    }
    fn gelu(&self) -> Self {
        self.activated(Gelu)
    }
    /// The slope is the density.
    fn normal_distribution(&self) -> Self {
        let slope = self.value.normal_density();
        Self { value: self.value.normal_distribution(), derivative: self.derivative.clone() * slope }
    }
    /// `g' = -z g`.
    fn normal_density(&self) -> Self {
        let value = self.value.normal_density();
        let slope = -damped(&self.value, &value);
        Self { value, derivative: self.derivative.clone() * slope }
    }
}

impl<T: Transcendental> Dual<T> {
    /// `phi(a) + phi'(a) b e`.
    fn activated(&self, phi: impl Activation<T>) -> Self {
        let (value, slope) = phi.value_and_derivative(&self.value);
        Self { value, derivative: self.derivative.clone() * slope }
    }
}
