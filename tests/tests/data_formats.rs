//! Files of every format that an independent program wrote are read as their `.npy` twins, by every command.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop::dataset::{Paths, Reading, Role, open};
use agop_tests::command::{agop, fixture, json};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn path(name: &str) -> String {
    fixture(&format!("formats/{name}"))
}

/// The arguments, those of the form `@name` as paths of fixtures.
fn with_paths(arguments: &str) -> Vec<String> {
    arguments.split(' ').map(|word| word.strip_prefix('@').map_or_else(|| word.to_owned(), path)).collect()
}

/// Name and digest of every array of a file.
fn digests(arguments: &str) -> Vec<(String, String)> {
    let arguments = [vec!["digest".to_owned()], with_paths(arguments)].concat();
    let report = json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let arrays = report["files"][0]["tensors"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    arrays.iter().map(|array| (text(&array["name"]), text(&array["digest"]))).collect()
}

#[test]
fn digests_are_those_of_the_twins() {
    let twin = |name: &str| digests(name).remove(0).1;
    let (digits, labels, wine) = (twin("@digits.x.npy"), twin("@digits.y.npy"), twin("@wine.x.npy"));
    let one = |digest: &str| vec![(String::new(), digest.to_owned())];
    let two = |names: [&str; 2], digests: [&str; 2]| {
        names
            .into_iter()
            .zip(digests)
            .map(|(name, digest)| (name.to_owned(), digest.to_owned()))
            .collect::<Vec<_>>()
    };
    for name in ["@digits.x.npy.gz", "@digits.images.idx", "@digits.images.idx.gz"] {
        assert_eq!(digests(name), one(&digits), "{name}");
    }
    for name in ["@digits.labels.idx", "@digits.labels.idx.gz"] {
        assert_eq!(digests(name), one(&labels), "{name}");
    }
    assert_eq!(digests("@digits.deflated.npz"), two(["images", "labels"], [&digits, &labels]));
    assert_eq!(digests("@digits.deflated.npz:labels"), [("labels".to_owned(), labels)]);
    let text = "kind, \"of three\"";
    let classes = digests("@wine.tab.txt --label 13").remove(1).1;
    for (name, label) in
        [("wine.csv", text), ("wine.csv", "13"), ("wine.excel.csv", text), ("wine.index.csv", text)]
    {
        let report = json(&["digest", &path(name), "--label", label]);
        let found = report["files"][0]["tensors"].as_array().unwrap();
        assert_eq!(
            (&found[0]["digest"], &found[1]["digest"]),
            (&wine.as_str().into(), &classes.as_str().into())
        );
    }
    // What torch writes, F32, F64 and I64, and the same arrays by NumPy.
    let torch = digests("@torch.safetensors");
    assert_eq!((torch.len(), &torch), (5, &digests("@torch.npz")));
    let cifar = digests("@cifar.npz");
    let first = digests("@cifar.npz:inputs")[0].1.clone();
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    fs::write(
        &whole,
        [fs::read(path("cifar.1.bin")).unwrap(), fs::read(path("cifar.2.bin")).unwrap()].concat(),
    )
    .unwrap();
    assert_eq!(digests(&whole.display().to_string()), cifar);
    assert_eq!(cifar[0], ("inputs".to_owned(), first));
}

/// Trains a step and gives the manifest of the run, once the run has been verified.
fn train(folder: &TempDir, arguments: &[String]) -> Value {
    let out = folder.path().join("run").display().to_string();
    let common = ["train", "--steps", "1", "--hidden", "3", "--rule", "gd", "--out", &out, "--force"];
    let words: Vec<&str> = common.into_iter().chain(arguments.iter().map(String::as_str)).collect();
    let answer = agop(&words);
    assert_eq!(answer.code, 0, "{words:?}: {answer:?}");
    let manifest: Value =
        serde_json::from_slice(&fs::read(Path::new(&out).join("manifest.json")).unwrap()).unwrap();
    assert!(answer.output.contains(manifest["understood"].as_str().unwrap()), "{answer:?}");
    let verified = agop(&["verify", &out]);
    assert_eq!((verified.code, verified.output.ends_with("equal\n")), (0, true), "{verified:?}");
    manifest
}

/// The same samples in other formats are the same data to a run, and the run says what it took them for.
#[test]
fn runs_train_on_the_same_samples() {
    let folder = tempfile::tempdir().unwrap();
    let digits = "10 classes 0..9, one-hot minus 1/10; 8 held out for the test";
    let wine = "24 samples, 13 inputs, 3 classes \"class 0\", \"class, 2\", class_1 numbered 0..2";
    let label = "kind, \"of three\"";
    let flat = "samples of 8 x 8 flattened to 64 inputs";
    let cases: [(&[&str], &[&str]); 3] = [
        (
            &[
                "--data @digits.x.npy --labels @digits.y.npy",
                "--data @digits.x.npy.gz --labels @digits.labels.idx.gz",
                "--data @digits.images.idx --labels @digits.y.npy",
                "--data @digits.deflated.npz",
                "--data @digits.deflated.npz --array images --label-array labels",
                "--data @digits.deflated.npz:images --labels @digits.deflated.npz:labels",
                "--data @digits.csv.gz --label label",
                "--data @digits.csv.gz --label 64 --format csv --separator , --header yes",
            ],
            &["40 samples, 64 inputs", digits],
        ),
        (
            &[
                "--data @wine.x.npy --labels @wine.y.npy",
                "--data @wine.csv --label LABEL",
                "--data @wine.excel.csv --label LABEL",
                "--data @wine.index.csv --label LABEL",
                "--data @wine.tab.txt --label 13",
            ],
            &[wine],
        ),
        (
            &[
                "--data @cifar.1.bin --data @cifar.2.bin",
                "--data @cifar.npz",
                "--data @cifar.1.bin --data @cifar.2.bin --labels @cifar.npz",
            ],
            &["6 samples, 3072 inputs, 5 classes"],
        ),
    ];
    for (sources, understood) in cases {
        let mut first = None;
        for source in sources {
            let mut words = with_paths(source);
            words.iter_mut().filter(|word| *word == "LABEL").for_each(|word| *word = label.to_owned());
            let manifest = train(&folder, &words);
            let data = manifest["data"].clone();
            assert_eq!(first.get_or_insert_with(|| data.clone()), &data, "{source}");
            let text = manifest["understood"].as_str().unwrap();
            assert!(understood.iter().all(|part| text.contains(part)), "{source}: {text}");
            let images = source.contains("digits") && !source.contains("csv");
            assert_eq!(text.contains(flat), images, "{source}: {text}");
        }
    }
    let both = format!("{},{}", path("cifar.1.bin"), path("cifar.2.bin"));
    let commas = train(&folder, &["--data".to_owned(), both]);
    assert!(commas["understood"].as_str().unwrap().starts_with("6 samples"), "{commas}");
}

/// A test set of its own, from the same archive by its names, and from a table with the same names.
#[test]
fn test_sets_are_found_and_numbered_like_training_sets() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = train(&folder, &with_paths("--data @digits.npz --test-data @digits.npz"));
    let text = manifest["understood"].as_str().unwrap();
    for part in [
        "30 samples",
        "10 more for the test",
        "\"x_train\"",
        "test: inputs from array \"x_test\", labels from \"y_test\"",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let table = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let train_table = table("train.csv", "a,b,k\n1,2,x\n3,4,y\n5,6,z\n");
    let test_table = table("test.csv", "a,b,k\n1,2,z\n3,4,y\n");
    let words = |test: &str| ["--data", &train_table, "--label", "k", "--test-data", test].map(str::to_owned);
    let numbers = table("train-numbers.csv", "a,b,k\n1,2,0\n3,4,1\n5,6,2\n");
    let test_numbers = table("test-numbers.csv", "a,b,k\n1,2,2\n3,4,1\n");
    let numbered = ["--data", &numbers, "--label", "2", "--test-data", &test_numbers].map(str::to_owned);
    let numbered = train(&folder, &numbered);
    let manifest = train(&folder, &words(&test_table));
    assert_eq!(manifest["data"], numbered["data"]);
    assert!(
        manifest["understood"].as_str().unwrap().contains("3 classes x, y, z numbered 0..2"),
        "{manifest}"
    );
    let refused = |test: &str, reason: &str| {
        let out = folder.path().join("none").display().to_string();
        let words = words(test);
        let mut arguments = vec!["train", "--out", &out];
        arguments.extend(words.iter().map(String::as_str));
        let answer = agop(&arguments);
        assert_eq!((answer.code, answer.messages.lines().count()), (2, 1), "{answer:?}");
        assert!(answer.messages.contains(reason), "{answer:?}");
    };
    let unknown = table("unknown.csv", "a,b,k\n1,2,z\n3,4,\"new, one\"\n");
    refused(&unknown, "row 1: class \"new, one\" never occurs in the training labels (3 classes x, y, z");
    let swapped = table("swapped.csv", "b,a,k\n1,2,z\n3,4,y\n");
    refused(&swapped, "row 0: other names of columns than the training data");
    refused(
        &table("numbers.csv", "a,b,k\n1,2,0\n3,4,1\n"),
        "classes are numbers, those of the training labels text",
    );
}

/// Runs from before `understood` verify; one whose words are not those of the samples does not.
#[test]
fn what_was_understood_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    train(&folder, &with_paths("--data @digits.x.npy --labels @digits.y.npy"));
    let run = folder.path().join("run").display().to_string();
    let manifest = Path::new(&run).join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let line = text.lines().find(|line| line.contains("\"understood\"")).unwrap();
    fs::write(&manifest, text.replace(&format!("{line}\n"), "")).unwrap();
    assert_eq!(agop(&["verify", &run]).code, 0);
    fs::write(&manifest, text.replace("40 samples", "41 samples")).unwrap();
    let answer = agop(&["verify", &run]);
    assert_eq!((answer.code, answer.output.contains("manifest.json: understood")), (1, true), "{answer:?}");
}

