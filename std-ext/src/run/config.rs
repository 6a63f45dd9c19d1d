//! What a run does: everything that decides its numbers, as stored in `config.toml`.

use crate::error::{Error, ParseError, Result};
use agop_core::activation::AnyActivation;
use agop_core::loss::AnyLoss;
use agop_core::optimizer::EPSILON;
use agop_core::random::Initializer;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Version of the file's form.
pub const SCHEMA: &str = "agop.config/1";

/// The scalars a run can compute in.
pub const SCALARS: [&str; 2] = ["f32", "f64"];

/// A run. Threads and instruction sets are not here: they decide no bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// [`SCHEMA`].
    pub schema: String,
    /// `f32` or `f64`.
    pub scalar: String,
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
    /// `.npy` files.
    Files {
        /// Inputs.
        data: PathBuf,
        /// Labels or targets.
        labels: PathBuf,
        /// Test inputs; without them a seeded fifth of the samples is held out.
        test_data: Option<PathBuf>,
        /// Test labels or targets.
        test_labels: Option<PathBuf>,
    },
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
    /// Name of the activation.
    pub activation: String,
    /// Whether layers have biases.
    pub bias: bool,
    /// Name of the initial distribution.
    pub initializer: String,
}

/// The training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// The rules to run, each from the same initial weights.
    pub rules: Vec<RuleName>,
    /// Name of the loss.
    pub loss: String,
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
            scalar: "f32".into(),
            seed: 0,
            data: Data::ChainMonomial(Synthetic::default()),
            network: Network {
                hidden: vec![256, 256],
                activation: AnyActivation::Relu.name().into(),
                bias: false,
                initializer: Initializer::Normal.name().into(),
            },
            training: Training {
                rules: vec![RuleName::Gd, RuleName::Slo],
                loss: AnyLoss::MeanSquared.name().into(),
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

    /// The scalar, one of [`SCALARS`].
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown name.
    pub fn scalar(&self) -> Result<&'static str> {
        let known = SCALARS.into_iter().find(|scalar| *scalar == self.scalar);
        known.ok_or_else(|| unknown("scalar", &self.scalar, &SCALARS))
    }

    /// The activation.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown name.
    pub fn activation(&self) -> Result<AnyActivation> {
        activation(&self.network.activation)
    }

    /// The initial distribution.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown name.
    pub fn initializer(&self) -> Result<Initializer> {
        let name = &self.network.initializer;
        let names: Vec<&str> = Initializer::ALL.iter().map(|i| i.name()).collect();
        Initializer::from_name(name).ok_or_else(|| unknown("initializer", name, &names))
    }

    /// The loss.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown name.
    pub fn loss(&self) -> Result<AnyLoss> {
        loss(&self.training.loss)
    }
}

/// The activation of that name.
///
/// # Errors
/// [`Error::Usage`] for an unknown name.
pub fn activation(name: &str) -> Result<AnyActivation> {
    let names: Vec<&str> = AnyActivation::ALL.iter().map(|a| a.name()).collect();
    AnyActivation::from_name(name).ok_or_else(|| unknown("activation", name, &names))
}

/// The loss of that name.
///
/// # Errors
/// [`Error::Usage`] for an unknown name.
pub fn loss(name: &str) -> Result<AnyLoss> {
    let names: Vec<&str> = AnyLoss::ALL.iter().map(|l| l.name()).collect();
    AnyLoss::from_name(name).ok_or_else(|| unknown("loss", name, &names))
}

/// The configuration in the bytes of a `config.toml`.
///
/// # Errors
/// A [`ParseError`] at a line and column.
pub fn parse(bytes: &[u8]) -> std::result::Result<Config, ParseError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ParseError::new(format!("byte {}", error.valid_up_to()), "not UTF-8 text"))?;
    let config: Config = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ParseError::new(format!("line {line}"), error.message())
    })?;
    if config.schema != SCHEMA {
        let reason = format!("expected {SCHEMA:?}, found {:?}", config.schema);
        return Err(ParseError::new("schema", reason));
    }
    Ok(config)
}

fn unknown(what: &str, found: &str, known: &[&str]) -> Error {
    Error::Usage(format!("unknown {what} `{found}` (known: {})", known.join(", ")))
}
