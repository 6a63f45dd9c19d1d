//! The forward pass: errors of pre-activations, slopes and activations, and units of uncertain slope.

use super::norms::LayerNorms;
use super::{LayerError, Norms, largest, norm, underflow};
use crate::activation::{Activation, Bounded};
use crate::ieee::{Upper, gamma};
use crate::kernel::{Backend, positive};
use crate::matrix::{MatRef, rows};
use crate::network::Visitor;
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
pub(super) struct Forward<'v, 'a, 'n, T, A, B, const MAPS: bool> {
    pub(super) backend: B,
    pub(super) norms: &'v Norms<'a, 'n, T, A, MAPS>,
    pub(super) found: &'v mut [LayerError],
    /// Flags of uncertain units, (samples x units), one hidden layer after another. Empty if only their number is needed.
    pub(super) flags: &'v mut [bool],
    samples: [Sample; SAMPLE_BLOCK],
}

impl<'v, 'a, 'n, T: Real, A: Activation<T> + Bounded, B: Backend<T>, const MAPS: bool>
    Forward<'v, 'a, 'n, T, A, B, MAPS>
{
    pub(super) fn new(
        backend: B,
        norms: &'v Norms<'a, 'n, T, A, MAPS>,
        found: &'v mut [LayerError],
        flags: &'v mut [bool],
    ) -> Self {
        Self { backend, norms, found, flags, samples: [Sample::default(); SAMPLE_BLOCK] }
    }

    /// Index of the first flag of a hidden layer.
    pub(super) fn first_flag(&self, layer: usize) -> usize {
        self.norms.units(layer) * SAMPLE_BLOCK
    }

    /// Pre-activations of one sample in a hidden layer: units, times positions.
    pub(super) fn width(&self, layer: usize) -> usize {
        self.norms.place(layer).map_or(0, |place| place.output.values())
    }

    /// Counts the uncertain units of one sample, x (P x d) its patches and h (k x P): those with `-m_i < h_ip <= m_i`,
    /// `m_i = rows_i reach + offsets_i`, except units whose products are all exactly zero.
    fn uncertain(
        &mut self,
        layer: usize,
        index: usize,
        (x, h): (MatRef<'_, T>, &[T]),
        norms: LayerNorms<'_>,
        reach: f64,
    ) -> u64 {
        let doubt = |h: &T, row: &f64, offset: &f64| {
            let (h, margin) = (h.to_f64(), row * reach + offset);
            !(h > margin || h <= -margin)
        };
        let (margins, positions) = (|| norms.rows.iter().zip(norms.offsets), x.rows());
        let count = self.backend.vectorize(
            #[inline(always)]
            || match positions {
                1 => h.iter().zip(margins()).map(|(h, (r, o))| u64::from(doubt(h, r, o))).sum::<u64>(),
                _ => {
                    let doubts =
                        |(h, (r, o)): (&[T], _)| h.iter().map(|h| u64::from(doubt(h, r, o))).sum::<u64>();
                    rows(h, positions).zip(margins()).map(doubts).sum()
                }
            },
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
        for (unit, h) in h.iter().enumerate() {
            let (i, p) = (unit / positive(positions), unit % positive(positions));
            let (Some(r), Some(o)) = (norms.rows.get(i), norms.offsets.get(i)) else { continue };
            let no_products = || {
                let w = network.weights(layer).ok().and_then(|w| w.row_slice(i));
                debug_assert!(w.is_some(), "a layer or unit is missing");
                let w = w.unwrap_or_default();
                let zero = |x: &T| *x == T::zero();
                bias.get(i).is_none_or(zero)
                    && w.iter().zip(x.row(p)).all(|(w, x)| zero(w) || exact_inputs && zero(x))
            };
            if doubt(h, r, o) && !(exact_weights && no_products()) {
                count += 1;
                if let Some(flag) = self.flags.get_mut(first + unit) {
                    *flag = true;
                }
            }
        }
        count
    }
}

impl<T: Real, A: Activation<T> + Bounded, B: Backend<T>, const MAPS: bool> Visitor<T>
    for Forward<'_, '_, '_, T, A, B, MAPS>
{
    const FORWARD: bool = true;

    fn forward(&mut self, layer: usize, first: usize, inputs: MatRef<'_, T>, h: &[T]) {
        let Some(place) = self.norms.place(layer) else { return };
        let (norms, d, positions) = (self.norms.layer(layer), inputs.columns(), place.output.positions());
        let (overlap, root_positions) = (self.norms.overlap(&place), Upper(positions as f64).sqrt());
        let u = Upper(T::UNIT_ROUNDOFF);
        let spread = gamma(d + 1, T::UNIT_ROUNDOFF) + Upper(self.norms.read.weights);
        for (row, h) in rows(h, place.output.values()).enumerate() {
            let (index, x) = (first + row, inputs.row_range(row * positions, positions));
            let (values, before) = (x.as_slice().or(x.t().as_slice()), self.samples.get(index));
            debug_assert!(values.is_some() && before.is_some(), "a sample is missing or strided");
            let (values, before) = (values.unwrap_or_default(), before.copied().unwrap_or_default());
            let size = norm(self.backend, values);
            let error = if layer == 0 {
                Upper(self.norms.read.inputs) * size
            } else {
                let value_error = Upper(self.norms.sensitivity(place.follow_before(), 0.0).value_error) * u;
                overlap * before.error + value_error * size + underflow::<T>()
            };
            let rounding = spread * size;
            let h_error = norms.frobenius * rounding + norms.spectral * error + norms.offset * root_positions;
            let reach = (rounding + error) * Upper(1.0 + 4.0 * f64::EPSILON);
            let worst = norms.row * reach + norms.largest_offset;
            let worst = if worst.0 < h_error.0 { worst } else { h_error };
            let largest = self.backend.vectorize(
                #[inline(always)]
                || largest(h),
            );
            let range = Upper(largest) + worst;
            let sensitivity = self.norms.sensitivity(place.follow, range.0);
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
