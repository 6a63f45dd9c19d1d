//! Bad input to the command: exit 2, nothing on the output, and one line that names file, place and reason.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_tests::command::{agop, fixture};
use std::path::PathBuf;
use tempfile::TempDir;

struct Files {
    root: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn name(&self, name: &str) -> String {
        self.root.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.root.path().join(name), bytes).unwrap();
        self.name(name)
    }
}

/// Exit 2, no output, one line of `agop: FILE: PLACE...REASON`.
fn refused(arguments: &[&str], file: &str, place: &str, reason: &str) {
    let answer = agop(arguments);
    assert_eq!((answer.code, answer.output.as_str()), (2, ""), "{arguments:?}: {answer:?}");
    let line = &answer.messages;
    assert_eq!((line.lines().count(), line.ends_with('\n')), (1, true), "{line}");
    assert!(line.starts_with(&format!("agop: {file}: {place}")), "{arguments:?}\n{line}{place}");
    assert!(line.contains(reason), "{arguments:?}\n{line}{reason}");
}

fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn floats(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn header(descr: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n")
}

/// Truncated, oversized, mistyped, NaN-holding and empty arrays, wherever a command takes one.
#[test]
fn arrays() {
    let files = Files::new();
    let good = std::fs::read(fixture("digits-relu/test_x.npy")).unwrap();
    let two = header("<f8", "(2, 64)");
    let mut holding_nan = vec![0.5; 128];
    holding_nan[64 + 7] = f64::NAN;
    let mut infinite = vec![0.5; 128];
    infinite[3] = f64::NEG_INFINITY;
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("empty", vec![], "byte 0", "empty"),
        ("text", b"1,2,x\n4,5,6\n7,x,8\n".to_vec(), "row 1, column 1 (line 3, \"2\")", "\"x\" is no number"),
        ("truncated", good[..good.len() - 1].to_vec(), "", "byte"),
        ("cut-header", good[..40].to_vec(), "byte", ""),
        ("longer", [&good[..], &[0]].concat(), "byte 92288", "1 trailing bytes"),
        ("huge", npy(&header("<f8", "(1000000000000, 1000000)"), &[0; 64]), "", ""),
        ("overflow", npy(&header("<f8", "(4294967296, 4294967296, 4294967296)"), &[0; 64]), "", ""),
        ("complex", npy(&header("<c16", "(2, 64)"), &[0; 2048]), "", "c16"),
        ("object", npy(&header("|O", "(2, 64)"), &[0; 1024]), "", "O"),
        ("nan", npy(&two, &floats(&holding_nan)), "row 1, column 7", "the value is NaN"),
        ("infinite", npy(&two, &floats(&infinite)), "row 0, column 3", "the value is infinite"),
        ("no-rows", npy(&header("<f8", "(0, 64)"), &[]), "shape (0, 64)", "no rows"),
        ("scalar", npy(&header("<f8", "()"), &[0; 8]), "shape ()", "single number"),
        ("narrow", npy(&header("<f8", "(2, 63)"), &[0; 1008]), "shape", "63 columns, the network takes 64"),
    ];
    let init = fixture("digits-relu/init.safetensors");
    let weights = fixture("digits-relu/trained.safetensors");
    let labels = fixture("digits-relu/test_y.npy");
    for (name, bytes, place, reason) in cases {
        let data = files.write(name, &bytes);
        let measure = ["measure", "--init", &init, "--weights", &weights, "--data", &data];
        refused(&measure, &data, place, reason);
        if ["narrow", "nan", "infinite"].contains(&name) {
            continue; // To train on they are too few for these labels, which is found first.
        }
        let out = files.name("run");
        refused(&["train", "--data", &data, "--labels", &labels, "--out", &out], &data, place, reason);
        if ["no-rows", "scalar"].contains(&name) {
            continue; // As labels they already have the wrong number of rows.
        }
        let train_x = fixture("digits-relu/train_x.npy");
        refused(&["train", "--data", &train_x, "--labels", &data, "--out", &out], &data, place, reason);
        assert!(!PathBuf::from(out).exists());
    }
}

