//! The outputs of the network as read beside the framework's own, and the first likely cause that explains a difference.

mod causes;
mod inputs;

use crate::dataset::bytes::Bytes;
use crate::dataset::{Values, npy};
use crate::error::{Error, Result, shape_text};
use crate::memory::collected;
use crate::network::Model;
use crate::notes::number;
use crate::samples::Rows;
use agop_core::activation::AnyActivation;
use agop_core::matrix::MatRef;
use agop_core::scalar::Real;
use agop_core::simd::Level;
use causes::{Cause, Chain, Kind, Trial};
use serde::Serialize;
use std::path::Path;

/// How far the outputs agree.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// The largest absolute difference.
    pub largest_difference: f64,
    /// Its row and column, counted from 0.
    pub at: [usize; 2],
    /// What the difference may be, in parts of `scale`.
    pub tolerance: f64,
    /// The largest absolute output that was given.
    pub scale: f64,
}

/// Relative difference that rounding explains in f32. The chain of products loses about `sqrt(width)` units of 6e-8 a
/// layer; frameworks sum in other orders, and a hundred layers of width 1000 stay below.
const TOLERANCE_F32: f64 = 1e-4;
/// The same in f64, whose unit is 1.1e-16: far above rounding, far below what a wrong reading changes.
const TOLERANCE_F64: f64 = 1e-9;
/// The same in half precision, whose unit is 4.9e-4, and in f32 by tensor cores.
const TOLERANCE_F16: f64 = 1e-2;

impl Agreement {
    /// Of `found` with `given` outputs, both (n x c).
    fn new(found: impl Iterator<Item = f64>, given: &[f64], columns: usize, tolerance: f64) -> Self {
        let mut largest = (0.0, 0);
        for (index, (found, given)) in found.zip(given).enumerate() {
            let difference = (found - given).abs();
            // An output that overflowed is no output.
            let difference = if difference.is_nan() { f64::INFINITY } else { difference };
            if difference > largest.0 {
                largest = (difference, index);
            }
        }
        let scale = given.iter().fold(0.0, |most, z| if z.abs() > most { z.abs() } else { most });
        let (row, column) = (largest.1 / columns, largest.1 % columns);
        Self { largest_difference: largest.0, at: [row, column], tolerance, scale }
    }

    fn holds(&self) -> bool {
        self.largest_difference <= self.tolerance * self.scale
    }

    /// What to say where the tolerance is no small part of how the outputs (n x c) vary over the samples.
    fn doubt(&self, given: &[f64], columns: usize) -> Option<String> {
        let spread = (0..columns).fold(0.0, |most, j| {
            let column = || given.iter().skip(j).step_by(columns);
            let mean = column().sum::<f64>() / column().count() as f64;
            column().map(|z| (z - mean).abs()).fold(most, |most, far| if far > most { far } else { most })
        });
        (self.tolerance * self.scale > 0.01 * spread).then(|| {
            format!(
                "the given outputs vary by {} only, the tolerance is {}: that they agree says little; save them as float64",
                number(Some(spread), 4),
                number(Some(self.tolerance * self.scale), 4)
            )
        })
    }
}

