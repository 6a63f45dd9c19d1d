//! What the tests share: exact number types on which the generic algorithms of `agop-core` run, and a seeded
//! generator.
//!
//! - [`PrimeField`]: integers modulo `2^61 - 1`. A polynomial identity that holds at random points of it is true but
//!   for a chance of degree / 2^61 (Schwartz and Zippel).
//! - [`Rational`]: the truth without rounding, ordered, so that ReLU runs too.
//! - [`Fixed`]: 640 fraction bits, for square roots and elementary functions.
//! - [`command`]: the command `agop`, run in process.
//! - [`literal`]: matrices as nested sums, what the kernels are compared with.
//! - [`weights`]: safetensors files from their description.
//! - [`SplitMix64`]: the same draws everywhere, none of them through a platform function.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

pub mod command;
mod fixed;
pub mod literal;
mod prime_field;
mod random;
mod rational;
pub mod weights;

pub use fixed::Fixed;
pub use prime_field::{MODULUS, PrimeField, random_field};
pub use random::SplitMix64;
pub use rational::{Rational, random_rationals};
