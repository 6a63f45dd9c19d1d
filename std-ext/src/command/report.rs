//! `agop report`.

use super::{Computing, DONE, patiently, write};
use crate::error::{Error, Result, Shown};
use crate::machine::Machine;
use crate::report::{PAGE, Report, Source};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Draw a run, or several compared, as one HTML file with its pictures beside it
///
/// The page needs neither scripts nor a network. It shows losses, UC-, C- and DC-NFC against steps with the prediction from
/// the initial weights, F, G and its root as heat maps, spectra and leading subspaces, and all numbers. Matrices need the
/// samples of the run; where they have moved, the page says so and shows the rest. A run that diverged or was interrupted is
/// drawn as far as it came.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  agop report runs/0001\n  agop report runs/0001 runs/0002 --out comparison.html"
)]
pub(super) struct Options {
    /// Folders of runs
    #[arg(required = true, value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// The page; pictures go beside it as report-*.svg [default: report.html in the first folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) computing: Computing,
}

pub(super) fn run(options: &Options, output: &mut dyn Write) -> Result<u8> {
    let machine = options.computing.machine()?;
    let path = draw(&machine, &options.directories, options.out.as_deref())?;
    write(output, &format!("report: {}\n", Shown(path.display())))?;
    Ok(DONE)
}

/// Draws the runs and says where the page is.
pub(super) fn draw(machine: &Machine, directories: &[PathBuf], out: Option<&Path>) -> Result<PathBuf> {
    let path = match (out, directories.first()) {
        (Some(out), _) => out.to_path_buf(),
        (None, Some(first)) => first.join(PAGE),
        (None, None) => return Err(Error::Usage("no folder of a run is given".to_owned())),
    };
    let sources = directories.iter().map(|directory| Source::read(directory)).collect::<Result<Vec<_>>>()?;
    patiently("drawing", (&machine.progress, "samples"), || Report::of_runs(machine, &sources))?
        .write(&path)?;
    Ok(path)
}
