//! The limit of infinite width for deep networks with Gaussian weights and no biases, residual = labels.
//!
//! ```text
//! S_0 = X X^T / d      S_{l+1} = E phi(u) phi(v)      D_l = E phi'(u) phi'(v)      (u, v) ~ N(0, variance S_l)
//! PTK_l = product over m >= l of D_m, elementwise
//! Q = PTK o (Y Y^T)    Q2 = PTK^2 o (Y Y^T)           PTK^2 the matrix square, o elementwise
//! rho_l = tr(Q S_l Q2 S_l) / sqrt(tr(Q S_l Q S_l) tr(Q2 S_l Q2 S_l))
//! ```
//! Weights are N(0, variance / fan_in). For homogeneous activations (linear, ReLU, quadratic) the variance cancels; ReLU
//! uses 2, which preserves the diagonal of S. For other activations it matters; the default of the initialisers is 1.
//! Different outputs of a wide network have independent readouts. Their Jacobians are therefore orthogonal, and each output
//! contributes its own labels.
//!
//! ```
//! # fn main() -> Result<(), agop_core::error::Error> {
//! use agop_core::early_time::wide::{DualKernel, wide, wide_workspace};
//! use agop_core::{correlation::Undefined, matrix::MatRef, simd::Level};
//! let inputs = [0.5, -1.0, 2.0, 0.25, -0.75, 1.5, 1.0, 1.0];
//! let labels = [1.0, -0.5, 0.25, 2.0];
//! let (inputs, labels) = (MatRef::new(&inputs, 4, 2)?, MatRef::new(&labels, 4, 1)?);
//! let mut rho = [Err(Undefined::NotComputed); 3];
//! let mut workspace = [0.0; wide_workspace(4, 2, 1, 3)];
//! wide(Level::detect(), DualKernel::Relu, 1.0, inputs, labels, &mut rho, &mut workspace)?;
//! assert!(rho.iter().all(|rho| rho.is_ok_and(|rho| rho > 0.5 && rho <= 1.0)));
//! # Ok(())
//! # }
//! ```
//!
//! **Source** Beaglehole, Mitliagkas, Agarwala, *Feature learning as alignment*, arXiv 2402.05271, for the limit; kernels
//! as in Jacot, Gabriel, Hongler, *Neural tangent kernel*, NeurIPS 2018.

mod dual_kernel;

pub use dual_kernel::DualKernel;

use super::sample_space::{gram, sandwich};
use crate::correlation::{Undefined, cosine};
use crate::error::{Error, check_workspace};
use crate::ieee::{exponent, normalize, times_power_of_two};
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, cut, take};
use crate::scalar::Real;

/// Values of workspace that [`wide`] needs for n samples of d inputs and c outputs and a number of hidden layers.
pub const fn wide_workspace(n: usize, d: usize, c: usize, hidden_layers: usize) -> usize {
    let widest = if d > c { d } else { c };
    n.saturating_mul(n)
        .saturating_mul(hidden_layers.saturating_add(6))
        .saturating_add(n.saturating_mul(widest))
}

/// The early-time limit of C-NFC of every hidden layer at infinite width.
///
/// **Shapes** inputs (n x d), targets (n x c), rho one entry for each hidden layer, workspace at least
/// [`wide_workspace`].
/// **Arithmetic** in `f64`; a layer costs three n x n products. Labels, and inputs and kernels of homogeneous
/// activations, are scaled by powers of two. `exp`, `atan2` and `sinh` are those of `libm`: no contract bits.
/// **Accuracy** the kernels as [`DualKernel`]; products add `n 2^-53` relative to the sum of magnitudes.
/// **Errors** [`Error::Shape`], [`Error::Workspace`], [`Error::NotFinite`] (also for a kernel that overflows, with its
/// layer as the row), [`Error::NoSamples`]; [`Error::Parameter`] for a variance that is not positive. ReLU gives
/// [`Error::NoAngle`] for a row of inputs that is zero, or so small relative to the largest that its square underflows.
/// With zero labels an entry is [`Undefined`].
/// **Source** the formulas of [`crate::early_time::wide`].
pub fn wide<T: Real, B: Backend<f64>>(
    backend: B,
    activation: DualKernel,
    variance: f64,
    inputs: MatRef<'_, T>,
    targets: MatRef<'_, T>,
    rho: &mut [Result<f64, Undefined>],
    workspace: &mut [f64],
) -> Result<(), Error> {
    let ((n, d), c, depth) = (inputs.shape(), targets.columns(), rho.len());
    if n == 0 || d == 0 {
        return Err(Error::NoSamples);
    }
    targets.check_shape("targets", (n, c))?;
    check_workspace("workspace", wide_workspace(n, d, c, depth), workspace.len())?;
    if !(variance.is_finite() && variance > 0.0) {
        return Err(Error::Parameter {
            what: "weight variance",
            expected: "a positive number",
            found: variance,
        });
    }
    inputs.check_finite("inputs")?;
    targets.check_finite("targets")?;
    let square = n * n;
    let (kernels, rest) = take(workspace, depth * square);
    let (ptk, rest) = take(rest, square);
    let (labels, rest) = take(rest, square);
    let (q, rest) = take(rest, square);
    let (q2, rest) = take(rest, square);
    let (products, scaled) = take(rest, 2 * square);
    let Some((first, _)) = kernels.split_at_mut_checked(square) else { return Ok(()) };
    let x_exponent = if activation.homogeneous() { largest(inputs) } else { 0 };
    gram(backend, copy_scaled(inputs, x_exponent, scaled)?, first)?;
    for value in first.iter_mut() {
        *value /= d as f64;
    }
    if activation == DualKernel::Relu
        && let Some(row) = (0..n).find(|row| !first.get(row * n + row).is_some_and(|norm| *norm > 0.0))
    {
        return Err(Error::NoAngle { what: "inputs", row });
    }
    gram(backend, copy_scaled(targets, largest(targets), scaled)?, labels)?;
    forward(activation, variance, kernels, n)?;
    ptk.fill(1.0);
    for (s, slot) in kernels.chunks_exact(kernel::positive(square)).zip(rho).rev() {
        multiply_slopes(activation, variance, s, ptk, n)?;
        let (s, k) = (MatRef::new(s, n, n)?, MatRef::new(ptk, n, n)?);
        kernel::symmetric_product(backend, MatMut::new(q2, n, n)?, k, k)?;
        normalize(q2);
        for (((q, q2), k), y) in q.iter_mut().zip(q2.iter_mut()).zip(ptk.iter()).zip(labels.iter()) {
            (*q, *q2) = (k * y, *q2 * y);
        }
        let (ff, fg, gg) = sandwich(backend, MatRef::new(q, n, n)?, MatRef::new(q2, n, n)?, s, products)?;
        *slot = if ff <= 0.0 {
            Err(Undefined::ZeroLossGradient)
        } else if gg <= 0.0 {
            Err(Undefined::ZeroGradient)
        } else {
            Ok(cosine(ff, fg, gg))
        };
    }
    Ok(())
}

