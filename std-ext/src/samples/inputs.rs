//! Rows of inputs, held in memory or read when they are asked for, and a choice among them.

use super::standard::{Standard, Standardise};
use super::{Rows, Work};
use crate::dataset::Source;
use crate::error::{Error, Result};
use crate::machine::Progress;
use crate::memory::{collected, filled, reserved};
use agop_core::digest::Hasher;
use agop_core::environment;
use agop_core::matrix::MatRef;
use agop_core::reduce::SAMPLE_BLOCK;
use agop_core::scalar::Real;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{channel, sync_channel};

/// Bytes of rows that are read at a time, at least one row and at most [`MOST_ROWS`].
const RUN: usize = 1 << 22;

/// What a pass of a network takes at a time, and so few that a batch has several: one is read while another is worked on.
const MOST_ROWS: usize = SAMPLE_BLOCK / 2;

/// Rows in memory that are lent at a time, so that progress is seen.
const HELD: usize = 16 * SAMPLE_BLOCK;

/// The inputs of a set of samples.
#[derive(Debug)]
pub struct Inputs<T> {
    rows: usize,
    columns: usize,
    store: Store<T>,
    /// Rows that were asked for.
    progress: Progress,
}

#[derive(Debug)]
enum Store<T> {
    Memory(Vec<T>),
    Source(Reader),
}

/// Rows of a source in an order, standardised: read anew whenever they are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    source: Arc<Source>,
    order: Order,
    standard: Option<Arc<Standard>>,
}

#[derive(Clone, Debug)]
enum Order {
    /// The first so many.
    First(usize),
    /// These, in this order.
    Picked(Arc<Vec<usize>>),
}

/// Memory that reading uses again.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
    /// Numbers before they are standardised.
    wide: Vec<f64>,
}

/// Rows that are asked for, by their places in the order.
enum Asked<'a> {
    Range(Range<usize>),
    Indices(&'a [usize]),
}

impl Reader {
    /// The first rows of a source.
    pub(crate) fn first(source: Arc<Source>, rows: usize) -> Self {
        Self { source, order: Order::First(rows), standard: None }
    }

    /// The rows of these indices, in that order.
    pub(crate) fn picked(source: Arc<Source>, indices: Arc<Vec<usize>>) -> Self {
        Self { source, order: Order::Picked(indices), standard: None }
    }

    /// The same rows, standardised.
    pub(crate) fn standardised(self, standard: Option<Arc<Standard>>) -> Self {
        Self { standard, ..self }
    }

    pub(crate) fn rows(&self) -> usize {
        match &self.order {
            Order::First(rows) => *rows,
            Order::Picked(indices) => indices.len(),
        }
    }

    /// The relative error with which `T` holds the inputs as they are given to the network.
    ///
    /// # Errors
    /// Those of reading.
    pub(crate) fn read_error<T: Real>(&self) -> Result<f64> {
        if self.standard.is_none() && self.source.is_exact::<T>() {
            return Ok(0.0);
        }
        // All integers up to 1 / u are floats; larger ones count as rounded.
        let most = if self.source.is_integer() { 1.0 / T::UNIT_ROUNDOFF } else { f64::INFINITY };
        let (mut start, rows, mut x, mut scratch) = (0, self.rows(), Vec::new(), Scratch::default());
        while start < rows {
            let end = Ord::min(start + SAMPLE_BLOCK, rows);
            self.read(&Asked::Range(start..end), &mut scratch, &mut x)?;
            if x.iter().any(|x: &f64| T::from_f64(*x).to_f64() != *x || x.abs() > most) {
                return Ok(T::UNIT_ROUNDOFF);
            }
            start = end;
        }
        Ok(0.0)
    }

    /// Gives run after run to `work`: each is read, on a thread of its own, while the one before is worked on.
    fn each<'a, T: Real>(
        &self,
        runs: impl ExactSizeIterator<Item = Asked<'a>> + Clone + Send,
        buffer: &mut Vec<T>,
        work: &mut dyn FnMut(MatRef<'_, T>) -> Result<()>,
    ) -> Result<()> {
        let d = self.source.dimension();
        let mut work = |values: &[T]| work(MatRef::new(values, values.len() / d.max(1), d)?);
        // One run is read, one waits, one is worked on.
        let ((give, take), (back, spare)) = (sync_channel(1), channel::<Vec<T>>());
        let all = runs.clone();
        std::thread::scope(|scope| {
            let reading = move || {
                let mut scratch = Scratch::default();
                for asked in all {
                    let mut values = spare.try_recv().unwrap_or_default();
                    let sound = environment::check_thread().map_err(Error::from);
                    let read = sound.and_then(|()| self.read(&asked, &mut scratch, &mut values));
                    let failed = read.is_err();
                    // Who works has stopped at an error of its own.
                    if give.send(read.map(|()| values)).is_err() || failed {
                        return;
                    }
                }
            };
            let alone = runs.len() < 2 || std::thread::Builder::new().spawn_scoped(scope, reading).is_err();
            if alone {
                let mut scratch = Scratch::default();
                return runs.into_iter().try_for_each(|asked| {
                    self.read(&asked, &mut scratch, buffer)?;
                    work(buffer)
                });
            }
            for read in take {
                let values: Vec<T> = read?;
                work(&values)?;
                let _ = back.send(values);
            }
            Ok(())
        })
    }

