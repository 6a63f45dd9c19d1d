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
            match older {
                Some((older_v, w)) if h != 0.0 => {
                    update_and_add((block, n), [older_v, w], v, sum, both_sides);
                }
                Some((v, w)) => {
                    for (i, row) in block.chunks_exact_mut(n.get()).enumerate() {
                        update(row.get_mut(..k).unwrap_or_default(), v, w, i);
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

/// An entry of `A - v w^T - w v^T`.
#[inline(always)]
fn both_sides(a_ij: f64, [v_i, w_i]: [f64; 2], [v_j, w_j]: [f64; 2]) -> f64 {
    a_ij - (v_i * w_j + w_i * v_j)
}

/// Row i of that.
#[inline(always)]
fn update(row: &mut [f64], v: &[f64], w: &[f64], i: usize) {
    let (Some(v_i), Some(w_i)) = (v.get(i), w.get(i)) else { return };
    for ((a_ij, v_j), w_j) in row.iter_mut().zip(v).zip(w) {
        *a_ij = both_sides(*a_ij, [*v_i, *w_i], [*v_j, *w_j]);
    }
}

/// Rows that take the vectors out of the first-level cache together.
const TOGETHER: usize = 4;

/// Columns in one vector, or in some.
const LANES: usize = 8;

/// `a_ij <- update(a_ij, [x_i, y_i], [x_j, y_j])`, then `sum_j <- sum_j + weight_i a_ij`, for each row i in ascending order
/// and as many columns j as there are sums.
#[inline(always)]
fn update_and_add(
    (block, n): (&mut [f64], NonZeroUsize),
    [x, y]: [&[f64]; 2],
    weights: &[f64],
    sum: &mut [f64],
    update: impl Fn(f64, [f64; 2], [f64; 2]) -> f64 + Copy,
) {
    let width = sum.len();
    let (x, y) = (x.get(..width).unwrap_or_default(), y.get(..width).unwrap_or_default());
    let mut factors = x.iter().zip(y).zip(weights).map(|((x, y), weight)| ([*x, *y], *weight));
    let mut next = || factors.next().unwrap_or_default();
    let mut several = block.chunks_exact_mut(n.get().saturating_mul(TOGETHER));
    for rows in several.by_ref() {
        let (first, rows) = rows.split_at_mut_checked(n.get()).unwrap_or_default();
        let (second, rows) = rows.split_at_mut_checked(n.get()).unwrap_or_default();
        let (third, fourth) = rows.split_at_mut_checked(n.get()).unwrap_or_default();
        let factors = [next(), next(), next(), next()];
        let rows = [first, second, third, fourth].map(|row| row.get_mut(..width).unwrap_or_default());
        let rows = rows.map(|row| row.as_chunks_mut::<LANES>());
        let [(first, last_first), (second, last_second), (third, last_third), (fourth, last_fourth)] = rows;
        let (sums, last_sums) = sum.as_chunks_mut::<LANES>();
        let ((xs, last_x), (ys, last_y)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
        let rows = first.iter_mut().zip(second).zip(third).zip(fourth);
        for ((((((first, second), third), fourth), sum), x), y) in rows.zip(sums).zip(xs).zip(ys) {
            // All is read before anything is written: rows a page apart would look like the same place.
            let rows = [*first, *second, *third, *fourth];
            ([*first, *second, *third, *fourth], *sum) = columns(rows, *sum, factors, [*x, *y], update);
        }
        let rows = last_first.iter_mut().zip(last_second).zip(last_third).zip(last_fourth);
        for ((((((first, second), third), fourth), sum), x), y) in rows.zip(last_sums).zip(last_x).zip(last_y)
        {
            let rows = [[*first], [*second], [*third], [*fourth]];
            ([[*first], [*second], [*third], [*fourth]], [*sum]) =
                columns(rows, [*sum], factors, [[*x], [*y]], update);
        }
    }
    for row in several.into_remainder().chunks_exact_mut(n.get()) {
        let factors = [next()];
        for (((a, sum), x), y) in row.iter_mut().zip(&mut *sum).zip(x).zip(y) {
            ([[*a]], [*sum]) = columns([[*a]], [*sum], factors, [[*x], [*y]], update);
        }
    }
}

/// [`update_and_add`] for N columns of R rows.
#[inline(always)]
fn columns<const R: usize, const N: usize>(
    mut rows: [[f64; N]; R],
    mut sum: [f64; N],
    factors: [([f64; 2], f64); R],
    [x, y]: [[f64; N]; 2],
    update: impl Fn(f64, [f64; 2], [f64; 2]) -> f64,
) -> ([[f64; N]; R], [f64; N]) {
    for (row, (factors, weight)) in rows.iter_mut().zip(factors) {
        for (((a, sum), x), y) in row.iter_mut().zip(&mut sum).zip(x).zip(y) {
            *a = update(*a, factors, [x, y]);
            *sum += weight * *a;
        }
    }
    (rows, sum)
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
            match next_v {
                Some(weights) if h != 0.0 => {
                    let one_side = |q_ij: f64, [v_i, _]: [f64; 2], [_, t_j]: [f64; 2]| q_ij - v_i * t_j;
                    update_and_add((&mut *block, n), [v, t], weights, sum, one_side);
                }
                Some(weights) => {
                    for (row, weight) in block.chunks_exact(n.get()).zip(weights) {
                        add_weighted(row, *weight, sum);
                    }
                }
                None if h != 0.0 => {
                    for (row, v_i) in block.chunks_exact_mut(n.get()).zip(v.iter()) {
                        subtract_weighted(row, *v_i, t);
                    }
                }
                None => {}
            }
            for above in block.iter_mut().skip(k).step_by(n.get()) {
                *above = 0.0;
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
