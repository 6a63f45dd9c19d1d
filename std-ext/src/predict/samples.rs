//! What a prediction reads: samples, weights and a readout, in f64.

use super::files::PredictFiles;
use crate::checkpoint::read_model;
use crate::dataset::{Role, Targets, npy, with_labels};
use crate::error::{Error, Result, shape_text};
use crate::memory::collected;
use crate::network::Model;
use crate::run::problem::enough_classes;
use crate::run::train::widths;
use crate::samples::{Rows, load, rows_of};
use agop_core::activation::AnyActivation;
use agop_core::loss::AnyLoss;
use agop_core::matrix::MatRef;
use agop_core::scalar::Real;
use std::path::{Path, PathBuf};

/// Samples in f64, rounded to the scalar first.
pub(super) struct Samples {
    pub(super) count: usize,
    pub(super) dimension: usize,
    pub(super) outputs: usize,
    inputs: Vec<f64>,
    pub(super) targets: Vec<f64>,
    /// What the labels were taken for, and what was chosen where a file left a choice.
    pub(super) understood: String,
    /// The file that messages about labels name.
    pub(super) labels: PathBuf,
}

impl Samples {
    pub(super) fn read<T: Real>(
        files: &PredictFiles<'_>,
        loss: AnyLoss,
        seed: u64,
        memory: u64,
    ) -> Result<Self> {
        let PredictFiles { data, labels, reading, preparation, .. } = *files;
        let (source, mut labels, taken) = with_labels(data, labels, reading, Role::Train)?;
        let dimension = source.dimension();
        let chosen = preparation.choose(source, Some(&mut labels), preparation.divides().then_some(seed))?;
        let ([inputs], standard) = load::<T, 1>([chosen.train()], preparation.standardise, memory)?;
        let count = inputs.rows();
        let Some(inputs) = inputs.held() else {
            let reason = format!(
                "{count} samples of {dimension} {} inputs are more than --memory, and a prediction needs all of them at once: \
                 --limit takes fewer",
                T::NAME
            );
            return Err(Error::input(data.first(), "shape", reason));
        };
        let targets: Targets<T> = labels.targets(chosen.rows(), None)?;
        let mut targets = targets.for_loss(loss).map_err(|error| error.in_file(labels.path()))?;
        enough_classes(loss, targets.outputs)?;
        if let Some([train, _]) = &chosen.split {
            targets.values = rows_of("targets", &targets.values, targets.outputs, train)?;
        }
        let taken = preparation.said(&chosen, standard.as_deref()).into_iter().chain(taken).collect();
        Ok(Self {
            count,
            dimension,
            outputs: targets.outputs,
            inputs: wider(inputs)?,
            targets: wider(&targets.values)?,
            understood: [vec![targets.meaning], taken].concat().join("; "),
            labels: labels.path().to_path_buf(),
        })
    }

    pub(super) fn inputs(&self) -> Result<MatRef<'_, f64>> {
        Ok(MatRef::new(&self.inputs, self.count, self.dimension)?)
    }

    pub(super) fn targets(&self) -> Result<MatRef<'_, f64>> {
        Ok(MatRef::new(&self.targets, self.count, self.outputs)?)
    }

    /// The widths of a network on these samples.
    pub(super) fn widths(&self, hidden: &[usize]) -> Result<Vec<usize>> {
        widths(self.dimension, hidden, self.outputs)
    }
}

fn wider<T: Real>(values: &[T]) -> Result<Vec<f64>> {
    collected("numbers in f64", values.len(), values.iter().map(|x| x.to_f64()))
}

/// The weights of a file, fitting the samples.
pub(super) fn read_init<T: Real>(
    file: &Path,
    files: &PredictFiles<'_>,
    samples: &Samples,
    activation: AnyActivation,
) -> Result<Model<f64, AnyActivation>> {
    let read: Model<T, _> = read_model(file, activation, files.layers)?;
    let ends = (read.widths().first().copied(), read.widths().last().copied());
    if ends.0 != Some(samples.dimension) {
        let reason =
            format!("{} columns, the network takes {} inputs", samples.dimension, ends.0.unwrap_or(0));
        return Err(Error::input(files.data.first(), "shape", reason));
    }
    if ends.1 != Some(samples.outputs) {
        let reason =
            format!("{} targets a sample, the network has {} outputs", samples.outputs, ends.1.unwrap_or(0));
        return Err(Error::input(&samples.labels, "shape", reason));
    }
    Ok(Model::new(read.widths().to_vec(), read.bias(), activation, wider(read.parameters())?)?)
}

/// The readout in a file: k entries as (k), (k, 1) or (1, k).
pub(super) fn read_readout<T: Real>(file: &Path) -> Result<Vec<f64>> {
    let array = npy::read(file)?;
    match array.shape.as_slice() {
        [_] | [_, 1] | [1, _] => {}
        shape => {
            let reason = "expected k entries as (k), (k, 1) or (1, k)";
            return Err(Error::input(file, format!("shape {}", shape_text(shape)), reason));
        }
    }
    let (_, _, values) = array.matrix::<T>().map_err(|error| error.in_file(file))?;
    wider(&values)
}
