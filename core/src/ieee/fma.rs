//! One fused multiply-add in hardware, where the compile target promises the instruction.
//!
//! On other targets the same name is the software version, which gives the same bits and is slower.
//! Stable compilers do not show the floating-point features of RISC-V and of Arm's M profile to `cfg`. `build.rs`
//! therefore derives them from the name of the target.

/// `a b + c`, rounded once, by intrinsics on the lowest lane.
#[cfg(all(any(target_arch = "x86", target_arch = "x86_64"), target_feature = "fma"))]
macro_rules! by_intrinsics {
    ($name:ident, $scalar:ty, $set:ident, $fma:ident, $get:ident) => {
        /// `a b + c`, rounded once.
        #[inline(always)]
        pub(crate) fn $name(a: $scalar, b: $scalar, c: $scalar) -> $scalar {
            #[cfg(target_arch = "x86")]
            use core::arch::x86::{$fma, $get, $set};
            #[cfg(target_arch = "x86_64")]
            use core::arch::x86_64::{$fma, $get, $set};
            #[target_feature(enable = "sse2,fma")]
            #[inline]
            fn fused(a: $scalar, b: $scalar, c: $scalar) -> $scalar {
                $get($fma($set(a), $set(b), $set(c)))
            }
            // SAFETY: the whole program is compiled for a target with `fma` (the `cfg` above), which implies SSE2.
            unsafe { fused(a, b, c) }
        }
    };
}

#[cfg(all(any(target_arch = "x86", target_arch = "x86_64"), target_feature = "fma"))]
by_intrinsics!(fma_f32, f32, _mm_set_ss, _mm_fmadd_ss, _mm_cvtss_f32);
#[cfg(all(any(target_arch = "x86", target_arch = "x86_64"), target_feature = "fma"))]
by_intrinsics!(fma_f64, f64, _mm_set_sd, _mm_fmadd_sd, _mm_cvtsd_f64);

/// `a b + c`, rounded once, by one instruction on registers of class `$register`.
#[cfg(any(all(target_arch = "aarch64", target_feature = "neon"), hardware_fma = "riscv-f"))]
macro_rules! by_instruction {
    ($name:ident, $scalar:ty, $register:ident, $instruction:literal) => {
        /// `a b + c`, rounded once.
        #[inline(always)]
        pub(crate) fn $name(a: $scalar, b: $scalar, c: $scalar) -> $scalar {
            let result: $scalar;
            // SAFETY: the whole program is compiled for a target with the instruction (the `cfg` of the expansion). The
            // instruction reads three registers and writes one, and it accesses neither memory nor stack. It also writes
            // the sticky exception flags, so the option `preserves_flags` is absent.
            unsafe {
                core::arch::asm!(
                    $instruction,
                    result = lateout($register) result,
                    a = in($register) a,
                    b = in($register) b,
                    c = in($register) c,
                    options(pure, nomem, nostack)
                );
            }
            result
        }
    };
}

#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
by_instruction!(fma_f32, f32, vreg, "fmadd {result:s}, {a:s}, {b:s}, {c:s}");
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
by_instruction!(fma_f64, f64, vreg, "fmadd {result:d}, {a:d}, {b:d}, {c:d}");

// `rne` encodes rounding to nearest even in the instruction, whatever the control register says.
#[cfg(hardware_fma = "riscv-f")]
by_instruction!(fma_f32, f32, freg, "fmadd.s {result}, {a}, {b}, {c}, rne");
#[cfg(hardware_fma = "riscv-d")]
by_instruction!(fma_f64, f64, freg, "fmadd.d {result}, {a}, {b}, {c}, rne");

/// `a b + c`, rounded once.
///
/// The operands pass through general registers, because stable compilers accept no operand in a register of this unit. That
/// is slow; the hot loops have assembly of their own in `simd::vfpv4`.
#[cfg(hardware_fma = "vfpv4")]
#[inline(always)]
pub(crate) fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
    let result: u32;
    // SAFETY: the target has a unit with `vfma.f32` (the `cfg` above). The code reads three general registers. It writes
    // one general register and the three registers of the unit that it declares. It accesses neither memory, stack nor
    // the flags of the core.
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
