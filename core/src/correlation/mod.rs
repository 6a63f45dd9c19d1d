//! Neural feature correlations (NFC): how well the neural feature matrix (NFM) `F = W^T W` agrees with the average gradient
//! outer product (AGOP) `G = W^T K W`.
//!
//! ```text
//! cosine   rho(F, G) = tr(F G) / sqrt(tr(F^2) tr(G^2))
//! pearson  the same after each matrix's mean entry is subtracted
//! *_sqrt   the same with G^(1/2) in place of G
//! ```
//! The neural feature ansatz (NFA) says that F is proportional to a power of G. K comes from the pre-activation tangent
//! kernel (PTK); [`crate::feature`] defines it.
//!
//! A centred pair has `W - W_0` in place of W, the change since initialisation. A double-centred pair also has `K - K_0` in
//! place of K. Only Pearson subtracts the mean of the entries.
//!
//! **Source** Beaglehole, Mitliagkas, Agarwala, *Feature learning as alignment*, arXiv 2402.05271.

mod angles;
mod bound;
mod covariance;
mod interval;
mod measure;
mod power;
mod root;
mod scaled;
mod spectra;
mod traces;

pub use angles::angles_workspace;
pub use bound::InputError;
pub use covariance::{covariance_cosine, covariance_workspace};
pub use measure::{GivenErrors, LayerMeasure, measure_layer, measure_workspace};
pub use spectra::{
    LayerSpectrum, PowerCorrelations, PtkSpectrum, layer_spectrum_length, ptk_spectrum_length,
    spectrum_workspace,
};
pub use traces::{Route, Traces, traces};

use crate::error::{Error, check_workspace};
use crate::ieee::{sqrt, times_power_of_two};
use crate::kernel::Backend;
use crate::matrix::{MatRef, split};
use crate::scalar::Real;
use bound::enclose;
use core::fmt;
use interval::Interval;
use power::Buffers;
use scaled::Scaled;
use traces::Squares;

/// Why a correlation has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undefined {
    /// The weights (or their difference from the initial ones) are all zero.
    ZeroWeights,
    /// The average gradient outer product is zero up to rounding errors.
    ZeroGradient,
    /// All entries of a matrix are equal up to rounding errors, so its variance in Pearson is zero.
    ConstantEntries,
    /// The covariance of the layer's inputs is zero up to rounding errors.
    ConstantInputs,
    /// The gradient of the loss is zero, so the weights do not change.
    ZeroLossGradient,
    /// K (or `K - K_0`) has negative eigenvalues, so G has no real square root.
    Indefinite,
    /// The eigenvalue that ends the leading subspace of this matrix does not exceed the next by more than both can be off.
    NoGap(&'static str),
    /// The error of K has no bound, so its eigenvectors are not known.
    UncertainFeatures,
    /// It was not requested.
    NotComputed,
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoGap(matrix) => {
                return write!(
                    f,
                    "undefined: eigenvalue r of {matrix} does not exceed eigenvalue r + 1 by more than its error, \
                     so the leading eigenvectors are not known"
                );
            }
            Self::UncertainFeatures => {
                "undefined: the slope of a unit is uncertain, so K has no error bound and its eigenvectors are not known"
            }
            Self::ZeroWeights => "undefined: the weight matrix (or its change since initialisation) is zero",
            Self::ZeroGradient => {
                "undefined: the average gradient outer product is zero, or too small to tell from zero"
            }
            Self::ConstantEntries => "undefined: the entries of a matrix do not vary",
            Self::ConstantInputs => "undefined: the inputs of the layer do not vary",
            Self::ZeroLossGradient => {
                "undefined: the gradient of the loss is zero, so the weights do not begin to move"
            }
            Self::Indefinite => {
                "undefined: K (or its change since initialisation) has eigenvalues below zero, \
                 so the matrix has no square root"
            }
            Self::NotComputed => "not computed",
        })
    }
}

impl core::error::Error for Undefined {}

/// Why a value has no error bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unbounded {
    /// The error of rounding, with the stated errors of the weights and of K, may exceed one.
    IllConditioned,
    /// The slope of a unit is uncertain: its pre-activation is within rounding errors of the activation's kink.
    UncertainSlope,
    /// The bound for the square root was not requested.
    NotComputed,
}

impl fmt::Display for Unbounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IllConditioned => "no bound below one: rounding could have moved the value by more",
            Self::UncertainSlope => {
                "no bound: the pre-activation of a unit is within rounding of zero, so its slope is uncertain"
            }
            Self::NotComputed => "no bound was asked for",
        })
    }
}

impl core::error::Error for Unbounded {}

/// A correlation with a rigorous bound of its absolute error.
///
/// The exact value is that of the weights and of K without their stated errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certified {
    /// The computed value.
    pub value: f64,
    /// A bound with `|value - exact| <= bound`, or why there is none.
    pub bound: Result<f64, Unbounded>,
}

