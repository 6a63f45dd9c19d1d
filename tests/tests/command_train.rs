//! `agop train`: what it learns, what it writes, and that neither threads nor instruction sets change a bit of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop::machine::{Machine, Threads};
use agop::run::config::{Config, Data, RuleName, Synthetic};
use agop::run::folder::{Folder, sha256};
use agop::run::manifest::{LONGEST, MOST_MEASUREMENTS, Manifest, Mark};
use agop::run::named::Named;
use agop::run::problem::Problem;
use agop::run::train::Run;
use agop_core::digest::Hasher;
use agop_core::simd::Level;
use agop_tests::command::{RUN_FILES, agop, fixture, json};
use serde_json::Value;
use std::path::Path;

fn layer_0(report: &Value, rule: &str) -> f64 {
    report["rules"][rule]["layers"][0]["uncentered"]["cosine"].as_f64().unwrap()
}

/// The main claim, on ten seeds of the default run: Speed Limited Optimization aligns the first layer's weights with the
/// gradient outer product and with the task's true one, and generalises better.
#[test]
fn speed_limited_learns_features_on_ten_seeds() {
    let folder = tempfile::tempdir().unwrap();
    let mut ratios = Vec::new();
    for seed in 0..10 {
        let out = folder.path().join(seed.to_string()).display().to_string();
        let report = json(&["train", "--seed", &seed.to_string(), "--out", &out]);
        let of = |rule: &str, key: &str| report["rules"][rule][key].as_f64().unwrap();
        let (gd, slo) = (layer_0(&report, "gd"), layer_0(&report, "slo"));
        let (gd_alignment, slo_alignment) = (of("gd", "feature_alignment"), of("slo", "feature_alignment"));
        let ratio = of("slo", "test_loss") / of("gd", "test_loss");
        println!(
            "seed {seed}: UC-NFC {gd:.4} {slo:.4}, alignment {gd_alignment:.4} {slo_alignment:.4}, \
             test error {:.4} {:.4}, ratio {ratio:.4}",
            of("gd", "test_loss"),
            of("slo", "test_loss"),
        );
        assert!(slo >= 0.85 && slo - gd >= 0.25, "seed {seed}: UC-NFC {slo}, {gd}");
        assert!(slo_alignment >= 0.85 && slo_alignment - gd_alignment >= 0.25, "seed {seed}: alignment");
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let median = 0.5 * (ratios[4] + ratios[5]);
    println!("median ratio of test errors: {median:.4}");
    assert!(median <= 0.75, "{median}");
}

/// A real data set: handwritten digits, on samples that training never saw.
#[test]
fn digits_are_learnt() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run").display().to_string();
    let report = json(&[
        "train",
        "--data",
        &fixture("digits-relu/train_x.npy"),
        "--labels",
        &fixture("digits-relu/train_y.npy"),
        "--test-data",
        &fixture("digits-relu/test_x.npy"),
        "--test-labels",
        &fixture("digits-relu/test_y.npy"),
        "--out",
        &out,
    ]);
    for rule in ["gd", "slo"] {
        let accuracy = report["rules"][rule]["test_accuracy"].as_f64().unwrap();
        println!("{rule}: test accuracy {accuracy:.4}");
        assert!(accuracy >= 0.96, "{rule}: {accuracy}");
        assert!(report["rules"][rule]["feature_alignment"].is_null());
        assert!(report["rules"][rule]["why"]["feature_alignment"].is_string());
    }
    let answer = agop(&["verify", &out]);
    assert_eq!(answer.code, 0, "{}", answer.output);
}

