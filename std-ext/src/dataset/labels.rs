//! Labels from files in any form: numbers, text, or one column for each class.

use super::{Array, Classes, MOST_CLASSES, Targets, Values};
use crate::error::{Error, ParseError, Result, quote, shape_text};
use agop_core::scalar::Real;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The labels of one file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Column {
    /// Classes, or numbers to regress on.
    Numbers(Array),
    /// Names of classes in ascending order, and the place there of each label.
    Text(Vec<String>, Vec<i64>),
}

impl Column {
    /// The column as numbers. A text becomes the index of its class.
    pub(super) fn into_array(self) -> Array {
        match self {
            Self::Numbers(array) => array,
            Self::Text(_, numbers) => Array { shape: vec![numbers.len()], values: Values::Integers(numbers) },
        }
    }
}

/// Text labels while they are read.
#[derive(Debug, Default)]
pub(super) struct TextClasses {
    /// The number of each by first occurrence.
    classes: BTreeMap<String, i64>,
    numbers: Vec<i64>,
}

impl TextClasses {
    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// **Errors** why there can be no such label.
    pub(super) fn push(&mut self, name: &str) -> std::result::Result<(), String> {
        let next = self.classes.len() as i64;
        let number = match self.classes.get(name) {
            Some(number) => *number,
            None if name.is_empty() => return Err("the label is empty".to_owned()),
            None if self.classes.len() >= MOST_CLASSES => {
                return Err(format!("{} is one class more than {MOST_CLASSES}", quote(name)));
            }
            None => *self.classes.entry(name.to_owned()).or_insert(next),
        };
        self.numbers.try_reserve(1).map_err(|_| "the labels do not fit the memory".to_owned())?;
        self.numbers.push(number);
        Ok(())
    }

    /// The labels, numbered in ascending order of the names.
    pub(super) fn column(mut self) -> Column {
        let mut places = vec![0_i64; self.classes.len()];
        let index = |number: i64| usize::try_from(number).unwrap_or_default();
        for (place, number) in self.classes.values().enumerate() {
            places.get_mut(index(*number)).into_iter().for_each(|to| *to = place as i64);
        }
        for number in &mut self.numbers {
            *number = places.get(index(*number)).copied().unwrap_or_default();
        }
        Column::Text(self.classes.into_keys().collect(), self.numbers)
    }
}

/// The labels of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    path: PathBuf,
    array: Array,
    numbering: Option<Classes>,
}

impl Labels {
    /// Those of several files, one after the other.
    pub(super) fn new(mut columns: Vec<(PathBuf, Column)>) -> Result<Option<Self>> {
        let Some(path) = columns.first().map(|(path, _)| path.clone()) else { return Ok(None) };
        let only = if columns.len() == 1 { columns.pop() } else { None };
        match (only, columns.first()) {
            (Some((_, Column::Text(names, numbers))), _) => Ok(Self::of_text(path, names, numbers)),
            (Some((_, Column::Numbers(array))), _) => Self::of_numbers(path, array),
            (None, Some((_, Column::Text(..)))) => {
                let (names, numbers) = joined_text(&columns)?;
                Ok(Self::of_text(path, names, numbers))
            }
            (None, _) => Self::of_numbers(path, joined_numbers(&columns)?),
        }
        .map(Some)
    }

    fn of_text(path: PathBuf, names: Vec<String>, numbers: Vec<i64>) -> Self {
        let numbering = Some(Classes::named(names));
        Self { path, array: Column::Text(Vec::new(), numbers).into_array(), numbering }
    }

    fn of_numbers(path: PathBuf, array: Array) -> Result<Self> {
        let numbering = match one_hot(&array) {
            Some((classes, numbers)) => {
                let array = Column::Text(Vec::new(), numbers).into_array();
                return Ok(Self { path, array, numbering: Some(Classes::first(classes)) });
            }
            None => Classes::of(&array).map_err(|error| error.in_file(&path))?,
        };
        Ok(Self { path, array, numbering })
    }

    /// The file that messages name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The classes: those that occur, or those that have a column; `None` for labels that are no classes.
    pub fn classes(&self) -> Option<&Classes> {
        self.numbering.as_ref()
    }

    /// Keeps the first `rows` labels of `samples`. The classes remain those of all labels.
    ///
    /// **Errors** at `shape (...)` when there are not `samples` labels.
    pub(crate) fn keep(&mut self, samples: usize, rows: usize) -> Result<()> {
        self.array.keep(samples, rows).map_err(|error| error.in_file(&self.path))
    }

