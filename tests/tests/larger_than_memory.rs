//! Samples that stay in their files: the same bits as in memory, whatever the type of the elements, the batch, the threads.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop::dataset::{Values, npy};
use agop_tests::command::{agop, json};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const ROWS: usize = 700;
const COLUMNS: usize = 5;

/// Inputs of every type whose rows are read in place, with labels.
struct Files {
    root: TempDir,
    inputs: Vec<PathBuf>,
}

fn value(i: usize) -> i64 {
    ((i * 7919 + i * i % 101) % 251) as i64
}

/// A `.npy` file of elements that the library does not write.
fn write_npy(path: &Path, descr: &str, bytes: &[u8]) {
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({ROWS}, {COLUMNS}), }}");
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header.push('\n');
    let start =
        [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    std::fs::write(path, [&start, bytes].concat()).unwrap();
}

impl Files {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        let all = || (0..ROWS * COLUMNS).map(value);
        let scaled = || all().map(|n| (n as f64 - 125.0) / 40.0);
        let single: Vec<f32> = scaled().map(|x| x as f32).collect();
        npy::write(path("f4.npy"), ROWS, COLUMNS, &single).unwrap();
        npy::write(path("f8.npy"), ROWS, COLUMNS, &scaled().collect::<Vec<_>>()).unwrap();
        write_npy(&path("u1.npy"), "|u1", &all().map(|n| n as u8).collect::<Vec<_>>());
        write_npy(
            &path("i2.npy"),
            ">i2",
            &all().flat_map(|n| (n as i16 - 125).to_be_bytes()).collect::<Vec<_>>(),
        );
        write_npy(&path("i8.npy"), "<i8", &all().flat_map(|n| (n - 125).to_le_bytes()).collect::<Vec<_>>());
        write_npy(&path("big.npy"), ">f8", &scaled().flat_map(f64::to_be_bytes).collect::<Vec<_>>());
        let shape = [ROWS as u32, COLUMNS as u32].map(u32::to_be_bytes).concat();
        let pixels: Vec<u8> = all().map(|n| n as u8).collect();
        std::fs::write(path("images.idx"), [&[0, 0, 8, 2], &shape[..], &pixels].concat()).unwrap();
        let targets: Vec<f64> = (0..ROWS).map(|i| value(3 * i) as f64 / 100.0 - 1.0).collect();
        npy::write(path("targets.npy"), ROWS, 1, &targets).unwrap();
        let classes = (0..ROWS).map(|i| value(i) % 3).collect();
        std::fs::write(path("classes.npy"), npy::encode(&[ROWS], &Values::Integers(classes)).unwrap())
            .unwrap();
        let inputs = ["f4.npy", "f8.npy", "u1.npy", "i2.npy", "i8.npy", "big.npy", "images.idx"];
        let inputs = inputs.map(path).to_vec();
        Self { root, inputs }
    }

    fn name(&self, name: &str) -> String {
        self.root.path().join(name).display().to_string()
    }
}

