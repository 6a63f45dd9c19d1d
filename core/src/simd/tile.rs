//! Matrix products in register tiles, for every vector instruction set.
//!
//! ```text
//! for each run of DEPTH inner indices p          (the chain goes on through c)
//!   for each panel of two vectors of columns j   (b packed when its columns are not contiguous)
//!     for each strip of ROWS rows i
//!       tile <- c[i.., j..];  for p: tile[r] <- fma(a[i+r, p], b[p, j..], tile[r]);  c[i.., j..] <- tile
//! ```
//! It departs from the definition in the order in which *outputs* are visited, never in the chain of one output.
//! 1. A panel that sticks out of c, or an upper-triangle tile that crosses the diagonal, is computed in a spare tile from
//!    which only the wanted elements are copied; the lanes outside hold zeros and meet nobody.
//! 2. b is read in place when a panel's columns are contiguous and complete, else packed into a buffer on the stack.

use super::lanes::Lanes;
use crate::kernel::Region;
use crate::matrix::{MatMut, MatRef};
use crate::scalar::Real;
use core::mem::MaybeUninit;

/// Inner indices whose panel of b stays in the first-level cache.
const DEPTH: usize = 256;

/// Most rows of a tile on any set.
const MOST_ROWS: usize = 12;

/// A strided matrix without its extents.
#[derive(Clone, Copy)]
struct Strided<T> {
    start: *const T,
    row: usize,
    column: usize,
}

impl<T> Strided<T> {
    /// # Safety
    /// Element `(i, j)` must lie inside the allocation that `start` points into.
    #[inline(always)]
    unsafe fn at(self, i: usize, j: usize) -> *const T {
        // SAFETY: the caller's promise.
        unsafe { self.start.add(i * self.row + j * self.column) }
    }
}

/// See [`crate::kernel::Backend::accumulate`].
#[inline(always)]
pub(crate) fn accumulate<T: Real, S: Lanes<T>>(
    set: S,
    mut c: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    region: Region,
) {
    // First of all, and shown to the optimiser as used: the frame must stand before any early return. A compiler that
    // moves the prologue behind one probes a frame of this size in a loop that overwrites r11, whatever that held.
    let mut buffer = [const { MaybeUninit::<S::Vector>::uninit() }; 2 * DEPTH];
    let packed = core::hint::black_box(buffer.as_mut_ptr()).cast::<T>();
    let (rows, columns) = c.shape();
    let inner = a.columns();
    let agree = a.rows() == rows && b.rows() == inner && b.columns() == columns;
    if !agree || rows == 0 || columns == 0 {
        return;
    }
    let panel = 2 * S::WIDTH;
    let (a, b) = (strided(a), strided(b));
    let to = c.as_mut_slice().as_mut_ptr();
    let mut p = 0;
    while p < inner {
        let depth = if inner - p < DEPTH { inner - p } else { DEPTH };
        let mut j = 0;
        while j < columns {
            let width = if columns - j < panel { columns - j } else { panel };
            let (from, stride) = if b.column == 1 && width == panel {
                // SAFETY: p < inner = b.rows and j < columns = b.columns.
                (unsafe { b.at(p, j) }, b.row)
            } else {
                // SAFETY: rows p .. p + depth and columns j .. j + width lie inside b; the buffer holds DEPTH * panel
                // values, and pack writes depth * panel of them.
                unsafe { pack(packed, panel, b, p, depth, j, width) };
                (packed.cast_const(), panel)
            };
            let mut i = 0;
            while i < rows {
                let strip = if rows - i < S::ROWS { rows - i } else { S::ROWS };
                if region == Region::Upper && j + width <= i {
                    break;
                }
                let crosses = region == Region::Upper && i + strip > j + 1;
                // SAFETY: a holds rows i .. i + strip and columns p .. p + depth; from holds depth rows of at least
                // panel values at the given stride; c holds rows i .. i + strip and columns j .. j + width, and is
                // exclusively ours.
                unsafe {
                    let left = Strided { start: a.at(i, p), ..a };
                    let first = to.add(i * columns + j);
                    if width == panel && !crosses {
                        strip_of(set, strip, first, columns, left, from, stride, depth);
                    } else {
                        let mut spare = [T::default(); MOST_ROWS * 32];
                        copy(first, columns, spare.as_mut_ptr(), panel, strip, width);
                        strip_of(set, strip, spare.as_mut_ptr(), panel, left, from, stride, depth);
                        for r in 0..strip {
                            let skip = if crosses && i + r > j { i + r - j } else { 0 };
                            let skip = if skip < width { skip } else { width };
                            let row = spare.as_ptr().add(r * panel + skip);
                            copy(row, panel, first.add(r * columns + skip), columns, 1, width - skip);
                        }
                    }
                }
                i += strip;
            }
            j += width;
        }
        p += depth;
    }
}

