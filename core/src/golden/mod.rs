//! The golden workload: it uses every part of the bit contract, fits 16 KiB of memory, and gives one digest for each stage.
//!
//! Two machines that print the same lines computed the same bits. If they differ, the first stage that differs names the
//! cause: the random numbers, an elementary function, the fused multiply-add, a product, a training step, a sum over sample
//! blocks, or a correlation.
//!
//! ```
//! use agop_core::{golden, simd::Level};
//!
//! let (mut numbers, mut wide) = ([0.0_f32; golden::NUMBERS], [0.0; golden::WIDE]);
//! let whole = golden::run(Level::detect(), &mut numbers, &mut wide, |stage, digest| {
//!     println!("f32 {} {digest}", stage.name());
//! })?;
//! println!("f32 all {whole}");
//! # Ok::<(), agop_core::error::Error>(())
//! ```
//! The expected digests are part of the sources (`tests/golden/digests.txt`). Every target is tested against them.

mod numbers;
mod training;

use crate::activation::{Relu, Tanh};
use crate::correlation::measure_workspace;
use crate::digest::{Digest, Hasher};
use crate::early_time::limit_workspace;
use crate::environment;
use crate::error::{Error, check_workspace};
use crate::loss::{CrossEntropy, MeanSquared};
use crate::network::{self, gradient_sum, gradient_workspace, jacobian_workspace};
use crate::optimizer::{EPSILON, Optimizer, Rule};
use crate::reduce::buffers;
use crate::scalar::Real;
use crate::simd::Level;

/// Inputs, two hidden layers, outputs.
const WIDTHS: [usize; 4] = [5, 6, 4, 2];
const PARAMETERS: usize = network::parameters(&WIDTHS, true);
const PTK_VALUES: usize = network::ptk_values(&WIDTHS);
/// Samples that are generated at a time. The number does not divide the size of a block.
const CHUNK: usize = 7;
/// Samples of a feature sum: three blocks, the last one incomplete.
const SAMPLES: usize = 600;
/// Samples of each mini-batch: some less than a block, some more.
const BATCHES: [usize; 6] = [300, 17, 64, 256, 1, 100];
const SEED: u64 = 2024;

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// Values for one chunk of samples with targets.
const DATA: usize = CHUNK * (WIDTHS[0] + WIDTHS[3]);
/// Gradient sum, state of the rule, samples, workspace for three samples at a time.
const TRAINING: usize = buffers(SAMPLES as u64) * gradient_sum(&WIDTHS, true)
    + 2 * PARAMETERS
    + DATA
    + gradient_workspace(&WIDTHS, 3);
/// Feature sum, samples, workspace for two samples at a time.
const SUMMING: usize = buffers(SAMPLES as u64) * PTK_VALUES + DATA + jacobian_workspace(&WIDTHS, 2);

/// Values of the scalar under test that [`run`] needs.
pub const NUMBERS: usize = max(2 * PARAMETERS + PTK_VALUES + max(TRAINING, SUMMING), numbers::PRODUCTS);

/// Values of `f64` that [`run`] needs for the measures.
pub const WIDE: usize = max(
    max(measure_workspace(WIDTHS[1], WIDTHS[0]), measure_workspace(WIDTHS[2], WIDTHS[1])),
    max(limit_workspace(WIDTHS[1], WIDTHS[0]), limit_workspace(WIDTHS[2], WIDTHS[1])),
);

/// A part of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Words, uniforms, normals and a shuffle.
    Random,
    /// Exponential, logarithm, hyperbolic tangent, division; the normal quantile.
    Elementary,
    /// The fused multiply-add on random operands, subnormals, overflows and near-cancellations.
    Fused,
    /// Matrix products, an outer product and an inner product, wider than any register tile.
    Products,
    /// Every initialiser.
    Initial,
    /// Early-time limit of a ReLU network under mean squared error.
    ReluLimit,
    /// Its training by gradient descent with momentum and decay, in mini-batches.
    ReluDescent,
    /// Its PTK features over three sample blocks.
    ReluFeatures,
    /// Its correlations in every variant, with bounds.
    ReluCorrelations,
    /// Early-time limit of a tanh network under cross-entropy.
    TanhLimit,
    /// Its training by Speed Limited Optimization, in mini-batches.
    TanhSpeedLimited,
    /// Its PTK features over three sample blocks.
    TanhFeatures,
    /// Its correlations in every variant, with bounds.
    TanhCorrelations,
}

