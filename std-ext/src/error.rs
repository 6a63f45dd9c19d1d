//! The error type of everything that touches files, options or stored data.
//!
//! A reader works on bytes and does not know the file name. It returns a [`ParseError`], a place and a reason. The caller
//! that opened the file adds its name with [`ParseError::in_file`]. The message is one line: `FILE: PLACE: REASON`.
//!
//! Why not `thiserror`: it would replace the two `impl` blocks and the `From` of [`Error`], 30 lines, by 8 lines of
//! attributes. The format strings and [`Shown`], which keep a message on one line, would stay. Its `#[from]` also makes
//! the core's error the source of [`Error::Core`], so that a printed chain would show the same message twice.

use std::fmt::{self, Display, Write};
use std::io;
use std::path::{Path, PathBuf};

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, and where.
///
/// [`Display`] is always one line, for any input: see [`Shown`].
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
                write!(f, "{}: {}: {}", Shown(file.display()), Shown(place), Shown(reason))
            }
            Self::Io { file, action, source } => {
                write!(f, "{}: cannot {action}: {}", Shown(file.display()), Shown(source))
            }
            Self::Core(error) => write!(f, "{}", Shown(error)),
            Self::Usage(message) | Self::Diverged(message) | Self::Message(message) => {
                write!(f, "{}", Shown(message))
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

/// What is wrong with some bytes, without the name of their file.
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
        write!(f, "{}: {}", Shown(&self.place), Shown(&self.reason))
    }
}

impl std::error::Error for ParseError {}

/// A name from a file in double quotes, escaped, and cut after 80 characters, because a header can hold names of megabytes.
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

/// Displays text from a file or a path safely on a terminal, in one line.
///
/// Characters that are not printable (control, format and direction characters, line separators, those without width) are
/// escaped. The text is cut after [`Shown::LONGEST`] characters. Quotes and backslashes are not escaped, so that text is
/// never escaped twice.
#[derive(Clone, Copy, Debug)]
pub struct Shown<T>(pub T);

impl Shown<()> {
    /// The largest number of characters shown.
    pub const LONGEST: usize = 1000;
}

impl<T: Display> Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escape<'a, 'b> {
            out: &'a mut fmt::Formatter<'b>,
            left: usize,
        }
        impl Write for Escape<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for character in text.chars() {
                    match self.left {
                        0 => return Ok(()),
                        1 => self.out.write_str("...")?,
                        _ if printed(character) => self.out.write_char(character)?,
                        _ => write!(self.out, "{}", character.escape_debug())?,
                    }
                    self.left -= 1;
                }
                Ok(())
            }
        }
        write!(Escape { out: f, left: Shown::LONGEST + 1 }, "{}", self.0)
    }
}

/// Whether a character is printed without escape: letters, marks, digits, signs and the space.
pub(crate) fn printed(character: char) -> bool {
    // Test it after a letter, because `escape_debug` escapes a combining mark at the start of a text.
    matches!(character, ' '..='~') || String::from_iter(['a', character]).escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name in an untrusted file must not control the terminal and must not imitate a line of output.
    #[test]
    fn what_steers_a_terminal_is_escaped() {
        let ranges =
            [0..=0x1f, 0x7f..=0x9f, 0x200b..=0x200f, 0x2028..=0x202e, 0x2060..=0x206f, 0xfeff..=0xfeff];
        let mut escaped = 0;
        for character in ranges.into_iter().flatten().chain([0xad, 0x61c, 0xe0041]).filter_map(char::from_u32)
        {
            let shown = Shown(format!("a{character}b")).to_string();
            assert!(shown.starts_with("a\\") && shown.ends_with('b') && shown.is_ascii(), "{shown}");
            assert!(!quote(&shown).contains(character));
            escaped += 1;
        }
        println!("{escaped} characters escaped");
        for text in ["C:\\x \"y\" 'z'", "naïve नमस्ते 数据", "cafe\u{301}"] {
            assert_eq!(Shown(text).to_string(), text);
            assert_eq!(Shown(Shown(text)).to_string(), text);
        }
        let long = Shown("é".repeat(1 << 20)).to_string();
        assert_eq!((long.chars().count(), long.ends_with("é...")), (Shown::LONGEST + 3, true));
        assert_eq!(Shown("é".repeat(Shown::LONGEST)).to_string(), "é".repeat(Shown::LONGEST));
    }
}
