//! The golden workload gives the digests that are checked in, on every instruction set of this machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_core::digest::CONTRACT_VERSION;
use agop_core::error::Error;
use agop_core::golden::{NUMBERS, Stage, WIDE, run};
use agop_core::scalar::Real;
use agop_core::simd::Level;

const EXPECTED: &str = include_str!("../golden/digests.txt");

/// The lines that a target prints: scalar, stage, digest.
fn lines<T: Real>(level: Level, numbers: &mut [T], wide: &mut [f64]) -> String {
    let mut text = String::new();
    let all = run(level, numbers, wide, |stage, digest| {
        text += &format!("{} {} {digest}\n", T::NAME, stage.name());
    });
    text + &format!("{} all {}\n", T::NAME, all.unwrap())
}

fn on(level: Level) -> String {
    // What the memory holds before does not matter.
    let narrow = lines::<f32>(level, &mut [7.0; NUMBERS], &mut [-3.0; WIDE]);
    narrow + &lines::<f64>(level, &mut [f64::NAN; NUMBERS], &mut [f64::INFINITY; WIDE])
}

fn expected() -> String {
    EXPECTED.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_level_gives_the_digests_that_are_checked_in() {
    assert!(EXPECTED.contains(&format!("# contract {CONTRACT_VERSION}\n")));
    for level in Level::available() {
        let found = on(level);
        if found != expected() {
            let (name, first) = (level.name(), first_difference(&found));
            panic!("on {name} the first difference is at {first}; the workload gave\n{found}");
        }
    }
}

fn first_difference(found: &str) -> String {
    let expected = expected();
    let mut pairs = found.lines().zip(expected.lines());
    pairs.find(|(f, e)| f != e).map_or_else(|| "another length".to_owned(), |(f, _)| f.to_owned())
}

/// The control: the digests do see a number that differs, and no two stages see the same numbers.
#[test]
fn no_two_stages_agree() {
    let lines = expected();
    let digests: std::collections::HashSet<&str> =
        lines.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(digests.len(), 2 * (Stage::ALL.len() + 1));
}

#[test]
fn short_memory_is_refused() {
    let error = run::<f32>(Level::scalar(), &mut [0.0; NUMBERS - 1], &mut [0.0; WIDE], |_, _| ());
    assert!(matches!(error, Err(Error::Workspace { needed: NUMBERS, .. })), "{error:?}");
    let error = run::<f32>(Level::scalar(), &mut [0.0; NUMBERS], &mut [0.0; WIDE - 1], |_, _| ());
    assert!(matches!(error, Err(Error::Workspace { needed: WIDE, .. })), "{error:?}");
}

/// 16 KiB of memory take the workload in `f64` with a stack of 6 KiB.
const _: () = assert!(8 * (NUMBERS + WIDE) <= 10 * 1024);
