//! Patches of a map, what is sent back through them, and pooling.

use super::place::{Kind, Place};
use crate::kernel::{Backend, positive};
use crate::matrix::{MatRef, copy, cut, cut_mut};
use crate::scalar::Scalar;
use core::num::NonZeroU64;

/// The map of one sample: its values, and the distance from one to the next.
pub(super) struct Sample<'x, T> {
    values: &'x [T],
    step: usize,
}

impl<T> Clone for Sample<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Sample<'_, T> {}

impl<'x, T> Sample<'x, T> {
    /// Row `index` of x.
    pub(super) fn of(x: MatRef<'x, T>, index: usize) -> Self {
        let (values, row_stride, step) = x.parts();
        Self { values: cut(values, index * row_stride..), step: positive(step) }
    }

    /// The values from `start` on, each `by` places after the last.
    fn from(self, start: usize, by: usize) -> impl Iterator<Item = &'x T> {
        cut(self.values, start * self.step..).iter().step_by(positive(by * self.step))
    }
}

/// Visits the patches' entries that lie inside the map, in runs along a row of windows: where the run begins in the patches
/// (d x P) and in the map, and its length. Channels, then places of the kernel, then rows of windows, all ascending; the map's
/// places are a stride apart.
#[inline(always)]
fn each_run(place: &Place, mut visit: impl FnMut(usize, usize, usize)) {
    let (input, output) = (place.input, place.output);
    let ([r, s], [t0, t1]) = (place.window.size, place.window.stride);
    let ([p0, p1], [e0, e1]) = (place.window.padding, place.window.dilation);
    let mut row = 0;
    for channel in 0..input.channels {
        for a in 0..r {
            let (first, end) = inside(a * e0, t0, p0, input.rows, output.rows);
            for b in 0..s {
                let (left, right) = inside(b * e1, t1, p1, input.columns, output.columns);
                for i in first..end {
                    let y = channel * input.rows + (i * t0 + a * e0 - p0);
                    if left < right {
                        let x = left * t1 + b * e1 - p1;
                        visit(row + i * output.columns + left, y * input.columns + x, right - left);
                    }
                }
                row += output.positions();
            }
        }
    }
}

/// The windows, from the first to before the last, whose place at `offset` lies in the map.
fn inside(offset: usize, stride: usize, padding: usize, length: usize, windows: usize) -> (usize, usize) {
    let stride = positive(stride);
    let first = padding.saturating_sub(offset).div_ceil(stride);
    let end = (length + padding).saturating_sub(offset).div_ceil(stride);
    (first, if end < windows { end } else { windows })
}

/// The patches U (d x P) of one sample; zero outside of the map.
pub(super) fn gather<T: Scalar>(place: &Place, x: Sample<'_, T>, patches: &mut [T]) {
    if place.window.padding != [0, 0] {
        patches.fill(T::zero());
    }
    let [_, t1] = place.window.stride;
    each_run(place, |to, from, length| {
        let to = cut_mut(patches, to..to + length);
        if t1 * x.step == 1 {
            copy(to, cut(x.values, from..from + length));
        } else {
            to.iter_mut().zip(x.from(from, t1)).for_each(|(to, x)| to.clone_from(x));
        }
    });
}

/// The sum of what the patches (d x P) send back to each entry of the map.
///
/// **Arithmetic** from `+0`, places of the kernel ascending, row by row.
pub(super) fn scatter<T: Scalar>(backend: impl Backend<T>, place: &Place, patches: &[T], map: &mut [T]) {
    map.fill(T::zero());
    let [_, t1] = place.window.stride;
    backend.vectorize(
        #[inline(always)]
        || {
            each_run(place, |from, to, length| {
                let from = cut(patches, from..from + length);
                if t1 == 1 {
                    let to = cut_mut(map, to..to + length);
                    to.iter_mut().zip(from).for_each(|(to, x)| *to = to.clone() + x.clone());
                } else {
                    let to = cut_mut(map, to..).iter_mut().step_by(positive(t1));
                    to.zip(from).for_each(|(to, x)| *to = to.clone() + x.clone());
                }
            });
        },
    );
}

/// Visits the windows that tile a map: index of the output, and where in the map the window begins.
fn each_window(place: &Place, mut visit: impl FnMut(usize, usize)) {
    let (input, output, [r, s]) = (place.input, place.output, place.window.size);
    let mut index = 0;
    for channel in 0..output.channels {
        for i in 0..output.rows {
            for j in 0..output.columns {
                visit(index, (channel * input.rows + i * r) * input.columns + j * s);
                index += 1;
            }
        }
    }
}

/// Distances of a window's entries from its first, row by row.
fn entries(place: &Place) -> impl Iterator<Item = usize> + use<> {
    let ([r, s], columns) = (place.window.size, place.input.columns);
    (0..r).flat_map(move |a| (0..s).map(move |b| a * columns + b))
}

/// Where the largest value of a window lies: the first of equals, and a value that is not finite before all others.
fn largest<T: Scalar>(place: &Place, x: Sample<'_, T>, start: usize) -> usize {
    let mut best = start;
    for entry in entries(place) {
        let at = |index: usize| x.values.get(index * x.step);
        if let (Some(value), Some(found)) = (at(start + entry), at(best))
            && found.is_finite()
            && (value.exceeds(found) || !value.is_finite())
        {
            best = start + entry;
        }
    }
    best
}

/// The number of entries of a window; at least one.
fn share(place: &Place) -> NonZeroU64 {
    NonZeroU64::new(place.window.places() as u64).unwrap_or(NonZeroU64::MIN)
}

/// A pooled map.
///
/// **Arithmetic** a mean is the sum of its window from `+0`, row by row, divided once.
pub(super) fn pool<T: Scalar>(place: &Place, x: Sample<'_, T>, out: &mut [T]) {
    let share = share(place);
    each_window(place, |index, start| {
        let Some(slot) = out.get_mut(index) else { return };
        *slot = match place.kind {
            Kind::Mean => {
                let values = entries(place).filter_map(|entry| x.values.get((start + entry) * x.step));
                values.fold(T::zero(), |sum, x| sum + x.clone()).divide_by(share)
            }
            _ => x.values.get(largest(place, x, start) * x.step).cloned().unwrap_or_else(T::zero),
        };
    });
}

/// Puts what a pooled map sends back in the place of the map x: the value at a window's largest entry, or its share at each.
/// Zero in entries of no window.
pub(super) fn unpool<T: Scalar>(place: &Place, delta: &[T], x: &mut [T]) {
    let (share, window) = (share(place), place.window);
    each_window(place, |index, start| {
        let value = delta.get(index).cloned().unwrap_or_else(T::zero);
        let best = largest(place, Sample { values: &*x, step: 1 }, start);
        let each = if place.kind == Kind::Mean { value.clone().divide_by(share) } else { T::zero() };
        for entry in entries(place) {
            if let Some(slot) = x.get_mut(start + entry) {
                slot.clone_from(&each);
            }
        }
        if let (Some(slot), Kind::Largest) = (x.get_mut(best), place.kind) {
            *slot = value;
        }
    });
    let ([r, s], input) = (window.size, place.input);
    for (y, row) in x.chunks_mut(positive(input.columns)).enumerate() {
        let covered =
            if y % positive(input.rows) < place.output.rows * r { place.output.columns * s } else { 0 };
        row.iter_mut().skip(covered).for_each(|slot| *slot = T::zero());
    }
}
