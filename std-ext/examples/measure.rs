//! The correlations of a trained network, from the library:
//! `cargo run -p agop --example measure -- A.safetensors B.safetensors X.npy`.

use agop::dataset::{Paths, Reading};
use agop::machine::Machine;
use agop::measure::{MeasureFiles, MeasureReport, Proof, Spectral};
use agop::samples::Preparation;
use agop_core::activation::AnyActivation;
use std::path::PathBuf;

fn main() -> agop::Result<()> {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [initial, weights, data] = files.as_slice() else {
        return Err(agop::Error::Usage("expected three files: A.safetensors B.safetensors X.npy".into()));
    };
    let machine = Machine::new(agop::detect::level()?, 2)?;
    let (data, reading) = (&Paths::from(data.as_path()), &Reading::default());
    let files = MeasureFiles {
        initial: Some(initial),
        weights,
        data,
        labels: None,
        reading,
        preparation: &Preparation::default(),
        seed: 0,
        layers: None,
        network: None,
        outputs: None,
        spectral: Spectral::default(),
    };
    let report = MeasureReport::of_files::<f64>(&machine, files, AnyActivation::Relu, Proof::Plain)?;
    print!("{}", report.table());
    Ok(())
}
