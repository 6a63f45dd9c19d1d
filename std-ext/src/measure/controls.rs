//! Controls beside a correlation: what it was before training, and what the covariance of the inputs would give.

use super::{Features, NEEDS_INIT};
use crate::error::Result;
use crate::machine::Machine;
use crate::memory::filled;
use crate::network::{Model, ROWS};
use crate::samples::Rows;
use agop_core::activation::Activation;
use agop_core::correlation::{
    InputError, Powers, Route, correlate, correlate_workspace, covariance_cosine, covariance_workspace,
};
use agop_core::feature::ptk_of_layer;
use agop_core::matrix::MatRef;
use agop_core::reduce::SAMPLE_BLOCK;
use agop_core::scalar::Real;
use agop_core::simd::Level;
use serde::Serialize;
use std::collections::BTreeMap;

/// Two cosines to hold UC-NFC against.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Controls {
    /// UC-NFC at the initial weights: the cosine of `W_0^T W_0` with `W_0^T K_0 W_0`.
    pub initial_cosine: Option<f64>,
    /// The cosine of `W^T W` with the covariance of the layer's inputs.
    pub covariance_cosine: Option<f64>,
    /// Why a number is missing, by its key.
    pub why: BTreeMap<String, String>,
}

impl Controls {
    pub(super) fn set(&mut self, key: &str, found: std::result::Result<f64, String>) {
        let value = match found {
            Ok(value) => Some(value),
            Err(reason) => {
                self.why.insert(key.to_owned(), reason);
                None
            }
        };
        match key {
            "initial_cosine" => self.initial_cosine = value,
            _ => self.covariance_cosine = value,
        }
    }
}

/// The controls of every hidden layer, several at once on the threads of the machine.
///
/// **Shapes** inputs (n x d), the samples of the features.
///
/// # Errors
/// As the passes, and when the memory cannot be had.
pub fn controls<T: Real, A: Activation<T> + Sync>(
    machine: &Machine,
    model: &Model<T, A>,
    initial: Option<(&Model<T, A>, &Features<T>)>,
    inputs: impl Rows<T>,
) -> Result<Vec<Controls>> {
    let view = model.view()?;
    let level = machine.level;
    machine.threads.each(view.shape().hidden_layers(), |layer| {
        let mut controls = Controls::default();
        let (k, d) = view.weights(layer)?.shape();
        let before = initial.map(|(initial, features)| {
            let wide = |m: MatRef<'_, T>| -> Result<Vec<f64>> {
                let mut wide = filled("weights", m.rows().saturating_mul(m.columns()), 0.0)?;
                wide.iter_mut().zip(m.elements()).for_each(|(wide, x)| *wide = x.to_f64());
                Ok(wide)
            };
            let (w, f) = (
                wide(initial.weights(layer)?)?,
                wide(ptk_of_layer(initial.shape()?, &features.values, layer)?)?,
            );
            initial_cosine(level, MatRef::new(&w, k, d)?, MatRef::new(&f, k, k)?)
        });
        controls.set("initial_cosine", before.unwrap_or_else(|| Ok(Err(NEEDS_INIT.to_owned())))?);

        let mut moments = filled("moments", d.saturating_mul(d).saturating_add(d), 0.0)?;
        let mut passes = filled("workspace", view.shape().gradient_workspace(ROWS), T::zero())?;
        let mut wide = filled("samples", d.saturating_mul(SAMPLE_BLOCK), 0.0)?;
        let added = inputs.each(0..inputs.rows(), &mut Vec::new(), &mut |_, x| {
            Ok(view.accumulate_moments(level, layer, x, &mut moments, &mut passes, &mut wide)?)
        });
        added.map_err(Into::into)?;
        let mut workspace = filled("workspace", covariance_workspace(k, d), 0.0)?;
        let samples = (inputs.rows() * model.architecture().positions(layer)) as u64;
        let found = covariance_cosine(level, view.weights(layer)?, samples, &mut moments, &mut workspace)?;
        controls.set("covariance_cosine", found.map_err(|reason| reason.to_string()));
        Ok(controls)
    })
}

/// The cosine of `W^T W` with `W^T K W`, or why there is none.
pub(super) fn initial_cosine(
    level: Level,
    weights: MatRef<'_, f64>,
    ptk: MatRef<'_, f64>,
) -> Result<std::result::Result<f64, String>> {
    let (k, d) = weights.shape();
    let route = Route::cheaper(k, d);
    let mut workspace = filled("workspace", correlate_workspace(k, d, route), 0.0)?;
    let found = correlate(level, weights, ptk, InputError::default(), route, Powers::One, &mut workspace)?;
    Ok(found.cosine.map(|c| c.value).map_err(|reason| reason.to_string()))
}
