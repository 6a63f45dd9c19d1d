//! The quadratic model: expectations, and the spread of drawn weights around them.

use super::report::Trials;
use crate::error::Result;
use crate::memory::filled;
use agop_core::early_time::quadratic::{
    Quadratic, Readout, statistics, statistics_workspace, trial_workspace,
};
use agop_core::matrix::MatRef;
use agop_core::simd::Level;

/// The prediction for one hidden layer of quadratic units, and its trials, which can fail alone.
///
/// **Shapes** inputs (n x d), labels (n).
///
/// # Errors
/// Numbers that are not finite, and when the memory cannot be had.
pub fn quadratic(
    level: Level,
    inputs: MatRef<'_, f64>,
    labels: &[f64],
    readout: Readout<'_, f64>,
    seed: u64,
    trials: u32,
) -> Result<(Quadratic, Result<Trials>)> {
    let d = inputs.columns();
    let mut workspace = filled("workspace", statistics_workspace(d), 0.0)?;
    let all = statistics(level, inputs, labels, &mut workspace)?;
    let found = all.expect(readout)?;
    let observe = || {
        let mut workspace = filled("workspace", trial_workspace(d), 0.0)?;
        let observed = all.trials(level, readout, seed, trials, &mut workspace)?;
        Ok(Trials::new(trials, seed, &[observed]))
    };
    Ok((found, observe()))
}
