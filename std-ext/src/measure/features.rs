//! PTK features with bounds of their rounding errors.

use crate::error::Result;
use crate::memory::filled;
use crate::network::{Model, ROWS};
use crate::samples::{Rows, Work};
use crate::sums::SampleSum;
use agop_core::activation::{Activation, Bounded as Slope};
use agop_core::error::Error;
use agop_core::network::Shape;
use agop_core::ptk_error::{LayerError, Norms, ReadError, norms_length, norms_workspace};
use agop_core::reduce::SAMPLE_BLOCK;
use agop_core::scalar::Real;
use agop_core::simd::Level;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

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
    pub fn new<A: Activation<T> + Slope + Sync>(
        level: Level,
        model: &Model<T, A>,
        inputs: impl Rows<T>,
        (read, proof): (ReadError, Proof),
        memory: &mut SampleSum<T>,
    ) -> Result<Self> {
        let shape = model.shape()?;
        let layers = shape.hidden_layers();
        let mut numbers = filled("norms", norms_length(shape), 0.0)?;
        let mut workspace = filled("workspace", norms_workspace(shape), 0.0)?;
        let norms = Norms::new(level, model.view()?, read, &mut numbers, &mut workspace)?;
        let blocks = inputs.rows().div_ceil(SAMPLE_BLOCK);
        let found = filled("errors", blocks.saturating_mul(layers), LayerError::default())?;
        let units = shape.spans().zip(0..layers);
        let units = units.map(|(span, layer)| span.outputs * model.architecture().positions(layer)).sum();
        let found = Mutex::new(found);
        let bounded = Bounded { inputs: &inputs, level, shape, units, norms: &norms, proof, found };
        let values = model.features(level, &bounded, memory).map_err(Into::into)?;
        let blocks = bounded.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut found = filled("errors", layers, LayerError::default())?;
        for block in blocks.chunks_exact(layers.max(1)) {
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

/// Samples of which the error bounds are taken on the way: what is read once serves both.
struct Bounded<'m, X, T, A> {
    inputs: X,
    level: Level,
    shape: Shape<'m, true>,
    /// Pre-activations of a sample in the hidden layers.
    units: usize,
    norms: &'m Norms<'m, 'm, T, A, true>,
    proof: Proof,
    /// By block of samples, then by layer.
    found: Mutex<Vec<LayerError>>,
}

impl<T: Real, A: Activation<T> + Slope + Sync, X: Rows<T>> Rows<T> for Bounded<'_, X, T, A> {
    type Error = X::Error;

    fn shape(&self) -> (usize, usize) {
        self.inputs.shape()
    }

    /// The range begins with a block.
    fn each(
        &self,
        range: Range<usize>,
        buffer: &mut Vec<T>,
        work: &mut Work<'_, T, X::Error>,
    ) -> std::result::Result<(), X::Error> {
        let Self { level, norms, shape, .. } = *self;
        let (layers, begin) = (shape.hidden_layers(), range.start);
        let (size, flags) = match self.proof {
            Proof::Plain => (shape.gradient_workspace(ROWS), 0),
            Proof::Certified => (shape.jacobian_workspace(ROWS), self.units),
        };
        let memory = |_| Error::Workspace { what: "memory for error bounds", needed: size, found: 0 };
        let mut workspace = filled("workspace", size, T::zero()).map_err(memory)?;
        let mut flags = filled("flags", flags.saturating_mul(SAMPLE_BLOCK), false).map_err(memory)?;
        let errors = range.len().div_ceil(SAMPLE_BLOCK).saturating_mul(layers);
        let mut found = filled("errors", errors, LayerError::default()).map_err(memory)?;
        self.inputs.each(range, buffer, &mut |start, x| {
            work(start, x)?;
            for row in (0..x.rows()).step_by(SAMPLE_BLOCK) {
                let at = (start + row - begin) / SAMPLE_BLOCK * layers;
                let found = found.get_mut(at..at + layers).unwrap_or_default();
                let x = x.row_range(row, Ord::min(SAMPLE_BLOCK, x.rows() - row));
                match self.proof {
                    Proof::Plain => norms.forward(level, x, found, &mut workspace),
                    Proof::Certified => norms.certify(level, x, found, &mut flags, &mut workspace),
                }?;
            }
            Ok(())
        })?;
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.iter_mut().skip(begin / SAMPLE_BLOCK * layers);
        own.zip(found).for_each(|(all, found)| *all = found);
        Ok(())
    }
}
