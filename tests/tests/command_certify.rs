//! `agop measure` with bounds: what they cover, how tight they are, and where there is none.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop_tests::command::{fixture, json};
use agop_tests::{Fixed, Rational};
use num_bigint::BigInt;
use num_rational::BigRational;
use serde_json::Value;

const BLOCKS: [&str; 3] = ["uncentered", "centered", "double_centered"];

fn digits(options: &[&str]) -> Value {
    let file = |name: &str| fixture(&format!("digits-relu/{name}"));
    let (init, weights) = (file("init.safetensors"), file("trained.safetensors"));
    let data = file("train_x.npy");
    let arguments = ["measure", "--init", &init, "--weights", &weights, "--data", &data];
    json(&[&arguments[..], options].concat())
}

fn layers(report: &Value) -> &Vec<Value> {
    report["layers"].as_array().unwrap()
}

/// All bounds of a report that are numbers, in order.
fn bounds(report: &Value, keys: &[&str]) -> Vec<f64> {
    let blocks = layers(report).iter().flat_map(|layer| BLOCKS.map(|block| &layer[block]["bound"]));
    blocks.flat_map(|bound| keys.iter().filter_map(|key| bound[*key].as_f64()).collect::<Vec<_>>()).collect()
}

/// Every cosine and Pearson of the digits has a bound below 1e-9, plain and certified, and a certified root has one.
#[test]
fn digits_are_bounded() {
    let larger = |most: f64, bound: &f64| if *bound > most { *bound } else { most };
    let largest = |bounds: &[f64]| bounds.iter().fold(0.0, larger);
    for options in [&[][..], &["--certify"]] {
        let report = digits(options);
        let found = bounds(&report, &["cosine", "pearson"]);
        assert_eq!(found.len(), 18, "{options:?}");
        assert!(largest(&found) < 1e-9, "{options:?}: {found:?}");
        let roots = bounds(&report, &["cosine_sqrt", "pearson_sqrt"]);
        println!("{options:?}: at most {:.1e}, roots at most {:.1e}", largest(&found), largest(&roots));
        assert_eq!(roots.len(), if options.is_empty() { 0 } else { 12 });
        assert!(largest(&roots) < 1e-4, "{roots:?}");
        if options.is_empty() {
            let reason = &layers(&report)[0]["uncentered"]["why"]["bound.cosine_sqrt"];
            assert_eq!(reason, "no bound was asked for: it needs --certify");
        }
    }
}

/// The bounds do not depend on the threads.
#[test]
fn threads_change_no_bound() {
    let [one, three] = ["1", "3"].map(|threads| digits(&["--certify", "--threads", threads]));
    assert_eq!(one, three);
}

/// Digits of a decimal fraction as a rational.
fn decimal(text: &str) -> Fixed {
    let (whole, fraction) = text.split_once('.').unwrap();
    let digits: BigInt = format!("{whole}{fraction}").parse().unwrap();
    let negative = whole.starts_with('-') && !digits.to_string().starts_with('-');
    let digits = if negative { -digits } else { digits };
    Fixed::from_rational(&Rational(BigRational::new(digits, BigInt::from(10).pow(fraction.len() as u32))))
}

