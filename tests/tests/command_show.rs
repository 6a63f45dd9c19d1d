//! `agop show`, `agop completions` and `agop man`; and that nothing is coloured.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop::dataset::{Values, npy};
use agop_tests::command::{agop, fixture, json};
use agop_tests::weights::typed;
use std::path::Path;

fn name(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// What a trainer refuses is what one looks for: NaN and infinities are counted.
#[test]
fn an_array_is_shown_with_all_that_is_wrong_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = name(folder.path(), "x.npy");
    let values = Values::F32(vec![1.5, f32::NAN, -2.0, f32::INFINITY, f32::NAN, 0.0]);
    std::fs::write(&path, npy::encode(&[2, 3], &values).unwrap()).unwrap();
    let array = &json(&["show", &path])["files"][0]["arrays"][0];
    assert_eq!((&array["dtype"], &array["shape"][1]), (&"F32".into(), &3.into()));
    assert_eq!((array["least"].as_f64(), array["largest"].as_f64()), (Some(-2.0), Some(1.5)));
    assert_eq!((array["nan"].as_u64(), array["infinite"].as_u64()), (Some(2), Some(1)));
    let text = agop(&["show", &path]).output;
    assert!(text.contains("\n-      (2, 3)  F32   -2.0000   1.5000    2         1\n"), "{text}");
    assert!(text.contains("no samples: row 0, column 1: the value is NaN\n"), "{text}");
}

#[test]
fn labels_are_shown_as_classes() {
    let folder = tempfile::tempdir().unwrap();
    let path = name(folder.path(), "y.npy");
    let values = Values::Integers(vec![2, 0, 1, 1]);
    std::fs::write(&path, npy::encode(&[4], &values).unwrap()).unwrap();
    let text = agop(&["show", &path]).output;
    assert!(text.contains("integer") && text.contains("as labels: 3 classes 0..2\n"), "{text}");
}

#[test]
fn weights_are_shown_with_the_network_that_they_make() {
    let text = agop(&["show", &fixture("digits-relu/trained.safetensors")]).output;
    assert!(text.contains("\nnetwork: widths 64-128-128-128-10, "), "{text}");
    // Tensors that are no network, of types that are no weights.
    let folder = tempfile::tempdir().unwrap();
    let path = name(folder.path(), "other.safetensors");
    let nan = f32::NAN.to_le_bytes();
    let tensors = [("mask", "F8_E4M3", &[2][..], &[1, 2][..]), ("odd.weight", "F32", &[1], &nan)];
    std::fs::write(&path, typed(&[], &tensors)).unwrap();
    let file = &json(&["show", &path])["files"][0];
    assert!(file["arrays"][0]["nan"].is_null() && file["arrays"][1]["nan"] == 1, "{file}");
    assert!(file["says"][0].as_str().unwrap().starts_with("no network: "), "{file}");
    assert_eq!(agop(&["show", &name(folder.path(), "nothing")]).code, 2);
}

#[test]
fn a_table_and_a_run_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (table, run) = (name(folder.path(), "my.csv"), name(folder.path(), "run"));
    std::fs::write(&table, "width,height,kind\n1,2,0\n3,4.5,1\n5,6,1\n").unwrap();
    let text = agop(&["show", &table]).output;
    assert!(text.contains("(3, 3)") && text.contains("\ncolumns: width, height, kind\n"), "{text}");
    let text = agop(&["show", &table, "--label", "kind"]).output;
    assert!(text.contains("\nlabels as labels: 2 classes 0..1\n"), "{text}");
    // The only column of text is what it can be; two of them are refused.
    std::fs::write(&table, "width,kind,height\n1,round,2\n3,flat,4.5\n5,flat,6\n").unwrap();
    let text = agop(&["show", &table]).output;
    assert!(text.contains("\nlabels as labels: 2 classes flat, round numbered 0..1\n"), "{text}");
    assert!(
        text.contains("\ncolumns: width, height\n") && text.contains("labels in column 1 \"kind\""),
        "{text}"
    );
    std::fs::write(&table, "width,kind,name\n1,round,a\n3,flat,b\n5,flat,c\n").unwrap();
    assert_eq!(agop(&["show", &table]).code, 2);
    let sizes =
        ["--dimension", "4", "--rank", "3", "--samples", "20", "--test-samples", "5", "--hidden", "3"];
    let answer = agop(&[&["train", "--rule", "gd", "--steps", "4", "--out", &run], &sizes[..]].concat());
    assert_eq!(answer.code, 0, "{answer:?}");
    let text = agop(&["show", &run]).output;
    let said = "gd, 4 steps of size 0.1, mean-squared loss; hidden layers of 3 units, relu, f32; chain monomial of rank 3";
    assert!(text.contains(said) && text.contains("\ngd at step 4: feature alignment "), "{text}");
    let answer = agop(&["show", &folder.path().display().to_string()]);
    assert_eq!((answer.code, answer.messages.matches('\n').count()), (2, 1), "{answer:?}");
}

#[test]
fn every_command_has_a_page_completions_and_an_example() {
    let help = agop(&["--help"]).output;
    let commands = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let commands: Vec<&str> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 8, "{commands:?}");
    let scripts: Vec<String> = ["bash", "zsh", "fish", "elvish", "powershell"]
        .map(|shell| agop(&["completions", shell]).output)
        .to_vec();
    for command in commands.into_iter().filter(|command| *command != "help") {
        let help = agop(&[command, "--help"]).output;
        assert!(
            help.contains(&format!("\n  agop {command} ")) || help.contains(&format!("\n  agop {command}\n")),
            "{help}"
        );
        let page = agop(&["man", command]).output;
        assert!(
            page.contains(&format!(".TH agop-{command} 1")) && page.contains(".SH DESCRIPTION"),
            "{page}"
        );
        assert!(scripts.iter().all(|script| script.contains(command)), "{command}");
        assert!(!help.contains('\u{1b}'), "{command}: help has colours");
    }
    assert!(agop(&["man"]).output.contains("agop\\-measure(1)"));
    let answer = agop(&["man", "nothing"]);
    assert_eq!(answer.code, 2);
    assert!(answer.messages.starts_with("agop: unknown command `nothing` (known: train, "), "{answer:?}");
}
