//! Principal angles between the leading eigenvectors of F and of G, and between the left singular vectors of W and the
//! eigenvectors of K.
//!
//! The cosines are the singular values of `C = P^T Q`, P and Q orthonormal bases of r dimensions. In the words of
//! [`super::spectra`], with the r largest eigenvalues only,
//!
//! ```text
//! F, G   Gram    C_ij = f_i^(1/2) u_i Z^T D s_j / g_j^(1/2)      Direct   C_ij = u_i . s_j
//! W, K   Gram    C_ij = u_i . z_j                                Direct   C_ij = W u_i . z_j / f_i^(1/2)
//! ```
//! and the singular values of C are the r largest eigenvalues of `[0 C; C^T 0]`: their error is that of C, where the roots
//! of the eigenvalues of `C^T C` would lose half of the digits of small ones.
//!
//! **Source** Bjorck and Golub, *Numerical methods for computing angles between linear subspaces*, Math. Comp. 27 (1973);
//! Davis and Kahan, *The rotation of eigenvectors by a perturbation III*, SIAM J. Numer. Anal. 7 (1970).

use super::spectra::{LayerSpectrum, leading};
use super::{Route, Undefined};
use crate::eigen::{eigen_workspace, symmetric_eigen};
use crate::error::{Error, check_workspace};
use crate::ieee::sqrt;
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, rows, rows_mut, split};

/// Values of workspace that [`LayerSpectrum::nfm_agop`] and [`LayerSpectrum::weights_ptk`] need for weights of k rows and
/// `rank` cosines, saturating.
pub const fn angles_workspace(k: usize, rank: usize) -> usize {
    let squares = rank.saturating_mul(5).saturating_add(k).saturating_add(2).saturating_mul(rank);
    squares.saturating_add(eigen_workspace(rank.saturating_mul(2)))
}

