//! See `fuzz/data.rs`. `cargo +nightly fuzz run npz fuzz/corpus/npz fuzz/seeds/npz`
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../data.rs"]
mod data;

fuzz_target!(|bytes: &[u8]| {
    data::check(agop::dataset::Format::Npz, bytes);
});
