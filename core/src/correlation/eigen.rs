//! Eigen-decomposition of a symmetric matrix, `A = Z diag(lambda) Z^T`: what `G^s` is made of.
//!
//! ```text
//! scale        A <- 2^-q A, largest entry in [1/2, 1)                       exact, or absolute error 2^-1075
//! reduce       T  = Q^T A Q tridiagonal, Q = H_{n-1} ... H_1, H_k = I - v v^T / h   (Householder)
//! accumulate   Q, then transpose: rows lie contiguous from here on
//! iterate      implicit QL with Wilkinson's shift on T; its rotations, some sweeps at once, turn the rows of Q^T
//! finish       lambda <- 2^q lambda, ascending; sign
//! ```
//!
//! Every long loop runs along rows, so that lanes are columns and vector width moves no bit: `A v` is the sum over
//! *rows* `v_i A_i`, not a dot product a row. That reads both triangles, which stay bit-equal because
//! `v_i w_j + w_i v_j` is the same sum of the same two products as `v_j w_i + w_j v_i`.
//!
//! Why not Jacobi: cyclic sweeps are shorter to write and keep the small eigenvalues of some graded matrices to
//! relative accuracy, but they need about four times the work and turn columns as well as rows. The callers need
//! errors that are small beside the largest eigenvalue.

use crate::kernel::{Backend, Plain};
use crate::scalar::sqrt;
use core::cell::Cell;
use core::fmt;
use core::num::NonZeroUsize;

/// QL sweeps allowed per eigenvalue, on average. Two are usual; the classic limit is 30.
const SWEEPS_PER_EIGENVALUE: usize = 30;

/// An off-diagonal entry of this size counts as zero whatever stands beside it (the matrix has entries near 1).
/// Above it products by 2^-53 are still normal numbers, so rounding errors stay relative and QL cannot stagnate.
const NEGLIGIBLE: f64 = f64::MIN_POSITIVE / f64::EPSILON;

/// Why a decomposition could not be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EigenError {
    /// The matrix does not hold `n n` entries, `n` the number of eigenvalues asked for.
    MatrixLength {
        /// `n n` (`usize::MAX` if that overflows).
        expected: usize,
        /// Entries given.
        found: usize,
    },
    /// The workspace is too short; see [`eigen_workspace`].
    WorkspaceLength {
        /// Numbers needed.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// An entry is infinite or NaN.
    NonFinite {
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
    },
    /// The iteration did not settle in the sweeps allowed. Not known to happen.
    NoConvergence {
        /// Eigenvalues that had settled.
        settled: usize,
        /// Eigenvalues in all.
        of: usize,
    },
    /// The entries are finite, but this eigenvalue (in ascending order) is beyond the largest `f64`.
    Overflow {
        /// Its place in ascending order.
        index: usize,
    },
}

impl fmt::Display for EigenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MatrixLength { expected, found } => {
                write!(f, "the matrix needs {expected} entries for its eigenvalues, {found} given")
            }
            Self::WorkspaceLength { expected, found } => {
                write!(f, "the eigen-decomposition needs a workspace of {expected} numbers, {found} given")
            }
            Self::NonFinite { row, column } => {
                write!(f, "entry ({row}, {column}) of the symmetric matrix is not finite")
            }
            Self::NoConvergence { settled, of } => {
                write!(f, "the QL iteration stopped with {settled} of {of} eigenvalues settled")
            }
            Self::Overflow { index } => write!(f, "eigenvalue {index} (ascending) exceeds the range of f64"),
        }
    }
}

impl core::error::Error for EigenError {}

/// Length of the workspace that [`symmetric_eigen`] needs for an `n x n` matrix: `3 n` numbers.
///
/// Saturates where `3 n` overflows; no such matrix fits in memory.
#[must_use]
pub const fn eigen_workspace(n: usize) -> usize {
    n.saturating_mul(3)
}

