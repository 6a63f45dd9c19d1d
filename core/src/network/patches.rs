//! Patches of a map, what is sent back through them, and pooling.

use super::place::{Kind, Place};
use crate::kernel::{Backend, positive};
use crate::matrix::{MatRef, cut, cut_mut};
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
}

/// Entries of the patches that lie inside the map, of one channel and place of the kernel: runs along the rows of windows,
/// the first at `patches` and at `map`.
struct Runs {
    patches: usize,
    map: usize,
    count: usize,
    length: usize,
}

/// Visits the runs of the patches (d x P): channels, then places of the kernel, ascending.
#[inline(always)]
fn each_place(place: &Place, mut visit: impl FnMut(Runs)) {
    let (input, output) = (place.input, place.output);
    let ([r, s], [t0, t1]) = (place.window.size, place.window.stride);
    let ([p0, p1], [e0, e1]) = (place.window.padding, place.window.dilation);
    let mut row = 0;
    for channel in 0..input.channels {
        for a in 0..r {
            let (first, end) = inside(a * e0, t0, p0, input.rows, output.rows);
            for b in 0..s {
                let (left, right) = inside(b * e1, t1, p1, input.columns, output.columns);
                if first < end && left < right {
                    let y = channel * input.rows + (first * t0 + a * e0 - p0);
                    let map = y * input.columns + (left * t1 + b * e1 - p1);
                    let patches = row + first * output.columns + left;
                    visit(Runs { patches, map, count: end - first, length: right - left });
                }
                row += output.positions();
            }
        }
    }
}

/// The windows, from the first to before the last, whose place at `offset` lies in the map.
#[inline(always)]
fn inside(offset: usize, stride: usize, padding: usize, length: usize, windows: usize) -> (usize, usize) {
    let stride = positive(stride);
    let first = padding.saturating_sub(offset).div_ceil(stride);
    let end = (length + padding).saturating_sub(offset).div_ceil(stride);
    (first, if end < windows { end } else { windows })
}

/// The patches U (d x P) of one sample; zero outside of the map.
pub(super) fn gather<T: Scalar>(
    backend: impl Backend<T>,
    place: &Place,
    x: Sample<'_, T>,
    patches: &mut [T],
) {
    if place.window.padding != [0, 0] {
        patches.fill(T::zero());
    }
    let ([t0, t1], columns) = (place.window.stride, place.output.columns);
    backend.vectorize(
        #[inline(always)]
        || {
            each_place(
                place,
                #[inline(always)]
                |runs| {
                    let mut to = cut_mut(patches, runs.patches..);
                    let mut from = cut(x.values, runs.map * x.step..);
                    for _ in 0..runs.count {
                        if t1 * x.step == 1 {
                            copy_run(to, from, runs.length);
                        } else {
                            let run = cut_mut(to, ..runs.length);
                            copy_each(run, from.iter().step_by(positive(t1 * x.step)));
                        }
                        to = to.get_mut(columns..).unwrap_or_default();
                        from = from.get(t0 * place.input.columns * x.step..).unwrap_or_default();
                    }
                },
            );
        },
    );
}

/// Values that are copied and added at once.
const GROUP: usize = 8;

#[inline(always)]
fn copy_each<'x, T: Clone + 'x>(to: &mut [T], from: impl Iterator<Item = &'x T>) {
    to.iter_mut().zip(from).for_each(|(to, x)| to.clone_from(x));
}

/// Copies a run: groups, then the last group once more. A call for each short run would cost more.
#[inline(always)]
fn copy_run<T: Clone>(to: &mut [T], from: &[T], length: usize) {
    if let (GROUP, Some(to), Some(from)) = (length, to.first_chunk_mut::<GROUP>(), from.first_chunk()) {
        to.clone_from(from);
        return;
    }
    let (to, from) = (cut_mut(to, ..length), cut(from, ..length));
    for (to, from) in to.as_chunks_mut::<GROUP>().0.iter_mut().zip(from.as_chunks().0) {
        to.clone_from(from);
    }
    match (to.last_chunk_mut::<GROUP>(), from.last_chunk()) {
        (Some(to), Some(from)) => to.clone_from(from),
        _ => copy_each(to, from.iter()),
    }
}

