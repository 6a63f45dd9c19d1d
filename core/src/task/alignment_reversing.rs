//! Data in which the labels order the directions of input space opposite to the inputs themselves.

use crate::elementary::{exp, ln};
use crate::error::{Error, check_length};
use crate::ieee::sqrt;
use crate::matrix::MatMut;
use crate::random::Stream;
use crate::scalar::Real;

/// Inputs and labels whose early-time C-NFC falls from near 1 to near 0 as the balance goes from 0 to 1.
///
/// Each sample is in the span of one of two groups of coordinates: the first `reversed` ones, or all the others.
/// With `c = contrast^balance` and `r = label_ratio^balance`:
/// ```text
/// sample a is in the reversed group  when  a mod d < q,  q = reversed
/// reversed:  x = (z, 0), z ~ N(0, c (d - q) / q I_q)      y = r / c
/// others:    x = (0, z), z ~ N(0, I_{d-q})                y = 1
/// X^T X            a reversed direction has c times the weight of another
/// X^T diag(y) X    a reversed direction has r times the weight of another
/// ```
/// The neural feature matrix of the first step is determined by `X^T diag(y) X`, in which the other directions dominate. The
/// gradient outer product also contains `X^T X`, in which the reversed directions dominate. With few reversed directions
/// (one is enough) and many others the two matrices are nearly orthogonal. At finite width k the features also contain
/// `tr(X^T X) / k` in every direction. The correlation therefore stays above about `2 k^(-1/2)`, and two groups of equal
/// size do not work.
///
/// **Source** Beaglehole, Mitliagkas, Agarwala, *Feature learning as alignment*, arXiv 2402.05271, for the idea; the
/// construction is derived here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlignmentReversing {
    /// From 0 (isotropic inputs, labels 1) to 1 (fully reversed).
    pub balance: f64,
    /// Number of reversed directions q, from 1 to d - 1.
    pub reversed: usize,
    /// Ratio of weights under `X^T X` at balance 1, at least 1.
    pub contrast: f64,
    /// Ratio of weights under `X^T diag(y) X` at balance 1, above 0 and at most 1.
    pub label_ratio: f64,
}

impl AlignmentReversing {
    /// One reversed direction, contrast 1e5, label ratio 0.4: with 128 directions, 4096 samples and width 4096 the
    /// correlation goes from above 0.95 to below 0.1.
    pub const fn new(balance: f64) -> Self {
        Self { balance, reversed: 1, contrast: 1e5, label_ratio: 0.4 }
    }

    /// Fills inputs and labels.
    ///
    /// **Shapes** inputs (n x d), labels (n).
    /// **Arithmetic** one draw for each coordinate that is not 0, in row-major order; normal times deviation in `f64`,
    /// rounded once. The bits are the same on every target ([`crate::elementary`]).
    /// **Errors** [`Error::Parameter`] for a parameter outside its range, [`Error::Length`].
    ///
    /// ```
    /// # fn main() -> Result<(), agop_core::error::Error> {
    /// use agop_core::{matrix::MatMut, random::{Purpose, Stream}, task::AlignmentReversing};
    /// let (mut inputs, mut labels) = ([0.0; 12], [0.0; 4]);
    /// let mut stream = Stream::new(1, Purpose::TrainInputs, 0);
    /// AlignmentReversing::new(0.0).fill(&mut stream, MatMut::new(&mut inputs, 4, 3)?, &mut labels)?;
    /// assert_eq!(labels, [1.0; 4]);
    /// assert_eq!((inputs[1], inputs[2], inputs[3]), (0.0, 0.0, 0.0)); // only the first and the last sample are reversed
    /// # Ok(())
    /// # }
    /// ```
    pub fn fill<T: Real>(
        &self,
        stream: &mut Stream,
        mut inputs: MatMut<'_, T>,
        labels: &mut [T],
    ) -> Result<(), Error> {
        let (n, d) = inputs.shape();
        check_length("labels", n, labels.len())?;
        let q = self.reversed;
        let check = |fits: bool, what, expected, found| {
            if fits { Ok(()) } else { Err(Error::Parameter { what, expected, found }) }
        };
        check((0.0..=1.0).contains(&self.balance), "balance", "between 0 and 1", self.balance)?;
        check(q >= 1 && q < d, "reversed directions", "at least 1 and fewer than the dimension", q as f64)?;
        check(
            (1.0..=MOST_CONTRAST).contains(&self.contrast),
            "contrast",
            "between 1 and 1e12",
            self.contrast,
        )?;
        let ratio = self.label_ratio;
        let fits = (1.0 / MOST_CONTRAST..=1.0).contains(&ratio);
        check(fits, "label ratio", "between 1e-12 and 1", ratio)?;
        let contrast = exp(self.balance * ln(self.contrast));
        let label = exp(self.balance * ln(ratio)) / contrast;
        let deviation = sqrt(contrast * (d - q) as f64 / q as f64);
        for ((a, row), slot) in inputs.rows_mut().enumerate().zip(labels) {
            let reversed = a % d < q;
            *slot = T::from_f64(if reversed { label } else { 1.0 });
            for (i, x) in row.iter_mut().enumerate() {
                *x = match (reversed, i < q) {
                    (true, true) => T::from_f64(stream.normal() * deviation),
                    (false, false) => T::from_f64(stream.normal()),
                    _ => T::zero(),
                };
            }
        }
        Ok(())
    }
}

/// The largest contrast. With a larger one the smaller group would be lost in the rounding of sums, and `f32` would soon
/// overflow.
const MOST_CONTRAST: f64 = 1e12;
