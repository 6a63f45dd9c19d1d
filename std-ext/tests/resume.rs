//! Runs that are interrupted, killed and resumed: they end with the bytes of one that was not.
#![cfg(feature = "cli")]
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const RUN: [&str; 22] = [
    "train",
    "--dimension",
    "8",
    "--samples",
    "200",
    "--test-samples",
    "50",
    "--hidden",
    "24,12",
    "--bias",
    "--batch",
    "32",
    "--momentum",
    "0.9",
    "--decay",
    "0.001",
    "--target",
    "lowest",
    "--contrast",
    "20",
    "--rate",
    "0.01",
];

/// Some steps take a second or so.
const STEPS: [&str; 4] = ["--steps", "2000", "--measure-every", "7"];

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_agop"));
    command.args(arguments).current_dir(folder).env_remove("AGOP_LEVEL");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn agop(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn messages(answer: &Output) -> String {
    String::from_utf8(answer.stderr.clone()).unwrap()
}

/// Every file of a run, by its name inside it.
fn content(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![run.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.insert(path.strip_prefix(run).unwrap().to_path_buf(), fs::read(&path).unwrap());
            }
        }
    }
    all
}

fn assert_equal(found: &Path, expected: &Path) {
    let (found, expected) = (content(found), content(expected));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let different: Vec<_> = expected.iter().filter(|(name, bytes)| found[*name] != **bytes).collect();
    assert!(different.is_empty(), "{:?}", different.iter().map(|(name, _)| name).collect::<Vec<_>>());
}

/// Waits until a file stands there, so that a test interrupts what it means to.
fn wait_for(path: &Path) {
    for _ in 0..6000 {
        if path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{} does not come", path.display());
}

/// Kills a run at moments that differ, resumes it, kills it again; then it goes on to its end.
fn kill_and_resume(moments: u64, seed: u64) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let whole = [&RUN[..], &STEPS, &["--out", "whole"]].concat();
    let started = std::time::Instant::now();
    assert_eq!(agop(folder, &whole).status.code(), Some(0));
    let longest = started.elapsed().as_micros() as u64;
    let (mut random, mut kills) = (seed, [0_usize; 3]);
    let mut below = |n: u64| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) % n
    };
    for moment in 0..moments {
        let every = ["1", "50", "13", "1s", "10m"][below(5) as usize];
        let threads = ["1", "2", "3"][below(3) as usize];
        let more = ["--checkpoint-every", every, "--threads", threads];
        let mut arguments = [&RUN[..], &STEPS, &["--out", "killed"], &more].concat();
        for _ in 0..=below(3) {
            let mut child = command(folder, &arguments).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(below(longest)));
            signal(&child, "KILL");
            child.wait().unwrap();
            let run = folder.join("killed");
            let text = fs::read_to_string(run.join("manifest.json")).unwrap_or_default();
            kills[if text.is_empty() { 0 } else { 1 + usize::from(!text.contains("unfinished")) }] += 1;
            if run.exists() {
                arguments = [&["train", "--resume", "killed"], &more[..]].concat();
            }
        }
        let answer = agop(folder, &arguments);
        assert_eq!(answer.status.code(), Some(0), "{moment}: {}", messages(&answer));
        assert_equal(&folder.join("killed"), &folder.join("whole"));
        fs::remove_dir_all(folder.join("killed")).unwrap();
    }
    println!(
        "{moments} runs: killed {} times before the folder stood, {} during the run, {} after it",
        kills[0], kills[1], kills[2]
    );
    assert!(kills[1] as u64 >= moments / 2, "{kills:?}");
}

#[test]
fn a_run_that_is_killed_ends_with_the_same_bytes() {
    kill_and_resume(4, 1);
}

#[test]
#[ignore = "some minutes"]
fn fifty_runs_that_are_killed_end_with_the_same_bytes() {
    kill_and_resume(50, 2);
}

