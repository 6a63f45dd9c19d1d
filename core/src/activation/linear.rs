use super::{Activation, Bounded, Sensitivity};
use crate::scalar::Scalar;

/// `phi(z) = z`, for any scalar. Value and derivatives are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Linear;

impl<T: Scalar> Activation<T> for Linear {
    #[inline(always)]
    fn value(&self, z: &T) -> T {
        z.clone()
    }
    #[inline(always)]
    fn derivative(&self, _: &T) -> T {
        T::one()
    }
    fn second_derivative(&self, _: &T) -> T {
        T::zero()
    }
}

impl Bounded for Linear {
    /// Exact.
    fn sensitivity(&self, _: f64) -> Sensitivity {
        Sensitivity { slope: 1.0, bend: 0.0, value_error: 0.0, slope_error: 0.0, kink: false }
    }
}
