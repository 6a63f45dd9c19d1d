//! Prints the digests of the golden workload on every instruction set that this machine has.
//!
//! ```text
//! level scalar
//! f32 random sha256:...
//! ...
//! f64 all sha256:...
//! level avx2
//! ...
//! end
//! ```
#![cfg_attr(any(target_os = "none", target_os = "unknown"), no_std, no_main)]

#[cfg_attr(all(target_os = "none", target_arch = "arm"), path = "cortex.rs")]
#[cfg_attr(all(target_os = "none", not(target_arch = "arm")), path = "riscv.rs")]
#[cfg_attr(target_arch = "wasm32", path = "wasm.rs")]
#[cfg_attr(not(any(target_os = "none", target_os = "unknown")), path = "hosted.rs")]
mod platform;

use agop_core::golden::{NUMBERS, WIDE, run};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use core::fmt::{Error, Write};

#[cfg(not(any(target_os = "none", target_os = "unknown")))]
fn main() {
    platform::main();
}

/// Prints everything to `out`.
fn report(out: &mut impl Write) -> Result<(), Error> {
    for level in Level::available() {
        writeln!(out, "level {}", level.name())?;
        workload::<f32>(level, out)?;
        workload::<f64>(level, out)?;
    }
    writeln!(out, "end")
}

/// One scalar on one level; not inlined, so that the memory of the two scalars is the same.
#[inline(never)]
fn workload<T: Real>(level: Level, out: &mut impl Write) -> Result<(), Error> {
    let (mut numbers, mut wide) = ([T::zero(); NUMBERS], [0.0; WIDE]);
    let result = run(level, &mut numbers, &mut wide, |stage, digest| {
        let _ = writeln!(out, "{} {} {digest}", T::NAME, stage.name());
    });
    match result {
        Ok(digest) => writeln!(out, "{} all {digest}", T::NAME),
        Err(error) => writeln!(out, "{} error {error}", T::NAME),
    }
}