/// Decomposes a symmetric matrix, `A = sum_i lambda_i z_i z_i^T` with orthonormal `z_i`.
///
/// **Shapes** `matrix`: `n x n`, row-major; `eigenvalues`: `n`, which sets `n`; `workspace`: at least
/// [`eigen_workspace`]`(n)`; 96 n numbers more, or some of them, make large matrices faster. `n = 0` is fine. Only the lower triangle is read, though every entry must be finite. On
/// success `eigenvalues` is ascending and row `i` of `matrix` is the eigenvector of `eigenvalues[i]`.
///
/// **Sign** The entry of largest magnitude of each eigenvector, the first of them on a tie, is positive.
///
/// **Arithmetic** `+ - * /` and the correctly rounded square root on `f64`, never fused, in the fixed order written
/// in this file: the same bits on every target, backend and length of workspace. Scaling `A` by a power of two scales the eigenvalues and leaves the
/// bits of the eigenvectors alone, as long as nothing becomes subnormal.
///
/// **Accuracy** Backward stable: `|A z_i - lambda_i z_i|_2` is at most a modest multiple of `n 2^-52 |A|_F`, and
/// `|Z Z^T - I|` (each entry) of `n 2^-52`; the tests hold both multiples below 2. An eigenvalue far below the largest
/// is known to that absolute error only, and one below 2^-1022 of it may come out as 0.
///
/// **Errors** [`EigenError`]. After `MatrixLength`, `WorkspaceLength` and `NonFinite` nothing has been written; after
/// the others the contents of the buffers have no meaning.
///
/// **Example**
/// ```
/// use agop_core::correlation::eigen::{eigen_workspace, symmetric_eigen};
/// use agop_core::kernel::Definition;
/// let mut matrix = [2.0, 1.0, 1.0, 2.0];
/// let mut eigenvalues = [0.0; 2];
/// let mut workspace = [0.0; eigen_workspace(2)];
/// symmetric_eigen(Definition, &mut matrix, &mut eigenvalues, &mut workspace)?;
/// assert!((eigenvalues[0] - 1.0).abs() < 1e-15 && (eigenvalues[1] - 3.0).abs() < 1e-15);
/// # Ok::<(), agop_core::correlation::eigen::EigenError>(())
/// ```
///
/// **Source** Martin, Reinsch, Wilkinson, *Householder's tridiagonalization of a symmetric matrix*, Numer. Math. 11
/// (1968); Dubrulle, Martin, Wilkinson, *The implicit QL algorithm*, Numer. Math. 12 (1968). Unlike both, scaling is
/// by powers of two and the loops run along rows.
pub fn symmetric_eigen<B: Backend<f64>>(
    backend: B,
    matrix: &mut [f64],
    eigenvalues: &mut [f64],
    workspace: &mut [f64],
) -> Result<(), EigenError> {
    let n = eigenvalues.len();
    let entries = n.saturating_mul(n);
    if matrix.len() != entries {
        return Err(EigenError::MatrixLength { expected: entries, found: matrix.len() });
    }
    let needed = eigen_workspace(n);
    let found = workspace.len();
    let Some((work, spare)) = workspace.split_at_mut_checked(needed) else {
        return Err(EigenError::WorkspaceLength { expected: needed, found });
    };
    let Some(n) = NonZeroUsize::new(n) else { return Ok(()) };
    if let Some(place) = matrix.iter().position(|x| !x.is_finite()) {
        return Err(EigenError::NonFinite { row: place / n, column: place % n });
    }
    let mut parts = work.chunks_exact_mut(n.get());
    let (Some(off_diagonal), Some(heights), Some(scratch)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(EigenError::WorkspaceLength { expected: needed, found });
    };

    mirror(matrix, n); // first, so that the upper triangle has no say in the scale
    let exponent = exponent_of_largest(matrix);
    for x in matrix.iter_mut() {
        *x = times_power_of_two(*x, -exponent);
    }
    backend.vectorize(Tridiagonalise {
        a: matrix,
        n,
        diagonal: eigenvalues,
        off_diagonal,
        heights,
        w: scratch,
    });
    backend.vectorize(Accumulate { a: matrix, n, heights, t: scratch });
    transpose(matrix, n);
    iterate(backend, matrix, n, eigenvalues, off_diagonal, Rotations::new(n, heights, scratch, spare))?;
    sort(matrix, n, eigenvalues);
    for row in matrix.chunks_exact_mut(n.get()) {
        fix_sign(row);
    }
    for (index, value) in eigenvalues.iter_mut().enumerate() {
        *value = times_power_of_two(*value, exponent);
        if !value.is_finite() {
            return Err(EigenError::Overflow { index });
        }
    }
    Ok(())
}

