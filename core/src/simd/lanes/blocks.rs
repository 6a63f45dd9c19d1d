//! Matrix products in register tiles, for every vector instruction set.
//!
//! ```text
//! for each group of rows i                           (all of them, where c is not large)
//!   for each run of DEPTH inner indices p            (the chain goes on through c)
//!     for each block of rows i                       (a in place or packed)
//!       for each panel of few vectors of columns j   (b in place or packed)
//!         for each strip of at most ROWS rows i
//!           tile <- c[i.., j..];  for p: tile[r] <- fma(a[i+r, p], b[p, j..], tile[r]);  c[i.., j..] <- tile
//! ```
//! It departs from the definition in the order in which *outputs* are visited, never in the chain of one output.
//! 1. A panel that sticks out of c, or an upper-triangle tile that crosses the diagonal, loads and stores under masks;
//!    a panel of at most one vector of columns runs on tiles of one vector.
//! 2. b is packed into a buffer on the stack when its columns are not contiguous (blocks transposed in registers),
//!    and, by the first tile that goes over it, when enough strips follow and its rows lie far apart: rows a power of two
//!    apart would share a few sets of the first-level cache.
//! 3. So is a, when its columns are contiguous (outer products, weight gradients) and the product of how far apart they
//!    lie and how many panels go over them is large.
//! 4. Where b has more columns than a few, a panel has [`WIDE`] vectors, a strip fewer rows and a run more inner indices: c
//!    is read and written fewer times, and few rows of c and of a, a page each, at once.
//! 5. Few inner indices and not many rows ([`super::short`]): no blocks and no runs, several strips at once.
//! 6. Where a is packed, and rows of c and of a b that is not all lie alike across the cache lines, the first panel ends
//!    with a line, so that those that follow begin with one (or with a vector, where a panel is less than a line).

use super::Kernel;
use super::ahead::Ahead;
use super::pack::Strided;
use super::short::Transposed;
use super::slim::{FewInner, FewRows, OneRow};
use super::strips::{PACK_STRIPS, Place, Rows, strips_of};
use super::{Lanes, Product, SHORT, Start, WIDE, even, least};
use crate::kernel::definition::begin;
use crate::kernel::{Init, Triangle, agree};
use crate::matrix::{MatMut, MatRef};
use crate::scalar::Real;
use core::mem::MaybeUninit;

/// Most inner indices in a run, whose panel of b the caches keep.
const LONG: usize = 384;

/// The same of a panel of [`WIDE`] vectors, which the second-level cache keeps.
const LONG_WIDE: usize = 1024;

/// The same as [`LONG`] when a's inner indices lie far apart, a page each.
const LONG_APART: usize = 256;

/// Most strips in a block when a is read in place: so many that packing b again for each block costs little, so few
/// that the block stays in the second-level cache.
const BLOCK_STRIPS: usize = 32;

/// The same where a value has 8 bytes.
const BLOCK_STRIPS_OF_F64: usize = 24;

/// Most strips that go over a panel of few inner indices without being divided into blocks.
const SHORT_STRIPS: usize = 64;

/// Bytes of b that the first-level cache keeps.
const NEAR: usize = 1 << 14;

/// Bytes of c from which on it is large: the second-level cache does not keep it from one run to the next.
const LARGE: usize = 1 << 21;

/// Packed blocks of a that make a group where c is large; of those in place it is one.
const GROUP_BLOCKS: usize = 2;

/// Most bytes of b that are read again for each group.
const AGAIN: usize = 1 << 23;

/// Rows by which the first tile over a panel, which copies it, fetches ahead where few tiles follow: where a is packed.
const DOWN: usize = 16;

/// Vectors in a row of a packed block of a.
const BLOCK_VECTORS: usize = 7;

/// The same of vectors of 16 bytes: as many values as in the longest.
const BLOCK_SHORT_VECTORS: usize = 28;

/// Most vectors in a row of b when the second-level cache has room for one run of rows more.
const NEAR_VECTORS: usize = 24;

/// Panels of [`WIDE`] vectors from which on they pay where inner indices are not few.
const WIDE_PANELS: usize = 2;

/// Bytes in a cache line.
const LINE: usize = 64;

/// Least bytes from one inner index of a to the next for which a is packed when its columns are contiguous.
const APART: usize = 1024;