/// The same for weights.
#[test]
fn weights() {
    let files = Files::new();
    let path = fixture("digits-relu/trained.safetensors");
    let good = std::fs::read(&path).unwrap();
    let header = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let mut holding_nan = good.clone();
    // layers.0.weight comes first and has 64 columns.
    let at = 8 + header + 4 * (64 * 3 + 5);
    holding_nan[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut claim = good.clone();
    claim[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let retyped = String::from_utf8_lossy(&good[8..8 + header]).replacen("F32", "I32", 1);
    let retyped = [&good[..8], retyped.as_bytes(), &good[8 + header..]].concat();
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("empty", vec![], "byte 0", "the file is empty"),
        ("short", good[..5].to_vec(), "byte 5", "expected at least 8"),
        ("truncated", good[..good.len() - 1].to_vec(), "", ""),
        ("longer", [&good[..], &[0]].concat(), "", ""),
        ("claim", claim, "byte 0", "the header claims 18446744073709551615 bytes"),
        ("retyped", retyped, "tensor \"layers.", "only F16, BF16, F32 and F64 are read"),
        ("nan", holding_nan, "tensor \"layers.0.weight\", row 3, column 5", "the value is NaN"),
        ("json", [&7_u64.to_le_bytes()[..], b"{\"a\": 3"].concat(), "tensor \"a\"", ""),
    ];
    let data = fixture("digits-relu/test_x.npy");
    for (name, bytes, place, reason) in cases {
        let bad = files.write(name, &bytes);
        refused(&["measure", "--init", &bad, "--weights", &path, "--data", &data], &bad, place, reason);
        refused(&["measure", "--init", &path, "--weights", &bad, "--data", &data], &bad, place, reason);
        // What is no weight can have a digest.
        if name != "retyped" {
            refused(&["digest", &bad], &bad, place, reason);
        }
    }
    let other = files.name("other");
    agop::checkpoint::write(&other, &[64, 5, 10], false, &vec![0.5_f32; 5 * 74]).unwrap();
    let widths = "widths (64, 5, 10), ";
    refused(&["measure", "--init", &path, "--weights", &other, "--data", &data], &other, "shape", widths);
    let biased = files.name("biased");
    agop::checkpoint::write(&biased, &[64, 5, 10], true, &vec![0.5_f32; 5 * 74 + 15]).unwrap();
    refused(
        &["measure", "--init", &other, "--weights", &biased, "--data", &data],
        &other,
        "tensors",
        "no biases",
    );
    let single = files.name("single");
    agop::checkpoint::write(&single, &[64, 10], false, &vec![0.5_f32; 640]).unwrap();
    refused(
        &["measure", "--init", &single, "--weights", &single, "--data", &data],
        &single,
        "tensors",
        "hidden",
    );
    // Finite weights whose products are not, in f32; more in f64 than f32 holds.
    let large = files.name("large");
    agop::checkpoint::write(&large, &[64, 5, 10], false, &vec![1e38_f32; 5 * 74]).unwrap();
    let measure = ["measure", "--init", &large, "--weights", &large, "--data", &data, "--scalar", "f32"];
    refused(&measure, &large, "network", "not finite");
    let wide = files.name("wide");
    agop::checkpoint::write(&wide, &[64, 5, 10], false, &vec![1e39_f64; 5 * 74]).unwrap();
    let measure = ["measure", "--init", &wide, "--weights", &wide, "--data", &data, "--scalar", "f32"];
    refused(&measure, &wide, "tensor \"0.weight\", row 0, column 0", "overflows f32");
}

/// Labels and samples that do not go together.
#[test]
fn samples() {
    let files = Files::new();
    let x = fixture("digits-relu/test_x.npy");
    let y = fixture("digits-relu/test_y.npy");
    let train_y = fixture("digits-relu/train_y.npy");
    let train = |data: &str, labels: &str, more: &[&str], file: &str, place: &str, reason: &str| {
        let out = files.name("run");
        let arguments = ["train", "--data", data, "--labels", labels, "--out", &out];
        refused(&[&arguments[..], more].concat(), file, place, reason);
        assert!(!PathBuf::from(&out).exists(), "{reason}");
    };
    train(&x, &train_y, &[], &train_y, "shape (1437, 10)", "1437 rows of labels for 360 samples");
    let classes = |values: &[i64]| values.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    let small = files.write("x", &npy(&header("<f8", "(4, 2)"), &floats(&[1.0; 8])));
    let labels = files.write("y", &npy(&header("<i8", "(4,)"), &classes(&[0, 1, 0, 1])));
    train(&small, &labels, &[], &labels, "shape", "needs at least 5");
    let five = files.write("five", &npy(&header("<f8", "(5, 1)"), &floats(&[1.0; 5])));
    let single = files.write("single", &npy(&header("<i8", "(5,)"), &classes(&[0; 5])));
    for arguments in [&["train"][..], &["predict", "--model", "limit", "--hidden", "3"]] {
        let more = ["--data", &five, "--labels", &single, "--loss", "cross-entropy"];
        let place = "expected at least 2 classes, found 1";
        refused(&[arguments, &more].concat(), "--loss cross-entropy", place, "");
    }
    let negative = files.write("n", &npy(&header("<i8", "(4,)"), &classes(&[0, 1, -1, 1])));
    train(&small, &negative, &[], &negative, "row 2", "class -1");
    let many = files.write("m", &npy(&header("<i8", "(4,)"), &classes(&[0, 1, 2, 1 << 40])));
    train(&small, &many, &[], &many, "row 3", "class 1099511627776");
    let four = files.write("four", &npy(&header("<f8", "(4, 10)"), &floats(&[1.0; 40])));
    let test = ["--test-data", &small, "--test-labels", &four];
    train(&x, &y, &test, &small, "shape", "2 columns, the training data has 64");
    let test = ["--test-data", &small, "--test-labels", &labels];
    train(
        &x,
        &y,
        &test,
        &labels,
        "labels",
        "classes (integers in one column), the training labels are numbers",
    );
    let unseen = files.write("unseen", &npy(&header("<i8", "(4,)"), &classes(&[0, 5, 7, 0])));
    let test = ["--test-data", &small, "--test-labels", &unseen];
    train(
        &small,
        &labels,
        &test,
        &unseen,
        "row 1",
        "class 5 never occurs in the training labels (2 classes 0..1)",
    );
    train(&x, &y, &["--loss", "cross-entropy"], &y, "labels", "cross-entropy needs classes");
    let missing = files.name("missing.npy");
    train(&missing, &y, &[], &missing, "cannot open", "");
    let folder = files.root.path().display().to_string();
    train(&folder, &y, &[], &folder, "cannot open", "directory");
}

/// Options out of range or that do not go together: one line, and no folder.
#[test]
fn options() {
    let files = Files::new();
    let out = files.name("run");
    let x = files.write("x", &npy(&header("<f8", "(5, 1)"), &floats(&[1.0; 5])));
    let cases: &[(&[&str], &str)] = &[
        (&["--hidden", "0"], "hidden: a width is zero"),
        (&["--hidden", "4,x"], "invalid value 'x'"),
        (&["--hidden", "999999999,999999999,999999999"], "too large for memory"),
        (&["--hidden", "9999999,9999999"], "do not fit the memory"),
        (&["--activation", "gelus"], "invalid value 'gelus'"),
        (&["--initializer", "zero"], "invalid value 'zero'"),
        (&["--loss", "hinge"], "invalid value 'hinge'"),
        (&["--loss", "cross-entropy"], "--loss cross-entropy: expected at least 2 classes, found 1"),
        (&["--scalar", "f16"], "invalid value 'f16'"),
        (&["--rate", "nan"], "rate: expected a finite number"),
        (&["--rate", "-1"], "rate: expected a finite number, at least 0, found -1"),
        (&["--momentum", "1"], "momentum: expected less than 1"),
        (&["--decay", "-0.5"], "decay: expected"),
        (&["--epsilon", "inf"], "epsilon: expected"),
        (&["--speeds", "1,2"], "speeds: expected 3 (one a layer, the readout included), found 2"),
        (&["--speeds", "1,2,-1"], "speed: expected"),
        (&["--target", "7"], "target: expected a layer 0 to 2, found 7"),
        (&["--target", "first"], "expected a layer's index or `lowest`"),
        (&["--target", "0", "--contrast", "0"], "contrast"),
        (&["--target", "0", "--speeds", "1,1,1"], "cannot be used with"),
        (&["--batch", "0"], "batch: expected at least 1, found 0"),
        (&["--measure-every", "0"], "measure-every: expected at least 1, found 0"),
        (&["--samples", "0"], "samples: expected at least 1"),
        (&["--test-samples", "0"], "test samples: expected at least 1"),
        (&["--samples", "9223372036854775807"], "more than"),
        (
            &["--samples", "18446744073709551615"],
            "samples: expected at most 9223372036854775807, found 18446744073709551615",
        ),
        (&["--batch", "9223372036854775808"], "batch: expected at most 9223372036854775807"),
        (&["--hidden", "4,9223372036854775808"], "hidden: expected at most 9223372036854775807"),
        (&["--measure-every", "9223372036854775808"], "measure-every: expected at most 9223372036854775807"),
        (&["--target", "9223372036854775808"], "target: expected at most 9223372036854775807"),
        (&["--rank", "33"], "rank: expected between 1 and the dimension 32, found 33"),
        (&["--rank", "9223372036854775807"], "dimension 32, found 9223372036854775807"),
        (&["--seed=-1"], "invalid value '-1'"),
        (&["--seed", "-1"], "invalid value '-1' for '--seed <S>'"),
        (&["--samples", "-1"], "invalid value '-1' for '--samples <N>'"),
        (&["--test-samples", "-1"], "invalid value '-1' for '--test-samples <N>'"),
        (&["--rank", "-1"], "invalid value '-1' for '--rank <R>'"),
        (&["--dimension", "-1"], "invalid value '-1' for '--dimension <D>'"),
        (&["--hidden", "-5"], "invalid value '-5' for '--hidden <K,..>'"),
        (&["--batch", "-1"], "invalid value '-1' for '--batch <N>'"),
        (&["--measure-every", "-1"], "invalid value '-1' for '--measure-every <N>'"),
        (&["--threads", "-1"], "invalid value '-1' for '--threads <N>'"),
        (&["--target", "-1"], "invalid value '-1' for '--target <LAYER|lowest>'"),
        (&["--target", "0", "--contrast", "-5"], "contrast: expected"),
        (&["--data", "x.npy", "--labels", "y.npy", "--rank", "9"], "cannot be used with"),
        (&["--data", "x.npy", "--labels", "y.npy", "--dimension", "0"], "cannot be used with"),
        (&["--data", "x.npy", "--labels", "y.npy", "--samples", "7"], "cannot be used with"),
        (&["--data", "x.npy", "--labels", "y.npy", "--test-samples", "7"], "cannot be used with"),
        (&["--data", "x.npy", "--labels", "y.npy", "--spectrum", "nan"], "cannot be used with"),
        (&["--task", "random-labels", "--rank", "3"], "'--rank' cannot be used with '--task random-labels'"),
        (&["--rule", "gd", "--speeds", "1,1,1"], "'--speeds' cannot be used with '--rule gd'"),
        (&["--rule", "gd", "--target", "0"], "'--target' cannot be used with '--rule gd'"),
        (&["--rule", "gd", "--epsilon", "3"], "'--epsilon' cannot be used with '--rule gd'"),
        (&["--measure-evry", "3"], "tip: a similar argument exists: '--measure-every' (see --help)"),
        (&["--threads", "0"], "invalid value '0'"),
        (&["--data", &x], "x: labels: none are known: --labels names"),
        (&["--data", "x.npy", "--labels", "y.npy", "--task", "random-labels"], "cannot be used with"),
        (&["--no-such-option"], "unexpected argument '--no-such-option'"),
    ];
    for (arguments, reason) in cases {
        let answer = agop(&[&["train", "--out", &out, "--steps", "1"], *arguments].concat());
        assert_eq!((answer.code, answer.output.as_str()), (2, ""), "{arguments:?}: {answer:?}");
        assert_eq!(answer.messages.lines().count(), 1, "{}", answer.messages);
        assert!(answer.messages.starts_with("agop: "), "{}", answer.messages);
        assert!(answer.messages.contains(reason), "{arguments:?}: {}", answer.messages);
        assert!(!PathBuf::from(&out).exists(), "{arguments:?}");
    }
    let answer = agop(&[
        "train",
        "--out",
        &out,
        "--steps",
        "9223372036854775808",
        "--measure-every",
        "9223372036854775807",
    ]);
    assert!(answer.messages.contains("steps: expected at most 9223372036854775807"), "{answer:?}");
    let answer = agop(&["train", "--out", &out, "--steps", "520000", "--measure-every", "1"]);
    let most = "measure-every: 520001 measurements of a rule, at most 100000 are kept: 6 makes few enough\n";
    assert_eq!((answer.code, answer.messages), (2, format!("agop: {most}")));
    assert!(!PathBuf::from(&out).exists());
    let answer = agop(&["train", "--out", &out, "--steps", "-1"]);
    assert!(answer.messages.contains("invalid value '-1' for '--steps <N>'"), "{answer:?}");
    for option in ["--seed", "--trials", "--threads", "--hidden"] {
        let answer = agop(&["predict", "--data", "x", "--labels", "y", option, "-1"]);
        let message = format!("invalid value '-1' for '{option} <");
        assert!(answer.messages.contains(&message), "{answer:?}");
    }
    for arguments in [&[][..], &["nonsense"], &["measure"], &["verify"], &["digest"]] {
        let answer = agop(arguments);
        assert_eq!((answer.code, answer.output.as_str()), (2, ""), "{arguments:?}");
        assert_eq!(answer.messages.lines().count(), 1, "{}", answer.messages);
    }
    let file = files.write("file", b"");
    let answer = agop(&["train", "--steps", "1", "--out", &file]);
    assert!(answer.messages.contains("is not a folder"), "{answer:?}");
}

#[test]
fn help_and_version_are_answers() {
    for arguments in [&["--help"][..], &["--version"], &["verify", "--help"], &["help", "train"]] {
        let answer = agop(arguments);
        assert_eq!((answer.code, answer.messages.as_str()), (0, ""), "{arguments:?}");
        assert!(answer.output.contains("agop"), "{}", answer.output);
    }
    assert_eq!(agop(&["info"]).code, 0);
    let info = agop_tests::command::json(&["info"]);
    assert_eq!((&info["contract"], &info["environment"]), (&1.into(), &"ok".into()));
}
