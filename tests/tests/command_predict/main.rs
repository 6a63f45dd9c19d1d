//! `agop predict`: each model answers for each hidden layer, beside what is measured; bad usage exits 2 with one line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod reports;

use agop_core::early_time::wide::DualKernel;
use agop_tests::command::{agop, fixture, json};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

/// Arguments for the digits: 1437 samples of 64 inputs and 10 targets.
fn digits(more: &[&str]) -> Vec<String> {
    let (data, labels) = (fixture("digits-relu/train_x.npy"), fixture("digits-relu/train_y.npy"));
    ["predict", "--data", &data, "--labels", &labels]
        .iter()
        .chain(more)
        .map(|text| (*text).to_owned())
        .collect()
}

fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
}

fn in_range(values: &[f64], layers: usize) {
    assert_eq!(values.len(), layers);
    assert!(values.iter().all(|rho| *rho > 0.0 && *rho <= 1.0), "{values:?}");
}

/// Writes float64 numbers as `.npy`.
fn write(folder: &Path, name: &str, rows: usize, values: &[f64]) -> String {
    let path = folder.join(name);
    agop::dataset::npy::write(&path, rows, values.len() / rows, values).unwrap();
    path.display().to_string()
}

/// One number a digit, for models with one output: the index of the largest target, shifted.
fn digit_labels(folder: &Path) -> String {
    let (n, c, y) = agop::dataset::read_matrix::<f64>(fixture("digits-relu/train_y.npy")).unwrap();
    let label = |row: &[f64]| row.iter().position(|x| *x > 0.0).unwrap() as f64 - 4.5;
    let labels: Vec<f64> = y.chunks_exact(c).map(label).collect();
    write(folder, "digit.npy", n, &labels)
}

fn largest_difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |most, x| if x > most { x } else { most })
}

/// Why: at the weights of a file nothing is random; the limit is that of an independent float64 oracle, and one small
/// step is where limit and coefficient say, up to the kinks that it crosses.
#[test]
fn limits_of_the_digits_equal_the_oracle_and_the_measured_step() {
    let init = fixture("digits-relu/init.safetensors");
    let report = json(&borrowed(&digits(&["--init", &init])));
    assert_eq!((&report["schema"], &report["model"]), (&"agop.predict/1".into(), &"limit".into()));
    assert_eq!((&report["residual"], &report["samples"]), (&"loss".into(), &1437.into()));
    assert!(report["traces"].is_null() && report["trials"].is_null() && report["high_dimension"].is_null());
    let text = std::fs::read_to_string(fixture("digits-relu/expected.json")).unwrap();
    let oracle: Value = serde_json::from_str(&text).unwrap();
    let (rho, expected) = (numbers(&report["rho"]), numbers(&oracle["early_time"]));
    in_range(&rho, 3);
    let difference = largest_difference(&rho, &expected);
    println!("limits of the digits: largest difference from the oracle {difference:.1e}");
    assert!(difference <= 1e-10, "{rho:?} {expected:?}");
    let rate = numbers(&report["rate"]);
    assert!(rate.len() == 3 && rate.iter().all(|rate| rate.is_finite() && *rate != 0.0), "{rate:?}");
    let measured = &report["measured"];
    assert!(measured["step"].as_f64().unwrap() > 0.0);
    let difference = largest_difference(&numbers(&measured["rho"]), &numbers(&measured["expected"]));
    println!("after one step: largest difference {difference:.1e}");
    assert!(difference < 2e-5, "{measured}");
    let rounded = json(&borrowed(&digits(&["--init", &init, "--scalar", "f32", "--threads", "1"])));
    assert_eq!(rounded["rho"], report["rho"], "the fixture holds f32: rounding to it changes nothing");
}

