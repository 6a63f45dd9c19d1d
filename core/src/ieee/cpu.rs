//! Detection of x86-64 instruction sets without `std`: the processor has them, and the operating system saves their
//! registers across context switches.

use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// Whether AVX2 and FMA3 can be used: both are present, and the operating system saves the 256-bit registers.
pub(crate) fn avx2() -> bool {
    let avx = leaf_1_ecx() & (1 << 28) != 0;
    let fma = leaf_1_ecx() & (1 << 12) != 0;
    avx && fma && leaf_7_ebx() & (1 << 5) != 0 && kept(0b110)
}

/// Whether AVX-512F can be used too: it is present, and the operating system saves the mask and 512-bit registers.
pub(crate) fn avx512() -> bool {
    avx2() && leaf_7_ebx() & (1 << 16) != 0 && kept(0b1110_0110)
}

fn leaf_1_ecx() -> u32 {
    __cpuid(1).ecx
}

fn leaf_7_ebx() -> u32 {
    if __cpuid(0).eax >= 7 { __cpuid_count(7, 0).ebx } else { 0 }
}

/// True when the operating system saves all the register groups of `mask` (the bits of XCR0).
fn kept(mask: u64) -> bool {
    let osxsave = leaf_1_ecx() & (1 << 27) != 0;
    // SAFETY: OSXSAVE is set, so xgetbv is enabled.
    osxsave && unsafe { state() } & mask == mask
}

/// Whether the control register (MXCSR) of the calling thread selects rounding to nearest and keeps subnormals.
pub(crate) fn control_is_default() -> bool {
    const DENORMALS_ARE_ZERO: u32 = 1 << 6;
    const ROUNDING: u32 = 3 << 13;
    const FLUSH_TO_ZERO: u32 = 1 << 15;
    let mut control = 0_u32;
    // SAFETY: every x86-64 processor has stmxcsr. It stores four bytes at the address of a live u32.
    unsafe {
        core::arch::asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack, preserves_flags));
    }
    control & (DENORMALS_ARE_ZERO | ROUNDING | FLUSH_TO_ZERO) == 0
}

#[target_feature(enable = "xsave")]
fn state() -> u64 {
    // SAFETY: register 0 always exists where xgetbv does.
    unsafe { _xgetbv(0) }
}
