//! x86-64 AVX2 with FMA3.

use super::lanes::{Kernel, Lanes, least};
use core::arch::x86_64::*;

/// Proof that AVX2 with FMA3 may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2(());

impl Avx2 {
    /// The token, where the compile target guarantees the instructions.
    pub const fn compiled() -> Option<Self> {
        if cfg!(all(target_feature = "avx2", target_feature = "fma")) { Some(Self(())) } else { None }
    }

    /// The token, where this machine and its operating system have the instructions.
    pub fn detect() -> Option<Self> {
        if crate::ieee::cpu::avx2() { Some(Self(())) } else { None }
    }

    /// Runs a kernel compiled for this set.
    #[inline(always)]
    pub(crate) fn run<K: Kernel<Self>>(self, kernel: K) -> K::Output {
        // SAFETY: the token proves that the instructions are there.
        unsafe { run(self, kernel) }
    }
}

#[target_feature(enable = "avx2,fma")]
#[inline(never)] // its large frame stays its own: see `lanes::blocks::Accumulate`
fn run<K: Kernel<Avx2>>(set: Avx2, kernel: K) -> K::Output {
    kernel.run(set)
}

macro_rules! lanes {
    ($scalar:ty, $vector:ty, $width:literal, $splat:ident, $load:ident, $load_wide:ident, $store:ident, $fma:ident,
     $int:ty, $load_some:ident, $store_some:ident, $transposed:ident) => {
        impl Lanes<$scalar> for Avx2 {
            type Vector = $vector;
            const WIDTH: usize = $width;
            const ROWS: usize = 6;
            const SINGLE_ROWS: usize = 8;
            const WIDE_ROWS: usize = 0;
            type Wide = __m256d;
            const TRANSPOSED_ROWS: usize = 2;
            const DEPTH: usize = $width;
            type Columns = [$vector; $width];
            type Mask = __m256i;
            #[inline(always)]
            fn call<K: Kernel<Self>>(self, kernel: K) -> K::Output {
                self.run(kernel)
            }
            #[inline(always)]
            fn mask(self, first: usize, end: usize) -> __m256i {
                const EDGE: [[$int; $width]; 2] = [[-1; $width], [0; $width]];
                // The lanes before `end`, of which there are at most as many as in a vector.
                let before = |end: usize| {
                    // SAFETY: a vector from one of the first `WIDTH` values on, or from the one behind them, lies inside the
                    // two; the token proves the instruction.
                    unsafe {
                        _mm256_loadu_si256(
                            EDGE.as_ptr().cast::<$int>().add($width - least(end, $width)).cast(),
                        )
                    }
                };
                // SAFETY: the token proves the instruction.
                unsafe { _mm256_andnot_si256(before(first), before(end)) }
            }
            #[inline(always)]
            unsafe fn load_some(self, mask: __m256i, from: *const $scalar) -> $vector {
                // SAFETY: the token proves the instructions; the caller promises the chosen memory, no other is touched.
                unsafe { $load_some(from, mask) }
            }
            #[inline(always)]
            unsafe fn store_some(self, mask: __m256i, x: $vector, to: *mut $scalar) {
                // SAFETY: as for load_some.
                unsafe { $store_some(to, mask, x) }
            }
            #[inline(always)]
            unsafe fn load_wide(self, from: *const $scalar) -> __m256d {
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
            unsafe fn transposed(
                self,
                from: *const $scalar,
                from_row: usize,
                last: usize,
            ) -> [$vector; $width] {
                // SAFETY: the token proves the instructions; the caller promises the memory.
                unsafe { $transposed(from, from_row, last) }
            }
        }
    };
}

lanes!(
    f32,
    __m256,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    widened,
    _mm256_storeu_ps,
    _mm256_fmadd_ps,
    i32,
    _mm256_maskload_ps,
    _mm256_maskstore_ps,
    transposed_f32
);
lanes!(
    f64,
    __m256d,
    4,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_fmadd_pd,
    i64,
    _mm256_maskload_pd,
    _mm256_maskstore_pd,
    transposed_f64
);

/// Four values of `f32` as `f64`.
///
/// # Safety
/// They must be readable.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn widened(from: *const f32) -> __m256d {
    // SAFETY: the caller's promise.
    unsafe { _mm256_cvtps_pd(_mm_loadu_ps(from)) }
}

/// The columns of an 8 x 8 block; see [`Lanes::transposed`].
///
/// # Safety
/// As there.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn transposed_f32(from: *const f32, from_row: usize, last: usize) -> [__m256; 8] {
    let half = |half: usize| {
        // Row r beside row r + 4, so that no later step crosses the halves of a register.
        let row = |r: usize| {
            // SAFETY: four values each of rows r and r + 4 < 8, from column `half` < 8 on.
            unsafe {
                let low = _mm_loadu_ps(from.add(least(r, last) * from_row + half));
                let high = _mm_loadu_ps(from.add(least(r + 4, last) * from_row + half));
                _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high)
            }
        };
        let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
        let (t0, t1) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
        let (t2, t3) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
        [
            _mm256_shuffle_ps::<0x44>(t0, t2),
            _mm256_shuffle_ps::<0xEE>(t0, t2),
            _mm256_shuffle_ps::<0x44>(t1, t3),
            _mm256_shuffle_ps::<0xEE>(t1, t3),
        ]
    };
    let ([c0, c1, c2, c3], [c4, c5, c6, c7]) = (half(0), half(4));
    [c0, c1, c2, c3, c4, c5, c6, c7]
}

/// The columns of a 4 x 4 block; see [`Lanes::transposed`].
///
/// # Safety
/// As there.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn transposed_f64(from: *const f64, from_row: usize, last: usize) -> [__m256d; 4] {
    let half = |half: usize| {
        let row = |r: usize| {
            // SAFETY: two values each of rows r and r + 2 < 4, from column `half` < 4 on.
            unsafe {
                let low = _mm_loadu_pd(from.add(least(r, last) * from_row + half));
                let high = _mm_loadu_pd(from.add(least(r + 2, last) * from_row + half));
                _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(low), high)
            }
        };
        let (r0, r1) = (row(0), row(1));
        [_mm256_unpacklo_pd(r0, r1), _mm256_unpackhi_pd(r0, r1)]
    };
    let ([c0, c1], [c2, c3]) = (half(0), half(2));
    [c0, c1, c2, c3]
}
