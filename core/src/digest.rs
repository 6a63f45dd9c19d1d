//! SHA-256 of state: shapes and bits, so that two runs can be compared by 32 bytes.

use crate::scalar::Real;
use core::fmt;
use sha2::{Digest as _, Sha256};

/// Version of the bit contract. A change that moves one bit of one golden digest raises it.
pub const CONTRACT_VERSION: u32 = 1;

/// A digest in the making.
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
    /// Nothing but the tag.
    pub fn new() -> Self {
        let mut hash = Sha256::new();
        hash.update(b"agop\0");
        hash.update(u64::from(CONTRACT_VERSION).to_le_bytes());
        Self(hash)
    }

    /// Adds a number that belongs to the state: a step, a count.
    pub fn number(&mut self, n: u64) -> &mut Self {
        self.0.update(n.to_le_bytes());
        self
    }

    /// Adds an array with its shape.
    pub fn array<T: Real>(&mut self, shape: &[usize], values: &[T]) -> &mut Self {
        self.shape::<T>(shape).values(values)
    }

    /// Begins an array whose values follow in parts, by [`Hasher::values`].
    pub fn shape<T: Real>(&mut self, shape: &[usize]) -> &mut Self {
        self.number(shape.len() as u64);
        for dimension in shape {
            self.number(*dimension as u64);
        }
        self.number(T::BYTES as u64)
    }

    /// Adds the next values of the array that was begun.
    pub fn values<T: Real>(&mut self, values: &[T]) -> &mut Self {
        // Whole blocks of bytes: one update a value would cost more than the hash.
        let mut buffer = [0_u8; 512];
        for chunk in values.chunks(512 / T::BYTES) {
            for (slot, value) in buffer.chunks_exact_mut(T::BYTES).zip(chunk) {
                slot.iter_mut().zip(value.canonical_bits().to_le_bytes()).for_each(|(to, byte)| *to = byte);
            }
            self.0.update(buffer.get(..chunk.len() * T::BYTES).unwrap_or_default());
        }
        self
    }

    /// The digest of everything added.
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
