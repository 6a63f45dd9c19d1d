//! Eigen-decomposition of a symmetric matrix, `A = Z^T diag(lambda) Z` with eigenvectors as rows: what `G^s` is made of.
//!
//! ```text
//! scale        A <- 2^-q A, largest entry in [1/2, 1)                       exact, or absolute error 2^-1075
//! reduce       T = Q^T A Q tridiagonal, Q = H_{n-1} ... H_1, H_k = I - v v^T / h   (Householder)
//! divide       T into parts of at most 32 rows: implicit QL with Wilkinson's shift
//! conquer      two parts and their coupling: the secular equation, and a product with the vectors of the parts
//! reflect      the vectors of T times Q, 32 reflectors at once
//! finish       lambda <- 2^q lambda; sign
//! ```
//!
//! Every long loop runs along rows, so that lanes are columns and vector width moves no bit: `A v` is the sum over
//! *rows* `v_i A_i`, not a dot product a row. That reads both triangles, which stay bit-equal because
//! `v_i w_j + w_i v_j` is the same sum of the same two products as `v_j w_i + w_j v_i`.
//!
//! Why not QL for the whole: its rotations are six `n^3` operations that wait for memory, where conquering takes at most
//! `4/3 n^3` in products, less where eigenvalues of the parts agree. Why not Jacobi: cyclic sweeps are shorter to write and
//! keep the small eigenvalues of some graded matrices to relative accuracy, but they need many times the work. The callers
//! need errors that are small beside the largest eigenvalue.

mod divide;
mod eight;
mod reflect;
mod secular;
mod sweeps;
mod tridiagonal;

use crate::error::{Error, check_length, check_workspace};
use crate::ieee::{exponent_of, scale_by_halves};
use crate::kernel::{Backend, Init, Triangle};
use crate::matrix::{MatMut, MatRef, copy, rows, rows_mut, take};
use core::num::NonZeroUsize;
use tridiagonal::Tridiagonalise;

/// What errors call the matrix.
const MATRIX: &str = "matrix of an eigen-decomposition";

/// An off-diagonal entry of T up to this size counts as zero whatever stands beside it (the matrix has entries near 1). Above it
/// products of a few entries, and of their ratios, are normal numbers: rounding errors stay relative, QL cannot stagnate, and
/// nothing in the secular equation over- or underflows.
const NEGLIGIBLE: f64 = f64::from_bits((1023 - 300) << 52);

/// Most rows of a part that is not divided.
const LEAF: usize = 32;

/// Length of the workspace that [`symmetric_eigen`] needs for an `n x n` matrix: `3 n^2 + 66 n + 2048` numbers, fewer for n
/// below 32.
///
/// Saturates where that overflows; no such matrix fits in memory.
#[must_use]
pub const fn eigen_workspace(n: usize) -> usize {
    let (lines, panels) = (n.saturating_mul(divide::LINES), reflect::workspace(n));
    let rest = if lines > panels { lines } else { panels };
    n.saturating_mul(3).saturating_add(2).saturating_mul(n).saturating_add(rest)
}

