//! Implicit QL: the sweeps on the tridiagonal form, and their rotations of the rows of `Q^T`.

use super::{EigenError, split_rows};
use crate::kernel::{Backend, Plain};
use crate::scalar::sqrt;
use core::cell::Cell;
use core::num::NonZeroUsize;

/// QL sweeps allowed per eigenvalue, on average. Two are usual; the classic limit is 30.
const SWEEPS_PER_EIGENVALUE: usize = 30;

/// An off-diagonal entry of this size counts as zero whatever stands beside it (the matrix has entries near 1).
/// Above it products by 2^-53 are still normal numbers, so rounding errors stay relative and QL cannot stagnate.
const NEGLIGIBLE: f64 = f64::MIN_POSITIVE / f64::EPSILON;

/// Columns of a panel: `n = 512` rows of them are 64 KiB, and a few registers hold one.
const COLUMNS: usize = 16;

/// Most sweeps that are kept before the rows are turned.
const SWEEPS: usize = 40;

/// A sweep over the rows `first ..= first + pairs`, its rotations from the last pair of neighbours to the first.
#[derive(Clone, Copy, Default)]
struct Sweep {
    first: usize,
    pairs: usize,
}

/// Rotations that `T` has had and the rows of `Q^T` have not. The columns of `Q^T` know nothing of each other, so all
/// pending sweeps can turn one panel of columns, in cache, before the next.
pub(super) struct Rotations<'a> {
    cosines: &'a mut [f64],
    sines: &'a mut [f64],
    used: usize,
    sweeps: [Sweep; SWEEPS],
    count: usize,
    /// `n` rows of [`COLUMNS`]; empty: the rows are turned where they lie.
    panel: &'a mut [f64],
}

impl<'a> Rotations<'a> {
    /// Room for one sweep in the two buffers of `n`, or for more and a panel in `spare` if it is long enough.
    pub(super) fn new(
        n: NonZeroUsize,
        one: &'a mut [f64],
        other: &'a mut [f64],
        spare: &'a mut [f64],
    ) -> Self {
        let n = n.get();
        let (mut cosines, mut sines, mut panel) = (one, other, <&mut [f64]>::default());
        if let Some((columns, rest)) = spare.split_at_mut_checked(n.saturating_mul(COLUMNS)) {
            let half = (rest.len() / 2).min(n.saturating_mul(SWEEPS));
            if half >= n {
                let (first, rest) = rest.split_at_mut_checked(half).unwrap_or_default();
                let (second, _) = rest.split_at_mut_checked(half).unwrap_or_default();
                (cosines, sines, panel) = (first, second, columns);
            }
        }
        Self { cosines, sines, used: 0, sweeps: [Sweep::default(); SWEEPS], count: 0, panel }
    }

    /// Whether there is room for one more sweep.
    fn fits(&self, sweep: Sweep) -> bool {
        self.count < SWEEPS && sweep.pairs <= self.cosines.len().saturating_sub(self.used)
    }

    /// Enters a sweep that fits: where its cosines and sines are to be written.
    fn slots(&mut self, sweep: Sweep) -> (&mut [f64], &mut [f64]) {
        let begin = self.used;
        if let Some(slot) = self.sweeps.get_mut(self.count) {
            *slot = sweep;
        }
        self.count += 1;
        self.used += sweep.pairs;
        let places = begin..self.used;
        (
            self.cosines.get_mut(places.clone()).unwrap_or_default(),
            self.sines.get_mut(places).unwrap_or_default(),
        )
    }
}

/// Implicit QL: brings `T` to diagonal form from the top, and the rows of `Q^T` to the eigenvectors.
pub(super) fn iterate<B: Backend<f64>>(
    backend: B,
    rows: &mut [f64],
    n: NonZeroUsize,
    diagonal: &mut [f64],
    off_diagonal: &mut [f64],
    mut rotations: Rotations<'_>,
) -> Result<(), EigenError> {
    let mut budget = SWEEPS_PER_EIGENVALUE.saturating_mul(n.get());
    let mut settled = 0;
    while settled < n.get() {
        // The part that is not settled; its first block ends at the first negligible coupling.
        let d = diagonal.get_mut(settled..).unwrap_or_default();
        let e = off_diagonal.get_mut(settled..).unwrap_or_default();
        let couplings = d.windows(2).zip(e.iter());
        let last = couplings.take_while(|(pair, e)| !is_negligible(**e, pair)).count();
        if last == 0 {
            settled += 1;
            continue;
        }
        if budget == 0 {
            return Err(EigenError::NoConvergence { settled, of: n.get() });
        }
        budget -= 1;
        let (d, e) = (d.get_mut(..=last).unwrap_or_default(), e.get_mut(..=last).unwrap_or_default());
        let next = Sweep { first: settled, pairs: last };
        if !rotations.fits(next) {
            backend.vectorize(Turn { rows, n, rotations: &mut rotations });
        }
        sweep(d, e, rotations.slots(next));
    }
    backend.vectorize(Turn { rows, n, rotations: &mut rotations });
    Ok(())
}

