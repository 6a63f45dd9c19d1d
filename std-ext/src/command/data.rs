//! Options of every command that reads data files.

use super::choice;
use crate::dataset::{Format, Paths, Reading, Separator};
use crate::error::{Error, Result};

/// How files are to be understood where they do not say it themselves.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ReadingOptions {
    /// Format of the data files [default: recognised by content]
    #[arg(long, value_name = "NAME", requires = "data", value_parser = choice::<Format>(), help_heading = "Files of data")]
    format: Option<Format>,
    /// Array of inputs in an .npz archive, also --data FILE.npz:NAME [default: the only one, or x, data, images, ...]
    #[arg(long, value_name = "NAME", requires = "data", help_heading = "Files of data")]
    array: Option<String>,
    /// Array of labels in an .npz archive, also --labels FILE.npz:NAME [default: y, labels, target, ...]
    #[arg(long, value_name = "NAME", requires = "data", help_heading = "Files of data")]
    label_array: Option<String>,
    /// Column of labels in a table of text: a name in its first row, or an index from 0
    #[arg(long, value_name = "COLUMN", requires = "data", help_heading = "Files of data")]
    label: Option<String>,
    /// What divides the fields of a table: one character, or `tab` [default: found in the first rows]
    #[arg(long, value_name = "CHAR", requires = "data", help_heading = "Files of data")]
    separator: Option<Separator>,
    /// Whether the first row of a table holds names [default: yes if it has text over a column of numbers]
    #[arg(long, value_enum, requires = "data", help_heading = "Files of data")]
    header: Option<Header>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Header {
    Yes,
    No,
}

impl ReadingOptions {
    /// What the readers take.
    pub(super) fn reading(&self) -> Reading {
        let Self { format, array, label_array, label, separator, header } = self.clone();
        let header = header.map(|header| matches!(header, Header::Yes));
        Reading { format, array, label_array, label, separator, header }
    }
}

/// The files of an option that may be given several times.
pub(super) fn joined(data: &[Paths]) -> Result<Paths> {
    Paths::joined(data).ok_or_else(|| Error::Usage("--data: no file is named".into()))
}
