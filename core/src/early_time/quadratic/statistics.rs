//! The prediction from inputs and labels, in `f64`.

use super::{Expectation, QuadraticTraces, Readout, WordTraces, expected_traces};
use crate::correlation::{Undefined, cosine};
use crate::error::{Error, check_length, check_workspace};
use crate::ieee::{exponent, normalize, times_power_of_two};
use crate::kernel::{self, Backend, Init, Triangle};
use crate::matrix::{MatMut, MatRef, cut, take};
use crate::scalar::Real;

/// Samples, or units, that are processed at a time.
pub(super) const ROWS: usize = 64;

/// Values of workspace that [`statistics`] needs in d dimensions.
pub const fn statistics_workspace(d: usize) -> usize {
    let square = d.saturating_mul(d);
    square.saturating_mul(3).saturating_add(d.saturating_mul(2 * ROWS))
}

/// The statistics of inputs and labels on which the prediction depends: B and P, scaled by powers of two, and their word
/// traces.
#[derive(Clone, Debug)]
pub struct Statistics<'w> {
    pub(super) gram: MatRef<'w, f64>,
    pub(super) squared: MatRef<'w, f64>,
    words: WordTraces<f64>,
    gram_exponent: i32,
    squared_exponent: i32,
}

/// The prediction for the quadratic network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quadratic {
    /// Ratio of the exact expectations at the given width, dimension and number of samples.
    pub rho: Result<f64, Undefined>,
    /// The same from the leading order in high dimension.
    pub leading_rho: Result<f64, Undefined>,
    /// `E tr(MPMP)`, `E tr(MPMBMP)`, `E tr(MBMPMBMP)`. An overflow gives infinity and does not affect `rho`.
    pub ff: f64,
    /// See [`Quadratic::ff`].
    pub fg: f64,
    /// See [`Quadratic::ff`].
    pub gg: f64,
    /// Part of each expectation, (ff, fg, gg), that the high-dimensional limit neglects: `1 - leading / exact`.
    pub neglected: (f64, f64, f64),
}

/// The statistics of inputs X and labels y: `B = X^T X`, `P = (X^T diag(y) X)^2`.
///
/// **Shapes** inputs (n x d), labels (n), workspace at least [`statistics_workspace`].
/// **Arithmetic** in `f64`, on X and y scaled by powers of two to a largest magnitude in [1/2, 1), one chain over samples
/// for each element; B and P are scaled in the same way, so that nothing overflows.
/// **Errors** [`Error::NoSamples`], [`Error::Length`], [`Error::Workspace`], [`Error::NotFinite`].
pub fn statistics<'w, T: Real, B: Backend<f64>>(
    backend: B,
    inputs: MatRef<'_, T>,
    labels: &[T],
    workspace: &'w mut [f64],
) -> Result<Statistics<'w>, Error> {
    let (n, d) = inputs.shape();
    if n == 0 || d == 0 {
        return Err(Error::NoSamples);
    }
    check_length("labels", n, labels.len())?;
    check_workspace("workspace", statistics_workspace(d), workspace.len())?;
    inputs.check_finite("inputs")?;
    MatRef::column_vector(labels).check_finite("labels")?;
    let x_exponent = exponent(inputs.elements().map(|x| x.to_f64())).unwrap_or(0);
    let y_exponent = exponent(labels.iter().map(|y| y.to_f64())).unwrap_or(0);
    let (b, rest) = take(workspace, d * d);
    let (p, rest) = take(rest, d * d);
    let (s, rest) = take(rest, d * d);
    let (plain, rest) = take(rest, ROWS * d);
    let (labelled, _) = take(rest, ROWS * d);
    b.fill(0.0);
    s.fill(0.0);
    let mut start = 0;
    while start < n {
        let part = inputs.row_range(start, ROWS);
        let m = part.rows();
        for (slot, x) in plain.iter_mut().zip(part.elements()) {
            *slot = times_power_of_two(x.to_f64(), -x_exponent);
        }
        let rows = plain.chunks_exact(d).zip(labelled.chunks_exact_mut(d));
        for ((from, to), y) in rows.zip(labels.iter().skip(start).take(m)) {
            let y = times_power_of_two(y.to_f64(), -y_exponent);
            to.iter_mut().zip(from).for_each(|(slot, x)| *slot = y * x);
        }
        let x = MatRef::new(cut(plain, ..m * d), m, d)?;
        let yx = MatRef::new(cut(labelled, ..m * d), m, d)?;
        backend.accumulate(MatMut::new(b, d, d)?, x.t(), x, Triangle::Upper, Init::Accumulate);
        backend.accumulate(MatMut::new(s, d, d)?, x.t(), yx, Triangle::Upper, Init::Accumulate);
        start += m;
    }
    kernel::mirror(MatMut::new(b, d, d)?)?;
    kernel::mirror(MatMut::new(s, d, d)?)?;
    let s_exponent = normalize(s);
    kernel::outer(backend, MatMut::new(p, d, d)?, MatRef::new(s, d, d)?)?;
    let gram_exponent = normalize(b) + 2 * x_exponent;
    let squared_exponent = normalize(p) + 2 * (s_exponent + 2 * x_exponent + y_exponent);
    let (gram, squared) = (MatRef::new(b, d, d)?, MatRef::new(p, d, d)?);
    let words = WordTraces::new(backend, squared, gram, s)?;
    Ok(Statistics { gram, squared, words, gram_exponent, squared_exponent })
}

