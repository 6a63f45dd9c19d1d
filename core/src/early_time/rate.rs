//! The rate of change of the centred correlation at time zero: its first-order coefficient in time.
//!
//! ```text
//! C-NFC(t) = rho_0 + t rho_1 + O(t^2)
//! V = dW/dt = -grad    A = d^2W/dt^2    K' = dK/dt, all at initialisation
//! F_2 = V^T V          F_3 = (V^T A + A^T V) / 2
//! G_2 = V^T K V        G_3 = (V^T K A + A^T K V) / 2 + V^T K' V
//! rho_1 = rho_0 [ (<F_3,G_2> + <F_2,G_3>)/<F_2,G_2> - <F_2,F_3>/<F_2,F_2> - <G_2,G_3>/<G_2,G_2> ]
//! ```
//! The derivatives are not finite differences. The gradient and K on dual numbers along the direction V give A and K'. The
//! traces of `V + e A/2` and `K + e K'` on dual numbers give the inner products, because
//! `(V + e A/2)^T (V + e A/2) = F_2 + e F_3` and `(V + e A/2)^T (K + e K') (V + e A/2) = G_2 + e G_3`.
//!
//! One gradient step of size eta moves the weights along a straight line, so A is zero. The coefficient of eta is
//! `rho_0 [<F_2,G_3>/<F_2,G_2> - <G_2,G_3>/<G_2,G_2>]` with `G_3 = V^T K' V`.
//!
//! **Source** derived here.

use crate::activation::Activation;
use crate::correlation::{Route, Traces, Undefined, cosine, traces};
use crate::dual::Dual;
use crate::error::{Error, check_workspace};
use crate::feature;
use crate::ieee::{exponent, sqrt, times_power_of_two};
use crate::kernel::{Backend, positive};
use crate::loss::Loss;
use crate::matrix::{MatRef, copy, cut, take};
use crate::network::{self, Network, Shape};
use crate::reduce::{SampleTree, buffers};
use crate::scalar::{Real, Scalar};
use core::num::NonZeroU64;

/// The path of the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Gradient flow `dW/dt = -grad`; the variable is the time.
    Flow,
    /// One full-batch gradient step; the variable is its size.
    Step,
}

/// Values of workspace that [`differentiate`] needs to process `rows` samples at a time (at least 1; 64 is a good choice).
pub const fn differentiate_workspace<const MAPS: bool>(
    shape: Shape<'_, MAPS>,
    samples: usize,
    rows: usize,
) -> usize {
    fixed(shape, samples).saturating_add(rows.saturating_mul(row(shape)))
}

const fn fixed<const MAPS: bool>(shape: Shape<'_, MAPS>, samples: usize) -> usize {
    let (p, f) = (shape.parameters(), shape.ptk_values());
    let sums = p.saturating_mul(2).saturating_add(f).saturating_add(storage(p, f, samples));
    sums.saturating_add(shape.jacobian_workspace(0))
}

const fn storage(parameters: usize, ptk: usize, samples: usize) -> usize {
    let gradient = parameters.saturating_add(1);
    let longer = if gradient > ptk { gradient } else { ptk };
    buffers(samples as u64).saturating_mul(longer)
}

const fn row<const MAPS: bool>(shape: Shape<'_, MAPS>) -> usize {
    shape.jacobian_row().saturating_add(shape.inputs()).saturating_add(shape.outputs())
}

/// Gradient and K with their derivatives along `V = -grad`.
#[derive(Clone, Copy, Debug)]
pub struct Derivatives<'w, T> {
    /// `grad + e H V`, laid out like the parameters: `A = -H V`.
    pub gradient: &'w [Dual<T>],
    /// `K + e K'` of all hidden layers, one after another.
    pub ptk: &'w [Dual<T>],
}

/// A matrix and its derivative.
type DualMatrix<'w, T> = MatRef<'w, Dual<T>>;

