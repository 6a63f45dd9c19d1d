//! The certificate: bounds of the error of the computed traces, relative to the exact traces of the given matrices.
//!
//! All errors are in the Frobenius norm. The error of a chain of n fused operations is at most `gamma_n = n u / (1 - n u)`
//! times the same chain of absolute values, and `||A||B|| <= |A| |B|`. The error of an inner product on a tree of height
//! h is at most `gamma_h |A| |B|` (Cauchy and Schwarz). Inputs may have errors of their own, `|dW| <= e_W |W|` and
//! `|dK| <= e_K |K|`:
//!
//! ```text
//! Gram     M = W W^T    |dM| <= (2 e_W + e_W^2 + gamma_d) |W|^2
//!          P = M K      |dP| <= (|dM| + (|M| + |dM|) e_K) |K| + gamma_k |M| |K|
//!          <A, B>       |d<A,B>| <= |dA| |B| + |A| |dB| + |dA| |dB| + gamma_h |A| |B|
//! Direct   F = W^T W    |dF| <= (2 e_W + e_W^2 + gamma_k) |W|^2
//!          T = K W      |dT| <= (e_K + e_W + e_K e_W + gamma_k) |K| |W|
//!          G = W^T T    |dG| <= sqrt2 (gamma_k |W| |T| + |W| |dT| + e_W |W| (|T| + |dT|))   (one triangle, mirrored)
//! ```
//! An error of K that is stated as that of computed features adds `s^2 |dK|` to `|dP|` or `|dG|`, with `s^2 <= |F| = |M|`
//! for the spectral norm s of W.
//!
//! The norms of M, P, F, G, `v = W 1` and `K v` are those of the computed matrices, not products of the norms of their
//! factors. If K is large only on the small singular values of W, P is smaller than `|M| |K|` by orders of magnitude,
//! and the product of norms would give no useful bound. Every norm is an upper bound, and every operation is rounded
//! upward. The matrices are scaled so that their largest entry is in [1/2, 1); `2^-1000` then bounds the underflow errors.
//!
//! **Source** N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, chapter 3, for `gamma_n`; the bounds are
//! derived here.

use super::interval::Interval;
use super::scaled::Scaled;
use super::traces::{Products, Route, Squares, Traces};
use crate::error::{Error, check_at_least_zero};
use crate::ieee::{self, Upper};
use crate::kernel::Backend;
use crate::scalar::Real;

/// Relative errors of the input matrices, in the Frobenius norm: 0 for exact matrices, 2^-53 for a difference rounded once.
/// With [`f64::MAX`] there is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InputError {
    /// Of the weights.
    pub weights: f64,
    /// Of the PTK features.
    pub ptk: f64,
    /// Of the PTK features, as a separate term with the sharper bound `|dG| <= s^2 |dK|`, s the spectral norm of W.
    pub computed: f64,
}

impl InputError {
    pub(super) fn check(self) -> Result<(), Error> {
        check_at_least_zero("error of the weights", self.weights)?;
        check_at_least_zero("error of the features", self.ptk)?;
        check_at_least_zero("error of the computed features", self.computed)
    }
}

pub(super) const SQRT_2: Upper = Upper(1.414_213_562_373_095_3);
pub(super) const UNDERFLOW: Upper = Upper(f64::MIN_POSITIVE * 4_194_304.0);

/// `gamma_n` in `f64`.
pub(super) fn gamma(n: usize) -> Upper {
    ieee::gamma(n, f64::UNIT_ROUNDOFF)
}

/// The number of roundings of a term of an inner product of (rows x columns) matrices.
pub(super) fn height(rows: usize, columns: usize) -> usize {
    rows + (usize::BITS - columns.saturating_sub(1).leading_zeros()) as usize
}

/// A computed matrix: an upper bound of its norm, and of its error.
#[derive(Clone, Copy)]
pub(super) struct Matrix {
    pub(super) norm: Upper,
    pub(super) error: Upper,
}

/// Intervals of the exact traces, and the error bounds of the matrices from which the traces were computed.
pub(super) struct Enclosed {
    pub(super) traces: Traces<Interval>,
    /// F by the direct route, M through the gram matrix.
    pub(super) f: Matrix,
    /// G by the direct route, P through the gram matrix.
    pub(super) g: Matrix,
    /// `W 1`.
    pub(super) v: Matrix,
    /// K.
    pub(super) k: Matrix,
}

