//! Samples in files, read a few rows at a time.

use super::bytes::Bytes;
use super::elements::Dtype;
use super::{Array, Values};
use crate::error::{Error, ParseError, Result, shape_text};
use agop_core::scalar::Real;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The inputs of one or several files as one set: row after row of the first, then of the second.
///
/// Rows of `.npy`, IDX and CIFAR-10 files stay on the disk until they are asked for; those of compressed files and of
/// text are held in memory.
#[derive(Debug)]
pub struct Source {
    parts: Vec<Part>,
    count: usize,
    dimension: usize,
    names: Option<Vec<String>>,
}

/// The rows of one file.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    count: usize,
    /// Of a sample: `[28, 28]` for an image.
    pub(super) shape: Vec<usize>,
    store: Store,
    /// Where in the file each column stands, if not where it is counted.
    columns: Vec<usize>,
    /// Whether a value was rounded when it was read from the disk.
    rounded: bool,
}

#[derive(Debug)]
enum Store {
    Values(Values),
    Records(Bytes, Records),
}

/// Rows of equal length, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Records {
    pub(super) dtype: Dtype,
    /// Where the first row stands.
    pub(super) start: u64,
    /// Bytes before the elements of each row.
    pub(super) skip: u64,
}

/// Bytes decoded at a time, at least one row.
const CHUNK: u64 = 1 << 16;

impl Part {
    pub(super) fn of_array(path: &Path, Array { shape, values }: Array) -> Result<Self> {
        Self::new(path, &shape, Store::Values(values))
    }

    /// Some columns of a table.
    pub(super) fn of_table(path: &Path, array: Array, columns: Vec<usize>) -> Result<Self> {
        Ok(Self { columns, ..Self::of_array(path, array)? })
    }

    /// Records whose claimed shape was found to fit the bytes.
    pub(super) fn of_records(bytes: Bytes, shape: &[usize], records: Records) -> Result<Self> {
        let path = bytes.path().to_path_buf();
        Self::new(&path, shape, Store::Records(bytes, records))
    }

    fn new(path: &Path, shape: &[usize], store: Store) -> Result<Self> {
        let (count, _) = rows_and_columns(shape).map_err(|error| error.in_file(path))?;
        let shape = shape.get(1..).unwrap_or_default().to_vec();
        Ok(Self { path: path.to_path_buf(), count, shape, store, columns: Vec::new(), rounded: false })
    }

    /// All rows as wide as the file has them.
    pub(super) fn array(&mut self) -> Result<Array> {
        let shape = [&[self.count], self.shape.as_slice()].concat();
        let columns = self.dimension();
        let values = match &mut self.store {
            Store::Values(values) => std::mem::replace(values, Values::Integers(Vec::new())),
            Store::Records(bytes, records) => {
                let room = records.dtype.room(self.count.saturating_mul(columns));
                let mut values = room.map_err(|error| error.in_file(&self.path))?;
                records.decode(bytes, 0..self.count, columns, &mut values)?;
                values
            }
        };
        Ok(Array { shape, values })
    }

    /// Numbers of a sample; their product was found not to overflow.
    fn dimension(&self) -> usize {
        self.shape.iter().product()
    }

    /// Appends rows that are there.
    fn read_rows<T: Real>(&mut self, rows: Range<usize>, output: &mut Vec<T>) -> Result<()> {
        let columns = self.dimension();
        let path = self.path.clone();
        let input = |error: ParseError| error.in_file(&path);
        let places = &self.columns;
        let place = |first: usize, (index, reason): (usize, String)| {
            let (row, column) = (first + index / columns.max(1), index % columns.max(1));
            let column = places.get(column).unwrap_or(&column);
            input(ParseError::new(format!("row {row}, column {column}"), reason))
        };
        match &mut self.store {
            Store::Values(values) => {
                let range = rows.start * columns..rows.end * columns;
                values.append_range(range, output).map_err(|error| place(rows.start, error))
            }
            Store::Records(bytes, records) => {
                let most = records.rows_at_a_time(columns);
                for first in rows.clone().step_by(most) {
                    let last = rows.end.min(first.saturating_add(most));
                    let mut values = records.dtype.room((last - first) * columns).map_err(input)?;
                    records.decode(bytes, first..last, columns, &mut values)?;
                    self.rounded |= values.rounds::<T>();
                    values.append_to(output).map_err(|error| place(first, error))?;
                }
                Ok(())
            }
        }
    }
}

impl Records {
    fn rows_at_a_time(self, columns: usize) -> usize {
        usize::try_from(CHUNK / self.stride(columns).max(1)).unwrap_or(1).max(1)
    }

    fn stride(self, columns: usize) -> u64 {
        self.skip + (columns * self.dtype.size) as u64
    }