/// Ctrl-C and SIGTERM end a run after the step, in the first rule and in the second, and say how it goes on.
#[test]
fn an_interrupted_run_says_how_it_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let whole = agop(folder, &[&RUN[..], &STEPS, &["--out", "whole", "--json"]].concat());
    assert_eq!(whole.status.code(), Some(0), "{}", messages(&whole));
    for (name, stopped, file) in
        [("INT", "first", "run/run.lock"), ("TERM", "second", "run/gd/checkpoint.safetensors")]
    {
        let long = [&RUN[..], &STEPS, &["--out", "run", "--json", "--threads", "1"]].concat();
        // Where the machine is busy, the run may be at its end before the signal comes: then once more.
        let mut answer = None;
        for _ in 0..20 {
            let child = command(folder, &long).spawn().unwrap();
            while !folder.join(file).exists() && !folder.join("run/slo/final.safetensors").exists() {
                std::thread::sleep(Duration::from_millis(1));
            }
            // A process that was just started does not yet listen.
            std::thread::sleep(Duration::from_millis(20));
            signal(&child, name);
            let this = child.wait_with_output().unwrap();
            if this.status.code() != Some(0) {
                answer = Some(this);
                break;
            }
            fs::remove_dir_all(folder.join("run")).unwrap();
        }
        let answer = answer.unwrap();
        let line = "agop: interrupted; `agop train --resume run` goes on\n";
        assert_eq!((answer.status.code(), messages(&answer).as_str()), (Some(130), line), "{stopped}");
        assert!(answer.stdout.is_empty());
        let checkpoints =
            ["gd", "slo"].map(|rule| folder.join("run").join(rule).join("checkpoint.safetensors").exists());
        assert_eq!(checkpoints, [true, stopped == "second"]);

        // Neither is it verified, nor overwritten, nor lost.
        let answer = agop(folder, &["verify", "run"]);
        let line =
            "agop: run/manifest.json: the run is not finished: `agop train --resume run` goes on with it\n";
        assert_eq!((answer.status.code(), messages(&answer).as_str()), (Some(2), line));
        let answer = agop(folder, &long);
        assert_eq!(answer.status.code(), Some(2));
        assert!(
            messages(&answer).contains("is unfinished; `agop train --resume run` goes on"),
            "{}",
            messages(&answer)
        );

        // A copy goes on elsewhere.
        let copied = Command::new("cp").args(["-r", "run", "copy"]).current_dir(folder).status().unwrap();
        assert!(copied.success());
        for run in ["run", "copy"] {
            let answer = agop(folder, &["train", "--resume", run, "--threads", "2", "--json"]);
            assert_eq!((answer.status.code(), messages(&answer).as_str()), (Some(0), ""), "{run}");
            assert_eq!(answer.stdout, whole.stdout);
            assert_equal(&folder.join(run), &folder.join("whole"));
        }
        let answer = agop(folder, &["train", "--resume", "run"]);
        assert_eq!(
            (answer.status.code(), messages(&answer).as_str()),
            (Some(0), "run: the run is finished\n")
        );
        assert_equal(&folder.join("run"), &folder.join("whole"));
        assert_eq!(agop(folder, &["verify", "run"]).status.code(), Some(0));
        fs::remove_dir_all(folder.join("run")).unwrap();
        fs::remove_dir_all(folder.join("copy")).unwrap();
    }
}

/// With --force the old run stands until the new one is whole, however often that is interrupted.
#[test]
fn an_interrupted_successor_leaves_the_old_run() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let small = ["train", "--dimension", "6", "--samples", "40", "--test-samples", "20", "--hidden", "8"];
    assert_eq!(
        agop(folder, &[&small[..], &["--steps", "3", "--out", "run"]].concat()).status.code(),
        Some(0)
    );
    let old = content(&folder.join("run"));
    assert_eq!(agop(folder, &[&RUN[..], &STEPS, &["--out", "whole"]].concat()).status.code(), Some(0));
    let often = ["--out", "run", "--force", "--checkpoint-every", "1"];
    let child = command(folder, &[&RUN[..], &STEPS, &often].concat()).spawn().unwrap();
    wait_for(&folder.join("run.unfinished/gd/checkpoint.safetensors"));
    signal(&child, "INT");
    let answer = child.wait_with_output().unwrap();
    assert_eq!(answer.status.code(), Some(130));
    let text = messages(&answer);
    let (_, rest) = text.split_once("`agop train --resume ").unwrap();
    let growing = rest.split_once('`').unwrap().0;
    assert!(growing.ends_with("run.unfinished"), "{text}");
    assert_eq!(content(&folder.join("run")), old);
    let answer = agop(folder, &["train", "--resume", "run"]);
    assert_eq!(answer.status.code(), Some(0));
    assert!(
        messages(&answer).contains("run.unfinished` goes on with its successor"),
        "{}",
        messages(&answer)
    );
    let answer = agop(folder, &["train", "--resume", growing]);
    assert_eq!(answer.status.code(), Some(0), "{}", messages(&answer));
    assert!(String::from_utf8(answer.stdout).unwrap().trim_end().ends_with("/run"));
    assert_equal(&folder.join("run"), &folder.join("whole"));
    assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
}

/// One process alone trains a run.
#[test]
fn a_run_that_is_trained_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let long = [&RUN[..], &["--steps", "1000000", "--measure-every", "100000", "--out", "run"]].concat();
    let child = command(folder, &long).spawn().unwrap();
    wait_for(&folder.join("run/run.lock"));
    for arguments in [&["train", "--resume", "run"][..], &[&long[..], &["--force"]].concat()] {
        let answer = agop(folder, arguments);
        let line = "agop: run: another process trains the run in it\n";
        assert_eq!((answer.status.code(), messages(&answer).as_str()), (Some(2), line));
    }
    signal(&child, "KILL");
    child.wait_with_output().unwrap();
    // The lock goes with the process.
    let child = command(folder, &["train", "--resume", "run"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "TERM");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
}

