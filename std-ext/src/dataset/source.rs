//! Samples in files, read a few rows at a time.

use super::bytes::Bytes;
use super::elements::{Dtype, Kind};
use super::{Array, Values};
use crate::error::{Error, ParseError, Result, shape_text};
use crate::memory::filled;
use agop_core::scalar::Real;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The inputs of one or several files as one set: row after row of the first, then of the second.
///
/// Rows of `.npy`, IDX and CIFAR-10 files are read from the disk on demand. Rows of compressed files and of text are in
/// memory.
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
    /// Shape of a sample: `[28, 28]` for an image.
    pub(super) shape: Vec<usize>,
    store: Store,
    /// Index in the file of each column; empty if it is the index among the inputs.
    columns: Vec<usize>,
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
    /// Offset of the first row in the file.
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
        Ok(Self { path: path.to_path_buf(), count, shape, store, columns: Vec::new() })
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
    fn read_rows<T: Real>(&self, rows: Range<usize>, chunk: &mut Vec<u8>, output: &mut Vec<T>) -> Result<()> {
        let most = match &self.store {
            Store::Values(_) => rows.len().max(1),
            Store::Records(_, records) => records.rows_at_a_time(self.dimension()),
        };
        for first in rows.clone().step_by(most) {
            let run = first..rows.end.min(first.saturating_add(most));
            self.read_runs(&[run], chunk, output)?;
        }
        Ok(())
    }

    /// Appends runs of rows that are there, all of them converted at once; `chunk` is for their bytes.
    fn read_runs<T: Real>(
        &self,
        runs: &[Range<usize>],
        chunk: &mut Vec<u8>,
        output: &mut Vec<T>,
    ) -> Result<()> {
        let columns = self.dimension();
        let place = |first: usize, (index, reason): (usize, String)| {
            let (row, column) = (first + index / columns.max(1), index % columns.max(1));
            let column = self.columns.get(column).unwrap_or(&column);
            ParseError::new(format!("row {row}, column {column}"), reason).in_file(&self.path)
        };
        let (bytes, records) = match &self.store {
            Store::Records(bytes, records) => (bytes, records),
            Store::Values(values) => {
                return runs.iter().try_for_each(|rows| {
                    let range = rows.start * columns..rows.end * columns;
                    values.append_range(range, output).map_err(|error| place(rows.start, error))
                });
            }
        };
        let (stride, skip) = (records.stride(columns), records.skip as usize);
        let length = runs.iter().map(Range::len).sum::<usize>().saturating_mul(stride as usize);
        // Reuse the buffer of the call before, without clearing it.
        if chunk.len() < length {
            *chunk = filled("bytes of rows", length, 0)?;
        }
        let chunk = chunk.get_mut(..length).unwrap_or_default();
        let mut rest = &mut *chunk;
        for rows in runs {
            let split = std::mem::take(&mut rest).split_at_mut_checked(rows.len() * stride as usize);
            let (own, others) = split.unwrap_or_default();
            bytes.fill(records.start + rows.start as u64 * stride, own)?;
            rest = others;
        }
        // Records without gaps are converted in one call.
        let length = if skip == 0 { chunk.len().max(1) } else { stride as usize };
        let mut good = true;
        for record in chunk.chunks_exact(length) {
            good &= records.dtype.append(record.get(skip..).unwrap_or_default(), output);
        }
        // Once more, for the place and the reason.
        for rows in runs.iter().filter(|_| !good) {
            let room = records.dtype.room(rows.len() * columns);
            let mut values = room.map_err(|error| error.in_file(&self.path))?;
            records.decode(bytes, rows.clone(), columns, &mut values)?;
            values.append_to(&mut Vec::<T>::new()).map_err(|error| place(rows.start, error))?;
        }
        Ok(())
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
    fn decode(self, bytes: &Bytes, rows: Range<usize>, columns: usize, values: &mut Values) -> Result<()> {
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
    pub fn read_rows<T: Real>(&self, rows: Range<usize>, output: &mut Vec<T>) -> Result<()> {
        self.read_rows_through(rows, &mut Vec::new(), output)
    }

    /// As [`read_rows`](Self::read_rows); `chunk` is for the bytes of rows: kept from call to call, it is made but once.
    pub(crate) fn read_rows_through<T: Real>(
        &self,
        rows: Range<usize>,
        chunk: &mut Vec<u8>,
        output: &mut Vec<T>,
    ) -> Result<()> {
        if rows.start > rows.end || rows.end > self.count {
            return Err(Error::Usage(format!("rows {rows:?} of {} samples", self.count)));
        }
        self.reserve(rows.end - rows.start, output)?;
        let mut before = 0;
        for part in &self.parts {
            let clamp = |row: usize| row.saturating_sub(before).min(part.count);
            let inside = clamp(rows.start)..clamp(rows.end);
            before += part.count;
            if !inside.is_empty() {
                part.read_rows(inside, chunk, output)?;
            }
        }
        Ok(())
    }

    fn reserve<T>(&self, rows: usize, output: &mut Vec<T>) -> Result<()> {
        let room = rows.checked_mul(self.dimension);
        if room.is_none_or(|room| output.try_reserve(room).is_err()) {
            let reason = format!("{rows} x {} values do not fit the memory", self.dimension);
            return Err(Error::Message(format!("samples: {reason}")));
        }
        Ok(())
    }

    /// Appends the rows of these indices in their order; neighbours are read together.
    ///
    /// **Errors** as [`read_rows`](Self::read_rows).
    pub fn gather<T: Real>(&self, rows: &[usize], output: &mut Vec<T>) -> Result<()> {
        self.gather_through(rows, &mut Vec::new(), output)
    }

    /// As [`gather`](Self::gather), with a chunk as [`read_rows_through`](Self::read_rows_through) has it.
    pub(crate) fn gather_through<T: Real>(
        &self,
        rows: &[usize],
        chunk: &mut Vec<u8>,
        output: &mut Vec<T>,
    ) -> Result<()> {
        if let Some(row) = rows.iter().find(|row| **row >= self.count) {
            return Err(Error::Usage(format!("row {row} of {} samples", self.count)));
        }
        self.reserve(rows.len(), output)?;
        let mut runs = Vec::new();
        let mut rest = rows;
        while let Some(first) = rest.first() {
            // The part that has the first of them, and all after it in the same.
            let mut start = 0;
            let part = self.parts.iter().find(|part| {
                let inside = *first < start + part.count;
                start += if inside { 0 } else { part.count };
                inside
            });
            let Some(part) = part else { break };
            let inside = |row: &usize| (start..start + part.count).contains(row);
            let count = rest.iter().take_while(|row| inside(row)).count();
            let (own, others) = rest.split_at_checked(count).unwrap_or_default();
            runs.clear();
            for run in own.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
                runs.extend(run.first().map(|first| first - start..first - start + run.len()));
            }
            part.read_runs(&runs, chunk, output)?;
            rest = others;
        }
        Ok(())
    }

    /// All rows.
    ///
    /// **Errors** as [`read_rows`](Self::read_rows).
    pub fn read_all<T: Real>(&self) -> Result<Vec<T>> {
        let mut values = Vec::new();
        self.read_rows(0..self.count, &mut values)?;
        Ok(values)
    }

    /// The file that messages about the whole set name.
    pub(crate) fn path(&self) -> &Path {
        self.parts.first().map_or(Path::new(""), |part| &part.path)
    }

    /// Whether `T` holds every number of the types that the files have.
    pub(crate) fn is_exact<T: Real>(&self) -> bool {
        self.parts.iter().all(|part| match &part.store {
            Store::Values(Values::F32(_)) => true,
            Store::Values(values) => matches!(values, Values::F64(_)) && T::BYTES == 8,
            Store::Records(_, records) => records.dtype.is_exact::<T>(),
        })
    }

    /// The relative error of each value read: zero where `T` holds every number of the types that the files have.
    pub(crate) fn read_error<T: Real>(&self) -> f64 {
        if self.is_exact::<T>() { 0.0 } else { T::UNIT_ROUNDOFF }
    }

    /// Whether a file holds integers.
    pub(crate) fn is_integer(&self) -> bool {
        self.parts.iter().any(|part| match &part.store {
            Store::Values(values) => matches!(values, Values::Integers(_)),
            Store::Records(_, records) => records.dtype.kind != Kind::Float,
        })
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
