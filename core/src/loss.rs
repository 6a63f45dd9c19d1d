//! Losses: for each sample its term of the value, and the derivative with respect to the outputs.

use crate::kernel::{Backend, Init, Triangle};
use crate::matrix::{MatMut, MatRef, rows_mut};
use crate::scalar::{Scalar, Transcendental, undefined};
use crate::simd::DETECTS;

/// A loss that is a mean over samples.
pub trait Loss<T: Scalar>: Copy {
    /// The sum over n samples is divided by n times this number.
    fn divisor(&self) -> u64;

    /// Replaces the outputs `f` of one sample by `g = n dloss/df` and returns `sum` plus the sample's term.
    ///
    /// **Shapes** outputs (c), target (c).
    fn residual(&self, outputs: &mut [T], target: &[T], sum: T) -> T;

    /// [`Loss::residual`] for one sample after the other, with the same bits on every backend.
    ///
    /// **Shapes** outputs (n c), targets (n x c) with contiguous rows.
    fn residuals<B: Backend<T>>(&self, _: B, outputs: &mut [T], targets: MatRef<'_, T>, sum: T) -> T {
        one_by_one(self, outputs, targets, sum)
    }
}

/// [`Loss::residual`] for one sample after the other.
fn one_by_one<T: Scalar>(loss: &impl Loss<T>, outputs: &mut [T], targets: MatRef<'_, T>, sum: T) -> T {
    rows_mut(outputs, targets.columns()).enumerate().fold(sum, |sum, (sample, outputs)| {
        let target = targets.row_slice(sample);
        debug_assert!(target.is_some(), "a row of the targets is missing or strided");
        loss.residual(outputs, target.unwrap_or_default(), sum)
    })
}

/// Mean squared error `(1/2n) sum |f - y|^2`.
///
/// **Arithmetic** `g = f - y`; one chain `sum <- fma(g, g, sum)` over the outputs, ascending.
/// **Source** the least squares loss; g is its derivative times n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeanSquared;

impl<T: Scalar> Loss<T> for MeanSquared {
    fn divisor(&self) -> u64 {
        2
    }
    #[inline]
    fn residual(&self, outputs: &mut [T], target: &[T], sum: T) -> T {
        outputs.iter_mut().zip(target).fold(sum, |sum, (f, y)| {
            *f = f.clone() - y.clone();
            T::fma(f, f, sum)
        })
    }
    /// The chain is the product of a row and a column, so that it can use the backend's fma instruction where the compile
    /// target has none.
    fn residuals<B: Backend<T>>(&self, backend: B, outputs: &mut [T], targets: MatRef<'_, T>, sum: T) -> T {
        let Some(y) = targets.as_slice().filter(|y| DETECTS && y.len() == outputs.len()) else {
            return one_by_one(self, outputs, targets, sum);
        };
        backend.vectorize(|| outputs.iter_mut().zip(y).for_each(|(f, y)| *f = f.clone() - y.clone()));
        let (mut sum, g) = ([sum], MatRef::column_vector(outputs));
        if let Ok(sum) = MatMut::new(&mut sum, 1, 1) {
            backend.accumulate(sum, g.t(), g, Triangle::Full, Init::Accumulate);
        }
        let [sum] = sum;
        sum
    }
}

/// Softmax cross-entropy `(1/n) sum_a sum_o y_ao (logsumexp(f_a) - f_ao)` for target distributions y.
///
/// **Arithmetic** Let m be the largest output, `e_o = exp(f_o - m)`, `s = sum e_o` ascending, and `lse = m + ln s`. The term
/// of a sample is one chain `fma(y_o, lse - f_o, sum)`, and `g_o = (sum y) e_o / s - y_o`. An output that is not finite
/// gives `g_o = NaN`, even if `e_o` is zero.
/// **Source** C. M. Bishop, *Pattern Recognition and Machine Learning*, (4.108) and (4.109).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrossEntropy;

impl<T: Transcendental> Loss<T> for CrossEntropy {
    fn divisor(&self) -> u64 {
        1
    }
    fn residual(&self, outputs: &mut [T], target: &[T], sum: T) -> T {
        let Some(first) = outputs.first().cloned() else { return sum };
        let largest = outputs.iter().fold(first, |largest, f| {
            if (f.clone() - largest.clone()).is_positive() { f.clone() } else { largest }
        });
        let scale = outputs.iter().fold(T::zero(), |scale, f| scale + (f.clone() - largest.clone()).exp());
        let log_sum = largest.clone() + scale.ln();
        let mass = target.iter().fold(T::zero(), |mass, y| mass + y.clone());
        outputs.iter_mut().zip(target).fold(sum, |sum, (f, y)| {
            let term = T::fma(y, &(log_sum.clone() - f.clone()), sum);
            let share = mass.clone() * (f.clone() - largest.clone()).exp() / scale.clone() - y.clone();
            *f = if f.is_finite() { share } else { undefined(f) };
            term
        })
    }
}

/// A loss chosen at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnyLoss {
    /// [`MeanSquared`].
    MeanSquared,
    /// [`CrossEntropy`].
    CrossEntropy,
}

impl AnyLoss {
    /// All losses.
    pub const ALL: &'static [Self] = &[Self::MeanSquared, Self::CrossEntropy];

    /// The name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MeanSquared => "mean-squared",
            Self::CrossEntropy => "cross-entropy",
        }
    }

    /// The loss with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|loss| loss.name() == name)
    }
}

impl<T: Transcendental> Loss<T> for AnyLoss {
    fn divisor(&self) -> u64 {
        match self {
            Self::MeanSquared => Loss::<T>::divisor(&MeanSquared),
            Self::CrossEntropy => Loss::<T>::divisor(&CrossEntropy),
        }
    }
    fn residual(&self, outputs: &mut [T], target: &[T], sum: T) -> T {
        match self {
            Self::MeanSquared => MeanSquared.residual(outputs, target, sum),
            Self::CrossEntropy => CrossEntropy.residual(outputs, target, sum),
        }
    }
    fn residuals<B: Backend<T>>(&self, backend: B, outputs: &mut [T], targets: MatRef<'_, T>, sum: T) -> T {
        match self {
            Self::MeanSquared => MeanSquared.residuals(backend, outputs, targets, sum),
            Self::CrossEntropy => CrossEntropy.residuals(backend, outputs, targets, sum),
        }
    }
}
