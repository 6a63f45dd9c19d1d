//! Products with one to three inner indices, and those of one row: tiles would cost more than the arithmetic.

use super::{Kernel, Lanes, Product, load, store};
use crate::kernel::Triangle;
use crate::scalar::Real;

/// With N inner indices, b's columns contiguous: each row of c passes through the registers once.
pub(super) struct FewInner<T, const N: usize>(pub(super) Product<T>);

impl<T: Real, S: Lanes<T>, const N: usize> Kernel<S> for FewInner<T, N> {
    type Output = ();
    #[inline(always)]
    fn run(mut self, set: S) {
        self.0.b.column = 1;
        // Chosen once, not in every row.
        if self.0.start.is_zero() { self.rows::<S, true>(set) } else { self.rows::<S, false>(set) }
    }
}

impl<T: Real, const N: usize> FewInner<T, N> {
    /// All rows; their chains begin at `+0` if `ZERO`.
    #[inline(always)]
    fn rows<S: Lanes<T>, const ZERO: bool>(&self, set: S) {
        let Product { a, rows, columns, triangle, mut start, .. } = self.0;
        let mut factors = [set.splat(T::default()); N];
        for i in 0..rows {
            for (p, factor) in factors.iter_mut().enumerate() {
                // SAFETY: a has row i and N columns.
                *factor = set.splat(unsafe { *a.at(i, p) });
            }
            let mut j = if triangle == Triangle::Upper { i } else { 0 };
            while j + 4 * S::WIDTH <= columns {
                // SAFETY: row i has four vectors from column j on, and `start` a row for it.
                unsafe { self.columns::<S, 4, false, ZERO>(set, factors, start.from, i, j) };
                j += 4 * S::WIDTH;
            }
            while j + S::WIDTH <= columns {
                // SAFETY: row i has a vector from column j on, and `start` a row for it.
                unsafe { self.columns::<S, 1, false, ZERO>(set, factors, start.from, i, j) };
                j += S::WIDTH;
            }
            if j < columns {
                // SAFETY: row i has less than a vector from column j on, and is masked; `start` has a row for it.
                unsafe { self.columns::<S, 1, true, ZERO>(set, factors, start.from, i, j) };
            }
            start = start.below(1);
        }
    }

    /// V vectors of row i from column j on, of which the last ends with the row if `MASKED`; their chains begin at `+0` or,
    /// unless `ZERO`, at the row `from`.
    ///
    /// # Safety
    /// - `from` has as many values as c has columns, unless `ZERO`.
    /// - c has row i, and V vectors in it from column j on; with `MASKED`, at most V.
    #[inline(always)]
    unsafe fn columns<S: Lanes<T>, const V: usize, const MASKED: bool, const ZERO: bool>(
        &self,
        set: S,
        factors: [S::Vector; N],
        from: *const T,
        i: usize,
        j: usize,
    ) {
        let Product { c, b, columns, .. } = self.0;
        let last = set.mask(0, columns - j);
        let mut sums = [set.splat(T::default()); V];
        if !ZERO {
            // SAFETY: the caller promises the row; the mask ends with it.
            sums = unsafe { load::<T, S, V, MASKED>(set, from.wrapping_add(j), last) };
        }
        for (p, factor) in factors.into_iter().enumerate() {
            // SAFETY: b has row p < N and the columns of c; the mask ends with them.
            let row = unsafe { load::<T, S, V, MASKED>(set, b.at(p, j), last) };
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum = set.fma(factor, x, *sum);
            }
        }
        // SAFETY: the caller promises these columns of row i; the mask ends with the row.
        unsafe { store::<T, S, V, MASKED>(set, c.wrapping_add(i * columns + j), last, sums) };
    }
}

/// With one row, b's columns contiguous: as [`FewInner`], N inner indices after the others. The rows of b are read one
/// after the other, where a tile would go down its columns.
pub(super) struct OneRow<T, const N: usize>(pub(super) Product<T>);

impl<T: Real, S: Lanes<T>, const N: usize> Kernel<S> for OneRow<T, N> {
    type Output = ();
    #[inline(always)]
    fn run(mut self, set: S) {
        self.0.b.column = 1;
        let inner = self.0.inner;
        let mut p = 0;
        while p < inner {
            if p + N <= inner {
                // SAFETY: N indices are left.
                FewInner::<T, N>(unsafe { self.0.run(p, N) }).run(set);
                p += N;
            } else {
                // SAFETY: one index is left.
                FewInner::<T, 1>(unsafe { self.0.run(p, 1) }).run(set);
                p += 1;
            }
        }
    }
}
