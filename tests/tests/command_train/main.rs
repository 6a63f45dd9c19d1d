//! `agop train`: what it learns, what it writes, and that neither threads nor instruction sets change a bit of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod bits;
mod folder;

use agop::run::config::{Config, Data};
use agop_tests::command::{agop, fixture, json};
use serde_json::Value;

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
