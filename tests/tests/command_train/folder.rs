//! What a run folder holds, and what a refused or failed run leaves there.

use agop::run::config::{Config, RuleName};
use agop::run::folder::sha256;
use agop::run::manifest::{LONGEST, MOST_MEASUREMENTS, Manifest, Mark};
use agop_tests::command::{RUN_FILES, agop, json};
use std::path::Path;

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

/// What cannot start leaves no folder behind, nor those above it.
#[test]
fn a_run_that_fails_before_its_first_step_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a/b/run");
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
    assert!(lines[1].contains("is not finite; scale the inputs"), "{lines:?}");
}

/// What diverges says when and why, and keeps what was measured: it is drawn, not verified, not resumed.
#[test]
fn a_run_that_diverges_is_kept_up_to_there() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run").display().to_string();
    let arguments = [&TINY[..], &["--out", &out]].concat();
    let diverging = ["--activation", "quadratic", "--rate", "1000", "--steps", "50", "--measure-every", "1"];
    let answer = agop(&[&arguments[..], &diverging, &["--rule", "gd", "--report"]].concat());
    assert_eq!((answer.code, answer.output.as_str()), (2, ""));
    assert!(answer.messages.starts_with("agop: gd step "), "{}", answer.messages);
    let said =
        "is not finite; try a smaller --rate, or scale the inputs and labels; the run up to there is kept, ";
    let (reason, drawn) = answer.messages.split_once(said).unwrap();
    assert!(drawn.ends_with("report.html draws it\n"), "{drawn}");
    let step: usize =
        reason.strip_prefix("agop: gd step ").unwrap().split(':').next().unwrap().parse().unwrap();
    let text = |name: &str| std::fs::read_to_string(Path::new(&out).join(name)).unwrap();
    assert!((step..step + 2).contains(&(text("gd/history.csv").lines().count() - 1)), "{step}");
    assert!(text("manifest.json").contains(&format!("\"diverged\": \"gd step {step}: ")));
    assert!(text("report.html").contains("diverged: gd step "));
    assert!(!Path::new(&out).join("gd/final.safetensors").exists());
    assert!(!Path::new(&out).join("run.lock").exists());
    for arguments in [&["verify", &out][..], &["train", "--resume", &out]] {
        let answer = agop(arguments);
        let said = "run/manifest.json: the run diverged: gd step ";
        assert!(answer.code == 2 && answer.messages.contains(said), "{answer:?}");
        assert_eq!(answer.messages.lines().count(), 1);
    }
    // The rule that had finished is whole, and what replaces a run that diverged leaves nothing of it.
    let answer = agop(&[&arguments[..], &["--speeds", "1e30,1e30", "--force"]].concat());
    assert_eq!((answer.code, answer.output.as_str()), (2, ""));
    let growing = format!("{out}.unfinished");
    assert!(answer.messages.starts_with("agop: slo step "), "{}", answer.messages);
    assert!(answer.messages.ends_with(".unfinished` draws it\n"), "{}", answer.messages);
    assert!(Path::new(&growing).join("gd/final.safetensors").exists());
    assert_eq!(agop(&["report", &growing]).code, 0);
    let answer = agop(&[&arguments[..], &["--force"]].concat());
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(!Path::new(&growing).exists() && !Path::new(&out).join("report.html").exists());
    assert_eq!(agop(&["verify", &out]).code, 0);
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
