//! The options that decide what a run computes: what `config.toml` holds.

use super::choice;
use super::data::ReadingOptions;
use super::preparing::Preparing;
use crate::checkpoint::ScalarKind;
use crate::dataset::Paths;
use crate::error::{Error, Result};
use crate::run::config::{self, Config, Data, Files, RuleName, Speeds, Synthetic};
use agop_core::activation::AnyActivation;
use agop_core::loss::AnyLoss;
use agop_core::network::Initializer;
use clap::ValueEnum;

/// All that a configuration holds, but for the files of samples. The name is that of the parser's group, which would have
/// no members if another structure were flattened into it.
#[derive(Debug, clap::Args)]
pub(super) struct Settings {
    /// Synthetic task
    #[arg(long, value_enum, default_value_t = Task::ChainMonomial, conflicts_with = "data", help_heading = "Samples")]
    task: Task,
    // Not a default of the parser, for which a value that was not given would be as good as one that was.
    #[arg(long, value_name = "R", help = rank_help(), conflicts_with = "data", help_heading = "Samples")]
    rank: Option<usize>,
    /// Width of a task's inputs
    #[arg(long, value_name = "D", default_value_t = Synthetic::default().dimension, conflicts_with = "data", help_heading = "Samples")]
    dimension: usize,
    /// Training samples of a task
    #[arg(long, value_name = "N", default_value_t = Synthetic::default().samples, conflicts_with = "data", help_heading = "Samples")]
    samples: usize,
    /// Test samples of a task
    #[arg(long, value_name = "N", default_value_t = Synthetic::default().test_samples, conflicts_with = "data", help_heading = "Samples")]
    test_samples: usize,
    /// Variances 1 / (1 + i^A) of a task's inputs, i = 1, 2, ... [default: all 1]
    #[arg(long, value_name = "A", conflicts_with = "data", help_heading = "Samples")]
    spectrum: Option<f64>,

    /// Widths of the hidden layers
    #[arg(
        long,
        value_name = "K,..",
        value_delimiter = ',',
        default_value = "256,256",
        help_heading = "Network"
    )]
    hidden: Vec<usize>,
    /// Activation of the hidden layers
    #[arg(long, value_name = "NAME", default_value = Config::default().network.activation.name(), value_parser = choice::<AnyActivation>(), help_heading = "Network")]
    activation: AnyActivation,
    /// Give the layers biases
    #[arg(long, help_heading = "Network")]
    bias: bool,
    /// Distribution of the initial weights
    #[arg(long, value_name = "NAME", default_value = Config::default().network.initializer.name(), value_parser = choice::<Initializer>(), help_heading = "Network")]
    initializer: Initializer,

    /// Update rule: gradient descent, Speed Limited, or one after the other from the same initial weights
    #[arg(long, value_enum, default_value_t = RuleChoice::Both, help_heading = "Training")]
    rule: RuleChoice,
    /// Loss
    #[arg(long, value_name = "NAME", default_value = Config::default().training.loss.name(), value_parser = choice::<AnyLoss>(), help_heading = "Training")]
    loss: AnyLoss,
    /// Updates
    #[arg(long, value_name = "N", default_value_t = Config::default().training.steps, help_heading = "Training")]
    steps: u64,
    /// Samples an update, shuffled by the seed [default: all]
    #[arg(long, value_name = "N", help_heading = "Training")]
    batch: Option<usize>,
    /// Step size
    #[arg(long, value_name = "ETA", default_value_t = Config::default().training.rate, help_heading = "Training")]
    rate: f64,
    /// Momentum
    #[arg(long, value_name = "MU", default_value_t = Config::default().training.momentum, help_heading = "Training")]
    momentum: f64,
    /// Weight decay
    #[arg(long, value_name = "LAMBDA", default_value_t = Config::default().training.decay, help_heading = "Training")]
    decay: f64,
    /// Speed of each layer under Speed Limited, readout included [default: 1 for the first, 0.002 for the others]
    #[arg(
        long,
        value_name = "C,..",
        value_delimiter = ',',
        conflicts_with = "target",
        help_heading = "Training"
    )]
    speeds: Option<Vec<f64>>,
    /// Layer that moves at the contrast, the others at its inverse; `lowest` takes the hidden layer of lowest UC-NFC anew
    /// at each measurement
    #[arg(long, value_name = "LAYER|lowest", help_heading = "Training")]
    target: Option<Target>,
    /// Speed of the target layer
    #[arg(long, value_name = "C", default_value_t = 500.0, requires = "target", help_heading = "Training")]
    contrast: f64,
    #[arg(long, value_name = "EPS", help = epsilon_help(), help_heading = "Training")]
    epsilon: Option<f64>,
    /// Updates between two measurements, of which a run keeps at most 100000
    #[arg(long, value_name = "N", default_value_t = Config::default().training.measure_every, help_heading = "Training")]
    measure_every: u64,

    /// Seed of all that is random
    // The configuration's format has no larger integers.
    #[arg(long, value_name = "S", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Scalar of samples, weights and passes
    #[arg(long, default_value = Config::default().scalar.name(), value_parser = choice::<ScalarKind>())]
    scalar: ScalarKind,
}

