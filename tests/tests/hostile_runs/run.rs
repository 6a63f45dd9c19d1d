//! A run, and ways to forge it.

use agop::run::folder::sha256;
use agop_tests::command::{Answer, agop};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A small run of both rules in a folder of its own.
pub(crate) struct Run {
    pub(crate) root: TempDir,
}

impl Run {
    pub(crate) fn new() -> Self {
        let run = Self { root: tempfile::tempdir().unwrap() };
        let answer = run.train(&[]);
        assert_eq!(answer.code, 0, "{answer:?}");
        run
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("run").join(name)
    }

    pub(crate) fn name(&self) -> String {
        self.root.path().join("run").display().to_string()
    }

    pub(crate) fn train(&self, more: &[&str]) -> Answer {
        let out = self.name();
        let sizes = ["train", "--dimension", "5", "--samples", "9", "--test-samples", "4", "--hidden", "3"];
        let steps = ["--steps", "3", "--measure-every", "2", "--threads", "1", "--out", &out];
        agop(&[&sizes[..], &steps, more].concat())
    }

    pub(crate) fn verify(&self, more: &[&str]) -> Answer {
        let answer = agop(&[&["verify", &self.name()], more].concat());
        assert_printed(&answer);
        answer
    }

    /// Puts bytes in the place of a file, and its digest into the manifest.
    pub(crate) fn forge(&self, file: &str, bytes: &[u8]) {
        let old = sha256(&fs::read(self.path(file)).unwrap()).to_string();
        fs::write(self.path(file), bytes).unwrap();
        let manifest = fs::read_to_string(self.path("manifest.json")).unwrap();
        let forged =
            manifest.replace(&format!("\"{file}\": \"{old}"), &format!("\"{file}\": \"{}", sha256(bytes)));
        fs::write(self.path("manifest.json"), forged).unwrap();
    }

    /// Makes the configuration name a file as data and labels.
    pub(crate) fn name_data(&self, path: &str) {
        let config = fs::read_to_string(self.path("config.toml")).unwrap();
        let (start, rest) = config.split_once("[data]\n").unwrap();
        let network = rest.find("[network]").unwrap();
        let data = format!("{start}[data]\nkind = \"files\"\ndata = \"{path}\"\nlabels = \"{path}\"\n\n");
        self.forge("config.toml", (data + &rest[network..]).as_bytes());
    }

    /// Changes the text of the configuration, and its digest in the manifest.
    pub(crate) fn configure(&self, from: &str, to: &str) {
        let config = fs::read_to_string(self.path("config.toml")).unwrap();
        let (start, rest) = config.split_once(from).unwrap_or_else(|| panic!("{from}"));
        let end = rest.find('\n').unwrap();
        self.forge("config.toml", [start, to, &rest[end..]].concat().as_bytes());
    }
}

/// No line of an answer is long, and no character of it steers a terminal.
pub(crate) fn assert_printed(answer: &Answer) {
    for text in [&answer.output, &answer.messages] {
        for line in text.lines() {
            assert!(line.chars().count() <= 4000, "{} characters", line.chars().count());
        }
        let unprinted = |c: &char| {
            matches!(*c, '\0'..='\u{9}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}')
                || matches!(*c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
                || *c == '\u{feff}'
        };
        assert_eq!(text.chars().find(unprinted), None, "{text:?}");
    }
}

/// The one line of an error.
pub(crate) fn refused(answer: &Answer, reason: &str) {
    let lines = answer.messages.lines().filter(|line| !line.starts_with("agop verify: "));
    let lines: Vec<&str> = lines.collect();
    assert_eq!((answer.code, answer.output.as_str(), lines.len()), (2, "", 1), "{reason}: {answer:?}");
    assert!(lines[0].contains(reason), "{reason}: {}", lines[0]);
}
