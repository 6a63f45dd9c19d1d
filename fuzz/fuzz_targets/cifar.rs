//! See `fuzz/data.rs`. `cargo +nightly fuzz run cifar fuzz/corpus/cifar fuzz/seeds/cifar`
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../data.rs"]
mod data;

fuzz_target!(|bytes: &[u8]| {
    data::check(agop::dataset::Format::Cifar10, bytes);
});
