//! Classes: which integers the labels hold, and the number of each.

use super::{Array, Values, extend};
use crate::error::{ParseError, quote};
use std::collections::BTreeSet;
use std::fmt::{self, Display};

/// The largest number of classes that labels may have; one-hot targets of more are a mistake in the labels.
pub const MOST_CLASSES: usize = 65_536;

/// The classes of labels in ascending order; each one's number is its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    values: Vec<i64>,
    /// Of text classes, whose values are their numbers; empty for others.
    names: Vec<String>,
}

impl Classes {
    /// The classes that occur in labels; `None` for an array that holds no classes: not integers in one column, (n) or
    /// (n, 1).
    ///
    /// **Errors** at `row R`, counted from 0, for a class below 0 or not below [`MOST_CLASSES`]; -1 and 1 alone are two
    /// classes.
    pub fn of(labels: &Array) -> Result<Option<Self>, ParseError> {
        let (Values::Integers(values), [_] | [_, 1]) = (&labels.values, labels.shape.as_slice()) else {
            return Ok(None);
        };
        let signs = values.iter().all(|label| matches!(label, -1 | 1));
        let mut seen = BTreeSet::new();
        for (row, &label) in values.iter().enumerate() {
            if !signs {
                check(row, label)?;
            }
            seen.insert(label);
        }
        Ok(Some(Self { values: seen.into_iter().collect(), names: Vec::new() }))
    }

    /// The classes 0 to C - 1.
    pub(super) fn first(count: usize) -> Self {
        Self { values: (0..count as i64).collect(), names: Vec::new() }
    }

    /// Classes with names in ascending order.
    pub(super) fn named(names: Vec<String>) -> Self {
        let Self { values, .. } = Self::first(names.len());
        Self { values, names }
    }

    /// The classes for training labels with these test labels. If both sets together are 0 to C - 1, they are the classes;
    /// otherwise the classes are those of the training labels.
    pub fn beside(self, test: &Self) -> Self {
        let both: BTreeSet<i64> = self.values.iter().chain(&test.values).copied().collect();
        let both = Self { values: both.into_iter().collect(), names: Vec::new() };
        if self.names.is_empty() && test.names.is_empty() && both.numbered() { both } else { self }
    }

    /// The number of classes, C.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// Names of text classes; empty for others.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Those of `other` that are not among these.
    pub fn missing<'c>(&'c self, other: &'c Self) -> impl Iterator<Item = i64> + 'c {
        other.values.iter().copied().filter(|class| self.values.binary_search(class).is_err())
    }

    /// Labels numbered by these names in place of the `other` ones, which they have.
    ///
    /// **Errors** at `row R` for a class whose name is not among these.
    pub(super) fn renumber(&self, other: &Self, labels: &Array) -> Result<Array, ParseError> {
        let Values::Integers(values) = &labels.values else { return Ok(labels.clone()) };
        let number = |(row, label): (usize, &i64)| {
            let name = usize::try_from(*label).ok().and_then(|label| other.names.get(label));
            let name = name.map(String::as_str).unwrap_or_default();
            let place = self.names.binary_search_by(|known| known.as_str().cmp(name));
            place.map(|place| place as i64).map_err(|_| self.unknown(row, &quote(name)))
        };
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(values.len()).map_err(|_| no_room(values.len()))?;
        extend(&mut numbers, values.iter().enumerate().map(number))?;
        Ok(Array { shape: labels.shape.clone(), values: Values::Integers(numbers) })
    }

    fn unknown(&self, row: usize, class: &str) -> ParseError {
        let reason = format!("class {class} never occurs in the training labels ({self})");
        ParseError::new(format!("row {row}"), reason)
    }

    /// The number of each label.
    ///
    /// **Errors** at `row R`, counted from 0, for a class that is not among these; when the memory cannot be had.
    pub(super) fn numbers(&self, labels: &Array) -> Result<Vec<usize>, ParseError> {
        let Values::Integers(values) = &labels.values else { return Ok(Vec::new()) };
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(values.len()).map_err(|_| no_room(values.len()))?;
        let number = |(row, label): (usize, &i64)| {
            self.values.binary_search(label).or_else(|_| {
                check(row, *label)?;
                Err(self.unknown(row, &label.to_string()))
            })
        };
        extend(&mut numbers, values.iter().enumerate().map(number))?;
        Ok(numbers)
    }

    /// Whether the classes are their own numbers.
    fn numbered(&self) -> bool {
        self.names.is_empty() && self.values.iter().copied().eq(0..self.values.len() as i64)
    }
}

fn no_room(count: usize) -> ParseError {
    ParseError::new("labels", format!("{count} classes do not fit the memory"))
}

/// `10 classes 0..9`; with the numbers where these are others: `3 classes 0, 50, 100 numbered 0..2`,
/// `2 classes cat, dog numbered 0..1`.
impl Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 8;
        const MOST_NAMES: usize = 32;
        let range = |first, last| if first == last { format!("{first}") } else { format!("{first}..{last}") };
        let count = self.count();
        let (first, last) = (self.values.first().copied().unwrap_or_default(), self.values.last().copied());
        let last = last.unwrap_or_default();
        write!(f, "{count} class{} ", if count == 1 { "" } else { "es" })?;
        let list = |shown: Vec<String>, last: String| {
            let more = if count > shown.len() { format!(", ..., {last}") } else { String::new() };
            shown.join(", ") + &more
        };
        if let Some(last) = self.names.last() {
            f.write_str(&list(
                self.names.iter().take(MOST_NAMES).map(|name| plain(name)).collect(),
                plain(last),
            ))?;
        } else if last - first + 1 == count as i64 {
            f.write_str(&range(first, last))?;
        } else {
            let shown = self.values.iter().take(MOST).map(ToString::to_string).collect();
            f.write_str(&list(shown, last.to_string()))?;
        }
        let numbers = range(0, count.saturating_sub(1) as i64);
        if self.numbered() { Ok(()) } else { write!(f, " numbered {numbers}") }
    }
}

/// A short name of letters, digits and `_-.+/` unchanged, any other name in quotes.
fn plain(name: &str) -> String {
    const LONGEST: usize = 40;
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '/');
    let short = name.chars().count() <= LONGEST && !name.is_empty();
    if short && name.chars().all(is_plain) { name.to_owned() } else { quote(name) }
}

/// Checks that a label can be a class: not negative and not too large.
fn check(row: usize, label: i64) -> Result<(), ParseError> {
    let wrong = |reason| Err(ParseError::new(format!("row {row}"), reason));
    match usize::try_from(label) {
        Ok(class) if class < MOST_CLASSES => Ok(()),
        Ok(_) => wrong(format!("class {label}, the largest allowed is {}", MOST_CLASSES - 1)),
        Err(_) => wrong(format!("class {label}, expected 0 to {}", MOST_CLASSES - 1)),
    }
}
