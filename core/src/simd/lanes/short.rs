//! Products of few inner indices and not many rows: a panel of b goes over all rows at once, with little to decide.

use super::Kernel;
use super::ahead::Ahead;
use super::pack::pack;
use super::tile::Tile;
use super::{Lanes, Product, SHORT, WIDE, even, least};
use crate::kernel::{Triangle, positive};
use crate::scalar::Real;
use core::mem::MaybeUninit;

impl<T: Real> Product<T> {
    /// `strips` tiles of `height` rows below each other, from row i on and over columns `j .. j + width`, where the rows of
    /// b begin at `b` and are `b_row` apart.
    ///
    /// # Safety
    /// The promise of the type; the places exist, also of `b`, and the sizes are a tile's.
    #[inline(always)]
    pub(super) unsafe fn tiles<S: Lanes<T>>(
        &self,
        set: S,
        (i, j): (usize, usize),
        (height, width): (usize, usize),
        strips: usize,
        b: *const T,
        b_row: usize,
    ) {
        let Self { c, a, inner, columns, triangle, start, .. } = *self;
        // SAFETY: the caller's promise.
        unsafe {
            set.call(Tile {
                c: c.add(i * columns + j),
                c_row: columns,
                a: a.from(i, 0),
                b,
                b_row,
                rows: height,
                strips,
                depth: inner,
                width,
                start: start.from(j),
                fill: core::ptr::null_mut(),
                ahead: Ahead::nothing(b).share(b, inner),
                below: if triangle == Triangle::Upper && height > 1 { Some((i, j)) } else { None },
            });
        }
    }

    /// All rows over the panel of columns `j .. j + width`.
    ///
    /// # Safety
    /// As [`Product::tiles`].
    #[inline(always)]
    unsafe fn panel<S: Lanes<T>>(&self, set: S, j: usize, width: usize, b: *const T, b_row: usize) {
        let (most, whole) = match width.div_ceil(S::WIDTH) {
            0 | 1 => (S::SINGLE_ROWS, false),
            2 => (S::ROWS, width == 2 * S::WIDTH),
            _ => (S::WIDE_ROWS, true),
        };
        let mut i = 0;
        while i < self.rows {
            let left = self.rows - i;
            let (height, strips) = if whole { equal(left, most) } else { (even(left, most), 1) };
            // SAFETY: `strips height` rows from i on.
            unsafe { self.tiles(set, (i, j), (height, width), strips, b, b_row) };
            i += strips * height;
        }
    }

    /// The product where b's columns are contiguous, read in place.
    ///
    /// # Safety
    /// The promise of the type.
    #[inline(always)]
    pub(super) unsafe fn in_place<S: Lanes<T>>(&self, set: S) {
        let mut j = 0;
        while j < self.columns {
            let left = self.columns - j;
            let wide = S::WIDE_ROWS > 0 && left >= WIDE * S::WIDTH;
            let width = if wide { WIDE * S::WIDTH } else { least(left, 2 * S::WIDTH) };
            // SAFETY: columns j .. j + width.
            unsafe { self.panel(set, j, width, self.b.at(0, j), self.b.row) };
            j += width;
        }
    }
}

/// The height of tiles of at most `most` rows and how many of that height begin: the fewest that make up all rows, or one
/// more, if there are no rows left then; else as [`even`].
#[inline(always)]
const fn equal(rows: usize, most: usize) -> (usize, usize) {
    if rows <= most {
        return (rows, 1);
    }
    let fewest = positive(rows.div_ceil(positive(most)));
    if rows.is_multiple_of(fewest) {
        return (rows / fewest, fewest);
    }
    if rows.is_multiple_of(fewest + 1) {
        return (rows / (fewest + 1), fewest + 1);
    }
    let height = positive(rows.div_ceil(fewest));
    (height, rows / height)
}

/// The product where b's columns are not contiguous, for at most [`SHORT`] inner indices: a panel is copied into a buffer.
pub(super) struct Transposed<T>(pub(super) Product<T>);

impl<T: Real, S: Lanes<T>> Kernel<S> for Transposed<T> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        // As in `blocks::Accumulate`.
        let mut right = [[const { MaybeUninit::<S::Vector>::uninit() }; 2]; SHORT];
        let right = core::hint::black_box(right.as_mut_ptr()).cast::<T>();
        let Self(product) = self;
        if product.inner > SHORT {
            return;
        }
        let mut j = 0;
        while j < product.columns {
            let width = least(product.columns - j, 2 * S::WIDTH);
            // SAFETY: columns j .. j + width; the buffer takes that many of `inner` rows.
            unsafe {
                pack(set, right, 2 * S::WIDTH, product.b.from(0, j), product.inner, width);
                product.panel(set, j, width, right.cast_const(), 2 * S::WIDTH);
            }
            j += width;
        }
    }
}
