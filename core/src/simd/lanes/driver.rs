//! The driver of the product: it executes the path of the [plan](super::plan), by loops over blocks and panels.
//!
//! ```text
//! for each group of rows i                            (all of them, where c is not large)
//!   for each run of KC indices p of the reduction     (the chains go on through c)
//!     for each block of MC rows i                     (a in place or packed)
//!       for each panel of NR columns j                (b in place or packed)
//!         for each strip of at most MR rows i:  micro-kernel
//! ```
//! The order of the *outputs* differs from that of the definition, the chain of one output never.
//! 1. A panel that extends beyond c, and an upper-triangle tile that crosses the diagonal, load and store under masks.
//! 2. b is packed when its columns are not contiguous, and, by the first tile that goes over it, when enough strips follow
//!    and its rows are far apart: rows a power of two apart would share a few sets of the first-level cache.
//! 3. a is packed when its columns are contiguous and far apart and many panels go over them.
//! 4. Where b has many columns, a panel has [`WIDE`] vectors, a strip fewer rows and a run more indices: c is read and
//!    written fewer times, and fewer pages of c and of a are in use at once.
//! 5. Where a is packed, the first panel ends with a cache line, so that the others begin with one.
//! 6. Tiles prefetch the next panel, block or run.

use super::few_inner::{FewInner, OneRow};
use super::few_rows::FewRows;
use super::micro_kernel::{Operands, Tile};
use super::pack::{Rows, Strided, pack_panel};
use super::plan::{self, Blocks, Buffers, Path, Shape};
use super::prefetch::Prefetch;
use super::small::{InPlace, Transposed};
use super::tuning::{DOWN, KC, KC_APART, KC_WIDE, LINE, MC_SHORT_VECTORS, MC_VECTORS, PACK_STRIPS, SHORT};
use super::{Kernel, Lanes, Product, WIDE, min};
use crate::kernel::definition::begin;
use crate::kernel::{Init, Triangle, agree, positive};
use crate::matrix::{MatMut, MatRef};
use crate::scalar::Real;
use core::mem::MaybeUninit;

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
    // SAFETY: the shapes agree. c is mutably borrowed, and a, b and the row are borrowed, until this function returns. The
    // product does not outlive it.
    let product = unsafe { Product::new(&mut c, a, b, triangle, init) };
    macro_rules! few_rows {
        ($n:ident: $($rows:literal)*) => {
            match $n {
                $($rows => set.call(FewRows::<T, $rows>(product)),)*
                _ => {}
            }
        };
    }
    match plan::path(&product.shape(), &S::REGISTERS) {
        Path::FewInner(1) => set.call(FewInner::<T, 1>(product)),
        Path::FewInner(2) => set.call(FewInner::<T, 2>(product)),
        Path::FewInner(_) => set.call(FewInner::<T, 3>(product)),
        Path::OneRow => set.call(OneRow::<T, 8>(product)),
        Path::FewRows(n) => few_rows!(n: 1 2 3 4 5 6 7 8),
        // SAFETY:
        // - The place is all of c. b has that many contiguous values for each inner index, which the plan checked.
        // - The plan chooses this path only if c fits the registers as one tile, so one strip is right.
        Path::OneTile => unsafe { product.tiles(set, (0, 0), (rows, columns), 1, product.b) },
        Path::InPlace => InPlace(product).run(set),
        Path::Transposed => set.call(Transposed(product)),
        Path::Blocks(Buffers::Short) => set.call(Blocked::<T, SHORT, 2, 0>(product)),
        Path::Blocks(Buffers::ShortWide) => set.call(Blocked::<T, SHORT, WIDE, 0>(product)),
        Path::Blocks(Buffers::Long) => set.call(Blocked::<T, KC, 2, 0>(product)),
        Path::Blocks(Buffers::LongWide) => set.call(Blocked::<T, KC_WIDE, WIDE, 0>(product)),
        Path::Blocks(Buffers::PackedA) => {
            if const { size_of::<S::Vector>() == 16 } {
                set.call(Blocked::<T, KC_APART, 2, MC_SHORT_VECTORS>(product));
            } else {
                set.call(Blocked::<T, KC_APART, 2, MC_VECTORS>(product));
            }
        }
    }
}

impl<T: Real> Product<T> {
    /// The arguments of the plan.
    #[inline(always)]
    fn shape(&self) -> Shape {
        let Self { c, a, b, rows, inner, columns, triangle, .. } = *self;
        let past = |at: *const T| at.addr() / size_of::<T>() % const { LINE / size_of::<T>() };
        Shape {
            rows,
            inner,
            columns,
            full: triangle == Triangle::Full,
            a: (a.row, a.column),
            b: (b.row, b.column),
            value: size_of::<T>(),
            c_past: past(c),
            b_past: past(b.start),
        }
    }
}

