//! The folder a run leaves behind.
//!
//! ```text
//! DIR/config.toml                 what the run does
//! DIR/RULE/initial.safetensors    weights before the first update
//! DIR/RULE/final.safetensors      weights after the last
//! DIR/RULE/history.csv            one line a measurement
//! DIR/manifest.json               versions, digests of the files, the data and every measurement
//! ```
//!
//! While it is trained, and after that perhaps, there are also `run.lock`, which the process that trains it holds, and
//! `RULE/checkpoint.safetensors`, the newest state that was kept; the manifest says that the run is unfinished.
//! `report.html` and `report-*.svg` may be added to it. Where a rule diverged, the manifest says so: of that rule there are no
//! last weights, and the history ends before.

use super::config::{self, Config, RuleName};
use super::manifest::{LONGEST, LONGEST_CONFIG, Manifest, Sha256};
use super::train::{Outcome, Run};
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::file;
use crate::network::Model;
use agop_core::activation::AnyActivation;
use agop_core::digest::Digest;
use agop_core::scalar::Real;
use sha2::Digest as _;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files of a run, in memory.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Content by path inside the folder, without the manifest.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The manifest.
    pub manifest: Manifest,
}

/// All rules, in the order of their names.
pub(super) const RULES: [RuleName; 2] = [RuleName::Gd, RuleName::Slo];

/// Name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// Name of the configuration.
pub const CONFIG: &str = "config.toml";
/// Name of the file that is locked while the run is trained.
pub const LOCK: &str = "run.lock";

/// What a run folder says of itself, as read; the configuration passes its checks.
#[derive(Debug)]
pub struct Read {
    /// The manifest.
    pub manifest: Manifest,
    /// Its bytes.
    pub manifest_bytes: Vec<u8>,
    /// The configuration.
    pub config: Config,
    /// Its bytes.
    pub config_bytes: Vec<u8>,
}

impl Read {
    /// Reads manifest and configuration of a folder, be the run finished or not.
    ///
    /// # Errors
    /// For what is missing, unreadable or malformed, with file and place.
    pub fn folder(directory: &Path) -> Result<Self> {
        let path = inside(directory, MANIFEST)?;
        let manifest_bytes = file::read_limited(&path, LONGEST)?;
        let manifest = Manifest::parse(&manifest_bytes).map_err(|error| error.in_file(&path))?;
        let path = inside(directory, CONFIG)?;
        let config_bytes = file::read_limited(&path, LONGEST_CONFIG)?;
        let config = config::parse(&config_bytes).map_err(|error| error.in_file(&path))?;
        let checked = config.check();
        checked.map_err(|error| Error::input(&path, "settings", error.to_string()))?;
        Ok(Self { manifest, manifest_bytes, config, config_bytes })
    }
}

impl Folder {
    /// The files of finished trainings.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn new<T: Real>(config: &Config, data: Digest, outcomes: Vec<Outcome<T>>) -> Result<Self> {
        let mut files = BTreeMap::from([(CONFIG.to_owned(), config.encode()?)]);
        let mut rules = BTreeMap::new();
        for outcome in outcomes {
            let Outcome { rule, initial, trained, marks, history, .. } = outcome;
            let [first, last, table] = files_of(rule);
            for (name, model) in [(first, initial), (last, trained)] {
                files.insert(name, weights(&model)?);
            }
            files.insert(table, history);
            rules.insert(rule, marks);
        }
        let digests = digests(&files);
        Ok(Self { manifest: Manifest::new(data, rules, digests), files })
    }

    /// The same with what the files of samples were taken for, and their statistics.
    pub fn understood(mut self, (understood, statistics): (&Option<String>, &Option<Vec<String>>)) -> Self {
        self.manifest.understood.clone_from(understood);
        self.manifest.statistics.clone_from(statistics);
        self
    }

    /// The same where a rule diverged: of it, and of those that come after it, all that was measured.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn diverged<T: Real>(mut self, rest: Vec<Run<'_, T>>, reason: &str) -> Result<Self> {
        for run in rest {
            let [first, _, table] = files_of(run.rule());
            self.files.insert(first, weights(run.initial())?);
            self.files.insert(table, run.history.0);
            self.manifest.rules.insert(run.rule, run.marks);
        }
        self.manifest.files = digests(&self.files);
        self.manifest.diverged = Some(reason.to_owned());
        Ok(self)
    }

    /// The files of a run before its first step: all that can be known.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn unfinished<'m, T: Real>(
        config: &Config,
        data: Digest,
        initial: impl IntoIterator<Item = (RuleName, &'m Model<T, AnyActivation>)>,
    ) -> Result<Self> {
        let mut files = BTreeMap::from([(CONFIG.to_owned(), config.encode()?)]);
        let mut rules = BTreeMap::new();
        for (rule, model) in initial {
            let [first, ..] = files_of(rule);
            files.insert(first, weights(model)?);
            rules.insert(rule, Vec::new());
        }
        let digests = digests(&files);
        let manifest = Manifest { unfinished: true, ..Manifest::new(data, rules, digests) };
        Ok(Self { manifest, files })
    }

    /// Writes all files into an empty folder; `path` serves the messages.
    pub(super) fn write(&self, path: &Path, empty: &Path) -> Result<()> {
        for rule in self.manifest.rules.keys() {
            file::change(&path.join(rule.name()), "create", || std::fs::create_dir(empty.join(rule.name())))?;
        }
        for (name, bytes) in &self.files {
            file::create(&path.join(name), &empty.join(name), bytes)?;
        }
        let manifest = path.join(MANIFEST);
        let bytes = self.manifest.encode().map_err(|error| Error::io(&manifest, "write", error))?;
        file::create(&manifest, &empty.join(MANIFEST), &bytes)?;
        for rule in self.manifest.rules.keys() {
            file::flush_directory(&path.join(rule.name()), &empty.join(rule.name()))?;
        }
        file::flush_directory(path, empty)
    }
}

