//! `agop verify`.

use super::train::bar;
use super::{Computing, DONE, NO, write, write_json};
use crate::dataset::Paths;
use crate::error::{Result, Shown};
use crate::run::verify::{Moved, Stored};
use std::io::Write;
use std::path::PathBuf;

/// Replay a run and compare every digest: exit 0 when all are equal, 1 when not, naming the first differing step
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  agop verify runs/0001\n  \
    agop verify runs/mine --data moved/X.npy --labels moved/Y.npy")]
pub(super) struct Options {
    /// The folder of the run
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Training inputs, when they are not where the run found them
    #[arg(long, value_name = "FILE")]
    data: Vec<Paths>,
    /// Training labels, likewise
    #[arg(long, value_name = "FILE")]
    labels: Vec<Paths>,
    /// Test inputs, likewise
    #[arg(long, value_name = "FILE")]
    test_data: Vec<Paths>,
    /// Test labels, likewise
    #[arg(long, value_name = "FILE")]
    test_labels: Vec<Paths>,
    /// Replay also what takes more than 1e14 floating-point operations or 4 GiB of memory
    #[arg(long)]
    allow_large: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) computing: Computing,
}

pub(super) fn run(options: &Options, output: &mut dyn Write, messages: &mut dyn Write) -> Result<u8> {
    let moved = Moved {
        data: Paths::joined(&options.data),
        labels: Paths::joined(&options.labels),
        test_data: Paths::joined(&options.test_data),
        test_labels: Paths::joined(&options.test_labels),
    };
    let stored = Stored::read(&options.directory, moved)?;
    let machine = options.computing.machine()?;
    let bar = bar(stored.config());
    let mut progress = |rule: crate::run::config::RuleName, step: u64| {
        bar.set_prefix(rule.name());
        bar.set_position(step);
    };
    let mut say = |line: &str| {
        // Nobody need read it.
        let _ = writeln!(messages, "agop verify: {}", Shown(line));
        let _ = messages.flush();
    };
    let verification = stored.verify(&machine, options.allow_large, &mut say, &mut progress);
    bar.finish_and_clear();
    let verification = verification?;
    if options.json {
        write_json(output, &verification)?;
    } else {
        let mut text = String::new();
        for (rule, count) in &verification.measurements {
            text += &format!("{}: {count} measurements equal\n", rule.name());
        }
        for difference in &verification.differences {
            text += &format!("different: {}: {}\n", Shown(&difference.place), Shown(&difference.reason));
        }
        text += if verification.equal { "equal\n" } else { "not equal\n" };
        write(output, &text)?;
    }
    Ok(if verification.equal { DONE } else { NO })
}
