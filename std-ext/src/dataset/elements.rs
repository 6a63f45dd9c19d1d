//! Numbers in the bytes of a file: their type, and how they become [`Values`].

use super::Values;
use crate::error::ParseError;
use crate::half;
use agop_core::scalar::Real;

/// The type of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Float,
    Signed,
    Unsigned,
    Bool,
    /// Code points of four bytes, filled with zeros.
    Unicode,
    /// Bytes, filled with zeros.
    Bytes,
}

/// The type of the elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dtype {
    pub(super) kind: Kind,
    /// Bytes of one element: 1, 2, 4 or 8, or those of a text.
    pub(super) size: usize,
    pub(super) big_endian: bool,
}

impl Dtype {
    pub(super) fn is_text(self) -> bool {
        matches!(self.kind, Kind::Unicode | Kind::Bytes)
    }

    /// The text of one element.
    pub(super) fn text(self, element: &[u8]) -> Result<String, String> {
        let text = match self.kind {
            Kind::Unicode => {
                let points = element.chunks_exact(4).map(|point| Self { size: 4, ..self }.raw(point) as u32);
                points.map(char::from_u32).collect::<Option<String>>()
            }
            _ => String::from_utf8(element.to_vec()).ok(),
        };
        let text = text.ok_or_else(|| "the text is not Unicode".to_owned())?;
        Ok(text.trim_end_matches('\0').to_owned())
    }

    /// Room for exactly `count` elements of this type.
    pub(super) fn room(self, count: usize) -> Result<Values, ParseError> {
        if self.is_text() {
            return Err(ParseError::new(
                "header, key \"descr\"",
                "text, expected numbers; labels may be text",
            ));
        }
        let mut values = match (self.kind, self.size) {
            (Kind::Float, 2 | 4) => Values::F32(Vec::new()),
            (Kind::Float, _) => Values::F64(Vec::new()),
            _ => Values::Integers(Vec::new()),
        };
        let reserved = match &mut values {
            Values::F32(v) => v.try_reserve_exact(count),
            Values::F64(v) => v.try_reserve_exact(count),
            Values::Integers(v) => v.try_reserve_exact(count),
        };
        reserved.map_err(|_| ParseError::new("header", format!("{count} elements do not fit the memory")))?;
        Ok(values)
    }

    /// Decodes whole elements and appends them to the values of [`room`](Self::room). `position` is the offset of the bytes
    /// in the file.
    pub(super) fn decode(self, bytes: &[u8], position: u64, values: &mut Values) -> Result<(), ParseError> {
        let elements = bytes.chunks_exact(self.size).map(|element| self.raw(element));
        match values {
            Values::F32(v) if self.size == 2 => v.extend(elements.map(|x| half::binary16(x as u16))),
            Values::F32(v) => v.extend(elements.map(|x| f32::from_bits(x as u32))),
            Values::F64(v) => v.extend(elements.map(f64::from_bits)),
            Values::Integers(v) => {
                for (index, x) in elements.enumerate() {
                    v.push(self.integer(x).map_err(|reason| {
                        let at = position + index as u64 * self.size as u64;
                        ParseError::new(format!("byte {at}"), reason)
                    })?);
                }
            }
        }
        Ok(())
    }

    /// Appends elements as numbers of `T`, each rounded to nearest, ties to even, once; false where one is not read, or not
    /// finite in `T`. The loops are ones that the compiler makes vectors of: rows that stay on the disk are converted at
    /// every pass.
    pub(super) fn append<T: Real>(self, bytes: &[u8], output: &mut Vec<T>) -> bool {
        macro_rules! each {
            ($type:ty, $to:expr) => {{
                let elements = bytes.as_chunks().0.iter();
                if self.big_endian {
                    output.extend(elements.map(|element| $to(<$type>::from_be_bytes(*element))));
                } else {
                    output.extend(elements.map(|element| $to(<$type>::from_le_bytes(*element))));
                }
            }};
        }
        let first = output.len();
        match (self.kind, self.size) {
            (Kind::Float, 2) => each!(u16, |bits| T::from_f64(f64::from(half::binary16(bits)))),
            (Kind::Float, 4) => each!(f32, |x| T::from_f64(f64::from(x))),
            (Kind::Float, _) => each!(f64, T::from_f64),
            (Kind::Signed, 1) => each!(i8, |n| T::from_f64(f64::from(n))),
            (Kind::Signed, 2) => each!(i16, |n| T::from_f64(f64::from(n))),
            (Kind::Signed, 4) => each!(i32, |n| T::from_f64(f64::from(n))),
            (Kind::Bool, _) | (Kind::Unsigned, 1) => each!(u8, |n| T::from_f64(f64::from(n))),
            (Kind::Unsigned, 2) => each!(u16, |n| T::from_f64(f64::from(n))),
            (Kind::Unsigned, 4) => each!(u32, |n| T::from_f64(f64::from(n))),
            (Kind::Unicode | Kind::Bytes, _) => return false,
            // Not by way of f64: that would round twice. Unsigned ones that no i64 holds become negative.
            (Kind::Signed | Kind::Unsigned, _) => each!(i64, T::from_integer),
        }
        let new = output.get(first..).unwrap_or_default();
        let all = |holds: fn(&T) -> bool| new.iter().fold(true, |all, x| all & holds(x));
        match (self.kind, self.size) {
            (Kind::Float, _) => all(|x| x.is_finite()),
            (Kind::Bool, _) => all(|x| *x <= T::one()),
            (Kind::Unsigned, 8) => all(|x| *x >= T::zero()),
            _ => true,
        }
    }

    /// Whether `T` holds every number of this type.
    pub(super) fn is_exact<T: Real>(self) -> bool {
        match self.kind {
            Kind::Float => self.size <= T::BYTES,
            Kind::Unicode | Kind::Bytes => false,
            // 24 and 53 bits.
            _ => self.size <= T::BYTES / 2,
        }
    }

    /// The bytes of one element as a number, zero-extended.
    fn raw(self, element: &[u8]) -> u64 {
        let append = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.big_endian { element.iter().fold(0, append) } else { element.iter().rev().fold(0, append) }
    }

    /// The integer an element stands for, or why it is none that is read.
    fn integer(self, raw: u64) -> Result<i64, String> {
        match self.kind {
            Kind::Bool if raw > 1 => Err(format!("a bool is 0 or 1, found {raw}")),
            Kind::Signed => {
                let unused = 64 - 8 * self.size as u32;
                Ok((raw << unused).cast_signed() >> unused)
            }
            _ => i64::try_from(raw).map_err(|_| {
                format!("the unsigned integer {raw} is above the largest that is read, {}", i64::MAX)
            }),
        }
    }
}
