//! Measuring the networks in checkpoints on given samples.

use super::outputs::{Agreement, compare};
use super::spectra::tables;
use super::{Features, LayerReport, NEEDS_INIT, Proof, Spectral, controls, measure_spectra};
use crate::architecture::Architecture;
use crate::checkpoint::read_named_model;
use crate::dataset::{Opened, Paths, Reading, Role, open};
use crate::error::{Error, Result, Shown, shape_text};
use crate::machine::Machine;
use crate::network::{Model, hash_parameters};
use crate::notes::{Reasons, cut, dead, dead_layers, number, scale_of_inputs};
use crate::samples::{Inputs, Preparation, Rows, load};
use crate::table::Table;
use agop_core::activation::AnyActivation;
use agop_core::correlation::Powers;
use agop_core::digest::{CONTRACT_VERSION, Hasher};
use agop_core::ptk_error::ReadError;
use agop_core::scalar::Real;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct MeasureFiles<'p> {
    /// Weights before training (safetensors), without which only the uncentred correlations are defined.
    pub initial: Option<&'p Path>,
    /// Weights after training (safetensors).
    pub weights: &'p Path,
    /// Samples, one a row.
    pub data: &'p Paths,
    /// Their labels, which only the choice of samples may need.
    pub labels: Option<&'p Paths>,
    /// How their files are understood.
    pub reading: &'p Reading,
    /// How samples are chosen and inputs scaled, as in the training.
    pub preparation: &'p Preparation,
    /// Seed of what is held out.
    pub seed: u64,
    /// Names of the layers in their order, where the files do not tell it ([`crate::checkpoint::parse_in_order`]).
    pub layers: Option<&'p [String]>,
    /// The network, where it is not a fully connected one that the files tell.
    pub network: Option<&'p Architecture>,
    /// The trained network's outputs on them as its framework computed them (`.npy`), to be compared with.
    pub outputs: Option<&'p Path>,
    /// Which powers of G, and which angles.
    pub spectral: Spectral<'p>,
}

/// The object that `agop measure --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasureReport {
    /// `agop.measure/1`.
    pub schema: &'static str,
    /// Number of samples; `None` for dumped features that do not tell it.
    pub samples: Option<usize>,
    /// What the files of samples were taken for, where they left a choice; left out of the object when they did not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<String>,
    /// Scalar of the passes.
    pub scalar: &'static str,
    /// Activation of the hidden layers; `None` for dumped layers.
    pub activation: Option<&'static str>,
    /// Version of the bit contract.
    pub contract: u32,
    /// Of weights, initial weights where given, and samples, with their shapes.
    pub digest: String,
    /// The network as read: `fc1 64->128, relu, fc2 128->10`.
    pub network: String,
    /// How far its outputs agree with the given ones.
    pub outputs: Option<Agreement>,
    /// What a reader of the numbers should know: dead layers, inputs far from unit scale.
    pub notes: Vec<String>,
    /// Why `outputs` is missing; left out of the object when it is there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub why: BTreeMap<&'static str, &'static str>,
    /// The hidden layers, first to last.
    pub layers: Vec<NamedLayer>,
}

/// A hidden layer with the name it has in the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedLayer {
    /// What stands before `.weight` in the name of its tensor.
    pub name: String,
    /// Positions at which its weights are applied; left out of the object where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positions: Option<usize>,
    /// Its measures.
    #[serde(flatten)]
    pub measures: LayerReport,
}

/// Characters of a name outside of the table.
const LONGEST_NAME: usize = 80;

/// What one network after another is measured with: the samples, and the network before training.
pub(super) struct Before<T> {
    x: Inputs<T>,
    /// Relative error with which the samples were read.
    read: f64,
    taken: Vec<String>,
    /// With the relative error of its weights.
    initial: Option<(Model<T, AnyActivation>, f64)>,
    /// Its PTK features, once they were needed.
    features: Option<Features<T>>,
}

