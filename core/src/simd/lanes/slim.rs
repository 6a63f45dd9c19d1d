//! Products with few inner indices or with few rows, for which tiles and packing cost more than the arithmetic.

use super::{Kernel, Lanes, Product, Start, least};
use crate::kernel::Triangle;
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
        let Product { c, a, rows, columns, triangle, start, .. } = self.0;
        let mut factors = [set.splat(T::default()); N];
        let (mut from, next) = start.rows(c, columns);
        for i in 0..rows {
            let mut j = if triangle == Triangle::Upper { i } else { 0 };
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
        let Product { c, a, b, rows, inner, columns, triangle, mut start } = self.0;
        let mut p = 0;
        while p < inner {
            // SAFETY: as many inner indices are left.
            let (a, b) = unsafe { (a.from(0, p), b.from(p, 0)) };
            if p + N <= inner {
                FewInner::<T, N>(Product { c, a, b, rows, inner: N, columns, triangle, start }).run(set);
                p += N;
            } else {
                FewInner::<T, 1>(Product { c, a, b, rows, inner: 1, columns, triangle, start }).run(set);
                p += 1;
            }
            start = Start::Kept;
        }
    }
}

/// Lanes of the longest vector.
const MOST_LANES: usize = 16;

/// With N rows, b's rows contiguous (the product of a few activations by transposed weights): blocks of b are transposed in
/// registers and used at once.
pub(crate) struct FewRows<T, const N: usize>(pub(crate) Product<T>);

impl<T: Real, S: Lanes<T>, const N: usize> Kernel<S> for FewRows<T, N> {
    type Output = ();
    #[inline(always)]
    fn run(mut self, set: S) {
        let Product { inner, columns, .. } = self.0;
        let rest = inner % S::DEPTH;
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
            // SAFETY: the promise of the type; J blocks, the last whole or not, begin at column j < columns.
            j += unsafe {
                if beside >= 8 && left >= 8 * S::WIDTH {
                    self.columns::<S, 8, true>(set, j)
                } else if beside >= 4 && left >= 4 * S::WIDTH {
                    self.columns::<S, 4, true>(set, j)
                } else if beside >= 2 && left >= 2 * S::WIDTH {
                    self.columns::<S, 2, true>(set, j)
                } else if beside >= 2 && left > S::WIDTH {
                    self.columns::<S, 2, false>(set, j)
                } else if left >= S::WIDTH {
                    self.columns::<S, 1, true>(set, j)
                } else {
                    self.columns::<S, 1, false>(set, j)
                }
            };
        }
        if rest > 0 {
            if rest < inner {
                self.0.start = Start::Kept;
            }
            set.call(Rest::<T, N>(self.0));
        }
    }
}

impl<T: Real, const N: usize> FewRows<T, N> {
    /// The blocks of all inner indices that make up whole ones, J beside each other from column j on, all `WHOLE` or the
    /// last cut off where the matrix ends; returns how many columns that were.
    ///
    /// # Safety
    /// The promise of [`Product`]; `J WIDTH` columns are left, or where the last block is not whole more than
    /// `(J - 1) WIDTH`.
    #[inline(always)]
    unsafe fn columns<S: Lanes<T>, const J: usize, const WHOLE: bool>(&self, set: S, j: usize) -> usize {
        let Product { a, b, inner, columns, .. } = self.0;
        let width = if WHOLE { J * S::WIDTH } else { least(columns - j, J * S::WIDTH) };
        let whole = inner - inner % S::DEPTH;
        // SAFETY: all places are inside the matrices: a block that is cut off repeats its last column.
        unsafe {
            let mut sums = [[set.splat(T::default()); J]; N];
            self.0.sums::<S, N, J, WHOLE>(set, &mut sums, j, width);
            let mut p = 0;
            while p < whole {
                for k in 0..J {
                    let last = if WHOLE || k + 1 < J { S::WIDTH - 1 } else { width - k * S::WIDTH - 1 };
                    // The places of a block that is cut off are not simple.
                    let column = if !WHOLE { b.column } else { set.unmoved(b.column) };
                    let block = set.transposed(b.at(p, j + k * S::WIDTH), column, last);
                    for (q, vector) in block.into_iter().enumerate() {
                        for (i, row) in sums.iter_mut().enumerate() {
                            if let Some(sum) = row.get_mut(k) {
                                *sum = set.fma(set.splat(*a.at(i, p + q)), vector, *sum);
                            }
                        }
                    }
                }
                p += S::DEPTH;
            }
            self.0.keep::<S, N, J, WHOLE>(set, &sums, j, width);
        }
        width
    }
}

