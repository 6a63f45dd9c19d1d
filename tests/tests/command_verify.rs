//! `agop verify`: whatever is changed in a run folder or its data is found, and named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_tests::command::{Answer, agop, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A small run on files, with mini-batches, so that all that a replay needs takes part.
struct Folder {
    root: TempDir,
}

impl Folder {
    fn new() -> Self {
        let folder = Self { root: tempfile::tempdir().unwrap() };
        let x: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 101) / 50.0 - 1.0).collect();
        let y: Vec<f64> = (0..20).map(|i| x[3 * i] * x[3 * i + 1]).collect();
        agop::dataset::npy::write(folder.path("x.npy"), 20, 3, &x).unwrap();
        agop::dataset::npy::write(folder.path("y.npy"), 20, 1, &y).unwrap();
        let (x, y, run) = (folder.name("x.npy"), folder.name("y.npy"), folder.name("run"));
        let arguments = [
            "train", "--data", &x, "--labels", &y, "--out", &run, "--hidden", "4,3", "--bias", "--batch", "7",
        ];
        json(&[&arguments[..], &["--steps", "5", "--measure-every", "2"]].concat());
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn verify(&self) -> Answer {
        agop(&["verify", &self.name("run")])
    }

    /// The answer with one byte of a file changed; the file is put back.
    fn with_byte(&self, file: &str, index: usize, change: impl Fn(u8) -> u8) -> Answer {
        let original = std::fs::read(self.path(file)).unwrap();
        let mut bytes = original.clone();
        bytes[index] = change(bytes[index]);
        self.with_bytes(file, &bytes)
    }

    fn with_bytes(&self, file: &str, bytes: &[u8]) -> Answer {
        let original = std::fs::read(self.path(file)).unwrap();
        std::fs::write(self.path(file), bytes).unwrap();
        let answer = self.verify();
        std::fs::write(self.path(file), original).unwrap();
        answer
    }

    fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }
}

/// The one line that says why there is no answer; what is going to be read and computed was said before.
fn error(answer: &Answer) -> String {
    let lines = answer.messages.lines().filter(|line| !line.starts_with("agop verify: "));
    let lines: Vec<&str> = lines.collect();
    assert_eq!((answer.code, lines.len()), (2, 1), "{answer:?}");
    lines[0].to_owned()
}

const FILES: [&str; 7] = [
    "config.toml",
    "gd/final.safetensors",
    "gd/history.csv",
    "gd/initial.safetensors",
    "slo/final.safetensors",
    "slo/history.csv",
    "slo/initial.safetensors",
];

#[test]
fn an_untouched_run_is_equal() {
    let folder = Folder::new();
    let answer = folder.verify();
    let text = "gd: 4 measurements equal\nslo: 4 measurements equal\nequal\n";
    assert_eq!((answer.code, answer.output.as_str()), (0, text));
    let said: Vec<&str> = answer.messages.lines().collect();
    assert_eq!(said[..2], ["x.npy", "y.npy"].map(|file| format!("agop verify: reads {}", folder.name(file))));
    let work = "agop verify: replays gd and slo, 5 steps: about ";
    assert!(said[2].starts_with(work) && said.len() == 3, "{said:?}");
    let report = agop(&["verify", &folder.name("run"), "--json"]).output;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["equal"], &report["measurements"]["slo"]), (&true.into(), &4.into()));
    assert!(report["differences"].as_array().unwrap().is_empty());
}

/// Any bit of any file but the manifest: exit 1 where the file still reads, 2 where it does not; never 0.
#[test]
fn a_flipped_bit_in_any_file_is_found() {
    let folder = Folder::new();
    let mut codes = [0_usize; 3];
    for file in FILES {
        let file = format!("run/{file}");
        let length = std::fs::read(folder.path(&file)).unwrap().len();
        // A stride that is prime to the sizes of everything: headers, exponents and last bits all have their turn.
        for bit in (0..8 * length).step_by(23) {
            let answer = folder.with_byte(&file, bit / 8, |byte| byte ^ (1 << (bit % 8)));
            assert!(answer.code == 1 || answer.code == 2, "{file} bit {bit}: {answer:?}");
            codes[answer.code as usize] += 1;
            match answer.code {
                1 => assert!(answer.output.contains(&file), "{file} bit {bit}: {answer:?}"),
                _ => {
                    assert!(error(&answer).contains(&file), "{file} bit {bit}: {answer:?}");
                    assert_eq!(answer.output, "");
                }
            }
        }
    }
    println!("flips found: {} as different, {} as malformed", codes[1], codes[2]);
    assert!(codes[1] > 500 && codes[2] > 50, "{codes:?}");
    assert_eq!(folder.verify().code, 0);
}

