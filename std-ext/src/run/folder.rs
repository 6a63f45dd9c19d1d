//! The folder a run leaves behind.
//!
//! ```text
//! DIR/config.toml                 what the run does
//! DIR/RULE/initial.safetensors    weights before the first update
//! DIR/RULE/final.safetensors      weights after the last
//! DIR/RULE/history.csv            one line a measurement
//! DIR/manifest.json               versions, digests of the files, the data and every measurement
//! ```

use super::config::{Config, RuleName};
use super::manifest::{Manifest, Sha256};
use super::train::Outcome;
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::file;
use agop_core::digest::Digest;
use agop_core::scalar::Real;
use sha2::Digest as _;
use std::collections::BTreeMap;
use std::io;
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
                let bytes = checkpoint::encode(model.widths(), model.bias(), model.parameters())
                    .map_err(|error| Error::Message(error.to_string()))?;
                files.insert(name, bytes);
            }
            files.insert(table, history);
            rules.insert(rule, marks);
        }
        let digests = files.iter().map(|(name, bytes)| (name.clone(), sha256(bytes))).collect();
        Ok(Self { manifest: Manifest::new(data, rules, digests), files })
    }

    /// The same with what the files of samples were taken for.
    pub fn understood(mut self, understood: Option<String>) -> Self {
        self.manifest.understood = understood;
        self
    }

    /// Writes all files into an empty folder; `path` serves the messages.
    fn write(&self, path: &Path, empty: &Path) -> Result<()> {
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

/// What is in a folder and not of a run of these rules, links included; the first few. `temporary`: names of temporary
/// files are no matter.
pub(super) fn foreign(directory: &Path, rules: &[RuleName], temporary: bool) -> Result<Vec<PathBuf>> {
    const MOST: usize = 10;
    let names: Vec<String> = rules.iter().copied().flat_map(files_of).collect();
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
            let of_a_run = [MANIFEST, CONFIG].contains(&inside.as_str()) || names.contains(&inside);
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

/// A place for a run, found to be one before the run starts, so that an hour of training does not end at a folder that
/// cannot be written. Nothing is made before [`Claim::place`].
#[derive(Debug)]
pub struct Claim {
    /// As it was named; `None` for the next number.
    directory: Option<PathBuf>,
    /// Whether a run stands there that is to be replaced.
    replace: bool,
}

/// Where a run came to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The folder.
    pub directory: PathBuf,
    /// Where the run stands that was replaced, if it could not be removed.
    pub left: Option<PathBuf>,
}

impl Claim {
    /// The named folder: a new or an empty one, or with `force` one in which nothing but a run stands, or nothing but files
    /// of a run that was killed while it wrote them.
    ///
    /// # Errors
    /// [`Error::Usage`] for any other folder, for a path that is no folder, and for a folder that cannot be replaced by
    /// another; [`Error::Io`] where none can be made.
    pub fn named(directory: &Path, force: bool) -> Result<Self> {
        let refused = |reason: &str| Err(Error::Usage(format!("{}: {reason}", directory.display())));
        let claim = |replace| Ok(Self { directory: Some(directory.to_path_buf()), replace });
        if !directory.exists() {
            if directory.is_symlink() {
                return refused("is a link to nothing");
            }
            if directory.file_name().is_none() {
                return refused("is no name for a new folder");
            }
            let above = directory.ancestors().skip(1).find(|folder| folder.exists());
            writable(above.unwrap_or(Path::new("")))?;
            return claim(false);
        }
        if !directory.is_dir() {
            return refused("is not a folder");
        }
        let path = resolved(directory)?;
        let mut entries = std::fs::read_dir(&path).map_err(|error| Error::io(directory, "list", error))?;
        let replace = entries.next().is_some();
        if replace {
            let foreign = foreign(&path, &RULES, true)?;
            let manifest = path.join(MANIFEST);
            let other = match foreign.first() {
                Some(other) => other.strip_prefix(&path).ok().map(Path::to_path_buf),
                None if manifest.exists() && !is_manifest(&manifest) => Some(MANIFEST.into()),
                None => None,
            };
            if let Some(other) = other {
                return refused(&format!(
                    "is not empty, and no run stands in it that --force could overwrite: {} is of none",
                    other.display()
                ));
            }
            if !force {
                return refused("is not empty; --force overwrites the run in it");
            }
        }
        // It is replaced in one piece.
        if std::env::current_dir().is_ok_and(|current| current.starts_with(&path)) {
            return refused("is the current folder or one above it; name another, or one inside it");
        }
        if is_mounted(&path) {
            return refused("is where a file system is mounted; name a folder inside it");
        }
        writable(&file::directory_of(&path))?;
        claim(replace)
    }

    /// `runs/NNNN` with the number that is free when the run is placed; two runs at a time take two.
    ///
    /// # Errors
    /// [`Error::Io`] when no folder can be made.
    pub fn fresh() -> Result<Self> {
        let runs = Path::new(NUMBERED);
        writable(if runs.exists() { runs } else { Path::new("") })?;
        Ok(Self { directory: None, replace: false })
    }

    /// Puts a run in its place: written in whole beside it, then renamed. A run that stands there is exchanged for the new
    /// one in one step where the system can do that, else in two of which the first is undone when the second fails. Only
    /// then it is removed, and only if it holds nothing else and no link.
    ///
    /// # Errors
    /// What could not be done. Nothing is left then but what was there before, or the new run stands beside its place, and
    /// the error says where.
    pub fn place(self, folder: &Folder) -> Result<Placed> {
        let named = self.directory.clone().unwrap_or_else(|| Path::new(NUMBERED).join("0001"));
        let target = match &self.directory {
            Some(directory) if directory.exists() => resolved(directory)?,
            _ => named.clone(),
        };
        let mut made = Made::folders(&file::directory_of(&target))?;
        let whole = file::folder_beside(&target)?;
        folder.write(&named, whole.path())?;
        if let (Some(_), Ok(old)) = (&self.directory, std::fs::metadata(&target)) {
            file::change(&named, "set the permissions of", || {
                std::fs::set_permissions(whole.path(), old.permissions())
            })?;
        }
        made.0.clear();
        let whole = whole.keep();
        let placed = match (&self.directory, self.replace) {
            (None, _) => next_number(&whole),
            (Some(_), false) => {
                file::change(&named, "put the run in place", || std::fs::rename(&whole, &target))
                    .map(|()| named)
            }
            (Some(_), true) => file::change(&named, "replace", || exchange(&whole, &target)).map(|()| named),
        };
        let directory = placed.map_err(|error| {
            Error::Message(format!("{error}; the run stands whole in {}", whole.display()))
        })?;
        file::flush_directory(&directory, &file::directory_of(&target)).map_err(|error| {
            let old =
                if self.replace { format!(", the old one in {}", whole.display()) } else { String::new() };
            Error::Message(format!("{error}; the run stands in {}{old}", directory.display()))
        })?;
        let alone = self.replace && foreign(&whole, &RULES, true).is_ok_and(|foreign| foreign.is_empty());
        let removed = alone && file::change(&whole, "remove", || std::fs::remove_dir_all(&whole)).is_ok();
        let left = (self.replace && !removed).then_some(whole);
        Ok(Placed { directory, left })
    }
}

/// The folder of runs without a name.
const NUMBERED: &str = "runs";

/// Renames the folder to the first free number.
fn next_number(whole: &Path) -> Result<PathBuf> {
    for number in 1_u32.. {
        let directory = Path::new(NUMBERED).join(format!("{number:04}"));
        // Made first, as a rename would take any empty folder.
        match file::change(&directory, "create", || std::fs::create_dir(&directory)) {
            Ok(()) => {
                let renamed =
                    file::change(&directory, "put the run in place", || std::fs::rename(whole, &directory));
                return renamed.map(|()| directory.clone()).inspect_err(|_| {
                    let _ = std::fs::remove_dir(&directory);
                });
            }
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Usage("runs: no number is left for a run".into()))
}

/// Lets two folders change names.
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    exchange_by_names(new, old)
}

/// The same for systems and file systems that have no such call.
pub(super) fn exchange_by_names(new: &Path, old: &Path) -> io::Result<()> {
    let aside = new.with_extension("old");
    std::fs::rename(old, &aside)?;
    if let Err(error) = std::fs::rename(new, old) {
        return match std::fs::rename(&aside, old) {
            Ok(()) => Err(error),
            Err(_) => Err(io::Error::other(format!("{error}; the old run stands in {}", aside.display()))),
        };
    }
    std::fs::rename(aside, new)
}

/// The folder itself, whatever links lead to it.
fn resolved(directory: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(directory).map_err(|error| Error::io(directory, "locate", error))
}

/// Makes a file that is gone at once: it only shows that it can be made.
fn writable(directory: &Path) -> Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let made = tempfile::tempfile_in(directory);
    made.map(drop).map_err(|error| Error::io(directory, "write in", error))
}

fn is_manifest(path: &Path) -> bool {
    let read = file::read_limited(path, super::manifest::LONGEST);
    read.is_ok_and(|bytes| Manifest::parse(&bytes).is_ok())
}

#[cfg(unix)]
fn is_mounted(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    device(path) != device(&file::directory_of(path))
}

#[cfg(not(unix))]
fn is_mounted(_: &Path) -> bool {
    false
}

/// Folders that were made for a run, innermost first; dropped with them, they go if they are empty.
struct Made(Vec<PathBuf>);

impl Made {
    fn folders(directory: &Path) -> Result<Self> {
        let above = directory.ancestors().filter(|folder| !folder.as_os_str().is_empty());
        let made = Self(above.take_while(|folder| !folder.exists()).map(Path::to_path_buf).collect());
        file::change(directory, "create", || std::fs::create_dir_all(directory))?;
        Ok(made)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for folder in &self.0 {
            // Only an empty folder can be removed this way.
            let _ = std::fs::remove_dir(folder);
        }
    }
}
