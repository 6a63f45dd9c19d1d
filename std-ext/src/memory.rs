//! Memory whose size comes from outside: an error where it cannot be had, never an abort.

use crate::error::{Error, Result};
use std::io;

/// A vector of `count` copies of `value`.
///
/// # Errors
/// [`Error::Message`] naming `what`, when the memory cannot be had.
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

/// Whether there is room for `count` values, taken and given back: asked before work that would be lost without it.
///
/// # Errors
/// As [`filled`].
pub fn fits<T>(what: &str, count: usize) -> Result<()> {
    reserved::<T>(what, count).map(drop)
}

/// Bytes that grow as they are written: [`io::ErrorKind::OutOfMemory`] where there is no room for more.
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

/// Values that begin with a cache line, so that a vector as long as one never lies in two.
///
/// Where that is so for all operands, kernels that work on more than the first-level cache holds are some hundredths
/// faster than on a plain `Vec`, which begins anywhere. No bit depends on it.
#[derive(Debug)]
pub struct Aligned<T> {
    /// Never grows: the values stay where they are.
    padded: Vec<T>,
    start: usize,
}

impl<T: Clone> Aligned<T> {
    /// These values; where there is no memory to move them, they stay.
    pub fn new(mut values: Vec<T>) -> Self {
        let most = LINE / size_of::<T>().clamp(1, LINE);
        let mut start = 0;
        if let Some(first) = values.first().cloned()
            && values.try_reserve_exact(most).is_ok()
        {
            // No start will do for sizes that divide no line.
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

    /// The same values in other memory.
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

/// For small values and tests: without memory the process ends. [`Aligned::try_clone`] gives an error.
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
