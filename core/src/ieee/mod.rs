//! IEEE 754 arithmetic: fused multiply-add, square root and exact scaling, in software where a target lacks the
//! instruction. Every other module may use this one.
#![allow(unsafe_code, reason = "instructions without a safe name; every block carries its proof")]

#[cfg(target_arch = "x86_64")]
pub(crate) mod cpu;
mod fma;
mod power_of_two;
pub(crate) mod software_fma;
mod sqrt;
mod upper;

pub(crate) use power_of_two::{
    exponent, exponent_of, largest_magnitude, normalize, power_of_two, scale_by_halves, times_power_of_two,
};
pub use software_fma::{integer_fma, software_fma_f32, software_fma_f64};
pub use sqrt::{software_sqrt, sqrt};
pub(crate) use upper::{Upper, gamma};

/// `a b + c`, rounded once to nearest even.
///
/// It runs in hardware where the compile target promises the instruction, else as [`software_fma_f32`], with the same bits.
///
/// **Arithmetic** The operation `fusedMultiplyAdd`: subnormals are kept, and an exact zero sum of opposite terms is `+0`.
/// The bits of a NaN are not promised.
///
/// **Source** IEEE 754-2019, section 5.4.1.
#[inline(always)]
pub fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
    fma::fma_f32(a, b, c)
}

/// `a b + c`, rounded once to nearest even.
///
/// It runs in hardware where the compile target promises the instruction, else as [`software_fma_f64`], with the same bits.
///
/// **Arithmetic** The operation `fusedMultiplyAdd`: subnormals are kept, and an exact zero sum of opposite terms is `+0`.
/// The bits of a NaN are not promised.
///
/// **Source** IEEE 754-2019, section 5.4.1.
#[inline(always)]
pub fn fma_f64(a: f64, b: f64, c: f64) -> f64 {
    fma::fma_f64(a, b, c)
}

/// Whether the control register of the calling thread selects rounding to nearest and keeps subnormals. False on targets
/// whose control register is not read.
pub(crate) fn control_is_default() -> bool {
    #[cfg(target_arch = "x86_64")]
    return cpu::control_is_default();
    #[cfg(not(target_arch = "x86_64"))]
    false
}
