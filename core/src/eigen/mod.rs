//! Eigendecomposition of a symmetric matrix, `A = Z^T diag(lambda) Z` with eigenvectors as rows. Powers `G^s` of the AGOP
//! are computed from it.
//!
//! ```text
//! scale        A <- 2^-q A, largest entry in [1/2, 1)                       exact, or absolute error 2^-1075
//! reduce       T = Q^T A Q tridiagonal, Q = H_{n-1} ... H_1, H_k = I - v v^T / h   (Householder)
//! divide       T into parts of at most 32 rows: implicit QL with Wilkinson's shift
//! conquer      two parts and their coupling: the secular equation, and a product with the vectors of the parts
//! reflect      the vectors of T times Q, 32 reflectors at once
//! rescale      lambda <- 2^q lambda; sign of the vectors
//! ```
//!
//! Every long loop runs along rows. Vector lanes are then columns, and the vector width changes no bit: `A v` is the sum
//! over *rows* `v_i A_i`, not a dot product for each row. This reads both triangles. They stay bit-equal, because
//! `v_i w_j + w_i v_j` and `v_j w_i + w_j v_i` add the same two products.
//!
//! Rejected: QL for the whole matrix. Its rotations cost `6 n^3` operations and are bound by memory; divide and conquer
//! costs at most `4/3 n^3` in matrix products, and less if eigenvalues of the parts agree. QL stays as the solver of the
//! parts, and a test holds the two solvers against each other.
//!
//! Rejected: Jacobi. It is shorter, and for some graded matrices it computes small eigenvalues to high relative accuracy,
//! but it needs many times the work. The callers need errors that are small relative to the largest eigenvalue only.

mod divide;
mod eight;
mod reflect;
mod secular;
mod sweeps;
mod tridiagonal;
#[cfg(test)]
mod two_solvers;

use crate::error::{Error, check_length, check_workspace};
use crate::ieee::{exponent_of, scale_by_halves};
use crate::kernel::{Backend, Init, Triangle};
use crate::matrix::{MatMut, MatRef, copy, cut, rows, rows_mut, take};
use core::num::NonZeroUsize;
use tridiagonal::Tridiagonalise;

/// The name of the matrix in errors.
const MATRIX: &str = "matrix of an eigen-decomposition";

/// An off-diagonal entry of T up to this size counts as zero, whatever its diagonal neighbours (the matrix is scaled to
/// entries near 1). Products of a few larger entries, and of their ratios, are normal numbers. Rounding errors then stay
/// relative, QL cannot stagnate, and the secular equation neither overflows nor underflows.
const NEGLIGIBLE: f64 = f64::from_bits((1023 - 300) << 52);

/// The largest number of rows of a part that is not divided further.
const LEAF: usize = 32;

/// Length of the workspace that [`symmetric_eigen`] needs for an `n x n` matrix: `3 n^2 + 66 n + 2048` values, fewer for
/// `n < 32`.
///
/// The result saturates; no matrix of that size fits in memory.
#[must_use]
pub const fn eigen_workspace(n: usize) -> usize {
    let (lines, panels) = (n.saturating_mul(divide::LINES), reflect::workspace(n));
    let rest = if lines > panels { lines } else { panels };
    n.saturating_mul(3).saturating_add(2).saturating_mul(n).saturating_add(rest)
}

/// Decomposes a symmetric matrix, `A = sum_i lambda_i z_i z_i^T` with orthonormal `z_i`.
///
/// **Shapes** `matrix`: `n x n`, row-major; `eigenvalues`: `n`, which sets `n`; `workspace`: at least
/// [`eigen_workspace`]`(n)`. `n = 0` is allowed. Only the lower triangle is used, but every entry must be finite. On
/// success `eigenvalues` is ascending and row `i` of `matrix` is the eigenvector of `eigenvalues[i]`.
///
/// **Sign** The entry of largest magnitude of each eigenvector is positive; on a tie, the first such entry. A vector for
/// which it is not is negated, zeros included.
///
/// **Arithmetic** `+ - * /` and the correctly rounded square root on `f64`, in the fixed order of this module. Only the
/// matrix products are fused ([`crate::kernel::product`]). The bits are the same on every target and backend. Scaling `A`
/// by a power of two scales the eigenvalues and keeps the bits of the eigenvectors, unless a value becomes subnormal.
///
/// **Accuracy** Backward stable: `|A z_i - lambda_i z_i|_2` is at most a modest multiple of `n 2^-52 |A|_F`, and each entry
/// of `|Z Z^T - I|` a modest multiple of `n 2^-52`. The tests hold both multiples below 2. This error is absolute, so small
/// eigenvalues have larger relative errors; an eigenvalue below 2^-300 of the largest may be computed as 0.
///
/// **Errors** [`Error::Length`], [`Error::Workspace`], and [`Error::NotFinite`] for an entry of the matrix; nothing has been
/// written then. [`Error::NotFinite`] for an eigenvalue that overflows (`column` is its index in ascending order), and
/// [`Error::NoConvergence`], of which no case is known; the buffers hold undefined values then.
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
/// method for the symmetric tridiagonal eigenproblem*, Numer. Math. 36 (1981). Scaling by powers of two and loops along
/// rows are this crate's.
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

    mirror(matrix, n); // before scaling, so that the upper triangle does not influence the scale
    let exponent = exponent_of_largest(matrix);
    for x in matrix.iter_mut() {
        *x = scale_by_halves(*x, -exponent);
    }
    let (scratch, _) = take(&mut *rest, n.get());
    let (a, diagonal) = (&mut *matrix, &mut *eigenvalues);
    backend.vectorize(Tridiagonalise { a, n, diagonal, off_diagonal, heights, w: scratch });
    // The reflectors are in the rows of the matrix, left of the diagonal.
    for (k, (row, reflector)) in rows(matrix, n.get()).zip(rows_mut(reflectors, n.get())).enumerate() {
        let (v, zeros) = take(reflector, k);
        copy(v, row);
        zeros.fill(0.0);
    }
    let buffers = [first, second, &mut *matrix];
    let [by_rows, vectors, result] =
        divide::decompose::<LEAF, _>(backend, eigenvalues, off_diagonal, buffers, rest)?;
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

/// The bits of the largest magnitude. Bits of nonnegative numbers have the order of the numbers.
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

/// `b <- a^T`, eight rows of b at a time, for which the cache lines of a are read once.
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

/// The first `rows columns` numbers as a matrix.
fn view(numbers: &[f64], rows: usize, columns: usize) -> MatRef<'_, f64> {
    MatRef::new(cut(numbers, ..rows * columns), rows, columns).unwrap_or(MatRef::column_vector(&[]))
}

/// The first columns of a matrix.
fn first_columns(matrix: MatRef<'_, f64>, count: usize) -> MatRef<'_, f64> {
    matrix.t().row_range(0, count).t()
}

/// Rows `0..i` and rows `i..` of a matrix of n columns.
fn split_rows(a: &mut [f64], n: NonZeroUsize, i: usize) -> (&mut [f64], &mut [f64]) {
    take(a, n.get().saturating_mul(i))
}

/// Selection sort into ascending order. It exchanges at most `n - 1` pairs of rows, and the order of equal values depends on
/// the input alone.
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
