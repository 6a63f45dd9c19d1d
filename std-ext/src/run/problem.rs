//! The samples of a run, ready to train on.

use super::config::{Config, Data, Synthetic};
use crate::dataset::{Array, Classes, Targets, npy, read_matrix};
use crate::error::{Error, Result};
use crate::memory::{collected, filled};
use crate::samples::{Inputs, Samples};
use agop_core::digest::{Digest, Hasher};
use agop_core::loss::AnyLoss;
use agop_core::matrix::MatMut;
use agop_core::random::{Purpose, Stream};
use agop_core::scalar::Real;
use agop_core::task::{chain_monomial, chain_monomial_outer_product, fill_gaussian};
use std::fmt::Write;
use std::path::Path;

/// Everything a run trains and tests on.
#[derive(Debug)]
pub struct Problem<T> {
    /// Width of the input d.
    pub dimension: usize,
    /// Number of outputs c.
    pub outputs: usize,
    /// Training samples.
    pub train: Samples<T>,
    /// Test samples.
    pub test: Samples<T>,
    /// The task's expected gradient outer product (d x d), or why it is not known.
    pub outer_product: std::result::Result<Vec<f64>, &'static str>,
    /// Of all samples, as read.
    pub digest: Digest,
    /// What the files were taken for; `None` for a task.
    pub understood: Option<String>,
}

impl<T: Real> Problem<T> {
    /// Makes or reads the samples of a run.
    ///
    /// # Errors
    /// As [`Config::check`], too many values, cross-entropy of a single class, and all that reading a file can say.
    pub fn load(config: &Config) -> Result<Self> {
        config.check()?;
        let mut problem = match &config.data {
            Data::ChainMonomial(sizes) => synthetic(config.seed, sizes, true)?,
            Data::RandomLabels(sizes) => synthetic(config.seed, sizes, false)?,
            Data::Files { data, labels, test_data, test_labels } => {
                let loss = config.training.loss;
                match (test_data, test_labels) {
                    (Some(test_data), Some(test_labels)) => {
                        given(loss, [data, labels], Some([test_data, test_labels]), config.seed)?
                    }
                    (None, None) => given(loss, [data, labels], None, config.seed)?,
                    _ => {
                        let reason = "--test-data and --test-labels go together";
                        return Err(Error::Usage(reason.into()));
                    }
                }
            }
        };
        enough_classes(config.training.loss, problem.outputs)?;
        let mut hash = Hasher::new();
        for samples in [&problem.train, &problem.test] {
            samples.inputs.hash(&mut hash)?;
            hash.array(&[samples.count, problem.outputs], &samples.targets);
        }
        problem.digest = hash.finish();
        Ok(problem)
    }
}

/// Cross-entropy with one class is zero whatever the network gives: nothing would be learnt.
///
/// # Errors
/// [`Error::Usage`] then.
pub(crate) fn enough_classes(loss: AnyLoss, outputs: usize) -> Result<()> {
    if loss == AnyLoss::CrossEntropy && outputs < 2 {
        let reason = format!("--loss cross-entropy: expected at least 2 classes, found {outputs}");
        return Err(Error::Usage(reason));
    }
    Ok(())
}

/// The most values that a synthetic data set may take: a typing error must not eat the machine.
const MOST_VALUES: usize = 1 << 31;

fn synthetic<T: Real>(seed: u64, sizes: &Synthetic, monomial: bool) -> Result<Problem<T>> {
    let Synthetic { rank, dimension, samples, test_samples, spectrum } = *sizes;
    if samples.saturating_add(test_samples).saturating_mul(dimension) > MOST_VALUES {
        return Err(Error::Usage(format!(
            "({samples} + {test_samples}) samples of {dimension} values: more than {MOST_VALUES} values in all"
        )));
    }
    let make = |inputs_of: Purpose, labels_of: Purpose, count: usize| -> Result<Samples<T>> {
        let mut inputs = filled("inputs", count.saturating_mul(dimension), T::zero())?;
        let mut stream = Stream::new(seed, inputs_of, 0);
        fill_gaussian(&mut stream, spectrum, MatMut::new(&mut inputs, count, dimension)?)?;
        let mut targets = filled("targets", count, T::zero())?;
        if monomial {
            for (y, x) in targets.iter_mut().zip(inputs.chunks_exact(dimension)) {
                *y = chain_monomial(rank, x)?;
            }
        } else {
            Stream::new(seed, labels_of, 0).fill_normal(&mut targets);
        }
        Ok(Samples { count, inputs: Inputs::new(inputs, count, dimension)?, targets, classes: None })
    };
    let outer_product = if monomial {
        let mut expected =
            filled("expected gradient outer product", dimension.saturating_mul(dimension), 0.0)?;
        chain_monomial_outer_product(rank, spectrum, MatMut::new(&mut expected, dimension, dimension)?)?;
        Ok(expected)
    } else {
        Err("random labels have no expected gradient outer product")
    };
    Ok(Problem {
        dimension,
        outputs: 1,
        train: make(Purpose::TrainInputs, Purpose::TrainLabels, samples)?,
        test: make(Purpose::TestInputs, Purpose::TestLabels, test_samples)?,
        outer_product,
        digest: Hasher::new().finish(),
        understood: None,
    })
}

