//! A control experiment: the cosine of the NFM with the covariance of the layer's inputs.

use super::scaled::Scaled;
use super::{Route, Undefined, cosine};
use crate::error::{Error, check_length, check_workspace};
use crate::ieee::largest_magnitude;
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, split, take};
use crate::scalar::Real;

/// Values of workspace that [`covariance_cosine`] needs for weights (k x d), saturating.
pub const fn covariance_workspace(k: usize, d: usize) -> usize {
    let side = if k < d { k } else { d };
    k.saturating_mul(d).saturating_mul(2).saturating_add(side.saturating_mul(side))
}

/// `rho(W^T W, C)` with the covariance `C = (1/n) sum_a (x_a - mean)(x_a - mean)^T` of the layer's inputs.
///
/// **Shapes** weights (k x d); `moments` (d d + d) as [`crate::network::Network::accumulate_moments`] returns them,
/// replaced by C and the means; workspace at least [`covariance_workspace`].
/// **Arithmetic** `C = S / n - mean mean^T`, in `f64`; `tr(F C) = <W C, W>`, `|F|` by the cheaper route.
/// **Errors** [`Error::Length`], [`Error::NoSamples`], [`Error::Workspace`], [`Error::NotFinite`].
/// **Source** the cosine of [`crate::correlation`] with C in place of G.
pub fn covariance_cosine<T: Real, B: Backend<f64>>(
    backend: B,
    weights: MatRef<'_, T>,
    samples: u64,
    moments: &mut [f64],
    workspace: &mut [f64],
) -> Result<Result<f64, Undefined>, Error> {
    let (k, d) = weights.shape();
    check_length("moments", d.saturating_mul(d).saturating_add(d), moments.len())?;
    check_workspace("workspace", covariance_workspace(k, d), workspace.len())?;
    if samples == 0 {
        return Err(Error::NoSamples);
    }
    let n = samples as f64;
    let (covariance, means) = take(moments, d * d);
    means.iter_mut().for_each(|sum| *sum /= n);
    kernel::mirror(MatMut::new(covariance, d, d)?)?;
    let mut raw = 0.0;
    for (row, mean) in crate::matrix::rows_mut(covariance, d).zip(means.iter()) {
        for (c, other) in row.iter_mut().zip(means.iter()) {
            let second = *c / n;
            raw = if second.abs() > raw { second.abs() } else { raw };
            *c = second - mean * other;
        }
    }
    let ([w, wc], rest) = split(workspace, [k * d, k * d]);
    weights.widen_into(w);
    let w = Scaled::new(backend, "weights", (k, d), w, false)?;
    MatRef::new(covariance, d, d)?.check_finite("covariance")?;
    let largest = largest_magnitude(covariance.iter().copied());
    // A smaller variance cannot be told from the rounding error of the subtraction.
    if largest <= raw * n * f64::EPSILON {
        return Ok(Err(Undefined::ConstantInputs));
    }
    if w.exponent.is_none() {
        return Ok(Err(Undefined::ZeroWeights));
    }
    covariance.iter_mut().for_each(|c| *c /= largest);
    let (w, c) = (w.matrix, MatRef::new(covariance, d, d)?);
    kernel::product(backend, MatMut::new(wc, k, d)?, w, c)?;
    let fg = backend.dot(MatRef::new(wc, k, d)?, w);
    let (x, side) = match Route::cheaper(k, d) {
        Route::Gram => (w.t(), k),
        Route::Direct => (w, d),
    };
    let (gram, _) = take(rest, side * side);
    kernel::outer(backend, MatMut::new(gram, side, side)?, x)?;
    let gram = MatRef::new(gram, side, side)?;
    Ok(Ok(cosine(backend.dot(gram, gram), fg, backend.dot(c, c))))
}