/// Every hexadecimal digit of every digest in the manifest.
#[test]
fn a_changed_digest_is_found() {
    let folder = Folder::new();
    let text = folder.text("run/manifest.json");
    let mut changed = 0;
    for (start, _) in text.match_indices("sha256:") {
        for digit in (start + 7..start + 7 + 64).step_by(9) {
            let change = |byte: u8| if byte == b'0' { b'1' } else { b'0' };
            let answer = folder.with_byte("run/manifest.json", digit, change);
            assert_eq!(answer.code, 1, "byte {digit}: {answer:?}");
            changed += 1;
        }
    }
    assert_eq!(changed, 8 * (1 + 2 * 4 + FILES.len()), "the data, four measurements of two rules, the files");
}

/// The first step that differs is named, and the last that does not.
#[test]
fn the_first_differing_step_is_named() {
    let folder = Folder::new();
    let text = folder.text("run/manifest.json");
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let digest = manifest["rules"]["slo"][2]["digest"].as_str().unwrap();
    let other = "sha256:".to_owned() + &"0".repeat(64);
    let answer = folder.with_bytes("run/manifest.json", text.replace(digest, &other).as_bytes());
    assert_eq!(answer.code, 1);
    let expected = format!(
        "gd: 4 measurements equal\nslo: 2 measurements equal\ndifferent: slo step 4: the manifest says {other}, \
         the replay gives {digest} (equal up to step 2)\nnot equal\n"
    );
    assert_eq!(answer.output, expected);

    let shorter = {
        let mut manifest = manifest.clone();
        manifest["rules"]["gd"].as_array_mut().unwrap().pop();
        manifest.to_string()
    };
    let answer = folder.with_bytes("run/manifest.json", shorter.as_bytes());
    assert!(answer.output.contains("gd step 5: the manifest has no such measurement"), "{answer:?}");
    let longer = {
        let mut manifest = manifest.clone();
        let mark = serde_json::json!({"step": 9, "digest": digest});
        manifest["rules"]["gd"].as_array_mut().unwrap().push(mark);
        manifest.to_string()
    };
    let answer = folder.with_bytes("run/manifest.json", longer.as_bytes());
    assert!(answer.output.contains("gd step 9: the replay has no such measurement"), "{answer:?}");
}

/// The last bit of one sample, label or weight; the weight with a manifest that was changed to match.
#[test]
fn the_last_bit_of_one_number_is_found() {
    let folder = Folder::new();
    for file in ["x.npy", "y.npy"] {
        let length = std::fs::read(folder.path(file)).unwrap().len();
        // The last bit of the fraction that f32 keeps: the samples' digest tells.
        let answer = folder.with_byte(file, length - 8 + 3, |byte| byte ^ 0x20);
        assert_eq!(answer.code, 1, "{answer:?}");
        // That and nothing else: the path could be that of any file.
        let place = folder.name("run/manifest.json");
        let reason = "data: the samples are not those of the run; nothing was replayed";
        assert_eq!(answer.output, format!("different: {place}: {reason}\nnot equal\n"));
        // Below what f32 keeps, nothing that was computed changes.
        assert_eq!(folder.with_byte(file, length - 8, |byte| byte ^ 1).code, 0);
    }
    let file = "run/slo/final.safetensors";
    let mut bytes = std::fs::read(folder.path(file)).unwrap();
    let last = bytes.len() - 4;
    bytes[last] ^= 1;
    let text = folder.text("run/manifest.json");
    let old = agop::run::folder::sha256(&std::fs::read(folder.path(file)).unwrap()).to_string();
    let changed = text.replace(&old, &agop::run::folder::sha256(&bytes).to_string());
    assert_ne!(changed, text);
    std::fs::write(folder.path("run/manifest.json"), changed).unwrap();
    let answer = folder.with_bytes(file, &bytes);
    assert_eq!(answer.code, 1);
    let place = format!("different: {}: tensor \"4.weight\", row 0, column 2: expected ", folder.name(file));
    assert!(answer.output.contains(&place), "{}", answer.output);
}

