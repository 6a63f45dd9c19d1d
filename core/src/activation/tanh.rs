use super::Activation;
use crate::scalar::Transcendental;

/// `phi = tanh`, for any transcendental scalar.
///
/// **Accuracy** The value is that of [`crate::elementary`]: correctly rounded in `f32`. The derivative is
/// `(1 - t)(1 + t)` from the rounded value t, within `2 |t| u + 3 u` of the true one in absolute terms (u the unit
/// roundoff): t is off by at most `u |t|` and the derivative of `1 - t^2` is `-2t`, the three operations add `3u`.
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
