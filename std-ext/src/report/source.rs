//! Reads a run folder, also that of a run that diverged or was interrupted. Missing parts are noted.

use crate::checkpoint::{self, Checkpoint};
use crate::dataset::Values;
use crate::error::{Error, ParseError, Result, quote, shape_text};
use crate::file;
use crate::notes::number;
use crate::run::config::{self, Config, Data, RuleName, Synthetic};
use crate::run::folder::{CONFIG, MANIFEST, files_of, sha256};
use crate::run::manifest::{LONGEST, LONGEST_CONFIG, Manifest};
use std::collections::BTreeMap;
use std::path::Path;

/// The newest state that an unfinished training keeps, in the folder of its rule.
const STATE: &str = "checkpoint.safetensors";
/// A history of more bytes is not read.
const LONGEST_HISTORY: u64 = 1 << 28;

/// The content of a run folder.
#[derive(Clone, Debug)]
pub struct Source {
    /// The configuration of the run.
    pub config: Config,
    /// The digests of the run; `None` if it did not finish.
    pub manifest: Option<Manifest>,
    /// Its rules, in the order of the configuration.
    pub rules: Vec<RuleSource>,
    /// Notes on what is missing, or differs from the manifest.
    pub notes: Vec<String>,
}

/// The files of one rule.
#[derive(Clone, Debug)]
pub struct RuleSource {
    /// The rule.
    pub rule: RuleName,
    /// Its measurements.
    pub rows: Vec<Row>,
    /// The weights before the first update.
    pub initial: Option<Checkpoint>,
    /// The weights after the last.
    pub last: Option<Checkpoint>,
}

/// One measurement: a line of `history.csv`, or one of several checkpoints.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Updates done.
    pub step: u64,
    /// Losses, accuracy and alignment, by the names of their columns.
    pub values: BTreeMap<String, f64>,
    /// The measures of each hidden layer, by the names of their columns without the layer.
    pub layers: Vec<BTreeMap<String, f64>>,
    /// Digest of the state.
    pub digest: String,
}

