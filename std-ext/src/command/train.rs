//! `agop train`.

use super::checkpoints::{Every, Keeper, listen};
use super::data::ReadingOptions;
use super::preparing::Preparing;
use super::settings::{FileOptions, Settings};
use super::{Computing, DONE, INTERRUPTED, write, write_json};
use crate::dataset::Paths;
use crate::error::{Error, Result, Shown};
use crate::machine::Machine;
use crate::notes::{dead, dead_layers, scale_of_inputs};
use crate::run::config::Config;
use crate::run::config_file::ConfigFile;
use crate::run::folder::{Folder, MANIFEST, checkpoint_of, files_of};
use crate::run::named::in_scalar;
use crate::run::place::{Claim, Place, Placed, Resumed, growing_of};
use crate::run::problem::Problem;
use crate::run::report::TrainReport;
use crate::run::train::{Outcome, Run};
use crate::run::verify::Moved;
use agop_core::digest::Digest;
use agop_core::scalar::Real;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::VecDeque;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Train a network by gradient descent and by Speed Limited Optimization, and watch it learn features
///
/// Without options: the chain monomial y = sum_k x_k x_(k+1 mod 5), both rules from the same initial weights. The run
/// folder holds config.toml, manifest.json and, for each rule, initial.safetensors, final.safetensors and history.csv;
/// `agop verify` replays it.
///
/// The folder stands from the first step on. Ctrl-C ends a run after the step and keeps its state; --resume goes on from
/// there, or from the last checkpoint where the process was killed, to the same bits. Checkpoints go when the run is whole.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  agop train\n  agop train --data X.npy --labels Y.npy --hidden 128,128 --out runs/mine\n  agop train --data wine.csv --label kind\n  \
    agop train --rule slo --target lowest --steps 2000 --seed 7"
)]
pub(super) struct Options {
    #[command(flatten)]
    files: FileOptions,
    #[command(flatten)]
    settings: Settings,
    /// File with all settings in the form of a run's config.toml, instead of options that decide what is computed
    #[arg(long, value_name = "FILE.toml", conflicts_with_all = ["Settings", "FileOptions", "ReadingOptions", "Preparing"])]
    config: Option<PathBuf>,
    /// Print the settings in that form and stop
    #[arg(long)]
    print_config: bool,

    /// Folder of the run [default: runs/0001, or the next free number]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite the run that stands in --out; the new one grows in DIR.unfinished until it is whole
    #[arg(long, requires = "out")]
    force: bool,
    /// Also draw the run: `report.html` and its pictures in the folder, as `agop report` does
    #[arg(long)]
    report: bool,
    /// Go on with an unfinished run; --data, --labels, ... name files of samples that have moved
    #[arg(long, value_name = "DIR", conflicts_with_all = ["Settings", "ReadingOptions", "Preparing", "config", "print_config", "out", "force"])]
    resume: Option<PathBuf>,
    /// Updates (500) or time (30s, 10m, 2h) between two checkpoints, of which the newest of each rule is kept
    #[arg(long, value_name = "N|TIME", default_value = "10m")]
    checkpoint_every: Every,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: ReadingOptions,
    #[command(flatten)]
    preparing: Preparing,
    #[command(flatten)]
    pub(super) computing: Computing,
}

/// A run that was started before: its place, its configuration as stored, the digest of its samples and what their files were
/// taken for.
type Started = (Place, Config, Digest, Option<String>);

pub(super) fn run(options: &Options, output: &mut dyn Write, messages: &mut dyn Write) -> Result<u8> {
    if let Some(directory) = &options.resume {
        return resume(options, directory, output, messages);
    }
    let file = options.config.as_deref().map(ConfigFile::read).transpose()?;
    let config = file.as_ref().map_or_else(
        || options.settings.config(&options.files, &options.reading, &options.preparing),
        |file| Ok(file.config.clone()),
    )?;
    let placed = |error| match &file {
        Some(file) => file.place(error),
        None => error,
    };
    config.check().map_err(placed)?;
    if options.print_config {
        let text = String::from_utf8(config.encode()?).unwrap_or_default();
        return write(output, &text).map(|()| DONE);
    }
    in_scalar!(config.scalar, run_in::<_>(options, &config, None, &placed, output, messages))
}

