//! Allocations whose size depends on input. A failure is an error, never an abort.

use crate::error::{Error, Result};
use std::io;

/// A vector of `count` copies of `value`.
///
/// # Errors
/// [`Error::Message`] naming `what`, when the memory cannot be allocated.
pub fn filled<T: Clone>(what: &str, count: usize, value: T) -> Result<Vec<T>> {
    let mut values = reserved(what, count)?;
    values.resize(count, value);
    Ok(values)
}

/// The first `count` of these values.
///
/// # Errors
/// As [`filled`].
pub fn collected<T>(what: &str, count: usize, values: impl IntoIterator<Item = T>) -> Result<Vec<T>> {
    let mut all = reserved(what, count)?;
    all.extend(values.into_iter().take(count));
    Ok(all)
}

/// An empty vector with room for `count` values.
///
/// # Errors
/// As [`filled`].
pub fn reserved<T>(what: &str, count: usize) -> Result<Vec<T>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| {
        Error::Message(format!("{what}: {count} values of {} bytes do not fit the memory", size_of::<T>()))
    })?;
    Ok(values)
}

/// Checks that `count` values can be allocated, by allocating and freeing them. Call it before work that would be lost.
///
/// # Errors
/// As [`filled`].
pub fn fits<T>(what: &str, count: usize) -> Result<()> {
    reserved::<T>(what, count).map(drop)
}

/// A growing byte buffer as a writer. A failed allocation is [`io::ErrorKind::OutOfMemory`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Growing(pub Vec<u8>);

impl io::Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_reserve(bytes.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// Values that start at a cache line, so that a vector register of 64 bytes never spans two lines.
///
/// Kernels on operands larger than the first-level cache are a few percent faster with it. No bit depends on it.
///
/// Why not `aligned-vec` (0.6): it has no conversion from a `Vec`, so every value is copied to a second allocation. Its
/// `try_reserve_exact` gives an error, and the fall back to unaligned values, the constructors and the comparison below
/// would stay. It would save [`Aligned::new`], 12 lines of safe code.
#[derive(Debug)]
pub struct Aligned<T> {
    /// Never grows, so the values do not move.
    padded: Vec<T>,
    start: usize,
}

impl<T: Clone> Aligned<T> {
    /// These values, aligned. Without memory to move them they stay unaligned.
    pub fn new(mut values: Vec<T>) -> Self {
        let most = LINE / size_of::<T>().clamp(1, LINE);
        let mut start = 0;
        if let Some(first) = values.first().cloned()
            && values.try_reserve_exact(most).is_ok()
        {
            // Elements whose size does not divide a line cannot be aligned: start at 0.
            start = Some(values.as_ptr().align_offset(LINE)).filter(|start| *start < most).unwrap_or(0);
            values.resize(values.len() + start, first);
            values.rotate_right(start);
        }
        Self { padded: values, start }
    }

    /// `count` copies of `value`.
    ///
    /// # Errors
    /// As [`filled`].
    pub fn filled(what: &str, count: usize, value: T) -> Result<Self> {
        Ok(Self::new(filled(what, count, value)?))
    }

    /// A copy of the values.
    ///
    /// # Errors
    /// As [`filled`].
    pub fn try_clone(&self, what: &str) -> Result<Self> {
        Ok(Self::new(collected(what, self.as_slice().len(), self.as_slice().iter().cloned())?))
    }
}

impl<T> Aligned<T> {
    /// The values.
    pub fn as_slice(&self) -> &[T] {
        self.padded.get(self.start..).unwrap_or_default()
    }

    /// The values.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self.padded.get_mut(self.start..).unwrap_or_default()
    }
}

/// For small values and tests: a failed allocation aborts. [`Aligned::try_clone`] returns an error instead.
impl<T: Clone> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        Self::new(self.as_slice().to_vec())
    }
}

impl<T: PartialEq> PartialEq for Aligned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn aligned_values_begin_with_a_line() {
        for count in [0, 1, 5, 64, 1000] {
            let values: Vec<f32> = (0..count).map(|i| i as f32).collect();
            let mut aligned = Aligned::new(values.clone());
            let mut copy = aligned.try_clone("x").unwrap();
            assert_eq!(copy, aligned.clone());
            for aligned in [&mut aligned, &mut copy] {
                assert_eq!(aligned.as_slice(), values);
                assert!(count == 0 || aligned.as_mut_slice().as_ptr().align_offset(LINE) == 0);
            }
            assert_eq!(aligned, copy);
        }
        assert_eq!(Aligned::filled("x", 3, [1_u8; 48]).unwrap().as_slice(), [[1; 48]; 3]);
        assert!(Aligned::filled("x", usize::MAX, 0.0_f64).is_err());
    }

    #[test]
    fn too_much_is_an_error() {
        assert_eq!(filled("x", 3, 1.5_f64).unwrap(), [1.5; 3]);
        let error = filled("features", usize::MAX / 4, 0.0_f64).unwrap_err().to_string();
        assert!(error.starts_with("features: "), "{error}");
        assert!(filled("features", 1 << 50, 0.0_f32).is_err());
        assert_eq!(collected("x", 2, [1, 2, 3]).unwrap(), [1, 2]);
        assert!(collected("x", 1 << 60, [0.5_f64]).is_err());
    }
}
