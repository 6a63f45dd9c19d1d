//! Matrix kernels: one definition for every scalar, and fast versions with the same bits for floats.
//!
//! A kernel runs on a [`Backend`]: [`Definition`] is the plain loop over any [`Scalar`]; [`crate::simd::Level`] runs the
//! same chains in vector lanes. Every output element is one ascending fma chain. Lanes run over *outputs*, so the vector
//! width changes no bit.
//!
//! The vector levels pack blocks of the factors on the stack:
//!
//! | product | AVX-512 | AVX2 | NEON, simd128 |
//! |---|---|---|---|
//! | at most 64 inner indices | 8 KiB | 4 KiB | 2 KiB |
//! | more inner indices | 48 KiB | 24 KiB | 12 KiB |
//! | large left factor with contiguous columns | 144 KiB | 72 KiB | 120 KiB |
//! | wide product, few or more inner indices | 16 or 256 KiB | none | none |

pub(crate) mod definition;
mod tree_sum;

pub use definition::Definition;
pub(crate) use tree_sum::TreeSum;

use crate::error::{Error, check_length, check_shape};
use crate::matrix::{MatMut, MatRef, all_finite, cut, rows, rows_mut, take};
use crate::scalar::Scalar;

/// Calls a function for all columns, in groups whose running values stay in registers during the loop over the rows.
macro_rules! in_columns {
    ($width:expr, $function:ident($($argument:expr),*)) => {{
        let mut first = 0;
        while first < $width {
            let left = $width - first;
            first += if left >= MANY_COLUMNS {
                $function::<T, MANY_COLUMNS>(first, $($argument),*)
            } else if left >= SOME_COLUMNS {
                $function::<T, SOME_COLUMNS>(first, $($argument),*)
            } else {
                $function::<T, 1>(first, $($argument),*)
            };
        }
    }};
}

/// Columns in a group of [`in_columns`]; one on targets without vector registers.
const MANY_COLUMNS: usize = if cfg!(lanes) { 16 } else { 1 };

/// Columns in a group, when fewer than [`MANY_COLUMNS`] are left.
const SOME_COLUMNS: usize = if MANY_COLUMNS > 1 { 4 } else { 1 };

/// `max(n, 1)`. The compiler sees that the result is not zero, so a division by it needs no zero check.
pub(crate) const fn positive(n: usize) -> usize {
    if n == 0 { 1 } else { n }
}

/// Which elements of a product are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triangle {
    /// All of them.
    Full,
    /// Those on and above the diagonal; the others are unchanged.
    Upper,
}

/// The initial values of the chains of a product.
#[derive(Debug)]
pub enum Init<'a, T> {
    /// `+0`; the old c is not read.
    Zero,
    /// The old c.
    Accumulate,
    /// These values in every row, one for each column; the old c is not read.
    Row(&'a [T]),
}

impl<T> Clone for Init<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Init<'_, T> {}

impl<T> Init<'_, T> {
    /// Whether these initial values have the length for a product of so many columns.
    pub(crate) const fn fits(&self, columns: usize) -> bool {
        match self {
            Self::Row(row) => row.len() == columns,
            Self::Zero | Self::Accumulate => true,
        }
    }
}

/// Whether the shapes of a product, its factors and its initial values agree.
#[inline(always)]
pub(crate) fn agree<T>(
    (rows, columns): (usize, usize),
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    init: Init<'_, T>,
) -> bool {
    (a.rows(), a.columns(), b.columns()) == (rows, b.rows(), columns) && init.fits(columns)
}

/// An implementation of the kernels.
///
/// The functions of this module check shapes before they call a backend. A backend that is called directly with shapes that
/// do not agree leaves a product unchanged, returns zero for a dot product, and stops an axpy at the shorter vector.
pub trait Backend<T: Scalar>: Copy {
    /// `c[i,j] <- fma(a[i,p], b[p,j], c[i,j])` for p ascending, from the initial values [`Init`].
    fn accumulate(
        self,
        c: MatMut<'_, T>,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        triangle: Triangle,
        init: Init<'_, T>,
    );

    /// `y[i] <- fma(a, x[i], y[i])`.
    fn axpy(self, a: T, x: &[T], y: &mut [T]);

    /// `sum_ij a[i,j] b[i,j]` in the accumulation type: one ascending chain for each column, the column results added
    /// by the binary-counter tree over the column index.
    fn dot(self, a: MatRef<'_, T>, b: MatRef<'_, T>) -> T::Wide;

    /// Runs ordinary loops compiled for the backend's instruction set. They must not contain an fma.
    fn vectorize<P: SimdLoop>(self, loops: P) -> P::Output;
}