impl<T: Real> Before<T> {
    /// Reads the weights before training and the samples for networks like the one that is `trained`.
    fn read(machine: &Machine, files: MeasureFiles<'_>, trained: &Model<T, AnyActivation>) -> Result<Self> {
        let initial = files.initial.map(|path| {
            read_named_model::<T>(path, trained.activation(), files.layers, files.network)
                .map(|(_, model, rounded)| (model, rounded))
        });
        let initial = initial.transpose()?;
        check_initial(files, initial.as_ref().map(|(model, _)| model), trained)?;
        let MeasureFiles { data, labels, reading, preparation, seed, .. } = files;
        let Opened { inputs: source, mut labels, taken } = open(data, labels, reading, Role::Train)?;
        check_columns(files, source.dimension(), trained)?;
        let chosen = preparation.choose(source, labels.as_mut(), preparation.divides().then_some(seed))?;
        let ([x], standard) = load([chosen.train()], preparation.standardise, machine.memory)?;
        let read = chosen.train().standardised(standard.clone()).read_error::<T>()?;
        let said = preparation.said(&chosen, standard.as_deref());
        let taken = taken.into_iter().chain(said).collect();
        Ok(Self { x: x.told(&machine.progress), read, taken, initial, features: None })
    }
}

impl MeasureReport {
    /// Reads the files and measures.
    ///
    /// # Errors
    /// All that reading can say; networks of different shapes; samples of another width than the network's input; outputs
    /// that are not those of the network.
    pub fn of_files<T: Real>(
        machine: &Machine,
        files: MeasureFiles<'_>,
        activation: AnyActivation,
        proof: Proof,
    ) -> Result<Self> {
        Self::of_next::<T>(machine, files, activation, proof, &mut None)
    }

    /// As [`MeasureReport::of_files`]; all but the weights after training is read and computed for the first network of a
    /// course alone.
    pub(super) fn of_next<T: Real>(
        machine: &Machine,
        files: MeasureFiles<'_>,
        activation: AnyActivation,
        proof: Proof,
        before: &mut Option<Before<T>>,
    ) -> Result<Self> {
        let (names, trained, rounded) =
            read_named_model::<T>(files.weights, activation, files.layers, files.network)?;
        let Before { x, read, taken, initial, features: initial_features } = match before {
            Some(before) => {
                check_initial(files, before.initial.as_ref().map(|(model, _)| model), &trained)?;
                check_columns(files, before.x.shape().1, &trained)?;
                before
            }
            None => before.insert(Before::read(machine, files, &trained)?),
        };
        let (x, read, samples) = (&*x, *read, x.rows());
        // Digest; K for each network; the covariance of each layer's inputs; outputs.
        let networks = 1 + usize::from(initial.is_some() && initial_features.is_none());
        let passes = 1 + networks + trained.shape()?.hidden_layers() + usize::from(files.outputs.is_some());
        machine.progress.expect((passes * samples) as u64);
        let mut hash = Hasher::new();
        for model in [Some(&trained), initial.as_ref().map(|(model, _)| model)].into_iter().flatten() {
            hash_parameters(&mut hash, model.shape()?, model.parameters());
        }
        let rms = x.hash(&mut hash)?;
        let level = machine.level;
        let compared = files.outputs.map(|file| compare(level, &names, &trained, x, file)).transpose()?;
        let (compared, doubt) = compared.map_or((None, None), |(agreement, doubt)| (Some(agreement), doubt));
        let mut memory = trained.feature_memory(&machine.threads, samples)?;
        // Finite weights can still give outputs that are not.
        let overflow = |file: &Path| {
            let file = file.to_path_buf();
            move |error| match error {
                Error::Core(agop_core::error::Error::Workspace { .. }) => error,
                Error::Core(error) => Error::input(file, "network", format!("in {}: {error}", T::NAME)),
                other => other,
            }
        };
        let powers = match proof {
            Proof::Plain => Powers::OneAndRoot,
            Proof::Certified => Powers::OneAndBoundedRoot,
        };
        let features = |model: &Model<T, _>, weights: f64, memory: &mut _, file: &Path| {
            let read_error = ReadError { weights, inputs: read };
            Features::new(level, model, x, (read_error, proof), memory).map_err(overflow(file))
        };
        let now = features(&trained, rounded, &mut memory, files.weights)?;
        if let (Some((initial, rounded)), Some(path), None) = (&initial, files.initial, &initial_features) {
            *initial_features = Some(features(initial, *rounded, &mut memory, path)?);
        }
        let then = initial.as_ref().map(|(model, _)| model).zip(initial_features.as_ref());
        // Without initial weights there is no change; what it would give is taken out below.
        let read_0 = initial.as_ref().map_or(0.0, |(_, rounded)| *rounded);
        let read_weights = if read_0 > rounded { read_0 } else { rounded };
        let before = then.unwrap_or((&trained, &now));
        let measured =
            measure_spectra(machine, (&trained, &now), before, read_weights, powers, files.spectral);
        let mut layers = measured.map_err(|error| match error {
            Error::Core(error) => Error::input(files.weights, "network", error.to_string()),
            other => other,
        })?;
        if then.is_none() {
            layers.iter_mut().for_each(|layer| layer.without_initial(NEEDS_INIT));
        }
        let controls = controls(machine, &trained, then, x)?;
        layers.iter_mut().zip(controls).for_each(|(layer, controls)| layer.controls = Some(controls));
        let dead_names: Vec<String> = dead_layers(level, &trained, x)?
            .iter()
            .filter_map(|layer| names.get(*layer))
            .map(|name| match name.parse::<usize>() {
                Ok(index) => format!("layer {index}"),
                Err(_) => cut(name, LONGEST_NAME),
            })
            .collect();
        let remedy = "give them as the network takes them (pixels 0..255 are often divided by 255)";
        let scale = scale_of_inputs(rms, remedy);
        let notes = scale.into_iter().chain(dead(&dead_names)).chain(doubt).collect();
        let missing = ("outputs", "not compared: --outputs was not given");
        let mixed = ("activation", "the layers have different ones: see network");
        let mixed = files.network.is_some_and(|network| network.activation().is_none()).then_some(mixed);
        Ok(Self {
            schema: "agop.measure/1",
            samples: Some(samples),
            taken: taken.clone(),
            scalar: T::NAME,
            activation: match files.network {
                None => Some(activation.name()),
                Some(network) => network.activation().map(AnyActivation::name),
            },
            contract: CONTRACT_VERSION,
            digest: hash.finish().to_string(),
            network: match files.network {
                None => network(&names, trained.widths(), activation),
                Some(network) => {
                    network.named(&names.iter().map(|name| cut(name, LONGEST_NAME)).collect::<Vec<_>>())
                }
            },
            outputs: compared,
            notes,
            why: compared.is_none().then_some(missing).into_iter().chain(mixed).collect(),
            layers: names
                .into_iter()
                .zip(layers)
                .enumerate()
                .map(|(layer, (name, measures))| {
                    let positions = files.network.map(|network| network.positions(layer)).filter(|p| *p > 1);
                    NamedLayer { name, positions, measures }
                })
                .collect(),
        })
    }

