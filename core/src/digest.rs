//! SHA-256 of arrays, shapes and bits included, so that two runs can be compared by 32 bytes.
//!
//! **Source** FIPS 180-4 for the hash; the encoding of shapes and values is defined here.

use crate::matrix::cut;
use crate::scalar::Real;
use core::fmt;
use sha2::{Digest as _, Sha256};

/// Version of the bit contract. It increases with every change of a golden digest.
pub const CONTRACT_VERSION: u32 = 1;

/// Computes the digest of a sequence of numbers and arrays.
///
/// **Arithmetic** the tag `agop`, a zero byte, [`CONTRACT_VERSION`] as little-endian u64; then for each array the number
/// of dimensions, the dimensions and the bytes of one value as little-endian u64, and the values' little-endian bits in
/// layout order, every NaN as the one positive quiet NaN.
#[derive(Clone)]
pub struct Hasher(Sha256);

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher {
    /// A hasher that has seen the tag only.
    pub fn new() -> Self {
        let mut hash = Sha256::new();
        hash.update(b"agop\0");
        hash.update(u64::from(CONTRACT_VERSION).to_le_bytes());
        Self(hash)
    }

    /// Adds an integer of the state, such as a step or a count.
    pub fn number(&mut self, n: u64) -> &mut Self {
        self.0.update(n.to_le_bytes());
        self
    }

    /// Adds an array with its shape.
    pub fn array<T: Real>(&mut self, shape: &[usize], values: &[T]) -> &mut Self {
        self.shape::<T>(shape).values(values)
    }

    /// Starts an array. Its values follow in parts, by [`Hasher::values`].
    pub fn shape<T: Real>(&mut self, shape: &[usize]) -> &mut Self {
        self.number(shape.len() as u64);
        for dimension in shape {
            self.number(*dimension as u64);
        }
        self.number(T::BYTES as u64)
    }

    /// Adds the next values of the array that [`Hasher::shape`] started.
    pub fn values<T: Real>(&mut self, values: &[T]) -> &mut Self {
        // Update with 512 bytes at a time. An update for each value would cost more than the hash itself.
        let mut buffer = [0_u8; 512];
        for chunk in values.chunks(512 / T::BYTES) {
            for (slot, value) in buffer.chunks_exact_mut(T::BYTES).zip(chunk) {
                slot.iter_mut().zip(value.canonical_bits().to_le_bytes()).for_each(|(to, byte)| *to = byte);
            }
            self.0.update(cut(&buffer, ..chunk.len() * T::BYTES));
        }
        self
    }

    /// The digest of everything that was added.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(self.0.finalize()).for_each(|(to, byte)| *to = byte);
        Digest(bytes)
    }
}

/// A finished SHA-256; displayed as `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