#[inline(always)]
fn add_each<'x, T: Scalar + 'x>(to: impl Iterator<Item = &'x mut T>, from: &[T]) {
    to.zip(from).for_each(|(to, x)| *to = to.clone() + x.clone());
}

/// Adds a run, in groups.
#[inline(always)]
fn add_run<T: Scalar>(to: &mut [T], from: &[T], length: usize) {
    if let (GROUP, Some(to), Some(from)) =
        (length, to.first_chunk_mut::<GROUP>(), from.first_chunk::<GROUP>())
    {
        return add_each(to.iter_mut(), from);
    }
    let (groups, rest) = cut(from, ..length).as_chunks::<GROUP>();
    let (to_groups, to_rest) = cut_mut(to, ..length).as_chunks_mut::<GROUP>();
    to_groups.iter_mut().zip(groups).for_each(|(to, x)| add_each(to.iter_mut(), x));
    add_each(to_rest.iter_mut(), rest);
}

/// The sum of what the patches (d x P) send back to each entry of the map.
///
/// **Arithmetic** from `+0`, places of the kernel ascending, row by row.
pub(super) fn scatter<T: Scalar>(backend: impl Backend<T>, place: &Place, patches: &[T], map: &mut [T]) {
    map.fill(T::zero());
    let ([t0, t1], columns) = (place.window.stride, place.output.columns);
    backend.vectorize(
        #[inline(always)]
        || {
            each_place(
                place,
                #[inline(always)]
                |runs| {
                    let mut to = cut_mut(map, runs.map..);
                    let mut from = cut(patches, runs.patches..);
                    for _ in 0..runs.count {
                        if t1 == 1 {
                            add_run(to, from, runs.length);
                        } else {
                            add_each(to.iter_mut().step_by(positive(t1)), cut(from, ..runs.length));
                        }
                        to = to.get_mut(t0 * place.input.columns..).unwrap_or_default();
                        from = from.get(columns..).unwrap_or_default();
                    }
                },
            );
        },
    );
}

/// Visits the windows that tile a map, up to a group of neighbours at once: the first output's index, where in the map the
/// first window begins, and how many there are.
#[inline(always)]
fn each_group(place: &Place, mut visit: impl FnMut(usize, usize, usize)) {
    let (input, output, [r, s]) = (place.input, place.output, place.window.size);
    for row in 0..output.channels * output.rows {
        let (channel, i) = (row / positive(output.rows), row % positive(output.rows));
        let start = (channel * input.rows + i * r) * input.columns;
        for j in (0..output.columns).step_by(GROUP) {
            let count = if output.columns - j < GROUP { output.columns - j } else { GROUP };
            visit(row * output.columns + j, start + j * s, count);
        }
    }
}

/// Distances of a window's entries from its first, row by row.
#[inline(always)]
fn entries(place: &Place) -> impl Iterator<Item = usize> + use<> {
    let ([r, s], columns) = (place.window.size, place.input.columns);
    (0..r).flat_map(move |a| (0..s).map(move |b| a * columns + b))
}

/// A group of values, each `step` places after the last; zeros where they end.
#[inline(always)]
fn group<T: Scalar>(values: &[T], step: usize) -> [T; GROUP] {
    let mut group = core::array::from_fn(|_| T::zero());
    if let (2, Some(pairs)) = (step, values.first_chunk::<{ 2 * GROUP }>()) {
        for (slot, [value, _]) in group.iter_mut().zip(pairs.as_chunks().0) {
            slot.clone_from(value);
        }
        return group;
    }
    let mut at = 0;
    for slot in &mut group {
        if let Some(value) = values.get(at) {
            slot.clone_from(value);
        }
        at += step;
    }
    group
}

