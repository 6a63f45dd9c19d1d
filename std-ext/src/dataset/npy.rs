//! NumPy's `.npy` files, versions 1.0, 2.0 and 3.0.
//!
//! A file is six magic bytes, two version bytes, the length of a header, the header (a Python dict literal with the keys
//! `descr`, `fortran_order` and `shape`), and the elements. Every length in it is a claim: each is computed in `u64`
//! with overflow checks and compared to the bytes that are there before anything of that size is allocated.
//!
//! The reader takes `f2` (converted to `f4`, exactly), `f4`, `f8`, `i1` to `i8`, `u1` to `u8` and `b1`, little (`<`) and
//! big (`>`) endian, C and Fortran order. A dtype with `=`, `|` or no mark is little-endian on every machine, so that a
//! file means the same on all of them.
//!
//! Why not `npyz` or `ndarray-npy`: `npyz` allocates as many bytes as the header claims to have, up to 4 GiB, before it
//! reads them, and its errors name no byte. This reader is tested to refuse such files with the place
//! (`tests/tests/npy`), and it converts a file in parts, which the module `source` needs for data larger than memory.
//!
//! **Source** `numpy.lib.format`, NEP 1.

use super::bytes::Bytes;
use super::elements::{Dtype, Kind};
use super::labels::{Column, TextClasses};
use super::npy_header::{self, Header};
use super::source::{Part, Records};
use super::{Array, Values, little_endian};
use crate::error::{Error, Result, shape_text};
use crate::{file, recognise};
use agop_core::scalar::Real;
use std::path::Path;

pub use crate::error::ParseError;

/// The first bytes of every such file.
pub const MAGIC: [u8; 6] = npy_header::MAGIC;

/// Bytes decoded at a time by [`read`]; a multiple of every element size.
const CHUNK: u64 = 1 << 16;

/// The array in the bytes of a whole `.npy` file, in C order.
///
/// **Errors** a [`ParseError`] on any input that is not exactly one array of a type that is read: its place is `byte N`,
/// counted from 0, or the key of the header that is wrong.
///
/// **Example**
/// ```
/// use agop::dataset::{Values, npy};
/// let bytes = npy::encode(&[2, 1], &Values::F32(vec![1.0, 2.5]))?;
/// assert_eq!(npy::parse(&bytes)?.shape, [2, 1]);
/// assert_eq!(npy::parse(&bytes[1..]).unwrap_err().place, "byte 0");
/// # Ok::<(), agop::dataset::npy::ParseError>(())
/// ```
pub fn parse(bytes: &[u8]) -> std::result::Result<Array, ParseError> {
    let length = bytes.len() as u64;
    let preamble = npy_header::Preamble::parse(bytes, length)?;
    let text = preamble.header_of(bytes);
    let header = Header::parse(text, &preamble, length, false)?;
    let mut values = header.dtype.room(header.count)?;
    header.dtype.decode(bytes.get(preamble.end()..).unwrap_or_default(), header.data, &mut values)?;
    finish(header, values)
}

/// The array in a `.npy` file, in C order.
///
/// The header is read first and compared with the length of the file. Elements are then read and decoded in parts.
///
/// **Errors** [`Error::Io`] when the file cannot be read, [`Error::Input`] as for [`parse`].
pub fn read(path: impl AsRef<Path>) -> Result<Array> {
    read_with(&mut Bytes::open(path.as_ref())?, |dtype| dtype).map(|(array, _)| array)
}

/// As [`read`], but types that [`Values`] does not hold give their bits as integers; and the name of such a type in
/// safetensors: `F16`, or `U64` where an element is above `i64::MAX`.
pub(crate) fn read_bits(bytes: &mut Bytes) -> Result<(Array, Option<&'static str>)> {
    let (array, dtype) = read_with(bytes, |dtype| match (dtype.kind, dtype.size) {
        (Kind::Float, 2) => Dtype { kind: Kind::Unsigned, ..dtype },
        (Kind::Unsigned, 8) => Dtype { kind: Kind::Signed, ..dtype },
        _ => dtype,
    })?;
    let other = match (dtype.kind, dtype.size, &array.values) {
        (Kind::Float, 2, _) => Some("F16"),
        (Kind::Unsigned, 8, Values::Integers(bits)) if bits.iter().any(|&n| n < 0) => Some("U64"),
        _ => None,
    };
    Ok((array, other))
}