fn given<T: Real>(
    loss: AnyLoss,
    train: [&Path; 2],
    test: Option<[&Path; 2]>,
    seed: u64,
) -> Result<Problem<T>> {
    let read = |path: &Path| -> Result<(Array, Option<Classes>)> {
        let array = npy::read(path)?;
        let classes = Classes::of(&array).map_err(|error| error.in_file(path))?;
        Ok((array, classes))
    };
    let [train_data, train_labels] = train;
    let (array, mut classes) = read(train_labels)?;
    let mut test_array = None;
    let mut only_tested = Vec::new();
    if let Some([_, labels]) = test {
        let (array, test_classes) = read(labels)?;
        classes = match (classes, test_classes) {
            (Some(train), Some(test)) => {
                let both = train.clone().beside(&test);
                only_tested = train.missing(&both).collect();
                Some(both)
            }
            (None, None) => None,
            (train, _) => {
                let [classes, numbers] = ["classes (integers in one column)", "numbers, no classes"];
                let (found, expected) = if train.is_none() { (classes, numbers) } else { (numbers, classes) };
                let reason = format!("{found}, the training labels are {expected}");
                return Err(Error::input(labels, "labels", reason));
            }
        };
        test_array = Some(array);
    }
    let read = |data: &Path, labels: &Path, array: &Array| -> Result<(usize, Targets<T>, Samples<T>)> {
        let (count, dimension, inputs) = read_matrix(data)?;
        let targets = array.targets(count, classes.as_ref()).and_then(|targets| targets.for_loss(loss));
        let mut targets: Targets<T> = targets.map_err(|error| error.in_file(labels))?;
        let values = std::mem::take(&mut targets.values);
        let classes = targets.classes.take();
        let inputs = Inputs::new(inputs, count, dimension)?;
        Ok((dimension, targets, Samples { count, inputs, targets: values, classes }))
    };
    let (dimension, Targets { outputs, meaning, .. }, train) = read(train_data, train_labels, &array)?;
    let mut understood = format!("{} samples, {dimension} inputs, {meaning}", train.count);
    if !only_tested.is_empty() {
        let _ = write!(understood, " (in the test labels only: {only_tested:?})");
    }
    let (train, test) = match test.zip(test_array) {
        Some(([data, labels], array)) => {
            let (test_dimension, Targets { outputs: test_outputs, .. }, test) = read(data, labels, &array)?;
            if test_dimension != dimension {
                let reason = format!("{test_dimension} columns, the training data has {dimension}");
                return Err(Error::input(data, "shape", reason));
            }
            if test_outputs != outputs {
                let reason = format!("{test_outputs} outputs, the training labels have {outputs}");
                return Err(Error::input(labels, "shape", reason));
            }
            let _ = write!(understood, "; {} more for the test", test.count);
            (train, test)
        }
        None => {
            let mut order = collected("order of the samples", train.count, 0..train.count)?;
            Stream::new(seed, Purpose::Split, 0).shuffle(&mut order);
            let held_out = train.count / 5;
            if held_out == 0 {
                let reason =
                    format!("{} samples: holding out a fifth for the test needs at least 5", train.count);
                return Err(Error::input(train_labels, "shape", reason));
            }
            let _ = write!(understood, "; {held_out} held out for the test");
            let (test, rest) = order.split_at(held_out);
            (train.gather(rest)?, train.gather(test)?)
        }
    };
    let outer_product = Err("no expected gradient outer product is known for given data");
    let digest = Hasher::new().finish();
    Ok(Problem { dimension, outputs, train, test, outer_product, digest, understood: Some(understood) })
}