fn largest<T: Real>(m: MatRef<'_, T>) -> i32 {
    exponent(m.elements().map(|x| x.to_f64())).unwrap_or(0)
}

fn copy_scaled<'b, T: Real>(
    from: MatRef<'_, T>,
    exponent: i32,
    to: &'b mut [f64],
) -> Result<MatRef<'b, f64>, Error> {
    for (slot, x) in to.iter_mut().zip(from.elements()) {
        *slot = times_power_of_two(x.to_f64(), -exponent);
    }
    let (rows, columns) = from.shape();
    MatRef::new(cut(to, ..rows * columns), rows, columns)
}

/// Computes S_1, S_2, ... after S_0, each from the one before.
fn forward(activation: DualKernel, variance: f64, kernels: &mut [f64], n: usize) -> Result<(), Error> {
    let layers = kernels.len() / kernel::positive(n * n);
    for layer in 0..layers {
        let (before, rest) = take(kernels, layer * n * n);
        let (now, _) = take(rest, n * n);
        if layer > 0 {
            let last = cut(before, (layer - 1) * n * n..);
            each_pair(activation, variance, last, n, |index, (value, _)| {
                if let Some(slot) = now.get_mut(index) {
                    *slot = if activation == DualKernel::Relu { 2.0 * value } else { value };
                }
            });
        }
        if let Some(column) = now.iter().position(|x| !x.is_finite()) {
            return Err(Error::NotFinite { what: "kernel of a layer's inputs", row: layer, column });
        }
        if activation.homogeneous() {
            // An even power of two, so that square roots scale exactly and no bit of a cosine changes.
            let taken = 2 * (exponent(now.iter().copied()).unwrap_or(0) / 2);
            now.iter_mut().for_each(|x| *x = times_power_of_two(*x, -taken));
        }
    }
    Ok(())
}

/// `PTK <- PTK o D`, normalised.
fn multiply_slopes(
    activation: DualKernel,
    variance: f64,
    s: &[f64],
    ptk: &mut [f64],
    n: usize,
) -> Result<(), Error> {
    each_pair(activation, variance, s, n, |index, (_, slope)| {
        if let Some(slot) = ptk.get_mut(index) {
            *slot *= slope;
        }
    });
    if let Some(column) = ptk.iter().position(|x| !x.is_finite()) {
        return Err(Error::NotFinite { what: "pre-activation tangent kernel", row: 0, column });
    }
    normalize(ptk);
    Ok(())
}

/// Visits every element with its dual kernels.
fn each_pair(
    activation: DualKernel,
    variance: f64,
    s: &[f64],
    n: usize,
    mut visit: impl FnMut(usize, (f64, f64)),
) {
    let variance = if activation.homogeneous() { 1.0 } else { variance };
    let norm = |i: usize| variance * s.get(i * n + i).copied().unwrap_or(0.0);
    for i in 0..n {
        for j in i..n {
            let covariance = variance * s.get(i * n + j).copied().unwrap_or(0.0);
            let found = activation.pair(norm(i), norm(j), covariance);
            visit(i * n + j, found);
            if j > i {
                visit(j * n + i, found);
            }
        }
    }
}
