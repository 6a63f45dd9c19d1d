//! What a run does: everything that decides its numbers, as stored in `config.toml`.

use super::manifest::{LONGEST_CONFIG, MOST_MEASUREMENTS};
use super::named;
use crate::checkpoint::ScalarKind;
use crate::dataset::{Paths, Reading};
use crate::error::{Error, Result};
use crate::samples::Preparation;
use agop_core::activation::AnyActivation;
use agop_core::loss::AnyLoss;
use agop_core::network::Initializer;
use agop_core::optimizer::EPSILON;
use serde::{Deserialize, Serialize};

pub use super::config_file::parse;

/// Version of the file's form.
pub const SCHEMA: &str = "agop.config/1";

/// A run. Threads and instruction sets are not here: they decide no bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// [`SCHEMA`].
    pub schema: String,
    /// Of samples, weights and passes.
    #[serde(with = "named")]
    pub scalar: ScalarKind,
    /// Seed of every random stream.
    pub seed: u64,
    /// Where the samples come from.
    pub data: Data,
    /// The network.
    pub network: Network,
    /// The training.
    pub training: Training,
}

/// Where samples come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Data {
    /// Gaussian inputs, `y = sum_k x_k x_{k+1 mod r}`.
    ChainMonomial(Synthetic),
    /// Gaussian inputs, independent Gaussian labels.
    RandomLabels(Synthetic),
    /// Files.
    Files(Files),
}

/// Files of samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Inputs.
    pub data: Paths,
    /// Labels or targets; without them the data hold them.
    pub labels: Option<Paths>,
    /// Test inputs; without them a seeded fifth of the samples is held out.
    pub test_data: Option<Paths>,
    /// Test labels or targets.
    pub test_labels: Option<Paths>,
    /// How the files are understood; absent where nothing was said about it.
    #[serde(default, skip_serializing_if = "Reading::is_default")]
    pub reading: Reading,
    /// How the samples are prepared; absent where nothing was said about it.
    #[serde(default, skip_serializing_if = "Preparation::is_default")]
    pub preparation: Preparation,
}

/// Sizes of a synthetic task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Rank of the chain monomial.
    pub rank: usize,
    /// Width of the input.
    pub dimension: usize,
    /// Training samples.
    pub samples: usize,
    /// Test samples.
    pub test_samples: usize,
    /// Exponent of a power-law spectrum; isotropic without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spectrum: Option<f64>,
}

/// The network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Hidden widths.
    pub hidden: Vec<usize>,
    /// The activation of the hidden layers.
    #[serde(with = "named")]
    pub activation: AnyActivation,
    /// Whether layers have biases.
    pub bias: bool,
    /// Distribution of the initial weights.
    #[serde(with = "named")]
    pub initializer: Initializer,
}

/// The training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// The rules to run, each from the same initial weights.
    pub rules: Vec<RuleName>,
    /// The loss.
    #[serde(with = "named")]
    pub loss: AnyLoss,
    /// Updates.
    pub steps: u64,
    /// Samples an update; all of them without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Step size.
    pub rate: f64,
    /// Momentum.
    pub momentum: f64,
    /// Weight decay.
    pub decay: f64,
    /// Speeds of Speed Limited Optimization.
    pub speeds: Speeds,
    /// Its epsilon.
    pub epsilon: f64,
    /// Updates between measurements.
    pub measure_every: u64,
}

/// An update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleName {
    /// Gradient descent.
    Gd,
    /// Speed Limited Optimization.
    Slo,
}

impl RuleName {
    /// Name as folders and reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gd => "gd",
            Self::Slo => "slo",
        }
    }
}

/// How fast each layer moves under Speed Limited Optimization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Speeds {
    /// One speed a layer, the readout included.
    Fixed(Vec<f64>),
    /// The target layer at the contrast, the others at its inverse.
    Target {
        /// The layer.
        layer: usize,
        /// Its speed.
        contrast: f64,
    },
    /// As [`Speeds::Target`], with the hidden layer of lowest UC-NFC as the target, chosen anew at each measurement.
    Lowest {
        /// The target's speed.
        contrast: f64,
    },
}

impl Default for Config {
    /// The chain monomial at the sizes of the reference experiment.
    fn default() -> Self {
        Self {
            schema: SCHEMA.into(),
            scalar: ScalarKind::F32,
            seed: 0,
            data: Data::ChainMonomial(Synthetic::default()),
            network: Network {
                hidden: vec![256, 256],
                activation: AnyActivation::Relu,
                bias: false,
                initializer: Initializer::Normal,
            },
            training: Training {
                rules: vec![RuleName::Gd, RuleName::Slo],
                loss: AnyLoss::MeanSquared,
                steps: 500,
                batch: None,
                rate: 0.1,
                momentum: 0.0,
                decay: 0.0,
                speeds: Speeds::Fixed(Self::default_speeds(2)),
                epsilon: EPSILON,
                measure_every: 50,
            },
        }
    }
}