/// Compares the outputs of a network with those in a file.
///
/// **Shapes** x (n x d), the file (n, c), or (n) where c = 1; `names` one a layer, readout included.
///
/// **Arithmetic** the forward pass in `T`, the differences in `f64`. The tolerance is 1e-4 of the largest |output| where
/// the outputs or `T` are f32, 1e-9 where both are f64, 1e-2 where the outputs are f16.
///
/// Beside the agreement it returns what casts doubt on it.
///
/// # Errors
/// All that reading can say; another shape; outputs that disagree, with the first cause that explains it.
pub(super) fn compare<T: Real>(
    level: Level,
    names: &[String],
    model: &Model<T, AnyActivation>,
    x: &dyn Rows<T, Error = Error>,
    file: &Path,
) -> Result<(Agreement, Option<String>)> {
    let (samples, columns) = (x.rows(), model.shape()?.outputs());
    let array = npy::read(file)?;
    let fits = match array.shape.as_slice() {
        [rows] => *rows == samples && columns == 1,
        [rows, width] => (*rows, *width) == (samples, columns),
        _ => false,
    };
    if !fits {
        let flat = if columns == 1 { format!(" or ({samples},)") } else { String::new() };
        let reason =
            format!("expected ({samples}, {columns}){flat}, one row a sample and one column an output");
        return Err(Error::input(file, format!("shape {}", shape_text(&array.shape)), reason));
    }
    let of_file = match array.values {
        // Its numbers were widened.
        Values::F32(_) if npy::read_bits(&mut Bytes::open(file)?)?.1 == Some("F16") => TOLERANCE_F16,
        Values::F32(_) => TOLERANCE_F32,
        Values::F64(_) => TOLERANCE_F64,
        Values::Integers(_) => {
            let reason = "integers, expected floats: the outputs themselves, not classes";
            return Err(Error::input(file, "outputs", reason));
        }
    };
    let tolerance = if T::BYTES == 4 && of_file < TOLERANCE_F32 { TOLERANCE_F32 } else { of_file };
    let (_, _, given) = array.matrix::<f64>().map_err(|error| error.in_file(file))?;
    let found = collected("outputs", given.len(), model.forward(level, x)?.iter().map(|f| f.to_f64()))?;
    let agreement = Agreement::new(found.iter().copied(), &given, columns, tolerance);
    if agreement.holds() {
        return Ok((agreement, agreement.doubt(&given, columns)));
    }
    let [row, column] = agreement.at;
    let at = row * columns + column;
    let value = |values: &[f64]| number(values.get(at).copied(), 6);
    let (given_text, found_text) = (value(&given), value(&found));
    let explanation = if model.architecture().is_dense() {
        let chain = Chain::new(level, model)?;
        Search { chain, x, given, found, columns, scale: agreement.scale }.explanation(names, tolerance)
    } else {
        "are the layers, their activations and the scale of the samples those of its framework?".to_owned()
    };
    let reason = format!(
        "the network as read gives {}, expected {}; the largest difference {} is beyond the tolerance {tolerance:e} of \
         {}; {}",
        found_text,
        given_text,
        number(Some(agreement.largest_difference), 4),
        number(Some(agreement.scale), 3),
        explanation,
    );
    Err(Error::input(file, format!("row {row}, column {column}"), reason))
}

/// The search for what makes the outputs agree.
struct Search<'a, T> {
    chain: Chain,
    x: &'a dyn Rows<T, Error = Error>,
    given: Vec<f64>,
    found: Vec<f64>,
    columns: usize,
    scale: f64,
}

/// Operations that trials of two causes at once may take in all: some seconds.
const MOST_WORK: usize = 10_000_000_000;
/// Operations that a trial may take on the samples on which it is tried first.
const MOST_WORK_OF_ONE: usize = 1_000_000_000;
/// The most of these samples.
const FEW: usize = 16;
/// Samples that one pass of a trial takes.
const CHUNK: usize = 1024;

