//! PTK features with bounds of their rounding errors.

use crate::error::Result;
use crate::memory::filled;
use crate::network::{Model, ROWS};
use crate::samples::Rows;
use crate::sums::SampleSum;
use agop_core::activation::{Activation, Bounded};
use agop_core::error::Error;
use agop_core::ptk_error::{LayerError, Norms, ReadError, norms_length, norms_workspace};
use agop_core::reduce::SAMPLE_BLOCK;
use agop_core::scalar::Real;
use agop_core::simd::Level;

/// How the error of K is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// From norms and one forward pass.
    Plain,
    /// Sample by sample through the Jacobians; units of uncertain slope are counted both ways.
    Certified,
}

/// PTK features of all hidden layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Features<T> {
    /// One layer after another, as [`Model::features`] gives them.
    pub values: Vec<T>,
    /// `|dK|_F` of each layer; `None` where a slope is uncertain.
    pub errors: Vec<Option<f64>>,
}

impl<T: Real> Features<T> {
    /// The features of a model over samples (n x d), and bounds of their errors.
    ///
    /// **Arithmetic** the bounds are summed over blocks in order: the number of threads changes no bit.
    ///
    /// # Errors
    /// As [`Model::features`], and when the memory cannot be had.
    pub fn new<A: Activation<T> + Bounded + Sync>(
        level: Level,
        model: &Model<T, A>,
        inputs: impl Rows<T>,
        (read, proof): (ReadError, Proof),
        memory: &mut SampleSum<T>,
    ) -> Result<Self> {
        let values = model.features(level, &inputs, memory).map_err(Into::into)?;
        let shape = model.shape()?;
        let layers = shape.hidden_layers();
        let mut numbers = filled("norms", norms_length(shape), 0.0)?;
        let mut workspace = filled("workspace", norms_workspace(shape), 0.0)?;
        let norms = Norms::new(level, model.view()?, read, &mut numbers, &mut workspace)?;
        let units: usize = shape
            .spans()
            .zip(0..layers)
            .map(|(span, layer)| span.outputs * model.architecture().positions(layer))
            .sum();
        let blocks = memory.threads().each(inputs.rows().div_ceil(SAMPLE_BLOCK), |block| {
            let start = block * SAMPLE_BLOCK;
            let rows = start..Ord::min(start + SAMPLE_BLOCK, inputs.rows());
            let mut found = filled("errors", layers, LayerError::default())?;
            let (size, units) = match proof {
                Proof::Plain => (shape.gradient_workspace(ROWS), 0),
                Proof::Certified => (shape.jacobian_workspace(ROWS), units),
            };
            let mut workspace = filled("workspace", size, T::zero())?;
            let mut flags = filled("flags", units.saturating_mul(SAMPLE_BLOCK), false)?;
            let done = inputs.each(rows, &mut Vec::new(), &mut |_, x| {
                Ok(match proof {
                    Proof::Plain => norms.forward(level, x, &mut found, &mut workspace),
                    Proof::Certified => norms.certify(level, x, &mut found, &mut flags, &mut workspace),
                }?)
            });
            done.map(|()| found).map_err(Into::into)
        })?;
        let mut found = filled("errors", layers, LayerError::default())?;
        for block in &blocks {
            found.iter_mut().zip(block).for_each(|(all, block)| all.merge(block));
        }
        let mut errors = filled("errors", layers, None)?;
        let samples = u64::try_from(inputs.rows()).map_err(|_| Error::NoSamples)?;
        match proof {
            Proof::Plain => norms.plain(&found, &values, samples, &mut errors)?,
            Proof::Certified => norms.certified(&found, &values, samples, &mut errors)?,
        }
        Ok(Self { values, errors })
    }
}
