use super::{Activation, Bounded, Sensitivity};
use crate::scalar::Ordered;

/// `phi(z) = z` if `z > 0`, else `+0`: the rectified linear unit, for any ordered scalar.
///
/// **Arithmetic** The derivative is 1 if `z > 0`, else `+0`; at the kink it is therefore `+0`. All values are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relu;

impl<T: Ordered> Activation<T> for Relu {
    #[inline(always)]
    fn value(&self, z: &T) -> T {
        if z.is_positive() { z.clone() } else { T::zero() }
    }
    #[inline(always)]
    fn derivative(&self, z: &T) -> T {
        if z.is_positive() { T::one() } else { T::zero() }
    }
    fn second_derivative(&self, _: &T) -> T {
        T::zero()
    }
}

impl Bounded for Relu {
    /// Exact on each side of the kink at zero.
    fn sensitivity(&self, _: f64) -> Sensitivity {
        Sensitivity { slope: 1.0, bend: 0.0, value_error: 0.0, slope_error: 0.0, kink: true }
    }
}
