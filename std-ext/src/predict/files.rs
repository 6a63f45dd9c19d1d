//! Predictions for samples, labels and weights in files.

use super::report::{
    HighDimension, Measured, Neglected, PredictReport, TracesReport, Trials, defined, finite,
};
use super::samples::{Samples, read_init, read_readout};
use super::trials::{ResidualOfLabels, draw, trials, undrawn};
use super::{Model as Predictor, TRIALS, limit, quadratic, wide};
use crate::dataset::{Paths, Reading};
use crate::error::{Error, Result};
use crate::machine::Machine;
use crate::measure::OVERFLOW;
use crate::memory::collected;
use crate::network::Model;
use crate::run::named::Named;
use crate::samples::Preparation;
use agop_core::activation::AnyActivation;
use agop_core::early_time::quadratic::Readout;
use agop_core::early_time::wide::DualKernel;
use agop_core::error::Error as CoreError;
use agop_core::loss::AnyLoss;
use agop_core::network::Shape;
use agop_core::scalar::Real;
use std::collections::BTreeMap;
use std::path::Path;

/// The given part of the network.
#[derive(Clone, Copy, Debug)]
pub enum Given<'p> {
    /// Widths of the hidden layers; weights are N(0, 1/fan_in).
    Hidden(&'p [usize]),
    /// The readout of one hidden layer (`.npy`).
    Readout(&'p Path),
    /// All weights (safetensors).
    Init(&'p Path),
}

/// The inputs of a prediction.
#[derive(Clone, Copy, Debug)]
pub struct PredictFiles<'p> {
    /// Inputs, one sample a row.
    pub data: &'p Paths,
    /// Labels or targets, if the data files do not contain them.
    pub labels: Option<&'p Paths>,
    /// How these files are understood.
    pub reading: &'p Reading,
    /// How samples are chosen and inputs scaled. [`Settings::seed`] decides which samples are held out.
    pub preparation: &'p Preparation,
    /// The network.
    pub network: Given<'p>,
    /// Names of the layers of [`Given::Init`] in their order, if it is given ([`crate::checkpoint::parse_in_order`]).
    pub layers: Option<&'p [String]>,
}

/// How to predict.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The model; without, limit for given weights, quadratic for a given readout, wide for given widths.
    pub model: Option<Predictor>,
    /// Name of the activation; ReLU without (the quadratic model knows only its own).
    pub activation: Option<String>,
    /// The loss of the limit model; mean squared error without.
    pub loss: Option<AnyLoss>,
    /// Seed of drawn weights.
    pub seed: u64,
    /// Draws beside the prediction; [`TRIALS`] without, where weights are random.
    pub trials: Option<u32>,
}

/// Reads the files and predicts.
///
/// **Arithmetic** inputs, labels and weights are rounded to `T`; everything else is f64.
///
/// # Errors
/// All that reading can say; shapes that do not fit; settings that the model does not know.
pub fn predict<T: Real>(
    machine: &Machine,
    files: &PredictFiles<'_>,
    settings: &Settings,
) -> Result<PredictReport> {
    let model = settings.model.unwrap_or(match files.network {
        Given::Init(_) => Predictor::Limit,
        Given::Readout(_) => Predictor::Quadratic,
        Given::Hidden(_) => Predictor::Wide,
    });
    if let (Given::Readout(_), Predictor::Limit | Predictor::Wide) = (files.network, model) {
        return Err(Error::Usage(format!(
            "--readout belongs to the quadratic model, not to {}",
            model.name()
        )));
    }
    if model != Predictor::Limit && settings.loss.is_some() {
        return Err(Error::Usage(format!(
            "--loss belongs to the limit model: {} has residual = labels",
            model.name()
        )));
    }
    let loss = settings.loss.unwrap_or(AnyLoss::MeanSquared);
    let samples = Samples::read::<T>(files, loss, settings.seed, machine.memory)?;
    let mut report = match model {
        Predictor::Limit => of_limit::<T>(machine, files, settings, loss, &samples),
        Predictor::Quadratic => of_quadratic::<T>(machine, files, settings, &samples),
        Predictor::Wide => of_wide::<T>(machine, files, settings, &samples),
    }?;
    if let Some(trials) = &report.trials {
        for (layer, deviation) in trials.deviation.iter().enumerate() {
            if trials.mean.get(layer).is_none_or(Option::is_none) {
                report.why.insert(format!("trials.mean.{layer}"), "no draw with a defined value".into());
            }
            if deviation.is_none() {
                report.why.insert(format!("trials.deviation.{layer}"), "fewer than two draws".into());
            }
        }
    }
    report.explain_missing_parts(match settings.trials {
        Some(0) => "--trials 0 asks for none",
        _ => "the weights are given: nothing is drawn",
    });
    Ok(report)
}

