//! Measuring layers that any framework dumped: weights beside their PTK features, or beside the Jacobians these are
//! averaged from.
//!
//! ```text
//! h_{a,p} = W u_{a,p}                     samples a < n, positions p < P (pixels, tokens), W (k x d)
//! K = (1/n) sum_a sum_p J_{a,p}^T J_{a,p}     J_{a,p} = df(x_a)/dh_{a,p}, (c x k)
//! ```

mod matrices;

use super::controls::initial_cosine;
use super::{Block, Controls, LayerReport, MeasureReport, NamedLayer, Spectral};
use crate::dataset::Paths;
use crate::error::{Error, Result, shape_text};
use crate::file;
use crate::machine::Machine;
use crate::memory::filled;
use agop_core::correlation::{GivenErrors, Powers, measure_layer, measure_workspace};
use agop_core::digest::{CONTRACT_VERSION, Hasher};
use agop_core::simd::Level;
use matrices::{Matrix, Ptk};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The files of one layer. The keys are the command's options.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LayerFiles {
    /// What the report calls it; without, the file of its weights.
    pub name: Option<String>,
    /// W (k x d); a convolution's (k, c, r, s) counts as k x crs.
    pub layer: PathBuf,
    /// W before training.
    pub init_layer: Option<PathBuf>,
    /// K (k x k).
    pub features: Option<PathBuf>,
    /// K before training.
    pub init_features: Option<PathBuf>,
    /// Jacobians (n, P, c, k) or (n, c, k), in files that continue each other.
    pub jacobian: Option<Paths>,
    /// Jacobians before training.
    pub init_jacobian: Option<Paths>,
    /// `A:B`: only rows A to B - 1 of W, as of one block of a fused weight.
    pub rows: Option<String>,
}

/// Several layers in one file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// Samples that K was averaged over.
    samples: Option<usize>,
    /// Outputs of the network, where no Jacobian tells them.
    outputs: Option<usize>,
    layers: Vec<LayerFiles>,
}

/// Bytes of a manifest.
const LONGEST_MANIFEST: u64 = 1 << 20;
const NEEDS_LAYER: &str = "needs --init-layer: the weights before training";
const NEEDS_PTK: &str = "needs --init-features or --init-jacobian: K before training";
const NEEDS_BOTH: &str = "needs weights and K before training";

impl MeasureReport {
    /// Measures the layers that a manifest names: `samples`, `outputs`, and a `[[layers]]` for each with the keys of [`LayerFiles`].
    /// Paths in it begin in its own folder.
    ///
    /// # Errors
    /// As [`MeasureReport::of_layers`]; at `line L` for what is no manifest.
    pub fn of_manifest(machine: &Machine, path: &Path, spectral: Spectral<'_>) -> Result<Self> {
        let bytes = file::read_limited(path, LONGEST_MANIFEST)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            Error::input(path, format!("byte {}", error.utf8_error().valid_up_to()), "not UTF-8")
        })?;
        let mut manifest: Manifest = toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = 1 + text.bytes().take(start).filter(|byte| *byte == b'\n').count();
            Error::input(path, format!("line {line}"), error.message())
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        manifest.layers.iter_mut().for_each(|layer| layer.beside(folder));
        if manifest.layers.is_empty() {
            return Err(Error::input(path, "layers", "no layer is named"));
        }
        Self::of_layers(machine, &manifest.layers, (manifest.samples, manifest.outputs), spectral)
    }

    /// Measures dumped layers. `samples` is the number that K was averaged over and `outputs` that of the network, where no
    /// Jacobian tells them.
    ///
    /// **Arithmetic** `f64`. Rows of Jacobians, samples first, then positions, then outputs, are summed like samples:
    /// in blocks of 256 on the tree of [`agop_core::reduce`]. Of a K that is not symmetric the mean with its transpose is
    /// taken, and the difference counts as its error.
    ///
    /// # Errors
    /// All that reading can say; shapes that do not fit; a K whose asymmetry is more than rounding.
    pub fn of_layers(
        machine: &Machine,
        layers: &[LayerFiles],
        (samples, outputs): (Option<usize>, Option<usize>),
        spectral: Spectral<'_>,
    ) -> Result<Self> {
        let mut hash = Hasher::new();
        let mut samples = samples.map(|n| (n, "the number of samples that was given".to_owned()));
        let named = layers.iter().enumerate().map(|(layer, files)| {
            let dumped = Dumped::read(machine.level, files, &mut samples, &mut hash)?;
            Ok(NamedLayer {
                name: dumped.name.clone(),
                positions: None,
                measures: dumped.measure(machine.level, layer, (spectral, outputs))?,
            })
        });
        let layers = named.collect::<Result<Vec<NamedLayer>>>()?;
        let shapes = layers
            .iter()
            .map(|layer| format!("{} {}->{}", layer.name, layer.measures.inputs, layer.measures.outputs));
        let mut why = BTreeMap::from([
            ("outputs", "a dumped layer has none"),
            ("activation", "the dump does not tell it"),
        ]);
        if samples.is_none() {
            why.insert("samples", "K does not tell them: `samples` in the manifest does");
        }
        Ok(Self {
            schema: "agop.measure/1",
            samples: samples.map(|(n, _)| n),
            scalar: "f64",
            taken: Vec::new(),
            activation: None,
            contract: CONTRACT_VERSION,
            digest: hash.finish().to_string(),
            network: shapes.collect::<Vec<_>>().join(", "),
            outputs: None,
            notes: Vec::new(),
            why,
            layers,
        })
    }
}

