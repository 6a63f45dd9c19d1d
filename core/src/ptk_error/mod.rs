//! Upper bounds of the rounding error of PTK features: how far the computed K can be from the K of exact arithmetic.
//!
//! Exact is the network as it is stored: weights, biases and samples before they were rounded to the scalar `T`. Norms
//! are Euclidean, of matrices Frobenius; `s` is an upper bound of the spectral norm. With u the unit roundoff of `T`,
//! `rho` the relative error of reading, and the errors of a sample written with a `d`:
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
//! A unit is *uncertain* where the activation has a kink and `|h_i| <= |dh_i|`: its slope can be 0 or 1. A unit whose
//! products are all exactly zero is certain.
//!
//! [`Norms::forward`] looks at the forward pass alone. [`Norms::plain`] then takes root mean squares over samples for the
//! backward pass (`|J|^2 = tr K`), and gives no bound where a unit is uncertain. [`Norms::certify`] looks at every
//! Jacobian and counts uncertain units both ways; [`Norms::certified`] then ends the sum.
//!
//! **Source** the model of rounding of N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, chapter 3; the rest
//! is the triangle inequality and that of Cauchy and Schwarz.

mod backward;
mod forward;
mod norms;
mod passes;

pub use norms::{Norms, norms_length, norms_workspace};

use crate::ieee::{Upper, gamma};
use crate::kernel::Backend;
use crate::reduce::{SAMPLE_BLOCK, blocks};
use crate::scalar::Real;

/// Relative errors with which numbers were read, each element for itself: 0, or the unit roundoff of the scalar where they
/// were rounded to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReadError {
    /// Of weights and biases.
    pub weights: f64,
    /// Of the samples.
    pub inputs: f64,
}

/// What the passes over samples found in one hidden layer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LayerError {
    /// At least `|phi'|` of every unit and sample.
    pub(crate) slope: Upper,
    /// Largest sigma of a sample.
    pub(crate) slope_error: Upper,
    /// Units of uncertain slope, summed over samples.
    pub uncertain: u64,
    /// `sum_a (2 |J_a| |dJ_a| + |dJ_a|^2)`, of [`Norms::certify`] alone.
    pub(crate) moved: Upper,
}

impl LayerError {
    /// Takes in what was found in other samples.
    ///
    /// **Arithmetic** the largest slopes; sums rounded up, so that their order matters to the last bits.
    pub fn merge(&mut self, other: &Self) {
        self.slope = self.slope.or(other.slope);
        self.slope_error = self.slope_error.or(other.slope_error);
        self.uncertain = self.uncertain.saturating_add(other.uncertain);
        self.moved = self.moved + other.moved;
    }
}

/// Roundings that a term of K passes through: the chain over samples and outputs of a block, the tree over blocks, and the
/// division by the number of samples.
fn roundings(samples: u64, outputs: usize) -> usize {
    let tree = u64::BITS - blocks(samples).leading_zeros();
    let chain = if samples < SAMPLE_BLOCK as u64 { samples as usize } else { SAMPLE_BLOCK };
    chain.saturating_mul(outputs).saturating_add(tree as usize + 2)
}

/// What underflow can add to the norm of one vector or matrix, and to one element: at most 2^30 operations for each of 2^40
/// elements, half the smallest subnormal each.
fn underflow<T: Real>() -> Upper {
    // 2^-90 and 2^-1000.
    Upper(if T::BYTES == 4 { 8.077_935_669_463_161e-28 } else { f64::MIN_POSITIVE * 4_194_304.0 })
}

/// A sum of terms that are not below zero, over its rounded value: at most `1 / (1 - gamma)`.
fn over(gamma: Upper) -> Upper {
    if gamma.0 <= 0.5 { Upper(1.0) + Upper(2.0) * gamma } else { Upper(f64::INFINITY) }
}

/// `|x|` from above.
fn norm<T: Real>(backend: impl Backend<T>, x: &[T]) -> Upper {
    let square = backend.vectorize(
        #[inline(always)]
        || square_sum(x),
    );
    root(square, x.len())
}

/// A norm from a computed sum of n squares.
fn root(square: f64, n: usize) -> Upper {
    (Upper(square) * over(gamma(n, f64::UNIT_ROUNDOFF)) + underflow::<f64>()).sqrt()
}

/// `max_i |x_i|`, in as many chains as vector lanes like.
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

/// `sum_i x_i^2` in `f64`, in as many chains as vector lanes like.
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