    /// A table for people.
    pub fn table(&self) -> String {
        const COLUMNS: [(&str, &str); 7] = [
            ("cosine", "cosine"),
            ("bound.cosine", "bound of cosine"),
            ("pearson", "pearson"),
            ("bound.pearson", "bound of pearson"),
            ("cosine_sqrt", "cos sqrt"),
            ("pearson_sqrt", "pear sqrt"),
            ("inner", "inner"),
        ];
        let compared = match &self.outputs {
            None => "not compared with the network's own outputs".to_owned(),
            Some(Agreement { largest_difference, tolerance, scale, .. }) => format!(
                "outputs agree within {largest_difference:.1e} (tolerance {tolerance:e} of {})",
                number(Some(*scale), 3)
            ),
        };
        let samples = self.samples.map(|n| format!("{n} samples, ")).unwrap_or_default();
        let activation = self.activation.map(|name| format!("{name} activation, ")).unwrap_or_default();
        let mut out = format!(
            "{samples}{activation}{}, {}\n{}; {compared}\n\n",
            self.scalar, self.digest, self.network
        );
        let number = |x: Option<f64>| number(x, 6);
        let bound = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.0e}"));
        let headings = ["cosine", "bound", "pearson", "bound", "cos sqrt", "pear sqrt", "inner"];
        let mut correlations = Table::new(3, ["layer", "shape", "weights"].into_iter().chain(headings));
        let needs_init =
            |layer: &LayerReport| layer.why.get("relative_change").is_some_and(|why| why == NEEDS_INIT);
        let centered = !self.layers.iter().all(|layer| needs_init(&layer.measures));
        let columns = ["layer", "covariance", "relative change", "at init"];
        let columns = || columns.iter().take(if centered { 4 } else { 2 });
        let mut others = Table::new(1, columns());
        let mut reasons = Reasons::default();
        for NamedLayer { name, measures: layer, .. } in &self.layers {
            let (name, shape) = (cut(name, 20), format!("{}x{}", layer.outputs, layer.inputs));
            let blocks = [
                ("uncentered", &layer.uncentered),
                ("centered", &layer.centered),
                ("double-centered", &layer.double_centered),
            ];
            for (weights, block) in blocks {
                if block.why.get("cosine").is_some_and(|reason| reason == NEEDS_INIT) {
                    continue;
                }
                reasons.add_block(weights, &name, &block.why, &COLUMNS);
                correlations.row([
                    name.clone(),
                    shape.clone(),
                    weights.to_owned(),
                    number(block.cosine),
                    bound(block.bound.cosine),
                    number(block.pearson),
                    bound(block.bound.pearson),
                    number(block.cosine_sqrt),
                    number(block.pearson_sqrt),
                    block.inner.map_or_else(|| "-".to_owned(), |x| format!("{x:.4e}")),
                ]);
            }
            if let Some(reason) = layer.why.get("relative_change") {
                let what = if needs_init(layer) {
                    "centered, double-centered, relative change"
                } else {
                    "relative change"
                };
                reasons.add(what, &*name, reason);
            }
            let controls = layer.controls.as_ref();
            for (key, reason) in controls.iter().flat_map(|controls| &controls.why) {
                reasons.add(key.replace('_', " "), &*name, reason);
            }
            let covariance = controls.and_then(|controls| controls.covariance_cosine);
            let at_init = controls.and_then(|controls| controls.initial_cosine);
            let numbers = [covariance, layer.relative_change, at_init].map(number);
            others.row([name].into_iter().chain(numbers).take(columns().len()));
        }
        out += &format!("{correlations}\n{others}\n{}", tables(&self.layers, &mut reasons));
        if !self.taken.is_empty() {
            let _ = writeln!(out, "data: {}", Shown(self.taken.join("; ")));
        }
        for note in &self.notes {
            let _ = writeln!(out, "note: {note}");
        }
        out.push_str(&reasons.lines());
        out.push_str(
            "Correlations of F = W^T W and G = W^T K W; centered: W - W_0; double-centered: K - K_0 too;\n\
             sqrt: with the root of G; bound: of the error of the number before it, from the files to here (--certify bounds the\n\
             roots too: in --json); at init: the same of W_0 and K_0; covariance: cosine of F with that of the layer's inputs.\n",
        );
        out
    }
}

