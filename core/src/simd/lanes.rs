//! The lane trait, and the vector kernels that need no tiles.

use super::Kernel;
use super::blocks::least;
use super::pack::Strided;
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
    /// A vector of `f64`.
    type Wide: Copy;
    /// As many values as that has lanes, widened.
    /// # Safety
    /// They must be readable from `from` on.
    unsafe fn load_wide(self, from: *const T) -> Self::Wide;
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
pub(crate) fn dot<T: Real, S>(set: S, a: MatRef<'_, T>, b: MatRef<'_, T>) -> f64
where
    S: Lanes<T> + Lanes<f64, Vector = <S as Lanes<T>>::Wide>,
{
    if a.shape() != b.shape() {
        return 0.0;
    }
    let (rows, columns) = a.shape();
    let mut results = Counter::new();
    let width = <S as Lanes<f64>>::WIDTH;
    let (a, b) = (Strided::new(a), Strided::new(b));
    let contiguous = a.column == 1 && b.column == 1;
    let mut first = 0;
    while first < columns {
        let left = columns - first;
        let mut found = [0.0; UNROLL * 8];
        // SAFETY: both matrices hold as many columns from `first` on as are asked for.
        let count = unsafe {
            let (a, b) = (a.from(0, first), b.from(0, first));
            match left / width {
                1 if contiguous => chains::<T, S, 1>(set, a, b, rows, &mut found),
                2 if contiguous => chains::<T, S, 2>(set, a, b, rows, &mut found),
                3 if contiguous => chains::<T, S, 3>(set, a, b, rows, &mut found),
                4.. if contiguous => chains::<T, S, UNROLL>(set, a, b, rows, &mut found),
                _ => gathered(set, a, b, rows, least(left, width), &mut found),
            }
        };
        found.iter().take(count).for_each(|sum| results.push(*sum));
        first += count;
    }
    results.finish()
}

/// The chains of V vectors of contiguous columns; returns their number.
///
/// # Safety
/// a and b must hold `rows` rows of V vectors.
#[inline(always)]
unsafe fn chains<T: Real, S, const V: usize>(
    set: S,
    a: Strided<T>,
    b: Strided<T>,
    rows: usize,
    found: &mut [f64; UNROLL * 8],
) -> usize
where
    S: Lanes<T> + Lanes<f64, Vector = <S as Lanes<T>>::Wide>,
{
    let width = <S as Lanes<f64>>::WIDTH;
    let mut sums = [set.splat(0.0); V];
    // SAFETY: the caller's promise; V is at most UNROLL, and vectors of f64 have at most eight lanes.
    unsafe {
        for i in 0..rows {
            for (v, sum) in sums.iter_mut().enumerate() {
                let (x, y) = (set.load_wide(a.at(i, v * width)), set.load_wide(b.at(i, v * width)));
                *sum = <S as Lanes<f64>>::fma(set, x, y, *sum);
            }
        }
        for (v, sum) in sums.iter().enumerate() {
            set.store(*sum, found.as_mut_ptr().add(v * width));
        }
    }
    V * width
}

/// The chains of at most one vector of columns, anywhere; returns their number.
///
/// # Safety
/// a and b must hold `rows` rows of `count` values, at most a vector of `f64`.
#[inline(always)]
unsafe fn gathered<T: Real, S: Lanes<f64>>(
    set: S,
    a: Strided<T>,
    b: Strided<T>,
    rows: usize,
    count: usize,
    found: &mut [f64; UNROLL * 8],
) -> usize {
    let (mut x, mut y) = ([0.0; 8], [0.0; 8]);
    let mut sum = set.splat(0.0);
    // SAFETY: the caller's promise; vectors of f64 have at most eight lanes.
    unsafe {
        for i in 0..rows {
            for (j, (x, y)) in x.iter_mut().zip(&mut y).enumerate().take(count) {
                (*x, *y) = ((*a.at(i, j)).to_f64(), (*b.at(i, j)).to_f64());
            }
            sum = set.fma(set.load(x.as_ptr()), set.load(y.as_ptr()), sum);
        }
        set.store(sum, found.as_mut_ptr());
    }
    count
}
