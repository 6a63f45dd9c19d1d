use super::{Activation, Bounded, Logistic, Sensitivity};
use crate::scalar::Transcendental;

/// `phi(z) = 1 / (1 + e^-z)`, for any transcendental scalar.
///
/// **Arithmetic** With `n = sigmoid(-|z|)`, the smaller of `sigmoid(z)` and `sigmoid(-z)`: `phi' = n (1 - n)`, and
/// `phi'' = -+n (1 - n) (1 - 2 n)`, negative for `z > 0`. Neither formula cancels where `phi` is near one.
///
/// **Accuracy** The value is that of [`crate::elementary`]: correctly rounded in `f32`. The derivative is within `3 u` of
/// the true one in relative terms in `f32`, `8 u` in `f64` (u the unit roundoff, normal results). The error of n counts at
/// most once, and the two operations add `2 u`. The second derivative is within `u` in `f32` and `4 u` in `f64` in
/// absolute terms.
///
/// **Source** formulas and bounds are derived here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sigmoid;

impl<T: Transcendental> Activation<T> for Sigmoid {
    #[inline(always)]
    fn value(&self, z: &T) -> T {
        z.sigmoid()
    }
    #[inline(always)]
    fn derivative(&self, z: &T) -> T {
        Logistic::at(z).slope()
    }
    fn second_derivative(&self, z: &T) -> T {
        Logistic::at(z).second()
    }
}

impl Bounded for Sigmoid {
    /// `phi' <= 1/4` and `|phi''| <= 1 / (6 sqrt 3) = 0.0962...`. The value is within 3 ulp, which is `6 u`. The slope is
    /// within `8 u` of at most 1/4.
    fn sensitivity(&self, _: f64) -> Sensitivity {
        Sensitivity { slope: 0.25, bend: 0.097, value_error: 6.0, slope_error: 2.0, kink: false }
    }
}
