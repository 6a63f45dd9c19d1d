//! The limit and the rate at given weights, and C-NFC after one small step.

use crate::error::Result;
use crate::machine::Machine;
use crate::memory::{self, collected, filled};
use crate::network::Model;
use agop_core::activation::AnyActivation;
use agop_core::correlation::{Powers, Undefined};
use agop_core::dual::Dual;
use agop_core::early_time::{
    self, DualBackend, Path, differentiate, differentiate_workspace, limit_workspace, rate, rate_workspace,
};
use agop_core::feature::ptk_of_layer;
use agop_core::loss::AnyLoss;
use agop_core::matrix::MatRef;
use agop_core::network::Shape;
use agop_core::network::weights;

/// Samples that a dual pass takes at a time.
const ROWS: usize = 64;

/// Part of the weights' length that the measured step moves them.
const PART: f64 = 1e-6;

/// A number for each hidden layer, or why there is none.
pub type Layers = Vec<std::result::Result<f64, Undefined>>;

/// Prediction and measurement at given weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// C-NFC as t -> 0+.
    pub rho: Layers,
    /// Its derivative with respect to gradient-flow time.
    pub rate: Layers,
    /// Size of the measured gradient step; `None` if the gradient is zero.
    pub step: Option<f64>,
    /// `rho + step c`, c the first-order coefficient of a single step.
    pub expected: Layers,
    /// C-NFC after that step.
    pub measured: Layers,
}

/// Whether the memory for [`limit`] at a network without biases can be had: asked before its weights are drawn.
///
/// # Errors
/// When it cannot.
pub(super) fn fits(widths: &[usize], samples: usize) -> Result<()> {
    memory::fits::<Dual<f64>>("workspace", differentiate_workspace(Shape::new(widths, false)?, samples, ROWS))
}

/// Limit, rate, and C-NFC after one gradient step that moves the weights by a millionth of their length.
///
/// **Shapes** inputs (n x d), targets (n x c).
/// **Arithmetic** in f64; gradient and features run on dual numbers. See [`early_time::rate`].
///
/// # Errors
/// Outputs or gradients that are not finite, and when the memory cannot be had.
pub fn limit(
    machine: &Machine,
    model: &Model<f64, AnyActivation>,
    loss: AnyLoss,
    inputs: MatRef<'_, f64>,
    targets: MatRef<'_, f64>,
) -> Result<Limit> {
    let (level, shape) = (DualBackend(machine.level), model.shape()?);
    let size = differentiate_workspace(model.shape()?, inputs.rows(), ROWS);
    let mut workspace = filled("workspace", size, Dual::constant(0.0))?;
    let found = differentiate(level, &model.view()?, loss, inputs, targets, &mut workspace)?;
    let mut all = Limit {
        rho: Layers::new(),
        rate: Layers::new(),
        step: step_size(model.parameters(), found.gradient),
        expected: Layers::new(),
        measured: Layers::new(),
    };
    let step = all.step.unwrap_or(0.0);
    for layer in 0..shape.hidden_layers() {
        let (g, k) = found.layer(shape, layer)?;
        let mut workspace = filled("workspace", rate_workspace(g.rows(), g.columns()), Dual::constant(0.0))?;
        let flow = rate(level, g, k, Path::Flow, &mut workspace)?;
        let single = rate(level, g, k, Path::Step, &mut workspace)?;
        all.rho.push(flow.map(|found| found.limit));
        all.rate.push(flow.map(|found| found.slope));
        all.expected.push(single.map(|found| found.limit + step * found.slope));
    }
    all.measured = after_step(machine, model, found.gradient, step, inputs)?;
    Ok(all)
}

fn step_size(parameters: &[f64], gradient: &[Dual<f64>]) -> Option<f64> {
    let length = parameters.iter().fold(0.0, |sum, w| sum + w * w);
    let slope = gradient.iter().fold(0.0, |sum, g| sum + g.value * g.value);
    let step = PART * (length / slope).sqrt();
    (step.is_finite() && step > 0.0).then_some(step)
}

fn after_step(
    machine: &Machine,
    model: &Model<f64, AnyActivation>,
    gradient: &[Dual<f64>],
    step: f64,
    inputs: MatRef<'_, f64>,
) -> Result<Layers> {
    let mut moved = model.try_clone()?;
    for (w, g) in moved.parameters_mut().iter_mut().zip(gradient) {
        *w -= step * g.value;
    }
    let mut memory = model.feature_memory(&machine.threads, inputs.rows())?;
    let features = moved.features(machine.level, inputs, &mut memory)?;
    let way = moved.parameters().iter().zip(model.parameters()).map(|(w, w_0)| w - w_0);
    let way = collected("movement", model.parameters().len(), way)?;
    limits(machine, model, &way, &features)
}

/// C-NFC of every hidden layer had the weights moved `way`, at the features of the model's shape.
pub(super) fn limits(
    machine: &Machine,
    model: &Model<f64, AnyActivation>,
    way: &[f64],
    features: &[f64],
) -> Result<Layers> {
    let shape = model.shape()?;
    machine.threads.each(shape.hidden_layers(), |layer| {
        let w = weights(way, shape.layer(layer)?)?;
        let mut workspace = filled("workspace", limit_workspace(w.rows(), w.columns()), 0.0)?;
        let k = ptk_of_layer(shape, features, layer)?;
        let found = early_time::limit(machine.level, w, k, Powers::One, &mut workspace)?;
        Ok(found.cosine.map(|found| found.value))
    })
}
