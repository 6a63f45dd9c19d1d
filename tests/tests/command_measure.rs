//! `agop measure` and `agop digest` on a trained network, against an independent float64 oracle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_tests::command::{agop, fixture, json};
use serde_json::Value;

fn measured(scalar: &str) -> Value {
    json(&[
        "measure",
        "--init",
        &fixture("digits-relu/init.safetensors"),
        "--weights",
        &fixture("digits-relu/trained.safetensors"),
        "--data",
        &fixture("digits-relu/train_x.npy"),
        "--scalar",
        scalar,
    ])
}

fn expected() -> Value {
    let text = std::fs::read_to_string(fixture("digits-relu/expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The value that the oracle's key names: `uncentered_cosine` is `uncentered.cosine`.
fn find<'v>(layer: &'v Value, key: &str) -> &'v Value {
    let block = ["uncentered", "centered", "double_centered"]
        .into_iter()
        .find_map(|block| Some(&layer[block][key.strip_prefix(block)?.strip_prefix('_')?]));
    block.unwrap_or(&layer[key])
}

/// The largest relative difference over every key of every layer.
fn difference(measured: &Value) -> f64 {
    let expected = expected();
    let layers = expected["correlations"].as_array().unwrap();
    assert_eq!(layers.len(), measured["layers"].as_array().unwrap().len());
    let mut most = 0.0;
    let mut keys = 0;
    for (expected, found) in layers.iter().zip(measured["layers"].as_array().unwrap()) {
        for (key, expected) in expected.as_object().unwrap() {
            let expected = expected.as_f64().unwrap();
            let found = find(found, key).as_f64().unwrap_or_else(|| panic!("{key}: no number"));
            let relative = if found == expected { 0.0 } else { ((found - expected) / expected).abs() };
            most = if relative > most { relative } else { most };
            keys += 1;
        }
    }
    assert_eq!(keys, 33, "eleven keys a layer");
    most
}

#[test]
fn every_key_equals_the_oracle_in_f64() {
    let most = difference(&measured("f64"));
    println!("largest relative difference, f64: {most:e}");
    assert!(most <= 1e-9, "{most:e}");
}

#[test]
fn every_key_equals_the_oracle_in_f32() {
    let most = difference(&measured("f32"));
    println!("largest relative difference, f32: {most:e}");
    assert!(most <= 1e-5, "{most:e}");
    // A comparison that no rounding could fail would not be one.
    assert!(most > 1e-12, "f32 was not used");
}

/// The object's form: what programs read does not change unnoticed.
#[test]
fn the_object_has_exactly_its_keys() {
    let report = measured("f64");
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let sorted = |keys: &[&str]| {
        let mut keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        keys.sort();
        keys
    };
    let top = ["schema", "samples", "scalar", "activation", "contract", "digest", "layers"];
    let top = [&top[..], &["network", "outputs", "notes", "why"]].concat();
    assert_eq!(keys(&report), sorted(&top));
    assert_eq!(report["schema"], "agop.measure/1");
    assert_eq!((&report["samples"], &report["contract"]), (&Value::from(1437), &Value::from(1)));
    assert_eq!((&report["scalar"], &report["activation"]), (&Value::from("f64"), &Value::from("relu")));
    // Of weights, initial weights and samples; another network or other samples have another.
    let digest = "sha256:8c063d57377e12f18bb7e8504d7fc7589d3ea21892a03670488c6716e4078e85";
    assert_eq!(report["digest"], digest);
    let network =
        "layers.0 64->128, relu, layers.2 128->128, relu, layers.4 128->128, relu, layers.6 128->10";
    assert_eq!((&report["network"], &report["notes"]), (&Value::from(network), &Value::Array(vec![])));
    assert!(report["outputs"].is_null() && report["why"]["outputs"].is_string());
    let layer_keys = [
        "angles",
        "controls",
        "name",
        "layer",
        "inputs",
        "outputs",
        "relative_change",
        "uncentered",
        "centered",
        "double_centered",
    ];
    let measures = ["cosine", "pearson", "cosine_sqrt", "pearson_sqrt"];
    for (index, layer) in report["layers"].as_array().unwrap().iter().enumerate() {
        assert_eq!(keys(layer), sorted(&layer_keys));
        assert_eq!(
            (&layer["layer"], &layer["name"]),
            (&index.into(), &format!("layers.{}", 2 * index).into())
        );
        for name in ["uncentered", "centered", "double_centered"] {
            let block = &layer[name];
            assert_eq!(keys(block), sorted(&[&measures[..], &["inner", "bound", "why"]].concat()));
            assert_eq!(keys(&block["bound"]), sorted(&measures));
            assert!(block["inner"].is_f64());
            // What is null is explained, and only that.
            for (values, prefix) in [(block, ""), (&block["bound"], "bound.")] {
                for key in measures {
                    let why = block["why"].get(format!("{prefix}{key}"));
                    assert_eq!(values[key].is_null(), why.is_some(), "{name} {prefix}{key}");
                }
            }
        }
        assert!(layer["uncentered"]["bound"]["cosine"].as_f64().unwrap() < 1e-9);
        assert!(layer["uncentered"]["bound"]["cosine_sqrt"].is_null());
        assert!(layer["double_centered"]["cosine_sqrt"].is_null());
    }
}

/// With W = W_0 nothing has moved: the centred correlations are undefined, said with a reason, and no failure.
#[test]
fn an_untrained_network_has_no_centred_correlation() {
    let init = fixture("digits-relu/init.safetensors");
    let data = fixture("digits-relu/test_x.npy");
    let report = json(&["measure", "--init", &init, "--weights", &init, "--data", &data]);
    for layer in report["layers"].as_array().unwrap() {
        assert_eq!(layer["relative_change"], 0.0);
        for block in ["centered", "double_centered"] {
            assert!(layer[block]["cosine"].is_null());
            assert!(layer[block]["why"]["cosine"].as_str().unwrap().len() > 10);
        }
        assert!(layer["uncentered"]["cosine"].is_f64());
    }
}

/// Without the weights before training the uncentred correlations are the same, and all that needs them says so.
#[test]
fn the_initial_weights_may_be_missing() {
    let (weights, data) = (fixture("digits-relu/trained.safetensors"), fixture("digits-relu/train_x.npy"));
    let arguments = ["measure", "--weights", &weights, "--data", &data];
    let report = json(&arguments);
    let whole = measured("f64");
    agop_tests::command::assert_nulls_explained(&report);
    assert_ne!(report["digest"], whole["digest"]);
    for (layer, whole) in report["layers"].as_array().unwrap().iter().zip(whole["layers"].as_array().unwrap())
    {
        assert_eq!(layer["uncentered"], whole["uncentered"]);
        let reason = "needs --init: the weights before training";
        assert_eq!(
            (&layer["relative_change"], &layer["why"]["relative_change"]),
            (&Value::Null, &reason.into())
        );
        for block in ["centered", "double_centered"] {
            for key in ["cosine", "pearson", "cosine_sqrt", "pearson_sqrt", "inner"] {
                assert_eq!((&layer[block][key], &layer[block]["why"][key]), (&Value::Null, &reason.into()));
            }
        }
    }
    let table = agop(&arguments).output;
    let reason = "centered, double-centered, relative change (layers.0, layers.2, layers.4): needs --init";
    assert!(table.contains(reason), "{table}");
    // Nothing else is missing.
    assert!(!table.contains("  - ") && table.matches("\n- ").count() == 2, "{table}");
}

/// Weights of a network 2 - 2 - 2 - 1 in a file.
fn weights(folder: &tempfile::TempDir, name: &str, values: [f64; 10]) -> String {
    let path = folder.path().join(name);
    agop::checkpoint::write(&path, &[2, 2, 2, 1], false, &values).unwrap();
    path.display().to_string()
}

/// Why: a pre-activation that overflows on the way has lost its value and even its sign, and an activation that
/// saturates would turn it into a plain number. Here the true values are small in f64.
#[test]
fn what_overflows_inside_the_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = [1e25, 0.0, 0.0, 1e25];
    let now = weights(
        &folder,
        "now",
        [&first[..], &[-4e14, 8e14, -4e14, 4.1e14, 1e-39, 1e-39]].concat().try_into().unwrap(),
    );
    let before = weights(&folder, "before", [1.0, 0.5, 0.25, 1.0, 1.0, 0.5, 0.25, 1.0, 1.0, 1.0]);
    let data = ones(&folder);
    for activation in ["relu", "tanh", "sigmoid", "softplus", "silu", "gelu", "linear", "quadratic"] {
        let arguments =
            ["measure", "--init", &before, "--weights", &now, "--data", &data, "--activation", activation];
        let answer = agop(&[&arguments[..], &["--scalar", "f32"]].concat());
        let saturated = ["tanh", "sigmoid"].contains(&activation);
        assert_eq!(answer.code, if saturated { 0 } else { 2 }, "{activation}: {answer:?}");
        assert!(saturated || answer.messages.starts_with(&format!("agop: {now}: network: ")), "{answer:?}");
        let answer = agop(&[&arguments[..], &["--scalar", "f64"]].concat());
        assert_eq!(answer.code, 0, "{activation}: {answer:?}");
    }
}