/// Integers in one dimension are classes: cross-entropy in mini-batches, a seeded split, every option that training has.
#[test]
fn digits_are_learnt_from_class_labels() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).display().to_string();
    let one_hot = agop::dataset::npy::read(fixture("digits-relu/train_y.npy")).unwrap();
    let values: Vec<f64> = one_hot.values.floats().collect();
    let class = |row: &[f64]| row.iter().position(|y| *y > 0.5).unwrap() as i64;
    let classes: Vec<i64> = values.chunks_exact(10).map(class).collect();
    let classes = agop::dataset::Values::Integers(classes);
    let bytes = agop::dataset::npy::encode(&[1437], &classes).unwrap();
    std::fs::write(name("classes.npy"), bytes).unwrap();
    let data = fixture("digits-relu/train_x.npy");
    let (labels, out) = (name("classes.npy"), name("run"));
    let arguments = ["train", "--data", &data, "--labels", &labels, "--out", &out, "--rule", "gd"];
    let training = ["--loss", "cross-entropy", "--batch", "128", "--momentum", "0.9", "--decay", "0.0001"];
    let network = ["--hidden", "64,32", "--bias", "--activation", "tanh", "--initializer", "xavier-uniform"];
    let report = json(&[&arguments[..], &training, &network].concat());
    let accuracy = report["rules"]["gd"]["test_accuracy"].as_f64().unwrap();
    println!("gd, cross-entropy: test accuracy {accuracy:.4} on the 287 held out");
    assert!(accuracy >= 0.95, "{accuracy}");
    let held_out = accuracy * 287.0;
    assert!((held_out - held_out.round()).abs() < 1e-9, "a fifth of 1437 samples is 287");
    assert_eq!(agop(&["verify", &out]).code, 0);
}

/// A run small enough for software arithmetic, with everything in it that has an order: mini-batches, momentum, biases,
/// More than one sample block, the lowest-correlation policy.
fn small(scalar: &str, activation: &str) -> Config {
    let mut config = Config { scalar: Named::named(scalar).unwrap(), seed: 3, ..Config::default() };
    config.data = Data::ChainMonomial(Synthetic {
        rank: 3,
        dimension: 7,
        samples: 700,
        test_samples: 50,
        spectrum: None,
    });
    config.network.hidden = vec![19, 11];
    config.network.activation = Named::named(activation).unwrap();
    config.network.bias = true;
    config.training.steps = 12;
    config.training.batch = Some(300);
    config.training.momentum = 0.5;
    config.training.decay = 0.01;
    config.training.measure_every = 5;
    config.training.speeds = agop::run::config::Speeds::Lowest { contrast: 4.0 };
    config
}

fn digests<T: agop_core::scalar::Real>(config: &Config, machine: &Machine) -> Vec<String> {
    let problem = Problem::<T>::load(config).unwrap();
    let rules = [RuleName::Gd, RuleName::Slo].into_iter();
    let outcomes: Vec<_> = rules
        .map(|rule| {
            Run::new(config, &problem, rule, machine).unwrap().train(&mut |_| {}, &mut |_| true).unwrap()
        })
        .collect();
    let folder = Folder::new(config, problem.digest, outcomes).unwrap();
    let marks = folder.manifest.rules.values().flatten().map(|mark| mark.digest);
    marks.chain(folder.manifest.files.values().copied()).map(|digest| digest.to_string()).collect()
}

/// Every digest and every byte of every file, on each level and 1 to 5 threads.
#[test]
fn a_whole_run_has_the_same_bits_on_every_level_and_number_of_threads() {
    let more = [("f32", "gelu"), ("f64", "gelu"), ("f32", "silu"), ("f32", "sigmoid"), ("f64", "softplus")];
    for (scalar, activation) in [("f32", "tanh"), ("f64", "tanh")].into_iter().chain(more) {
        let config = small(scalar, activation);
        let run = |config: &Config, machine: &Machine| match scalar {
            "f32" => digests::<f32>(config, machine),
            _ => digests::<f64>(config, machine),
        };
        let reference = run(&config, &Machine::new(Level::scalar(), 1).unwrap());
        assert_eq!(reference.len(), 2 * 4 + 7);
        for level in Level::available() {
            for threads in [1, 2, 3, 5] {
                let machine = Machine::new(level, threads).unwrap();
                assert_eq!(run(&config, &machine), reference, "{} {threads}", level.name());
            }
        }
        // Another batch size is another sum: the digests can differ.
        let mut other = config.clone();
        other.training.batch = Some(299);
        assert_ne!(run(&other, &Machine::new(Level::scalar(), 1).unwrap()), reference);
    }
}

