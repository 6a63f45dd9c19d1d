//! The replay that checks a run folder: stored files against the manifest, then every measurement against a new run.

use super::config::{self, Config, Data, RuleName};
use super::folder::{CONFIG, Folder, LONGEST_TEXT, MANIFEST, Manifest, SCHEMA, files_of, sha256};
use super::problem::Problem;
use super::report::Mark;
use super::train::{Machine, Record, Run};
use crate::checkpoint;
use crate::error::{Error, ParseError, Result};
use crate::file;
use agop_core::digest::CONTRACT_VERSION;
use agop_core::scalar::Real;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A place at which the replay or a stored file is not what the manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The file, or the rule and step.
    pub place: String,
    /// What was expected there and what was found.
    pub reason: String,
}

/// The outcome of a verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// `agop.verify/1`.
    pub schema: &'static str,
    /// Whether everything is equal.
    pub equal: bool,
    /// Measurements that were replayed and equal, by rule.
    pub measurements: BTreeMap<RuleName, usize>,
    /// What is not; the first one of each rule and file.
    pub differences: Vec<Difference>,
}

/// A run folder as read.
#[derive(Debug)]
pub struct Stored {
    directory: PathBuf,
    manifest: Manifest,
    /// The configuration, with other data files where the caller gave some.
    config: Config,
    files: BTreeMap<String, Vec<u8>>,
}

/// Files of samples that are not where the run found them.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    /// Training inputs.
    pub data: Option<PathBuf>,
    /// Training labels.
    pub labels: Option<PathBuf>,
    /// Test inputs.
    pub test_data: Option<PathBuf>,
    /// Test labels.
    pub test_labels: Option<PathBuf>,
}

impl Moved {
    fn put_into(self, config: &mut Config) -> Result<()> {
        let Self { data, labels, test_data, test_labels } = self;
        let places = match &mut config.data {
            Data::Files { data, labels, test_data, test_labels } => {
                (Some(data), Some(labels), test_data.as_mut(), test_labels.as_mut())
            }
            _ => (None, None, None, None),
        };
        for (option, new, place) in [
            ("--data", data, places.0),
            ("--labels", labels, places.1),
            ("--test-data", test_data, places.2),
            ("--test-labels", test_labels, places.3),
        ] {
            match (new, place) {
                (Some(new), Some(place)) => *place = new,
                (Some(_), None) => return Err(Error::Usage(format!("{option}: the run read no such file"))),
                (None, _) => {}
            }
        }
        Ok(())
    }
}

