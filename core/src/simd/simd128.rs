//! WebAssembly simd128. It has no fused multiply-add: the software one of `ieee`, in lanes.

use super::lanes::{Kernel, Lanes, Registers, Set, bits, lanes, min};
use crate::ieee::software_fma::{HIGH, LOW, SPLIT, software_fma_f64};
use core::arch::wasm32::*;

token!(
    /// Proof that simd128 may run: a module with these instructions loads only where they are.
    Simd128;
    compiled: true,
    opaque: core::convert::identity,
    prefetch: prefetch,
);

lanes!(
    Simd128, f32;
    registers: Registers { width: 4, mr_single: 4, mr: 4, mr_wide: 0, few_rows: 2, square: 4 },
    vector: v128,
    wide: v128,
    mask: u32 = bits,
    splat: f32x4_splat,
    load: v128_load,
    store: v128_store,
    load_wide: widened,
    load_masked(from, mask): load_masked_f32(from, mask),
    store_masked: store_masked_f32,
    transposed: transposed_f32,
    fma(a, b, c): fma_f32(a, b, c),
    fma_wide(a, b, c): f64x2_add(f64x2_mul(a, b), c), // the products are exact
);
lanes!(
    Simd128, f64;
    registers: Registers { width: 2, mr_single: 4, mr: 4, mr_wide: 0, few_rows: 2, square: 2 },
    vector: v128,
    wide: v128,
    mask: u32 = bits,
    splat: f64x2_splat,
    load: v128_load,
    store: v128_store,
    load_wide: v128_load,
    load_masked(from, mask): load_masked_f64(from, mask),
    store_masked: store_masked_f64,
    transposed: transposed_f64,
    fma(a, b, c): fma_f64(a, b, c),
    fma_wide(a, b, c): fma_f64(a, b, c),
);

/// WebAssembly has no such instruction.
#[inline(always)]
fn prefetch(_: usize) {}

/// Masked loads and stores, lane by lane.
macro_rules! masked {
    ($load:ident, $store:ident, $scalar:ty, $word:ty, $load_lane:ident, $store_lane:ident, $($lane:literal)*) => {
        /// # Safety
        /// - The chosen values from `from` on must be readable.
        #[inline(always)]
        unsafe fn $load(from: *const $scalar, mask: u32) -> v128 {
            let mut x = f64x2_splat(0.0);
            $(if mask & (1 << $lane) != 0 {
                // SAFETY: this one is chosen.
                x = unsafe { $load_lane::<$lane>(x, from.wrapping_add($lane).cast::<$word>()) };
            })*
            x
        }

        /// # Safety
        /// - The chosen values from `to` on must be writable.
        #[inline(always)]
        unsafe fn $store(to: *mut $scalar, mask: u32, x: v128) {
            $(if mask & (1 << $lane) != 0 {
                // SAFETY: this one is chosen.
                unsafe { $store_lane::<$lane>(x, to.wrapping_add($lane).cast::<$word>()) };
            })*
        }
    };
}
masked!(load_masked_f32, store_masked_f32, f32, u32, v128_load32_lane, v128_store32_lane, 0 1 2 3);
masked!(load_masked_f64, store_masked_f64, f64, u64, v128_load64_lane, v128_store64_lane, 0 1);

/// `a b + c`, rounded once, for four `f32`; see [`crate::ieee::software_fma_f32`].
///
/// Rounding to nearest twice differs from rounding once only where the sum in `f64` lies halfway between two `f32`: its
/// lower 29 bits are then 2^28, or it lies below the normal numbers. Where no lane does, the steps to odd are left out.
#[inline(always)]
fn fma_f32(a: v128, b: v128, c: v128) -> v128 {
    let high = |x: v128| i64x2_shuffle::<1, 1>(x, x);
    let wide = |x: v128| (f64x2_promote_low_f32x4(x), f64x2_promote_low_f32x4(high(x)));
    let ((a0, a1), (b0, b1), (c0, c1)) = (wide(a), wide(b), wide(c));
    let (p0, p1) = (f64x2_mul(a0, b0), f64x2_mul(a1, b1));
    let (mut s0, mut s1) = (f64x2_add(p0, c0), f64x2_add(p1, c1));
    let (low_word, high_word) = (i32x4_shuffle::<0, 2, 4, 6>(s0, s1), i32x4_shuffle::<1, 3, 5, 7>(s0, s1));
    let middle = i32x4_eq(i32x4_shl(low_word, 3), i32x4_splat(i32::MIN));
    // Magnitudes from the least above zero up to below 2^-126, the smallest integers after the shift by wrapping.
    let shifted = i32x4_add(i32x4_shl(high_word, 1), i32x4_splat(i32::MAX));
    let small = i32x4_lt(shifted, i32x4_splat(((1023 - 126) << 21) + i32::MIN));
    if v128_any_true(v128_or(middle, small)) {
        let odd = |s: v128, p: v128, c: v128| to_odd(s, sum_error(s, p, c));
        (s0, s1) = (odd(s0, p0, c0), odd(s1, p1, c1));
    }
    i64x2_shuffle::<0, 2>(f32x4_demote_f64x2_zero(s0), f32x4_demote_f64x2_zero(s1))
}