/// `q` with `2^(q-1) <= max |x_i| < 2^q`; 0 if all are zero.
fn exponent_of_largest(values: &[f64]) -> i32 {
    // Magnitudes order like their bit patterns.
    let bits = values.iter().fold(0, |largest: u64, x| largest.max(x.to_bits() & (u64::MAX >> 1)));
    let (field, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
    match (field, fraction) {
        (0, 0) => 0,
        (0, _) => -1010 - fraction.leading_zeros() as i32, // subnormal: fraction * 2^-1074
        _ => field - 1022,
    }
}

/// `x 2^q` for `|q| <= 2000`, in two steps, as one factor may be out of range. Exact unless the result is subnormal
/// (then within 2^-1074) or infinite.
fn times_power_of_two(x: f64, q: i32) -> f64 {
    let half = q / 2;
    x * power_of_two(half) * power_of_two(q - half)
}

/// `2^q` for `-1022 <= q <= 1023`.
fn power_of_two(q: i32) -> f64 {
    f64::from_bits(((1023 + q) as u64) << 52)
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

/// `A <- A^T` in place.
fn transpose(a: &mut [f64], n: NonZeroUsize) {
    for i in 0..n.get() {
        let (above, from_row) = split_rows(a, n, i);
        for (upper, lower) in above.iter_mut().skip(i).step_by(n.get()).zip(from_row) {
            core::mem::swap(upper, lower);
        }
    }
}

/// Rows `0..i` and rows `i..` of an `n`-column matrix; both empty if it is shorter. (Not zero, saturating, checked:
/// so the optimiser sees that nothing here can panic.)
fn split_rows(a: &mut [f64], n: NonZeroUsize, i: usize) -> (&mut [f64], &mut [f64]) {
    a.split_at_mut_checked(n.get().saturating_mul(i)).unwrap_or_default()
}

/// Reduces `A` to tridiagonal form from the last row upwards, so that a matrix graded towards its last corner keeps
/// its small entries.
///
/// Row `k > 0`: the reflector `H_k = I - v v^T / h` maps entries `0..k` of the row onto a multiple of the last of
/// them. `v` stays in the row, `h` in `heights[k]` (0: no reflector); `T` has `diagonal[k]` and
/// `off_diagonal[k - 1]`. With `p = A v / h` and `w = p - (v^T p / 2h) v`, `H A H = A - v w^T - w v^T`.
///
/// The update by one reflector and the product `A v` of the next take one pass over `A`: row `k` is updated first and
/// gives `v`, then the rows above it in ascending order. `diagonal[..k]`, not in use yet, holds the product.
struct Tridiagonalise<'a> {
    a: &'a mut [f64],
    n: NonZeroUsize,
    diagonal: &'a mut [f64],
    off_diagonal: &'a mut [f64],
    heights: &'a mut [f64],
    w: &'a mut [f64],
}

impl Plain for Tridiagonalise<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { a, n, diagonal, off_diagonal, heights, w } = self;
        let mut reflected = false;
        for (k, height) in heights.iter_mut().enumerate().rev() {
            let (block, from_row) = split_rows(a, n, k);
            let Some((row, from_next)) = from_row.split_at_mut_checked(n.get()) else { return };
            let older = if reflected { Some((&*from_next, &*w)) } else { None };
            if let Some((v, w)) = older {
                update(row.get_mut(..=k).unwrap_or_default(), v, w, k);
            }
            let Some((v, [corner, ..])) = row.split_at_mut_checked(k) else { return };
            let Some((sum, [diagonal_k, ..])) = diagonal.split_at_mut_checked(k) else { return };
            *diagonal_k = *corner;
            let (alpha, h) = reflector(v);
            *height = h;
            // None for row 0.
            if let Some(coupling) = off_diagonal.get_mut(k.wrapping_sub(1)) {
                *coupling = alpha;
            }
            sum.fill(0.0);
            for (i, (row, weight)) in block.chunks_exact_mut(n.get()).zip(v.iter()).enumerate() {
                let Some(row) = row.get_mut(..k) else { return };
                match older {
                    Some((v, w)) if h != 0.0 => update_and_add(row, v, w, i, *weight, sum),
                    Some((v, w)) => update(row, v, w, i),
                    None if h != 0.0 => add_weighted(row, *weight, sum),
                    None => break,
                }
            }
            reflected = h != 0.0;
            if !reflected {
                continue;
            }
            let Some(w) = w.get_mut(..k) else { return };
            let mut product = 0.0;
            for ((w_j, sum_j), v_j) in w.iter_mut().zip(sum.iter()).zip(v.iter()) {
                *w_j = *sum_j / h;
                product += *v_j * *w_j;
            }
            let half = product / (h + h);
            for (w_j, v_j) in w.iter_mut().zip(v.iter()) {
                *w_j -= half * *v_j;
            }
        }
    }
}

