//! Divide and conquer on the tridiagonal form.
//!
//! ```text
//! T = [ T_1       ] + |e| u u^T,   u = (0 .. 0, 1, sign e, 0 .. 0)
//!     [       T_2 ]
//! T_i = Z_i^T D_i Z_i   =>   T = Z^T (D + 2|e| z z^T) Z,   z = Z u / sqrt 2
//! ```
//! The cut is at the coupling e, and T_1 and T_2 have |e| subtracted from the diagonal entry next to the cut. Eigenvectors
//! are rows. The eigenvectors of T are those of `D + 2|e| z z^T`, times Z. The module `secular` finds the latter.

use super::secular::{Roots, STEPS, Vectors, Weights};
use super::{NEGLIGIBLE, multiply, sort, sweeps, view};
use crate::error::Error;
use crate::ieee::{largest_magnitude, sqrt};
use crate::kernel::{Backend, Init};
use crate::matrix::{copy, cut, cut_mut, rows, rows_mut, take};
use core::f64::consts::FRAC_1_SQRT_2;
use core::mem::swap;
use core::num::NonZeroUsize;

/// Values of workspace for each row that a merge needs, in addition to the matrices.
pub(super) const LINES: usize = 12;

/// The first row of part `part`, when n rows are divided into `2^level` parts.
fn first_row(part: usize, level: u32, n: usize) -> usize {
    (part * n) >> level
}

/// Decomposes a tridiagonal matrix whose parts of at most LEAF rows go to QL.
///
/// The eigenvalues replace the diagonal, in ascending order. The first buffer returned holds the eigenvectors as rows; the
/// other two are free again.
///
/// **Shapes** diagonal, off-diagonal (n, the last entry is not read); buffers (n x n); lines (`LINES n`).
pub(super) fn decompose<'a, const LEAF: usize, B: Backend<f64>>(
    backend: B,
    diagonal: &mut [f64],
    off_diagonal: &[f64],
    [mut vectors, mut kept, secular]: [&'a mut [f64]; 3],
    lines: &mut [f64],
) -> Result<[&'a mut [f64]; 3], Error> {
    let n = diagonal.len();
    let level = n.div_ceil(LEAF).max(1).next_power_of_two().ilog2();
    for cut in (1..1 << level).map(|part| first_row(part, level, n)) {
        let coupling = entry(off_diagonal, cut - 1).abs();
        if coupling > NEGLIGIBLE {
            cut_mut(diagonal, cut - 1..=cut).iter_mut().for_each(|d| *d -= coupling);
        }
    }
    for part in 0..1 << level {
        let rows = first_row(part, level, n)..first_row(part + 1, level, n);
        let couplings = cut(off_diagonal, rows.clone());
        let block = cut_mut(vectors, rows.start * n..);
        sweeps::decompose::<LEAF, _>(backend, block, cut_mut(diagonal, rows), couplings)?;
    }
    for level in (0..level).rev() {
        for part in 0..1 << level {
            let [first, middle, end] = [0, 1, 2].map(|half| first_row(2 * part + half, level + 1, n));
            let block = first * n..end * n;
            let coupling = entry(off_diagonal, middle - 1);
            let buffers = [&mut *vectors, &mut *kept, &mut *secular].map(|all| cut_mut(all, block.clone()));
            let values = cut_mut(diagonal, first..end);
            merge(backend, values, [middle - first, end - middle], coupling, buffers, lines)?;
        }
        swap(&mut vectors, &mut kept);
    }
    Ok([vectors, kept, secular])
}

/// An entry that must be there. Where it is not, tests panic and a release takes 0.
fn entry(values: &[f64], index: usize) -> f64 {
    cut(values, index..=index).first().copied().unwrap_or(0.0)
}

