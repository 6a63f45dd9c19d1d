//! One fused multiply-add in hardware, where the compile target promises the instruction.
//!
//! Elsewhere the name stands for the software version of `scalar::fma`: same bits, slower.
//! The RISC-V features `f` and `d` become visible to `cfg` on stable compilers only once they are stabilised; until
//! then RISC-V takes the software version there.

/// `a b + c`, rounded once.
#[cfg(all(any(target_arch = "x86", target_arch = "x86_64"), target_feature = "fma"))]
#[inline(always)]
pub(crate) fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
    #[cfg(target_arch = "x86")]
    use core::arch::x86::{_mm_cvtss_f32, _mm_fmadd_ss, _mm_set_ss};
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::{_mm_cvtss_f32, _mm_fmadd_ss, _mm_set_ss};
    // SAFETY: the only demand of these intrinsics is that the CPU has SSE and FMA. The whole program is compiled for
    // a target with `fma` (the `cfg` above), which implies SSE; they touch registers only.
    unsafe { _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c))) }
}

/// `a b + c`, rounded once.
#[cfg(all(any(target_arch = "x86", target_arch = "x86_64"), target_feature = "fma"))]
#[inline(always)]
pub(crate) fn fma_f64(a: f64, b: f64, c: f64) -> f64 {
    #[cfg(target_arch = "x86")]
    use core::arch::x86::{_mm_cvtsd_f64, _mm_fmadd_sd, _mm_set_sd};
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::{_mm_cvtsd_f64, _mm_fmadd_sd, _mm_set_sd};
    // SAFETY: the only demand of these intrinsics is that the CPU has SSE2 and FMA. The whole program is compiled for
    // a target with `fma` (the `cfg` above), which implies SSE2; they touch registers only.
    unsafe { _mm_cvtsd_f64(_mm_fmadd_sd(_mm_set_sd(a), _mm_set_sd(b), _mm_set_sd(c))) }
}

/// `a b + c`, rounded once.
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
#[inline(always)]
pub(crate) fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
    let result: f32;
    // SAFETY: `fmadd` on scalar registers belongs to the floating-point unit that `neon` implies, and the whole program
    // is compiled for a target with `neon` (the `cfg` above). It reads three registers, writes one, and touches
    // neither memory, stack nor condition flags.
    unsafe {
        core::arch::asm!(
            "fmadd {result:s}, {a:s}, {b:s}, {c:s}",
            result = lateout(vreg) result,
            a = in(vreg) a,
            b = in(vreg) b,
            c = in(vreg) c,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    result
}

/// `a b + c`, rounded once.
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
#[inline(always)]
pub(crate) fn fma_f64(a: f64, b: f64, c: f64) -> f64 {
    let result: f64;
    // SAFETY: `fmadd` on scalar registers belongs to the floating-point unit that `neon` implies, and the whole program
    // is compiled for a target with `neon` (the `cfg` above). It reads three registers, writes one, and touches
    // neither memory, stack nor condition flags.
    unsafe {
        core::arch::asm!(
            "fmadd {result:d}, {a:d}, {b:d}, {c:d}",
            result = lateout(vreg) result,
            a = in(vreg) a,
            b = in(vreg) b,
            c = in(vreg) c,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    result
}

/// `a b + c`, rounded once.
#[cfg(all(any(target_arch = "riscv32", target_arch = "riscv64"), target_feature = "f"))]
#[inline(always)]
pub(crate) fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
    let result: f32;
    // SAFETY: `fmadd.s` belongs to the F extension, for which the whole program is compiled (the `cfg` above). `rne`
    // states the rounding in the instruction. It reads three registers, writes one and the sticky exception flags
    // (so no `preserves_flags`), and touches neither memory nor stack.
    unsafe {
        core::arch::asm!(
            "fmadd.s {result}, {a}, {b}, {c}, rne",
            result = lateout(freg) result,
            a = in(freg) a,
            b = in(freg) b,
            c = in(freg) c,
            options(pure, nomem, nostack)
        );
    }
    result
}

/// `a b + c`, rounded once.
#[cfg(all(any(target_arch = "riscv32", target_arch = "riscv64"), target_feature = "d"))]
#[inline(always)]
pub(crate) fn fma_f64(a: f64, b: f64, c: f64) -> f64 {
    let result: f64;
    // SAFETY: `fmadd.d` belongs to the D extension, for which the whole program is compiled (the `cfg` above). `rne`
    // states the rounding in the instruction. It reads three registers, writes one and the sticky exception flags
    // (so no `preserves_flags`), and touches neither memory nor stack.
    unsafe {
        core::arch::asm!(
            "fmadd.d {result}, {a}, {b}, {c}, rne",
            result = lateout(freg) result,
            a = in(freg) a,
            b = in(freg) b,
            c = in(freg) c,
            options(pure, nomem, nostack)
        );
    }
    result
}

#[cfg(not(any(
    all(any(target_arch = "x86", target_arch = "x86_64"), target_feature = "fma"),
    all(target_arch = "aarch64", target_feature = "neon"),
    all(any(target_arch = "riscv32", target_arch = "riscv64"), target_feature = "f")
)))]
pub(crate) use crate::scalar::software_fma_f32 as fma_f32;

#[cfg(not(any(
    all(any(target_arch = "x86", target_arch = "x86_64"), target_feature = "fma"),
    all(target_arch = "aarch64", target_feature = "neon"),
    all(any(target_arch = "riscv32", target_arch = "riscv64"), target_feature = "d")
)))]
pub(crate) use crate::scalar::software_fma_f64 as fma_f64;