/// Row i of `A - v w^T - w v^T`.
#[inline(always)]
fn update(row: &mut [f64], v: &[f64], w: &[f64], i: usize) {
    let (Some(v_i), Some(w_i)) = (v.get(i), w.get(i)) else { return };
    for ((a_ij, v_j), w_j) in row.iter_mut().zip(v).zip(w) {
        *a_ij -= *v_i * *w_j + *w_i * *v_j;
    }
}

/// [`update`], then [`add_weighted`].
#[inline(always)]
fn update_and_add(row: &mut [f64], v: &[f64], w: &[f64], i: usize, weight: f64, sum: &mut [f64]) {
    let (Some(v_i), Some(w_i)) = (v.get(i), w.get(i)) else { return };
    for (((a_ij, v_j), w_j), s) in row.iter_mut().zip(v).zip(w).zip(sum) {
        *a_ij -= *v_i * *w_j + *w_i * *v_j;
        *s += weight * *a_ij;
    }
}

/// `sum <- sum + weight row`: with rows in ascending order, a product `A v` whose lanes are columns.
#[inline(always)]
fn add_weighted(row: &[f64], weight: f64, sum: &mut [f64]) {
    for (s, a_j) in sum.iter_mut().zip(row) {
        *s += weight * *a_j;
    }
}

/// Replaces `x` by the `v` of a reflector with `(I - v v^T / h) x = alpha e_last`, and returns `(alpha, h)`; `h = 0`
/// and `x` untouched if all entries before the last are zero.
///
/// `v` is scaled by a power of two so that `h` lies between 1/4 and `2 len`: a column of entries whose squares would
/// underflow still gives an orthogonal reflector.
fn reflector(x: &mut [f64]) -> (f64, f64) {
    let exponent = exponent_of_largest(x);
    let Some((last, before)) = x.split_last_mut() else { return (0.0, 0.0) };
    if before.iter().all(|b| *b == 0.0) {
        return (*last, 0.0);
    }
    let mut square = 0.0;
    for b in before.iter_mut() {
        *b = times_power_of_two(*b, -exponent);
        square += *b * *b;
    }
    *last = times_power_of_two(*last, -exponent);
    square += *last * *last;
    let norm = sqrt(square);
    // The sign that adds magnitudes: no cancellation.
    let alpha = if *last > 0.0 { -norm } else { norm };
    let h = square - *last * alpha;
    *last -= alpha;
    (times_power_of_two(alpha, exponent), h)
}