/// A product in blocks, with room for panels of `DEPTH` indices and `NR` vectors, and for blocks of a of `MC` vectors of
/// rows (none when a is read in place).
struct Blocked<T, const DEPTH: usize, const NR: usize, const MC: usize>(Product<T>);

impl<T: Real, S: Lanes<T>, const DEPTH: usize, const NR: usize, const MC: usize> Kernel<S>
    for Blocked<T, DEPTH, NR, MC>
{
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        // First of all, and shown to the optimiser as used: the frame must stand before any early return. A compiler that
        // moves the prologue behind one probes a frame of this size in a loop that overwrites r11, whatever that held.
        let mut right = [[const { MaybeUninit::<S::Vector>::uninit() }; NR]; DEPTH];
        let mut left = [[const { MaybeUninit::<S::Vector>::uninit() }; MC]; DEPTH];
        let right = core::hint::black_box(right.as_mut_ptr()).cast::<T>();
        let left = core::hint::black_box(left.as_mut_ptr()).cast::<T>();
        const { assert!(NR >= 2 && (MC == 0 || MC * S::WIDTH >= S::REGISTERS.mr)) };
        let (long, panel) = const { (DEPTH > SHORT, 2 * S::WIDTH) };
        let Self(product) = self;
        let Product { a, b, rows, inner, columns, triangle, .. } = product;
        if !long && inner > DEPTH {
            return;
        }
        let Blocks { first, kc, mc, group, near, fetch, tiles } =
            plan::blocks(&product.shape(), &S::REGISTERS, DEPTH, MC);
        // The panels left of the diagonal of an upper triangle hold nothing of a block.
        let first_panel = |top: usize| {
            if triangle == Triangle::Upper && top >= first { top - (top - first) % panel } else { 0 }
        };
        let mut base = 0;
        while base < rows {
            let end = base + min(rows - base, group);
            let mut p = 0;
            while p < inner {
                let depth = min(inner - p, kc);
                // SAFETY: indices `p .. p + depth` are among the `inner`.
                let run = unsafe { product.run(p, depth) };
                let mut prefetch = Prefetch::run(a.start, 0, 1);
                if long && near && p + depth < inner {
                    let values = min(inner - p - depth, kc) * columns;
                    prefetch = Prefetch::run(b.at(p + depth, 0), values, tiles * depth);
                }
                let mut top = base;
                while top < end {
                    let height = min(end - top, mc);
                    let block = run.a.from(top, 0);
                    let block = if MC > 0 && a.row == 1 {
                        // SAFETY: a has rows `top .. top + height` and the `depth` columns of the run, which are
                        // contiguous; the buffer takes MC vectors for each index, no fewer than the rows of the begun
                        // strips; it is packed anew only when this block is done.
                        unsafe { Rows::packed::<S>(set, left, block, height, depth) }
                    } else {
                        // SAFETY: a stays borrowed as long as the product.
                        unsafe { Rows::in_place(block) }
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
                        } else if rest >= NR * S::WIDTH {
                            NR * S::WIDTH
                        } else {
                            min(rest, panel)
                        };
                        if long && !near {
                            // The panel to the right, else the first one of the next block.
                            let last = j + width == columns;
                            let next =
                                if last { b.at(next_p, first_panel(next_top)) } else { b.at(p, j + width) };
                            let mr =
                                if width == WIDE * S::WIDTH { S::REGISTERS.mr_wide } else { S::REGISTERS.mr };
                            // Lines of its rows or, where it is transposed, its columns.
                            let (lines, apart) =
                                if b.column == 1 { (NR + 1, S::WIDTH) } else { (panel, b.column) };
                            prefetch = Prefetch::panel(next, b.row, apart, lines, height.div_ceil(mr));
                            if MC > 0 {
                                prefetch = prefetch.and_down(DOWN);
                                if last {
                                    let next = a.at(next_top, next_p);
                                    prefetch = prefetch.and_block::<T>(next, a.column, S::WIDTH);
                                }
                            }
                        }
                        let place = Place { top, height, j, width, fetch };
                        // SAFETY: the block has the rows `top .. top + height` of a and the indices of the run; columns
                        // `j .. j + width` are some of c; the buffer takes `depth` rows of NR vectors, at least two.
                        unsafe { run.panel(set, block, place, right, &mut prefetch) };
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

/// Rows `top .. top + height` and columns `j .. j + width` of c.
#[derive(Clone, Copy)]
struct Place {
    top: usize,
    height: usize,
    j: usize,
    width: usize,
    /// Whether a tile prefetches what the next one adds to.
    fetch: bool,
}

impl<T: Real> Product<T> {
    /// All strips of a block of rows over one panel.
    ///
    /// # Safety
    /// - The place is in c, and the width at most [`WIDE`] vectors.
    /// - `block` has the rows of the place and all inner indices.
    /// - `right` takes a row for each inner index, of as many vectors as the panel has and at least two.
    #[inline(always)]
    unsafe fn panel<S: Lanes<T>>(
        &self,
        set: S,
        block: Rows<T>,
        place: Place,
        right: *mut T,
        prefetch: &mut Prefetch,
    ) {
        let Self { c, inner: depth, columns, triangle, start, .. } = *self;
        let Place { top, height, j, width, fetch } = place;
        let wide = width == WIDE * S::WIDTH;
        let (vectors, mr) = if wide { (WIDE, S::REGISTERS.mr_wide) } else { (2, S::REGISTERS.mr) };
        let row = vectors * S::WIDTH;
        // SAFETY: the buffer lives longer than this, and nothing else writes there.
        let packed = unsafe { Strided::packed(right.cast_const(), row) };
        let whole = width == row;
        let mut b = self.b.from(0, j);
        if b.column != 1 {
            // SAFETY: b has the rows and columns of the panel; the buffer takes as many rows of whole vectors.
            unsafe { pack_panel(set, right, row, b, depth, width) };
            b = packed;
        }
        // The first whole tile that goes over a panel in place packs it for those that follow: one of all vectors, a tile
        // of the second alone would leave the first as it was.
        let mut pack = whole && height >= PACK_STRIPS * mr && b.row > row;
        // Rows from `single` on have only their second vector on or above the diagonal.
        let (end, single) = match triangle {
            Triangle::Full => (height, height),
            Triangle::Upper => {
                let end = min(height, (j + width).saturating_sub(top));
                (end, min(end, (j + S::WIDTH).saturating_sub(top)))
            }
        };
        let parts = [(0, single, 0, mr), (single, end, S::WIDTH, const { S::REGISTERS.mr_single })];
        for (first, end, skip, max) in parts {
            let max = block.max(max);
            let mut i = first;
            while i < end {
                let (a, rows) = block.strip::<S>(i, depth, end - i, max);
                let crosses = triangle == Triangle::Upper && top + i + rows > j + skip + 1;
                let packs = pack && !crosses && skip == 0;
                // As many of that height as there are, where all that changes from one to the next is the rows.
                let alike = whole
                    && triangle == Triangle::Full
                    && !packs
                    && !fetch
                    && block.is_in_place()
                    && prefetch.is_nothing();
                let strips = if alike { (end - i) / positive(rows) } else { 1 };
                if fetch {
                    for below in i + rows..i + rows + max {
                        for v in 0..vectors {
                            set.prefetch(c.wrapping_add((top + below) * columns + j + v * S::WIDTH).addr());
                        }
                    }
                }
                let operands = Operands {
                    c: c.wrapping_add((top + i) * columns + j + skip),
                    c_row: columns,
                    a,
                    b: b.start.wrapping_add(skip),
                    b_row: b.row,
                    start: start.from(top + i, j + skip),
                    rows,
                    strips,
                    depth,
                    width: width - skip,
                    packed: if packs { right } else { core::ptr::null_mut() },
                    prefetch: prefetch.share(b.start.addr(), depth),
                    diagonal: if crosses { Some((top + i, j + skip)) } else { None },
                };
                // SAFETY: - c has the place, whose rows are exclusively ours; `skip` is less than `width` where rows from
                //   `single` on exist.
                // - a has `strips rows` rows from i on, which end before `end`, and `depth` columns.
                // - b, in place or packed, has `depth` rows of `width` values.
                // - `start` has the rows and columns of c, or one row of as many columns.
                // - `max` is MR of the width's vectors: of one vector where the first is skipped.
                // - Several strips are whole and of a full product.
                // - `right` takes `depth` rows of whole panels; only a whole tile that does not cross the diagonal packs,
                //   and then alone.
                set.call(unsafe { Tile::new(operands) });
                if packs {
                    b = packed;
                    pack = false;
                }
                i += rows * strips;
            }
        }
    }
}
