//! Divide and conquer on the tridiagonal form.
//!
//! ```text
//! T = [ T_1       ] + |e| u u^T,   u = (0 .. 0, 1, sign e, 0 .. 0),   the diagonal entries beside the cut less |e|
//!     [       T_2 ]
//! T_i = Z_i^T D_i Z_i   =>   T = Z^T (D + 2|e| z z^T) Z,   z = Z u / sqrt 2
//! ```
//! with eigenvectors as rows. The vectors of the matrix in brackets, a diagonal and one of rank one, times Z are those of T.

use super::secular::{Roots, STEPS, Vectors, Weights};
use super::{LEAF, NEGLIGIBLE, multiply, sort, sweeps, view};
use crate::error::Error;
use crate::ieee::{largest_magnitude, sqrt};
use crate::kernel::{Backend, Init};
use crate::matrix::{copy, rows, rows_mut, take};
use core::f64::consts::FRAC_1_SQRT_2;
use core::mem::swap;
use core::num::NonZeroUsize;

/// Numbers for each row that a merge needs beside the matrices.
pub(super) const LINES: usize = 12;

/// First row of a part when n rows are divided into `2^level`.
fn first_row(part: usize, level: u32, n: usize) -> usize {
    (part * n) >> level
}

/// The eigenvalues of a tridiagonal matrix, ascending, over its diagonal, and the eigenvectors as rows of the first buffer
/// returned; the others are the two that are left.
///
/// **Shapes** diagonal, off-diagonal (n, the last entry not read); buffers (n x n); lines (`LINES n`).
pub(super) fn decompose<'a, B: Backend<f64>>(
    backend: B,
    diagonal: &mut [f64],
    off_diagonal: &[f64],
    [mut vectors, mut kept, secular]: [&'a mut [f64]; 3],
    lines: &mut [f64],
) -> Result<[&'a mut [f64]; 3], Error> {
    let n = diagonal.len();
    let level = n.div_ceil(LEAF).max(1).next_power_of_two().ilog2();
    for cut in (1..1 << level).map(|part| first_row(part, level, n)) {
        let coupling = off_diagonal.get(cut - 1).copied().unwrap_or_default().abs();
        let beside = diagonal.get_mut(cut - 1..=cut).unwrap_or_default();
        if coupling > NEGLIGIBLE {
            beside.iter_mut().for_each(|d| *d -= coupling);
        }
    }
    for part in 0..1 << level {
        let rows = first_row(part, level, n)..first_row(part + 1, level, n);
        let couplings = off_diagonal.get(rows.clone()).unwrap_or_default();
        let triangle = vectors.get_mut(rows.start * n..).unwrap_or_default();
        sweeps::decompose(backend, triangle, diagonal.get_mut(rows).unwrap_or_default(), couplings)?;
    }
    for level in (0..level).rev() {
        for part in 0..1 << level {
            let [first, cut, end] = [0, 1, 2].map(|half| first_row(2 * part + half, level + 1, n));
            let triangle = first * n..end * n;
            let coupling = off_diagonal.get(cut - 1).copied().unwrap_or_default();
            let buffers = [
                vectors.get_mut(triangle.clone()).unwrap_or_default(),
                kept.get_mut(triangle.clone()).unwrap_or_default(),
                secular.get_mut(triangle).unwrap_or_default(),
            ];
            let values = diagonal.get_mut(first..end).unwrap_or_default();
            merge(backend, values, [cut - first, end - cut], coupling, buffers, lines)?;
        }
        swap(&mut vectors, &mut kept);
    }
    Ok([vectors, kept, secular])
}

/// Merges two parts: the vectors of the whole come to `kept`, as rows without gaps.
///
/// **Shapes** values: those of the first part, then those of the second, ascending each, `split` of them; buffers: n numbers
/// for each value. The first holds the vectors of either part, without gaps, from the part's first row of n numbers on.
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
    let mut line = || lines.next().unwrap_or_default();
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
        aside: List::new(line()),
        rows_aside: List::new(secular),
    };
    let (first, second) = take(vectors, vectors.len() / size * split[0]);
    sorted.deflate(values, [first, second], split, 1.0_f64.copysign(coupling), rho, [held, next]);

    let Sorted { poles, z, halves: [first_half, second_half], aside, rows_aside } = sorted;
    let (poles, z, aside) = (poles.finish().0, z.finish().0, aside.finish().0);
    let (rows_aside, mut secular) = rows_aside.finish();
    sort(rows_aside, size, aside);
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
        let (half_poles, rows) = (half.poles.finish().0, half.rows.finish().0);
        let count = half_poles.len();
        let mut all = poles.iter().zip(&*z);
        for (pole, z) in half_poles.iter().zip(&mut *half_z) {
            *z = all.find(|(other, _)| *other == pole).map_or(0.0, |(_, z)| *z);
        }
        let entries;
        (entries, secular) = take(secular, k * count);
        let z = half_z.get(..count).unwrap_or_default();
        backend.vectorize(Vectors { poles: half_poles, z, origins, offsets, factors, vectors: entries });
        (*new, products) = take(products, k * width);
        let (vectors, rows) = (view(entries, k, count), view(rows, count, width));
        multiply(backend, new, vectors, rows, Init::Zero);
    }

    let [first, second] = new;
    let new = rows(first, split[0]).zip(rows(second, split[1]));
    let new = origins.iter().zip(offsets).map(|(origin, offset)| *origin + *offset).zip(new);
    let aside = aside.iter().copied().zip(rows(rows_aside, size.get()));
    interleave(new, aside, values.iter_mut().zip(rows_mut(kept, size.get())));
    Ok(())
}

