//! Products of few rows by a transposed b (a few activations by the weights of a layer).

use super::{Kernel, Lanes, Product, min, store};
use crate::scalar::Real;

/// Lanes of the longest vector.
const MOST_LANES: usize = 16;

/// With N rows, b's rows contiguous: blocks of b are transposed in registers and used at once.
pub(super) struct FewRows<T, const N: usize>(pub(super) Product<T>);

impl<T: Real, S: Lanes<T>, const N: usize> Kernel<S> for FewRows<T, N> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        let Product { inner, columns, .. } = self.0;
        let rest = inner % S::SQUARE;
        // Blocks side by side: so many that chains do not wait for each other, so few that the registers keep them.
        let beside = const {
            match (N, S::WIDTH) {
                (1 | 2, 2) => 8,
                (1, 4) | (2, _) => 4,
                (1 | 3 | 4, _) => 2,
                _ => 1,
            }
        };
        let mut j = 0;
        while j < columns && rest < inner {
            let left = columns - j;
            macro_rules! columns {
                ($blocks:literal, $masked:literal) => {
                    // SAFETY: so many columns are left; with a mask, more than one block less.
                    unsafe { self.columns::<S, $blocks, $masked>(set, j) }
                };
            }
            j += if beside >= 8 && left >= 8 * S::WIDTH {
                columns!(8, false)
            } else if beside >= 4 && left >= 4 * S::WIDTH {
                columns!(4, false)
            } else if beside >= 2 && left >= 2 * S::WIDTH {
                columns!(2, false)
            } else if beside >= 2 && left > S::WIDTH {
                columns!(2, true)
            } else if left >= S::WIDTH {
                columns!(1, false)
            } else {
                columns!(1, true)
            };
        }
        if rest > 0 {
            set.call(Rest::<T, N>(self.0));
        }
    }
}

impl<T: Real, const N: usize> FewRows<T, N> {
    /// The inner indices that make up whole blocks, J blocks beside each other from column j on, the last cut off by the
    /// matrix if `MASKED`; returns how many columns that were.
    ///
    /// # Safety
    /// - c has N rows, and J vectors of columns from j on; with `MASKED`, more than J - 1.
    #[inline(always)]
    unsafe fn columns<S: Lanes<T>, const J: usize, const MASKED: bool>(&self, set: S, j: usize) -> usize {
        let Product { a, b, inner, columns, c, start, .. } = self.0;
        let width = min(columns - j, J * S::WIDTH);
        let last = set.mask(0, width - (J - 1) * S::WIDTH);
        // SAFETY: the chains of N rows begin at as many values as c has columns; the mask ends with them.
        let mut sums = unsafe { start.from(0, j).load::<S, N, J, MASKED>(set, last) };
        let mut p = 0;
        while p < inner - inner % S::SQUARE {
            for k in 0..J {
                let cut = MASKED && k + 1 == J;
                let last = if cut { width - k * S::WIDTH - 1 } else { S::WIDTH - 1 };
                // The places of a block that is cut off are not simple.
                let apart = if MASKED { b.column } else { set.opaque(b.column) };
                // SAFETY: the rows of the block are columns of b, which are contiguous; `SQUARE` indices from p on exist, and
                // a block that is cut off repeats its last column.
                let block = unsafe { set.transposed(b.at(p, j + k * S::WIDTH), apart, last) };
                for (q, vector) in block.into_iter().enumerate() {
                    for (i, row) in sums.iter_mut().enumerate() {
                        if let Some(sum) = row.get_mut(k) {
                            // SAFETY: a has row i < N and column `p + q`.
                            *sum = set.fma(set.splat(unsafe { *a.at(i, p + q) }), vector, *sum);
                        }
                    }
                }
            }
            p += S::SQUARE;
        }
        for (i, row) in sums.into_iter().enumerate() {
            // SAFETY: the caller promises these columns of row i < N; the mask ends with the row.
            unsafe { store::<T, S, J, MASKED>(set, c.wrapping_add(i * columns + j), last, row) };
        }
        width
    }
}

/// The inner indices of [`FewRows`] that are left after whole blocks.
struct Rest<T, const N: usize>(Product<T>);

impl<T: Real, S: Lanes<T>, const N: usize> Kernel<S> for Rest<T, N> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        const { assert!(S::WIDTH <= MOST_LANES) };
        let whole = self.0.inner - self.0.inner % S::SQUARE;
        // SAFETY: these are the last of the inner indices.
        let Product { c, a, b, inner, columns, start, .. } =
            unsafe { self.0.run(whole, self.0.inner - whole) };
        // A block that ends with the last index brings some again.
        let again = S::SQUARE - inner;
        let mut j = 0;
        while j < columns {
            let width = min(columns - j, S::WIDTH);
            let last = set.mask(0, width);
            // SAFETY: the chains of N rows begin at as many values as c has columns; the mask ends with them.
            let mut sums = unsafe { start.from(0, j).load::<S, N, 1, true>(set, last) };
            let mut add = |p: usize, vector| {
                for (i, [sum]) in sums.iter_mut().enumerate() {
                    // SAFETY: a has row i < N and column p.
                    *sum = set.fma(set.splat(unsafe { *a.at(i, p) }), vector, *sum);
                }
            };
            if whole > 0 {
                let from = b.at(0, j).wrapping_sub(again);
                // SAFETY: the block has `SQUARE` contiguous indices, the last ones of b, and repeats its last column.
                let block = unsafe { set.transposed(from, b.column, width - 1) };
                for (q, vector) in block.into_iter().enumerate().skip(again) {
                    add(q - again, vector);
                }
            } else {
                for p in 0..inner {
                    let mut lanes = [T::default(); MOST_LANES];
                    for (l, lane) in lanes.iter_mut().enumerate().take(width) {
                        // SAFETY: b has row p and column `j + l`.
                        *lane = unsafe { *b.at(p, j + l) };
                    }
                    // SAFETY: a vector has at most `MOST_LANES` lanes.
                    add(p, unsafe { set.load(lanes.as_ptr()) });
                }
            }
            for (i, row) in sums.into_iter().enumerate() {
                // SAFETY: row i < N of c has these columns; the mask ends with the row.
                unsafe { store::<T, S, 1, true>(set, c.wrapping_add(i * columns + j), last, row) };
            }
            j += S::WIDTH;
        }
    }
}