/// The array as samples: in place where rows stand one after the other, else read at once.
pub(super) fn open(mut bytes: Bytes) -> Result<Part> {
    let header = header(&mut bytes, false)?;
    if header.fortran && header.shape.len() > 1 {
        let (array, _) = elements(&mut bytes, header, |dtype| dtype)?;
        return Part::of_array(bytes.path(), array);
    }
    let Header { dtype, shape, data, .. } = header;
    Part::of_records(bytes, &shape, Records { dtype, start: data, skip: 0 })
}

/// The labels in an array: numbers, or text in one column.
pub(super) fn labels(mut bytes: Bytes) -> Result<Column> {
    let Header { dtype, shape, data, .. } = header(&mut bytes, true)?;
    if !dtype.is_text() {
        return open(bytes)?.array().map(Column::Numbers);
    }
    let path = bytes.path().to_path_buf();
    let ([count] | [count, 1]) = *shape.as_slice() else {
        let place = format!("shape {}", shape_text(&shape));
        return Err(Error::input(path, place, "text labels, expected one column"));
    };
    let mut classes = TextClasses::default();
    for row in 0..count {
        let element = bytes.read(data + (row * dtype.size) as u64, dtype.size as u64)?;
        let pushed = dtype.text(&element).and_then(|text| classes.push(&text));
        pushed.map_err(|reason| Error::input(&path, format!("row {row}"), reason))?;
    }
    Ok(classes.column())
}

/// The array read as another type than the header says, and what it says.
fn read_with(bytes: &mut Bytes, read_as: impl Fn(Dtype) -> Dtype) -> Result<(Array, Dtype)> {
    let header = header(bytes, false)?;
    elements(bytes, header, read_as)
}

fn header(bytes: &mut Bytes, labels: bool) -> Result<Header> {
    let length = bytes.length();
    let start = bytes.read(0, length.min(recognise::ENOUGH))?;
    let preamble = npy_header::Preamble::parse(&start, length);
    let preamble = preamble.map_err(|error| error.in_file(bytes.path()))?;
    // No more than a mebibyte, or the preamble had refused it.
    let start = bytes.read(0, preamble.end() as u64)?;
    let header = Header::parse(preamble.header_of(&start), &preamble, length, labels);
    header.map_err(|error| error.in_file(bytes.path()))
}

fn elements(
    bytes: &mut Bytes,
    mut header: Header,
    read_as: impl Fn(Dtype) -> Dtype,
) -> Result<(Array, Dtype)> {
    let path = bytes.path().to_path_buf();
    let input = |error: ParseError| error.in_file(&path);
    let dtype = header.dtype;
    header.dtype = read_as(dtype);
    let mut values = header.dtype.room(header.count).map_err(input)?;
    let (mut at, end) = (header.data, bytes.length());
    while at < end {
        let chunk = bytes.read(at, (end - at).min(CHUNK))?;
        header.dtype.decode(&chunk, at, &mut values).map_err(input)?;
        at += chunk.len() as u64;
    }
    Ok((finish(header, values).map_err(input)?, dtype))
}

