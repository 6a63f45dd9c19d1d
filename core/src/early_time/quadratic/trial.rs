//! Monte Carlo: the correlation at randomly drawn weights, for comparison with its prediction.

use super::statistics::{ROWS, Statistics};
use super::{Readout, observed_traces};
use crate::correlation::{Undefined, cosine};
use crate::early_time::RunningStatistics;
use crate::error::{Error, check_length, check_workspace};
use crate::ieee::{exponent, normalize, times_power_of_two};
use crate::kernel::{self, Backend, Init, Triangle};
use crate::matrix::{MatMut, MatRef, cut, take};
use crate::random::{Purpose, Stream};

/// Values of workspace that [`Statistics::observe`], [`Statistics::trial`] and [`Statistics::trials`] need.
pub const fn trial_workspace(d: usize) -> usize {
    d.saturating_mul(d).saturating_mul(4).saturating_add(d.saturating_mul(ROWS))
}

impl Statistics<'_> {
    /// The limit of the correlation at given weights, residual = labels.
    ///
    /// **Shapes** weights (k x d), readout (k), workspace at least [`trial_workspace`]. The cost is k d^2 and three d x d
    /// products; neither n nor k^2 occurs.
    /// **Errors** [`Error::Shape`], [`Error::Length`], [`Error::Workspace`], [`Error::NotFinite`].
    pub fn observe<B: Backend<f64>>(
        &self,
        backend: B,
        weights: MatRef<'_, f64>,
        readout: &[f64],
        workspace: &mut [f64],
    ) -> Result<Result<f64, Undefined>, Error> {
        weights.check_shape("weights", (weights.rows(), self.dimension()))?;
        check_length("readout", weights.rows(), readout.len())?;
        weights.check_finite("weights")?;
        MatRef::column_vector(readout).check_finite("readout")?;
        let w = exponent(weights.elements().copied()).unwrap_or(0);
        let a = exponent(readout.iter().copied()).unwrap_or(0);
        let mut rows = (0..weights.rows()).zip(readout);
        self.mixture(backend, workspace, |row| {
            let Some((i, readout)) = rows.next() else { return false };
            let readout = times_power_of_two(*readout, -a);
            for (slot, x) in row.iter_mut().zip(weights.row(i)) {
                *slot = readout * times_power_of_two(*x, -w);
            }
            true
        })
    }

    /// The limit of the correlation at weights drawn from the stream.
    ///
    /// **Shapes** workspace at least [`trial_workspace`].
    /// **Arithmetic** for each unit, one normal for its readout if the readout is Gaussian, then d normals for its weights.
    /// **Errors** [`Error::Workspace`], [`Error::NotFinite`].
    pub fn trial<B: Backend<f64>>(
        &self,
        backend: B,
        readout: Readout<'_, f64>,
        stream: &mut Stream,
        workspace: &mut [f64],
    ) -> Result<Result<f64, Undefined>, Error> {
        let scale = match readout {
            Readout::Given(values) => {
                MatRef::column_vector(values).check_finite("readout")?;
                exponent(values.iter().copied()).unwrap_or(0)
            }
            _ => 0,
        };
        let mut units = 0..readout.units();
        self.mixture(backend, workspace, |row| {
            let Some(i) = units.next() else { return false };
            let a = match readout {
                Readout::Given(values) => times_power_of_two(values.get(i).copied().unwrap_or(0.0), -scale),
                Readout::Gaussian { .. } => stream.normal(),
                Readout::Sign { .. } => 1.0,
            };
            row.iter_mut().for_each(|slot| *slot = a * stream.normal());
            true
        })
    }

    /// Mean and deviation of the correlation over `trials` draws, without those in which it is undefined. Draw i uses the
    /// stream (seed, [`Purpose::Trial`], i).
    ///
    /// **Errors** as [`Statistics::trial`].
    pub fn trials<B: Backend<f64>>(
        &self,
        backend: B,
        readout: Readout<'_, f64>,
        seed: u64,
        trials: u32,
        workspace: &mut [f64],
    ) -> Result<RunningStatistics, Error> {
        let mut found = RunningStatistics::default();
        for trial in 0..trials {
            let mut stream = Stream::new(seed, Purpose::Trial, trial);
            if let Ok(rho) = self.trial(backend, readout, &mut stream, workspace)? {
                found.add(rho);
            }
        }
        Ok(found)
    }

    /// `M = sum_i (a_i w_i)(a_i w_i)^T` over the rows that `next` writes until it returns false, then the correlation.
    fn mixture<B: Backend<f64>>(
        &self,
        backend: B,
        workspace: &mut [f64],
        mut next: impl FnMut(&mut [f64]) -> bool,
    ) -> Result<Result<f64, Undefined>, Error> {
        let d = self.dimension();
        check_workspace("workspace", trial_workspace(d), workspace.len())?;
        let (m, rest) = take(workspace, d * d);
        let (rows, rest) = take(rest, ROWS * d);
        m.fill(0.0);
        loop {
            let filled =
                rows.chunks_exact_mut(kernel::positive(d)).map_while(|row| next(row).then_some(())).count();
            let part = MatRef::new(cut(rows, ..filled * d), filled, d)?;
            backend.accumulate(MatMut::new(m, d, d)?, part.t(), part, Triangle::Upper, Init::Accumulate);
            if filled < ROWS {
                break;
            }
        }
        kernel::mirror(MatMut::new(m, d, d)?)?;
        normalize(m);
        let t = observed_traces(backend, MatRef::new(m, d, d)?, self.squared, self.gram, rest)?;
        Ok(if t.ff <= 0.0 {
            Err(Undefined::ZeroLossGradient)
        } else if t.gg <= 0.0 {
            Err(Undefined::ZeroGradient)
        } else {
            Ok(cosine(t.ff, t.fg, t.gg))
        })
    }
}