impl Default for Synthetic {
    fn default() -> Self {
        Self { rank: 5, dimension: 32, samples: 1500, test_samples: 4000, spectrum: None }
    }
}

impl Config {
    /// The first layer at speed 1, the others at 0.002.
    pub fn default_speeds(hidden_layers: usize) -> Vec<f64> {
        let mut speeds = vec![0.002; hidden_layers + 1];
        if let Some(first) = speeds.first_mut() {
            *first = 1.0;
        }
        speeds
    }

    /// The bytes of `config.toml`.
    ///
    /// # Errors
    /// None for a configuration that [`Config::check`] takes.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let text = toml::to_string(self).map_err(|error| Error::Message(error.to_string()))?;
        Ok(text.into_bytes())
    }

    /// Measurements of a rule: before the first update, at every multiple, after the last update.
    pub fn measurements(&self) -> u64 {
        let Training { steps, measure_every, .. } = self.training;
        let between = steps.checked_div(measure_every).unwrap_or(0);
        let last = u64::from(between.saturating_mul(measure_every) != steps);
        between.saturating_add(last).saturating_add(1)
    }

    /// Checks what no training needs to be seen: numbers that a configuration can hold, each rule once, not
    /// more measurements than a run can store.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the option.
    pub fn check(&self) -> Result<()> {
        let refused = |what: &str, expected: &str, found: &dyn std::fmt::Display| {
            Err(Error::Usage(format!("{what}: expected {expected}, found {found}")))
        };
        let (integers, floats) = self.numbers();
        for (what, least, value) in integers {
            if value < least {
                return refused(what, &format!("at least {least}"), &value);
            }
            // TOML has no larger ones.
            if value > i64::MAX as u64 {
                return refused(what, &format!("at most {}", i64::MAX), &value);
            }
        }
        if let Some((what, value)) = floats.into_iter().find(|(_, value)| !value.is_finite()) {
            return refused(what, "a finite number", &value);
        }
        if let Data::ChainMonomial(Synthetic { rank, dimension, .. }) = self.data
            && !(1..=dimension).contains(&rank)
        {
            return refused("rank", &format!("between 1 and the dimension {dimension}"), &rank);
        }
        if let Data::Files(Files { preparation, .. }) = &self.data {
            preparation.check()?;
        }
        let rules = &self.training.rules;
        if rules.is_empty() {
            return refused("rules", "at least one", &"none");
        }
        if let Some(rule) = rules.iter().find(|rule| rules.iter().filter(|other| other == rule).count() > 1) {
            return refused("rules", "each once", &format!("{} twice", rule.name()));
        }
        let measurements = self.measurements();
        if measurements > MOST_MEASUREMENTS {
            // With one more for the last step, if it is no multiple.
            let enough = self.training.steps.div_ceil(MOST_MEASUREMENTS - 2);
            return Err(Error::Usage(format!(
                "measure-every: {measurements} measurements of a rule, at most {MOST_MEASUREMENTS} are kept: \
                 {enough} makes few enough"
            )));
        }
        let length = self.encode()?.len() as u64;
        if length > LONGEST_CONFIG {
            return refused("the configuration", &format!("at most {LONGEST_CONFIG} bytes"), &length);
        }
        Ok(())
    }

    /// All integers with their names and least values, and all other numbers.
    #[expect(clippy::type_complexity, reason = "used once")]
    fn numbers(&self) -> (Vec<(&'static str, u64, u64)>, Vec<(&'static str, f64)>) {
        let Training { steps, batch, measure_every, rate, momentum, decay, epsilon, .. } = self.training;
        let mut integers =
            vec![("seed", 0, self.seed), ("steps", 0, steps), ("measure-every", 1, measure_every)];
        integers.extend(batch.map(|batch| ("batch", 1, batch as u64)));
        integers.extend(self.network.hidden.iter().map(|width| ("hidden", 0, *width as u64)));
        let mut floats = vec![("rate", rate), ("momentum", momentum), ("decay", decay), ("epsilon", epsilon)];
        match &self.training.speeds {
            Speeds::Fixed(speeds) => floats.extend(speeds.iter().map(|speed| ("speeds", *speed))),
            Speeds::Lowest { contrast } => floats.push(("contrast", *contrast)),
            Speeds::Target { layer, contrast } => {
                integers.push(("target", 0, *layer as u64));
                floats.push(("contrast", *contrast));
            }
        }
        if let Data::ChainMonomial(sizes) | Data::RandomLabels(sizes) = &self.data {
            let Synthetic { rank, dimension, samples, test_samples, spectrum } = *sizes;
            let named = [("rank", rank), ("dimension", dimension), ("samples", samples)];
            integers.extend(named.map(|(what, size)| (what, 1, size as u64)));
            integers.push(("test samples", 1, test_samples as u64));
            floats.extend(spectrum.map(|spectrum| ("spectrum", spectrum)));
        }
        (integers, floats)
    }
}
