//! How much a replay computes and holds, told from sizes alone: a stranger's configuration may ask for anything.

use super::config::{Config, Data, Synthetic};
use super::named::in_scalar;
use super::problem::Problem;
use crate::error::{Error, Result};
use agop_core::network::parameters;

/// The most floating-point operations that are replayed unasked: a quarter of an hour of one AVX2 core.
pub const MOST_OPERATIONS: f64 = 1e14;
/// The most bytes that a replay holds unasked.
pub const MOST_BYTES: f64 = 4.0 * (1_u64 << 30) as f64;

/// Sizes of the samples of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    dimension: usize,
    outputs: usize,
    train: usize,
    test: usize,
}

impl Sizes {
    /// Those of a synthetic task; files have to be read first.
    pub(super) fn of_task(data: &Data) -> Option<Self> {
        match data {
            Data::ChainMonomial(sizes) | Data::RandomLabels(sizes) => {
                let Synthetic { dimension, samples: train, test_samples: test, .. } = *sizes;
                Some(Self { dimension, outputs: 1, train, test })
            }
            Data::Files(_) => None,
        }
    }

    /// Those of samples at hand.
    pub(super) fn of<T>(problem: &Problem<T>) -> Self {
        let Problem { dimension, outputs, .. } = *problem;
        Self { dimension, outputs, train: problem.train.count, test: problem.test.count }
    }

    /// Inputs, hidden widths, outputs.
    pub(super) fn widths(&self, config: &Config) -> Vec<usize> {
        [&[self.dimension], &config.network.hidden[..], &[self.outputs]].concat()
    }
}

/// What a replay takes, to within a small factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Work {
    /// Floating-point operations.
    pub(super) operations: f64,
    /// Memory.
    pub(super) bytes: f64,
}

impl Work {
    /// Of all rules of a run.
    pub(super) fn of(config: &Config, sizes: Sizes) -> Self {
        let widths = sizes.widths(config);
        let settings = &config.training;
        let count = parameters(&widths, config.network.bias) as f64;
        let (d, c) = (sizes.dimension as f64, sizes.outputs as f64);
        let (train, test) = (sizes.train as f64, sizes.test as f64);
        let batch = settings.batch.unwrap_or(sizes.train).min(sizes.train) as f64;
        let features: f64 = config.network.hidden.iter().map(|k| (*k as f64) * (*k as f64)).sum();
        // Two for each weight and sample forward, four backward.
        let update = 6.0 * count * batch;
        let layers = widths.iter().zip(widths.iter().skip(1));
        let correlations: f64 = layers
            .map(|(inputs, outputs)| (*inputs as f64, *outputs as f64))
            .map(|(inputs, outputs)| 10.0 * inputs * outputs * (inputs + outputs))
            .sum();
        let measurement =
            train * c * (2.0 * count + features) + 2.0 * count * (2.0 * train + test) + correlations;
        let roots: f64 = widths.iter().map(|width| 20.0 * cube(*width)).sum();
        let (steps, measurements) = (settings.steps as f64, config.measurements() as f64);
        let rules = settings.rules.len() as f64;
        // Work other than products counts as the number of multiplications that a core does in the same time: a random
        // draw, a hashed number, and the overhead of an update or a measurement.
        const DRAW: f64 = 2e3;
        const HASHED: f64 = 1e3;
        const REST: f64 = 1e5;
        let task = match &config.data {
            Data::ChainMonomial(Synthetic { rank, spectrum, .. }) => {
                cube(*rank) * if spectrum.is_some() { 5e3 } else { 1e3 }
            }
            _ => 0.0,
        };
        let (update, measurement) = (update + REST, measurement + REST + HASHED * (count + features));
        let samples = (train + test) * (d + c);
        let bytes_of_scalar = in_scalar!(config.scalar, size_of::<_>()) as f64;
        Self {
            operations: rules * (steps * update + measurements * measurement + roots) + DRAW * samples + task,
            bytes: bytes_of_scalar * (2.0 * samples + rules * (8.0 * count + 8.0 * features)) + 16.0 * d * d,
        }
    }

    /// Refuses more than is done unasked.
    ///
    /// # Errors
    /// [`Error::Usage`] where it is more than is done unasked.
    pub(super) fn check(self) -> Result<()> {
        let refused = |found: f64, what: &str, most: f64| {
            let reason = format!("the replay takes about {found:.1e} {what}, more than {most:.1e} only with");
            Err(Error::Usage(reason + " --allow-large"))
        };
        if self.operations > MOST_OPERATIONS {
            return refused(self.operations, "floating-point operations", MOST_OPERATIONS);
        }
        if self.bytes > MOST_BYTES {
            return refused(self.bytes, "bytes of memory", MOST_BYTES);
        }
        Ok(())
    }
}

fn cube(n: usize) -> f64 {
    n as f64 * n as f64 * n as f64
}
