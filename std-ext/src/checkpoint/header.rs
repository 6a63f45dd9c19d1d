//! The header of a safetensors file: eight bytes of length, then JSON that maps names to dtype, shape and offsets.
//!
//! The crate `safetensors` judges what is well formed; it does not say which tensor is wrong and takes the last of two
//! equal names. Both are looked at here first.

use super::{ParseError, tensor};
use crate::dataset::npy;
use crate::error::{quote, shape_text};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// A network of a hundred layers has a header of 20 kB; the format itself allows 100 MB.
const LONGEST_HEADER: u64 = 1 << 24;
/// Characters shown of a parser's message, which may repeat a value of any length.
const LONGEST_REASON: usize = 200;

type Result<T> = std::result::Result<T, ParseError>;

/// Where the header ends and the data start, from the first eight bytes of a file of `length` bytes.
pub(super) fn end(bytes: &[u8], length: u64) -> Result<usize> {
    let Some(claim) = bytes.first_chunk::<8>() else {
        let reason = match length {
            0 => "the file is empty, expected a safetensors file".to_owned(),
            _ => format!("the file ends after {length} bytes, expected at least 8"),
        };
        return Err(ParseError::new(format!("byte {length}"), reason));
    };
    if claim.starts_with(&npy::MAGIC) {
        return Err(ParseError::new("byte 0", "a .npy file, expected a safetensors file"));
    }
    let claim = u64::from_le_bytes(*claim);
    if claim > length.saturating_sub(8) {
        let reason =
            format!("the header claims {claim} bytes, {} are left in the file", length.saturating_sub(8));
        return Err(ParseError::new("byte 0", reason));
    }
    if claim > LONGEST_HEADER {
        let reason = format!("the header claims {claim} bytes, at most {LONGEST_HEADER} are read");
        return Err(ParseError::new("byte 0", reason));
    }
    Ok(claim as usize + 8)
}

/// What the header says, found to agree with the length of the file.
pub(super) struct Header {
    /// By name. All `F32` or all `F64`; the offsets tile the data without a gap.
    pub(super) tensors: BTreeMap<String, TensorInfo>,
}

impl Header {
    /// From the JSON; the file has `length` bytes in all.
    pub(super) fn parse(text: &[u8], length: u64) -> Result<Self> {
        let mut tensors = Entries::default();
        let mut json = serde_json::Deserializer::from_slice(text);
        let read = json.deserialize_map(&mut tensors).and_then(|()| json.end());
        let Entries { tensors, current } = tensors;
        read.map_err(|error| {
            let reason = error.to_string().chars().take(LONGEST_REASON).collect::<String>();
            match current {
                Some(name) => ParseError::new(tensor(&name), reason),
                None => ParseError::new("header", format!("expected a JSON object of tensors: {reason}")),
            }
        })?;
        one_dtype(&tensors)?;
        check_offsets(&tensors, 8 + text.len() as u64, length)?;
        Ok(Self { tensors })
    }
}

fn one_dtype(tensors: &BTreeMap<String, TensorInfo>) -> Result<()> {
    let Some((first_name, first)) = tensors.first_key_value() else { return Ok(()) };
    match tensors.iter().find(|(_, info)| info.dtype != first.dtype) {
        None => Ok(()),
        Some((name, info)) => {
            let reason = format!(
                "dtype {:?}, but {} has {:?}; one dtype is expected in all",
                info.dtype,
                quote(first_name),
                first.dtype
            );
            Err(ParseError::new(tensor(name), reason))
        }
    }
}

/// Each tensor starts where the one before ends and is as long as its shape says; the last ends with the file.
fn check_offsets(tensors: &BTreeMap<String, TensorInfo>, data: u64, length: u64) -> Result<()> {
    let mut ordered: Vec<(&String, &TensorInfo)> = tensors.iter().collect();
    ordered.sort_by_key(|(_, info)| info.data_offsets);
    let available = length.saturating_sub(data);
    let mut position = 0_u64;
    for (name, info) in &ordered {
        let wrong = |reason: String| Err(ParseError::new(tensor(name), reason));
        let (start, end) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        let size = if info.dtype == Dtype::F32 { 4_u64 } else { 8 };
        let claimed = info.shape.iter().try_fold(size, |product, &n| product.checked_mul(n as u64));
        let Some(claimed) = claimed else {
            return wrong(format!(
                "shape {}: the number of bytes overflows 64 bits",
                shape_text(&info.shape)
            ));
        };
        if start != position {
            return wrong(format!("its data start at byte {start} of the data, expected {position}"));
        }
        if end.checked_sub(start) != Some(claimed) {
            return wrong(format!(
                "shape {} of {:?} takes {claimed} bytes, the offsets are [{start}, {end}]",
                shape_text(&info.shape),
                info.dtype
            ));
        }
        if end > available {
            return wrong(format!("its data end at byte {end} of the data, the file has {available}"));
        }
        position = end;
    }
    if position < available {
        let reason = format!("{} trailing bytes after the last tensor", available - position);
        return Err(ParseError::new(format!("byte {}", data + position), reason));
    }
    let ordered = ordered.into_iter().map(|(name, info)| (name.clone(), info.clone())).collect();
    Metadata::new(None, ordered).map_err(|e| ParseError::new("header", e.to_string()))?;
    Ok(())
}

/// The entries of the JSON object, and the name of the tensor that is being read.
#[derive(Default)]
struct Entries {
    tensors: BTreeMap<String, TensorInfo>,
    current: Option<String>,
}

impl<'de> Visitor<'de> for &mut Entries {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                // Free text of whoever wrote the file; only its form is looked at.
                map.next_value::<BTreeMap<String, String>>()?;
                continue;
            }
            self.current = Some(name.clone());
            let info: TensorInfo = map.next_value()?;
            if !matches!(info.dtype, Dtype::F32 | Dtype::F64) {
                let reason = format!("only F32 and F64 are read, found {:?}", info.dtype);
                return Err(A::Error::custom(reason));
            }
            if self.tensors.insert(name, info).is_some() {
                return Err(A::Error::custom("the name stands twice in the header"));
            }
            self.current = None;
        }
        Ok(())
    }
}
