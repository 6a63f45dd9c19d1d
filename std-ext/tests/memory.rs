//! Where the memory ends, the command says so in one line and exits 2, whatever it was about to allocate.
#![cfg(feature = "cli")]
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `agop` in an address space of so many KiB.
fn limited(kib: u64, arguments: &[&str], folder: &Path) -> Output {
    Command::new("sh")
        .args(["-c", "ulimit -c 0; ulimit -v $0; exec \"$@\"", &kib.to_string(), env!("CARGO_BIN_EXE_agop")])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The least address space in KiB, to a quarter MiB, in which the program itself runs.
fn least(folder: &Path) -> u64 {
    let fits = |kib: &u64| limited(*kib, &["info"], folder).status.code() == Some(0);
    (4 << 10..1 << 20).step_by(256).find(fits).unwrap()
}

/// Why: a size that comes from outside must not end the process. From the least memory in which the program runs to as
/// much as the command needs, by an eighth each time: every allocation that grows with the data fails once.
#[test]
fn memory_that_cannot_be_had_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let value = |i: usize| ((i * 7919 % 1009) as f64 / 1009.0 - 0.5) / 8.0;
    let values = |count: usize| (0..count).map(value).collect::<Vec<_>>();
    agop::dataset::npy::write(path("x.npy"), 40, 6, &values(240)).unwrap();
    agop::dataset::npy::write(path("y.npy"), 40, 1, &values(40)).unwrap();
    agop::dataset::npy::write(path("long.npy"), 400_000, 2, &values(800_000)).unwrap();
    agop::dataset::npy::write(path("labels.npy"), 400_000, 1, &values(400_000)).unwrap();
    let table: String = (0..400_000).map(|i| format!("{},{i},class {}\n", value(i), i % 7)).collect();
    std::fs::write(path("long.csv"), table).unwrap();
    let widths = [6, 1000, 1000, 1];
    agop::checkpoint::write(path("w"), &widths, false, &values(1_007_000)).unwrap();
    let least = least(folder.path());
    let train = ["train", "--steps", "1", "--out", "run", "--hidden"];
    let small = ["1000,1000", "--dimension", "6", "--samples", "40", "--test-samples", "10"];
    let classes = ["4", "--data", "long.npy", "--labels", "labels.npy", "--batch", "300000"];
    let many =
        ["--steps", "20000", "--measure-every", "1", "--hidden", "1", "--samples", "2", "--threads", "1"];
    let tiny = ["--test-samples", "1", "--dimension", "1", "--rank", "1", "--rule", "gd", "--out", "run"];
    let samples = ["--data", "x.npy", "--labels", "y.npy"];
    let commands = [
        [&train[..], &small, &["--threads", "1"]].concat(),
        [&train[..], &small, &["--threads", "2", "--scalar", "f64", "--momentum", "0.5"]].concat(),
        [&train[..], &classes, &["--threads", "1", "--rule", "gd"]].concat(),
        [&["train"], &many[..], &tiny].concat(),
        ["measure", "--init", "w", "--weights", "w", "--data", "x.npy", "--threads", "1"].to_vec(),
        [&["predict", "--init", "w", "--threads", "1"], &samples[..]].concat(),
        [&["predict", "--hidden", "1000,1000", "--trials", "1", "--threads", "1"], &samples[..]].concat(),
        ["digest", "w", "long.npy"].to_vec(),
        ["digest", "long.csv", "--label", "2"].to_vec(),
    ];
    for command in commands {
        let (mut kib, mut refused) = (least + 1024, 0);
        loop {
            let answer = limited(kib, &command, folder.path());
            let message = String::from_utf8_lossy(&answer.stderr).into_owned();
            let code = answer.status.code();
            // A prediction stands without its trials, whose memory is counted too.
            let draws_failed = String::from_utf8_lossy(&answer.stdout).contains("the draws failed");
            if code == Some(0) && !draws_failed {
                break;
            }
            if !draws_failed {
                assert_eq!(code, Some(2), "{kib} KiB: {command:?}: {:?}: {message}", answer.status);
                assert_eq!((answer.stdout.len(), message.lines().count()), (0, 1), "{kib}: {message}");
                assert!(message.contains("memory") || message.contains("threads"), "{kib}: {message}");
            }
            refused += 1;
            // Nothing is left, unless the training came so far that it can go on.
            let left = std::fs::remove_dir_all(path("run")).is_ok();
            let said = message.contains("; `agop train --resume run` goes on");
            assert_eq!(left, said, "{kib}: a failed run left its folder: {message}");
            kib += kib / 8;
            assert!(kib < 16 << 20, "{command:?} does not end");
        }
        println!("{} to {} MiB, {refused} times refused: {}", least >> 10, kib >> 10, command.join(" "));
        assert!(refused > 2, "{command:?}: the limits were no limits");
        let _ = std::fs::remove_dir_all(path("run"));
    }
}
