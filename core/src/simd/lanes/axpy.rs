//! A multiple of one slice added to another.

use super::{Kernel, Lanes};
use crate::scalar::Real;

/// Longest vector of any set, for stack buffers.
const LONGEST: usize = 16;

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
        const { assert!(S::WIDTH <= LONGEST) };
        let Self { a, x, y } = self;
        let factor = set.splat(a);
        let mut chunks = y.chunks_exact_mut(S::WIDTH);
        let mut sources = x.chunks_exact(S::WIDTH);
        let mut done = 0;
        for (y, x) in chunks.by_ref().zip(sources.by_ref()) {
            // SAFETY: both chunks hold exactly WIDTH values.
            unsafe { set.store(set.fma(factor, set.load(x.as_ptr()), set.load(y.as_ptr())), y.as_mut_ptr()) };
            done += S::WIDTH;
        }
        let (x, y) = (x.get(done..).unwrap_or_default(), y.get_mut(done..).unwrap_or_default());
        let (mut from, mut to) = ([T::default(); LONGEST], [T::default(); LONGEST]);
        from.iter_mut().zip(x).for_each(|(slot, x)| *slot = *x);
        to.iter_mut().zip(y.iter()).for_each(|(slot, y)| *slot = *y);
        // SAFETY: LONGEST is at least WIDTH.
        unsafe {
            set.store(set.fma(factor, set.load(from.as_ptr()), set.load(to.as_ptr())), to.as_mut_ptr());
        };
        y.iter_mut().zip(to).take(x.len()).for_each(|(y, slot)| *y = slot);
    }
}
