//! Rows of inputs that are held, and a choice among them.

use super::{Rows, Work};
use crate::error::{Error, Result};
use crate::memory::reserved;
use agop_core::digest::Hasher;
use agop_core::matrix::MatRef;
use agop_core::reduce::SAMPLE_BLOCK;
use agop_core::scalar::Real;
use std::ops::Range;

/// The inputs of a set of samples.
#[derive(Debug)]
pub struct Inputs<T> {
    rows: usize,
    columns: usize,
    values: Vec<T>,
}

impl<T: Real> Inputs<T> {
    /// Inputs in memory, row-major.
    ///
    /// # Errors
    /// When there are not `rows` x `columns` values.
    pub fn new(values: Vec<T>, rows: usize, columns: usize) -> Result<Self> {
        MatRef::new(&values, rows, columns)?;
        Ok(Self { rows, columns, values })
    }

    /// Adds the matrix to a digest.
    ///
    /// # Errors
    /// Those of reading.
    pub fn hash(&self, hash: &mut Hasher) -> Result<()> {
        hash.shape::<T>(&[self.rows, self.columns]);
        self.each(0..self.rows, &mut Vec::new(), &mut |_, x| {
            hash.values(x.as_slice().unwrap_or_default());
            Ok(())
        })
    }

    /// The rows of these indices, in that order.
    pub fn pick<'a>(&'a self, indices: &'a [usize]) -> Picked<'a, T> {
        Picked { inputs: self, indices }
    }
}

impl<T: Real> Rows<T> for Inputs<T> {
    type Error = Error;

    fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    fn each(&self, range: Range<usize>, _: &mut Vec<T>, work: &mut Work<'_, T, Error>) -> Result<()> {
        let all = MatRef::new(&self.values, self.rows, self.columns)?;
        work(range.start, all.row_range(range.start, range.len()))
    }
}

/// Some rows of inputs, as a batch takes them: copied a block at a time.
#[derive(Clone, Copy, Debug)]
pub struct Picked<'a, T> {
    inputs: &'a Inputs<T>,
    indices: &'a [usize],
}

impl<T: Real> Picked<'_, T> {
    /// The rows in memory of their own.
    ///
    /// # Errors
    /// Those of reading, and when the memory cannot be had.
    pub fn read(&self) -> Result<Inputs<T>> {
        let (rows, columns) = self.shape();
        let mut values = reserved("samples", rows.saturating_mul(columns))?;
        self.each(0..rows, &mut Vec::new(), &mut |_, x| {
            values.extend_from_slice(x.as_slice().unwrap_or_default());
            Ok(())
        })?;
        Inputs::new(values, rows, columns)
    }
}

impl<T: Real> Rows<T> for Picked<'_, T> {
    type Error = Error;

    fn shape(&self) -> (usize, usize) {
        (self.indices.len(), self.inputs.columns)
    }

    fn each(&self, range: Range<usize>, buffer: &mut Vec<T>, work: &mut Work<'_, T, Error>) -> Result<()> {
        let d = self.inputs.columns;
        let mut start = range.start;
        for block in self.indices.get(range).unwrap_or_default().chunks(SAMPLE_BLOCK) {
            buffer.clear();
            if buffer.capacity() < block.len() * d {
                *buffer = reserved("a block of samples", block.len().saturating_mul(d))?;
            }
            for index in block {
                let row = self.inputs.values.get(index * d..(index + 1) * d);
                buffer.extend_from_slice(row.unwrap_or_default());
            }
            work(start, MatRef::new(buffer, block.len(), d)?)?;
            start += block.len();
        }
        Ok(())
    }
}
