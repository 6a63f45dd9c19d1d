//! `f32` and `f64` as scalars.

use super::{Ordered, PerFloat, Real, Scalar, Transcendental};
use crate::elementary;
use crate::ieee::{fma_f32, fma_f64};
use core::num::NonZeroU64;

impl Scalar for f32 {
    type Wide = f64;
    #[inline(always)]
    fn exceeds(&self, other: &Self) -> bool {
        self > other
    }
    fn zero() -> Self {
        0.0
    }
    fn one() -> Self {
        1.0
    }
    fn from_integer(n: i64) -> Self {
        n as f32
    }
    #[inline(always)]
    fn fma(a: &Self, b: &Self, c: Self) -> Self {
        fma_f32(*a, *b, c)
    }
    /// The quotient in `f64`, then rounded. For `n < 2^24` this is the correctly rounded quotient, because
    /// `53 >= 2 * 24 + 2` (S. A. Figueroa, *When is double rounding innocuous?*, SIGNUM Newsletter 30, 1995).
    #[inline(always)]
    fn divide_by(self, n: NonZeroU64) -> Self {
        (f64::from(self) / n.get() as f64) as f32
    }
    /// Avoids `f64` where `f32` gives the same bits: the reciprocal of a power of two is exact, and `n < 2^24` is exact in
    /// `f32`. Targets without `f64` instructions skip the reciprocal, to save code size.
    #[inline(always)]
    fn divide_all(values: &mut [Self], n: NonZeroU64) {
        let divisor = n.get() as f32;
        if n.is_power_of_two() && !cfg!(soft_f64) {
            let reciprocal = 1.0 / divisor;
            values.iter_mut().for_each(|x| *x *= reciprocal);
        } else if n.get() < 1 << 24 {
            values.iter_mut().for_each(|x| *x /= divisor);
        } else {
            values.iter_mut().for_each(|x| *x = x.divide_by(n));
        }
    }
    #[inline(always)]
    fn widen(&self) -> f64 {
        f64::from(*self)
    }
    /// The product of two `f32` is exact in `f64`, so multiply-then-add rounds once too.
    #[inline(always)]
    fn fma_wide(a: &Self, b: &Self, c: f64) -> f64 {
        f64::from(*a) * f64::from(*b) + c
    }
    #[inline(always)]
    fn is_finite(&self) -> bool {
        f32::is_finite(*self)
    }
}

impl Scalar for f64 {
    type Wide = f64;
    #[inline(always)]
    fn exceeds(&self, other: &Self) -> bool {
        self > other
    }
    fn zero() -> Self {
        0.0
    }
    fn one() -> Self {
        1.0
    }
    fn from_integer(n: i64) -> Self {
        n as f64
    }
    #[inline(always)]
    fn fma(a: &Self, b: &Self, c: Self) -> Self {
        fma_f64(*a, *b, c)
    }
    #[inline(always)]
    fn divide_by(self, n: NonZeroU64) -> Self {
        self / n.get() as f64
    }
    /// The reciprocal of a power of two is exact, so product and quotient are the same real number and round alike.
    #[inline(always)]
    fn divide_all(values: &mut [Self], n: NonZeroU64) {
        let divisor = n.get() as f64;
        if n.is_power_of_two() {
            let reciprocal = 1.0 / divisor;
            values.iter_mut().for_each(|x| *x *= reciprocal);
        } else {
            values.iter_mut().for_each(|x| *x /= divisor);
        }
    }
    #[inline(always)]
    fn widen(&self) -> f64 {
        *self
    }
    #[inline(always)]
    fn is_finite(&self) -> bool {
        f64::is_finite(*self)
    }
}

impl Ordered for f32 {
    #[inline(always)]
    fn is_positive(&self) -> bool {
        *self > 0.0
    }
}

impl Ordered for f64 {
    #[inline(always)]
    fn is_positive(&self) -> bool {
        *self > 0.0
    }
}

impl Transcendental for f32 {
    fn exp(&self) -> Self {
        elementary::exp_f32(*self)
    }
    fn ln(&self) -> Self {
        elementary::ln_f32(*self)
    }
    #[inline]
    fn tanh(&self) -> Self {
        elementary::tanh_f32(*self)
    }
    #[inline(always)]
    fn sigmoid(&self) -> Self {
        elementary::sigmoid_f32(*self)
    }
    #[inline(always)]
    fn softplus(&self) -> Self {
        elementary::softplus_f32(*self)
    }
    #[inline(always)]
    fn silu(&self) -> Self {
        elementary::silu_f32(*self)
    }
    #[inline(always)]
    fn gelu(&self) -> Self {
        elementary::gelu_f32(*self)
    }
    #[inline(always)]
    fn normal_distribution(&self) -> Self {
        elementary::normal_distribution_f32(*self)
    }
    #[inline(always)]
    fn normal_density(&self) -> Self {
        elementary::normal_density_f32(*self)
    }
}

impl Transcendental for f64 {
    fn exp(&self) -> Self {
        elementary::exp(*self)
    }
    fn ln(&self) -> Self {
        elementary::ln(*self)
    }
    #[inline]
    fn tanh(&self) -> Self {
        elementary::tanh(*self)
    }
    #[inline]
    fn sigmoid(&self) -> Self {
        elementary::sigmoid(*self)
    }
    #[inline]
    fn softplus(&self) -> Self {
        elementary::softplus(*self)
    }
    #[inline]
    fn silu(&self) -> Self {
        elementary::silu(*self)
    }
    #[inline]
    fn gelu(&self) -> Self {
        elementary::gelu(*self)
    }
    #[inline]
    fn normal_distribution(&self) -> Self {
        elementary::normal_distribution(*self)
    }
    #[inline]
    fn normal_density(&self) -> Self {
        elementary::normal_density(*self)
    }
}

impl Real for f32 {
    const NAME: &'static str = "f32";
    const BYTES: usize = 4;
    const UNIT_ROUNDOFF: f64 = 1.0 / 16_777_216.0;
    const LARGEST: f64 = f32::MAX as f64;
    fn from_f64(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    type Order = i32;
    #[inline(always)]
    fn magnitude_order(self) -> i32 {
        self.abs().to_bits().cast_signed()
    }
    fn canonical_bits(self) -> u64 {
        u64::from(if self.is_nan() { 0x7fc0_0000 } else { self.to_bits() })
    }
    #[inline(always)]
    fn choose<P: PerFloat>(arguments: P::Arguments<'_, Self>) -> P::Output {
        P::f32(arguments)
    }
}

impl Real for f64 {
    const NAME: &'static str = "f64";
    const BYTES: usize = 8;
    const UNIT_ROUNDOFF: f64 = f64::EPSILON / 2.0;
    const LARGEST: f64 = f64::MAX;
    fn from_f64(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    type Order = i64;
    #[inline(always)]
    fn magnitude_order(self) -> i64 {
        self.abs().to_bits().cast_signed()
    }
    fn canonical_bits(self) -> u64 {
        if self.is_nan() { 0x7ff8_0000_0000_0000 } else { self.to_bits() }
    }
    #[inline(always)]
    fn choose<P: PerFloat>(arguments: P::Arguments<'_, Self>) -> P::Output {
        P::f64(arguments)
    }
}
