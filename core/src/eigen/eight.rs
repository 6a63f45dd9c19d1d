//! Eight numbers in an array with elementwise operations, which the compiler turns into vector instructions.

use crate::ieee::sqrt;
use core::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// The number of elements: one vector register, or several.
pub(super) const LANES: usize = 8;

/// One number of each of eight independent problems. Every operation is elementwise.
#[derive(Clone, Copy)]
pub(super) struct Eight(pub(super) [f64; LANES]);

/// A mask for the elements: all bits set for true, none for false.
#[derive(Clone, Copy)]
pub(super) struct Choice([u64; LANES]);

impl Eight {
    pub(super) const ZERO: Self = Self::all(0.0);

    #[inline(always)]
    pub(super) const fn all(x: f64) -> Self {
        Self([x; LANES])
    }

    #[inline(always)]
    pub(super) fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self(self.0.map(f))
    }

    #[inline(always)]
    pub(super) fn zip(mut self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        for (x, y) in self.0.iter_mut().zip(other.0) {
            *x = f(*x, y);
        }
        self
    }

    #[inline(always)]
    pub(super) fn abs(self) -> Self {
        self.map(f64::abs)
    }

    #[inline(always)]
    pub(super) fn sqrt(self) -> Self {
        self.map(sqrt)
    }

    /// The mask of the elements for which `f` holds.
    #[inline(always)]
    pub(super) fn choose(self, other: Self, f: impl Fn(f64, f64) -> bool) -> Choice {
        let mut choice = Choice::NONE;
        for ((choice, x), y) in choice.0.iter_mut().zip(self.0).zip(other.0) {
            *choice = if f(x, y) { u64::MAX } else { 0 };
        }
        choice
    }

    #[inline(always)]
    pub(super) fn less(self, other: Self) -> Choice {
        self.choose(other, |x, y| x < y)
    }
}

impl Choice {
    pub(super) const NONE: Self = Self([0; LANES]);

    /// The mask of the indices for which `f` holds.
    #[inline(always)]
    pub(super) fn places(f: impl Fn(usize) -> bool) -> Self {
        let mut choice = Self::NONE;
        for (place, choice) in choice.0.iter_mut().enumerate() {
            *choice = if f(place) { u64::MAX } else { 0 };
        }
        choice
    }

    /// Elements of `chosen` where the mask is true, of `other` where it is false.
    #[inline(always)]
    pub(super) fn of(self, chosen: Eight, mut other: Eight) -> Eight {
        for ((x, chosen), choice) in other.0.iter_mut().zip(chosen.0).zip(self.0) {
            *x = f64::from_bits(chosen.to_bits() & choice | x.to_bits() & !choice);
        }
        other
    }

    #[inline(always)]
    fn zip(mut self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        for (x, y) in self.0.iter_mut().zip(other.0) {
            *x = f(*x, y);
        }
        self
    }

    #[inline(always)]
    pub(super) fn and(self, other: Self) -> Self {
        self.zip(other, |x, y| x & y)
    }

    #[inline(always)]
    pub(super) fn or(self, other: Self) -> Self {
        self.zip(other, |x, y| x | y)
    }

    #[inline(always)]
    pub(super) fn all(self) -> bool {
        self.0.iter().fold(u64::MAX, |all, choice| all & choice) != 0
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident) => {
        impl $trait for Eight {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.zip(other, f64::$method)
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl AddAssign for Eight {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Neg for Eight {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(f64::neg)
    }
}