/// The digest of a record by its definition: every array of the state with its shape.
#[test]
fn a_record_is_hashed_with_its_layout() {
    let mut config = small("f64", "tanh");
    config.training.steps = 0;
    let machine = Machine::new(Level::scalar(), 1).unwrap();
    let problem = Problem::<f64>::load(&config).unwrap();
    let run = Run::new(&config, &problem, RuleName::Gd, &machine).unwrap();
    let outcome = run.train(&mut |_| {}, &mut |_| true).unwrap();
    let (model, record) = (&outcome.trained, &outcome.last);
    let parameters = |hash: &mut Hasher, mut values: &[f64]| {
        hash.number(3).number(1);
        for (outputs, inputs) in [(19, 7), (11, 19), (1, 11)] {
            let (weights, rest) = values.split_at(outputs * inputs);
            let (bias, rest) = rest.split_at(outputs);
            hash.array(&[outputs, inputs], weights).array(&[outputs], bias);
            values = rest;
        }
        assert!(values.is_empty());
    };
    let mut hash = Hasher::new();
    hash.number(0);
    parameters(&mut hash, model.parameters());
    // There is momentum, so a velocity, which is zero before the first update.
    hash.number(1);
    parameters(&mut hash, &vec![0.0; model.parameters().len()]);
    let mut memory = model.feature_memory(&Threads::one(), 700).unwrap();
    let features = model.features(machine.level, problem.train.inputs().unwrap(), &mut memory).unwrap();
    let (first, second) = features.split_at(19 * 19);
    hash.array(&[19, 19], first).array(&[11, 11], second);
    hash.array(&[2], &[record.train_loss, record.test_loss]);
    assert_eq!(record.digest, hash.finish());
}

const TINY: [&str; 9] =
    ["train", "--dimension", "6", "--samples", "40", "--test-samples", "20", "--hidden", "8"];
const STEPS: [&str; 4] = ["--steps", "4", "--measure-every", "2"];

fn names(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            names.extend(self::names(&path).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            names.push(name);
        }
    }
    names.sort();
    names
}

#[test]
fn a_run_folder_holds_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("deep/run");
    let arguments = [&TINY[..], &STEPS, &["--out", out.to_str().unwrap()]].concat();
    let report = json(&arguments);
    assert_eq!(names(&out), RUN_FILES);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let history = read("slo/history.csv");
    assert_eq!(history.lines().count(), 1 + 3, "steps 0, 2 and 4");
    let columns = history.lines().next().unwrap().split(',').count();
    assert!(history.lines().all(|line| line.split(',').count() == columns));
    let slo = &report["rules"]["slo"];
    assert!(history.ends_with(&format!(",{}\n", slo["digest"].as_str().unwrap())));
    assert_eq!(slo["steps"], 4);
    assert_eq!(
        std::fs::read(out.join("gd/initial.safetensors")).unwrap(),
        std::fs::read(out.join("slo/initial.safetensors")).unwrap()
    );
    // The final weights are a checkpoint that measure takes.
    let weights = |name: &str| out.join(name).display().to_string();
    let samples = folder.path().join("x.npy");
    agop::dataset::npy::write(&samples, 3, 6, &(0..18).map(f64::from).collect::<Vec<_>>()).unwrap();
    let measured = json(&[
        "measure",
        "--init",
        &weights("gd/initial.safetensors"),
        "--weights",
        &weights("slo/final.safetensors"),
        "--data",
        samples.to_str().unwrap(),
    ]);
    assert_eq!(measured["layers"][0]["outputs"], 8);

    // A second run does not overwrite it, unless told to; then nothing of the first one is left.
    let again = [&arguments[..], &["--rule", "gd"]].concat();
    let answer = agop(&again);
    assert_eq!(answer.code, 2);
    assert!(answer.messages.contains("is not empty; --force overwrites"), "{}", answer.messages);
    assert_eq!(names(&out), RUN_FILES);
    assert_eq!(agop(&[&again[..], &["--force"]].concat()).code, 0);
    assert_eq!(names(&out), &RUN_FILES[..5]);
    assert!(!out.join("slo").exists());
    assert_eq!(agop(&["verify", out.to_str().unwrap()]).code, 0);
}

