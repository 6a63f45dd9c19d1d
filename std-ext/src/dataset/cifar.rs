//! The binary batches of CIFAR-10: records of a label, 0 to 9, and an image of 3 x 32 x 32 bytes.
//!
//! **Source** A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009; the data set's page.

use super::bytes::Bytes;
use super::elements::{Dtype, Kind};
use super::source::{Part, Records};
use super::{Array, Values};
use crate::error::{Error, Result};
use crate::memory::reserved;

const PIXELS: usize = 3 * 32 * 32;
const RECORD: u64 = 1 + PIXELS as u64;
const CLASSES: u8 = 10;

/// Whether the file holds nothing but whole records with labels that there are.
pub(super) fn fits(bytes: &mut Bytes) -> Result<bool> {
    let whole = bytes.length() > 0 && bytes.length().is_multiple_of(RECORD);
    Ok(whole
        && (0..bytes.length() / RECORD).try_fold(true, |fit, record| -> Result<bool> {
            Ok(fit && bytes.read(record * RECORD, 1)?.iter().all(|label| *label < CLASSES))
        })?)
}

/// The images of a batch, and its labels.
///
/// **Errors** at `byte N` for a file that is not whole records, and for a label above 9.
pub(super) fn open(bytes: Bytes) -> Result<(Part, Array)> {
    let (path, length) = (bytes.path().to_path_buf(), bytes.length());
    let count = length / RECORD;
    if count == 0 || count * RECORD != length {
        let reason = format!("{length} bytes are not a number of CIFAR-10 records, which have {RECORD} each");
        return Err(Error::input(path, format!("byte {}", count * RECORD), reason));
    }
    let mut labels = reserved("labels", count as usize)?;
    for at in (0..count).map(|record| record * RECORD) {
        match bytes.read(at, 1)?.first() {
            Some(&label) if label < CLASSES => labels.push(i64::from(label)),
            label => {
                let found = label.copied().unwrap_or_default();
                let reason = format!("the label {found}, CIFAR-10 has 0 to 9");
                return Err(Error::input(path, format!("byte {at}"), reason));
            }
        }
    }
    let dtype = Dtype { kind: Kind::Unsigned, size: 1, big_endian: false };
    let shape = [count as usize, PIXELS];
    let images = Part::of_records(bytes, &shape, Records { dtype, start: 0, skip: 1 })?;
    Ok((images, Array { shape: vec![count as usize], values: Values::Integers(labels) }))
}
