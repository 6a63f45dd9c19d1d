//! Small inputs that other tools, and this one once, read wrongly without a word: each gives the right answer or a refusal
//! that names the cause.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_tests::command::{agop, fixture, json};
use serde_json::Value;

fn silent(name: &str) -> String {
    fixture(&format!("silent/{name}"))
}

fn expected(name: &str) -> Value {
    let text = std::fs::read_to_string(silent("expected.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()[name].clone()
}

fn uncentered(report: &Value) -> Vec<f64> {
    let layers = report["layers"].as_array().unwrap();
    layers.iter().map(|layer| layer["uncentered"]["cosine"].as_f64().unwrap()).collect()
}

fn assert_near(found: &[f64], expected: &Value) {
    let expected: Vec<f64> = expected.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= 1e-12, "{found} {expected}");
    }
}

/// The framework's own outputs tell the network from the one with transposed weights, which no file can.
#[test]
fn outputs_tell_transposed_weights() {
    let (x, z) = (silent("x.npy"), silent("outputs.npy"));
    let straight = silent("straight.safetensors");
    let report = json(&["measure", "--weights", &straight, "--data", &x, "--outputs", &z]);
    assert_near(&uncentered(&report), &expected("straight")["uncentered_cosine"]);
    assert!(report["outputs"]["largest_difference"].as_f64().unwrap() < 1e-7, "{}", report["outputs"]);
    let transposed = silent("transposed.safetensors");
    let answer = agop(&["measure", "--weights", &transposed, "--data", &x, "--outputs", &z]);
    assert_eq!((answer.code, answer.output.as_str()), (2, ""));
    assert!(answer.messages.starts_with(&format!("agop: {z}: row 11, column 0: ")), "{answer:?}");
    let cause = "they agree when the square weights of l0, l1, l2 are transposed";
    assert!(answer.messages.contains(cause), "{answer:?}");
}

/// Names that do not tell the order are refused; with the order given the network is that of the expected values, and
/// another order is not that of the outputs.
#[test]
fn the_order_is_given_or_refused() {
    let (weights, x, z) = (silent("order.safetensors"), silent("x.npy"), silent("outputs.npy"));
    let order = "block1.lin2,block2.lin1,block3.lin3,head.lin4";
    let arguments = ["measure", "--weights", &weights, "--data", &x, "--outputs", &z];
    let answer = agop(&arguments);
    assert_eq!((answer.code, answer.output.as_str()), (2, ""));
    assert!(answer.messages.contains("--layers"), "{answer:?}");
    let report = json(&[&arguments[..], &["--layers", order, "--init", &weights]].concat());
    assert_near(&uncentered(&report), &expected("order")["uncentered_cosine"]);
    let names = report["layers"].as_array().unwrap().iter().map(|layer| layer["name"].as_str().unwrap());
    let right = expected("order")["layers"].clone();
    let right =
        right.as_array().unwrap().iter().map(|name| name.as_str().unwrap().trim_end_matches(".weight"));
    assert!(names.eq(right.take(3)), "{report}");
    let network = "block1.lin2 8->8, relu, block2.lin1 8->8, relu, block3.lin3 8->8, relu, head.lin4 8->2";
    assert_eq!(report["network"], network);
    let other = "block2.lin1,block1.lin2,block3.lin3,head.lin4";
    let answer = agop(&[&arguments[..], &["--layers", other]].concat());
    assert!(answer.messages.ends_with(&format!("(--layers {order})\n")), "{answer:?}");
}

/// A tied layer is a layer, though its matrix stands in the file once.
#[test]
fn tied_layers_are_two() {
    let x = silent("x.npy");
    for name in ["tied", "tied.spelled"] {
        let weights = silent(&format!("{name}.safetensors"));
        let report = json(&["measure", "--weights", &weights, "--data", &x]);
        assert_near(&uncentered(&report), &expected("tied")["uncentered_cosine"]);
    }
}

/// Whatever integers and shape spell the classes, the runs are the same, and each says what it understood.
#[test]
fn labels_are_classes() {
    let folder = tempfile::tempdir().unwrap();
    let x = silent("x.npy");
    let mut digests = Vec::new();
    for (name, classes) in [
        ("labels", "3 classes 0..2"),
        ("labels_n1", "3 classes 0..2"),
        ("labels_from_one", "3 classes 1..3 numbered 0..2"),
        ("labels_gaps", "3 classes 0, 50, 100 numbered 0..2"),
    ] {
        let labels = silent(&format!("{name}.npy"));
        let out = folder.path().join(name).display().to_string();
        let samples = ["--data", &x, "--labels", &labels, "--hidden", "8"];
        let report = json(&[&["train"], &samples[..], &["--steps", "5", "--out", &out]].concat());
        let understood =
            format!("50 samples, 8 inputs, {classes}, one-hot minus 1/3; 10 held out for the test");
        assert_eq!(report["data"], understood);
        digests.push(report["rules"]["gd"]["digest"].clone());
        assert_eq!(agop(&["verify", &out]).code, 0);
        let report = json(&[&["predict"], &samples[..], &["--trials", "0"]].concat());
        assert_eq!(
            (&report["widths"][2], &report["labels"]),
            (&3.into(), &format!("{classes}, one-hot minus 1/3").into())
        );
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "{digests:?}");
}

/// Unscaled pixels kill a network at the default rate: that is said before, for the cause, and after.
#[test]
fn pixels_are_noted_before_and_the_dead_network_after() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).display().to_string();
    let (x, labels) = (silent("pixels.npy"), silent("labels.npy"));
    let common = ["train", "--data", &x, "--labels", &labels, "--hidden", "16,16", "--rule", "gd"];
    let dying = |out: &str| [&common[..], &["--steps", "3", "--out", out]].concat().join("\n");
    let run = |out: &str, json: bool| {
        let line = dying(out);
        let mut arguments: Vec<&str> = line.split('\n').collect();
        arguments.extend(json.then_some("--json"));
        agop(&arguments)
    };
    let scale = "note: the inputs have root mean square 148.06, far from 1: divide them";
    let dead = "gd layer 0, gd layer 1 are dead: all their units are zero on all samples";
    let answer = run(&name("table"), false);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.messages.starts_with(scale), "{answer:?}");
    assert!(answer.output.contains(scale) && answer.output.contains(dead), "{}", answer.output);
    let report: Value = serde_json::from_str(&run(&name("json"), true).output).unwrap();
    assert_eq!(report["notes"].as_array().unwrap().len(), 2, "{}", report["notes"]);
    let file = |name: &str| format!("{}/gd/{name}.safetensors", folder.path().join("table").display());
    let report = json(&["measure", "--weights", &file("final"), "--data", &x]);
    let notes: Vec<&str> =
        report["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    assert!(notes[0].starts_with("the inputs have root mean square 148.36, far from 1"), "{notes:?}");
    assert!(notes[1].starts_with("layer 0, layer 2 are dead"), "{notes:?}");
    // The initial network lives.
    let report = json(&["measure", "--weights", &file("initial"), "--data", &x]);
    assert_eq!(report["notes"].as_array().unwrap().len(), 1);
}