impl Statistics<'_> {
    /// The dimension d.
    pub fn dimension(&self) -> usize {
        self.gram.rows()
    }

    /// The prediction for a readout.
    ///
    /// **Arithmetic** as [`expected_traces`], with a given readout scaled by a power of two.
    /// **Accuracy** the relative error of the traces is below `(n + 8 d + k + 130) 2^-53` times the condition number of the
    /// sum S: labels of both signs can cancel in `X^T diag(y) X`.
    /// **Errors** [`Error::NotFinite`]. With a zero readout, zero inputs or zero labels `rho` is [`Undefined`].
    pub fn expect(&self, readout: Readout<'_, f64>) -> Result<Quadratic, Error> {
        let mut taken = 0;
        let traces = if let Readout::Given(values) = readout {
            MatRef::column_vector(values).check_finite("readout")?;
            taken = exponent(values.iter().copied()).unwrap_or(0);
            self.expected_given(values, taken)
        } else {
            expected_traces(&self.words, readout)
        };
        let (a, b, p) = (2 * taken, self.gram_exponent, self.squared_exponent);
        let ratio = |of: fn(&Expectation<f64>) -> f64| {
            let (ff, gg) = (of(&traces.ff), of(&traces.gg));
            if ff <= 0.0 {
                Err(Undefined::ZeroLossGradient)
            } else if gg <= 0.0 {
                Err(Undefined::ZeroGradient)
            } else {
                Ok(cosine(ff, of(&traces.fg), gg))
            }
        };
        let neglected =
            |x: &Expectation<f64>| if x.exact > 0.0 { (x.exact - x.leading) / x.exact } else { 0.0 };
        Ok(Quadratic {
            rho: ratio(|x| x.exact),
            leading_rho: ratio(|x| x.leading),
            ff: times_power_of_two(traces.ff.exact, 2 * (a + p)),
            fg: times_power_of_two(traces.fg.exact, 3 * a + 2 * p + b),
            gg: times_power_of_two(traces.gg.exact, 4 * a + 2 * (p + b)),
            neglected: (neglected(&traces.ff), neglected(&traces.fg), neglected(&traces.gg)),
        })
    }

    /// The power sums of a scaled readout, without a copy of it.
    fn expected_given(&self, values: &[f64], exponent: i32) -> QuadraticTraces<Expectation<f64>> {
        let scaled = values.iter().map(|a| times_power_of_two(*a, -exponent));
        super::expected(&self.words, &super::readout::Moments::given(scaled))
    }
}