/// Why: what cannot be written in whole must not cost what stands there, be it a run or somebody's files.
#[test]
fn a_refused_overwrite_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let arguments = [&TINY[..], &["--out", out.to_str().unwrap()]].concat();
    let forced = [&arguments[..], &["--force", "--seed", "2"]].concat();
    let content = || {
        let paths = names(&out).into_iter().map(|name| out.join(name));
        paths.map(|path| (path.clone(), std::fs::read(path).unwrap_or_default())).collect::<Vec<_>>()
    };
    assert_eq!(agop(&arguments).code, 0);
    // A folder in the place of the last file.
    std::fs::remove_file(out.join("slo/initial.safetensors")).unwrap();
    std::fs::create_dir(out.join("slo/initial.safetensors")).unwrap();
    let before = content();
    let answer = agop(&forced);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.messages.contains("overwrite: slo/initial.safetensors is of none"), "{}", answer.messages);
    assert_eq!(content(), before);
    std::fs::remove_dir(out.join("slo/initial.safetensors")).unwrap();
    assert_eq!(agop(&forced).code, 0, "a damaged run is a run");
    // Without the manifest, or with that of something else, it is none.
    for manifest in ["{}", "{\"schema\": \"web/1\"}", "no JSON"] {
        std::fs::write(out.join("manifest.json"), manifest).unwrap();
        let before = content();
        let answer = agop(&forced);
        assert_eq!(answer.code, 2);
        assert!(answer.messages.contains("is not empty, and no run stands in it that --force"));
        assert_eq!(content(), before);
    }
}

/// Why: a process that is killed while it writes leaves files of a run and no manifest; --force must do away with those,
/// and with nothing else.
#[test]
fn what_a_killed_run_left_can_be_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let arguments = [&TINY[..], &STEPS, &["--out", out.to_str().unwrap()]].concat();
    let forced = [&arguments[..], &["--force"]].concat();
    assert_eq!(agop(&arguments).code, 0);
    let whole = names(&out);
    let kill = || {
        std::fs::remove_file(out.join("manifest.json")).unwrap();
        std::fs::remove_file(out.join("slo/final.safetensors")).unwrap();
        std::fs::write(out.join(".agop-a1B2c3.tmp"), b"{").unwrap();
        std::fs::write(out.join("slo/.agop-d4E5f6.tmp"), b"half").unwrap();
    };
    kill();
    let answer = agop(&arguments);
    assert_eq!((answer.code, answer.messages.contains("--force overwrites")), (2, true), "{answer:?}");
    assert_eq!(agop(&forced).code, 0);
    assert_eq!(names(&out), whole, "the temporary files are gone");
    assert_eq!(agop(&["verify", out.to_str().unwrap()]).code, 0);
    for other in ["notes.txt", "gd/notes.txt", "slo/gd/x", "data/x.npy", "history.csv"] {
        kill();
        std::fs::create_dir_all(out.join(other).parent().unwrap()).unwrap();
        std::fs::write(out.join(other), b"mine").unwrap();
        let before = names(&out);
        let answer = agop(&forced);
        assert_eq!((answer.code, answer.messages.contains("no run stands in it")), (2, true), "{answer:?}");
        assert_eq!(names(&out), before);
        std::fs::remove_file(out.join(other)).unwrap();
        for made in ["slo/gd", "data"] {
            let _ = std::fs::remove_dir(out.join(made));
        }
        assert_eq!(agop(&forced).code, 0, "{other}");
    }
}

/// Why: an hour of training must not end at a name that cannot be stored.
#[cfg(unix)]
#[test]
fn a_path_that_is_not_utf8_is_refused_before_training() {
    use std::os::unix::ffi::OsStringExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join(std::ffi::OsString::from_vec(b"x\xff.npy".to_vec()));
    agop::dataset::npy::write(&data, 10, 2, &[0.5; 20]).unwrap();
    let labels = folder.path().join("y.npy");
    agop::dataset::npy::write(&labels, 10, 1, &[0.5; 10]).unwrap();
    let out = folder.path().join("run");
    let words: [&std::ffi::OsStr; 10] = [
        "agop".as_ref(),
        "train".as_ref(),
        "--data".as_ref(),
        data.as_ref(),
        "--labels".as_ref(),
        labels.as_ref(),
        "--out".as_ref(),
        out.as_ref(),
        "--steps".as_ref(),
        "1".as_ref(),
    ];
    let (mut output, mut messages) = (Vec::new(), Vec::new());
    let code = agop::command::run(words.map(Into::into), &mut output, &mut messages);
    assert_eq!((code, output.len(), out.exists()), (2, 0, false));
    assert!(String::from_utf8(messages).unwrap().contains("the path is not UTF-8"));
}

