use super::{Activation, Bounded, Sensitivity};
use crate::scalar::Transcendental;

/// `phi = tanh`, for any transcendental scalar.
///
/// **Accuracy** The value is that of [`crate::elementary`]: correctly rounded in `f32`. The derivative is
/// `(1 - t)(1 + t)` from the rounded value t, within `2 |t| u + 3 u` of the true one in absolute terms (u the unit
/// roundoff): t has an error of at most `u |t|`, the derivative of `1 - t^2` is `-2t`, and three operations add `3u`.
///
/// **Source** formulas and bounds are derived here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tanh;

impl<T: Transcendental> Activation<T> for Tanh {
    #[inline(always)]
    fn value(&self, z: &T) -> T {
        z.tanh()
    }
    #[inline(always)]
    fn derivative(&self, z: &T) -> T {
        slope(&z.tanh())
    }
    /// `-2 t (1 - t)(1 + t)`.
    fn second_derivative(&self, z: &T) -> T {
        let t = z.tanh();
        -((t.clone() + t.clone()) * slope(&t))
    }
    #[inline(always)]
    fn value_and_derivative(&self, z: &T) -> (T, T) {
        let t = z.tanh();
        let slope = slope(&t);
        (t, slope)
    }
}

#[inline(always)]
fn slope<T: Transcendental>(t: &T) -> T {
    (T::one() - t.clone()) * (T::one() + t.clone())
}

impl Bounded for Tanh {
    /// `|phi''|` is largest at `t^2 = 1/3`: `4 / (3 sqrt 3) = 0.7698...`. A value within 2 ulp is within `4 u |t|`, and the
    /// slope within `2 |t| 4 u |t| + 3 u`.
    fn sensitivity(&self, _: f64) -> Sensitivity {
        Sensitivity { slope: 1.0, bend: 0.77, value_error: 4.0, slope_error: 11.0, kink: false }
    }
}