/// Files of samples in place of a task; the name is that of the parser's group.
#[derive(Debug, clap::Args)]
pub(super) struct FileOptions {
    /// Training inputs, one sample a row, instead of a task; several files, by commas or one --data each, are one set
    #[arg(long, value_name = "FILE", help_heading = "Samples")]
    pub(super) data: Vec<Paths>,
    /// Training labels: integers in one column are classes, numbered in order; all else is regression, as it is
    #[arg(long, value_name = "FILE", requires = "data", help_heading = "Samples")]
    pub(super) labels: Vec<Paths>,
    /// Test inputs [default: a seeded fifth of the samples]
    #[arg(long, value_name = "FILE", requires = "data", help_heading = "Samples")]
    pub(super) test_data: Vec<Paths>,
    /// Test labels
    #[arg(long, value_name = "FILE", requires_all = ["data", "test_data"], help_heading = "Samples")]
    pub(super) test_labels: Vec<Paths>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Task {
    ChainMonomial,
    RandomLabels,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RuleChoice {
    Gd,
    Slo,
    Both,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Layer(usize),
    Lowest,
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "lowest" => Ok(Self::Lowest),
            _ => text.parse().map(Self::Layer).map_err(|_| "expected a layer's index or `lowest`".to_owned()),
        }
    }
}

impl Settings {
    /// Refuses what the parser does not know to be without effect.
    fn check(&self) -> Result<()> {
        let refused = |option: &str, other: &str, reason: &str| {
            let message = format!("the argument '{option}' cannot be used with '{other}': {reason}");
            Err(Error::Usage(message + " (see --help)"))
        };
        if let (Task::RandomLabels, Some(_)) = (self.task, self.rank) {
            return refused("--rank", "--task random-labels", "only the chain monomial has a rank");
        }
        let speed_limited = [
            ("--speeds", self.speeds.is_some()),
            ("--target", self.target.is_some()),
            ("--epsilon", self.epsilon.is_some()),
        ];
        match speed_limited.into_iter().find(|(_, given)| *given) {
            Some((option, _)) if matches!(self.rule, RuleChoice::Gd) => {
                refused(option, "--rule gd", "gradient descent limits no speed")
            }
            _ => Ok(()),
        }
    }

    /// The configuration that the options come to.
    ///
    /// # Errors
    /// Options without effect beside others, and paths that a configuration cannot hold.
    pub(super) fn config(
        &self,
        files: &FileOptions,
        reading: &ReadingOptions,
        preparing: &Preparing,
    ) -> Result<Config> {
        self.check()?;
        let mut config = Config { scalar: self.scalar, seed: self.seed, ..Config::default() };
        let sizes = Synthetic {
            rank: self.rank.unwrap_or(Synthetic::default().rank),
            dimension: self.dimension,
            samples: self.samples,
            test_samples: self.test_samples,
            spectrum: self.spectrum,
        };
        let absolute = |paths: &[Paths]| Paths::joined(paths).map(|paths| paths.absolute()).transpose();
        config.data = match (absolute(&files.data)?, self.task) {
            (Some(data), _) => Data::Files(Files {
                data,
                labels: absolute(&files.labels)?,
                test_data: absolute(&files.test_data)?,
                test_labels: absolute(&files.test_labels)?,
                reading: reading.reading(),
                preparation: preparing.preparation()?,
            }),
            (None, Task::ChainMonomial) => Data::ChainMonomial(sizes),
            (None, Task::RandomLabels) => Data::RandomLabels(sizes),
        };
        config.network = config::Network {
            hidden: self.hidden.clone(),
            activation: self.activation,
            bias: self.bias,
            initializer: self.initializer,
        };
        config.training = config::Training {
            rules: match self.rule {
                RuleChoice::Gd => vec![RuleName::Gd],
                RuleChoice::Slo => vec![RuleName::Slo],
                RuleChoice::Both => vec![RuleName::Gd, RuleName::Slo],
            },
            loss: self.loss,
            steps: self.steps,
            batch: self.batch,
            rate: self.rate,
            momentum: self.momentum,
            decay: self.decay,
            speeds: match (self.target, &self.speeds) {
                (Some(Target::Layer(layer)), _) => Speeds::Target { layer, contrast: self.contrast },
                (Some(Target::Lowest), _) => Speeds::Lowest { contrast: self.contrast },
                (None, Some(speeds)) => Speeds::Fixed(speeds.clone()),
                (None, None) => Speeds::Fixed(Config::default_speeds(self.hidden.len())),
            },
            epsilon: self.epsilon.unwrap_or(Config::default().training.epsilon),
            measure_every: self.measure_every,
        };
        Ok(config)
    }
}

fn rank_help() -> String {
    format!("Rank of the chain monomial [default: {}]", Synthetic::default().rank)
}

fn epsilon_help() -> String {
    let default = Config::default().training.epsilon;
    format!("Added to the gradient's norm before Speed Limited divides by it [default: {default}]")
}