/// A correlation, or why it is undefined.
pub type Correlation = Result<Certified, Undefined>;

/// All variants for one pair of matrices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correlations {
    /// `rho(F, G)`.
    pub cosine: Correlation,
    /// `rho(F, G)` over entries minus their means.
    pub pearson: Correlation,
    /// `rho(F, G^(1/2))`.
    pub cosine_sqrt: Correlation,
    /// `rho(F, G^(1/2))` over entries minus their means.
    pub pearson_sqrt: Correlation,
    /// `tr(F G)`.
    pub inner: f64,
}

/// Which powers of G to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Powers {
    /// 1 only.
    One,
    /// 1 and 1/2; the square root needs eigendecompositions.
    OneAndRoot,
    /// 1 and 1/2 with bounds for both. This needs more products, and two more decompositions on [`Route::Gram`].
    OneAndBoundedRoot,
}

/// Values of workspace that [`correlate`] needs for weights (k x d), saturating.
pub const fn correlate_workspace(k: usize, d: usize, route: Route) -> usize {
    let n = route.side(k, d);
    let matrices =
        k.saturating_mul(d.saturating_add(k).saturating_add(1)).saturating_add(n.saturating_mul(n));
    matrices.saturating_add(Buffers::length(k, d, route))
}

/// The correlations of `F = W^T W` with `G = W^T K W`.
///
/// **Shapes** weights (k x d), ptk (k x k) symmetric, workspace at least [`correlate_workspace`].
/// **Arithmetic** W and K are scaled by powers of two to a largest entry in [1/2, 1), which changes no correlation;
/// traces as [`traces`]; `cosine = fg / (sqrt ff sqrt gg)`.
/// **Accuracy** each value of power 1 has a rigorous a posteriori bound for the route used; those of power 1/2 on request.
/// **Errors** [`Error::Shape`], [`Error::Workspace`], [`Error::NotFinite`], [`Error::NotSymmetric`], [`Error::Parameter`]
/// for a negative input error, [`Error::NoConvergence`].
/// **Source** the definitions of [`crate::correlation`]; the bounds are derived here.
///
/// A square root is [`Undefined::Indefinite`] if K has an eigenvalue below `-n 2^-52` times the largest; on the direct
/// route the criterion is applied to G. A K of low rank, or one rounded to a coarser scalar, can have such an eigenvalue.
/// [`measure_layer`] does not apply the criterion, because its K is a Gram matrix.
pub fn correlate<B: Backend<f64>>(
    backend: B,
    weights: MatRef<'_, f64>,
    ptk: MatRef<'_, f64>,
    given: InputError,
    route: Route,
    powers: Powers,
    workspace: &mut [f64],
) -> Result<Correlations, Error> {
    let ptk = Ptk { name: "features", matrix: ptk, gram: false };
    correlate_named(backend, ("weights", weights), ptk, given, route, powers, workspace)
}

/// The matrix in the role of K.
#[derive(Clone, Copy)]
pub(crate) struct Ptk<'a, T> {
    /// Its name in errors.
    pub(crate) name: &'static str,
    pub(crate) matrix: MatRef<'a, T>,
    /// Whether K is a Gram matrix: a negative computed eigenvalue of K or G is then rounding error.
    pub(crate) gram: bool,
}

/// [`correlate`] for any scalar, with a name for the matrix in the role of W.
pub(crate) fn correlate_named<T: Real, B: Backend<f64>>(
    backend: B,
    (name, weights): (&'static str, MatRef<'_, T>),
    ptk: Ptk<'_, T>,
    given: InputError,
    route: Route,
    powers: Powers,
    workspace: &mut [f64],
) -> Result<Correlations, Error> {
    let (k, d) = weights.shape();
    ptk.matrix.check_shape(ptk.name, (k, k))?;
    check_workspace("workspace", correlate_workspace(k, d, route), workspace.len())?;
    let n = route.side(k, d);
    let ([w, wide_ptk, f, v], rest) = split(workspace, [k * d, k * k, n * n, k]);
    weights.widen_into(w);
    ptk.matrix.widen_into(wide_ptk);
    let weights = Scaled::new(backend, name, (k, d), w, false)?;
    let scaled_ptk = Scaled::new(backend, ptk.name, (k, k), wide_ptk, true)?;
    let squares = Squares::new(backend, weights.matrix, route, f, v)?;
    let pair = Pair { weights: &weights, squares: &squares, ptk: &scaled_ptk, gram: ptk.gram };
    pair.correlate(backend, given, powers, &mut Buffers::new(rest, (k, d), route))
}

/// W and K of one comparison.
struct Pair<'a> {
    weights: &'a Scaled<'a>,
    squares: &'a Squares<'a, f64>,
    ptk: &'a Scaled<'a>,
    /// As [`Ptk::gram`].
    gram: bool,
}

