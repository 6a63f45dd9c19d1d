//! The micro-kernel: a register tile of a few rows by one, two or [`WIDE`] vectors of columns.
//!
//! ```text
//! tile <- init                                    (+0, what c holds, or a row)
//! for p ascending:  for each row r:  tile[r] <- fma(a[r, p], b[p, ..], tile[r])
//! c <- tile
//! ```
//! The code departs from this in four ways.
//! 1. With `MASKED` the last vector has some columns only, and what lies below the diagonal of c may be left out.
//! 2. Several tiles below each other run in one call, so that the height is chosen once.
//! 3. A tile may pack the panel of b on its way, for the tiles that follow.
//! 4. Each step prefetches one line.

use super::pack::Strided;
use super::prefetch::Share;
use super::{Kernel, Lanes, Start, WIDE, load, store};
use crate::scalar::Real;

/// Operands of a tile.
#[derive(Clone, Copy)]
pub(super) struct Operands<T> {
    pub(super) c: *mut T,
    pub(super) c_row: usize,
    pub(super) a: Strided<T>,
    pub(super) b: *const T,
    pub(super) b_row: usize,
    pub(super) start: Start<T>,
    pub(super) rows: usize,
    /// Tiles below each other in c and in a.
    pub(super) strips: usize,
    pub(super) depth: usize,
    pub(super) width: usize,
    /// Where the rows of b are packed to on the way; null for nowhere.
    pub(super) packed: *mut T,
    pub(super) prefetch: Share,
    /// The place of the tile in c when only elements on and above the diagonal may be stored.
    pub(super) diagonal: Option<(usize, usize)>,
}

/// `c[r, ..] <- fma(a[r, p], b[p, ..], c[r, ..])` for p ascending, the first c as `start` says.
pub(super) struct Tile<T>(Operands<T>);

impl<T> Tile<T> {
    /// # Safety
    /// - c is writable for `strips rows` rows of `width` values, `c_row` apart, and overlaps no factor.
    /// - a has `strips rows` rows and `depth` columns.
    /// - b has `depth` rows of `width` values, `b_row` apart.
    /// - `start` has `strips rows` rows of `width` values.
    /// - `width` is at most one vector and `rows` at most MR of one vector; or two vectors and MR; or [`WIDE`] vectors,
    ///   exactly, and MR of such.
    /// - `strips` is at least one, and one unless the width is two or [`WIDE`] vectors and `diagonal` is `None`.
    /// - `packed` is null, or takes `depth` rows of `width` values, contiguous; then `diagonal` is `None`, the width two or
    ///   [`WIDE`] vectors, and there is one strip.
    #[inline(always)]
    pub(super) unsafe fn new(operands: Operands<T>) -> Self {
        Self(operands)
    }
}

