//! Forward and backward over one chunk of samples.

use super::layer::Follow;
use super::place::LayerSpan;
use super::{Network, maps};
use crate::activation::Activation;
use crate::error::Error;
use crate::kernel::{self, Backend, Init};
use crate::loss::Loss;
use crate::matrix::{MatMut, MatRef, copy, cut, cut_mut, rows, rows_mut, take};
use crate::scalar::Scalar;

/// What a forward pass over m samples leaves behind.
pub(super) struct Trace<'w, T> {
    /// What the layers put out, `x_1 | x_2 | ... | f`, each (m x values of its map) row-major.
    pub(super) activations: &'w mut [T],
    /// `phi'(h)` of the layers that an activation follows, each (m x values of its map).
    slopes: &'w mut [T],
    /// Room for the patches of one sample.
    patches: &'w mut [T],
    /// What is left of the workspace.
    rest: &'w mut [T],
}

/// What looks on while a chunk of m samples passes through, layer by layer. By itself it does nothing.
pub(crate) trait Visitor<T> {
    /// Whether it looks at the forward pass; if not, that pass has no code of its own.
    const FORWARD: bool = false;
    /// Pre-activations h (m x k) of a layer with weights, before the activation takes their place, and the layer's inputs; of
    /// a convolution one sample, `first`, with its patches (P x d) and h (k x P).
    fn forward(&mut self, _layer: usize, _first: usize, _inputs: MatRef<'_, T>, _h: &[T]) {}
    /// What comes back from above ((m c) x k P), before the slopes (m x k P; none where no activation follows) make the
    /// Jacobians of hidden layer `layer` of it.
    fn backward(&mut self, _layer: usize, _product: &[T], _slopes: &[T]) {}
    /// The Jacobians ((m c) x k P) of a hidden layer, from the last to the first; a row is a map (k x P).
    ///
    /// **Errors** end the pass.
    fn jacobian(&mut self, _layer: usize, _jacobian: MatRef<'_, T>) -> Result<(), Error> {
        Ok(())
    }
}

/// Looks at nothing.
pub(super) struct Blind;

impl<T> Visitor<T> for Blind {}

impl<'a, T: Scalar, A: Activation<T>, const MAPS: bool> Network<'a, T, A, MAPS> {
    /// Forward pass over the rows of x, keeping activations and slopes.
    pub(super) fn trace<'w, B: Backend<T>, V: Visitor<T>>(
        &self,
        backend: B,
        x: MatRef<'_, T>,
        workspace: &'w mut [T],
        visitor: &mut V,
    ) -> Result<Trace<'w, T>, Error> {
        let m = x.rows();
        let (values, sloped) = self.shape.kept();
        let (patches, workspace) = split_start(workspace, self.shape.patch_values());
        let (activations, rest) = split_start(workspace, m * values);
        let (slopes, rest) = split_start(rest, m * sloped);
        let (mut later, mut later_slopes) = (&mut *activations, &mut *slopes);
        let mut previous = x;
        for at in 0..self.shape.count() {
            let Some(place) = self.shape.place_at(at) else { break };
            let size = place.output.values();
            let (z, after) = split_start(later, m * size);
            // A view that is used again is copied: 72 bytes of flash on a Cortex-M4F.
            let inputs = if V::FORWARD { previous } else { x };
            if MAPS && !place.whole() {
                let seen = V::FORWARD && place.layer < self.shape.hidden_layers();
                maps::forward(
                    backend,
                    &place,
                    self.parameters,
                    previous,
                    z,
                    patches,
                    |sample, patches, h| {
                        if seen {
                            visitor.forward(place.layer, sample, patches, h);
                        }
                    },
                )?;
            } else {
                let weights = super::weights(self.parameters, place.span)?.t();
                let init = super::bias(self.parameters, place.span).map_or(Init::Zero, Init::Row);
                kernel::chains(backend, MatMut::new(z, m, size)?, previous, weights, init)?;
                if V::FORWARD && place.layer < self.shape.hidden_layers() {
                    visitor.forward(place.layer, 0, inputs, z);
                }
            }
            if place.followed() {
                let (slope, after_slope) = split_start(later_slopes, m * size);
                self.following(place.follow).apply_with_slope(backend, z, slope);
                later_slopes = after_slope;
            }
            previous = MatRef::new(z, m, size)?;
            later = after;
        }
        Ok(Trace { activations, slopes, patches, rest })
    }

    /// Forward and backward over one chunk inside a block. `delta_l` takes the place of `x_{l+1}` once that is used up.
    pub(super) fn add_chunk<B: Backend<T>>(
        &self,
        backend: B,
        loss: impl Loss<T>,
        x: MatRef<'_, T>,
        y: MatRef<'_, T>,
        (sum, init): (&mut [T], Init<'_, T>),
        workspace: &mut [T],
    ) -> Result<(), Error> {
        let (m, c) = (x.rows(), self.shape.outputs());
        let Trace { activations, mut slopes, patches, .. } = self.trace(backend, x, workspace, &mut Blind)?;
        let (gradient, value) = split_end(sum, 1);
        let (mut earlier, mut delta) = split_end(activations, m * c);
        if let Some(value) = value.first_mut() {
            if let Init::Zero = init {
                *value = T::zero();
            }
            *value = loss.residuals(backend, delta, y, value.clone());
        }
        for at in (0..self.shape.count()).rev() {
            let Some(place) = self.shape.place_at(at) else { break };
            let (span, size) = (place.span, place.input.values());
            let (weights, bias) = split_start(cut_mut(gradient, span.range()), span.weights());
            if span.bias {
                if let Init::Zero = init {
                    bias.fill(T::zero());
                }
                if MAPS && !place.whole() {
                    maps::add_bias(&place, bias, delta);
                } else {
                    kernel::add_rows(backend, bias, delta);
                }
            }
            let (before, current) = split_end(earlier, if place.at == 0 { 0 } else { m * size });
            let inputs = if place.at == 0 { x } else { MatRef::new(&*current, m, size)? };
            if MAPS && !place.whole() {
                maps::add_weights(backend, &place, (weights, init), delta, inputs, patches)?;
            } else {
                let (weights, delta) =
                    (MatMut::new(weights, span.outputs, span.inputs)?, MatRef::new(delta, m, span.outputs)?);
                kernel::chains(backend, weights, delta.t(), inputs, init)?;
            }
            if place.at == 0 {
                return Ok(());
            }
            if MAPS && place.layer == 0 {
                return Ok(()); // Nothing below has parameters.
            }
            if MAPS && !place.whole() {
                maps::pull_back(backend, &place, self.parameters, delta, current, patches)?;
            } else {
                self.pull_back(backend, span, (m, delta), current)?;
            }
            if !MAPS || place.masked() {
                let (before_slopes, slope) = split_end(slopes, m * size);
                kernel::mask_assign(backend, current, slope, size, 1);
                slopes = before_slopes;
            }
            (earlier, delta) = (before, current);
        }
        Ok(())
    }

    /// Forward and backward over one chunk of samples, for the Jacobians of each hidden layer.
    pub(crate) fn each_jacobian<B: Backend<T>, V: Visitor<T>>(
        &self,
        backend: B,
        x: MatRef<'_, T>,
        workspace: &mut [T],
        visitor: &mut V,
    ) -> Result<(), Error> {
        let (m, c) = (x.rows(), self.shape.outputs());
        let Trace { mut activations, mut slopes, patches, rest } = if V::FORWARD {
            self.trace(backend, x, workspace, visitor)?
        } else {
            self.trace(backend, x, workspace, &mut Blind)?
        };
        let (mut current, mut next) = take(rest, rest.len() / 2);
        for at in (0..self.shape.count()).rev() {
            let Some(place) = self.shape.place_at(at) else { break };
            if place.at == 0 {
                break;
            }
            let (size, above) = (place.input.values(), place.output.values());
            let jacobian = cut_mut(next, ..m * c * size);
            if MAPS {
                activations = split_end(activations, m * above).0;
            }
            let last = place.at + 1 == self.shape.count();
            if last && place.whole() {
                let readout = cut(self.parameters, place.span.weights_range());
                rows_mut(jacobian, readout.len()).for_each(|rows| copy(rows, readout));
            } else {
                let above = cut_mut(current, ..m * c * above);
                if MAPS && last {
                    maps::identities(above, c);
                }
                if MAPS && !place.whole() {
                    // Pooling looks at its inputs, which stand where the Jacobian will.
                    let (_, inputs) = split_end(&mut *activations, m * size);
                    for (rows, x) in rows_mut(jacobian, c * size).zip(rows(inputs, size)) {
                        rows_mut(rows, size).for_each(|row| copy(row, x));
                    }
                    maps::pull_back(backend, &place, self.parameters, above, jacobian, patches)?;
                } else {
                    self.pull_back(backend, place.span, (m * c, above), jacobian)?;
                }
            }
            let slope = if !MAPS || place.masked() {
                let (before, slope) = split_end(slopes, m * size);
                slopes = before;
                slope
            } else {
                &mut []
            };
            let hidden = |layer: &usize| *layer < self.shape.hidden_layers();
            let below = if MAPS { place.below().filter(hidden) } else { place.at.checked_sub(1) };
            if let Some(layer) = below {
                visitor.backward(layer, jacobian, slope);
            }
            if !MAPS || place.masked() {
                kernel::mask_assign(backend, jacobian, slope, size, c);
            }
            if let Some(layer) = below {
                visitor.jacobian(layer, MatRef::new(jacobian, m * c, size)?)?;
                if MAPS && layer == 0 {
                    return Ok(());
                }
            }
            (current, next) = (next, current);
        }
        Ok(())
    }

    /// A forward pass over one chunk of samples that leaves nothing but what the visitor saw.
    pub(crate) fn each_layer<B: Backend<T>>(
        &self,
        backend: B,
        x: MatRef<'_, T>,
        workspace: &mut [T],
        visitor: &mut impl Visitor<T>,
    ) -> Result<(), Error> {
        self.trace(backend, x, workspace, visitor).map(|_| ())
    }

    /// The activation that follows a layer, if one does.
    pub(crate) fn following(&self, follow: Follow) -> A {
        match follow {
            Follow::Named(name) if MAPS => self.activation.named(name).unwrap_or(self.activation),
            _ => self.activation,
        }
    }

    /// What the rows of delta (m x k) send back to the inputs of a layer, into `to` (m x d): `delta W`.
    fn pull_back<B: Backend<T>>(
        &self,
        backend: B,
        span: LayerSpan,
        (m, delta): (usize, &[T]),
        to: &mut [T],
    ) -> Result<(), Error> {
        let delta = MatRef::new(delta, m, span.outputs)?;
        let weights = super::weights(self.parameters, span)?;
        kernel::product(backend, MatMut::new(to, m, span.inputs)?, delta, weights)
    }
}

/// The first `count` values and the others; all and none when there are fewer.
fn split_start<T>(slice: &mut [T], count: usize) -> (&mut [T], &mut [T]) {
    let count = if count < slice.len() { count } else { slice.len() };
    take(slice, count)
}

/// All but the last `count` values, and those.
pub(super) fn split_end<T>(slice: &mut [T], count: usize) -> (&mut [T], &mut [T]) {
    let middle = slice.len().saturating_sub(count);
    take(slice, middle)
}
