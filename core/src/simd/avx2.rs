//! x86-64 AVX2 with FMA3.

use super::lanes::{Kernel, Lanes, Registers, Set, lanes, min};
use super::prefetch;
use core::arch::x86_64::*;

token!(
    /// Proof that AVX2 with FMA3 may run.
    Avx2, enable: "avx2,fma";
    compiled: cfg!(all(target_feature = "avx2", target_feature = "fma")),
    opaque: core::convert::identity,
    prefetch: prefetch,
);

impl Avx2 {
    /// The token, where this machine and its operating system have the instructions.
    pub fn detect() -> Option<Self> {
        crate::ieee::cpu::avx2().then_some(Self(()))
    }
}

lanes!(
    Avx2, f32;
    registers: Registers { width: 8, mr_single: 8, mr: 6, mr_wide: 0, few_rows: 2, square: 8 },
    vector: __m256,
    wide: __m256d,
    mask: __m256i = mask_f32,
    splat: _mm256_set1_ps,
    load: _mm256_loadu_ps,
    store: _mm256_storeu_ps,
    load_wide: widened,
    load_masked(from, mask): _mm256_maskload_ps(from, mask),
    store_masked: _mm256_maskstore_ps,
    transposed: transposed_f32,
    fma(a, b, c): _mm256_fmadd_ps(a, b, c),
    fma_wide(a, b, c): _mm256_fmadd_pd(a, b, c),
);
lanes!(
    Avx2, f64;
    registers: Registers { width: 4, mr_single: 8, mr: 6, mr_wide: 0, few_rows: 2, square: 4 },
    vector: __m256d,
    wide: __m256d,
    mask: __m256i = mask_f64,
    splat: _mm256_set1_pd,
    load: _mm256_loadu_pd,
    store: _mm256_storeu_pd,
    load_wide: _mm256_loadu_pd,
    load_masked(from, mask): _mm256_maskload_pd(from, mask),
    store_masked: _mm256_maskstore_pd,
    transposed: transposed_f64,
    fma(a, b, c): _mm256_fmadd_pd(a, b, c),
    fma_wide(a, b, c): _mm256_fmadd_pd(a, b, c),
);

/// The lanes `first .. end`: all bits set, from a table of a vector of ones before one of zeros.
macro_rules! mask {
    ($name:ident, $int:ty, $width:literal) => {
        #[target_feature(enable = "avx2")]
        #[inline]
        fn $name(first: usize, end: usize, _: usize) -> __m256i {
            const EDGE: [[$int; $width]; 2] = [[-1; $width], [0; $width]];
            let before = |end: usize| {
                let from = EDGE.as_ptr().cast::<$int>().wrapping_add($width - min(end, $width));
                // SAFETY: a vector from one of the first `$width` values on, or from the next, lies inside the table.
                unsafe { _mm256_loadu_si256(from.cast()) }
            };
            _mm256_andnot_si256(before(first), before(end))
        }
    };
}
mask!(mask_f32, i32, 8);
mask!(mask_f64, i64, 4);

/// Four values of `f32` as `f64`.
///
/// # Safety
/// - They must be readable.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn widened(from: *const f32) -> __m256d {
    // SAFETY: the caller's promise.
    _mm256_cvtps_pd(unsafe { _mm_loadu_ps(from) })
}

/// The columns of an 8 x 8 block; see [`Lanes::transposed`].
///
/// # Safety
/// - As there.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn transposed_f32(from: *const f32, from_row: usize, last: usize) -> [__m256; 8] {
    let half = |half: usize| {
        let load = |r: usize| {
            // SAFETY: the caller promises eight values of each row up to `last`: four from column `half` on, 0 or 4.
            unsafe { _mm_loadu_ps(from.wrapping_add(min(r, last) * from_row + half)) }
        };
        // Row r beside row r + 4, so that no later step crosses the halves of a register.
        let row = |r: usize| _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(load(r)), load(r + 4));
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
/// - As there.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn transposed_f64(from: *const f64, from_row: usize, last: usize) -> [__m256d; 4] {
    let half = |half: usize| {
        let load = |r: usize| {
            // SAFETY: the caller promises four values of each row up to `last`: two from column `half` on, 0 or 2.
            unsafe { _mm_loadu_pd(from.wrapping_add(min(r, last) * from_row + half)) }
        };
        let row = |r: usize| _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(load(r)), load(r + 2));
        let (r0, r1) = (row(0), row(1));
        [_mm256_unpacklo_pd(r0, r1), _mm256_unpackhi_pd(r0, r1)]
    };
    let ([c0, c1], [c2, c3]) = (half(0), half(2));
    [c0, c1, c2, c3]
}
