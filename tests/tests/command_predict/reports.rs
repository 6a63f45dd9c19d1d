//! Reasons for what is undefined, tables, and bad usage.

use super::{borrowed, digit_labels, digits, numbers, write};
use agop_tests::command::{agop, fixture, json};
use serde_json::Value;
use tempfile::TempDir;

/// Why: whoever reads a null must find why, whichever model answers and whatever it is given.
#[test]
fn every_null_has_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = agop_tests::SplitMix64::new(9);
    let (x, y) = (rng.normals(36), rng.normals(12));
    let name = |name: &str| folder.path().join(name).display().to_string();
    let init = name("init.safetensors");
    agop::checkpoint::write(&init, &[3, 4, 1], false, &rng.normals(16)).unwrap();
    let readout = write(folder.path(), "readout", 4, &rng.normals(4));
    let zero = write(folder.path(), "zero", 12, &[0.0; 12]);
    let mut nulls = 0;
    for scale in [1e-150, 1e-80, 1.0, 1e30, 1e60, 1e75, 1e90, 1e120] {
        let scaled = |values: &[f64]| values.iter().map(|x| x * scale).collect::<Vec<_>>();
        let data = write(folder.path(), "x", 12, &scaled(&x));
        let labels = write(folder.path(), "y", 12, &scaled(&y));
        for network in [
            &["--hidden", "5"][..],
            &["--hidden", "5,4", "--model", "limit"],
            &["--hidden", "5", "--model", "limit", "--activation", "quadratic"],
            &["--hidden", "5", "--model", "quadratic"],
            &["--hidden", "5,5", "--activation", "quadratic"],
            &["--readout", &readout],
            &["--init", &init],
            &["--init", &init, "--model", "quadratic"],
            &["--init", &init, "--model", "wide"],
        ] {
            for trials in [&[][..], &["--trials", "0"], &["--trials", "1"]] {
                for labels in [&labels, &zero] {
                    let files = ["predict", "--data", &data, "--labels", labels, "--json"];
                    let arguments = [&files[..], network, trials].concat();
                    let answer = agop(&arguments);
                    if answer.code == 2 {
                        continue; // The scale is too large for a network.
                    }
                    let report: Value = serde_json::from_str(&answer.output).unwrap();
                    println!("{arguments:?}: {report}");
                    agop_tests::command::assert_nulls_explained(&report);
                    nulls += answer.output.matches("null").count();
                }
            }
        }
    }
    assert!(nulls > 1000, "{nulls} nulls only");
}

/// Why: what is drawn beside a prediction may be too large or overflow; the prediction needs neither.
#[test]
fn a_prediction_outlives_its_trials() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = agop_tests::SplitMix64::new(8);
    let x = rng.normals(40);
    let far: Vec<f64> = x.iter().map(|x| x * 1e60).collect();
    let (x, y) = (write(folder.path(), "x", 10, &x), write(folder.path(), "y", 10, &rng.normals(10)));
    let far = write(folder.path(), "far", 10, &far);
    for (data, more, reason) in [
        (&x, ["--hidden", "100000000", "--activation", "relu"], "do not fit the memory"),
        (&far, ["--hidden", "5,5", "--activation", "quadratic"], "is not finite"),
    ] {
        let arguments = [&["predict", "--data", data, "--labels", &y][..], &more].concat();
        let report = json(&arguments);
        assert!(report["rho"].as_array().unwrap().iter().all(Value::is_number), "{report}");
        assert!(report["trials"].is_null(), "{report}");
        let why = report["why"]["trials"].as_str().unwrap();
        assert!(why.starts_with("the draws failed: ") && why.contains(reason), "{why}");
        assert!(agop(&arguments).output.contains(why), "the table says so too");
    }
    // Where the prediction is what does not fit, nothing is left of it.
    let more = ["--hidden", "100000000", "--model", "limit"];
    let answer = agop(&[&["predict", "--data", &x, "--labels", &y][..], &more].concat());
    assert_eq!((answer.code, answer.output.as_str()), (2, ""), "{answer:?}");
    assert!(answer.messages.starts_with("agop: workspace: "), "{}", answer.messages);
}

/// A null has its reason and never changes the exit code.
#[test]
fn zero_labels_leave_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = agop_tests::SplitMix64::new(4);
    let (x, y) = (write(folder.path(), "x", 9, &rng.normals(27)), write(folder.path(), "y", 9, &[0.0; 9]));
    for model in ["quadratic", "wide"] {
        let arguments = ["predict", "--data", &x, "--labels", &y, "--hidden", "5", "--model", model];
        let report = json(&arguments);
        assert!(report["rho"][0].is_null() && report["why"]["trials.mean.0"].is_string(), "{report}");
        let why = report["why"]["rho.0"].as_str().unwrap();
        assert!(why.contains("gradient of the loss") && !why.contains("weight matrix"), "{why}");
    }
    // One sample has a correlation of 1 that cannot move.
    let (x, y) = (write(folder.path(), "x1", 1, &[1.0, 2.0]), write(folder.path(), "y1", 1, &[1.0]));
    let arguments = ["predict", "--data", &x, "--labels", &y, "--hidden", "5,4", "--model", "limit"];
    let report = json(&arguments);
    assert!((numbers(&report["rho"])[0] - 1.0).abs() < 1e-12, "{report}");
    assert_eq!(report["trials"]["count"], 10);
}

