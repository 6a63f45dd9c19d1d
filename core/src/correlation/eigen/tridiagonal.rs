//! Reduction to tridiagonal form by reflectors, and their product.

use super::{exponent_of_largest, split_rows, times_power_of_two};
use crate::kernel::Plain;
use crate::scalar::sqrt;
use core::num::NonZeroUsize;

/// Reduces `A` to tridiagonal form from the last row upwards, so that a matrix graded towards its last corner keeps
/// its small entries.
///
/// Row `k > 0`: the reflector `H_k = I - v v^T / h` maps entries `0..k` of the row onto a multiple of the last of
/// them. `v` stays in the row, `h` in `heights[k]` (0: no reflector); `T` has `diagonal[k]` and
/// `off_diagonal[k - 1]`. With `p = A v / h` and `w = p - (v^T p / 2h) v`, `H A H = A - v w^T - w v^T`.
///
/// The update by one reflector and the product `A v` of the next take one pass over `A`: row `k` is updated first and
/// gives `v`, then the rows above it in ascending order. `diagonal[..k]`, not in use yet, holds the product.
pub(super) struct Tridiagonalise<'a> {
    pub(super) a: &'a mut [f64],
    pub(super) n: NonZeroUsize,
    pub(super) diagonal: &'a mut [f64],
    pub(super) off_diagonal: &'a mut [f64],
    pub(super) heights: &'a mut [f64],
    pub(super) w: &'a mut [f64],
}

impl Plain for Tridiagonalise<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { a, n, diagonal, off_diagonal, heights, w } = self;
        let mut reflected = false;
        for (k, height) in heights.iter_mut().enumerate().rev() {
            let (block, from_row) = split_rows(a, n, k);
            let Some((row, from_next)) = from_row.split_at_mut_checked(n.get()) else { return };
            let older = if reflected { Some((&*from_next, &*w)) } else { None };
            if let Some((v, w)) = older {
                update(row.get_mut(..=k).unwrap_or_default(), v, w, k);
            }
            let Some((v, [corner, ..])) = row.split_at_mut_checked(k) else { return };
            let Some((sum, [diagonal_k, ..])) = diagonal.split_at_mut_checked(k) else { return };
            *diagonal_k = *corner;
            let (alpha, h) = reflector(v);
            *height = h;
            // None for row 0.
            if let Some(coupling) = off_diagonal.get_mut(k.wrapping_sub(1)) {
                *coupling = alpha;
            }
            sum.fill(0.0);
            for (i, (row, weight)) in block.chunks_exact_mut(n.get()).zip(v.iter()).enumerate() {
                let Some(row) = row.get_mut(..k) else { return };
                match older {
                    Some((v, w)) if h != 0.0 => update_and_add(row, v, w, i, *weight, sum),
                    Some((v, w)) => update(row, v, w, i),
                    None if h != 0.0 => add_weighted(row, *weight, sum),
                    None => break,
                }
            }
            reflected = h != 0.0;
            if !reflected {
                continue;
            }
            let Some(w) = w.get_mut(..k) else { return };
            let mut product = 0.0;
            for ((w_j, sum_j), v_j) in w.iter_mut().zip(sum.iter()).zip(v.iter()) {
                *w_j = *sum_j / h;
                product += *v_j * *w_j;
            }
            let half = product / (h + h);
            for (w_j, v_j) in w.iter_mut().zip(v.iter()) {
                *w_j -= half * *v_j;
            }
        }
    }
}

/// Row i of `A - v w^T - w v^T`.
#[inline(always)]
fn update(row: &mut [f64], v: &[f64], w: &[f64], i: usize) {
    let (Some(v_i), Some(w_i)) = (v.get(i), w.get(i)) else { return };
    for ((a_ij, v_j), w_j) in row.iter_mut().zip(v).zip(w) {
        *a_ij -= *v_i * *w_j + *w_i * *v_j;
    }
}

/// [`update`], then [`add_weighted`].
#[inline(always)]
fn update_and_add(row: &mut [f64], v: &[f64], w: &[f64], i: usize, weight: f64, sum: &mut [f64]) {
    let (Some(v_i), Some(w_i)) = (v.get(i), w.get(i)) else { return };
    for (((a_ij, v_j), w_j), s) in row.iter_mut().zip(v).zip(w).zip(sum) {
        *a_ij -= *v_i * *w_j + *w_i * *v_j;
        *s += weight * *a_ij;
    }
}

