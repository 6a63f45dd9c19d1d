//! Closed forms of Gaussian expectations of activations.

use crate::activation::AnyActivation;
use crate::ieee::sqrt;
use core::f64::consts::PI;

/// An activation whose dual kernels `E phi(u) phi(v)` and `E phi'(u) phi'(v)` over Gaussian pairs have a closed form.
///
/// With `a = E u^2`, `b = E v^2`, `c = E u v`, `D = (1 + a)(1 + b) - c^2` and `I = 1 / (2 pi sqrt(D))`:
///
/// | activation | value | slope |
/// |---|---|---|
/// | linear | `c` | 1 |
/// | ReLU, `cos t = c / sqrt(a b)` | `sqrt(a b) (sin t + (pi - t) cos t) / (2 pi)` | `(pi - t) / (2 pi)` |
/// | quadratic | `a b + 2 c^2` | `4 c` |
/// | sine | `exp(-(a + b)/2) sinh c` | `exp(-(a + b)/2) cosh c` |
/// | erf | `(2/pi) asin(2 c / sqrt((1 + 2a)(1 + 2b)))` | `(4/pi) / sqrt((1 + 2a)(1 + 2b) - 4 c^2)` |
/// | GELU `z Phi(z)` | `c O + I (a b + c^2 (1/(1+a) + 1/(1+b) - 1))` | `O + I c (1/(1+a) + 1/(1+b) + 1/D)` |
///
/// where `O = E Phi(u) Phi(v) = 1/4 + asin(c / sqrt((1 + a)(1 + b))) / (2 pi)`.
///
/// **Accuracy** a few units of `u = 2^-53`, relative to the largest term, if the functions of `libm` are within one ulp.
/// The bit contract does not cover these values. ReLU is less accurate, because its angle is `acos` of a rounded cosine,
/// as in the oracle of the fixtures. Near 0 and pi the error of the angle is up to `sqrt(6 u) = 2.6e-8`, that of the slope
/// `4.2e-9`, that of the value a few u. The predictions of [`super::wide`] have errors of some 1e-8 from it; the tests
/// allow 1e-7.
///
/// **Source** ReLU: Y. Cho and L. Saul, *Kernel methods for deep learning*, NeurIPS 2009. Erf: C. Williams, *Computing with
/// infinite networks*, NeurIPS 1996. The others are derived here, from `E e^{iuz}` and from integration by parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DualKernel {
    /// `phi(z) = z`.
    Linear,
    /// `phi(z) = max(z, 0)`.
    Relu,
    /// `phi(z) = z^2`.
    Quadratic,
    /// `phi(z) = sin z`.
    Sine,
    /// `phi(z) = erf z`.
    Erf,
    /// `phi(z) = z Phi(z)`, Phi the normal distribution function.
    Gelu,
}

impl DualKernel {
    /// All kernels.
    pub const ALL: &'static [Self] =
        &[Self::Linear, Self::Relu, Self::Quadratic, Self::Sine, Self::Erf, Self::Gelu];

    /// The name of the activation on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Relu => "relu",
            Self::Quadratic => "quadratic",
            Self::Sine => "sine",
            Self::Erf => "erf",
            Self::Gelu => "gelu",
        }
    }

    /// The kernel of the activation with this name; `None` if it has no closed form.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kernel| kernel.name() == name)
    }

    /// The kernel of an activation; `None` if it has no closed form (tanh, sigmoid, softplus, SiLU).
    pub fn of(activation: AnyActivation) -> Option<Self> {
        Self::from_name(activation.name())
    }

    /// Whether `phi(s z) = s^p phi(z)` for s > 0. If so, a common scale of the inputs cancels in the prediction.
    pub const fn homogeneous(self) -> bool {
        matches!(self, Self::Linear | Self::Relu | Self::Quadratic)
    }

    /// `E phi(u) phi(v)` and `E phi'(u) phi'(v)` for variances a, b >= 0 and covariance c.
    ///
    /// **Accuracy** see [`DualKernel`]. For ReLU with `a b = 0` the angle is undefined, and both results are 0, as the
    /// derivative of ReLU at 0 is.
    pub fn pair(self, a: f64, b: f64, c: f64) -> (f64, f64) {
        match self {
            Self::Linear => (c, 1.0),
            Self::Quadratic => (a * b + 2.0 * (c * c), 4.0 * c),
            Self::Relu => {
                let norm = sqrt(a) * sqrt(b);
                if norm > 0.0 {
                    let cosine = c / norm;
                    let cosine = if cosine.abs() > 1.0 { cosine.signum() } else { cosine };
                    let angle = libm::acos(cosine);
                    let value = norm * (libm::sin(angle) + (PI - angle) * libm::cos(angle)) / (2.0 * PI);
                    (value, (PI - angle) / (2.0 * PI))
                } else {
                    (0.0, 0.0)
                }
            }
            Self::Sine => {
                // exp(-(a+b)/2 + c) and exp(-(a+b)/2 - c): no exponent is positive.
                let (plus, minus) = (libm::exp(c - 0.5 * (a + b)), libm::exp(-c - 0.5 * (a + b)));
                let odd = if c.abs() < 0.5 {
                    libm::exp(-0.5 * (a + b)) * libm::sinh(c)
                } else {
                    0.5 * (plus - minus)
                };
                (odd, 0.5 * (plus + minus))
            }
            Self::Erf => {
                let root = sqrt(determinant(1.0 + 2.0 * a, 1.0 + 2.0 * b, 2.0 * c));
                (2.0 / PI * libm::atan2(2.0 * c, root), 4.0 / PI / root)
            }
            Self::Gelu => {
                let d = determinant(1.0 + a, 1.0 + b, c);
                let root = sqrt(d);
                let both = 0.25 + libm::atan2(c, root) / (2.0 * PI);
                let density = 1.0 / (2.0 * PI * root);
                let inverse = 1.0 / (1.0 + a) + 1.0 / (1.0 + b);
                (
                    c * both + density * (a * b + c * c * (inverse - 1.0)),
                    both + density * c * (inverse + 1.0 / d),
                )
            }
        }
    }
}

/// `max(a b - c^2, 0)`, with an error of two roundings (Kahan's difference of products).
fn determinant(a: f64, b: f64, c: f64) -> f64 {
    let square = c * c;
    let error = crate::ieee::fma_f64(-c, c, square);
    let value = crate::ieee::fma_f64(a, b, -square) + error;
    if value > 0.0 { value } else { 0.0 }
}