impl<'w, T> Derivatives<'w, T> {
    /// Gradient (k x d) and K (k x k) of one hidden layer.
    ///
    /// **Errors** [`Error::Layer`] when there is no such hidden layer, [`Error::Length`].
    pub fn layer<const MAPS: bool>(
        &self,
        shape: Shape<'_, MAPS>,
        layer: usize,
    ) -> Result<(DualMatrix<'w, T>, DualMatrix<'w, T>), Error> {
        let ptk = feature::ptk_of_layer(shape, self.ptk, layer)?;
        Ok((network::weights(self.gradient, shape.layer(layer)?)?, ptk))
    }
}

/// Computes the gradient and the PTK features on dual numbers, along the negative gradient of all layers.
///
/// **Shapes** inputs (n x d), targets (n x c); workspace at least [`differentiate_workspace`] of one row. With a larger
/// workspace more samples are processed at a time.
/// **Arithmetic** values have the bits of [`Network::accumulate_gradient`] and [`Network::accumulate_ptk`];
/// derivatives are exact on exact scalars. [`super::DualBackend`] uses vector lanes for dual numbers.
/// **Errors** those of the two passes; [`Error::NoSamples`]; [`Error::NotFinite`] for a gradient or features that overflow.
pub fn differentiate<'w, T, A, L, B, const MAPS: bool>(
    backend: B,
    network: &Network<'_, T, A, MAPS>,
    loss: L,
    inputs: MatRef<'_, T>,
    targets: MatRef<'_, T>,
    workspace: &'w mut [Dual<T>],
) -> Result<Derivatives<'w, T>, Error>
where
    T: Scalar,
    A: Activation<T> + Activation<Dual<T>>,
    L: Loss<Dual<T>>,
    B: Backend<Dual<T>>,
{
    let (shape, n) = (network.shape(), inputs.rows());
    inputs.check_shape("inputs", (n, shape.inputs()))?;
    targets.check_shape("targets", (n, shape.outputs()))?;
    inputs.check_finite("inputs")?;
    targets.check_finite("targets")?;
    let needed = differentiate_workspace(shape, n, 1);
    check_workspace("workspace", needed, workspace.len())?;
    let (p, f) = (shape.parameters(), shape.ptk_values());
    let (moving, rest) = take(workspace, p);
    let (gradient, rest) = take(rest, p);
    let (ptk, rest) = take(rest, f);
    let (sums, rest) = take(rest, storage(p, f, n));
    let rows = rest.len().saturating_sub(shape.jacobian_workspace(0)) / positive(row(shape));
    let (x, rest) = take(rest, rows * shape.inputs());
    let (y, pass) = take(rest, rows * shape.outputs());
    for (slot, w) in moving.iter_mut().zip(network.parameters()) {
        *slot = Dual::constant(w.clone());
    }
    for _ in 0..2 {
        let view = Network::new(shape, network.activation(), &*moving)?;
        let mut sum = SampleTree::new(sums, p + 1, 0)?;
        let mut start = 0;
        while start < n {
            let (a, b) = (chunk(inputs, start, rows, x)?, chunk(targets, start, rows, y)?);
            view.accumulate_gradient(backend, loss, a, b, &mut sum, pass)?;
            start += a.rows();
        }
        let (_, found) = view.finish_gradient(backend, loss, &mut sum)?;
        copy(gradient, found);
        MatRef::new(&*gradient, 1, p)?.check_finite("gradient")?;
        for (slot, g) in moving.iter_mut().zip(gradient.iter()) {
            slot.derivative = -g.value.clone();
        }
    }
    let view = Network::new(shape, network.activation(), &*moving)?;
    let mut sum = SampleTree::new(sums, f, 0)?;
    let mut start = 0;
    while start < n {
        let a = chunk(inputs, start, rows, x)?;
        view.accumulate_ptk(backend, a, &mut sum, pass)?;
        start += a.rows();
    }
    copy(ptk, feature::finish_ptk(backend, shape, &mut sum)?);
    MatRef::new(&*ptk, 1, f)?.check_finite("features")?;
    Ok(Derivatives { gradient, ptk })
}