/// Writes eigenvalues and vectors, the new ones in halves, in ascending order.
fn interleave<'a>(
    new: impl Iterator<Item = (f64, (&'a [f64], &'a [f64]))>,
    aside: impl Iterator<Item = (f64, &'a [f64])>,
    places: impl Iterator<Item = (&'a mut f64, &'a mut [f64])>,
) {
    let (mut new, mut aside) = (new.peekable(), aside.peekable());
    for (value, row) in places {
        let is_new = match (new.peek(), aside.peek()) {
            (Some((new, _)), Some((aside, _))) => new <= aside,
            (new, _) => new.is_some(),
        };
        if is_new {
            let Some((new, (first, second))) = new.next() else { return };
            let (left, right) = take(row, first.len());
            *value = new;
            copy(left, first);
            copy(right, second);
        } else {
            let Some((aside, entries)) = aside.next() else { return };
            *value = aside;
            copy(row, entries);
        }
    }
}

/// A vector of either part, with zeros for the other, or a rotation of two.
#[derive(Clone, Copy)]
struct Row {
    value: f64,
    /// Its entry of z.
    z: f64,
    /// Which halves may hold other numbers than 0.
    halves: [bool; 2],
}

/// The rows of a merge, sorted out.
struct Sorted<'a, 'k> {
    /// Poles of the secular equation, ascending, and their entries of z.
    poles: List<'a>,
    z: List<'a>,
    halves: [Half<'k>; 2],
    /// Eigenvalues and vectors that stay as they are.
    aside: List<'a>,
    rows_aside: List<'a>,
}

/// Those poles whose rows have entries in this half, and these entries.
struct Half<'a> {
    poles: List<'a>,
    rows: List<'a>,
}

impl Sorted<'_, '_> {
    /// Sorts out the rows of two parts. What the coupling would move by no more than rounding errors is set aside: a row with
    /// hardly an entry in z, and one of two with nearly the same eigenvalue, which are turned so that its entry is 0.
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
        let (first_values, second_values) = values.split_at_checked(split[0]).unwrap_or_default();
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
                let z = entries.last().copied().unwrap_or_default();
                Row { value: *value, z: FRAC_1_SQRT_2 * z, halves: [true, false] }
            } else {
                let Some((value, entries)) = second.next() else { break };
                left.fill(0.0);
                copy(right, entries);
                let z = entries.first().copied().unwrap_or_default();
                Row { value: *value, z: sign * FRAC_1_SQRT_2 * z, halves: [false, true] }
            };
            if rho * row.z.abs() <= tolerance {
                self.set_aside(row.value, next);
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
                    self.set_aside(before.value * c2 + row.value * s2, held);
                    let halves = [before.halves[0] || row.halves[0], before.halves[1] || row.halves[1]];
                    pending = Some(Row { value: before.value * s2 + row.value * c2, z: norm, halves });
                    swap(&mut held, &mut next);
                    continue;
                }
                self.keep(before, held, split[0]);
            }
            pending = Some(row);
            swap(&mut held, &mut next);
        }
        if let Some(row) = pending {
            self.keep(row, held, split[0]);
        }
    }

    fn set_aside(&mut self, value: f64, row: &[f64]) {
        self.aside.extend(&[value]);
        self.rows_aside.extend(row);
    }

    fn keep(&mut self, row: Row, entries: &[f64], split: usize) {
        self.poles.extend(&[row.value]);
        self.z.extend(&[row.z]);
        let (left, right) = entries.split_at_checked(split).unwrap_or_default();
        for ((half, holds), entries) in self.halves.iter_mut().zip(row.halves).zip([left, right]) {
            if holds {
                half.poles.extend(&[row.value]);
                half.rows.extend(entries);
            }
        }
    }
}

/// Numbers that are written one after the other.
struct List<'a> {
    room: &'a mut [f64],
    length: usize,
}

impl<'a> List<'a> {
    fn new(room: &'a mut [f64]) -> Self {
        Self { room, length: 0 }
    }

    fn extend(&mut self, numbers: &[f64]) {
        copy(self.room.get_mut(self.length..).unwrap_or_default(), numbers);
        self.length += numbers.len();
    }

    /// The numbers and the room that is left.
    fn finish(self) -> (&'a mut [f64], &'a mut [f64]) {
        take(self.room, self.length)
    }
}
