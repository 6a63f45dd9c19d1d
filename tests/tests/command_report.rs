//! `agop report`: a page that stands alone, the same bytes for equal runs, and what it says where something is missing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use agop_tests::command::{agop, fixture};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const SECTIONS: [&str; 10] = [
    "results",
    "losses",
    "correlations",
    "predictions",
    "matrices",
    "spectra",
    "change",
    "measurements",
    "configuration",
    "repeat",
];

fn name(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// A small run of the chain monomial, with more arguments.
fn train(out: &str, more: &[&str]) {
    let sizes = ["train", "--dimension", "6", "--rank", "3", "--samples", "200", "--test-samples", "50"];
    let rest = ["--hidden", "12,8", "--steps", "40", "--measure-every", "5", "--out", out];
    let answer = agop(&[&sizes[..], &rest, more].concat());
    assert_eq!(answer.code, 0, "{answer:?}");
}

fn report(arguments: &[&str]) {
    let answer = agop(&[&["report"], arguments].concat());
    assert_eq!((answer.code, answer.messages.as_str()), (0, ""), "{answer:?}");
}

/// The page and the pictures of a folder, by name.
fn files(folder: &str) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let ours = entries.filter(|path| name(path).starts_with("report"));
    ours.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

/// Tags are closed in the order in which they are opened, attributes are quoted and none stands twice, ids are unique.
fn assert_well_formed(text: &str, void: &[&str]) {
    let (mut open, mut ids) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        assert!(!before.contains('>') || open.last() == Some(&"style"), "{before}");
        let (tag, after) = tag.split_once('>').unwrap();
        rest = after;
        if tag.starts_with('!') {
            continue;
        }
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed));
            continue;
        }
        let (element, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        let parts: Vec<&str> = attributes.trim_end_matches('/').split('"').collect();
        let mut names = Vec::new();
        for pair in parts.chunks(2).filter(|pair| pair.len() == 2) {
            let name = pair[0].trim().strip_suffix('=').unwrap_or_else(|| panic!("<{tag}>"));
            assert!(!names.contains(&name), "{name} twice in <{tag}>");
            names.push(name);
            if name == "id" {
                assert!(!ids.contains(&pair[1]), "id {} twice", pair[1]);
                ids.push(pair[1]);
            }
        }
        if !tag.ends_with('/') && !void.contains(&element) {
            open.push(element);
        }
        // What stands in a style sheet is no tag.
        if element == "style" {
            rest = rest.split_once("</style>").map(|(_, rest)| rest).unwrap();
            open.pop();
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    for (_, reference) in
        text.match_indices("aria-labelledby=\"").map(|(at, key)| text.split_at(at + key.len()))
    {
        let named = reference.split('"').next().unwrap();
        assert!(named.split(' ').all(|id| ids.contains(&id)), "{named}");
    }
}

fn assert_stands_alone(page: &str) {
    for word in ["src=", "href", "@import", "url(", "http", "<script", "<link", "<iframe", "/tmp"] {
        assert!(!page.contains(word), "{word}");
    }
    assert_well_formed(page, &["meta"]);
}

#[test]
fn a_run_is_drawn_in_full_and_equal_runs_give_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (name(folder.path(), "first"), name(folder.path(), "second"));
    train(&first, &[]);
    train(&second, &["--report"]);
    let by_training = files(&second);
    report(&[&first]);
    report(&[&second, "--threads", "1"]);
    let drawn = files(&first);
    assert!(drawn == files(&second), "equal runs, other bytes");
    assert!(drawn == by_training, "--report draws another page");
    let page = &drawn["report.html"];
    assert_stands_alone(page);
    for section in SECTIONS {
        assert!(page.contains(&format!("<section id=\"{section}\"")), "{section}");
    }
    let pictures = drawn.iter().filter(|(name, _)| name.ends_with(".svg"));
    let mut count = 0;
    for (name, picture) in pictures {
        assert!(picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{name}");
        assert!(picture.contains("<title id=") && picture.contains("<desc id="), "{name}");
        assert_well_formed(picture, &[]);
        count += 1;
    }
    // Losses and alignment; UC, C, DC and change of 2 layers; of 2 rules and 2 layers spectra and 3 maps; 2 true ones.
    assert_eq!(count, 3 + 4 * 2 + 4 * 4 + 2);
    assert_eq!(page.matches("<svg ").count(), count);
    assert_eq!(page.matches("<figure>").count(), page.matches("<figcaption>").count());
    assert_eq!(page.matches("<table>").count(), page.matches("<caption>").count());
    for said in [
        "dashed: predicted",
        "chain monomial of rank 3 in 6 dimensions, 200 samples",
        "agop verify .",
        "sha256:",
        "Good: ",
    ] {
        assert!(page.contains(said), "{said}");
    }
    // The curves have the bounds of their points as bands.
    let header = fs::read_to_string(Path::new(&first).join("gd/history.csv")).unwrap();
    let bounds = ["uncentered", "centered", "double_centered"].map(|block| format!("layer1_{block}_bound"));
    assert!(bounds.iter().all(|bound| header.lines().next().unwrap().contains(bound.as_str())), "{header}");
    assert!(drawn.iter().any(|(name, svg)| name.contains("-uc-nfc-") && svg.contains("opacity=\"0.25\"")));
    // Every number of the history is in the table of all.
    let history = fs::read_to_string(Path::new(&first).join("slo/history.csv")).unwrap();
    for digest in history.lines().skip(1).map(|line| &line.rsplit(':').next().unwrap()[..12]) {
        assert!(page.contains(digest), "{digest}");
    }
    // Another run is another page.
    let third = name(folder.path(), "third");
    train(&third, &["--seed", "1"]);
    report(&[&third]);
    assert!(files(&third)["report.html"] != *page);
}

#[test]
fn runs_are_told_apart_by_their_configurations() {
    let folder = tempfile::tempdir().unwrap();
    let (slow, fast, out) =
        (name(folder.path(), "slow"), name(folder.path(), "fast"), name(folder.path(), "both.html"));
    train(&slow, &["--rate", "0.02", "--rule", "gd"]);
    train(&fast, &["--rate", "0.08", "--rule", "gd"]);
    report(&[&slow, &fast, "--out", &out]);
    assert!(files(&slow).is_empty(), "--out names another place");
    let page = fs::read_to_string(&out).unwrap();
    assert_stands_alone(&page);
    assert!(page.contains("Comparison of 2 training runs"));
    assert!(page.contains("rate 0.02: gd") && page.contains("rate 0.08: gd"));
    assert!(folder.path().join("report-c-nfc-layer0.svg").exists());
    // Equal configurations are told apart by their numbers.
    report(&[&slow, &slow, "--out", &out]);
    let page = fs::read_to_string(&out).unwrap();
    assert!(page.contains("run 1: gd") && page.contains("run 2: gd"));
}

#[test]
fn what_is_missing_is_said_and_the_rest_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let (data, labels) = (name(folder.path(), "x.npy"), name(folder.path(), "y.npy"));
    fs::copy(fixture("digits-relu/test_x.npy"), &data).unwrap();
    fs::copy(fixture("digits-relu/test_y.npy"), &labels).unwrap();
    let run = name(folder.path(), "run");
    let sizes = ["--hidden", "8", "--steps", "6", "--measure-every", "2", "--rule", "gd"];
    let answer =
        agop(&[&["train", "--data", &data, "--labels", &labels, "--out", &run], &sizes[..]].concat());
    assert_eq!(answer.code, 0, "{answer:?}");
    report(&[&run]);
    let whole = files(&run);
    assert!(whole["report.html"].contains("360 samples, 64 inputs, 10 outputs"), "the line of the data");
    assert!(whole["report.html"].contains("test accuracy"));
    assert_stands_alone(&whole["report.html"]);

    // The samples have moved.
    let moved = name(folder.path(), "z.npy");
    fs::rename(&data, &moved).unwrap();
    report(&[&run]);
    let page = &files(&run)["report.html"];
    assert!(page.contains("not where it found them (x.npy)"), "{page}");
    assert!(page.contains("360 samples, 64 inputs, 10 outputs"), "the manifest has the line of the data");
    assert!(page.contains("<section id=\"correlations\"") && !page.contains("<section id=\"predictions\""));
    assert_stands_alone(page);

    // Others stand in their place.
    let (rows, columns, mut values) = agop::dataset::read_matrix::<f32>(&moved).unwrap();
    values[0] += 1.0;
    agop::dataset::npy::write(&data, rows, columns, &values).unwrap();
    report(&[&run]);
    assert!(
        files(&run)["report.html"].contains("the samples that stand where the run found its own are others")
    );

    // The run did not end: half a line, no manifest, no weights.
    let inside = |name: &str| Path::new(&run).join(name);
    fs::remove_file(inside("manifest.json")).unwrap();
    fs::remove_file(inside("gd/final.safetensors")).unwrap();
    let history = fs::read_to_string(inside("gd/history.csv")).unwrap();
    let lines: Vec<&str> = history.lines().collect();
    fs::write(inside("gd/history.csv"), format!("{}\n{}\n{}\n4,0.1", lines[0], lines[1], lines[2])).unwrap();
    report(&[&run]);
    let page = &files(&run)["report.html"];
    assert!(page.contains("unfinished: ") && page.contains("gd ends at step 2 of 6"), "{page}");
    assert!(page.contains("<section id=\"losses\"") && !page.contains("<section id=\"matrices\""));
    assert_stands_alone(page);

    // A state was kept: its weights and its history are drawn.
    fs::remove_file(inside("gd/history.csv")).unwrap();
    let network = agop::checkpoint::read(inside("gd/initial.safetensors")).unwrap();
    let weights: Vec<u8> =
        network.parameters::<f32>().unwrap().iter().flat_map(|x| x.to_le_bytes()).collect();
    let (count, history) = (weights.len() / 4, format!("{}\n{}\n{}\n", lines[0], lines[1], lines[2]));
    let tensors = [
        ("parameters", "F32", &[count][..], &weights[..]),
        ("history", "U8", &[history.len()], history.as_bytes()),
    ];
    fs::write(inside("gd/checkpoint.safetensors"), agop_tests::weights::typed(&[], &tensors)).unwrap();
    report(&[&run]);
    let page = &files(&run)["report.html"];
    assert!(page.contains("gd: weights and measurements are those of checkpoint.safetensors"), "{page}");
    assert!(page.contains("<section id=\"losses\"") && page.contains("<section id=\"matrices\""));
}

