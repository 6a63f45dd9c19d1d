//! The seeds of the fuzz targets: those of `kernels` hold, and take every path that its plan knows; those of data formats
//! are samples or an error, also when they are damaged.
#![allow(unreachable_pub, reason = "a test has no users")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

#[path = "../../fuzz/data.rs"]
mod data;
#[path = "../../fuzz/plan.rs"]
mod plan;

use agop::dataset::Format;
use agop_tests::SplitMix64;
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

/// Every seed, and each a few hundred times with bytes changed, cut out or put in twice.
#[test]
fn the_seeds_of_data_formats_are_samples_or_an_error() {
    let formats =
        [("npz", Format::Npz), ("csv", Format::Csv), ("idx", Format::Idx), ("cifar", Format::Cifar10)];
    for (name, format) in formats {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(name);
        let mut seeds: Vec<_> = fs::read_dir(folder).unwrap().map(|seed| seed.unwrap().path()).collect();
        seeds.sort();
        let mut random = SplitMix64::new(seeds.len() as u64);
        let (mut whole, mut damaged) = (0, 0);
        for seed in &seeds {
            let bytes = fs::read(seed).unwrap();
            whole += usize::from(data::check(format, &bytes));
            for _ in 0..400 {
                let mut bytes = bytes.clone();
                for _ in 0..=random.below(3) {
                    let [at, other] = [0; 2].map(|_| random.below(bytes.len() as u64) as usize);
                    match random.below(8) {
                        0 => bytes.truncate(at + 1),
                        1 => bytes.extend_from_within(at..),
                        2 => bytes[at] = bytes[other],
                        3 => bytes[at] = 0xff,
                        _ => bytes[at] ^= 1 << random.below(8),
                    }
                }
                damaged += usize::from(data::check(format, &bytes));
            }
        }
        println!(
            "{name}: {whole} of {} seeds are samples, {damaged} of {} damaged ones",
            seeds.len(),
            400 * seeds.len()
        );
        assert!(whole > 1 && whole < seeds.len() && damaged > 0, "{name}");
    }
}
