//! Data sets: files of many formats, converted to a matrix of samples and its targets.
//!
//! The entry point is [`open`]. From files and options it makes a [`Source`], which reads rows on demand, and [`Labels`].
//! Each module reads one format, and compares the sizes in a file with its length before it allocates. The module `bytes`
//! reads bytes and limits how many are unpacked; `elements` decodes them to numbers.

pub(crate) mod bytes;
mod cifar;
mod classes;
mod csv;
mod csv_form;
mod elements;
mod idx;
mod labels;
pub mod npy;
mod npy_header;
mod npz;
mod open;
mod options;
mod source;

pub use classes::{Classes, MOST_CLASSES};
pub use labels::Labels;
pub(crate) use open::arrays;
pub use open::{Opened, Role, open, parse, text_as_label, with_labels};
pub(crate) use options::file_and_array;
pub use options::{Format, Paths, Reading, Separator};
pub use source::Source;

use crate::error::{ParseError, Result, shape_text};
use agop_core::loss::AnyLoss;
use agop_core::scalar::Real;
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::Path;

/// Elements of an array in C order (the last index fastest), as wide as the file had them.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// IEEE 754 binary32.
    F32(Vec<f32>),
    /// IEEE 754 binary64.
    F64(Vec<f64>),
    /// Integers and bools of any width; unsigned ones above `i64::MAX` are refused by the readers.
    Integers(Vec<i64>),
}

impl Values {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::Integers(v) => v.len(),
        }
    }

    /// True when there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The relative error of each element rounded to `T`: zero where `T` holds all of them.
    pub(crate) fn read_error<T: Real>(&self) -> f64 {
        if self.rounds::<T>() { T::UNIT_ROUNDOFF } else { 0.0 }
    }

    /// Whether an element is no number of `T`.
    fn rounds<T: Real>(&self) -> bool {
        // All integers up to 1 / u are floats.
        let exact = (1.0 / T::UNIT_ROUNDOFF) as u64;
        match self {
            Self::F32(_) => false,
            Self::F64(v) => v.iter().any(|x| T::from_f64(*x).to_f64() != *x),
            Self::Integers(v) => v.iter().any(|n| n.unsigned_abs() > exact),
        }
    }

    /// Every element as f64; no float changes by it.
    pub fn floats(&self) -> impl Iterator<Item = f64> {
        (0..self.len()).map_while(|index| match self {
            Self::F32(v) => v.get(index).map(|&x| f64::from(x)),
            Self::F64(v) => v.get(index).copied(),
            Self::Integers(v) => v.get(index).map(|&n| n as f64),
        })
    }

    /// Appends every element to `output`, rounded to nearest, ties to even.
    ///
    /// **Errors** the index and the reason at the first value that is not finite, or not finite any more in `T`.
    pub(crate) fn append_to<T: Real>(&self, output: &mut Vec<T>) -> std::result::Result<(), (usize, String)> {
        self.append_range(0..self.len(), output)
    }

    /// As [`append_to`](Self::append_to), of the elements of a range; the index counts from its start.
    fn append_range<T: Real>(
        &self,
        range: Range<usize>,
        output: &mut Vec<T>,
    ) -> std::result::Result<(), (usize, String)> {
        if output.try_reserve_exact(range.len()).is_err() {
            return Err((0, format!("{} more values do not fit the memory", range.len())));
        }
        let float = |(index, x): (usize, f64)| {
            let rounded = T::from_f64(x);
            match x {
                _ if rounded.is_finite() => Ok(rounded),
                _ if x.is_nan() => Err((index, "the value is NaN".to_owned())),
                _ if x.is_infinite() => Err((index, "the value is infinite".to_owned())),
                _ => Err((index, format!("the value {x:e} overflows {}", T::NAME))),
            }
        };
        match self {
            Self::F32(v) => {
                let v = v.get(range).unwrap_or_default();
                extend(output, v.iter().map(|&x| f64::from(x)).enumerate().map(float))
            }
            Self::F64(v) => {
                let v = v.get(range).unwrap_or_default();
                extend(output, v.iter().copied().enumerate().map(float))
            }
            // Not by way of f64: that would round twice.
            Self::Integers(v) => {
                let v = v.get(range).unwrap_or_default();
                extend(output, v.iter().map(|&n| Ok(T::from_integer(n))))
            }
        }
    }
}