/// At most `rows` rows from `start` on, as dual constants in the buffer.
fn chunk<'b, T: Scalar>(
    from: MatRef<'_, T>,
    start: usize,
    rows: usize,
    buffer: &'b mut [Dual<T>],
) -> Result<MatRef<'b, Dual<T>>, Error> {
    let part = from.row_range(start, rows);
    for (slot, x) in buffer.iter_mut().zip(part.elements()) {
        *slot = Dual::constant(x.clone());
    }
    MatRef::new(cut(buffer, ..part.rows() * part.columns()), part.rows(), part.columns())
}

/// Values of workspace that [`expand`] and [`rate`] need for a layer of weights (k x d).
pub const fn rate_workspace(k: usize, d: usize) -> usize {
    let (kd, kk) = (k.saturating_mul(d), k.saturating_mul(k));
    kd.saturating_add(kk).saturating_add(Route::cheaper(k, d).workspace(k, d))
}

/// The traces of the centred pair, divided by their leading power of the time (or of the step size), to first order.
///
/// Values `<F_2,F_2>`, `<F_2,G_2>`, `<G_2,G_2>`; derivatives `2 <F_2,F_3>`, `<F_3,G_2> + <F_2,G_3>`, `2 <G_2,G_3>`.
///
/// **Shapes** gradient (k x d) and ptk (k x k) as [`Derivatives::layer`] gives them; workspace at least
/// [`rate_workspace`].
/// **Arithmetic** [`traces`] on dual numbers by the cheaper route. Nothing is rescaled.
/// **Errors** [`Error::Shape`], [`Error::Workspace`].
pub fn expand<T: Scalar<Wide = T>, B: Backend<Dual<T>>>(
    backend: B,
    gradient: MatRef<'_, Dual<T>>,
    ptk: MatRef<'_, Dual<T>>,
    path: Path,
    workspace: &mut [Dual<T>],
) -> Result<Traces<Dual<T>>, Error> {
    expand_with(backend, gradient, ptk, path, workspace, |x| x.clone(), |x| x.clone())
}

fn expand_with<S: Scalar, T: Scalar<Wide = T>, B: Backend<Dual<T>>>(
    backend: B,
    gradient: MatRef<'_, Dual<S>>,
    ptk: MatRef<'_, Dual<S>>,
    path: Path,
    workspace: &mut [Dual<T>],
    of_gradient: impl Fn(&Dual<S>) -> Dual<T>,
    of_ptk: impl Fn(&Dual<S>) -> Dual<T>,
) -> Result<Traces<Dual<T>>, Error> {
    let (k, d) = gradient.shape();
    ptk.check_shape("features", (k, k))?;
    check_workspace("workspace", rate_workspace(k, d), workspace.len())?;
    let (v, rest) = take(workspace, k * d);
    let (wide_ptk, rest) = take(rest, k * k);
    for (slot, g) in v.iter_mut().zip(gradient.elements()) {
        let Dual { value, derivative } = of_gradient(g);
        *slot = match path {
            Path::Flow => Dual::new(value, derivative.divide_by(TWO)),
            Path::Step => Dual::constant(value),
        };
    }
    for (slot, x) in wide_ptk.iter_mut().zip(ptk.elements()) {
        *slot = of_ptk(x);
    }
    let (v, ptk) = (MatRef::new(v, k, d)?, MatRef::new(wide_ptk, k, k)?);
    traces(backend, v, ptk, Route::cheaper(k, d), rest)
}

const TWO: NonZeroU64 = NonZeroU64::MIN.saturating_add(1);

/// The centred correlation to first order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// `rho_0`, the limit.
    pub limit: f64,
    /// `rho_1`, the derivative with respect to time (or to the step size).
    pub slope: f64,
}