/// Every null has a reason: the weights are zero, the change or the inner product overflows.
#[test]
fn what_is_missing_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let init = weights(&folder, "init", [1e10; 10]);
    let data = ones(&folder);
    for (name, values) in [
        ("zero", [0.0; 10]),
        ("tiny", [1e-300; 10]),
        ("large", [1e80, 1e80, 1e80, 1e80, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
    ] {
        let now = weights(&folder, name, values);
        let report =
            json(&["measure", "--init", &init, "--weights", &now, "--data", &data, "--activation", "linear"]);
        agop_tests::command::assert_nulls_explained(&report);
        let layer = &report["layers"][0];
        assert_eq!(layer["relative_change"].is_null(), name != "large", "{layer}");
        assert_eq!(layer["why"].is_null(), name == "large", "{layer}");
        assert_eq!(layer["uncentered"]["inner"].is_null(), name == "large", "{layer}");
        let table =
            agop(&["measure", "--init", &init, "--weights", &now, "--data", &data, "--activation", "linear"]);
        assert!(!table.output.contains("inf") && !table.output.contains("NaN"), "{}", table.output);
    }
}

fn ones(folder: &tempfile::TempDir) -> String {
    let data = folder.path().join("x.npy");
    agop::dataset::npy::write(&data, 3, 2, &[1.0; 6]).unwrap();
    data.display().to_string()
}

/// The same numbers, whatever the threads and the spelling; another scalar, another digest.
#[test]
fn threads_change_nothing() {
    let init = fixture("digits-relu/init.safetensors");
    let (weights, data) = (fixture("digits-relu/trained.safetensors"), fixture("digits-relu/train_x.npy"));
    let arguments = ["measure", "--init", &init, "--weights", &weights, "--data", &data];
    let one = json(&[&arguments[..], &["--threads", "1"]].concat());
    for threads in ["2", "3", "6", "64"] {
        assert_eq!(json(&[&arguments[..], &["--threads", threads]].concat()), one);
    }
    assert_ne!(measured("f32")["digest"], one["digest"]);
}

/// Why: a digest stands for a network. Equal numbers in another layout are another network.
#[test]
fn a_digest_sees_the_layout() {
    let folder = tempfile::tempdir().unwrap();
    let numbers: Vec<f64> = (0..12).map(|i| f64::from(i * 5 % 12) / 8.0 - 0.5).collect();
    let data = ones(&folder);
    let mut digests = std::collections::BTreeSet::new();
    for (widths, bias) in [([2, 3, 2], false), ([2, 2, 4], false), ([2, 4, 1], false), ([2, 2, 2], true)] {
        let path = folder.path().join("network").display().to_string();
        agop::checkpoint::write(&path, &widths, bias, &numbers).unwrap();
        let report = json(&["measure", "--init", &path, "--weights", &path, "--data", &data]);
        digests.insert(report["digest"].as_str().unwrap().to_owned());
    }
    assert_eq!(digests.len(), 4, "{digests:?}");
}

#[test]
fn people_get_a_table() {
    let init = fixture("digits-relu/init.safetensors");
    let (weights, data) = (fixture("digits-relu/trained.safetensors"), fixture("digits-relu/test_x.npy"));
    let answer = agop(&["measure", "--init", &init, "--weights", &weights, "--data", &data]);
    assert_eq!((answer.code, answer.messages.as_str()), (0, ""));
    assert!(answer.output.starts_with("360 samples, relu activation, f64, sha256:"), "{}", answer.output);
    assert_eq!(answer.output.matches("double-centered  0.").count(), 3);
    // The row of names is as wide as the names are, and what is missing has its reason.
    assert!(answer.output.contains("\nlayers.4  128x128  centered         0.8"), "{}", answer.output);
    let reason = "- double-centered cos sqrt, pear sqrt (layers.0, layers.2, layers.4): undefined: K (or its";
    assert!(answer.output.contains(reason), "{}", answer.output);
    let network = "layers.4 128->128, relu, layers.6 128->10; not compared with the network's own outputs\n";
    assert!(answer.output.contains(network), "{}", answer.output);
    assert!(answer.output.contains("bound: of the error of the number before it"), "{}", answer.output);
}

/// One digest for equal numbers in both formats, another for other shapes.
#[test]
fn digests_are_of_numbers_not_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let values = [1.5_f32, -0.0, 3.25, 1e-40, 5.0, 6.0];
    agop::dataset::npy::write(path("a.npy"), 2, 3, &values).unwrap();
    agop::dataset::npy::write(path("b.npy"), 3, 2, &values).unwrap();
    agop::checkpoint::write(path("c.safetensors"), &[3, 2], false, &values).unwrap();
    let report = json(&["digest", &path("a.npy"), &path("b.npy"), &path("c.safetensors")]);
    let digest = |index: usize| report["files"][index]["digest"].clone();
    assert_eq!(digest(0), digest(2));
    assert_ne!(digest(0), digest(1));
    assert_eq!(report["files"][2]["tensors"][0]["name"], "0.weight");
    // Written down once: other machines must say the same.
    let answer = agop(&["digest", &path("a.npy")]);
    assert_eq!(answer.output, format!("{}  {}\n", digest(0).as_str().unwrap(), path("a.npy")));
    assert_eq!(digest(0), "sha256:eb97ba0cf8970da06f5fbcf61bfa754f15e7deefd222f38a6630904e4253c580");
}