/// The bytes of one number; its bits as they are, but for NaN, which becomes the positive quiet one.
pub(crate) fn little_endian<T: Real>(x: T) -> impl Iterator<Item = u8> {
    // The bits of an f32 are zero-extended: its bytes come first.
    x.canonical_bits().to_le_bytes().into_iter().take(T::BYTES)
}

fn extend<T, E>(
    output: &mut Vec<T>,
    values: impl Iterator<Item = std::result::Result<T, E>>,
) -> std::result::Result<(), E> {
    for value in values {
        output.push(value?);
    }
    Ok(())
}

/// An array of any shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Lengths of the dimensions, slowest first; empty for a single number.
    pub shape: Vec<usize>,
    /// The elements in C order: as many as the product of `shape`.
    pub values: Values,
}

/// The targets of training.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets<T> {
    /// Numbers for each sample: classes, or columns.
    pub outputs: usize,
    /// samples x outputs, row-major.
    pub values: Vec<T>,
    /// The number of each sample's class, if the labels are classes.
    pub classes: Option<Vec<usize>>,
    /// How the labels were interpreted: `10 classes 0..9, one-hot minus 1/10`.
    pub meaning: String,
}

impl<T: Real> Targets<T> {
    /// The targets for a loss. For cross-entropy they are distributions: the classes one-hot, without subtracting the mean.
    /// For other losses they are unchanged.
    ///
    /// **Errors** at `labels` when cross-entropy is given no classes.
    pub fn for_loss(mut self, loss: AnyLoss) -> std::result::Result<Self, ParseError> {
        if loss == AnyLoss::CrossEntropy {
            let Some(classes) = &self.classes else {
                let reason = "cross-entropy needs classes: integers in one column";
                return Err(ParseError::new("labels", reason));
            };
            for (row, class) in self.values.chunks_exact_mut(self.outputs).zip(classes) {
                for (output, value) in row.iter_mut().enumerate() {
                    *value = if output == *class { T::one() } else { T::zero() };
                }
            }
        }
        if self.classes.is_some() {
            self.meaning += &match loss {
                AnyLoss::CrossEntropy => ", one-hot".to_owned(),
                _ => format!(", one-hot minus 1/{}", self.outputs),
            };
        }
        Ok(self)
    }
}

impl Array {
    /// Rows and columns of this array as a matrix.
    fn rows_and_columns(&self) -> std::result::Result<(usize, usize), ParseError> {
        let (rows, columns) = source::rows_and_columns(&self.shape)?;
        if rows * columns == self.values.len() {
            return Ok((rows, columns));
        }
        let reason = format!("the product of the shape is not the {} elements", self.values.len());
        Err(ParseError::new(format!("shape {}", shape_text(&self.shape)), reason))
    }

    /// Keeps the first `rows` of `samples` rows.
    ///
    /// **Errors** at `shape (...)` when there are not so many.
    fn keep(&mut self, samples: usize, rows: usize) -> std::result::Result<(), ParseError> {
        let (found, columns) = self.rows_and_columns()?;
        if found != samples {
            let reason = format!("{found} rows of labels for {samples} samples");
            return Err(ParseError::new(format!("shape {}", shape_text(&self.shape)), reason));
        }
        let count = rows.saturating_mul(columns);
        match &mut self.values {
            Values::F32(v) => v.truncate(count),
            Values::F64(v) => v.truncate(count),
            Values::Integers(v) => v.truncate(count),
        }
        self.shape.first_mut().into_iter().for_each(|first| *first = Ord::min(*first, rows));
        Ok(())
    }