/// `measure` leaves the label column out, `predict` takes it.
#[test]
fn measure_and_predict_take_tables() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("w").display().to_string();
    agop::checkpoint::write(&weights, &[13, 2, 3], false, &[0.25_f64; 32]).unwrap();
    let (csv, x, y) = (path("wine.csv"), path("wine.x.npy"), path("wine.y.npy"));
    let plain = json(&["measure", "--weights", &weights, "--data", &x]);
    let table = json(&["measure", "--weights", &weights, "--data", &csv, "--label", "13"]);
    assert_eq!((&plain["digest"], &plain["layers"]), (&table["digest"], &table["layers"]));
    assert!(plain.get("taken").is_none());
    assert!(table["taken"][0].as_str().unwrap().starts_with("table divided by ','"), "{table}");
    let predict = ["predict", "--hidden", "4", "--trials", "0"];
    let plain = json(&[&predict[..], &["--data", &x, "--labels", &y]].concat());
    let table = json(&[&predict[..], &["--data", &csv, "--label", "13"]].concat());
    assert_eq!(plain["layers"], table["layers"]);
}

/// Labels in every form are the same targets.
#[test]
fn labels_of_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let understood = |name: &str, dtype: &str, shape: &str, bytes: &[u8]| {
        let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        let labels = folder.path().join(name);
        fs::write(&labels, [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), bytes].concat()).unwrap();
        let inputs = folder.path().join("x.csv");
        fs::write(&inputs, "0.5\n1.5\n2.5\n3.5\n4.5\n5.5\n").unwrap();
        let words = ["--data", &inputs.display().to_string(), "--labels", &labels.display().to_string()];
        let manifest = train(&folder, &words.map(str::to_owned));
        (manifest["understood"].as_str().unwrap().to_owned(), manifest["data"].clone())
    };
    let wide = |values: &[i16]| values.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>();
    let names: Vec<u8> =
        "bababa".chars().flat_map(|c| [u32::from(c), 0].map(u32::to_le_bytes)).flatten().collect();
    let forms = [
        understood("bool", "|b1", "(6,)", &[1, 0, 1, 0, 1, 0]),
        understood("u1", "|u1", "(6, 1)", &[8, 7, 8, 7, 8, 7]),
        understood("i2", ">i2", "(6,)", &wide(&[1, -1, 1, -1, 1, -1])),
        understood("text", "<U2", "(6,)", &names),
        understood("bytes", "|S1", "(6,)", b"bababa"),
        understood("one-hot", "|u1", "(6, 2)", &[0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0]),
    ];
    let meanings = ["2 classes 0..1,", "2 classes 7..8 numbered 0..1,", "2 classes -1, 1 numbered 0..1,"];
    let meanings =
        meanings.into_iter().chain(["2 classes a, b numbered 0..1,"; 2]).chain(["2 classes 0..1,"]);
    for ((text, data), meaning) in forms.iter().zip(meanings) {
        assert!(text.contains(meaning), "{text}");
        assert_eq!(data, &forms[0].1, "{text}");
    }
    let (text, _) = understood("several", "|u1", "(6, 2)", &[1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0]);
    assert!(text.contains("2 outputs, regression"), "{text}");
}

