//! A multiple of one slice added to another.

use super::{Kernel, Lanes, load, min, store};
use crate::scalar::Real;

/// Vectors that are on their way at once.
const UNROLL: usize = 4;

/// `y[i] <- fma(a, x[i], y[i])`.
pub(crate) struct Axpy<'a, T> {
    pub(crate) a: T,
    pub(crate) x: &'a [T],
    pub(crate) y: &'a mut [T],
}

impl<T: Real, S: Lanes<T>> Kernel<S> for Axpy<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        let (a, count) = (set.splat(self.a), min(self.x.len(), self.y.len()));
        let (x, y) = (self.x.as_ptr(), self.y.as_mut_ptr());
        let last = set.mask(0, count % S::WIDTH);
        let mut i = 0;
        while count - i >= UNROLL * S::WIDTH {
            // SAFETY: both slices have `UNROLL` vectors from i on.
            unsafe { part::<T, S, UNROLL, false>(set, a, x.wrapping_add(i), y.wrapping_add(i), last) };
            i += UNROLL * S::WIDTH;
        }
        while count - i >= S::WIDTH {
            // SAFETY: both slices have a vector from i on.
            unsafe { part::<T, S, 1, false>(set, a, x.wrapping_add(i), y.wrapping_add(i), last) };
            i += S::WIDTH;
        }
        if i < count {
            // SAFETY: both slices have less than a vector from i on: `last`.
            unsafe { part::<T, S, 1, true>(set, a, x.wrapping_add(i), y.wrapping_add(i), last) };
        }
    }
}

/// V vectors; with `MASKED`, of the last one only the lanes of `last`.
///
/// # Safety
/// - x is readable and y writable for V vectors; with `MASKED`, for V - 1 and the lanes of `last`.
#[inline(always)]
unsafe fn part<T: Real, S: Lanes<T>, const V: usize, const MASKED: bool>(
    set: S,
    a: S::Vector,
    x: *const T,
    y: *mut T,
    last: S::Mask,
) {
    // SAFETY: the caller promises x.
    let more = unsafe { load::<T, S, V, MASKED>(set, x, last) };
    // SAFETY: the caller promises y.
    let mut sums = unsafe { load::<T, S, V, MASKED>(set, y, last) };
    for (sum, x) in sums.iter_mut().zip(more) {
        *sum = set.fma(a, x, *sum);
    }
    // SAFETY: the caller promises y.
    unsafe { store::<T, S, V, MASKED>(set, y, last, sums) };
}
