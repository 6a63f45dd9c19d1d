//! Training and measurement of one small network on the chain monomial, a sample at a time, in memory whose size is a
//! constant.
#![no_std]

#[cfg(target_os = "none")]
pub mod board;

use agop_core::activation::Relu;
#[cfg(feature = "digest")]
use agop_core::digest::{Digest, Hasher};
use agop_core::environment;
use agop_core::error::Error;
use agop_core::feature;
use agop_core::ieee::sqrt;
use agop_core::kernel::dot;
use agop_core::loss::MeanSquared;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{Initializer, Network, gradient_sum};
use agop_core::optimizer::{Optimizer, Rule};
use agop_core::random::{Purpose, Stream};
use agop_core::reduce::SampleTree;
use agop_core::simd::{Compiled, Level};
use agop_core::task::chain_monomial;

#[cfg(not(feature = "small"))]
agop_core::network! {
    /// For 256 KiB of memory.
    pub struct Net([f32; 10 => 32 => 1], Relu, bias: true);
}
#[cfg(feature = "small")]
agop_core::network! {
    /// For 16 KiB of memory: with one unit more, or one input more, [`BYTES`] would pass [`BUDGET`].
    pub struct Net([f32; 8 => 18 => 1], Relu, bias: true);
}

/// Rank of the chain monomial.
const RANK: usize = 3;
/// Samples of every step and every feature sum: more than one block.
const SAMPLES: u32 = 300;
const STEPS: u32 = 40;
const SEED: u64 = 11;
/// A constant, so that the rules which are not used are not linked.
const OPTIMIZER: Optimizer<'static> = Optimizer::new(Rule::GradientDescent, 0.1);

/// Values of a gradient sum.
const SUMMAND: usize = gradient_sum(Net::WIDTHS, true);
const INPUTS: usize = Net::WIDTHS[0];
const HIDDEN: usize = Net::WIDTHS[1];

/// Everything the program needs but its stack. One value of it lies in a static; small things come first, as near places
/// take shorter instructions.
#[repr(C)]
pub struct Memory {
    sample: [f32; INPUTS],
    workspace: [f32; Net::jacobian_workspace(1)],
    network: Net,
    initial: [f32; Net::PARAMETERS],
    gradient: [f32; Net::gradient_storage(SAMPLES as u64)],
    features: [f32; Net::ptk_storage(SAMPLES as u64)],
    /// Weights, features, F, G, a product.
    wide: [f64; wide(INPUTS, HIDDEN)],
}

/// Bytes of [`Memory`] from the size functions of the crate, for inputs, hidden units and one output.
const fn bytes(inputs: usize, hidden: usize) -> usize {
    use agop_core::network::{gradient_sum, jacobian_workspace, parameters, ptk_values};
    use agop_core::reduce::buffers;
    let widths = &[inputs, hidden, 1];
    let sums = gradient_sum(widths, true) + ptk_values(widths);
    let values = 2 * parameters(widths, true)
        + buffers(SAMPLES as u64) * sums
        + jacobian_workspace(widths, 1)
        + inputs;
    8 * wide(inputs, hidden) + (4 * values).next_multiple_of(8)
}

/// Values of `f64` for the correlation of a layer.
const fn wide(inputs: usize, hidden: usize) -> usize {
    2 * hidden * inputs + hidden * hidden + 2 * inputs * inputs
}

/// Bytes of [`Memory`].
pub const BYTES: usize = bytes(INPUTS, HIDDEN);
const _: () = assert!(BYTES == size_of::<Memory>());

/// What 16 KiB leave when 4.5 KiB are kept for the stack.
pub const BUDGET: usize = 16 * 1024 - 4608;
#[cfg(feature = "small")]
const _: () =
    assert!(BYTES <= BUDGET && bytes(INPUTS, HIDDEN + 1) > BUDGET && bytes(INPUTS + 1, HIDDEN) > BUDGET);

/// What the program finds.
pub struct Outcome {
    /// Mean loss before the last step.
    pub loss: f32,
    /// UC-NFC of the first layer.
    pub uncentered: f64,
    /// C-NFC of the first layer.
    pub centered: f64,
    /// Digest of losses, parameters, features and correlations.
    #[cfg(feature = "digest")]
    pub digest: Digest,
}

impl Memory {
    /// All zero.
    pub const fn new() -> Self {
        Self {
            wide: [0.0; _],
            network: Net::new(),
            initial: [0.0; _],
            gradient: [0.0; _],
            features: [0.0; _],
            workspace: [0.0; _],
            sample: [0.0; _],
        }
    }

    /// Trains from fresh initial weights and measures the first layer.
    pub fn train_and_measure(&mut self) -> Result<Outcome, Error> {
        environment::check(Level::compiled())?;
        Initializer::Normal.fill(Net::shape(), SEED, &mut self.network.parameters)?;
        self.initial = self.network.parameters;
        #[cfg(feature = "digest")]
        let mut hasher = Hasher::new();
        let mut loss = 0.0;
        for _ in 0..STEPS {
            loss = self.step()?;
            #[cfg(feature = "digest")]
            hasher.array(&[], &[loss]);
        }
        self.sum_features()?;
        let uncentered = self.correlation(false)?;
        let centered = self.correlation(true)?;
        #[cfg(feature = "digest")]
        {
            let features = self.features.first_chunk::<{ Net::PTK_VALUES }>().ok_or(Error::NoSamples)?;
            hasher.array(&[Net::PARAMETERS], &self.network.parameters).array(&[Net::PTK_VALUES], features);
            hasher.array(&[2], &[uncentered, centered]);
        }
        Ok(Outcome {
            loss,
            uncentered,
            centered,
            #[cfg(feature = "digest")]
            digest: hasher.finish(),
        })
    }

