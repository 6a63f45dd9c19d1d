//! Chooses the instruction set: the best of the machine, or the one that `AGOP_LEVEL` names.

use crate::error::{Error, Result};
use agop_core::simd::Level;

/// Environment variable that forces a level.
pub const VARIABLE: &str = "AGOP_LEVEL";

/// The level to run on. Every level gives the same bits.
///
/// # Errors
/// [`Error::Usage`] when `AGOP_LEVEL` names a level that this build or this machine does not have.
pub fn level() -> Result<Level> {
    match std::env::var_os(VARIABLE) {
        None => Ok(Level::detect()),
        Some(name) => named(&name.to_string_lossy()),
    }
}

/// The level of that name.
///
/// # Errors
/// [`Error::Usage`] when there is none.
pub fn named(name: &str) -> Result<Level> {
    Level::available().find(|level| level.name() == name).ok_or_else(|| {
        let here: Vec<&str> = Level::available().map(Level::name).collect();
        let why = if Level::NAMES.contains(&name) {
            "this machine lacks it".to_owned()
        } else {
            format!("no level of {} has that name", std::env::consts::ARCH)
        };
        Error::Usage(format!("{VARIABLE}={name}: {why} (this machine has: {})", here.join(", ")))
    })
}
