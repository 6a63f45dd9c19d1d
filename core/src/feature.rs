//! Neural feature matrix, PTK features and average gradient outer product of a hidden layer.
//!
//! ```text
//! F = W^T W                          neural feature matrix (NFM), d x d
//! K = (1/n) sum_a J_a^T J_a          PTK features, k x k, J_a = df(x_a)/dh
//! G = W^T K W                        average gradient outer product (AGOP), d x d
//! ```
//! K is the Gauss-Newton block of the layer's pre-activations h for the loss `(1/2) |f - y|^2`: the mean over samples of the
//! sum over outputs. For `|f - y|^2` that block is `2 K`. PTK stands for pre-activation tangent kernel.
//!
//! [`crate::network::Network::accumulate_ptk`] accumulates the sum over samples.
//!
//! **Source** Beaglehole, Mitliagkas, Agarwala, *Feature learning as alignment*, arXiv 2402.05271.

use crate::error::{Error, check_length, check_workspace};
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, cut, cut_mut};
use crate::network::Shape;
use crate::reduce::SampleTree;
use crate::scalar::Scalar;
use core::num::NonZeroU64;

/// Divides the feature sums by the number of samples, fills the lower triangles and empties the sum.
///
/// Returns the PTK features K of all hidden layers, one after another; [`ptk_of_layer`] views one.
///
/// **Shapes** the sum has [`Shape::ptk_values`] values.
/// **Arithmetic** the tree of [`crate::reduce`], then one division for each value.
/// **Errors** [`Error::NoSamples`], [`Error::Length`].
pub fn finish_ptk<'s, T: Scalar, const MAPS: bool>(
    backend: impl Backend<T>,
    shape: Shape<'_, MAPS>,
    sum: &'s mut SampleTree<'_, T>,
) -> Result<&'s mut [T], Error> {
    check_length("feature sum", shape.ptk_values(), sum.length())?;
    let samples = NonZeroU64::new(sum.samples()).ok_or(Error::NoSamples)?;
    let all = sum.finish(backend);
    backend.vectorize(|| T::divide_all(all, samples));
    for layer in 0..shape.hidden_layers() {
        let (offset, k) = shape.ptk_span(layer)?;
        kernel::mirror(MatMut::new(cut_mut(all, offset..offset + k * k), k, k)?)?;
    }
    Ok(all)
}

/// The PTK features K (k x k) of one hidden layer.
///
/// **Errors** [`Error::Layer`] when there is no such hidden layer, [`Error::Length`].
pub fn ptk_of_layer<'f, T, const MAPS: bool>(
    shape: Shape<'_, MAPS>,
    ptk: &'f [T],
    layer: usize,
) -> Result<MatRef<'f, T>, Error> {
    check_length("features", shape.ptk_values(), ptk.len())?;
    let (offset, k) = shape.ptk_span(layer)?;
    MatRef::new(cut(ptk, offset..offset + k * k), k, k)
}

/// The neural feature matrix `F = W^T W`.
///
/// **Shapes** weights (k x d), out (d x d).
/// **Arithmetic** one chain over the k rows for each element of the upper triangle, mirrored.
/// **Errors** [`Error::Shape`].
pub fn nfm<T: Scalar>(
    backend: impl Backend<T>,
    weights: MatRef<'_, T>,
    out: MatMut<'_, T>,
) -> Result<(), Error> {
    kernel::outer(backend, out, weights)
}

/// The average gradient outer product `G = W^T (K W)`.
///
/// **Shapes** weights (k x d), ptk (k x k) symmetric, out (d x d), workspace at least k d.
/// **Arithmetic** `K W`, then the upper triangle of `W^T (K W)`, mirrored; one chain over k for each element.
/// **Errors** [`Error::Shape`], [`Error::Workspace`].
pub fn agop<T: Scalar>(
    backend: impl Backend<T>,
    weights: MatRef<'_, T>,
    ptk: MatRef<'_, T>,
    out: MatMut<'_, T>,
    workspace: &mut [T],
) -> Result<(), Error> {
    let (k, d) = weights.shape();
    ptk.check_shape("features", (k, k))?;
    out.as_ref().check_shape("AGOP", (d, d))?;
    check_workspace("workspace", k.saturating_mul(d), workspace.len())?;
    let product = cut_mut(workspace, ..k * d);
    kernel::product(backend, MatMut::new(product, k, d)?, ptk, weights)?;
    kernel::symmetric_product(backend, out, weights.t(), MatRef::new(product, k, d)?)
}