impl Stage {
    /// All stages, in the order in which they run.
    pub const ALL: [Self; 13] = [
        Self::Random,
        Self::Elementary,
        Self::Fused,
        Self::Products,
        Self::Initial,
        Self::ReluLimit,
        Self::ReluDescent,
        Self::ReluFeatures,
        Self::ReluCorrelations,
        Self::TanhLimit,
        Self::TanhSpeedLimited,
        Self::TanhFeatures,
        Self::TanhCorrelations,
    ];

    /// The name in the file of digests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Elementary => "elementary",
            Self::Fused => "fused",
            Self::Products => "products",
            Self::Initial => "initial",
            Self::ReluLimit => "relu-limit",
            Self::ReluDescent => "relu-descent",
            Self::ReluFeatures => "relu-features",
            Self::ReluCorrelations => "relu-correlations",
            Self::TanhLimit => "tanh-limit",
            Self::TanhSpeedLimited => "tanh-speed-limited",
            Self::TanhFeatures => "tanh-features",
            Self::TanhCorrelations => "tanh-correlations",
        }
    }
}

/// Runs the workload in the scalar `T`. It passes the digest of each stage to `visit` and returns the digest of all stages.
///
/// **Shapes** `numbers` at least [`NUMBERS`], `wide` at least [`WIDE`] values, of any content.
/// **Arithmetic** the same bits on every target, level and build profile.
/// **Errors** [`Error::Environment`], before anything is computed; [`Error::Workspace`].
pub fn run<T: Real>(
    level: Level,
    numbers: &mut [T],
    wide: &mut [f64],
    mut visit: impl FnMut(Stage, Digest),
) -> Result<Digest, Error> {
    environment::check(level)?;
    check_workspace("numbers of the golden workload", NUMBERS, numbers.len())?;
    check_workspace("wide numbers of the golden workload", WIDE, wide.len())?;
    let mut whole = Hasher::new();
    let mut done = |stage, hasher: Hasher| {
        let digest = hasher.finish();
        for word in digest.0.chunks_exact(8) {
            whole.number(word.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)));
        }
        visit(stage, digest);
    };
    done(Stage::Random, numbers::random::<T>(numbers));
    done(Stage::Elementary, numbers::elementary::<T>());
    done(Stage::Fused, numbers::fused::<T>());
    done(Stage::Products, numbers::products(level, numbers)?);
    done(Stage::Initial, training::initial(numbers)?);
    let descent = Optimizer { rule: Rule::GradientDescent, rate: 0.05, momentum: 0.5, decay: 1e-3 };
    done(Stage::ReluLimit, training::limits(level, Relu, MeanSquared, numbers, wide)?);
    done(Stage::ReluDescent, training::train(level, Relu, MeanSquared, &descent, numbers)?);
    done(Stage::ReluFeatures, training::ptk(level, Relu, numbers)?);
    done(Stage::ReluCorrelations, training::correlations(level, numbers, wide)?);
    let rule = Rule::SpeedLimited { speeds: &[1.0, 0.5, 0.125], epsilon: EPSILON };
    let limited = Optimizer::new(rule, 0.03);
    training::initial(numbers)?;
    done(Stage::TanhLimit, training::limits(level, Tanh, CrossEntropy, numbers, wide)?);
    done(Stage::TanhSpeedLimited, training::train(level, Tanh, CrossEntropy, &limited, numbers)?);
    done(Stage::TanhFeatures, training::ptk(level, Tanh, numbers)?);
    done(Stage::TanhCorrelations, training::correlations(level, numbers, wide)?);
    Ok(whole.finish())
}
