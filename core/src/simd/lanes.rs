//! The lane trait, and the vector kernels that need no tiles.

use super::Kernel;
use crate::matrix::MatRef;
use crate::reduce::Counter;
use crate::scalar::Real;

/// Vectors of `T` on an instruction set that `Self` proves to be there.
///
/// Only what the contract needs: lanes never meet each other.
pub(crate) trait Lanes<T: Real>: Copy {
    /// `WIDTH` values.
    type Vector: Copy;
    /// Values in a vector.
    const WIDTH: usize;
    /// Rows of a register tile of two vectors each.
    const ROWS: usize;
    /// Rows of a register tile of one vector each.
    const SINGLE_ROWS: usize;
    /// The best set with [`Squares`] that is there as well.
    type Narrow: Squares<T>;
    /// Its token.
    fn narrow(self) -> Self::Narrow;
    /// Runs a kernel in a function of its own.
    fn call<K: Kernel<Self>>(self, kernel: K) -> K::Output;
    /// The same value in every lane.
    fn splat(self, x: T) -> Self::Vector;
    /// # Safety
    /// `WIDTH` values from `from` on must be readable.
    unsafe fn load(self, from: *const T) -> Self::Vector;
    /// # Safety
    /// `WIDTH` values from `to` on must be writable.
    unsafe fn store(self, x: Self::Vector, to: *mut T);
    /// A choice of lanes.
    type Mask: Copy;
    /// The lanes `first .. end`; an `end` beyond the last lane stops there.
    fn mask(self, first: usize, end: usize) -> Self::Mask;
    /// Zero in the other lanes.
    /// # Safety
    /// The chosen values from `from` on must be readable.
    unsafe fn load_some(self, mask: Self::Mask, from: *const T) -> Self::Vector;
    /// # Safety
    /// The chosen values from `to` on must be writable; the others are left as they are.
    unsafe fn store_some(self, mask: Self::Mask, x: Self::Vector, to: *mut T);
    /// Side of the block that [`Lanes::transpose`] moves.
    const SQUARE: usize;
    /// `to[q to_row + l] <- from[l from_row + q]` for q and l below `SQUARE`.
    /// # Safety
    /// Those values must be readable and writable, and must not overlap.
    unsafe fn transpose(self, from: *const T, from_row: usize, to: *mut T, to_row: usize);
    /// Fetches the cache line of `at`, any address, into the second-level cache.
    fn prefetch(self, at: *const T);
    /// `a b + c` in every lane, one rounding.
    fn fma(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
}

/// Sets that transpose in registers a square as wide as a vector.
pub(crate) trait Squares<T: Real>: Lanes<T> {
    /// Side of the square, and lanes of a vector: at most eight.
    const SIDE: usize = Self::WIDTH;
    /// `SIDE` vectors.
    type Columns: IntoIterator<Item = Self::Vector>;
    /// The columns of the square whose row l is `from + l from_row`.
    /// # Safety
    /// `SIDE` rows of as many values must be readable.
    unsafe fn transposed(self, from: *const T, from_row: usize) -> Self::Columns;
}

/// Longest vector of any set, for stack buffers.
const LONGEST: usize = 16;

/// `y[i] <- fma(a, x[i], y[i])`.
#[inline(always)]
pub(crate) fn axpy<T: Real, S: Lanes<T>>(set: S, a: T, x: &[T], y: &mut [T]) {
    let factor = set.splat(a);
    let mut chunks = y.chunks_exact_mut(S::WIDTH);
    let mut sources = x.chunks_exact(S::WIDTH);
    let mut done = 0;
    for (y, x) in chunks.by_ref().zip(sources.by_ref()) {
        // SAFETY: both chunks hold exactly WIDTH values.
        unsafe { set.store(set.fma(factor, set.load(x.as_ptr()), set.load(y.as_ptr())), y.as_mut_ptr()) };
        done += S::WIDTH;
    }
    let (x, y) = (x.get(done..).unwrap_or_default(), y.get_mut(done..).unwrap_or_default());
    let (mut from, mut to) = ([T::default(); LONGEST], [T::default(); LONGEST]);
    from.iter_mut().zip(x).for_each(|(slot, x)| *slot = *x);
    to.iter_mut().zip(y.iter()).for_each(|(slot, y)| *slot = *y);
    // SAFETY: LONGEST is at least WIDTH.
    unsafe { set.store(set.fma(factor, set.load(from.as_ptr()), set.load(to.as_ptr())), to.as_mut_ptr()) };
    y.iter_mut().zip(to).take(x.len()).for_each(|(y, slot)| *y = slot);
}

/// Vectors of columns that a dot product carries at once.
const UNROLL: usize = 4;

/// See [`crate::kernel::Backend::dot`]: a lane is a column.
#[inline(always)]
pub(crate) fn dot<T: Real, S: Lanes<f64>>(set: S, a: MatRef<'_, T>, b: MatRef<'_, T>) -> f64 {
    if a.shape() != b.shape() {
        return 0.0;
    }
    let mut columns = Counter::new();
    let group = UNROLL * <S as Lanes<f64>>::WIDTH;
    let mut first = 0;
    while first < a.columns() {
        let width = if a.columns() - first < group { a.columns() - first } else { group };
        let mut sums = [set.splat(0.0); UNROLL];
        let (mut x, mut y) = ([0.0; UNROLL * 8], [0.0; UNROLL * 8]);
        for i in 0..a.rows() {
            gather(a, i, first, width, &mut x);
            gather(b, i, first, width, &mut y);
            for (lane, sum) in sums.iter_mut().enumerate() {
                let at = lane * <S as Lanes<f64>>::WIDTH;
                // SAFETY: x and y hold UNROLL * 8 values, at + WIDTH is at most UNROLL * WIDTH, and f64 vectors have at
                // most 8 lanes.
                *sum = unsafe { set.fma(set.load(x.as_ptr().add(at)), set.load(y.as_ptr().add(at)), *sum) };
            }
        }
        for (lane, sum) in sums.iter().enumerate() {
            // SAFETY: as above.
            unsafe { set.store(*sum, x.as_mut_ptr().add(lane * <S as Lanes<f64>>::WIDTH)) };
        }
        x.iter().take(width).for_each(|sum| columns.push(*sum));
        first += width;
    }
    columns.finish()
}

/// Columns `first .. first + width` of row `i`, widened.
#[inline(always)]
fn gather<T: Real>(m: MatRef<'_, T>, i: usize, first: usize, width: usize, to: &mut [f64]) {
    if let Some(row) = m.row_slice(i) {
        for (slot, value) in to.iter_mut().zip(row.get(first..first + width).unwrap_or_default()) {
            *slot = value.to_f64();
        }
    } else {
        for (slot, value) in to.iter_mut().zip(m.row(i).skip(first).take(width)) {
            *slot = value.to_f64();
        }
    }
}
