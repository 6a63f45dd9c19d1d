//! Configurations as keys and values, and what tells several runs apart.

use crate::error::{Error, Result};
use crate::run::config::Config;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toml::Value;

/// Every setting by its key (`training.rate`). Of files only their names: a report says nothing of the machine it was
/// made on.
pub(super) fn settings(config: &Config) -> Result<BTreeMap<String, String>> {
    let value = Value::try_from(config).map_err(|error| Error::Message(error.to_string()))?;
    let mut all = BTreeMap::new();
    walk("", &value, &mut all);
    Ok(all)
}

fn walk(key: &str, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                walk(&key, value, all);
            }
        }
        Value::String(text) => {
            let path = Path::new(text);
            let name = path.file_name().filter(|_| path.is_absolute());
            let text = name.map_or_else(|| text.clone(), |name| name.to_string_lossy().into_owned());
            all.insert(key.to_owned(), text);
        }
        Value::Array(values) => {
            let mut texts = Vec::new();
            for value in values {
                let mut one = BTreeMap::new();
                walk("", value, &mut one);
                texts.extend(one.into_values());
            }
            all.insert(key.to_owned(), texts.join(", "));
        }
        other => {
            all.insert(key.to_owned(), other.to_string());
        }
    }
}

/// The name of each run: the settings in which it differs from another, or its number where that tells nothing.
pub(super) fn names(runs: &[BTreeMap<String, String>]) -> Vec<String> {
    let keys: BTreeSet<&String> = runs.iter().flat_map(BTreeMap::keys).collect();
    let differs =
        |key: &&String| runs.windows(2).any(|pair| matches!(pair, [a, b] if a.get(*key) != b.get(*key)));
    let keys: Vec<&String> = keys.into_iter().filter(differs).collect();
    let mut names: Vec<String> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        // The part before the last dot tells a reader nothing.
        let setting = |key: &&String| {
            let short = key.rsplit('.').next().unwrap_or(key.as_str()).replace('_', " ");
            format!("{short} {}", run.get(*key).map_or("unset", String::as_str))
        };
        let name = keys.iter().map(setting).collect::<Vec<_>>().join(", ");
        let taken = runs.len() > 1 && (name.is_empty() || names.contains(&name) || name.chars().count() > 48);
        names.push(if taken { format!("run {}", index + 1) } else { name });
    }
    names
}
