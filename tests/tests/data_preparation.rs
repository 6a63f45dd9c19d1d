//! What is done to samples before they are used: limits, what is held out, standardisation, and that training, measure and
//! predict do the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop::dataset::npy;
use agop::dataset::{Values, npy::encode};
use agop::samples::{Split, split};
use agop_tests::command::{agop, json};
use serde_json::Value;
use std::path::PathBuf;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn floats(&self, name: &str, columns: usize, values: &[f64]) -> String {
        npy::write(self.path(name), values.len() / columns, columns, values).unwrap();
        self.name(name)
    }

    fn integers(&self, name: &str, columns: usize, values: &[i64]) -> String {
        let bytes = encode(&[values.len() / columns, columns], &Values::Integers(values.to_vec())).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
        self.name(name)
    }

    /// Trains for some steps; the report.
    fn train(&self, run: &str, arguments: &[&str]) -> Value {
        let out = self.name(run);
        let common = [
            "train",
            "--hidden",
            "5,4",
            "--steps",
            "4",
            "--measure-every",
            "2",
            "--scalar",
            "f64",
            "--force",
        ];
        // Inputs that are zero are noted beside the report.
        let answer = agop(&[&common[..], &["--json", "--out", &out], arguments].concat());
        assert_eq!(answer.code, 0, "{}", answer.messages);
        serde_json::from_str(&answer.output).unwrap()
    }

    fn manifest(&self, run: &str) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.path(run).join("manifest.json")).unwrap()).unwrap()
    }
}

/// Numbers without pattern between -3 and 5.
fn values(count: usize, seed: usize) -> Vec<f64> {
    (0..count).map(|i| ((i * 7919 + seed * 104_729 + i * i % 53) % 1009) as f64 / 126.0 - 3.0).collect()
}

/// One line of an answer that was refused.
fn refused(arguments: &[&str]) -> String {
    let answer = agop(arguments);
    assert_eq!(
        (answer.code, answer.output.as_str(), answer.messages.lines().count()),
        (2, "", 1),
        "{arguments:?}"
    );
    answer.messages
}

/// The tree of blocks by hand: two blocks are one sum, a third is added to it.
fn tree(values: impl Iterator<Item = f64>) -> f64 {
    let all: Vec<f64> = values.collect();
    let blocks: Vec<f64> = all.chunks(256).map(|block| block.iter().fold(0.0, |sum, x| sum + x)).collect();
    match *blocks.as_slice() {
        [a] => a,
        [a, b] => a + b,
        [a, b, c] => (a + b) + c,
        _ => unreachable!("at most three blocks are tested"),
    }
}

/// Mean and deviation of a column by the formula.
fn statistics(column: &[f64]) -> (f64, f64) {
    let n = column.len() as f64;
    let mean = tree(column.iter().copied()) / n;
    (mean, (tree(column.iter().map(|x| (x - mean) * (x - mean))) / n).sqrt())
}

/// Files that were standardised by the formula beforehand give the same run, bit by bit; the test samples take the statistics
/// of the training samples.
#[test]
fn standardised_inputs_are_those_of_the_formula() {
    let folder = Folder::new();
    let (n, d) = (600, 3);
    let (x, y) = (values(n * d, 1), values(n, 2));
    let (test_x, test_y) = (values(40 * d, 3), values(40, 4));
    let columns: Vec<Vec<f64>> = (0..d).map(|j| x.iter().skip(j).step_by(d).copied().collect()).collect();
    let each: Vec<(f64, f64)> = columns.iter().map(|column| statistics(column)).collect();
    let (all_n, sum) =
        ((n * d) as f64, |of: &dyn Fn(&Vec<f64>) -> f64| columns.iter().fold(0.0, |all, c| all + of(c)));
    let mean = sum(&|column| tree(column.iter().copied())) / all_n;
    let square = sum(&|column| tree(column.iter().map(|x| (x - mean) * (x - mean)))) / all_n;
    let global = vec![(mean, square.sqrt()); d];
    let labels = folder.floats("y", 1, &y);
    let test_labels = folder.floats("test_y", 1, &test_y);
    let train = |run: &str, x: &str, test: &str, more: &[&str]| {
        let files = ["--data", x, "--labels", &labels, "--test-data", test, "--test-labels", &test_labels];
        folder.train(run, &[&files[..], more].concat())
    };
    let (plain, test) = (folder.floats("x", d, &x), folder.floats("test_x", d, &test_x));
    for (how, statistics) in [("feature", each), ("global", global)] {
        let standard = |values: &[f64]| -> Vec<f64> {
            values.iter().enumerate().map(|(i, x)| (x - statistics[i % d].0) / statistics[i % d].1).collect()
        };
        let ready = folder.floats("ready", d, &standard(&x));
        let test_ready = folder.floats("test_ready", d, &standard(&test_x));
        let expected = train("expected", &ready, &test_ready, &[]);
        let found = train(how, &plain, &test, &["--standardise", how]);
        assert_eq!(found["rules"], expected["rules"], "{how}");
        let (manifest, expected) = (folder.manifest(how), folder.manifest("expected"));
        assert_eq!((&manifest["data"], &manifest["rules"]), (&expected["data"], &expected["rules"]), "{how}");
        let lines: Vec<String> = statistics.iter().map(|(m, s)| format!("{m:?} {s:?}")).collect();
        assert_eq!(manifest["statistics"], serde_json::json!(lines), "{how}");
        assert_eq!(agop(&["verify", &folder.name(how)]).code, 0, "{how}");
        assert!(
            found["data"].as_str().unwrap().contains(&format!("standardised, {how}")),
            "{}",
            found["data"]
        );
    }
    // The control: other statistics are another run.
    assert_ne!(folder.manifest("feature")["rules"], folder.manifest("global")["rules"]);
    assert_ne!(
        train("none", &plain, &test, &[])["rules"],
        train("feature", &plain, &test, &["--standardise", "feature"])["rules"]
    );
}

