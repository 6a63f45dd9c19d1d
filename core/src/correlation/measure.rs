//! All measures of one layer.

use super::power::Buffers;
use super::scaled::Scaled;
use super::traces::Squares;
use super::{
    Certified, Correlation, Correlations, InputError, Pair, Powers, Route, Unbounded, Undefined,
    correlate_workspace, times_power_of_two,
};
use crate::error::{Error, check_workspace};
use crate::kernel::Backend;
use crate::matrix::{MatRef, split};
use crate::scalar::Real;

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
    correlate_workspace(k, d, Route::cheaper(k, d))
}

/// Bounds of the errors of the given weights, initial weights and K, relative to their values without rounding.
///
/// [`crate::ptk_error`] bounds the error of K of a network. By default all errors are zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GivenErrors {
    /// Relative error of each weight and initial weight.
    pub weights: f64,
    /// `|dK|_F`; `None` if a slope is uncertain, so that there is no bound.
    pub ptk: Option<f64>,
    /// `|dK_0|_F`, likewise.
    pub initial_ptk: Option<f64>,
}

impl Default for GivenErrors {
    fn default() -> Self {
        Self { weights: 0.0, ptk: Some(0.0), initial_ptk: Some(0.0) }
    }
}

/// Measures one hidden layer by the cheaper route.
///
/// **Shapes** weights and initial (k x d), ptk and initial_ptk (k x k), workspace at least
/// [`measure_workspace`]. K is the Gram matrix of [`crate::feature::finish_ptk`], rounded to T.
/// **Arithmetic** everything is widened to `f64` first; the differences are rounded once. K is a Gram matrix, so a negative
/// computed eigenvalue can only be rounding error; it counts as zero.
/// **Accuracy** the bounds cover `given` and the rounding of the differences.
/// **Errors** as [`super::correlate`]; [`Error::NotFinite`] names the matrix, given or a difference.
/// **Source** the definitions of [`crate::correlation`].
#[allow(
    clippy::too_many_arguments,
    reason = "two networks, two sets of features, what is known of them, how, where"
)]
pub fn measure_layer<T: Real, B: Backend<f64>>(
    backend: B,
    weights: MatRef<'_, T>,
    initial: MatRef<'_, T>,
    ptk: MatRef<'_, T>,
    initial_ptk: MatRef<'_, T>,
    given: GivenErrors,
    powers: Powers,
    workspace: &mut [f64],
) -> Result<LayerMeasure, Error> {
    let (k, d) = weights.shape();
    initial.check_shape("initial weights", (k, d))?;
    ptk.check_shape("features", (k, k))?;
    initial_ptk.check_shape("initial features", (k, k))?;
    check_workspace("workspace", measure_workspace(k, d), workspace.len())?;
    let route = Route::cheaper(k, d);
    let n = route.side(k, d);
    let ([w, wide_ptk, f, v], rest) = split(workspace, [k * d, k * k, n * n, k]);
    let mut buffers = Buffers::new(rest, (k, d), route);

    weights.widen_into(w);
    ptk.widen_into(wide_ptk);
    let scaled = Scaled::new(backend, "weights", (k, d), w, false)?;
    let now = Scaled::new(backend, "features", (k, k), wide_ptk, true)?;
    let of_ptk = given.ptk.map(|error| relative(error, now.norm()));
    let errors = InputError { weights: given.weights, ptk: 0.0, computed: known(of_ptk) };
    let squares = Squares::new(backend, scaled.matrix, route, f, v)?;
    let pair = Pair { weights: &scaled, squares: &squares, ptk: &now, gram: true };
    let mut uncentered = pair.correlate(backend, errors, powers, &mut buffers)?;
    let whole = scaled.norm();

    weights.widen_into(w);
    subtract(w, initial);
    let scaled = Scaled::new(backend, "weights minus initial weights", (k, d), w, false)?;
    let change = scaled.norm();
    let of_change = change_error(given.weights, whole, change);
    let errors = InputError { weights: of_change, ptk: 0.0, computed: known(of_ptk) };
    let squares = Squares::new(backend, scaled.matrix, route, f, v)?;
    let pair = Pair { weights: &scaled, squares: &squares, ptk: &now, gram: true };
    let mut centered = pair.correlate(backend, errors, powers, &mut buffers)?;

    ptk.widen_into(wide_ptk);
    subtract(wide_ptk, initial_ptk);
    let moved = Scaled::new(backend, "features minus initial features", (k, k), wide_ptk, true)?;
    let both = given.ptk.zip(given.initial_ptk);
    let of_ptk = both.map(|(now, initial)| relative(now + initial, moved.norm()));
    let errors = InputError { weights: of_change, ptk: f64::EPSILON / 2.0, computed: known(of_ptk) };
    let pair = Pair { weights: &scaled, squares: &squares, ptk: &moved, gram: false };
    let mut double_centered = pair.correlate(backend, errors, Powers::One, &mut buffers)?;
    if given.ptk.is_none() {
        uncertain(&mut uncentered);
        uncertain(&mut centered);
    }
    if both.is_none() {
        uncertain(&mut double_centered);
    }
    double_centered.cosine_sqrt = double_centered.cosine.and(Err(Undefined::Indefinite));
    double_centered.pearson_sqrt = double_centered.cosine_sqrt;
    let relative_change = match (change, whole) {
        (_, None) => Err(Undefined::ZeroWeights),
        (None, _) => Ok(0.0),
        _ => Ok(ratio(change, whole)),
    };
    Ok(LayerMeasure { relative_change, uncentered, centered, double_centered })
}