/// Why: names come from other people's files, and a change of 1e190 was once printed in full.
#[test]
fn rows_stay_aligned_and_short() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).display().to_string();
    let long = "model.\nencoder.blocks.with_a_name_that_nobody_can_read.dense.0.weight";
    let (first, second, third) = (long, long.replace(".0.", ".1."), long.replace(".0.", ".2."));
    let file = |scale: f64| {
        let bytes: Vec<u8> = [1.0, 0.5, -0.25, 1.0].iter().flat_map(|w| (scale * w).to_le_bytes()).collect();
        let tensor = |name, shape, bytes| (name, "F64", shape, bytes);
        agop_tests::weights::typed(
            &[],
            &[
                tensor(first, &[2, 2][..], &bytes[..]),
                tensor(second.as_str(), &[2, 2], &bytes),
                tensor(third.as_str(), &[1, 2], &bytes[..16]),
            ],
        )
    };
    std::fs::write(name("init"), file(1e10)).unwrap();
    std::fs::write(name("now"), file(1e-180)).unwrap();
    let data = ones(&folder);
    let answer = agop(&["measure", "--init", &name("init"), "--weights", &name("now"), "--data", &data]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.output.contains("        1.000e190  "), "{}", answer.output);
    assert!(answer.output.contains("\nmodel.\\nencoder.blocks."), "{}", answer.output);
    let heading = answer.output.lines().find(|line| line.starts_with("layer ")).unwrap();
    let rows: Vec<&str> = answer.output.lines().filter(|line| line.contains("2x2 ")).collect();
    assert_eq!(rows.len(), 6, "{}", answer.output);
    for row in rows {
        assert!(row.starts_with("model.\\ne..d.dense."), "{row}");
        assert_eq!(row.len(), heading.len(), "{heading}\n{row}");
    }
    // Each kind of `-` has its reason below.
    for missing in ["uncentered cosine", "centered cosine", "double-centered cos sqrt"] {
        assert!(answer.output.contains(&format!("\n- {missing}")), "{missing}: {}", answer.output);
    }
}
