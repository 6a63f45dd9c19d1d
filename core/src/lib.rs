#![no_std]
//! Gradient outer products, centred neural feature correlations and Speed Limited Optimization.
pub mod activation;
pub mod correlation;
pub mod digest;
pub mod early_time;
pub mod elementary;
pub mod environment;
pub mod error;
pub mod feature;
pub mod golden;
pub mod kernel;
pub mod loss;
pub mod matrix;
pub mod network;
pub mod optimizer;
pub mod random;
pub mod reduce;
pub mod same_bits;
pub mod scalar;
pub mod simd;
pub mod task;
