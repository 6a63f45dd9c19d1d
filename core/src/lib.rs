#![no_std]
#![deny(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]
//! Gradient outer products, centred neural feature correlations and Speed Limited Optimization for small fully connected
//! and convolutional networks, without the standard library and without an allocator.
//!
//! In trained networks the gram matrix of a layer's weights, `W^T W`, aligns with the average gradient outer product with
//! respect to the layer's input, `W^T K W` ([`feature`]). Centring on the initial weights isolates the alignment that
//! training creates ([`correlation`]), its early course follows from inputs and labels ([`early_time`]), and Speed Limited
//! Optimization raises it in a chosen layer ([`optimizer`]).
//!
//! # The bit contract
//!
//! 1. IEEE 754 binary32 and binary64, to nearest even, subnormals kept; [`environment::check`] refuses anything else.
//! 2. Multiply-accumulate is fused, in software where the hardware cannot ([`ieee`]); all else is `+ - * /` and roots.
//! 3. Every output of a product is one ascending chain of `fma` from `+0`; vector lanes run over outputs ([`kernel`]).
//! 4. Sums over samples are chains in blocks of 256, and a binary-counter tree over the blocks ([`reduce`]).
//! 5. `f32` activations are correctly rounded ([`elementary`]); random numbers are ChaCha8 by a written rule ([`random`]).
//! 6. No feature, instruction set, thread count, batch split or build profile moves a bit; [`digest`] compares states,
//!    and [`digest::CONTRACT_VERSION`] names this contract. Early-time predictions state a bound instead.
//!
//! # Modules
//!
//! | module | what lives there |
//! |---|---|
//! | [`error`], [`ieee`] | typed errors; `fma` and square root, in software where a target lacks them |
//! | [`elementary`], [`scalar`], [`dual`] | exp, ln, tanh, logistic and normal functions; the traits of numbers; dual numbers |
//! | [`matrix`], [`kernel`], [`simd`] | borrowed views; products and outer products; their vector twins behind [`simd::Level`] |
//! | [`reduce`], [`environment`], [`eigen`] | the order of sums over samples, in mergeable parts; the floating-point self-test; symmetric eigen-decomposition |
//! | [`activation`], [`loss`], [`mod@network`] | functions with derivatives; shape, initial weights, forward, gradients, Jacobians; const sizes: [`network!`] |
//! | [`feature`], [`ptk_error`], [`correlation`] | NFM, PTK features, AGOP; bounds of their rounding; cosine and Pearson correlations with error bounds |
//! | [`optimizer`] | gradient descent and Speed Limited Optimization, with momentum and decay |
//! | [`early_time`] | what the centred correlation does before training: limit, rate, expectation, wide limit |
//! | [`random`], [`task`] | streams; synthetic data |
//! | [`digest`], [`golden`], [`same_bits`] | SHA-256 of state; the workload that every target repeats; how to check one |
//!
//! # Example
//!
//! A network on the stack or in a `static`, trained by Speed Limited Optimization and measured. Every buffer's size is a
//! constant; the same algorithms run on run-time sized networks through [`network::Network`].
//!
//! ```
//! use agop_core::correlation::{GivenErrors, Powers, measure_layer, measure_workspace};
//! use agop_core::matrix::{MatMut, MatRef};
//! use agop_core::optimizer::{EPSILON, Optimizer, Rule};
//! use agop_core::network::Initializer;
//! use agop_core::random::{Purpose, Stream};
//! use agop_core::reduce::SampleTree;
//! use agop_core::{feature, loss::MeanSquared, simd::Level, task};
//!
//! agop_core::network! {
//!     /// Eight inputs, sixteen hidden units, one output.
//!     pub struct Tiny([f32; 8 => 16 => 1], Relu, bias: false);
//! }
//! const N: usize = 64;
//!
//! let level = Level::detect();
//! agop_core::environment::check(level)?;
//!
//! // y = sum_k x_k x_(k+1 mod 3) on Gaussian inputs.
//! let mut x = [0.0_f32; N * 8];
//! let mut y = [0.0_f32; N];
//! task::fill_gaussian(&mut Stream::new(1, Purpose::TrainInputs, 0), None, MatMut::new(&mut x, N, 8)?)?;
//! for (y, x) in y.iter_mut().zip(x.chunks(8)) {
//!     *y = task::chain_monomial(3, x)?;
//! }
//! let (x, y) = (MatRef::new(&x, N, 8)?, MatRef::new(&y, N, 1)?);
//!
//! let mut net = Tiny::new();
//! Initializer::Normal.fill(Tiny::shape(), 1, &mut net.parameters)?;
//! let initial = net.clone();
//!
//! // PTK features K of the hidden layer, summed over samples in the order of the contract.
//! let ptk = |net: &Tiny, out: &mut [f32]| {
//!     let mut storage = [0.0; Tiny::ptk_storage(N as u64)];
//!     let mut sum = SampleTree::new(&mut storage, Tiny::PTK_VALUES, 0)?;
//!     let mut work = [0.0; Tiny::jacobian_workspace(8)];
//!     net.network()?.accumulate_ptk(level, x, &mut sum, &mut work)?;
//!     out.copy_from_slice(feature::finish_ptk(level, Tiny::shape(), &mut sum)?);
//!     Ok::<(), agop_core::error::Error>(())
//! };
//! let (mut k_0, mut k) = ([0.0; Tiny::PTK_VALUES], [0.0; Tiny::PTK_VALUES]);
//! ptk(&initial, &mut k_0)?;
//!
//! let speeds = [1.0, 0.002];
//! let rule = Rule::SpeedLimited { speeds: &speeds, epsilon: EPSILON };
//! let optimizer = Optimizer { rule, rate: 0.05, momentum: 0.0, decay: 0.0 };
//! let mut storage = [0.0; Tiny::gradient_storage(N as u64)];
//! let mut work = [0.0; Tiny::gradient_workspace(8)];
//! for _ in 0..100 {
//!     let view = net.network()?;
//!     let mut sum = SampleTree::new(&mut storage, Tiny::PARAMETERS + 1, 0)?;
//!     view.accumulate_gradient(level, MeanSquared, x, y, &mut sum, &mut work)?;
//!     let (_loss, gradient) = view.finish_gradient(level, MeanSquared, &mut sum)?;
//!     optimizer.step(level, Tiny::shape(), &mut net.parameters, gradient, &mut [])?;
//! }
//! ptk(&net, &mut k)?;
//!
//! let mut work = [0.0; measure_workspace(16, 8)];
//! let shape = Tiny::shape();
//! let measured = measure_layer(
//!     level,
//!     net.network()?.weights(0)?,
//!     initial.network()?.weights(0)?,
//!     feature::ptk_of_layer(shape, &k, 0)?,
//!     feature::ptk_of_layer(shape, &k_0, 0)?,
//!     GivenErrors::default(),
//!     Powers::One,
//!     &mut work,
//! )?;
//! let uncentered = measured.uncentered.cosine.expect("W and K are not zero");
//! assert!(uncentered.value > 0.7 && uncentered.bound.expect("well conditioned") < 1e-12);
//! # Ok::<(), agop_core::error::Error>(())
//! ```
pub mod activation;
pub mod correlation;
pub mod digest;
pub mod dual;
pub mod early_time;
pub mod eigen;
pub mod elementary;
pub mod environment;
pub mod error;
pub mod feature;
pub mod golden;
pub mod ieee;
pub mod kernel;
pub mod loss;
pub mod matrix;
pub mod network;
pub mod optimizer;
pub mod ptk_error;
pub mod random;
pub mod reduce;
pub mod same_bits;
pub mod scalar;
pub mod simd;
pub mod task;