/// Why: a disk that fails at the end must not cost the training.
#[test]
fn a_run_that_cannot_be_written_at_its_end_goes_to_a_second_place() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    assert_eq!(agop(folder, &[&RUN[..], &STEPS, &["--out", "whole"]].concat()).status.code(), Some(0));
    let child = command(folder, &[&RUN[..], &STEPS, &["--out", "run"]].concat()).spawn().unwrap();
    wait_for(&folder.join("run/run.lock"));
    // In the way of the last file.
    fs::create_dir_all(folder.join("run/slo/history.csv/in the way")).unwrap();
    let answer = child.wait_with_output().unwrap();
    let text = messages(&answer);
    assert_eq!((answer.status.code(), text.lines().count()), (Some(2), 1), "{text}");
    let (_, rest) = text.split_once("; the trained run stands whole in ").unwrap();
    let (second, rest) = rest.split_once(';').unwrap();
    assert_eq!(rest, " `agop train --resume run` goes on\n");
    assert_equal(Path::new(second), &folder.join("whole"));
    fs::remove_dir_all(folder.join("run/slo/history.csv")).unwrap();
    let answer = agop(folder, &["train", "--resume", "run"]);
    assert_eq!(answer.status.code(), Some(0), "{}", messages(&answer));
    assert_equal(&folder.join("run"), &folder.join("whole"));
}

/// A limit on the length of files, as of a full disk: found before the first step, or the newest checkpoint stands.
#[test]
fn a_disk_without_room_is_found_before_the_training() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let limited = |blocks: &str, arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_agop");
        let script = "ulimit -f $0; exec \"$@\"";
        let mut limited = Command::new("sh");
        limited
            .args(["-c", script, blocks, program])
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null());
        limited.output().unwrap()
    };
    let long = [&RUN[..], &["--steps", "100000000", "--measure-every", "1000000", "--out", "run"]].concat();
    let answer = limited("2", &long);
    let text = messages(&answer);
    assert_eq!((answer.status.code(), text.lines().count()), (Some(2), 1), "{text}");
    assert!(text.contains("safetensors: cannot write: "), "{text}");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
    // Room for the weights, but not for weights, velocity and history in one.
    assert_eq!(agop(folder, &[&RUN[..], &STEPS, &["--out", "whole"]].concat()).status.code(), Some(0));
    let answer = limited("8", &[&RUN[..], &STEPS, &["--out", "run", "--checkpoint-every", "1"]].concat());
    let text = messages(&answer);
    assert_eq!(answer.status.code(), Some(2), "{text}");
    assert!(text.contains("the training goes on without this checkpoint"), "{text}");
    println!("{}", text.lines().last().unwrap());
    if folder.join("run").exists() {
        assert_eq!(agop(folder, &["train", "--resume", "run"]).status.code(), Some(0));
        assert_equal(&folder.join("run"), &folder.join("whole"));
    }
}

/// Samples that have moved, in a file of another kind: the same numbers go on and the run says what it was started with;
/// other numbers are refused.
#[test]
fn samples_that_changed_are_said_or_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let table = |first: &str| {
        let row = |i: u32| format!("{}.5,{},{}\n", i * 7 % 5, i * i % 3, i % 2);
        (1..60).fold(format!("{first}\n"), |text, i| text + &row(i))
    };
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("a.csv", &("p,q,kind\n".to_owned() + &table("0.5,0,0")));
    let data = ["train", "--data", "a.csv", "--label", "kind", "--hidden", "8", "--steps", "20000"];
    assert_eq!(agop(folder, &[&data[..], &["--out", "whole"]].concat()).status.code(), Some(0));
    let child = command(folder, &[&data[..], &["--out", "run"]].concat()).spawn().unwrap();
    wait_for(&folder.join("run/run.lock"));
    signal(&child, "KILL");
    child.wait_with_output().unwrap();
    write("a.csv", &("p,q,kind\n".to_owned() + &table("0.25,0,0")));
    let answer = agop(folder, &["train", "--resume", "run"]);
    let line = "agop: run/manifest.json: data: the samples are not those with which the run was started\n";
    assert_eq!((answer.status.code(), messages(&answer).as_str()), (Some(2), line));
    write("c.csv", &("p;q;kind\n".to_owned() + &table("0.5,0,0").replace(',', ";")));
    let answer = agop(folder, &["train", "--resume", "run", "--data", "c.csv"]);
    assert_eq!(answer.status.code(), Some(0), "{}", messages(&answer));
    println!("{}", messages(&answer));
    assert!(messages(&answer).contains("; the run was started with 60 samples"), "{}", messages(&answer));
    assert_equal(&folder.join("run"), &folder.join("whole"));
}