    /// `rho(W^T W, W^T K W)` of the first layer, or with `W - W_0` in place of W: the bits of
    /// `correlation::measure_layer`, which also scales by powers of two and proves a bound.
    fn correlation(&mut self, centered: bool) -> Result<f64, Error> {
        let span = Net::shape().layer(0)?;
        let (w, rest) = self.wide.split_at_mut_checked(span.weights()).unwrap_or_default();
        let (k, rest) = rest.split_at_mut_checked(Net::PTK_VALUES).unwrap_or_default();
        for ((slot, new), old) in w.iter_mut().zip(&self.network.parameters).zip(&self.initial) {
            let old = if centered { *old } else { 0.0 };
            *slot = f64::from(*new) - f64::from(old);
        }
        for (slot, value) in k.iter_mut().zip(&self.features) {
            *slot = f64::from(*value);
        }
        let (w, k) = (MatRef::new(w, HIDDEN, INPUTS)?, MatRef::new(k, HIDDEN, HIDDEN)?);
        let (f, rest) = rest.split_at_mut_checked(INPUTS * INPUTS).unwrap_or_default();
        let (g, rest) = rest.split_at_mut_checked(INPUTS * INPUTS).unwrap_or_default();
        feature::nfm(Compiled, w, MatMut::new(f, INPUTS, INPUTS)?)?;
        feature::agop(Compiled, w, k, MatMut::new(g, INPUTS, INPUTS)?, rest)?;
        let (f, g) = (MatRef::new(f, INPUTS, INPUTS)?, MatRef::new(g, INPUTS, INPUTS)?);
        Ok(dot(Compiled, f, g)? / (sqrt(dot(Compiled, f, f)?) * sqrt(dot(Compiled, g, g)?)))
    }

    /// One step over all samples.
    fn step(&mut self) -> Result<f32, Error> {
        let network = Network::new(Net::shape(), Relu, &self.network.parameters)?;
        let mut sum = SampleTree::new(&mut self.gradient, SUMMAND, 0)?;
        let mut stream = Stream::new(SEED, Purpose::TrainInputs, 0);
        for _ in 0..SAMPLES {
            let target = draw(&mut stream, &mut self.sample)?;
            let x = MatRef::new(&self.sample, 1, INPUTS)?;
            let y = MatRef::new(&target, 1, 1)?;
            network.accumulate_gradient(Compiled, MeanSquared, x, y, &mut sum, &mut self.workspace)?;
        }
        let (loss, gradient) = network.finish_gradient(Compiled, MeanSquared, &mut sum)?;
        OPTIMIZER.step(Compiled, Net::shape(), &mut self.network.parameters, gradient, &mut [])?;
        Ok(loss)
    }

    /// Streams the outer products of all samples; they stay at the start of their storage.
    fn sum_features(&mut self) -> Result<(), Error> {
        let network = Network::new(Net::shape(), Relu, &self.network.parameters)?;
        let mut sum = SampleTree::new(&mut self.features, Net::PTK_VALUES, 0)?;
        let mut stream = Stream::new(SEED, Purpose::TrainInputs, 0);
        for _ in 0..SAMPLES {
            draw(&mut stream, &mut self.sample)?;
            let x = MatRef::new(&self.sample, 1, INPUTS)?;
            network.accumulate_ptk(Compiled, x, &mut sum, &mut self.workspace)?;
        }
        feature::finish_ptk(Compiled, Net::shape(), &mut sum)?;
        Ok(())
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// The next sample and its target.
fn draw(stream: &mut Stream, sample: &mut [f32; INPUTS]) -> Result<[f32; 1], Error> {
    stream.fill_normal(sample);
    Ok([chain_monomial(RANK, sample)?])
}

/// Text without the formatting machinery of the language: what a microcontroller prints by.
pub trait Print {
    /// Prints one character.
    fn byte(&mut self, byte: u8);

    /// Prints a string.
    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
    }

    /// Prints 4 `digits` bits a digit, in hexadecimal.
    fn hexadecimal(&mut self, bits: u64, digits: u32) {
        for digit in (0..digits).rev() {
            let value = (bits >> (4 * digit)) as u8 & 15;
            self.byte(if value < 10 { b'0' + value } else { b'a' - 10 + value });
        }
    }

    /// Prints a whole number.
    fn whole(&mut self, number: u64) {
        let mut place = 1;
        while number / place >= 10 {
            place *= 10;
        }
        while place > 0 {
            self.byte(b'0' + (number / place % 10) as u8);
            place /= 10;
        }
    }

    /// Prints a number of magnitude below 2^32 to six places, cut off, and its bits.
    fn number(&mut self, x: f64) {
        if x < 0.0 {
            self.byte(b'-');
        }
        let millionths = (x.abs() * 1e6) as u64;
        self.whole(millionths / 1_000_000);
        self.byte(b'.');
        let mut place = 100_000;
        while place > 0 {
            self.byte(b'0' + (millionths / place % 10) as u8);
            place /= 10;
        }
        self.text(" (bits ");
        self.hexadecimal(x.to_bits(), 16);
        self.text(")\n");
    }

    /// Prints all that the program finds.
    fn outcome(&mut self, outcome: &Outcome) {
        self.text("loss    ");
        self.number(f64::from(outcome.loss));
        self.text("UC-NFC  ");
        self.number(outcome.uncentered);
        self.text("C-NFC   ");
        self.number(outcome.centered);
        #[cfg(feature = "digest")]
        {
            self.text("digest  sha256:");
            outcome.digest.0.iter().for_each(|byte| self.hexadecimal(u64::from(*byte), 2));
            self.byte(b'\n');
        }
    }
}
