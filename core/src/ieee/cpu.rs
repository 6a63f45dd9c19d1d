//! Which x86-64 instruction sets the processor has and the operating system keeps, without `std`.

use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// AVX2 and FMA3, with the 256-bit registers kept across context switches.
pub(crate) fn avx2() -> bool {
    let avx = leaf_1_ecx() & (1 << 28) != 0;
    let fma = leaf_1_ecx() & (1 << 12) != 0;
    avx && fma && leaf_7_ebx() & (1 << 5) != 0 && kept(0b110)
}

/// AVX-512F besides, with the mask and 512-bit registers kept.
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
    // SAFETY: OSXSAVE says that xgetbv is enabled.
    osxsave && unsafe { state() } & mask == mask
}

/// Whether the calling thread rounds to nearest and keeps subnormals.
pub(crate) fn control_is_default() -> bool {
    const DENORMALS_ARE_ZERO: u32 = 1 << 6;
    const ROUNDING: u32 = 3 << 13;
    const FLUSH_TO_ZERO: u32 = 1 << 15;
    let mut control = 0_u32;
    // SAFETY: stmxcsr, of every x86-64 processor, stores four bytes at the address, which is that of a live u32.
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
