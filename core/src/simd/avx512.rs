//! x86-64 AVX-512F with AVX2 and FMA3.

use super::lanes::{Kernel, Lanes, Registers, Set, bits, lanes, min};
use super::prefetch;
use core::arch::asm;
use core::arch::x86_64::*;

token!(
    /// Proof that AVX-512F with AVX2 and FMA3 may run.
    Avx512, enable: "avx512f,avx2,fma";
    compiled: cfg!(all(target_feature = "avx512f", target_feature = "avx2", target_feature = "fma")),
    opaque: opaque,
    prefetch: prefetch,
);

impl Avx512 {
    /// The token, where this machine and its operating system have the instructions.
    pub fn detect() -> Option<Self> {
        crate::ieee::cpu::avx512().then_some(Self(()))
    }
}

lanes!(
    Avx512, f32;
    registers: Registers { width: 16, mr_single: 16, mr: 12, mr_wide: 6, few_rows: 8, square: 8 },
    vector: __m512,
    wide: __m512d,
    mask: u16 = mask_f32,
    splat: _mm512_set1_ps,
    load: _mm512_loadu_ps,
    store: _mm512_storeu_ps,
    load_wide: widened,
    load_masked(from, mask): _mm512_maskz_loadu_ps(mask, from),
    store_masked: _mm512_mask_storeu_ps,
    transposed: transposed_f32,
    fma(a, b, c): _mm512_fmadd_ps(a, b, c),
    fma_wide(a, b, c): _mm512_fmadd_pd(a, b, c),
);
lanes!(
    Avx512, f64;
    registers: Registers { width: 8, mr_single: 16, mr: 12, mr_wide: 6, few_rows: 8, square: 4 },
    vector: __m512d,
    wide: __m512d,
    mask: u8 = mask_f64,
    splat: _mm512_set1_pd,
    load: _mm512_loadu_pd,
    store: _mm512_storeu_pd,
    load_wide: _mm512_loadu_pd,
    load_masked(from, mask): _mm512_maskz_loadu_pd(mask, from),
    store_masked: _mm512_mask_storeu_pd,
    transposed: transposed_f64,
    fma(a, b, c): _mm512_fmadd_pd(a, b, c),
    fma_wide(a, b, c): _mm512_fmadd_pd(a, b, c),
);

#[inline(always)]
fn mask_f32(first: usize, end: usize, width: usize) -> u16 {
    bits(first, end, width) as u16
}

#[inline(always)]
fn mask_f64(first: usize, end: usize, width: usize) -> u8 {
    bits(first, end, width) as u8
}

/// The function `opaque` of the trait `Lanes`. Blocks of 16 rows have more row addresses than there are registers.
#[inline(always)]
fn opaque(mut number: usize) -> usize {
    // SAFETY: no instruction.
    unsafe { asm!("/* {} */", inout(reg) number, options(nomem, nostack, preserves_flags)) };
    number
}

/// Eight values of `f32` as `f64`.
///
/// # Safety
/// - They must be readable.
#[target_feature(enable = "avx512f,avx2")]
#[inline]
unsafe fn widened(from: *const f32) -> __m512d {
    // SAFETY: the caller's promise.
    _mm512_cvtps_pd(unsafe { _mm256_loadu_ps(from) })
}

/// The columns of a 16 x 8 block; see [`Lanes::transposed`].
///
/// # Safety
/// - As there.
#[target_feature(enable = "avx512f,avx2")]
#[inline]
unsafe fn transposed_f32(from: *const f32, from_row: usize, last: usize) -> [__m512; 8] {
    let load = |r: usize| {
        // SAFETY: the caller promises eight values of each row up to `last`.
        _mm256_castps_pd(unsafe { _mm256_loadu_ps(from.wrapping_add(min(r, last) * from_row)) })
    };
    // Row r beside row r + 4: in no later step but the last do quarters of a register meet.
    let row =
        |r: usize| _mm512_castpd_ps(_mm512_insertf64x4::<1>(_mm512_castpd256_pd512(load(r)), load(r + 4)));
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
/// - As there.
#[target_feature(enable = "avx512f,avx2")]
#[inline]
unsafe fn transposed_f64(from: *const f64, from_row: usize, last: usize) -> [__m512d; 4] {
    let load = |r: usize| {
        // SAFETY: the caller promises four values of each row up to `last`.
        unsafe { _mm256_loadu_pd(from.wrapping_add(min(r, last) * from_row)) }
    };
    let row = |r: usize| _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(load(r)), load(r + 2));
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
