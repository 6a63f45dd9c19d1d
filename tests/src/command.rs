//! The command, run inside the test's process.

use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;

/// What a command said.
#[derive(Debug)]
pub struct Answer {
    /// Exit code.
    pub code: u8,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub messages: String,
}

/// Runs `agop` with these arguments.
pub fn agop(arguments: &[&str]) -> Answer {
    let arguments = std::iter::once("agop").chain(arguments.iter().copied()).map(OsString::from);
    let (mut output, mut messages) = (Vec::new(), Vec::new());
    let code = agop::command::run(arguments, &mut output, &mut messages);
    let text = |bytes| String::from_utf8(bytes).expect("the command writes UTF-8");
    Answer { code, output: text(output), messages: text(messages) }
}

/// Runs `agop` with these arguments and `--json`: the output is one object on one line, and nothing is said beside it.
pub fn json(arguments: &[&str]) -> Value {
    let answer = agop(&[arguments, &["--json"]].concat());
    assert_eq!((answer.code, answer.messages.as_str()), (0, ""), "{arguments:?}");
    assert_eq!(answer.output.matches('\n').count(), 1, "{}", answer.output);
    serde_json::from_str(&answer.output).expect("one JSON object")
}

/// Path of a fixture.
pub fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).display().to_string()
}
