//! Tables of everything: measurements, settings, digests, and the commands that repeat a run.

use super::course;
use super::page::{Section, Table};
use super::parts::Track;
use super::{Row, Shown};
use crate::notes::number;
use std::collections::{BTreeMap, BTreeSet};

/// Rows of the table of all measurements.
const MOST_ROWS: usize = 1000;

/// Fills a table with rows, of very many with evenly spaced ones and the last.
pub(super) fn fill(table: &mut Table, rows: &[Row]) {
    let Some(first) = rows.last() else { return };
    let keys: Vec<&str> =
        course::LOSSES.iter().map(|(key, ..)| *key).filter(|key| first.values.contains_key(*key)).collect();
    let columns: Vec<(usize, &String)> = first
        .layers
        .iter()
        .enumerate()
        .flat_map(|(layer, all)| all.keys().map(move |key| (layer, key)))
        .collect();
    table.headings =
        ["step".to_owned()].into_iter().chain(keys.iter().map(|key| key.replace('_', " "))).collect();
    table
        .headings
        .extend(columns.iter().map(|(layer, key)| format!("layer {layer} {}", key.replace('_', " "))));
    table.headings.push("digest".to_owned());
    let every = rows.len().div_ceil(MOST_ROWS).max(1);
    if every > 1 {
        table.caption += &format!(" One of {every} rows is shown, and the last.");
    }
    for (index, row) in rows.iter().enumerate() {
        if index % every != 0 && index + 1 != rows.len() {
            continue;
        }
        let values = keys.iter().map(|key| row.values.get(*key));
        let layers = columns.iter().map(|(layer, key)| row.layers.get(*layer).and_then(|all| all.get(*key)));
        let numbers = values.chain(layers).map(|x| number(x.copied(), 6));
        let digest = row.digest.chars().skip_while(|c| *c != ':').skip(1).take(12).collect();
        table.rows.push([row.step.to_string()].into_iter().chain(numbers).chain([digest]).collect());
    }
}

pub(super) fn measurements(tracks: &[Track<'_>]) -> Section {
    let mut tables = Vec::new();
    for track in tracks {
        let caption = format!(
            "Every measurement of {}, as history.csv has it; digests are cut after 12 digits.",
            track.name
        );
        let mut table = Table { caption, words: 0, headings: Vec::new(), rows: Vec::new() };
        fill(&mut table, &track.rule.rows);
        if !table.rows.is_empty() {
            tables.push(table);
        }
    }
    Section { id: "measurements", heading: "All measurements", tables, ..Section::default() }
}

pub(super) fn configuration(runs: &[Shown<'_>]) -> Section {
    let column = |run: &Shown<'_>| if run.name.is_empty() { "value".to_owned() } else { run.name.clone() };
    let with_runs = |caption: &str, heading: &str| {
        let headings = [heading.to_owned()].into_iter().chain(runs.iter().map(column)).collect();
        Table { caption: caption.to_owned(), words: runs.len() + 1, headings, rows: Vec::new() }
    };
    let across = |all: &[BTreeMap<String, String>]| -> Vec<Vec<String>> {
        let keys: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
        let cell = |map: &BTreeMap<String, String>, key: &String| {
            map.get(key).cloned().unwrap_or_else(|| "-".to_owned())
        };
        keys.into_iter()
            .map(|key| [key.clone()].into_iter().chain(all.iter().map(|map| cell(map, key))).collect())
            .collect()
    };
    let mut settings = with_runs("The configuration; of files only the names.", "setting");
    settings.rows = across(&runs.iter().map(|run| run.settings.clone()).collect::<Vec<_>>());
    let mut digests = with_runs("Versions and digests, which `agop verify` compares with a replay.", "of");
    let of_run = |run: &Shown<'_>| {
        let mut all = BTreeMap::from([(
            "samples".to_owned(),
            run.computed.data.clone().unwrap_or_else(|| run.source.samples()),
        )]);
        if let Some(manifest) = &run.source.manifest {
            all.insert("digest of the samples".to_owned(), manifest.data.to_string());
            all.insert(
                "version".to_owned(),
                format!("{}, bit contract {}", manifest.version, manifest.contract),
            );
            all.extend(manifest.files.iter().map(|(name, digest)| (name.clone(), digest.to_string())));
        }
        for rule in &run.source.rules {
            if let Some(row) = rule.rows.last() {
                all.insert(format!("{} at step {}", rule.rule.name(), row.step), row.digest.clone());
            }
        }
        all
    };
    digests.rows = across(&runs.iter().map(of_run).collect::<Vec<_>>());
    Section {
        id: "configuration",
        heading: "Configuration and digests",
        tables: vec![settings, digests],
        ..Section::default()
    }
}

pub(super) fn repeat() -> Section {
    let text = "In the folder of a run: the first command trains it again, the second replays it and compares every bit.";
    let code = "agop train --config config.toml --out again\nagop verify .";
    Section {
        id: "repeat",
        heading: "To repeat it",
        text: vec![text.to_owned()],
        code: vec![code.to_owned()],
        ..Section::default()
    }
}
