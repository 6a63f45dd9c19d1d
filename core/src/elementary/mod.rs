//! Exponential, logarithm, hyperbolic tangent and normal quantile with the same bits everywhere.
//!
//! Nothing here calls the platform: only `+ - * /`, comparisons, integer operations on the bits, and one `sqrt`, each
//! of which IEEE 754 fixes. There is no `fma`, so a target without one pays nothing, and no table from another library.
//!
//! - [`exp_f32`], [`ln_f32`] and [`tanh_f32`] are *correctly rounded*: the float nearest to the true value, ties to
//!   even. Their tests prove it on all 2^32 inputs.
//! - [`exp`], [`ln`], [`tanh`] and [`normal_quantile`] in `f64` state an error bound in units in the last place (ulp)
//!   and are tested against integer arithmetic of 250 bits and more.
//!
//! Every function is total: NaN gives NaN, and infinities, zeros, subnormals and arguments outside the domain give what
//! C99 prescribes.

mod exp;
mod exp_f32;
mod ln;
mod ln_f32;
mod normal_quantile;
mod reduction;
mod tanh;
mod tanh_f32;

pub use exp::exp;
pub use exp_f32::exp_f32;
pub use ln::ln;
pub use ln_f32::ln_f32;
pub use normal_quantile::normal_quantile;
pub use tanh::tanh;
pub use tanh_f32::tanh_f32;
