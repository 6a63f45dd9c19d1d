//! The standard-library side of `agop`: files, data sets, checkpoints and the command.
//!
//! The algorithms live in `agop-core`, which has neither files nor an allocator. Here is what stands around them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`error`] | the one error type: file, place, reason |
//! | [`file`] | whole-file reads with limits, atomic writes |
//! | [`dataset`] | arrays from `.npy` files, samples as matrices, labels as targets |
//! | [`checkpoint`] | weights of fully connected networks in safetensors files |
//!
//! Every reader checks what a file claims against the bytes that are really there before it allocates, and returns a
//! typed error, never a panic, on any input.

pub mod checkpoint;
pub mod dataset;
pub mod error;
pub mod file;

pub use error::{Error, Result};
pub mod detect;
pub mod network;
pub mod parallel;
