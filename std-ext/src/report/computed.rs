//! What weights and samples give beside the history: matrices, spectra, leading subspaces, predictions, bounds; in f64.

use super::heat::Square;
use super::source::Source;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::machine::Machine;
use crate::measure::{Features, LayerReport, Proof, measure};
use crate::memory::{collected, filled, reserved};
use crate::network::Model;
use crate::predict::{Limit, limit};
use crate::run::config::{Config, Data};
use crate::run::named::in_scalar;
use crate::run::problem::Problem;
use crate::samples::Rows;
use agop_core::activation::AnyActivation;
use agop_core::correlation::Powers;
use agop_core::eigen::{eigen_workspace, symmetric_eigen};
use agop_core::feature::{agop, nfm, ptk_of_layer};
use agop_core::kernel;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::parameters;
use agop_core::ptk_error::ReadError;
use agop_core::scalar::Real;
use agop_core::simd::Level;

/// The most floating-point operations of a report: a folder of a stranger may ask for anything.
const MOST_OPERATIONS: f64 = 1e13;
/// Eigenvalues nearer than this part of the largest are not told apart: a change of a thousandth turns their vectors.
pub(super) const SEPARATED: f64 = 1e-3;

/// What can be computed of a run.
#[derive(Debug, Default)]
pub(super) struct Computed {
    /// What the samples are.
    pub(super) data: Option<String>,
    /// Why what needs samples is missing.
    pub(super) missing: Option<String>,
    /// The limit model at the initial weights, or why it is missing.
    pub(super) limit: Option<std::result::Result<Limit, String>>,
    /// The expected gradient outer product.
    pub(super) truth: Option<Square>,
    /// By rule and hidden layer.
    pub(super) rules: Vec<Vec<Layer>>,
}