impl<T: Real, S: Lanes<T>> Kernel<S> for Tile<T> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        let Self(tile) = self;
        let Operands { mut c, mut c_row, mut a, mut start, mut strips, rows, width, diagonal, .. } = tile;
        // The arms below are as many.
        const { assert!(S::REGISTERS.mr_wide <= 6 && S::REGISTERS.mr <= S::REGISTERS.mr_single) };
        const { assert!(S::REGISTERS.mr_single <= 16) };
        // The loop is inside of an arm, so that the height is chosen once. The distances pass a black box in each round:
        // else the compiler computes their multiples before the loop, more than the registers hold.
        macro_rules! strips {
            ($r:literal, $vectors:expr, $masked:literal) => {
                loop {
                    let tile = Operands { c, c_row, a, start, ..tile };
                    // Chosen here: inside, it would be asked in each step.
                    if $masked || tile.packed.is_null() {
                        // SAFETY: the promise of `Tile::new`; the arm has these rows and vectors, and nothing is packed.
                        unsafe { strip::<T, S, $r, $vectors, $masked, false>(set, &tile) };
                    } else {
                        // SAFETY: the promise of `Tile::new`; the arm has these rows and vectors, all whole.
                        unsafe { strip::<T, S, $r, $vectors, $masked, true>(set, &tile) };
                    }
                    strips -= 1;
                    if $masked || strips == 0 {
                        return;
                    }
                    (c_row, a.row) = core::hint::black_box((c_row, a.row));
                    (c, a, start) = (c.wrapping_add($r * c_row), a.from($r, 0), start.below($r));
                }
            };
        }
        macro_rules! heights {
            ($max:ident, $vectors:expr, $masked:literal: $($r:literal)*) => {
                match rows {
                    $($r if $r <= S::REGISTERS.$max => strips!($r, $vectors, $masked),)*
                    _ => return,
                }
            };
        }
        if width == WIDE * S::WIDTH {
            heights!(mr_wide, WIDE, false: 1 2 3 4 5 6);
        }
        if width == 2 * S::WIDTH && diagonal.is_none() {
            if rows == S::REGISTERS.mr && a.row == 1 && strips == 1 && tile.packed.is_null() {
                // A packed a: its distance is a constant.
                let tile = Operands { a: Strided { row: 1, ..a }, ..tile };
                macro_rules! packed {
                    ($($r:literal)*) => {
                        match const { S::REGISTERS.mr } {
                            // SAFETY: the promise of `Tile::new`; MR is this, and nothing is packed.
                            $($r => return unsafe { strip::<T, S, $r, 2, false, false>(set, &tile) },)*
                            _ => return,
                        }
                    };
                }
                packed!(4 6 12);
            }
            heights!(mr, 2, false: 1 2 3 4 5 6 7 8 9 10 11 12);
        }
        if width <= S::WIDTH {
            heights!(mr_single, 1, true: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
        }
        heights!(mr, 2, true: 1 2 3 4 5 6 7 8 9 10 11 12);
    }
}

/// R rows and V vectors, of which the last is cut off by the width with `MASKED`; the rows of the first strip.
///
/// # Safety
/// - The promise of [`Tile::new`], R being the rows and V the begun vectors of the width.
/// - With `PACKS`, `packed` is not null and nothing is masked.
#[inline(always)]
unsafe fn strip<
    T: Real,
    S: Lanes<T>,
    const R: usize,
    const V: usize,
    const MASKED: bool,
    const PACKS: bool,
>(
    set: S,
    tile: &Operands<T>,
) {
    let Operands { c, c_row, a, b, b_row, start, depth, width, packed, prefetch, diagonal, .. } = *tile;
    let last = set.mask(0, width - (V - 1) * S::WIDTH);
    // SAFETY: `start` has R rows of `width` values, V vectors as `last` cuts them.
    let mut sums = unsafe { start.load::<S, R, V, MASKED>(set, last) };
    let mut to = packed;
    for p in 0..depth {
        set.prefetch(prefetch.start.wrapping_add(p * prefetch.step));
        let from = b.wrapping_add(p * b_row);
        // SAFETY: row p < depth of b has `width` values, V vectors as `last` cuts them.
        let columns = unsafe { load::<T, S, V, MASKED>(set, from, last) };
        if PACKS {
            for v in 0..V {
                set.prefetch(from.wrapping_add(prefetch.down * b_row + v * S::WIDTH).addr());
            }
            // SAFETY: `packed` takes `depth` rows of V vectors.
            unsafe { store::<T, S, V, false>(set, to, last, columns) };
            to = to.wrapping_add(V * S::WIDTH);
        }
        for (r, row) in sums.iter_mut().enumerate() {
            // SAFETY: a has row r < R and column p < depth.
            let x = set.splat(unsafe { *a.at(r, p) });
            for (sum, column) in row.iter_mut().zip(columns) {
                *sum = set.fma(x, column, *sum);
            }
        }
    }
    for (r, row) in sums.into_iter().enumerate() {
        let to = c.wrapping_add(r * c_row);
        let Some((i, j)) = diagonal.filter(|_| MASKED) else {
            // SAFETY: row r of c takes `width` values, V vectors as `last` cuts them.
            unsafe { store::<T, S, V, MASKED>(set, to, last, row) };
            continue;
        };
        let below = (i + r).saturating_sub(j);
        for (v, sum) in row.into_iter().enumerate() {
            let first = v * S::WIDTH;
            let mask = set.mask(below.saturating_sub(first), width.saturating_sub(first));
            // SAFETY: the mask ends with the `width` values of row r.
            unsafe { set.store_masked(to.wrapping_add(first), mask, sum) };
        }
    }
}
