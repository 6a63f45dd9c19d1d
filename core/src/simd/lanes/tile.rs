//! Register tiles: a few rows by one, two or [`WIDE`] vectors of columns, kept in registers while the inner index runs.

use super::Kernel;
use super::ahead::Share;
use super::pack::Strided;
use super::{Lanes, Start, WIDE};
use crate::scalar::Real;

/// `c[r, ..] <- fma(a[r, p], b[p, ..], c[r, ..])` for p ascending, the first c as `start` says.
///
/// Whoever runs it promises that c holds `strips rows` rows of `width` values at stride `c_row` and overlaps no factor, that
/// a holds `strips rows` rows and `depth` columns, b `depth` rows of `width` values at stride `b_row`, and a row that the
/// chains begin at `width` values; that `rows` is 1 ..= `S::SINGLE_ROWS` and `width` at most one vector, or 1 ..= `S::ROWS`
/// and at most two vectors, or 1 ..= `S::WIDE_ROWS` and [`WIDE`] vectors.
pub(crate) struct Tile<T> {
    pub(crate) c: *mut T,
    pub(crate) c_row: usize,
    pub(crate) a: Strided<T>,
    pub(crate) b: *const T,
    pub(crate) b_row: usize,
    pub(crate) rows: usize,
    /// How many such tiles lie below each other in c and in a, at least one; one where the width is not two or [`WIDE`]
    /// vectors, and where a tile copies or crosses the diagonal.
    pub(crate) strips: usize,
    pub(crate) depth: usize,
    pub(crate) width: usize,
    pub(crate) start: Start<T>,
    /// Where the rows of b, two or [`WIDE`] whole vectors each, are copied to on the way; null for nowhere. Only a tile
    /// with nothing below the diagonal copies.
    pub(crate) fill: *mut T,
    /// What is fetched on the way.
    pub(crate) ahead: Share<T>,
    /// The place of the tile in c when only elements on and above the diagonal may be stored.
    pub(crate) below: Option<(usize, usize)>,
}

impl<T: Real, S: Lanes<T>> Kernel<S> for Tile<T> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        // The arms below are as many.
        const { assert!(S::WIDE_ROWS <= 6 && S::ROWS <= S::SINGLE_ROWS && S::SINGLE_ROWS <= 16) };
        let Self {
            mut c,
            mut c_row,
            mut a,
            b,
            b_row,
            rows,
            mut strips,
            depth,
            width,
            start,
            below,
            fill,
            ahead,
        } = self;
        // The loop is inside of an arm, so that the arm is chosen once. The distances pass a black box in each round: else the
        // compiler computes their multiples before the loop, more than the registers hold.
        macro_rules! strips {
            ($r:literal, $tile:expr) => {
                loop {
                    // SAFETY: the promise of the type.
                    unsafe { $tile };
                    strips -= 1;
                    if strips == 0 {
                        return;
                    }
                    (c_row, a.row) = core::hint::black_box((c_row, a.row));
                    (c, a.start) = (c.wrapping_add($r * c_row), a.start.wrapping_add($r * a.row));
                }
            };
        }
        if width == WIDE * S::WIDTH {
            macro_rules! wide {
                ($($r:literal)*) => {
                    match rows {
                        $($r if $r <= S::WIDE_ROWS => strips!(
                            $r, tile::<T, S, $r, WIDE>(set, c, c_row, a, b, b_row, depth, start, fill, ahead)
                        ),)*
                        _ => {}
                    }
                };
            }
            wide!(1 2 3 4 5 6);
            return;
        }
        let whole = width == 2 * S::WIDTH && below.is_none();
        macro_rules! rows {
            ($($r:literal)*) => {
                match rows {
                    // A column of a that is contiguous (a packed one) is known to be when compiling.
                    // SAFETY: the promise of the type.
                    $($r if $r == S::ROWS && whole && a.row == 1 && strips == 1 => unsafe {
                        tile::<T, S, $r, 2>(set, c, c_row, Strided { row: 1, ..a }, b, b_row, depth, start, fill, ahead)
                    },)*
                    $($r if $r <= S::ROWS && whole => strips!(
                        $r, tile::<T, S, $r, 2>(set, c, c_row, a, b, b_row, depth, start, fill, ahead)
                    ),)*
                    // SAFETY: the promise of the type.
                    $($r if $r <= S::SINGLE_ROWS && width <= S::WIDTH => unsafe {
                        masked_tile::<T, S, $r, 1>(set, c, c_row, a, b, b_row, depth, width, start, below, ahead)
                    },)*
                    // SAFETY: as above.
                    $($r if $r <= S::ROWS => unsafe {
                        masked_tile::<T, S, $r, 2>(set, c, c_row, a, b, b_row, depth, width, start, below, ahead)
                    },)*
                    _ => {}
                }
            };
        }
        rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
    }
}