/// Multiplies the reflectors kept in the rows of `A` into `Q = H_{n-1} ... H_1`, innermost first: before step `k`
/// the leading `k x k` block is the product so far, after it row and column `k` are those of the identity.
///
/// With `t = Q^T v / h`, `Q H = Q - v t^T` on that block; one pass over it takes the update by one reflector and the
/// product of the next. `heights[..k]`, not in use any more, holds that product before step `k`.
struct Accumulate<'a> {
    a: &'a mut [f64],
    n: NonZeroUsize,
    heights: &'a mut [f64],
    t: &'a mut [f64],
}

impl Plain for Accumulate<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { a, n, heights, t } = self;
        for k in 0..n.get() {
            let (block, from_row) = split_rows(a, n, k);
            let Some((row_k, from_next)) = from_row.split_at_mut_checked(n.get()) else { return };
            let Some((v, [corner, ..])) = row_k.split_at_mut_checked(k) else { return };
            let Some((sum, [h, later @ ..])) = heights.split_at_mut_checked(k) else { return };
            let (h, next_h) = (*h, later.first().copied().unwrap_or(0.0));
            let Some(t) = t.get_mut(..k) else { return };
            for (t_j, sum_j) in t.iter_mut().zip(sum.iter_mut()) {
                *t_j = *sum_j / h; // not read if h = 0
                *sum_j = 0.0;
            }
            let next_v = if next_h == 0.0 { None } else { Some(&*from_next) };
            for (i, (row, v_i)) in block.chunks_exact_mut(n.get()).zip(v.iter()).enumerate() {
                let Some((row, [above, ..])) = row.split_at_mut_checked(k) else { return };
                *above = 0.0;
                let weight = next_v.and_then(|v| v.get(i));
                match weight {
                    Some(weight) if h != 0.0 => subtract_and_add(row, *v_i, t, *weight, sum),
                    Some(weight) => add_weighted(row, *weight, sum),
                    None if h != 0.0 => subtract_weighted(row, *v_i, t),
                    None => {}
                }
            }
            v.fill(0.0);
            *corner = 1.0;
            // Row k is that of the identity: its products with 0 do not change a sum that started at +0.
            if let (Some(weight), Some(sum_k)) = (next_v.and_then(|v| v.get(k)), heights.get_mut(k)) {
                *sum_k = 0.0 + *weight;
            }
        }
    }
}

/// `row <- row - factor t`.
#[inline(always)]
fn subtract_weighted(row: &mut [f64], factor: f64, t: &[f64]) {
    for (q_j, t_j) in row.iter_mut().zip(t) {
        *q_j -= factor * *t_j;
    }
}

/// [`subtract_weighted`], then [`add_weighted`].
#[inline(always)]
fn subtract_and_add(row: &mut [f64], factor: f64, t: &[f64], weight: f64, sum: &mut [f64]) {
    for ((q_j, t_j), s) in row.iter_mut().zip(t).zip(sum) {
        *q_j -= factor * *t_j;
        *s += weight * *q_j;
    }
}

/// Columns of a panel: `n = 512` rows of them are 256 KiB.
const COLUMNS: usize = 64;
const WIDTH: NonZeroUsize = NonZeroUsize::MIN.saturating_add(COLUMNS - 1);

/// Columns in one vector, or in some.
const LANES: usize = 8;

/// Sweeps that are kept before the rows are turned.
const SWEEPS: usize = 16;

/// A sweep over the rows `first ..= first + pairs`, its rotations from the last pair of neighbours to the first.
#[derive(Clone, Copy, Default)]
struct Sweep {
    first: usize,
    pairs: usize,
}

/// Rotations that `T` has had and the rows of `Q^T` have not. The columns of `Q^T` know nothing of each other, so all
/// pending sweeps can turn one panel of columns, in cache, before the next.
struct Rotations<'a> {
    cosines: &'a mut [f64],
    sines: &'a mut [f64],
    used: usize,
    sweeps: [Sweep; SWEEPS],
    count: usize,
    /// `n` rows of [`COLUMNS`]; empty: the rows are turned where they lie.
    panel: &'a mut [f64],
}

