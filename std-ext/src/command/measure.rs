//! `agop measure`.

use super::data::{ReadingOptions, joined};
use super::layer::LayerOptions;
use super::preparing::Preparing;
use super::{Computing, DONE, choice, patiently, write, write_json};
use crate::architecture::Words;
use crate::checkpoint::ScalarKind;
use crate::dataset::{Paths, Role, open};
use crate::error::{Error, Result};
use crate::file;
use crate::measure::{MeasureCourse, MeasureFiles, MeasureReport, Measured, Proof, Spectral, is_one};
use crate::report::{Report, Row};
use crate::run::named::in_scalar;
use agop_core::activation::AnyActivation;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Measure the neural feature correlations of every hidden layer of a trained network
///
/// Weights are safetensors files with PyTorch's names (layers.0.weight, fc1.bias, ...). The file tells
/// neither the activation nor what else the network did: --outputs makes sure. A bound is on the error of a correlation,
/// from the files on: it counts the rounding of K, of K_0, of W - W_0 and of reading. Standardised inputs are taken for the
/// samples: of them the bound counts the rounding to the scalar alone.
///
/// K is the mean over samples of the sum over outputs of J^T J, J the Jacobian of the outputs f with respect to the layer's
/// pre-activations: its block of the Gauss-Newton matrix for the loss (1/2)|f - y|^2, half the block for |f - y|^2.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  agop measure --weights B.safetensors --data X.npy\n  \
    agop measure --init A.safetensors --weights B.safetensors --data X.npy --outputs Z.npy --certify")]
pub(super) struct Options {
    /// Weights before training; without them only the uncentered correlations are defined
    #[arg(long, value_name = "A.safetensors", requires = "weights")]
    init: Option<PathBuf>,
    /// Weights after training. Several, a folder or a quoted pattern ('ckpt/step_*.safetensors') are a course: one row a
    /// file, in the order of the last numbers in the names
    #[arg(long, value_name = "B.safetensors", required_unless_present_any = ["layer", "manifest"])]
    weights: Vec<PathBuf>,
    /// Names of all layers, as before `.weight`, in the order of the computation, where the files do not tell it
    #[arg(long, value_name = "A,..", value_delimiter = ',', requires = "weights")]
    layers: Option<Vec<String>>,
    /// Samples over which gradients are averaged, one a row; several files, by commas or one --data each, are one set
    #[arg(long, value_name = "FILE", required_unless_present_any = ["layer", "manifest"])]
    data: Vec<Paths>,
    /// The network's outputs on these samples as its framework gives them, one row a sample: refused, with the likely
    /// cause, if they differ by more than 1e-4 of the largest (1e-9 where the file and --scalar are f64, 1e-2 for f16)
    #[arg(long, value_name = "Z.npy", requires = "weights", conflicts_with_all = ["test_fraction", "stratify"])]
    outputs: Option<PathBuf>,
    /// Activation of the hidden layers
    #[arg(long, default_value = "relu", value_name = "NAME", value_parser = choice::<AnyActivation>(), requires = "weights")]
    activation: AnyActivation,
    /// A network with convolutions, in words or as a .toml file (layers = ["conv 6 3x3", ...]): "conv 6 3x3 pad 1, tanh,
    /// maxpool 2, flatten, linear 10". Words: input CxHxW, conv K RxS [stride A[xB]] [pad A[xB]] [dilation A[xB]], maxpool N,
    /// avgpool N, flatten, linear N, names of activations. Biases follow from the file
    #[arg(long, value_name = "WORDS", requires = "weights", conflicts_with = "activation")]
    network: Option<String>,
    /// Scalar of the passes; what is larger in the files is rounded to nearest
    #[arg(long, default_value = "f64", value_parser = choice::<ScalarKind>(), requires = "weights")]
    scalar: ScalarKind,
    /// Prove bounds by running error analysis: of square roots too, and where a slope is uncertain
    #[arg(long, requires = "weights")]
    certify: bool,
    /// Correlate with G^S too, S above 0 and at most 1; may be given several times
    #[arg(long, value_name = "S", value_parser = power)]
    power: Vec<f64>,
    /// Dimension of the leading subspaces whose principal angles are shown, at most k and d; by default the network's
    /// outputs, 0 for no angles
    #[arg(long, value_name = "R")]
    rank: Option<usize>,
    /// Write one row a file of weights, with all measures
    #[arg(long, value_name = "FILE.csv", requires = "weights")]
    csv: Option<PathBuf>,
    /// Draw the course over several files of weights as a page, with its pictures beside it
    #[arg(long, value_name = "FILE.html", requires = "weights")]
    report: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    layer: LayerOptions,
    #[command(flatten)]
    reading: ReadingOptions,
    #[command(flatten)]
    preparing: Preparing,
    /// Labels, as in training; only --stratify makes use of them
    #[arg(long, value_name = "FILE", requires = "data", help_heading = "Preparation of data")]
    labels: Vec<Paths>,
    /// Seed of what --test-fraction holds out: that of the training
    #[arg(long, value_name = "S", default_value_t = 0, help_heading = "Preparation of data")]
    seed: u64,
    #[command(flatten)]
    pub(super) computing: Computing,
}

