//! The standard-library side of `agop`: files, data sets, checkpoints and the command.
//!
//! The algorithms are in `agop-core`, which uses neither files nor an allocator. This crate adds files, memory and threads.
//!
//! | module | content |
//! |---|---|
//! | [`error`] | the one error type: file, place, reason |
//! | [`mod@file`] | whole-file reads with limits, atomic writes |
//! | [`dataset`] | samples and labels from `.npy`, `.npz`, text, IDX and CIFAR-10 files |
//! | [`checkpoint`] | weights of networks in safetensors files |
//! | [`architecture`] | networks in words: `conv 6 3x3 pad 1, tanh, flatten, linear 10` |
//! | [`detect`], [`machine`] | the instruction set to run on; with it one pool of threads |
//! | [`network`], [`sums`] | networks that own their numbers; sums over samples on threads |
//! | [`samples`] | rows of inputs, in memory or read from a file block by block |
//! | [`measure`] | every correlation of every hidden layer, as a report |
//! | [`predict`] | early-time predictions beside measurements, as a report |
//! | [`run`] | a training run: configuration, records, its folder, and its replay |
//! | `report` | runs as a page with pictures, with the feature of that name, which `cli` has |
//! | [`content`] | the numbers in a file of any format, and their digest |
//! | [`memory`] | allocations whose size depends on input |
//! | `command` | the command `agop`, with the feature `cli`, which is on by default |
//! | [`pages`] | promises with their tests, speeds, targets |
//!
//! Every reader compares the sizes in a file with its length before it allocates. On any input it returns a typed error and
//! never panics.

pub mod architecture;
pub mod checkpoint;
#[cfg(feature = "cli")]
pub mod command;
pub mod content;
pub mod dataset;
pub mod detect;
pub mod error;
pub mod file;
mod half;
pub mod machine;
pub mod measure;
pub mod memory;
pub mod network;
mod notes;
pub mod pages;
pub mod predict;
mod recognise;
#[cfg(feature = "report")]
pub mod report;
pub mod run;
pub mod samples;
pub mod sums;
mod table;

pub use error::{Error, Result};

/// The example of the repository's README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