    /// Appends the elements of rows that are there.
    fn decode(
        self,
        bytes: &mut Bytes,
        rows: Range<usize>,
        columns: usize,
        values: &mut Values,
    ) -> Result<()> {
        let stride = self.stride(columns);
        let most = self.rows_at_a_time(columns);
        for first in rows.clone().step_by(most) {
            let count = rows.end.min(first.saturating_add(most)) - first;
            let at = self.start + first as u64 * stride;
            let chunk = bytes.read(at, count as u64 * stride)?;
            for (row, record) in chunk.chunks_exact(stride as usize).enumerate() {
                let elements = record.get(self.skip as usize..).unwrap_or_default();
                let decoded = self.dtype.decode(elements, at + row as u64 * stride + self.skip, values);
                decoded.map_err(|error| error.in_file(bytes.path()))?;
            }
        }
        Ok(())
    }
}

impl Source {
    /// The rows of all parts, which must be of one shape.
    pub(super) fn new(parts: Vec<Part>, names: Option<Vec<String>>) -> Result<Self> {
        let Some(first) = parts.first() else { return Err(Error::Usage("--data: no file is named".into())) };
        let dimension = first.dimension();
        if let Some(other) = parts.iter().find(|part| part.shape != first.shape) {
            let [found, expected] = [other, first].map(|part| shape_text(&part.shape));
            let reason =
                format!("samples of shape {found}, those of {} have {expected}", first.path.display());
            return Err(Error::input(&other.path, "shape", reason));
        }
        let count = parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(part.count));
        let Some(count) = count else { return Err(Error::input(&first.path, "shape", "too many rows")) };
        Ok(Self { parts, count, dimension, names })
    }

    /// Number of samples.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Numbers of a sample.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The dimensions of a sample as the files have them: `[28, 28]` for an image, none for a single number.
    pub fn shape(&self) -> &[usize] {
        self.parts.first().map(|part| part.shape.as_slice()).unwrap_or_default()
    }

    /// Names of the columns, if a table has them.
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Appends the rows of a range to `output`, row-major.
    ///
    /// **Arithmetic** every number is rounded to nearest, ties to even, once.
    ///
    /// **Errors** [`Error::Input`] at `row R, column C` of its file, counted from 0, for the first value that is NaN,
    /// infinite, or overflows `T`; [`Error::Usage`] for rows that are not there; all that reading can say.
    pub fn read_rows<T: Real>(&mut self, rows: Range<usize>, output: &mut Vec<T>) -> Result<()> {
        if rows.start > rows.end || rows.end > self.count {
            return Err(Error::Usage(format!("rows {rows:?} of {} samples", self.count)));
        }
        let room = (rows.end - rows.start).checked_mul(self.dimension);
        if room.is_none_or(|room| output.try_reserve(room).is_err()) {
            let reason =
                format!("{} x {} values do not fit the memory", rows.end - rows.start, self.dimension);
            return Err(Error::Message(format!("samples: {reason}")));
        }
        let mut before = 0;
        for part in &mut self.parts {
            let clamp = |row: usize| row.saturating_sub(before).min(part.count);
            let inside = clamp(rows.start)..clamp(rows.end);
            before += part.count;
            if !inside.is_empty() {
                part.read_rows(inside, output)?;
            }
        }
        Ok(())
    }

    /// Appends the rows of these indices in their order; neighbours are read together.
    ///
    /// **Errors** as [`read_rows`](Self::read_rows).
    pub fn gather<T: Real>(&mut self, rows: &[usize], output: &mut Vec<T>) -> Result<()> {
        for run in rows.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            self.read_rows(*first..last.saturating_add(1), output)?;
        }
        Ok(())
    }

    /// The relative error of each value read, rounded to `T`: zero where `T` holds all of them.
    pub(crate) fn read_error<T: Real>(&self) -> f64 {
        let rounds = self.parts.iter().any(|part| match &part.store {
            Store::Values(values) => values.rounds::<T>(),
            Store::Records(..) => part.rounded,
        });
        if rounds { T::UNIT_ROUNDOFF } else { 0.0 }
    }

    /// All rows.
    ///
    /// **Errors** as [`read_rows`](Self::read_rows).
    pub fn read_all<T: Real>(&mut self) -> Result<Vec<T>> {
        let mut values = Vec::new();
        self.read_rows(0..self.count, &mut values)?;
        Ok(values)
    }
}

/// Rows and columns of an array of this shape as a matrix.
pub(super) fn rows_and_columns(shape: &[usize]) -> std::result::Result<(usize, usize), ParseError> {
    let wrong = |reason: &str| ParseError::new(format!("shape {}", shape_text(shape)), reason);
    let Some((&rows, rest)) = shape.split_first() else {
        return Err(wrong("a single number is no matrix, expected one dimension or more"));
    };
    if shape.contains(&0) {
        return Err(wrong(if rows == 0 { "there are no rows" } else { "there are no columns" }));
    }
    let columns = rest.iter().try_fold(1_usize, |product, &n| product.checked_mul(n));
    let Some(columns) = columns.filter(|columns| columns.checked_mul(rows).is_some()) else {
        return Err(wrong("the number of elements overflows"));
    };
    Ok((rows, columns))
}
