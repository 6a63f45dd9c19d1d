//! Networks on borrowed parameters: forward pass, gradient, output Jacobians.
//!
//! ```text
//! fully connected   h_l = W_l x_l (+ b_l),   x_{l+1} = phi(h_l),   x_0 = x,   f = W_L x_L (+ b_L)
//! convolution       h_p = W u_p (+ b),   u_p the patch of d = c r s values at position p of P
//! ```
//! A fully connected layer is a convolution with one position, whose patch is its input. The products, the order of their
//! chains and the sums over samples are the same. The gradient of W is `sum_a sum_p delta_ap u_ap^T`, and the PTK features
//! are `K = (1/n) sum_a sum_p J_ap^T J_ap` (k x k): each pre-activation `h_ap` is a variable of its own.
//!
//! A [`Network`] is a view: a [`Shape`], an activation and one flat parameter slice. Const-sized networks
//! ([`crate::network!`]) and run-time sized ones lend the same view. [`Shape::of_maps`] makes one of [`Layer`]s.
//!
//! **Source** of the definitions for convolutions: Beaglehole, Radhakrishnan, Pandit, Belkin, *Mechanism of feature learning
//! in convolutional neural networks*, arXiv 2309.00570, with the sum over positions.

mod chunk;
mod fixed;
mod initialize;
mod layer;
mod maps;
mod moments;
mod passes;
mod patches;
mod place;
pub(crate) mod shape;

pub(crate) use chunk::Visitor;
pub use initialize::Initializer;
pub use layer::{Follow, Layer, Map, Transform, Window};
pub use place::LayerSpan;
pub(crate) use place::Place;
pub use shape::{Shape, gradient_sum, gradient_workspace, jacobian_workspace, parameters, ptk_values};

use crate::activation::Activation;
use crate::error::{Error, check_length};
use crate::kernel::{self, Backend, Definition};
use crate::matrix::MatRef;
use crate::scalar::Scalar;

/// A network: shape, activation, parameters.
///
/// **Overflow** Inputs and parameters are finite, but a sum inside can overflow. The activation and the slope of such a
/// pre-activation are NaN ([`Activation::apply_with_slope`]), whatever the function would make of it, so that all that is
/// computed from that sample is seen not to be finite: outputs, loss, gradient, features.
#[derive(Clone, Copy, Debug)]
pub struct Network<'a, T, A, const MAPS: bool = false> {
    shape: Shape<'a, MAPS>,
    activation: A,
    parameters: &'a [T],
}

impl<'a, T: Scalar, A: Activation<T>, const MAPS: bool> Network<'a, T, A, MAPS> {
    /// Views flat parameters as a network.
    ///
    /// **Shapes** `parameters` holds [`Shape::parameters`] values: `W_0` row-major (outputs x inputs), `b_0`, `W_1`, ...
    /// **Errors** [`Error::Length`]; [`Error::NotFinite`] with the index of the first parameter that is not finite;
    /// [`Error::Architecture`] where a layer names an activation ([`Follow::Named`]) that A cannot be.
    pub fn new(shape: Shape<'a, MAPS>, activation: A, parameters: &'a [T]) -> Result<Self, Error> {
        Self::new_on(Definition, shape, activation, parameters)
    }

    /// [`Network::new`] with the parameters checked on a backend: for whoever makes a view at each step of a training.
    ///
    /// **Errors** those of [`Network::new`].
    pub fn new_on(
        backend: impl Backend<T>,
        shape: Shape<'a, MAPS>,
        activation: A,
        parameters: &'a [T],
    ) -> Result<Self, Error> {
        check_length("parameters", shape.parameters(), parameters.len())?;
        if MAPS {
            for place in shape.places() {
                if let Follow::Named(name) = place.follow
                    && activation.named(name).is_none()
                {
                    let reason = "a layer names its activation, and the network's is of another type";
                    return Err(Error::Architecture { reason, at: place.at });
                }
            }
        }
        kernel::check_finite(backend, MatRef::new(parameters, 1, parameters.len())?, "parameters")?;
        Ok(Self { shape, activation, parameters })
    }

    /// The shape.
    pub fn shape(&self) -> Shape<'a, MAPS> {
        self.shape
    }

    /// The activation.
    pub fn activation(&self) -> A {
        self.activation
    }

    /// The flat parameters.
    pub fn parameters(&self) -> &'a [T] {
        self.parameters
    }

    /// The weights of a layer, (outputs x inputs).
    ///
    /// **Errors** [`Error::Layer`] when there is no such layer.
    pub fn weights(&self, layer: usize) -> Result<MatRef<'a, T>, Error> {
        weights(self.parameters, self.shape.layer(layer)?)
    }

    /// The bias of a layer, or `None` where the network has none.
    ///
    /// **Errors** [`Error::Layer`] when there is no such layer.
    pub fn bias(&self, layer: usize) -> Result<Option<&'a [T]>, Error> {
        Ok(bias(self.parameters, self.shape.layer(layer)?))
    }
}

/// The bias of a layer in flat parameters, where it has one.
fn bias<T>(parameters: &[T], span: LayerSpan) -> Option<&[T]> {
    if span.bias { parameters.get(span.bias_range()) } else { None }
}

/// The weights of a layer in a flat slice of parameters, or of anything laid out like them (a gradient, a difference).
///
/// **Errors** [`Error::Length`] when the slice is too short.
pub fn weights<T>(parameters: &[T], span: LayerSpan) -> Result<MatRef<'_, T>, Error> {
    MatRef::new(parameters.get(span.weights_range()).unwrap_or_default(), span.outputs, span.inputs)
}