/// What decides a run: all marks of its manifest, and its digests of data, weights and tables.
fn manifest(run: &str) -> Value {
    let text = std::fs::read_to_string(Path::new(run).join("manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_run_on_files_has_the_bits_of_a_run_in_memory() {
    let files = Files::new();
    let labels = [files.name("targets.npy"), files.name("classes.npy")];
    let ways: [&[&str]; 4] = [
        &["--scalar", "f32"],
        &["--batch", "100", "--scalar", "f64"],
        &["--batch", "300", "--standardise", "feature", "--limit", "650", "--scalar", "f32"],
        &["--standardise", "global", "--test-fraction", "0.4", "--scalar", "f64", "--bias"],
    ];
    for (index, input) in files.inputs.iter().enumerate() {
        let input = input.display().to_string();
        for (number, way) in ways.iter().enumerate() {
            let run = |memory: &str, threads: &str| {
                let out = files.name("run");
                let common =
                    ["train", "--hidden", "6,4", "--steps", "9", "--measure-every", "4", "--rate", "1e-6"];
                let place = ["--memory", memory, "--threads", threads, "--out", &out, "--force"];
                let data = ["--data", &input, "--labels", &labels[(index + number) % 2]];
                // The scale of raw pixels is noted beside the report.
                let answer = agop(&[&common[..], &place, &data, way].concat());
                assert_eq!(answer.code, 0, "{}", answer.messages);
                manifest(&out)
            };
            let held = run("1GiB", "1");
            for (memory, threads) in [("1", "1"), ("1", "3"), ("4KB", "2")] {
                assert_eq!(run(memory, threads), held, "{input} {way:?} {memory} {threads}");
            }
            assert_eq!(agop(&["verify", &files.name("run"), "--memory", "1"]).code, 0);
            assert_eq!(agop(&["verify", &files.name("run")]).code, 0);
        }
    }
}

/// Several files are one set, whose rows have labels between them.
#[test]
fn batches_of_cifar_are_read_in_place() {
    let root = tempfile::tempdir().unwrap();
    let name = |name: &str| root.path().join(name).display().to_string();
    for (file, records) in [("a.bin", 300), ("b.bin", 170)] {
        let record = |r: usize| {
            std::iter::once((r % 10) as u8).chain((0..3072).map(move |i| value(i + 31 * r + records) as u8))
        };
        std::fs::write(name(file), (0..records).flat_map(record).collect::<Vec<u8>>()).unwrap();
    }
    let (data, out) = (format!("{},{}", name("a.bin"), name("b.bin")), name("run"));
    let run = |memory: &str, threads: &str| {
        let place =
            ["train", "--data", &data, "--out", &out, "--force", "--memory", memory, "--threads", threads];
        let way =
            ["--hidden", "3", "--steps", "3", "--batch", "200", "--standardise", "global", "--stratify"];
        let answer = agop(&[&place[..], &way].concat());
        assert_eq!(answer.code, 0, "{}", answer.messages);
        manifest(&out)
    };
    let held = run("1GiB", "1");
    assert_eq!(run("1MB", "1"), held);
    assert_eq!(run("1", "3"), held);
}

#[test]
fn measures_on_files_are_those_in_memory() {
    let files = Files::new();
    let (data, labels, out) = (files.name("f8.npy"), files.name("targets.npy"), files.name("run"));
    json(&["train", "--data", &data, "--labels", &labels, "--hidden", "6,4", "--steps", "5", "--out", &out]);
    let (init, weights) = (files.name("run/gd/initial.safetensors"), files.name("run/gd/final.safetensors"));
    for input in &files.inputs {
        let input = input.display().to_string();
        for way in [
            &["--certify"][..],
            &["--scalar", "f32"],
            &["--standardise", "feature", "--test-fraction", "0.1"],
        ] {
            let measure = |more: &[&str]| {
                json(
                    &[&["measure", "--init", &init, "--weights", &weights, "--data", &input], way, more]
                        .concat(),
                )
            };
            let held = measure(&[]);
            assert_eq!(measure(&["--memory", "1"]), held, "{input} {way:?}");
            assert_eq!(measure(&["--memory", "1", "--threads", "3"]), held, "{input} {way:?}");
        }
    }
    // Outputs that do not belong to the network are explained from the file, too.
    let outputs = files.name("outputs.npy");
    npy::write(&outputs, ROWS, 1, &[0.5; ROWS]).unwrap();
    let with = |memory: &str| {
        agop(&["measure", "--weights", &weights, "--data", &data, "--outputs", &outputs, "--memory", memory])
    };
    let (held, read) = (with("1GiB"), with("1"));
    assert_eq!((read.code, &read.messages), (2, &held.messages));
}

#[test]
fn a_prediction_needs_its_samples_in_memory_and_says_so() {
    let files = Files::new();
    let (data, labels) = (files.name("f4.npy"), files.name("targets.npy"));
    let predict = ["predict", "--data", &data, "--labels", &labels, "--hidden", "4", "--trials", "0"];
    assert_eq!(agop(&predict).code, 0);
    let answer = agop(&[&predict[..], &["--memory", "27999"]].concat());
    assert_eq!((answer.code, answer.messages.lines().count()), (2, 1), "{}", answer.messages);
    assert!(
        answer.messages.contains("more than --memory") && answer.messages.contains("--limit"),
        "{}",
        answer.messages
    );
    assert_eq!(agop(&[&predict[..], &["--memory", "28000"]].concat()).code, 0);
}

/// A number that is none is named by its row in the file, however the file is read and in whatever order.
#[test]
fn the_row_of_a_bad_value_is_named() {
    let files = Files::new();
    let mut x: Vec<f64> = (0..ROWS * COLUMNS).map(|i| value(i) as f64).collect();
    x[611 * COLUMNS + 2] = f64::NAN;
    let bad = files.name("bad.npy");
    npy::write(&bad, ROWS, COLUMNS, &x).unwrap();
    let (labels, out) = (files.name("targets.npy"), files.name("never"));
    for memory in ["1", "1GiB"] {
        for standardise in ["none", "feature"] {
            let samples =
                ["--data", &bad, "--labels", &labels, "--memory", memory, "--standardise", standardise];
            let answer = agop(&[&["train", "--out", &out], &samples[..]].concat());
            assert_eq!(answer.code, 2);
            assert!(
                answer.messages.ends_with("bad.npy: row 611, column 2: the value is NaN\n"),
                "{}",
                answer.messages
            );
        }
    }
}

#[test]
fn sizes_are_read_with_their_units() {
    let files = Files::new();
    let (data, labels, out) = (files.name("f4.npy"), files.name("targets.npy"), files.name("run"));
    let common = [
        "train", "--data", &data, "--labels", &labels, "--steps", "1", "--hidden", "3", "--out", &out,
        "--force",
    ];
    for good in ["1", "0", "256MiB", "2GB", "1.5GiB", "4096"] {
        assert_eq!(agop(&[&common[..], &["--memory", good]].concat()).code, 0, "{good}");
    }
    for bad in ["", "much", "-1", "1XB", "GiB"] {
        let answer = agop(&[&common[..], &["--memory", bad]].concat());
        assert_eq!((answer.code, answer.messages.lines().count()), (2, 1), "{bad}: {}", answer.messages);
    }
}

/// What cannot be read at any place is refused before it is opened: opening a pipe could wait for ever.
#[cfg(unix)]
#[test]
fn a_pipe_is_refused() {
    let files = Files::new();
    let pipe = files.name("pipe.npy");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let labels = files.name("targets.npy");
    for memory in ["1", "1GiB"] {
        let answer = agop(&["train", "--data", &pipe, "--labels", &labels, "--memory", memory]);
        assert_eq!(answer.code, 2);
        assert!(answer.messages.contains("not a regular file"), "{}", answer.messages);
    }
}
