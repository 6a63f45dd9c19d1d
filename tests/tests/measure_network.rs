//! `agop measure --network`: convolutions in words, from both namings, and what is refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop_tests::command::{Answer, agop, assert_nulls_explained, fixture, json};
use serde_json::Value;

const NETWORK: &str = "conv 6 3x3 pad 1, tanh, conv 8 3x3 stride 2 pad 1, tanh, \
                       conv 10 3x2 pad 1x0 dilation 1x2, tanh, flatten, linear 20, tanh, linear 10";

fn digits(file: &str) -> String {
    fixture(&format!("conv-digits/{file}"))
}

fn measure<'a>(init: &'a str, weights: &'a str, data: &'a str, network: &'a str) -> Vec<&'a str> {
    vec!["measure", "--init", init, "--weights", weights, "--data", data, "--network", network]
}

/// The oracle's numbers, from PyTorch's names and from people's; the digest is the same.
#[test]
fn every_measure_is_the_oracles_from_both_namings() {
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(digits("expected.json")).unwrap()).unwrap();
    let x = digits("x.npy");
    let mut digests = Vec::new();
    for kind in ["", "named."] {
        let (init, trained) =
            (digits(&format!("init.{kind}safetensors")), digits(&format!("trained.{kind}safetensors")));
        for (scalar, tolerance) in [("f64", 1e-9), ("f32", 1e-4)] {
            let mut call = measure(&init, &trained, &x, NETWORK);
            call.extend(["--scalar", scalar]);
            let found = json(&call);
            assert_nulls_explained(&found);
            assert_eq!(found["activation"], "tanh");
            for (layer, expected) in expected["layers"].as_array().unwrap().iter().enumerate() {
                let found = &found["layers"][layer];
                assert_eq!(found["inputs"], expected["inputs"]);
                assert_eq!(found["positions"].as_u64().unwrap_or(1), expected["positions"].as_u64().unwrap());
                let blocks = ["uncentered", "centered", "double_centered"];
                let measures = ["cosine", "pearson", "cosine_sqrt", "pearson_sqrt", "inner"];
                let mut pairs = vec![(&found["relative_change"], &expected["relative_change"])];
                for block in blocks {
                    pairs.extend(measures.map(|measure| (&found[block][measure], &expected[block][measure])));
                }
                for (found, expected) in pairs {
                    match (found.as_f64(), expected.as_f64()) {
                        (Some(found), Some(expected)) => {
                            assert!(
                                (found - expected).abs() <= tolerance * expected.abs(),
                                "{found} {expected}"
                            );
                        }
                        (found, expected) => assert_eq!(found, expected),
                    }
                }
            }
            digests.push((scalar, found["digest"].as_str().unwrap().to_owned()));
        }
    }
    assert_eq!(digests[..2], digests[2..]);
}

#[test]
fn a_file_of_the_parts_is_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.toml");
    let parts: Vec<String> = NETWORK.split(", ").map(|part| format!("{part:?}")).collect();
    std::fs::write(&path, format!("input = \"1x8x8\"\nlayers = [{}]\n", parts.join(", "))).unwrap();
    let (init, trained, x) = (digits("init.safetensors"), digits("trained.safetensors"), digits("x.npy"));
    let in_words = json(&measure(&init, &trained, &x, NETWORK));
    let file = path.to_str().unwrap();
    assert_eq!(json(&measure(&init, &trained, &x, file)), in_words);
    std::fs::write(&path, "layers = [\"conv\"]\nname = 1\n").unwrap();
    let Answer { code, messages, .. } = agop(&measure(&init, &trained, &x, file));
    assert_eq!((code, messages.matches('\n').count()), (2, 1), "{messages}");
}

/// `--certify` bounds the error of K in convolutions: the bounds hold, and the values are the same.
#[test]
fn bounds_are_proved_for_convolutions() {
    let (init, trained, x) = (digits("init.safetensors"), digits("trained.safetensors"), digits("x.npy"));
    let plain = json(&measure(&init, &trained, &x, NETWORK));
    let mut call = measure(&init, &trained, &x, NETWORK);
    call.push("--certify");
    let proved = json(&call);
    call.extend(["--scalar", "f32"]);
    let rounded = json(&call);
    for layer in 0..4 {
        let cosine = |report: &Value| report["layers"][layer]["uncentered"]["cosine"].as_f64().unwrap();
        let bound = |report: &Value| report["layers"][layer]["uncentered"]["bound"]["cosine"].as_f64();
        assert_eq!(cosine(&plain), cosine(&proved));
        assert!(bound(&proved).unwrap() < 1e-7, "{:?}", bound(&proved));
        if let Some(bound) = bound(&rounded) {
            assert!((cosine(&rounded) - cosine(&proved)).abs() <= bound);
        }
    }
}

#[test]
fn what_can_be_understood_in_two_ways_is_refused() {
    let (init, trained, x) = (digits("init.safetensors"), digits("trained.safetensors"), digits("x.npy"));
    let cases = [
        ("conv 6 3x3, tanh, linear 10", "put flatten before it"),
        ("conv 6 3x3 pad 1, tanh, flatten, conv 8 3x3", "conv takes a map"),
        ("tanh, linear 10", "an activation follows a layer"),
        ("linear 5, tanh, relu, linear 10", "a second activation"),
        ("conv 6 3x3 padding 1, tanh, flatten, linear 10", "expected stride, pad or dilation"),
        ("conv 6 3x3 pad 1 pad 2, tanh, flatten, linear 10", "pad is given twice"),
        ("conv 6 3 x 3, tanh, flatten, linear 10", "expected stride, pad or dilation, found \"x\""),
        ("conv 6 3x3 pad, tanh, flatten, linear 10", "no number"),
        ("conv 6 9x9, tanh, flatten, linear 10", "no window fits"),
        ("linear 0", "expected a number above zero"),
        ("dense 5", "expected input CxHxW, conv K RxS"),
        ("input 1x4x4, conv 6 3x3, tanh, flatten, linear 10", "input has 16 values, the samples have 64"),
        ("conv 6 3x3 pad 1, tanh, flatten, linear 10", "the network has 2 layers with weights, the file 5"),
        (
            "linear 6, tanh, linear 8, tanh, linear 10, tanh, linear 20, tanh, linear 10",
            "shape (6, 1, 3, 3), the network takes (6, 64)",
        ),
    ];
    for (network, reason) in cases {
        let Answer { code, messages, output } = agop(&measure(&init, &trained, &x, network));
        assert_eq!((code, output.as_str()), (2, ""), "{network}: {messages}");
        assert!(messages.contains(reason) && messages.matches('\n').count() == 1, "{network}: {messages}");
    }
    let mut call = measure(&init, &trained, &x, NETWORK);
    call.extend(["--activation", "relu"]);
    assert_eq!(agop(&call).code, 2);
}
