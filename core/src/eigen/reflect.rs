//! Application of the Householder reflectors to the eigenvectors.

use super::{first_columns, multiply, view};
use crate::kernel::{Backend, Init};
use crate::matrix::{rows, take};

/// The largest number of reflectors that are applied together.
const PANEL: usize = 32;

/// Values of workspace that [`reflect`] needs for n rows.
pub(super) const fn workspace(n: usize) -> usize {
    let width = if n < PANEL { n } else { PANEL };
    n.saturating_add(width).saturating_mul(2 * width)
}

/// `x <- H_(n-1) ... H_1 x`.
///
/// **Shapes** x, reflectors (n x n; row k is v of `H_k`, 0 from the diagonal on), heights (n); workspace at least
/// [`workspace`].
///
/// **Arithmetic** Up to [`PANEL`] reflectors are applied at once. With their v as rows of V, `H_(b+c-1) ... H_b =
/// I + V^T S V`. S is lower triangular with `S_jj = f_j = -1 / h_j` (0 without a reflector) and
/// `S_ji = (sum_(i<=m<j) (V V^T)_jm S_mi) f_j`, m ascending.
///
/// **Source** R. Schreiber, C. Van Loan, *A storage-efficient WY representation for products of Householder
/// transformations*, SIAM J. Sci. Stat. Comput. 10 (1989).
pub(super) fn reflect<B: Backend<f64>>(
    backend: B,
    x: &mut [f64],
    heights: &[f64],
    reflectors: &[f64],
    workspace: &mut [f64],
) {
    let n = heights.len();
    for first in (1..n).step_by(PANEL) {
        let count = PANEL.min(n - first);
        let width = first + count - 1;
        let v = first_columns(view(reflectors, n, n).row_range(first, count), width);
        let (gram, rest) = take(workspace, count * count);
        let (s, rest) = take(rest, count * count);
        let (products, rest) = take(rest, count * n);
        let (turned, _) = take(rest, count * n);
        multiply(backend, gram, v, v.t(), Init::Zero);
        s.fill(0.0);
        for (j, (gram, h)) in rows(gram, count).zip(heights.iter().skip(first)).enumerate() {
            let (earlier, row) = take(s, j * count);
            let factor = if *h == 0.0 { 0.0 } else { -1.0 / h };
            for (earlier, weight) in rows(earlier, count).zip(gram) {
                for (sum, x) in row.iter_mut().zip(earlier) {
                    *sum += weight * x;
                }
            }
            row.iter_mut().take(j).for_each(|sum| *sum *= factor);
            row.iter_mut().skip(j).take(1).for_each(|corner| *corner = factor);
        }
        let (x, _) = take(x, width * n);
        multiply(backend, products, v, view(x, width, n), Init::Zero);
        multiply(backend, turned, view(s, count, count), view(products, count, n), Init::Zero);
        multiply(backend, x, v.t(), view(turned, count, n), Init::Accumulate);
    }
}
