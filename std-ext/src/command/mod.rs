//! The command `agop`: one file a subcommand.
//!
//! Exit codes: 0 done, 1 the answer is no, 2 bad usage or input, 130 interrupted. Results go to the output, everything
//! else to the messages; an error is one line there. With `--json` the output is one object and nothing else.

mod checkpoints;
mod completions;
mod data;
mod digest;
mod info;
mod layer;
mod measure;
mod predict;
mod preparing;
mod report;
mod settings;
mod show;
mod train;
mod verify;

use crate::detect;
use crate::error::{Error, Result, printed};
use crate::machine::{Machine, Progress, most_threads};
use crate::run::named::Named;
use bytesize::ByteSize;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Done.
pub const DONE: u8 = 0;
/// The answer is no.
pub const NO: u8 = 1;
/// Bad usage or input.
pub const BAD: u8 = 2;
/// Interrupted after a step, its state kept.
pub const INTERRUPTED: u8 = 130;

/// Train small networks, measure how their weights align with their gradient outer products, verify runs bit for bit
#[derive(Debug, Parser)]
#[command(
    name = "agop",
    version,
    arg_required_else_help = false,
    after_help = "Exit codes: 0 done, 1 the answer is no, 2 bad usage or input, 130 interrupted.\n\
                  AGOP_LEVEL=scalar|avx2|... forces an instruction set; none of them changes a bit."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(Box<train::Options>),
    Measure(Box<measure::Options>),
    Predict(Box<predict::Options>),
    Verify(verify::Options),
    Report(report::Options),
    Show(show::Options),
    Digest(digest::Options),
    Info(info::Options),
    Completions(completions::Options),
    Man(completions::Manual),
}

impl Command {
    /// The command, what its options come to having been said where it is not what they say.
    fn said(self, messages: &mut dyn Write) -> Self {
        match &self {
            Self::Train(options) => options.computing.say_cap(messages),
            Self::Measure(options) => options.computing.say_cap(messages),
            Self::Predict(options) => options.computing.say_cap(messages),
            Self::Verify(options) => options.computing.say_cap(messages),
            Self::Report(options) => options.computing.say_cap(messages),
            _ => {}
        }
        self
    }
}

/// Options of every command that computes.
#[derive(Clone, Debug, Args)]
struct Computing {
    /// Threads; the number changes no bit [default: as many as the machine runs at once]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Inputs of samples that take more than this stay in their files (.npy, IDX, CIFAR-10), and blocks of rows are read
    /// whenever they are used; no bit depends on it
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = bytes)]
    memory: ByteSize,
}

/// A number of bytes: `268435456`, `256MiB`, `2GB`.
fn bytes(text: &str) -> std::result::Result<ByteSize, String> {
    text.parse().map_err(|_| "expected bytes, as 268435456, 256MiB or 2GB".to_owned())
}

impl Computing {
    /// Says so where fewer threads are started than were asked for.
    fn say_cap(&self, messages: &mut dyn Write) {
        let most = most_threads();
        if let Some(threads) = self.threads.filter(|threads| threads.get() > most) {
            // Nobody need read it.
            let _ = writeln!(messages, "agop: --threads {threads}: at most {most} are started");
        }
    }

    /// The machine to compute on, its floating-point environment tested.
    fn machine(&self) -> Result<Machine> {
        let level = detect::level()?;
        agop_core::environment::check(level)?;
        let threads = self.threads.or_else(|| std::thread::available_parallelism().ok());
        let machine = Machine::new(level, threads.map_or(1, NonZeroUsize::get))?;
        Ok(Machine { memory: self.memory.as_u64(), ..machine })
    }
}

/// Runs the command with the given arguments, the program's name first, and returns its exit code.
///
/// A reader that closes the output early is not an error.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    output: &mut dyn Write,
    messages: &mut dyn Write,
) -> u8 {
    let outcome = match parse(arguments) {
        Ok(arguments) => match arguments.command.said(messages) {
            Command::Train(options) => train::run(&options, output, messages),
            Command::Measure(options) => measure::run(&options, output),
            Command::Predict(options) => predict::run(&options, output),
            Command::Verify(options) => verify::run(&options, output, messages),
            Command::Report(options) => report::run(&options, output),
            Command::Digest(options) => digest::run(&options, output),
            Command::Info(options) => info::run(&options, output),
            Command::Show(options) => show::run(&options, output),
            Command::Completions(options) => completions::run(&options, output),
            Command::Man(options) => completions::manual(&options, output),
        },
        Err(error) if error.exit_code() == 0 => write(output, &error.to_string()).map(|()| DONE),
        Err(error) => Err(Error::Usage(one_line(&error.to_string()))),
    };
    outcome.unwrap_or_else(|error| {
        // Nothing is left to be done when the messages cannot be written either.
        let _ = writeln!(messages, "agop: {error}");
        BAD
    })
}

