//! A data set four times larger than the address space of the process is trained on and measured, with the bits of memory.
#![cfg(feature = "cli")]
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop::dataset::{Values, npy};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const COLUMNS: usize = 256;

/// What `agop` prints, and the time it took, in an address space of so many KiB; without a limit for 0.
fn run(kib: u64, folder: &Path, arguments: &[&str]) -> (String, Duration) {
    let limit = if kib == 0 { "unlimited".to_owned() } else { kib.to_string() };
    let start = Instant::now();
    let answer = Command::new("sh")
        .args(["-c", "ulimit -c 0; ulimit -v $0; exec \"$@\"", &limit, env!("CARGO_BIN_EXE_agop")])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(answer.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&answer.stderr));
    (String::from_utf8(answer.stdout).unwrap(), start.elapsed())
}

/// Inputs of `f4`, a row at a time, so that the test itself need not hold them.
fn write_inputs(path: &Path, rows: usize) {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {COLUMNS}), }}");
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header.push('\n');
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    file.write_all(b"\x93NUMPY\x01\x00").unwrap();
    file.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    let mut state = 1_u32;
    for _ in 0..rows * COLUMNS {
        // Any numbers will do: a linear congruence.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let x = (state >> 8) as f32 / 16_777_216.0 - 0.5;
        file.write_all(&x.to_le_bytes()).unwrap();
    }
    file.flush().unwrap();
}

#[test]
fn a_file_four_times_the_address_space_has_the_bits_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let fits = |kib: &u64| {
        let info = [
            "-c",
            "ulimit -c 0; ulimit -v $0; exec \"$1\" info",
            &kib.to_string(),
            env!("CARGO_BIN_EXE_agop"),
        ];
        Command::new("sh").args(info).output().unwrap().status.success()
    };
    // What the program itself takes, and as much again and some for blocks, labels and orders.
    let least = (4 << 10..1 << 20).step_by(1 << 10).find(fits).unwrap();
    let limit = least + (24 << 10);
    let rows = (4 * limit) as usize * 1024 / (4 * COLUMNS);
    write_inputs(&path("x.npy"), rows);
    let classes = (0..rows as i64).map(|i| i * i % 7 % 3).collect();
    std::fs::write(path("y.npy"), npy::encode(&[rows], &Values::Integers(classes)).unwrap()).unwrap();
    assert!(std::fs::metadata(path("x.npy")).unwrap().len() >= 4 * 1024 * limit);
    let data = ["--data", "x.npy", "--labels", "y.npy", "--threads", "1", "--json"];
    let train =
        ["train", "--rule", "gd", "--hidden", "64", "--measure-every", "100", "--out", "run", "--force"];
    let full = [&train[..], &["--steps", "2"], &data].concat();
    let batches =
        [&train[..], &["--steps", "40", "--batch", "512", "--standardise", "feature"], &data].concat();
    let network = ["--init", "run/gd/initial.safetensors", "--weights", "run/gd/final.safetensors"];
    let measure =
        [&["measure", "--data", "x.npy", "--scalar", "f32", "--threads", "1", "--json"], &network[..]]
            .concat();
    for arguments in [full, batches, measure] {
        // The default of 1 GiB holds the file; 8 MiB do not.
        let (held, in_memory) = run(0, folder.path(), &arguments);
        let (read, from_file) = run(limit, folder.path(), &[&arguments[..], &["--memory", "8MiB"]].concat());
        assert_eq!(read, held, "{arguments:?}");
        println!(
            "{} MiB of inputs in {} MiB: speed {:.2} of that in memory: {}",
            (rows * COLUMNS) >> 18,
            limit >> 10,
            in_memory.as_secs_f64() / from_file.as_secs_f64(),
            arguments.join(" ")
        );
    }
    // The control: without blocks the limit is one.
    let answer = Command::new("sh")
        .args(["-c", "ulimit -v $0; exec \"$@\"", &limit.to_string(), env!("CARGO_BIN_EXE_agop")])
        .args(["measure", "--weights", "run/gd/final.safetensors", "--data", "x.npy", "--threads", "1"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&answer.stderr).into_owned();
    assert!(answer.status.code() == Some(2) && message.contains("memory"), "{message}");
}
