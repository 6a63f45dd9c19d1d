//! Norms of the weights, and the error bounds computed from them.

use super::{LayerError, ReadError, norm, over, root, roundings, underflow};
use crate::activation::{Activation, Bounded, Linear, Sensitivity};
use crate::error::{Error, check_at_least_zero, check_length, check_workspace};
use crate::feature::ptk_of_layer;
use crate::ieee::{Upper, gamma};
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, cut, cut_mut, take};
use crate::network::{Follow, LayerSpan, Network, Place, Shape};
use crate::scalar::Real;

/// Values of a layer in addition to those of its units.
const SCALARS: usize = 5;

/// Number of values of [`Norms::new`]: for each layer two for every unit, and five.
pub const fn norms_length<const MAPS: bool>(shape: Shape<'_, MAPS>) -> usize {
    let (mut layer, mut total) = (0, 0_usize);
    while let Ok(span) = shape.layer(layer) {
        total = total.saturating_add(span.outputs.saturating_mul(2).saturating_add(SCALARS));
        layer += 1;
    }
    total
}

/// Values of workspace of [`Norms::new`]: those of a layer's weights, and of their smaller Gram matrix.
pub const fn norms_workspace<const MAPS: bool>(shape: Shape<'_, MAPS>) -> usize {
    let (mut layer, mut max) = (0, 0);
    while let Ok(LayerSpan { inputs, outputs, .. }) = shape.layer(layer) {
        let side = if inputs < outputs { inputs } else { outputs };
        let size = inputs.saturating_mul(outputs).saturating_add(side.saturating_mul(side));
        max = if size > max { size } else { max };
        layer += 1;
    }
    max
}

/// A network and upper bounds of the norms of its layers.
#[derive(Clone, Copy, Debug)]
pub struct Norms<'a, 'n, T, A, const MAPS: bool = false> {
    pub(super) network: Network<'a, T, A, MAPS>,
    pub(super) read: ReadError,
    values: &'n [f64],
}

/// The bounds of one layer (outputs k).
#[derive(Clone, Copy, Debug)]
pub(super) struct LayerNorms<'n> {
    /// `|w_i|`, of the weights before rounding.
    pub(super) rows: &'n [f64],
    /// `(gamma_(d+1) + rho) |b_i|`, plus the bound of underflow.
    pub(super) offsets: &'n [f64],
    /// `|W|`.
    pub(super) frobenius: Upper,
    /// The spectral norm.
    pub(super) spectral: Upper,
    /// The largest of `rows`.
    pub(super) row: Upper,
    /// The norm of `offsets`.
    pub(super) offset: Upper,
    /// The largest of `offsets`.
    pub(super) largest_offset: Upper,
}

impl<'a, 'n, T: Real, A: Activation<T> + Bounded, const MAPS: bool> Norms<'a, 'n, T, A, MAPS> {
    /// Computes the norms into `values`.
    ///
    /// **Shapes** `values` as long as [`norms_length`], workspace at least [`norms_workspace`].
    /// **Arithmetic** all are upper bounds. That of the spectral norm is the root of `|W^T W|`.
    /// **Errors** [`Error::Length`], [`Error::Workspace`], [`Error::Parameter`] for a negative error of reading.
    pub fn new(
        backend: impl Backend<T> + Backend<f64>,
        network: Network<'a, T, A, MAPS>,
        read: ReadError,
        values: &'n mut [f64],
        workspace: &mut [f64],
    ) -> Result<Self, Error> {
        let shape = network.shape();
        check_at_least_zero("error of reading weights", read.weights)?;
        check_at_least_zero("error of reading inputs", read.inputs)?;
        check_length("norms", norms_length(shape), values.len())?;
        check_workspace("workspace", norms_workspace(shape), workspace.len())?;
        let mut rest = &mut *values;
        for layer in 0..shape.layers() {
            let w = network.weights(layer)?;
            let (own, after) = take(rest, 2 * w.rows() + SCALARS);
            let bias = network.bias(layer)?.unwrap_or_default(); // empty without biases
            fill(backend, w, bias, read.weights, own, workspace)?;
            rest = after;
        }
        Ok(Self { network, read, values })
    }

