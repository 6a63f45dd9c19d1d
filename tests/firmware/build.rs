//! Chooses the memory map: the micro:bit for a Cortex-M0, else MPS2 with a Cortex-M4F.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=memory");
    let target = env::var("TARGET").unwrap();
    if !target.contains("-none-") {
        return;
    }
    let map = if target.starts_with("thumbv6m") { "microbit.x" } else { "mps2.x" };
    let out = env::var("OUT_DIR").unwrap();
    fs::copy(Path::new("memory").join(map), Path::new(&out).join("memory.x")).unwrap();
    fs::write(Path::new(&out).join("device.x"), "").unwrap(); // no device, no names of interrupts
    println!("cargo:rustc-link-search={out}");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=--nmagic");
}
