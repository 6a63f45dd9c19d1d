//! AArch64 NEON (Advanced SIMD).

use super::lanes::{Kernel, Lanes, least};
use core::arch::aarch64::*;
use core::arch::asm;

/// Proof that NEON may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neon(());

impl Neon {
    /// The token: where this module is compiled, the compile target guarantees the instructions.
    pub const fn compiled() -> Option<Self> {
        Some(Self(()))
    }

    /// Runs a kernel in a function of its own.
    #[inline(always)]
    pub(crate) fn run<K: Kernel<Self>>(self, kernel: K) -> K::Output {
        run(self, kernel)
    }
}

#[inline(never)] // its large frame stays its own: see `lanes::blocks::Accumulate`
fn run<K: Kernel<Neon>>(set: Neon, kernel: K) -> K::Output {
    kernel.run(set)
}

macro_rules! lanes {
    ($scalar:ty, $vector:ty, $width:literal, $splat:ident, $load:ident, $load_wide:ident, $store:ident, $fma:ident,
     $load_lane:ident, $store_lane:ident, [$($lane:literal)*], $transposed:ident) => {
        impl Lanes<$scalar> for Neon {
            type Vector = $vector;
            const WIDTH: usize = $width;
            const ROWS: usize = 12;
            const SINGLE_ROWS: usize = 16;
            const WIDE_ROWS: usize = 0;
            type Wide = float64x2_t;
            const TRANSPOSED_ROWS: usize = 2;
            const DEPTH: usize = $width;
            type Columns = [$vector; $width];
            /// A bit for each lane.
            type Mask = u8;
            #[inline(always)]
            fn call<K: Kernel<Self>>(self, kernel: K) -> K::Output {
                self.run(kernel)
            }
            #[inline(always)]
            fn mask(self, first: usize, end: usize) -> u8 {
                let ones = |count: usize| if count < $width { (1 << count) - 1 } else { (1 << $width) - 1 };
                ones(end) & !ones(first)
            }
            #[inline(always)]
            unsafe fn load_some(self, mask: u8, from: *const $scalar) -> $vector {
                // SAFETY: the token proves the instructions; the caller promises the chosen memory, no other is touched.
                unsafe {
                    if mask == (1 << $width) - 1 {
                        return $load(from);
                    }
                    let mut x = $splat(0.0);
                    $(if mask & (1 << $lane) != 0 {
                        x = $load_lane::<$lane>(from.add($lane), x);
                    })*
                    x
                }
            }
            #[inline(always)]
            unsafe fn store_some(self, mask: u8, x: $vector, to: *mut $scalar) {
                // SAFETY: as for load_some.
                unsafe {
                    if mask == (1 << $width) - 1 {
                        return $store(to, x);
                    }
                    $(if mask & (1 << $lane) != 0 {
                        $store_lane::<$lane>(to.add($lane), x);
                    })*
                }
            }
            #[inline(always)]
            unsafe fn load_wide(self, from: *const $scalar) -> float64x2_t {
                // SAFETY: the token proves the instructions; the caller promises the memory.
                unsafe { $load_wide(from) }
            }
            #[inline(always)]
            fn splat(self, x: $scalar) -> $vector {
                // SAFETY: the token proves the instructions.
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(self, from: *const $scalar) -> $vector {
                // SAFETY: the token proves the instructions; the caller promises the memory.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, x: $vector, to: *mut $scalar) {
                // SAFETY: the token proves the instructions; the caller promises the memory.
                unsafe { $store(to, x) }
            }
            #[inline(always)]
            fn prefetch(self, at: *const $scalar) {
                // SAFETY: a prefetch of any address has no effect but on the caches.
                unsafe {
                    asm!("prfm pldl2keep, [{at}]", at = in(reg) at.addr(), options(nomem, nostack, preserves_flags));
                }
            }
            #[inline(always)]
            fn fma(self, a: $vector, b: $vector, c: $vector) -> $vector {
                // SAFETY: the token proves the instructions.
                unsafe { $fma(c, a, b) }
            }
            #[inline(always)]
            unsafe fn transposed(self, from: *const $scalar, from_row: usize, last: usize) -> [$vector; $width] {
                // SAFETY: the token proves the instructions; the caller promises the memory.
                unsafe { $transposed(from, from_row, last) }
            }
        }
    };
}

lanes!(
    f32,
    float32x4_t,
    4,
    vdupq_n_f32,
    vld1q_f32,
    widened,
    vst1q_f32,
    vfmaq_f32,
    vld1q_lane_f32,
    vst1q_lane_f32,
    [0 1 2 3],
    transposed_f32
);
lanes!(
    f64,
    float64x2_t,
    2,
    vdupq_n_f64,
    vld1q_f64,
    vld1q_f64,
    vst1q_f64,
    vfmaq_f64,
    vld1q_lane_f64,
    vst1q_lane_f64,
    [0 1],
    transposed_f64
);

/// Two values of `f32` as `f64`.
///
/// # Safety
/// They must be readable.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn widened(from: *const f32) -> float64x2_t {
    // SAFETY: the caller's promise.
    unsafe { vcvt_f64_f32(vld1_f32(from)) }
}

/// The columns of a 4 x 4 block; see [`Lanes::transposed`].
///
/// # Safety
/// As there.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn transposed_f32(from: *const f32, from_row: usize, last: usize) -> [float32x4_t; 4] {
    let row = |r: usize| {
        // SAFETY: four values of row r < 4.
        unsafe { vld1q_f32(from.add(least(r, last) * from_row)) }
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
/// As there.
#[target_feature(enable = "neon")]
#[inline]
unsafe fn transposed_f64(from: *const f64, from_row: usize, last: usize) -> [float64x2_t; 2] {
    let row = |r: usize| {
        // SAFETY: two values of row r < 2.
        unsafe { vld1q_f64(from.add(least(r, last) * from_row)) }
    };
    let (r0, r1) = (row(0), row(1));
    [vzip1q_f64(r0, r1), vzip2q_f64(r0, r1)]
}
