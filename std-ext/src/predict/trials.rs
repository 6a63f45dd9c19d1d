//! The early-time limits of networks with random initial weights.

use super::limit::{Layers, limits};
use super::report::Trials;
use crate::error::Result;
use crate::machine::Machine;
use crate::memory::filled;
use crate::network::{Model, feature_memory, gradient_memory};
use crate::sums::SampleSum;
use agop_core::activation::AnyActivation;
use agop_core::early_time::RunningStatistics;
use agop_core::loss::Loss;
use agop_core::matrix::MatRef;
use agop_core::network::{Initializer, Shape, parameters};
use agop_core::random::{Purpose, Stream};
use agop_core::scalar::Scalar;

/// The loss `-(1/n) sum f . y`. Its gradient depends on the labels but not on the outputs, as that of the squared loss does
/// for a readout that goes to zero.
///
/// **Arithmetic** `g = -y`; one chain `sum <- fma(-y, f, sum)` over the outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResidualOfLabels;

impl<T: Scalar> Loss<T> for ResidualOfLabels {
    fn divisor(&self) -> u64 {
        1
    }
    fn residual(&self, outputs: &mut [T], target: &[T], sum: T) -> T {
        outputs.iter_mut().zip(target).fold(sum, |sum, (f, y)| {
            let residual = -y.clone();
            let sum = T::fma(&residual, f, sum);
            *f = residual;
            sum
        })
    }
}

/// The limit of C-NFC of every hidden layer at the weights of a model.
///
/// **Shapes** inputs (n x d), targets (n x c); memory of the model's shape.
///
/// # Errors
/// Outputs or gradients that are not finite, and when the memory cannot be had.
pub fn observed(
    machine: &Machine,
    model: &Model<f64, AnyActivation>,
    loss: impl Loss<f64> + Sync,
    inputs: MatRef<'_, f64>,
    targets: MatRef<'_, f64>,
    (gradients, memory): (&mut SampleSum<f64>, &mut SampleSum<f64>),
) -> Result<Layers> {
    let mut gradient = filled("gradient", model.parameters().len(), 0.0)?;
    model.gradient(machine.level, loss, inputs, targets, gradients, &mut gradient)?;
    let features = model.features(machine.level, inputs, memory)?;
    limits(machine, model, &gradient, &features)
}

/// Mean and spread of [`observed`] over networks of these widths without biases, with weights N(0, 1/fan_in).
///
/// **Arithmetic** draw i is [`Initializer::Normal`] of a seed that is the first number of stream (seed,
/// [`Purpose::Trial`], i).
///
/// # Errors
/// As [`observed`].
pub fn trials(
    machine: &Machine,
    (widths, activation): (&[usize], AnyActivation),
    loss: impl Loss<f64> + Sync,
    inputs: MatRef<'_, f64>,
    targets: MatRef<'_, f64>,
    seed: u64,
    count: u32,
) -> Result<Trials> {
    let shape = Shape::new(widths, false)?;
    let hidden_layers = shape.hidden_layers();
    // Before any weight is drawn: the features take the most memory, and drawing the most time.
    let mut features = feature_memory(shape, &machine.threads, inputs.rows())?;
    let mut gradients = gradient_memory(shape, &machine.threads, inputs.rows())?;
    let mut model = undrawn(widths.to_vec(), activation)?;
    let mut spreads = vec![RunningStatistics::default(); hidden_layers];
    machine.progress.expect(u64::from(count));
    for trial in 0..count {
        draw(&mut model, Stream::new(seed, Purpose::Trial, trial).next_u64())?;
        let found = observed(machine, &model, loss, inputs, targets, (&mut gradients, &mut features))?;
        for (spread, rho) in spreads.iter_mut().zip(found) {
            if let Ok(rho) = rho {
                spread.add(rho);
            }
        }
        machine.progress.add(1);
    }
    Ok(Trials::new(count, seed, &spreads))
}

/// A network without biases whose weights are yet to be drawn.
pub(super) fn undrawn(widths: Vec<usize>, activation: AnyActivation) -> Result<Model<f64, AnyActivation>> {
    Shape::new(&widths, false)?;
    let values = filled("parameters", parameters(&widths, false), 0.0)?;
    Ok(Model::new(widths, false, activation, values)?)
}

/// Replaces the parameters of a model by N(0, 1/fan_in).
pub(super) fn draw(model: &mut Model<f64, AnyActivation>, seed: u64) -> Result<()> {
    let (widths, bias) = (model.widths().to_vec(), model.bias());
    let shape = Shape::new(&widths, bias)?;
    Ok(Initializer::Normal.fill(shape, seed, model.parameters_mut())?)
}
