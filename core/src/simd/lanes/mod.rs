//! The lane trait, and the kernels that every vector instruction set shares.
//!
//! Words of the field: a product is `c (m x n) = a (m x k) b (k x n)`. A *micro-kernel* keeps a register tile of MR rows and
//! NR columns of c in registers while the reduction dimension k runs. NR columns of b are a *panel*. KC indices of the
//! reduction dimension are one run, MC rows one block; *packing* copies what is needed next to each other.

mod axpy;
mod dot;
mod driver;
mod few_inner;
mod few_rows;
mod micro_kernel;
mod pack;
mod plan;
mod prefetch;
mod small;
mod tuning;

pub(crate) use axpy::Axpy;
pub(crate) use dot::Dot;
pub(crate) use driver::accumulate;
pub(crate) use plan::Registers;

use crate::kernel::{Init, Triangle, positive};
use crate::matrix::{MatMut, MatRef};
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
const WIDE: usize = 4;

/// What an instruction set does for any scalar; `token!` implements it.
pub(crate) trait Set: Copy {
    /// Runs a kernel compiled for this set, in a function of its own: a large frame stays its own, see [`driver`].
    fn call<K: Kernel<Self>>(self, kernel: K) -> K::Output;
    /// Optimisation barrier: returns its argument, but keeps the compiler from hoisting multiples of it out of a loop,
    /// where they would spill. Only a set whose transposed blocks have many rows needs one.
    fn opaque(self, number: usize) -> usize;
    /// Fetches the cache line of an address, which need not exist, into the second-level cache.
    fn prefetch(self, address: usize);
}