/// Loops for [`Backend::vectorize`]: a closure that is small enough to be inlined or marked `#[inline(always)]`, or a type whose
/// `run` is. Every function that it calls has to be inlined too.
pub trait SimdLoop {
    /// The result of the loops.
    type Output;
    /// Runs the loops.
    fn run(self) -> Self::Output;
}

// As `FnOnce` a closure would be called through a function of the compiler's that has no mark.
impl<R, F: FnMut() -> R> SimdLoop for F {
    type Output = R;
    #[inline(always)]
    fn run(mut self) -> R {
        self()
    }
}

/// `c += a b`.
///
/// **Shapes** a (m x k), b (k x n), c (m x n); use [`MatRef::t`] for transposes.
/// **Arithmetic** each element of c is the start of its chain: one fma for each inner index, ascending.
/// **Errors** [`Error::Shape`]; c is unchanged.
pub fn accumulate<T: Scalar>(
    backend: impl Backend<T>,
    c: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
) -> Result<(), Error> {
    chains(backend, c, a, b, Init::Accumulate)
}

/// `c = a b`.
///
/// **Shapes** and **Errors** as [`accumulate`].
/// **Arithmetic** as [`accumulate`] from `+0`.
pub fn product<T: Scalar>(
    backend: impl Backend<T>,
    c: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
) -> Result<(), Error> {
    chains(backend, c, a, b, Init::Zero)
}

/// `c = 1 r^T + a b`: an affine map with the row r, such as the biases of a layer, added to every row.
///
/// **Shapes** r (n), the others as [`accumulate`].
/// **Arithmetic** as [`accumulate`], from r in every row.
/// **Errors** [`Error::Shape`], [`Error::Length`]; c is unchanged.
pub fn affine<T: Scalar>(
    backend: impl Backend<T>,
    c: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    r: &[T],
) -> Result<(), Error> {
    check_length("row", b.columns(), r.len())?;
    chains(backend, c, a, b, Init::Row(r))
}

/// [`accumulate`], [`product`] or [`affine`], by the initial values. Precondition: a row has the length of the columns.
pub(crate) fn chains<T: Scalar>(
    backend: impl Backend<T>,
    c: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    init: Init<'_, T>,
) -> Result<(), Error> {
    check_product(c.shape(), a, b)?;
    backend.accumulate(c, a, b, Triangle::Full, init);
    Ok(())
}

#[inline]
fn check_product<T>(shape: (usize, usize), a: MatRef<'_, T>, b: MatRef<'_, T>) -> Result<(), Error> {
    b.check_shape("right factor", (a.columns(), b.columns()))?;
    check_shape("product", (a.rows(), b.columns()), shape)
}

/// `c = a b` for factors whose product is symmetric: computed on and above the diagonal, mirrored below.
///
/// **Shapes** a (k x n), b (n x k), c (k x k).
/// **Arithmetic** as [`product`].
/// **Errors** [`Error::Shape`]; c is unchanged.
pub fn symmetric_product<T: Scalar>(
    backend: impl Backend<T>,
    mut c: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
) -> Result<(), Error> {
    b.check_shape("right factor", (a.columns(), a.rows()))?;
    c.as_ref().check_shape("symmetric product", (a.rows(), a.rows()))?;
    backend.accumulate(c.reborrow(), a, b, Triangle::Upper, Init::Zero);
    mirror(c)
}

/// `c += x^T x = sum_a x_a x_a^T` on and above the diagonal.
///
/// **Shapes** x (n x k), rows in the order in which they are summed; c (k x k). [`mirror`] fills the other triangle.
/// **Arithmetic** as [`accumulate`].
/// **Errors** [`Error::Shape`]; c is unchanged.
pub fn accumulate_outer<T: Scalar>(
    backend: impl Backend<T>,
    c: MatMut<'_, T>,
    x: MatRef<'_, T>,
) -> Result<(), Error> {
    c.as_ref().check_shape("outer product", (x.columns(), x.columns()))?;
    backend.accumulate(c, x.t(), x, Triangle::Upper, Init::Accumulate);
    Ok(())
}

/// `c = x^T x`, both triangles.
///
/// **Shapes** x (n x k), c (k x k).
/// **Arithmetic** as [`symmetric_product`].
/// **Errors** [`Error::Shape`]; c is unchanged.
pub fn outer<T: Scalar>(backend: impl Backend<T>, c: MatMut<'_, T>, x: MatRef<'_, T>) -> Result<(), Error> {
    c.as_ref().check_shape("outer product", (x.columns(), x.columns()))?;
    symmetric_product(backend, c, x.t(), x)
}

