//! Exponential, logarithm, hyperbolic tangent, logistic and normal functions with the same bits everywhere.
//!
//! The functions use only `+ - * /`, comparisons, integer operations on the bits, and one `sqrt`. IEEE 754 fixes the
//! result of each of these, and no platform library is called. No function uses `fma`, which is slow on a target without
//! the instruction.
//!
//! - The `f32` functions ([`exp_f32`], [`ln_f32`], [`tanh_f32`], [`sigmoid_f32`], [`softplus_f32`], [`silu_f32`],
//!   [`gelu_f32`], [`normal_distribution_f32`], [`normal_density_f32`]) are *correctly rounded*: they return the float
//!   nearest to the true value, ties to even. Their tests prove it on all 2^32 inputs.
//! - The `f64` functions ([`exp`], [`ln`], [`tanh`], [`sigmoid`], [`softplus`], [`silu`], [`gelu`],
//!   [`normal_distribution`], [`normal_density`], [`normal_quantile`]) state an error bound in units in the last place
//!   (ulp). They are tested against integer arithmetic of 240 bits and more.
//!
//! Every function is total: NaN gives NaN, and infinities, zeros, subnormals and arguments outside the domain give what
//! C99 prescribes.

mod exp;
mod exp_f32;
mod gelu;
mod gelu_f32;
mod ln;
mod ln_f32;
mod normal_density;
mod normal_density_f32;
mod normal_distribution;
mod normal_distribution_f32;
mod normal_quantile;
mod reduction;
mod sigmoid;
mod sigmoid_f32;
mod silu;
mod silu_f32;
mod softplus;
mod softplus_f32;
mod tanh;
mod tanh_f32;

pub use exp::exp;
pub use exp_f32::exp_f32;
pub use gelu::gelu;
pub use gelu_f32::gelu_f32;
pub use ln::ln;
pub use ln_f32::ln_f32;
pub use normal_density::normal_density;
pub use normal_density_f32::normal_density_f32;
pub use normal_distribution::normal_distribution;
pub use normal_distribution_f32::normal_distribution_f32;
pub use normal_quantile::normal_quantile;
pub use sigmoid::sigmoid;
pub use sigmoid_f32::sigmoid_f32;
pub use silu::silu;
pub use silu_f32::silu_f32;
pub use softplus::softplus;
pub use softplus_f32::softplus_f32;
pub use tanh::tanh;
pub use tanh_f32::tanh_f32;