#[test]
fn bad_folders_give_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = name(folder.path(), "run");
    let refused = |arguments: &[&str], said: &str| {
        let answer = agop(&[&["report"], arguments].concat());
        assert_eq!(
            (answer.code, answer.output.as_str(), answer.messages.matches('\n').count()),
            (2, "", 1),
            "{answer:?}"
        );
        assert!(answer.messages.contains(said), "{answer:?}");
    };
    refused(&[&run], "run/config.toml: cannot open");
    train(&run, &["--rule", "gd"]);
    let history = Path::new(&run).join("gd/history.csv");
    let text = fs::read_to_string(&history).unwrap();
    for (bad, said) in [
        (text.replacen("\n5,", "\n5,,", 1), "gd/history.csv: line 3: "),
        (text.replacen("\n5,", "\nfive,", 1), "line 3: step: found \"five\""),
        (text.replacen("\n5,", "\n5,<b>", 1), "line 3: column \"train_loss\": expected a number"),
        (text.replacen("layer1_", "layer99999999_", 1), "there are not so many layers"),
    ] {
        assert_ne!(bad, text);
        fs::write(&history, bad).unwrap();
        refused(&[&run], said);
        assert!(files(&run).is_empty(), "a refused report left something behind");
    }
}

/// Names of settings and files come from others: they are text, not markup.
#[test]
fn what_comes_from_files_is_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let (data, labels) = (name(folder.path(), "<b>&\".npy"), name(folder.path(), "y.npy"));
    fs::copy(fixture("digits-relu/test_x.npy"), &data).unwrap();
    fs::copy(fixture("digits-relu/test_y.npy"), &labels).unwrap();
    let run = name(folder.path(), "run");
    let sizes = ["--hidden", "4", "--steps", "1", "--rule", "gd"];
    let answer =
        agop(&[&["train", "--data", &data, "--labels", &labels, "--out", &run], &sizes[..]].concat());
    assert_eq!(answer.code, 0, "{answer:?}");
    report(&[&run]);
    let page = &files(&run)["report.html"];
    assert!(page.contains("&lt;b&gt;&amp;&quot;.npy") && !page.contains("<b>"), "{page}");
    assert_stands_alone(page);
}

/// What `measure` over many checkpoints has to draw: rows of steps and measures, with their bounds.
#[test]
fn a_course_of_checkpoints_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let row = |step: u64| {
        let part = step as f64 / 100.0;
        let numbers =
            [("uncentered_cosine", 0.5 + part), ("uncentered_bound", 0.01), ("relative_change", part)];
        let layer = numbers.map(|(key, x)| (key.to_owned(), x)).into_iter().collect();
        agop::report::Row { step, layers: vec![layer], ..Default::default() }
    };
    let report = agop::report::Report::of_course("A course", &[0, 10, 20].map(row)).unwrap();
    report.write(&folder.path().join("report-course.html")).unwrap();
    let drawn = files(&folder.path().display().to_string());
    let names: Vec<&str> = drawn.keys().map(String::as_str).collect();
    assert_eq!(names, ["report-change-layer0.svg", "report-course.html", "report-uc-nfc-layer0.svg"]);
    assert_stands_alone(&drawn["report-course.html"]);
    let picture = &drawn["report-uc-nfc-layer0.svg"];
    assert!(picture.contains("network: 0.5 at step 0, 0.7 at step 20"), "{picture}");
    assert!(picture.contains("<polygon opacity=\"0.25\""), "the band of the bounds");
}