/// Vectors of `T` on an instruction set that `Self` proves to be there.
///
/// Only what the contract needs: lanes never meet each other. [`lanes!`] implements it.
pub(crate) trait Lanes<T: Real>: Set {
    /// `WIDTH` values.
    type Vector: Copy;
    /// A vector of `f64`.
    type Wide: Copy;
    /// A choice of lanes.
    type Mask: Copy;
    /// `SQUARE` vectors.
    type Columns: IntoIterator<Item = Self::Vector>;
    /// Vectors, register tiles and transposed blocks.
    const REGISTERS: Registers;
    /// Values in a vector.
    const WIDTH: usize = Self::REGISTERS.width;
    /// Columns of a block of `WIDTH` rows that is transposed in registers.
    const SQUARE: usize = Self::REGISTERS.square;
    /// The same value in every lane.
    fn splat(self, x: T) -> Self::Vector;
    /// # Safety
    /// - `WIDTH` values from `from` on must be readable.
    unsafe fn load(self, from: *const T) -> Self::Vector;
    /// # Safety
    /// - `WIDTH` values from `to` on must be writable.
    unsafe fn store(self, to: *mut T, x: Self::Vector);
    /// As many values as a vector of `f64` has lanes, widened.
    /// # Safety
    /// - They must be readable from `from` on.
    unsafe fn load_wide(self, from: *const T) -> Self::Wide;
    /// The lanes `first .. end`; an `end` beyond the last lane stops there.
    fn mask(self, first: usize, end: usize) -> Self::Mask;
    /// Zero in the other lanes.
    /// # Safety
    /// - The chosen values from `from` on must be readable.
    unsafe fn load_masked(self, from: *const T, mask: Self::Mask) -> Self::Vector;
    /// Leaves the other values as they are.
    /// # Safety
    /// - The chosen values from `to` on must be writable.
    unsafe fn store_masked(self, to: *mut T, mask: Self::Mask, x: Self::Vector);
    /// The `SQUARE` columns of the block whose row l starts at `from + l from_row`; rows after `last` repeat that one.
    /// # Safety
    /// - `SQUARE` values of each of the rows `0 ..= last` must be readable.
    unsafe fn transposed(self, from: *const T, from_row: usize, last: usize) -> Self::Columns;
    /// `a b + c` in every lane, one rounding.
    fn fma(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// `a b + c` in every lane, one rounding, where a and b are widened values.
    fn fma_wide(self, a: Self::Wide, b: Self::Wide, c: Self::Wide) -> Self::Wide;
}

/// Implements [`Lanes`]. A field names the function that does it, with the arguments of the trait in their order; where a
/// function has another order, the field is an expression in the arguments that it names.
macro_rules! lanes {
    (
        $set:ident, $scalar:ty;
        registers: $registers:expr,
        vector: $vector:ty,
        wide: $wide:ty,
        mask: $mask:ty = $choose:ident,
        splat: $splat:ident,
        load: $load:ident,
        store: $store:ident,
        load_wide: $load_wide:ident,
        load_masked($from:ident, $chosen:ident): $load_masked:expr,
        store_masked: $store_masked:ident,
        transposed: $transposed:ident,
        fma($a:ident, $b:ident, $c:ident): $fma:expr,
        fma_wide($x:ident, $y:ident, $z:ident): $fma_wide:expr,
    ) => {
        #[allow(unused_unsafe, reason = "some sets have safe functions where others have unsafe ones")]
        impl Lanes<$scalar> for $set {
            type Vector = $vector;
            type Wide = $wide;
            type Mask = $mask;
            type Columns = [$vector; $registers.square];
            const REGISTERS: Registers = $registers;
            #[inline(always)]
            fn splat(self, x: $scalar) -> $vector {
                // SAFETY: the token proves the instruction, which touches no memory.
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(self, from: *const $scalar) -> $vector {
                // SAFETY: the token proves the instruction; the caller promises the memory.
                unsafe { $load(from.cast()) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar, x: $vector) {
                // SAFETY: the token proves the instruction; the caller promises the memory.
                unsafe { $store(to.cast(), x) }
            }
            #[inline(always)]
            unsafe fn load_wide(self, from: *const $scalar) -> $wide {
                // SAFETY: the token proves the instruction; the caller promises the memory.
                unsafe { $load_wide(from.cast()) }
            }
            #[inline(always)]
            fn mask(self, first: usize, end: usize) -> $mask {
                // SAFETY: the token proves the instructions, which touch none but their own memory.
                unsafe { $choose(first, end, $registers.width) }
            }
            #[inline(always)]
            unsafe fn load_masked(self, $from: *const $scalar, $chosen: $mask) -> $vector {
                // SAFETY: the token proves the instruction; the caller promises the chosen memory, no other is touched.
                unsafe { $load_masked }
            }
            #[inline(always)]
            unsafe fn store_masked(self, to: *mut $scalar, mask: $mask, x: $vector) {
                // SAFETY: the token proves the instruction; the caller promises the chosen memory, no other is touched.
                unsafe { $store_masked(to, mask, x) }
            }
            #[inline(always)]
            unsafe fn transposed(self, from: *const $scalar, from_row: usize, last: usize) -> Self::Columns {
                // SAFETY: the token proves the instructions; the caller promises the memory.
                unsafe { $transposed(from, from_row, last) }
            }
            #[inline(always)]
            fn fma(self, $a: $vector, $b: $vector, $c: $vector) -> $vector {
                // SAFETY: the token proves the instruction, which touches no memory.
                unsafe { $fma }
            }
            #[inline(always)]
            fn fma_wide(self, $x: $wide, $y: $wide, $z: $wide) -> $wide {
                // SAFETY: the token proves the instruction, which touches no memory.
                unsafe { $fma_wide }
            }
        }
    };
}
pub(crate) use lanes;

/// The mask of the lanes `first .. end` of `width`, a bit for each.
#[inline(always)]
pub(crate) fn bits(first: usize, end: usize, width: usize) -> u32 {
    let ones = |count: usize| (1 << min(count, width)) - 1;
    ones(end) & !ones(first)
}

/// Loads V vectors; with `MASKED`, of the last one only the lanes of `last`.
///
/// # Safety
/// - V vectors from `from` on must be readable; with `MASKED`, V - 1 and the lanes of `last`.
#[inline(always)]
unsafe fn load<T: Real, S: Lanes<T>, const V: usize, const MASKED: bool>(
    set: S,
    from: *const T,
    last: S::Mask,
) -> [S::Vector; V] {
    let mut vectors = [set.splat(T::default()); V];
    for (v, vector) in vectors.iter_mut().enumerate() {
        let from = from.wrapping_add(v * S::WIDTH);
        *vector = if MASKED && v + 1 == V {
            // SAFETY: the caller promises the lanes of `last`.
            unsafe { set.load_masked(from, last) }
        } else {
            // SAFETY: the caller promises this vector whole.
            unsafe { set.load(from) }
        };
    }
    vectors
}

/// Stores V vectors; with `MASKED`, of the last one only the lanes of `last`.
///
/// # Safety
/// - V vectors from `to` on must be writable; with `MASKED`, V - 1 and the lanes of `last`.
#[inline(always)]
unsafe fn store<T: Real, S: Lanes<T>, const V: usize, const MASKED: bool>(
    set: S,
    to: *mut T,
    last: S::Mask,
    vectors: [S::Vector; V],
) {
    for (v, vector) in vectors.into_iter().enumerate() {
        let to = to.wrapping_add(v * S::WIDTH);
        if MASKED && v + 1 == V {
            // SAFETY: the caller promises the lanes of `last`.
            unsafe { set.store_masked(to, last, vector) };
        } else {
            // SAFETY: the caller promises this vector whole.
            unsafe { set.store(to, vector) };
        }
    }
}

/// A product of agreeing shapes.
#[derive(Clone, Copy)]
struct Product<T> {
    c: *mut T,
    a: Strided<T>,
    b: Strided<T>,
    rows: usize,
    inner: usize,
    columns: usize,
    triangle: Triangle,
    start: Start<T>,
}

impl<T: Real> Product<T> {
    /// # Safety
    /// - The shapes agree: a has as many rows as c, b as many as a has columns and as many columns as c; a row of `init`
    ///   has as many values.
    /// - While the product is used, nothing else touches c, and a, b and the row of `init` stay borrowed.
    #[inline(always)]
    unsafe fn new(
        c: &mut MatMut<'_, T>,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        triangle: Triangle,
        init: Init<'_, T>,
    ) -> Self {
        let ((rows, columns), inner) = (c.shape(), a.columns());
        let c = c.as_mut_slice().as_mut_ptr();
        // SAFETY: the caller promises that a stays borrowed.
        let a = unsafe { Strided::new(a) };
        // SAFETY: the caller promises that b stays borrowed.
        let b = unsafe { Strided::new(b) };
        // SAFETY: the rows of c have `columns` values; the caller promises as many of `init`, and that both stay.
        let start = unsafe { Start::new(init, c, columns) };
        Self { c, a, b, rows, inner, columns, triangle, start }
    }

    /// Indices `p .. p + inner` of the reduction dimension; the chains go on at what c holds if p is not zero.
    ///
    /// # Safety
    /// - The product has these indices.
    #[inline(always)]
    unsafe fn run(self, p: usize, inner: usize) -> Self {
        let start = if p > 0 { Start { from: self.c, row: self.columns } } else { self.start };
        Self { a: self.a.from(0, p), b: self.b.from(p, 0), inner, start, ..self }
    }
}

/// Where the chains of a product begin: the values for its first row, null for `+0`, and from one row to the next.
#[derive(Clone, Copy)]
struct Start<T> {
    from: *const T,
    row: usize,
}

impl<T: Real> Start<T> {
    /// # Safety
    /// - c holds rows of `columns` values, and so does the row of `init`, as long as this is used.
    #[inline(always)]
    unsafe fn new(init: Init<'_, T>, c: *const T, columns: usize) -> Self {
        match init {
            Init::Zero => Self { from: core::ptr::null(), row: 0 },
            Init::Accumulate => Self { from: c, row: columns },
            Init::Row(row) => Self { from: row.as_ptr(), row: 0 },
        }
    }

    /// Whether the chains begin at `+0`.
    #[inline(always)]
    fn is_zero(self) -> bool {
        self.from.is_null()
    }

    /// From row i on.
    #[inline(always)]
    fn below(self, i: usize) -> Self {
        Self { from: self.from.wrapping_add(i * self.row), ..self } // null has no distance
    }

    /// From row i and column j on.
    #[inline(always)]
    fn from(self, i: usize, j: usize) -> Self {
        if self.is_zero() { self } else { Self { from: self.from.wrapping_add(i * self.row + j), ..self } }
    }

    /// V vectors of each of the first R rows; with `MASKED`, of the last one only the lanes of `last`.
    ///
    /// # Safety
    /// - These rows exist and have V vectors; with `MASKED`, V - 1 and the lanes of `last`.
    #[inline(always)]
    unsafe fn load<S: Lanes<T>, const R: usize, const V: usize, const MASKED: bool>(
        self,
        set: S,
        last: S::Mask,
    ) -> [[S::Vector; V]; R] {
        let mut sums = [[set.splat(T::default()); V]; R];
        if !self.is_zero() {
            let mut from = self.from;
            for row in &mut sums {
                // SAFETY: the caller promises this row.
                *row = unsafe { load::<T, S, V, MASKED>(set, from, last) };
                from = from.wrapping_add(self.row);
            }
        }
        sums
    }
}

/// `total` in the fewest parts of at most `max`, all about equal: the first of them.
#[inline(always)]
const fn even(total: usize, max: usize) -> usize {
    if total <= max { total } else { total.div_ceil(positive(total.div_ceil(positive(max)))) }
}

/// The smaller one.
#[inline(always)]
pub(crate) const fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}
