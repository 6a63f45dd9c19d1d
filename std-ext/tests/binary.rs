//! The program as a process: exit codes, streams, the environment variable.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Output, Stdio};

fn agop(level: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agop"));
    command.args(arguments).env_remove("AGOP_LEVEL").stdin(Stdio::null());
    level.into_iter().for_each(|level| {
        command.env("AGOP_LEVEL", level);
    });
    command.output().unwrap()
}

const RUN: [&str; 13] = [
    "train",
    "--json",
    "--samples",
    "300",
    "--test-samples",
    "20",
    "--hidden",
    "17,9",
    "--steps",
    "6",
    "--measure-every",
    "3",
    "--out",
];

/// A forced level gives the same object and the same folder; one run on one level verifies on another.
#[test]
fn levels_agree() {
    let folder = tempfile::tempdir().unwrap();
    let best = folder.path().join("best").display().to_string();
    let scalar = folder.path().join("scalar").display().to_string();
    let a = agop(None, &[&RUN[..], &[&best]].concat());
    let b = agop(Some("scalar"), &[&RUN[..], &[&scalar]].concat());
    assert_eq!((a.status.code(), b.status.code()), (Some(0), Some(0)));
    assert_eq!(a.stdout, b.stdout);
    assert!(a.stdout.starts_with(b"{\"schema\":\"agop.train/1\""));
    assert_eq!((a.stderr.len(), b.stderr.len()), (0, 0), "no progress without a terminal");
    let manifest = |run: &str| std::fs::read(std::path::Path::new(run).join("manifest.json")).unwrap();
    assert_eq!(manifest(&best), manifest(&scalar));
    assert_eq!(agop(Some("scalar"), &["verify", &best]).status.code(), Some(0));
    std::fs::write(std::path::Path::new(&best).join("gd/history.csv"), "").unwrap();
    assert_eq!(agop(None, &["verify", &best]).status.code(), Some(1));
}

/// Never a silent fallback.
#[test]
fn a_level_that_is_not_there_is_an_error() {
    for level in ["sse2", "neon", ""] {
        let answer = agop(Some(level), &["info"]);
        if cfg!(target_arch = "aarch64") && level == "neon" {
            continue;
        }
        assert_eq!(answer.status.code(), Some(2), "{level}");
        let message = String::from_utf8(answer.stderr).unwrap();
        assert!(message.starts_with(&format!("agop: AGOP_LEVEL={level}: ")), "{message}");
        assert!(answer.stdout.is_empty());
    }
}

/// `agop ... | head -0` ends quietly.
#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_no_panic() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_agop"))
        .args(["train", "--help"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let answer = child.wait_with_output().unwrap();
    assert_eq!((answer.status.code(), answer.stderr.len()), (Some(0), 0));
}

/// Without `--out`, `runs/0001`, then the next; beside the one object of `--json` only the messages can say so.
#[test]
fn runs_are_numbered() {
    let folder = tempfile::tempdir().unwrap();
    for number in ["0001", "0002"] {
        let answer = Command::new(env!("CARGO_BIN_EXE_agop"))
            .args(&RUN[..12])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(answer.status.code(), Some(0));
        assert_eq!(String::from_utf8(answer.stderr).unwrap(), format!("run: runs/{number}\n"));
        assert!(folder.path().join("runs").join(number).join("manifest.json").is_file());
    }
}

/// Interrupted while it starts, draws, measures or trains, with and without a name: nothing is left or a run that can go
/// on, and an older run stands as it was.
#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing_or_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old").display().to_string();
    assert_eq!(agop(None, &[&RUN[..], &[&old]].concat()).status.code(), Some(0));
    let mut interrupted = 0;
    for (out, grows) in [
        (&[][..], "runs/0001"),
        (&["--out", "deep/new"], "deep/new"),
        (&["--out", "old", "--force"], "old.unfinished"),
    ] {
        for (milliseconds, signal) in [(0, "TERM"), (30, "TERM"), (300, "INT"), (300, "KILL")] {
            let mut child = Command::new(env!("CARGO_BIN_EXE_agop"))
                .args(["train", "--steps", "1000000000", "--measure-every", "100000"])
                .args(out)
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(std::time::Duration::from_millis(milliseconds));
            let kill = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status();
            assert!(kill.unwrap().success());
            let code = child.wait().unwrap().code();
            assert!(code.is_none() || code == Some(130), "{code:?}");
            interrupted += usize::from(code.is_some());
            let manifest = std::fs::read_to_string(folder.path().join(grows).join("manifest.json"));
            let unfinished = manifest.is_ok_and(|text| text.contains("\"unfinished\": true"));
            assert!(unfinished || code.is_none(), "{out:?} {milliseconds} {signal}");
            for left in std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
                if left != std::path::Path::new(&old) {
                    std::fs::remove_dir_all(left).unwrap();
                }
            }
        }
    }
    println!("{interrupted} runs kept their state");
    assert_eq!(agop(None, &["verify", &old]).status.code(), Some(0));
}

/// A file system mounted at the place, and the current folder, cannot be replaced in one piece; said before training.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_replaced_is_refused_before_training() {
    let folder = tempfile::tempdir().unwrap();
    for out in [".", "..", "/proc", "/dev/null", "x/.."] {
        let answer = Command::new(env!("CARGO_BIN_EXE_agop"))
            .args(["train", "--steps", "1000000000", "--measure-every", "100000", "--out", out])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let line = String::from_utf8(answer.stderr).unwrap();
        assert_eq!((answer.status.code(), line.lines().count()), (Some(2), 1), "{out}: {line}");
        assert!(line.starts_with(&format!("agop: {out}: is ")), "{line}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
