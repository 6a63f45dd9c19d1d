//! The inner product of two matrices in double precision.

use super::pack::Strided;
use super::{Kernel, Lanes, least};
use crate::kernel::TreeSum;
use crate::matrix::MatRef;
use crate::scalar::Real;

/// Vectors of columns that a dot product carries at once, a power of two.
const UNROLL: usize = 4;

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
        const { assert!(<S as Lanes<f64>>::WIDTH <= 8) };
        let (a, b) = (Strided::new(a), Strided::new(b));
        let contiguous = a.column == 1 && b.column == 1;
        let mut first = 0;
        while first < columns {
            let left = columns - first;
            // SAFETY: both matrices hold a row, and as many columns from `first` on as are asked for.
            first += unsafe {
                let (a, b) = (a.from(0, first), b.from(0, first));
                match left / width {
                    UNROLL.. if contiguous => chains::<T, S, UNROLL>(set, a, b, rows, &mut results),
                    2.. if contiguous => chains::<T, S, 2>(set, a, b, rows, &mut results),
                    1 if contiguous => chains::<T, S, 1>(set, a, b, rows, &mut results),
                    _ => gathered(set, a, b, rows, least(left, width), &mut results),
                }
            };
        }
        results.finish()
    }
}

/// The chains of V vectors of contiguous columns, a power of two that divides the number of columns before them; returns
/// their number.
///
/// # Safety
/// a and b must hold `rows` rows of V vectors.
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
    let mut found = [0.0; UNROLL * 8];
    // SAFETY: the caller's promise; V is at most UNROLL, and vectors of f64 have at most eight lanes.
    unsafe {
        for i in 0..rows {
            for (v, sum) in sums.iter_mut().enumerate() {
                let (x, y) = (set.load_wide(a.at(i, v * width)), set.load_wide(b.at(i, v * width)));
                *sum = <S as Lanes<T>>::fma_wide(set, x, y, *sum);
            }
        }
        let found = found.as_mut_ptr();
        for (v, sum) in sums.iter().enumerate() {
            set.store(*sum, found.add(v * width));
        }
        // The subtree over them.
        let mut left = V * width;
        while left > 1 {
            left /= 2;
            for i in 0..left {
                *found.add(i) = *found.add(2 * i) + *found.add(2 * i + 1);
            }
        }
        results.push((V * width).ilog2(), *found);
    }
    V * width
}

/// The chains of at most one vector of columns, anywhere; returns their number.
///
/// # Safety
/// a and b must hold `rows` rows of `count` values, at most a vector of `f64`.
#[inline(always)]
unsafe fn gathered<T: Real, S: Lanes<f64>>(
    set: S,
    a: Strided<T>,
    b: Strided<T>,
    rows: usize,
    count: usize,
    results: &mut TreeSum<f64>,
) -> usize {
    let (mut x, mut y, mut found) = ([0.0; 8], [0.0; 8], [0.0; 8]);
    let mut sum = set.splat(0.0);
    // SAFETY: the caller's promise; vectors of f64 have at most eight lanes.
    unsafe {
        for i in 0..rows {
            if count == 1 {
                sum = set.fma(set.splat((*a.at(i, 0)).to_f64()), set.splat((*b.at(i, 0)).to_f64()), sum);
                continue;
            }
            for (j, (x, y)) in x.iter_mut().zip(&mut y).enumerate().take(count) {
                (*x, *y) = ((*a.at(i, j)).to_f64(), (*b.at(i, j)).to_f64());
            }
            sum = set.fma(set.load(x.as_ptr()), set.load(y.as_ptr()), sum);
        }
        set.store(sum, found.as_mut_ptr());
    }
    found.iter().take(count).for_each(|sum| results.push(0, *sum));
    count
}
