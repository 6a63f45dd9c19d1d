//! Matrix products in register tiles, for every vector instruction set.
//!
//! ```text
//! for each run of DEPTH inner indices p          (the chain goes on through c)
//!   for each panel of two vectors of columns j   (b in place or packed)
//!     for each strip of ROWS rows i
//!       tile <- c[i.., j..];  for p: tile[r] <- fma(a[i+r, p], b[p, j..], tile[r]);  c[i.., j..] <- tile
//! ```
//! It departs from the definition in the order in which *outputs* are visited, never in the chain of one output.
//! 1. A panel that sticks out of c, or an upper-triangle tile that crosses the diagonal, loads and stores under masks;
//!    a panel of at most one vector of columns runs on tiles of one vector.
//! 2. b is packed into a buffer on the stack when its columns are not contiguous (square blocks transposed in registers),
//!    and when enough strips go over a panel whose rows lie far apart: rows a power of two apart would share a few sets
//!    of the first-level cache.

use super::lanes::Lanes;
use crate::kernel::Region;
use crate::matrix::{MatMut, MatRef};
use crate::scalar::Real;
use core::mem::MaybeUninit;

/// Inner indices whose panel of b stays in the first-level cache.
const DEPTH: usize = 256;

/// Strips that have to go over a panel of b before copying it pays.
const PACK_STRIPS: usize = 4;

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
            let reused = rows >= PACK_STRIPS * S::ROWS && b.row > panel;
            let (from, stride) = if b.column == 1 && !reused {
                // SAFETY: p < inner = b.rows and j < columns = b.columns.
                (unsafe { b.at(p, j) }, b.row)
            } else {
                // SAFETY: rows p .. p + depth and columns j .. j + width lie inside b; the buffer holds DEPTH * panel
                // values, and pack writes depth rows of at most panel values.
                unsafe { pack(set, packed, panel, b, p, depth, j, width) };
                (packed.cast_const(), panel)
            };
            let mut i = 0;
            while i < rows {
                let strip = if rows - i < S::ROWS { rows - i } else { S::ROWS };
                if region == Region::Upper && j + width <= i {
                    break;
                }
                let crosses = region == Region::Upper && i + strip > j + 1;
                // Of a tile on the diagonal, rows past its last column and a first vector below it are left out.
                let strip = if crosses && j + width - i < strip { j + width - i } else { strip };
                let skip = if crosses && width > S::WIDTH && i >= j + S::WIDTH { S::WIDTH } else { 0 };
                // SAFETY: a holds rows i .. i + strip and columns p .. p + depth; from holds depth rows of width values
                // at the given stride; c holds rows i .. i + strip and columns j .. j + width, and is exclusively ours.
                unsafe {
                    let left = Strided { start: a.at(i, p), ..a };
                    let first = to.add(i * columns + j);
                    if width == panel && !crosses {
                        strip_of(set, strip, first, columns, left, from, stride, depth);
                    } else {
                        let below = if crosses { Some((i, j + skip)) } else { None };
                        let (first, from, width) = (first.add(skip), from.add(skip), width - skip);
                        masked_strip_of(set, strip, first, columns, left, from, stride, depth, width, below);
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

/// Packs `b[p .. p + depth, j .. j + width]` into rows of `panel` values; what lies beyond `width` is left as it is.
///
/// # Safety
/// The block must lie inside b, and `to` must take `depth * panel` values; `width` is at most `panel`.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a block with its place")]
unsafe fn pack<T: Real, S: Lanes<T>>(
    set: S,
    to: *mut T,
    panel: usize,
    b: Strided<T>,
    p: usize,
    depth: usize,
    j: usize,
    width: usize,
) {
    if b.column == 1 {
        for q in 0..depth {
            // SAFETY: row p + q of b holds columns j .. j + width; row q of the buffer takes them.
            unsafe { core::ptr::copy_nonoverlapping(b.at(p + q, j), to.add(q * panel), width) };
        }
        return;
    }
    let square = S::SQUARE;
    let (lanes, run) = if b.row == 1 { (width - width % square, depth - depth % square) } else { (0, 0) };
    let mut lane = 0;
    while lane < lanes {
        let mut q = 0;
        while q < run {
            // SAFETY: b.row is 1, so from column j + lane of b on, SQUARE columns hold SQUARE consecutive values each;
            // the buffer takes SQUARE rows from q on, SQUARE values each.
            unsafe { set.transpose(b.at(p + q, j + lane), b.column, to.add(q * panel + lane), panel) };
            q += square;
        }
        lane += square;
    }
    for lane in 0..width {
        for q in if lane < lanes { run } else { 0 }..depth {
            // SAFETY: lane < width is inside b, and q * panel + lane < depth * panel.
            unsafe { to.add(q * panel + lane).write(*b.at(p + q, j + lane)) };
        }
    }
}

/// Runs the tile with the given number of rows.
///
/// # Safety
/// As [`tile`], with `strip` rows; `strip` is 1 ..= `S::ROWS`.
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
                // A column of a that is contiguous (outer products, weight gradients) is known to be when compiling.
                // SAFETY: the caller's promise.
                $($r if $r == S::ROWS && a.row == 1 => unsafe {
                    tile::<T, S, $r>(set, c, c_row, Strided { row: 1, ..a }, b, b_row, depth)
                },)*
                // SAFETY: the caller's promise.
                $($r if $r <= S::ROWS => unsafe { tile::<T, S, $r>(set, c, c_row, a, b, b_row, depth) },)*
                _ => {}
            }
        };
    }
    rows!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// Runs the masked tile with the given number of rows, and of vectors that `width` columns need.
