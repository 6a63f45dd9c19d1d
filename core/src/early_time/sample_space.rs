//! The early-time limit through n x n matrices over samples, for layers with many more weights than samples.

use crate::correlation::Traces;
use crate::error::{Error, check_workspace};
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, take};
use crate::scalar::Scalar;
use core::num::NonZeroU64;

/// Values of workspace that [`limit_by_samples`] needs for n samples, c outputs and a layer of k units.
pub const fn limit_by_samples_workspace(n: usize, c: usize, k: usize) -> usize {
    let square = n.saturating_mul(n);
    let z = n.saturating_mul(k);
    z.saturating_add(square.saturating_mul(c))
        .saturating_add(square.saturating_mul(5))
        .saturating_add(n.saturating_mul(2))
}

/// The traces of the early-time limit of a layer, computed from n x n matrices over samples.
///
/// With X the layer's inputs, J its output Jacobians, g the residuals `n dloss/df` and `z_a = sum_o g_ao J_ao / n`:
/// ```text
/// V = dW/dt = -Z^T X                             k x d, never formed
/// V^T V   = X^T Q  X    Q  = Z Z^T               = R PTK R / n^2    for one output, R = diag(g)
/// V^T K V = X^T Q2 X    Q2 = (Z J^T)(Z J^T)^T/n  = R PTK^2 R / n^3
/// tr(F^2) = tr(Q S Q S)   tr(FG) = tr(Q S Q2 S)   tr(G^2) = tr(Q2 S Q2 S)   S = X X^T
/// ```
/// **Shapes** inputs (n x d), the layer's; jacobians ((n c) x k), sample-major; residuals (n x c); workspace at least
/// [`limit_by_samples_workspace`].
/// **Arithmetic** products as chains over their inner index; exact scalars give exactly what
/// [`crate::correlation::traces`] gives for the gradient and the PTK features. Nothing is rescaled, so floats far from 1
/// may overflow.
/// **Errors** [`Error::Shape`], [`Error::Workspace`], [`Error::NoSamples`].
/// **Source** Beaglehole, Mitliagkas, Agarwala, *Feature learning as alignment*, arXiv 2402.05271.
pub fn limit_by_samples<T: Scalar<Wide = T>, B: Backend<T>>(
    backend: B,
    inputs: MatRef<'_, T>,
    jacobians: MatRef<'_, T>,
    residuals: MatRef<'_, T>,
    workspace: &mut [T],
) -> Result<Traces<T>, Error> {
    let (n, c, k) = (inputs.rows(), residuals.columns(), jacobians.columns());
    let samples = NonZeroU64::new(n as u64).ok_or(Error::NoSamples)?;
    residuals.check_shape("residuals", (n, c))?;
    jacobians.check_shape("Jacobians", (n.saturating_mul(c), k))?;
    check_workspace("workspace", limit_by_samples_workspace(n, c, k), workspace.len())?;
    let (z, rest) = take(workspace, n * k);
    let (h, rest) = take(rest, n * n * c);
    let (q, rest) = take(rest, n * n);
    let (q2, rest) = take(rest, n * n);
    let (s, rest) = take(rest, n * n);
    for (a, row) in z.chunks_exact_mut(if k == 0 { 1 } else { k }).enumerate() {
        for (i, slot) in row.iter_mut().enumerate() {
            let outputs = residuals.row(a).enumerate();
            let sum = outputs.fold(T::zero(), |sum, (o, g)| match jacobians.get(a * c + o, i) {
                Some(j) => T::fma(g, j, sum),
                None => sum,
            });
            *slot = sum.divide_by(samples);
        }
    }
    let z = MatRef::new(z, n, k)?;
    kernel::product(backend, MatMut::new(h, n, n * c)?, z, jacobians.t())?;
    let h = MatRef::new(h, n, n * c)?;
    gram(backend, z, q)?;
    gram(backend, h, q2)?;
    gram(backend, inputs, s)?;
    T::divide_all(q2, samples);
    let (q, q2, s) = (MatRef::new(q, n, n)?, MatRef::new(q2, n, n)?, MatRef::new(s, n, n)?);
    let (products, rest) = take(rest, 2 * n * n);
    let (ff, fg, gg) = sandwich(backend, q, q2, s, products)?;
    let (u, rest) = take(rest, n);
    let (qu, _) = take(rest, n);
    for (a, slot) in u.iter_mut().enumerate() {
        *slot = inputs.row(a).fold(T::zero(), |sum, x| sum + x.clone());
    }
    let u = MatRef::column_vector(u);
    let mut form = |q: MatRef<'_, T>| {
        kernel::product(backend, MatMut::new(qu, n, 1)?, q, u)?;
        Ok(backend.dot(u, MatRef::column_vector(qu)))
    };
    Ok(Traces { ff, fg, gg, f_sum: form(q)?, g_sum: form(q2)? })
}

/// `out = x x^T`.
pub(super) fn gram<T: Scalar, B: Backend<T>>(
    backend: B,
    x: MatRef<'_, T>,
    out: &mut [T],
) -> Result<(), Error> {
    let n = x.rows();
    kernel::outer(backend, MatMut::new(out, n, n)?, x.t())
}

/// `tr(Q S Q S)`, `tr(Q S Q2 S)` and `tr(Q2 S Q2 S)` for symmetric n x n matrices.
///
/// **Shapes** all (n x n); workspace 2 n^2, for `Q S` and `Q2 S`.
pub(super) fn sandwich<T: Scalar<Wide = T>, B: Backend<T>>(
    backend: B,
    q: MatRef<'_, T>,
    q2: MatRef<'_, T>,
    s: MatRef<'_, T>,
    workspace: &mut [T],
) -> Result<(T, T, T), Error> {
    let n = s.rows();
    let (a, rest) = take(workspace, n * n);
    let (c, _) = take(rest, n * n);
    kernel::product(backend, MatMut::new(a, n, n)?, q, s)?;
    kernel::product(backend, MatMut::new(c, n, n)?, q2, s)?;
    let (a, c) = (MatRef::new(a, n, n)?, MatRef::new(c, n, n)?);
    Ok((backend.dot(a, a.t()), backend.dot(a, c.t()), backend.dot(c, c.t())))
}
