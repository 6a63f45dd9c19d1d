//! Activations: value, first and second derivative. Each activation asks only for the scalar trait that it needs.

mod gelu;
mod linear;
mod logistic;
mod quadratic;
mod relu;
mod sigmoid;
mod silu;
mod softplus;
mod tanh;

pub use gelu::Gelu;
pub use linear::Linear;
pub use quadratic::Quadratic;
pub use relu::Relu;
pub use sigmoid::Sigmoid;
pub use silu::Silu;
pub use softplus::Softplus;
pub use tanh::Tanh;

use logistic::Logistic;
pub(crate) use logistic::damped;

use crate::kernel::Backend;
use crate::scalar::{Scalar, Transcendental, undefined};

/// A function applied to every pre-activation.
pub trait Activation<T: Scalar>: Copy {
    /// `phi(z)`.
    fn value(&self, z: &T) -> T;
    /// `phi'(z)`.
    fn derivative(&self, z: &T) -> T;
    /// `phi''(z)`.
    fn second_derivative(&self, z: &T) -> T;

    /// The activation of that name, if this type can be it.
    fn named(self, _name: AnyActivation) -> Option<Self> {
        None
    }

    /// `phi(z)` and `phi'(z)` in one call, with the bits of the two separate calls.
    #[inline(always)]
    fn value_and_derivative(&self, z: &T) -> (T, T) {
        (self.value(z), self.derivative(z))
    }

    /// `z <- phi(z)`, elementwise. A z that is not finite gives NaN, because a saturating function would hide the overflow.
    fn apply(&self, backend: impl Backend<T>, z: &mut [T]) {
        backend.vectorize(
            #[inline(always)]
            // otherwise a large body is compiled without the instruction set of `vectorize`
            || {
                for z in z.iter_mut() {
                    *z = if z.is_finite() { self.value(z) } else { undefined(z) };
                }
            },
        );
    }

    /// `z <- phi(z)` and `slope <- phi'(z)`, elementwise; both NaN for a z that is not finite.
    fn apply_with_slope(&self, backend: impl Backend<T>, z: &mut [T], slope: &mut [T]) {
        backend.vectorize(
            #[inline(always)]
            || {
                for (z, slope) in z.iter_mut().zip(slope.iter_mut()) {
                    let both = self.value_and_derivative(z);
                    (*z, *slope) = if z.is_finite() { both } else { (undefined(z), undefined(z)) };
                }
            },
        );
    }
}

/// How much an activation amplifies errors of its argument, and how accurate its computed value and derivative are.
///
/// **Units** `value_error` and `slope_error` count unit roundoffs u of the scalar, 2^-24 or 2^-53. The numbers are those
/// of `f64`, which are larger than those of `f32`.
///
/// **Source** derived here, from the error bounds of [`crate::elementary`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sensitivity {
    /// An upper bound of `|phi'(z)|` over the range.
    pub slope: f64,
    /// An upper bound of `|phi''(z)|` over the range, except at a kink.
    pub bend: f64,
    /// `|computed phi(z) - phi(z)| <= value_error u |computed phi(z)|`, unless the value underflows.
    pub value_error: f64,
    /// `|computed phi'(z) - phi'(z)| <= slope_error u`.
    pub slope_error: f64,
    /// Whether the slope jumps by at most one at `z = 0` and is 0 for `z <= 0`, as that of ReLU.
    pub kink: bool,
}

/// An activation with known error bounds, which the error analysis of a network needs.
pub trait Bounded {
    /// The bounds for `|z| <= range`.
    fn sensitivity(&self, range: f64) -> Sensitivity;
}

/// An activation chosen at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnyActivation {
    /// [`Linear`].
    Linear,
    /// [`Relu`].
    Relu,
    /// [`Quadratic`].
    Quadratic,
    /// [`Tanh`].
    Tanh,
    /// [`Sigmoid`].
    Sigmoid,
    /// [`Softplus`].
    Softplus,
    /// [`Silu`].
    Silu,
    /// [`Gelu`].
    Gelu,
}

impl AnyActivation {
    /// All activations.
    pub const ALL: &'static [Self] = &[
        Self::Linear,
        Self::Relu,
        Self::Quadratic,
        Self::Tanh,
        Self::Sigmoid,
        Self::Softplus,
        Self::Silu,
        Self::Gelu,
    ];

    /// The name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Relu => "relu",
            Self::Quadratic => "quadratic",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Softplus => "softplus",
            Self::Silu => "silu",
            Self::Gelu => "gelu",
        }
    }

    /// The activation with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|activation| activation.name() == name)
    }
}

macro_rules! dispatch {
    ($self:ident, $activation:ident => $body:expr) => {
        match $self {
            AnyActivation::Linear => {
                let $activation = Linear;
                $body
            }
            AnyActivation::Relu => {
                let $activation = Relu;
                $body
            }
            AnyActivation::Quadratic => {
                let $activation = Quadratic;
                $body
            }
            AnyActivation::Tanh => {
                let $activation = Tanh;
                $body
            }
            AnyActivation::Sigmoid => {
                let $activation = Sigmoid;
                $body
            }
            AnyActivation::Softplus => {
                let $activation = Softplus;
                $body
            }
            AnyActivation::Silu => {
                let $activation = Silu;
                $body
            }
            AnyActivation::Gelu => {
                let $activation = Gelu;
                $body
            }
        }
    };
}

impl<T: Transcendental> Activation<T> for AnyActivation {
    fn named(self, name: Self) -> Option<Self> {
        Some(name)
    }
    fn value(&self, z: &T) -> T {
        dispatch!(self, phi => phi.value(z))
    }
    fn derivative(&self, z: &T) -> T {
        dispatch!(self, phi => phi.derivative(z))
    }
    fn second_derivative(&self, z: &T) -> T {
        dispatch!(self, phi => phi.second_derivative(z))
    }
    fn apply(&self, backend: impl Backend<T>, z: &mut [T]) {
        dispatch!(self, phi => phi.apply(backend, z));
    }
    fn apply_with_slope(&self, backend: impl Backend<T>, z: &mut [T], slope: &mut [T]) {
        dispatch!(self, phi => phi.apply_with_slope(backend, z, slope));
    }
}

impl Bounded for AnyActivation {
    fn sensitivity(&self, range: f64) -> Sensitivity {
        dispatch!(self, phi => phi.sensitivity(range))
    }
}
