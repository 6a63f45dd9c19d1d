//! The samples of a run, ready to train on.

use super::config::{Config, Data, Files, Synthetic};
use crate::dataset::{Labels, Role, Source, Targets, with_labels};
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
            Data::Files(files) => given(config.training.loss, files, config.seed)?,
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

fn given<T: Real>(loss: AnyLoss, files: &Files, seed: u64) -> Result<Problem<T>> {
    let reading = &files.reading;
    if files.test_data.is_none() && files.test_labels.is_some() {
        return Err(Error::Usage("--test-labels: expected --test-data beside it, found none".into()));
    }
    let (mut inputs, labels, mut taken) =
        with_labels(&files.data, files.labels.as_ref(), reading, Role::Train)?;
    let test = files
        .test_data
        .as_ref()
        .map(|data| with_labels(data, files.test_labels.as_ref(), reading, Role::Test));
    let test = test.transpose()?;
    let mut classes = labels.classes().cloned();
    let mut only_tested = Vec::new();
    if let Some((_, labels, _)) = &test {
        classes = match (classes, labels.classes()) {
            (Some(train), Some(test)) => {
                let both = train.clone().beside(test);
                only_tested = train.missing(&both).collect();
                Some(both)
            }
            (None, None) => None,
            (train, _) => {
                let [classes, numbers] = ["classes (integers in one column)", "numbers, no classes"];
                let (found, expected) = if train.is_none() { (classes, numbers) } else { (numbers, classes) };
                let reason = format!("{found}, the training labels are {expected}");
                return Err(Error::input(labels.path(), "labels", reason));
            }
        };
    }
    let read = |inputs: &mut Source, labels: &Labels| -> Result<(Targets<T>, Samples<T>)> {
        let count = inputs.count();
        let values = inputs.read_all()?;
        let targets = labels.targets(count, classes.as_ref())?.for_loss(loss);
        let mut targets: Targets<T> = targets.map_err(|error| error.in_file(labels.path()))?;
        let classes = targets.classes.take();
        let targets_of = std::mem::take(&mut targets.values);
        let inputs = Inputs::new(values, count, inputs.dimension())?;
        Ok((targets, Samples { count, inputs, targets: targets_of, classes }))
    };
    let (Targets { outputs, meaning, .. }, train) = read(&mut inputs, &labels)?;
    let dimension = inputs.dimension();
    let mut understood = format!("{} samples, {dimension} inputs, {meaning}", train.count);
    if !only_tested.is_empty() {
        let _ = write!(understood, " (in the test labels only: {only_tested:?})");
    }
    let (train, test) = match (test, &files.test_data) {
        (Some((mut test_inputs, labels, also_taken)), Some(data)) => {
            let (Targets { outputs: test_outputs, .. }, test) = read(&mut test_inputs, &labels)?;
            if test_inputs.dimension() != dimension {
                let found = test_inputs.dimension();
                let reason = format!("{found} columns, the training data has {dimension}");
                return Err(Error::input(data.first(), "shape", reason));
            }
            if let (Some(found), Some(expected)) = (test_inputs.names(), inputs.names())
                && found != expected
            {
                return Err(Error::input(
                    data.first(),
                    "row 0",
                    "other names of columns than the training data",
                ));
            }
            if test_outputs != outputs {
                let reason = format!("{test_outputs} outputs, the training labels have {outputs}");
                return Err(Error::input(labels.path(), "shape", reason));
            }
            let _ = write!(understood, "; {} more for the test", test.count);
            let other = also_taken.into_iter().filter(|clause| !taken.contains(clause));
            let other: Vec<String> = other.map(|clause| format!("test: {clause}")).collect();
            taken.extend(other);
            (train, test)
        }
        _ => {
            let mut order = collected("order of the samples", train.count, 0..train.count)?;
            Stream::new(seed, Purpose::Split, 0).shuffle(&mut order);
            let held_out = train.count / 5;
            if held_out == 0 {
                let reason =
                    format!("{} samples: holding out a fifth for the test needs at least 5", train.count);
                return Err(Error::input(labels.path(), "shape", reason));
            }
            let _ = write!(understood, "; {held_out} held out for the test");
            let (test, rest) = order.split_at(held_out);
            (train.gather(rest)?, train.gather(test)?)
        }
    };
    for taken in taken {
        let _ = write!(understood, "; {taken}");
    }
    let outer_product = Err("no expected gradient outer product is known for given data");
    let digest = Hasher::new().finish();
    Ok(Problem { dimension, outputs, train, test, outer_product, digest, understood: Some(understood) })
}