/// Whether dropping the coupling `e` of two diagonal entries moves no eigenvalue by more than their rounding errors.
fn is_negligible(e: f64, neighbours: &[f64]) -> bool {
    let size = neighbours.iter().fold(0.0, |sum, d| sum + d.abs());
    e.abs() <= size * (f64::EPSILON / 2.0) || e.abs() <= NEGLIGIBLE
}

/// One QL sweep over an unreduced block: rotations of neighbours from the last pair to the first, which chase the bulge
/// of the shifted first step upwards. The last off-diagonal slot, outside the block, receives the first bulge and is
/// cleared again.
fn sweep(diagonal: &mut [f64], off_diagonal: &mut [f64], (cosines, sines): (&mut [f64], &mut [f64])) {
    let d = Cell::from_mut(diagonal).as_slice_of_cells();
    let e = Cell::from_mut(off_diagonal).as_slice_of_cells();
    let ([first, second, ..], [coupling, ..]) = (d, e) else { return };
    let (Some(last), Some(outside)) = (d.last(), e.last()) else { return };

    // Wilkinson's shift: the eigenvalue of the first 2 x 2 block that is nearer to its first entry. The coupling is
    // not negligible, so the ratio is below 2^53 and its square finite.
    let ratio = (second.get() - first.get()) / (coupling.get() + coupling.get());
    let root = sqrt(ratio * ratio + 1.0);
    let denominator = if ratio < 0.0 { ratio - root } else { ratio + root };
    let mut g = last.get() - first.get() + coupling.get() / denominator;

    let (mut cosine, mut sine, mut p) = (1.0, 1.0, 0.0);
    let slots = cosines.iter_mut().zip(sines);
    for ((d_pair, e_pair), slot) in d.windows(2).zip(e.windows(2)).rev().zip(slots) {
        let ([d_low, d_high], [e_low, e_high]) = (d_pair, e_pair) else { return };
        let f = sine * e_low.get();
        let b = cosine * e_low.get();
        let r;
        (cosine, sine, r) = rotation(f, g);
        e_high.set(r);
        g = d_high.get() - p;
        let twist = (d_low.get() - g) * sine + (cosine + cosine) * b;
        p = sine * twist;
        d_high.set(g + p);
        g = cosine * twist - b;
        (*slot.0, *slot.1) = (cosine, sine);
    }
    first.set(first.get() - p);
    coupling.set(g);
    outside.set(0.0);
}

/// Turns the rows by all pending rotations.
struct Turn<'a, 'b> {
    rows: &'a mut [f64],
    n: NonZeroUsize,
    rotations: &'a mut Rotations<'b>,
}

impl Plain for Turn<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { rows, n, rotations } = self;
        let sweeps = rotations.sweeps.get(..rotations.count).unwrap_or_default();
        let angles = (&*rotations.cosines, &*rotations.sines);
        let (panel, _) = rotations.panel.as_chunks_mut::<COLUMNS>();
        if panel.is_empty() {
            turn_in_place(rows, n, sweeps, angles);
        } else {
            let first = sweeps.first().map_or(0, |sweep| sweep.first); // of all: what has settled stays so
            for column in (0..n.get()).step_by(COLUMNS) {
                let pairs = rows.chunks_exact(n.get()).zip(&mut *panel);
                for (row, tile) in pairs.skip(first) {
                    for (to, from) in tile.iter_mut().zip(row.get(column..).unwrap_or_default()) {
                        *to = *from;
                    }
                }
                turn_panel(panel, sweeps, angles);
                let pairs = rows.chunks_exact_mut(n.get()).zip(&*panel);
                for (row, tile) in pairs.skip(first) {
                    for (to, from) in row.get_mut(column..).unwrap_or_default().iter_mut().zip(tile) {
                        *to = *from;
                    }
                }
            }
        }
        (rotations.used, rotations.count) = (0, 0);
    }
}

/// Turns rows of `n` columns by the rotations of some sweeps, one rotation after the other.
#[inline(always)]
fn turn_in_place(rows: &mut [f64], n: NonZeroUsize, sweeps: &[Sweep], (cosines, sines): Angles<'_>) {
    let mut angles = cosines.iter().copied().zip(sines.iter().copied());
    for Sweep { first, pairs } in sweeps {
        let (_, block) = split_rows(rows, n, *first);
        let (block, _) = split_rows(block, n, pairs.saturating_add(1));
        let mut from_last = block.chunks_exact_mut(n.get()).rev();
        let Some(mut high) = from_last.next() else { return };
        for (low, angle) in from_last.zip(&mut angles) {
            for (low, high) in low.iter_mut().zip(high) {
                ([*low], [*high]) = turned([*low], [*high], angle);
            }
            high = low;
        }
    }
}