/// The mean of equal numbers is rounded: a tenth, many times, must still count as constant. Integers are standardised too.
#[test]
fn constant_columns_are_said_and_left_at_zero() {
    let folder = Folder::new();
    let mut x = values(300 * 3, 5);
    x.iter_mut().skip(1).step_by(3).for_each(|x| *x = 0.1);
    let labels = folder.floats("y", 1, &values(300, 6));
    let data = folder.floats("x", 3, &x);
    let files = ["--data", &data, "--labels", &labels];
    let report = folder.train("run", &[&files[..], &["--standardise", "feature"]].concat());
    let said = report["data"].as_str().unwrap();
    assert!(said.ends_with("(1 of 3 columns constant, left at zero)"), "{said}");
    assert!(folder.manifest("run")["statistics"][1].as_str().unwrap().ends_with(" 0.0"));
    x.iter_mut().skip(1).step_by(3).for_each(|x| *x = 0.0);
    let zero = folder.floats("zero", 3, &x);
    let with_zero = folder.train("run", &["--data", &zero, "--labels", &labels, "--standardise", "feature"]);
    assert_eq!(report["rules"], with_zero["rules"]);
    let pixels: Vec<i64> = (0..900).map(|i| (i * 37) % 256).collect();
    let floats: Vec<f64> = pixels.iter().map(|p| *p as f64).collect();
    let (pixels, floats) = (folder.integers("pixels", 3, &pixels), folder.floats("floats", 3, &floats));
    let run =
        |data: &str| folder.train("run", &["--data", data, "--labels", &labels, "--standardise", "global"]);
    assert_eq!(run(&pixels)["rules"], run(&floats)["rules"]);
    let same = folder.floats("same", 3, &[0.3; 900]);
    let said = folder.train("run", &["--data", &same, "--labels", &labels, "--standardise", "global"]);
    assert!(said["data"].as_str().unwrap().ends_with("(3 of 3 columns constant, left at zero)"), "{said}");
    let huge: Vec<f64> = (0..900).map(|i| if i % 2 == 0 { 1e308 } else { -1e308 }).collect();
    let huge = folder.floats("huge", 3, &huge);
    let out = folder.name("never");
    let message =
        refused(&["train", "--data", &huge, "--labels", &labels, "--standardise", "feature", "--out", &out]);
    assert!(message.contains("column 0: its mean or its deviation overflows f64"), "{message}");
}