#[test]
fn tables_name_the_layers() {
    let init = fixture("digits-relu/init.safetensors");
    for more in [&["--init", &init][..], &["--hidden", "16,16,16", "--trials", "2"]] {
        let answer = agop(&borrowed(&digits(more)));
        assert_eq!((answer.code, answer.messages.as_str()), (0, ""));
        for layer in 0..3 {
            let row = answer.output.lines().find(|line| line.trim_start().starts_with(&format!("{layer} ")));
            assert!(row.is_some_and(|row| row.contains("0.")), "{}", answer.output);
        }
    }
}

struct Files(TempDir);

impl Files {
    fn write(&self, name: &str, rows: usize, values: &[f64]) -> String {
        write(self.0.path(), name, rows, values)
    }
}

/// Exit 2, nothing on the output, one line that says what is wrong.
#[test]
fn bad_usage_is_one_line_and_exit_2() {
    let files = Files(tempfile::tempdir().unwrap());
    let labels = digit_labels(files.0.path());
    let square = files.write("square.npy", 2, &[1.0; 4]);
    let huge = files.write("huge.npy", 2, &[1e200, 1e200, -1e200, 1e200]);
    let zero_row = files.write("zero.npy", 2, &[1.0, 2.0, 0.0, 0.0]);
    let two = files.write("two.npy", 2, &[1.0, -1.0]);
    let init = fixture("digits-relu/init.safetensors");
    let data = fixture("digits-relu/train_x.npy");
    let one = |more: &[&'static str]| {
        let start = ["predict", "--data", &data, "--labels", &labels].map(str::to_owned);
        [&start[..], &more.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()].concat()
    };
    let at = |text: &str| [text.to_owned()];
    let cases: Vec<(Vec<String>, &str)> = vec![
        (digits(&[]), "--hidden <K,..>|--readout <A.npy>|--init"),
        (digits(&["--hidden", "4", "--init", &init]), "cannot be used with"),
        (digits(&["--hidden", "x"]), "invalid value"),
        (digits(&["--hidden", "4,0"]), "hidden: a width is zero"),
        (digits(&["--hidden", "4", "--model", "narrow"]), "possible values"),
        (digits(&["--hidden", "4", "--scalar", "f16"]), "f16"),
        (digits(&["--hidden", "4", "--activation", "tanh"]), "sine, erf, gelu); --model limit takes it"),
        (
            digits(&["--hidden", "4", "--activation", "tan"]),
            "the wide model has no dual kernel of it in closed form",
        ),
        (digits(&["--hidden", "4", "--model", "limit", "--activation", "cosine"]), "unknown activation"),
        (digits(&["--init", &init, "--loss", "hinge"]), "unknown loss"),
        (digits(&["--init", &init, "--model", "wide", "--loss", "cross-entropy"]), "--loss belongs"),
        (digits(&["--init", &init, "--trials", "3"]), "nothing is random"),
        (digits(&["--readout", &two, "--model", "wide"]), "--readout belongs"),
        (digits(&["--readout", &two]), "10 targets a sample, the quadratic model has one output"),
        (digits(&["--init", "missing"]), "missing: cannot open"),
        (one(&["--hidden", "4,4", "--model", "quadratic"]), "one hidden layer"),
        (one(&["--hidden", "0", "--model", "quadratic"]), "--hidden 0"),
        (one(&["--hidden", "4", "--model", "quadratic", "--activation", "relu"]), "quadratic activation"),
        ([&one(&["--init"])[..], &at(&init)].concat(), "1 targets a sample, the network has 10 outputs"),
        ([&one(&["--readout"])[..], &at(&square)].concat(), "expected k entries"),
        (
            ["predict", "--data", &zero_row, "--labels", &two, "--hidden", "4"].map(str::to_owned).to_vec(),
            "zero.npy: row 1: all inputs are zero, or so small beside the largest that their squares are\n",
        ),
        (
            ["predict", "--data", &huge, "--labels", &two, "--hidden", "4", "--model", "limit"]
                .map(str::to_owned)
                .to_vec(),
            "huge.npy: samples: gradient: the value at row 0, column ",
        ),
        (digits(&["--init", &two]), "byte 0: a .npy file, expected a safetensors file"),
    ];
    for (arguments, reason) in cases {
        let answer = agop(&borrowed(&arguments));
        assert_eq!((answer.code, answer.output.as_str()), (2, ""), "{arguments:?}: {answer:?}");
        assert_eq!(answer.messages.lines().count(), 1, "{}", answer.messages);
        assert!(answer.messages.contains(reason), "{arguments:?}\n{}{reason}", answer.messages);
    }
}
