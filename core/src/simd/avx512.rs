//! x86-64 AVX-512F with AVX2 and FMA3.

use super::lanes::{Kernel, Lanes, least};
use core::arch::asm;
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
        if crate::ieee::cpu::avx512() { Some(Self(())) } else { None }
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
     $mask:ty, $load_some:ident, $store_some:ident, $transposed:ident) => {
        impl Lanes<$scalar> for Avx512 {
            type Vector = $vector;
            const WIDTH: usize = $width;
            const ROWS: usize = 12;
            const SINGLE_ROWS: usize = 16;
            const WIDE_ROWS: usize = 6;
            type Wide = __m512d;
            const TRANSPOSED_ROWS: usize = 8;
            const DEPTH: usize = $width / 2;
            type Columns = [$vector; $width / 2];
            type Mask = $mask;
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
            #[inline(always)]
            fn unmoved(self, mut number: usize) -> usize {
                // SAFETY: no instruction.
                unsafe { asm!("/* {} */", inout(reg) number, options(nomem, nostack, preserves_flags)) };
                number
            }
            #[inline(always)]
            unsafe fn transposed(
                self,
                from: *const $scalar,
                from_row: usize,
                last: usize,
            ) -> [$vector; $width / 2] {
                // SAFETY: the token proves the instructions; the caller promises the memory.
                unsafe { $transposed(from, from_row, last) }
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
    _mm512_mask_storeu_ps,
    transposed_f32
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
    _mm512_mask_storeu_pd,
    transposed_f64
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

/// The columns of a 16 x 8 block; see [`Lanes::transposed`].
///
/// # Safety
/// As there.
#[target_feature(enable = "avx512f,avx2")]
#[inline]
unsafe fn transposed_f32(from: *const f32, from_row: usize, last: usize) -> [__m512; 8] {
    // Row r beside row r + 4: in no later step but the last do quarters of a register meet.
    let row = |r: usize| {
        // SAFETY: eight values each of rows r and r + 4 < 16.
        unsafe {
            let low = _mm256_loadu_ps(from.add(least(r, last) * from_row));
            let high = _mm256_loadu_ps(from.add(least(r + 4, last) * from_row));
            let low = _mm512_castpd256_pd512(_mm256_castps_pd(low));
            _mm512_castpd_ps(_mm512_insertf64x4::<1>(low, _mm256_castps_pd(high)))
        }
    };
    // Columns k and k + 4 of eight rows, in quarters that take turns.
    let half = |half: usize| {
        let (r0, r1, r2, r3) = (row(half), row(half + 1), row(half + 2), row(half + 3));
        let (t0, t1) = (_mm512_unpacklo_ps(r0, r1), _mm512_unpackhi_ps(r0, r1));
        let (t2, t3) = (_mm512_unpacklo_ps(r2, r3), _mm512_unpackhi_ps(r2, r3));
        [
            _mm512_shuffle_ps::<0x44>(t0, t2),
            _mm512_shuffle_ps::<0xEE>(t0, t2),
            _mm512_shuffle_ps::<0x44>(t1, t3),
            _mm512_shuffle_ps::<0xEE>(t1, t3),
        ]
    };
    let [a0, a1, a2, a3] = half(0);
    let [b0, b1, b2, b3] = if last < 8 { [a0, a1, a2, a3] } else { half(8) };
    [
        _mm512_shuffle_f32x4::<0x88>(a0, b0),
        _mm512_shuffle_f32x4::<0x88>(a1, b1),
        _mm512_shuffle_f32x4::<0x88>(a2, b2),
        _mm512_shuffle_f32x4::<0x88>(a3, b3),
        _mm512_shuffle_f32x4::<0xDD>(a0, b0),
        _mm512_shuffle_f32x4::<0xDD>(a1, b1),
        _mm512_shuffle_f32x4::<0xDD>(a2, b2),
        _mm512_shuffle_f32x4::<0xDD>(a3, b3),
    ]
}

/// The columns of an 8 x 4 block; see [`Lanes::transposed`].
///
/// # Safety
/// As there.
#[target_feature(enable = "avx512f,avx2")]
#[inline]
unsafe fn transposed_f64(from: *const f64, from_row: usize, last: usize) -> [__m512d; 4] {
    let row = |r: usize| {
        // SAFETY: four values each of rows r and r + 2 < 8.
        unsafe {
            let low = _mm256_loadu_pd(from.add(least(r, last) * from_row));
            let high = _mm256_loadu_pd(from.add(least(r + 2, last) * from_row));
            _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(low), high)
        }
    };
    // Columns k and k + 2 of four rows, in quarters that take turns.
    let half = |half: usize| {
        let (r0, r1) = (row(half), row(half + 1));
        [_mm512_unpacklo_pd(r0, r1), _mm512_unpackhi_pd(r0, r1)]
    };
    let [a0, a1] = half(0);
    let [b0, b1] = if last < 4 { [a0, a1] } else { half(4) };
    [
        _mm512_shuffle_f64x2::<0x88>(a0, b0),
        _mm512_shuffle_f64x2::<0x88>(a1, b1),
        _mm512_shuffle_f64x2::<0xDD>(a0, b0),
        _mm512_shuffle_f64x2::<0xDD>(a1, b1),
    ]
}