impl Pair<'_> {
    /// Precondition: `buffers` are new, or all earlier uses had the same K, or all of them were with [`Powers::One`].
    fn correlate<B: Backend<f64>>(
        &self,
        backend: B,
        given: InputError,
        powers: Powers,
        buffers: &mut Buffers<'_>,
    ) -> Result<Correlations, Error> {
        let Self { weights, squares, ptk, gram } = *self;
        given.check()?;
        let Some(w_exponent) = weights.exponent else { return Ok(undefined(Undefined::ZeroWeights)) };
        let Some(ptk_exponent) = ptk.exponent else { return Ok(undefined(Undefined::ZeroGradient)) };
        let products = squares.products(backend, ptk.matrix, buffers.g, buffers.kv, buffers.rest)?;
        let inner = times_power_of_two(products.traces.fg, 4 * w_exponent + ptk_exponent);
        if products.traces.gg <= 0.0 {
            return Ok(Correlations { inner, ..undefined(Undefined::ZeroGradient) });
        }
        let enclosed = enclose(backend, (weights, ptk), given, squares, &products);
        let (t, exact) = (products.traces, &enclosed.traces);
        let cosine = Ok(certify(cosine(t.ff, t.fg, t.gg), exact.ff, exact.fg, exact.gg));
        let pearson = pearson(&t, exact, weights.matrix.shape());
        let mut roots = |enclosed| power::roots(backend, squares, ptk.matrix, gram, &t, enclosed, buffers);
        let (cosine_sqrt, pearson_sqrt) = match powers {
            Powers::One => (Err(Undefined::NotComputed), Err(Undefined::NotComputed)),
            Powers::OneAndRoot => roots(None)?,
            Powers::OneAndBoundedRoot => roots(Some(&enclosed))?,
        };
        Ok(Correlations { cosine, pearson, cosine_sqrt, pearson_sqrt, inner })
    }
}

fn undefined(why: Undefined) -> Correlations {
    Correlations {
        cosine: Err(why),
        pearson: Err(why),
        cosine_sqrt: Err(why),
        pearson_sqrt: Err(why),
        inner: 0.0,
    }
}

/// `fg / (sqrt ff sqrt gg)`, clamped to [-1, 1].
pub(crate) fn cosine(ff: f64, fg: f64, gg: f64) -> f64 {
    let value = fg / (sqrt(ff) * sqrt(gg));
    if value.abs() > 1.0 { 1.0_f64.copysign(value) } else { value }
}

/// The exact correlation is in the interval `fg / sqrt(ff gg)` and in [-1, 1].
fn certify(value: f64, ff: Interval, fg: Interval, gg: Interval) -> Certified {
    let bound = if ff.low > 0.0 && gg.low > 0.0 {
        let radius = (fg / (ff.sqrt() * gg.sqrt())).radius_about(value);
        if radius <= 1.0 { Ok(radius) } else { Err(Unbounded::IllConditioned) }
    } else {
        Err(Unbounded::IllConditioned)
    };
    Certified { value, bound }
}

/// Pearson over the d^2 entries: from every inner product, subtract the product of the entry sums divided by d^2.
fn pearson(t: &Traces<f64>, enclosed: &Traces<Interval>, (k, d): (usize, usize)) -> Correlation {
    let (ff, fg, gg) = covariances(t, d as f64 * d as f64);
    if d == 1 || !(varies(ff, t.ff, k + d) && varies(gg, t.gg, k + d)) {
        return Err(Undefined::ConstantEntries);
    }
    Ok(certify_pearson(cosine(ff, fg, gg), enclosed, d))
}

/// [`certify`] after the means are subtracted.
fn certify_pearson(value: f64, enclosed: &Traces<Interval>, d: usize) -> Certified {
    let n = Interval::exact(d as f64 * d as f64);
    let less = |product: Interval, x: Interval, y: Interval| product - x * y / n;
    let ff = less(enclosed.ff, enclosed.f_sum, enclosed.f_sum);
    let fg = less(enclosed.fg, enclosed.f_sum, enclosed.g_sum);
    let gg = less(enclosed.gg, enclosed.g_sum, enclosed.g_sum);
    certify(value, ff, fg, gg)
}

/// Whether a variance exceeds the rounding error of the sum of squares from which it was computed by subtraction.
///
/// Squares and sums of either route take at most two chains over d and two over k. Their relative error is `(2 d + 2 k) u`,
/// and the difference doubles it. The factor also covers cancellation inside W.
fn varies(variance: f64, squares: f64, chain: usize) -> bool {
    variance > squares * (16.0 * f64::EPSILON * chain as f64)
}

/// `(var F, cov, var G)` times the number of entries.
fn covariances(t: &Traces<f64>, entries: f64) -> (f64, f64, f64) {
    (
        t.ff - t.f_sum * t.f_sum / entries,
        t.fg - t.f_sum * t.g_sum / entries,
        t.gg - t.g_sum * t.g_sum / entries,
    )
}
