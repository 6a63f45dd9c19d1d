use super::Activation;
use crate::scalar::Scalar;

/// `phi(z) = z`, for any scalar. Exact.
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