impl<'a> Rotations<'a> {
    /// Room for one sweep in the two buffers of `n`, or for more and a panel in `spare` if it is long enough.
    fn new(n: NonZeroUsize, one: &'a mut [f64], other: &'a mut [f64], spare: &'a mut [f64]) -> Self {
        let n = n.get();
        let (mut cosines, mut sines, mut panel) = (one, other, <&mut [f64]>::default());
        if let Some((columns, rest)) = spare.split_at_mut_checked(n.saturating_mul(COLUMNS)) {
            let half = (rest.len() / 2).min(n.saturating_mul(SWEEPS));
            if half >= n {
                let (first, rest) = rest.split_at_mut_checked(half).unwrap_or_default();
                let (second, _) = rest.split_at_mut_checked(half).unwrap_or_default();
                (cosines, sines, panel) = (first, second, columns);
            }
        }
        Self { cosines, sines, used: 0, sweeps: [Sweep::default(); SWEEPS], count: 0, panel }
    }

    /// Whether there is room for one more sweep.
    fn fits(&self, sweep: Sweep) -> bool {
        self.count < SWEEPS && sweep.pairs <= self.cosines.len().saturating_sub(self.used)
    }

    /// Enters a sweep that fits: where its cosines and sines are to be written.
    fn slots(&mut self, sweep: Sweep) -> (&mut [f64], &mut [f64]) {
        let begin = self.used;
        if let Some(slot) = self.sweeps.get_mut(self.count) {
            *slot = sweep;
        }
        self.count += 1;
        self.used += sweep.pairs;
        let places = begin..self.used;
        (
            self.cosines.get_mut(places.clone()).unwrap_or_default(),
            self.sines.get_mut(places).unwrap_or_default(),
        )
    }
}

/// Implicit QL: brings `T` to diagonal form from the top, and the rows of `Q^T` to the eigenvectors.
fn iterate<B: Backend<f64>>(
    backend: B,
    rows: &mut [f64],
    n: NonZeroUsize,
    diagonal: &mut [f64],
    off_diagonal: &mut [f64],
    mut rotations: Rotations<'_>,
) -> Result<(), EigenError> {
    let mut budget = SWEEPS_PER_EIGENVALUE.saturating_mul(n.get());
    let mut settled = 0;
    while settled < n.get() {
        // The part that is not settled; its first block ends at the first negligible coupling.
        let d = diagonal.get_mut(settled..).unwrap_or_default();
        let e = off_diagonal.get_mut(settled..).unwrap_or_default();
        let couplings = d.windows(2).zip(e.iter());
        let last = couplings.take_while(|(pair, e)| !is_negligible(**e, pair)).count();
        if last == 0 {
            settled += 1;
            continue;
        }
        if budget == 0 {
            return Err(EigenError::NoConvergence { settled, of: n.get() });
        }
        budget -= 1;
        let (d, e) = (d.get_mut(..=last).unwrap_or_default(), e.get_mut(..=last).unwrap_or_default());
        let next = Sweep { first: settled, pairs: last };
        if !rotations.fits(next) {
            backend.vectorize(Turn { rows, n, rotations: &mut rotations });
        }
        sweep(d, e, rotations.slots(next));
    }
    backend.vectorize(Turn { rows, n, rotations: &mut rotations });
    Ok(())
}

/// Whether dropping the coupling `e` of two diagonal entries moves no eigenvalue by more than their rounding errors.
fn is_negligible(e: f64, neighbours: &[f64]) -> bool {
    let size = neighbours.iter().fold(0.0, |sum, d| sum + d.abs());
    e.abs() <= size * (f64::EPSILON / 2.0) || e.abs() <= NEGLIGIBLE
}