impl Source {
    /// Reads a folder.
    ///
    /// # Errors
    /// Where there is no configuration, and for a file of the run that cannot be understood.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(CONFIG);
        let config_bytes = file::read_limited(&path, LONGEST_CONFIG)?;
        let config = config::parse(&config_bytes).map_err(|error| error.in_file(&path))?;
        config.check().map_err(|error| Error::input(&path, "settings", error.to_string()))?;
        let mut notes = Vec::new();
        let path = directory.join(MANIFEST);
        let manifest = match present(&path, LONGEST)? {
            Some(bytes) => Some(Manifest::parse(&bytes).map_err(|error| error.in_file(&path))?),
            None => {
                notes.push(format!("unfinished: there is no {MANIFEST}, so nothing says that the run ended"));
                None
            }
        };
        if manifest.as_ref().is_some_and(|manifest| manifest.unfinished) {
            notes.push("unfinished: `agop train --resume` goes on with the run".to_owned());
        }
        if let Some(reason) = manifest.as_ref().and_then(|manifest| manifest.diverged.as_ref()) {
            notes.push(format!("diverged: {reason}"));
        }
        let mut check = |name: &str, bytes: &[u8]| {
            let expected = manifest.as_ref().and_then(|manifest| manifest.files.get(name));
            if expected.is_some_and(|expected| *expected != sha256(bytes)) {
                notes.push(format!("{name} is not the file of which {MANIFEST} has the digest"));
            }
        };
        check(CONFIG, &config_bytes);
        let (mut rules, mut states) = (Vec::new(), Vec::new());
        for rule in config.training.rules.iter().copied() {
            let [initial, last, history] = files_of(rule);
            let mut read = |name: &str, longest: u64| -> Result<Option<Vec<u8>>> {
                let bytes = present(&directory.join(name), longest)?;
                if let Some(bytes) = &bytes {
                    check(name, bytes);
                }
                Ok(bytes)
            };
            let mut rows = match read(&history, LONGEST_HISTORY)? {
                Some(bytes) => parse(&bytes).map_err(|error| error.in_file(directory.join(&history)))?,
                None => Vec::new(),
            };
            let mut weights = |name: &str| -> Result<Option<Checkpoint>> {
                let parse = |bytes: Vec<u8>| {
                    let network = checkpoint::parse(&bytes).and_then(|network| of_widths(network, &config));
                    network.map_err(|error| error.in_file(directory.join(name)))
                };
                read(name, u64::MAX)?.map(parse).transpose()
            };
            let (initial, mut last) = (weights(&initial)?, weights(&last)?);
            let state = directory.join(rule.name()).join(STATE);
            if let (Some(initial), None, true) = (&initial, &last, state.exists()) {
                let kept = kept(&state, initial)?;
                states.push(format!("{}: weights and measurements are those of {STATE}", rule.name()));
                (last, rows) = (Some(kept.0), if rows.is_empty() { kept.1 } else { rows });
            }
            rules.push(RuleSource { rule, rows, initial, last });
        }
        notes.extend(states);
        for RuleSource { rule, rows, last, .. } in &rules {
            let (name, steps) = (rule.name(), config.training.steps);
            match rows.last() {
                None => notes.push(format!("{name}: no measurement is there")),
                Some(row) if row.step < steps => {
                    let step = row.step;
                    notes.push(format!(
                        "{name} ends at step {step} of {steps}: it diverged or was interrupted"
                    ));
                }
                Some(_) => {}
            }
            if last.is_none() {
                notes.push(format!("{name}: there are no final weights, so its matrices are not drawn"));
            }
        }
        Ok(Self { config, manifest, rules, notes })
    }

    /// What was to be done, in a sentence without its end.
    pub(super) fn summary(&self) -> String {
        let Config { network, training, scalar, .. } = &self.config;
        let rules: Vec<&str> = training.rules.iter().map(|rule| rule.name()).collect();
        let hidden: Vec<String> = network.hidden.iter().map(ToString::to_string).collect();
        let (rules, hidden, samples) = (rules.join(" and "), hidden.join(" and "), self.samples());
        format!(
            "{rules}, {} steps of size {}, {} loss; hidden layers of {hidden} units, {}, {}; {samples}",
            training.steps,
            training.rate,
            training.loss.name(),
            network.activation.name(),
            scalar.name(),
        )
    }

    /// What the samples are, as far as the configuration tells.
    pub(super) fn samples(&self) -> String {
        let task = |name: &str, sizes: &Synthetic| {
            let Synthetic { dimension, samples, test_samples, .. } = sizes;
            format!("{name} in {dimension} dimensions, {samples} samples and {test_samples} for the test")
        };
        match &self.config.data {
            Data::ChainMonomial(sizes) => task(&format!("chain monomial of rank {}", sizes.rank), sizes),
            Data::RandomLabels(sizes) => task("random labels", sizes),
            Data::Files(files) => {
                let names =
                    files.data.iter().map(|path| path.file_name().unwrap_or_default().to_string_lossy());
                format!("samples of {}", names.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// The run in a paragraph: what it was to do, how each rule ended, what is missing.
    pub fn says(&self) -> Vec<String> {
        let ended = self.rules.iter().filter_map(|RuleSource { rule, rows, .. }| {
            let row = rows.last()?;
            let value =
                |(key, x): (&String, &f64)| format!("{} {}", key.replace('_', " "), number(Some(*x), 4));
            let values: Vec<String> = row.values.iter().map(value).collect();
            let count = rows.len();
            Some(format!("{} at step {}: {}; {count} measurements", rule.name(), row.step, values.join(", ")))
        });
        [self.summary()].into_iter().chain(ended).chain(self.notes.iter().cloned()).collect()
    }
}

/// The weights and the measurements of the newest state that an unfinished training kept.
fn kept(path: &Path, initial: &Checkpoint) -> Result<(Checkpoint, Vec<Row>)> {
    let wrong = |reason: &str| Error::input(path, "tensors", reason);
    let (mut weights, mut rows) = (None, Vec::new());
    for found in checkpoint::describe(path)? {
        let (widths, bias) = (initial.widths(), initial.has_bias());
        let encoded = match (found.name.as_str(), found.values) {
            ("parameters", Some(Values::F32(values))) => checkpoint::encode(&widths, bias, &values),
            ("parameters", Some(Values::F64(values))) => checkpoint::encode(&widths, bias, &values),
            ("history", Some(Values::Integers(bytes))) => {
                let text: Vec<u8> = bytes.iter().map(|byte| *byte as u8).collect();
                rows = parse(&text).map_err(|error| error.in_file(path))?;
                continue;
            }
            _ => continue,
        };
        let network = encoded.map_err(|error| wrong(&error.to_string()))?;
        weights = Some(checkpoint::parse(&network).map_err(|error| error.in_file(path))?);
    }
    Ok((weights.ok_or_else(|| wrong("there are no parameters"))?, rows))
}

/// The network if its hidden layers are those of the configuration, which told how much there is to compute.
fn of_widths(network: Checkpoint, config: &Config) -> std::result::Result<Checkpoint, ParseError> {
    let (expected, found) = (&config.network.hidden, network.widths());
    if found.get(1..found.len() - 1) == Some(expected.as_slice()) {
        return Ok(network);
    }
    let (expected, found) = (shape_text(expected), shape_text(&found));
    Err(ParseError::new(
        "shape",
        format!("widths {found}, the configuration has the hidden layers {expected}"),
    ))
}

/// The content of a file, if there is one.
fn present(path: &Path, longest: u64) -> Result<Option<Vec<u8>>> {
    if !path.exists() {
        return Ok(None);
    }
    file::read_limited(path, longest).map(Some)
}

/// The rows of a `history.csv`; a last line without an end is one that was not written to its end.
fn parse(bytes: &[u8]) -> std::result::Result<Vec<Row>, ParseError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ParseError::new(format!("byte {}", error.valid_up_to()), "expected UTF-8"))?;
    let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::trim_end);
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut rows = Vec::new();
    for (line, number) in lines.zip(2_usize..) {
        let wrong = |reason: String| ParseError::new(format!("line {number}"), reason);
        let cells: Vec<&str> = line.split(',').collect();
        if cells.len() != names.len() {
            return Err(wrong(format!("{} columns, the first line has {}", cells.len(), names.len())));
        }
        let mut row = Row::default();
        for (name, cell) in names.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            let value = || {
                let value = cell.parse().ok().filter(|value: &f64| value.is_finite());
                value.ok_or_else(|| {
                    wrong(format!("column {}: expected a number, found {}", quote(name), quote(cell)))
                })
            };
            match (*name, layer_of(name)) {
                ("step", _) => {
                    row.step = cell.parse().map_err(|_| wrong(format!("step: found {}", quote(cell))))?;
                }
                ("digest", _) => row.digest = cell.to_owned(),
                (_, Some((layer, _))) if layer >= names.len() => {
                    return Err(wrong(format!("column {}: there are not so many layers", quote(name))));
                }
                (_, Some((layer, key))) => {
                    let layers = Ord::max(row.layers.len(), layer + 1);
                    row.layers.resize(layers, BTreeMap::new());
                    let value = value()?;
                    row.layers.get_mut(layer).map(|layer| layer.insert(key.to_owned(), value));
                }
                (name, None) => {
                    row.values.insert(name.to_owned(), value()?);
                }
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

/// `layer2_KEY` as 2 and KEY.
fn layer_of(name: &str) -> Option<(usize, &str)> {
    let (layer, key) = name.strip_prefix("layer")?.split_once('_')?;
    Some((layer.parse().ok()?, key))
}