fn strided<T>(m: MatRef<'_, T>) -> Strided<T> {
    let (data, row, column) = m.parts();
    Strided { start: data.as_ptr(), row, column }
}

/// Copies a `rows x width` block.
///
/// # Safety
/// Both blocks must lie inside their allocations and must not overlap.
#[inline(always)]
unsafe fn copy<T: Copy>(
    from: *const T,
    from_row: usize,
    to: *mut T,
    to_row: usize,
    rows: usize,
    width: usize,
) {
    for r in 0..rows {
        // SAFETY: the caller's promise.
        unsafe { core::ptr::copy_nonoverlapping(from.add(r * from_row), to.add(r * to_row), width) };
    }
}

/// Packs `b[p .. p + depth, j .. j + width]` into rows of `panel` values, the rest zero.
///
/// # Safety
/// The block must lie inside b, and `to` must take `depth * panel` values.
#[inline(always)]
unsafe fn pack<T: Real>(
    to: *mut T,
    panel: usize,
    b: Strided<T>,
    p: usize,
    depth: usize,
    j: usize,
    width: usize,
) {
    for lane in 0..panel {
        for q in 0..depth {
            // SAFETY: lane < width is inside b, and q * panel + lane < depth * panel.
            unsafe {
                let value = if lane < width { *b.at(p + q, j + lane) } else { T::default() };
                to.add(q * panel + lane).write(value);
            }
        }
    }
}

/// Runs the tile with the given number of rows.
///
/// # Safety
/// As [`tile`], with `strip` rows; `strip` is 1 ..= MOST_ROWS.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a kernel's operands with their strides")]
unsafe fn strip_of<T: Real, S: Lanes<T>>(
    set: S,
    strip: usize,
    c: *mut T,
    c_row: usize,
    a: Strided<T>,
    b: *const T,
    b_row: usize,
    depth: usize,
) {
    macro_rules! rows {
        ($($r:literal)*) => {
            match strip {
                // SAFETY: the caller's promise.
                $($r if $r <= S::ROWS => unsafe { tile::<T, S, $r>(set, c, c_row, a, b, b_row, depth) },)*
                _ => {}
            }
        };
    }
    rows!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// `c[r, ..] <- fma(a[r, p], b[p, ..], c[r, ..])` for R rows, two vectors of columns and p ascending.
///
/// # Safety
/// c must hold R rows of two vectors at stride `c_row`, a must hold R rows and `depth` columns, b must hold `depth` rows
/// of two vectors at stride `b_row`; c overlaps neither.
#[inline(always)]
unsafe fn tile<T: Real, S: Lanes<T>, const R: usize>(
    set: S,
    c: *mut T,
    c_row: usize,
    a: Strided<T>,
    b: *const T,
    b_row: usize,
    depth: usize,
) {
    let mut sums = [[set.splat(T::default()); 2]; R];
    // SAFETY: every offset is one the caller promised.
    unsafe {
        for (r, [left, right]) in sums.iter_mut().enumerate() {
            *left = set.load(c.add(r * c_row));
            *right = set.load(c.add(r * c_row + S::WIDTH));
        }
        for p in 0..depth {
            let left_b = set.load(b.add(p * b_row));
            let right_b = set.load(b.add(p * b_row + S::WIDTH));
            for (r, [left, right]) in sums.iter_mut().enumerate() {
                let x = set.splat(*a.at(r, p));
                *left = set.fma(x, left_b, *left);
                *right = set.fma(x, right_b, *right);
            }
        }
        for (r, [left, right]) in sums.iter().enumerate() {
            set.store(*left, c.add(r * c_row));
            set.store(*right, c.add(r * c_row + S::WIDTH));
        }
    }
}
