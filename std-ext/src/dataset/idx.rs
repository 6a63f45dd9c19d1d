//! IDX files, the form of MNIST and Fashion-MNIST.
//!
//! Two zero bytes, the type of the elements, the number of dimensions, each dimension in four bytes, and the elements; all
//! big-endian. The dimensions are claims: their product is compared to the bytes that are there.
//!
//! **Source** Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".

use super::bytes::Bytes;
use super::elements::{Dtype, Kind};
use super::source::{Part, Records};
use crate::error::{Error, Result};

/// The element type of this code.
fn dtype(code: u8) -> Option<Dtype> {
    let (kind, size) = match code {
        0x08 => (Kind::Unsigned, 1),
        0x09 => (Kind::Signed, 1),
        0x0b => (Kind::Signed, 2),
        0x0c => (Kind::Signed, 4),
        0x0d => (Kind::Float, 4),
        0x0e => (Kind::Float, 8),
        _ => return None,
    };
    Some(Dtype { kind, size, big_endian: true })
}

/// Whether these are the first bytes of an IDX file: no text and no image begins so.
pub(super) fn begins(start: &[u8]) -> bool {
    matches!(start, [0, 0, code, dimensions, ..] if *dimensions > 0 && dtype(*code).is_some())
}

/// The array of an IDX file, its first dimension as samples.
///
/// **Errors** at `byte N` for what is no IDX file, and for dimensions that are not those of the bytes.
pub(super) fn open(bytes: Bytes) -> Result<Part> {
    let path = bytes.path().to_path_buf();
    let wrong = |at: u64, reason: String| Err(Error::input(&path, format!("byte {at}"), reason));
    let magic = bytes.read(0, bytes.length().min(4))?;
    let &[0, 0, code, dimensions] = magic.as_slice() else {
        return wrong(0, "not an IDX file, which begins with two zero bytes, a type and a number".to_owned());
    };
    let Some(dtype) = dtype(code) else {
        let known = "0x08, 0x09, 0x0b, 0x0c, 0x0d and 0x0e are";
        return wrong(2, format!("the element type {code:#04x} is not known to IDX; {known}"));
    };
    if dimensions == 0 {
        return wrong(3, "no dimensions, expected at least one".to_owned());
    }
    let data = 4 + 4 * u64::from(dimensions);
    let shape = bytes.read(4, data - 4)?;
    let shape = shape.chunks_exact(4).map(|n| n.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte)));
    let shape: Vec<u64> = shape.collect();
    let found = bytes.length() - data;
    let claimed = shape.iter().try_fold(dtype.size as u64, |product, n| product.checked_mul(*n));
    if claimed != Some(found) {
        let shown = crate::error::shape_text(&shape);
        let claimed = claimed.map_or_else(|| "more than 2^64".to_owned(), |claimed| claimed.to_string());
        return wrong(
            4,
            format!("dimensions {shown} claim {claimed} bytes of elements, the file has {found}"),
        );
    }
    let shape: Vec<usize> = shape.iter().map(|n| *n as usize).collect();
    Part::of_records(bytes, &shape, Records { dtype, start: data, skip: 0 })
}
