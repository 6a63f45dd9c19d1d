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

/// The files of a run of both rules.
pub const RUN_FILES: [&str; 8] = [
    "config.toml",
    "gd/final.safetensors",
    "gd/history.csv",
    "gd/initial.safetensors",
    "manifest.json",
    "slo/final.safetensors",
    "slo/history.csv",
    "slo/initial.safetensors",
];

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

/// Every null of a report has a reason: in the `why` of the object it stands in, by its key, or further out by its path.
///
/// # Panics
/// Where there is none.
pub fn assert_nulls_explained(report: &Value) {
    fn visit(value: &Value, path: &str, outer: &[(String, &Value)]) {
        match value {
            Value::Null => {
                let explained = outer.iter().any(|(prefix, why)| {
                    let key = path.strip_prefix(prefix.as_str()).unwrap_or(path);
                    why[key.trim_start_matches('.')].is_string()
                });
                assert!(explained, "{path} is null, and nothing says why");
            }
            Value::Object(fields) => {
                let mut outer = outer.to_vec();
                outer.extend(fields.get("why").map(|why| (path.to_owned(), why)));
                fields.iter().for_each(|(key, value)| visit(value, &format!("{path}.{key}"), &outer));
            }
            Value::Array(values) => {
                values.iter().enumerate().for_each(|(i, value)| visit(value, &format!("{path}.{i}"), outer));
            }
            _ => {}
        }
    }
    visit(report, "", &[]);
}
