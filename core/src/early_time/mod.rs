//! Early-time predictions: the limit of the centred correlation (C-NFC) as training time goes to zero, and its rate of
//! change, computed before any training.
//!
//! | prediction | from | module |
//! |---|---|---|
//! | limit as t -> 0+ | weights, data, labels: any network, loss and layer | [`limit`], [`limit_by_samples`] |
//! | rate at t = 0 | the same, on dual numbers | [`differentiate`], [`rate`] |
//! | expectation over the weights of a quadratic network, any size | data, labels, readout | [`quadratic`] |
//! | wide limit of deep networks | data, labels, activation, depth | [`wide`] |

mod dual_backend;
mod limit;
pub mod quadratic;
mod rate;
mod running_statistics;
mod sample_space;
pub mod wide;

pub use dual_backend::DualBackend;
pub use limit::{limit, limit_workspace};
pub use rate::{
    Derivatives, Path, Rate, differentiate, differentiate_workspace, expand, rate, rate_workspace,
};
pub use running_statistics::RunningStatistics;
pub use sample_space::{limit_by_samples, limit_by_samples_workspace};