/// Why: a loss decides what the labels are as well as what the residual is. The limit is what one short step of the
/// training with the same files and the same loss then shows, for either loss and from the weights that the run left.
#[test]
fn the_limit_is_that_of_the_training_with_the_same_loss() {
    let folder = TempDir::new().unwrap();
    let name = |name: &str| folder.path().join(name).display().to_string();
    let mut rng = agop_tests::SplitMix64::new(76);
    let x: Vec<f64> = (0..40 * 6).map(|_| rng.normal()).collect();
    agop::dataset::npy::write(Path::new(&name("x.npy")), 40, 6, &x).unwrap();
    let header = "{'descr': '<i8', 'fortran_order': False, 'shape': (40,), }";
    let mut labels = b"\x93NUMPY\x01\x00".to_vec();
    labels.extend_from_slice(&(header.len() as u16 + 1).to_le_bytes());
    labels.extend_from_slice(header.as_bytes());
    labels.push(b'\n');
    (0..40_i64).for_each(|row| labels.extend_from_slice(&((row * row) % 3).to_le_bytes()));
    std::fs::write(name("y.npy"), labels).unwrap();
    let (data, labels) = (name("x.npy"), name("y.npy"));
    let files = ["--data", &data, "--labels", &labels];
    let mut limits = Vec::new();
    for loss in ["mean-squared", "cross-entropy"] {
        let out = name(loss);
        let options = ["--test-data", &data, "--test-labels", &labels, "--out", &out, "--hidden", "5,4"];
        let short = ["--rule", "gd", "--steps", "1", "--rate", "1e-5", "--scalar", "f64", "--loss", loss];
        let run = json(&[&["train"][..], &files, &options, &short].concat());
        let layers = run["rules"]["gd"]["layers"].as_array().unwrap();
        let trained: Vec<f64> =
            layers.iter().map(|layer| layer["centered"]["cosine"].as_f64().unwrap()).collect();
        let init = format!("{out}/gd/initial.safetensors");
        let predicted = json(&[&["predict"][..], &files, &["--init", &init, "--loss", loss]].concat());
        let predicted = numbers(&predicted["rho"]);
        let difference = largest_difference(&trained, &predicted);
        assert!(difference < 1e-5, "{loss}: {trained:?} {predicted:?}");
        limits.push(predicted);
    }
    assert!(largest_difference(&limits[0], &limits[1]) > 1e-4, "{limits:?}");
    // As in training, cross-entropy is for classes.
    let answer = agop(
        &[
            &["predict", "--data", &data, "--labels", &data][..],
            &["--hidden", "4", "--model", "limit"],
            &["--loss", "cross-entropy"],
        ]
        .concat(),
    );
    assert_eq!(answer.code, 2);
    assert!(answer.messages.contains("x.npy: labels: cross-entropy needs classes"), "{}", answer.messages);
}

/// Why: the networks that are drawn have the widths given and converge to the prediction as these grow; the seed decides
/// every draw.
#[test]
fn the_wide_model_stands_beside_drawn_networks() {
    let (data, labels) = (fixture("digits-relu/test_x.npy"), fixture("digits-relu/test_y.npy"));
    let run = |more: &[&str]| json(&[&["predict", "--data", &data, "--labels", &labels][..], more].concat());
    let report = run(&["--hidden", "16,16,16", "--trials", "6", "--seed", "5"]);
    assert_eq!((&report["model"], &report["residual"]), (&"wide".into(), &"labels".into()));
    assert!(report["rate"].is_null() && report["traces"].is_null() && report["measured"].is_null());
    let rho = numbers(&report["rho"]);
    in_range(&rho, 3);
    let trials = &report["trials"];
    assert_eq!((&trials["count"], &trials["seed"]), (&6.into(), &5.into()));
    in_range(&numbers(&trials["mean"]), 3);
    assert!(numbers(&trials["deviation"]).iter().all(|deviation| *deviation > 0.0));
    assert_eq!(run(&["--hidden", "16,16,16", "--trials", "6", "--seed", "5"]), report);
    let other = run(&["--hidden", "16,16,16", "--trials", "6", "--seed", "6"]);
    assert_eq!(other["rho"], report["rho"]);
    assert_ne!(other["trials"]["mean"], trials["mean"]);
    // Only the number of layers decides the prediction, however they are given.
    let init = fixture("digits-relu/init.safetensors");
    let none = run(&["--init", &init, "--model", "wide", "--trials", "0"]);
    assert_eq!(none["rho"], report["rho"]);
    assert!(none["trials"].is_null());
    assert_eq!(none["widths"], serde_json::json!([64, 128, 128, 128, 10]));
    let wider = run(&["--hidden", "256,256,256", "--trials", "6"]);
    let distance =
        |report: &Value| largest_difference(&numbers(&report["rho"]), &numbers(&report["trials"]["mean"]));
    println!("distance of the mean {:.3} at width 16, {:.3} at 256", distance(&report), distance(&wider));
    assert!(distance(&wider) < 0.6 * distance(&report));
}

