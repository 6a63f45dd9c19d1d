//! The forward pass: errors of pre-activations, slopes and activations, and units of uncertain slope.

use super::norms::LayerNorms;
use super::{LayerError, Norms, largest, norm, underflow};
use crate::activation::{Activation, Bounded};
use crate::ieee::{Upper, gamma};
use crate::kernel::Backend;
use crate::matrix::{MatRef, rows};
use crate::network::passes::Visitor;
use crate::reduce::SAMPLE_BLOCK;
use crate::scalar::Real;

/// The state of one sample between two layers.
#[derive(Clone, Copy, Default)]
struct Sample {
    /// `|dx|` of the inputs of the next layer, without the rounding of the activation.
    error: Upper,
    /// Whether a unit of an earlier layer has an uncertain slope.
    uncertain: bool,
}

/// Visitor of a forward pass over at most a block of samples.
pub(super) struct Forward<'v, 'a, 'n, T, A, B> {
    pub(super) backend: B,
    pub(super) norms: &'v Norms<'a, 'n, T, A>,
    pub(super) found: &'v mut [LayerError],
    /// Flags of uncertain units, (samples x units), one hidden layer after another. Empty if only their number is needed.
    pub(super) flags: &'v mut [bool],
    samples: [Sample; SAMPLE_BLOCK],
}

impl<'v, 'a, 'n, T: Real, A: Activation<T> + Bounded, B: Backend<T>> Forward<'v, 'a, 'n, T, A, B> {
    pub(super) fn new(
        backend: B,
        norms: &'v Norms<'a, 'n, T, A>,
        found: &'v mut [LayerError],
        flags: &'v mut [bool],
    ) -> Self {
        Self { backend, norms, found, flags, samples: [Sample::default(); SAMPLE_BLOCK] }
    }

    /// Index of the first flag of a hidden layer.
    pub(super) fn first_flag(&self, layer: usize) -> usize {
        self.norms.network.shape().spans().take(layer).map(|span| span.outputs * SAMPLE_BLOCK).sum()
    }

    /// Counts the uncertain units of one sample: those with `-m_i < h_i <= m_i`, `m_i = rows_i reach + offsets_i`, except
    /// units whose products are all exactly zero.
    fn uncertain(
        &mut self,
        layer: usize,
        index: usize,
        (x, h): (&[T], &[T]),
        norms: LayerNorms<'_>,
        reach: f64,
    ) -> u64 {
        let doubt = |h: &T, row: &f64, offset: &f64| {
            let (h, margin) = (h.to_f64(), row * reach + offset);
            !(h > margin || h <= -margin)
        };
        let margins = || norms.rows.iter().zip(norms.offsets);
        let count = self.backend.vectorize(
            #[inline(always)]
            || h.iter().zip(margins()).map(|(h, (r, o))| u64::from(doubt(h, r, o))).sum::<u64>(),
        );
        if count == 0 {
            return 0;
        }
        let first = self.first_flag(layer) + index * h.len();
        // A zero is exact only if it was not rounded, and if no unit of an earlier layer is uncertain.
        let exact_weights = self.norms.read.weights == 0.0;
        let exact_inputs =
            self.norms.read.inputs == 0.0 && !self.samples.get(index).is_some_and(|sample| sample.uncertain);
        let network = self.norms.network;
        let bias = network.bias(layer).ok().flatten().unwrap_or_default(); // empty without biases
        let mut count = 0;
        for (i, (h, (r, o))) in h.iter().zip(margins()).enumerate() {
            let no_products = || {
                let w = network.weights(layer).ok().and_then(|w| w.row_slice(i));
                debug_assert!(w.is_some(), "a layer or unit is missing");
                let w = w.unwrap_or_default();
                let zero = |x: &T| *x == T::zero();
                bias.get(i).is_none_or(zero)
                    && w.iter().zip(x).all(|(w, x)| zero(w) || exact_inputs && zero(x))
            };
            if doubt(h, r, o) && !(exact_weights && no_products()) {
                count += 1;
                if let Some(flag) = self.flags.get_mut(first + i) {
                    *flag = true;
                }
            }
        }
        count
    }
}

impl<T: Real, A: Activation<T> + Bounded, B: Backend<T>> Visitor<T> for Forward<'_, '_, '_, T, A, B> {
    const FORWARD: bool = true;

    fn forward(&mut self, layer: usize, inputs: MatRef<'_, T>, h: &[T]) {
        let norms = self.norms.layer(layer);
        let (d, k) = (inputs.columns(), norms.rows.len());
        let activation = self.norms.network.activation();
        let u = Upper(T::UNIT_ROUNDOFF);
        let spread = gamma(d + 1, T::UNIT_ROUNDOFF) + Upper(self.norms.read.weights);
        for (index, h) in rows(h, k).enumerate() {
            let (x, before) = (inputs.row_slice(index), self.samples.get(index));
            debug_assert!(x.is_some() && before.is_some(), "a sample is missing or strided");
            let (x, before) = (x.unwrap_or_default(), before.copied().unwrap_or_default());
            let size = norm(self.backend, x);
            let error = if layer == 0 {
                Upper(self.norms.read.inputs) * size
            } else {
                let value_error = Upper(activation.sensitivity(0.0).value_error) * u;
                before.error + value_error * size + underflow::<T>()
            };
            let rounding = spread * size;
            let h_error = norms.frobenius * rounding + norms.spectral * error + norms.offset;
            let reach = (rounding + error) * Upper(1.0 + 4.0 * f64::EPSILON);
            let worst = norms.row * reach + norms.largest_offset;
            let worst = if worst.0 < h_error.0 { worst } else { h_error };
            let largest = self.backend.vectorize(
                #[inline(always)]
                || largest(h),
            );
            let range = Upper(largest) + worst;
            let sensitivity = activation.sensitivity(range.0);
            let slope_error = Upper(sensitivity.bend) * worst + Upper(sensitivity.slope_error) * u;
            let uncertain =
                if sensitivity.kink { self.uncertain(layer, index, (x, h), norms, reach.0) } else { 0 };
            if let Some(found) = self.found.get_mut(layer) {
                found.slope = found.slope.or(Upper(sensitivity.slope));
                found.slope_error = found.slope_error.or(slope_error);
                found.uncertain = found.uncertain.saturating_add(uncertain);
            }
            if let Some(sample) = self.samples.get_mut(index) {
                sample.error = Upper(sensitivity.slope) * h_error;
                sample.uncertain |= uncertain > 0;
            }
        }
    }
}