/// Copies the upper triangle of a square matrix onto the lower.
///
/// **Errors** [`Error::Shape`] when it is not square; c is unchanged.
pub fn mirror<T: Scalar>(mut c: MatMut<'_, T>) -> Result<(), Error> {
    let n = c.rows();
    c.as_ref().check_shape("symmetric matrix", (n, n))?;
    let data = c.as_mut_slice();
    // A few columns at a time, so that their cache lines are read once for all rows.
    for left in (0..n).step_by(MIRROR_SIDE) {
        for i in left + 1..n {
            let (above, row) = take(data, i * n);
            let upper = cut(above, left * n + i..).iter().step_by(n);
            for (lower, upper) in row.iter_mut().skip(left).take(MIRROR_SIDE).zip(upper) {
                lower.clone_from(upper);
            }
        }
    }
    Ok(())
}

/// Columns that [`mirror`] fills at a time.
const MIRROR_SIDE: usize = 16;

/// `sum_ij a[i,j] b[i,j] = tr(a^T b)`; see [`Backend::dot`] for the order.
///
/// **Errors** [`Error::Shape`].
pub fn dot<T: Scalar>(
    backend: impl Backend<T>,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
) -> Result<T::Wide, Error> {
    b.check_shape("second factor of an inner product", a.shape())?;
    Ok(backend.dot(a, b))
}

/// `y <- y + a x`, one fma for each element.
///
/// **Errors** [`Error::Length`].
pub fn axpy<T: Scalar>(backend: impl Backend<T>, a: T, x: &[T], y: &mut [T]) -> Result<(), Error> {
    check_length("axpy", y.len(), x.len())?;
    backend.axpy(a, x, y);
    Ok(())
}

/// [`MatRef::check_finite`] with the vector instructions of a backend.
pub(crate) fn check_finite<T: Scalar>(
    backend: impl Backend<T>,
    a: MatRef<'_, T>,
    what: &'static str,
) -> Result<(), Error> {
    match a.as_slice() {
        Some(all) if backend.vectorize(|| all_finite(all)) => Ok(()),
        _ => a.check_finite(what),
    }
}

/// `older <- older + newer`, elementwise.
pub(crate) fn add_assign<T: Scalar>(backend: impl Backend<T>, older: &mut [T], newer: &[T]) {
    backend.vectorize(|| {
        for (a, b) in older.iter_mut().zip(newer) {
            *a = a.clone() + b.clone();
        }
    });
}

/// `sum[j] <- sum[j] + x[i, j]` for the rows i of x, ascending.
///
/// **Shapes** sum (k), x (m x k), row-major.
pub(crate) fn add_rows<T: Scalar>(backend: impl Backend<T>, sum: &mut [T], x: &[T]) {
    backend.vectorize(
        #[inline(always)]
        || in_columns!(sum.len(), add_columns(sum, x)),
    );
}

/// [`add_rows`] for N columns from the first one on; returns N.
#[inline(always)]
fn add_columns<T: Scalar, const N: usize>(first: usize, sum: &mut [T], x: &[T]) -> usize {
    // Empty is right for an x without rows.
    let rows = x.get(first..).unwrap_or_default().chunks(positive(sum.len()));
    if let Some(sum) = sum.get_mut(first..).and_then(<[T]>::first_chunk_mut::<N>) {
        let mut total = sum.clone();
        for x in rows.filter_map(<[T]>::first_chunk::<N>) {
            total.iter_mut().zip(x).for_each(|(total, x)| *total = total.clone() + x.clone());
        }
        *sum = total;
    }
    N
}

/// `y <- y o x`, elementwise, with x repeated for each run of `repeat` rows of y.
///
/// **Shapes** y (m repeat x k), x (m x k), both row-major.
pub(crate) fn mask_assign<T: Scalar>(
    backend: impl Backend<T>,
    y: &mut [T],
    x: &[T],
    width: usize,
    repeat: usize,
) {
    let repeat = positive(repeat);
    backend.vectorize(|| {
        // One loop over all elements: it vectorises better than a loop for each row.
        if repeat == 1 && MANY_COLUMNS > 1 {
            return y.iter_mut().zip(x).for_each(|(a, b)| *a = a.clone() * b.clone());
        }
        let mut changed = rows_mut(y, width);
        for mask in rows(x, width) {
            for row in changed.by_ref().take(repeat) {
                for (a, b) in row.iter_mut().zip(mask) {
                    *a = a.clone() * b.clone();
                }
            }
        }
    });
}
