//! The folder of a run. It is checked before the training and written from the first step on. A run that it replaces is
//! kept until the new one is complete.

use super::config::Config;
use super::exchange::{Made, exchange, is_mounted, resolved, writable};
use super::folder::{CONFIG, Folder, LOCK, MANIFEST, RULES, Read, checkpoint_of, foreign, inside, sha256};
use super::manifest::{LONGEST, Manifest};
use crate::error::{Error, Result};
use crate::file;
use agop_core::digest::Digest;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The folder of runs without a name.
const NUMBERED: &str = "runs";
/// Suffix of the folder of an unfinished run that will replace the run of that name.
const GROWING: &str = ".unfinished";

/// A folder that was checked and reserved for a run. [`Claim::start`] creates it.
#[derive(Debug)]
pub struct Claim {
    /// The folder as the caller named it; `None` for the next numbered folder.
    directory: Option<PathBuf>,
    /// The folder whose run will be replaced, with symbolic links resolved, and its lock. The lock keeps other processes
    /// from training that run.
    old: Option<(PathBuf, Option<File>)>,
}

/// The folder of a finished run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The folder.
    pub directory: PathBuf,
    /// The folder of the replaced run, if it could not be removed.
    pub left: Option<PathBuf>,
}

impl Claim {
    /// The named folder: a new or an empty one, or with `force` one in which nothing but a run stands, finished or not,
    /// or nothing but files of a run.
    ///
    /// # Errors
    /// [`Error::Usage`] for any other folder, for a path that is no folder, for a folder that cannot be replaced by
    /// another, and for a run that another process trains; [`Error::Io`] where none can be made.
    pub fn named(directory: &Path, force: bool) -> Result<Self> {
        let refused = |reason: &str| Err(Error::Usage(format!("{}: {reason}", directory.display())));
        let claim = |old| Ok(Self { directory: Some(directory.to_path_buf()), old });
        if growing_for(directory).is_some() {
            return refused(
                "a run grows under such a name that replaces another; choose one without .unfinished",
            );
        }
        if !directory.exists() {
            if directory.is_symlink() {
                return refused("is a link to nothing");
            }
            if directory.file_name().is_none() {
                return refused("is no name for a new folder");
            }
            let above = directory.ancestors().skip(1).find(|folder| folder.exists());
            writable(above.unwrap_or(Path::new("")))?;
            return claim(None);
        }
        if !directory.is_dir() {
            return refused("is not a folder");
        }
        let path = resolved(directory)?;
        let mut entries = std::fs::read_dir(&path).map_err(|error| Error::io(directory, "list", error))?;
        let replace = entries.next().is_some();
        if replace {
            let manifest = path.join(MANIFEST);
            let read = file::read_limited(&manifest, LONGEST).ok();
            let read = read.and_then(|bytes| Manifest::parse(&bytes).ok());
            let other = match foreign(&path, &RULES, true)?.first() {
                Some(other) => other.strip_prefix(&path).ok().map(Path::to_path_buf),
                None if manifest.exists() && read.is_none() => Some(MANIFEST.into()),
                None => None,
            };
            if let Some(other) = other {
                return refused(&format!(
                    "is not empty, and no run stands in it that --force could overwrite: {} is of none",
                    other.display()
                ));
            }
            if !force && read.is_some_and(|read| read.unfinished) {
                return refused(&format!(
                    "is not empty: its run is unfinished; `agop train --resume {}` goes on, --force starts anew",
                    directory.display()
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
        let old = if replace { Some((path.clone(), taken(directory)?)) } else { None };
        claim(old)
    }

    /// `runs/NNNN` with the number that is free when the run starts; two runs at a time take two.
    ///
    /// # Errors
    /// [`Error::Io`] when no folder can be made.
    pub fn fresh() -> Result<Self> {
        let runs = Path::new(NUMBERED);
        writable(if runs.exists() { runs } else { Path::new("") })?;
        Ok(Self { directory: None, old: None })
    }

    /// Makes the folder with what stands in it before the first step, all at once, and locks it. A run that is to be
    /// replaced stays where it is: the new one grows beside it, in `NAME.unfinished`.
    ///
    /// # Errors
    /// What could not be done; nothing is left then but what was there before.
    pub fn start(self, folder: &Folder) -> Result<Place> {
        let named = self.directory.clone().unwrap_or_else(|| Path::new(NUMBERED).join("0001"));
        let target = match &self.directory {
            Some(directory) if directory.exists() => resolved(directory)?,
            _ => named.clone(),
        };
        let mut made = Made::folders(&file::directory_of(&target))?;
        let whole = file::folder_beside(&target)?;
        folder.write(&named, whole.path())?;
        let lock = locked(&named, whole.path())?;
        let empty = self.directory.is_some() && self.old.is_none() && target.exists();
        if let (Some(_), Ok(old)) = (&self.directory, std::fs::metadata(&target)) {
            file::change(&named, "set the permissions of", || {
                std::fs::set_permissions(whole.path(), old.permissions())
            })?;
        }
        let place = |path: &Path| file::change(path, "make", || std::fs::rename(whole.path(), path));
        let path = match (&self.directory, &self.old) {
            (None, _) => next_number(whole.path())?,
            (Some(_), None) => {
                place(&target)?;
                named.clone()
            }
            (Some(_), Some((old, _))) => {
                let path = growing_of(old);
                if path.exists() {
                    // What is left of a run that was to replace this one.
                    let _lock = taken(&path)?;
                    if !foreign(&path, &RULES, true)?.is_empty() {
                        let reason = "is in the way: a run would grow there, and not only a run stands in it";
                        return Err(Error::Usage(format!("{}: {reason}", path.display())));
                    }
                    file::change(&path, "remove", || std::fs::remove_dir_all(&path))?;
                }
                place(&path)?;
                path
            }
        };
        // It is there no more.
        let _ = whole.keep();
        if !empty {
            made.add(&path);
        }
        let place = Place { named, path, lock, old: self.old, made: Some(made) };
        match file::flush_directory(&place.path, &file::directory_of(&place.path)) {
            Ok(()) => Ok(place),
            Err(error) => {
                place.discard();
                Err(error)
            }
        }
    }
}

/// A folder in which a run grows, locked by this process.
#[derive(Debug)]
pub struct Place {
    /// Where the run is to stand, as it was named.
    named: PathBuf,
    /// Where it grows.
    path: PathBuf,
    lock: Option<File>,
    /// The run that it replaces.
    old: Option<(PathBuf, Option<File>)>,
    /// What goes with a run that is given up; `None` for one that was there before.
    made: Option<Made>,
}

/// A run that was started before.
#[derive(Debug)]
pub struct Resumed {
    /// Its place.
    pub place: Place,
    /// Whether steps are missing.
    pub unfinished: bool,
    /// What it does.
    pub config: Config,
    /// Digest of its samples.
    pub data: Digest,
    /// What their files were taken for.
    pub understood: Option<String>,
}

impl Place {
    /// The folder of a run that was started before; locked, but where it is finished and replaces no other.
    ///
    /// # Errors
    /// What is no run; a run that another process trains.
    pub fn resume(directory: &Path) -> Result<Resumed> {
        let (named, path) = (directory.to_path_buf(), directory.to_path_buf());
        let Read { manifest, .. } = Read::folder(directory)?;
        manifest.not_diverged(&directory.join(MANIFEST))?;
        for rule in manifest.rules.keys() {
            inside(directory, rule.name())?;
        }
        let old = growing_for(&resolved(directory)?).filter(|old| old.is_dir());
        let needed = manifest.unfinished || old.is_some();
        let lock = if needed { locked(directory, directory)? } else { None };
        // Another process may have finished it before the lock was free.
        let Read { manifest: now, config, config_bytes, .. } = Read::folder(directory)?;
        if now.files.get(CONFIG) != Some(&sha256(&config_bytes)) || config.encode()? != config_bytes {
            let reason = "not the configuration with which the run was started";
            return Err(Error::input(directory.join(CONFIG), "content", reason));
        }
        let old = old.filter(|_| now == manifest);
        let old = old.map(|old| taken(&old).map(|lock| (old, lock))).transpose()?;
        let named = growing_for(directory).filter(|_| old.is_some()).unwrap_or(named);
        let place = Self { named, path, lock, old, made: None };
        remove_temporary(directory);
        let Manifest { unfinished, data, understood, .. } = now;
        Ok(Resumed { place, unfinished, config, data: data.0, understood })
    }

    /// The folder in which the run grows.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what the finished run holds, the manifest last: with it the run is whole.
    ///
    /// # Errors
    /// The first file that could not be written; the others are, but for the manifest: the run is unfinished as before.
    pub fn write(&self, folder: &Folder) -> Result<()> {
        let written = folder.files.iter().map(|(name, bytes)| file::replace(self.path.join(name), bytes));
        // All are tried before the first error counts.
        written.reduce(|first, next| first.and(next)).unwrap_or(Ok(()))?;
        let manifest = self.path.join(MANIFEST);
        let bytes = folder.manifest.encode().map_err(|error| Error::io(&manifest, "write", error))?;
        file::replace(&manifest, &bytes)
    }

    /// Removes what only an unfinished run needs. A run that is to be replaced is exchanged for this one, in one step
    /// where the system can do that, else in two of which the first is undone when the second fails. Only then it is
    /// removed, and only if it holds nothing else and no link.
    ///
    /// # Errors
    /// What could not be done; the error says where the runs stand.
    pub fn finish(mut self) -> Result<Placed> {
        self.tidy();
        let old = self.old.take();
        let placed = match &old {
            Some((old, _)) => self.replace(old)?,
            None => Placed { directory: self.path.clone(), left: None },
        };
        // Not before the exchange, which a second one would undo.
        self.lock = None;
        remove(&placed.directory.join(LOCK));
        Ok(placed)
    }

    fn tidy(&self) {
        remove_temporary(&self.path);
        for rule in RULES {
            remove(&self.path.join(checkpoint_of(rule)));
        }
    }

    /// Leaves a run that diverged where it grew: none is replaced by it. Gives its folder.
    pub fn leave(mut self) -> PathBuf {
        self.tidy();
        self.lock = None;
        remove(&self.path.join(LOCK));
        self.path
    }

    fn replace(&self, old: &Path) -> Result<Placed> {
        let Self { named, path: whole, .. } = self;
        file::change(named, "replace", || exchange(whole, old)).map_err(|error| {
            Error::Message(format!("{error}; the run stands whole in {}", whole.display()))
        })?;
        file::flush_directory(named, &file::directory_of(old)).map_err(|error| {
            let (new, old) = (named.display(), whole.display());
            Error::Message(format!("{error}; the run stands in {new}, the old one in {old}"))
        })?;
        let alone = foreign(whole, &RULES, true).is_ok_and(|foreign| foreign.is_empty());
        let removed = alone && file::change(whole, "remove", || std::fs::remove_dir_all(whole)).is_ok();
        Ok(Placed { directory: named.clone(), left: (!removed).then(|| whole.clone()) })
    }

    /// Removes what this process made of a run that is given up.
    pub fn discard(mut self) {
        let Some(_made) = self.made.take() else { return };
        self.lock = None;
        if foreign(&self.path, &RULES, true).is_ok_and(|foreign| foreign.is_empty()) {
            for entry in std::fs::read_dir(&self.path).into_iter().flatten().flatten() {
                let _ = std::fs::remove_dir_all(entry.path());
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// Writes a finished run where there is room for it, when its place has none: the current folder, that of the user or
/// that of temporary files.
pub fn rescue(folder: &Folder) -> Option<PathBuf> {
    let places = [std::env::current_dir().ok(), std::env::home_dir(), Some(std::env::temp_dir())];
    places.into_iter().flatten().find_map(|place| {
        let made = tempfile::Builder::new().prefix("agop-rescued-").tempdir_in(place).ok()?;
        folder.write(made.path(), made.path()).ok()?;
        Some(made.keep())
    })
}

/// The folder in which a run grows that replaces the run in this one.
pub fn growing_of(old: &Path) -> PathBuf {
    let mut name = old.as_os_str().to_owned();
    name.push(GROWING);
    name.into()
}

/// The folder whose run is to be replaced by the run in this one.
fn growing_for(directory: &Path) -> Option<PathBuf> {
    let name = directory.file_name()?.to_str()?.strip_suffix(GROWING)?;
    (!name.is_empty()).then(|| directory.with_file_name(name))
}

/// Locks a run, so that one process alone trains it; `path` serves the messages. `None` where the file system has no
/// locks.
fn locked(path: &Path, at: &Path) -> Result<Option<File>> {
    let mut options = File::options();
    let open = || options.read(true).write(true).create(true).truncate(false).open(at.join(LOCK));
    let file = file::change(&path.join(LOCK), "open", open)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            Err(Error::Usage(format!("{}: another process trains the run in it", path.display())))
        }
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(TryLockError::Error(error)) => Err(Error::io(path.join(LOCK), "lock", error)),
    }
}

/// The lock of a run that may be unfinished: one that is finished has none.
fn taken(path: &Path) -> Result<Option<File>> {
    if path.join(LOCK).exists() { locked(path, path) } else { Ok(None) }
}

/// Removes temporary files of a process that was killed.
fn remove_temporary(directory: &Path) {
    for folder in [directory.to_path_buf()].into_iter().chain(RULES.map(|rule| directory.join(rule.name()))) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(file::is_temporary) {
                remove(&entry.path());
            }
        }
    }
}

/// Removes a file that does no harm where it cannot be removed.
fn remove(path: &Path) {
    let _ = file::change(path, "remove", || std::fs::remove_file(path));
}

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
