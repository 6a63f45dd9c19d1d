use super::{Activation, Bounded, Logistic, Sensitivity, damped};
use crate::scalar::Transcendental;

/// `phi(z) = z / (1 + e^-z)`, the sigmoid linear unit (swish), for any transcendental scalar.
///
/// **Arithmetic** With `s = sigmoid(z)`, `phi' = s + z s (1 - s)` and `phi'' = s (1 - s) (2 + z (1 - 2 s))`. Evaluated from
/// `n = sigmoid(-|z|)` and `m = 1 - n`: `phi' = s + m (z n)`, where s is m for `z > 0` and else n, and
/// `phi'' = m (2 n - (1 - 2 n) |z n|)`. The product `z n` is zero where n is, at infinite z too.
///
/// **Accuracy** The value is that of [`crate::elementary`]: correctly rounded in `f32`. The derivatives are within `4 u` of
/// the true ones in absolute terms in `f32`; in `f64` the first is within `8 u`, the second within `12 u` (u the unit
/// roundoff). `|z n|` stays below 0.28, so the errors of z n and m count for less than one; each of the few operations adds
/// u times a number below 1.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silu;

impl<T: Transcendental> Activation<T> for Silu {
    #[inline(always)]
    fn value(&self, z: &T) -> T {
        z.silu()
    }
    #[inline(always)]
    fn derivative(&self, z: &T) -> T {
        let Logistic { smaller, larger, positive } = Logistic::at(z);
        let tail = damped(z, &smaller);
        let sigmoid = if positive { larger.clone() } else { smaller };
        sigmoid + larger * tail
    }
    fn second_derivative(&self, z: &T) -> T {
        let Logistic { smaller, larger, positive } = Logistic::at(z);
        let tail = damped(z, &smaller);
        let tail = if positive { tail } else { -tail };
        let twice = smaller.clone() + smaller;
        larger * (twice.clone() - (T::one() - twice) * tail)
    }
}

impl Bounded for Silu {
    /// `|phi'|` is largest, 1.0998..., where `z tanh(z/2) = 2`; `|phi''| <= phi''(0) = 1/2`; 4 ulp.
    fn sensitivity(&self, _: f64) -> Sensitivity {
        Sensitivity { slope: 1.1, bend: 0.5, value_error: 8.0, slope_error: 8.0, kink: false }
    }
}
