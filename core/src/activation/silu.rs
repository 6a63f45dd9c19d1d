use super::{Activation, Bounded, Logistic, Sensitivity, damped};
use crate::scalar::Transcendental;

/// `phi(z) = z / (1 + e^-z)`: the sigmoid linear unit (SiLU, swish), for any transcendental scalar.
///
/// **Arithmetic** With `s = sigmoid(z)`, `phi' = s + z s (1 - s)` and `phi'' = s (1 - s) (2 + z (1 - 2 s))`. Evaluated from
/// `n = sigmoid(-|z|)` and `m = 1 - n`: `phi' = s + m (z n)`, where s is m for `z > 0` and else n, and
/// `phi'' = m (2 n - (1 - 2 n) |z n|)`. The product `z n` is zero where n is, at infinite z too.
///
/// **Accuracy** The value is that of [`crate::elementary`]: correctly rounded in `f32`. The derivatives are within `4 u` of
/// the true ones in absolute terms in `f32`; in `f64` the first is within `8 u`, the second within `12 u` (u the unit
/// roundoff). `|z n|` is below 0.28, so the errors of `z n` and m enter with a factor below one. Each operation adds u
/// times a number below 1.1.
///
/// **Source** S. Elfwing, E. Uchibe, K. Doya, *Sigmoid-weighted linear units*, arXiv 1702.03118. The arrangement of the
/// derivatives and the bounds are derived here.
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
    /// `|phi'|` is at most 1.0998..., where `z tanh(z/2) = 2`. `|phi''| <= phi''(0) = 1/2`. The value is within 4 ulp,
    /// which is `8 u`.
    fn sensitivity(&self, _: f64) -> Sensitivity {
        Sensitivity { slope: 1.1, bend: 0.5, value_error: 8.0, slope_error: 8.0, kink: false }
    }
}
