//! See `fuzz/data.rs`. `cargo +nightly fuzz run idx fuzz/corpus/idx fuzz/seeds/idx`
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../data.rs"]
mod data;

fuzz_target!(|bytes: &[u8]| {
    data::check(agop::dataset::Format::Idx, bytes);
});
