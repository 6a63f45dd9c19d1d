//! The strips of a block of rows that go over one panel.

use super::ahead::Ahead;
use super::pack::{Strided, pack};
use super::tile::Tile;
use super::{Lanes, Start, WIDE, even, least};
use crate::kernel::{Triangle, positive};
use crate::scalar::Real;

/// Strips that have to go over a panel of b before copying it pays.
pub(super) const PACK_STRIPS: usize = 4;

/// Inner indices of a that are packed at a time for all strips of a block: a line of a holds values of two strips.
const PACK_DEPTH: usize = 16;

/// Least inner indices of b that are transposed at a time for all columns of a panel: a line of b or of the buffer holds
/// values of several blocks, and is to be in the first-level cache still when the next one comes.
const TRANSPOSE_DEPTH: usize = 64;

/// Bytes after which an address meets the same set of the first-level cache again.
const SAME_SET: usize = 4096;

/// Most rows in a strip of an a whose rows lie a multiple of that apart: as many lines of one set, which has eight ways or
/// twelve, are in use at once.
const SAME_SET_ROWS: usize = 8;

/// A block of rows of a.
#[derive(Clone, Copy)]
pub(super) enum Rows<T> {
    InPlace(Strided<T>),
    /// Strips of ROWS rows, each inner index of a strip side by side.
    Packed(*const T),
}

impl<T: Real> Rows<T> {
    /// # Safety
    /// a must hold `height` rows and `depth` columns, the columns contiguous; `to` takes `depth` values for each row of each
    /// begun strip.
    #[inline(always)]
    pub(super) unsafe fn packed<S: Lanes<T>>(
        set: S,
        to: *mut T,
        a: Strided<T>,
        height: usize,
        depth: usize,
    ) -> Self {
        let mut p = 0;
        while p < depth {
            let count = least(depth - p, PACK_DEPTH);
            let mut i = 0;
            while i < height {
                // SAFETY: the caller's promise.
                unsafe {
                    let to = to.add(i * depth + p * S::ROWS);
                    pack(set, to, S::ROWS, a.from(i, p).t(), count, least(height - i, S::ROWS));
                }
                i += S::ROWS;
            }
            p += count;
        }
        Self::Packed(to.cast_const())
    }

    /// The most rows of a strip for a tile that has room for so many.
    #[inline(always)]
    fn most(self, rows: usize) -> usize {
        match self {
            Self::InPlace(a) if a.row.is_multiple_of(const { SAME_SET / size_of::<T>() }) => {
                least(rows, SAME_SET_ROWS)
            }
            _ => rows,
        }
    }

    /// The rows from i on, and how many of `wanted` rows a tile of at most `most` can take.
    ///
    /// # Safety
    /// Row i must be one of the block, packed with the same `depth`.
    #[inline(always)]
    unsafe fn strip<S: Lanes<T>>(
        self,
        i: usize,
        depth: usize,
        wanted: usize,
        most: usize,
    ) -> (Strided<T>, usize) {
        match self {
            // Strips of equal height, none so low that each step waits for the one before.
            // SAFETY: the caller's promise.
            Self::InPlace(a) => (unsafe { a.from(i, 0) }, even(wanted, most)),
            Self::Packed(start) => {
                let (inside, row) = (i % S::ROWS, i - i % S::ROWS);
                // SAFETY: the caller's promise.
                let start = unsafe { start.add(row * depth + inside) };
                (Strided { start, row: 1, column: S::ROWS }, least(least(S::ROWS - inside, most), wanted))
            }
        }
    }
}

/// Rows `top .. top + height` and columns `j .. j + width` of c.
#[derive(Clone, Copy)]
pub(super) struct Place<T> {
    pub(super) top: usize,
    pub(super) height: usize,
    pub(super) j: usize,
    pub(super) width: usize,
    pub(super) depth: usize,
    /// Whether a tile fetches what the next one adds to: no cache near by holds that.
    pub(super) fetch: bool,
    pub(super) triangle: Triangle,
    pub(super) start: Start<T>,
}

