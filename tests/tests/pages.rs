//! What the pages show and a file of the project decides: digests, targets and counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_core::golden::Stage;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// A file of the project as text.
fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names and texts of all pages.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for folder in ["", "core", "core/src", "core/src/pages", "std-ext", "std-ext/src", "std-ext/src/pages"] {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("CHANGELOG.md")
            {
                found.push((path.display().to_string(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(found.len() >= 4, "only {} pages", found.len());
    found
}

/// The digest that `tests/targets/run` prints: SHA-256 of the lines that a target prints.
fn golden() -> String {
    let digests = read("tests/golden/digests.txt");
    let lines: String =
        digests.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    Sha256::digest(lines).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The words of a text that are at least 8 hexadecimal digits followed by `...`.
fn digests(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    words
        .filter_map(|word| word.strip_suffix("..."))
        .filter(|word| word.len() >= 8 && word.chars().all(|c| c.is_ascii_hexdigit()))
        .collect()
}

#[test]
fn every_digest_of_a_page_is_the_golden_one() {
    let golden = golden();
    let mut shown = 0;
    for (name, text) in pages() {
        for digest in digests(&text) {
            assert!(golden.starts_with(digest), "{name} shows {digest}..., the golden digest is {golden}");
            shown += 1;
        }
    }
    assert!(shown > 0, "no page shows a digest");
    assert_eq!(digests("a `6cedbd7d...` b 75f6ae678e51.... c deadbeef"), ["6cedbd7d"]); // the control
}

/// The targets between the parentheses after `all=` in the script, without i586, which must not compile.
fn targets() -> Vec<String> {
    let script = read("tests/targets/run");
    let (_, list) = script.split_once("\nall=(").unwrap();
    let (list, _) = list.split_once(')').unwrap();
    list.split_whitespace().filter(|name| *name != "i586").map(str::to_owned).collect()
}

/// The targets that `.ci/run` repeats.
fn repeated() -> usize {
    let script = read(".ci/run");
    let line = script.lines().find(|line| line.contains(" tests/targets/run ")).unwrap();
    let (_, list) = line.split_once(" tests/targets/run ").unwrap();
    let names: Vec<&str> = list.split_whitespace().collect();
    for name in &names {
        assert!(targets().iter().any(|target| target == name), "{name} is no target");
    }
    names.len()
}

/// How a page names a target.
const NAMES: [(&str, &str); 16] = [
    ("x86_64", "x86-64"),
    ("x86_64-v3", "-v3"),
    ("x86_64-v4", "-v4"),
    ("i686", "i686"),
    ("aarch64", "aarch64"),
    ("riscv64", "riscv64"),
    ("powerpc64", "powerpc64"),
    ("s390x", "s390x"),
    ("wasm32", "wasm32"),
    ("wasm32-simd128", "simd128"),
    ("thumbv6m", "Cortex-M0"),
    ("thumbv7m", "Cortex-M3"),
    ("thumbv7em", "Cortex-M4F"),
    ("thumbv8m.main", "Cortex-M33"),
    ("riscv32imac", "riscv32imac"),
    ("riscv32imafc", "riscv32imafc"),
];

#[test]
fn the_table_of_targets_names_each() {
    let names: Vec<&str> = NAMES.iter().map(|(target, _)| *target).collect();
    assert_eq!(targets(), names);
    let tables: Vec<(String, String)> = pages()
        .into_iter()
        .filter_map(|(name, text)| {
            let (_, table) = text.split_once("| target | ran on |")?;
            Some((name, table.split("\n\n").next()?.to_owned()))
        })
        .collect();
    assert!(!tables.is_empty(), "no page has a table of targets");
    for (page, table) in tables {
        for (target, name) in NAMES {
            assert!(table.contains(name), "{page} does not name {target} ({name})");
        }
    }
}

/// Every number before one of these words.
fn counts<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || "(),.;:|`".contains(c)).collect();
    let pairs = words.windows(2).filter(|pair| pair[1] == word);
    pairs.map(|pair| pair[0]).filter(|number| number.chars().all(|c| c.is_ascii_digit())).collect()
}

#[test]
fn counts_of_targets_and_stages_are_those_of_the_sources() {
    let (all, repeated, stages) =
        (targets().len().to_string(), repeated().to_string(), Stage::ALL.len().to_string());
    let mut shown = (0, 0);
    for (name, text) in pages() {
        for count in counts(&text, "targets") {
            assert!(
                [&all, &repeated].contains(&&count.to_owned()),
                "{name}: {count} targets, not {all} or {repeated}"
            );
            shown.0 += 1;
        }
        for count in counts(&text, "stages") {
            assert_eq!(count, stages, "{name}: stages");
            shown.1 += 1;
        }
        for (_, rest) in
            text.match_indices("`.ci/run` repeats ").map(|(at, found)| text.split_at(at + found.len()))
        {
            assert_eq!(
                rest.split(|c: char| !c.is_ascii_digit()).next(),
                Some(repeated.as_str()),
                "{name}: .ci/run"
            );
        }
    }
    assert!(shown.0 > 0 && shown.1 > 0, "{shown:?}");
}
