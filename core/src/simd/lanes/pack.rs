//! Packing: blocks of a factor copied to where the micro-kernel finds them next to each other.

use super::tuning::{PACK_DEPTH, SAME_SET, SAME_SET_ROWS, TRANSPOSE_DEPTH};
use super::{Lanes, even, load, min, store};
use crate::matrix::MatRef;
use crate::scalar::Real;

/// A strided matrix without its extents.
#[derive(Clone, Copy)]
pub(super) struct Strided<T> {
    pub(super) start: *const T,
    pub(super) row: usize,
    pub(super) column: usize,
}

impl<T: Copy> Strided<T> {
    /// # Safety
    /// - While this is used, m stays borrowed.
    #[inline(always)]
    pub(super) unsafe fn new(m: MatRef<'_, T>) -> Self {
        let (data, row, column) = m.parts();
        Self { start: data.as_ptr(), row, column }
    }

    /// Rows of `row` contiguous values each, from `start` on.
    ///
    /// # Safety
    /// - While this is used, they are readable.
    #[inline(always)]
    pub(super) unsafe fn packed(start: *const T, row: usize) -> Self {
        Self { start, row, column: 1 }
    }

    /// The place of element `(i, j)`; to be read only if there is one.
    #[inline(always)]
    pub(super) fn at(self, i: usize, j: usize) -> *const T {
        self.start.wrapping_add(i * self.row + j * self.column)
    }

    /// The matrix from element `(i, j)` on.
    #[inline(always)]
    pub(super) fn from(self, i: usize, j: usize) -> Self {
        Self { start: self.at(i, j), ..self }
    }

    /// The transpose.
    #[inline(always)]
    fn t(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }
}

/// Copies the first `depth` rows and `width` columns of b to rows of `stride` values; what lies beyond `width` holds
/// anything afterwards.
///
/// # Safety
/// - b has these rows and columns.
/// - `to` takes `depth` rows of `stride` values, or of `width` where the columns of b are contiguous.
/// - Where they are not, `stride` is a multiple of the vector width and no less than `width`.
#[inline(always)]
pub(super) unsafe fn pack<T: Real, S: Lanes<T>>(
    set: S,
    to: *mut T,
    stride: usize,
    b: Strided<T>,
    depth: usize,
    width: usize,
) {
    if b.column == 1 {
        let whole = width - width % S::WIDTH;
        let rest = set.mask(0, width - whole);
        for q in 0..depth {
            let (from, to) = (b.at(q, 0), to.wrapping_add(q * stride));
            let mut lane = 0;
            while lane < whole {
                // SAFETY: row q of b has `width` values, a vector of them from `lane` on.
                let vector = unsafe { load::<T, S, 1, false>(set, from.wrapping_add(lane), rest) };
                // SAFETY: row q of the buffer takes as many.
                unsafe { store::<T, S, 1, false>(set, to.wrapping_add(lane), rest, vector) };
                lane += S::WIDTH;
            }
            if whole < width {
                // SAFETY: row q of b has `width` values; the mask ends there.
                let vector = unsafe { load::<T, S, 1, true>(set, from.wrapping_add(whole), rest) };
                // SAFETY: row q of the buffer takes as many.
                unsafe { store::<T, S, 1, true>(set, to.wrapping_add(whole), rest, vector) };
            }
        }
        return;
    }
    if b.row != 1 || depth < S::SQUARE {
        for lane in 0..width {
            for q in 0..depth {
                // SAFETY: b has row q and column `lane`.
                let value = unsafe { *b.at(q, lane) };
                // SAFETY: the buffer takes `depth` rows of at least `width` values.
                unsafe { to.wrapping_add(q * stride + lane).write(value) };
            }
        }
        return;
    }
    let mut lane = 0;
    while lane < width {
        let columns = width - lane;
        let mut q = 0;
        while q < depth {
            // The last block ends at the last row. It may overlap the block before and copy some rows a second time.
            let first = min(q, depth - S::SQUARE);
            let (from, to) = (b.at(first, lane), to.wrapping_add(first * stride + lane));
            let (apart, last) = if columns >= S::WIDTH {
                (set.opaque(b.column), S::WIDTH - 1)
            } else {
                (b.column, columns - 1)
            };
            // SAFETY: each column of b from `lane` on has `depth` contiguous values, `SQUARE` of them from `first` on.
            let block = unsafe { set.transposed(from, apart, last) };
            for (row, vector) in block.into_iter().enumerate() {
                // SAFETY: row `first + row` is below `depth`, and the buffer takes a whole vector from `lane` on.
                unsafe { set.store(to.wrapping_add(row * stride), vector) };
            }
            q += S::SQUARE;
        }
        lane += S::WIDTH;
    }
}