/// `a b + c`, rounded once, for two `f64`; see [`software_fma_f64`].
///
/// The exact sum is `high` and almost `low`, which is far smaller: where `low` may be an ulp larger or smaller without
/// changing the result, the steps to odd are left out.
#[inline(always)]
fn fma_f64(a: v128, b: v128, c: v128) -> v128 {
    let below = |x: v128| f64x2_lt(f64x2_abs(x), f64x2_splat(HIGH));
    let at_least = |x: v128| v128_or(f64x2_ge(f64x2_abs(x), f64x2_splat(LOW)), f64x2_eq(x, f64x2_splat(0.0)));
    let tame = |x: v128| v128_and(at_least(x), below(x));
    if !i64x2_all_true(v128_and(v128_and(tame(a), tame(b)), below(c))) {
        return apart(a, b, c);
    }
    let (ph, pl) = two_product(a, b);
    let (high, low) = two_sum(ph, c);
    let low = f64x2_add(pl, low);
    let with = |factor: f64| f64x2_add(high, f64x2_mul(low, f64x2_splat(factor)));
    let (less, more) = (with(1.0 - f64::EPSILON), with(1.0 + f64::EPSILON));
    let sum = if i64x2_all_true(f64x2_eq(less, more)) { more } else { odd_sum(ph, pl, c) };
    // Only the sum of two negative zeros lacks its sign.
    v128_or(sum, v128_and(v128_and(ph, c), f64x2_splat(-0.0)))
}

/// `ph + pl + c` of [`fma_f64`], by way of rounding to odd.
#[cold]
#[inline(never)]
fn odd_sum(ph: v128, pl: v128, c: v128) -> v128 {
    let (th, tl) = two_sum(pl, c);
    let (vh, vl) = two_sum(ph, th);
    let (s, e) = two_sum(tl, vl);
    f64x2_add(vh, to_odd(s, e))
}

/// [`fma_f64`] where an intermediate may overflow or lose bits: one lane after the other.
#[cold]
fn apart(a: v128, b: v128, c: v128) -> v128 {
    f64x2(
        software_fma_f64(f64x2_extract_lane::<0>(a), f64x2_extract_lane::<0>(b), f64x2_extract_lane::<0>(c)),
        software_fma_f64(f64x2_extract_lane::<1>(a), f64x2_extract_lane::<1>(b), f64x2_extract_lane::<1>(c)),
    )
}

/// `s + e` rounded to odd, where `s` is `s + e` rounded to nearest.
///
/// The neighbour towards zero, or the sum itself, with the last bit set: an inexact sum is never zero. A NaN `e` counts
/// as exact.
#[inline(always)]
fn to_odd(s: v128, e: v128) -> v128 {
    let zero = f64x2_splat(0.0);
    let (negative, positive) = (f64x2_lt(e, zero), f64x2_gt(e, zero));
    let inexact = v128_or(negative, positive);
    let inward = v128_and(inexact, v128_xor(negative, f64x2_lt(s, zero)));
    v128_or(i64x2_add(s, inward), v128_and(inexact, i64x2_splat(1)))
}

/// Knuth: the rounded sums and their errors.
#[inline(always)]
fn two_sum(a: v128, b: v128) -> (v128, v128) {
    let s = f64x2_add(a, b);
    (s, sum_error(s, a, b))
}

/// The errors of the rounded sums `s` of a and b.
#[inline(always)]
fn sum_error(s: v128, a: v128, b: v128) -> v128 {
    let t = f64x2_sub(s, a);
    f64x2_add(f64x2_sub(a, f64x2_sub(s, t)), f64x2_sub(b, t))
}

/// Dekker and Veltkamp: the rounded products and their errors.
#[inline(always)]
fn two_product(a: v128, b: v128) -> (v128, v128) {
    let split = |x: v128| {
        let t = f64x2_mul(f64x2_splat(SPLIT), x);
        let high = f64x2_sub(t, f64x2_sub(t, x));
        (high, f64x2_sub(x, high))
    };
    let (p, (ah, al), (bh, bl)) = (f64x2_mul(a, b), split(a), split(b));
    let rest = f64x2_sub(f64x2_sub(p, f64x2_mul(ah, bh)), f64x2_mul(al, bh));
    (p, f64x2_sub(f64x2_mul(al, bl), f64x2_sub(rest, f64x2_mul(ah, bl))))
}

/// Two values of `f32` as `f64`.
///
/// # Safety
/// - They must be readable.
#[inline(always)]
unsafe fn widened(from: *const f32) -> v128 {
    // SAFETY: the caller's promise.
    f64x2_promote_low_f32x4(unsafe { v128_load64_zero(from.cast()) })
}

/// The columns of a 4 x 4 block; see [`Lanes::transposed`].
///
/// # Safety
/// - As there.
#[inline(always)]
unsafe fn transposed_f32(from: *const f32, from_row: usize, last: usize) -> [v128; 4] {
    // SAFETY: the caller promises four values of each row up to `last`.
    let row = |r: usize| unsafe { v128_load(from.wrapping_add(min(r, last) * from_row).cast()) };
    let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
    let (t0, t1) = (i32x4_shuffle::<0, 4, 1, 5>(r0, r1), i32x4_shuffle::<2, 6, 3, 7>(r0, r1));
    let (t2, t3) = (i32x4_shuffle::<0, 4, 1, 5>(r2, r3), i32x4_shuffle::<2, 6, 3, 7>(r2, r3));
    [
        i64x2_shuffle::<0, 2>(t0, t2),
        i64x2_shuffle::<1, 3>(t0, t2),
        i64x2_shuffle::<0, 2>(t1, t3),
        i64x2_shuffle::<1, 3>(t1, t3),
    ]
}

/// The columns of a 2 x 2 block; see [`Lanes::transposed`].
///
/// # Safety
/// - As there.
#[inline(always)]
unsafe fn transposed_f64(from: *const f64, from_row: usize, last: usize) -> [v128; 2] {
    // SAFETY: the caller promises two values of each row up to `last`.
    let row = |r: usize| unsafe { v128_load(from.wrapping_add(min(r, last) * from_row).cast()) };
    let (r0, r1) = (row(0), row(1));
    [i64x2_shuffle::<0, 2>(r0, r1), i64x2_shuffle::<1, 3>(r0, r1)]
}
