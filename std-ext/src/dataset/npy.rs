//! NumPy's `.npy` files, versions 1.0, 2.0 and 3.0.
//!
//! A file is six magic bytes, two version bytes, the length of a header, the header (a Python dict literal with the keys
//! `descr`, `fortran_order` and `shape`), and the elements. Every length in it is a claim: each is computed in `u64`
//! with overflow checks and compared to the bytes that are there before anything of that size is allocated.
//!
//! Read are `f2` (as the `f4` that it is), `f4`, `f8`, `i1` to `i8`, `u1` to `u8` and `b1`, little (`<`) and big (`>`) endian, C and Fortran order.
//! A dtype with `=`, `|` or no mark is read as little-endian on every machine, so that a file means the same everywhere.
//!
//! **Source** `numpy.lib.format`, NEP 1.

use super::npy_header::{self, Dtype, Header, Kind};
use super::{Array, Values, little_endian};
use crate::error::{Error, Result, shape_text};
use crate::{file, half, recognise};
use agop_core::scalar::Real;
use std::io::{Seek, SeekFrom};
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
    let header = Header::parse(text, &preamble, length)?;
    let mut decoder = Decoder::new(header)?;
    decoder.push(bytes.get(preamble.end()..).unwrap_or_default())?;
    decoder.finish()
}

/// The array in a `.npy` file, in C order.
///
/// The header is read first and compared to the length of the file; elements are then decoded as they are read.
///
/// **Errors** [`Error::Io`] when the file cannot be read, [`Error::Input`] as for [`parse`].
pub fn read(path: impl AsRef<Path>) -> Result<Array> {
    read_with(path.as_ref(), |dtype| dtype).map(|(array, _)| array)
}

/// As [`read`], but types that [`Values`] does not hold give their bits as integers; and the name of such a type in
/// safetensors: `F16`, or `U64` where an element is above `i64::MAX`.
pub(crate) fn read_bits(path: &Path) -> Result<(Array, Option<&'static str>)> {
    let (array, dtype) = read_with(path, |dtype| match (dtype.kind, dtype.size) {
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

/// The array read as another type than the header says, and what it says.
fn read_with(path: &Path, read_as: impl Fn(Dtype) -> Dtype) -> Result<(Array, Dtype)> {
    let input = |error: ParseError| error.in_file(path);
    let (mut file, length) = file::open(path)?;
    let mut start = file::read_exactly(path, &mut file, length.min(recognise::ENOUGH))?;
    let preamble = npy_header::Preamble::parse(&start, length).map_err(input)?;
    let missing = (preamble.end() as u64).saturating_sub(start.len() as u64);
    start.extend(file::read_exactly(path, &mut file, missing)?);
    let mut header = Header::parse(preamble.header_of(&start), &preamble, length).map_err(input)?;
    let dtype = header.dtype;
    header.dtype = read_as(dtype);

    let mut decoder = Decoder::new(header).map_err(input)?;
    let mut left = length.saturating_sub(preamble.end() as u64);
    file.seek(SeekFrom::Start(preamble.end() as u64)).map_err(|error| Error::io(path, "read", error))?;
    while left > 0 {
        let chunk = file::read_exactly(path, &mut file, left.min(CHUNK))?;
        left -= chunk.len() as u64;
        decoder.push(&chunk).map_err(input)?;
    }
    Ok((decoder.finish().map_err(input)?, dtype))
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

/// Turns the bytes after the header into values, in the order of the file; at the end into C order.
struct Decoder {
    header: Header,
    values: Values,
    /// Where in the file the next byte pushed stands.
    position: u64,
}

impl Decoder {
    /// Reserves room for exactly the elements that the header claims and the file was found to hold.
    fn new(header: Header) -> std::result::Result<Self, ParseError> {
        let mut values = match (header.dtype.kind, header.dtype.size) {
            (Kind::Float, 2 | 4) => Values::F32(Vec::new()),
            (Kind::Float, _) => Values::F64(Vec::new()),
            _ => Values::Integers(Vec::new()),
        };
        let reserved = match &mut values {
            Values::F32(v) => v.try_reserve_exact(header.count),
            Values::F64(v) => v.try_reserve_exact(header.count),
            Values::Integers(v) => v.try_reserve_exact(header.count),
        };
        reserved.map_err(|_| {
            ParseError::new("header", format!("{} elements do not fit the memory", header.count))
        })?;
        Ok(Self { position: header.data, header, values })
    }

    /// Decodes whole elements.
    fn push(&mut self, bytes: &[u8]) -> std::result::Result<(), ParseError> {
        let dtype = self.header.dtype;
        let elements = bytes.chunks_exact(dtype.size).map(|element| raw(element, dtype.big_endian));
        match &mut self.values {
            Values::F32(v) if dtype.size == 2 => v.extend(elements.map(|x| half::binary16(x as u16))),
            Values::F32(v) => v.extend(elements.map(|x| f32::from_bits(x as u32))),
            Values::F64(v) => v.extend(elements.map(f64::from_bits)),
            Values::Integers(v) => {
                for (index, x) in elements.enumerate() {
                    v.push(integer(x, dtype).map_err(|reason| {
                        let at = self.position + index as u64 * dtype.size as u64;
                        ParseError::new(format!("byte {at}"), reason)
                    })?);
                }
            }
        }
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn finish(self) -> std::result::Result<Array, ParseError> {
        let Header { shape, fortran, .. } = self.header;
        if !fortran || shape.len() < 2 {
            return Ok(Array { shape, values: self.values });
        }
        let values = match self.values {
            Values::F32(v) => Values::F32(c_order(&shape, &v)?),
            Values::F64(v) => Values::F64(c_order(&shape, &v)?),
            Values::Integers(v) => Values::Integers(c_order(&shape, &v)?),
        };
        Ok(Array { shape, values })
    }
}

/// The bytes of one element as a number, zero-extended.
fn raw(element: &[u8], big_endian: bool) -> u64 {
    let append = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    if big_endian { element.iter().fold(0, append) } else { element.iter().rev().fold(0, append) }
}

/// The integer an element stands for, or why it is none that is read.
fn integer(raw: u64, dtype: Dtype) -> std::result::Result<i64, String> {
    match dtype.kind {
        Kind::Bool if raw > 1 => Err(format!("a bool is 0 or 1, found {raw}")),
        Kind::Signed => {
            let unused = 64 - 8 * dtype.size as u32;
            Ok((raw << unused).cast_signed() >> unused)
        }
        _ => i64::try_from(raw).map_err(|_| {
            format!("the unsigned integer {raw} is above the largest that is read, {}", i64::MAX)
        }),
    }
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
