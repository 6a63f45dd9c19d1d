//! The numbers in a file of any format, and their digest.

use crate::checkpoint::{self, Elements, Tensor, natural};
use crate::dataset::{self, Array, Reading, Values};
use crate::error::Result;
use crate::memory::collected;
use agop_core::digest::{Digest, Hasher};
use std::path::Path;

/// Named arrays.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// By name, numbers in names compared by value: `layers.2.weight` before `layers.10.weight`. One array without a
    /// name, where the format has none.
    pub arrays: Vec<(String, Tensor)>,
}

impl Content {
    /// All arrays of a data file or of a safetensors file. The first bytes decide the format.
    ///
    /// # Errors
    /// As [`dataset::open`], which here reads every `u8`, and [`checkpoint::read_tensors`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_as(path, &Reading::default())
    }

    /// As [`read`](Self::read), with what options say about a file of data.
    ///
    /// # Errors
    /// As there.
    pub fn read_as(path: impl AsRef<Path>, reading: &Reading) -> Result<Self> {
        let path = path.as_ref();
        let mut arrays: Vec<(String, Tensor)> = match dataset::arrays(path, reading)? {
            Some(arrays) => arrays.into_iter().map(tensor).collect::<Result<_>>()?,
            None => checkpoint::read_tensors(path)?.into_iter().collect(),
        };
        arrays.sort_by(|(a, _), (b, _)| natural(a).cmp(natural(b)));
        Ok(Self { arrays })
    }

    /// Digest of all arrays.
    ///
    /// **Arithmetic** as [`Content::digest_of`], in the order of the names.
    pub fn digest(&self) -> Digest {
        Self::digest_of(self.arrays.iter().map(|(_, array)| array))
    }

    /// Digest of arrays: shapes, types and bits, not names or formats.
    ///
    /// **Arithmetic** [`Hasher::array`] for `F32` and `F64`. For all others the number of dimensions and the dimensions;
    /// then for integers and bools that an `i64` holds, of any width, zero and the values. For the remaining types (`F16`,
    /// `BF16`, the 8-bit and narrower floats, `C64`, and `U64` with an element above `i64::MAX`) the type's name in
    /// safetensors, two numbers of its bytes and zeros, and then the elements' little-endian bytes, eight to a number, the
    /// last one filled with zeros. All these numbers have 64 bits.
    pub fn digest_of<'a>(arrays: impl IntoIterator<Item = &'a Tensor>) -> Digest {
        let mut hash = Hasher::new();
        for Tensor { shape, elements } in arrays {
            match elements {
                Elements::Values(Values::F32(values)) => {
                    hash.array(shape, values);
                }
                Elements::Values(Values::F64(values)) => {
                    hash.array(shape, values);
                }
                Elements::Values(Values::Integers(values)) => {
                    hash_shape(&mut hash, shape).number(0);
                    values.iter().for_each(|n| {
                        hash.number(*n as u64);
                    });
                }
                Elements::Bytes(dtype, bytes) => {
                    hash_shape(&mut hash, shape);
                    hash_bytes(&mut hash, format!("{dtype:\0<16}").as_bytes());
                    hash_bytes(&mut hash, bytes);
                }
            }
        }
        hash.finish()
    }
}

fn hash_shape<'h>(hash: &'h mut Hasher, shape: &[usize]) -> &'h mut Hasher {
    hash.number(shape.len() as u64);
    shape.iter().fold(hash, |hash, n| hash.number(*n as u64))
}

fn hash_bytes(hash: &mut Hasher, bytes: &[u8]) {
    for chunk in bytes.chunks(8) {
        hash.number(chunk.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)));
    }
}

/// An array as safetensors would store it.
fn tensor((name, (array, other)): (String, (Array, Option<&'static str>))) -> Result<(String, Tensor)> {
    let Array { shape, values } = array;
    let elements = match (values, other) {
        (Values::Integers(bits), Some(dtype)) => {
            let size = if dtype == "F16" { 2 } else { 8 };
            let bytes = bits.iter().flat_map(|n| n.to_le_bytes().into_iter().take(size));
            Elements::Bytes(dtype.to_owned(), collected("elements", bits.len().saturating_mul(size), bytes)?)
        }
        (values, _) => Elements::Values(values),
    };
    Ok((name, Tensor { shape, elements }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::dataset::npy;
    use crate::file;

    #[test]
    fn names_are_ordered_by_their_numbers() {
        let mut names = ["layers.10.weight", "layers.2.weight", "layers.2.bias", "fc3", "fc03x", "fc"];
        names.sort_by(|a, b| natural(a).cmp(natural(b)));
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
        let array = |values| Tensor { shape: vec![1], elements: Elements::Values(values) };
        let integer = Content::digest_of([&array(Values::Integers(vec![0]))]);
        assert_ne!(integer, Content::digest_of([&array(Values::F64(vec![0.0]))]));
    }
}
