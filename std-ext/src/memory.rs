//! Memory whose size comes from outside: an error where it cannot be had, never an abort.

use crate::error::{Error, Result};

/// A vector of `count` copies of `value`.
///
/// # Errors
/// [`Error::Message`] naming `what`, when the memory cannot be had.
pub fn filled<T: Clone>(what: &str, count: usize, value: T) -> Result<Vec<T>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| {
        Error::Message(format!("{what}: {count} values of {} bytes do not fit the memory", size_of::<T>()))
    })?;
    values.resize(count, value);
    Ok(values)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_an_error() {
        assert_eq!(filled("x", 3, 1.5_f64).unwrap(), [1.5; 3]);
        let error = filled("features", usize::MAX / 4, 0.0_f64).unwrap_err().to_string();
        assert!(error.starts_with("features: "), "{error}");
        assert!(filled("features", 1 << 50, 0.0_f32).is_err());
    }
}