/// Decomposes a symmetric matrix, `A = sum_i lambda_i z_i z_i^T` with orthonormal `z_i`.
///
/// **Shapes** `matrix`: `n x n`, row-major; `eigenvalues`: `n`, which sets `n`; `workspace`: at least
/// [`eigen_workspace`]`(n)`. `n = 0` is fine. Only the lower triangle is read, though every entry must be finite. On
/// success `eigenvalues` is ascending and row `i` of `matrix` is the eigenvector of `eigenvalues[i]`.
///
/// **Sign** The entry of largest magnitude of each eigenvector, the first of them on a tie, is positive; where it was not, all
/// signs were changed, those of zeros too.
///
/// **Arithmetic** `+ - * /` and the correctly rounded square root on `f64` in the fixed order written in this module, fused
/// in the products of matrices alone ([`crate::kernel::product`]): the same bits on every target and backend. Scaling `A` by
/// a power of two scales the eigenvalues and leaves the bits of the eigenvectors alone, as long as nothing becomes subnormal.
///
/// **Accuracy** Backward stable: `|A z_i - lambda_i z_i|_2` is at most a modest multiple of `n 2^-52 |A|_F`, and
/// `|Z Z^T - I|` (each entry) of `n 2^-52`; the tests hold both multiples below 2. An eigenvalue far below the largest
/// is known to that absolute error only, and one below 2^-300 of it may come out as 0.
///
/// **Errors** [`Error::Length`], [`Error::Workspace`], [`Error::NotFinite`] for an entry of the matrix: nothing has been
/// written. [`Error::NoConvergence`], not known to happen, and [`Error::NotFinite`] for an eigenvalue (`column` is its place
/// in ascending order) beyond the largest `f64`: the contents of the buffers have no meaning.
///
/// **Example**
/// ```
/// use agop_core::eigen::{eigen_workspace, symmetric_eigen};
/// use agop_core::kernel::Definition;
/// let mut matrix = [2.0, 1.0, 1.0, 2.0];
/// let mut eigenvalues = [0.0; 2];
/// let mut workspace = [0.0; eigen_workspace(2)];
/// symmetric_eigen(Definition, &mut matrix, &mut eigenvalues, &mut workspace)?;
/// assert!((eigenvalues[0] - 1.0).abs() < 1e-15 && (eigenvalues[1] - 3.0).abs() < 1e-15);
/// # Ok::<(), agop_core::error::Error>(())
/// ```
///
/// **Source** Martin, Reinsch, Wilkinson, *Householder's tridiagonalization of a symmetric matrix*, Numer. Math. 11
/// (1968); Dubrulle, Martin, Wilkinson, *The implicit QL algorithm*, Numer. Math. 12 (1968); Cuppen, *A divide and conquer
/// method for the symmetric tridiagonal eigenproblem*, Numer. Math. 36 (1981). Unlike all, scaling is by powers of two and
/// the loops run along rows.
pub fn symmetric_eigen<B: Backend<f64>>(
    backend: B,
    matrix: &mut [f64],
    eigenvalues: &mut [f64],
    workspace: &mut [f64],
) -> Result<(), Error> {
    let n = eigenvalues.len();
    let entries = n.saturating_mul(n);
    check_length(MATRIX, entries, matrix.len())?;
    check_workspace("workspace of an eigen-decomposition", eigen_workspace(n), workspace.len())?;
    let Some(n) = NonZeroUsize::new(n) else { return Ok(()) };
    if let Some(place) = matrix.iter().position(|x| !x.is_finite()) {
        return Err(Error::NotFinite { what: MATRIX, row: place / n, column: place % n });
    }
    let (reflectors, rest) = take(workspace, entries);
    let (first, rest) = take(rest, entries);
    let (second, rest) = take(rest, entries);
    let (off_diagonal, rest) = take(rest, n.get());
    let (heights, rest) = take(rest, n.get());

    mirror(matrix, n); // first, so that the upper triangle has no say in the scale
    let exponent = exponent_of_largest(matrix);
    for x in matrix.iter_mut() {
        *x = scale_by_halves(*x, -exponent);
    }
    let (scratch, _) = take(&mut *rest, n.get());
    let (a, diagonal) = (&mut *matrix, &mut *eigenvalues);
    backend.vectorize(Tridiagonalise { a, n, diagonal, off_diagonal, heights, w: scratch });
    // The reflectors stand left of the diagonal.
    for (k, (row, reflector)) in rows(matrix, n.get()).zip(rows_mut(reflectors, n.get())).enumerate() {
        let (v, zeros) = take(reflector, k);
        copy(v, row);
        zeros.fill(0.0);
    }
    let buffers = [first, second, &mut *matrix];
    let [by_rows, vectors, result] = divide::decompose(backend, eigenvalues, off_diagonal, buffers, rest)?;
    backend.vectorize(|| transpose(by_rows, n, vectors));
    reflect::reflect(backend, vectors, heights, reflectors, rest);
    backend.vectorize(|| transpose(vectors, n, result));
    backend.vectorize(|| rows_mut(matrix, n.get()).for_each(fix_sign));
    for (index, value) in eigenvalues.iter_mut().enumerate() {
        *value = scale_by_halves(*value, exponent);
        if !value.is_finite() {
            return Err(Error::NotFinite { what: "eigenvalues", row: 0, column: index });
        }
    }
    Ok(())
}

