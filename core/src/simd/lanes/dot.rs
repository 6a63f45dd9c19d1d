//! The inner product of two matrices in double precision.

use super::pack::Strided;
use super::{Kernel, Lanes, min};
use crate::kernel::TreeSum;
use crate::matrix::MatRef;
use crate::scalar::Real;

/// Vectors of columns that a dot product carries at once, a power of two.
const UNROLL: usize = 4;

/// Lanes of the longest vector of `f64`.
const MOST_LANES: usize = 8;

/// See [`crate::kernel::Backend::dot`]: a lane is a column.
pub(crate) struct Dot<'a, T> {
    pub(crate) a: MatRef<'a, T>,
    pub(crate) b: MatRef<'a, T>,
}

impl<T: Real, S> Kernel<S> for Dot<'_, T>
where
    S: Lanes<T> + Lanes<f64, Vector = <S as Lanes<T>>::Wide>,
{
    type Output = f64;
    #[inline(always)]
    fn run(self, set: S) -> f64 {
        let Self { a, b } = self;
        if a.shape() != b.shape() {
            return 0.0;
        }
        let (rows, columns) = a.shape();
        if rows == 0 {
            return 0.0; // there is no memory that columns could point to
        }
        let mut results = TreeSum::new();
        let width = <S as Lanes<f64>>::WIDTH;
        const { assert!(<S as Lanes<f64>>::WIDTH <= MOST_LANES) };
        // SAFETY: a is borrowed until this function returns.
        let a = unsafe { Strided::new(a) };
        // SAFETY: so is b.
        let b = unsafe { Strided::new(b) };
        let contiguous = a.column == 1 && b.column == 1;
        let mut first = 0;
        while first < columns {
            let left = columns - first;
            let (a, b) = (a.from(0, first), b.from(0, first));
            macro_rules! chains {
                ($vectors:expr) => {
                    // SAFETY: both matrices have `rows` rows and so many contiguous columns from `first` on.
                    unsafe { chains::<T, S, $vectors>(set, a, b, rows, &mut results) }
                };
            }
            first += match left / width {
                UNROLL.. if contiguous => chains!(UNROLL),
                2.. if contiguous => chains!(2),
                1 if contiguous => chains!(1),
                // SAFETY: both matrices have `rows` rows and so many columns from `first` on.
                _ => unsafe { gathered(set, a, b, rows, min(left, width), &mut results) },
            };
        }
        results.finish()
    }
}

/// The chains of V vectors of contiguous columns, a power of two that divides the number of columns before them; returns
/// their number.
///
/// # Safety
/// - a and b have `rows` rows of V vectors, contiguous.
#[inline(always)]
unsafe fn chains<T: Real, S, const V: usize>(
    set: S,
    a: Strided<T>,
    b: Strided<T>,
    rows: usize,
    results: &mut TreeSum<f64>,
) -> usize
where
    S: Lanes<T> + Lanes<f64, Vector = <S as Lanes<T>>::Wide>,
{
    let width = <S as Lanes<f64>>::WIDTH;
    let mut sums = [set.splat(0.0); V];
    for i in 0..rows {
        for (v, sum) in sums.iter_mut().enumerate() {
            // SAFETY: row i of a has V vectors.
            let x = unsafe { set.load_wide(a.at(i, v * width)) };
            // SAFETY: row i of b has V vectors.
            let y = unsafe { set.load_wide(b.at(i, v * width)) };
            *sum = <S as Lanes<T>>::fma_wide(set, x, y, *sum);
        }
    }
    let mut found = [[0.0; MOST_LANES]; UNROLL];
    let at = found.as_mut_ptr().cast::<f64>();
    for (v, sum) in sums.into_iter().enumerate() {
        // SAFETY: V is at most UNROLL, and a vector has at most MOST_LANES lanes.
        unsafe { set.store(at.wrapping_add(v * width), sum) };
    }
    // The subtree over them.
    let found = found.as_flattened_mut();
    let mut left = V * width;
    while left > 1 {
        left /= 2;
        for i in 0..left {
            let pair = (found.get(2 * i), found.get(2 * i + 1));
            if let (Some(x), Some(y)) = pair {
                let sum = x + y;
                found.iter_mut().skip(i).take(1).for_each(|first| *first = sum);
            }
        }
    }
    found.iter().take(1).for_each(|sum| results.push((V * width).ilog2(), *sum));
    V * width
}

/// The chains of at most one vector of columns, anywhere; returns their number.
///
/// # Safety
/// - a and b have `rows` rows of `count` values, at most a vector of `f64`.
#[inline(always)]
unsafe fn gathered<T: Real, S: Lanes<f64>>(
    set: S,
    a: Strided<T>,
    b: Strided<T>,
    rows: usize,
    count: usize,
    results: &mut TreeSum<f64>,
) -> usize {
    let (mut x, mut y) = ([0.0; MOST_LANES], [0.0; MOST_LANES]);
    let mut sum = set.splat(0.0);
    for i in 0..rows {
        let gather = |lanes: &mut [f64; MOST_LANES], from: Strided<T>| {
            if count == 1 {
                // SAFETY: row i of a and of b has a value.
                return set.splat(unsafe { *from.at(i, 0) }.to_f64());
            }
            for (j, lane) in lanes.iter_mut().enumerate().take(count) {
                // SAFETY: row i of a and of b has `count` values.
                *lane = unsafe { *from.at(i, j) }.to_f64();
            }
            // SAFETY: a vector has at most MOST_LANES lanes.
            unsafe { set.load(lanes.as_ptr()) }
        };
        sum = set.fma(gather(&mut x, a), gather(&mut y, b), sum);
    }
    let mut found = [0.0; MOST_LANES];
    // SAFETY: a vector has at most MOST_LANES lanes.
    unsafe { set.store(found.as_mut_ptr(), sum) };
    found.iter().take(count).for_each(|sum| results.push(0, *sum));
    count
}