pub(super) fn run(options: &Options, output: &mut dyn Write) -> Result<u8> {
    let machine = options.computing.machine()?;
    let reading = options.reading.reading();
    let spectral = Spectral { powers: &options.power, rank: options.rank };
    if options.layer.given() {
        let report = patiently("measuring", (&machine.progress, "samples a pass"), || {
            options.layer.report(&machine, spectral)
        })?;
        return print(options, output, &report);
    }
    let (data, labels) = (joined(&options.data)?, Paths::joined(&options.labels));
    let preparation = options.preparing.preparation()?;
    let one = is_one(&options.weights);
    if let (false, Some(_)) = (one, &options.outputs) {
        return Err(Error::Usage("--outputs are those of one file of weights (see --help)".into()));
    }
    if let (true, Some(_)) = (one, &options.report) {
        return Err(Error::Usage(
            "--report draws the course over several files of weights (see --help)".into(),
        ));
    }
    for path in options.csv.iter().chain(&options.report) {
        // Not found after an hour of measuring.
        let directory = file::directory_of(path);
        let made = tempfile::tempfile_in(&directory);
        made.map_err(|error| Error::io(directory, "write in", error))?;
    }
    let words = options.network.as_deref().map(|given| Words::read(given, true)).transpose()?;
    let network = words
        .map(|words| {
            let opened = open(&data, labels.as_ref(), &reading, Role::Train)?;
            words.on(opened.inputs.shape()).map_err(|reason| Error::input(data.first(), "shape", reason))
        })
        .transpose()?;
    let files = MeasureFiles {
        initial: options.init.as_deref(),
        weights: options.weights.first().map_or(Path::new(""), PathBuf::as_path),
        data: &data,
        labels: labels.as_ref(),
        reading: &reading,
        preparation: &preparation,
        seed: options.seed,
        layers: options.layers.as_deref(),
        network: network.as_ref(),
        outputs: options.outputs.as_deref(),
        spectral,
    };
    let proof = if options.certify { Proof::Certified } else { Proof::Plain };
    let (given, activation) = (&options.weights, options.activation);
    let course = patiently("measuring", (&machine.progress, "samples a pass"), || {
        in_scalar!(options.scalar, MeasureCourse::of_files::<_>(&machine, given, files, activation, proof))
    })?;
    if let Some(path) = &options.csv {
        file::replace(path, &course.csv()?)?;
    }
    if let Some(path) = &options.report {
        // Files without numbers stand in the order of their names.
        let steps = course.checkpoints.iter().zip(0..).map(|(point, index)| point.step.unwrap_or(index));
        let row = |(step, point): (u64, &Measured)| {
            let layers: Vec<_> = point.report.layers.iter().map(|layer| layer.measures.clone()).collect();
            Row::new(step, &layers)
        };
        let rows: Vec<Row> = steps.zip(&course.checkpoints).map(row).collect();
        Report::of_course("Course over checkpoints", &rows)?.write(path)?;
    }
    match course.checkpoints.as_slice() {
        [only] if one => print(options, output, &only.report),
        _ if options.json => write_json(output, &course).map(|()| DONE),
        _ => write(output, &course.table()).map(|()| DONE),
    }
}

fn power(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if s > 0.0 && s <= 1.0 => Ok(s),
        _ => Err("expected a number above 0, at most 1".to_owned()),
    }
}

fn print(options: &Options, output: &mut dyn Write, report: &MeasureReport) -> Result<u8> {
    if options.json {
        write_json(output, report)?;
    } else {
        write(output, &report.table())?;
    }
    Ok(DONE)
}
