//! Upper bounds of reals, with upward rounding.

use crate::ieee::sqrt;

/// A number not less than the exact one it stands for; every operation rounds up. Of numbers not below zero.
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

    /// The larger; a bound that is not a number stays one.
    pub(crate) fn or(self, other: Self) -> Self {
        if self.0 > other.0 || self.0.is_nan() { self } else { other }
    }
}

/// `gamma_n = n u / (1 - n u)`, the relative error of n roundings of unit u; infinite from `n u = 1/2` on.
pub(crate) fn gamma(n: usize, u: f64) -> Upper {
    let nu = n as f64 * u;
    if nu < 0.5 {
        Upper((nu.next_up() / (1.0 - nu.next_up()).next_down()).next_up())
    } else {
        Upper(f64::INFINITY)
    }
}
