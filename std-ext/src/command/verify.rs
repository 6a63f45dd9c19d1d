//! `agop verify`.

use super::train::bar;
use super::{Computing, DONE, NO, write, write_json};
use crate::error::Result;
use crate::run::verify::Stored;
use std::io::Write;
use std::path::PathBuf;

/// Replay a run and compare every digest: exit 0 when all are equal, 1 when not, naming the first differing step
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The folder of the run
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Training inputs, if not where they were when the run was made
    #[arg(long, value_name = "X.npy")]
    data: Option<PathBuf>,
    /// Training labels, if not where they were
    #[arg(long, value_name = "Y.npy")]
    labels: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    computing: Computing,
}

pub(super) fn run(options: &Options, output: &mut dyn Write) -> Result<u8> {
    let stored = Stored::read(&options.directory, options.data.as_deref(), options.labels.as_deref())?;
    let machine = options.computing.machine()?;
    let bar = bar(stored.config());
    let mut progress = |rule: crate::run::config::RuleName, step: u64| {
        bar.set_prefix(rule.name());
        bar.set_position(step);
    };
    let verification = match stored.config().scalar()? {
        "f32" => stored.verify::<f32>(machine, &mut progress),
        _ => stored.verify::<f64>(machine, &mut progress),
    };
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
            text += &format!("different: {}: {}\n", difference.place, difference.reason);
        }
        text += if verification.equal { "equal\n" } else { "not equal\n" };
        write(output, &text)?;
    }
    Ok(if verification.equal { DONE } else { NO })
}
