//! The prediction as a report: JSON and a table.

use crate::measure::OVERFLOW;
use crate::table::Table;
use agop_core::correlation::Undefined;
use agop_core::early_time::RunningStatistics;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The object that `agop predict --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PredictReport {
    /// `agop.predict/1`.
    pub schema: &'static str,
    /// `limit`, `quadratic` or `wide`.
    pub model: &'static str,
    /// Number of samples.
    pub samples: usize,
    /// How the labels were interpreted.
    pub labels: String,
    /// Inputs, hidden widths, outputs.
    pub widths: Vec<usize>,
    /// Scalar to which inputs, labels and weights were rounded; all else is f64.
    pub scalar: &'static str,
    /// Activation of the hidden layers.
    pub activation: &'static str,
    /// The residual of the gradient: `loss` (`n dloss/df` at the given weights) or `labels` (the limit of a readout that
    /// goes to zero).
    pub residual: &'static str,
    /// The predicted C-NFC at 0+, one entry a hidden layer.
    pub rho: Vec<Option<f64>>,
    /// Its derivative with respect to gradient-flow time; `None` for models without given weights.
    pub rate: Option<Vec<Option<f64>>>,
    /// Expected traces of the quadratic model.
    pub traces: Option<TracesReport>,
    /// The same prediction at leading order in high dimension, of the quadratic model.
    pub high_dimension: Option<HighDimension>,
    /// C-NFC after one small gradient step, where weights are given.
    pub measured: Option<Measured>,
    /// What drawn weights give, where the prediction is for random ones.
    pub trials: Option<Trials>,
    /// Why a number is missing, by its key (`rho.0`: of layer 0).
    pub why: BTreeMap<String, String>,
}

/// Expected traces, unnormalised: `E tr(MPMP)`, `E tr(MPMBMP)`, `E tr(MBMPMBMP)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TracesReport {
    /// Of F and F.
    pub ff: Option<f64>,
    /// Of F and G.
    pub fg: Option<f64>,
    /// Of G and G.
    pub gg: Option<f64>,
}

/// The high-dimensional limit of the quadratic model, and the part of each trace that it neglects.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HighDimension {
    /// C-NFC from the leading orders.
    pub rho: Option<f64>,
    /// `1 - leading / exact` of each trace.
    pub neglected: Neglected,
}

/// Parts of the three traces.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Neglected {
    /// Of ff; `None` where the trace is zero.
    pub ff: Option<f64>,
    /// Of fg.
    pub fg: Option<f64>,
    /// Of gg.
    pub gg: Option<f64>,
}

/// C-NFC after one full-batch gradient step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Size of the step: it moves the weights by about a millionth of their length.
    pub step: f64,
    /// The measured C-NFC.
    pub rho: Vec<Option<f64>>,
    /// What limit and one-step coefficient give for that size.
    pub expected: Vec<Option<f64>>,
}

/// The observed limit over independent draws of the weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trials {
    /// Draws.
    pub count: u32,
    /// Their seed.
    pub seed: u64,
    /// Draws in which the correlation was defined.
    pub defined: Vec<u32>,
    /// Mean of the observed limits.
    pub mean: Vec<Option<f64>>,
    /// Standard deviation of one draw.
    pub deviation: Vec<Option<f64>>,
}

impl Trials {
    /// The trials of every hidden layer.
    pub fn new(count: u32, seed: u64, layers: &[RunningStatistics]) -> Self {
        Self {
            count,
            seed,
            defined: layers.iter().map(RunningStatistics::count).collect(),
            mean: layers.iter().map(RunningStatistics::mean).collect(),
            deviation: layers.iter().map(RunningStatistics::deviation).collect(),
        }
    }
}

/// The values that are defined; the reasons of the others are noted under `KEY.LAYER`.
pub(super) fn defined(
    key: &str,
    values: &[Result<f64, Undefined>],
    why: &mut BTreeMap<String, String>,
) -> Vec<Option<f64>> {
    let each = values.iter().enumerate().map(|(layer, value)| match value {
        Ok(value) if value.is_finite() => Some(*value),
        Ok(_) => {
            why.insert(format!("{key}.{layer}"), OVERFLOW.to_owned());
            None
        }
        Err(reason) => {
            why.insert(format!("{key}.{layer}"), reason.to_string());
            None
        }
    });
    each.collect()
}

