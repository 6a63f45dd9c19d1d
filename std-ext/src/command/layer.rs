//! Options of `agop measure` for layers that other frameworks dumped.

use crate::dataset::Paths;
use crate::error::{Error, Result};
use crate::machine::Machine;
use crate::measure::{LayerFiles, MeasureReport, Spectral};
use std::path::PathBuf;

/// A layer of any framework: its weights W beside its PTK features K, or beside the Jacobians that K is averaged from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "A layer of any framework, in place of --weights and --data")]
pub(super) struct LayerOptions {
    /// Weights W of one layer (k x d); a convolution's (k, c, r, s) counts as k x crs
    #[arg(long, value_name = "W.npy", conflicts_with_all = ["weights", "data", "manifest"])]
    layer: Option<PathBuf>,
    /// W before training
    #[arg(long, value_name = "W0.npy", requires = "layer")]
    init_layer: Option<PathBuf>,
    /// PTK features K (k x k)
    #[arg(long, value_name = "K.npy", requires = "layer", conflicts_with = "jacobian")]
    features: Option<PathBuf>,
    /// K before training
    #[arg(long, value_name = "K0.npy", requires = "layer", conflicts_with = "init_jacobian")]
    init_features: Option<PathBuf>,
    /// Jacobians df/dh, (n, positions, outputs, k) or (n, outputs, k): K = (1/n) sum of J^T J; several files continue
    /// each other
    #[arg(long, value_name = "J.npy", requires = "layer", num_args = 1..)]
    jacobian: Vec<Paths>,
    /// Jacobians before training
    #[arg(long, value_name = "J0.npy", requires = "layer", num_args = 1..)]
    init_jacobian: Vec<Paths>,
    /// Only rows A to B - 1 of W, as of one block of a fused weight
    #[arg(long, value_name = "A:B", requires = "layer")]
    rows: Option<String>,
    /// Several layers: a TOML file with `samples = N`, `outputs = C` and a [[layers]] for each: name, and the options above as keys
    #[arg(long, value_name = "FILE.toml", conflicts_with_all = ["weights", "data"])]
    manifest: Option<PathBuf>,
}

impl LayerOptions {
    /// Whether layers are measured, not a network.
    pub(super) fn given(&self) -> bool {
        self.layer.is_some() || self.manifest.is_some()
    }

    /// The measures.
    pub(super) fn report(&self, machine: &Machine, spectral: Spectral<'_>) -> Result<MeasureReport> {
        if let Some(manifest) = &self.manifest {
            return MeasureReport::of_manifest(machine, manifest, spectral);
        }
        let Some(layer) = self.layer.clone() else {
            return Err(Error::Usage("--layer: no file is named".into()));
        };
        let files = LayerFiles {
            name: None,
            layer,
            init_layer: self.init_layer.clone(),
            features: self.features.clone(),
            init_features: self.init_features.clone(),
            jacobian: Paths::joined(&self.jacobian),
            init_jacobian: Paths::joined(&self.init_jacobian),
            rows: self.rows.clone(),
        };
        MeasureReport::of_layers(machine, &[files], (None, None), spectral)
    }
}
