//! `agop train`.

use super::data::ReadingOptions;
use super::{Computing, DONE, choice, write, write_json};
use crate::checkpoint::ScalarKind;
use crate::dataset::Paths;
use crate::error::{Error, Result, Shown};
use crate::notes::{dead, dead_layers, scale_of_inputs};
use crate::run::config::{self, Config, Data, Files, RuleName, Speeds, Synthetic};
use crate::run::folder::{Claim, Folder, Placed};
use crate::run::named::in_scalar;
use crate::run::problem::Problem;
use crate::run::report::TrainReport;
use crate::run::train::{Outcome, Run};
use agop_core::activation::AnyActivation;
use agop_core::loss::AnyLoss;
use agop_core::network::Initializer;
use agop_core::scalar::Real;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::path::PathBuf;

/// Train a network by gradient descent and by Speed Limited Optimization, and watch it learn features
///
/// Without options: the chain monomial y = sum_k x_k x_(k+1 mod 5), both rules from the same initial weights. The run
/// folder holds config.toml, manifest.json and, for each rule, initial.safetensors, final.safetensors and history.csv;
/// `agop verify` replays it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  agop train\n  agop train --data X.npy --labels Y.npy --hidden 128,128 --out runs/mine\n  agop train --data wine.csv --label kind\n  \
    agop train --rule slo --target lowest --steps 2000 --seed 7"
)]
pub(super) struct Options {
    /// Synthetic task
    #[arg(long, value_enum, default_value_t = Task::ChainMonomial, conflicts_with = "data", help_heading = "Samples")]
    task: Task,
    /// Training inputs, one sample a row, instead of a task; several files, by commas or one --data each, are one set
    #[arg(long, value_name = "FILE", help_heading = "Samples")]
    data: Vec<Paths>,
    /// Training labels: integers in one column are classes, numbered in order; all else is regression, as it is
    #[arg(long, value_name = "FILE", requires = "data", help_heading = "Samples")]
    labels: Vec<Paths>,
    /// Test inputs [default: a seeded fifth of the samples]
    #[arg(long, value_name = "FILE", requires = "data", help_heading = "Samples")]
    test_data: Vec<Paths>,
    /// Test labels
    #[arg(long, value_name = "FILE", requires_all = ["data", "test_data"], help_heading = "Samples")]
    test_labels: Vec<Paths>,
    // Not a default of the parser, for which a value that was not given would be as good as one that was.
    #[arg(long, value_name = "R", help = rank_help(), conflicts_with = "data", help_heading = "Samples")]
    rank: Option<usize>,
    /// Width of a task's inputs
    #[arg(long, value_name = "D", default_value_t = Synthetic::default().dimension, conflicts_with = "data", help_heading = "Samples")]
    dimension: usize,
    /// Training samples of a task
    #[arg(long, value_name = "N", default_value_t = Synthetic::default().samples, conflicts_with = "data", help_heading = "Samples")]
    samples: usize,
    /// Test samples of a task
    #[arg(long, value_name = "N", default_value_t = Synthetic::default().test_samples, conflicts_with = "data", help_heading = "Samples")]
    test_samples: usize,
    /// Variances 1 / (1 + i^A) of a task's inputs, i = 1, 2, ... [default: all 1]
    #[arg(long, value_name = "A", conflicts_with = "data", help_heading = "Samples")]
    spectrum: Option<f64>,