/// `sum <- sum + weight row`: with rows in ascending order, a product `A v` whose lanes are columns.
#[inline(always)]
fn add_weighted(row: &[f64], weight: f64, sum: &mut [f64]) {
    for (s, a_j) in sum.iter_mut().zip(row) {
        *s += weight * *a_j;
    }
}

/// Replaces `x` by the `v` of a reflector with `(I - v v^T / h) x = alpha e_last`, and returns `(alpha, h)`; `h = 0`
/// and `x` untouched if all entries before the last are zero.
///
/// `v` is scaled by a power of two so that `h` lies between 1/4 and `2 len`: a column of entries whose squares would
/// underflow still gives an orthogonal reflector.
fn reflector(x: &mut [f64]) -> (f64, f64) {
    let exponent = exponent_of_largest(x);
    let Some((last, before)) = x.split_last_mut() else { return (0.0, 0.0) };
    if before.iter().all(|b| *b == 0.0) {
        return (*last, 0.0);
    }
    let mut square = 0.0;
    for b in before.iter_mut() {
        *b = times_power_of_two(*b, -exponent);
        square += *b * *b;
    }
    *last = times_power_of_two(*last, -exponent);
    square += *last * *last;
    let norm = sqrt(square);
    // The sign that adds magnitudes: no cancellation.
    let alpha = if *last > 0.0 { -norm } else { norm };
    let h = square - *last * alpha;
    *last -= alpha;
    (times_power_of_two(alpha, exponent), h)
}

/// Multiplies the reflectors kept in the rows of `A` into `Q = H_{n-1} ... H_1`, innermost first: before step `k`
/// the leading `k x k` block is the product so far, after it row and column `k` are those of the identity.
///
/// With `t = Q^T v / h`, `Q H = Q - v t^T` on that block; one pass over it takes the update by one reflector and the
/// product of the next. `heights[..k]`, not in use any more, holds that product before step `k`.
pub(super) struct Accumulate<'a> {
    pub(super) a: &'a mut [f64],
    pub(super) n: NonZeroUsize,
    pub(super) heights: &'a mut [f64],
    pub(super) t: &'a mut [f64],
}

impl Plain for Accumulate<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { a, n, heights, t } = self;
        for k in 0..n.get() {
            let (block, from_row) = split_rows(a, n, k);
            let Some((row_k, from_next)) = from_row.split_at_mut_checked(n.get()) else { return };
            let Some((v, [corner, ..])) = row_k.split_at_mut_checked(k) else { return };
            let Some((sum, [h, later @ ..])) = heights.split_at_mut_checked(k) else { return };
            let (h, next_h) = (*h, later.first().copied().unwrap_or(0.0));
            let Some(t) = t.get_mut(..k) else { return };
            for (t_j, sum_j) in t.iter_mut().zip(sum.iter_mut()) {
                *t_j = *sum_j / h; // not read if h = 0
                *sum_j = 0.0;
            }
            let next_v = if next_h == 0.0 { None } else { Some(&*from_next) };
            for (i, (row, v_i)) in block.chunks_exact_mut(n.get()).zip(v.iter()).enumerate() {
                let Some((row, [above, ..])) = row.split_at_mut_checked(k) else { return };
                *above = 0.0;
                let weight = next_v.and_then(|v| v.get(i));
                match weight {
                    Some(weight) if h != 0.0 => subtract_and_add(row, *v_i, t, *weight, sum),
                    Some(weight) => add_weighted(row, *weight, sum),
                    None if h != 0.0 => subtract_weighted(row, *v_i, t),
                    None => {}
                }
            }
            v.fill(0.0);
            *corner = 1.0;
            // Row k is that of the identity: its products with 0 do not change a sum that started at +0.
            if let (Some(weight), Some(sum_k)) = (next_v.and_then(|v| v.get(k)), heights.get_mut(k)) {
                *sum_k = 0.0 + *weight;
            }
        }
    }
}

/// `row <- row - factor t`.
#[inline(always)]
fn subtract_weighted(row: &mut [f64], factor: f64, t: &[f64]) {
    for (q_j, t_j) in row.iter_mut().zip(t) {
        *q_j -= factor * *t_j;
    }
}

/// [`subtract_weighted`], then [`add_weighted`].
#[inline(always)]
fn subtract_and_add(row: &mut [f64], factor: f64, t: &[f64], weight: f64, sum: &mut [f64]) {
    for ((q_j, t_j), s) in row.iter_mut().zip(t).zip(sum) {
        *q_j -= factor * *t_j;
        *s += weight * *q_j;
    }
}
