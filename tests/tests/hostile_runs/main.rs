//! Run folders from strangers: whatever they hold, `agop` answers in bounded time and memory, in lines that a terminal can
//! have, reads and writes nothing that it did not name, and calls no changed run equal. Quick by default; `--ignored` tries
//! a hundred times as many mutations.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod run;

use agop::run::config;
use agop::run::problem::Problem;
use agop_tests::SplitMix64;
use agop_tests::command::{RUN_FILES as FILES, agop};
use run::{Run, assert_printed, refused};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Bytes changed, cut, added and doubled, in every file, with digests that match: found, but where the configuration is
/// that of another run with the same numbers.
fn mutate(count: usize) {
    let run = Run::new();
    let originals: Vec<Vec<u8>> = FILES.iter().map(|file| fs::read(run.path(file)).unwrap()).collect();
    let mut random = SplitMix64::new(20);
    let mut below = |n: usize| random.below(n as u64) as usize;
    let mut codes = [0_usize; 3];
    let words: [&[u8]; 8] =
        [b"nan", b"-", b"999999999999", b"\"", b"\n", b"[", b"\x1b]0;x\x07", b"\xe2\x80\xae"];
    for index in 0..count {
        let (file, original) = (FILES[index % 8], &originals[index % 8]);
        let mut bytes = original.clone();
        for _ in 0..1 + below(3) {
            let at = below(bytes.len());
            let end = (at + 1 + below(12)).min(bytes.len());
            match below(6) {
                0 => bytes[at] ^= 1 << below(8),
                1 => bytes.truncate(at.max(1)),
                2 => drop(bytes.splice(at..end, words[below(8)].iter().copied())),
                3 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
                4 => drop(bytes.drain(at..end)),
                _ => bytes[at] = b'0' + below(10) as u8,
            }
            if bytes.is_empty() {
                bytes.push(b'0');
            }
        }
        if bytes == *original {
            continue;
        }
        match file {
            "manifest.json" => fs::write(run.path(file), &bytes).unwrap(),
            _ => run.forge(file, &bytes),
        }
        let answer = run.verify(&[]);
        codes[usize::from(answer.code)] += 1;
        let another = || config::parse(&bytes).is_ok_and(|config| config.encode().unwrap() == bytes);
        assert!(answer.code != 0 || file == "config.toml" && another(), "{file}: {:?}", bytes.escape_ascii());
        fs::write(run.path(file), original).unwrap();
        fs::write(run.path("manifest.json"), &originals[4]).unwrap();
    }
    println!("mutations: {} called equal, {} different, {} malformed", codes[0], codes[1], codes[2]);
    assert!(codes[1] > count / 20 && codes[2] > count / 4, "{codes:?}");
    assert_eq!(run.verify(&[]).code, 0);
}

#[test]
fn mutated_folders_with_matching_digests_are_found() {
    mutate(400);
}

#[test]
#[ignore = "some minutes"]
fn many_mutated_folders_with_matching_digests_are_found() {
    mutate(40_000);
}

/// A link in the folder leads neither a replay out of it nor an overwrite.
#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let run = Run::new();
    let mut links = 0;
    for name in FILES.into_iter().chain(["gd", "slo"]) {
        let outside = run.root.path().join("outside");
        fs::rename(run.path(name), &outside).unwrap();
        std::os::unix::fs::symlink(&outside, run.path(name)).unwrap();
        refused(&run.verify(&[]), "a symbolic link");
        let before = listing(run.root.path());
        refused(&run.train(&["--force", "--rule", "gd"]), "no run stands in it that --force could overwrite");
        assert_eq!(listing(run.root.path()), before, "{name}");
        fs::remove_file(run.path(name)).unwrap();
        fs::rename(&outside, run.path(name)).unwrap();
        links += 1;
    }
    // Somebody's files beside those of a run are no run's.
    fs::write(run.path("notes.txt"), "mine").unwrap();
    refused(&run.train(&["--force"]), "notes.txt is of none");
    fs::remove_file(run.path("notes.txt")).unwrap();
    // The name of the run may be a link.
    let link = run.root.path().join("link").display().to_string();
    std::os::unix::fs::symlink(run.path(""), &link).unwrap();
    assert_eq!(agop(&["verify", &link]).code, 0);
    assert_eq!(run.train(&["--force", "--out", &link]).code, 2, "--out twice");
    println!("{links} links refused");
}

