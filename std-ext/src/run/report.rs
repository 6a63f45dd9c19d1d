//! The result of a run: as JSON, as a table, and as the history's CSV.

use super::config::RuleName;
use super::train::Record;
use crate::measure::{LayerReport, OVERFLOW};
use crate::memory::Growing;
use crate::notes::{Reasons, number};
use crate::table::Table;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The object that `agop train --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainReport {
    /// `agop.train/1`.
    pub schema: &'static str,
    /// What the files of samples and labels were taken for; left out of the object for a task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What a reader of the numbers should know: dead layers, inputs far from unit scale.
    pub notes: Vec<String>,
    /// The result of each rule.
    pub rules: BTreeMap<&'static str, RuleReport>,
}

/// The result of one rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleReport {
    /// Updates done.
    pub steps: u64,
    /// `(1/n) sum |f - y|^2` on the training samples (or the mean cross-entropy); `None` when it overflows.
    pub train_loss: Option<f64>,
    /// The same on the test samples.
    pub test_loss: Option<f64>,
    /// Share of test samples classified rightly; `None` with one output.
    pub test_accuracy: Option<f64>,
    /// The measures of each hidden layer.
    pub layers: Vec<LayerReport>,
    /// Cosine of the first layer's NFM with the task's expected gradient outer product.
    pub feature_alignment: Option<f64>,
    /// Digest of the last record.
    pub digest: String,
    /// Why a number is missing.
    pub why: BTreeMap<&'static str, String>,
}

impl RuleReport {
    /// The report of a record; `unknown` says why the task has no expected gradient outer product, if so.
    pub fn new(record: &Record, unknown: Option<&str>) -> Self {
        let mut why = BTreeMap::new();
        if record.feature_alignment.is_none() {
            let reason = unknown
                .unwrap_or("undefined: the first layer's weights are zero, or their products overflow f64");
            why.insert("feature_alignment", reason.to_owned());
        }
        if record.test_accuracy.is_none() {
            why.insert("test_accuracy", "one output has no argmax".to_owned());
        }
        let mut loss = |key, x: f64| {
            let x = Some(x).filter(|x| x.is_finite());
            if x.is_none() {
                why.insert(key, OVERFLOW.to_owned());
            }
            x
        };
        let (train_loss, test_loss) =
            (loss("train_loss", record.train_loss), loss("test_loss", record.test_loss));
        Self {
            steps: record.step,
            train_loss,
            test_loss,
            test_accuracy: record.test_accuracy,
            layers: record.layers.clone(),
            feature_alignment: record.feature_alignment,
            digest: record.digest.to_string(),
            why,
        }
    }
}

impl TrainReport {
    /// The report of the last records of all rules, without a word on the data.
    pub fn new<'r>(last: impl IntoIterator<Item = (RuleName, &'r Record)>, unknown: Option<&str>) -> Self {
        let rules =
            last.into_iter().map(|(rule, record)| (rule.name(), RuleReport::new(record, unknown))).collect();
        Self { schema: "agop.train/1", data: None, notes: Vec::new(), rules }
    }

    /// A table for people.
    pub fn table(&self) -> String {
        const COLUMNS: [(&str, &str); 4] = [
            ("train_loss", "train loss"),
            ("test_loss", "test loss"),
            ("test_accuracy", "accuracy"),
            ("feature_alignment", "alignment"),
        ];
        let mut out = self.data.as_ref().map(|data| format!("{data}\n\n")).unwrap_or_default();
        let mut reasons = Reasons::default();
        let number = |x: Option<f64>| number(x, 4);
        let headings = ["rule", "steps"].into_iter().chain(COLUMNS.map(|(_, heading)| heading));
        let mut results = Table::new(1, headings);
        let headings = ["rule", "layer", "shape", "UC-NFC", "UC sqrt", "C-NFC", "DC-NFC", "change"];
        let mut measures = Table::new(1, headings);
        for (name, rule) in &self.rules {
            for (key, heading) in COLUMNS {
                if let Some(reason) = rule.why.get(key) {
                    reasons.add(heading, *name, reason);
                }
            }
            let numbers = [rule.train_loss, rule.test_loss, rule.test_accuracy, rule.feature_alignment];
            let cells = [(*name).to_owned(), rule.steps.to_string()].into_iter();
            results.row(cells.chain(numbers.map(number)));
            for layer in &rule.layers {
                let place = format!("{name} layer {}", layer.layer);
                let uncentered = [("cosine", "UC-NFC"), ("cosine_sqrt", "UC sqrt")];
                reasons.add_block("", &place, &layer.uncentered.why, &uncentered);
                reasons.add_block("", &place, &layer.centered.why, &[("cosine", "C-NFC")]);
                reasons.add_block("", &place, &layer.double_centered.why, &[("cosine", "DC-NFC")]);
                if let Some(reason) = layer.why.get("relative_change") {
                    reasons.add("change", place, reason);
                }
                let shape = format!("{}x{}", layer.outputs, layer.inputs);
                let cells = [(*name).to_owned(), layer.layer.to_string(), shape].into_iter();
                let (uc, c, dc) = (&layer.uncentered, &layer.centered, &layer.double_centered);
                let numbers = [uc.cosine, uc.cosine_sqrt, c.cosine, dc.cosine, layer.relative_change];
                measures.row(cells.chain(numbers.map(number)));
            }
        }
        out += &format!("{results}\n{measures}\n");
        self.notes.iter().for_each(|note| out += &format!("note: {note}\n"));
        out += &reasons.lines();
        out.push_str(
            "UC-NFC: cosine of W^T W and W^T K W; sqrt: with the root of the latter; C: W - W_0; DC: K - K_0 too.\n\
             alignment: cosine of the first layer's W^T W and the task's expected gradient outer product.\n",
        );
        out
    }
}

/// The longest number of a history: the largest and the smallest ones are written without an exponent.
const LONGEST_NUMBER: u64 = 330;

/// No history of so many measurements of a network with so many hidden layers has more bytes.
pub(super) fn longest_history(measurements: u64, hidden_layers: usize) -> u64 {
    let numbers = (hidden_layers as u64).saturating_mul(10).saturating_add(5);
    measurements.saturating_add(1).saturating_mul(numbers.saturating_mul(LONGEST_NUMBER + 1))
}

/// The usual length of such a history.
pub(super) fn usual_history(measurements: u64, hidden_layers: usize) -> u64 {
    longest_history(measurements, hidden_layers) / 16
}

/// Adds a record to a history, the CSV of a training: a line with the names of the columns, then one for each record,
/// numbers in shortest round-trip digits, empty where undefined; a bound is that of the cosine before it.
///
/// # Errors
/// When the memory cannot be had.
pub(super) fn add_record(history: &mut Growing, record: &Record) -> io::Result<()> {
    if history.0.is_empty() {
        write!(history, "step,train_loss,test_loss,test_accuracy,feature_alignment")?;
        for layer in 0..record.layers.len() {
            for key in [
                "relative_change",
                "uncentered_cosine",
                "uncentered_pearson",
                "uncentered_bound",
                "centered_cosine",
                "centered_pearson",
                "centered_bound",
                "double_centered_cosine",
                "double_centered_pearson",
                "double_centered_bound",
            ] {
                write!(history, ",layer{layer}_{key}")?;
            }
        }
        writeln!(history, ",digest")?;
    }
    let number = |x: Option<f64>| x.map(|x| x.to_string()).unwrap_or_default();
    let finite = |x: f64| number(Some(x).filter(|x| x.is_finite()));
    let (train, test) = (finite(record.train_loss), finite(record.test_loss));
    write!(history, "{},{train},{test},{}", record.step, number(record.test_accuracy))?;
    write!(history, ",{}", number(record.feature_alignment))?;
    for layer in &record.layers {
        let (u, c, dc) = (&layer.uncentered, &layer.centered, &layer.double_centered);
        write!(history, ",{}", number(layer.relative_change))?;
        for x in [u, c, dc].into_iter().flat_map(|block| [block.cosine, block.pearson, block.bound.cosine]) {
            write!(history, ",{}", number(x))?;
        }
    }
    writeln!(history, ",{}", record.digest)
}
