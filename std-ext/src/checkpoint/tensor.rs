//! The numbers of one tensor, from its bytes.

use super::{ParseError, element, tensor};
use crate::dataset::Values;
use crate::half;
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use std::collections::TryReserveError;

/// A tensor as a file stores it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Lengths of the dimensions, slowest first; empty for a single number.
    pub shape: Vec<usize>,
    /// The elements in C order.
    pub elements: Elements,
}

/// The elements of a [`Tensor`].
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// `F32`, `F64`, and integers and bools that an `i64` holds.
    Values(Values),
    /// All others: the type's name in safetensors and the little-endian bytes.
    Bytes(String, Vec<u8>),
}

/// The numbers of one weight or bias, all finite; 16-bit floats as the `f32` that they are.
///
/// The header was found to agree with the length of `data`.
pub(super) fn values(
    name: &str,
    info: &TensorInfo,
    data: &[u8],
    columns: Option<usize>,
) -> Result<Values, ParseError> {
    let Some(values) = floats(name, info, data)? else {
        let reason = format!(
            "only F16, BF16, F32 and F64 are read, found {}: save the weights as one of these, quantised \
             ones as the numbers that they stand for",
            info.dtype
        );
        return Err(ParseError::new(tensor(name), reason));
    };
    let infinite = values.floats().enumerate().find(|(_, x)| !x.is_finite());
    match infinite {
        None => Ok(values),
        Some((index, x)) => {
            let what = if x.is_nan() { "the value is NaN" } else { "the value is infinite" };
            Err(ParseError::new(element(name, index, columns), what))
        }
    }
}

/// The elements of a tensor of any type.
pub(super) fn stored(name: &str, info: &TensorInfo, data: &[u8]) -> Result<Tensor, ParseError> {
    let columns = if info.shape.len() < 2 { None } else { info.shape.last().copied() };
    let elements = match info.dtype {
        Dtype::F32 | Dtype::F64 => Elements::Values(values(name, info, data, columns)?),
        _ => match integers(name, info, data)? {
            Some(integers) => Elements::Values(integers),
            None => {
                let bytes = bytes(info, data);
                let bytes = decode(bytes, |[byte]: [u8; 1]| byte).map_err(|_| no_room(name, bytes))?;
                Elements::Bytes(info.dtype.to_string(), bytes)
            }
        },
    };
    Ok(Tensor { shape: info.shape.clone(), elements })
}

/// The elements of a tensor of numbers, NaN and infinities too; `None` for a type that is not decoded.
pub(super) fn numbers(name: &str, info: &TensorInfo, data: &[u8]) -> Result<Option<Values>, ParseError> {
    Ok(match floats(name, info, data)? {
        None => integers(name, info, data)?,
        floats => floats,
    })
}

/// The elements if they are floats of 16 bits or more.
fn floats(name: &str, info: &TensorInfo, data: &[u8]) -> Result<Option<Values>, ParseError> {
    let bytes = bytes(info, data);
    let values = match info.dtype {
        Dtype::F16 => decode(bytes, |b| half::binary16(u16::from_le_bytes(b))).map(Values::F32),
        Dtype::BF16 => decode(bytes, |b| half::bfloat16(u16::from_le_bytes(b))).map(Values::F32),
        Dtype::F32 => decode(bytes, f32::from_le_bytes).map(Values::F32),
        Dtype::F64 => decode(bytes, f64::from_le_bytes).map(Values::F64),
        _ => return Ok(None),
    };
    values.map(Some).map_err(|_| no_room(name, bytes))
}

/// The elements if they are integers or bools that an `i64` holds.
fn integers(name: &str, info: &TensorInfo, data: &[u8]) -> Result<Option<Values>, ParseError> {
    let bytes = bytes(info, data);
    let integers = match info.dtype {
        Dtype::BOOL | Dtype::U8 => decode(bytes, |b| i64::from(u8::from_le_bytes(b))),
        Dtype::I8 => decode(bytes, |b| i64::from(i8::from_le_bytes(b))),
        Dtype::U16 => decode(bytes, |b| i64::from(u16::from_le_bytes(b))),
        Dtype::I16 => decode(bytes, |b| i64::from(i16::from_le_bytes(b))),
        Dtype::U32 => decode(bytes, |b| i64::from(u32::from_le_bytes(b))),
        Dtype::I32 => decode(bytes, |b| i64::from(i32::from_le_bytes(b))),
        Dtype::I64 | Dtype::U64 => decode(bytes, i64::from_le_bytes),
        _ => return Ok(None),
    };
    let integers = integers.map_err(|_| no_room(name, bytes))?;
    let held = info.dtype != Dtype::U64 || integers.iter().all(|&n| n >= 0);
    Ok(held.then_some(Values::Integers(integers)))
}

fn bytes<'a>(info: &TensorInfo, data: &'a [u8]) -> &'a [u8] {
    data.get(info.data_offsets.0..info.data_offsets.1).unwrap_or_default()
}

fn no_room(name: &str, bytes: &[u8]) -> ParseError {
    ParseError::new(tensor(name), format!("{} bytes do not fit the memory", bytes.len()))
}

fn decode<const N: usize, T>(bytes: &[u8], from: impl Fn([u8; N]) -> T) -> Result<Vec<T>, TryReserveError> {
    let (chunks, _) = bytes.as_chunks::<N>();
    let mut numbers = Vec::new();
    numbers.try_reserve_exact(chunks.len())?;
    numbers.extend(chunks.iter().map(|chunk| from(*chunk)));
    Ok(numbers)
}
