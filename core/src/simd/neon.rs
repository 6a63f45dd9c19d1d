//! AArch64 NEON (Advanced SIMD).

use super::lanes::{Kernel, Lanes, Registers, Set, bits, lanes, min};
use core::arch::aarch64::*;
use core::arch::asm;

token!(
    /// Proof that NEON may run: where this module is compiled, the compile target guarantees it.
    Neon;
    compiled: true,
    opaque: core::convert::identity,
    prefetch: prefetch,
);

lanes!(
    Neon, f32;
    registers: Registers { width: 4, mr_single: 16, mr: 12, mr_wide: 0, few_rows: 2, square: 4 },
    vector: float32x4_t,
    wide: float64x2_t,
    mask: u32 = bits,
    splat: vdupq_n_f32,
    load: vld1q_f32,
    store: vst1q_f32,
    load_wide: widened,
    load_masked(from, mask): load_masked_f32(from, mask),
    store_masked: store_masked_f32,
    transposed: transposed_f32,
    fma(a, b, c): vfmaq_f32(c, a, b),
    fma_wide(a, b, c): vfmaq_f64(c, a, b),
);
lanes!(
    Neon, f64;
    registers: Registers { width: 2, mr_single: 16, mr: 12, mr_wide: 0, few_rows: 2, square: 2 },
    vector: float64x2_t,
    wide: float64x2_t,
    mask: u32 = bits,
    splat: vdupq_n_f64,
    load: vld1q_f64,
    store: vst1q_f64,
    load_wide: vld1q_f64,
    load_masked(from, mask): load_masked_f64(from, mask),
    store_masked: store_masked_f64,
    transposed: transposed_f64,
    fma(a, b, c): vfmaq_f64(c, a, b),
    fma_wide(a, b, c): vfmaq_f64(c, a, b),
);

#[inline(always)]
fn prefetch(at: usize) {
    // SAFETY: a prefetch of any address has no effect but on the caches.
    unsafe { asm!("prfm pldl2keep, [{at}]", at = in(reg) at, options(nomem, nostack, preserves_flags)) };
}

/// Masked loads and stores: whole where all lanes are chosen, else lane by lane.
macro_rules! masked {
    ($load:ident, $store:ident, $scalar:ty, $vector:ty, $all:literal, $splat:ident, $whole_load:ident, $whole_store:ident,
     $load_lane:ident, $store_lane:ident, $($lane:literal)*) => {
        /// # Safety
        /// - The chosen values from `from` on must be readable.
        #[target_feature(enable = "neon")]
        #[inline]
        unsafe fn $load(from: *const $scalar, mask: u32) -> $vector {
            if mask == $all {
                // SAFETY: all are chosen.
                return unsafe { $whole_load(from) };
            }
            let mut x = $splat(0.0);
            $(if mask & (1 << $lane) != 0 {
                // SAFETY: this one is chosen.
                x = unsafe { $load_lane::<$lane>(from.wrapping_add($lane), x) };
            })*
            x
        }

        /// # Safety
        /// - The chosen values from `to` on must be writable.
        #[target_feature(enable = "neon")]
        #[inline]
        unsafe fn $store(to: *mut $scalar, mask: u32, x: $vector) {
            if mask == $all {
                // SAFETY: all are chosen.
                return unsafe { $whole_store(to, x) };
            }
            $(if mask & (1 << $lane) != 0 {
                // SAFETY: this one is chosen.
                unsafe { $store_lane::<$lane>(to.wrapping_add($lane), x) };
            })*
        }
    };
}
masked!(
    load_masked_f32, store_masked_f32, f32, float32x4_t, 0b1111, vdupq_n_f32, vld1q_f32, vst1q_f32, vld1q_lane_f32,
    vst1q_lane_f32, 0 1 2 3
);
masked!(
    load_masked_f64, store_masked_f64, f64, float64x2_t, 0b11, vdupq_n_f64, vld1q_f64, vst1q_f64, vld1q_lane_f64,
    vst1q_lane_f64, 0 1
);

/// Two values of `f32` as `f64`.
///
/// # Safety
/// - They must be readable.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn widened(from: *const f32) -> float64x2_t {
    // SAFETY: the caller's promise.
    vcvt_f64_f32(unsafe { vld1_f32(from) })
}

/// The columns of a 4 x 4 block; see [`Lanes::transposed`].
///
/// # Safety
/// - As there.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn transposed_f32(from: *const f32, from_row: usize, last: usize) -> [float32x4_t; 4] {
    let row = |r: usize| {
        // SAFETY: the caller promises four values of each row up to `last`.
        unsafe { vld1q_f32(from.wrapping_add(min(r, last) * from_row)) }
    };
    let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
    let (even, odd) = (vzip1q_f32(r0, r2), vzip1q_f32(r1, r3));
    let (c0, c1) = (vzip1q_f32(even, odd), vzip2q_f32(even, odd));
    let (even, odd) = (vzip2q_f32(r0, r2), vzip2q_f32(r1, r3));
    [c0, c1, vzip1q_f32(even, odd), vzip2q_f32(even, odd)]
}

/// The columns of a 2 x 2 block; see [`Lanes::transposed`].
///
/// # Safety
/// - As there.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn transposed_f64(from: *const f64, from_row: usize, last: usize) -> [float64x2_t; 2] {
    let row = |r: usize| {
        // SAFETY: the caller promises two values of each row up to `last`.
        unsafe { vld1q_f64(from.wrapping_add(min(r, last) * from_row)) }
    };
    let (r0, r1) = (row(0), row(1));
    [vzip1q_f64(r0, r1), vzip2q_f64(r0, r1)]
}