fn weights<T: Real>(model: &Model<T, AnyActivation>) -> Result<Vec<u8>> {
    let bytes = checkpoint::encode(model.widths(), model.bias(), model.parameters());
    bytes.map_err(|error| Error::Message(error.to_string()))
}

fn digests(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Sha256> {
    files.iter().map(|(name, bytes)| (name.clone(), sha256(bytes))).collect()
}

/// SHA-256 of a file's bytes.
pub fn sha256(bytes: &[u8]) -> Sha256 {
    let mut hash = sha2::Sha256::new();
    hash.update(bytes);
    finished(hash)
}

/// A hash as a digest.
pub(super) fn finished(hash: sha2::Sha256) -> Sha256 {
    let mut digest = Digest([0; 32]);
    digest.0.iter_mut().zip(hash.finalize()).for_each(|(to, byte)| *to = byte);
    Sha256(digest)
}

/// The files of a rule, by their paths inside the folder.
pub fn files_of(rule: RuleName) -> [String; 3] {
    ["initial.safetensors", "final.safetensors", "history.csv"].map(|name| format!("{}/{name}", rule.name()))
}

/// The file with the newest state of a rule that was kept, by its path inside the folder.
pub fn checkpoint_of(rule: RuleName) -> String {
    format!("{}/checkpoint.safetensors", rule.name())
}

/// What is in a folder and not of a run of these rules, links included; the first few. `temporary`: names of temporary
/// files are no matter.
pub(super) fn foreign(directory: &Path, rules: &[RuleName], temporary: bool) -> Result<Vec<PathBuf>> {
    const MOST: usize = 10;
    let rule_files = |rule| files_of(rule).into_iter().chain([checkpoint_of(rule)]);
    let names: Vec<String> = rules.iter().copied().flat_map(rule_files).collect();
    let is_report =
        |name: &str| name == "report.html" || name.starts_with("report-") && name.ends_with(".svg");
    let mut folders = vec![(directory.to_path_buf(), String::new())];
    let mut found = Vec::new();
    while let Some((folder, prefix)) = folders.pop() {
        let failed = |error| Error::io(&folder, "list", error);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // Of the entry itself: a link is a link.
            let kind = entry.file_type().map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let inside = format!("{prefix}{name}");
            if kind.is_dir() && rules.iter().any(|rule| rule.name() == inside) {
                folders.push((entry.path(), inside + "/"));
                continue;
            }
            let of_a_run = [MANIFEST, CONFIG, LOCK].contains(&inside.as_str())
                || names.contains(&inside)
                || prefix.is_empty() && is_report(name);
            if !(kind.is_file() && (of_a_run || temporary && file::is_temporary(name))) {
                found.push(entry.path());
            }
            if found.len() == MOST {
                return Ok(found);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A file of a run by its path, which no link leads out of the folder.
pub(super) fn inside(directory: &Path, name: &str) -> Result<PathBuf> {
    let mut path = directory.to_path_buf();
    for part in Path::new(name) {
        path.push(part);
        let metadata = std::fs::symlink_metadata(&path).map_err(|error| Error::io(&path, "open", error))?;
        if metadata.is_symlink() {
            return Err(Error::input(path, "link", "a symbolic link, which no run writes"));
        }
    }
    Ok(path)
}
