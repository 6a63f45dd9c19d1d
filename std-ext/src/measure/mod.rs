//! The measures of a network as a report: every correlation of every hidden layer, with bounds and reasons.

mod controls;
mod course;
mod dump;
mod features;
mod files;
mod outputs;
mod spectra;

pub use controls::{Controls, controls};
pub use course::{MeasureCourse, Measured, is_one};
pub use dump::LayerFiles;
pub use features::{Features, Proof};
pub use files::{MeasureFiles, MeasureReport, NamedLayer};
pub use outputs::Agreement;
pub use spectra::{AngleErrors, Angles, AnglesOfPair, PowerOfPair, PowerReport, Spectral};

use crate::error::Result;
use crate::machine::Machine;
use crate::memory::filled;
use crate::network::Model;
use agop_core::activation::Activation;
use agop_core::correlation::{
    Certified, Correlation, Correlations, GivenErrors, LayerMeasure, Powers, Unbounded, measure_layer,
    measure_workspace,
};
use agop_core::feature::ptk_of_layer;
use agop_core::scalar::Real;
use serde::Serialize;
use std::collections::BTreeMap;

/// Why a number beyond the range of `f64` is missing.
pub(crate) const OVERFLOW: &str = "undefined: the value overflows f64";

/// Why the changes are missing where there are no weights to start from.
const NEEDS_INIT: &str = "needs --init: the weights before training";

/// The measures of one hidden layer, as in the command's JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerReport {
    /// Index of the layer.
    pub layer: usize,
    /// Its fan-in d.
    pub inputs: usize,
    /// Its width k.
    pub outputs: usize,
    /// `|W - W_0|_F / |W|_F`; `None` when W is zero or so small beside W_0 that it overflows `f64`.
    pub relative_change: Option<f64>,
    /// Why `relative_change` is missing, by its key; left out of the object when it is there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub why: BTreeMap<String, String>,
    /// What chance and covariance give; left out of the object where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controls: Option<Controls>,
    /// UC-NFC.
    pub uncentered: Block,
    /// C-NFC.
    pub centered: Block,
    /// DC-NFC.
    pub double_centered: Block,
    /// Correlations with the powers of G that were asked for; left out of the object without any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub powers: Vec<PowerReport>,
    /// Angles between leading subspaces; left out of the object where they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub angles: Option<Angles>,
}

/// The correlations of one pair of matrices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Block {
    /// Cosine of F and G.
    pub cosine: Option<f64>,
    /// Pearson over entries.
    pub pearson: Option<f64>,
    /// Cosine of F and `G^(1/2)`.
    pub cosine_sqrt: Option<f64>,
    /// Pearson of F and `G^(1/2)`.
    pub pearson_sqrt: Option<f64>,
    /// `tr(F G)`; `None` when it overflows `f64`.
    pub inner: Option<f64>,
    /// Absolute error bounds.
    pub bound: Bounds,
    /// Why a number is missing, by its key; bounds as `bound.KEY`.
    pub why: BTreeMap<String, String>,
}

/// Absolute error bounds of a block's correlations: how far they can be from those of the exact network and samples, as they
/// were read or, where files are of a wider type than the scalar, as they stand in the files. Standardised inputs are samples as
/// `f64` computes them: their rounding to the scalar counts, that of the statistics does not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Bounds {
    /// Of `cosine`.
    pub cosine: Option<f64>,
    /// Of `pearson`.
    pub pearson: Option<f64>,
    /// Of `cosine_sqrt`.
    pub cosine_sqrt: Option<f64>,
    /// Of `pearson_sqrt`.
    pub pearson_sqrt: Option<f64>,
}

impl Block {
    /// The report of a set of correlations.
    pub fn new(c: &Correlations) -> Self {
        let mut why = BTreeMap::new();
        let mut take = |key: &str, correlation: Correlation| match correlation {
            Ok(Certified { value, bound: Ok(bound) }) => (Some(value), Some(bound)),
            Ok(Certified { value, bound: Err(reason) }) => {
                let help = match reason {
                    Unbounded::UncertainSlope => "; --certify counts it both ways",
                    Unbounded::NotComputed => ": it needs --certify",
                    _ => "",
                };
                why.insert(format!("bound.{key}"), format!("{reason}{help}"));
                (Some(value), None)
            }
            Err(reason) => {
                why.insert(key.to_owned(), reason.to_string());
                why.insert(format!("bound.{key}"), reason.to_string());
                (None, None)
            }
        };
        let cosine = take("cosine", c.cosine);
        let pearson = take("pearson", c.pearson);
        let cosine_sqrt = take("cosine_sqrt", c.cosine_sqrt);
        let pearson_sqrt = take("pearson_sqrt", c.pearson_sqrt);
        let inner = Some(c.inner).filter(|inner| inner.is_finite());
        if inner.is_none() {
            why.insert("inner".to_owned(), OVERFLOW.to_owned());
        }
        Self {
            cosine: cosine.0,
            pearson: pearson.0,
            cosine_sqrt: cosine_sqrt.0,
            pearson_sqrt: pearson_sqrt.0,
            inner,
            bound: Bounds {
                cosine: cosine.1,
                pearson: pearson.1,
                cosine_sqrt: cosine_sqrt.1,
                pearson_sqrt: pearson_sqrt.1,
            },
            why,
        }
    }
}

