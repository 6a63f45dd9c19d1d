//! The kernels as plain loops over any scalar: the definition of their results.

use super::{Backend, Init, SimdLoop, TreeSum, Triangle, agree};
use crate::matrix::{MatMut, MatRef};
use crate::scalar::Scalar;

/// The reference backend: plain loops over any scalar. The other backends are tested against it, bit for bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Definition;

impl<T: Scalar> Backend<T> for Definition {
    fn accumulate(
        self,
        mut c: MatMut<'_, T>,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        triangle: Triangle,
        init: Init<'_, T>,
    ) {
        if !agree(c.shape(), a, b, init) {
            return;
        }
        begin(&mut c, triangle, init);
        for (i, row) in c.rows_mut().enumerate() {
            let first = if triangle == Triangle::Upper { i } else { 0 };
            // The inner index is the outer loop. The chains of a row then advance together, so that no fma waits for the
            // one before it in the same chain.
            for (p, x) in a.row(i).enumerate() {
                for (element, y) in row.iter_mut().zip(b.row(p)).skip(first) {
                    *element = T::fma(x, y, element.clone());
                }
            }
        }
    }

    fn axpy(self, a: T, x: &[T], y: &mut [T]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = T::fma(&a, x, y.clone());
        }
    }

    fn dot(self, a: MatRef<'_, T>, b: MatRef<'_, T>) -> T::Wide {
        let mut columns = TreeSum::new();
        // A matrix without rows may have up to `usize::MAX` columns; skip the loop over them.
        if a.shape() != b.shape() || a.rows() == 0 {
            return T::Wide::zero();
        }
        for j in 0..a.columns() {
            let pairs = a.column(j).zip(b.column(j));
            columns.push(0, pairs.fold(T::Wide::zero(), |sum, (x, y)| T::fma_wide(x, y, sum)));
        }
        columns.finish()
    }

    fn vectorize<P: SimdLoop>(self, loops: P) -> P::Output {
        loops.run()
    }
}

/// Writes the initial values of the chains to the elements of the product.
pub(crate) fn begin<T: Scalar>(c: &mut MatMut<'_, T>, triangle: Triangle, init: Init<'_, T>) {
    if let Init::Accumulate = init {
        return;
    }
    for (i, row) in c.rows_mut().enumerate() {
        let first = if triangle == Triangle::Upper { i } else { 0 };
        match init {
            Init::Row(values) => row.iter_mut().zip(values).skip(first).for_each(|(x, v)| x.clone_from(v)),
            _ => row.iter_mut().skip(first).for_each(|element| *element = T::zero()),
        }
    }
}