/// A network with drawn weights.
fn drawn(widths: Vec<usize>, activation: AnyActivation, seed: u64) -> Result<Model<f64, AnyActivation>> {
    let mut model = undrawn(widths, activation)?;
    draw(&mut model, seed)?;
    Ok(model)
}

/// The trials, or why there are none: the prediction stands without them.
///
/// # Errors
/// A floating-point environment in which the prediction is not sound either.
fn or_reason(trials: Result<Trials>, why: &mut BTreeMap<String, String>) -> Result<Option<Trials>> {
    match trials {
        Ok(trials) => Ok(Some(trials)),
        Err(error @ Error::Core(CoreError::Environment(_))) => Err(error),
        Err(error) => {
            why.insert("trials".into(), format!("the draws failed: {error}"));
            Ok(None)
        }
    }
}

fn of_limit<T: Real>(
    machine: &Machine,
    files: &PredictFiles<'_>,
    settings: &Settings,
    loss: AnyLoss,
    samples: &Samples,
) -> Result<PredictReport> {
    let activation = settings.activation.as_deref().map_or(Ok(AnyActivation::Relu), AnyActivation::named)?;
    let (x, y) = (samples.inputs()?, samples.targets()?);
    let (model, random) = match files.network {
        Given::Hidden(hidden) => {
            let widths = samples.widths(hidden)?;
            Shape::new(&widths, false)?;
            limit::fits(&widths, samples.count)?;
            (drawn(widths, activation, settings.seed)?, true)
        }
        Given::Init(file) | Given::Readout(file) => {
            (read_init::<T>(file, files, samples, activation)?, false)
        }
    };
    if !random && settings.trials.is_some_and(|count| count > 0) {
        return Err(Error::Usage("--trials draws weights, --init gives them: nothing is random".into()));
    }
    let found = limit(machine, &model, loss, x, y).map_err(|error| match error {
        Error::Core(error) => Error::input(files.data.first(), "samples", error.to_string()),
        other => other,
    })?;
    let mut why = BTreeMap::new();
    let rho = defined("rho", &found.rho, &mut why);
    let rate = defined("rate", &found.rate, &mut why);
    let measured = found.step.map(|step| Measured {
        step,
        rho: defined("measured.rho", &found.measured, &mut why),
        expected: defined("measured.expected", &found.expected, &mut why),
    });
    if measured.is_none() {
        why.insert("measured".into(), "the gradient is zero, or its square leaves the range of f64".into());
    }
    let widths = model.widths().to_vec();
    let count = settings.trials.unwrap_or(TRIALS);
    let network = (model.widths(), activation);
    let trials = match random && count > 0 {
        true => or_reason(trials(machine, network, loss, x, y, settings.seed, count), &mut why)?,
        false => None,
    };
    Ok(PredictReport {
        rate: Some(rate),
        measured,
        trials,
        residual: "loss",
        ..blank::<T>(Predictor::Limit, samples, widths, activation.name(), rho, why)
    })
}

fn of_wide<T: Real>(
    machine: &Machine,
    files: &PredictFiles<'_>,
    settings: &Settings,
    samples: &Samples,
) -> Result<PredictReport> {
    let name = settings.activation.as_deref().unwrap_or(AnyActivation::Relu.name());
    let kernel = DualKernel::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = DualKernel::ALL.iter().map(|kernel| kernel.name()).collect();
        let other = AnyActivation::named(name).map_or("", |_| "; --model limit takes it");
        Error::Usage(format!(
            "activation `{name}`: the wide model has no dual kernel of it in closed form (it knows: {}){other}",
            known.join(", ")
        ))
    })?;
    let widths = match files.network {
        Given::Hidden(hidden) => samples.widths(hidden)?,
        Given::Init(file) | Given::Readout(file) => {
            read_init::<T>(file, files, samples, AnyActivation::Relu)?.widths().to_vec()
        }
    };
    let (x, y) = (samples.inputs()?, samples.targets()?);
    let found = wide(machine.level, kernel, x, y, widths.len() - 2).map_err(|error| match error {
        Error::Core(CoreError::NoAngle { row, .. }) => {
            let reason = "all inputs are zero, or so small beside the largest that their squares are";
            Error::input(files.data.first(), format!("row {row}"), reason)
        }
        Error::Core(error) => Error::input(files.data.first(), "samples", error.to_string()),
        other => other,
    })?;
    let mut why = BTreeMap::new();
    let rho = defined("rho", &found, &mut why);
    let count = settings.trials.unwrap_or(TRIALS);
    let trials = match AnyActivation::from_name(kernel.name()) {
        Some(activation) if count > 0 => {
            let network = (widths.as_slice(), activation);
            let found = trials(machine, network, ResidualOfLabels, x, y, settings.seed, count);
            or_reason(found, &mut why)?
        }
        Some(_) => None,
        None => {
            why.insert("trials".into(), format!("networks here have no activation `{}`", kernel.name()));
            None
        }
    };
    Ok(PredictReport { trials, ..blank::<T>(Predictor::Wide, samples, widths, kernel.name(), rho, why) })
}

