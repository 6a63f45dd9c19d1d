//! Tells the crate what stable compilers do not say through `target_feature` about the floating-point units of Arm's M
//! profile and of RISC-V: which fused multiply-add there is, and whether `f64` is computed in software. Of these the name
//! of the target is all that is read. A build that switches the unit off again by hand does not compile, as the assembler
//! then refuses the instructions; it never computes other bits.
//!
//! And, in one word, what `target_feature` says in several: whether there is AArch64's NEON, in the order of bytes in which
//! its kernels are tested, WebAssembly's simd128, and whether there is any instruction set with vectors (`lanes`).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(hardware_fma, values(\"vfpv4\", \"riscv-f\", \"riscv-d\"))");
    println!("cargo::rustc-check-cfg=cfg(neon, simd128, lanes)");
    let told = |key: &str| std::env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    let features = told("FEATURE");
    let has = |name: &str| features.split(',').any(|feature| feature == name);
    let neon = told("ARCH") == "aarch64" && told("ENDIAN") == "little" && has("neon");
    let simd128 = told("ARCH") == "wasm32" && has("simd128");
    let x86_64 = told("ARCH") == "x86_64";
    for (name, set) in [("neon", neon), ("simd128", simd128), ("lanes", neon || simd128 || x86_64)] {
        if set {
            println!("cargo::rustc-cfg={name}");
        }
    }
    let target = std::env::var("TARGET").unwrap_or_default();
    let (architecture, _) = target.split_once('-').unwrap_or((&target, ""));
    println!("cargo::rustc-check-cfg=cfg(soft_f64)");
    // Neither profile promises a unit for f64; nor does RISC-V without D.
    let small_riscv = architecture.starts_with("riscv32") && !architecture[7..].contains(['d', 'g']);
    if architecture.starts_with("thumb") || small_riscv {
        println!("cargo::rustc-cfg=soft_f64");
    }
    // Both profiles have a unit with vfma.f32 wherever floats are passed in its registers.
    let m_profile = ["thumbv7em", "thumbv8m.main"].contains(&architecture);
    if m_profile && target.ends_with("-none-eabihf") {
        println!("cargo::rustc-cfg=hardware_fma=\"vfpv4\"");
    }
    let extensions = architecture.strip_prefix("riscv32").or_else(|| architecture.strip_prefix("riscv64"));
    if let Some(extensions) = extensions {
        if extensions.contains(['f', 'g']) {
            println!("cargo::rustc-cfg=hardware_fma=\"riscv-f\"");
        }
        if extensions.contains(['d', 'g']) {
            println!("cargo::rustc-cfg=hardware_fma=\"riscv-d\"");
        }
    }
}
