//! Stages with a network. They share one slice, in this order: parameters, initial parameters, initial K, scratch.

use super::{BATCHES, CHUNK, DATA, PARAMETERS, PTK_VALUES, SAMPLES, SEED, WIDTHS};
use crate::activation::Activation;
use crate::correlation::{Certified, Correlations, GivenErrors, Powers, measure_layer};
use crate::digest::Hasher;
use crate::early_time::limit;
use crate::error::Error;
use crate::feature;
use crate::loss::Loss;
use crate::matrix::{MatMut, MatRef, cut, take};
use crate::network::{Initializer, Network, Shape, gradient_sum, gradient_workspace, weights};
use crate::optimizer::Optimizer;
use crate::random::{Purpose, Stream};
use crate::reduce::{SampleTree, buffers};
use crate::scalar::Real;
use crate::simd::Level;
use crate::task::{chain_monomial, fill_gaussian};

const BUFFERS: usize = buffers(SAMPLES as u64);

fn shape() -> Result<Shape<'static>, Error> {
    Shape::new(&WIDTHS, true)
}

/// The digest of the parameters from every initialiser. Parameters and initial parameters are then those of the last one.
#[inline(never)]
pub(super) fn initial<T: Real>(numbers: &mut [T]) -> Result<Hasher, Error> {
    let (parameters, rest) = take(numbers, PARAMETERS);
    let (initial, _) = take(rest, PARAMETERS);
    let mut hasher = Hasher::new();
    for initializer in Initializer::ALL {
        initializer.fill(shape()?, SEED, parameters)?;
        hasher.array(&[PARAMETERS], parameters);
    }
    initial.copy_from_slice(parameters);
    Ok(hasher)
}

/// Calls `add` with `samples` samples, a chunk at a time. The inputs are Gaussian. The targets are a distribution for
/// cross-entropy, and chain monomials otherwise.
fn each_chunk<T: Real>(
    stream: &mut Stream,
    samples: usize,
    distribution: bool,
    data: &mut [T],
    mut add: impl FnMut(MatRef<'_, T>, MatRef<'_, T>) -> Result<(), Error>,
) -> Result<(), Error> {
    let [inputs, _, _, outputs] = WIDTHS;
    let mut left = samples;
    while left > 0 {
        let rows = if left < CHUNK { left } else { CHUNK };
        let (x, rest) = take(data, rows * inputs);
        let (y, _) = take(rest, rows * outputs);
        fill_gaussian(stream, Some(0.5), MatMut::new(x, rows, inputs)?)?;
        for (x, y) in x.chunks_exact(inputs).zip(y.chunks_exact_mut(outputs)) {
            let (few, all) = (chain_monomial(3, x)?, chain_monomial(inputs, x)?);
            let both = match (distribution, few.is_positive()) {
                (false, _) => [few, all],
                (true, true) => [T::one(), T::zero()],
                (true, false) => [T::zero(), T::one()],
            };
            y.copy_from_slice(&both);
        }
        add(MatRef::new(x, rows, inputs)?, MatRef::new(y, rows, outputs)?)?;
        left -= rows;
    }
    Ok(())
}

/// The early-time limit of both hidden layers. It also stores the initial K.
#[inline(never)]
pub(super) fn limits<T: Real, A: Activation<T>>(
    level: Level,
    activation: A,
    loss: impl Loss<T>,
    numbers: &mut [T],
    wide: &mut [f64],
) -> Result<Hasher, Error> {
    sum_ptk(level, activation, numbers)?;
    let (parameters, rest) = take(numbers, PARAMETERS);
    let (_, rest) = take(rest, PARAMETERS);
    let (ptk, rest) = take(rest, PTK_VALUES);
    ptk.copy_from_slice(cut(rest, ..PTK_VALUES));
    let (storage, rest) = take(rest, BUFFERS * gradient_sum(&WIDTHS, true));
    let (data, rest) = take(rest, DATA);
    let (workspace, _) = take(rest, gradient_workspace(&WIDTHS, 3));
    let network = Network::new(shape()?, activation, parameters)?;
    let mut tree = SampleTree::new(storage, gradient_sum(&WIDTHS, true), 0)?;
    let mut stream = Stream::new(SEED, Purpose::TrainInputs, 0);
    each_chunk(&mut stream, SAMPLES, loss.divisor() == 1, data, |x, y| {
        network.accumulate_gradient(level, loss, x, y, &mut tree, workspace)
    })?;
    let (value, gradient) = network.finish_gradient(level, loss, &mut tree)?;
    let mut hasher = Hasher::new();
    hasher.array(&[], &[value]).array(&[PARAMETERS], gradient).array(&[PTK_VALUES], ptk);
    for layer in 0..shape()?.hidden_layers() {
        let v = weights(gradient, shape()?.layer(layer)?)?;
        let k = feature::ptk_of_layer(shape()?, ptk, layer)?;
        add_correlations(&mut hasher, &limit(level, v, k, Powers::OneAndRoot, wide)?);
    }
    Ok(hasher)
}

