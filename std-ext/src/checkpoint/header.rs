//! The header of a safetensors file: eight bytes of length, then JSON that maps names to dtype, shape and offsets.
//!
//! The crate `safetensors` decides what is well formed. But its errors do not name the tensor, and of two equal names it
//! takes the last. This module checks both first.

use super::{BIAS, ParseError, WEIGHT, split, tensor};
use crate::error::{quote, shape_text};
use crate::recognise::{self, Wanted};
use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// A network of a hundred layers has a header of 20 kB; the format itself allows 100 MB.
const LONGEST_HEADER: u64 = 1 << 24;
/// Characters shown of a parser's message, which may repeat a value of any length.
const LONGEST_REASON: usize = 200;
/// Times that aliases may repeat all data: a deep network with one tied layer stays far below.
const MOST_REPEATED: u64 = 64;

type Result<T> = std::result::Result<T, ParseError>;

/// The offset at which the header ends and the data start, from the first bytes of a file of `length` bytes.
pub(super) fn end(bytes: &[u8], length: u64) -> Result<usize> {
    recognise::check(bytes, Wanted::Safetensors)?;
    let Some(claim) = bytes.first_chunk::<8>() else {
        let reason = match length {
            0 => "the file is empty, expected a safetensors file".to_owned(),
            _ => format!("the file ends after {length} bytes, expected at least 8"),
        };
        return Err(ParseError::new(format!("byte {length}"), reason));
    };
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

/// A header that agrees with the length of the file.
pub(super) struct Header {
    /// By name; the offsets tile the data without a gap.
    pub(super) tensors: BTreeMap<String, TensorInfo>,
    /// `__metadata__`.
    metadata: BTreeMap<String, String>,
}

impl Header {
    /// From the JSON; the file has `length` bytes in all.
    pub(super) fn parse(text: &[u8], length: u64) -> Result<Self> {
        let mut entries = Entries::default();
        let mut json = serde_json::Deserializer::from_slice(text);
        let read = json.deserialize_map(&mut entries).and_then(|()| json.end());
        let Entries { tensors, current, metadata } = entries;
        read.map_err(|error| {
            let reason = error.to_string().chars().take(LONGEST_REASON).collect::<String>();
            match current {
                Some(name) => ParseError::new(tensor(&name), reason),
                None => ParseError::new("header", format!("expected a JSON object of tensors: {reason}")),
            }
        })?;
        check_offsets(&tensors, 8 + text.len() as u64, length)?;
        Ok(Self { tensors, metadata: metadata.unwrap_or_default().0 })
    }

    /// All tensors by name, those too that are stored under another one: `__metadata__` maps the name of a weight or
    /// bias that the file lacks to one that it has. All else in there is free text.
    ///
    /// **Errors** at an alias whose target has the name of a weight or bias that is not stored; at `header` when the
    /// aliases repeat the data more than [`MOST_REPEATED`] times.
    pub(super) fn with_aliases(&self) -> Result<BTreeMap<&str, &TensorInfo>> {
        let of_layer = |name: &str| matches!(split(name).1, WEIGHT | BIAS);
        let mut all: BTreeMap<&str, &TensorInfo> =
            self.tensors.iter().map(|(name, info)| (name.as_str(), info)).collect();
        let mut bytes = 0_u64;
        for (alias, target) in self.metadata.iter().filter(|(alias, _)| of_layer(alias)) {
            let wrong = |reason: &str| {
                let reason = format!("stands in __metadata__ for {}, {reason}", quote(target));
                Err(ParseError::new(tensor(alias), reason))
            };
            match self.tensors.get(target) {
                _ if self.tensors.contains_key(alias) => continue,
                Some(info) => {
                    all.insert(alias, info);
                    bytes += (info.data_offsets.1 - info.data_offsets.0) as u64;
                }
                None if !of_layer(target) => {}
                None if self.metadata.contains_key(target) => {
                    return wrong("which is not stored either; expected the name of a stored tensor");
                }
                None => return wrong("which the file does not have"),
            }
        }
        let stored = self.tensors.values().map(|info| info.data_offsets.1 as u64).max().unwrap_or_default();
        if bytes > stored.saturating_mul(MOST_REPEATED) {
            let reason = format!("the aliases in __metadata__ stand for {bytes} bytes, {stored} are stored");
            return Err(ParseError::new("header", reason));
        }
        Ok(all)
    }
}

/// Checks the offsets: each tensor starts at the end of the one before, its length is that of its shape, and the last one
/// ends with the file.
fn check_offsets(tensors: &BTreeMap<String, TensorInfo>, data: u64, length: u64) -> Result<()> {
    let mut ordered: Vec<(&String, &TensorInfo)> = tensors.iter().collect();
    ordered.sort_by_key(|(_, info)| info.data_offsets);
    let available = length.saturating_sub(data);
    let mut position = 0_u64;
    for (name, info) in &ordered {
        let wrong = |reason: String| Err(ParseError::new(tensor(name), reason));
        let (start, end) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        let bits = info.dtype.bitsize() as u128;
        let count = info.shape.iter().try_fold(1_u64, |product, &n| product.checked_mul(n as u64));
        let claimed = count.and_then(|count| u64::try_from((u128::from(count) * bits).div_ceil(8)).ok());
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
    metadata: Option<Strings>,
}

/// A JSON object of strings without duplicate keys.
#[derive(Default)]
struct Strings(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(json: D) -> std::result::Result<Self, D::Error> {
        json.deserialize_map(Self::default())
    }
}

impl<'de> Visitor<'de> for Strings {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> std::result::Result<Self, A::Error> {
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            let reason = format!("{} stands twice in __metadata__", quote(&key));
            if self.0.insert(key, value).is_some() {
                return Err(A::Error::custom(reason));
            }
        }
        Ok(self)
    }
}

impl<'de> Visitor<'de> for &mut Entries {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                if self.metadata.replace(map.next_value()?).is_some() {
                    return Err(A::Error::custom("__metadata__ stands twice in the header"));
                }
                continue;
            }
            self.current = Some(name.clone());
            let info: TensorInfo = map.next_value()?;
            if self.tensors.insert(name, info).is_some() {
                return Err(A::Error::custom("the name stands twice in the header"));
            }
            self.current = None;
        }
        Ok(())
    }
}
