//! Networks of convolutions: against an independent float64 oracle and PyTorch, and as identities on a prime field.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod algebra;
mod fixture;
mod oracle;
mod pooling;
mod same_bits;
mod sizes;
