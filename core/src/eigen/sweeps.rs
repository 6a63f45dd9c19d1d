//! The implicit QL algorithm, for parts of the tridiagonal form that are not divided further.

use super::{NEGLIGIBLE, sort};
use crate::error::Error;
use crate::ieee::sqrt;
use crate::kernel::{Backend, SimdLoop};
use crate::matrix::{copy, cut, cut_mut, take};
use core::cell::Cell;
use core::num::NonZeroUsize;

/// The largest average number of QL sweeps for an eigenvalue. Two are usual; 30 is the limit of the published algorithm.
const SWEEPS_PER_EIGENVALUE: usize = 30;

/// Decomposes a tridiagonal matrix of at most LEAF rows. The eigenvalues replace the diagonal, in ascending order; the
/// eigenvectors are rows.
///
/// **Shapes** vectors (at least n n values); diagonal, off-diagonal (n, the last entry is not read).
///
/// **Method** QL with Wilkinson's shift makes T diagonal, from the first row on. The same rotations, applied to the rows of
/// the identity, give the eigenvectors.
///
/// **Source** A. Dubrulle, R. S. Martin, J. H. Wilkinson, *The implicit QL algorithm*, Numer. Math. 12 (1968).
pub(super) fn decompose<const LEAF: usize, B: Backend<f64>>(
    backend: B,
    vectors: &mut [f64],
    diagonal: &mut [f64],
    off_diagonal: &[f64],
) -> Result<(), Error> {
    let Some(n) = NonZeroUsize::new(diagonal.len()) else { return Ok(()) };
    let (vectors, _) = take(vectors, n.get() * n.get());
    vectors.fill(0.0);
    vectors.iter_mut().step_by(n.get() + 1).for_each(|x| *x = 1.0);
    let (mut couplings, mut cosines, mut sines) = ([0.0; LEAF], [0.0; LEAF], [0.0; LEAF]);
    copy(cut_mut(&mut couplings, ..n.get()), cut(off_diagonal, ..n.get()));
    let mut budget = SWEEPS_PER_EIGENVALUE * n.get();
    let mut settled = 0;
    while settled < n.get() {
        // The rows that are not settled yet. Their first block ends at the first negligible coupling.
        let (d, e) = (cut_mut(diagonal, settled..), cut_mut(&mut couplings, settled..));
        let pairs = d.windows(2).zip(e.iter());
        let last = pairs.take_while(|(pair, e)| !is_negligible(**e, pair)).count();
        if last == 0 {
            settled += 1;
            continue;
        }
        if budget == 0 {
            return Err(Error::NoConvergence {
                what: "QL iteration",
                steps: SWEEPS_PER_EIGENVALUE * n.get(),
            });
        }
        budget -= 1;
        let ((d, _), (e, _)) = (take(d, last + 1), take(e, last + 1));
        let ((cosines, _), (sines, _)) = (take(&mut cosines, last), take(&mut sines, last));
        sweep(d, e, (&mut *cosines, &mut *sines));
        let (_, rows) = take(vectors, settled * n.get());
        let (rows, _) = take(rows, (last + 1) * n.get());
        backend.vectorize(Rotate { rows, n, angles: (cosines, sines) });
    }
    sort(vectors, n, diagonal);
    Ok(())
}

/// Whether setting the coupling `e` of two diagonal entries to zero changes no eigenvalue by more than their rounding errors.
fn is_negligible(e: f64, neighbours: &[f64]) -> bool {
    let size = neighbours.iter().fold(0.0, |sum, d| sum + d.abs());
    e.abs() <= size * (f64::EPSILON / 2.0) || e.abs() <= NEGLIGIBLE
}

/// One implicit QL sweep over an unreduced block. It rotates neighbouring rows from the last pair to the first, which chases
/// the bulge of the shifted first step upwards. The last off-diagonal slot is outside the block: it receives the first bulge
/// and is set to zero at the end.
fn sweep(diagonal: &mut [f64], off_diagonal: &mut [f64], (cosines, sines): (&mut [f64], &mut [f64])) {
    let d = Cell::from_mut(diagonal).as_slice_of_cells();
    let e = Cell::from_mut(off_diagonal).as_slice_of_cells();
    let ([first, second, ..], [coupling, ..]) = (d, e) else { return };
    let (Some(last), Some(outside)) = (d.last(), e.last()) else { return };

    // Wilkinson's shift: the eigenvalue of the first 2 x 2 block that is closer to its first entry. The coupling is not
    // negligible, so the ratio is below 2^53 and its square is finite.
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

/// Applies the rotations of a sweep to rows of n columns, from the last pair of neighbours to the first.
struct Rotate<'a> {
    rows: &'a mut [f64],
    n: NonZeroUsize,
    angles: (&'a [f64], &'a [f64]),
}

impl SimdLoop for Rotate<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let (cosines, sines) = self.angles;
        let mut from_last = self.rows.chunks_exact_mut(self.n.get()).rev();
        let Some(mut high) = from_last.next() else { return };
        for (low, (cosine, sine)) in from_last.zip(cosines.iter().zip(sines)) {
            for (x, y) in low.iter_mut().zip(high) {
                (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
            }
            high = low;
        }
    }
}

/// `(c, s, r)` with `c^2 + s^2 = 1`, `c g + s f = r`, `c f - s g = 0`; the identity for `f = g = 0`.
///
/// Only the ratio of the smaller to the larger is squared. It is at most 1, so the square cannot overflow, and if the square
/// underflows the result is still correct.
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
