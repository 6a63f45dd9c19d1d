//! Options of every command that prepares data.

use super::choice;
use crate::error::Result;
use crate::samples::{Preparation, Standardise};

/// How samples are prepared.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Preparation of data")]
pub(super) struct Preparing {
    /// Take no more than the first N samples, before any are held out
    #[arg(long, value_name = "N", requires = "data")]
    limit: Option<usize>,
    /// Part of the samples that --seed holds out for the test: measure and predict take the others, as training did
    /// [default of train: 0.2]
    #[arg(long, value_name = "F", requires = "data")]
    test_fraction: Option<f64>,
    /// Hold out the same part of each class
    #[arg(long, requires = "data")]
    stratify: bool,
    /// Subtract the mean of the training samples from the inputs and divide by their deviation (of the population):
    /// each feature by its own, or all by those of all inputs
    #[arg(long, alias = "standardize", value_name = "HOW", default_value = Standardise::None.name(), value_parser = choice::<Standardise>(), requires = "data")]
    standardise: Standardise,
}

impl Preparing {
    /// What these options come to.
    pub(super) fn preparation(&self) -> Result<Preparation> {
        let Self { limit, test_fraction, stratify, standardise } = *self;
        let preparation = Preparation { limit, test_fraction, stratify, standardise };
        preparation.check()?;
        Ok(preparation)
    }
}
