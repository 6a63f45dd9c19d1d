//! The wide model.

use crate::error::Result;
use crate::memory::filled;
use agop_core::correlation::Undefined;
use agop_core::early_time::wide::{self as core, DualKernel, wide_workspace};
use agop_core::matrix::MatRef;
use agop_core::simd::Level;

/// Variance of the weights times their fan-in, that of [`agop_core::network::Initializer::Normal`].
const VARIANCE: f64 = 1.0;

/// The limit of infinite width for every hidden layer.
///
/// **Shapes** inputs (n x d), targets (n x c).
///
/// # Errors
/// As [`core::wide`], and when the memory cannot be had.
pub fn wide(
    level: Level,
    activation: DualKernel,
    inputs: MatRef<'_, f64>,
    targets: MatRef<'_, f64>,
    hidden_layers: usize,
) -> Result<Vec<std::result::Result<f64, Undefined>>> {
    let mut rho = filled("predictions", hidden_layers, Err(Undefined::NotComputed))?;
    let size = wide_workspace(inputs.rows(), inputs.columns(), targets.columns(), hidden_layers);
    let mut workspace = filled("workspace of sample pairs", size, 0.0)?;
    core::wide(level, activation, VARIANCE, inputs, targets, &mut rho, &mut workspace)?;
    Ok(rho)
}
