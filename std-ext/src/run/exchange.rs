//! Folders that change names, are made for a run and go with it.

use crate::error::{Error, Result};
use crate::file;
use std::io;
use std::path::{Path, PathBuf};

/// Lets two folders change names.
pub(super) fn exchange(new: &Path, old: &Path) -> io::Result<()> {
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
    let mut aside = new.as_os_str().to_owned();
    aside.push(".old");
    let aside = PathBuf::from(aside);
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
pub(super) fn resolved(directory: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(directory).map_err(|error| Error::io(directory, "locate", error))
}

/// Makes a file that is gone at once: it only shows that it can be made.
pub(super) fn writable(directory: &Path) -> Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let made = tempfile::tempfile_in(directory);
    made.map(drop).map_err(|error| Error::io(directory, "write in", error))
}

#[cfg(unix)]
pub(super) fn is_mounted(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    device(path) != device(&file::directory_of(path))
}

#[cfg(not(unix))]
pub(super) fn is_mounted(_: &Path) -> bool {
    false
}

/// Folders that were made for a run, innermost first; dropped with them, they go if they are empty.
#[derive(Debug)]
pub(super) struct Made(Vec<PathBuf>);

impl Made {
    pub(super) fn folders(directory: &Path) -> Result<Self> {
        let above = directory.ancestors().filter(|folder| !folder.as_os_str().is_empty());
        let made = Self(above.take_while(|folder| !folder.exists()).map(Path::to_path_buf).collect());
        file::change(directory, "create", || std::fs::create_dir_all(directory))?;
        Ok(made)
    }

    /// Adds a folder that was made inside of them.
    pub(super) fn add(&mut self, folder: &Path) {
        self.0.insert(0, folder.to_path_buf());
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