fn listing(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            all.extend(listing(&path));
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            all.push((path, bytes));
        }
    }
    all.sort();
    all
}

/// A file of 3 TB that takes no room on the disk is not read.
#[test]
fn sparse_files_are_not_read() {
    let run = Run::new();
    for name in FILES {
        let original = fs::read(run.path(name)).unwrap();
        for length in [1 << 30, 3 << 40] {
            File::options().write(true).open(run.path(name)).unwrap().set_len(length).unwrap();
            let answer = run.verify(&[]);
            refused(&answer, &format!("the file has {length} bytes, "));
        }
        fs::write(run.path(name), original).unwrap();
    }
    println!("{} sparse files refused", 2 * FILES.len());
    // What is read is not shown at any length either.
    let history = fs::read(run.path("gd/history.csv")).unwrap();
    let header = history.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    run.forge("gd/history.csv", &[&history[..header], &b"x".repeat(10_000)].concat());
    let answer = run.verify(&[]);
    let (line, shown) = ("line 2: expected \"0,", format!(", found \"{}\"...\n", "x".repeat(80)));
    assert!(answer.code == 1 && answer.output.contains(line) && answer.output.contains(&shown), "{answer:?}");
    run.forge("gd/history.csv", &history);
    assert_eq!(run.verify(&[]).code, 0);
}

/// Foreign files are named, and what a killed process left.
#[test]
fn what_is_of_no_run_is_named() {
    let run = Run::new();
    for name in
        [".agop-a1B2c3.tmp", "notes.txt", "gd/x.csv", "gd/gd/y", "sgd/final.safetensors", "run\u{1b}[2J"]
    {
        fs::create_dir_all(run.path(name).parent().unwrap()).unwrap();
        fs::write(run.path(name), "x").unwrap();
        let answer = run.verify(&[]);
        let first = if name == "gd/gd/y" { "gd/gd" } else { name.split("/f").next().unwrap() };
        let line = format!("different: {}: nothing that a run writes", run.path(first).display());
        let line = line.replace('\u{1b}', "\\u{1b}");
        assert_eq!((answer.code, answer.output.contains(&line)), (1, true), "{answer:?}");
        fs::remove_file(run.path(name)).unwrap();
        for folder in ["gd/gd", "sgd"] {
            let _ = fs::remove_dir(run.path(folder));
        }
    }
    // Not all of a million.
    for index in 0..100 {
        fs::write(run.path(&format!("{index}")), "x").unwrap();
    }
    assert!(run.verify(&[]).output.lines().count() < 20);
}

