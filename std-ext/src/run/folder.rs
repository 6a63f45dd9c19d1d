//! The folder a run leaves behind.
//!
//! ```text
//! DIR/config.toml                 what the run does
//! DIR/RULE/initial.safetensors    weights before the first update
//! DIR/RULE/final.safetensors      weights after the last
//! DIR/RULE/history.csv            one line a measurement
//! DIR/manifest.json               versions, digests of the files, the data and every measurement; written last
//! ```

use super::config::{Config, RuleName};
use super::report::{Mark, history};
use super::train::Outcome;
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::file;
use agop_core::digest::{CONTRACT_VERSION, Digest};
use agop_core::scalar::Real;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Version of the manifest's form.
pub const SCHEMA: &str = "agop.run/1";

/// What a run says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program.
    pub version: String,
    /// Version of the bit contract.
    pub contract: u32,
    /// Digest of the samples as read.
    pub data: String,
    /// The marks of every measurement, by rule.
    pub rules: BTreeMap<RuleName, Vec<Mark>>,
    /// SHA-256 of every other file of the folder, by its path inside it.
    pub files: BTreeMap<String, String>,
}

/// The files of a run, in memory.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Content by path inside the folder, without the manifest.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The manifest.
    pub manifest: Manifest,
}

const RULES: [RuleName; 2] = [RuleName::Gd, RuleName::Slo];

/// Name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// Name of the configuration.
pub const CONFIG: &str = "config.toml";
/// A configuration or manifest longer than this is none.
pub(super) const LONGEST_TEXT: u64 = 1 << 26;

impl Folder {
    /// The files of finished trainings.
    ///
    /// # Errors
    /// None for a run that was made here.
    pub fn new<T: Real>(config: &Config, data: Digest, outcomes: &[Outcome<T>]) -> Result<Self> {
        let text = toml::to_string(config).map_err(|error| Error::Message(error.to_string()))?;
        let mut files = BTreeMap::from([(CONFIG.to_owned(), text.into_bytes())]);
        for outcome in outcomes {
            let [initial, trained, table] = files_of(outcome.rule);
            for (name, model) in [(initial, &outcome.initial), (trained, &outcome.trained)] {
                let bytes = checkpoint::encode(model.widths(), model.bias(), model.parameters())
                    .map_err(|error| Error::Message(error.to_string()))?;
                files.insert(name, bytes);
            }
            files.insert(table, history(outcome).into_bytes());
        }
        let manifest = Manifest {
            schema: SCHEMA.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            contract: CONTRACT_VERSION,
            data: data.to_string(),
            rules: outcomes
                .iter()
                .map(|outcome| (outcome.rule, outcome.records.iter().map(Mark::new).collect()))
                .collect(),
            files: files.iter().map(|(name, bytes)| (name.clone(), sha256(bytes))).collect(),
        };
        Ok(Self { files, manifest })
    }

    /// Writes the files: all of them beside their places first, and only when that succeeded each into its place, the
    /// manifest last. An older manifest goes before that, so that no manifest ever describes files of another run; files
    /// that an older run had and this one has not go too, temporary ones of a killed process with them, and so do folders
    /// of rules that are empty then.
    ///
    /// # Errors
    /// Naming the file that could not be written; an older run stands as it was unless the renaming itself failed.
    pub fn write(&self, directory: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(&self.manifest)
            .map_err(|error| Error::Message(error.to_string()))?;
        text.push('\n');
        let left = temporaries(directory);
        let mut staged = Vec::new();
        for (name, bytes) in &self.files {
            staged.push(stage(directory, name, bytes)?);
        }
        let manifest = stage(directory, MANIFEST, text.as_bytes())?;
        let old = RULES.into_iter().flat_map(files_of).filter(|name| !self.files.contains_key(name));
        let old = std::iter::once(MANIFEST.to_owned()).chain(old).map(|name| directory.join(name));
        for path in old.chain(left) {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(path, "remove", error));
                }
                _ => {}
            }
        }
        for rule in RULES {
            // Only an empty folder can be removed this way.
            let _ = std::fs::remove_dir(directory.join(rule.name()));
        }
        staged.into_iter().try_for_each(file::Staged::commit)?;
        manifest.commit()
    }
}

/// A file of a folder, written beside its place.
fn stage(directory: &Path, name: &str, bytes: &[u8]) -> Result<file::Staged> {
    let path = directory.join(name);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Error::io(parent, "create", error))?;
    }
    if path.is_dir() {
        return Err(Error::io(path, "replace", std::io::ErrorKind::IsADirectory.into()));
    }
    file::Staged::new(path, |output| output.write_all(bytes))
}

/// SHA-256 of a file's bytes, as `sha256:` and hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let mut digest = [0; 32];
    digest.iter_mut().zip(Sha256::digest(bytes)).for_each(|(to, byte)| *to = byte);
    Digest(digest).to_string()
}

/// The files of a rule, by their paths inside the folder.
pub fn files_of(rule: RuleName) -> [String; 3] {
    ["initial.safetensors", "final.safetensors", "history.csv"].map(|name| format!("{}/{name}", rule.name()))
}

