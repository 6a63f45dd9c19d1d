//! Reduction to tridiagonal form by Householder reflectors.

use super::eight::LANES;
use super::{exponent_of_largest, split_rows};
use crate::ieee::{scale_by_halves, sqrt};
use crate::kernel::SimdLoop;
use crate::matrix::{cut, cut_mut, take};
use core::num::NonZeroUsize;

/// Reduces `A` to tridiagonal form from the last row to the first. This order keeps the accuracy of small entries when the
/// entries of A grow towards the last corner.
///
/// Row `k > 0`: the reflector `H_k = I - v v^T / h` maps entries `0..k` of the row to a multiple of the last unit vector.
/// `v` replaces the row and `h` is `heights[k]` (0: no reflector). `T` gets `diagonal[k]` and `off_diagonal[k - 1]`. With
/// `p = A v / h` and `w = p - (v^T p / 2h) v`, `H A H = A - v w^T - w v^T`.
///
/// One pass over `A` does both the update by one reflector and the product `A v` of the next. Row `k` is updated first and
/// gives `v`; the rows above it follow in ascending order. `diagonal[..k]` is not used yet and holds the product.
///
/// **Source** R. S. Martin, C. Reinsch, J. H. Wilkinson, *Householder's tridiagonalization of a symmetric matrix*, Numer.
/// Math. 11 (1968). The single pass is derived here.
pub(super) struct Tridiagonalise<'a> {
    pub(super) a: &'a mut [f64],
    pub(super) n: NonZeroUsize,
    pub(super) diagonal: &'a mut [f64],
    pub(super) off_diagonal: &'a mut [f64],
    pub(super) heights: &'a mut [f64],
    pub(super) w: &'a mut [f64],
}