/// Another form of the same manifest or configuration, named at its line.
#[test]
fn another_form_is_named() {
    let run = Run::new();
    let manifest = fs::read_to_string(run.path("manifest.json")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let escaped = manifest.replace("gd/history", "gd\\/history");
    for (form, line) in [
        (manifest.clone() + " ", "line 46: expected \"\", found \" \""),
        (manifest.trim_end().to_owned(), "line 46: expected \"\", found the end"),
        (manifest.replace("  \"", "\t\""), "line 2"),
        (manifest.replace('\n', "\r\n"), "line 1"),
        (value.to_string(), "line 1"),
        (escaped, "line "),
    ] {
        fs::write(run.path("manifest.json"), form).unwrap();
        let answer = run.verify(&[]);
        let start = format!("different: {}: {line}", run.path("manifest.json").display());
        assert_eq!(
            (answer.code, answer.output.lines().any(|found| found.starts_with(&start))),
            (1, true),
            "{answer:?}"
        );
    }
    fs::write(run.path("manifest.json"), &manifest).unwrap();
    let config = fs::read_to_string(run.path("config.toml")).unwrap();
    for form in [
        config.clone() + "# x\n",
        config.replace("seed = 0", "seed=0"),
        config.replace("seed = 0", "seed = 0x0"),
    ] {
        run.forge("config.toml", form.as_bytes());
        let answer = run.verify(&[]);
        assert_eq!((answer.code, answer.output.contains("config.toml: line ")), (1, true), "{answer:?}");
    }
}

/// Settings that no run has, or that would replay for ever; each refused before any work.
#[test]
fn settings_are_bounded() {
    let run = Run::new();
    let original = fs::read(run.path("config.toml")).unwrap();
    let manifest = fs::read(run.path("manifest.json")).unwrap();
    let cases = [
        ("steps = ", "steps = 1000000000000000000", "settings: measure-every: "),
        ("measure_every = ", "measure_every = 0", "settings: measure-every: expected at least 1, found 0"),
        ("steps = ", "steps = 9223372036854775808", "settings: steps: expected at most 9223372036854775807"),
        ("dimension = ", "dimension = 9223372036854775807", "only with --allow-large"),
        ("samples = ", "samples = 400000000", "only with --allow-large"),
        ("hidden = ", "hidden = [300000, 300000]", "only with --allow-large"),
        ("hidden = ", "hidden = [0]", "settings: hidden: a width is zero"),
        ("epsilon = ", "epsilon = nan", "settings: epsilon: expected a finite number, found NaN"),
        ("rate = ", "rate = inf", "settings: rate: expected a finite number, found inf"),
        ("rules = ", "rules = [\"gd\", \"gd\"]", "settings: rules: expected each once, found gd twice"),
        ("rank = ", "rank = 6", "settings: rank: expected between 1 and the dimension 5, found 6"),
        ("activation = ", "activation = \"\\u001b[2J\"", "unknown activation `\\u{1b}[2J`"),
        ("seed = ", "sed = 0", "unknown field `sed`"),
        ("schema = ", "schema = \"agop.config/2\"", "expected \"agop.config/1\", found \"agop.config/2\""),
    ];
    for (from, to, reason) in cases {
        run.configure(from, to);
        let answer = run.verify(&[]);
        refused(&answer, reason);
        fs::write(run.path("config.toml"), &original).unwrap();
        fs::write(run.path("manifest.json"), &manifest).unwrap();
    }
    // Few measurements of many steps, and a task whose features alone take minutes.
    let text = String::from_utf8(original.clone()).unwrap();
    let long =
        text.replace("steps = 3\n", "steps = 1000000000000\n").replace("every = 2", "every = 1000000000000");
    let wide = text.replace("rank = 5", "rank = 50000").replace("dimension = 5", "dimension = 50000");
    for forged in [long, wide] {
        run.forge("config.toml", forged.as_bytes());
        let answer = run.verify(&[]);
        refused(&answer, "floating-point operations, more than 1.0e14 only with --allow-large");
        assert!(answer.messages.contains("agop verify: replays gd and slo, "), "{answer:?}");
        fs::write(run.path("config.toml"), &original).unwrap();
        fs::write(run.path("manifest.json"), &manifest).unwrap();
    }
    assert_eq!(run.verify(&["--allow-large"]).code, 0);
    let answer = run.verify(&["--threads", "1000000"]);
    assert_eq!(answer.code, 0);
    assert!(answer.messages.starts_with("agop: --threads 1000000: at most "), "{answer:?}");
}

/// A rule that the configuration does not have, though nothing else of it is there.
#[test]
fn an_extra_rule_is_named() {
    let run = Run::new();
    assert_eq!(run.train(&["--force", "--rule", "gd"]).code, 0);
    let manifest = fs::read_to_string(run.path("manifest.json")).unwrap();
    assert_eq!(run.verify(&[]).code, 0);
    let forged = manifest.replace("    ]\n  },", "    ],\n    \"slo\": []\n  },");
    assert_ne!(forged, manifest);
    fs::write(run.path("manifest.json"), forged).unwrap();
    refused(&run.verify(&[]), "manifest.json: rules: expected those of config.toml, {Gd}, found [Gd, Slo]");
}

/// Where the replay ends in values that are not finite, after the first measurement and before it.
#[test]
fn a_replay_that_diverges_is_different() {
    let run = Run::new();
    run.configure("rate = ", "rate = 1e38");
    let answer = run.verify(&[]);
    let place = "different: gd step 2: the replay stops before it: gd step 1: ";
    assert!(answer.code == 1 && answer.output.contains(place), "{answer:?}");
    let run = Run::new();
    let data = run.root.path().join("far.npy").display().to_string();
    agop::dataset::npy::write(&data, 9, 2, &[1e30; 18]).unwrap();
    run.configure("activation = ", "activation = \"quadratic\"");
    run.name_data(&data);
    let config = config::parse(&fs::read(run.path("config.toml")).unwrap()).unwrap();
    let digest = Problem::<f32>::load(&config).unwrap().digest.to_string();
    let manifest = fs::read_to_string(run.path("manifest.json")).unwrap();
    let old = manifest.split_once("\"data\": \"").unwrap().1.split_once('"').unwrap().0;
    fs::write(run.path("manifest.json"), manifest.replace(old, &digest)).unwrap();
    let weights = agop::checkpoint::encode(&[2, 3, 2], false, &[0.5_f32; 12]).unwrap();
    FILES.iter().filter(|file| file.ends_with(".safetensors")).for_each(|file| run.forge(file, &weights));
    let answer = run.verify(&[]);
    let place = "different: gd step 0: the replay stops before it: gd step 0: ";
    assert!(answer.code == 1 && answer.output.contains(place), "{answer:?}");
}

/// Of a file that only the configuration names, nothing is told but that it is no sample of the run.
#[test]
fn files_that_a_stranger_names_are_not_told_about() {
    let run = Run::new();
    let secret = run.root.path().join("secret").display().to_string();
    run.name_data(&secret);
    fs::write(&secret, "root:x:0:0").unwrap();
    let answer = run.verify(&[]);
    let reads = format!("agop verify: reads {secret}\n");
    assert!(answer.messages.starts_with(&(reads.clone() + &reads)), "listed first: {answer:?}");
    refused(&answer, "secret: content: not samples of the run");
    assert!(!answer.messages.contains("byte"), "{answer:?}");
    // What the user names is told about.
    refused(&run.verify(&["--data", &secret, "--labels", &secret]), "secret: byte 0: ");
    agop::dataset::npy::write(&secret, 5, 2, &[0.5; 10]).unwrap();
    let answer = run.verify(&[]);
    let only = "manifest.json: data: the samples are not those of the run; nothing was replayed\nnot equal\n";
    assert!(answer.code == 1 && answer.output.ends_with(only), "{answer:?}");
    assert_eq!(answer.output.matches("sha256:").count(), 0, "{answer:?}");
    fs::remove_file(&secret).unwrap();
    fs::create_dir(&secret).unwrap();
    refused(&run.verify(&[]), "secret: cannot open: a directory, not a file");
    fs::remove_dir(&secret).unwrap();
    File::create(&secret).unwrap().set_len(1 << 40).unwrap();
    refused(&run.verify(&[]), "only with --allow-large");
}

/// Names from files and paths that would clear the screen, forge a line or turn the direction of the text.
#[test]
fn names_do_not_steer_the_terminal() {
    let root = tempfile::tempdir().unwrap();
    let tricks = [
        "\u{1b}[2J",
        "\u{9b}2J",
        "\r\n",
        "\u{2028}",
        "\u{2029}",
        "\u{202e}",
        "\u{2067}",
        "\u{200f}",
        "\u{200b}",
    ];
    let mut texts = 0;
    for trick in tricks {
        let name = format!("a{trick}b");
        let path = root.path().join(&name).display().to_string();
        let header =
            serde_json::json!({ &name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} }).to_string();
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
        fs::write(&path, bytes).unwrap();
        for arguments in [&["digest", "--tensors", &path][..], &["digest", "--json", &path]] {
            let answer = agop(arguments);
            assert_eq!(answer.code, 0, "{answer:?}");
            assert_printed(&answer);
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&answer.output) {
                assert_eq!(value["files"][0]["tensors"][0]["name"], name, "the value is the same");
            }
        }
        let out = root.path().join(format!("{name} run")).display().to_string();
        let sizes =
            ["--dimension", "5", "--samples", "9", "--test-samples", "4", "--hidden", "3", "--steps", "1"];
        for arguments in [
            [&["train", "--out", &out], &sizes[..]].concat(),
            vec!["verify", &out],
            [&["train", "--out", &out], &sizes[..]].concat(),
            vec!["measure", "--init", &path, "--weights", &path, "--data", &path],
            vec!["verify", &path],
        ] {
            assert_printed(&agop(&arguments));
            texts += 1;
        }
    }
    println!("{texts} answers about names that steer a terminal");
    let long = "x".repeat(1 << 20);
    let answer = agop(&["digest", &long]);
    assert_printed(&answer);
    assert!(answer.messages.contains("x...: cannot open"), "{}", answer.messages.len());
}