/// Every null has a reason, wherever it stands.
#[test]
fn a_test_loss_that_overflows_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: f64| {
        let path = folder.path().join(name);
        agop::dataset::npy::write(&path, 10, 2, &[value; 20]).unwrap();
        path.display().to_string()
    };
    let (x, y, far) = (write("x.npy", 0.5), write("y.npy", 1.0), write("far.npy", 1e200));
    let out = folder.path().join("run").display().to_string();
    let report = json(&[
        "train",
        "--data",
        &x,
        "--labels",
        &y,
        "--test-data",
        &far,
        "--test-labels",
        &y,
        "--scalar",
        "f64",
        "--hidden",
        "3",
        "--steps",
        "2",
        "--rule",
        "gd",
        "--out",
        &out,
    ]);
    let gd = &report["rules"]["gd"];
    assert!(gd["train_loss"].as_f64().is_some() && gd["test_loss"].is_null(), "{gd}");
    agop_tests::command::assert_nulls_explained(&report);
    let history = std::fs::read_to_string(Path::new(&out).join("gd/history.csv")).unwrap();
    assert!(!history.contains("inf") && !history.contains("NaN"), "{history}");
}

/// What fails leaves no folder behind; what diverges says when.
#[test]
fn a_failed_run_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let arguments = [&TINY[..], &["--out", out.to_str().unwrap()]].concat();
    let diverging = ["--activation", "quadratic", "--rate", "1000", "--steps", "50", "--rule", "gd"];
    let answer = agop(&[&arguments[..], &diverging].concat());
    assert_eq!((answer.code, answer.output.as_str()), (2, ""));
    assert!(answer.messages.starts_with("agop: gd step "), "{}", answer.messages);
    let remedy = "is not finite; try a smaller --rate, or scale the inputs and labels\n";
    assert!(answer.messages.ends_with(remedy), "{}", answer.messages);
    assert_eq!(answer.messages.lines().count(), 1);
    assert!(!out.exists());
    // Nothing has moved yet: the rate is not to blame.
    let far = folder.path().join("far.npy").display().to_string();
    agop::dataset::npy::write(&far, 10, 2, &[1e30; 20]).unwrap();
    let data = ["train", "--data", &far, "--labels", &far, "--activation", "quadratic", "--hidden", "8"];
    let answer = agop(&[&data[..], &["--out", out.to_str().unwrap()]].concat());
    assert_eq!((answer.code, answer.output.as_str()), (2, ""));
    let lines: Vec<&str> = answer.messages.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("note: the inputs have root mean square 1.000e30"), "{lines:?}");
    assert!(lines[1].starts_with("agop: gd step 0: "), "{lines:?}");
    assert!(lines[1].ends_with("is not finite; scale the inputs"), "{lines:?}");
    assert!(!out.exists());
    // Labels whose gradient overflows; the inputs are not to blame.
    let [near, loud] = ["near.npy", "loud.npy"].map(|name| folder.path().join(name).display().to_string());
    agop::dataset::npy::write(&near, 10, 2, &[0.5; 20]).unwrap();
    agop::dataset::npy::write(&loud, 10, 2, &[1e38; 20]).unwrap();
    let data = ["train", "--data", &near, "--labels", &loud, "--hidden", "8", "--out", out.to_str().unwrap()];
    let answer = agop(&data);
    assert!(answer.messages.ends_with("is not finite; scale the inputs and labels\n"), "{}", answer.messages);
    assert!(answer.messages.starts_with("agop: gd step 0: gradient: "), "{}", answer.messages);
    // Nor the folders above it, and the rule that had finished is named.
    let deep = folder.path().join("a/b/c");
    let arguments = [&TINY[..], &["--out", deep.to_str().unwrap(), "--speeds", "1e30,1e30"]].concat();
    let answer = agop(&arguments);
    assert_eq!((answer.code, answer.output.as_str()), (2, ""));
    assert!(answer.messages.starts_with("agop: slo step "), "{}", answer.messages);
    assert!(answer.messages.contains("`--rule gd` runs alone"), "{}", answer.messages);
    assert!(!folder.path().join("a").exists());
}