/// What the chains of R rows of V vectors begin at; `load` reads the v-th vector of a row.
///
/// # Safety
/// c must hold R rows of V vectors at stride `c_row`, and a row of `start` V vectors, or as much as `load` reads.
#[inline(always)]
unsafe fn begun<T: Real, S: Lanes<T>, const R: usize, const V: usize>(
    set: S,
    start: Start<T>,
    c: *mut T,
    c_row: usize,
    load: impl Fn(usize, *const T) -> S::Vector,
) -> [[S::Vector; V]; R] {
    let mut sums = [[set.splat(T::default()); V]; R];
    // SAFETY: every offset is one the caller promised.
    unsafe {
        match start {
            Start::Zero => {}
            Start::Kept => {
                for (r, row) in sums.iter_mut().enumerate() {
                    for (v, sum) in row.iter_mut().enumerate() {
                        *sum = load(v, c.add(r * c_row + v * S::WIDTH).cast_const());
                    }
                }
            }
            Start::Row(from) => {
                let mut first = [set.splat(T::default()); V];
                for (v, value) in first.iter_mut().enumerate() {
                    *value = load(v, from.add(v * S::WIDTH));
                }
                sums = [first; R];
            }
        }
    }
    sums
}

/// `c[r, ..] <- fma(a[r, p], b[p, ..], c[r, ..])` for R rows, V vectors of columns and p ascending.
///
/// # Safety
/// c must hold R rows of V vectors at stride `c_row`, a must hold R rows and `depth` columns, b must hold `depth` rows
/// of V vectors at stride `b_row`, a row of `start` V vectors; c overlaps none of them.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a kernel's operands with their strides")]
unsafe fn tile<T: Real, S: Lanes<T>, const R: usize, const V: usize>(
    set: S,
    c: *mut T,
    c_row: usize,
    a: Strided<T>,
    b: *const T,
    b_row: usize,
    depth: usize,
    start: Start<T>,
    fill: *mut T,
    ahead: Share<T>,
) {
    // SAFETY: every offset is one the caller promised.
    unsafe {
        let mut sums = begun::<T, S, R, V>(
            set,
            start,
            c,
            c_row,
            #[inline(always)]
            |_, from| set.load(from),
        );
        let mut to = fill;
        for p in 0..depth {
            set.prefetch(ahead.start.wrapping_add(p * ahead.step));
            let mut columns = [set.splat(T::default()); V];
            for (v, column) in columns.iter_mut().enumerate() {
                *column = set.load(b.add(p * b_row + v * S::WIDTH));
            }
            if !fill.is_null() {
                for v in 0..V {
                    set.prefetch(b.wrapping_add((p + ahead.down) * b_row + v * S::WIDTH));
                }
                for (v, column) in columns.iter().enumerate() {
                    set.store(*column, to.add(v * S::WIDTH));
                }
                to = to.add(V * S::WIDTH);
            }
            for (r, row) in sums.iter_mut().enumerate() {
                let x = set.splat(*a.at(r, p));
                for (sum, column) in row.iter_mut().zip(columns) {
                    *sum = set.fma(x, column, *sum);
                }
            }
        }
        for (r, row) in sums.iter().enumerate() {
            for (v, sum) in row.iter().enumerate() {
                set.store(*sum, c.add(r * c_row + v * S::WIDTH));
            }
        }
    }
}

/// As [`tile`] on V vectors of which the first `width` columns exist. With `below = (i, j)`, the place of the tile in c,
/// only elements on and above the diagonal are stored.
///
/// # Safety
/// c must hold R rows of `width` values at stride `c_row`, a must hold R rows and `depth` columns, b must hold `depth`
/// rows of `width` values at stride `b_row`, a row of `start` `width` values; c overlaps none of them; `width` is at most V
/// vectors and more than V - 1.
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
    start: Start<T>,
    below: Option<(usize, usize)>,
    ahead: Share<T>,
) {
    let last = set.mask(0, width - (V - 1) * S::WIDTH);
    // SAFETY: every offset is one the caller promised: all vectors but the last are complete, and the last is masked.
    unsafe {
        let mut sums = begun::<T, S, R, V>(
            set,
            start,
            c,
            c_row,
            #[inline(always)]
            |v, from| if v + 1 < V { set.load(from) } else { set.load_some(last, from) },
        );
        for p in 0..depth {
            set.prefetch(ahead.start.wrapping_add(p * ahead.step));
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
        for (r, row) in sums.into_iter().enumerate() {
            for (v, sum) in row.into_iter().enumerate() {
                let first = v * S::WIDTH;
                let to = c.add(r * c_row + first);
                if let Some((i, j)) = below {
                    let skip = (i + r).saturating_sub(j);
                    let mask = set.mask(skip.saturating_sub(first), width.saturating_sub(first));
                    set.store_some(mask, sum, to);
                } else if v + 1 < V {
                    set.store(sum, to);
                } else {
                    set.store_some(last, sum, to);
                }
            }
        }
    }
}
