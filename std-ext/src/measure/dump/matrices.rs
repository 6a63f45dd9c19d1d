//! The matrices of a dump: weights, and K as it stands in a file or as the mean over Jacobians.

use crate::dataset::{Paths, Reading, Role, Source, open};
use crate::error::{Error, Result, shape_text};
use crate::memory::filled;
use agop_core::kernel;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::reduce::{SAMPLE_BLOCK, SampleTree, buffers};
use agop_core::scalar::Scalar;
use agop_core::simd::Level;
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::Path;

/// The largest difference of two mirrored entries of K, relative to its largest: what frameworks' rounding leaves.
const ASYMMETRY: f64 = 1e-5;
/// Pays for the roundings of an error bound itself.
const ROOM: f64 = 1.0001;

/// A matrix as it stands in a file.
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Vec<f64>,
    /// Relative error of reading.
    pub(super) read: f64,
}

/// K, and a bound of the Frobenius norm of its error.
pub(super) struct Ptk {
    pub(super) k: usize,
    pub(super) values: Vec<f64>,
    pub(super) error: f64,
    /// c, where a Jacobian tells it.
    pub(super) outputs: Option<usize>,
}

impl Matrix {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let source = source(&Paths::from(path))?;
        let (rows, columns) = (source.count(), source.dimension());
        let values = source.read_all()?;
        Ok(Self { rows, columns, values, read: source.read_error::<f64>() })
    }

    pub(super) fn take_rows(mut self, range: Range<usize>) -> Self {
        self.values.truncate(range.end * self.columns);
        self.values.drain(..range.start * self.columns);
        Self { rows: range.len(), ..self }
    }

    pub(super) fn view(&self) -> Result<MatRef<'_, f64>> {
        Ok(MatRef::new(&self.values, self.rows, self.columns)?)
    }
}

impl Ptk {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let Matrix { rows: k, columns, mut values, read } = Matrix::read(path)?;
        let wrong = |place: String, reason: String| Err(Error::input(path, place, reason));
        if k != columns {
            return wrong("shape".into(), format!("{}, K is square", shape_text(&[k, columns])));
        }
        let size = |x: f64, y: f64| if x.abs() > y { x.abs() } else { y };
        let largest = values.iter().fold(0.0, |most, x| size(*x, most));
        let mut squares = 0.0;
        for i in 0..k {
            for j in 0..i {
                let (Some(&x), Some(&y)) = (values.get(i * k + j), values.get(j * k + i)) else { continue };
                if (x - y).abs() > ASYMMETRY * largest {
                    let reason = format!("{x:e}, at row {j}, column {i} stands {y:e}: K is symmetric");
                    return wrong(format!("row {i}, column {j}"), reason);
                }
                // Halves first, so that no sum overflows; with its rounding, the mean is off by no more than |x - y|.
                let mean = 0.5 * x + 0.5 * y;
                squares += 2.0 * (x - y) * (x - y);
                for at in [i * k + j, j * k + i] {
                    values.get_mut(at).into_iter().for_each(|slot| *slot = mean);
                }
            }
        }
        let norm = values.iter().map(|x| x * x).sum::<f64>().sqrt();
        Ok(Self { k, values, error: ROOM * (squares.sqrt() + read * norm), outputs: None })
    }

    pub(super) fn of_jacobian(
        level: Level,
        paths: &Paths,
        samples: &mut Option<(usize, String)>,
        fits: impl Fn(usize) -> Result<()>,
    ) -> Result<Self> {
        let path = paths.first();
        let source = source(paths)?;
        let (n, shape) = (source.count(), source.shape().to_vec());
        let (places, c, k) = match *shape.as_slice() {
            [c, k] => (c, c, k),
            [p, c, k] => (p.saturating_mul(c), c, k),
            _ => {
                let whole: Vec<usize> = [n].into_iter().chain(shape).collect();
                let reason = format!("{}, expected (n, c, k) or (n, positions, c, k)", shape_text(&whole));
                return Err(Error::input(path, "shape", reason));
            }
        };
        fits(k)?;
        match samples {
            Some((known, of)) if *known != n => {
                return Err(Error::input(path, "shape", format!("{n} samples, {of} is {known}")));
            }
            _ => *samples = Some((n, format!("that of {}", path.display()))),
        }
        let rows = n.saturating_mul(places) as u64;
        let mut storage = filled("sums of J^T J", buffers(rows).saturating_mul(k).saturating_mul(k), 0.0)?;
        let mut sum = SampleTree::new(&mut storage, k * k, 0)?;
        // Whole samples of about a block of rows.
        let run = (SAMPLE_BLOCK / places.max(1)).max(1);
        let mut values: Vec<f64> = Vec::new();
        for start in (0..n).step_by(run) {
            values.clear();
            source.read_rows(start..(start + run).min(n), &mut values)?;
            let jacobians = MatRef::new(&values, values.len() / k.max(1), k)?;
            let mut row = 0;
            while row < jacobians.rows() {
                let part = jacobians.row_range(row, sum.room());
                kernel::accumulate_outer(level, MatMut::new(sum.open_block(), k, k)?, part)?;
                sum.advance(level, part.rows())?;
                row += part.rows();
            }
        }
        let all = sum.finish(level);
        if let Some(n) = NonZeroU64::new(n as u64) {
            f64::divide_all(all, n);
        }
        kernel::mirror(MatMut::new(all, k, k)?)?;
        let trace: f64 = all.iter().step_by(k + 1).sum();
        if !trace.is_finite() {
            return Err(Error::input(path, "K", "the sum of squares overflows"));
        }
        // A term passes through at most a block, the height of the tree and the division; |sum |J|^T |J||_F <= tr K.
        let roundings = SAMPLE_BLOCK as f64 + 64.0 + 2.0;
        let relative = 0.5 * f64::EPSILON * roundings + source.read_error::<f64>() * 2.0;
        Ok(Self { k, values: all.to_vec(), error: ROOM * relative * trace, outputs: Some(c) })
    }

    /// K of the rows of W that are taken, whether it is that of all rows or theirs already.
    pub(super) fn of_rows(self, range: Range<usize>) -> Self {
        if self.k == range.len() {
            return self;
        }
        let rows = self.values.chunks_exact(self.k.max(1)).skip(range.start).take(range.len());
        let values = rows.flat_map(|row| row.get(range.clone()).unwrap_or_default()).copied().collect();
        Self { k: range.len(), values, ..self }
    }

    pub(super) fn view(&self) -> Result<MatRef<'_, f64>> {
        Ok(MatRef::new(&self.values, self.k, self.k)?)
    }
}

fn source(paths: &Paths) -> Result<Source> {
    Ok(open(paths, None, &Reading::default(), Role::Train)?.inputs)
}