/// Replaces the reason of every missing bound by the uncertain slope.
fn uncertain(c: &mut Correlations) {
    let reason = |correlation: &mut Correlation| {
        if let Ok(Certified { bound: bound @ Err(Unbounded::IllConditioned), .. }) = correlation {
            *bound = Err(Unbounded::UncertainSlope);
        }
    };
    [&mut c.cosine, &mut c.pearson, &mut c.cosine_sqrt, &mut c.pearson_sqrt].into_iter().for_each(reason);
}

/// A factor that covers the roundings of norms of matrices with up to 10^11 columns, and of a few operations.
const ROOM: f64 = 1.0001;

/// Relative error of `W - W_0` for weights with the relative error e: `|dW| <= e |W|` and
/// `|dW_0| <= e |W_0| <= e (|W| + |W - W_0|)`, and the difference is rounded.
pub(super) fn change_error(e: f64, whole: Option<(f64, i32)>, change: Option<(f64, i32)>) -> f64 {
    known(Some(e * (2.0 * ratio(whole, change) + 1.0) * ROOM + f64::EPSILON / 2.0))
}

/// A known relative error. If it is unknown or overflows, [`f64::MAX`], with which there is no bound.
pub(super) fn known(error: Option<f64>) -> f64 {
    error.filter(|error| *error < f64::MAX).unwrap_or(f64::MAX)
}

/// The quotient of two norms; zero if either is zero.
fn ratio(a: Option<(f64, i32)>, b: Option<(f64, i32)>) -> f64 {
    a.zip(b)
        .map_or(0.0, |((a, scale_of_a), (b, scale_of_b))| times_power_of_two(a / b, scale_of_a - scale_of_b))
}

/// An upper bound of `error / norm`.
pub(super) fn relative(error: f64, norm: Option<(f64, i32)>) -> f64 {
    let quotient = norm.map_or(0.0, |(norm, scale)| times_power_of_two(error, -scale) / norm) * ROOM;
    if error > 0.0 { quotient.next_up() } else { 0.0 }
}

pub(super) fn subtract<T: Real>(from: &mut [f64], m: MatRef<'_, T>) {
    match m.as_slice() {
        Some(all) => from.iter_mut().zip(all).for_each(|(slot, x)| *slot -= x.to_f64()),
        None => from.iter_mut().zip(m.elements()).for_each(|(slot, x)| *slot -= x.to_f64()),
    }
}