#[test]
fn a_limit_takes_the_first_samples() {
    let folder = Folder::new();
    let (x, y) = (values(90 * 2, 7), values(90, 8));
    let (data, labels) = (folder.floats("x", 2, &x), folder.floats("y", 1, &y));
    let (first, first_labels) = (folder.floats("x50", 2, &x[..100]), folder.floats("y50", 1, &y[..50]));
    let run = |data: &str, labels: &str, more: &[&str]| {
        folder.train("run", &[&["--data", data, "--labels", labels], more].concat())
    };
    let limited = run(&data, &labels, &["--limit", "50"]);
    assert_eq!(limited["rules"], run(&first, &first_labels, &[])["rules"]);
    assert_eq!(
        limited["data"],
        "50 samples, 2 inputs, 1 output, regression; the first 50 of 90 taken; 10 held out for the test"
    );
    let more = run(&data, &labels, &["--limit", "500"]);
    assert_eq!(more["rules"], run(&data, &labels, &[])["rules"]);
    assert!(
        more["data"].as_str().unwrap().contains("no more than these, fewer than --limit 500"),
        "{}",
        more["data"]
    );
    // What is not taken is not looked at.
    let mut bad = x.clone();
    bad[160] = f64::NAN;
    let bad = folder.floats("bad", 2, &bad);
    assert_eq!(run(&bad, &labels, &["--limit", "50"])["rules"], limited["rules"]);
    let out = folder.name("never");
    let message = refused(&["train", "--data", &bad, "--labels", &labels, "--out", &out]);
    assert!(message.contains("row 80, column 0: the value is NaN"), "{message}");
    assert!(
        refused(&["train", "--data", &data, "--labels", &labels, "--limit", "0"])
            .contains("limit: expected at least 1, found 0")
    );
    // Labels of another number are no labels of these samples, however few are taken.
    let message = refused(&["train", "--data", &data, "--labels", &first_labels, "--limit", "50"]);
    assert!(message.contains("50 rows of labels for 90 samples"), "{message}");
}

#[test]
fn a_fraction_is_held_out() {
    let parts =
        |n: usize, part: f64| split(n, part, 3, None).map(|Split { train, test }| (train.len(), test.len()));
    for (n, part, expected) in
        [(100, 0.29, (71, 29)), (10, 0.999, (1, 9)), (5, 0.2, (4, 1)), (14, 0.2, (12, 2)), (2, 0.5, (1, 1))]
    {
        assert_eq!(parts(n, part), Ok(expected), "{n} {part}");
    }
    for n in 1..2000 {
        assert_eq!(parts(n, 0.2).map_or(0, |(_, test)| test), n / 5);
    }
    let none = "10 samples: holding out 0.05 of them for the test needs at least 20";
    assert_eq!(parts(10, 0.05), Err(none.to_owned()));
    let Split { mut train, test } = split(1000, 0.3, 3, None).unwrap();
    train.extend(test);
    train.sort_unstable();
    assert!(train.into_iter().eq(0..1000));
    let folder = Folder::new();
    let (data, labels) = (folder.floats("x", 2, &values(80, 9)), folder.floats("y", 1, &values(40, 10)));
    let files = ["--data", &data, "--labels", &labels];
    let run = |more: &[&str]| folder.train("run", &[&files[..], more].concat())["rules"].clone();
    assert_eq!(run(&[]), run(&["--test-fraction", "0.2"]));
    assert_ne!(run(&[]), run(&["--test-fraction", "0.4"]));
    for part in ["0", "1", "-0.5", "NaN", "1e9"] {
        let message = refused(&[&["train"], &files[..], &["--test-fraction", part]].concat());
        assert!(message.contains("test-fraction: expected more than 0 and less than 1"), "{message}");
    }
    let both = ["--test-data", &data, "--test-labels", &labels, "--test-fraction", "0.5"];
    assert!(refused(&[&["train"], &files[..], &both].concat()).contains("expected one of these"));
    assert!(refused(&["train", "--limit", "5"]).contains("--data"));
}

#[test]
fn strata_keep_the_parts_of_the_classes() {
    let strata: Vec<usize> = (0..200).map(|i| [0, 0, 0, 0, 0, 0, 1, 1, 1, 2][i % 10]).collect();
    let Split { train, test } = split(200, 0.25, 1, Some(&strata)).unwrap();
    let count = |of: &[usize], class| of.iter().filter(|i| strata[**i] == class).count();
    assert_eq!([0, 1, 2].map(|class| count(&test, class)), [30, 15, 5]);
    let mut all = [train, test].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..200));
    // Rests go to the largest first, and a class never loses its last sample.
    let uneven: Vec<usize> = [vec![0; 7], vec![1; 2], vec![2; 3]].concat();
    let Split { test, .. } = split(12, 0.5, 1, Some(&uneven)).unwrap();
    assert_eq!([0, 1, 2].map(|class| test.iter().filter(|i| uneven[**i] == class).count()), [4, 1, 1]);
    let Split { train, .. } = split(12, 0.9, 1, Some(&uneven)).unwrap();
    assert!([0, 1, 2].iter().all(|class| train.iter().any(|i| uneven[*i] == *class)));
    let folder = Folder::new();
    let data = folder.floats("x", 2, &values(40, 11));
    let mut classes: Vec<i64> = (0..20).map(|i| i % 3).collect();
    let labels = folder.integers("classes", 1, &classes);
    let report = folder.train("run", &["--data", &data, "--labels", &labels, "--stratify"]);
    assert!(
        report["data"].as_str().unwrap().ends_with("4 held out for the test by class"),
        "{}",
        report["data"]
    );
    classes[7] = 9;
    let alone = folder.integers("alone", 1, &classes);
    let message = refused(&["train", "--data", &data, "--labels", &alone, "--stratify"]);
    assert!(message.contains("one sample, --stratify needs two of each"), "{message}");
    let floats = folder.floats("y", 1, &values(20, 12));
    let message = refused(&["train", "--data", &data, "--labels", &floats, "--stratify"]);
    assert!(message.contains("no classes (integers in one column), which --stratify needs"), "{message}");
}

