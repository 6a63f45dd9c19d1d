//! The samples of a computation: rows of inputs, in memory or in a file that is read block by block.

mod ahead;
mod inputs;
mod prepare;
mod split;
mod standard;

pub use inputs::{Inputs, Picked};
pub use prepare::Preparation;
pub use split::{Split, TEST_FRACTION, split};
pub use standard::{Standard, Standardise};

pub(crate) use ahead::Ahead;
pub(crate) use inputs::load;

use crate::error::Result;
use crate::memory::collected;
use agop_core::error::Error as CoreError;
use agop_core::matrix::MatRef;
use agop_core::scalar::Real;
use std::ops::Range;

/// Samples with their targets.
#[derive(Debug)]
pub struct Samples<T> {
    /// Number of samples n.
    pub count: usize,
    /// n x d.
    pub inputs: Inputs<T>,
    /// n x c, in memory.
    pub targets: Vec<T>,
}

impl<T: Real> Samples<T> {
    /// The targets as a matrix.
    ///
    /// # Errors
    /// None for samples that were made here.
    pub fn targets(&self) -> Result<MatRef<'_, T>> {
        Ok(MatRef::new(&self.targets, self.count, self.targets.len() / self.count.max(1))?)
    }

    /// The targets of the samples of these indices, in that order.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn targets_of(&self, indices: &[usize]) -> Result<Vec<T>> {
        rows_of("targets", &self.targets, self.targets.len() / self.count.max(1), indices)
    }
}

/// The rows of these indices, each of `width` values.
pub(crate) fn rows_of<T: Copy>(what: &str, values: &[T], width: usize, indices: &[usize]) -> Result<Vec<T>> {
    let rows = indices.iter().flat_map(|i| values.iter().skip(i * width).take(width));
    collected(what, indices.len().saturating_mul(width), rows.copied())
}

/// What is done with a run of rows: told the index of the first.
pub type Work<'w, T, E> = dyn FnMut(usize, MatRef<'_, T>) -> std::result::Result<(), E> + 'w;

/// A matrix whose rows are asked for in runs: it need not be in memory.
///
/// How long the runs are changes no bit of what is computed from them ([`agop_core::reduce`]).
pub trait Rows<T>: Sync {
    /// What asking for rows can fail with, and what works on them.
    type Error: From<CoreError> + Into<crate::error::Error> + Send;

    /// (rows, columns).
    fn shape(&self) -> (usize, usize);

    /// Calls `work` with each run of the range, in order: the index of its first row, and its rows. Rows that have to be
    /// read go through `buffer`.
    ///
    /// # Errors
    /// The first of reading or of `work`.
    fn each(
        &self,
        range: Range<usize>,
        buffer: &mut Vec<T>,
        work: &mut Work<'_, T, Self::Error>,
    ) -> std::result::Result<(), Self::Error>;

    /// Number of rows.
    fn rows(&self) -> usize {
        self.shape().0
    }
}

impl<T: Sync> Rows<T> for MatRef<'_, T> {
    type Error = CoreError;

    fn shape(&self) -> (usize, usize) {
        MatRef::shape(self)
    }

    fn each(
        &self,
        range: Range<usize>,
        _: &mut Vec<T>,
        work: &mut Work<'_, T, CoreError>,
    ) -> std::result::Result<(), CoreError> {
        work(range.start, self.row_range(range.start, range.len()))
    }
}

impl<T, R: Rows<T> + ?Sized> Rows<T> for &R {
    type Error = R::Error;

    fn shape(&self) -> (usize, usize) {
        R::shape(self)
    }

    fn each(
        &self,
        range: Range<usize>,
        buffer: &mut Vec<T>,
        work: &mut Work<'_, T, R::Error>,
    ) -> std::result::Result<(), R::Error> {
        R::each(self, range, buffer, work)
    }
}
