use super::{Activation, Bounded, Logistic, Sensitivity};
use crate::scalar::Transcendental;

/// `phi(z) = ln(1 + e^z)`, for any transcendental scalar.
///
/// **Arithmetic** `phi' = sigmoid(z)`; `phi'' = n (1 - n)` with `n = sigmoid(-|z|)`, the derivative of
/// [`Sigmoid`](super::Sigmoid).
///
/// **Accuracy** Value and derivative are those of [`crate::elementary`]: correctly rounded in `f32`. The second derivative
/// is within `3 u` of the true one in relative terms in `f32`, `8 u` in `f64` (u the unit roundoff, normal results).
///
/// **Source** C. Dugas, Y. Bengio, F. Belisle, C. Nadeau, R. Garcia, *Incorporating second-order functional knowledge for
/// better option pricing*, NIPS 2000. The bounds are derived here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Softplus;

impl<T: Transcendental> Activation<T> for Softplus {
    #[inline(always)]
    fn value(&self, z: &T) -> T {
        z.softplus()
    }
    #[inline(always)]
    fn derivative(&self, z: &T) -> T {
        z.sigmoid()
    }
    fn second_derivative(&self, z: &T) -> T {
        Logistic::at(z).slope()
    }
}

impl Bounded for Softplus {
    /// `phi' < 1` and `phi'' <= 1/4`. The value is within 4 ulp, which is `8 u`. The slope is a sigmoid, within 3 ulp.
    fn sensitivity(&self, _: f64) -> Sensitivity {
        Sensitivity { slope: 1.0, bend: 0.25, value_error: 8.0, slope_error: 6.0, kink: false }
    }
}
