//! Early-time predictions against exact identities, oracles and measured training.
#![allow(unreachable_pub, reason = "a test has no users")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod degenerate;
mod exact;
mod invariance;
mod quadratic;
mod rationals;
mod series;
mod spectra;
mod support;
mod training;
mod trials;
mod wide;