    /// The norms of a layer, readout included.
    pub(super) fn layer(&self, layer: usize) -> LayerNorms<'n> {
        let spans = self.network.shape().spans();
        let start: usize = spans.take(layer).map(|span| 2 * span.outputs + SCALARS).sum();
        let k = self.network.shape().layer(layer).map_or(0, |span| span.outputs);
        let own = cut(self.values, start..);
        let (rows, offsets, rest) = (cut(own, ..k), cut(own, k..2 * k), cut(own, 2 * k..));
        let scalar = |index| Upper(rest.get(index).copied().unwrap_or(f64::NAN));
        LayerNorms {
            rows,
            offsets,
            frobenius: scalar(0),
            spectral: scalar(1),
            row: scalar(2),
            offset: scalar(3),
            largest_offset: scalar(4),
        }
    }

    /// The layer with weights of that index.
    pub(super) fn place(&self, layer: usize) -> Option<Place> {
        self.network.shape().place(layer)
    }

    /// Pre-activations of one sample in the first `layers` layers with weights.
    pub(super) fn units(&self, layers: usize) -> usize {
        (0..layers).filter_map(|layer| self.place(layer)).map(|place| place.output.values()).sum()
    }

    /// The bounds of what follows a layer.
    pub(super) fn sensitivity(&self, follow: Follow, range: f64) -> Sensitivity {
        match follow {
            Follow::Nothing => Linear.sensitivity(range),
            _ => self.network.following(follow).sensitivity(range),
        }
    }

    /// The norm of the map from a layer's input to its patches, or of its transpose.
    pub(super) fn overlap(&self, place: &Place) -> Upper {
        if place.whole() { Upper(1.0) } else { Upper(place.overlap() as f64).sqrt() }
    }

    /// Bounds of `|dK|` for every hidden layer, after [`Norms::forward`] over all samples. A bound is `None` if a unit of
    /// that layer or of a later one is uncertain, or if the network pools.
    ///
    /// **Shapes** features as [`crate::feature::finish_ptk`] returns them; `bounds` and `found` one for each hidden layer.
    /// **Arithmetic** the formulas of [`crate::ptk_error`], with root mean squares over samples in the backward pass.
    /// **Errors** [`Error::Length`].
    /// **Source** derived here.
    pub fn plain(
        &self,
        found: &[LayerError],
        ptk: &[T],
        samples: u64,
        bounds: &mut [Option<f64>],
    ) -> Result<(), Error> {
        self.check_lengths(found, bounds)?;
        let u = Upper(T::UNIT_ROUNDOFF);
        let (mut above, mut above_error, mut certain) = (Upper(0.0), Upper(0.0), true);
        for (layer, (found, bound)) in found.iter().zip(bounds).enumerate().rev() {
            let (p, p_error) = self.pulled_back(layer, above, above_error);
            let trace = self.trace(ptk, layer, samples)?;
            let j = trace.sqrt();
            let j_error = found.slope * p_error + found.slope_error * p + u * j + underflow::<T>();
            certain &= found.uncertain == 0 && !self.network.shape().pools();
            let moved = Upper(2.0) * j * j_error + j_error * j_error;
            *bound = certain.then(|| (moved + self.summing(layer, samples) * trace).0);
            (above, above_error) = (j, j_error);
        }
        Ok(())
    }

    /// Bounds of `|dK|` for every hidden layer, after [`Norms::certify`] over all samples.
    ///
    /// **Shapes** as [`Norms::plain`].
    /// **Arithmetic** the formulas of [`crate::ptk_error`], for each sample.
    /// **Errors** [`Error::Length`].
    /// **Source** derived here.
    pub fn certified(
        &self,
        found: &[LayerError],
        ptk: &[T],
        samples: u64,
        bounds: &mut [Option<f64>],
    ) -> Result<(), Error> {
        self.check_lengths(found, bounds)?;
        let share = Upper((1.0 / samples as f64).next_up());
        for (layer, (found, bound)) in found.iter().zip(bounds).enumerate() {
            let trace = self.trace(ptk, layer, samples)?;
            *bound = Some((found.moved * share + self.summing(layer, samples) * trace + underflow::<T>()).0);
        }
        Ok(())
    }

    /// One error and one bound for each hidden layer.
    fn check_lengths(&self, found: &[LayerError], bounds: &[Option<f64>]) -> Result<(), Error> {
        let layers = self.network.shape().hidden_layers();
        check_length("errors of layers", layers, found.len())?;
        check_length("bounds", layers, bounds.len())
    }

    /// `|P|` and `|dP|` from `|J|` and `|dJ|` of the next layer, which is the readout for the last hidden layer.
    pub(super) fn pulled_back(&self, layer: usize, above: Upper, above_error: Upper) -> (Upper, Upper) {
        let shape = self.network.shape();
        let norms = self.layer(layer + 1);
        let rho = Upper(self.read.weights);
        let Some(place) = self.place(layer + 1) else { return (Upper(0.0), Upper(0.0)) };
        let (mut above, mut above_error) = (above, above_error);
        if layer + 1 == shape.hidden_layers() {
            if place.whole() {
                return (norms.frobenius, rho * norms.frobenius);
            }
            (above, above_error) = (Upper(shape.outputs() as f64).sqrt(), Upper(0.0));
        }
        let k = place.span.outputs;
        let rounding = norms.frobenius * gamma(k, T::UNIT_ROUNDOFF) * above;
        let error =
            rounding + norms.frobenius * rho * above + norms.spectral * above_error + underflow::<T>();
        let sent = norms.spectral * above + rounding;
        if place.whole() {
            return (sent, error);
        }
        // Each entry of the input is a sum over the windows that see it.
        let (overlap, sums) = (self.overlap(&place), gamma(place.overlap(), T::UNIT_ROUNDOFF));
        (overlap * (sent + sums * sent), overlap * (error + sums * sent))
    }

    /// `gamma_m`, the relative error of K from the sum over samples.
    fn summing(&self, layer: usize, samples: u64) -> Upper {
        let positions = self.place(layer).map_or(0, |place| place.output.positions());
        let terms = self.network.shape().outputs().saturating_mul(positions);
        gamma(roundings(samples, terms), T::UNIT_ROUNDOFF)
    }

    /// An upper bound of `(1/n) sum_a |J_a|^2`.
    fn trace(&self, ptk: &[T], layer: usize, samples: u64) -> Result<Upper, Error> {
        let k = ptk_of_layer(self.network.shape(), ptk, layer)?;
        let diagonal = (0..k.rows()).map(|i| k.get(i, i).map_or(0.0, |x| x.to_f64()));
        let trace = diagonal.fold(Upper(0.0), |sum, x| sum + Upper(x));
        Ok(trace * over(self.summing(layer, samples)) + underflow::<T>())
    }
}

