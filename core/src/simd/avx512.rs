//! x86-64 AVX-512F with AVX2 and FMA3.

use super::avx2::Avx2;
use super::lanes::{Kernel, Lanes};
use core::arch::x86_64::*;

/// Proof that AVX-512F with AVX2 and FMA3 may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512(());

impl Avx512 {
    /// The token, where the compile target guarantees the instructions.
    pub const fn compiled() -> Option<Self> {
        if cfg!(all(target_feature = "avx512f", target_feature = "avx2", target_feature = "fma")) {
            Some(Self(()))
        } else {
            None
        }
    }

    /// The token, where this machine and its operating system have the instructions.
    pub fn detect() -> Option<Self> {
        if super::cpu::avx512() { Some(Self(())) } else { None }
    }

    /// Runs a kernel compiled for this set.
    #[inline(always)]
    pub(crate) fn run<K: Kernel<Self>>(self, kernel: K) -> K::Output {
        // SAFETY: the token proves that the instructions are there.
        unsafe { run(self, kernel) }
    }
}

#[target_feature(enable = "avx512f,avx2,fma")]
#[inline(never)] // its large frame stays its own: see `lanes::blocks::Accumulate`
fn run<K: Kernel<Avx512>>(set: Avx512, kernel: K) -> K::Output {
    kernel.run(set)
}

macro_rules! lanes {
    ($scalar:ty, $vector:ty, $width:literal, $splat:ident, $load:ident, $load_wide:ident, $store:ident, $fma:ident,
     $mask:ty, $load_some:ident, $store_some:ident) => {
        impl Lanes<$scalar> for Avx512 {
            type Vector = $vector;
            const WIDTH: usize = $width;
            const ROWS: usize = 12;
            const SINGLE_ROWS: usize = 16;
            const WIDE_ROWS: usize = 6;
            type Narrow = Avx2;
            type Wide = __m512d;
            type Mask = $mask;
            #[inline(always)]
            fn narrow(self) -> Avx2 {
                Avx2::beside(self)
            }
            #[inline(always)]
            fn call<K: Kernel<Self>>(self, kernel: K) -> K::Output {
                self.run(kernel)
            }
            #[inline(always)]
            fn mask(self, first: usize, end: usize) -> $mask {
                let ones =
                    |count: usize| if count < $width { ((1u32 << count) - 1) as $mask } else { <$mask>::MAX };
                ones(end) & !ones(first)
            }
            #[inline(always)]
            unsafe fn load_some(self, mask: $mask, from: *const $scalar) -> $vector {
                // SAFETY: the token proves the instructions; the caller promises the chosen memory, no other is touched.
                unsafe { $load_some(mask, from) }
            }
            #[inline(always)]
            unsafe fn store_some(self, mask: $mask, x: $vector, to: *mut $scalar) {
                // SAFETY: as for load_some.
                unsafe { $store_some(to, mask, x) }
            }
            #[inline(always)]
            unsafe fn load_wide(self, from: *const $scalar) -> __m512d {
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
                unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) };
            }
            #[inline(always)]
            fn fma(self, a: $vector, b: $vector, c: $vector) -> $vector {
                // SAFETY: the token proves the instructions.
                unsafe { $fma(a, b, c) }
            }
        }
    };
}

lanes!(
    f32,
    __m512,
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    widened,
    _mm512_storeu_ps,
    _mm512_fmadd_ps,
    u16,
    _mm512_maskz_loadu_ps,
    _mm512_mask_storeu_ps
);
lanes!(
    f64,
    __m512d,
    8,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_fmadd_pd,
    u8,
    _mm512_maskz_loadu_pd,
    _mm512_mask_storeu_pd
);

/// Eight values of `f32` as `f64`.
///
/// # Safety
/// They must be readable.
#[target_feature(enable = "avx512f,avx2")]
#[inline]
unsafe fn widened(from: *const f32) -> __m512d {
    // SAFETY: the caller's promise.
    unsafe { _mm512_cvtps_pd(_mm256_loadu_ps(from)) }
}