/// Turns a panel by the rotations of some sweeps, two at once where they begin with the same pair of rows (the later one
/// is not longer then: rows settle from the first on).
#[inline(always)]
fn turn_panel(panel: &mut [[f64; COLUMNS]], sweeps: &[Sweep], (cosines, sines): Angles<'_>) {
    let panel = Cell::from_mut(panel).as_slice_of_cells();
    let (mut sweeps, mut cosines, mut sines) = (sweeps, cosines, sines);
    let mut next = || -> Option<(Sweep, Angles<'_>)> {
        let (sweep, later) = sweeps.split_first()?;
        let (c, later_c) = cosines.split_at_checked(sweep.pairs)?;
        let (s, later_s) = sines.split_at_checked(sweep.pairs)?;
        (sweeps, cosines, sines) = (later, later_c, later_s);
        Some((*sweep, (c, s)))
    };
    let mut held = next();
    while let Some((sweep, angles)) = held {
        held = next();
        let end = sweep.first + sweep.pairs;
        let rows = panel.get(sweep.first..=end).unwrap_or_default();
        match held {
            Some((second, later)) if second.first + second.pairs == end => {
                turn_twice(rows, angles, later);
                held = next();
            }
            _ => turn_once(rows, angles),
        }
    }
}

/// One sweep over the last of these rows.
#[inline(always)]
fn turn_once(rows: &[Cell<[f64; COLUMNS]>], (cosines, sines): Angles<'_>) {
    let Some(last) = rows.last() else { return };
    let mut high = last.get();
    let angles = cosines.iter().copied().zip(sines.iter().copied());
    for (pair, angle) in rows.windows(2).rev().zip(angles) {
        let [low, at] = pair else { return };
        let (x, y) = turned(low.get(), high, angle);
        at.set(y);
        low.set(x);
        high = x;
    }
}

/// Two sweeps over the last of these rows, the second, which is not longer, one pair behind the first.
#[inline(always)]
fn turn_twice(rows: &[Cell<[f64; COLUMNS]>], (c1, s1): Angles<'_>, (c2, s2): Angles<'_>) {
    let ([.., next, last], [first_c, c1 @ ..], [first_s, s1 @ ..]) = (rows, c1, s1) else { return };
    let (mut low, mut high) = turned(next.get(), last.get(), (*first_c, *first_s));
    let first = c1.iter().copied().zip(s1.iter().copied());
    let second = c2.iter().copied().zip(s2.iter().copied());
    let mut steps = 0;
    for ((trio, first), second) in rows.windows(3).rev().zip(first).zip(second) {
        let [from, _, to] = trio else { return };
        let (x, y) = turned(from.get(), low, first);
        let (y, z) = turned(y, high, second);
        to.set(z);
        (low, high) = (x, y);
        steps += 1;
    }
    // The rows that are held, and what is left of either sweep.
    let Some(rows) = rows.get(..rows.len() - steps) else { return };
    let [.., next, last] = rows else { return };
    next.set(low);
    last.set(high);
    let (c1, s1) = (c1.get(steps..).unwrap_or_default(), s1.get(steps..).unwrap_or_default());
    let (c2, s2) = (c2.get(steps..).unwrap_or_default(), s2.get(steps..).unwrap_or_default());
    turn_once(rows.get(..rows.len() - 1).unwrap_or_default(), (c1, s1));
    turn_once(rows, (c2, s2));
}

/// The cosine and the sine of a rotation.
type Angle = (f64, f64);

/// Those of some rotations.
type Angles<'a> = (&'a [f64], &'a [f64]);

/// A rotation of some columns of two rows.
#[inline(always)]
fn turned<const N: usize>(low: [f64; N], high: [f64; N], (cosine, sine): Angle) -> ([f64; N], [f64; N]) {
    let (mut x, mut y) = (low, high);
    for (x, y) in x.iter_mut().zip(&mut y) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
    (x, y)
}

/// `(c, s, r)` with `c^2 + s^2 = 1`, `c g + s f = r`, `c f - s g = 0`; the identity for `f = g = 0`.
///
/// Only the ratio of the two is squared: it is at most 1, so nothing overflows, and where it underflows the result
/// is still right.
fn rotation(f: f64, g: f64) -> (f64, f64, f64) {
    if f == 0.0 {
        return (1.0, 0.0, g);
    }
    if f.abs() > g.abs() {
        let ratio = g / f;
        let root = sqrt(ratio * ratio + 1.0);
        (ratio / root, 1.0 / root, f * root)
    } else {
        let ratio = f / g;
        let root = sqrt(ratio * ratio + 1.0);
        (1.0 / root, ratio / root, g * root)
    }
}