impl LayerFiles {
    /// The same with paths that begin in `folder`.
    fn beside(&mut self, folder: &Path) {
        self.layer = folder.join(&self.layer);
        for path in [&mut self.init_layer, &mut self.features, &mut self.init_features].into_iter().flatten()
        {
            *path = folder.join(&*path);
        }
        for paths in [&mut self.jacobian, &mut self.init_jacobian].into_iter().flatten() {
            *paths = paths.within(folder);
        }
    }

    /// The rows of W that are taken.
    fn range(&self, k: usize) -> Result<Range<usize>> {
        let Some(text) = &self.rows else { return Ok(0..k) };
        let ends =
            text.split_once(':').and_then(|(a, b)| Some(a.trim().parse().ok()?..b.trim().parse().ok()?));
        match ends {
            Some(range) if range.start < range.end && range.end <= k => Ok(range),
            _ => {
                let reason = format!("rows {text:?}, expected A:B with A < B <= {k}");
                Err(Error::input(&self.layer, "shape", reason))
            }
        }
    }
}

/// A layer in memory.
struct Dumped {
    name: String,
    weights: Matrix,
    initial: Option<Matrix>,
    ptk: Ptk,
    initial_ptk: Option<Ptk>,
}

impl Dumped {
    fn read(
        level: Level,
        files: &LayerFiles,
        samples: &mut Option<(usize, String)>,
        hash: &mut Hasher,
    ) -> Result<Self> {
        let whole = Matrix::read(&files.layer)?;
        let (fused, range) = (whole.rows, files.range(whole.rows)?);
        let weights = whole.take_rows(range.clone());
        // Which matrices follow: square ones of equal size would else be taken for each other.
        let present =
            [files.init_layer.is_some(), files.init_features.is_some() || files.init_jacobian.is_some()];
        for present in present {
            hash.number(u64::from(present));
        }
        hash.array(&[weights.rows, weights.columns], &weights.values);
        let initial = files.init_layer.as_deref().map(|path| {
            let initial = Matrix::read(path)?;
            if (initial.rows, initial.columns) != (fused, weights.columns) {
                let [found, expected] =
                    [[initial.rows, initial.columns], [fused, weights.columns]].map(|s| shape_text(&s));
                return Err(Error::input(
                    path,
                    "shape",
                    format!("{found}, {} has {expected}", files.layer.display()),
                ));
            }
            let initial = initial.take_rows(range.clone());
            hash.array(&[initial.rows, initial.columns], &initial.values);
            Ok(initial)
        });
        let initial = initial.transpose()?;
        let fits = |path: &Path, k: usize| {
            if k == fused || k == range.len() {
                return Ok(());
            }
            let reason = format!("K is {k} x {k}, {} has {fused} rows", files.layer.display());
            Err(Error::input(path, "shape", reason))
        };
        let mut features = |file: &Option<PathBuf>, jacobian: &Option<Paths>, words: [&str; 2]| {
            let (path, found) = match (file, jacobian) {
                (Some(_), Some(_)) => {
                    let reason = format!("both {} and {} are given, one of them is read", words[0], words[1]);
                    return Err(Error::input(&files.layer, "files", reason));
                }
                (None, None) => return Ok(None),
                (Some(path), None) => (path.as_path(), Ptk::read(path)?),
                // Of K, as large as the square of k, nothing is held before k is known to fit.
                (None, Some(paths)) => {
                    (paths.first(), Ptk::of_jacobian(level, paths, samples, |k| fits(paths.first(), k))?)
                }
            };
            fits(path, found.k)?;
            let found = found.of_rows(range.clone());
            hash.array(&[found.k, found.k], &found.values);
            Ok(Some(found))
        };
        let now = features(&files.features, &files.jacobian, ["features", "jacobian"])?;
        let before =
            features(&files.init_features, &files.init_jacobian, ["init-features", "init-jacobian"])?;
        let Some(now) = now else {
            let reason = "neither features nor jacobian is given: K is missing";
            return Err(Error::input(&files.layer, "files", reason));
        };
        let name = files.name.clone().unwrap_or_else(|| files.layer.display().to_string());
        Ok(Self { name, weights, initial, ptk: now, initial_ptk: before })
    }

