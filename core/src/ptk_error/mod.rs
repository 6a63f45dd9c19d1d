//! Upper bounds of the rounding error of PTK features: of the distance between the computed K and the K of exact
//! arithmetic.
//!
//! The exact K is that of the weights, biases and samples before they were rounded to the scalar `T`. Norms of vectors are
//! Euclidean, those of matrices Frobenius; `s` is an upper bound of the spectral norm. u is the unit roundoff of `T`, `rho`
//! the relative error of reading, and `dx` the error of x:
//!
//! ```text
//! forward    t = (gamma_(d+1) + rho) |x|
//!            |dh_i| <= |w_i| (t + |dx|) + (gamma_(d+1) + rho) |b_i|       one unit
//!            |dh| <= |W| t + s |dx| + (gamma_(d+1) + rho) |b|             all units of a layer
//!            |dx'| <= max |phi'| |dh| + value_error u |x'|                the next layer's inputs
//!            sigma = max |phi''| max_i |dh_i| + slope_error u             the slopes
//! backward   P = J' W', J = P o phi'(h), where J', W' are those of the layer above and J' of the readout is exact
//!            |dP| <= |W'| (gamma_k' + rho) |J'| + s' |dJ'|
//!            |dJ| <= max |phi'| |dP| + sigma |P| + |P of uncertain units| + u |J|
//! features   |dK| <= (1/n) sum_a (2 |J_a| |dJ_a| + |dJ_a|^2) + gamma_m tr K,  m the roundings of the sum over samples
//! ```
//! A unit is *uncertain* if the activation has a kink and `|h_i| <= |dh_i|`: its exact slope can be 0 or 1. A unit whose
//! products are all exactly zero is certain.
//!
//! There are two methods:
//! - [`Norms::forward`] analyses the forward pass. [`Norms::plain`] then uses root mean squares over samples for the
//!   backward pass (`|J|^2 = tr K`). It gives no bound for a layer if a unit of it, or of a later layer, is uncertain.
//! - [`Norms::certify`] analyses every Jacobian, with both slopes of each uncertain unit. [`Norms::certified`] then
//!   computes the bounds.
//!
//! **Source** the model of rounding of N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, chapter 3. The
//! bounds are derived here, by the triangle inequality and the inequality of Cauchy and Schwarz.

mod backward;
mod forward;
mod norms;
mod passes;

pub use norms::{Norms, norms_length, norms_workspace};

use crate::ieee::{Upper, gamma};
use crate::kernel::Backend;
use crate::reduce::{SAMPLE_BLOCK, blocks};
use crate::scalar::Real;

/// Relative errors of the elements as they were read: 0, or the unit roundoff of the scalar if they were rounded to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReadError {
    /// Of weights and biases.
    pub weights: f64,
    /// Of the samples.
    pub inputs: f64,
}

/// The results of the passes over samples for one hidden layer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LayerError {
    /// An upper bound of `|phi'|` over units and samples.
    pub(crate) slope: Upper,
    /// The largest sigma of a sample.
    pub(crate) slope_error: Upper,
    /// Number of units of uncertain slope, summed over samples.
    pub uncertain: u64,
    /// `sum_a (2 |J_a| |dJ_a| + |dJ_a|^2)`; only [`Norms::certify`] computes it.
    pub(crate) moved: Upper,
}

impl LayerError {
    /// Merges the results for other samples.
    ///
    /// **Arithmetic** the maximum of slopes, and sums rounded up. The order of merges therefore affects the last bits.
    pub fn merge(&mut self, other: &Self) {
        self.slope = self.slope.or(other.slope);
        self.slope_error = self.slope_error.or(other.slope_error);
        self.uncertain = self.uncertain.saturating_add(other.uncertain);
        self.moved = self.moved + other.moved;
    }
}

/// The number of roundings of a term of K: those of the chain over samples and outputs of a block, of the tree over blocks,
/// and of the division by the number of samples.
fn roundings(samples: u64, outputs: usize) -> usize {
    let tree = u64::BITS - blocks(samples).leading_zeros();
    let chain = if samples < SAMPLE_BLOCK as u64 { samples as usize } else { SAMPLE_BLOCK };
    chain.saturating_mul(outputs).saturating_add(tree as usize + 2)
}

/// An upper bound of the underflow errors in the norm of one vector or matrix: at most 2^30 operations for each of 2^40
/// elements, with an error of half the smallest subnormal each.
fn underflow<T: Real>() -> Upper {
    // 2^-90 and 2^-1000.
    Upper(if T::BYTES == 4 { 8.077_935_669_463_161e-28 } else { f64::MIN_POSITIVE * 4_194_304.0 })
}

/// An upper bound of the ratio of an exact sum of nonnegative terms to its computed value: at most `1 / (1 - gamma)`.
fn over(gamma: Upper) -> Upper {
    if gamma.0 <= 0.5 { Upper(1.0) + Upper(2.0) * gamma } else { Upper(f64::INFINITY) }
}

/// An upper bound of `|x|`.
fn norm<T: Real>(backend: impl Backend<T>, x: &[T]) -> Upper {
    let square = backend.vectorize(
        #[inline(always)]
        || square_sum(x),
    );
    root(square, x.len())
}

/// An upper bound of a norm, from the computed sum of n squares.
fn root(square: f64, n: usize) -> Upper {
    (Upper(square) * over(gamma(n, f64::UNIT_ROUNDOFF)) + underflow::<f64>()).sqrt()
}

/// `max_i |x_i|`, in 16 independent chains, so that the loop vectorises.
#[inline(always)]
fn largest<T: Real>(x: &[T]) -> f64 {
    let larger = |max: f64, x: f64| if x > max { x } else { max };
    let mut max = [0.0; 16];
    let (chunks, rest) = x.as_chunks::<16>();
    for chunk in chunks {
        for (max, x) in max.iter_mut().zip(chunk) {
            *max = larger(*max, x.to_f64().abs());
        }
    }
    rest.iter().map(|x| x.to_f64().abs()).chain(max).fold(0.0, larger)
}

/// `sum_i x_i^2` in `f64`, in 16 independent chains, so that the loop vectorises.
#[inline(always)]
fn square_sum<T: Real>(x: &[T]) -> f64 {
    let mut sums = [0.0; 16];
    let (chunks, rest) = x.as_chunks::<16>();
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x.to_f64() * x.to_f64();
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += x.to_f64() * x.to_f64();
    }
    sums.iter().fold(0.0, |total, sum| total + sum)
}