/// Why: what is written can be read. The most measurements that are kept, and no more, fit a manifest.
#[test]
fn the_most_measurements_can_be_read_again() {
    let mut config = Config::default();
    let mut measured = |steps, every| {
        config.training.steps = steps;
        config.training.measure_every = every;
        config.check().map(|()| config.measurements()).map_err(|error| error.to_string())
    };
    assert_eq!((measured(500, 50), measured(5, 2), measured(0, 7)), (Ok(11), Ok(4), Ok(1)));
    assert_eq!(measured(MOST_MEASUREMENTS - 1, 1), Ok(MOST_MEASUREMENTS));
    for steps in [MOST_MEASUREMENTS, 520_000, 1 << 40, i64::MAX as u64] {
        let error = measured(steps, 1).unwrap_err();
        let (_, enough) = error.split_once("are kept: ").unwrap();
        let enough = enough.split_once(' ').unwrap().0.parse().unwrap();
        assert!(measured(steps, enough).unwrap() <= MOST_MEASUREMENTS);
    }
    let mark = Mark { step: u64::MAX, digest: sha256(b"") };
    let rules = [RuleName::Gd, RuleName::Slo].map(|rule| (rule, vec![mark; MOST_MEASUREMENTS as usize]));
    let manifest = Manifest::new(sha256(b"").0, rules.into(), [("x".into(), mark.digest)].into());
    let bytes = manifest.encode().unwrap();
    println!("{} bytes of at most {LONGEST}", bytes.len());
    assert!((bytes.len() as u64) < LONGEST);
    assert_eq!(Manifest::parse(&bytes), Ok(manifest));
}

#[test]
fn the_help_prints_every_default() {
    let help = agop(&["train", "--help"]);
    assert_eq!((help.code, help.messages.as_str()), (0, ""));
    let config = Config::default();
    let Data::ChainMonomial(sizes) = &config.data else { panic!("the default is the chain monomial") };
    let hidden: Vec<String> = config.network.hidden.iter().map(ToString::to_string).collect();
    let defaults = [
        ("--hidden", hidden.join(",")),
        ("--activation", config.network.activation.name().to_owned()),
        ("--initializer", config.network.initializer.name().to_owned()),
        ("--rule", "both".to_owned()),
        ("--loss", config.training.loss.name().to_owned()),
        ("--steps", config.training.steps.to_string()),
        ("--rate", config.training.rate.to_string()),
        ("--momentum", config.training.momentum.to_string()),
        ("--decay", config.training.decay.to_string()),
        ("--epsilon", config.training.epsilon.to_string()),
        ("--measure-every", config.training.measure_every.to_string()),
        ("--seed", config.seed.to_string()),
        ("--scalar", config.scalar.name().to_owned()),
        ("--rank", sizes.rank.to_string()),
        ("--dimension", sizes.dimension.to_string()),
        ("--samples", sizes.samples.to_string()),
        ("--test-samples", sizes.test_samples.to_string()),
        ("--task", "chain-monomial".to_owned()),
    ];
    for (option, default) in defaults {
        let (_, text) = help.output.split_once(&format!("{option} <")).unwrap_or_else(|| panic!("{option}"));
        let (_, text) = text.split_once("[default: ").unwrap();
        let (found, _) = text.split_once(']').unwrap();
        assert_eq!(found, default, "{option}");
    }
    for option in ["--batch", "--speeds", "--out", "--threads", "--spectrum", "--test-data"] {
        let (_, text) = help.output.split_once(&format!("{option} <")).unwrap();
        assert!(text.split("\n      --").next().unwrap().contains("[default: "), "{option}");
    }
}
