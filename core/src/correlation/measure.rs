//! All measures of one layer.

use super::{
    Correlations, Features, InputError, Powers, Route, Undefined, correlate_named, correlate_workspace,
    scale, times_power_of_two, traces::take,
};
use crate::error::{Error, check_workspace};
use crate::kernel::{self, Backend};
use crate::matrix::MatRef;
use crate::scalar::{Real, sqrt};

/// The measures of one hidden layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerMeasure {
    /// `|W - W_0|_F / |W|_F`.
    pub relative_change: Result<f64, Undefined>,
    /// UC-NFC: `W^T W` with `W^T K W`.
    pub uncentered: Correlations,
    /// C-NFC: `Wbar^T Wbar` with `Wbar^T K Wbar`, `Wbar = W - W_0`.
    pub centered: Correlations,
    /// DC-NFC: `Wbar^T Wbar` with `Wbar^T (K - K_0) Wbar`; no square roots, as `K - K_0` is indefinite.
    pub double_centered: Correlations,
}

/// Values of workspace that [`measure_layer`] needs for weights (k x d), saturating.
pub const fn measure_workspace(k: usize, d: usize) -> usize {
    k.saturating_mul(d).saturating_add(k.saturating_mul(k)).saturating_add(correlate_workspace(
        k,
        d,
        Route::cheaper(k, d),
    ))
}

/// Measures one hidden layer by the cheaper route.
///
/// **Shapes** weights and initial (k x d), features and initial_features (k x k), workspace at least
/// [`measure_workspace`]. Features are the Gram matrices that [`crate::feature::finish`] leaves, rounded to T.
/// **Arithmetic** everything is widened to `f64` first; the differences are rounded once. Of the features only rounding
/// can be negative, so the square roots take eigenvalues below zero, of any size, for zero.
/// **Errors** as [`super::correlate`]; [`Error::NotFinite`] names the matrix, given or a difference.
pub fn measure_layer<T: Real, B: Backend<f64>>(
    backend: B,
    weights: MatRef<'_, T>,
    initial: MatRef<'_, T>,
    features: MatRef<'_, T>,
    initial_features: MatRef<'_, T>,
    powers: Powers,
    workspace: &mut [f64],
) -> Result<LayerMeasure, Error> {
    let (k, d) = weights.shape();
    initial.check_shape("initial weights", (k, d))?;
    features.check_shape("features", (k, k))?;
    initial_features.check_shape("initial features", (k, k))?;
    check_workspace("workspace", measure_workspace(k, d), workspace.len())?;
    let route = Route::cheaper(k, d);
    let (w, rest) = take(workspace, k * d);
    let (f, rest) = take(rest, k * k);
    let exact = InputError::default();
    let rounded = f64::EPSILON / 2.0;
    weights.widen_into(w);
    features.widen_into(f);
    let now = Features { name: "features", matrix: MatRef::new(f, k, k)?, gram: true };
    let w_now = ("weights", MatRef::new(w, k, d)?);
    let uncentered = correlate_named(backend, w_now, now, exact, route, powers, rest)?;
    let whole = norm(backend, MatRef::new(w, k, d)?, rest)?;
    subtract(w, initial);
    let change = norm(backend, MatRef::new(w, k, d)?, rest)?;
    let given = InputError { weights: rounded, ..exact };
    let w = ("weights minus initial weights", MatRef::new(w, k, d)?);
    let centered = correlate_named(backend, w, now, given, route, powers, rest)?;
    subtract(f, initial_features);
    let given = InputError { weights: rounded, features: rounded };
    let name = "features minus initial features";
    let change_of_features = Features { name, matrix: MatRef::new(f, k, k)?, gram: false };
    let mut double_centered =
        correlate_named(backend, w, change_of_features, given, route, Powers::One, rest)?;
    double_centered.cosine_sqrt = double_centered.cosine.and(Err(Undefined::Indefinite));
    double_centered.pearson_sqrt = double_centered.cosine_sqrt;
    let relative_change = match (change, whole) {
        (_, None) => Err(Undefined::ZeroWeights),
        (None, _) => Ok(0.0),
        (Some((change, c)), Some((whole, w))) => Ok(times_power_of_two(change / whole, c - w)),
    };
    Ok(LayerMeasure { relative_change, uncentered, centered, double_centered })
}

/// `|m|_F` as a number and the power of two it is to be multiplied by, so that no size of entries overflows; `None` for
/// zero.
fn norm<B: Backend<f64>>(
    backend: B,
    m: MatRef<'_, f64>,
    scratch: &mut [f64],
) -> Result<Option<(f64, i32)>, Error> {
    let (k, d) = m.shape();
    let (scaled, _) = take(scratch, k * d);
    let Some(exponent) = scale(m, scaled) else { return Ok(None) };
    let scaled = MatRef::new(scaled, k, d)?;
    Ok(Some((sqrt(kernel::dot(backend, scaled, scaled)?), exponent)))
}

fn subtract<T: Real>(from: &mut [f64], m: MatRef<'_, T>) {
    for (slot, x) in from.iter_mut().zip(m.elements()) {
        *slot -= x.to_f64();
    }
}
