//! One fused multiply-add in hardware, where the compile target promises the instruction.
//!
//! Elsewhere the name stands for the software version: same bits, slower.
//! Stable compilers hide the floating-point features of RISC-V and of Arm's M profile from `cfg`: `build.rs` tells them
//! from the name of the target.

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
    // is compiled for a target with `neon` (the `cfg` above). It reads three registers, writes one and the sticky
    // exception flags of FPSR (so no `preserves_flags`), and touches neither memory nor stack.
    unsafe {
        core::arch::asm!(
            "fmadd {result:s}, {a:s}, {b:s}, {c:s}",
            result = lateout(vreg) result,
            a = in(vreg) a,
            b = in(vreg) b,
            c = in(vreg) c,
            options(pure, nomem, nostack)
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
    // is compiled for a target with `neon` (the `cfg` above). It reads three registers, writes one and the sticky
    // exception flags of FPSR (so no `preserves_flags`), and touches neither memory nor stack.
    unsafe {
        core::arch::asm!(
            "fmadd {result:d}, {a:d}, {b:d}, {c:d}",
            result = lateout(vreg) result,
            a = in(vreg) a,
            b = in(vreg) b,
            c = in(vreg) c,
            options(pure, nomem, nostack)
        );
    }
    result
}

/// `a b + c`, rounded once.
#[cfg(hardware_fma = "riscv-f")]
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
#[cfg(hardware_fma = "riscv-d")]
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

/// `a b + c`, rounded once.
///
/// One multiplication at a time: the operands go through general registers, as stable compilers accept no operand in a
/// register of this unit. The hot loops are in `vfpv4`.
#[cfg(hardware_fma = "vfpv4")]
#[inline(always)]
pub(crate) fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
    let result: u32;
    // SAFETY: the target has a unit with `vfma.f32` (the `cfg` above). The code reads three general registers, writes
    // one and the three registers of the unit that it declares, and touches neither memory, stack nor the flags of the
    // core.
    unsafe {
        core::arch::asm!(
            "vmov s0, {a}",
            "vmov s1, {b}",
            "vmov s2, {c}",
            "vfma.f32 s2, s0, s1",
            "vmov {result}, s2",
            a = in(reg) a.to_bits(),
            b = in(reg) b.to_bits(),
            c = in(reg) c.to_bits(),
            result = lateout(reg) result,
            out("s0") _,
            out("s1") _,
            out("s2") _,
            options(pure, nomem, nostack)
        );
    }
    f32::from_bits(result)
}

#[cfg(not(any(
    all(any(target_arch = "x86", target_arch = "x86_64"), target_feature = "fma"),
    all(target_arch = "aarch64", target_feature = "neon"),
    hardware_fma = "riscv-f",
    hardware_fma = "vfpv4"
)))]
pub(crate) use super::software_fma::software_fma_f32 as fma_f32;

#[cfg(not(any(
    all(any(target_arch = "x86", target_arch = "x86_64"), target_feature = "fma"),
    all(target_arch = "aarch64", target_feature = "neon"),
    hardware_fma = "riscv-d"
)))]
pub(crate) use super::software_fma::software_fma_f64 as fma_f64;