impl SimdLoop for Tridiagonalise<'_> {
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
                update(cut_mut(row, ..=k), v, w, k);
            }
            let Some((v, [corner, ..])) = row.split_at_mut_checked(k) else { return };
            let Some((sum, [diagonal_k, ..])) = diagonal.split_at_mut_checked(k) else { return };
            *diagonal_k = *corner;
            let (alpha, h) = reflector(v);
            *height = h;
            // Row 0 has no coupling: its index wraps and is out of range.
            if let Some(coupling) = off_diagonal.get_mut(k.wrapping_sub(1)) {
                *coupling = alpha;
            }
            sum.fill(0.0);
            match older {
                Some((older_v, w)) if h != 0.0 => {
                    update_and_add((block, n), [older_v, w], v, sum);
                }
                Some((v, w)) => {
                    for (i, row) in block.chunks_exact_mut(n.get()).enumerate() {
                        update(cut_mut(row, ..k), v, w, i);
                    }
                }
                None if h != 0.0 => {
                    for (row, weight) in block.chunks_exact(n.get()).zip(v.iter()) {
                        add_weighted(row, *weight, sum);
                    }
                }
                None => {}
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

/// Entry (i, j) of `A - v w^T - w v^T`.
#[inline(always)]
fn both_sides(a_ij: f64, [v_i, w_i]: [f64; 2], [v_j, w_j]: [f64; 2]) -> f64 {
    a_ij - (v_i * w_j + w_i * v_j)
}

/// Row i of `A - v w^T - w v^T`.
#[inline(always)]
fn update(row: &mut [f64], v: &[f64], w: &[f64], i: usize) {
    let (Some(v_i), Some(w_i)) = (v.get(i), w.get(i)) else { return };
    for ((a_ij, v_j), w_j) in row.iter_mut().zip(v).zip(w) {
        *a_ij = both_sides(*a_ij, [*v_i, *w_i], [*v_j, *w_j]);
    }
}

/// Rows that are processed together, so that each part of the vectors is read from the first-level cache once for all.
const TOGETHER: usize = 4;

/// `A <- A - v w^T - w v^T`, then `sum_j <- sum_j + weight_i a_ij`, for each row i in ascending order. The columns j are
/// those of `sum`.
#[inline(always)]
fn update_and_add(
    (block, n): (&mut [f64], NonZeroUsize),
    [v, w]: [&[f64]; 2],
    weights: &[f64],
    sum: &mut [f64],
) {
    let width = sum.len();
    let (v, w) = (cut(v, ..width), cut(w, ..width));
    let mut factors = v.iter().zip(w).zip(weights).map(|((v, w), weight)| ([*v, *w], *weight));
    let mut next = || {
        let next = factors.next();
        debug_assert!(next.is_some(), "a row without factors");
        next.unwrap_or_default()
    };
    let mut several = block.chunks_exact_mut(n.get().saturating_mul(TOGETHER));
    for rows in several.by_ref() {
        let (first, rows) = take(rows, n.get());
        let (second, rows) = take(rows, n.get());
        let (third, fourth) = take(rows, n.get());
        let factors = [next(), next(), next(), next()];
        let rows = [first, second, third, fourth].map(|row| cut_mut(row, ..width));
        let rows = rows.map(|row| row.as_chunks_mut::<LANES>());
        let [(first, last_first), (second, last_second), (third, last_third), (fourth, last_fourth)] = rows;
        let (sums, last_sums) = sum.as_chunks_mut::<LANES>();
        let ((vs, last_v), (ws, last_w)) = (v.as_chunks::<LANES>(), w.as_chunks::<LANES>());
        let rows = first.iter_mut().zip(second).zip(third).zip(fourth);
        for ((((((first, second), third), fourth), sum), v), w) in rows.zip(sums).zip(vs).zip(ws) {
            // Read all four rows before writing any. Rows that are a multiple of 4 KiB apart alias in the store buffer, and a
            // load after such a store would stall.
            let rows = [*first, *second, *third, *fourth];
            ([*first, *second, *third, *fourth], *sum) = columns(rows, *sum, factors, [*v, *w]);
        }
        let rows = last_first.iter_mut().zip(last_second).zip(last_third).zip(last_fourth);
        for ((((((first, second), third), fourth), sum), v), w) in rows.zip(last_sums).zip(last_v).zip(last_w)
        {
            let rows = [[*first], [*second], [*third], [*fourth]];
            ([[*first], [*second], [*third], [*fourth]], [*sum]) =
                columns(rows, [*sum], factors, [[*v], [*w]]);
        }
    }
    for row in several.into_remainder().chunks_exact_mut(n.get()) {
        let factors = [next()];
        for (((a, sum), v), w) in row.iter_mut().zip(&mut *sum).zip(v).zip(w) {
            ([[*a]], [*sum]) = columns([[*a]], [*sum], factors, [[*v], [*w]]);
        }
    }
}

/// [`update_and_add`] for N columns of R rows.
#[inline(always)]
fn columns<const R: usize, const N: usize>(
    mut rows: [[f64; N]; R],
    mut sum: [f64; N],
    factors: [([f64; 2], f64); R],
    [v, w]: [[f64; N]; 2],
) -> ([[f64; N]; R], [f64; N]) {
    for (row, (factors, weight)) in rows.iter_mut().zip(factors) {
        for (((a, sum), v), w) in row.iter_mut().zip(&mut sum).zip(v).zip(w) {
            *a = both_sides(*a, factors, [v, w]);
            *sum += weight * *a;
        }
    }
    (rows, sum)
}

/// `sum <- sum + weight row`. Over the rows in ascending order this gives the product `A v`, with columns as vector lanes.
#[inline(always)]
fn add_weighted(row: &[f64], weight: f64, sum: &mut [f64]) {
    for (s, a_j) in sum.iter_mut().zip(row) {
        *s += weight * *a_j;
    }
}

/// Replaces `x` by the `v` of a reflector with `(I - v v^T / h) x = alpha e_last`, and returns `(alpha, h)`. If all entries
/// before the last are zero, `h = 0` and `x` is unchanged.
///
/// `v` is scaled by a power of two so that `h` is between 1/4 and `2 len`. The reflector is therefore orthogonal even if the
/// squares of the entries of x would underflow.
fn reflector(x: &mut [f64]) -> (f64, f64) {
    let exponent = exponent_of_largest(x);
    let Some((last, before)) = x.split_last_mut() else { return (0.0, 0.0) };
    if before.iter().all(|b| *b == 0.0) {
        return (*last, 0.0);
    }
    let mut square = 0.0;
    for b in before.iter_mut() {
        *b = scale_by_halves(*b, -exponent);
        square += *b * *b;
    }
    *last = scale_by_halves(*last, -exponent);
    square += *last * *last;
    let norm = sqrt(square);
    // With this sign `last - alpha` does not cancel.
    let alpha = if *last > 0.0 { -norm } else { norm };
    let h = square - *last * alpha;
    *last -= alpha;
    (scale_by_halves(alpha, exponent), h)
}
