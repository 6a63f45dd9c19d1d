//! `agop train --config`: a file says what options say, and what is wrong in it is named by key and line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop::run::config;
use agop_tests::command::{RUN_FILES, agop, fixture};
use std::fs;
use std::path::Path;

const SIZES: [&str; 8] = ["--dimension", "6", "--samples", "40", "--test-samples", "20", "--hidden", "8"];
const STEPS: [&str; 4] = ["--steps", "4", "--measure-every", "2"];

/// Every option that decides a number goes through the file and back.
#[test]
fn a_printed_configuration_is_the_command_line() {
    let root = tempfile::tempdir().unwrap();
    let name = |name: &str| root.path().join(name).display().to_string();
    let (x, y) = (fixture("digits-relu/test_x.npy"), fixture("digits-relu/test_y.npy"));
    let network = ["--hidden", "5,4", "--activation", "tanh", "--bias", "--initializer", "he-normal"];
    let training =
        ["--rate", "0.25", "--momentum", "0.5", "--decay", "0.001", "--batch", "16", "--seed", "9"];
    // What options and file would lose alike is not lost.
    let kept = [
        "[5, 4]",
        "\"tanh\"",
        "bias = true",
        "\"he-normal\"",
        "rate = 0.25",
        "momentum = 0.5",
        "decay = 0.001",
        "batch = 16",
        "seed = 9",
        "steps = 4",
        "measure_every = 2",
    ];
    let lines: [&[&str]; 4] = [
        &[],
        &["--rule", "slo", "--target", "lowest", "--contrast", "7.5", "--epsilon", "1e-6", "--scalar", "f64"],
        &["--task", "random-labels", "--spectrum", "0.5", "--speeds", "0.1,0.30000000000000004"],
        &[],
    ];
    for (index, line) in lines.into_iter().enumerate() {
        let line = match index {
            0..3 => [&["train"], &SIZES[..], &STEPS, line].concat(),
            _ => [&["train", "--data", &x, "--labels", &y], &network[..], &training, &STEPS, line].concat(),
        };
        let printed = agop(&[&line[..], &["--print-config"]].concat());
        assert_eq!((printed.code, printed.messages.as_str()), (0, ""), "{line:?}");
        let all = kept.iter().all(|text| printed.output.contains(text));
        assert!(index < 3 || all, "{}", printed.output);
        let file = name("given.toml");
        fs::write(&file, &printed.output).unwrap();
        let again = agop(&["train", "--config", &file, "--print-config"]);
        assert_eq!((again.code, &again.output), (0, &printed.output), "{again:?}");
        let (a, b) = (name(&format!("{index} options")), name(&format!("{index} file")));
        let from_options = agop(&[&line[..], &["--out", &a, "--json"]].concat());
        let from_file = agop(&["train", "--config", &file, "--out", &b, "--json", "--threads", "1"]);
        assert_eq!((from_options.code, from_file.code), (0, 0), "{from_options:?} {from_file:?}");
        assert_eq!(from_options.output, from_file.output);
        for file in RUN_FILES.iter().filter(|file| Path::new(&a).join(file).exists()) {
            let read = |run: &str| fs::read(Path::new(run).join(file)).unwrap();
            assert_eq!(read(&a), read(&b), "{line:?} {file}");
        }
        assert_eq!(fs::read_to_string(Path::new(&a).join("config.toml")).unwrap(), printed.output);
    }
    assert!(!Path::new("runs").exists(), "nothing is trained where the configuration is printed");
}

/// Comments, blank lines and the order of the keys are a person's own.
#[test]
fn a_written_configuration_is_read_by_its_meaning() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("mine.toml");
    let printed = agop(&["train", "--print-config"]).output;
    let mut own = printed.replace("steps = 500", "# few\n\nsteps   =  500 # enough");
    own = own.replace("hidden = [256, 256]", "hidden = [\n  256,\n  256,\n]").replace('\n', "\r\n");
    assert_ne!(own, printed);
    fs::write(&file, own).unwrap();
    let again = agop(&["train", "--config", file.to_str().unwrap(), "--print-config"]);
    assert_eq!(again.output, printed, "{again:?}");
}