    /// The labels as targets, numbered by `numbering` or, without, by their own [`classes`](Self::classes).
    ///
    /// **Errors** as [`Array::targets`], with the file's name; for text where the numbering is of numbers, or the other
    /// way round.
    pub fn targets<T: Real>(&self, samples: usize, numbering: Option<&Classes>) -> Result<Targets<T>> {
        let input = |error: ParseError| error.in_file(&self.path);
        let (Some(own), Some(other)) = (&self.numbering, numbering) else {
            return self.array.targets(samples, numbering.or(self.numbering.as_ref())).map_err(input);
        };
        if own.names().is_empty() != other.names().is_empty() {
            let [found, expected] =
                [own, other].map(|classes| if classes.names().is_empty() { "numbers" } else { "text" });
            let reason = format!("classes are {found}, those of the training labels {expected}");
            return Err(Error::input(&self.path, "labels", reason));
        }
        if own.names().is_empty() {
            return self.array.targets(samples, numbering).map_err(input);
        }
        let renumbered = other.renumber(own, &self.array).map_err(input)?;
        renumbered.targets(samples, numbering).map_err(input)
    }
}

/// The number of classes and the class of each row, where every row of a table has a single one among zeros.
fn one_hot(array: &Array) -> Option<(usize, Vec<i64>)> {
    let [rows, columns @ 2..=MOST_CLASSES] = *array.shape.as_slice() else { return None };
    let mut numbers = Vec::new();
    numbers.try_reserve_exact(rows).ok()?;
    let mut values = array.values.floats();
    for _ in 0..rows {
        let mut class = None;
        for (column, value) in values.by_ref().take(columns).enumerate() {
            match (value == 0.0, value == 1.0, class) {
                (true, ..) => {}
                (_, true, None) => class = Some(column as i64),
                _ => return None,
            }
        }
        numbers.push(class?);
    }
    (!numbers.is_empty()).then_some((columns, numbers))
}

fn joined_text(columns: &[(PathBuf, Column)]) -> Result<(Vec<String>, Vec<i64>)> {
    let mut names = BTreeSet::new();
    for (path, column) in columns {
        match column {
            Column::Text(own, _) => names.extend(own),
            Column::Numbers(_) => {
                return Err(Error::input(path, "labels", "numbers, those of the first file are text"));
            }
        }
    }
    let names: Vec<String> = names.into_iter().cloned().collect();
    let mut all = Vec::new();
    for (_, column) in columns {
        let Column::Text(own, numbers) = column else { continue };
        let places: Vec<i64> =
            own.iter().map(|name| names.binary_search(name).unwrap_or_default() as i64).collect();
        all.extend(numbers.iter().filter_map(|n| places.get(usize::try_from(*n).ok()?)));
    }
    Ok((names, all))
}

fn joined_numbers(columns: &[(PathBuf, Column)]) -> Result<Array> {
    let arrays = columns.iter().map(|(path, column)| match column {
        Column::Numbers(array) => Ok((path, array)),
        Column::Text(..) => Err(Error::input(path, "labels", "text, those of the first file are numbers")),
    });
    let arrays: Vec<(&PathBuf, &Array)> = arrays.collect::<Result<_>>()?;
    let rest = |array: &Array| array.shape.get(1..).unwrap_or_default().to_vec();
    let mut joined: Option<Array> = None;
    for (path, array) in arrays {
        let Some(rows) = array.shape.first() else {
            return Err(Error::input(path, "shape ()", "a single number, expected one row a sample"));
        };
        let Some(before) = &mut joined else {
            joined = Some(array.clone());
            continue;
        };
        let same = rest(array) == rest(before);
        if !same || !append(&mut before.values, &array.values) {
            let reason = "of another type or width than those of the first file";
            return Err(Error::input(path, format!("shape {}", shape_text(&array.shape)), reason));
        }
        before.shape.first_mut().into_iter().for_each(|all| *all += rows);
    }
    Ok(joined.unwrap_or(Array { shape: vec![0], values: Values::Integers(Vec::new()) }))
}

/// Appends values of the same type; false for others, and where there is no memory.
fn append(to: &mut Values, from: &Values) -> bool {
    fn extend<T: Copy>(to: &mut Vec<T>, from: &[T]) -> bool {
        let room = to.try_reserve(from.len()).is_ok();
        if room {
            to.extend_from_slice(from);
        }
        room
    }
    match (to, from) {
        (Values::F32(to), Values::F32(from)) => extend(to, from),
        (Values::F64(to), Values::F64(from)) => extend(to, from),
        (Values::Integers(to), Values::Integers(from)) => extend(to, from),
        _ => false,
    }
}
