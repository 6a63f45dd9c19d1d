//! How a training ends whose values stop being finite.

use super::config::RuleName;
use crate::error::Error;

/// A value that is not finite as the end of a training, with what helps against it.
pub(super) fn diverged(rule: RuleName, step: u64, error: Error) -> Error {
    match error {
        Error::Core(error @ agop_core::error::Error::NotFinite { what, .. }) => {
            // At step 0 no weight has moved; what is computed from features has seen no label.
            let remedy = match (step, what) {
                (0, "updated parameters" | "velocity") => {
                    "try a smaller --rate, or scale the inputs and labels"
                }
                (0, "gradient" | "norm of a layer's gradient") => "scale the inputs and labels",
                (0, _) => "scale the inputs",
                _ => "try a smaller --rate, or scale the inputs and labels",
            };
            Error::Diverged(format!("{} step {step}: {error}; {remedy}", rule.name()))
        }
        other => other,
    }
}
