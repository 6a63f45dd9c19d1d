//! The lane trait, and the kernels that every vector instruction set shares.

mod ahead;
mod axpy;
mod blocks;
mod dot;
mod pack;
mod short;
mod slim;
mod strips;
mod tile;

pub(crate) use axpy::Axpy;
pub(crate) use blocks::accumulate;
pub(crate) use dot::Dot;

use crate::kernel::{Init, Triangle, positive};
use crate::scalar::Real;
use pack::Strided;

/// A kernel that is generic over the instruction set; the `run` of a token compiles it for theirs.
pub(crate) trait Kernel<S> {
    type Output;
    /// Implementations are `#[inline(always)]`, so that they are compiled inside the token's `target_feature` function.
    fn run(self, set: S) -> Self::Output;
}

/// Any code: the compiler vectorises what it can of it.
pub(crate) struct SimdLoop<P>(pub(crate) P);

impl<P: crate::kernel::SimdLoop, S> Kernel<S> for SimdLoop<P> {
    type Output = P::Output;
    #[inline(always)]
    fn run(self, _: S) -> P::Output {
        self.0.run()
    }
}

/// Vectors in a row of the widest register tile.
pub(crate) const WIDE: usize = 4;

/// Inner indices of a product that needs little room.
const SHORT: usize = 64;

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
    /// Rows of a register tile of one vector each, at least `ROWS`.
    const SINGLE_ROWS: usize;
    /// Rows of a register tile of [`WIDE`] vectors each; zero where they do not pay.
    const WIDE_ROWS: usize;
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
    /// Most rows of c, at least two and at most eight, for which blocks of a transposed b are used in registers.
    const TRANSPOSED_ROWS: usize;
    /// The same number, from which nothing is computed ahead of a loop, on a set whose blocks have so many rows that their
    /// places take more registers than there are: to read them again from the stack takes the load units from the block.
    #[inline(always)]
    fn unmoved(self, number: usize) -> usize {
        number
    }
    /// Columns of a block of `WIDTH` rows that is transposed in registers.
    const DEPTH: usize;
    /// `DEPTH` vectors.
    type Columns: IntoIterator<Item = Self::Vector>;
    /// The columns of the block whose row l is `from + l from_row`, and from the `last` row on that one.
    /// # Safety
    /// `DEPTH` values of each of the rows must be readable.
    unsafe fn transposed(self, from: *const T, from_row: usize, last: usize) -> Self::Columns;
    /// Fetches the cache line of `at`, any address, into the second-level cache.
    fn prefetch(self, at: *const T);
    /// `a b + c` in every lane, one rounding.
    fn fma(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// `a b + c` in every lane, one rounding, where a and b are widened values.
    #[inline(always)]
    fn fma_wide(self, a: Wide<Self, T>, b: Wide<Self, T>, c: Wide<Self, T>) -> Wide<Self, T>
    where
        Self: Lanes<f64, Vector = Wide<Self, T>>,
    {
        <Self as Lanes<f64>>::fma(self, a, b, c)
    }
}

/// A product of agreeing shapes; who runs it promises that c holds `rows` rows of `columns` values and overlaps no factor,
/// that a and b hold `rows x inner` and `inner x columns` values, and a row that the chains begin at `columns`.
#[derive(Clone, Copy)]
pub(crate) struct Product<T> {
    c: *mut T,
    a: Strided<T>,
    b: Strided<T>,
    rows: usize,
    inner: usize,
    columns: usize,
    triangle: Triangle,
    start: Start<T>,
}

/// Where the chains of a product begin.
#[derive(Clone, Copy)]
pub(crate) enum Start<T> {
    /// At `+0`.
    Zero,
    /// At what c holds.
    Kept,
    /// In every row at the values from here on.
    Row(*const T),
}

impl<T: Real> Start<T> {
    #[inline(always)]
    fn new(init: Init<'_, T>) -> Self {
        match init {
            Init::Zero => Self::Zero,
            Init::Accumulate => Self::Kept,
            Init::Row(row) => Self::Row(row.as_ptr()),
        }
    }

    /// From column j on.
    #[inline(always)]
    fn from(self, j: usize) -> Self {
        match self {
            Self::Row(row) => Self::Row(row.wrapping_add(j)),
            other => other,
        }
    }

    /// The values for the first row of c, null for `+0`, and from one row to the next.
    #[inline(always)]
    fn rows(self, c: *mut T, columns: usize) -> (*const T, usize) {
        match self {
            Self::Zero => (core::ptr::null(), 0),
            Self::Kept => (c, columns),
            Self::Row(row) => (row, 0),
        }
    }
}

/// The vector of `f64` that goes with vectors of `T`.
type Wide<S, T> = <S as Lanes<T>>::Wide;

/// `total` in the fewest parts of at most `most`, all about equal: the first of them.
#[inline(always)]
fn even(total: usize, most: usize) -> usize {
    if total <= most { total } else { total.div_ceil(positive(total.div_ceil(positive(most)))) }
}

/// The smaller one.
#[inline(always)]
pub(crate) fn least(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}
