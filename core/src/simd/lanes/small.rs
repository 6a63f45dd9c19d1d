//! Products with a short reduction dimension and not many rows: a panel of b goes over all rows at once, with little to
//! decide.

use super::micro_kernel::{Operands, Tile};
use super::pack::{Strided, pack};
use super::prefetch::Share;
use super::tuning::SHORT;
use super::{Kernel, Lanes, Product, WIDE, even, min};
use crate::kernel::{Triangle, positive};
use crate::scalar::Real;
use core::mem::MaybeUninit;

impl<T: Real> Product<T> {
    /// `strips` tiles of `height` rows below each other, from row i on and over columns `j .. j + width`; b is the panel.
    ///
    /// # Safety
    /// - c has these rows and columns, and the panel a row of `width` contiguous values for each inner index.
    /// - A tile of `height` rows and `width` columns fits the registers, and there is one strip unless its width is two or
    ///   [`WIDE`] vectors and the product not a triangle.
    #[inline(always)]
    pub(super) unsafe fn tiles<S: Lanes<T>>(
        &self,
        set: S,
        (i, j): (usize, usize),
        (height, width): (usize, usize),
        strips: usize,
        b: Strided<T>,
    ) {
        let operands = Operands {
            c: self.c.wrapping_add(i * self.columns + j),
            c_row: self.columns,
            a: self.a.from(i, 0),
            b: b.start,
            b_row: b.row,
            start: self.start.from(i, j),
            rows: height,
            strips,
            depth: self.inner,
            width,
            packed: core::ptr::null_mut(),
            prefetch: Share { start: b.start.addr(), step: 0, down: 0 },
            diagonal: if self.triangle == Triangle::Upper && height > 1 { Some((i, j)) } else { None },
        };
        // SAFETY: - c has the rows and columns, says the caller; it overlaps no factor, as the product promises.
        // - a has as many rows as c, and `depth` columns.
        // - The caller promises `depth` rows of the panel.
        // - `start` has the rows and columns of c, or one row of as many columns.
        // - The caller promises that the tile fits,
        // - and several strips only where they may be.
        // - Nothing is packed.
        set.call(unsafe { Tile::new(operands) });
    }

    /// All rows over the panel b of columns `j .. j + width`.
    ///
    /// # Safety
    /// - c has these columns, at most two or exactly [`WIDE`] vectors, and the product is not a triangle.
    /// - The panel has a row of `width` contiguous values for each inner index.
    #[inline(always)]
    unsafe fn over<S: Lanes<T>>(&self, set: S, j: usize, width: usize, b: Strided<T>) {
        let (max, whole) = match width.div_ceil(S::WIDTH) {
            0 | 1 => (S::REGISTERS.mr_single, false),
            2 => (S::REGISTERS.mr, width == 2 * S::WIDTH),
            _ => (S::REGISTERS.mr_wide, true),
        };
        let mut i = 0;
        while i < self.rows {
            let left = self.rows - i;
            let (height, strips) = if whole { equal(left, max) } else { (even(left, max), 1) };
            // SAFETY: - `strips height` rows from i on are at most `left`; the caller promises columns and panel.
            // - The height is at most `max`, MR of the width; several strips are whole.
            unsafe { self.tiles(set, (i, j), (height, width), strips, b) };
            i += strips * height;
        }
    }
}

/// The height of tiles of at most `max` rows and how many of that height begin: the fewest that make up all rows, or one
/// more, if there are no rows left then; else as [`even`].
#[inline(always)]
const fn equal(rows: usize, max: usize) -> (usize, usize) {
    if rows <= max {
        return (rows, 1);
    }
    let fewest = positive(rows.div_ceil(positive(max)));
    if rows.is_multiple_of(fewest) {
        return (rows / fewest, fewest);
    }
    if rows.is_multiple_of(fewest + 1) {
        return (rows / (fewest + 1), fewest + 1);
    }
    let height = positive(rows.div_ceil(fewest));
    (height, rows / height)
}

/// All of a product whose b has contiguous columns, which is read in place.
pub(super) struct InPlace<T>(pub(super) Product<T>);

impl<T: Real, S: Lanes<T>> Kernel<S> for InPlace<T> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        let Self(product) = self;
        let mut j = 0;
        while j < product.columns {
            let left = product.columns - j;
            let wide = S::REGISTERS.mr_wide > 0 && left >= WIDE * S::WIDTH;
            let width = if wide { WIDE * S::WIDTH } else { min(left, 2 * S::WIDTH) };
            // SAFETY: - Columns `j .. j + width` are at most `left`; the plan takes this path for full products only.
            // - b has a row for each inner index, its columns contiguous, as the plan asks.
            unsafe { product.over(set, j, width, product.b.from(0, j)) };
            j += width;
        }
    }
}

/// The same where b has other columns, for at most [`SHORT`] inner indices: a panel is packed.
pub(super) struct Transposed<T>(pub(super) Product<T>);

impl<T: Real, S: Lanes<T>> Kernel<S> for Transposed<T> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        // As in `driver::Blocked`.
        let mut right = [[const { MaybeUninit::<S::Vector>::uninit() }; 2]; SHORT];
        let right = core::hint::black_box(right.as_mut_ptr()).cast::<T>();
        let Self(product) = self;
        if product.inner > SHORT {
            return;
        }
        let row = const { 2 * S::WIDTH };
        // SAFETY: the buffer lives as long as this function and is read only after it was packed.
        let panel = unsafe { Strided::packed(right.cast_const(), row) };
        let mut j = 0;
        while j < product.columns {
            let width = min(product.columns - j, row);
            // SAFETY: - b has `inner` rows and these columns.
            // - The buffer takes `inner <= SHORT` rows of two vectors.
            unsafe { pack(set, right, row, product.b.from(0, j), product.inner, width) };
            // SAFETY: - c has these columns, at most two vectors; the plan takes this path for full products only.
            // - The panel was packed with a row for each inner index.
            unsafe { product.over(set, j, width, panel) };
            j += width;
        }
    }
}
