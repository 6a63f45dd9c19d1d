//! Where a replay or a stored file is not what the manifest says.

use super::config::RuleName;
use super::manifest::{Mark, Sha256};
use super::train::Record;
use crate::checkpoint;
use crate::error::{ParseError, quote};
use serde::Serialize;

/// A place at which the replay or a stored file is not what the manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The file, or the rule and step.
    pub place: String,
    /// What was expected there and what was found.
    pub reason: String,
}

/// A digest that is not the expected one.
pub(super) fn digests_differ(expected: &Sha256, found: &Sha256) -> String {
    format!("the manifest says {expected}, the file has {found}")
}

/// The marks of one rule against its replay.
pub(super) struct Replay<'m> {
    pub(super) rule: RuleName,
    pub(super) marks: &'m [Mark],
    pub(super) equal: usize,
    pub(super) difference: Option<Difference>,
}

impl Replay<'_> {
    pub(super) fn observe(&mut self, record: &Record) -> bool {
        let found = Mark::new(record);
        let reason = match self.marks.get(self.equal) {
            Some(expected) if *expected == found => {
                self.equal += 1;
                return true;
            }
            Some(expected) if expected.step == found.step => {
                format!("the manifest says {}, the replay gives {}", expected.digest, found.digest)
            }
            Some(expected) => format!("the manifest has step {} in its place", expected.step),
            None => "the manifest has no such measurement".to_owned(),
        };
        self.differ(found.step, reason);
        false
    }

    pub(super) fn stopped(&mut self, reason: &str) {
        let step = self.marks.get(self.equal).map_or(0, |mark| mark.step);
        self.differ(step, format!("the replay stops before it: {reason}"));
    }

    pub(super) fn ended(&mut self) {
        if let Some(mark) = self.marks.get(self.equal).filter(|_| self.difference.is_none()) {
            self.differ(mark.step, "the replay has no such measurement".to_owned());
        }
    }

    fn differ(&mut self, step: u64, reason: String) {
        let last = self.equal.checked_sub(1).and_then(|last| self.marks.get(last));
        let equal = match last {
            Some(mark) => format!("equal up to step {}", mark.step),
            None => "nothing is equal".to_owned(),
        };
        let place = format!("{} step {step}", self.rule.name());
        self.difference.get_or_insert(Difference { place, reason: format!("{reason} ({equal})") });
    }
}

/// The first weight that differs, its place and the two values.
pub(super) fn tensor_difference(expected: &[u8], found: &[u8]) -> (String, String) {
    let parsed = |bytes: &[u8]| -> Result<_, ParseError> { checkpoint::parse(bytes) };
    let difference = match (parsed(expected), parsed(found)) {
        (Ok(expected), Ok(found)) => checkpoint::first_difference(&expected, &found),
        (Err(error), _) | (_, Err(error)) => Some((error.place, error.reason)),
    };
    difference.unwrap_or_else(|| ("header".to_owned(), "the same weights in other bytes".to_owned()))
}

/// The first line that differs, its number and the two.
pub(super) fn line_difference(expected: &[u8], found: &[u8]) -> (String, String) {
    let line = |bytes| <[u8]>::split(bytes, |byte| *byte == b'\n');
    let equal = line(expected).zip(line(found)).take_while(|(a, b)| a == b).count();
    let show = |bytes| match line(bytes).nth(equal) {
        // A character takes at most four bytes, so no more are shown.
        Some(line) => quote(&String::from_utf8_lossy(line.get(..MOST_SHOWN).unwrap_or(line))),
        None => "the end".to_owned(),
    };
    (format!("line {}", equal + 1), format!("expected {}, found {}", show(expected), show(found)))
}

/// Bytes of a line that are looked at for a message, which shows 80 characters.
const MOST_SHOWN: usize = 400;
