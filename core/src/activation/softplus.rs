use super::{Activation, Logistic};
use crate::scalar::Transcendental;

/// `phi(z) = ln(1 + e^z)`, for any transcendental scalar.
///
/// **Arithmetic** `phi' = sigmoid(z)`; `phi'' = n (1 - n)` with `n = sigmoid(-|z|)`, the derivative of
/// [`Sigmoid`](super::Sigmoid).
///
/// **Accuracy** Value and derivative are those of [`crate::elementary`]: correctly rounded in `f32`. The second derivative
/// is within `3 u` of the true one in relative terms in `f32`, `8 u` in `f64` (u the unit roundoff, normal results).
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
