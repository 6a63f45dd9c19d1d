//! Which files hold the data, and how they are to be understood where they do not say it themselves.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Files that hold one set, in their order. A configuration stores one as a string, several as a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMore", into = "OneOrMore")]
pub struct Paths(Vec<PathBuf>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(PathBuf),
    More(Vec<PathBuf>),
}

impl From<OneOrMore> for Paths {
    fn from(paths: OneOrMore) -> Self {
        match paths {
            OneOrMore::One(path) => Self(vec![path]),
            OneOrMore::More(paths) => Self(paths),
        }
    }
}

impl From<Paths> for OneOrMore {
    fn from(Paths(mut paths): Paths) -> Self {
        match (paths.pop(), paths.is_empty()) {
            (Some(path), true) => Self::One(path),
            (last, _) => Self::More(paths.into_iter().chain(last).collect()),
        }
    }
}

impl From<&Path> for Paths {
    fn from(path: &Path) -> Self {
        Self(vec![path.to_path_buf()])
    }
}

/// The value of an option: one path, or several with commas between them. A file whose name has the comma goes first.
impl From<OsString> for Paths {
    fn from(text: OsString) -> Self {
        let several = text.to_str().filter(|text| text.contains(',') && !Path::new(text).exists());
        Self(
            several.map_or_else(
                || vec![PathBuf::from(&text)],
                |text| text.split(',').map(PathBuf::from).collect(),
            ),
        )
    }
}

impl Paths {
    /// Those of an option that was given several times.
    pub fn joined(options: &[Self]) -> Option<Self> {
        let all: Vec<PathBuf> = options.iter().flat_map(|paths| &paths.0).cloned().collect();
        (!all.is_empty()).then_some(Self(all))
    }

    /// The same, where those that are relative begin in `folder`.
    pub(crate) fn within(&self, folder: &Path) -> Self {
        Self(self.0.iter().map(|path| folder.join(path)).collect())
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(PathBuf::as_path)
    }

    /// The first, which messages about the whole set name.
    pub fn first(&self) -> &Path {
        self.0.first().map(PathBuf::as_path).unwrap_or(Path::new(""))
    }

    /// The paths from the root, so that a stored configuration serves from any folder.
    ///
    /// # Errors
    /// For a path that is not UTF-8, which a configuration cannot hold.
    pub fn absolute(&self) -> Result<Self> {
        let absolute = |path: &PathBuf| {
            let absolute = std::path::absolute(path).map_err(|error| Error::io(path, "locate", error))?;
            if absolute.to_str().is_none() {
                let reason = "the path is not UTF-8, which the run's configuration cannot hold";
                return Err(Error::Usage(format!("{}: {reason}", path.display())));
            }
            Ok(absolute)
        };
        self.0.iter().map(absolute).collect::<Result<_>>().map(Self)
    }
}

/// A file, and the array that is meant where an archive follows it: `digits.npz:images`. A file of the whole name goes
/// first.
pub(crate) fn file_and_array(path: &Path) -> (PathBuf, Option<String>) {
    let split = path.to_str().and_then(|text| text.rsplit_once(':'));
    match split {
        Some((file, array)) if !array.is_empty() && !path.exists() && Path::new(file).is_file() => {
            (file.into(), Some(array.to_owned()))
        }
        _ => (path.to_path_buf(), None),
    }
}

/// A format of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One NumPy array.
    Npy,
    /// NumPy arrays with names.
    Npz,
    /// A table of text.
    Csv,
    /// An array as MNIST has it.
    Idx,
    /// Batches of images with their labels.
    Cifar10,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Npy, Self::Npz, Self::Csv, Self::Idx, Self::Cifar10];

    /// Name as options spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Csv => "csv",
            Self::Idx => "idx",
            Self::Cifar10 => "cifar10",
        }
    }
}

/// What divides the fields of a table: one ASCII character, not a quote, a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Separator(u8);

impl Separator {
    pub(super) fn byte(&self) -> u8 {
        self.0
    }
}

impl FromStr for Separator {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let byte = match (text, text.as_bytes()) {
            ("comma", _) => b',',
            ("semicolon", _) => b';',
            ("tab" | "\\t", _) => b'\t',
            ("space", _) => b' ',
            (_, &[byte]) => byte,
            _ => 0,
        };
        let fits =
            byte == b'\t' || byte == b' ' || (byte.is_ascii_punctuation() && !b"\"'.+-_".contains(&byte));
        fits.then_some(Self(byte)).ok_or_else(|| "expected one character, such as ';', or `tab`".to_owned())
    }
}

impl TryFrom<String> for Separator {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<Separator> for String {
    fn from(separator: Separator) -> Self {
        char::from(separator.0).into()
    }
}

/// How files are to be understood, beyond what they say themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reading {
    /// The format; recognised by content without.
    pub format: Option<Format>,
    /// The array of inputs in an archive; one that is alone or has an obvious name without.
    pub array: Option<String>,
    /// The array of labels in an archive, likewise.
    pub label_array: Option<String>,
    /// The column of labels in a table, by name or index.
    pub label: Option<String>,
    /// What divides fields; found without.
    pub separator: Option<Separator>,
    /// Whether the first row of a table holds names; found without.
    pub header: Option<bool>,
}

impl Reading {
    /// Whether everything is left to the files.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
