//! The five traces from which every correlation is computed, by two routes.

use crate::error::{Error, check_workspace};
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, split};
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

/// The matrices from which the traces are computed.
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

    /// Values of workspace that [`traces`] needs for weights (k x d), saturating.
    pub const fn workspace(self, k: usize, d: usize) -> usize {
        let side = self.side(k, d);
        side.saturating_mul(side).saturating_add(k).saturating_mul(2).saturating_add(self.scratch(k, d))
    }

    /// Number of rows of the matrices whose inner products are the traces.
    pub(super) const fn side(self, k: usize, d: usize) -> usize {
        match self {
            Self::Gram => k,
            Self::Direct => d,
        }
    }

    /// Values for `K W`, saturating.
    pub(super) const fn scratch(self, k: usize, d: usize) -> usize {
        match self {
            Self::Gram => 0,
            Self::Direct => k.saturating_mul(d),
        }
    }
}

/// The traces of `F = W^T W` and `G = W^T K W`.
///
/// **Shapes** weights (k x d), ptk (k x k) symmetric, workspace at least [`Route::workspace`].
/// **Arithmetic** products as chains over their inner index; inner products in the order of [`Backend::dot`]; entry sums
/// by either route as `v = W 1`, `v . v` and `v . K v`.
/// On exact scalars both routes are equal.
/// **Errors** [`Error::Shape`], [`Error::Workspace`].
/// **Source** cyclic permutation under the trace: `tr F^2 = tr(W W^T W W^T)`, `tr FG = tr(M^2 K)`, `tr G^2 = tr(M K M K)`.
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
    let square = route.side(k, d) * route.side(k, d);
    let ([f, g, v, kv], scratch) = split(workspace, [square, square, k, k]);
    let squares = Squares::new(backend, weights, route, f, v)?;
    Ok(squares.products(backend, ptk, g, kv, scratch)?.traces)
}

/// The part of the traces that depends on the weights only.
pub(super) struct Squares<'w, T> {
    pub(super) weights: MatRef<'w, T>,
    pub(super) route: Route,
    /// `F = W^T W` by the direct route, `M = W W^T` through the Gram matrix.
    pub(super) f: MatRef<'w, T>,
    /// `v = W 1`.
    pub(super) v: MatRef<'w, T>,
    ff: T,
    f_sum: T,
}

/// The traces, and the matrices from which they were computed.
pub(super) struct Products<'w, T> {
    /// `G = W^T K W` by the direct route, `P = M K` through the Gram matrix.
    pub(super) g: MatRef<'w, T>,
    /// `K v`.
    pub(super) kv: MatRef<'w, T>,
    pub(super) traces: Traces<T>,
}

impl<'w, T: Scalar<Wide = T>> Squares<'w, T> {
    /// **Shapes** weights (k x d), f (n x n) with n as [`Route::side`], v (k).
    pub(super) fn new<B: Backend<T>>(
        backend: B,
        weights: MatRef<'w, T>,
        route: Route,
        f: &'w mut [T],
        v: &'w mut [T],
    ) -> Result<Self, Error> {
        let (k, d) = weights.shape();
        let n = route.side(k, d);
        let x = if route == Route::Gram { weights.t() } else { weights };
        kernel::outer(backend, MatMut::new(f, n, n)?, x)?;
        row_sums(weights, v);
        let (f, v) = (MatRef::new(f, n, n)?, MatRef::column_vector(v));
        Ok(Self { weights, route, f, v, ff: backend.dot(f, f), f_sum: backend.dot(v, v) })
    }

    /// **Shapes** ptk (k x k), g (n x n), kv (k), scratch at least [`Route::scratch`].
    pub(super) fn products<'p, B: Backend<T>>(
        &self,
        backend: B,
        ptk: MatRef<'_, T>,
        g: &'p mut [T],
        kv: &'p mut [T],
        scratch: &mut [T],
    ) -> Result<Products<'p, T>, Error> {
        let n = self.f.rows();
        let out = MatMut::new(g, n, n)?;
        match self.route {
            Route::Gram => kernel::product(backend, out, self.f, ptk)?,
            Route::Direct => crate::feature::agop(backend, self.weights, ptk, out, scratch)?,
        }
        kernel::product(backend, MatMut::new(kv, ptk.rows(), 1)?, ptk, self.v)?;
        let (g, kv) = (MatRef::new(g, n, n)?, MatRef::column_vector(kv));
        let gg = backend.dot(g, if self.route == Route::Gram { g.t() } else { g });
        let (ff, f_sum) = (self.ff.clone(), self.f_sum.clone());
        let traces = Traces { ff, fg: backend.dot(self.f, g), gg, f_sum, g_sum: backend.dot(self.v, kv) };
        Ok(Products { g, kv, traces })
    }
}

/// Rows that [`row_sums`] processes together, so that no addition waits for the one before it in the same chain.
const SIDE_BY_SIDE: usize = 4;

/// `W 1`, one ascending chain of additions for each row.
fn row_sums<T: Scalar>(weights: MatRef<'_, T>, out: &mut [T]) {
    for (first, sums) in (0..).step_by(SIDE_BY_SIDE).zip(out.chunks_mut(SIDE_BY_SIDE)) {
        let mut rows: [_; SIDE_BY_SIDE] = core::array::from_fn(|r| weights.row(first + r));
        sums.fill(T::zero());
        for _ in 0..weights.columns() {
            for (sum, row) in sums.iter_mut().zip(&mut rows) {
                if let Some(w) = row.next() {
                    *sum = sum.clone() + w.clone();
                }
            }
        }
    }
}
