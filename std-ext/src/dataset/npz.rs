//! NumPy's `.npz` archives: zip files of `.npy` files, stored or deflated.
//!
//! The directory of an archive is not trusted. Entries must be inside the file and must not overlap. Sizes and checksums
//! must be those of the unpacked bytes, and the limit of unpacked bytes is that of all compressed files.

use super::bytes::{Bytes, most_unpacked};
use crate::error::{Error, Result, quote};
use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchive};
use std::io;

/// A zip file whose directory holds.
pub(crate) struct Archive {
    bytes: Bytes,
    entries: Vec<Entry>,
}

/// A file in the archive.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    method: CompressionMethod,
    start: u64,
    packed: u64,
    size: u64,
    crc: u32,
}

const SUFFIX: &str = ".npy";

impl Archive {
    /// Reads the directory.
    ///
    /// **Errors** at `zip` for a directory that does not hold, and for an archive without arrays.
    pub(crate) fn open(mut bytes: Bytes) -> Result<Self> {
        let path = bytes.path().to_path_buf();
        let wrong = |reason: String| Error::input(&path, "zip", reason);
        let entries = directory(&mut bytes).map_err(|error| wrong(error.to_string()))?;
        let claimed = entries.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.size));
        let most = most_unpacked(bytes.length());
        if claimed > most {
            let length = bytes.length();
            return Err(wrong(format!(
                "the entries claim {claimed} bytes of {length}, more than {most}: unpack it yourself"
            )));
        }
        let mut places: Vec<&Entry> = entries.iter().collect();
        places.sort_by_key(|entry| entry.start);
        for (first, second) in places.iter().zip(places.iter().skip(1)) {
            if first.start.saturating_add(first.packed) > second.start {
                let names = [first, second].map(|entry| quote(&entry.name));
                return Err(wrong(format!("the entries {} overlap", names.join(" and "))));
            }
        }
        places.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some((entry, _)) = places.iter().zip(places.iter().skip(1)).find(|(a, b)| a.name == b.name) {
            return Err(wrong(format!("two entries have the name {}", quote(&entry.name))));
        }
        if !entries.iter().any(|entry| entry.name.ends_with(SUFFIX)) {
            let first = entries.first().map_or_else(|| "nothing".to_owned(), |entry| quote(&entry.name));
            let way = "an .npz archive holds .npy files, as numpy.savez writes";
            return Err(wrong(format!("no array among its entries, the first is {first}; {way}")));
        }
        Ok(Self { bytes, entries })
    }

    /// Names of the arrays in their order, without their ending.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| entry.name.strip_suffix(SUFFIX))
    }

    /// The `.npy` file of that name: in place where it is stored, else unpacked.
    ///
    /// **Errors** at `array "name"` when there is none, and when size or checksum is not the claimed one.
    pub(crate) fn array(&mut self, name: &str) -> Result<Bytes> {
        let path = self.bytes.path().to_path_buf();
        let wrong = |reason: String| Error::input(&path, format!("array {}", quote(name)), reason);
        let entry = self.entries.iter().find(|entry| entry.name.strip_suffix(SUFFIX) == Some(name));
        let Some(entry) = entry else { return Err(wrong("there is none".to_owned())) };
        let mut packed = self.bytes.window(entry.start, entry.packed)?;
        let mut unpacked = match entry.method {
            CompressionMethod::STORE => packed,
            CompressionMethod::DEFLATE => packed.unpacked(entry.size, DeflateDecoder::new).map_err(wrong)?,
            other => {
                let reason =
                    format!("compression method {} is not read, stored and deflated are", other.as_u16());
                return Err(wrong(reason));
            }
        };
        if unpacked.length() != entry.size {
            return Err(wrong(format!(
                "{} bytes came out, the directory claims {}",
                unpacked.length(),
                entry.size
            )));
        }
        if unpacked.crc32()? != entry.crc {
            return Err(wrong("the checksum is not that of the directory: the file is damaged".to_owned()));
        }
        Ok(unpacked.called(format!("{}:{name}", path.display()).into()))
    }
}

/// The entries of the central directory, which lie in the file.
fn directory(bytes: &mut Bytes) -> std::result::Result<Vec<Entry>, rawzip::Error> {
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_seekable(bytes.cursor(), &mut buffer)?;
    let mut found = Vec::new();
    let mut entries = archive.entries(&mut buffer);
    while let Some(entry) = entries.next_entry()? {
        let name = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
        let (method, crc, size) = (entry.compression_method(), entry.crc32(), entry.uncompressed_size_hint());
        let (start, end) = archive.get_entry(entry.wayfinder())?.compressed_data_range();
        found.push(Entry { name, method, start, packed: end.saturating_sub(start), size, crc });
    }
    if found.len() as u64 != archive.entries_hint() {
        let reason =
            format!("the directory has {} entries and claims {}", found.len(), archive.entries_hint());
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason).into());
    }
    Ok(found)
}
