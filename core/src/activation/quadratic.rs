use super::{Activation, Bounded, Sensitivity};
use crate::scalar::Scalar;

/// `phi(z) = z^2`, for any scalar.
///
/// **Accuracy** The value is rounded once. The derivatives `2 z` and `2` are exact.
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

impl Bounded for Quadratic {
    /// `|2 z|` is largest at the end of the range.
    fn sensitivity(&self, range: f64) -> Sensitivity {
        Sensitivity { slope: 2.0 * range, bend: 2.0, value_error: 1.0, slope_error: 0.0, kink: false }
    }
}
