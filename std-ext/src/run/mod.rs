//! A training run: what it does, what it records, the folder it leaves behind, and the replay that checks it.

pub mod config;
pub mod folder;
pub mod problem;
pub mod report;
pub mod train;

use crate::error::{Error, Result};
use config::Config;
use problem::Problem;

/// A problem in either scalar.
#[derive(Debug)]
pub enum AnyProblem {
    /// Single precision.
    F32(Problem<f32>),
    /// Double precision.
    F64(Problem<f64>),
}

impl AnyProblem {
    /// Loads the samples in the scalar that the configuration names.
    ///
    /// # Errors
    /// As [`Problem::load`]; [`Error::Usage`] for an unknown scalar.
    pub fn load(config: &Config) -> Result<Self> {
        match config.scalar.as_str() {
            "f32" => Ok(Self::F32(Problem::load(config)?)),
            "f64" => Ok(Self::F64(Problem::load(config)?)),
            other => Err(Error::Usage(format!("unknown scalar `{other}` (known: f32, f64)"))),
        }
    }
}

/// Runs the same expression on the problem of either scalar.
#[macro_export]
#[doc(hidden)]
macro_rules! with_problem {
    ($any:expr, $problem:ident => $body:expr) => {
        match $any {
            $crate::run::AnyProblem::F32($problem) => $body,
            $crate::run::AnyProblem::F64($problem) => $body,
        }
    };
}