    /// The rows at these places of the order.
    pub(super) fn rows_of<T: Real>(&self, places: &[usize]) -> Result<Vec<T>> {
        environment::check_thread()?;
        let mut rows = Vec::new();
        self.read(&Asked::Indices(places), &mut Scratch::default(), &mut rows)?;
        Ok(rows)
    }

    /// Puts the rows into `output`.
    fn read<T: Real>(&self, asked: &Asked<'_>, scratch: &mut Scratch, output: &mut Vec<T>) -> Result<()> {
        let Scratch { bytes, wide } = scratch;
        output.clear();
        let Some(standard) = &self.standard else { return self.append(asked, bytes, output) };
        wide.clear();
        self.append(asked, bytes, wide)?;
        standard.apply(wide);
        if output.try_reserve(wide.len()).is_err() {
            *output = reserved("a block of samples", wide.len())?;
        }
        output.extend(wide.iter().map(|x| T::from_f64(*x)));
        Ok(())
    }

    fn append<T: Real>(&self, asked: &Asked<'_>, bytes: &mut Vec<u8>, output: &mut Vec<T>) -> Result<()> {
        match (asked, &self.order) {
            (Asked::Range(rows), Order::First(_)) => {
                self.source.read_rows_through(rows.clone(), bytes, output)
            }
            (Asked::Range(rows), Order::Picked(order)) => {
                self.source.gather_through(order.get(rows.clone()).unwrap_or_default(), bytes, output)
            }
            (Asked::Indices(places), Order::First(_)) => self.source.gather_through(places, bytes, output),
            (Asked::Indices(places), Order::Picked(order)) => {
                let rows: Vec<usize> = places.iter().filter_map(|place| order.get(*place).copied()).collect();
                self.source.gather_through(&rows, bytes, output)
            }
        }
    }

    /// All rows in their order, read in that of the source.
    fn read_all<T: Real>(&self) -> Result<Vec<T>> {
        let (rows, d) = (self.rows(), self.source.dimension());
        let mut values = filled("samples", rows.saturating_mul(d), T::zero())?;
        let mut places: Vec<usize> = collected("order of the samples", rows, 0..rows)?;
        if let Order::Picked(order) = &self.order {
            places.sort_unstable_by_key(|place| order.get(*place));
        }
        let (mut scratch, mut block) = (Scratch::default(), Vec::new());
        for places in places.chunks(run::<T>(d)) {
            self.read(&Asked::Indices(places), &mut scratch, &mut block)?;
            for (place, row) in places.iter().zip(block.chunks_exact(d)) {
                values.get_mut(place * d..(place + 1) * d).unwrap_or_default().copy_from_slice(row);
            }
        }
        Ok(values)
    }
}

/// Rows of d values that are read at a time: a power of two, so that blocks of samples are whole runs.
fn run<T: Real>(d: usize) -> usize {
    1 << (RUN / T::BYTES / d.max(1)).clamp(1, MOST_ROWS).ilog2()
}

/// Inputs, and the statistics that standardised them.
type Loaded<T, const N: usize> = ([Inputs<T>; N], Option<Arc<Standard>>);

/// Inputs of training samples, and of others after them, standardised by the statistics of the first: in memory where all
/// of them take at most `memory` bytes, else read when they are asked for.
///
/// # Errors
/// As [`Standard::of`]; those of reading; when the memory cannot be had.
pub(crate) fn load<T: Real, const N: usize>(
    readers: [Reader; N],
    standardise: Standardise,
    memory: u64,
) -> Result<Loaded<T, N>> {
    let standard = match readers.first() {
        Some(train) => Standard::of(standardise, Inputs::<f64>::unread(train.clone()))?.map(Arc::new),
        None => None,
    };
    let values = |reader: &Reader| reader.rows().saturating_mul(reader.source.dimension());
    let bytes = readers.iter().map(values).fold(0, usize::saturating_add).saturating_mul(T::BYTES);
    let mut failed = None;
    let inputs = readers.map(|reader| {
        let mut inputs = Inputs::unread(reader.standardised(standard.clone()));
        if let (Store::Source(reader), true) = (&inputs.store, bytes as u64 <= memory) {
            match reader.read_all() {
                Ok(values) => inputs.store = Store::Memory(values),
                Err(error) => failed = failed.take().or(Some(error)),
            }
        }
        inputs
    });
    failed.map_or(Ok((inputs, standard)), Err)
}