/// The matrices of a hidden layer after training.
#[derive(Debug)]
pub(super) struct Layer {
    /// F; and G and its root where there are samples.
    pub(super) maps: Vec<(&'static str, Square)>,
    /// Eigenvalues of F, K and G, largest first.
    pub(super) spectra: Vec<(&'static str, Vec<f64>)>,
    pub(super) angles: Option<Angles>,
    /// Measured again, with bounds.
    pub(super) measures: Option<LayerReport>,
}

/// How the leading eigenvectors of F and G lie.
#[derive(Debug)]
pub(super) struct Angles {
    /// Cosines of the principal angles, largest first: as many as there are vectors.
    pub(super) cosines: Vec<f64>,
    /// Eigenvalue r less the next one, as a part of the largest, of F and G; `None` where there is no next one.
    pub(super) gaps: [Option<f64>; 2],
}

/// The samples of a run in f64, which holds them exactly.
struct Samples {
    count: usize,
    dimension: usize,
    outputs: usize,
    inputs: Vec<f64>,
    targets: Vec<f64>,
    truth: Option<Vec<f64>>,
    understood: Option<String>,
}

impl Computed {
    /// All that can be had.
    ///
    /// # Errors
    /// A floating-point environment in which nothing is sound, and memory that cannot be had.
    pub(super) fn new(machine: &Machine, source: &Source) -> Result<Self> {
        let understood = source.manifest.as_ref().and_then(|manifest| manifest.understood.clone());
        let mut all = Self { data: understood, ..Self::default() };
        let samples = match in_scalar!(source.config.scalar, samples::<_>(source)) {
            Ok(samples) => Some(samples),
            Err(reason) => {
                all.missing = Some(reason);
                None
            }
        };
        if let Some(samples) = &samples {
            all.data = samples.understood.clone().or(all.data);
            let square = |values: &Vec<f64>| Square { size: samples.dimension, values: values.clone() };
            all.truth = samples.truth.as_ref().map(square);
        }
        let model =
            |network: Option<&Checkpoint>| network.map(|network| of(&source.config, network)).transpose();
        let initial = model(source.rules.iter().find_map(|rule| rule.initial.as_ref()))?;
        if let (Some(samples), Some(initial)) = (&samples, &initial) {
            let (x, y) = samples.matrices()?;
            let loss = source.config.training.loss;
            all.limit = Some(limit(machine, initial, loss, x, y).map_err(|error| error.to_string()));
        }
        for rule in &source.rules {
            let layers = match model(rule.last.as_ref())? {
                Some(last) => {
                    match layers(machine, &source.config, &last, initial.as_ref(), samples.as_ref()) {
                        Ok(layers) => layers,
                        Err(error) => {
                            all.missing = Some(format!("{}: {error}", rule.rule.name()));
                            layers(machine, &source.config, &last, None, None).unwrap_or_default()
                        }
                    }
                }
                None => Vec::new(),
            };
            all.rules.push(layers);
        }
        Ok(all)
    }
}

impl Samples {
    fn matrices(&self) -> Result<(MatRef<'_, f64>, MatRef<'_, f64>)> {
        let Self { count, dimension, outputs, inputs, targets, .. } = self;
        Ok((MatRef::new(inputs, *count, *dimension)?, MatRef::new(targets, *count, *outputs)?))
    }
}

/// The training samples, or why there are none.
fn samples<T: Real>(source: &Source) -> std::result::Result<Samples, String> {
    if let Data::ChainMonomial(sizes) | Data::RandomLabels(sizes) = &source.config.data {
        work(&source.config, [sizes.samples, sizes.dimension, 1])?;
    }
    let problem = Problem::<T>::load(&source.config).map_err(|error| match error {
        Error::Io { file, .. } | Error::Input { file, .. } => {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            format!("the samples of the run are not where it found them ({name})")
        }
        other => other.to_string(),
    })?;
    if source.manifest.as_ref().is_some_and(|manifest| manifest.data.0 != problem.digest) {
        return Err("the samples that stand where the run found its own are others".to_owned());
    }
    let Problem { dimension, outputs, train, outer_product, understood, .. } = problem;
    work(&source.config, [train.count, dimension, outputs])?;
    let failed = |error: Error| error.to_string();
    let mut inputs = reserved("samples", train.count.saturating_mul(dimension)).map_err(failed)?;
    let read = train.inputs.each(0..train.count, &mut Vec::new(), &mut |_, rows| {
        inputs.extend(rows.elements().map(|x| x.to_f64()));
        Ok(())
    });
    read.map_err(failed)?;
    Ok(Samples {
        count: train.count,
        dimension,
        outputs,
        inputs,
        targets: train.targets.iter().map(|x| x.to_f64()).collect(),
        truth: outer_product.ok(),
        understood,
    })
}

/// Refuses what takes too long.
fn work(config: &Config, [samples, dimension, outputs]: [usize; 3]) -> std::result::Result<(), String> {
    let widths = [&[dimension], &config.network.hidden[..], &[outputs]].concat();
    let cubes: f64 = widths.iter().map(|k| *k as f64 * *k as f64 * *k as f64).sum();
    let squares: f64 = config.network.hidden.iter().map(|k| *k as f64 * *k as f64).sum();
    let passes = 10.0 * parameters(&widths, config.network.bias) as f64 + squares;
    let rules = config.training.rules.len() as f64 + 1.0;
    let operations = rules * (samples as f64 * outputs as f64 * passes + 40.0 * cubes);
    if operations > MOST_OPERATIONS {
        return Err(format!(
            "it takes about {operations:.1e} floating-point operations, a report does at most {MOST_OPERATIONS:.0e}"
        ));
    }
    Ok(())
}

fn of(config: &Config, network: &Checkpoint) -> Result<Model<f64, AnyActivation>> {
    let values = network.parameters().map_err(|error| Error::Message(error.to_string()))?;
    Ok(Model::new(network.widths(), network.has_bias(), config.network.activation, values)?)
}

/// The hidden layers; without samples, what weights alone tell.
fn layers(
    machine: &Machine,
    config: &Config,
    last: &Model<f64, AnyActivation>,
    initial: Option<&Model<f64, AnyActivation>>,
    samples: Option<&Samples>,
) -> Result<Vec<Layer>> {
    let (level, shape) = (machine.level, last.shape()?);
    let count = samples.map_or(0, |samples| samples.count);
    work(config, [count, shape.inputs(), shape.outputs()]).map_err(Error::Message)?;
    let features = |model: &Model<f64, AnyActivation>, samples: &Samples| {
        let (x, _) = samples.matrices()?;
        let mut memory = model.feature_memory(&machine.threads, samples.count)?;
        let read = ReadError { weights: 0.0, inputs: 0.0 };
        Features::new(level, model, x, (read, Proof::Plain), &mut memory)
    };
    let now = samples.map(|samples| features(last, samples)).transpose()?;
    let before =
        initial.zip(samples).map(|(model, samples)| Ok::<_, Error>((model, features(model, samples)?)));
    let measures = match (&now, before.transpose()?) {
        (Some(now), Some((initial, before))) => {
            measure(machine, (last, now), (initial, &before), 0.0, Powers::One)?
        }
        _ => Vec::new(),
    };
    let mut measures = measures.into_iter();
    let outputs = shape.outputs();
    let layer = |layer: usize| -> Result<Layer> {
        let w = last.weights(layer)?;
        let (k, d) = w.shape();
        let mut f = filled("neural feature matrix", d.saturating_mul(d), 0.0)?;
        nfm(level, w, MatMut::new(&mut f, d, d)?)?;
        let (f_values, f_vectors) = eigen(level, &f, d)?;
        let mut found = Layer {
            maps: vec![("F", Square { size: d, values: f })],
            spectra: vec![("F", descending(&f_values))],
            angles: None,
            measures: measures.next(),
        };
        let Some(features) = &now else { return Ok(found) };
        let ptk = ptk_of_layer(shape, &features.values, layer)?;
        let mut g = filled("average gradient outer product", d.saturating_mul(d), 0.0)?;
        let mut workspace = filled("workspace", k.saturating_mul(d), 0.0)?;
        agop(level, w, ptk, MatMut::new(&mut g, d, d)?, &mut workspace)?;
        let (k_values, _) = eigen(level, ptk.as_slice().unwrap_or_default(), k)?;
        let (g_values, g_vectors) = eigen(level, &g, d)?;
        let rank = outputs.min(k).min(d);
        found.angles = Some(angles(level, rank, (&f_values, &f_vectors), (&g_values, &g_vectors))?);
        let root = root(level, &g_values, g_vectors)?;
        found.maps.push(("G", Square { size: d, values: g }));
        found.maps.push(("root of G", Square { size: d, values: root }));
        found.spectra.push(("K", descending(&k_values)));
        found.spectra.push(("G", descending(&g_values)));
        Ok(found)
    };
    (0..shape.hidden_layers()).map(layer).collect()
}

/// Eigenvalues, ascending, and eigenvectors as rows.
fn eigen(level: Level, matrix: &[f64], n: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    let mut vectors = collected("matrix", matrix.len(), matrix.iter().copied())?;
    let mut values = filled("eigenvalues", n, 0.0)?;
    let mut workspace = filled("workspace", eigen_workspace(n), 0.0)?;
    symmetric_eigen(level, &mut vectors, &mut values, &mut workspace)?;
    Ok((values, vectors))
}

fn descending(values: &[f64]) -> Vec<f64> {
    values.iter().rev().copied().collect()
}

/// `G^(1/2)` from eigenvectors, of which it makes `lambda^(1/4) z`.
fn root(level: Level, values: &[f64], mut vectors: Vec<f64>) -> Result<Vec<f64>> {
    let n = values.len();
    for (value, vector) in values.iter().zip(vectors.chunks_mut(n.max(1))) {
        // A Gram matrix has no eigenvalue below zero but by rounding.
        let fourth = if *value > 0.0 { value.sqrt().sqrt() } else { 0.0 };
        vector.iter_mut().for_each(|x| *x *= fourth);
    }
    let mut root = filled("root", n.saturating_mul(n), 0.0)?;
    nfm(level, MatRef::new(&vectors, n, n)?, MatMut::new(&mut root, n, n)?)?;
    Ok(root)
}

/// The cosines are the singular values of the product of the leading `rank` eigenvectors of both.
fn angles(
    level: Level,
    rank: usize,
    (f_values, f_vectors): (&[f64], &[f64]),
    (g_values, g_vectors): (&[f64], &[f64]),
) -> Result<Angles> {
    let d = f_values.len();
    let (f, g) = (MatRef::new(f_vectors, d, d)?, MatRef::new(g_vectors, d, d)?);
    let (f, g) = (f.row_range(d - rank, rank), g.row_range(d - rank, rank));
    let mut product = filled("product", rank * rank, 0.0)?;
    kernel::product(level, MatMut::new(&mut product, rank, rank)?, f, g.t())?;
    let mut squares = filled("squares", rank * rank, 0.0)?;
    nfm(level, MatRef::new(&product, rank, rank)?, MatMut::new(&mut squares, rank, rank)?)?;
    let (squares, _) = eigen(level, &squares, rank)?;
    let cosine = |square: &f64| match *square {
        square if square <= 0.0 => 0.0,
        square if square >= 1.0 => 1.0,
        square => square.sqrt(),
    };
    let gap = |values: &[f64]| {
        let mut leading = values.iter().rev();
        let largest = leading.clone().next().copied().filter(|largest| *largest > 0.0)?;
        let last = leading.nth(rank.checked_sub(1)?)?;
        Some((last - leading.next()?) / largest)
    };
    Ok(Angles { cosines: squares.iter().rev().map(cosine).collect(), gaps: [gap(f_values), gap(g_values)] })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    /// A Gram matrix of numbers that have no order.
    fn gram(n: usize, seed: usize) -> Vec<f64> {
        let a: Vec<f64> = (0..n * n).map(|i| ((i * 37 + seed * 11) % 17) as f64 / 8.0 - 1.0).collect();
        let mut out = vec![0.0; n * n];
        nfm(Level::detect(), MatRef::new(&a, n, n).unwrap(), MatMut::new(&mut out, n, n).unwrap()).unwrap();
        out
    }

    #[test]
    fn the_square_of_the_root_is_the_matrix() {
        let (level, n) = (Level::detect(), 6);
        let g = gram(n, 1);
        let (values, vectors) = eigen(level, &g, n).unwrap();
        let half = root(level, &values, vectors).unwrap();
        let view = MatRef::new(&half, n, n).unwrap();
        let mut square = vec![0.0; n * n];
        kernel::product(level, MatMut::new(&mut square, n, n).unwrap(), view, view).unwrap();
        for (a, b) in square.iter().zip(&g) {
            assert!((a - b).abs() < 1e-12 * values[n - 1], "{a} {b}");
        }
    }

    /// Equal matrices have equal subspaces; eigenvectors that are coordinates have cosines 0 and 1; and the gaps.
    #[test]
    fn angles_of_known_subspaces() {
        let level = Level::detect();
        let g = gram(5, 2);
        let (values, vectors) = eigen(level, &g, 5).unwrap();
        let same = angles(level, 3, (&values, &vectors), (&values, &vectors)).unwrap();
        assert!(same.cosines.len() == 3 && same.cosines.iter().all(|x| (x - 1.0).abs() < 1e-12), "{same:?}");
        let diagonal =
            |d: [f64; 4]| (0..16).map(|i| if i % 5 == 0 { d[i / 5] } else { 0.0 }).collect::<Vec<_>>();
        let (f, g) = (diagonal([4.0, 3.0, 1.0, 1.0]), diagonal([1.0, 8.0, 0.5, 8.0]));
        let ((f, f_vectors), (g, g_vectors)) = (eigen(level, &f, 4).unwrap(), eigen(level, &g, 4).unwrap());
        let found = angles(level, 2, (&f, &f_vectors), (&g, &g_vectors)).unwrap();
        assert_eq!((found.cosines, found.gaps), (vec![1.0, 0.0], [Some(0.5), Some(7.0 / 8.0)]));
        let all = angles(level, 4, (&f, &f_vectors), (&g, &g_vectors)).unwrap();
        assert_eq!((all.cosines, all.gaps), (vec![1.0; 4], [None, None]));
        let close = angles(level, 3, (&f, &f_vectors), (&g, &g_vectors)).unwrap();
        assert_eq!(close.gaps[0], Some(0.0));
    }
}