/// One QL sweep over an unreduced block: rotations of neighbours from the last pair to the first, which chase the bulge
/// of the shifted first step upwards. The last off-diagonal slot, outside the block, receives the first bulge and is
/// cleared again.
fn sweep(diagonal: &mut [f64], off_diagonal: &mut [f64], (cosines, sines): (&mut [f64], &mut [f64])) {
    let d = Cell::from_mut(diagonal).as_slice_of_cells();
    let e = Cell::from_mut(off_diagonal).as_slice_of_cells();
    let ([first, second, ..], [coupling, ..]) = (d, e) else { return };
    let (Some(last), Some(outside)) = (d.last(), e.last()) else { return };

    // Wilkinson's shift: the eigenvalue of the first 2 x 2 block that is nearer to its first entry. The coupling is
    // not negligible, so the ratio is below 2^53 and its square finite.
    let ratio = (second.get() - first.get()) / (coupling.get() + coupling.get());
    let root = sqrt(ratio * ratio + 1.0);
    let denominator = if ratio < 0.0 { ratio - root } else { ratio + root };
    let mut g = last.get() - first.get() + coupling.get() / denominator;

    let (mut cosine, mut sine, mut p) = (1.0, 1.0, 0.0);
    let slots = cosines.iter_mut().zip(sines);
    for ((d_pair, e_pair), slot) in d.windows(2).zip(e.windows(2)).rev().zip(slots) {
        let ([d_low, d_high], [e_low, e_high]) = (d_pair, e_pair) else { return };
        let f = sine * e_low.get();
        let b = cosine * e_low.get();
        let r;
        (cosine, sine, r) = rotation(f, g);
        e_high.set(r);
        g = d_high.get() - p;
        let twist = (d_low.get() - g) * sine + (cosine + cosine) * b;
        p = sine * twist;
        d_high.set(g + p);
        g = cosine * twist - b;
        (*slot.0, *slot.1) = (cosine, sine);
    }
    first.set(first.get() - p);
    coupling.set(g);
    outside.set(0.0);
}

/// Turns the rows by all pending rotations.
struct Turn<'a, 'b> {
    rows: &'a mut [f64],
    n: NonZeroUsize,
    rotations: &'a mut Rotations<'b>,
}

impl Plain for Turn<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { rows, n, rotations } = self;
        let sweeps = rotations.sweeps.get(..rotations.count).unwrap_or_default();
        let angles = (&*rotations.cosines, &*rotations.sines);
        if rotations.panel.is_empty() {
            turn_rows(rows, n, sweeps, angles);
        } else {
            let first = sweeps.first().map_or(0, |sweep| sweep.first); // of all: what has settled stays so
            for column in (0..n.get()).step_by(COLUMNS) {
                let width = NonZeroUsize::new(n.get() - column).map_or(n, |left| left.min(WIDTH));
                let pairs = rows.chunks_exact(n.get()).zip(rotations.panel.chunks_exact_mut(width.get()));
                for (row, tile) in pairs.skip(first) {
                    for (to, from) in tile.iter_mut().zip(row.get(column..).unwrap_or_default()) {
                        *to = *from;
                    }
                }
                turn_rows(rotations.panel, width, sweeps, angles);
                let pairs = rows.chunks_exact_mut(n.get()).zip(rotations.panel.chunks_exact(width.get()));
                for (row, tile) in pairs.skip(first) {
                    for (to, from) in row.get_mut(column..).unwrap_or_default().iter_mut().zip(tile) {
                        *to = *from;
                    }
                }
            }
        }
        (rotations.used, rotations.count) = (0, 0);
    }
}

/// Turns rows of `n` columns by the rotations of some sweeps.
#[inline(always)]
fn turn_rows(rows: &mut [f64], n: NonZeroUsize, sweeps: &[Sweep], (cosines, sines): (&[f64], &[f64])) {
    let (mut cosines, mut sines) = (cosines, sines);
    for Sweep { first, pairs } in sweeps {
        let Some((now, later)) = cosines.split_at_checked(*pairs) else { return };
        cosines = later;
        let angles = now.iter().copied().zip(sines.iter().copied());
        sines = sines.get(*pairs..).unwrap_or_default();
        let (_, block) = split_rows(rows, n, *first);
        let (block, _) = split_rows(block, n, pairs.saturating_add(1));
        let mut from_last = block.chunks_exact_mut(n.get()).rev();
        let Some(mut high) = from_last.next() else { return };
        let mut steps = angles.zip(from_last);
        while let Some((angle, low)) = steps.next() {
            let Some((next_angle, lower)) = steps.next() else {
                turn_pair(low, high, angle);
                break;
            };
            turn_three(lower, low, high, angle, next_angle);
            high = lower;
        }
    }
}