/// [`pack`] of a whole panel of b into rows of `stride` values; a transposed one in short parts, whose cache lines stay
/// in the first level.
///
/// # Safety
/// - As [`pack`], `stride` being a multiple of the vector width.
#[inline(always)]
pub(super) unsafe fn pack_panel<T: Real, S: Lanes<T>>(
    set: S,
    to: *mut T,
    stride: usize,
    b: Strided<T>,
    depth: usize,
    width: usize,
) {
    let mut p = 0;
    while p < depth {
        let left = depth - p;
        let count = if left < 2 * TRANSPOSE_DEPTH { left } else { TRANSPOSE_DEPTH };
        // SAFETY: rows `p .. p + count` are among the `depth` of b that the caller promises, and the buffer takes them.
        unsafe { pack(set, to.wrapping_add(p * stride), stride, b.from(p, 0), count, width) };
        p += count;
    }
}

/// A block of rows of a.
#[derive(Clone, Copy)]
pub(super) struct Rows<T> {
    a: Strided<T>,
    /// Whether it is packed: strips of MR rows, in each the values of one index of the reduction dimension contiguous.
    packed: bool,
}

impl<T: Real> Rows<T> {
    /// Where it lies.
    ///
    /// # Safety
    /// - While this is used, a is readable.
    #[inline(always)]
    pub(super) unsafe fn in_place(a: Strided<T>) -> Self {
        Self { a, packed: false }
    }

    /// # Safety
    /// - a has `height` rows and `depth` columns, the columns contiguous.
    /// - `to` takes `depth` values for each row of each begun strip of MR rows.
    /// - While this is used, nothing else writes there.
    #[inline(always)]
    pub(super) unsafe fn packed<S: Lanes<T>>(
        set: S,
        to: *mut T,
        a: Strided<T>,
        height: usize,
        depth: usize,
    ) -> Self {
        let mr = S::REGISTERS.mr;
        let mut p = 0;
        while p < depth {
            let count = min(depth - p, PACK_DEPTH);
            let mut i = 0;
            while i < height {
                let to = to.wrapping_add(i * depth + p * mr);
                // SAFETY: a has these rows and `count` indices, contiguous in its transpose; the strip takes MR values for
                // each.
                unsafe { pack(set, to, mr, a.from(i, p).t(), count, min(height - i, mr)) };
                i += mr;
            }
            p += count;
        }
        Self { a: Strided { start: to.cast_const(), row: 1, column: mr }, packed: true }
    }

    /// Whether it is read in place.
    #[inline(always)]
    pub(super) fn is_in_place(self) -> bool {
        !self.packed
    }

    /// The rows of a strip, where a register tile has room for `rows`.
    #[inline(always)]
    pub(super) fn max(self, rows: usize) -> usize {
        let same_set = !self.packed && self.a.row.is_multiple_of(const { SAME_SET / size_of::<T>() });
        if same_set { min(rows, SAME_SET_ROWS) } else { rows }
    }

    /// The rows from i on, and how many of `wanted` rows a tile of at most `max` can take.
    #[inline(always)]
    pub(super) fn strip<S: Lanes<T>>(
        self,
        i: usize,
        depth: usize,
        wanted: usize,
        max: usize,
    ) -> (Strided<T>, usize) {
        if !self.packed {
            // Strips of equal height, none so low that each step waits for the one before.
            return (self.a.from(i, 0), even(wanted, max));
        }
        let mr = const { S::REGISTERS.mr };
        let (inside, row) = (i % mr, i - i % mr);
        let start = self.a.start.wrapping_add(row * depth + inside);
        (Strided { start, ..self.a }, min(min(mr - inside, max), wanted))
    }
}