/// The limit and the first-order coefficient of C-NFC of one layer.
///
/// **Shapes** as [`expand`].
/// **Arithmetic** in `f64`. V and K are scaled by powers of two to a largest magnitude in [1/2, 1); the powers cancel. For
/// ReLU the derivatives are those between the kinks.
/// **Accuracy** the error of the slope is a small multiple of `2^-53 (k + d)`, relative to the sum of the magnitudes of its
/// three terms. If the terms nearly cancel (alignment close to 1), the relative error of the slope is larger.
/// **Errors** [`Error::Shape`], [`Error::Workspace`], [`Error::NotFinite`]. With a zero gradient or zero features the
/// correlation is [`Undefined`].
/// **Source** derived here; the formula is at the top of this module's source.
///
/// ```
/// # fn main() -> Result<(), agop_core::error::Error> {
/// use agop_core::early_time::{DualBackend, Path, differentiate, differentiate_workspace, rate, rate_workspace};
/// use agop_core::{activation::Tanh, loss::MeanSquared, matrix::MatRef, dual::Dual, simd::Level};
/// use agop_core::network::{Network, Shape};
/// let (level, widths) = (DualBackend(Level::detect()), [2, 3, 1]);
/// let parameters = [0.5, -0.3, 0.8, 0.1, -0.4, 0.9, 1.0, -0.7, 0.2]; // W_0 (3 x 2), W_1 (1 x 3)
/// let shape = Shape::new(&widths, false)?;
/// let network = Network::new(shape, Tanh, &parameters)?;
/// let inputs = [0.5, -1.0, 2.0, 0.25, -0.75, 1.5];
/// let (inputs, targets) = (MatRef::new(&inputs, 3, 2)?, MatRef::new(&[1.0, -1.0, 0.5], 3, 1)?);
/// let mut workspace = vec![Dual::constant(0.0); differentiate_workspace(shape, 3, 3)];
/// let found = differentiate(level, &network, MeanSquared, inputs, targets, &mut workspace)?;
/// let (gradient, ptk) = found.layer(network.shape(), 0)?;
/// let mut workspace = [Dual::constant(0.0); rate_workspace(3, 2)];
/// let rate = rate(level, gradient, ptk, Path::Flow, &mut workspace)?;
/// assert!(rate.is_ok_and(|rate| rate.limit > 0.0 && rate.slope.is_finite()));
/// # Ok(())
/// # }
/// ```
pub fn rate<T: Real, B: Backend<Dual<f64>>>(
    backend: B,
    gradient: MatRef<'_, Dual<T>>,
    ptk: MatRef<'_, Dual<T>>,
    path: Path,
    workspace: &mut [Dual<f64>],
) -> Result<Result<Rate, Undefined>, Error> {
    ptk.check_shape("features", (gradient.rows(), gradient.rows()))?;
    gradient.check_finite("gradient")?;
    ptk.check_finite("features")?;
    let largest = |m: MatRef<'_, Dual<T>>| exponent(m.elements().map(|x| x.value.to_f64()));
    let Some(g) = largest(gradient) else { return Ok(Err(Undefined::ZeroLossGradient)) };
    let Some(k) = largest(ptk) else { return Ok(Err(Undefined::ZeroGradient)) };
    let scaled = |x: &Dual<T>, by: i32| Dual {
        value: times_power_of_two(x.value.to_f64(), -by),
        derivative: times_power_of_two(x.derivative.to_f64(), -by),
    };
    let t = expand_with(backend, gradient, ptk, path, workspace, |x| scaled(x, g), |x| scaled(x, k))?;
    if t.gg.value <= 0.0 {
        return Ok(Err(Undefined::ZeroGradient));
    }
    let limit = cosine(t.ff.value, t.fg.value, t.gg.value);
    let norms = sqrt(t.ff.value) * sqrt(t.gg.value);
    let shrink = 0.5 * (t.ff.derivative / t.ff.value + t.gg.derivative / t.gg.value);
    Ok(Ok(Rate { limit, slope: t.fg.derivative / norms - limit * shrink }))
}