/// Least product of that distance and of the bytes of a row of b that go over the packed block.
const APART_BY_ROW: usize = 1 << 21;

/// See [`crate::kernel::Backend::accumulate`]. Takes at most 256 KiB of stack, 16 KiB for up to 64 inner indices.
#[inline(always)]
pub(crate) fn accumulate<T: Real, S: Lanes<T>>(
    set: S,
    mut c: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    triangle: Triangle,
    init: Init<'_, T>,
) {
    let ((rows, columns), inner) = (c.shape(), a.columns());
    if !agree((rows, columns), a, b, init) || rows == 0 || columns == 0 {
        return;
    }
    if inner == 0 {
        begin(&mut c, triangle, init);
        return;
    }
    let (left, right) = (Strided::new(a), Strided::new(b));
    let (to, start) = (c.as_mut_slice().as_mut_ptr(), Start::new(init));
    let product = Product { c: to, a: left, b: right, rows, inner, columns, triangle, start };
    if slim(set, product) {
        return;
    }
    let fits = |most: usize, vectors: usize| rows <= most && columns <= vectors * S::WIDTH;
    let short = triangle == Triangle::Full && inner <= SHORT && !large::<T>(rows, columns);
    if right.column == 1 && (fits(S::SINGLE_ROWS, 1) || fits(S::ROWS, 2)) {
        // SAFETY: the shapes agree, and c is exclusively ours; all of it is one tile.
        return unsafe { product.tiles(set, (0, 0), (rows, columns), 1, right.start, right.row) };
    } else if right.column == 1 && short && rows <= few_rows::<T, S>(inner, columns) {
        // SAFETY: as above.
        return unsafe { product.in_place(set) };
    } else if right.column != 1 && short && rows <= SHORT_STRIPS * S::ROWS {
        return set.call(Transposed(product));
    }
    let apart = left.row == 1 && apart::<T>(left.column, columns, triangle);
    let wide_panels =
        if S::WIDE_ROWS > 0 && triangle == Triangle::Full { columns / (WIDE * S::WIDTH) } else { 0 };
    if inner <= SHORT && wide_panels > 0 && right.column == 1 {
        set.call(Accumulate::<T, SHORT, WIDE, 0> { c, a, b, triangle, init });
    } else if inner <= SHORT {
        set.call(Accumulate::<T, SHORT, 2, 0> { c, a, b, triangle, init });
    } else if apart {
        if const { size_of::<S::Vector>() == 16 } {
            set.call(Accumulate::<T, LONG_APART, 2, BLOCK_SHORT_VECTORS> { c, a, b, triangle, init });
        } else {
            set.call(Accumulate::<T, LONG_APART, 2, BLOCK_VECTORS> { c, a, b, triangle, init });
        }
    } else if wide_panels >= WIDE_PANELS && left.row != 1 {
        set.call(Accumulate::<T, LONG_WIDE, WIDE, 0> { c, a, b, triangle, init });
    } else {
        set.call(Accumulate::<T, LONG, 2, 0> { c, a, b, triangle, init });
    }
}

/// Whether packing a pays, whose columns are contiguous and `a_column` values apart, for so many columns of b.
#[inline(always)]
fn apart<T>(a_column: usize, columns: usize, triangle: Triangle) -> bool {
    let over = if triangle == Triangle::Upper { columns / 2 } else { columns };
    let bytes = |values: usize| values.saturating_mul(size_of::<T>());
    bytes(a_column) >= APART && bytes(a_column).saturating_mul(bytes(over)) >= APART_BY_ROW
}

/// The most rows for which no panel of b is packed: so few that it does not pay, or more where all of b stays in the
/// first-level cache.
#[inline(always)]
const fn few_rows<T: Real, S: Lanes<T>>(inner: usize, columns: usize) -> usize {
    let strips = if inner.saturating_mul(columns) <= const { NEAR / size_of::<T>() } {
        SHORT_STRIPS
    } else {
        PACK_STRIPS
    };
    strips * S::ROWS
}

/// Whether c is large.
#[inline(always)]
const fn large<T>(rows: usize, columns: usize) -> bool {
    rows.saturating_mul(columns) >= const { LARGE / size_of::<T>() }
}