    /// Widths of the hidden layers
    #[arg(
        long,
        value_name = "K,..",
        value_delimiter = ',',
        default_value = "256,256",
        help_heading = "Network"
    )]
    hidden: Vec<usize>,
    /// Activation of the hidden layers
    #[arg(long, value_name = "NAME", default_value = Config::default().network.activation.name(), value_parser = choice::<AnyActivation>(), help_heading = "Network")]
    activation: AnyActivation,
    /// Give the layers biases
    #[arg(long, help_heading = "Network")]
    bias: bool,
    /// Distribution of the initial weights
    #[arg(long, value_name = "NAME", default_value = Config::default().network.initializer.name(), value_parser = choice::<Initializer>(), help_heading = "Network")]
    initializer: Initializer,

    /// Update rule: gradient descent, Speed Limited, or one after the other from the same initial weights
    #[arg(long, value_enum, default_value_t = RuleChoice::Both, help_heading = "Training")]
    rule: RuleChoice,
    /// Loss
    #[arg(long, value_name = "NAME", default_value = Config::default().training.loss.name(), value_parser = choice::<AnyLoss>(), help_heading = "Training")]
    loss: AnyLoss,
    /// Updates
    #[arg(long, value_name = "N", default_value_t = Config::default().training.steps, help_heading = "Training")]
    steps: u64,
    /// Samples an update, shuffled by the seed [default: all]
    #[arg(long, value_name = "N", help_heading = "Training")]
    batch: Option<usize>,
    /// Step size
    #[arg(long, value_name = "ETA", default_value_t = Config::default().training.rate, help_heading = "Training")]
    rate: f64,
    /// Momentum
    #[arg(long, value_name = "MU", default_value_t = Config::default().training.momentum, help_heading = "Training")]
    momentum: f64,
    /// Weight decay
    #[arg(long, value_name = "LAMBDA", default_value_t = Config::default().training.decay, help_heading = "Training")]
    decay: f64,
    /// Speed of each layer under Speed Limited, readout included [default: 1 for the first, 0.002 for the others]
    #[arg(
        long,
        value_name = "C,..",
        value_delimiter = ',',
        conflicts_with = "target",
        help_heading = "Training"
    )]
    speeds: Option<Vec<f64>>,
    /// Layer that moves at the contrast, the others at its inverse; `lowest` takes the hidden layer of lowest UC-NFC anew
    /// at each measurement
    #[arg(long, value_name = "LAYER|lowest", help_heading = "Training")]
    target: Option<Target>,
    /// Speed of the target layer
    #[arg(long, value_name = "C", default_value_t = 500.0, requires = "target", help_heading = "Training")]
    contrast: f64,
    #[arg(long, value_name = "EPS", help = epsilon_help(), help_heading = "Training")]
    epsilon: Option<f64>,
    /// Updates between two measurements, of which a run keeps at most 100000
    #[arg(long, value_name = "N", default_value_t = Config::default().training.measure_every, help_heading = "Training")]
    measure_every: u64,

    /// Seed of all that is random
    // The configuration's format has no larger integers.
    #[arg(long, value_name = "S", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Scalar of samples, weights and passes
    #[arg(long, default_value = Config::default().scalar.name(), value_parser = choice::<ScalarKind>())]
    scalar: ScalarKind,
    /// Folder of the run [default: runs/0001, or the next free number]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite the run that stands in --out
    #[arg(long, requires = "out")]
    force: bool,
    /// Also draw the run: `report.html` and its pictures in the folder, as `agop report` does
    #[arg(long)]
    report: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: ReadingOptions,
    #[command(flatten)]
    pub(super) computing: Computing,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Task {
    ChainMonomial,
    RandomLabels,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RuleChoice {
    Gd,
    Slo,
    Both,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Layer(usize),
    Lowest,
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "lowest" => Ok(Self::Lowest),
            _ => text.parse().map(Self::Layer).map_err(|_| "expected a layer's index or `lowest`".to_owned()),
        }
    }
}

impl Options {
    /// Refuses what the parser does not know to be without effect.
    fn check(&self) -> Result<()> {
        let refused = |option: &str, other: &str, reason: &str| {
            let message = format!("the argument '{option}' cannot be used with '{other}': {reason}");
            Err(Error::Usage(message + " (see --help)"))
        };
        if let (Task::RandomLabels, Some(_)) = (self.task, self.rank) {
            return refused("--rank", "--task random-labels", "only the chain monomial has a rank");
        }
        let speed_limited = [
            ("--speeds", self.speeds.is_some()),
            ("--target", self.target.is_some()),
            ("--epsilon", self.epsilon.is_some()),
        ];
        match speed_limited.into_iter().find(|(_, given)| *given) {
            Some((option, _)) if matches!(self.rule, RuleChoice::Gd) => {
                refused(option, "--rule gd", "gradient descent limits no speed")
            }
            _ => Ok(()),
        }
    }