///
/// # Safety
/// As [`masked_tile`], with `strip` rows; `strip` is 1 ..= `S::ROWS`, `width` 1 ..= `2 S::WIDTH`.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a kernel's operands with their strides")]
unsafe fn masked_strip_of<T: Real, S: Lanes<T>>(
    set: S,
    strip: usize,
    c: *mut T,
    c_row: usize,
    a: Strided<T>,
    b: *const T,
    b_row: usize,
    depth: usize,
    width: usize,
    below: Option<(usize, usize)>,
) {
    macro_rules! rows {
        ($($r:literal)*) => {
            match strip {
                // SAFETY: the caller's promise.
                $($r if $r <= S::ROWS && width <= S::WIDTH => unsafe {
                    masked_tile::<T, S, $r, 1>(set, c, c_row, a, b, b_row, depth, width, below)
                },)*
                // SAFETY: the caller's promise.
                $($r if $r <= S::ROWS => unsafe {
                    masked_tile::<T, S, $r, 2>(set, c, c_row, a, b, b_row, depth, width, below)
                },)*
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

/// As [`tile`] on V vectors of which the first `width` columns exist. With `below = (i, j)`, the place of the tile in c,
/// only elements on and above the diagonal are stored.
///
/// # Safety
/// c must hold R rows of `width` values at stride `c_row`, a must hold R rows and `depth` columns, b must hold `depth`
/// rows of `width` values at stride `b_row`; c overlaps neither; `width` is at most V vectors and more than V - 1.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a kernel's operands with their strides")]
unsafe fn masked_tile<T: Real, S: Lanes<T>, const R: usize, const V: usize>(
    set: S,
    c: *mut T,
    c_row: usize,
    a: Strided<T>,
    b: *const T,
    b_row: usize,
    depth: usize,
    width: usize,
    below: Option<(usize, usize)>,
) {
    let mut sums = [[set.splat(T::default()); V]; R];
    let last = set.mask(0, width - (V - 1) * S::WIDTH);
    // SAFETY: every offset is one the caller promised: all vectors but the last are complete, and the last is masked.
    unsafe {
        for (r, row) in sums.iter_mut().enumerate() {
            for (v, sum) in row.iter_mut().enumerate() {
                let from = c.add(r * c_row + v * S::WIDTH);
                *sum = if v + 1 < V { set.load(from) } else { set.load_some(last, from) };
            }
        }
        for p in 0..depth {
            let mut columns = [set.splat(T::default()); V];
            for (v, column) in columns.iter_mut().enumerate() {
                let from = b.add(p * b_row + v * S::WIDTH);
                *column = if v + 1 < V { set.load(from) } else { set.load_some(last, from) };
            }
            for (r, row) in sums.iter_mut().enumerate() {
                let x = set.splat(*a.at(r, p));
                for (sum, column) in row.iter_mut().zip(columns) {
                    *sum = set.fma(x, column, *sum);
                }
            }
        }
        for (r, row) in sums.iter().enumerate() {
            let skip = below.map_or(0, |(i, j)| (i + r).saturating_sub(j));
            for (v, sum) in row.iter().enumerate() {
                let first = v * S::WIDTH;
                let mask = set.mask(skip.saturating_sub(first), width.saturating_sub(first));
                set.store_some(mask, *sum, c.add(r * c_row + first));
            }
        }
    }
}
