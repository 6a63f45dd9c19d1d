//! Products with few inner indices or with few rows, for which tiles and packing cost more than the arithmetic.

use super::blocks::least;
use super::{Kernel, Product, Start};
use super::{Lanes, Squares};
use crate::kernel::Region;
use crate::scalar::Real;

/// With N inner indices, b's columns contiguous: each row of c passes through the registers once.
pub(crate) struct FewInner<T, const N: usize>(pub(crate) Product<T>);

impl<T: Real, S: Lanes<T>, const N: usize> Kernel<S> for FewInner<T, N> {
    type Output = ();
    #[inline(always)]
    fn run(mut self, set: S) {
        self.0.b.column = 1;
        // Chosen once, not in every row.
        match self.0.start {
            Start::Zero => self.rows::<S, true>(set),
            Start::Kept | Start::Row(_) => self.rows::<S, false>(set),
        }
    }
}

impl<T: Real, const N: usize> FewInner<T, N> {
    /// All rows; their chains begin at `+0` if `ZERO`.
    #[inline(always)]
    fn rows<S: Lanes<T>, const ZERO: bool>(&self, set: S) {
        let Product { c, a, rows, columns, region, start, .. } = self.0;
        let mut factors = [set.splat(T::default()); N];
        let (mut from, next) = start.rows(c, columns);
        for i in 0..rows {
            let mut j = if region == Region::Upper { i } else { 0 };
            // SAFETY: row i < rows of a, N inner indices; in row i, V vectors from column j on or what is left of one.
            unsafe {
                for (p, factor) in factors.iter_mut().enumerate() {
                    *factor = set.splat(*a.at(i, p));
                }
                while j + 4 * S::WIDTH <= columns {
                    self.columns::<S, 4, true, ZERO>(set, factors, from, i, j);
                    j += 4 * S::WIDTH;
                }
                while j + S::WIDTH <= columns {
                    self.columns::<S, 1, true, ZERO>(set, factors, from, i, j);
                    j += S::WIDTH;
                }
                if j < columns {
                    self.columns::<S, 1, false, ZERO>(set, factors, from, i, j);
                }
            }
            from = from.wrapping_add(next);
        }
    }

    /// V vectors of row i from column j on, or what there is of one that is not `WHOLE`; the chains of the row begin at
    /// `+0` if `ZERO`, else at `from`.
    ///
    /// # Safety
    /// The promise of [`Product`]; the row has so many columns.
    #[inline(always)]
    unsafe fn columns<S: Lanes<T>, const V: usize, const WHOLE: bool, const ZERO: bool>(
        &self,
        set: S,
        factors: [S::Vector; N],
        from: *const T,
        i: usize,
        j: usize,
    ) {
        let Product { c, b, columns, .. } = self.0;
        let mask = set.mask(0, columns - j);
        // SAFETY: the mask ends with the row, and whole vectors do not go beyond it.
        let load = |from: *const T| unsafe { if WHOLE { set.load(from) } else { set.load_some(mask, from) } };
        let mut sums = [set.splat(T::default()); V];
        // SAFETY: as above.
        unsafe {
            let to = c.add(i * columns + j);
            if !ZERO {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = load(from.add(j + v * S::WIDTH));
                }
            }
            for (p, factor) in factors.into_iter().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = set.fma(factor, load(b.at(p, j + v * S::WIDTH)), *sum);
                }
            }
            for (v, sum) in sums.into_iter().enumerate() {
                let to = to.add(v * S::WIDTH);
                if WHOLE { set.store(sum, to) } else { set.store_some(mask, sum, to) }
            }
        }
    }
}

/// With one row, b's columns contiguous: as [`FewInner`], N inner indices after the others. The rows of b are read one after the
/// other, where a tile would go down its columns.
pub(crate) struct OneRow<T, const N: usize>(pub(crate) Product<T>);

impl<T: Real, S: Lanes<T>, const N: usize> Kernel<S> for OneRow<T, N> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        let Product { c, a, b, rows, inner, columns, region, mut start } = self.0;
        let mut p = 0;
        while p < inner {
            // SAFETY: as many inner indices are left.
            let (a, b) = unsafe { (a.from(0, p), b.from(p, 0)) };
            if p + N <= inner {
                FewInner::<T, N>(Product { c, a, b, rows, inner: N, columns, region, start }).run(set);
                p += N;
            } else {
                FewInner::<T, 1>(Product { c, a, b, rows, inner: 1, columns, region, start }).run(set);
                p += 1;
            }
            start = Start::Kept;
        }
    }
}