impl<T: Real> Product<T> {
    /// Replaces zeros by what the chains of the first N rows begin at in J vectors of columns from j on, of which the first
    /// `width` columns exist.
    ///
    /// # Safety
    /// The promise of the type; there are so many rows and columns, more than J - 1 vectors, J if they are `WHOLE`.
    #[inline(always)]
    unsafe fn sums<S: Lanes<T>, const N: usize, const J: usize, const WHOLE: bool>(
        &self,
        set: S,
        sums: &mut [[S::Vector; J]; N],
        j: usize,
        width: usize,
    ) {
        let (from, next) = self.start.rows(self.c, self.columns);
        if from.is_null() {
            return;
        }
        let last = set.mask(0, width - (J - 1) * S::WIDTH);
        for (i, row) in sums.iter_mut().enumerate() {
            for (k, sum) in row.iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                unsafe {
                    let from = from.add(i * next + j + k * S::WIDTH);
                    *sum = if WHOLE || k + 1 < J { set.load(from) } else { set.load_some(last, from) };
                }
            }
        }
    }

    /// Writes them to c.
    ///
    /// # Safety
    /// As [`Product::sums`].
    #[inline(always)]
    unsafe fn keep<S: Lanes<T>, const N: usize, const J: usize, const WHOLE: bool>(
        &self,
        set: S,
        sums: &[[S::Vector; J]; N],
        j: usize,
        width: usize,
    ) {
        let last = set.mask(0, width - (J - 1) * S::WIDTH);
        for (i, row) in sums.iter().enumerate() {
            for (k, sum) in row.iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe {
                    let to = self.c.add(i * self.columns + j + k * S::WIDTH);
                    if WHOLE || k + 1 < J { set.store(*sum, to) } else { set.store_some(last, *sum, to) }
                }
            }
        }
    }
}

/// The inner indices of [`FewRows`] that are left after whole blocks.
struct Rest<T, const N: usize>(Product<T>);

impl<T: Real, S: Lanes<T>, const N: usize> Kernel<S> for Rest<T, N> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        const { assert!(S::WIDTH <= MOST_LANES) };
        let Product { a, b, inner, columns, .. } = self.0;
        let begin = inner - inner % S::DEPTH;
        let mut j = 0;
        while j < columns {
            let width = least(columns - j, S::WIDTH);
            // SAFETY: the promise of the type; `width` columns from j on, and a block that is cut off repeats its last
            // column; a vector has at most `MOST_LANES` lanes.
            unsafe {
                let mut sums = [[set.splat(T::default())]; N];
                self.0.sums::<S, N, 1, false>(set, &mut sums, j, width);
                if begin > 0 {
                    // The block that ends with the last inner index brings some again.
                    let first = inner - S::DEPTH;
                    let block = set.transposed(b.at(first, j), b.column, width - 1);
                    for (q, vector) in block.into_iter().enumerate().skip(begin - first) {
                        for (i, [sum]) in sums.iter_mut().enumerate() {
                            *sum = set.fma(set.splat(*a.at(i, first + q)), vector, *sum);
                        }
                    }
                } else {
                    for p in 0..inner {
                        let mut lanes = [T::default(); MOST_LANES];
                        for (l, lane) in lanes.iter_mut().enumerate().take(width) {
                            *lane = *b.at(p, j + l);
                        }
                        let vector = set.load(lanes.as_ptr());
                        for (i, [sum]) in sums.iter_mut().enumerate() {
                            *sum = set.fma(set.splat(*a.at(i, p)), vector, *sum);
                        }
                    }
                }
                self.0.keep::<S, N, 1, false>(set, &sums, j, width);
            }
            j += S::WIDTH;
        }
    }
}
