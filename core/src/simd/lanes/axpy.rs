//! A multiple of one slice added to another.

use super::{Kernel, Lanes, least};
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
        let Self { a, x, y } = self;
        let (a, count) = (set.splat(a), least(x.len(), y.len()));
        let (x, y) = (x.as_ptr(), y.as_mut_ptr());
        let mut i = 0;
        // SAFETY: both slices hold `count` values; what is read and written ends at i + UNROLL * WIDTH, i + WIDTH and, under
        // the mask, `count`, none of them beyond `count`.
        unsafe {
            while count - i >= UNROLL * S::WIDTH {
                for v in 0..UNROLL {
                    let (x, y) = (x.add(i + v * S::WIDTH), y.add(i + v * S::WIDTH));
                    set.store(set.fma(a, set.load(x), set.load(y)), y);
                }
                i += UNROLL * S::WIDTH;
            }
            while count - i >= S::WIDTH {
                set.store(set.fma(a, set.load(x.add(i)), set.load(y.add(i))), y.add(i));
                i += S::WIDTH;
            }
            if i < count {
                let mask = set.mask(0, count - i);
                let (x, y) = (x.add(i), y.add(i));
                set.store_some(mask, set.fma(a, set.load_some(mask, x), set.load_some(mask, y)), y);
            }
        }
    }
}
