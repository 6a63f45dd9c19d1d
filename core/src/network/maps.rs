//! Layers of maps, sample by sample: products of weights and patches, and pooling.

use super::patches::{self, Sample, gather, scatter};
use super::place::{Kind, Place};
use crate::error::Error;
use crate::kernel::{self, Backend, Init, positive, product};
use crate::matrix::{MatMut, MatRef, cut_mut, rows, rows_mut};
use crate::scalar::Scalar;

/// The outputs (m x k P) of a convolution or pooling layer; `seen` is called with each sample of a convolution, its patches
/// (P x d) and its outputs (k x P).
///
/// **Arithmetic** every output of a convolution is one fma chain over its patch, ascending, from the bias or `+0`.
pub(super) fn forward<T: Scalar>(
    backend: impl Backend<T>,
    place: &Place,
    parameters: &[T],
    x: MatRef<'_, T>,
    z: &mut [T],
    patches: &mut [T],
    mut seen: impl FnMut(usize, MatRef<'_, T>, &[T]),
) -> Result<(), Error> {
    let (k, d, positions) = (place.span.outputs, place.span.inputs, place.output.positions());
    for (index, z) in rows_mut(z, place.output.values()).enumerate() {
        let x = Sample::of(x, index);
        if place.kind != Kind::Weights {
            patches::pool(backend, place, x, z);
            continue;
        }
        let patches = cut_mut(patches, ..d * positions);
        gather(backend, place, x, patches);
        let patches = MatRef::new(&*patches, d, positions)?;
        let init = match super::bias(parameters, place.span) {
            Some(bias) => {
                rows_mut(z, positions).zip(bias).for_each(|(row, bias)| row.fill(bias.clone()));
                Init::Accumulate
            }
            None => Init::Zero,
        };
        let weights = super::weights(parameters, place.span)?;
        kernel::chains(backend, MatMut::new(z, k, positions)?, weights, patches, init)?;
        seen(index, patches.t(), z);
    }
    Ok(())
}

/// Adds `sum_a sum_p delta_ap u_ap^T` to the gradient of a convolution's weights (k x d).
///
/// **Arithmetic** one chain over samples, then positions, ascending.
pub(super) fn add_weights<T: Scalar>(
    backend: impl Backend<T>,
    place: &Place,
    (weights, mut init): (&mut [T], Init<'_, T>),
    delta: &[T],
    x: MatRef<'_, T>,
    patches: &mut [T],
) -> Result<(), Error> {
    if place.kind != Kind::Weights {
        return Ok(());
    }
    let (k, d, positions) = (place.span.outputs, place.span.inputs, place.output.positions());
    let patches = cut_mut(patches, ..d * positions);
    let mut weights = MatMut::new(weights, k, d)?;
    for (index, delta) in rows(delta, place.output.values()).enumerate() {
        gather(backend, place, Sample::of(x, index), patches);
        let u = MatRef::new(&*patches, d, positions)?.t();
        kernel::chains(backend, weights.reborrow(), MatRef::new(delta, k, positions)?, u, init)?;
        init = Init::Accumulate;
    }
    Ok(())
}

/// Adds delta to the gradient of a convolution's bias, over samples, then positions, ascending.
pub(super) fn add_bias<T: Scalar>(place: &Place, bias: &mut [T], delta: &[T]) {
    for delta in rows(delta, place.output.values()) {
        for (bias, row) in bias.iter_mut().zip(rows(delta, place.output.positions())) {
            *bias = row.iter().fold(bias.clone(), |sum, x| sum + x.clone());
        }
    }
}

/// What the rows of delta (k x P each) send back through a convolution or pooling layer, into maps. Of pooling they hold the
/// layer's inputs before.
///
/// **Arithmetic** each entry of `W^T delta` is one chain over the outputs, ascending; what comes back to an entry of the map
/// is added in ascending order of its places in the kernel.
pub(super) fn pull_back<T: Scalar>(
    backend: impl Backend<T>,
    place: &Place,
    parameters: &[T],
    delta: &[T],
    to: &mut [T],
    patches: &mut [T],
) -> Result<(), Error> {
    if place.kind != Kind::Weights {
        for (delta, x) in rows(delta, place.output.values()).zip(rows_mut(to, place.input.values())) {
            patches::unpool(backend, place, delta, x);
        }
        return Ok(());
    }
    let weights = super::weights(parameters, place.span)?;
    let (k, d, positions) = (place.span.outputs, place.span.inputs, place.output.positions());
    let patches = cut_mut(patches, ..d * positions);
    for (delta, to) in rows(delta, place.output.values()).zip(rows_mut(to, place.input.values())) {
        let sent = MatMut::new(&mut *patches, d, positions)?;
        product(backend, sent, weights.t(), MatRef::new(delta, k, positions)?)?;
        scatter(backend, place, patches, to);
    }
    Ok(())
}

/// An identity (c x c) for each sample.
pub(super) fn identities<T: Scalar>(to: &mut [T], c: usize) {
    to.fill(T::zero());
    for rows in rows_mut(to, c * c) {
        rows.iter_mut().step_by(positive(c + 1)).for_each(|slot| *slot = T::one());
    }
}
