//! A batch that is read while the one before it is trained on.

use super::Inputs;
use crate::error::{Error, Result};
use agop_core::scalar::Real;
use std::thread::{Builder, JoinHandle};

/// Rows that a thread reads.
#[derive(Debug)]
pub(crate) struct Ahead<T> {
    indices: Vec<usize>,
    reading: JoinHandle<Result<Vec<T>>>,
}

impl<T: Real> Ahead<T> {
    /// Begins to read the rows of these indices; `None` where they are in memory or too many to be held.
    pub(crate) fn start(inputs: &Inputs<T>, indices: &[usize]) -> Option<Self> {
        let reader = inputs.reader_of(indices.len())?.clone();
        let indices = indices.to_vec();
        let asked = indices.clone();
        let reading = Builder::new().spawn(move || reader.rows_of(&asked)).ok()?;
        Some(Self { indices, reading })
    }

    /// The rows; `None` where others were read.
    ///
    /// # Errors
    /// Those of reading.
    pub(crate) fn rows(self, indices: &[usize]) -> Result<Option<Vec<T>>> {
        if self.indices != indices {
            return Ok(None);
        }
        let read = self.reading.join();
        read.unwrap_or_else(|_| Err(Error::Message("the thread that reads samples ended".into()))).map(Some)
    }
}
