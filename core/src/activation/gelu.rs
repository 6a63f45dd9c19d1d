use super::{Activation, Bounded, Sensitivity, damped};
use crate::scalar::Transcendental;

/// `phi(z) = z Phi(z)`, Phi the normal distribution function: the Gaussian error linear unit (GELU), for any
/// transcendental scalar.
///
/// This is the definition by the error function, not the approximation by tanh.
///
/// **Arithmetic** With the normal density g: `phi' = Phi(z) + z g(z)` and `phi'' = (2 - z^2) g(z)`, evaluated as
/// `2 g - z (z g)`. The product `z g` is zero where g is, at infinite z too.
///
/// **Accuracy** The value is that of [`crate::elementary`]: correctly rounded in `f32`, and so are Phi and g. Both
/// derivatives are within `3 u` of the true ones in absolute terms in `f32`; in `f64` the first is within `16 u`, the second
/// within `8 u` (u the unit roundoff). The bounds follow from `Phi <= 1`, `|z g| < 0.25` and `z^2 g < 0.3`, as each
/// operation adds u times its result.
///
/// **Source** D. Hendrycks, K. Gimpel, *Gaussian error linear units*, arXiv 1606.08415, section 2. Derivatives and bounds
/// are derived here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gelu;

impl<T: Transcendental> Activation<T> for Gelu {
    #[inline(always)]
    fn value(&self, z: &T) -> T {
        z.gelu()
    }
    #[inline(always)]
    fn derivative(&self, z: &T) -> T {
        z.normal_distribution() + damped(z, &z.normal_density())
    }
    fn second_derivative(&self, z: &T) -> T {
        let density = z.normal_density();
        let twice = density.clone() + density.clone();
        twice - damped(z, &damped(z, &density))
    }
}

impl Bounded for Gelu {
    /// `|phi'|` is at most 1.1289..., at `z = sqrt 2`. `|phi''| <= phi''(0) = 2 / sqrt(2 pi) = 0.7978...`. The value is
    /// within 9 ulp, which is `18 u`.
    fn sensitivity(&self, _: f64) -> Sensitivity {
        Sensitivity { slope: 1.13, bend: 0.798, value_error: 18.0, slope_error: 16.0, kink: false }
    }
}
