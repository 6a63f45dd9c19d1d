//! Exponential, logarithm, hyperbolic tangent, logistic and normal functions with the same bits everywhere.
//!
//! Nothing here calls the platform: only `+ - * /`, comparisons, integer operations on the bits, and one `sqrt`, each
//! of which IEEE 754 fixes. There is no `fma`, so a target without one pays nothing, and no table from another library.
//!
//! - Those in `f32` ([`exp_f32`], [`ln_f32`], [`tanh_f32`], [`sigmoid_f32`], [`softplus_f32`], [`silu_f32`],
//!   [`gelu_f32`], [`normal_distribution_f32`], [`normal_density_f32`]) are *correctly rounded*: the float nearest to the true value, ties to
//!   even. Their tests prove it on all 2^32 inputs.
//! - Those in `f64` ([`exp`], [`ln`], [`tanh`], [`sigmoid`], [`softplus`], [`silu`], [`gelu`],
//!   [`normal_distribution`], [`normal_density`], [`normal_quantile`]) state an error bound in units in the last place (ulp) and are tested against integer arithmetic
//!   of 240 bits and more.
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
