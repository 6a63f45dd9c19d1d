//! What is done to the samples in files before they are used: which are taken, which are held out, how inputs are scaled.

use super::inputs::Reader;
use super::split::{Split, TEST_FRACTION, split};
use super::standard::{Standard, Standardise};
use crate::dataset::{Labels, Source};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The preparation of samples. It decides bits, so that a run stores it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preparation {
    /// The most samples that are taken, from the first on; all without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The part that is held out for the test; [`TEST_FRACTION`] without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// Whether the same part of each class is held out.
    #[serde(skip_serializing_if = "is_false")]
    pub stratify: bool,
    /// Whose statistics standardise inputs.
    #[serde(skip_serializing_if = "is_none")]
    pub standardise: Standardise,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(standardise: &Standardise) -> bool {
    *standardise == Standardise::None
}

/// The samples of a set that are used, still to be read.
#[derive(Debug)]
pub(crate) struct Chosen {
    source: Arc<Source>,
    rows: usize,
    /// Where some are held out: indices of the others, and theirs.
    pub(crate) split: Option<[Arc<Vec<usize>>; 2]>,
}

impl Preparation {
    /// Whether samples are used as they stand in the files.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something was said about what is held out.
    pub fn divides(&self) -> bool {
        self.test_fraction.is_some() || self.stratify
    }

    /// Checks what no file is needed for.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the option.
    pub fn check(&self) -> Result<()> {
        if self.limit == Some(0) {
            return Err(Error::Usage("limit: expected at least 1, found 0".into()));
        }
        match self.test_fraction {
            // Not a number lies nowhere.
            Some(part) if !(part > 0.0 && part < 1.0) => {
                let reason = format!("test-fraction: expected more than 0 and less than 1, found {part}");
                Err(Error::Usage(reason))
            }
            _ => Ok(()),
        }
    }

    /// Takes samples of a set, and rows of its labels; `divide` holds some out by that seed.
    ///
    /// # Errors
    /// As [`split`]; for labels of another number, or without classes where they are to be stratified.
    pub(crate) fn choose(
        &self,
        source: Source,
        labels: Option<&mut Labels>,
        divide: Option<u64>,
    ) -> Result<Chosen> {
        self.check()?;
        let rows = Ord::min(self.limit.unwrap_or(usize::MAX), source.count());
        let mut classes = None;
        let mut place = source.path().to_path_buf();
        if let Some(labels) = labels {
            place = labels.path().to_path_buf();
            labels.keep(source.count(), rows)?;
            if self.stratify {
                classes = labels.targets::<f32>(rows, None)?.classes;
            }
        }
        if self.stratify && classes.is_none() {
            let reason = "no classes (integers in one column), which --stratify needs";
            return Err(Error::input(place, "labels", reason));
        }
        let fraction = self.test_fraction.unwrap_or(TEST_FRACTION);
        let split = divide.map(|seed| {
            split(rows, fraction, seed, classes.as_deref())
                .map(|Split { train, test }| [Arc::new(train), Arc::new(test)])
                .map_err(|reason| Error::input(place, "shape", reason))
        });
        Ok(Chosen { source: Arc::new(source), rows, split: split.transpose()? })
    }

    /// What was done, in clauses.
    pub(crate) fn said(&self, chosen: &Chosen, standard: Option<&Standard>) -> Vec<String> {
        let (taken, all) = (chosen.rows, chosen.source.count());
        let mut said = Vec::new();
        match self.limit {
            Some(limit) if limit > all => {
                said.push(format!("no more than these, fewer than --limit {limit}"));
            }
            Some(_) => said.push(format!("the first {taken} of {all} taken")),
            None => {}
        }
        if let Some([_, test]) = &chosen.split {
            let by_class = if self.stratify { " by class" } else { "" };
            said.push(format!("{} held out for the test{by_class}", test.len()));
        }
        if let Some(standard) = standard {
            let (name, constant, all) = (self.standardise.name(), standard.constant(), standard.mean.len());
            let left = match constant {
                0 => String::new(),
                _ => format!(" ({constant} of {all} columns constant, left at zero)"),
            };
            let whose = if self.standardise == Standardise::Global { "all inputs" } else { "each feature" };
            said.push(format!("standardised, {name}: by mean and deviation of {whose}{left}"));
        }
        said
    }
}

impl Chosen {
    /// Rows that are taken, the ones held out among them.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Those to train on, or to measure.
    pub(crate) fn train(&self) -> Reader {
        let source = Arc::clone(&self.source);
        match &self.split {
            Some([train, _]) => Reader::picked(source, Arc::clone(train)),
            None => Reader::first(source, self.rows),
        }
    }

    /// Those held out; all where none are.
    pub(crate) fn test(&self) -> Reader {
        let source = Arc::clone(&self.source);
        match &self.split {
            Some([_, test]) => Reader::picked(source, Arc::clone(test)),
            None => Reader::first(source, self.rows),
        }
    }
}