/// All strips of a block of rows over one panel.
///
/// # Safety
/// a must hold `height` rows of `depth` values, b `depth` rows of `width` values; c, whose rows are `c_row` apart, must
/// hold the place and overlap no factor; `right` takes `depth` rows of as many vectors as the panel has, at least two.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a kernel's operands with their strides")]
pub(super) unsafe fn strips_of<T: Real, S: Lanes<T>>(
    set: S,
    c: *mut T,
    c_row: usize,
    a: Rows<T>,
    b: Strided<T>,
    right: *mut T,
    place: Place<T>,
    ahead: &mut Ahead<T>,
) {
    let Place { top, height, j, width, depth, fetch, triangle, start } = place;
    let wide = width == WIDE * S::WIDTH;
    let vectors = if wide { WIDE } else { 2 };
    let tile_rows = if wide { S::WIDE_ROWS } else { S::ROWS };
    let packed = Strided { start: right.cast_const(), row: vectors * S::WIDTH, column: 1 };
    let whole = width == packed.row;
    let in_place = matches!(a, Rows::InPlace(_));
    let mut b = b;
    if b.column != 1 {
        let mut p = 0;
        while p < depth {
            let left = depth - p;
            let count = if left < 2 * TRANSPOSE_DEPTH { left } else { TRANSPOSE_DEPTH };
            // SAFETY: the caller's promise.
            unsafe { pack(set, right.add(p * packed.row), packed.row, b.from(p, 0), count, width) };
            p += count;
        }
        b = packed;
    }
    // The first whole tile that goes over a panel in place packs it for those that follow: one of both vectors, a tile of
    // the second alone would leave the first as it was.
    let mut fill = whole && height >= PACK_STRIPS * tile_rows && b.row > packed.row;
    // Rows from `single` on have only their second vector on or above the diagonal.
    let (end, single) = match triangle {
        Triangle::Full => (height, height),
        Triangle::Upper => {
            let end = least(height, (j + width).saturating_sub(top));
            (end, least(end, (j + S::WIDTH).saturating_sub(top)))
        }
    };
    for (first, end, skip, most) in [(0, single, 0, tile_rows), (single, end, S::WIDTH, S::SINGLE_ROWS)] {
        let most = a.most(most);
        let mut i = first;
        while i < end {
            // SAFETY: i is below `height`.
            let (a, rows) = unsafe { a.strip::<S>(i, depth, end - i, most) };
            let crosses = triangle == Triangle::Upper && top + i + rows > j + skip + 1;
            let fills = fill && !crosses && skip == 0;
            // As many of that height as there are, where all that changes from one to the next is the rows.
            let alike =
                whole && triangle == Triangle::Full && !fills && !fetch && in_place && ahead.is_nothing();
            let strips = if alike { (end - i) / positive(rows) } else { 1 };
            if fetch {
                for below in i + rows..i + rows + most {
                    for v in 0..vectors {
                        set.prefetch(c.wrapping_add((top + below) * c_row + j + v * S::WIDTH));
                    }
                }
            }
            // SAFETY: a holds `rows` rows from i on and b, as it is or packed, `depth` rows of `width` values; c holds the
            // place. `skip` is less than `width` where rows from `single` on exist.
            unsafe {
                set.call(Tile {
                    c: c.add((top + i) * c_row + j + skip),
                    c_row,
                    a,
                    b: b.start.add(skip),
                    b_row: b.row,
                    rows,
                    strips,
                    depth,
                    width: width - skip,
                    start: start.from(j + skip),
                    fill: if fills { right } else { core::ptr::null_mut() },
                    ahead: ahead.share(b.start, depth),
                    below: if crosses { Some((top + i, j + skip)) } else { None },
                });
            }
            if fills {
                b = packed;
                fill = false;
            }
            i += rows * strips;
        }
    }
}