    fn config(&self) -> Result<Config> {
        self.check()?;
        let mut config = Config { scalar: self.scalar, seed: self.seed, ..Config::default() };
        let sizes = Synthetic {
            rank: self.rank.unwrap_or(Synthetic::default().rank),
            dimension: self.dimension,
            samples: self.samples,
            test_samples: self.test_samples,
            spectrum: self.spectrum,
        };
        let absolute = |paths: &[Paths]| Paths::joined(paths).map(|paths| paths.absolute()).transpose();
        config.data = match (absolute(&self.data)?, self.task) {
            (Some(data), _) => Data::Files(Files {
                data,
                labels: absolute(&self.labels)?,
                test_data: absolute(&self.test_data)?,
                test_labels: absolute(&self.test_labels)?,
                reading: self.reading.reading(),
            }),
            (None, Task::ChainMonomial) => Data::ChainMonomial(sizes),
            (None, Task::RandomLabels) => Data::RandomLabels(sizes),
        };
        config.network = config::Network {
            hidden: self.hidden.clone(),
            activation: self.activation,
            bias: self.bias,
            initializer: self.initializer,
        };
        config.training = config::Training {
            rules: match self.rule {
                RuleChoice::Gd => vec![RuleName::Gd],
                RuleChoice::Slo => vec![RuleName::Slo],
                RuleChoice::Both => vec![RuleName::Gd, RuleName::Slo],
            },
            loss: self.loss,
            steps: self.steps,
            batch: self.batch,
            rate: self.rate,
            momentum: self.momentum,
            decay: self.decay,
            speeds: match (self.target, &self.speeds) {
                (Some(Target::Layer(layer)), _) => Speeds::Target { layer, contrast: self.contrast },
                (Some(Target::Lowest), _) => Speeds::Lowest { contrast: self.contrast },
                (None, Some(speeds)) => Speeds::Fixed(speeds.clone()),
                (None, None) => Speeds::Fixed(Config::default_speeds(self.hidden.len())),
            },
            epsilon: self.epsilon.unwrap_or(Config::default().training.epsilon),
            measure_every: self.measure_every,
        };
        Ok(config)
    }
}

fn rank_help() -> String {
    format!("Rank of the chain monomial [default: {}]", Synthetic::default().rank)
}

fn epsilon_help() -> String {
    let default = Config::default().training.epsilon;
    format!("Added to the gradient's norm before Speed Limited divides by it [default: {default}]")
}

pub(super) fn run(options: &Options, output: &mut dyn Write, messages: &mut dyn Write) -> Result<u8> {
    let config = options.config()?;
    in_scalar!(config.scalar, run_in::<_>(options, &config, output, messages))
}

fn run_in<T: Real>(
    options: &Options,
    config: &Config,
    output: &mut dyn Write,
    messages: &mut dyn Write,
) -> Result<u8> {
    config.check()?;
    let machine = options.computing.machine()?;
    let problem = Problem::<T>::load(config)?;
    let remedy = "divide them by it before training (pixels 0..255 by 255)";
    let mut notes: Vec<String> = scale_of_inputs(&problem.train.inputs, remedy)?.into_iter().collect();
    // All that can be wrong with the settings is found before the first rule trains.
    let rules = config.training.rules.iter();
    let runs = rules.map(|rule| Run::new(config, &problem, *rule, &machine)).collect::<Result<Vec<_>>>()?;
    let claim = match &options.out {
        Some(directory) => Claim::named(directory, options.force)?,
        None => Claim::fresh()?,
    };
    for note in &notes {
        // Nobody need read it; the table says it again.
        let _ = writeln!(messages, "note: {note}");
    }
    let mut outcomes: Vec<Outcome<T>> = Vec::new();
    for run in runs {
        let bar = bar(config);
        bar.set_prefix(run.rule().name());
        let trained = run.train(&mut |step| bar.set_position(step), &mut |record| {
            bar.set_message(format!("test loss {:.4}", record.test_loss));
            true
        });
        bar.finish_and_clear();
        outcomes.push(trained.map_err(|error| match (error, outcomes.last()) {
            (Error::Diverged(reason), Some(done)) => {
                let done = done.rule.name();
                Error::Diverged(format!(
                    "{reason}; nothing is kept of {done}, which `--rule {done}` runs alone"
                ))
            }
            (error, _) => error,
        })?);
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
    let folder = Folder::new(config, problem.digest, outcomes)?.understood(problem.understood.clone());
    let Placed { directory, left } = claim.place(&folder)?;
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
        if options.out.is_none() {
            let _ = writeln!(messages, "run: {directory}");
        }
    } else {
        write(output, &format!("{}\nrun: {directory}\n{page}", report.table()))?;
    }
    Ok(DONE)
}

/// A progress bar over the updates of one rule, on the terminal if there is one.
pub(super) fn bar(config: &Config) -> ProgressBar {
    let bar = ProgressBar::new(config.training.steps);
    let style = ProgressStyle::with_template("{prefix:>4} {wide_bar} {pos}/{len} steps {eta} {msg}");
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
