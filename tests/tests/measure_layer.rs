//! `agop measure --layer`: layers that other frameworks dumped.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use agop::dataset::{Values, npy};
use agop_tests::command::{Answer, agop, assert_nulls_explained, fixture, json};
use serde_json::Value;
use std::path::Path;

const KEYS: [&str; 5] = ["cosine", "pearson", "cosine_sqrt", "pearson_sqrt", "inner"];

fn dump(name: &str) -> String {
    fixture(&format!("dump-residual/{name}"))
}

fn expected() -> Value {
    let text = std::fs::read_to_string(dump("expected.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["layers"][0].take()
}

/// Each number of each block within `tolerance` relative, nulls where the oracle has them.
fn agree(found: &Value, expected: &Value, tolerance: f64) -> f64 {
    let mut most = 0.0;
    let mut compare = |found: &Value, expected: &Value, what: &str| match (found.as_f64(), expected.as_f64())
    {
        (Some(found), Some(expected)) => {
            let relative = ((found - expected) / expected).abs();
            assert!(relative <= tolerance, "{what}: {found}, expected {expected}");
            most = if relative > most { relative } else { most };
        }
        (found, expected) => {
            assert!(found.is_none() && expected.is_none(), "{what}: {found:?}, {expected:?}");
        }
    };
    for block in ["uncentered", "centered", "double_centered"] {
        for key in KEYS {
            compare(&found[block][key], &expected[block][key], &format!("{block} {key}"));
        }
    }
    compare(&found["relative_change"], &expected["relative_change"], "relative change");
    most
}

fn write(folder: &Path, name: &str, shape: &[usize], values: Vec<f64>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, npy::encode(shape, &Values::F64(values)).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn read(path: &str) -> (Vec<usize>, Vec<f64>) {
    let array = npy::read(path).unwrap();
    (array.shape.clone(), array.values.floats().collect())
}

#[test]
fn jacobians_give_the_measures_of_the_oracle() {
    let report = json(&[
        "measure",
        "--layer",
        &dump("W.npy"),
        "--init-layer",
        &dump("W0.npy"),
        "--jacobian",
        &dump("J.npy"),
        "--init-jacobian",
        &dump("J0.npy"),
    ]);
    assert_nulls_explained(&report);
    let most = agree(&report["layers"][0], &expected(), 1e-12);
    println!("largest relative difference {most:.1e}");
    assert_eq!((&report["samples"], &report["activation"]), (&Value::from(80), &Value::Null));
    let bound = report["layers"][0]["uncentered"]["bound"]["cosine"].as_f64().unwrap();
    assert!(0.0 < bound && bound < 1e-10, "{bound}");
}

/// Parts of a dump, a dump without positions, and K itself are the same layer; a manifest has them beside each other.
#[test]
fn every_form_of_a_dump_is_the_same_layer() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let (shape, jacobians) = read(&dump("J.npy"));
    let [n, _, c, k] = shape[..] else { panic!("{shape:?}") };
    let (first, second) = jacobians.split_at(33 * c * k);
    let first = write(at, "J.0.npy", &[33, 1, c, k], first.to_vec());
    let second = write(at, "J.1.npy", &[n - 33, 1, c, k], second.to_vec());
    write(at, "J.flat.npy", &[n, c, k], jacobians);
    let expected = expected();
    let rows = expected["ptk_features"].as_array().unwrap();
    let ptk: Vec<f64> =
        rows.iter().flat_map(|row| row.as_array().unwrap()).map(|x| x.as_f64().unwrap()).collect();
    write(at, "K.npy", &[k, k], ptk);
    for name in ["W.npy", "W0.npy", "J0.npy"] {
        std::fs::copy(dump(name), at.join(name)).unwrap();
    }
    let others = "layer = \"W.npy\"\ninit-layer = \"W0.npy\"\ninit-jacobian = \"J0.npy\"\n";
    let forms =
        ["jacobian = [\"J.0.npy\", \"J.1.npy\"]", "jacobian = \"J.flat.npy\"", "features = \"K.npy\""];
    let text: String =
        forms.iter().map(|form| format!("[[layers]]\n{others}{form}\nname = \"block1.a\"\n")).collect();
    let manifest = at.join("layers.toml");
    std::fs::write(&manifest, format!("samples = 80\n{text}")).unwrap();
    let report = json(&["measure", "--manifest", manifest.to_str().unwrap()]);
    for (index, layer) in report["layers"].as_array().unwrap().iter().enumerate() {
        agree(layer, &expected, 1e-12);
        assert_eq!(layer["layer"], index);
    }
    assert_eq!(report["layers"][2]["name"], "block1.a");
    // Where the parts end inside a block, the bits are those of one file.
    let whole = json(&["measure", "--layer", &dump("W.npy"), "--jacobian", &dump("J.npy")]);
    let parts = json(&["measure", "--layer", &dump("W.npy"), "--jacobian", &first, &second]);
    assert_eq!(whole["layers"][0]["uncentered"], parts["layers"][0]["uncentered"]);
    assert_eq!(whole["digest"], parts["digest"]);
    assert_eq!(whole["layers"][0]["centered"]["cosine"], Value::Null);
}

/// Rows of a fused weight are the layer whose W and K are the blocks.
#[test]
fn rows_of_a_fused_weight() {
    let folder = tempfile::tempdir().unwrap();
    let (shape, weights) = read(&dump("W.npy"));
    let block = write(folder.path(), "W.npy", &[10, shape[1]], weights[5 * shape[1]..15 * shape[1]].to_vec());
    let (shape, jacobians) = read(&dump("J.npy"));
    let columns = jacobians.chunks(shape[3]).flat_map(|row| row[5..15].to_vec()).collect();
    let of_block = write(folder.path(), "J.npy", &[shape[0], 1, shape[2], 10], columns);
    let alone = json(&["measure", "--layer", &block, "--jacobian", &of_block]);
    let cut = json(&["measure", "--layer", &dump("W.npy"), "--jacobian", &dump("J.npy"), "--rows", "5:15"]);
    assert_eq!(cut["digest"], alone["digest"]);
    for key in KEYS {
        assert_eq!(cut["layers"][0]["uncentered"][key], alone["layers"][0]["uncentered"][key], "{key}");
    }
}

/// Square matrices of one size in other roles are another layer.
#[test]
fn the_digest_tells_which_matrix_is_which() {
    let folder = tempfile::tempdir().unwrap();
    let diagonal = |name: &str, x: f64| write(folder.path(), name, &[2, 2], vec![x, 0.0, 0.0, 1.0]);
    let [a, b, c] = [("a.npy", 1.0), ("b.npy", 2.0), ("c.npy", 3.0)].map(|(name, x)| diagonal(name, x));
    let digest =
        |arguments: &[&str]| json(&[&["measure", "--layer", &a], arguments].concat())["digest"].clone();
    let weights = digest(&["--init-layer", &b, "--features", &c]);
    assert_ne!(weights, digest(&["--features", &b, "--init-features", &c]));
}

#[test]
fn what_does_not_fit_is_refused_with_file_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut ptk) = (0, vec![0.0; 900]);
    ptk.iter_mut().step_by(31).for_each(|x| *x = 1.0);
    ptk[7] = 0.5;
    let crooked = write(folder.path(), "crooked.npy", &[30, 30], ptk);
    let toml = |text: &str| {
        let path = folder.path().join("layers.toml");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let w = dump("W.npy");
    let cases: [(&[&str], &str); 8] = [
        (&["--layer", &w], "W.npy: files: neither features nor jacobian is given: K is missing"),
        (
            &["--layer", &w, "--features", &crooked],
            "crooked.npy: row 7, column 0: 0e0, at row 0, column 7 stands 5e-1",
        ),
        (&["--layer", &w, "--features", &w], "W.npy: shape: (30, 18), K is square"),
        (&["--layer", &w, "--jacobian", &w], "W.npy: shape: (30, 18), expected (n, c, k)"),
        (&["--layer", &w, "--jacobian", &dump("J.npy"), "--rows", "5:31"], "rows \"5:31\", expected A:B"),
        (&["--layer", &dump("J.npy"), "--jacobian", &dump("J.npy")], "K is 30 x 30"),
        (&["--layer", &w, "--init-layer", &crooked, "--jacobian", &dump("J.npy")], "shape: (30, 30), "),
        (
            &["--manifest", &toml("[[layers]]\nlayer = \"W.npy\"\njacobians = \"J.npy\"\n")],
            "line 3: unknown field `jacobians`",
        ),
    ];
    for (arguments, expected) in cases {
        let Answer { code, output: out, messages: message } = agop(&[&["measure"], arguments].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{message}");
        assert!(message.contains(expected) && message.trim_end().lines().count() == 1, "{message}");
    }
    assert_eq!(agop(&["measure", "--layer", &w, "--weights", &w]).code, 2);
}

/// Powers of G and angles by NumPy, of the whole layer (k > d) and of ten rows (k < d).
#[test]
fn powers_and_angles_are_those_of_numpy() {
    let text = std::fs::read_to_string(dump("spectra.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let (w, w_0, j) = (dump("W.npy"), dump("W0.npy"), dump("J.npy"));
    let given =
        ["measure", "--layer", &w, "--init-layer", &w_0, "--jacobian", &j, "--power", "0.25", "--power"];
    for (name, more) in [("whole", &["0.7"][..]), ("rows", &["0.7", "--rows", "5:15"])] {
        let report = json(&[&given, more].concat());
        assert_nulls_explained(&report);
        let (layer, expected) = (&report["layers"][0], &expected[name]);
        let mut most = 0.0;
        let mut compare = |found: &Value, expected: &Value, what: String| {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            assert!((found - expected).abs() < 1e-10, "{name} {what}: {found}, expected {expected}");
            let apart = (found - expected).abs();
            most = if apart > most { apart } else { most };
        };
        assert_eq!(layer["angles"]["rank"], 4);
        for pair in ["uncentered", "centered"] {
            for (index, power) in ["0.25", "0.7"].iter().enumerate() {
                let (found, expected) = (&layer["powers"][index], &expected[pair]["powers"][power]);
                assert_eq!(found["power"].to_string(), *power);
                compare(&found[pair]["cosine"], &expected[0], format!("{pair} cosine {power}"));
                compare(&found[pair]["pearson"], &expected[1], format!("{pair} pearson {power}"));
            }
            for key in ["nfm_agop", "weights_ptk"] {
                let (found, expected) =
                    (&layer["angles"][pair][key], expected[pair][key].as_array().unwrap());
                assert_eq!(found.as_array().unwrap().len(), 4, "{pair} {key}");
                for (index, expected) in expected.iter().enumerate() {
                    compare(&found[index], expected, format!("{pair} {key} {index}"));
                }
            }
        }
        println!("{name}: largest difference {most:.1e}");
    }
}

/// Powers 1 and 1/2 are the numbers of the block; angles are left out with rank 0, and need the outputs where only K is known.
#[test]
fn powers_of_the_block_and_angles_without_outputs() {
    let (w, j) = (dump("W.npy"), dump("J.npy"));
    let given = ["measure", "--layer", &w, "--jacobian", &j, "--rank", "0", "--power", "1", "--power", "0.5"];
    let report = json(&given);
    assert_nulls_explained(&report);
    let layer = &report["layers"][0];
    assert_eq!(layer["angles"], Value::Null);
    for (index, keys) in [["cosine", "pearson"], ["cosine_sqrt", "pearson_sqrt"]].iter().enumerate() {
        let power = &layer["powers"][index];
        for (key, of_block) in ["cosine", "pearson"].iter().zip(keys) {
            assert!(power["uncentered"][key].is_f64() && power["centered"][key].is_null());
            assert_eq!(power["uncentered"][key], layer["uncentered"][of_block], "{key}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let eye = (0..9).map(|at| f64::from(u8::from(at % 4 == 0)) * f64::from(at + 1)).collect();
    let eye = write(folder.path(), "K.npy", &[3, 3], eye);
    let report = json(&["measure", "--layer", &eye, "--features", &eye]);
    assert_nulls_explained(&report);
    assert!(report["layers"][0]["angles"]["why"]["rank"].as_str().unwrap().contains("--rank"));
    let found = json(&["measure", "--layer", &eye, "--features", &eye, "--rank", "2"]);
    for index in 0..2 {
        let cosine = found["layers"][0]["angles"]["uncentered"]["nfm_agop"][index].as_f64().unwrap();
        assert!((cosine - 1.0).abs() < 1e-15, "{cosine}");
    }
    for s in ["0", "1.5", "nan"] {
        assert_eq!(agop(&["measure", "--layer", &eye, "--features", &eye, "--power", s]).code, 2);
    }
}