/// The training digits, in every layer.
#[test]
fn the_wide_model_answers_for_the_training_digits() {
    let report = json(&borrowed(&digits(&["--hidden", "1,1,1", "--trials", "0"])));
    in_range(&numbers(&report["rho"]), 3);
}

/// Every activation with a dual kernel is predicted; where the command knows no network of it, the reason is given.
#[test]
fn the_wide_model_knows_every_dual_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = agop_tests::SplitMix64::new(3);
    let (x, y) =
        (write(folder.path(), "x", 20, &rng.normals(80)), write(folder.path(), "y", 20, &rng.normals(20)));
    for kernel in DualKernel::ALL {
        let arguments =
            ["predict", "--data", &x, "--labels", &y, "--hidden", "9,9", "--activation", kernel.name()];
        let report = json(&arguments);
        in_range(&numbers(&report["rho"]), 2);
        assert_eq!(report["trials"].is_null(), report["why"]["trials"].is_string(), "{report}");
        let drawn = agop_core::activation::AnyActivation::from_name(kernel.name()).is_some();
        assert_eq!(report["trials"].is_null(), !drawn, "{report}");
    }
}

/// Why: the expectation over Gaussian weights is exact, and on 64 inputs the mean ratio of draws is near the ratio of means.
#[test]
fn the_quadratic_model_stands_beside_its_trials() {
    let folder = tempfile::tempdir().unwrap();
    let labels = digit_labels(folder.path());
    let signs: Vec<f64> = (0..256).map(|i| if i % 3 == 0 { -1.0 } else { 1.0 }).collect();
    let data = fixture("digits-relu/train_x.npy");
    let mut rhos = Vec::new();
    for (name, rows) in [("a-column", 256), ("a-row", 1)] {
        let readout = write(folder.path(), name, rows, &signs);
        let arguments =
            ["predict", "--data", &data, "--labels", &labels, "--readout", &readout, "--trials", "40"];
        let report = json(&arguments);
        assert_eq!((&report["model"], &report["rate"]), (&"quadratic".into(), &Value::Null));
        let (rho, trials) = (numbers(&report["rho"]), &report["trials"]);
        in_range(&rho, 1);
        let (mean, deviation) = (numbers(&trials["mean"])[0], numbers(&trials["deviation"])[0]);
        println!("quadratic: {:.4}, drawn {mean:.4} +- {deviation:.4}", rho[0]);
        assert!((mean - rho[0]).abs() < deviation && deviation < 0.1, "{report}");
        let trace = |key: &str| report["traces"][key].as_f64().unwrap();
        let ratio = trace("fg") / (trace("ff").sqrt() * trace("gg").sqrt());
        assert!((ratio - rho[0]).abs() < 1e-14, "{ratio} {rho:?}");
        assert!(report["high_dimension"]["neglected"]["gg"].as_f64().unwrap() > 0.0);
        rhos.push(report["rho"].clone());
    }
    assert_eq!(rhos[0], rhos[1], "k entries as a column or a row");
    // A Gaussian readout in expectation is another prediction.
    let arguments =
        ["predict", "--data", &data, "--labels", &labels, "--hidden", "256", "--model", "quadratic"];
    assert_ne!(json(&arguments)["rho"], rhos[0]);
    let huge = write(folder.path(), "huge", 1437, &vec![1e100; 1437]);
    let arguments = ["predict", "--data", &data, "--labels", &huge, "--hidden", "9", "--model", "quadratic"];
    let report = json(&arguments);
    assert!(report["traces"]["gg"].is_null() && report["why"]["traces.gg"].is_string(), "{report}");
    assert!(report["rho"][0].is_number());
}
