//! Reading whole files with limits, and replacing a file all at once or not at all.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Opens a regular file and returns its length in bytes.
///
/// Directories, pipes and devices are refused before they are opened: their length is not that of their content, and
/// opening a pipe can block for ever.
///
/// **Errors** [`Error::Io`] when the file cannot be opened or is not a regular file.
pub fn open(path: impl AsRef<Path>) -> Result<(File, u64)> {
    let path = path.as_ref();
    let failed = |source| Error::io(path, "open", source);
    let regular = |metadata: &std::fs::Metadata| {
        if metadata.is_file() {
            return Ok(());
        }
        let kind = if metadata.is_dir() { "a directory, not a file" } else { "not a regular file" };
        Err(failed(io::Error::new(io::ErrorKind::InvalidInput, kind)))
    };
    regular(&std::fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    // Asked again of the open file: the name may have changed hands in between.
    let metadata = file.metadata().map_err(failed)?;
    regular(&metadata)?;
    Ok((file, metadata.len()))
}

/// The whole content of a regular file.
///
/// **Errors** [`Error::Io`] when it cannot be opened or read, or does not fit memory.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    read_limited(path, u64::MAX)
}

/// The whole content of a regular file of at most `limit` bytes.
///
/// The length is checked before anything is allocated.
///
/// **Errors** [`Error::Input`] when the file is longer; [`Error::Io`] as for [`read`].
pub fn read_limited(path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>> {
    let path = path.as_ref();
    let (mut file, length) = open(path)?;
    if length > limit {
        let reason = format!("the file has {length} bytes, at most {limit} are read");
        return Err(Error::input(path, format!("byte {limit}"), reason));
    }
    read_exactly(path, &mut file, length)
}

/// The first bytes of a regular file, at most `most` of them.
///
/// **Errors** as for [`read`].
pub(crate) fn read_start(path: &Path, most: u64) -> Result<Vec<u8>> {
    let (mut file, length) = open(path)?;
    read_exactly(path, &mut file, length.min(most))
}

/// The next `length` bytes of an open file, and an error when there are fewer. `path` serves the messages.
pub(crate) fn read_exactly(path: &Path, file: &mut File, length: u64) -> Result<Vec<u8>> {
    let failed = |source| Error::io(path, "read", source);
    let size = usize::try_from(length).map_err(|_| failed(io::ErrorKind::OutOfMemory.into()))?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| failed(io::ErrorKind::OutOfMemory.into()))?;
    file.take(length).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() == size {
        return Ok(bytes);
    }
    let reason = format!("the file shrank while it was read: {} of {size} bytes came", bytes.len());
    Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, reason)))
}

/// Fills `buffer` with the bytes from `at` on, without a position that threads would share.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    #[cfg(unix)]
    let read = std::os::unix::fs::FileExt::read_exact_at(file, buffer, at);
    #[cfg(windows)]
    let read = read_all_at(buffer, at, |part, at| std::os::windows::fs::FileExt::seek_read(file, part, at));
    // There are no threads.
    #[cfg(not(any(unix, windows)))]
    let read = {
        let mut file = file;
        io::Seek::seek(&mut file, io::SeekFrom::Start(at)).and_then(|_| file.read_exact(buffer))
    };
    read.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the file shrank while it was read"),
        _ => error,
    })
}

