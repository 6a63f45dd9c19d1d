use super::Activation;
use crate::scalar::Scalar;

/// `phi(z) = z^2`, for any scalar. The value is rounded once, the derivatives are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quadratic;

impl<T: Scalar> Activation<T> for Quadratic {
    #[inline(always)]
    fn value(&self, z: &T) -> T {
        z.clone() * z.clone()
    }
    #[inline(always)]
    fn derivative(&self, z: &T) -> T {
        z.clone() + z.clone()
    }
    fn second_derivative(&self, _: &T) -> T {
        T::from_integer(2)
    }
}
