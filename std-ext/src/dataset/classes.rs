//! Classes: which integers the labels hold, and the number of each.

use super::{Array, Values, extend};
use crate::error::ParseError;
use std::collections::BTreeSet;
use std::fmt::{self, Display};

/// The largest number of classes that labels may have; one-hot targets of more are a mistake in the labels.
pub const MOST_CLASSES: usize = 65_536;

/// The classes of labels in ascending order; each one's number is its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes(Vec<usize>);

impl Classes {
    /// The classes that occur in labels; `None` for an array that holds no classes: not integers in one column, (n) or
    /// (n, 1).
    ///
    /// **Errors** at `row R`, counted from 0, for a class below 0 or not below [`MOST_CLASSES`].
    pub fn of(labels: &Array) -> Result<Option<Self>, ParseError> {
        let (Values::Integers(values), [_] | [_, 1]) = (&labels.values, labels.shape.as_slice()) else {
            return Ok(None);
        };
        let mut seen = BTreeSet::new();
        for (row, &label) in values.iter().enumerate() {
            seen.insert(class(row, label)?);
        }
        Ok(Some(Self(seen.into_iter().collect())))
    }

    /// The classes of training labels beside test labels: of both where together they are 0 to C - 1, which are numbers
    /// already; else those of the training labels alone.
    pub fn beside(self, test: &Self) -> Self {
        let both: BTreeSet<usize> = self.0.iter().chain(&test.0).copied().collect();
        let both = Self(both.into_iter().collect());
        if both.numbered() { both } else { self }
    }

    /// How many there are, C.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Those of `other` that are not among these.
    pub fn missing<'c>(&'c self, other: &'c Self) -> impl Iterator<Item = usize> + 'c {
        other.0.iter().copied().filter(|class| self.0.binary_search(class).is_err())
    }

    /// The number of each label.
    ///
    /// **Errors** at `row R`, counted from 0, for a class that is not among these; when the memory cannot be had.
    pub(super) fn numbers(&self, labels: &Array) -> Result<Vec<usize>, ParseError> {
        let Values::Integers(values) = &labels.values else { return Ok(Vec::new()) };
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(values.len()).map_err(|_| {
            ParseError::new("labels", format!("{} classes do not fit the memory", values.len()))
        })?;
        let number = |(row, &label): (usize, &i64)| {
            let class = class(row, label)?;
            self.0.binary_search(&class).map_err(|_| {
                let reason = format!("class {class} never occurs in the training labels ({self})");
                ParseError::new(format!("row {row}"), reason)
            })
        };
        extend(&mut numbers, values.iter().enumerate().map(number))?;
        Ok(numbers)
    }

    /// Whether the classes are their own numbers.
    fn numbered(&self) -> bool {
        self.0.iter().copied().eq(0..self.0.len())
    }
}

/// `10 classes 0..9`; with the numbers where these are others: `3 classes 0, 50, 100 numbered 0..2`.
impl Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 8;
        let range = |first, last| if first == last { format!("{first}") } else { format!("{first}..{last}") };
        let (count, last) = (self.0.len(), self.0.last().copied().unwrap_or_default());
        let first = self.0.first().copied().unwrap_or_default();
        write!(f, "{count} class{} ", if count == 1 { "" } else { "es" })?;
        if last - first + 1 == count {
            f.write_str(&range(first, last))?;
        } else {
            let shown: Vec<String> = self.0.iter().take(MOST).map(ToString::to_string).collect();
            f.write_str(&shown.join(", "))?;
            if count > MOST {
                write!(f, ", ..., {last}")?;
            }
        }
        if self.numbered() { Ok(()) } else { write!(f, " numbered {}", range(0, count.saturating_sub(1))) }
    }
}

fn class(row: usize, label: i64) -> Result<usize, ParseError> {
    let wrong = |reason| ParseError::new(format!("row {row}"), reason);
    match usize::try_from(label) {
        Ok(class) if class < MOST_CLASSES => Ok(class),
        Ok(_) => Err(wrong(format!("class {label}, the largest allowed is {}", MOST_CLASSES - 1))),
        Err(_) => Err(wrong(format!("class {label}, expected 0 to {}", MOST_CLASSES - 1))),
    }
}