/// Training in mini-batches of fresh samples.
#[inline(never)]
pub(super) fn train<T: Real, A: Activation<T>>(
    level: Level,
    activation: A,
    loss: impl Loss<T>,
    optimizer: &Optimizer<'_>,
    numbers: &mut [T],
) -> Result<Hasher, Error> {
    let (parameters, rest) = take(numbers, PARAMETERS);
    let (_, rest) = take(rest, PARAMETERS + PTK_VALUES);
    let (storage, rest) = take(rest, BUFFERS * gradient_sum(&WIDTHS, true));
    let (state, rest) = take(rest, optimizer.state(PARAMETERS));
    let (data, rest) = take(rest, DATA);
    let (workspace, _) = take(rest, gradient_workspace(&WIDTHS, 3));
    state.fill(T::zero());
    let mut hasher = Hasher::new();
    let mut stream = Stream::new(SEED, Purpose::TrainInputs, 0);
    for samples in BATCHES {
        let network = Network::new(shape()?, activation, parameters)?;
        let mut tree = SampleTree::new(storage, gradient_sum(&WIDTHS, true), 0)?;
        each_chunk(&mut stream, samples, loss.divisor() == 1, data, |x, y| {
            network.accumulate_gradient(level, loss, x, y, &mut tree, workspace)
        })?;
        let (value, gradient) = network.finish_gradient(level, loss, &mut tree)?;
        hasher.array(&[], &[value]).array(&[PARAMETERS], gradient);
        optimizer.step(level, shape()?, parameters, gradient, state)?;
        hasher.array(&[PARAMETERS], parameters);
    }
    let velocity = cut(state, ..state.len() / 2);
    hasher.array(&[velocity.len()], velocity);
    Ok(hasher)
}

/// The digest of the PTK features over several sample blocks. The features stay at the start of the scratch.
#[inline(never)]
pub(super) fn ptk<T: Real, A: Activation<T>>(
    level: Level,
    activation: A,
    numbers: &mut [T],
) -> Result<Hasher, Error> {
    sum_ptk(level, activation, numbers)?;
    let (_, rest) = take(numbers, 2 * PARAMETERS + PTK_VALUES);
    let mut hasher = Hasher::new();
    hasher.array(&[PTK_VALUES], cut(rest, ..PTK_VALUES));
    Ok(hasher)
}

/// Writes K at the current parameters to the start of the scratch.
fn sum_ptk<T: Real, A: Activation<T>>(level: Level, activation: A, numbers: &mut [T]) -> Result<(), Error> {
    let (parameters, rest) = take(numbers, PARAMETERS);
    let (_, rest) = take(rest, PARAMETERS + PTK_VALUES);
    let (storage, rest) = take(rest, BUFFERS * PTK_VALUES);
    let (data, rest) = take(rest, DATA);
    let (workspace, _) = take(rest, crate::network::jacobian_workspace(&WIDTHS, 2));
    let network = Network::new(shape()?, activation, parameters)?;
    let mut tree = SampleTree::new(storage, PTK_VALUES, 0)?;
    let mut stream = Stream::new(SEED, Purpose::TrainInputs, 0);
    each_chunk(&mut stream, SAMPLES, false, data, |x, _| {
        network.accumulate_ptk(level, x, &mut tree, workspace)
    })?;
    feature::finish_ptk(level, shape()?, &mut tree)?;
    Ok(())
}

/// Every correlation of both hidden layers, from the K of [`ptk`] at the start of the scratch.
#[inline(never)]
pub(super) fn correlations<T: Real>(
    level: Level,
    numbers: &mut [T],
    wide: &mut [f64],
) -> Result<Hasher, Error> {
    let (parameters, rest) = take(numbers, PARAMETERS);
    let (initial, rest) = take(rest, PARAMETERS);
    let (initial_ptk, rest) = take(rest, PTK_VALUES);
    let (ptk, _) = take(rest, PTK_VALUES);
    let mut hasher = Hasher::new();
    for (layer, span) in shape()?.spans().take(shape()?.hidden_layers()).enumerate() {
        let measure = measure_layer(
            level,
            weights(parameters, span)?,
            weights(initial, span)?,
            feature::ptk_of_layer(shape()?, ptk, layer)?,
            feature::ptk_of_layer(shape()?, initial_ptk, layer)?,
            GivenErrors::default(),
            Powers::OneAndRoot,
            wide,
        )?;
        match measure.relative_change {
            Ok(change) => hasher.number(1).array(&[], &[change]),
            Err(_) => hasher.number(0),
        };
        for block in [&measure.uncentered, &measure.centered, &measure.double_centered] {
            add_correlations(&mut hasher, block);
        }
    }
    Ok(hasher)
}

fn add_correlations(hasher: &mut Hasher, c: &Correlations) {
    for correlation in [c.cosine, c.pearson, c.cosine_sqrt, c.pearson_sqrt] {
        match correlation {
            Ok(Certified { value, bound: Ok(bound) }) => hasher.number(2).array(&[2], &[value, bound]),
            Ok(Certified { value, bound: Err(_) }) => hasher.number(1).array(&[], &[value]),
            Err(_) => hasher.number(0),
        };
    }
    hasher.array(&[], &[c.inner]);
}