/// Computes the values of one layer: rows, offsets, and the five scalars of [`LayerNorms`] in its order.
fn fill<T: Real>(
    backend: impl Backend<T> + Backend<f64>,
    w: MatRef<'_, T>,
    bias: &[T],
    rho: f64,
    to: &mut [f64],
    workspace: &mut [f64],
) -> Result<(), Error> {
    let (k, d) = w.shape();
    // Covers the two roundings of `rows t + offsets`.
    let room = Upper(1.0 + 4.0 * f64::EPSILON);
    let spread = gamma(d + 1, T::UNIT_ROUNDOFF) + Upper(rho);
    let (rows, rest) = take(to, k);
    let (offsets, scalars) = take(rest, k);
    let all = w.as_slice();
    debug_assert!(all.is_some(), "weights are contiguous");
    let all = all.unwrap_or_default();
    for (i, slot) in rows.iter_mut().enumerate() {
        *slot = ((Upper(1.0) + Upper(rho)) * norm(backend, cut(all, i * d..i * d + d))).0;
    }
    for (i, slot) in offsets.iter_mut().enumerate() {
        let b = bias.get(i).map_or(0.0, |b| b.to_f64().abs());
        *slot = ((spread * Upper(b) + underflow::<T>()) * room).0;
    }
    let largest = |values: &[f64]| values.iter().fold(Upper(0.0), |max, x| max.or(Upper(*x)));
    let frobenius = norm(backend, all);
    let (wide, rest) = take(workspace, k * d);
    w.widen_into(wide);
    let wide = MatRef::new(wide, k, d)?;
    let (x, inner) = if k < d { (wide.t(), d) } else { (wide, k) };
    let side = x.columns();
    let gram = cut_mut(rest, ..side * side);
    kernel::outer(backend, MatMut::new(gram, side, side)?, x)?;
    let gram = MatRef::new(gram, side, side)?;
    let gram = root(backend.dot(gram, gram), side * side);
    let spectral = (gram + gamma(inner, f64::UNIT_ROUNDOFF) * frobenius * frobenius).sqrt();
    let spectral = if spectral.0 < frobenius.0 { spectral } else { frobenius };
    let norms = [
        frobenius,
        spectral + Upper(rho) * frobenius,
        largest(rows),
        norm(backend, &*offsets),
        largest(offsets),
    ];
    for (slot, norm) in scalars.iter_mut().zip(norms) {
        *slot = norm.0;
    }
    Ok(())
}