fn resume(
    options: &Options,
    directory: &Path,
    output: &mut dyn Write,
    messages: &mut dyn Write,
) -> Result<u8> {
    let Resumed { place, unfinished, config: stored, data: digest, understood } = Place::resume(directory)?;
    if !unfinished {
        let Placed { directory, .. } = place.finish()?;
        let growing = growing_of(&directory);
        let other = format!("; `agop train --resume {}` goes on with its successor", growing.display());
        let other = if growing.exists() { other } else { String::new() };
        // Nobody need read it.
        let _ =
            writeln!(messages, "{}", Shown(format!("{}: the run is finished{other}", directory.display())));
        return Ok(DONE);
    }
    let mut config = stored.clone();
    let FileOptions { data, labels, test_data, test_labels } = &options.files;
    let [data, labels, test_data, test_labels] =
        [data, labels, test_data, test_labels].map(|paths: &Vec<Paths>| Paths::joined(paths));
    Moved { data, labels, test_data, test_labels }.put_into(&mut config)?;
    let started = Some((place, stored, digest, understood));
    in_scalar!(config.scalar, run_in::<_>(options, &config, started, &|error| error, output, messages))
}

fn run_in<T: Real>(
    options: &Options,
    config: &Config,
    started: Option<Started>,
    placed: &dyn Fn(Error) -> Error,
    output: &mut dyn Write,
    messages: &mut dyn Write,
) -> Result<u8> {
    let machine = options.computing.machine()?;
    let mut problem = Problem::<T>::load_within(config, machine.memory).map_err(placed)?;
    let started = match started {
        Some((place, _, data, _)) if data != problem.digest => {
            let reason = "the samples are not those with which the run was started";
            return Err(Error::input(place.path().join(MANIFEST), "data", reason));
        }
        Some((place, stored, _, understood)) => {
            // Files of the same numbers may be taken for something else; the run says what it was started with.
            if let (Some(before), Some(now)) = (&understood, &problem.understood)
                && before != now
            {
                let _ =
                    writeln!(messages, "note: the files are now {now}; the run was started with {before}");
            }
            problem.understood = understood.or(problem.understood);
            Some((place, stored))
        }
        None => None,
    };
    // All that can be wrong with the settings is found before the first rule trains.
    let rules = config.training.rules.iter();
    let runs = rules.map(|rule| Run::new(config, &problem, *rule, &machine));
    let mut runs = runs.collect::<Result<Vec<_>>>().map_err(placed)?;
    // Reading and checking end at once, what writes does not.
    let interrupted = listen();
    let (place, stored) = match started {
        Some((place, stored)) => {
            restore(&mut runs, &place)?;
            (place, stored)
        }
        None => {
            let claim = match &options.out {
                Some(directory) => Claim::named(directory, options.force)?,
                None => Claim::fresh()?,
            };
            let initial = runs.iter().map(|run| (run.rule(), run.initial()));
            let folder = Folder::unfinished(config, problem.digest, initial)?;
            (claim.start(&folder.understood((&problem.understood, &problem.statistics)))?, config.clone())
        }
    };
    let path = place.path().to_path_buf();
    let goes_on = || format!("`agop train --resume {}` goes on", path.display());
    let keeper = Keeper::new(options.checkpoint_every, &place, interrupted);
    let report = match train(runs, &problem, &machine, (config, &stored), keeper, messages) {
        Ok(Some(report)) => report,
        Ok(None) => {
            let _ = writeln!(messages, "agop: interrupted; {}", Shown(goes_on()));
            return Ok(INTERRUPTED);
        }
        Err(error) => {
            let results = |rule| files_of(rule).into_iter().skip(1).chain([checkpoint_of(rule)]);
            let mut results = config.training.rules.iter().copied().flat_map(results);
            let kept = results.any(|name| path.join(name).exists());
            if let Error::Diverged(reason) = &error {
                let directory = place.leave();
                let mut drawn = format!("`agop report {}` draws it", directory.display());
                if options.report {
                    let page = super::report::draw(&machine, std::slice::from_ref(&directory), None)?;
                    drawn = format!("{} draws it", page.display());
                }
                return Err(Error::Diverged(format!("{reason}; the run up to there is kept, {drawn}")));
            }
            if !kept {
                place.discard();
                return Err(error);
            }
            return Err(Error::Message(format!("{error}; {}", goes_on())));
        }
    };
    let Placed { directory, left } = place.finish()?;
    let page = options
        .report
        .then(|| super::report::draw(&machine, std::slice::from_ref(&directory), None))
        .transpose()?;
    let page = page.map(|page| format!("report: {}\n", Shown(page.display()))).unwrap_or_default();
    let directory = Shown(directory.display());
    // Nobody need read these.
    if let Some(left) = left {
        let _ =
            writeln!(messages, "the run that was replaced could not be removed: {}", Shown(left.display()));
    }
    if options.json {
        write_json(output, &report)?;
        if options.out.is_none() && options.resume.is_none() {
            let _ = writeln!(messages, "run: {directory}");
        }
    } else {
        write(output, &format!("{}\nrun: {directory}\n{page}", report.table()))?;
    }
    Ok(DONE)
}

