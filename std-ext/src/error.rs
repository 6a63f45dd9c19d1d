//! The error type of everything that touches files, options or stored data.
//!
//! A reader works on bytes and knows no file name: it returns a [`ParseError`], a place and a reason. Whoever opened the
//! file adds its name with [`ParseError::in_file`]. What a person sees is one line: `FILE: PLACE: REASON`.

use std::fmt::{self, Display, Write};
use std::io;
use std::path::{Path, PathBuf};

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, and where.
///
/// [`Display`] is always one line; control characters in names that come from outside are shown escaped.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file could be read but its content is not acceptable. Shown as `FILE: PLACE: REASON`.
    Input {
        /// The file as it was named by the caller.
        file: PathBuf,
        /// Where in the file: `byte 128`, `row 3, column 7`, `tensor "layers.0.weight"`, `header`.
        place: String,
        /// What is wrong there, with the numbers expected and found.
        reason: String,
    },
    /// The operating system refused. Shown as `FILE: cannot ACTION: SYSTEM MESSAGE`.
    Io {
        /// The file as it was named by the caller.
        file: PathBuf,
        /// What was being done: `open`, `read`, `write`, ...
        action: &'static str,
        /// The system's own error.
        source: io::Error,
    },
    /// Options that do not make sense together or alone. Shown as the sentence itself.
    Usage(String),
    /// What the core refused.
    Core(agop_core::error::Error),
    /// Values stopped being finite: the rule, the step, what.
    Diverged(String),
    /// Any other failure, as one sentence.
    Message(String),
}

impl Error {
    /// An [`Error::Io`] for `file` while doing `action` (a verb: `open`, `read`).
    pub fn io(file: impl Into<PathBuf>, action: &'static str, source: io::Error) -> Self {
        Self::Io { file: file.into(), action, source }
    }

    /// An [`Error::Input`] for `file` at `place`.
    pub fn input(file: impl Into<PathBuf>, place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Input { file: file.into(), place: place.into(), reason: reason.into() }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input { file, place, reason } => {
                write!(f, "{}: {}: {}", OneLine(file.display()), OneLine(place), OneLine(reason))
            }
            Self::Io { file, action, source } => {
                write!(f, "{}: cannot {action}: {}", OneLine(file.display()), OneLine(source))
            }
            Self::Core(error) => write!(f, "{}", OneLine(error)),
            Self::Usage(message) | Self::Diverged(message) | Self::Message(message) => {
                write!(f, "{}", OneLine(message))
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Core(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

impl From<agop_core::error::Error> for Error {
    fn from(error: agop_core::error::Error) -> Self {
        Self::Core(error)
    }
}

/// What is wrong with some bytes, before anyone has said which file they came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseError {
    /// Where: `byte 128`, `row 3, column 7`, `tensor "layers.0.weight"`, `header`.
    pub place: String,
    /// What is wrong there, with the numbers expected and found.
    pub reason: String,
}

impl ParseError {
    /// An error at `place`.
    pub fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into() }
    }

    /// The same error with the file's name.
    pub fn in_file(self, file: impl AsRef<Path>) -> Error {
        Error::Input { file: file.as_ref().to_path_buf(), place: self.place, reason: self.reason }
    }
}

impl Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", OneLine(&self.place), OneLine(&self.reason))
    }
}

impl std::error::Error for ParseError {}

/// A name from outside in double quotes, escaped, and cut after 80 characters: a header can hold names of megabytes.
pub(crate) fn quote(name: &str) -> String {
    const LONGEST: usize = 80;
    let mut characters = name.chars();
    let start: String = characters.by_ref().take(LONGEST).collect();
    if characters.next().is_none() { format!("{start:?}") } else { format!("{start:?}...") }
}

/// A shape as Python writes it: `()`, `(3,)`, `(3, 4)`. Cut after 8 dimensions.
pub(crate) fn shape_text(shape: &[impl Display]) -> String {
    const MOST: usize = 8;
    let shown: Vec<String> = shape.iter().take(MOST).map(ToString::to_string).collect();
    match (shape.len(), shown.first()) {
        (1, Some(only)) => format!("({only},)"),
        (n, _) if n > MOST => format!("({}, ...)", shown.join(", ")),
        _ => format!("({})", shown.join(", ")),
    }
}

/// Shows control characters escaped, so that one error is one line.
struct OneLine<T>(T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl Write for Escape<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for character in text.chars() {
                    if character.is_control() {
                        write!(self.0, "{}", character.escape_default())?;
                    } else {
                        self.0.write_char(character)?;
                    }
                }
                Ok(())
            }
        }
        write!(Escape(f), "{}", self.0)
    }
}
