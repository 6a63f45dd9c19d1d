//! Matrix products of dual numbers on the vector kernels of their parts.

use crate::dual::Dual;
use crate::kernel::definition::begin;
use crate::kernel::{Backend, Definition, Init, SimdLoop, Triangle, agree};
use crate::matrix::{MatMut, MatRef, cut, cut_mut};
use crate::scalar::Scalar;

/// Computes a matrix product of dual numbers as three products of their parts, on the given backend.
///
/// ```text
/// (C + e C') += (A + e A') (B + e B')   is   C += A B,   C' += A' B,   C' += A B'
/// ```
/// The parts are copied to small square tiles on the stack, so that no workspace is needed.
///
/// **Arithmetic** Values have the bits of [`Definition`]. Derivatives have the same terms in another order: inside a tile,
/// all of `A' B` before `A B'`. The bit contract does not cover them. On exact scalars they are equal.
/// **Source** the product rule; the tiling is derived here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DualBackend<B>(pub B);

/// Rows and columns of a tile of the result.
const SIDE: usize = 16;
/// Inner indices that a tile processes at a time.
const DEPTH: usize = 32;

impl<T: Scalar, B: Backend<T>> Backend<Dual<T>> for DualBackend<B> {
    fn accumulate(
        self,
        mut c: MatMut<'_, Dual<T>>,
        a: MatRef<'_, Dual<T>>,
        b: MatRef<'_, Dual<T>>,
        triangle: Triangle,
        init: Init<'_, Dual<T>>,
    ) {
        let (m, n) = c.shape();
        let inner = a.columns();
        if !agree((m, n), a, b, init) {
            return;
        }
        begin(&mut c, triangle, init);
        let mut tile = Tile::new();
        for i in (0..m).step_by(SIDE) {
            for j in (0..n).step_by(SIDE) {
                if triangle == Triangle::Upper && j + SIDE <= i {
                    continue;
                }
                let place =
                    (i, j, if m - i < SIDE { m - i } else { SIDE }, if n - j < SIDE { n - j } else { SIDE });
                tile.load(c.as_ref(), place);
                for p in (0..inner).step_by(DEPTH) {
                    let depth = if inner - p < DEPTH { inner - p } else { DEPTH };
                    tile.multiply(self.0, a, b, place, (p, depth));
                }
                tile.store(&mut c, place, triangle);
            }
        }
    }

    fn axpy(self, a: Dual<T>, x: &[Dual<T>], y: &mut [Dual<T>]) {
        Definition.axpy(a, x, y);
    }

    fn dot(self, a: MatRef<'_, Dual<T>>, b: MatRef<'_, Dual<T>>) -> Dual<T::Wide> {
        Definition.dot(a, b)
    }

    fn vectorize<P: SimdLoop>(self, loops: P) -> P::Output {
        self.0.vectorize(loops)
    }
}

/// First row and column of a tile, and how many it has.
type Place = (usize, usize, usize, usize);

struct Tile<T> {
    value: [T; SIDE * SIDE],
    derivative: [T; SIDE * SIDE],
    left: [T; SIDE * DEPTH],
    right: [T; DEPTH * SIDE],
}

impl<T: Scalar> Tile<T> {
    fn new() -> Self {
        Self {
            value: core::array::from_fn(|_| T::zero()),
            derivative: core::array::from_fn(|_| T::zero()),
            left: core::array::from_fn(|_| T::zero()),
            right: core::array::from_fn(|_| T::zero()),
        }
    }

    fn load(&mut self, c: MatRef<'_, Dual<T>>, (i, j, m, n): Place) {
        gather(c, (i, j, m, n), &mut self.value, |x| &x.value);
        gather(c, (i, j, m, n), &mut self.derivative, |x| &x.derivative);
    }

    fn store(&self, c: &mut MatMut<'_, Dual<T>>, (i, j, m, n): Place, triangle: Triangle) {
        for (r, row) in c.rows_mut().skip(i).take(m).enumerate() {
            let first = if triangle == Triangle::Upper && i + r > j { i + r - j } else { 0 };
            let parts = self.value.iter().zip(&self.derivative).skip(r * n + first);
            for (slot, (value, derivative)) in
                row.iter_mut().skip(j + first).zip(parts.take(n.saturating_sub(first)))
            {
                *slot = Dual { value: value.clone(), derivative: derivative.clone() };
            }
        }
    }

    /// The three products. Both parts of the right factor use one buffer, one after the other.
    fn multiply<B: Backend<T>>(
        &mut self,
        backend: B,
        a: MatRef<'_, Dual<T>>,
        b: MatRef<'_, Dual<T>>,
        (i, j, m, n): Place,
        (p, depth): (usize, usize),
    ) {
        gather(a, (i, p, m, depth), &mut self.left, |x| &x.value);
        gather(b, (p, j, depth, n), &mut self.right, |x| &x.value);
        add(backend, &mut self.value, &self.left, &self.right, (m, depth, n));
        gather(a, (i, p, m, depth), &mut self.left, |x| &x.derivative);
        add(backend, &mut self.derivative, &self.left, &self.right, (m, depth, n));
        gather(a, (i, p, m, depth), &mut self.left, |x| &x.value);
        gather(b, (p, j, depth, n), &mut self.right, |x| &x.derivative);
        add(backend, &mut self.derivative, &self.left, &self.right, (m, depth, n));
    }
}

/// Copies one part (values or derivatives) of a block of a matrix, row-major.
fn gather<T: Scalar>(
    from: MatRef<'_, Dual<T>>,
    (i, j, m, n): Place,
    to: &mut [T],
    part: impl Fn(&Dual<T>) -> &T,
) {
    let (data, row_stride, column_stride) = from.parts();
    let step = if column_stride == 0 { 1 } else { column_stride };
    for (r, row) in to.chunks_exact_mut(if n == 0 { 1 } else { n }).take(m).enumerate() {
        let start = (i + r) * row_stride + j * column_stride;
        for (slot, x) in row.iter_mut().zip(cut(data, start..).iter().step_by(step)) {
            slot.clone_from(part(x));
        }
    }
}

fn add<T: Scalar, B: Backend<T>>(
    backend: B,
    c: &mut [T],
    a: &[T],
    b: &[T],
    (m, p, n): (usize, usize, usize),
) {
    let views = (
        MatMut::new(cut_mut(c, ..m * n), m, n),
        MatRef::new(cut(a, ..m * p), m, p),
        MatRef::new(cut(b, ..p * n), p, n),
    );
    if let (Ok(c), Ok(a), Ok(b)) = views {
        backend.accumulate(c, a, b, Triangle::Full, Init::Accumulate);
    }
}
