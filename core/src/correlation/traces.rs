//! The five traces behind every correlation, by two routes.

use crate::error::{Error, check_workspace};
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, take};
use crate::scalar::Scalar;

/// Inner products and entry sums of `F = W^T W` and `G = W^T K W`.
#[derive(Clone, Debug, PartialEq)]
pub struct Traces<T> {
    /// `tr(F^2)`.
    pub ff: T,
    /// `tr(F G)`.
    pub fg: T,
    /// `tr(G^2)`.
    pub gg: T,
    /// Sum of the entries of F.
    pub f_sum: T,
    /// Sum of the entries of G.
    pub g_sum: T,
}

/// How the traces are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Through `M = W W^T` and `P = M K`, both k x k:
    /// `tr F^2 = <M, M>`, `tr FG = <M, P>`, `tr G^2 = <P, P^T>`.
    Gram,
    /// Through F and G themselves, d x d: the definition.
    Direct,
}

impl Route {
    /// The route with the smaller matrices for weights (k x d).
    pub const fn cheaper(k: usize, d: usize) -> Self {
        if k < d { Self::Gram } else { Self::Direct }
    }

    /// Values of workspace that [`traces`] needs for weights (k x d).
    pub const fn workspace(self, k: usize, d: usize) -> usize {
        match self {
            Self::Gram => quadratic(2, k, k, 2),
            Self::Direct => quadratic(2, d, d, 0).saturating_add(quadratic(1, d, k, 2)),
        }
    }
}

/// `squares x y + lines y`, saturating.
pub(super) const fn quadratic(squares: usize, x: usize, y: usize, lines: usize) -> usize {
    squares.saturating_mul(x).saturating_add(lines).saturating_mul(y)
}

/// The traces of `F = W^T W` and `G = W^T K W`.
///
/// **Shapes** weights (k x d), ptk (k x k) symmetric, workspace at least [`Route::workspace`].
/// **Arithmetic** products as chains over their inner index; inner products in the order of [`Backend::dot`]; entry sums
/// by either route as `v = W 1`, `v . v` and `v . K v`.
/// On exact scalars both routes are equal.
/// **Errors** [`Error::Shape`], [`Error::Workspace`].
pub fn traces<T: Scalar<Wide = T>, B: Backend<T>>(
    backend: B,
    weights: MatRef<'_, T>,
    ptk: MatRef<'_, T>,
    route: Route,
    workspace: &mut [T],
) -> Result<Traces<T>, Error> {
    let (k, d) = weights.shape();
    ptk.check_shape("features", (k, k))?;
    check_workspace("workspace", route.workspace(k, d), workspace.len())?;
    let (ff, fg, gg, rest) = match route {
        Route::Gram => {
            let (m, rest) = take(workspace, k * k);
            let (p, rest) = take(rest, k * k);
            let (m, p) = gram(backend, weights, ptk, m, p)?;
            (backend.dot(m, m), backend.dot(m, p), backend.dot(p, p.t()), rest)
        }
        Route::Direct => {
            let (f, rest) = take(workspace, d * d);
            let (g, rest) = take(rest, d * d);
            let (scratch, rest) = take(rest, k * d);
            crate::feature::nfm(backend, weights, MatMut::new(f, d, d)?)?;
            crate::feature::agop(backend, weights, ptk, MatMut::new(g, d, d)?, scratch)?;
            let (f, g) = (MatRef::new(f, d, d)?, MatRef::new(g, d, d)?);
            (backend.dot(f, f), backend.dot(f, g), backend.dot(g, g), rest)
        }
    };
    let (v, rest) = take(rest, k);
    let (kv, _) = take(rest, k);
    row_sums(weights, v);
    kernel::product(backend, MatMut::new(kv, k, 1)?, ptk, MatRef::column_vector(v))?;
    let (v, kv) = (MatRef::column_vector(v), MatRef::column_vector(kv));
    Ok(Traces { ff, fg, gg, f_sum: backend.dot(v, v), g_sum: backend.dot(v, kv) })
}

/// What [`traces`] leaves in its workspace: P (k x k; empty in the direct route) and `K W 1` (k).
pub(super) fn leftovers<T>(workspace: &[T], k: usize, d: usize, route: Route) -> (&[T], &[T]) {
    let p = match route {
        Route::Gram => workspace.get(k * k..2 * k * k),
        Route::Direct => None,
    };
    let end = route.workspace(k, d);
    (p.unwrap_or_default(), workspace.get(end - k..end).unwrap_or_default())
}

/// `M = W W^T` and `P = M K`.
pub(super) fn gram<'w, T: Scalar, B: Backend<T>>(
    backend: B,
    weights: MatRef<'_, T>,
    ptk: MatRef<'_, T>,
    m: &'w mut [T],
    p: &'w mut [T],
) -> Result<(MatRef<'w, T>, MatRef<'w, T>), Error> {
    let k = weights.rows();
    kernel::outer(backend, MatMut::new(m, k, k)?, weights.t())?;
    let m = MatRef::new(m, k, k)?;
    kernel::product(backend, MatMut::new(p, k, k)?, m, ptk)?;
    Ok((m, MatRef::new(p, k, k)?))
}

/// `W 1`, one ascending chain of additions for each row.
pub(super) fn row_sums<T: Scalar>(weights: MatRef<'_, T>, out: &mut [T]) {
    for (i, slot) in out.iter_mut().enumerate() {
        *slot = weights.row(i).fold(T::zero(), |sum, w| sum + w.clone());
    }
}