/// Merges two parts. The eigenvalues of the whole replace `values`; its eigenvectors are written to `kept`, as contiguous
/// rows.
///
/// **Shapes** values: `split[0]` of the first part, then `split[1]` of the second, each ascending. Buffers: n numbers for
/// each value. The first buffer holds the eigenvectors of each part as contiguous rows, which begin at the first row (of n
/// numbers) of the part.
fn merge<B: Backend<f64>>(
    backend: B,
    values: &mut [f64],
    split: [usize; 2],
    coupling: f64,
    [vectors, kept, secular]: [&mut [f64]; 3],
    lines: &mut [f64],
) -> Result<(), Error> {
    let Some(size) = NonZeroUsize::new(values.len()) else { return Ok(()) };
    let rho = if coupling.abs() > NEGLIGIBLE { 2.0 * coupling.abs() } else { 0.0 };
    let mut lines = rows_mut(lines, size.get());
    let mut line = || {
        let line = lines.next();
        debug_assert!(line.is_some(), "a merge takes at most LINES lines");
        line.unwrap_or_default()
    };
    let (held, next) = (line(), line());
    let (origins, offsets, factors, half_z) = (line(), line(), line(), line());
    let (first_kept, second_kept) = take(kept, size.get() * split[0]);
    let mut sorted = Sorted {
        poles: List::new(line()),
        z: List::new(line()),
        halves: [
            Half { poles: List::new(line()), rows: List::new(first_kept) },
            Half { poles: List::new(line()), rows: List::new(second_kept) },
        ],
        deflated: List::new(line()),
        deflated_rows: List::new(secular),
    };
    let (first, second) = take(vectors, vectors.len() / size * split[0]);
    sorted.deflate(values, [first, second], split, 1.0_f64.copysign(coupling), rho, [held, next]);

    let Sorted { poles, z, halves: [first_half, second_half], deflated, deflated_rows } = sorted;
    let (poles, z, deflated) = (poles.split().0, z.split().0, deflated.split().0);
    let (deflated_rows, mut secular) = deflated_rows.split();
    sort(deflated_rows, size, deflated);
    let k = poles.len();
    let (origins, _) = take(origins, k);
    let (offsets, _) = take(offsets, k);
    let (factors, _) = take(factors, k);
    let found = backend.vectorize(Roots { poles, z, rho, origins, offsets });
    if found < k {
        return Err(Error::NoConvergence { what: "secular equation", steps: STEPS });
    }
    backend.vectorize(Weights { poles, z, origins, offsets, factors });
    let mut products = vectors;
    let mut new = [<&mut [f64]>::default(), <&mut [f64]>::default()];
    for ((half, width), new) in [first_half, second_half].into_iter().zip(split).zip(&mut new) {
        let (half_poles, rows) = (half.poles.split().0, half.rows.split().0);
        let count = half_poles.len();
        let mut all = poles.iter().zip(&*z);
        for (pole, z) in half_poles.iter().zip(&mut *half_z) {
            *z = all.find(|(other, _)| *other == pole).map_or(0.0, |(_, z)| *z);
        }
        let entries;
        (entries, secular) = take(secular, k * count);
        let z = cut(half_z, ..count);
        backend.vectorize(Vectors { poles: half_poles, z, origins, offsets, factors, vectors: entries });
        (*new, products) = take(products, k * width);
        let (vectors, rows) = (view(entries, k, count), view(rows, count, width));
        multiply(backend, new, vectors, rows, Init::Zero);
    }

    let [first, second] = new;
    let new = rows(first, split[0]).zip(rows(second, split[1]));
    let new = origins.iter().zip(offsets).map(|(origin, offset)| *origin + *offset).zip(new);
    let deflated = deflated.iter().copied().zip(rows(deflated_rows, size.get()));
    interleave(new, deflated, values.iter_mut().zip(rows_mut(kept, size.get())));
    Ok(())
}

/// Merges new and deflated eigenpairs, each in ascending order, into the places. A new eigenvector comes in two halves.
fn interleave<'a>(
    new: impl Iterator<Item = (f64, (&'a [f64], &'a [f64]))>,
    deflated: impl Iterator<Item = (f64, &'a [f64])>,
    places: impl Iterator<Item = (&'a mut f64, &'a mut [f64])>,
) {
    let (mut new, mut deflated) = (new.peekable(), deflated.peekable());
    for (value, row) in places {
        let is_new = match (new.peek(), deflated.peek()) {
            (Some((new, _)), Some((deflated, _))) => new <= deflated,
            (new, _) => new.is_some(),
        };
        if is_new {
            let Some((new, (first, second))) = new.next() else { return };
            let (left, right) = take(row, first.len());
            *value = new;
            copy(left, first);
            copy(right, second);
        } else {
            let Some((deflated, entries)) = deflated.next() else { return };
            *value = deflated;
            copy(row, entries);
        }
    }
}

/// An eigenvector of one part, padded with zeros for the other part, or a rotation of two such rows.
#[derive(Clone, Copy)]
struct Row {
    value: f64,
    /// Its entry of z.
    z: f64,
    /// Which halves may hold nonzero entries.
    halves: [bool; 2],
}

/// The eigenpairs of both parts, divided into poles of the secular equation and deflated pairs.
struct Sorted<'a, 'k> {
    /// Poles of the secular equation, ascending, and their entries of z.
    poles: List<'a>,
    z: List<'a>,
    halves: [Half<'k>; 2],
    /// Eigenvalues and eigenvectors of the parts that are those of the whole, up to rounding errors.
    deflated: List<'a>,
    deflated_rows: List<'a>,
}

/// The poles whose rows have entries in this half, and these entries.
struct Half<'a> {
    poles: List<'a>,
    rows: List<'a>,
}

