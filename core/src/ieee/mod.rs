//! IEEE 754 arithmetic, in software where a target lacks it: the ground that everything else stands on.
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

/// `a b + c`, rounded once to nearest even: in hardware where the compile target promises the instruction, else
/// [`software_fma_f32`]. Both give the same bits.
///
/// **Arithmetic** The IEEE 754 operation `fusedMultiplyAdd`: subnormals kept, an exact zero sum of opposite terms
/// is `+0`. The bits of a NaN are not promised.
#[inline(always)]
pub fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
    fma::fma_f32(a, b, c)
}

/// `a b + c`, rounded once to nearest even: in hardware where the compile target promises the instruction, else
/// [`software_fma_f64`]. Both give the same bits.
///
/// **Arithmetic** The IEEE 754 operation `fusedMultiplyAdd`: subnormals kept, an exact zero sum of opposite terms
/// is `+0`. The bits of a NaN are not promised.
#[inline(always)]
pub fn fma_f64(a: f64, b: f64, c: f64) -> f64 {
    fma::fma_f64(a, b, c)
}

/// Whether the control register of the calling thread says that it rounds to nearest and keeps subnormals; false where
/// there is none that is read.
pub(crate) fn control_is_default() -> bool {
    #[cfg(target_arch = "x86_64")]
    return cpu::control_is_default();
    #[cfg(not(target_arch = "x86_64"))]
    false
}