/// A trained network is measured on the samples that it saw, and predicted from these.
#[test]
fn measure_and_predict_take_the_samples_of_the_training() {
    let folder = Folder::new();
    let data = folder.floats("x", 3, &values(150 * 3, 13));
    let classes: Vec<i64> = (0..150).map(|i| i * i % 4).collect();
    let labels = folder.integers("y", 1, &classes);
    let preparation =
        ["--limit", "120", "--test-fraction", "0.3", "--stratify", "--standardise", "feature", "--seed", "5"];
    let files = ["--data", &data, "--labels", &labels];
    let report = folder.train("run", &[&files[..], &preparation].concat());
    let (init, weights) =
        (folder.name("run/slo/initial.safetensors"), folder.name("run/slo/final.safetensors"));
    let of_network = ["measure", "--init", &init, "--weights", &weights];
    let measured = json(&[&of_network[..], &files, &preparation].concat());
    assert_eq!(measured["samples"], 84);
    for (layer, found) in measured["layers"].as_array().unwrap().iter().enumerate() {
        let expected = &report["rules"]["slo"]["layers"][layer];
        for block in ["uncentered", "centered", "double_centered"] {
            assert_eq!(found[block]["cosine"], expected[block]["cosine"], "{block}");
        }
    }
    let notes = measured["taken"].to_string();
    assert!(notes.contains("36 held out") && notes.contains("the first 120 of 150 taken"), "{notes}");
    let whole = json(&[&of_network[..], &["--data", &data]].concat());
    assert_ne!(whole["layers"][0]["uncentered"]["cosine"], measured["layers"][0]["uncentered"]["cosine"]);
    let predicted = json(&[&["predict", "--init", &init], &files[..], &preparation].concat());
    assert_eq!(predicted["samples"], 84);
    assert!(predicted["labels"].as_str().unwrap().contains("36 held out"), "{}", predicted["labels"]);
}

/// The folder says how the samples were prepared, and nothing where they were not.
#[test]
fn verify_replays_the_preparation() {
    let folder = Folder::new();
    let x = values(60 * 2, 14);
    let (data, labels) = (folder.floats("x", 2, &x), folder.floats("y", 1, &values(60, 15)));
    let files = ["--data", &data, "--labels", &labels];
    folder.train("plain", &files);
    let config = std::fs::read_to_string(folder.path("plain/config.toml")).unwrap();
    let manifest = std::fs::read_to_string(folder.path("plain/manifest.json")).unwrap();
    assert!(!config.contains("preparation") && !manifest.contains("statistics"), "{config}{manifest}");
    folder.train("run", &[&files[..], &["--standardise", "feature", "--limit", "50"]].concat());
    let run = folder.name("run");
    assert_eq!(agop(&["verify", &run]).code, 0);
    let config = std::fs::read_to_string(folder.path("run/config.toml")).unwrap();
    assert!(config.contains("limit = 50") && config.contains("standardise = \"feature\""), "{config}");
    let manifest = std::fs::read_to_string(folder.path("run/manifest.json")).unwrap();
    let statistic = folder.manifest("run")["statistics"][1].as_str().unwrap().to_owned();
    std::fs::write(folder.path("run/manifest.json"), manifest.replace(&statistic, "0.5 2.0")).unwrap();
    let answer = agop(&["verify", &run]);
    assert!(answer.code == 1 && answer.output.contains("manifest.json: statistics"), "{answer:?}");
    std::fs::write(folder.path("run/manifest.json"), manifest).unwrap();
    let moved = folder.name("moved");
    std::fs::rename(&data, &moved).unwrap();
    assert_eq!(agop(&["verify", &run]).code, 2);
    assert_eq!(agop(&["verify", &run, "--data", &moved]).code, 0);
    let mut other = x;
    other[0] += 1.0;
    folder.floats("moved", 2, &other);
    let answer = agop(&["verify", &run, "--data", &moved]);
    assert!(answer.code == 1 && answer.output.contains("the samples are not those of the run"), "{answer:?}");
}