/// What is computed, in one line.
fn network(names: &[String], widths: &[usize], activation: AnyActivation) -> String {
    let layers = names.iter().zip(widths.iter().zip(widths.iter().skip(1)));
    let layers: Vec<String> =
        layers.map(|(name, (d, k))| format!("{} {d}->{k}", cut(name, LONGEST_NAME))).collect();
    layers.join(&format!(", {}, ", activation.name()))
}

/// Whether the samples are as wide as the network's input.
fn check_columns<T: Real>(
    files: MeasureFiles<'_>,
    columns: usize,
    trained: &Model<T, AnyActivation>,
) -> Result<()> {
    let inputs = trained.widths().first().copied().unwrap_or_default();
    if columns == inputs {
        return Ok(());
    }
    let reason = format!("{columns} columns, the network takes {inputs} inputs");
    Err(Error::input(files.data.first(), "shape", reason))
}

/// Whether the network before training, where there is one, has the shape of the one after.
fn check_initial<T: Real>(
    files: MeasureFiles<'_>,
    initial: Option<&Model<T, AnyActivation>>,
    trained: &Model<T, AnyActivation>,
) -> Result<()> {
    let Some((path, initial)) = files.initial.zip(initial) else { return Ok(()) };
    if initial.widths() != trained.widths() {
        let (expected, found) = (shape_text(initial.widths()), shape_text(trained.widths()));
        let reason = format!("widths {found}, {} has {expected}", path.display());
        return Err(Error::input(files.weights, "shape", reason));
    }
    if initial.bias() != trained.bias() {
        let (with, without) = if trained.bias() { (files.weights, path) } else { (path, files.weights) };
        let reason = format!("no biases, {} has them", with.display());
        return Err(Error::input(without, "tensors", reason));
    }
    Ok(())
}