/// Reads parts until the buffer is full.
#[cfg(windows)]
fn read_all_at(
    mut buffer: &mut [u8],
    mut at: u64,
    read: impl Fn(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    while !buffer.is_empty() {
        let count = read(buffer, at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = buffer.get_mut(count..).unwrap_or_default();
        at += count as u64;
    }
    Ok(())
}

/// Replaces the content of `path` by `bytes` atomically. See [`replace_with`].
///
/// **Errors** [`Error::Io`]; the old content of `path` is unchanged then.
pub fn replace(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    replace_with(path, |output| output.write_all(bytes))
}

/// Replaces the content of `path` atomically by the bytes that `write` writes.
///
/// The bytes go to a temporary file in the same directory. That file is flushed to the disk and renamed over `path`; then
/// the directory is flushed. A reader gets the old content or the new, never a part. After a failure the old content is
/// unchanged, and the temporary file is removed. A symbolic link at `path` is replaced, not followed.
///
/// **Errors** [`Error::Io`] with the step that failed. Only if that step is `flush its directory` is the new content
/// in place already, though a power cut could still undo it.
pub fn replace_with(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let path = path.as_ref();
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // The default of 0600 suits secrets; a result gets what the user's umask leaves of 0666, as any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let directory = directory_of(path);
    let temporary = change(path, "create a temporary file beside it", || builder.tempfile_in(&directory))?;
    fill(path, temporary.as_file(), write)?;
    change(path, "replace", || temporary.persist(path).map_err(|error| error.error))?;
    flush_directory(path, &directory)
}

/// Makes a new file of the bytes, down to the disk. `path` serves the messages.
pub(crate) fn create(path: &Path, at: &Path, bytes: &[u8]) -> Result<()> {
    let file = change(path, "create", || File::create_new(at))?;
    fill(path, &file, |output| output.write_all(bytes))
}

fn fill(path: &Path, file: &File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    change(path, "write", || {
        let mut output = BufWriter::new(file);
        write(&mut output)?;
        output.flush()
    })?;
    change(path, "flush", || file.sync_all())
}

/// Makes a new folder beside `path`, as if temporary; it stays until it is renamed or removed.
pub(crate) fn folder_beside(path: &Path) -> Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    change(path, "create a temporary folder beside it", || builder.tempdir_in(directory_of(path)))
}

const PREFIX: &str = ".agop-";
const SUFFIX: &str = ".tmp";

/// Whether an entry has the name of a temporary file. A process that was killed can leave one.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// A change of the disk, with the error that names it. All changes pass here, so that a test can make each of them fail.
pub(crate) fn change<R>(
    path: &Path,
    action: &'static str,
    change: impl FnOnce() -> io::Result<R>,
) -> Result<R> {
    #[cfg(test)]
    faults::next().map_err(|error| Error::io(path, action, error))?;
    change().map_err(|error| Error::io(path, action, error))
}

#[cfg(test)]
pub(crate) mod faults {
    //! Makes one change of the disk fail: by an error, or by the end of the process.
    use std::cell::Cell;
    use std::io;

    #[derive(Clone, Copy, Debug, PartialEq)]
    pub(crate) enum Fault {
        Error,
        Kill,
    }

    thread_local! {
        static PLAN: Cell<Option<(usize, Fault)>> = const { Cell::new(None) };
    }

    /// The change after so many others fails.
    pub(crate) fn plan(after: usize, fault: Fault) {
        PLAN.set(Some((after, fault)));
    }

    /// No change fails any more; whether one has failed.
    pub(crate) fn end() -> bool {
        PLAN.take().is_none()
    }

    pub(super) fn next() -> io::Result<()> {
        match PLAN.take() {
            Some((0, Fault::Error)) => Err(io::ErrorKind::StorageFull.into()),
            Some((0, Fault::Kill)) => std::process::abort(),
            Some((left, fault)) => {
                PLAN.set(Some((left - 1, fault)));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// The directory a path lies in; `.` for a bare name.
pub(crate) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// A rename is durable once its directory is. Elsewhere than on Unix a directory cannot be opened for this. `path` serves
/// the messages.
pub(crate) fn flush_directory(path: &Path, directory: &Path) -> Result<()> {
    change(
        path,
        "flush its directory",
        || {
            if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
        },
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    /// The k-th write fails, for every k: the old content is unchanged, and no temporary file is left.
    #[test]
    fn a_failure_at_any_write_leaves_the_old_file_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("result");
        replace(&path, b"old").unwrap();
        let write = |output: &mut dyn Write, failing: usize| {
            for k in 0..4 {
                if k == failing {
                    return Err(io::Error::new(io::ErrorKind::StorageFull, "no space"));
                }
                // More than the buffer, so that the bytes reach the temporary file before the failure.
                output.write_all(&[k as u8; 10_000])?;
            }
            Ok(())
        };
        for failing in 0..4 {
            let error = replace_with(&path, |output| write(output, failing)).unwrap_err();
            assert_eq!(error.to_string(), format!("{}: cannot write: no space", path.display()));
            assert_eq!(read(&path).unwrap(), b"old");
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        }
        replace_with(&path, |output| write(output, 4)).unwrap();
        let bytes = read(&path).unwrap();
        assert_eq!((bytes.len(), bytes[39_999]), (40_000, 3));
    }

    #[test]
    fn a_file_that_cannot_be_replaced_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        std::fs::create_dir_all(path.join("full")).unwrap();
        let error = replace(&path, b"new").unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: cannot replace: ", path.display())), "{error}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        let error = replace(directory.path().join("no/such/file"), b"").unwrap_err().to_string();
        assert!(error.contains("cannot create a temporary file beside it: "), "{error}");
    }

    /// The name holds a line break, which the message must not.
    #[cfg(unix)]
    #[test]
    fn the_limit_is_the_largest_length_that_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("five\nbytes");
        replace(&path, b"12345").unwrap();
        assert_eq!(read_limited(&path, 5).unwrap(), b"12345");
        let error = read_limited(&path, 4).unwrap_err().to_string();
        assert!(
            error.ends_with("/five\\nbytes: byte 4: the file has 5 bytes, at most 4 are read"),
            "{error}"
        );
    }

    /// As any new file, not the 0600 of temporary files.
    #[cfg(unix)]
    #[test]
    fn the_mode_follows_the_umask() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let (ours, plain) = (directory.path().join("ours"), directory.path().join("plain"));
        replace(&ours, b"").unwrap();
        std::fs::write(&plain, b"").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
