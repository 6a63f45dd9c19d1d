//! The samples of a run, ready to train on.

use super::config::{Config, Data, Files, Synthetic};
use crate::dataset::{Labels, Role, Targets, with_labels};
use crate::error::{Error, Result};
use crate::machine::MEMORY;
use crate::memory::filled;
use crate::samples::{Inputs, Preparation, Rows, Samples, load, rows_of};
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
    /// Root mean square of the training inputs.
    pub scale: f64,
    /// What the files were taken for; `None` for a task.
    pub understood: Option<String>,
    /// Mean and deviation of each column of the training inputs, where these standardised all inputs.
    pub statistics: Option<Vec<String>>,
}

impl<T: Real> Problem<T> {
    /// Makes or reads the samples of a run.
    ///
    /// # Errors
    /// As [`Config::check`], too many values, cross-entropy of a single class, and all that reading a file can say.
    pub fn load(config: &Config) -> Result<Self> {
        Self::load_within(config, MEMORY)
    }

    /// As [`Problem::load`]: inputs from files that take more than `memory` bytes stay there.
    ///
    /// # Errors
    /// As [`Problem::load`].
    pub fn load_within(config: &Config, memory: u64) -> Result<Self> {
        config.check()?;
        let mut problem = match &config.data {
            Data::ChainMonomial(sizes) => synthetic(config.seed, sizes, true)?,
            Data::RandomLabels(sizes) => synthetic(config.seed, sizes, false)?,
            Data::Files(files) => given(config.training.loss, files, config.seed, memory)?,
        };
        enough_classes(config.training.loss, problem.outputs)?;
        let mut hash = Hasher::new();
        for (samples, scale) in [(&problem.train, &mut problem.scale), (&problem.test, &mut 0.0)] {
            *scale = samples.inputs.hash(&mut hash)?;
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
        Ok(Samples { count, inputs: Inputs::new(inputs, count, dimension)?, targets })
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
        scale: 0.0,
        understood: None,
        statistics: None,
    })
}

fn given<T: Real>(loss: AnyLoss, files: &Files, seed: u64, memory: u64) -> Result<Problem<T>> {
    let Files { reading, preparation, .. } = files;
    if files.test_data.is_none() && files.test_labels.is_some() {
        return Err(Error::Usage("--test-labels: expected --test-data beside it, found none".into()));
    }
    if files.test_data.is_some() && preparation.divides() {
        let reason = "--test-fraction and --stratify hold samples out, --test-data gives others: expected one of these";
        return Err(Error::Usage(reason.into()));
    }
    let (source, mut labels, mut taken) =
        with_labels(&files.data, files.labels.as_ref(), reading, Role::Train)?;
    let (dimension, names) = (source.dimension(), source.names().map(<[String]>::to_vec));
    let test = files.test_data.as_ref();
    let test = test.map(|data| with_labels(data, files.test_labels.as_ref(), reading, Role::Test));
    let test = test.transpose()?;
    let chosen = preparation.choose(source, Some(&mut labels), test.is_none().then_some(seed))?;
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
    let targets = |labels: &Labels, count: usize| -> Result<Targets<T>> {
        let targets = labels.targets(count, classes.as_ref())?.for_loss(loss);
        targets.map_err(|error| error.in_file(labels.path()))
    };
    let Targets { outputs, meaning, values, .. } = targets(&labels, chosen.rows())?;
    let mut understood = format!("{} samples, {dimension} inputs, {meaning}", chosen.rows());
    if !only_tested.is_empty() {
        let _ = write!(understood, " (in the test labels only: {only_tested:?})");
    }
    let (train_targets, test_targets, test_reader) = match (&chosen.split, test) {
        (None, Some((source, labels, also_taken))) => {
            if source.dimension() != dimension {
                let reason = format!("{} columns, the training data has {dimension}", source.dimension());
                return Err(Error::input(source.path(), "shape", reason));
            }
            if let (Some(found), Some(expected)) = (source.names(), &names)
                && found != expected
            {
                let reason = "other names of columns than the training data";
                return Err(Error::input(source.path(), "row 0", reason));
            }
            let found = targets(&labels, source.count())?;
            if found.outputs != outputs {
                let reason = format!("{} outputs, the training labels have {outputs}", found.outputs);
                return Err(Error::input(labels.path(), "shape", reason));
            }
            let _ = write!(understood, "; {} more for the test", source.count());
            let other = also_taken.into_iter().filter(|clause| !taken.contains(clause));
            let other: Vec<String> = other.map(|clause| format!("test: {clause}")).collect();
            taken.extend(other);
            (values, found.values, Preparation::default().choose(source, None, None)?.train())
        }
        (split, _) => {
            let [train, test] =
                split.as_ref().map(|split| split.each_ref().map(|rows| rows.as_slice())).unwrap_or_default();
            let rows = |rows| rows_of("targets", &values, outputs, rows);
            (rows(train)?, rows(test)?, chosen.test())
        }
    };
    let readers = [chosen.train(), test_reader];
    let ([train, test], standard) = load(readers, preparation.standardise, memory)?;
    for said in preparation.said(&chosen, standard.as_deref()).into_iter().chain(taken) {
        let _ = write!(understood, "; {said}");
    }
    Ok(Problem {
        dimension,
        outputs,
        train: Samples { count: train.rows(), inputs: train, targets: train_targets },
        test: Samples { count: test.rows(), inputs: test, targets: test_targets },
        outer_product: Err("no expected gradient outer product is known for given data"),
        digest: Hasher::new().finish(),
        scale: 0.0,
        understood: Some(understood),
        statistics: standard.map(|standard| standard.lines()),
    })
}
