//! `agop measure`.

use super::{Computing, DONE, activations, write, write_json};
use crate::error::Result;
use crate::measure::{MeasureFiles, MeasureReport};
use crate::run::config;
use clap::builder::PossibleValuesParser;
use std::io::Write;
use std::path::PathBuf;

/// Measure the neural feature correlations of every hidden layer of a trained network
///
/// Weights are safetensors files with PyTorch's names (layers.0.weight, fc1.bias, ...), samples a .npy file. A bound is on
/// the error of the cosine of K and W as they were rounded; the rounding of K in f32 can move the cosine by more.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Weights before training
    #[arg(long, value_name = "A.safetensors")]
    init: PathBuf,
    /// Weights after training
    #[arg(long, value_name = "B.safetensors")]
    weights: PathBuf,
    /// Samples over which gradients are averaged, one a row
    #[arg(long, value_name = "X.npy")]
    data: PathBuf,
    /// Activation of the hidden layers
    #[arg(long, default_value = "relu", value_name = "NAME", value_parser = activations())]
    activation: String,
    /// Scalar of the passes; what is larger in the files is rounded to nearest
    #[arg(long, default_value = "f64", value_parser = PossibleValuesParser::new(config::SCALARS))]
    scalar: String,
    /// Prove bounds by running error analysis: of square roots too, and where a slope is uncertain
    #[arg(long)]
    certify: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) computing: Computing,
}

pub(super) fn run(options: &Options, output: &mut dyn Write) -> Result<u8> {
    let activation = config::activation(&options.activation)?;
    let machine = options.computing.machine()?;
    let files = MeasureFiles { initial: &options.init, weights: &options.weights, data: &options.data };
    let report = match options.scalar.as_str() {
        "f32" => MeasureReport::of_files::<f32>(machine, files, activation, options.certify),
        _ => MeasureReport::of_files::<f64>(machine, files, activation, options.certify),
    }?;
    if options.json {
        write_json(output, &report)?;
    } else {
        write(output, &report.table())?;
    }
    Ok(DONE)
}