/// The largest values of neighbouring windows: of each the first of equals, and a value that is not finite before all others.
#[inline(always)]
fn largest<T: Scalar>(place: &Place, x: Sample<'_, T>, start: usize) -> [T; GROUP] {
    let at = |entry| group(cut(x.values, (start + entry) * x.step..), place.window.size[1] * x.step);
    let mut best = at(0);
    for entry in entries(place) {
        for (best, value) in best.iter_mut().zip(at(entry)) {
            let larger = best.is_finite() & (value.exceeds(best) | !value.is_finite());
            *best = if larger { value } else { best.clone() };
        }
    }
    best
}

/// The number of entries of a window; at least one.
#[inline(always)]
fn share(place: &Place) -> NonZeroU64 {
    NonZeroU64::new(place.window.places() as u64).unwrap_or(NonZeroU64::MIN)
}

/// A pooled map.
///
/// **Arithmetic** a mean is the sum of its window from `+0`, row by row, divided once.
pub(super) fn pool<T: Scalar>(backend: impl Backend<T>, place: &Place, x: Sample<'_, T>, out: &mut [T]) {
    backend.vectorize(
        #[inline(always)]
        || {
            each_group(
                place,
                #[inline(always)]
                |index, start, count| {
                    let values = match place.kind {
                        Kind::Mean => {
                            let mut sum = core::array::from_fn(|_| T::zero());
                            for entry in entries(place) {
                                let values = cut(x.values, (start + entry) * x.step..);
                                add_each(sum.iter_mut(), &group(values, place.window.size[1] * x.step));
                            }
                            sum.map(|sum: T| sum.divide_by(share(place)))
                        }
                        _ => largest(place, x, start),
                    };
                    copy_each(cut_mut(out, index..index + count), values.iter());
                },
            );
        },
    );
}

/// For windows with the values x at one entry: delta where that is the largest, and zero elsewhere. No later entry gets it
/// again.
#[inline(always)]
fn send_once<T: Scalar>(x: &[T; GROUP], largest: &[T; GROUP], delta: &mut [T; GROUP]) -> [T; GROUP] {
    let mut sent = x.clone();
    for ((x, largest), delta) in sent.iter_mut().zip(largest).zip(delta) {
        (*x, *delta) =
            if !largest.exceeds(x) { (delta.clone(), T::zero()) } else { (T::zero(), delta.clone()) };
    }
    sent
}

/// Puts what a pooled map sends back in the place of the map x: the value at a window's largest entry, or its share at each.
/// Zero in entries of no window.
pub(super) fn unpool<T: Scalar>(backend: impl Backend<T>, place: &Place, delta: &[T], x: &mut [T]) {
    let [r, s] = place.window.size;
    backend.vectorize(
        #[inline(always)]
        || {
            each_group(
                place,
                #[inline(always)]
                |index, start, count| {
                    let mut delta = group(cut(delta, index..index + count), 1);
                    let best = if place.kind == Kind::Mean {
                        delta = delta.map(|delta| delta.divide_by(share(place)));
                        None
                    } else {
                        Some(largest(place, Sample { values: &*x, step: 1 }, start))
                    };
                    for entry in entries(place) {
                        let values = cut_mut(x, start + entry..);
                        let sent = match &best {
                            Some(best) => send_once(&group(values, s), best, &mut delta),
                            None => delta.clone(),
                        };
                        let mut at = 0;
                        for value in sent.into_iter().take(count) {
                            if let Some(to) = values.get_mut(at) {
                                *to = value;
                            }
                            at += s;
                        }
                    }
                },
            );
        },
    );
    for (y, row) in x.chunks_mut(positive(place.input.columns)).enumerate() {
        let covered =
            if y % positive(place.input.rows) < place.output.rows * r { place.output.columns * s } else { 0 };
        row.iter_mut().skip(covered).for_each(|slot| *slot = T::zero());
    }
}
