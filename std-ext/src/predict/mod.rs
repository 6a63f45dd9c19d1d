//! Early-time predictions from files, next to measurements.
//!
//! | model | predicts | measured beside it |
//! |---|---|---|
//! | limit | C-NFC at 0+ and its rate, at given or drawn weights | C-NFC after one small gradient step; other draws |
//! | quadratic | ratio of expected traces, one hidden layer and output | limits at drawn weights, residual = labels |
//! | wide | C-NFC at 0+ at infinite width, residual = labels | limits of networks drawn at the given widths |
//!
//! The limit of a network at its random weights has the residual `f - y`; the other two models are those of a vanishing
//! readout, residual = labels. The numbers need not agree, and [`PredictReport::residual`] says which is shown.

mod files;
mod limit;
mod quadratic;
mod report;
mod samples;
mod trials;
mod wide;

pub use files::{Given, PredictFiles, Settings, predict};
pub use limit::{Layers, Limit, limit};
pub use quadratic::quadratic;
pub use report::{HighDimension, Measured, Neglected, PredictReport, TracesReport, Trials};
pub use trials::{ResidualOfLabels, observed, trials};
pub use wide::wide;

/// Default number of draws.
pub const TRIALS: u32 = 10;

/// The model of a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// The limit and the rate at given weights.
    Limit,
    /// Exact expectations for the quadratic network.
    Quadratic,
    /// Infinite width.
    Wide,
}

impl Model {
    /// Name as the command spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Quadratic => "quadratic",
            Self::Wide => "wide",
        }
    }
}