    /// The samples as a matrix: `(rows, columns, values)`, row-major.
    ///
    /// **Shapes** (n) becomes n x 1, (n, m) stays, (n, a, b, ...) becomes n x ab...: an image is one row.
    ///
    /// **Arithmetic** integers and `f64` are rounded to nearest, ties to even, once.
    ///
    /// **Errors** at `shape (...)` for a single number, and for no rows or no columns; at `row R, column C`, counted
    /// from 0, for the first value that is NaN, infinite, or overflows `T`.
    pub fn matrix<T: Real>(&self) -> std::result::Result<(usize, usize, Vec<T>), ParseError> {
        let (rows, columns) = self.rows_and_columns()?;
        let mut values = Vec::new();
        self.values.append_to(&mut values).map_err(|(index, reason)| {
            ParseError::new(format!("row {}, column {}", index / columns, index % columns), reason)
        })?;
        Ok((rows, columns, values))
    }

    /// The labels of `samples` samples as targets.
    ///
    /// Integers in one column are classes, numbered by `numbering` or, without, by their own [`Classes`]: with C of them
    /// y_j = \[j = number\] - 1/C. Every other array is used as it is, like [`matrix`](Self::matrix).
    ///
    /// **Arithmetic** 1/C is rounded, then the difference, both in `T`.
    ///
    /// **Errors** at `shape (...)` when there are not `samples` rows or the targets do not fit the memory; at `row R`
    /// for a class that the numbering does not have; all of [`Classes::of`] and [`matrix`](Self::matrix).
    pub fn targets<T: Real>(
        &self,
        samples: usize,
        numbering: Option<&Classes>,
    ) -> std::result::Result<Targets<T>, ParseError> {
        let (rows, columns) = self.rows_and_columns()?;
        let wrong = |reason: String| ParseError::new(format!("shape {}", shape_text(&self.shape)), reason);
        if rows != samples {
            return Err(wrong(format!("{rows} rows of labels for {samples} samples")));
        }
        let Some(own) = Classes::of(self)? else {
            let (_, _, values) = self.matrix()?;
            return Ok(Targets {
                outputs: columns,
                values,
                classes: None,
                meaning: self.regression(columns),
            });
        };
        let numbering = numbering.unwrap_or(&own);
        let classes = numbering.numbers(self)?;
        let outputs = numbering.count();
        let mut values = Vec::new();
        let count = samples.checked_mul(outputs);
        if count.is_none_or(|count| values.try_reserve_exact(count).is_err()) {
            return Err(wrong(format!("targets of {samples} x {outputs} do not fit the memory")));
        }
        let share = NonZeroU64::new(outputs as u64).map_or(T::zero(), |n| T::one().divide_by(n));
        let (hot, cold) = (T::one() - share, T::zero() - share);
        for &class in &classes {
            values.extend((0..outputs).map(|output| if output == class { hot } else { cold }));
        }
        Ok(Targets { outputs, values, classes: Some(classes), meaning: numbering.to_string() })
    }

    /// A description of targets that are not classes.
    fn regression(&self, columns: usize) -> String {
        let whole = self.values.floats().all(|x| x.fract() == 0.0);
        match columns {
            1 if whole => {
                "1 output, regression (whole numbers as floats; integers would be classes)".to_owned()
            }
            1 => "1 output, regression".to_owned(),
            _ => format!("{columns} outputs, regression"),
        }
    }
}

/// The samples in a `.npy` file as `(rows, columns, values)`. See [`Array::matrix`].
///
/// **Errors** all of [`npy::read`] and [`Array::matrix`], with the file's name.
pub fn read_matrix<T: Real>(path: impl AsRef<Path>) -> Result<(usize, usize, Vec<T>)> {
    let path = path.as_ref();
    npy::read(path)?.matrix().map_err(|error| error.in_file(path))
}

/// The labels in a `.npy` file as targets of a loss. See [`Array::targets`] and [`Targets::for_loss`].
///
/// **Errors** all of [`npy::read`], [`Array::targets`] and [`Targets::for_loss`], with the file's name.
pub fn read_targets<T: Real>(path: impl AsRef<Path>, samples: usize, loss: AnyLoss) -> Result<Targets<T>> {
    let path = path.as_ref();
    let targets = npy::read(path)?.targets(samples, None);
    targets.and_then(|targets: Targets<T>| targets.for_loss(loss)).map_err(|error| error.in_file(path))
}