impl Block {
    /// A block of which nothing is defined.
    fn missing(reason: &str) -> Self {
        let keys = ["cosine", "pearson", "cosine_sqrt", "pearson_sqrt"];
        let bounds = keys.map(|key| format!("bound.{key}"));
        let keys = keys.map(str::to_owned).into_iter().chain(bounds).chain(["inner".to_owned()]);
        Self {
            cosine: None,
            pearson: None,
            cosine_sqrt: None,
            pearson_sqrt: None,
            inner: None,
            bound: Bounds::default(),
            why: keys.map(|key| (key, reason.to_owned())).collect(),
        }
    }
}

impl LayerReport {
    /// Takes out what needs weights from before the training.
    fn without_initial(&mut self, reason: &str) {
        self.centered = Block::missing(reason);
        self.double_centered = Block::missing(reason);
        self.relative_change = None;
        self.why.insert("relative_change".to_owned(), reason.to_owned());
        for power in &mut self.powers {
            power.centered = PowerOfPair::missing(reason);
            power.double_centered = PowerOfPair::missing(reason);
        }
        if let Some(angles) = &mut self.angles {
            angles.centered = AnglesOfPair::missing(reason);
        }
    }

    /// The report of a measured layer.
    pub fn new(layer: usize, inputs: usize, outputs: usize, m: &LayerMeasure) -> Self {
        let change = m.relative_change.map_err(|reason| reason.to_string());
        let change = change.and_then(|x| if x.is_finite() { Ok(x) } else { Err(OVERFLOW.to_owned()) });
        let why = change.clone().err().map(|reason| ("relative_change".to_owned(), reason));
        Self {
            layer,
            inputs,
            outputs,
            relative_change: change.ok(),
            why: why.into_iter().collect(),
            controls: None,
            uncentered: Block::new(&m.uncentered),
            centered: Block::new(&m.centered),
            double_centered: Block::new(&m.double_centered),
            powers: Vec::new(),
            angles: None,
        }
    }
}

/// Measures every hidden layer, several at once on the threads of the machine.
///
/// **Shapes** both models of one shape, with their features over the same samples. `read` is the relative error with which
/// weights were read.
///
/// # Errors
/// As [`measure_layer`], and when the memory cannot be had.
pub fn measure<T: Real, A: Activation<T> + Sync>(
    machine: &Machine,
    trained: (&Model<T, A>, &Features<T>),
    initial: (&Model<T, A>, &Features<T>),
    read: f64,
    powers: Powers,
) -> Result<Vec<LayerReport>> {
    let none = Spectral { rank: Some(0), ..Spectral::default() };
    measure_spectra(machine, trained, initial, read, powers, none)
}

/// [`measure`], with the powers and angles that are asked for.
pub(crate) fn measure_spectra<T: Real, A: Activation<T> + Sync>(
    machine: &Machine,
    (model, features): (&Model<T, A>, &Features<T>),
    (initial, initial_features): (&Model<T, A>, &Features<T>),
    read: f64,
    powers: Powers,
    spectral: Spectral<'_>,
) -> Result<Vec<LayerReport>> {
    let shape = model.shape()?;
    machine.threads.each(shape.hidden_layers(), |layer| {
        let (w, w_0) = (model.weights(layer)?, initial.weights(layer)?);
        let k = ptk_of_layer(shape, &features.values, layer)?;
        let k_0 = ptk_of_layer(shape, &initial_features.values, layer)?;
        let error = |features: &Features<T>| features.errors.get(layer).copied().flatten();
        let given = GivenErrors { weights: read, ptk: error(features), initial_ptk: error(initial_features) };
        let mut workspace = filled("workspace", measure_workspace(w.rows(), w.columns()), 0.0)?;
        let measured = measure_layer(machine.level, w, w_0, k, k_0, given, powers, &mut workspace)?;
        let mut report = LayerReport::new(layer, w.columns(), w.rows(), &measured);
        drop(workspace);
        spectral.add(machine.level, &mut report, (w, Some(w_0)), k, given, Some(shape.outputs()))?;
        Ok(report)
    })
}
