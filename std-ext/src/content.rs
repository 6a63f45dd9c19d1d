//! The numbers in a file, whatever its format, and their digest.

use crate::checkpoint;
use crate::dataset::{Array, Values, npy};
use crate::error::Result;
use crate::file;
use agop_core::digest::{Digest, Hasher};
use std::path::Path;

/// Named arrays.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// By name, numbers in names compared by value: `layers.2.weight` before `layers.10.weight`. One array without a
    /// name, where the format has none.
    pub arrays: Vec<(String, Array)>,
}

impl Content {
    /// All arrays of a `.npy` or safetensors file; the first bytes tell which it is.
    ///
    /// # Errors
    /// As [`npy::read`] and [`checkpoint::read_tensors`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (mut file, length) = file::open(path)?;
        let start = file::read_exactly(path, &mut file, length.min(npy::MAGIC.len() as u64))?;
        let mut arrays: Vec<(String, Array)> = if start == npy::MAGIC {
            vec![(String::new(), npy::read(path)?)]
        } else {
            checkpoint::read_tensors(path)?.into_iter().collect()
        };
        arrays.sort_by_cached_key(|(name, _)| natural(name));
        Ok(Self { arrays })
    }

    /// Digest of all arrays.
    ///
    /// **Arithmetic** as [`Content::digest_of`], in the order of the names.
    pub fn digest(&self) -> Digest {
        Self::digest_of(self.arrays.iter().map(|(_, array)| array))
    }

    /// Digest of arrays: shapes, width of the scalar and bits, not names or formats.
    ///
    /// **Arithmetic** [`Hasher::array`] for each; integers, which no computation of the core takes, as the number of
    /// dimensions, the dimensions, zero, and the values, all of 64 bits.
    pub fn digest_of<'a>(arrays: impl IntoIterator<Item = &'a Array>) -> Digest {
        let mut hash = Hasher::new();
        for array in arrays {
            match &array.values {
                Values::F32(values) => {
                    hash.array(&array.shape, values);
                }
                Values::F64(values) => {
                    hash.array(&array.shape, values);
                }
                Values::Integers(values) => {
                    hash.number(array.shape.len() as u64);
                    array.shape.iter().for_each(|n| {
                        hash.number(*n as u64);
                    });
                    hash.number(0);
                    values.iter().for_each(|n| {
                        hash.number(*n as u64);
                    });
                }
            }
        }
        hash.finish()
    }
}

/// Text and numbers in turn. Longer numbers are larger once leading zeros are gone; those decide last.
fn natural(name: &str) -> Vec<(String, usize, String)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let (text, after) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (digits, after) = after.split_at(end);
        let number = digits.trim_start_matches('0');
        parts.push((text.to_owned(), number.len(), number.to_owned()));
        rest = after;
    }
    parts
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::dataset::npy;

    #[test]
    fn names_are_ordered_by_their_numbers() {
        let mut names = ["layers.10.weight", "layers.2.weight", "layers.2.bias", "fc3", "fc03x", "fc"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["fc", "fc3", "fc03x", "layers.2.bias", "layers.2.weight", "layers.10.weight"]);
    }

    #[test]
    fn formats_agree_and_shapes_and_types_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let values = [0.5, -0.0, 3.0, 1e-300, 5.0, 6.0];
        npy::write(path("a.npy"), 2, 3, &values).unwrap();
        npy::write(path("b.npy"), 3, 2, &values).unwrap();
        checkpoint::write(path("c"), &[3, 2], false, &values).unwrap();
        file::replace(path("d"), &npy::encode(&[2, 3], &Values::F32(vec![0.0; 6])).unwrap()).unwrap();
        let digest = |name: &str| Content::read(path(name)).unwrap().digest();
        assert_eq!(digest("a.npy"), digest("c"));
        assert_ne!(digest("a.npy"), digest("b.npy"));
        assert_ne!(digest("a.npy"), digest("d"));
        let array = |values| Array { shape: vec![1], values };
        let integer = Content::digest_of([&array(Values::Integers(vec![0]))]);
        assert_ne!(integer, Content::digest_of([&array(Values::F64(vec![0.0]))]));
    }
}