/// Whether the folder has the manifest of a run.
fn holds_run(directory: &Path) -> bool {
    let read = file::read_limited(directory.join(MANIFEST), LONGEST_TEXT);
    read.is_ok_and(|bytes| {
        serde_json::from_slice::<Manifest>(&bytes).is_ok_and(|manifest| manifest.schema == SCHEMA)
    })
}

/// The entries of a folder as their names and whether they are folders; `None` where that cannot be said.
fn entries(directory: &Path) -> Option<Vec<(String, bool)>> {
    let each = std::fs::read_dir(directory).ok()?.map(|entry| {
        let entry = entry.ok()?;
        let kind = entry.file_type().ok().filter(|kind| kind.is_file() || kind.is_dir())?;
        Some((entry.file_name().into_string().ok()?, kind.is_dir()))
    });
    each.collect()
}

/// Whether the folder holds nothing but files of a run, the manifest missing, and temporary ones: what is left when the
/// process was killed while it wrote.
fn holds_remnants(directory: &Path) -> bool {
    let file_of = |folder: &str, name: &str| {
        let known = |rule: RuleName| files_of(rule).iter().any(|file| *file == format!("{folder}/{name}"));
        file::is_temporary(name) || RULES.into_iter().any(known)
    };
    let of_rule = |folder: &str| {
        let inner = entries(&directory.join(folder));
        RULES.iter().any(|rule| rule.name() == folder)
            && inner.is_some_and(|inner| inner.iter().all(|(name, is_dir)| !is_dir && file_of(folder, name)))
    };
    entries(directory).is_some_and(|all| {
        all.iter().all(|(name, is_dir)| match is_dir {
            true => of_rule(name),
            false => name == CONFIG || file::is_temporary(name),
        })
    })
}

/// The temporary files that a killed process left.
fn temporaries(directory: &Path) -> Vec<PathBuf> {
    let folders = RULES.into_iter().map(|rule| directory.join(rule.name()));
    let in_each = std::iter::once(directory.to_path_buf()).chain(folders).flat_map(|folder| {
        let names = entries(&folder).unwrap_or_default().into_iter();
        names
            .filter(|(name, is_dir)| !is_dir && file::is_temporary(name))
            .map(move |(name, _)| folder.join(name))
    });
    in_each.collect()
}

/// A folder that was claimed for a run before the run starts, so that an hour of training does not end at a folder that
/// cannot be written. Dropped without [`Claim::keep`], it takes away again what it made.
#[derive(Debug)]
pub struct Claim {
    directory: PathBuf,
    /// The folders that were made for it, innermost first.
    made: Vec<PathBuf>,
}

impl Claim {
    /// The named folder: a new or an empty one, or with `force` one in which a run stands, or the files of a run that was
    /// killed while it wrote them and nothing else.
    ///
    /// # Errors
    /// [`Error::Usage`] for any other folder, and for a path that is no folder; [`Error::Io`].
    pub fn named(directory: &Path, force: bool) -> Result<Self> {
        let mut claim = Self { directory: directory.to_path_buf(), made: Vec::new() };
        if directory.is_dir() {
            let mut entries =
                std::fs::read_dir(directory).map_err(|error| Error::io(directory, "list", error))?;
            if entries.next().is_some() {
                let run = holds_run(directory) || holds_remnants(directory);
                if !(force && run) {
                    let reason = match run {
                        true => "is not empty; --force overwrites the run in it",
                        false => "is not empty, and no run stands in it that --force could overwrite",
                    };
                    return Err(Error::Usage(format!("{}: {reason}", directory.display())));
                }
            }
        } else if directory.exists() {
            return Err(Error::Usage(format!("{}: is not a folder", directory.display())));
        } else {
            let above = directory.ancestors().filter(|folder| !folder.as_os_str().is_empty());
            claim.made = above.take_while(|folder| !folder.exists()).map(Path::to_path_buf).collect();
            std::fs::create_dir_all(directory).map_err(|error| Error::io(directory, "create", error))?;
        }
        // Gone at once: it only shows that files can be made.
        tempfile::tempfile_in(directory).map_err(|error| Error::io(directory, "write in", error))?;
        Ok(claim)
    }

    /// `runs/NNNN` with the first free number; two runs at a time take two.
    ///
    /// # Errors
    /// [`Error::Io`] when no folder can be made.
    pub fn fresh() -> Result<Self> {
        let runs = Path::new("runs");
        let new = if runs.exists() { None } else { Some(runs.to_path_buf()) };
        std::fs::create_dir_all(runs).map_err(|error| Error::io(runs, "create", error))?;
        for number in 1_u32.. {
            let directory = runs.join(format!("{number:04}"));
            match std::fs::create_dir(&directory) {
                Ok(()) => {
                    let made = std::iter::once(directory.clone()).chain(new).collect();
                    return Ok(Self { directory, made });
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(directory, "create", error)),
            }
        }
        Err(Error::Usage("runs: no number is left for a run".into()))
    }

    /// The folder.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Leaves the folder where it is.
    pub fn keep(mut self) {
        self.made.clear();
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        for folder in &self.made {
            // Only an empty folder can be removed this way.
            let _ = std::fs::remove_dir(folder);
        }
    }
}
