//! The seeds of the fuzz target `kernels`: they hold, and they take every path that its plan knows.
#![allow(unreachable_pub, reason = "a test has no users")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

#[path = "../../fuzz/plan.rs"]
mod plan;

use std::fs;
use std::path::Path;

#[test]
fn the_seeds_of_the_kernels_take_every_path() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/kernels");
    let mut taken = 0;
    for seed in fs::read_dir(folder).unwrap() {
        taken |= plan::check(&fs::read(seed.unwrap().path()).unwrap());
    }
    let missing: Vec<_> = (0..plan::PATHS.len()).filter(|bit| taken >> bit & 1 == 0).collect();
    println!("{} of {} paths", plan::PATHS.len() - missing.len(), plan::PATHS.len());
    assert!(
        missing.is_empty(),
        "no seed takes {:?}",
        missing.iter().map(|bit| plan::PATHS[*bit]).collect::<Vec<_>>()
    );
}
