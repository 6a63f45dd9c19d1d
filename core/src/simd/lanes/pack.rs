//! Blocks of a factor moved to where the tiles find them side by side.

use super::{Lanes, least};
use crate::matrix::MatRef;
use crate::scalar::Real;

/// A strided matrix without its extents.
#[derive(Clone, Copy)]
pub(crate) struct Strided<T> {
    pub(crate) start: *const T,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

impl<T: Copy> Strided<T> {
    pub(crate) fn new(m: MatRef<'_, T>) -> Self {
        let (data, row, column) = m.parts();
        Self { start: data.as_ptr(), row, column }
    }

    /// # Safety
    /// Element `(i, j)` must lie inside the allocation that `start` points into.
    #[inline(always)]
    pub(crate) unsafe fn at(self, i: usize, j: usize) -> *const T {
        // SAFETY: the caller's promise.
        unsafe { self.start.add(i * self.row + j * self.column) }
    }

    /// The matrix from element `(i, j)` on.
    ///
    /// # Safety
    /// As [`Strided::at`].
    #[inline(always)]
    pub(crate) unsafe fn from(self, i: usize, j: usize) -> Self {
        // SAFETY: the caller's promise.
        Self { start: unsafe { self.at(i, j) }, ..self }
    }

    /// The transpose.
    pub(crate) fn t(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }
}

/// Copies the first `depth` rows and `width` columns of b to rows of `stride` values; what lies beyond `width` holds
/// anything afterwards.
///
/// # Safety
/// The block must lie inside b, and `to` must take `depth` rows of `stride` values, or of `width` where b's columns are
/// contiguous. Where they are not, the stride must be a multiple of all vector widths.
#[inline(always)]
pub(crate) unsafe fn pack<T: Real, S: Lanes<T>>(
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
            // SAFETY: row q of b holds `width` values, and row q of the buffer takes them.
            unsafe {
                let (from, to) = (b.at(q, 0), to.add(q * stride));
                let mut lane = 0;
                while lane < whole {
                    set.store(set.load(from.add(lane)), to.add(lane));
                    lane += S::WIDTH;
                }
                if whole < width {
                    set.store_some(rest, set.load_some(rest, from.add(whole)), to.add(whole));
                }
            }
        }
        return;
    }
    if b.row != 1 || depth < S::DEPTH {
        for lane in 0..width {
            for q in 0..depth {
                // SAFETY: row q < depth and column lane < width lie inside b and inside the buffer.
                unsafe { to.add(q * stride + lane).write(*b.at(q, lane)) };
            }
        }
        return;
    }
    let mut lane = 0;
    while lane < width {
        let columns = width - lane;
        let mut q = 0;
        while q < depth {
            // The last block ends with the last inner index, and may bring some again.
            let first = least(q, depth - S::DEPTH);
            // SAFETY: b.row is 1, so its columns, `columns` from `lane` on, hold `depth` consecutive values each; the buffer
            // takes as many rows, with room for the last block.
            unsafe {
                let (from, to) = (b.at(first, lane), to.add(first * stride + lane));
                let values = if columns >= S::WIDTH {
                    set.transposed(from, set.unmoved(b.column), S::WIDTH - 1)
                } else {
                    set.transposed(from, b.column, columns - 1)
                };
                for (row, values) in values.into_iter().enumerate() {
                    set.store(values, to.add(row * stride));
                }
            }
            q += S::DEPTH;
        }
        lane += S::WIDTH;
    }
}
