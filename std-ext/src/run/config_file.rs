//! A configuration as a person writes it: what is wrong in it is named by key and line.

use super::config::{Config, Data, Files, SCHEMA};
use super::manifest::LONGEST_CONFIG;
use crate::error::{Error, ParseError, Result, quote};
use crate::file;
use std::path::{Path, PathBuf};

/// The configuration in the bytes of a `config.toml`.
///
/// # Errors
/// A [`ParseError`] at a line, which names the key.
pub fn parse(bytes: &[u8]) -> std::result::Result<Config, ParseError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ParseError::new(format!("byte {}", error.valid_up_to()), "not UTF-8 text"))?;
    let config: Config = toml::from_str(text).map_err(|error| {
        let place = error.span().map_or(0, |span| span.start);
        let line = text.get(..place).unwrap_or_default().matches('\n').count();
        let reason = match key_at(text, line).filter(|_| !error.message().starts_with("missing field")) {
            Some(key) => format!("{}: {}", quote(key), error.message()),
            None => error.message().to_owned(),
        };
        ParseError::new(format!("line {}", line + 1), reason)
    })?;
    if config.schema != SCHEMA {
        let place = line_of(text, "schema").unwrap_or_else(|| "schema".to_owned());
        let reason = format!("schema: expected {SCHEMA:?}, found {}", quote(&config.schema));
        return Err(ParseError::new(place, reason));
    }
    Ok(config)
}

/// The key of the value that includes a line (counted from 0).
fn key_at(text: &str, line: usize) -> Option<&str> {
    let lines: Vec<&str> = text.lines().take(line + 1).collect();
    let (key, _) = lines.iter().rev().find(|line| line.contains('='))?.split_once('=')?;
    // The header line of a table, `[name]`, has no key.
    let table = lines.last().is_some_and(|line| line.trim_start().starts_with('[') && !line.contains('='));
    Some(key.trim()).filter(|key| !table && !key.is_empty())
}

/// The line with the value of a key, or with the header of the table of that name.
fn line_of(text: &str, key: &str) -> Option<String> {
    let gives = |line: &str| {
        let value = line.trim_start().strip_prefix(key);
        value.is_some_and(|rest| rest.trim_start().starts_with('='))
            || line.trim().ends_with(&format!(".{key}]"))
    };
    text.lines().position(gives).map(|line| format!("line {}", line + 1))
}

/// A file with a configuration, and the text that errors are looked up in.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// What it says; its paths are from the root.
    pub config: Config,
    path: PathBuf,
    text: String,
}

impl ConfigFile {
    /// Reads a configuration. Paths of samples in it are taken from the current folder, as those of options are.
    ///
    /// # Errors
    /// What is no configuration, with file, line and key.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = file::read_limited(path, LONGEST_CONFIG)?;
        let mut config = parse(&bytes).map_err(|error| error.in_file(path))?;
        if let Data::Files(Files { data, labels, test_data, test_labels, .. }) = &mut config.data {
            let more = [labels, test_data, test_labels].into_iter().flatten();
            for file in [data].into_iter().chain(more) {
                *file = file.absolute()?;
            }
        }
        let text = String::from_utf8(bytes).unwrap_or_default();
        Ok(Self { config, path: path.to_path_buf(), text })
    }

    /// An error about a setting, at the line that gives it; any other as it is.
    pub fn place(&self, error: Error) -> Error {
        let (Error::Usage(_) | Error::Core(_)) = &error else { return error };
        let reason = error.to_string();
        let name = reason.split(':').next().unwrap_or_default().trim_start_matches("--");
        let words = [name, name.split(' ').next().unwrap_or_default()];
        let line = words.iter().find_map(|name| line_of(&self.text, &name.replace(['-', ' '], "_")));
        match line {
            Some(line) => Error::input(&self.path, line, reason),
            None => error,
        }
    }
}