/// Rows asked for in any order are those of all rows at once; several files are one set.
#[test]
fn rows_are_read_in_any_order() {
    for (name, label) in [
        ("digits.x.npy", None),
        ("digits.images.idx.gz", None),
        ("digits.deflated.npz", None),
        ("cifar.1.bin", None),
        ("wine.csv", Some("13")),
    ] {
        let reading = Reading { label: label.map(str::to_owned), ..Reading::default() };
        let single = Paths::from(Path::new(&path(name)));
        let twice = Paths::joined(&[single.clone(), single.clone()]).unwrap();
        let all: Vec<f32> = open(&single, None, &reading, Role::Train).unwrap().inputs.read_all().unwrap();
        let opened = open(&twice, None, &reading, Role::Train).unwrap();
        let (both, labels) = (opened.inputs, opened.labels);
        let (rows, columns) = (both.count(), both.dimension());
        assert_eq!((rows % 2, rows / 2 * columns), (0, all.len()), "{name}");
        let order: Vec<usize> = (0..rows).rev().chain([0, rows / 2, 1, 2, 3]).collect();
        let mut found = Vec::<f32>::new();
        both.gather(&order, &mut found).unwrap();
        for (row, index) in found.chunks(columns).zip(order) {
            let index = index % (rows / 2);
            assert_eq!(row, &all[index * columns..(index + 1) * columns], "{name}");
        }
        assert!(both.gather(&[rows], &mut found).is_err());
        if let Some(labels) = labels {
            let classes = labels.targets::<f32>(rows, None).unwrap().classes.unwrap();
            assert_eq!(classes[..rows / 2], classes[rows / 2..], "{name}");
        }
    }
}

/// Classes of text are those of all files of a set, sorted: a name has one number, whichever file it stands in.
#[test]
fn text_classes_of_several_files_have_one_numbering() {
    let folder = tempfile::tempdir().unwrap();
    let table = |name: &str, rows: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("width,kind\n{rows}")).unwrap();
        Paths::from(path.as_path())
    };
    let both = [table("a.csv", "1,round\n2,oval\n"), table("b.csv", "3,flat\n4,round\n5,oval\n")];
    let reading = Reading { label: Some("kind".to_owned()), ..Reading::default() };
    let opened = open(&Paths::joined(&both).unwrap(), None, &reading, Role::Train).unwrap();
    let targets = opened.labels.unwrap().targets::<f64>(5, None).unwrap();
    assert_eq!(targets.classes.unwrap(), [2, 1, 0, 2, 1]);
    assert!(targets.meaning.starts_with("3 classes flat, oval, round numbered 0..2"), "{}", targets.meaning);
}