#[test]
fn an_error_names_key_and_line() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("mine.toml").display().to_string();
    let printed = agop(&["train", "--print-config"]).output;
    let line = |text: &str, of: &str| text.lines().position(|line| line.contains(of)).unwrap() + 1;
    // What replaces which text, the words that mark the line, and what is said of it.
    let cases = [
        ("steps = 500", "stepps = 500", "stepps", "unknown field `stepps`"),
        ("steps = 500", "steps = \"many\"", "\"many\"", "\"steps\": invalid type: string \"many\""),
        ("steps = 500", "steps = 500 500", "500 500", "\"steps\": "),
        ("steps = 500\n", "", "[training]", "missing field `steps`"),
        ("steps = 500", "steps = 1\nsteps = 2", "steps = 2", "duplicate key"),
        ("hidden = [256, 256]", "hidden = [\n3,\n\"x\"\n]", "\"x\"", "\"hidden\": invalid type"),
        ("\"relu\"", "\"rellu\"", "rellu", "\"activation\": unknown activation `rellu`"),
        ("measure_every = 50", "measure_every = 0", "measure_every", "measure-every: expected at least 1"),
        ("seed = 0", "seed = -1", "seed", "\"seed\": "),
        ("rank = 5", "rank = 33", "rank", "rank: expected between 1 and the dimension 32, found 33"),
        ("momentum = 0.0", "momentum = nan", "momentum", "momentum: expected a finite number"),
        // What only the network or the core knows.
        ("momentum = 0.0", "momentum = 1.5", "momentum", "momentum"),
        ("rate = 0.1", "rate = -0.1", "rate", "rate"),
        ("[256, 256]", "[256, 0]", "hidden", "hidden: a width is zero"),
        ("[256, 256]", "[256]", "speeds", "speeds: expected 2"),
        ("\"mean-squared\"", "\"cross-entropy\"", "loss", "expected at least 2 classes"),
        ("agop.config/1", "agop.config/2", "schema", "schema: expected \"agop.config/1\""),
    ];
    for (from, to, mark, reason) in cases {
        let text = printed.replacen(from, to, 1);
        assert_ne!(text, printed, "{from}");
        fs::write(&file, &text).unwrap();
        let out = root.path().join("run").display().to_string();
        let answer = agop(&["train", "--config", &file, "--out", &out, "--threads", "1"]);
        assert_eq!((answer.code, answer.messages.lines().count()), (2, 1), "{to}: {answer:?}");
        let start = format!("agop: {file}: line {}: ", line(&text, mark));
        assert!(answer.messages.starts_with(&start), "{to}: {start}\n{}", answer.messages);
        assert!(answer.messages.contains(reason), "{reason}: {}", answer.messages);
        assert!(!Path::new(&out).exists());
    }
}

/// What a file decides is not decided twice.
#[test]
fn options_that_the_file_decides_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("mine.toml").display().to_string();
    fs::write(&file, agop(&["train", "--print-config"]).output).unwrap();
    let options: [&[&str]; 7] = [
        &["--steps", "500"],
        &["--seed", "0"],
        &["--bias"],
        &["--hidden", "256,256"],
        &["--data", "x.npy", "--labels", "y.npy"],
        &["--rank", "5"],
        &["--scalar", "f32"],
    ];
    for option in options {
        let answer = agop(&[&["train", "--config", &file, "--print-config"], option].concat());
        assert_eq!((answer.code, answer.messages.lines().count()), (2, 1), "{answer:?}");
        assert!(answer.messages.contains("cannot be used with"), "{}", answer.messages);
        assert!(answer.messages.contains("--config") && answer.messages.contains(option[0]), "{answer:?}");
        assert!(!answer.messages.contains("--initializer"), "only what was given is named: {answer:?}");
    }
    assert!(config::parse(&fs::read(&file).unwrap()).is_ok());
    for missing in ["no.toml", root.path().to_str().unwrap()] {
        let answer = agop(&["train", "--config", missing]);
        assert_eq!(answer.code, 2);
        assert!(answer.messages.starts_with(&format!("agop: {missing}: cannot open: ")), "{answer:?}");
    }
}

/// Why: a run must be found again from any folder.
#[test]
fn paths_are_stored_from_the_root() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("mine.toml").display().to_string();
    let printed = agop(&["train", "--data", "x.npy", "--labels", "y.npy", "--print-config"]).output;
    let current = std::env::current_dir().unwrap();
    let stored = format!("data = \"{}\"", current.join("x.npy").display());
    assert!(printed.contains(&stored), "{printed}");
    fs::write(&file, printed.replace(&stored, "data = \"x.npy\"")).unwrap();
    assert_eq!(agop(&["train", "--config", &file, "--print-config"]).output, printed);
}
