//! `agop info`.

use super::{DONE, write, write_json};
use crate::detect;
use crate::error::Result;
use agop_core::activation::AnyActivation;
use agop_core::digest::CONTRACT_VERSION;
use agop_core::loss::AnyLoss;
use agop_core::network::Initializer;
use agop_core::simd::Level;
use serde::Serialize;
use std::io::Write;
use std::num::NonZeroUsize;

/// Say what this program is and what this machine has
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  agop info --json")]
pub(super) struct Options {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    version: &'static str,
    contract: u32,
    level: &'static str,
    levels: Vec<&'static str>,
    threads: usize,
    environment: &'static str,
    activations: Vec<&'static str>,
    losses: Vec<&'static str>,
    initializers: Vec<&'static str>,
}

pub(super) fn run(options: &Options, output: &mut dyn Write) -> Result<u8> {
    let level = detect::level()?;
    agop_core::environment::check(level)?;
    let report = Report {
        schema: "agop.info/1",
        version: env!("CARGO_PKG_VERSION"),
        contract: CONTRACT_VERSION,
        level: level.name(),
        levels: Level::available().map(Level::name).collect(),
        threads: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        environment: "ok",
        activations: AnyActivation::ALL.iter().map(|a| a.name()).collect(),
        losses: AnyLoss::ALL.iter().map(|l| l.name()).collect(),
        initializers: Initializer::ALL.iter().map(|i| i.name()).collect(),
    };
    if options.json {
        write_json(output, &report)?;
        return Ok(DONE);
    }
    let list = |names: &[&str]| names.join(", ");
    write(
        output,
        &format!(
            "agop          {} (bit contract {})\n\
             level         {} (this machine has: {})\n\
             threads       {}\n\
             environment   {}: rounds to nearest even, keeps subnormals, fuses multiply-adds\n\
             activations   {}\n\
             losses        {}\n\
             initializers  {}\n",
            report.version,
            report.contract,
            report.level,
            list(&report.levels),
            report.threads,
            report.environment,
            list(&report.activations),
            list(&report.losses),
            list(&report.initializers),
        ),
    )?;
    Ok(DONE)
}