/// Where K - K_0 cancels, the exact value (240-bit arithmetic) is within the bound, and the bound is far below the value.
#[test]
fn what_cancels_is_within_its_bound() {
    let file = |name: &str| fixture(&format!("silent/{name}"));
    let (init, weights) = (file("near.init.safetensors"), file("near.trained.safetensors"));
    let arguments = ["measure", "--init", &init, "--weights", &weights, "--data", &file("x.npy")];
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(file("expected.json")).unwrap()).unwrap();
    for options in [&[][..], &["--certify"]] {
        let report = json(&[&arguments[..], options].concat());
        let exact = expected["near"]["double_centered_cosine"].as_array().unwrap();
        for (layer, exact) in layers(&report).iter().zip(exact) {
            let block = &layer["double_centered"];
            let (value, bound) =
                (block["cosine"].as_f64().unwrap(), block["bound"]["cosine"].as_f64().unwrap());
            let error = (Fixed::from_f64(value) - decimal(exact.as_str().unwrap())).abs().to_f64();
            assert!(error <= bound && bound < 1e-5, "{options:?}: error {error:e}, bound {bound:e}");
        }
    }
    // Rounded to f32 on reading, the weights differ by no more than their rounding: no bound, and no wrong one.
    let report = json(&[&arguments[..], &["--scalar", "f32"]].concat());
    for layer in layers(&report) {
        let block = &layer["double_centered"];
        assert_eq!((&block["bound"]["cosine"], &block["bound"]["pearson"]), (&Value::Null, &Value::Null));
        assert!(block["why"]["bound.cosine"].as_str().unwrap().starts_with("no bound below one"), "{block}");
        assert!(layer["uncentered"]["bound"]["cosine"].as_f64().unwrap() < 1e-3);
    }
}

/// A network 2 - 2 - 2 - 1 and samples in files; returns the report of the uncentred correlations.
fn small(weights: [f64; 10], x: &[f64], options: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    agop::checkpoint::write(path("w"), &[2, 2, 2, 1], false, &weights).unwrap();
    agop::dataset::npy::write(path("x"), x.len() / 2, 2, x).unwrap();
    json(&[&["measure", "--weights", &path("w"), "--data", &path("x")], options].concat())
}

/// A unit within rounding of the kink leaves no plain bound and is counted both ways by the certificate; one whose products
/// are all exactly zero is certain.
#[test]
fn units_of_uncertain_slope() {
    let weights = [0.1, 0.2, 1.0, 1.0, 0.7, -0.4, 0.3, 0.9, 1.0, 0.5];
    // 0.1 a + 0.2 b is zero but for rounding.
    let x = [0.5, 1.5, 2.0_f64.next_up(), -1.0, 1.0, 0.25];
    let bound = |report: &Value| layers(report)[0]["uncentered"]["bound"]["cosine"].as_f64();
    let report = small(weights, &x, &[]);
    assert_eq!(bound(&report), None);
    let reason = layers(&report)[0]["uncentered"]["why"]["bound.cosine"].as_str().unwrap();
    assert!(reason.contains("slope is uncertain; --certify counts it both ways"), "{reason}");
    assert!(layers(&report)[1]["uncentered"]["bound"]["cosine"].as_f64().unwrap() < 1e-12);
    let certified = bound(&small(weights, &x, &["--certify"])).unwrap();
    assert!((1e-4..1.0).contains(&certified), "{certified:e}");
    // No product of the first unit, no doubt.
    let dead = [0.0, 0.2, 1.0, 1.0, 0.7, -0.4, 0.3, 0.9, 1.0, 0.5];
    let x = [0.5, 1.5, 2.0, 0.0, 1.0, 0.25];
    for options in [&[][..], &["--certify"]] {
        assert!(bound(&small(dead, &x, options)).unwrap() < 1e-12);
    }
}

/// Controls stand beside each number: at the initial weights the same measurement gives the same; the covariance is that of
/// NumPy (`cov` of each layer's inputs, in float64).
#[test]
fn controls_are_what_they_say() {
    let file = |name: &str| fixture(&format!("digits-relu/{name}"));
    let (init, data) = (file("init.safetensors"), file("train_x.npy"));
    let report = digits(&[]);
    let initial = json(&["measure", "--weights", &init, "--data", &data]);
    let numpy = [0.509259514409961, 0.39147916734207855, 0.3416448118883881];
    for ((layer, initial), expected) in layers(&report).iter().zip(layers(&initial)).zip(numpy) {
        assert_eq!(layer["controls"]["initial_cosine"], initial["uncentered"]["cosine"]);
        assert!(initial["controls"]["why"]["initial_cosine"].is_string());
        let covariance = layer["controls"]["covariance_cosine"].as_f64().unwrap();
        assert!((covariance - expected).abs() < 1e-12, "{covariance}, expected {expected}");
    }
}