/// `q` with `2^(q-1) <= max |x_i| < 2^q`; 0 if all are zero.
fn exponent_of_largest(values: &[f64]) -> i32 {
    exponent_of(f64::from_bits(largest_magnitude(values))).unwrap_or(0)
}

/// The bits of the largest magnitude: they order as the numbers do.
#[inline(always)]
fn largest_magnitude(values: &[f64]) -> u64 {
    values.iter().fold(0, |largest, x| largest.max(x.abs().to_bits()))
}

/// Copies the lower triangle onto the upper one.
fn mirror(a: &mut [f64], n: NonZeroUsize) {
    for i in 0..n.get() {
        let (above, from_row) = split_rows(a, n, i);
        for (upper, lower) in above.iter_mut().skip(i).step_by(n.get()).zip(from_row) {
            *upper = *lower;
        }
    }
}

/// `b <- a^T`, some columns of b at a time: their rows of a stay in the cache.
#[inline(always)]
fn transpose(a: &[f64], n: NonZeroUsize, b: &mut [f64]) {
    let several = n.saturating_mul(NonZeroUsize::new(8).unwrap_or(n));
    for (first, block) in (0..).step_by(8).zip(b.chunks_mut(several.get())) {
        for (i, row) in (first..).zip(block.chunks_exact_mut(n.get())) {
            for (to, from) in row.iter_mut().zip(a.iter().skip(i).step_by(n.get())) {
                *to = *from;
            }
        }
    }
}

/// `c = a b` or `c += a b`, as [`Backend::accumulate`].
fn multiply<B: Backend<f64>>(
    backend: B,
    c: &mut [f64],
    a: MatRef<'_, f64>,
    b: MatRef<'_, f64>,
    init: Init<'_, f64>,
) {
    if let Ok(c) = MatMut::new(c, a.rows(), b.columns()) {
        backend.accumulate(c, a, b, Triangle::Full, init);
    }
}

/// The first numbers as a matrix.
fn view(numbers: &[f64], rows: usize, columns: usize) -> MatRef<'_, f64> {
    let numbers = numbers.get(..rows * columns).unwrap_or_default();
    MatRef::new(numbers, rows, columns).unwrap_or(MatRef::column_vector(&[]))
}

/// The first columns of a matrix.
fn first_columns(matrix: MatRef<'_, f64>, count: usize) -> MatRef<'_, f64> {
    matrix.t().row_range(0, count).t()
}

/// Rows `0..i` and rows `i..` of an `n`-column matrix; both empty if it is shorter. (Not zero, saturating, checked:
/// so the optimiser sees that nothing here can panic.)
fn split_rows(a: &mut [f64], n: NonZeroUsize, i: usize) -> (&mut [f64], &mut [f64]) {
    a.split_at_mut_checked(n.get().saturating_mul(i)).unwrap_or_default()
}

/// Ascending order by selection: at most `n - 1` exchanges of rows, and equal values keep a defined order.
fn sort(rows: &mut [f64], n: NonZeroUsize, eigenvalues: &mut [f64]) {
    let (mut rows, mut values) = (rows, eigenvalues);
    while let Some((first, others)) = values.split_first_mut() {
        let Some((first_row, other_rows)) = rows.split_at_mut_checked(n.get()) else { return };
        let mut candidates = others.iter_mut().zip(other_rows.chunks_exact_mut(n.get()));
        if let Some(mut min) = candidates.next() {
            for candidate in candidates {
                if *candidate.0 < *min.0 {
                    min = candidate;
                }
            }
            if *min.0 < *first {
                core::mem::swap(first, min.0);
                for (x, y) in first_row.iter_mut().zip(min.1) {
                    core::mem::swap(x, y);
                }
            }
        }
        (rows, values) = (other_rows, others);
    }
}

/// Makes the first entry of largest magnitude positive.
#[inline(always)]
fn fix_sign(row: &mut [f64]) {
    let largest = largest_magnitude(row);
    if row.iter().find(|x| x.abs().to_bits() == largest).is_some_and(|x| x.is_sign_negative()) {
        row.iter_mut().for_each(|x| *x = -*x);
    }
}