impl Sorted<'_, '_> {
    /// Deflation: finds the eigenpairs that the coupling changes by no more than rounding errors. There are two kinds. A row
    /// whose entry of z is negligible is deflated at once. Two rows with nearly equal eigenvalues are rotated so that one of
    /// them has a zero entry of z; that one is deflated.
    ///
    /// **Source** J. J. M. Cuppen, *A divide and conquer method for the symmetric tridiagonal eigenproblem*, Numer. Math. 36
    /// (1981); J. J. Dongarra, D. C. Sorensen, SIAM J. Sci. Stat. Comput. 8 (1987).
    fn deflate(
        &mut self,
        values: &[f64],
        [first, second]: [&[f64]; 2],
        split: [usize; 2],
        sign: f64,
        rho: f64,
        [mut held, mut next]: [&mut [f64]; 2],
    ) {
        let largest = largest_magnitude(values.iter().copied().chain([rho]));
        let tolerance = 8.0 * f64::EPSILON * largest;
        let (first_values, second_values) = (cut(values, ..split[0]), cut(values, split[0]..));
        let mut first = first_values.iter().zip(rows(first, split[0])).peekable();
        let mut second = second_values.iter().zip(rows(second, split[1])).peekable();
        let mut pending: Option<Row> = None;
        loop {
            let is_first = match (first.peek(), second.peek()) {
                (Some((x, _)), Some((y, _))) => x <= y,
                (first, _) => first.is_some(),
            };
            let (left, right) = take(next, split[0]);
            let row = if is_first {
                let Some((value, entries)) = first.next() else { break };
                copy(left, entries);
                right.fill(0.0);
                let z = entry(entries, split[0] - 1);
                Row { value: *value, z: FRAC_1_SQRT_2 * z, halves: [true, false] }
            } else {
                let Some((value, entries)) = second.next() else { break };
                left.fill(0.0);
                copy(right, entries);
                let z = entry(entries, 0);
                Row { value: *value, z: sign * FRAC_1_SQRT_2 * z, halves: [false, true] }
            };
            if rho * row.z.abs() <= tolerance {
                self.push_deflated(row.value, next);
                continue;
            }
            if let Some(before) = pending {
                let norm = sqrt(before.z * before.z + row.z * row.z);
                let (cosine, sine) = (row.z / norm, before.z / norm);
                if ((row.value - before.value) * cosine * sine).abs() <= tolerance {
                    for (x, y) in held.iter_mut().zip(&mut *next) {
                        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
                    }
                    let (c2, s2) = (cosine * cosine, sine * sine);
                    self.push_deflated(before.value * c2 + row.value * s2, held);
                    let halves = [before.halves[0] || row.halves[0], before.halves[1] || row.halves[1]];
                    pending = Some(Row { value: before.value * s2 + row.value * c2, z: norm, halves });
                    swap(&mut held, &mut next);
                    continue;
                }
                self.push_pole(before, held, split[0]);
            }
            pending = Some(row);
            swap(&mut held, &mut next);
        }
        if let Some(row) = pending {
            self.push_pole(row, held, split[0]);
        }
    }

    fn push_deflated(&mut self, value: f64, row: &[f64]) {
        self.deflated.extend(&[value]);
        self.deflated_rows.extend(row);
    }

    fn push_pole(&mut self, row: Row, entries: &[f64], split: usize) {
        self.poles.extend(&[row.value]);
        self.z.extend(&[row.z]);
        let parts = [cut(entries, ..split), cut(entries, split..)];
        for ((half, holds), entries) in self.halves.iter_mut().zip(row.halves).zip(parts) {
            if holds {
                half.poles.extend(&[row.value]);
                half.rows.extend(entries);
            }
        }
    }
}

/// A growing list of numbers in a buffer of fixed size.
struct List<'a> {
    room: &'a mut [f64],
    length: usize,
}

impl<'a> List<'a> {
    fn new(room: &'a mut [f64]) -> Self {
        Self { room, length: 0 }
    }

    fn extend(&mut self, numbers: &[f64]) {
        copy(cut_mut(self.room, self.length..), numbers);
        self.length += numbers.len();
    }

    /// The numbers, and the unused rest of the buffer.
    fn split(self) -> (&'a mut [f64], &'a mut [f64]) {
        take(self.room, self.length)
    }
}
