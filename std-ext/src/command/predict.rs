//! `agop predict`.

use super::data::{ReadingOptions, joined};
use super::preparing::Preparing;
use super::{Computing, DONE, choice, patiently, write, write_json};
use crate::checkpoint::ScalarKind;
use crate::dataset::Paths;
use crate::error::Result;
use crate::predict::{Given, Model, PredictFiles, Settings, TRIALS, predict};
use crate::run::named::{Named, in_scalar};
use agop_core::loss::AnyLoss;
use clap::{ArgGroup, ValueEnum};
use std::io::Write;
use std::path::PathBuf;

/// Predict the centred neural feature correlation (C-NFC) of every hidden layer at the start of training
///
/// limit: at the weights of --init, or at drawn ones of --hidden, with its rate of change. quadratic: the exact
/// expectation over Gaussian weights of f(x) = sum_i a_i (w_i . x)^2 with the readout a of --readout or --init, or a
/// Gaussian one of --hidden K. wide: the limit of infinite width; of --hidden only the number of layers counts, but for
/// the networks that are drawn beside it. quadratic and wide take the labels as the residual (a vanishing readout).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  agop predict --data X.npy --labels Y.npy --hidden 128,128\n  \
    agop predict --data X.npy --labels Y.npy --init A.safetensors")]
#[command(group = ArgGroup::new("network").required(true).args(["hidden", "readout", "init"]))]
pub(super) struct Options {
    /// Inputs, one sample a row; several files, by commas or one --data each, are one set
    #[arg(long, value_name = "FILE", required = true)]
    data: Vec<Paths>,
    /// Labels: integers in one column are classes, numbered in order; all else is taken as it is
    #[arg(long, value_name = "FILE")]
    labels: Vec<Paths>,
    /// Widths of the hidden layers; weights N(0, 1/fan_in)
    #[arg(long, value_name = "K,..", value_delimiter = ',')]
    hidden: Option<Vec<usize>>,
    /// Readout of one hidden layer
    #[arg(long, value_name = "A.npy")]
    readout: Option<PathBuf>,
    /// Initial weights
    #[arg(long, value_name = "A.safetensors")]
    init: Option<PathBuf>,
    /// Names of all layers of --init, as before `.weight`, in the order of the computation
    #[arg(long, value_name = "A,..", value_delimiter = ',', conflicts_with_all = ["hidden", "readout"])]
    layers: Option<Vec<String>>,
    /// What predicts [default: limit with --init, quadratic with --readout, wide with --hidden]
    #[arg(long, value_enum)]
    model: Option<ModelChoice>,
    /// Activation of the hidden layers [default: relu; quadratic for the quadratic model]
    #[arg(long, value_name = "NAME")]
    activation: Option<String>,
    /// Loss of the limit model: mean-squared or cross-entropy [default: mean-squared]
    #[arg(long, value_name = "NAME")]
    loss: Option<String>,
    /// Scalar to which samples and weights are rounded; predictions are computed in f64
    #[arg(long, default_value = "f64", value_parser = choice::<ScalarKind>())]
    scalar: ScalarKind,
    /// Seed of drawn weights, and of what --test-fraction holds out
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    #[arg(long, value_name = "T", help = trials_help())]
    trials: Option<u32>,
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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModelChoice {
    Limit,
    Quadratic,
    Wide,
}

fn trials_help() -> String {
    format!(
        "Draws of random weights to set beside the prediction, 0 for none [default: {TRIALS}, where weights are drawn]"
    )
}

pub(super) fn run(options: &Options, output: &mut dyn Write) -> Result<u8> {
    let network = match (&options.hidden, &options.readout, &options.init) {
        (Some(hidden), _, _) => Given::Hidden(hidden),
        (_, Some(readout), _) => Given::Readout(readout),
        (_, _, Some(init)) => Given::Init(init),
        // The group requires one of them.
        _ => Given::Hidden(&[]),
    };
    let layers = options.layers.as_deref();
    let (reading, data) = (options.reading.reading(), joined(&options.data)?);
    let labels = Paths::joined(&options.labels);
    let preparation = options.preparing.preparation()?;
    let files = PredictFiles {
        data: &data,
        labels: labels.as_ref(),
        reading: &reading,
        preparation: &preparation,
        network,
        layers,
    };
    let settings = Settings {
        model: options.model.map(|model| match model {
            ModelChoice::Limit => Model::Limit,
            ModelChoice::Quadratic => Model::Quadratic,
            ModelChoice::Wide => Model::Wide,
        }),
        activation: options.activation.clone(),
        loss: options.loss.as_deref().map(AnyLoss::named).transpose()?,
        seed: options.seed,
        trials: options.trials,
    };
    let machine = options.computing.machine()?;
    let report = patiently("predicting", (&machine.progress, "draws"), || {
        in_scalar!(options.scalar, predict::<_>(&machine, &files, &settings))
    })?;
    if options.json {
        write_json(output, &report)?;
    } else {
        write(output, &report.table())?;
    }
    Ok(DONE)
}