impl Stored {
    /// Reads a folder.
    ///
    /// # Errors
    /// For what is missing, unreadable or malformed, with file and place.
    pub fn read(directory: &Path, moved: Moved) -> Result<Self> {
        let path = directory.join(MANIFEST);
        let bytes = file::read_limited(&path, LONGEST_TEXT)?;
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            Error::input(&path, place, error.to_string())
        })?;
        if manifest.schema != SCHEMA {
            let reason = format!("expected {SCHEMA:?}, found {:?}", manifest.schema);
            return Err(Error::input(path, "schema", reason));
        }
        if manifest.contract != CONTRACT_VERSION {
            let reason = format!(
                "the run was made under bit contract {}, this program has {CONTRACT_VERSION}",
                manifest.contract
            );
            return Err(Error::input(path, "contract", reason));
        }
        let config_path = directory.join(CONFIG);
        let config_bytes = file::read_limited(&config_path, LONGEST_TEXT)?;
        let mut config = config::parse(&config_bytes).map_err(|error| error.in_file(&config_path))?;
        if config.training.rules.is_empty() {
            return Err(Error::input(
                config_path,
                "training.rules",
                "expected at least one rule, found none",
            ));
        }
        moved.put_into(&mut config)?;
        let mut files = BTreeMap::from([(CONFIG.to_owned(), config_bytes)]);
        for name in config.training.rules.iter().copied().flat_map(files_of) {
            let path = directory.join(&name);
            let bytes = file::read(&path)?;
            if name.ends_with(".safetensors") {
                checkpoint::parse(&bytes).map_err(|error| error.in_file(&path))?;
            }
            files.insert(name, bytes);
        }
        if !files.keys().eq(manifest.files.keys()) {
            let list = |names: Vec<&String>| format!("{names:?}");
            let (expected, found) = (files.keys().collect(), manifest.files.keys().collect());
            let reason = format!("expected {}, found {}", list(expected), list(found));
            return Err(Error::input(path, "files", reason));
        }
        let rules: BTreeSet<RuleName> = config.training.rules.iter().copied().collect();
        if !rules.iter().eq(manifest.rules.keys()) {
            let reason = format!("expected those of {CONFIG}, {rules:?}, found {:?}", manifest.rules.keys());
            return Err(Error::input(path, "rules", reason));
        }
        Ok(Self { directory: directory.to_path_buf(), manifest, config, files })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Checks the files, replays the run and compares. `progress` is told rule and step.
    ///
    /// # Errors
    /// For what keeps the replay from starting: unreadable samples, unusable settings.
    pub fn verify(&self, machine: Machine, progress: &mut dyn FnMut(RuleName, u64)) -> Result<Verification> {
        let differences = self.file_differences();
        let mut verification = Verification {
            schema: "agop.verify/1",
            equal: false,
            measurements: BTreeMap::new(),
            differences,
        };
        // Another configuration is another run: its replay says nothing about this one.
        let config = self.place(CONFIG);
        if verification.differences.iter().all(|difference| difference.place != config) {
            match self.config.scalar()? {
                "f32" => self.replay::<f32>(machine, progress, &mut verification),
                _ => self.replay::<f64>(machine, progress, &mut verification),
            }?;
        }
        verification.equal = verification.differences.is_empty();
        Ok(verification)
    }

    fn replay<T: Real>(
        &self,
        machine: Machine,
        progress: &mut dyn FnMut(RuleName, u64),
        verification: &mut Verification,
    ) -> Result<()> {
        let Verification { measurements, differences, .. } = verification;
        let problem = Problem::<T>::load(&self.config)?;
        let digest = problem.digest.to_string();
        if digest != self.manifest.data {
            let reason = format!("expected {}, the samples give {digest}", self.manifest.data);
            differences.push(Difference { place: self.place(MANIFEST) + ": data", reason });
        }
        let mut outcomes = Vec::new();
        let mut same = true;
        for rule in self.config.training.rules.iter().copied() {
            let run = Run::new(&self.config, &problem, rule, machine)?;
            let marks = self.manifest.rules.get(&rule).map(Vec::as_slice).unwrap_or_default();
            let mut replay = Replay { rule, marks, equal: 0, difference: None };
            match run.train(&mut |step| progress(rule, step), &mut |record| replay.observe(record)) {
                Ok(outcome) => outcomes.push(outcome),
                Err(Error::Diverged(reason)) => replay.stopped(&reason),
                Err(error) => return Err(error),
            }
            replay.ended();
            measurements.insert(rule, replay.equal);
            same &= replay.difference.is_none();
            differences.extend(replay.difference);
        }
        if same {
            let replayed = Folder::new(&self.config, problem.digest, &outcomes)?;
            differences.extend(self.replay_differences(&replayed));
        }
        Ok(())
    }

    fn place(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// Files whose bytes are not what the manifest says.
    fn file_differences(&self) -> Vec<Difference> {
        let pairs = self.files.iter().zip(self.manifest.files.values());
        let different = pairs.filter_map(|((name, bytes), expected)| {
            let found = sha256(bytes);
            let reason = format!("the manifest says {expected}, the file has {found}");
            (found != *expected).then(|| Difference { place: self.place(name), reason })
        });
        different.collect()
    }

    /// Files whose content is not what the replay gives: the first element of each.
    fn replay_differences(&self, replayed: &Folder) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (name, expected) in &replayed.files {
            let found = self.files.get(name).map(Vec::as_slice).unwrap_or_default();
            if name == CONFIG || found == expected {
                continue;
            }
            let (place, reason) = if name.ends_with(".safetensors") {
                tensor_difference(expected, found)
            } else {
                line_difference(expected, found)
            };
            differences.push(Difference { place: format!("{}: {place}", self.place(name)), reason });
        }
        differences
    }
}

/// The marks of one rule against its replay.
struct Replay<'m> {
    rule: RuleName,
    marks: &'m [Mark],
    equal: usize,
    difference: Option<Difference>,
}

impl Replay<'_> {
    fn observe(&mut self, record: &Record) -> bool {
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

    fn stopped(&mut self, reason: &str) {
        let step = self.marks.get(self.equal).map_or(0, |mark| mark.step);
        self.differ(step, format!("the replay stops before it: {reason}"));
    }

    fn ended(&mut self) {
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

fn tensor_difference(expected: &[u8], found: &[u8]) -> (String, String) {
    let parsed = |bytes: &[u8]| -> std::result::Result<_, ParseError> { checkpoint::parse(bytes) };
    let difference = match (parsed(expected), parsed(found)) {
        (Ok(expected), Ok(found)) => checkpoint::first_difference(&expected, &found),
        (Err(error), _) | (_, Err(error)) => Some((error.place, error.reason)),
    };
    difference.unwrap_or_else(|| ("header".to_owned(), "the same weights in other bytes".to_owned()))
}

fn line_difference(expected: &[u8], found: &[u8]) -> (String, String) {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (expected, found) = (text(expected), text(found));
    let line = expected.lines().zip(found.lines()).take_while(|(a, b)| a == b).count();
    let show =
        |text: &str| text.lines().nth(line).map_or_else(|| "the end".to_owned(), |line| format!("{line:?}"));
    (format!("line {}", line + 1), format!("expected {}, found {}", show(&expected), show(&found)))
}
