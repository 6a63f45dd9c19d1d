//! Pages: what is promised, where it was checked, how fast it is.

#[doc = include_str!("pages/promises.md")]
pub mod promises {}

#[doc = include_str!("pages/speed.md")]
pub mod speed {}

#[doc = include_str!("pages/targets.md")]
pub mod targets {}
