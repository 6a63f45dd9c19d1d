//! Chooses the memory map of a bare-metal target: the board on which `../run` runs it.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=memory");
    let target = env::var("TARGET").unwrap();
    let (map, script) = match target.as_str() {
        t if t.starts_with("thumbv7") => ("mps2.x", "link.x"),
        t if t.starts_with("thumbv6m") => ("microbit.x", "link.x"),
        t if t.starts_with("thumbv8m") => ("mps2-an505.x", "link.x"),
        t if t.starts_with("riscv") && t.contains("-none-") => ("virt.x", "memory.x"),
        _ => return,
    };
    let out = env::var("OUT_DIR").unwrap();
    fs::copy(Path::new("memory").join(map), Path::new(&out).join("memory.x")).unwrap();
    println!("cargo:rustc-link-search={out}");
    println!("cargo:rustc-link-arg-bins=-T{script}");
    println!("cargo:rustc-link-arg-bins=--nmagic");
}