/// With N rows, b's rows contiguous (the product of a few activations by transposed weights): squares of b are transposed
/// in registers and used at once.
pub(crate) struct FewRows<T, const N: usize>(pub(crate) Product<T>);

impl<T: Real, S: Squares<T>, const N: usize> Kernel<S> for FewRows<T, N> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        const { assert!(S::WIDTH <= 8) };
        let mut j = 0;
        while j < self.0.columns {
            let left = self.0.columns - j;
            // Sixteen columns in squares side by side: their chains do not wait for each other.
            // SAFETY: the promise of the type; J squares, the last whole or not, begin at column j < columns.
            j += unsafe {
                if S::WIDTH == 2 && left >= 8 * S::WIDTH {
                    self.columns::<S, 8, true>(set, j)
                } else if (S::WIDTH <= 4 || N > 1) && left >= 4 * S::WIDTH {
                    self.columns::<S, 4, true>(set, j)
                } else if left >= 2 * S::WIDTH {
                    self.columns::<S, 2, true>(set, j)
                } else if left > S::WIDTH {
                    self.columns::<S, 2, false>(set, j)
                } else {
                    self.columns::<S, 1, false>(set, j)
                }
            };
        }
    }
}

impl<T: Real, const N: usize> FewRows<T, N> {
    /// J squares of columns from j on, all `WHOLE` or the last cut off where the matrix ends; returns how many columns
    /// that were.
    ///
    /// # Safety
    /// The promise of [`Product`]; `J WIDTH` columns are left, or where the last square is not whole more than
    /// `(J - 1) WIDTH`.
    #[inline(always)]
    unsafe fn columns<S: Squares<T>, const J: usize, const WHOLE: bool>(&self, set: S, j: usize) -> usize {
        let Product { c, a, b, inner, columns, start, .. } = self.0;
        let width = if WHOLE { J * S::WIDTH } else { least(columns - j, J * S::WIDTH) };
        let last = set.mask(0, width - (J - 1) * S::WIDTH);
        let mut sums = [[set.splat(T::default()); J]; N];
        // SAFETY: all places are inside the matrices: squares while there are whole runs of inner indices, of which one that
        // is cut off repeats its last column, single inner indices after them; vectors have at most eight lanes.
        unsafe {
            let (from, next) = start.rows(c, columns);
            if !from.is_null() {
                for (i, row) in sums.iter_mut().enumerate() {
                    for (k, sum) in row.iter_mut().enumerate() {
                        let from = from.add(i * next + j + k * S::WIDTH);
                        *sum = if k + 1 < J { set.load(from) } else { set.load_some(last, from) };
                    }
                }
            }
            let whole = inner - inner % S::WIDTH;
            let mut p = 0;
            while p < whole {
                for k in 0..J {
                    let from = b.at(p, j + k * S::WIDTH);
                    let last_column =
                        if WHOLE || k + 1 < J { S::WIDTH - 1 } else { width - k * S::WIDTH - 1 };
                    let square = set.transposed(from, b.column, last_column);
                    for (q, vector) in square.into_iter().enumerate() {
                        for (i, row) in sums.iter_mut().enumerate() {
                            if let Some(sum) = row.get_mut(k) {
                                *sum = set.fma(set.splat(*a.at(i, p + q)), vector, *sum);
                            }
                        }
                    }
                }
                p += S::WIDTH;
            }
            while p < inner {
                for k in 0..J {
                    let mut lanes = [T::default(); 8];
                    let first = j + k * S::WIDTH;
                    for (l, lane) in lanes.iter_mut().enumerate().take(least(columns - first, S::WIDTH)) {
                        *lane = *b.at(p, first + l);
                    }
                    let vector = set.load(lanes.as_ptr());
                    for (i, row) in sums.iter_mut().enumerate() {
                        if let Some(sum) = row.get_mut(k) {
                            *sum = set.fma(set.splat(*a.at(i, p)), vector, *sum);
                        }
                    }
                }
                p += 1;
            }
            for (i, row) in sums.iter().enumerate() {
                for (k, sum) in row.iter().enumerate() {
                    let to = c.add(i * columns + j + k * S::WIDTH);
                    if k + 1 < J { set.store(*sum, to) } else { set.store_some(last, *sum, to) }
                }
            }
        }
        width
    }
}