    fn measure(
        &self,
        level: Level,
        layer: usize,
        (spectral, outputs): (Spectral<'_>, Option<usize>),
    ) -> Result<LayerReport> {
        let (k, d) = (self.weights.rows, self.weights.columns);
        let (w, ptk) = (self.weights.view()?, self.ptk.view()?);
        let initial = self.initial.as_ref().map(Matrix::view).transpose()?;
        let initial_ptk = self.initial_ptk.as_ref().map(Ptk::view).transpose()?;
        let read = self.initial.as_ref().map_or(0.0, |initial| initial.read);
        let given = GivenErrors {
            weights: if read > self.weights.read { read } else { self.weights.read },
            ptk: Some(self.ptk.error),
            initial_ptk: self.initial_ptk.as_ref().map(|ptk| ptk.error).or(Some(0.0)),
        };
        let mut workspace = filled("workspace", measure_workspace(k, d), 0.0)?;
        // What is missing stands for itself; what comes of it is taken out below.
        let (before, ptk_before) = (initial.unwrap_or(w), initial_ptk.unwrap_or(ptk));
        let powers = Powers::OneAndRoot;
        let measured = measure_layer(level, w, before, ptk, ptk_before, given, powers, &mut workspace)?;
        drop(workspace);
        let mut report = LayerReport::new(layer, d, k, &measured);
        let outputs = self.ptk.outputs.or(outputs);
        spectral.add(level, &mut report, (w, initial), ptk, given, outputs)?;
        match (initial, initial_ptk) {
            (None, _) => report.without_initial(NEEDS_LAYER),
            (_, None) => report.double_centered = Block::missing(NEEDS_PTK),
            _ => {}
        }
        let mut controls = Controls::default();
        let at_init = initial.zip(initial_ptk).map(|(w, ptk)| initial_cosine(level, w, ptk));
        controls.set("initial_cosine", at_init.unwrap_or_else(|| Ok(Err(NEEDS_BOTH.to_owned())))?);
        controls.set("covariance_cosine", Err("needs the layer's inputs".to_owned()));
        report.controls = Some(controls);
        Ok(report)
    }
}