/// The bytes of a version 1.0 `.npy` file with these elements in C order, little-endian; integers are written as `<i8`.
///
/// **Errors** a [`ParseError`] when the number of elements is not the product of the shape, there are more than 64
/// dimensions, or the bytes do not fit the memory.
pub fn encode(shape: &[usize], values: &Values) -> std::result::Result<Vec<u8>, ParseError> {
    let count = shape.iter().try_fold(1_usize, |product, &n| product.checked_mul(n));
    if count != Some(values.len()) && !(values.is_empty() && shape.contains(&0)) {
        let reason = format!("the shape does not have the {} elements given", values.len());
        return Err(ParseError::new(format!("shape {}", shape_text(shape)), reason));
    }
    if shape.len() > npy_header::MOST_DIMENSIONS {
        let reason =
            format!("{} dimensions, at most {} are written", shape.len(), npy_header::MOST_DIMENSIONS);
        return Err(ParseError::new("shape", reason));
    }
    let dtype = match values {
        Values::F32(_) => "<f4",
        Values::F64(_) => "<f8",
        Values::Integers(_) => "<i8",
    };
    let mut bytes = npy_header::encode(dtype, shape);
    let size = values.len().saturating_mul(if let Values::F32(_) = values { 4 } else { 8 });
    let no_room = |_| ParseError::new("elements", format!("{size} bytes do not fit the memory"));
    bytes.try_reserve_exact(size).map_err(no_room)?;
    match values {
        Values::F32(v) => bytes.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Values::F64(v) => bytes.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Values::Integers(v) => bytes.extend(v.iter().flat_map(|x| x.to_le_bytes())),
    }
    Ok(bytes)
}

/// Writes a matrix, row-major, as a `.npy` file of `f4` or `f8`. The file is replaced all at once ([`file::replace`]).
///
/// **Shapes** `values`: rows x columns.
///
/// **Arithmetic** the bits of every number are kept; every NaN becomes the positive quiet NaN.
///
/// **Errors** [`Error::Input`] when `values` is not rows x columns long, [`Error::Io`] when the file cannot be written.
pub fn write<T: Real>(path: impl AsRef<Path>, rows: usize, columns: usize, values: &[T]) -> Result<()> {
    let path = path.as_ref();
    if rows.checked_mul(columns) != Some(values.len()) {
        let reason = format!("a {rows} x {columns} matrix does not have the {} elements given", values.len());
        return Err(Error::input(path, "shape", reason));
    }
    let dtype = if T::BYTES == 4 { "<f4" } else { "<f8" };
    let header = npy_header::encode(dtype, &[rows, columns]);
    file::replace_with(path, |output| {
        output.write_all(&header)?;
        values.iter().try_for_each(|&x| {
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(little_endian(x)).for_each(|(to, byte)| *to = byte);
            output.write_all(bytes.get(..T::BYTES).unwrap_or_default())
        })
    })
}

/// The elements in the order of the file, as an array in C order.
fn finish(header: Header, values: Values) -> std::result::Result<Array, ParseError> {
    let Header { shape, fortran, .. } = header;
    if !fortran || shape.len() < 2 {
        return Ok(Array { shape, values });
    }
    let values = match values {
        Values::F32(v) => Values::F32(c_order(&shape, &v)?),
        Values::F64(v) => Values::F64(c_order(&shape, &v)?),
        Values::Integers(v) => Values::Integers(c_order(&shape, &v)?),
    };
    Ok(Array { shape, values })
}

/// Elements stored with the first index fastest, in the order with the last index fastest.
fn c_order<T: Copy>(shape: &[usize], values: &[T]) -> std::result::Result<Vec<T>, ParseError> {
    let mut ordered = Vec::new();
    ordered.try_reserve_exact(values.len()).map_err(|_| {
        ParseError::new("header", format!("{} elements do not fit the memory twice", values.len()))
    })?;
    // One counter for each dimension, the last fastest: (index, length, stride in the file). The product of the lengths
    // is the number of elements, so no stride overflows unless there are none.
    let mut stride = 1_usize;
    let mut counters: Vec<(usize, usize, usize)> = Vec::with_capacity(shape.len());
    for &length in shape {
        counters.push((0, length, stride));
        stride = stride.saturating_mul(length);
    }
    let mut source = 0_usize;
    for _ in 0..values.len() {
        ordered.extend(values.get(source));
        for (index, length, stride) in counters.iter_mut().rev() {
            *index += 1;
            source += *stride;
            if *index < *length {
                break;
            }
            source -= *stride * *length;
            *index = 0;
        }
    }
    Ok(ordered)
}
