//! Traits of the number types on which the algorithms run.
//!
//! Every algorithm of the crate is generic over [`Scalar`]. `f32` and `f64` follow the bit contract. In the tests, a prime
//! field checks polynomial identities and exact rationals give results without rounding. [Dual](crate::dual) numbers give
//! exact derivatives.

mod float;

use core::fmt::Debug;
use core::num::NonZeroU64;
use core::ops::{Add, Div, Mul, Neg, Sub};

/// A commutative ring with a fused multiply-add, integers, and exact division by a nonzero integer.
///
/// **Arithmetic** On floats each operation rounds once, to nearest even. On the other types every operation is exact.
pub trait Scalar:
    Clone + PartialEq + Debug + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Neg<Output = Self>
{
    /// The type in which traces, norms and inner products of matrices accumulate: `f64` for floats, else `Self`.
    type Wide: Scalar<Wide = Self::Wide>;

    /// The additive identity (`+0` on floats).
    fn zero() -> Self;
    /// The multiplicative identity.
    fn one() -> Self;
    /// The integer `n`, rounded to nearest where the type cannot hold it.
    fn from_integer(n: i64) -> Self;
    /// `a b + c` with one rounding.
    fn fma(a: &Self, b: &Self, c: Self) -> Self;
    /// `self / n`, rounded once.
    fn divide_by(self, n: NonZeroU64) -> Self;
    /// [`Scalar::divide_by`] for each of the values.
    #[inline(always)]
    fn divide_all(values: &mut [Self], n: NonZeroU64) {
        for value in values {
            *value = value.clone().divide_by(n);
        }
    }
    /// The same value in the accumulation type; exact.
    fn widen(&self) -> Self::Wide;
    /// `a b + c` in the accumulation type, with one rounding.
    #[inline(always)]
    fn fma_wide(a: &Self, b: &Self, c: Self::Wide) -> Self::Wide {
        Self::Wide::fma(&a.widen(), &b.widen(), c)
    }
    /// `self > other`, false for NaN: what max pooling asks. A ring without an order takes any strict one of its elements.
    fn exceeds(&self, other: &Self) -> bool;
    /// False for infinities and NaN. Exact types are always finite.
    fn is_finite(&self) -> bool {
        true
    }
}

/// NaN, for an x that is not finite. An overflowed sum has lost its sign, and a saturating function would turn it into an
/// ordinary number.
#[inline(always)]
pub(crate) fn undefined<T: Scalar>(x: &T) -> T {
    x.clone() - x.clone()
}

/// A scalar that can be compared with zero, which is all that ReLU needs. Dual numbers are ordered by their value.
pub trait Ordered: Scalar {
    /// `self > 0`; false for both zeros and for NaN.
    fn is_positive(&self) -> bool;
}

/// An ordered field with elementary functions. See [`crate::elementary`] for their accuracy.
pub trait Transcendental: Ordered + Div<Output = Self> {
    /// `e^self`.
    fn exp(&self) -> Self;
    /// The natural logarithm.
    fn ln(&self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(&self) -> Self;
    /// The logistic function `1 / (1 + e^-self)`.
    fn sigmoid(&self) -> Self;
    /// `ln(1 + e^self)`.
    fn softplus(&self) -> Self;
    /// `self / (1 + e^-self)`.
    fn silu(&self) -> Self;
    /// `self Phi(self)`, Phi the normal distribution function.
    fn gelu(&self) -> Self;
    /// The normal distribution function.
    fn normal_distribution(&self) -> Self;
    /// The normal density.
    fn normal_density(&self) -> Self;
}

/// IEEE 754 binary32 or binary64. The trait is sealed, because the bit contract covers these two types only.
pub trait Real:
    Transcendental + Scalar<Wide = f64> + Copy + PartialOrd + Default + Send + Sync + sealed::Sealed + 'static
{
    /// The name on the command line and in digests: `"f32"` or `"f64"`.
    const NAME: &'static str;
    /// Bytes of one value.
    const BYTES: usize;
    /// The unit roundoff, half an ulp of one: 2^-24 or 2^-53.
    const UNIT_ROUNDOFF: f64;
    /// The largest finite value.
    const LARGEST: f64;
    /// The nearest value, ties to even. Exact for `f64`.
    fn from_f64(x: f64) -> Self;
    /// The same value in `f64`; exact.
    fn to_f64(self) -> f64;
    /// An integer as wide as the scalar.
    type Order: Copy + Ord + Default;
    /// A nonnegative integer that increases with the magnitude. Infinity has a larger one than all numbers, NaN a still
    /// larger one.
    fn magnitude_order(self) -> Self::Order;
    /// The bit pattern, zero-extended, with every NaN mapped to the one positive quiet NaN.
    fn canonical_bits(self) -> u64;
    /// Runs the code of `P` for `Self`.
    #[doc(hidden)]
    fn choose<P: PerFloat>(arguments: P::Arguments<'_, Self>) -> P::Output;
}

/// Separate code for `f32` and `f64`. A module on a higher floor implements it to run type-specific code for any [`Real`],
/// so that this module need not import the higher one.
#[doc(hidden)]
pub trait PerFloat {
    /// The arguments of the code.
    type Arguments<'a, T: 'a>;
    /// The result of the code.
    type Output;
    /// For `f32`.
    #[doc(hidden)]
    fn f32(arguments: Self::Arguments<'_, f32>) -> Self::Output;
    /// For `f64`.
    #[doc(hidden)]
    fn f64(arguments: Self::Arguments<'_, f64>) -> Self::Output;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}