/// The cosine and the sine of a rotation.
type Angle = (f64, f64);

/// One rotation of two rows.
#[inline(always)]
fn turn_pair(low: &mut [f64], high: &mut [f64], angle: Angle) {
    for (low, high) in low.iter_mut().zip(high) {
        ([*low], [*high]) = turned([*low], [*high], angle);
    }
}

/// The rotation of the upper two rows, then that of the lower two. All is read before anything is written, so that the
/// compiler need not know that the rows do not overlap.
#[inline(always)]
fn turn_three(low: &mut [f64], middle: &mut [f64], high: &mut [f64], first: Angle, second: Angle) {
    let (low, low_rest) = low.as_chunks_mut::<LANES>();
    let (middle, middle_rest) = middle.as_chunks_mut::<LANES>();
    let (high, high_rest) = high.as_chunks_mut::<LANES>();
    for ((low, middle), high) in low.iter_mut().zip(middle).zip(high) {
        let (x, y) = turned(*middle, *high, first);
        let (w, x) = turned(*low, x, second);
        (*low, *middle, *high) = (w, x, y);
    }
    turn_pair(middle_rest, high_rest, first);
    turn_pair(low_rest, middle_rest, second);
}

/// A rotation of some columns of two rows.
#[inline(always)]
fn turned<const N: usize>(low: [f64; N], high: [f64; N], (cosine, sine): Angle) -> ([f64; N], [f64; N]) {
    let (mut x, mut y) = (low, high);
    for (x, y) in x.iter_mut().zip(&mut y) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
    (x, y)
}

/// `(c, s, r)` with `c^2 + s^2 = 1`, `c g + s f = r`, `c f - s g = 0`; the identity for `f = g = 0`.
///
/// Only the ratio of the two is squared: it is at most 1, so nothing overflows, and where it underflows the result
/// is still right.
fn rotation(f: f64, g: f64) -> (f64, f64, f64) {
    if f == 0.0 {
        return (1.0, 0.0, g);
    }
    if f.abs() > g.abs() {
        let ratio = g / f;
        let root = sqrt(ratio * ratio + 1.0);
        (ratio / root, 1.0 / root, f * root)
    } else {
        let ratio = f / g;
        let root = sqrt(ratio * ratio + 1.0);
        (1.0 / root, ratio / root, g * root)
    }
}

/// Ascending order by selection: at most `n - 1` exchanges of rows, and equal values keep a defined order.
fn sort(rows: &mut [f64], n: NonZeroUsize, eigenvalues: &mut [f64]) {
    let (mut rows, mut values) = (rows, eigenvalues);
    while let Some((first, others)) = values.split_first_mut() {
        let Some((first_row, other_rows)) = rows.split_at_mut_checked(n.get()) else { return };
        let mut candidates = others.iter_mut().zip(other_rows.chunks_exact_mut(n.get()));
        if let Some(mut least) = candidates.next() {
            for candidate in candidates {
                if *candidate.0 < *least.0 {
                    least = candidate;
                }
            }
            if *least.0 < *first {
                core::mem::swap(first, least.0);
                for (x, y) in first_row.iter_mut().zip(least.1) {
                    core::mem::swap(x, y);
                }
            }
        }
        (rows, values) = (other_rows, others);
    }
}

/// Makes the first entry of largest magnitude positive.
fn fix_sign(row: &mut [f64]) {
    let largest = row.iter().fold(0.0, |largest: f64, x| if x.abs() > largest.abs() { *x } else { largest });
    if largest < 0.0 {
        for x in row {
            *x = -*x;
        }
    }
}
