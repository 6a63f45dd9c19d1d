//! Early-time predictions: where the centred correlation starts, before any training.

mod limit;

pub use limit::{limit, limit_workspace};
