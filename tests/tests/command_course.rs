//! `agop measure` of many checkpoints: the order of their numbers, one row a file, each as if it were measured alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_tests::SplitMix64;
use agop_tests::command::{agop, assert_nulls_explained, json};
use serde_json::Value;
use tempfile::TempDir;

const WIDTHS: [usize; 4] = [5, 7, 6, 2];

/// A folder with samples and checkpoints of these names.
fn folder(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut random = SplitMix64::new(7);
    agop::dataset::npy::write(folder.path().join("x.npy"), 30, 5, &random.normals(150)).unwrap();
    for name in names {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let parameters: Vec<f64> = random.normals(5 * 7 + 7 * 6 + 6 * 2);
        agop::checkpoint::write(&path, &WIDTHS, false, &parameters).unwrap();
    }
    folder
}

fn name(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

fn steps(course: &Value) -> Vec<Option<u64>> {
    course["checkpoints"].as_array().unwrap().iter().map(|point| point["step"].as_u64()).collect()
}

/// However the files are named, the course is the same; each checkpoint is what `measure` says of it alone.
#[test]
fn a_course_is_in_the_order_of_the_numbers() {
    let names =
        ["c/step_10.safetensors", "c/step_2.safetensors", "c/step_000100.safetensors", "init.safetensors"];
    let folder = folder(&names);
    std::fs::write(folder.path().join("c/notes.txt"), "no weights").unwrap();
    let (x, init) = (name(&folder, "x.npy"), name(&folder, "init.safetensors"));
    let measure = ["measure", "--data", &x, "--init", &init];
    let (pattern, directory) = (name(&folder, "c/step_*.safetensors"), name(&folder, "c"));
    let [a, b, c] = [names[0], names[1], names[2]].map(|file| name(&folder, file));
    let course = json(&[&measure[..], &["--weights", &pattern]].concat());
    assert_eq!(
        (&course["schema"], steps(&course)),
        (&"agop.measures/1".into(), vec![Some(2), Some(10), Some(100)])
    );
    assert_eq!(course["notes"], Value::Array(vec![]));
    for given in [&["--weights", &directory][..], &["--weights", &a, "--weights", &c, "--weights", &b]] {
        assert_eq!(json(&[&measure[..], given].concat()), course);
    }
    for point in course["checkpoints"].as_array().unwrap() {
        let alone = json(&[&measure[..], &["--weights", point["file"].as_str().unwrap()]].concat());
        let mut point = point.clone();
        let fields = point.as_object_mut().unwrap();
        assert!(fields.remove("step").is_some() && fields.remove("file").is_some());
        assert_eq!(point, alone, "a single file keeps its object");
    }
    assert_nulls_explained(&course);

    let csv = name(&folder, "course.csv");
    let answer = agop(&[&measure[..], &["--weights", &pattern, "--csv", &csv]].concat());
    assert_eq!((answer.code, answer.messages.as_str()), (0, ""));
    assert_eq!(
        answer.output.lines().filter(|line| line.contains("step_")).count(),
        6,
        "two layers of three files"
    );
    let text = std::fs::read_to_string(&csv).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), ["step", "2", "10", "100"]);
    assert!(rows.iter().all(|row| row.len() == 3 + 2 * 22), "{text}");
    for (key, block, field) in [
        ("layer1_double_centered_pearson", "double_centered", "pearson"),
        ("layer0_uncentered_cosine", "uncentered", "cosine"),
        ("layer1_centered_inner", "centered", "inner"),
    ] {
        let column = rows[0].iter().position(|column| *column == key).unwrap();
        for (row, point) in rows[1..].iter().zip(course["checkpoints"].as_array().unwrap()) {
            let layer = usize::from(key.starts_with("layer1"));
            let expected = point["layers"][layer][block][field].as_f64().unwrap();
            assert_eq!(row[column].parse::<f64>().unwrap().to_bits(), expected.to_bits(), "{key}");
        }
    }
    // The same course as a page: one picture of each correlation at least, and no address in it.
    let page = name(&folder, "course.html");
    assert_eq!(agop(&[&measure[..], &["--weights", &pattern, "--report", &page]].concat()).code, 0);
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.matches("<svg").count() >= 3 && !html.contains("src=") && !html.contains("href="));
    // One file has one row.
    assert_eq!(agop(&[&measure[..], &["--weights", &a, "--csv", &csv]].concat()).code, 0);
    let text = std::fs::read_to_string(&csv).unwrap();
    assert_eq!((text.lines().count(), text.contains("\n10,")), (2, true));
}

/// Where the names do not tell the order, that is said or refused.
#[test]
fn an_order_that_names_do_not_tell_is_said() {
    let folder = folder(&["c/b.safetensors", "c/step_1.safetensors", "c/a.safetensors", "d/1.safetensors"]);
    let (x, c, d) = (name(&folder, "x.npy"), name(&folder, "c"), name(&folder, "d"));
    let measure = ["measure", "--data", &x, "--weights"];
    let course = json(&[&measure[..], &[&c]].concat());
    assert_eq!(steps(&course), [None, None, Some(1)]);
    let note = course["notes"][0].as_str().unwrap();
    assert!(note.ends_with(" has no number in its name: the order is that of the names"), "{note}");
    let table = agop(&[&measure[..], &[&c]].concat()).output;
    assert!(table.contains(&format!("note: {note}\n")), "{table}");
    assert_eq!(steps(&json(&[&measure[..], &[&d]].concat())), [Some(1)], "a folder is a course, of one too");
    let refused = |arguments: &[&str], reason: &str| {
        let answer = agop(&[&measure[..], arguments].concat());
        assert_eq!(
            (answer.code, answer.output.as_str(), answer.messages.lines().count()),
            (2, "", 1),
            "{answer:?}"
        );
        assert!(answer.messages.contains(reason), "{reason}: {}", answer.messages);
    };
    let (one, other) = (name(&folder, "c/step_1.safetensors"), name(&folder, "d/1.safetensors"));
    refused(&[&one, "--weights", &other], "have the same number 1");
    refused(&[&name(&folder, "no/*.safetensors")], "no/*.safetensors: no file is there");
    refused(&[&name(&folder, "[")], "--weights");
    refused(&[folder.path().to_str().unwrap()], "no file is there");
    refused(&[&name(&folder, "missing.safetensors")], "missing.safetensors: cannot open");
    refused(&[&c, "--outputs", &x], "--outputs are those of one file");
    refused(
        &[&one, "--report", &name(&folder, "course.html")],
        "--report draws the course over several files",
    );
    refused(&[&one, "--csv", &name(&folder, "no/course.csv")], "cannot write in");
    // One that is no checkpoint: nothing is written.
    std::fs::write(folder.path().join("c/step_3.safetensors"), b"").unwrap();
    let csv = name(&folder, "course.csv");
    refused(&[&c, "--csv", &csv], "step_3.safetensors: byte 0: the file is empty");
    assert!(!folder.path().join("course.csv").exists());
    // A name that has the signs of a pattern is still a name.
    let odd = name(&folder, "odd[1].safetensors");
    std::fs::copy(&one, &odd).unwrap();
    assert_eq!(json(&[&measure[..], &[&odd]].concat())["schema"], "agop.measure/1");
}
