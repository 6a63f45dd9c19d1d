//! The quadratic network `f(x) = sum_i a_i (w_i . x)^2`, `w_i ~ N(0, I)`: exact expectations at finite size.
//!
//! With residual = labels, `S = X^T diag(y) X`, `B = X^T X`, `P = S^2` and `M = sum_i a_i^2 w_i w_i^T`, up to constants
//! that cancel in the correlation:
//! ```text
//! V = dW/dt = diag(a) W S        V^T V = S M S        V^T K V = S M B M S
//! tr(F^2) = tr(M P M P)   tr(FG) = tr(M P M B M P)   tr(G^2) = tr(M B M P M B M P)
//! ```
//! The predicted correlation is the ratio of their expectations. These need nine traces of words in P and B, and the power
//! sums of a: a few products of d x d matrices, independent of the width. At small sizes the mean of the ratio differs from
//! the ratio of the means; [`Statistics::trials`] estimates it.
//!
//! ```
//! # fn main() -> Result<(), agop_core::error::Error> {
//! use agop_core::early_time::quadratic::{Readout, statistics, statistics_workspace, trial_workspace};
//! use agop_core::{matrix::MatRef, simd::Level};
//! let inputs = [0.5, -1.0, 2.0, 0.25, -0.75, 1.5, 1.0, 1.0];
//! let labels = [1.0, -0.5, 0.25, 2.0];
//! let mut workspace = [0.0; statistics_workspace(2)];
//! let data = statistics(Level::detect(), MatRef::new(&inputs, 4, 2)?, &labels, &mut workspace)?;
//! let predicted = data.expect(Readout::Sign { units: 100 })?;
//! let mut workspace = [0.0; trial_workspace(2)];
//! let drawn = data.trials(Level::detect(), Readout::Sign { units: 100 }, 1, 50, &mut workspace)?;
//! let close = |mean: f64| predicted.rho.is_ok_and(|rho| (rho - mean).abs() < 0.02);
//! assert!(drawn.mean().is_some_and(close));
//! # Ok(())
//! # }
//! ```
//!
//! **Source** Beaglehole, Mitliagkas, Agarwala, *Feature learning as alignment*, arXiv 2402.05271, for the network and its
//! high-dimensional limit; the finite sums are derived here.

mod readout;
mod statistics;
mod trial;
mod wick;
mod words;

pub use readout::Readout;
pub use statistics::{Quadratic, Statistics, statistics, statistics_workspace};
pub use trial::trial_workspace;
pub use wick::Expectation;
pub use words::WordTraces;

use crate::error::{Error, check_workspace};
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, take};
use crate::scalar::Scalar;
use words::Letter;

/// The three traces from which a correlation is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct QuadraticTraces<T> {
    /// `tr(M P M P)`.
    pub ff: T,
    /// `tr(M P M B M P)`.
    pub fg: T,
    /// `tr(M B M P M B M P)`.
    pub gg: T,
}

/// Exact and leading-order expectations of the three traces.
///
/// **Arithmetic** 3, 15 and 105 terms, each a product of tabulated traces and moments; exact on exact scalars.
/// **Accuracy** if P and B are positive semidefinite, no term is negative. The relative error on floats is then below
/// `130 u`, plus that of the word traces and power sums.
/// **Source** derived here, by the pairings of Isserlis.
pub fn expected_traces<T: Scalar<Wide = T>>(
    words: &WordTraces<T>,
    readout: Readout<'_, T>,
) -> QuadraticTraces<Expectation<T>> {
    expected(words, &readout.moments())
}

fn expected<T: Scalar<Wide = T>>(
    words: &WordTraces<T>,
    moments: &readout::Moments<T>,
) -> QuadraticTraces<Expectation<T>> {
    use Letter::{B, P};
    QuadraticTraces {
        ff: wick::expectation(&[P, P], words, moments),
        fg: wick::expectation(&[P, B, P], words, moments),
        gg: wick::expectation(&[B, P, B, P], words, moments),
    }
}

/// The three traces for one draw of M.
///
/// **Shapes** mixture M, squared P and gram B (d x d), symmetric; workspace at least 3 d^2.
/// **Arithmetic** with `N = M P`, `R = N (M B)`: `<N, N^T>`, `<N, R^T>`, `<R, R^T>`; three products.
/// **Errors** [`Error::Shape`], [`Error::Workspace`].
/// **Source** the formulas of [`crate::early_time::quadratic`].
pub fn observed_traces<T: Scalar<Wide = T>, B: Backend<T>>(
    backend: B,
    mixture: MatRef<'_, T>,
    squared: MatRef<'_, T>,
    gram: MatRef<'_, T>,
    workspace: &mut [T],
) -> Result<QuadraticTraces<T>, Error> {
    let d = gram.rows();
    let square = d.saturating_mul(d);
    check_workspace("workspace", square.saturating_mul(3), workspace.len())?;
    let (n, rest) = take(workspace, square);
    let (mb, rest) = take(rest, square);
    let (r, _) = take(rest, square);
    kernel::product(backend, MatMut::new(n, d, d)?, mixture, squared)?;
    kernel::product(backend, MatMut::new(mb, d, d)?, mixture, gram)?;
    let n = MatRef::new(n, d, d)?;
    kernel::product(backend, MatMut::new(r, d, d)?, n, MatRef::new(mb, d, d)?)?;
    let r = MatRef::new(r, d, d)?;
    Ok(QuadraticTraces { ff: backend.dot(n, n.t()), fg: backend.dot(n, r.t()), gg: backend.dot(r, r.t()) })
}