/// Does a product of few inner indices or few rows, if it is one.
#[inline(always)]
fn slim<T: Real, S: Lanes<T>>(set: S, product: Product<T>) -> bool {
    let Product { b, rows, inner, columns, triangle, .. } = product;
    macro_rules! slim {
        ($($kernel:tt)*) => {
            set.call($($kernel)*(product))
        };
    }
    macro_rules! few_rows {
        ($($n:literal)*) => {
            match rows {
                $($n => slim!(FewRows::<T, $n>),)*
                _ => return false,
            }
        };
    }
    // Inner indices beyond whole blocks take a pass of their own, which pays where the rows are very few or the blocks many.
    let pays = rows <= 2 || inner > SHORT || inner.is_multiple_of(S::DEPTH);
    let transposed = b.row == 1 && triangle == Triangle::Full && rows <= S::TRANSPOSED_ROWS && pays;
    match (rows, inner) {
        (_, 1) if b.column == 1 => slim!(FewInner::<T, 1>),
        (_, 2) if b.column == 1 => slim!(FewInner::<T, 2>),
        (_, 3) if b.column == 1 => slim!(FewInner::<T, 3>),
        (1, _) if b.column == 1 && inner > 3 && triangle == Triangle::Full && columns > 2 * S::WIDTH => {
            slim!(OneRow::<T, 8>);
        }
        // A column that lies in one piece is a tile.
        _ if columns == 1 && b.column == 1 => return false,
        _ if transposed => few_rows!(1 2 3 4 5 6 7 8),
        _ => return false,
    }
    true
}

/// A product with room for panels of at most `DEPTH` inner indices and `RIGHT` vectors, and for blocks of a of `LEFT`
/// vectors (none when a is read in place).
struct Accumulate<'a, T, const DEPTH: usize, const RIGHT: usize, const LEFT: usize> {
    c: MatMut<'a, T>,
    a: MatRef<'a, T>,
    b: MatRef<'a, T>,
    triangle: Triangle,
    init: Init<'a, T>,
}

