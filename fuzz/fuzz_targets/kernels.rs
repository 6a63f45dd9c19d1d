//! Any shapes, layouts, places and bits: every level computes what the definition computes; and a sum over samples has one
//! result however its blocks are split. Prints how many of the paths that an input can choose were taken.
//!
//! `cargo +nightly fuzz run kernels fuzz/corpus/kernels fuzz/seeds/kernels -- -len_control=0`
#![no_main]

#[path = "../plan.rs"]
mod plan;

use libfuzzer_sys::fuzz_target;
use std::sync::atomic::{AtomicU32, Ordering};

static TAKEN: AtomicU32 = AtomicU32::new(0);

fuzz_target!(|bytes: &[u8]| {
    let paths = plan::check(bytes);
    if paths & !TAKEN.fetch_or(paths, Ordering::Relaxed) != 0 {
        let taken = TAKEN.load(Ordering::Relaxed).count_ones();
        eprintln!("stat::paths_of_the_plan:          {taken} of {}", plan::PATHS.len());
    }
});