/// What cannot be read is said in one line with file and place, and exits 2.
#[test]
fn what_is_malformed_is_named() {
    let folder = Folder::new();
    let cases: [(&str, &[u8], &str); 9] = [
        ("run/manifest.json", b"", "line 1, column 0"),
        ("run/manifest.json", b"{\"schema\": 3}", "line 1, column 12"),
        ("run/manifest.json", b"{\"schema\": \"agop.run/2\"", "line 1"),
        ("run/config.toml", b"", "line 1: missing field"),
        ("run/config.toml", b"schema = \"agop.config/1\"\nseed = -1\n", "line 2"),
        ("run/config.toml", b"\xff", "byte 0: not UTF-8"),
        ("run/gd/final.safetensors", b"", "byte 0: the file is empty"),
        ("x.npy", b"\x93NUMPY", "content: not samples of the run (--data, "),
        ("y.npy", b"root:x:0:0", "content: not samples of the run (--data, "),
    ];
    for (file, bytes, place) in cases {
        let answer = folder.with_bytes(file, bytes);
        assert_eq!(answer.output, "", "{file}");
        let start = format!("agop: {}: {place}", folder.name(file));
        assert!(error(&answer).starts_with(&start), "{start}\n{}", answer.messages);
    }
    for file in FILES.map(|file| format!("run/{file}")).iter().chain(&["run/manifest.json".to_owned()]) {
        let kept = std::fs::read(folder.path(file)).unwrap();
        std::fs::remove_file(folder.path(file)).unwrap();
        let answer = folder.verify();
        assert_eq!(answer.code, 2, "{file} missing: {answer:?}");
        assert!(answer.messages.contains(&format!("{}: cannot open", folder.name(file))), "{answer:?}");
        std::fs::write(folder.path(file), kept).unwrap();
    }
    // A run of no rule has nothing to replay, and is not equal for that.
    let config = folder.text("run/config.toml").replace("rules = [\"gd\", \"slo\"]", "rules = []");
    let answer = folder.with_bytes("run/config.toml", config.as_bytes());
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.messages.contains("config.toml: settings: rules: expected at least one"), "{answer:?}");
    let text = folder.text("run/manifest.json");
    for (from, to, place) in [
        ("\"contract\": 1", "\"contract\": 2", "contract: the run was made under bit contract 2"),
        (
            "agop.run/2",
            "agop.run/1",
            "schema: expected \"agop.run/2\", found \"agop.run/1\": a run of another version",
        ),
        ("gd/final", "../../final", "files: missing: \"gd/final.safetensors\", of no run: \"../../final"),
        ("\"version\": \"", "\"version\": \"1", "version: expected "),
        ("sha256:", "sha265:", "expected sha256: and 64 hexadecimal digits, found \"sha265:"),
        ("\"step\": 0", "\"step\": 0, \"step\": 0", "duplicate field `step`"),
        ("\"slo\": [", "\"gd\": [], \"slo\": [", "the key stands twice"),
        ("\"gd/h", "\"config.toml\": \"\\u001b]0;\", \"gd/h", "found \"\\u{1b}]0;\""),
        // A rule that the configuration does not have, and one too few.
        ("\"slo\": [", "\"sgd\": [], \"slo\": [", "unknown variant `sgd`"),
    ] {
        let answer = folder.with_bytes("run/manifest.json", text.replace(from, to).as_bytes());
        assert_eq!(answer.code, 2);
        assert!(answer.messages.contains(place), "{}", answer.messages);
    }
}

/// Data that moved since the run, and a run that was copied elsewhere.
#[test]
fn moved_data_can_be_named() {
    let folder = Folder::new();
    for name in ["x.npy", "y.npy"] {
        std::fs::rename(folder.path(name), folder.path(&format!("moved-{name}"))).unwrap();
    }
    assert_eq!(folder.verify().code, 2);
    let (run, x, y) = (folder.name("run"), folder.name("moved-x.npy"), folder.name("moved-y.npy"));
    let answer = agop(&["verify", &run, "--data", &x, "--labels", &y]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let answer = agop(&["verify", &run, "--data", &x, "--labels", &y, "--test-data", &x]);
    assert_eq!(answer.code, 2);
    assert_eq!(answer.messages, "agop: --test-data: the run read no such file\n");
    assert!(Path::new(&run).join("manifest.json").exists());
}