impl<T: Real, S: Lanes<T>, const DEPTH: usize, const RIGHT: usize, const LEFT: usize> Kernel<S>
    for Accumulate<'_, T, DEPTH, RIGHT, LEFT>
{
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        // First of all, and shown to the optimiser as used: the frame must stand before any early return. A compiler that
        // moves the prologue behind one probes a frame of this size in a loop that overwrites r11, whatever that held.
        let mut right = [[const { MaybeUninit::<S::Vector>::uninit() }; RIGHT]; DEPTH];
        let mut left = [[const { MaybeUninit::<S::Vector>::uninit() }; LEFT]; DEPTH];
        let right = core::hint::black_box(right.as_mut_ptr()).cast::<T>();
        let left = core::hint::black_box(left.as_mut_ptr()).cast::<T>();
        let Self { mut c, a, b, triangle, init } = self;
        let (rows, columns) = c.shape();
        let inner = a.columns();
        let long = const { DEPTH > SHORT };
        if !agree((rows, columns), a, b, init) || rows == 0 || columns == 0 || !long && inner > DEPTH {
            return;
        }
        let (a, b) = (Strided::new(a), Strided::new(b));
        let c = c.as_mut_slice().as_mut_ptr();
        const { assert!(RIGHT >= 2 && (LEFT == 0 || LEFT * S::WIDTH >= S::ROWS)) };
        let panel = 2 * S::WIDTH;
        let near = b.column == 1 && columns <= NEAR_VECTORS * S::WIDTH;
        let (strips, panels) = (rows.div_ceil(S::ROWS), columns.div_ceil(panel));
        // Where a is packed: there the tiles, as high as ever and two vectors wide, touch c the most.
        let first = if LEFT > 0 { before_line(c, columns, b) % panel } else { 0 };
        let tiles = if triangle == Triangle::Full { strips * panels } else { (strips + 1) * panels / 2 + 1 };
        let most_strips = if LEFT > 0 {
            LEFT * S::WIDTH / S::ROWS
        } else {
            const { if size_of::<T>() == 8 { BLOCK_STRIPS_OF_F64 } else { BLOCK_STRIPS } }
        };
        let block = even(strips, most_strips) * S::ROWS;
        // All inner indices of a product that needs little room are one run.
        let most = if a.row == 1 { least(DEPTH, LONG_APART) } else { DEPTH };
        let run = if long { even(inner, most) } else { inner };
        // Where c is large, all runs go over a few rows of it, which stay near, and b is read again for the next ones.
        let again = inner * columns <= AGAIN / size_of::<T>();
        let large = large::<T>(rows, columns);
        let fetch = large && const { size_of::<S::Vector>() == LINE };
        let group = if long && large && again && !near {
            block * const { if LEFT > 0 { GROUP_BLOCKS } else { 1 } }
        } else {
            rows
        };
        // The panels left of the diagonal of an upper triangle hold nothing of a block.
        let first_panel = |top: usize| {
            if triangle == Triangle::Upper && top >= first { top - (top - first) % panel } else { 0 }
        };
        let mut base = 0;
        while base < rows {
            let end = base + least(rows - base, group);
            let mut p = 0;
            while p < inner {
                let depth = least(inner - p, run);
                let start = if p > 0 { Start::Kept } else { Start::new(init) };
                let mut ahead = Ahead::nothing(a.start);
                if long && near && p + depth < inner {
                    let next = b.start.wrapping_add((p + depth) * b.row);
                    ahead = Ahead::run(next, least(inner - p - depth, run) * columns, tiles * depth);
                }
                let mut top = base;
                while top < end {
                    let height = least(end - top, block);
                    // SAFETY: rows top .. top + height and columns p .. p + depth lie inside a, the columns contiguous where
                    // they are packed; for each of its strips the buffer, LEFT vectors for each inner index, takes
                    // ROWS * depth values.
                    let block_rows = unsafe {
                        let a = a.from(top, p);
                        if LEFT > 0 && a.row == 1 {
                            Rows::packed::<S>(set, left, a, height, depth)
                        } else {
                            Rows::InPlace(a)
                        }
                    };
                    // The block after this one: further down, in the next run, or of the next group.
                    let (next_top, next_p) = if top + height < end {
                        (top + height, p)
                    } else if p + depth < inner {
                        (base, p + depth)
                    } else {
                        (end, 0)
                    };
                    let mut j = first_panel(top);
                    while j < columns {
                        let rest = columns - j;
                        let width = if j < first {
                            first
                        } else if rest >= RIGHT * S::WIDTH {
                            RIGHT * S::WIDTH
                        } else {
                            least(rest, panel)
                        };
                        if long && !near {
                            // The panel to the right, else the first one of the next block.
                            let last = j + width == columns;
                            let (q, next) =
                                if last { (next_p, first_panel(next_top)) } else { (p, j + width) };
                            let next = b.start.wrapping_add(q * b.row + next * b.column);
                            let tile = if width == WIDE * S::WIDTH { S::WIDE_ROWS } else { S::ROWS };
                            // Lines of its rows or, where it is transposed, its columns.
                            let (lines, apart) =
                                if b.column == 1 { (RIGHT + 1, S::WIDTH) } else { (panel, b.column) };
                            ahead = Ahead::panel(next, b.row, apart, lines, height.div_ceil(tile));
                            if LEFT > 0 {
                                ahead = ahead.and_down(DOWN);
                                if last {
                                    let next = a.start.wrapping_add(next_top * a.row + next_p * a.column);
                                    ahead = ahead.and_block(next, a.column, S::WIDTH);
                                }
                            }
                        }
                        // SAFETY: rows p .. p + depth and columns j .. j + width lie inside b; the buffer takes `depth` rows
                        // of one panel; a is the block of rows top .. top + height; c holds those rows, and those columns,
                        // and is exclusively ours.
                        unsafe {
                            let place = Place { top, height, j, width, depth, fetch, triangle, start };
                            strips_of(set, c, columns, block_rows, b.from(p, j), right, place, &mut ahead);
                        }
                        j += width;
                    }
                    top += height;
                }
                p += depth;
            }
            base = end;
        }
    }
}

/// How many columns c has before one that begins a cache line in all of its rows and, unless b will be packed anyway, in
/// those of b; zero where there is none.
#[inline(always)]
fn before_line<T>(c: *const T, columns: usize, b: Strided<T>) -> usize {
    let line = const { LINE / size_of::<T>() };
    let past = |at: *const T| at.addr() / size_of::<T>() % line;
    let alike = b.column != 1 || (b.row.is_multiple_of(line) && past(b.start) == past(c));
    if alike && columns.is_multiple_of(line) { (line - past(c)) % line } else { 0 }
}