impl<T: Real> Search<'_, T> {
    fn explanation(&self, names: &[String], tolerance: f64) -> String {
        let inputs = inputs::causes(self.x);
        let causes = causes::all(names, &self.chain, inputs);
        // What explains outputs to f32 explains them, even if they are stored as f64.
        let loose = if tolerance < TOLERANCE_F32 { TOLERANCE_F32 } else { tolerance };
        let agree = |cause: &str| format!("they agree when {cause}");
        let exact = causes.iter().find(|cause| self.fits(&[cause], tolerance));
        if let Some(cause) = exact {
            return agree(&cause.says);
        }
        if tolerance < loose && self.distance(&self.found) <= loose * self.scale {
            return format!(
                "they agree within {loose:e}, the tolerance of f32: save them as float32 if they were computed so"
            );
        }
        if let Some(cause) = causes.iter().find(|cause| self.fits(&[cause], loose)) {
            return agree(&cause.says);
        }
        if let Some(reason) = self.rearranged(loose) {
            return reason;
        }
        if self.distance(&self.found) <= TOLERANCE_F16 * self.scale {
            return format!(
                "they agree within {TOLERANCE_F16:e}, as outputs computed in half precision or TF32 do: compute them in \
                 float32, or the activation is an approximation"
            );
        }
        let pairs = causes.iter().enumerate().flat_map(|(index, first)| {
            let later = causes.iter().skip(index + 1);
            later.filter(|second| second.kind != first.kind).map(move |second| [first, second])
        });
        let work = self.chain.work().saturating_mul(self.few()).max(1);
        // Few numbers agree with something among so many.
        let mut pairs = pairs.take(if self.given.len() < FEW { 0 } else { MOST_WORK / work });
        let both = pairs.find(|pair| self.fits(pair, loose));
        if let Some([first, second]) = both {
            return agree(&format!("{}, and {}", first.says, second.says));
        }
        let mut kinds: Vec<&str> = causes.iter().map(|cause| cause.kind.name()).collect();
        kinds.dedup();
        let lost = if kinds.contains(&Kind::Biases.name()) {
            ""
        } else {
            "; the file holds no biases: save them too if the network has them"
        };
        format!(
            "none of the causes tried fits: {}, rows or columns in another order, outputs scaled or shifted, two of these{lost}",
            kinds.join(", ")
        )
    }

    /// Samples on which a cause is tried first.
    fn few(&self) -> usize {
        let affordable = MOST_WORK_OF_ONE / self.chain.work().max(1);
        Ord::min(affordable.clamp(1, FEW), self.x.rows())
    }

    /// Whether the outputs agree with causes applied: on few samples first, then on all.
    fn fits(&self, causes: &[&Cause], tolerance: f64) -> bool {
        let mut trial = Trial::new(&self.chain);
        causes.iter().for_each(|cause| (cause.apply)(&mut trial));
        let rows = self.x.rows();
        let few = self.few();
        let spread = (0..few).map(|i| i * rows / few).collect();
        let chunks = (0..rows).step_by(CHUNK).map(|start| (start..Ord::min(rows, start + CHUNK)).collect());
        std::iter::once(spread).chain(chunks).all(|rows: Vec<usize>| self.agrees(&trial, &rows, tolerance))
    }

    fn agrees(&self, trial: &Trial, rows: &[usize], tolerance: f64) -> bool {
        let (mut x, mut buffer) = (Vec::new(), Vec::new());
        let mut add = |_: usize, run: MatRef<'_, T>| {
            x.extend(run.elements().map(|x| x.to_f64()));
            Ok(())
        };
        // What cannot be read again agrees with nothing.
        if rows.iter().any(|&i| self.x.each(i..i + 1, &mut buffer, &mut add).is_err()) {
            return false;
        }
        let given = rows.iter().flat_map(|&i| self.given.iter().skip(i * self.columns).take(self.columns));
        let Some(found) = trial.outputs(&self.chain, x, rows.len()) else { return false };
        found.iter().zip(given).all(|(f, z)| (f - z).abs() <= tolerance * self.scale)
    }

    /// The largest difference of these outputs from the given ones.
    fn distance(&self, found: &[f64]) -> f64 {
        Agreement::new(found.iter().copied(), &self.given, self.columns, 0.0).largest_difference
    }

    /// What can be seen of the outputs alone: other rows, other columns, a scale and a shift.
    fn rearranged(&self, tolerance: f64) -> Option<String> {
        let limit = tolerance * self.scale;
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= limit);
        let split = |values: &[f64]| -> Vec<Vec<f64>> {
            (0..self.columns)
                .map(|j| values.iter().skip(j).step_by(self.columns).copied().collect())
                .collect()
        };
        let (found, given) = (split(&self.found), split(&self.given));
        let pairs = || found.iter().zip(&given);
        let sorted = |column: &Vec<f64>| {
            let mut column = column.clone();
            column.sort_by(f64::total_cmp);
            column
        };
        if pairs().all(|(f, z)| near(&sorted(f), &sorted(z))) {
            return Some(
                "they agree when the rows are taken in another order: save both files unshuffled".into(),
            );
        }
        let mut order = Vec::new();
        for z in &given {
            let is_free = |j: &usize| !order.contains(j) && found.get(*j).is_some_and(|f| near(f, z));
            order.extend((0..self.columns).find(is_free));
        }
        if order.len() == self.columns {
            return Some(format!("they agree when the columns are taken in the order {order:?}"));
        }
        // Few samples lie on a line whatever they are.
        let lines = pairs().map(|(f, z)| {
            line(f, z).filter(|(a, b)| {
                let on_line: Vec<f64> = f.iter().map(|f| a * f + b).collect();
                near(&on_line, z)
            })
        });
        let lines: Vec<(f64, f64)> = lines.collect::<Option<_>>().filter(|_| self.x.rows() > 3)?;
        Some(if lines.iter().all(|(a, _)| (a - 1.0).abs() <= tolerance) {
            "they differ by a constant for each output: the bias of the last layer is missing from the file"
                .into()
        } else {
            let shown: Vec<String> =
                lines.iter().take(3).map(|(a, b)| format!("{a:.4} f + {b:.4}")).collect();
            format!("they agree when outputs f are rescaled ({}): save them unscaled", shown.join("; "))
        })
    }
}

/// Slope and offset of the line through points by least squares; `None` for a vertical one.
fn line(x: &[f64], y: &[f64]) -> Option<(f64, f64)> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let square = x.iter().map(|x| (x - mean_x) * (x - mean_x)).sum::<f64>();
    let product = x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    let slope = product / square;
    slope.is_finite().then_some((slope, mean_y - slope * mean_x))
}
