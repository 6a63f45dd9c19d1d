//! The bytes of an opened file, on the disk or unpacked in memory.

use crate::error::{Error, Result};
use crate::file;
use crate::memory::{Growing, filled};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes at offsets from 0 to their length, read in any order.
#[derive(Debug)]
pub(crate) struct Bytes {
    path: PathBuf,
    start: u64,
    length: u64,
    origin: Origin,
}

#[derive(Debug)]
enum Origin {
    File(File),
    Memory(Vec<u8>),
}

const GZIP: [u8; 2] = *b"\x1f\x8b";

/// So many bytes may come out of any compressed file.
const ALWAYS_UNPACKED: u64 = 1 << 28;
/// So many times its own size may come out of a larger one. Deflate makes at most 1032 of one; data that is mostly zeros
/// stays below a hundred.
const MOST_RATIO: u64 = 100;

/// The most bytes that are unpacked of so many.
pub(super) fn most_unpacked(packed: u64) -> u64 {
    packed.saturating_mul(MOST_RATIO).max(ALWAYS_UNPACKED)
}

/// Bytes read at a time.
const CHUNK: u64 = 1 << 16;

impl Bytes {
    /// The bytes of a regular file. Those of a gzip file are unpacked.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let (file, length) = file::open(path)?;
        Self { path: path.to_path_buf(), start: 0, length, origin: Origin::File(file) }.plain()
    }

    /// Bytes in memory. `path` is for messages only.
    pub(crate) fn of(path: &Path, bytes: Vec<u8>) -> Self {
        Self { path: path.to_path_buf(), start: 0, length: bytes.len() as u64, origin: Origin::Memory(bytes) }
    }

    /// The unpacked bytes of a gzip file; other bytes unchanged.
    pub(crate) fn plain(mut self) -> Result<Self> {
        if self.read(0, self.length.min(2))? != GZIP {
            return Ok(self);
        }
        let path = self.path.clone();
        let wrong = |reason: String| Error::input(&path, "gzip", reason);
        let inside = self.unpacked(u64::MAX, MultiGzDecoder::new).map_err(wrong)?;
        if inside.read(0, inside.length.min(2))? == GZIP {
            return Err(wrong("a gzip file in a gzip file: unpack it with gunzip".to_owned()));
        }
        Ok(inside)
    }

    /// A part of these bytes.
    pub(crate) fn window(&mut self, at: u64, length: u64) -> Result<Self> {
        let origin = match &self.origin {
            Origin::File(file) => {
                let copy = file.try_clone().map_err(|error| Error::io(&self.path, "open", error))?;
                let ends = at.checked_add(length).is_none_or(|end| end > self.length);
                if ends { Origin::Memory(self.read(at, length)?) } else { Origin::File(copy) }
            }
            Origin::Memory(_) => Origin::Memory(self.read(at, length)?),
        };
        let start = if let Origin::File(_) = origin { self.start + at } else { 0 };
        Ok(Self { path: self.path.clone(), start, length, origin })
    }

    /// All that comes out of a decoder, held in memory; or why not: more than is claimed or allowed, or what the decoder
    /// says.
    pub(crate) fn unpacked<'b, D: Read>(
        &'b mut self,
        claimed: u64,
        decoder: impl FnOnce(BufReader<Cursor<'b>>) -> D,
    ) -> std::result::Result<Self, String> {
        let (path, packed) = (self.path.clone(), self.length);
        let most = most_unpacked(packed).min(claimed);
        let mut unpacked = Growing::default();
        let decoder = decoder(BufReader::new(self.cursor()));
        let count = io::copy(&mut decoder.take(most.saturating_add(1)), &mut unpacked);
        match count {
            Ok(length) if length <= most => {
                Ok(Self { path, start: 0, length, origin: Origin::Memory(unpacked.0) })
            }
            Ok(_) => Err(format!(
                "{packed} bytes unpack to more than {most}: refused, as a bomb may be; unpack it yourself"
            )),
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                Err(format!("what {packed} bytes unpack to does not fit the memory"))
            }
            Err(error) => Err(format!("the compressed data is damaged or cut: {error}")),
        }
    }

    /// The bytes from the first on, as a reader.
    pub(crate) fn cursor(&mut self) -> Cursor<'_> {
        Cursor { bytes: self, at: 0 }
    }

    /// The checksum of zip files.
    pub(crate) fn crc32(&mut self) -> Result<u32> {
        let mut crc = rawzip::Crc32::new();
        let mut at = 0;
        while at < self.length {
            let chunk = self.read(at, (self.length - at).min(CHUNK))?;
            crc.update(&chunk);
            at += chunk.len() as u64;
        }
        Ok(crc.checksum())
    }

    /// The file that messages name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The same bytes, under another name in messages.
    pub(crate) fn called(self, path: PathBuf) -> Self {
        Self { path, ..self }
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// `length` bytes from `at` on; an error if there are fewer.
    pub(crate) fn read(&self, at: u64, length: u64) -> Result<Vec<u8>> {
        if at.checked_add(length).is_none_or(|end| end > self.length) {
            return Err(self.ends(at, length));
        }
        let size = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory.into());
        let size = size.map_err(|error| Error::io(&self.path, "read", error))?;
        let mut bytes = filled("bytes of a file", size, 0)?;
        self.fill(at, &mut bytes)?;
        Ok(bytes)
    }

    fn ends(&self, at: u64, length: u64) -> Error {
        let reason = format!("the file ends after {} bytes, expected {length} from here", self.length);
        Error::input(&self.path, format!("byte {at}"), reason)
    }

    /// Fills `output` with the bytes from `at` on. Several threads may read at once.
    pub(crate) fn fill(&self, at: u64, output: &mut [u8]) -> Result<()> {
        let length = output.len() as u64;
        let end = at.checked_add(length).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| self.ends(at, length))?;
        let (from, to) = (self.start + at, self.start + end);
        match &self.origin {
            Origin::File(file) => {
                file::read_at(file, output, from).map_err(|error| Error::io(&self.path, "read", error))
            }
            Origin::Memory(bytes) => {
                let bytes = bytes.get(from as usize..to as usize).unwrap_or_default();
                output.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                Ok(())
            }
        }
    }
}

/// Reads [`Bytes`] from their first on.
#[derive(Debug)]
pub(crate) struct Cursor<'b> {
    bytes: &'b mut Bytes,
    at: u64,
}

impl Read for Cursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (buffer.len() as u64).min(self.bytes.length.saturating_sub(self.at));
        let read = self.bytes.read(self.at, length).map_err(io::Error::other)?;
        buffer.iter_mut().zip(&read).for_each(|(to, from)| *to = *from);
        self.at += length;
        Ok(read.len())
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.bytes.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
