//! The replay that checks a run folder: stored files against the manifest, then every measurement against a new run.

use super::config::{Config, Data, Files, RuleName};
use super::difference::{Replay, digests_differ, line_difference, tensor_difference};
use super::folder::{CONFIG, Folder, MANIFEST, Read, files_of, finished, foreign, inside, sha256};
use super::manifest::{Manifest, Sha256};
use super::named::in_scalar;
use super::problem::Problem;
use super::report::longest_history;
use super::train::Run;
use super::work::{Sizes, Work};
use crate::checkpoint;
use crate::dataset::{Paths, file_and_array};
use crate::error::{Error, Result, Shown, quote};
use crate::file;
use crate::machine::Machine;
use agop_core::network::parameters;
use agop_core::scalar::Real;
use serde::Serialize;
use sha2::Digest as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use super::difference::Difference;
pub use super::work::{MOST_BYTES, MOST_OPERATIONS};

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
    /// The configuration as stored.
    stored: Config,
    /// The data files that the caller gave.
    given: Vec<PathBuf>,
    /// What was found while reading.
    differences: Vec<Difference>,
    same_config: bool,
}

/// Files of samples that are not where the run found them.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    /// Training inputs.
    pub data: Option<Paths>,
    /// Training labels.
    pub labels: Option<Paths>,
    /// Test inputs.
    pub test_data: Option<Paths>,
    /// Test labels.
    pub test_labels: Option<Paths>,
}

