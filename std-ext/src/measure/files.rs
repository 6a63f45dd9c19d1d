//! Measuring two checkpoints on given samples.

use super::{Features, LayerReport, Proof, measure};
use crate::checkpoint::{self, Checkpoint};
use crate::dataset::read_matrix;
use crate::error::{Error, ParseError, Result, shape_text};
use crate::network::{Model, hash_parameters};
use crate::run::train::Machine;
use agop_core::activation::AnyActivation;
use agop_core::correlation::Powers;
use agop_core::digest::{CONTRACT_VERSION, Hasher};
use agop_core::feature_error::ReadError;
use agop_core::matrix::MatRef;
use agop_core::scalar::Real;
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct MeasureFiles<'p> {
    /// Weights before training (safetensors).
    pub initial: &'p Path,
    /// Weights after training (safetensors).
    pub weights: &'p Path,
    /// Samples, one a row (`.npy`).
    pub data: &'p Path,
}

/// The object that `agop measure --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasureReport {
    /// `agop.measure/1`.
    pub schema: &'static str,
    /// Number of samples.
    pub samples: usize,
    /// Scalar of the passes.
    pub scalar: &'static str,
    /// Activation of the hidden layers.
    pub activation: &'static str,
    /// Version of the bit contract.
    pub contract: u32,
    /// Of weights, initial weights and samples, with their shapes.
    pub digest: String,
    /// The hidden layers, first to last.
    pub layers: Vec<LayerReport>,
}

impl MeasureReport {
    /// Reads the files and measures.
    ///
    /// # Errors
    /// All that reading can say; networks of different shapes; samples of another width than the network's input.
    pub fn of_files<T: Real>(
        machine: Machine,
        files: MeasureFiles<'_>,
        activation: AnyActivation,
        certify: bool,
    ) -> Result<Self> {
        let initial: Model<T, _> = read_model(files.initial, activation, None)?;
        let trained: Model<T, _> = read_model(files.weights, activation, None)?;
        let input = |file: &Path, place: &str, reason: String| Err(Error::input(file, place, reason));
        if initial.widths() != trained.widths() {
            let (expected, found) = (shape_text(initial.widths()), shape_text(trained.widths()));
            let reason = format!("widths {found}, {} has {expected}", files.initial.display());
            return input(files.weights, "shape", reason);
        }
        if initial.bias() != trained.bias() {
            let (with, without) =
                if trained.bias() { (files.weights, files.initial) } else { (files.initial, files.weights) };
            let reason = format!("no biases, {} has them", with.display());
            return input(without, "tensors", reason);
        }
        let (samples, columns, values) = read_matrix::<T>(files.data)?;
        let inputs = trained.widths().first().copied().unwrap_or_default();
        if columns != inputs {
            let reason = format!("{columns} columns, the network takes {inputs} inputs");
            return input(files.data, "shape", reason);
        }
        let mut hash = Hasher::new();
        for model in [&trained, &initial] {
            hash_parameters(&mut hash, model.shape()?, model.parameters());
        }
        hash.array(&[samples, columns], &values);
        let Machine { level, threads } = machine;
        let mut memory = trained.feature_accumulator(threads, samples)?;
        let x = MatRef::new(&values, samples, columns)?;
        // Finite weights can still give outputs that are not.
        let overflow = |file: &Path| {
            let file = file.to_path_buf();
            move |error| match error {
                Error::Core(agop_core::error::Error::Workspace { .. }) => error,
                Error::Core(error) => Error::input(file, "network", format!("in {}: {error}", T::NAME)),
                other => other,
            }
        };
        let (powers, proof) = if certify {
            (Powers::OneAndBoundedHalf, Proof::Certified)
        } else {
            (Powers::OneAndHalf, Proof::Plain)
        };
        let read = ReadError { weights: 0.0, inputs: 0.0 };
        let features = Features::new(level, &trained, x, (read, proof), &mut memory);
        let features = features.map_err(overflow(files.weights))?;
        let initial_features = Features::new(level, &initial, x, (read, proof), &mut memory);
        let initial_features = initial_features.map_err(overflow(files.initial))?;
        let (now, then) = ((&trained, &features), (&initial, &initial_features));
        let measured = measure(level, now, then, read.weights, powers, &memory);
        let layers = measured.map_err(|error| match error {
            Error::Core(error) => Error::input(files.weights, "network", error.to_string()),
            other => other,
        })?;
        Ok(Self {
            schema: "agop.measure/1",
            samples,
            scalar: T::NAME,
            activation: activation.name(),
            contract: CONTRACT_VERSION,
            digest: hash.finish().to_string(),
            layers,
        })
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let mut out = format!(
            "{} samples, {} activation, {}, {}\n\n",
            self.samples, self.activation, self.scalar, self.digest
        );
        let _ = writeln!(
            out,
            "{:>5} {:>9} {:<15} {:>11} {:>11} {:>11} {:>11} {:>12} {:>8}",
            "layer", "shape", "weights", "cosine", "pearson", "cosine sqrt", "pears. sqrt", "inner", "bound"
        );
        let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.8}"));
        for layer in &self.layers {
            let blocks = [
                ("uncentered", &layer.uncentered),
                ("centered", &layer.centered),
                ("double-centered", &layer.double_centered),
            ];
            for (name, block) in blocks {
                let _ = writeln!(
                    out,
                    "{:>5} {:>9} {name:<15} {:>11} {:>11} {:>11} {:>11} {:>12} {:>8}",
                    layer.layer,
                    format!("{}x{}", layer.outputs, layer.inputs),
                    number(block.cosine),
                    number(block.pearson),
                    number(block.cosine_sqrt),
                    number(block.pearson_sqrt),
                    block.inner.map_or_else(|| "-".to_owned(), |x| format!("{x:.4e}")),
                    block.bound.cosine.map_or_else(|| "-".to_owned(), |x| format!("{x:.0e}")),
                );
            }
            let change = number(layer.relative_change);
            let _ = writeln!(out, "{:>5} {:>9} relative change {change}\n", "", "");
        }
        out.push_str(
            "Correlations of F = W^T W and G = W^T K W; centered: W - W_0; double-centered: K - K_0 too;\n\
             sqrt: with the root of G; bound: on the error of the cosine of these K and W, not on the rounding of K itself.\n\
             --json has every number and why one is missing.\n",
        );
        out
    }
}

/// A network from a file, in the scalar that is computed in; `layers` gives their order.
///
/// # Errors
/// As [`checkpoint::read_in_order`]; values that overflow the scalar; a network without a hidden layer.
pub fn read_model<T: Real>(
    path: &Path,
    activation: AnyActivation,
    layers: Option<&[String]>,
) -> Result<Model<T, AnyActivation>> {
    let checkpoint: Checkpoint = checkpoint::read_in_order(path, layers)?;
    let widths = checkpoint.widths();
    let in_file = |error: ParseError| error.in_file(path);
    let parameters = checkpoint.parameters().map_err(in_file)?;
    if widths.len() < 3 {
        return Err(Error::input(path, "tensors", "one layer only; a network needs a hidden layer"));
    }
    Model::new(widths, checkpoint.has_bias(), activation, parameters)
        .map_err(|error| Error::input(path, "tensors", error.to_string()))
}