fn of_quadratic<T: Real>(
    machine: &Machine,
    files: &PredictFiles<'_>,
    settings: &Settings,
    samples: &Samples,
) -> Result<PredictReport> {
    let activation = AnyActivation::Quadratic;
    if let Some(name) = settings.activation.as_deref().filter(|name| *name != activation.name()) {
        return Err(Error::Usage(format!("the quadratic model has the quadratic activation, not `{name}`")));
    }
    if samples.outputs != 1 {
        let reason = format!("{} targets a sample, the quadratic model has one output", samples.outputs);
        return Err(Error::input(&samples.labels, "shape", reason));
    }
    let values;
    let readout = match files.network {
        Given::Hidden(&[units]) => {
            let units = u32::try_from(units).ok().filter(|units| *units > 0).ok_or_else(|| {
                Error::Usage(format!("--hidden {units}: expected a width from 1 to {}", u32::MAX))
            })?;
            Readout::Gaussian { units }
        }
        Given::Hidden(hidden) => {
            let reason = format!("the quadratic model has one hidden layer, --hidden gives {}", hidden.len());
            return Err(Error::Usage(reason));
        }
        Given::Readout(file) => {
            values = read_readout::<T>(file)?;
            Readout::Given(&values)
        }
        Given::Init(file) => {
            let model = read_init::<T>(file, files, samples, activation)?;
            if model.widths().len() != 3 || model.bias() {
                let reason = "the quadratic model has one hidden layer and no biases";
                return Err(Error::input(file, "tensors", reason));
            }
            let weights = model.weights(1)?;
            values = collected("readout", weights.columns(), weights.elements().copied())?;
            Readout::Given(&values)
        }
    };
    let widths = samples.widths(&[readout.units()])?;
    let count = settings.trials.unwrap_or(TRIALS);
    let (x, y) = (samples.inputs()?, &samples.targets);
    let (found, trials) = quadratic(machine.level, x, y, readout, settings.seed, count)?;
    let mut why = BTreeMap::new();
    let trials = if count > 0 { or_reason(trials, &mut why)? } else { None };
    let rho = defined("rho", &[found.rho], &mut why);
    let leading = match found.leading_rho {
        Ok(rho) => finite("high_dimension.rho", rho, OVERFLOW, &mut why),
        Err(reason) => {
            why.insert("high_dimension.rho".into(), reason.to_string());
            None
        }
    };
    let mut trace = |key: &str, value: f64| {
        finite(&format!("traces.{key}"), value, "beyond the range of f64; rho does not need it", &mut why)
    };
    let traces =
        TracesReport { ff: trace("ff", found.ff), fg: trace("fg", found.fg), gg: trace("gg", found.gg) };
    let mut part = |key: &str, value: f64| {
        finite(&format!("high_dimension.neglected.{key}"), value, "the trace is zero", &mut why)
    };
    let (ff, fg, gg) = found.neglected;
    let neglected = Neglected { ff: part("ff", ff), fg: part("fg", fg), gg: part("gg", gg) };
    Ok(PredictReport {
        traces: Some(traces),
        high_dimension: Some(HighDimension { rho: leading, neglected }),
        trials,
        ..blank::<T>(Predictor::Quadratic, samples, widths, activation.name(), rho, why)
    })
}

/// A report with nothing but its heading and the prediction.
fn blank<T: Real>(
    model: Predictor,
    samples: &Samples,
    widths: Vec<usize>,
    activation: &'static str,
    rho: Vec<Option<f64>>,
    why: BTreeMap<String, String>,
) -> PredictReport {
    PredictReport {
        schema: "agop.predict/1",
        model: model.name(),
        samples: samples.count,
        labels: samples.understood.clone(),
        widths,
        scalar: T::NAME,
        activation,
        residual: "labels",
        rho,
        rate: None,
        traces: None,
        high_dimension: None,
        measured: None,
        trials: None,
        why,
    }
}