impl LayerSpectrum<'_> {
    /// Cosines of the principal angles between the leading eigenvectors of F and of G, as many as `cosines` is long.
    ///
    /// Returns by how much a cosine can be off: the sum of `error / (gap - error)` of both matrices, with the gap between
    /// eigenvalue r and the next.
    ///
    /// **Shapes** cosines (r), 1 <= r <= min(k, d), descending on success; workspace at least [`angles_workspace`].
    /// **Accuracy** the error counts those of reading and of K that were stated, and rounding by the a-priori estimates of
    /// [`symmetric_eigen`], which are not proved.
    /// **Errors** [`Error::Parameter`] for another r, [`Error::Workspace`], [`Error::NoConvergence`].
    ///
    /// [`Undefined::NoGap`] where an eigenvalue does not exceed the next by more than both can be off. The angles are all
    /// zero where r = d: either subspace is the whole.
    pub fn nfm_agop<B: Backend<f64>>(
        &self,
        backend: B,
        cosines: &mut [f64],
        workspace: &mut [f64],
    ) -> Result<Result<f64, Undefined>, Error> {
        let (r, k, n) = (cosines.len(), self.weights.rows(), self.f_values.len());
        self.check(r, workspace)?;
        let gaps = || {
            let f = self.defined.and_then(|()| of_gap(self.f_values, r, self.f_error, "F"))?;
            let error = self.g_error.ok_or(Undefined::UncertainFeatures)?;
            Ok(f + of_gap(self.g_values, r, error, "G")?)
        };
        if let Some(found) = self.whole(self.weights.columns(), cosines) {
            return Ok(found);
        }
        let error = match gaps() {
            Ok(error) => error,
            Err(why) => return Ok(Err(why)),
        };
        let ([t, c], rest) = split(workspace, [r * k, r * r]);
        let (u, s) = (leading(self.f_vectors, n, r)?, leading(self.g_vectors, n, r)?);
        match self.route {
            Route::Direct => kernel::product(backend, MatMut::new(c, r, r)?, s, u.t())?,
            Route::Gram => {
                kernel::product(backend, MatMut::new(t, r, k)?, u, MatRef::new(self.ptk.vectors, k, k)?.t())?;
                for row in rows_mut(t, k) {
                    row.iter_mut().zip(self.ptk.values).for_each(|(x, value)| *x *= sqrt(*value));
                }
                kernel::product(backend, MatMut::new(c, r, r)?, s, MatRef::new(t, r, k)?.t())?;
                for (row, g) in rows_mut(c, r).zip(last(self.g_values, r)) {
                    let scaled = row.iter_mut().zip(last(self.f_values, r));
                    scaled.for_each(|(x, f)| *x *= sqrt(*f) / sqrt(*g));
                }
            }
        }
        singular_values(backend, c, cosines, rest)?;
        Ok(Ok(error))
    }

    /// Cosines of the principal angles between the leading left singular vectors of W and the leading eigenvectors of K.
    ///
    /// **Shapes**, **Accuracy**, **Errors** as [`LayerSpectrum::nfm_agop`]; the angles are all zero where r = k.
    pub fn weights_ptk<B: Backend<f64>>(
        &self,
        backend: B,
        cosines: &mut [f64],
        workspace: &mut [f64],
    ) -> Result<Result<f64, Undefined>, Error> {
        let (r, k, n) = (cosines.len(), self.weights.rows(), self.f_values.len());
        self.check(r, workspace)?;
        let gaps = || {
            let w = self.defined.and_then(|()| of_gap(self.f_values, r, self.f_error, "W W^T"))?;
            let given = self.ptk.error.ok_or(Undefined::UncertainFeatures)?;
            let error = self.ptk.norm * (given + 2.0 * k as f64 * f64::EPSILON);
            Ok(w + of_gap(self.ptk.values, r, error, "K")?)
        };
        if let Some(found) = self.whole(k, cosines) {
            return Ok(found);
        }
        let error = match gaps() {
            Ok(error) => error,
            Err(why) => return Ok(Err(why)),
        };
        let ([t, c], rest) = split(workspace, [r * k, r * r]);
        let (u, z) = (leading(self.f_vectors, n, r)?, self.ptk.leading(r)?);
        let left = match self.route {
            Route::Gram => u,
            Route::Direct => {
                kernel::product(backend, MatMut::new(t, r, k)?, u, self.weights.t())?;
                for (row, f) in rows_mut(t, k).zip(last(self.f_values, r)) {
                    row.iter_mut().for_each(|x| *x /= sqrt(*f));
                }
                MatRef::new(t, r, k)?
            }
        };
        kernel::product(backend, MatMut::new(c, r, r)?, z, left.t())?;
        singular_values(backend, c, cosines, rest)?;
        Ok(Ok(error))
    }

    fn check(&self, rank: usize, workspace: &[f64]) -> Result<(), Error> {
        if rank == 0 || rank > self.f_values.len() {
            let found = rank as f64;
            return Err(Error::Parameter { what: "rank", expected: "at least 1, at most k and d", found });
        }
        check_workspace("workspace", angles_workspace(self.weights.rows(), rank), workspace.len())
    }

    /// What there is to say where the subspaces are the whole space, or where nothing is defined.
    fn whole(&self, dimension: usize, cosines: &mut [f64]) -> Option<Result<f64, Undefined>> {
        if let Err(why) = self.defined {
            return Some(Err(why));
        }
        (cosines.len() == dimension).then(|| {
            cosines.fill(1.0);
            Ok(0.0)
        })
    }
}

/// How far the leading r eigenvectors turn when the matrix moves by `error`: at most this sine.
fn of_gap(values: &[f64], r: usize, error: f64, matrix: &'static str) -> Result<f64, Undefined> {
    let ends = values.len().saturating_sub(r);
    let at =
        |index: Option<usize>| index.and_then(|i| values.get(i)).copied().filter(|x| *x > 0.0).unwrap_or(0.0);
    let gap = at(Some(ends)) - at(ends.checked_sub(1));
    if gap > 2.0 * error { Ok(error / (gap - error)) } else { Err(Undefined::NoGap(matrix)) }
}

fn last(values: &[f64], count: usize) -> &[f64] {
    crate::matrix::cut(values, values.len().saturating_sub(count)..)
}

/// The singular values of C (r x r), descending, held within [0, 1]; workspace `4 r^2 + 2 r` and that of a decomposition.
fn singular_values<B: Backend<f64>>(
    backend: B,
    c: &[f64],
    out: &mut [f64],
    workspace: &mut [f64],
) -> Result<(), Error> {
    let r = out.len();
    let ([both, values], rest) = split(workspace, [4 * r * r, 2 * r]);
    both.fill(0.0);
    // The lower triangle alone is read.
    for (to, from) in rows_mut(both, 2 * r).skip(r).zip(rows(c, r)) {
        crate::matrix::copy(to, from);
    }
    symmetric_eigen(backend, both, values, rest)?;
    for (out, value) in out.iter_mut().zip(values.iter().rev()) {
        let value = if *value > 0.0 { *value } else { 0.0 };
        *out = if value < 1.0 { value } else { 1.0 };
    }
    Ok(())
}
