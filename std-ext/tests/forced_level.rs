//! `AGOP_LEVEL` forces an instruction set, and one that cannot be had is an error; in the program itself, as only a
//! process of its own can have another environment.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop_core::simd::Level;
use std::ffi::OsStr;
use std::process::{Command, Output};

fn info(level: impl AsRef<OsStr>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_agop"))
        .args(["info", "--json"])
        .env("AGOP_LEVEL", level)
        .output()
        .unwrap()
}

#[test]
fn every_level_of_this_machine_can_be_forced() {
    for level in Level::available() {
        let answer = info(level.name());
        assert_eq!(answer.status.code(), Some(0), "{answer:?}");
        let report: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
        assert_eq!(report["level"], level.name());
    }
}

#[test]
fn others_are_refused_with_their_name_and_with_those_there_are() {
    let here: Vec<&str> = Level::available().map(Level::name).collect();
    for name in Level::NAMES.iter().copied().chain(["avx9", ""]).filter(|name| !here.contains(name)) {
        let answer = info(name);
        let line = String::from_utf8(answer.stderr).unwrap();
        assert_eq!(
            (answer.status.code(), answer.stdout.len(), line.lines().count()),
            (Some(2), 0, 1),
            "{line}"
        );
        let why = if Level::NAMES.contains(&name) {
            "this machine lacks it".to_owned()
        } else {
            format!("no level of {} has that name", std::env::consts::ARCH)
        };
        assert_eq!(line, format!("agop: AGOP_LEVEL={name}: {why} (this machine has: {})\n", here.join(", ")));
    }
}

/// What is no name at all is not taken for none given.
#[cfg(unix)]
#[test]
fn nor_is_what_is_no_text_a_level() {
    use std::os::unix::ffi::OsStrExt;
    let answer = info(OsStr::from_bytes(b"avx2\xff"));
    assert_eq!((answer.status.code(), answer.stdout.len()), (Some(2), 0));
    assert!(
        String::from_utf8(answer.stderr).unwrap().starts_with("agop: AGOP_LEVEL=avx2\u{fffd}: no level of ")
    );
}