/// Puts every rule where its checkpoint was taken, or where it starts.
fn restore<T: Real>(runs: &mut [Run<'_, T>], place: &Place) -> Result<()> {
    for run in runs {
        let path = place.path().join(checkpoint_of(run.rule()));
        if std::fs::symlink_metadata(&path).is_ok() {
            run.restore(&path)?;
        }
    }
    Ok(())
}

/// Trains all rules and writes what the run holds; `None` when it was interrupted. `configs`: that of the training, and as
/// it is stored.
fn train<T: Real>(
    runs: Vec<Run<'_, T>>,
    problem: &Problem<T>,
    machine: &Machine,
    (config, stored): (&Config, &Config),
    mut keeper: Keeper<'_>,
    messages: &mut dyn Write,
) -> Result<Option<TrainReport>> {
    let remedy = "divide them by it before training (pixels 0..255 by 255)";
    let mut notes: Vec<String> = scale_of_inputs(problem.scale, remedy).into_iter().collect();
    for note in &notes {
        // Nobody need read it; the table says it again.
        let _ = writeln!(messages, "note: {note}");
    }
    let mut outcomes: Vec<Outcome<T>> = Vec::new();
    let mut runs = VecDeque::from(runs);
    let described = (&problem.understood, &problem.statistics);
    while let Some(mut run) = runs.pop_front() {
        let bar = bar(config);
        bar.set_prefix(run.rule().name());
        let trained = run.train_between(
            &mut |step| bar.set_position(step),
            &mut |record| {
                bar.set_message(format!("test loss {:.4}", record.test_loss));
                true
            },
            &mut |run| keeper.between(run, config.training.steps, messages),
        );
        bar.finish_and_clear();
        if let Err(Error::Diverged(reason)) = &trained {
            runs.push_front(run);
            let folder = Folder::new(stored, problem.digest, outcomes)?.understood(described);
            keeper.write(&folder.diverged(runs.into(), reason)?)?;
            return Err(Error::Diverged(reason.clone()));
        }
        let Some(last) = trained? else { return Ok(None) };
        outcomes.push(run.outcome(last));
    }
    let unknown = problem.outer_product.as_ref().err().copied();
    for outcome in &outcomes {
        let layers = dead_layers(machine.level, &outcome.trained, &problem.train.inputs)?;
        let names: Vec<String> =
            layers.iter().map(|layer| format!("{} layer {layer}", outcome.rule.name())).collect();
        notes.extend(dead(&names).map(|note| note + "; try a smaller --rate, or scale the inputs"));
    }
    let report = TrainReport::new(outcomes.iter().map(|outcome| (outcome.rule, &outcome.last)), unknown);
    let report = TrainReport { data: problem.understood.clone(), notes, ..report };
    keeper.write(&Folder::new(stored, problem.digest, outcomes)?.understood(described))?;
    Ok(Some(report))
}

/// A progress bar over the updates of one rule, on the terminal if there is one.
pub(super) fn bar(config: &Config) -> ProgressBar {
    let bar = ProgressBar::new(config.training.steps);
    let style = ProgressStyle::with_template("{prefix:>4} {wide_bar} {pos}/{len} steps {eta} {msg}");
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
