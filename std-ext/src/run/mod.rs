//! A training run: what it does, what it records, the folder it leaves behind, and the replay that checks it.

pub mod config;
pub mod config_file;
mod difference;
mod diverged;
mod exchange;
pub mod folder;
pub mod manifest;
pub mod named;
pub mod place;
pub mod problem;
pub mod report;
pub mod state;
pub mod train;
pub mod verify;
mod work;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod faults;