impl Moved {
    /// Puts the files that were given into a configuration.
    ///
    /// # Errors
    /// [`Error::Usage`] for one that the run does not read.
    pub fn put_into(self, config: &mut Config) -> Result<()> {
        let Self { data, labels, test_data, test_labels } = self;
        let places = match &mut config.data {
            Data::Files(Files { data, labels, test_data, test_labels, .. }) => {
                (Some(data), labels.as_mut(), test_data.as_mut(), test_labels.as_mut())
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
    /// Reads the manifest and the configuration of a folder, and the names of what stands in it.
    ///
    /// # Errors
    /// For what is missing, unreadable or malformed, with file and place.
    pub fn read(directory: &Path, moved: Moved) -> Result<Self> {
        let Read { manifest, manifest_bytes, config, config_bytes } = Read::folder(directory)?;
        let (path, config_path) = (directory.join(MANIFEST), directory.join(CONFIG));
        if manifest.unfinished {
            let reason = format!("`agop train --resume {}` goes on with it", directory.display());
            return Err(Error::input(path, "the run is not finished", reason));
        }
        manifest.not_diverged(&path)?;
        let encoded = manifest.encode().map_err(|error| Error::io(&path, "read", error))?;
        let mut differences = Vec::new();
        let mut compare_form = |path: &Path, expected: &[u8], found: &[u8]| {
            if expected != found {
                let (place, reason) = line_difference(expected, found);
                differences.push(Difference { place: format!("{}: {place}", path.display()), reason });
            }
        };
        compare_form(&path, &encoded, &manifest_bytes);
        let config_digest = sha256(&config_bytes);
        let rules: BTreeSet<RuleName> = config.training.rules.iter().copied().collect();
        let names = rules.iter().copied().flat_map(files_of).chain([CONFIG.to_owned()]);
        let names: BTreeSet<String> = names.collect();
        if !names.iter().eq(manifest.files.keys()) {
            let missing = names.iter().find(|name| !manifest.files.contains_key(*name));
            let other = manifest.files.keys().find(|name| !names.contains(*name));
            let shown = |name: Option<&String>| name.map_or_else(|| "none".to_owned(), |name| quote(name));
            let reason = format!("missing: {}, of no run: {}", shown(missing), shown(other));
            return Err(Error::input(path, "files", reason));
        }
        if !rules.iter().eq(manifest.rules.keys()) {
            let reason = format!("expected those of {CONFIG}, {rules:?}, found {:?}", manifest.rules.keys());
            return Err(Error::input(path, "rules", reason));
        }
        let same_config = manifest.files.get(CONFIG) == Some(&config_digest);
        if same_config {
            compare_form(&config_path, &config.encode()?, &config_bytes);
        } else if let Some(expected) = manifest.files.get(CONFIG) {
            let reason = digests_differ(expected, &config_digest) + "; nothing was replayed";
            differences.push(Difference { place: config_path.display().to_string(), reason });
        }
        let rules: Vec<RuleName> = rules.into_iter().collect();
        for path in foreign(directory, &rules, false)? {
            let reason = "nothing that a run writes".to_owned();
            differences.push(Difference { place: path.display().to_string(), reason });
        }
        let file = |path: &Path| file_and_array(path).0;
        let given = [&moved.data, &moved.labels, &moved.test_data, &moved.test_labels];
        let given = given.into_iter().flatten().flat_map(Paths::iter).map(file).collect();
        let mut replayed = config.clone();
        moved.put_into(&mut replayed)?;
        let directory = directory.to_path_buf();
        Ok(Self { directory, manifest, config: replayed, stored: config, given, differences, same_config })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Checks the files, replays the run and compares. `say` is told what is going to be read and computed, before it is;
    /// `progress` is told rule and step. `large`: do also what is more than [`MOST_OPERATIONS`] and [`MOST_BYTES`].
    ///
    /// # Errors
    /// For what keeps the replay from starting: unreadable samples or weights, unusable settings, too much work.
    pub fn verify(
        &self,
        machine: &Machine,
        large: bool,
        say: &mut dyn FnMut(&str),
        progress: &mut dyn FnMut(RuleName, u64),
    ) -> Result<Verification> {
        let mut verification = Verification {
            schema: "agop.verify/1",
            equal: false,
            measurements: BTreeMap::new(),
            differences: self.differences.clone(),
        };
        // Another configuration is another run: its replay says nothing about this one.
        if self.same_config {
            in_scalar!(
                self.config.scalar,
                Self::replay::<_>(self, machine, large, say, progress, &mut verification)
            )?;
        }
        verification.equal = verification.differences.is_empty();
        Ok(verification)
    }

    fn replay<T: Real>(
        &self,
        machine: &Machine,
        large: bool,
        say: &mut dyn FnMut(&str),
        progress: &mut dyn FnMut(RuleName, u64),
        verification: &mut Verification,
    ) -> Result<()> {
        let Verification { measurements, differences, .. } = verification;
        self.announce_reads(large, say)?;
        let known = Sizes::of_task(&self.config.data);
        if let Some(sizes) = known {
            self.announce_work(sizes, large, say)?;
        }
        let problem =
            Problem::<T>::load_within(&self.config, machine.memory).map_err(|error| self.of_data(error))?;
        if problem.digest != self.manifest.data.0 {
            // Report nothing more: the path may name an unrelated file, whose content must not be shown.
            let reason = "the samples are not those of the run; nothing was replayed".to_owned();
            differences.push(Difference { place: self.place(MANIFEST) + ": data", reason });
            return Ok(());
        }
        let understood = &self.manifest.understood;
        // Compare only if no other files were given: other files may hold the same numbers with other labels.
        if understood.is_some() && self.given.is_empty() && *understood != problem.understood {
            let reason = "the samples are those of the run, this says something else of them".to_owned();
            differences.push(Difference { place: self.place(MANIFEST) + ": understood", reason });
        }
        if problem.statistics != self.manifest.statistics {
            let reason = "not those of the training samples, which are the same".to_owned();
            differences.push(Difference { place: self.place(MANIFEST) + ": statistics", reason });
        }
        let sizes = Sizes::of(&problem);
        if known.is_none() {
            self.announce_work(sizes, large, say)?;
        }
        let weights = self.read_files::<T>(&sizes.widths(&self.config), differences)?;
        let mut outcomes = Vec::new();
        let mut same = true;
        for rule in self.config.training.rules.iter().copied() {
            let marks = self.manifest.rules.get(&rule).map(Vec::as_slice).unwrap_or_default();
            let mut replay = Replay { rule, marks, equal: 0, difference: None };
            let run = Run::new(&self.config, &problem, rule, machine);
            let train =
                |run: Run<'_, T>| run.train(&mut |step| progress(rule, step), &mut |r| replay.observe(r));
            match run.and_then(train) {
                Ok(outcome) => outcomes.push(outcome),
                Err(Error::Diverged(reason)) => replay.stopped(&reason),
                Err(Error::Usage(reason)) => return Err(Error::input(self.path(CONFIG), "settings", reason)),
                Err(error) => return Err(error),
            }
            replay.ended();
            measurements.insert(rule, replay.equal);
            same &= replay.difference.is_none();
            differences.extend(replay.difference);
        }
        if same {
            let replayed = Folder::new(&self.stored, problem.digest, outcomes)?;
            self.compare(&replayed, &weights, differences)?;
        }
        Ok(())
    }

    /// Says which files outside the folder are read, and refuses large ones.
    fn announce_reads(&self, large: bool, say: &mut dyn FnMut(&str)) -> Result<()> {
        let Data::Files(Files { data, labels, test_data, test_labels, .. }) = &self.config.data else {
            say(&format!("reads nothing outside {}", self.directory.display()));
            return Ok(());
        };
        let sets = [Some(data), labels.as_ref(), test_data.as_ref(), test_labels.as_ref()];
        let file = |path: &Path| file_and_array(path).0;
        let files: Vec<PathBuf> = sets.into_iter().flatten().flat_map(Paths::iter).map(file).collect();
        let names: Vec<String> = files.iter().map(|path| Shown(path.display()).to_string()).collect();
        // A line for each: the whole of one would be cut.
        names.iter().for_each(|name| say(&format!("reads {name}")));
        let bytes: f64 =
            files.iter().filter_map(|path| Some(std::fs::metadata(path).ok()?.len() as f64)).sum();
        if large { Ok(()) } else { Work { operations: 0.0, bytes }.check() }
    }

    /// Says how much is going to be computed, and refuses too much.
    fn announce_work(&self, sizes: Sizes, large: bool, say: &mut dyn FnMut(&str)) -> Result<()> {
        let work = Work::of(&self.config, sizes);
        let rules: Vec<&str> = self.config.training.rules.iter().map(|rule| rule.name()).collect();
        let (rules, steps) = (rules.join(" and "), self.config.training.steps);
        say(&format!(
            "replays {rules}, {steps} steps: about {:.1e} floating-point operations",
            work.operations
        ));
        if large { Ok(()) } else { work.check() }
    }

    /// What may be told of samples that could not be read: of a file that only the configuration names, not what is in it.
    fn of_data(&self, error: Error) -> Error {
        match error {
            Error::Input { file, .. } if !self.given.contains(&file_and_array(&file).0) => {
                let reason =
                    "not samples of the run (--data, --labels, --test-data, --test-labels name others)";
                Error::input(file, "content", reason)
            }
            other => other,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn place(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Reads the files of all rules, no further than they can be long, and notes those whose digest is not the manifest's;
    /// gives the bytes of the weights.
    fn read_files<T: Real>(
        &self,
        widths: &[usize],
        differences: &mut Vec<Difference>,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        // A tensor's entry in the header is shorter.
        const LONGEST_ENTRY: usize = 256;
        let header = widths.len().saturating_mul(2 * LONGEST_ENTRY);
        let values = parameters(widths, self.config.network.bias).saturating_mul(size_of::<T>());
        let longest_weights = values.saturating_add(header) as u64;
        let longest_table = longest_history(self.config.measurements(), self.config.network.hidden.len());
        let mut weights = BTreeMap::new();
        for (name, expected) in self.manifest.files.iter().filter(|(name, _)| *name != CONFIG) {
            let path = inside(&self.directory, name)?;
            let found = if name.ends_with(".safetensors") {
                let bytes = file::read_limited(&path, longest_weights)?;
                checkpoint::parse(&bytes).map_err(|error| error.in_file(&path))?;
                let digest = sha256(&bytes);
                weights.insert(name.clone(), bytes);
                digest
            } else {
                digest_of_file(&path, longest_table)?
            };
            if found != *expected {
                let reason = digests_differ(expected, &found);
                differences.push(Difference { place: self.place(name), reason });
            }
        }
        Ok(weights)
    }

    /// Notes the files whose content is not what the replay gives: the first element of each.
    fn compare(
        &self,
        replayed: &Folder,
        weights: &BTreeMap<String, Vec<u8>>,
        differences: &mut Vec<Difference>,
    ) -> Result<()> {
        for (name, expected) in replayed.files.iter().filter(|(name, _)| *name != CONFIG) {
            let (place, reason) = match weights.get(name) {
                Some(found) if found == expected => continue,
                Some(found) => tensor_difference(expected, found),
                None => {
                    let path = inside(&self.directory, name)?;
                    let found = file::read_start(&path, expected.len() as u64 + 1)?;
                    if found == *expected {
                        continue;
                    }
                    line_difference(expected, &found)
                }
            };
            differences.push(Difference { place: format!("{}: {place}", self.place(name)), reason });
        }
        Ok(())
    }
}

/// SHA-256 of a file of at most `longest` bytes, which are not held at once.
fn digest_of_file(path: &Path, longest: u64) -> Result<Sha256> {
    let (mut file, length) = file::open(path)?;
    if length > longest {
        let reason = format!("the file has {length} bytes, of this run at most {longest}");
        return Err(Error::input(path, format!("byte {longest}"), reason));
    }
    let mut hash = sha2::Sha256::new();
    let mut left = length;
    while left > 0 {
        let bytes = file::read_exactly(path, &mut file, left.min(1 << 16))?;
        hash.update(&bytes);
        left -= bytes.len() as u64;
    }
    Ok(finished(hash))
}