/// The number if it is finite; else `reason` is noted under `key`.
pub(super) fn finite(key: &str, value: f64, reason: &str, why: &mut BTreeMap<String, String>) -> Option<f64> {
    if !value.is_finite() {
        why.insert(key.to_owned(), reason.to_owned());
        return None;
    }
    Some(value)
}

impl PredictReport {
    /// Parts that belong to one model only, with its name.
    const PARTS: [(&str, &str); 4] =
        [("rate", "limit"), ("measured", "limit"), ("traces", "quadratic"), ("high_dimension", "quadratic")];

    /// Notes why the parts are missing that other models have, and the trials, which have `no_trials` for a reason unless
    /// another is known.
    pub(super) fn explain_missing_parts(&mut self, no_trials: &str) {
        for (part, owner) in Self::PARTS.iter().filter(|(_, owner)| *owner != self.model) {
            self.why.insert((*part).to_owned(), format!("only the {owner} model has it"));
        }
        if self.trials.is_none() {
            self.why.entry("trials".to_owned()).or_insert_with(|| no_trials.to_owned());
        }
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let widths: Vec<String> = self.widths.iter().map(ToString::to_string).collect();
        let mut out = format!(
            "{} samples, {} model, {} activation, widths {}, residual = {}, {}\nlabels: {}\n\n",
            self.samples,
            self.model,
            self.activation,
            widths.join("-"),
            if self.residual == "labels" { "labels" } else { "n dloss/df" },
            self.scalar,
            self.labels
        );
        let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.6}"));
        let part = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.4}"));
        let entry = |all: &[Option<f64>], layer: usize| number(all.get(layer).copied().flatten());
        let some =
            |column: bool, headings: &[&'static str]| if column { headings.to_vec() } else { Vec::new() };
        let headings = [
            vec!["layer", "predicted"],
            some(self.rate.is_some(), &["rate"]),
            some(self.measured.is_some(), &["at the step", "measured"]),
            some(self.trials.is_some(), &["mean", "deviation", "draws"]),
        ];
        let mut table = Table::new(0, headings.concat());
        for layer in 0..self.rho.len() {
            let mut cells = vec![layer.to_string(), entry(&self.rho, layer)];
            if let Some(rate) = &self.rate {
                let rate = rate.get(layer).copied().flatten();
                cells.push(rate.map_or_else(|| "-".to_owned(), |x| format!("{x:.6e}")));
            }
            if let Some(measured) = &self.measured {
                cells.extend([entry(&measured.expected, layer), entry(&measured.rho, layer)]);
            }
            if let Some(trials) = &self.trials {
                let count = trials.defined.get(layer).copied().unwrap_or(0);
                cells.extend([
                    entry(&trials.mean, layer),
                    entry(&trials.deviation, layer),
                    count.to_string(),
                ]);
            }
            table.row(cells);
        }
        out += &format!("{table}\n");
        if let Some(TracesReport { ff, fg, gg }) = self.traces {
            let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.6e}"));
            let _ = writeln!(out, "expected traces: ff {}, fg {}, gg {}", number(ff), number(fg), number(gg));
        }
        if let Some(HighDimension { rho, neglected: Neglected { ff, fg, gg } }) = self.high_dimension {
            let _ = writeln!(
                out,
                "high-dimensional limit: {}; it neglects {} of ff, {} of fg, {} of gg",
                number(rho),
                part(ff),
                part(fg),
                part(gg)
            );
        }
        if let Some(measured) = &self.measured {
            let _ = writeln!(out, "measured after one gradient step of size {:.3e}", measured.step);
        }
        // That a model has not the parts of another is no news to people, who see its name.
        let other = |key: &str| Self::PARTS.iter().any(|(part, owner)| *part == key && *owner != self.model);
        for (key, reason) in self.why.iter().filter(|(key, _)| !other(key)) {
            let _ = writeln!(out, "{key}: {reason}");
        }
        out.push_str(match self.model {
            "limit" => "predicted: C-NFC as t -> 0+ at these weights; rate: its change a unit of gradient-flow time.\n",
            "quadratic" => "predicted: ratio of the expected traces over Gaussian weights, at this size; mean: of drawn ones.\n",
            _ => "predicted: C-NFC as t -> 0+ at infinite width; mean: of networks drawn at these widths.\n",
        });
        out
    }
}