impl<T: Real> Inputs<T> {
    /// Inputs in memory, row-major.
    ///
    /// # Errors
    /// When there are not `rows` x `columns` values.
    pub fn new(values: Vec<T>, rows: usize, columns: usize) -> Result<Self> {
        MatRef::new(&values, rows, columns)?;
        Ok(Self { rows, columns, store: Store::Memory(values), progress: Progress::default() })
    }

    /// Inputs that stay in their source.
    fn unread(reader: Reader) -> Self {
        let (rows, columns) = (reader.rows(), reader.source.dimension());
        Self { rows, columns, store: Store::Source(reader), progress: Progress::default() }
    }

    /// What reads them, where they are not in memory and so many rows may be.
    pub(super) fn reader_of(&self, rows: usize) -> Option<&Reader> {
        match &self.store {
            Store::Source(reader) if rows * self.columns * T::BYTES <= RUN => Some(reader),
            _ => None,
        }
    }

    /// Tells a progress of the rows that are asked for.
    #[must_use]
    pub fn told(self, progress: &Progress) -> Self {
        Self { progress: progress.clone(), ..self }
    }

    /// All values, row-major, where they are in memory.
    pub(crate) fn held(&self) -> Option<&[T]> {
        match &self.store {
            Store::Memory(values) => Some(values),
            Store::Source(_) => None,
        }
    }

    /// Adds the matrix to a digest; gives its root mean square.
    ///
    /// # Errors
    /// Those of reading.
    pub fn hash(&self, hash: &mut Hasher) -> Result<f64> {
        hash.shape::<T>(&[self.rows, self.columns]);
        let mut sum = 0.0;
        self.each(0..self.rows, &mut Vec::new(), &mut |_, x| {
            hash.values(x.as_slice().unwrap_or_default());
            sum = x.elements().fold(sum, |sum, x| sum + x.to_f64() * x.to_f64());
            Ok(())
        })?;
        Ok((sum / (self.rows as f64 * self.columns as f64)).sqrt())
    }

    /// The rows of these indices, in that order; `read` are their values, where they are in memory already.
    pub fn pick<'a>(&'a self, indices: &'a [usize], read: Option<&'a [T]>) -> Picked<'a, T> {
        Picked { inputs: self, indices, read }
    }
}

impl<T: Real> Rows<T> for Inputs<T> {
    type Error = Error;

    fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    fn each(&self, range: Range<usize>, buffer: &mut Vec<T>, work: &mut Work<'_, T, Error>) -> Result<()> {
        let mut start = range.start;
        let mut work = |x: MatRef<'_, T>| {
            work(start, x)?;
            self.progress.add(x.rows() as u64);
            start += x.rows();
            Ok(())
        };
        let most = if let Store::Memory(_) = self.store { HELD } else { run::<T>(self.columns) };
        let starts = (0..range.len().div_ceil(most)).map(|i| range.start + i * most);
        let runs = starts.map(|start| start..Ord::min(start + most, range.end));
        match &self.store {
            Store::Memory(values) => {
                let x = MatRef::new(values, self.rows, self.columns)?;
                runs.clone().try_for_each(|rows| work(x.row_range(rows.start, rows.len())))
            }
            Store::Source(reader) => reader.each(runs.map(Asked::Range), buffer, &mut work),
        }
    }
}

/// Some rows of inputs, as a batch takes them: gathered a run at a time.
#[derive(Clone, Copy, Debug)]
pub struct Picked<'a, T> {
    inputs: &'a Inputs<T>,
    indices: &'a [usize],
    read: Option<&'a [T]>,
}

impl<T: Real> Rows<T> for Picked<'_, T> {
    type Error = Error;

    fn shape(&self) -> (usize, usize) {
        (self.indices.len(), self.inputs.columns)
    }

    fn each(&self, range: Range<usize>, buffer: &mut Vec<T>, work: &mut Work<'_, T, Error>) -> Result<()> {
        let (d, mut start) = (self.inputs.columns, range.start);
        if let Some(read) = self.read {
            return work(start, MatRef::new(read, self.indices.len(), d)?.row_range(start, range.len()));
        }
        let mut work = |x: MatRef<'_, T>| {
            work(start, x)?;
            start += x.rows();
            Ok(())
        };
        let mut runs = self.indices.get(range).unwrap_or_default().chunks(run::<T>(d));
        match &self.inputs.store {
            Store::Source(reader) => reader.each(runs.map(Asked::Indices), buffer, &mut work),
            Store::Memory(values) => runs.try_for_each(|places| {
                buffer.clear();
                if buffer.capacity() < places.len() * d {
                    *buffer = reserved("a block of samples", places.len() * d)?;
                }
                for place in places {
                    buffer.extend_from_slice(values.get(place * d..(place + 1) * d).unwrap_or_default());
                }
                work(MatRef::new(buffer, places.len(), d)?)
            }),
        }
    }
}