/// An upper bound of a norm, from the computed sum of squares.
pub(super) fn norm(square: f64, height: usize) -> Upper {
    let square = if square > 0.0 { square } else { 0.0 };
    // The computed sum is at least (1 - gamma) of the exact one, and 1 / (1 - gamma) <= 1 + 2 gamma for gamma <= 1/2.
    (Upper(square) * (Upper(1.0) + Upper(2.0) * gamma(height)) + UNDERFLOW).sqrt()
}

/// A bound of the error of the computed inner product of two computed matrices.
pub(super) fn inner_error(a: Matrix, b: Matrix, height: usize) -> Upper {
    a.error * b.norm + a.norm * b.error + a.error * b.error + gamma(height) * a.norm * b.norm + UNDERFLOW
}

/// Computes intervals of the exact traces, from the computed traces and their matrices.
pub(super) fn enclose<B: Backend<f64>>(
    backend: B,
    (weights, ptk): (&Scaled<'_>, &Scaled<'_>),
    given: InputError,
    squares: &Squares<'_, f64>,
    products: &Products<'_, f64>,
) -> Enclosed {
    let (k, d) = weights.matrix.shape();
    let traces = &products.traces;
    let (e_w, e_k) = (Upper(given.weights), Upper(given.ptk));
    let w = norm(weights.square, height(k, d));
    let kk = norm(ptk.square, height(k, k));
    let computed = Upper(given.computed) * kk;
    let square_error = Upper(2.0) * e_w + e_w * e_w;
    let side = squares.route.side(k, d);
    let h = height(side, side);
    let inner = if squares.route == Route::Gram { d } else { k };
    let f = Matrix { norm: norm(traces.ff, h), error: (square_error + gamma(inner)) * w * w + UNDERFLOW };
    let g = match squares.route {
        Route::Gram => {
            let p_norm = norm(backend.dot(products.g, products.g), h);
            let p_error = (f.error + (f.norm + f.error) * e_k) * kk + gamma(k) * f.norm * kk;
            Matrix { norm: p_norm, error: moved(p_error + UNDERFLOW, f, computed) }
        }
        Route::Direct => {
            let t_norm = kk * w * (Upper(1.0) + gamma(k));
            let t_error = (e_k + e_w + e_k * e_w + gamma(k)) * kk * w;
            let g_error = gamma(k) * w * t_norm + w * t_error + e_w * w * (t_norm + t_error);
            Matrix { norm: norm(traces.gg, h), error: moved(SQRT_2 * g_error + UNDERFLOW, f, computed) }
        }
    };
    // v = W 1 as a vector: |dv| <= (gamma_d + e_W) sqrt(d) |W|.
    let v = Matrix {
        norm: norm(traces.f_sum, height(k, 1)),
        error: (gamma(d) + e_w + gamma(d) * e_w) * Upper(d as f64).sqrt() * w + UNDERFLOW,
    };
    let kv = products.kv;
    let kv_error = (v.error + (v.norm + v.error) * e_k) * kk + gamma(k) * kk * v.norm + UNDERFLOW;
    let kv = Matrix { norm: norm(backend.dot(kv, kv), height(k, 1)), error: moved(kv_error, v, computed) };
    let traces = Traces {
        ff: Interval::around(traces.ff, inner_error(f, f, h).0),
        fg: Interval::around(traces.fg, inner_error(f, g, h).0),
        gg: Interval::around(traces.gg, inner_error(g, g, h).0),
        f_sum: Interval::around(traces.f_sum, inner_error(v, v, height(k, 1)).0),
        g_sum: Interval::around(traces.g_sum, inner_error(v, kv, height(k, 1)).0),
    };
    Enclosed { traces, f, g, v, k: Matrix { norm: kk, error: e_k * kk + computed } }
}

/// The error plus `factor` times the error of computed features, if there is one.
fn moved(error: Upper, factor: Matrix, computed: Upper) -> Upper {
    if computed.0 > UNDERFLOW.0 { error + (factor.norm + factor.error) * computed } else { error }
}