/// Reads the arguments. Every option takes a negative number for its value, so that it is the value that is refused.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> std::result::Result<Arguments, clap::Error> {
    let values = |option: Arg| {
        let takes_one = option.get_action().takes_values() && !option.is_positional();
        option.allow_negative_numbers(takes_one)
    };
    let mut parser = Arguments::command().mut_subcommands(|command| command.mut_args(values));
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let matches = parser.try_get_matches_from_mut(&arguments).map_err(|error| of_given(error, &arguments))?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut parser))
}

/// A conflict with a group of options lists all of them; those that were given say enough.
fn of_given(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let Some(ContextValue::Strings(listed)) = error.get(ContextKind::PriorArg) else { return error };
    let given = |option: &&String| {
        let flag = option.split(' ').next().unwrap_or_default();
        arguments.iter().filter_map(|argument| argument.to_str()).any(|argument| {
            argument.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    };
    let given: Vec<String> = listed.iter().filter(given).cloned().collect();
    if !given.is_empty() {
        error.insert(ContextKind::PriorArg, ContextValue::Strings(given));
    }
    error
}

/// A choice among names, as the value of an option.
fn choice<T: Named + Send + Sync>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(T::names()).try_map(|name| T::named(&name))
}

/// The first paragraph of the option parser's message, and its tip if it has one.
fn one_line(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines = || text.lines().map(str::trim);
    let first: Vec<&str> = lines().take_while(|line| !line.is_empty()).collect();
    let tip = lines().find(|line| line.starts_with("tip: ")).map(|tip| format!("; {tip}"));
    first.join(" ") + &tip.unwrap_or_default() + " (see --help)"
}

/// Does `work`; from the third second on, a terminal shows how far it is, at which rate and for how long still; since when
/// where no end is known.
fn patiently<T>(
    what: &'static str,
    (progress, unit): (&Progress, &'static str),
    work: impl FnOnce() -> T,
) -> T {
    const QUIET: Duration = Duration::from_secs(2);
    const TICK: Duration = Duration::from_millis(200);
    let endless = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
    let known = format!("{{spinner}} {{msg}} {{wide_bar}} {{percent}}% {{per_sec}} {unit}, {{eta}} left");
    let styles = endless.and_then(|endless| Ok((endless, ProgressStyle::with_template(&known)?)));
    if !io::stderr().is_terminal() {
        return work();
    }
    let (working, ended) = channel::<()>();
    std::thread::scope(|scope| {
        // Without a thread to spare nothing is shown.
        let _ = std::thread::Builder::new().spawn_scoped(scope, move || {
            if ended.recv_timeout(QUIET) == Err(RecvTimeoutError::Timeout) {
                let bar = ProgressBar::new_spinner().with_elapsed(QUIET).with_message(what);
                loop {
                    let (done, expected) = progress.steps();
                    if let Ok((endless, known)) = &styles {
                        bar.set_style(if expected > 0 { known.clone() } else { endless.clone() });
                    }
                    bar.set_length(Ord::max(done, expected));
                    bar.set_position(done);
                    bar.tick();
                    if ended.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                        break;
                    }
                }
                bar.finish_and_clear();
            }
        });
        let result = work();
        drop(working);
        result
    })
}

/// Writes a result.
fn write(output: &mut dyn Write, text: &str) -> Result<()> {
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::io("standard output", "write", error))
        }
        _ => Ok(()),
    }
}

/// Writes the one object of `--json`. What a terminal does not print as it stands is in JSON's own escapes, as only
/// strings can hold it: the value is the same.
fn write_json(output: &mut dyn Write, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(value).map_err(|error| Error::Message(error.to_string()))?;
    let mut escaped = String::new();
    for character in text.chars() {
        if printed(character) {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            character.encode_utf16(&mut units).iter().for_each(|unit| escaped += &format!("\\u{unit:04x}"));
        }
    }
    write(output, &(escaped + "\n"))
}
