//! The backward pass: errors of the Jacobians, sample by sample.

use super::forward::Forward;
use super::{norm, root, underflow};
use crate::activation::{Activation, Bounded};
use crate::error::Error;
use crate::ieee::Upper;
use crate::kernel::Backend;
use crate::matrix::{MatRef, cut, rows};
use crate::network::Visitor;
use crate::reduce::SAMPLE_BLOCK;
use crate::scalar::Real;

/// The Jacobian J of one sample, in the layer that was visited last.
#[derive(Clone, Copy, Default)]
struct Sample {
    /// `|J|`.
    size: Upper,
    /// `|dJ|`. Between `backward` and `jacobian` it lacks the rounding of the product `P o phi'(h)`.
    error: Upper,
}

/// Visitor of a forward pass and of the Jacobians after it.
pub(super) struct Backward<'v, 'a, 'n, T, A, B, const MAPS: bool> {
    forward: Forward<'v, 'a, 'n, T, A, B, MAPS>,
    samples: [Sample; SAMPLE_BLOCK],
}

impl<'v, 'a, 'n, T: Real, A: Activation<T> + Bounded, B: Backend<T>, const MAPS: bool>
    Backward<'v, 'a, 'n, T, A, B, MAPS>
{
    pub(super) fn new(forward: Forward<'v, 'a, 'n, T, A, B, MAPS>) -> Self {
        Self { forward, samples: [Sample::default(); SAMPLE_BLOCK] }
    }

    /// Outputs of the network.
    fn outputs(&self) -> usize {
        self.forward.norms.network.shape().outputs()
    }
}

impl<T: Real, A: Activation<T> + Bounded, B: Backend<T>, const MAPS: bool> Visitor<T>
    for Backward<'_, '_, '_, T, A, B, MAPS>
{
    const FORWARD: bool = true;

    fn forward(&mut self, layer: usize, first: usize, inputs: MatRef<'_, T>, h: &[T]) {
        self.forward.forward(layer, first, inputs, h);
    }

    fn backward(&mut self, layer: usize, product: &[T], _: &[T]) {
        let (norms, c) = (self.forward.norms, self.outputs());
        let k = self.forward.width(layer);
        let Some(found) = self.forward.found.get(layer).copied() else { return };
        let flags = cut(self.forward.flags, self.forward.first_flag(layer)..);
        let samples = rows(product, c * k).zip(rows(flags, k)).zip(&mut self.samples);
        for ((product, flags), sample) in samples {
            let (_, error) = norms.pulled_back(layer, sample.size, sample.error);
            let size = norm(self.forward.backend, product);
            sample.error = found.slope * error + found.slope_error * size;
            if found.uncertain > 0 && flags.contains(&true) {
                let flagged = rows(product, k).flat_map(|row| row.iter().zip(flags));
                let square = flagged.fold(
                    0.0,
                    |sum, (p, flag)| {
                        if *flag { sum + p.to_f64() * p.to_f64() } else { sum }
                    },
                );
                sample.error = sample.error + root(square, product.len());
            }
        }
    }

    fn jacobian(&mut self, layer: usize, jacobian: MatRef<'_, T>) -> Result<(), Error> {
        let values = jacobian.as_slice();
        debug_assert!(values.is_some(), "the Jacobians are contiguous");
        let values = values.unwrap_or_default();
        let width = self.outputs() * jacobian.columns();
        for (jacobian, sample) in rows(values, width).zip(&mut self.samples) {
            sample.size = norm(self.forward.backend, jacobian);
            sample.error = sample.error + Upper(T::UNIT_ROUNDOFF) * sample.size + underflow::<T>();
            if let Some(found) = self.forward.found.get_mut(layer) {
                let moved = Upper(2.0) * sample.size * sample.error + sample.error * sample.error;
                found.moved = found.moved + moved;
            }
        }
        Ok(())
    }
}
