//! Measuring whole networks on one thread: PTK features over all samples, then the correlations of every hidden layer.
//!
//! `cargo bench -p agop-benches --bench whole_jobs` prints, for each job on the best level, the time of the feature sums,
//! their floating-point operations a second and the ratio of those to the fma peak measured in turn with them, and the
//! time that bounds of their rounding take beside, the time of the correlations, which run in `f64`, of those with the root of the AGOP, which take two eigen-decompositions
//! a layer or more, and of all of them with the layers on two threads. Counted are two operations for each
//! multiply-accumulate of: the forward pass, n times the weights of the hidden layers; the Jacobians of the layers
//! before the last, n c times the weights between them; one triangle of `J^T J` for each hidden layer, n c rows of
//! k (k + 1) / 2.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may panic")]

use agop::machine::{Machine, Threads};
use agop::measure::{Features, Proof, measure};
use agop::network::Model;
use agop_benches::{Run, fma_rounds, name, race};
use agop_core::activation::Relu;
use agop_core::correlation::Powers;
use agop_core::digest::Hasher;
use agop_core::matrix::MatRef;
use agop_core::network::{Initializer, Shape};
use agop_core::ptk_error::ReadError;
use agop_core::random::{Purpose, Stream};
use agop_core::simd::Level;

/// (samples, inputs, width, hidden layers, outputs).
const JOBS: [(usize, usize, usize, usize, usize); 4] =
    [(1437, 64, 128, 3, 10), (4096, 64, 256, 2, 1), (2048, 3072, 256, 5, 10), (2048, 512, 512, 3, 10)];

/// Multiply-accumulates of the feature sums.
fn multiply_accumulates(n: usize, d: usize, width: usize, depth: usize, c: usize) -> usize {
    let between = (depth - 1) * width * width;
    n * (d * width + between) + n * c * between + n * c * depth * width * (width + 1) / 2
}

fn main() {
    let mut run = Run::new();
    for (n, d, width, depth, c) in JOBS {
        let size = format!("{n}x{d}x{width}x{depth}x{c}");
        let widths: Vec<usize> =
            std::iter::once(d).chain(std::iter::repeat_n(width, depth)).chain(std::iter::once(c)).collect();
        let shape = Shape::new(&widths, false).unwrap();
        let mut x = vec![0.0_f32; n * d];
        Stream::new(1, Purpose::TrainInputs, 0).fill_normal(&mut x);
        let x = MatRef::new(&x, n, d).unwrap();
        let model = |seed| {
            let mut parameters = vec![0.0_f32; shape.parameters()];
            Initializer::Normal.fill(shape, seed, &mut parameters).unwrap();
            Model::new(widths.clone(), false, Relu, parameters).unwrap()
        };
        let (now, before) = (model(1), model(2));
        let mut memory = now.feature_memory(&Threads::one(), n).unwrap();
        for level in Level::available().filter(|level| *level != Level::scalar()) {
            let (mut features, mut operations) = (Vec::new(), 0);
            let plain = (ReadError::default(), Proof::Plain);
            let initial = Features::new(level, &before, x, plain, &mut memory).unwrap();
            let mut hasher = Hasher::new();
            hasher.array(&[initial.values.len()], &initial.values);
            let mut bounded = initial.clone();
            let mut for_bounds = now.feature_memory(&Threads::one(), n).unwrap();
            let times = race(&mut [
                &mut || operations = fma_rounds::<f32>(level),
                &mut || features = now.features(level, x, &mut memory).unwrap(),
                &mut || bounded = Features::new(level, &now, x, plain, &mut for_bounds).unwrap(),
            ]);
            assert_eq!(bounded.values, features);
            let [one, two] = [1, 2].map(|threads| Machine::new(level, threads).unwrap());
            let correlate = |machine, powers| {
                measure(machine, (&now, &bounded), (&before, &initial), 0.0, powers).unwrap()
            };
            let (mut found, mut by_two) = (Vec::new(), Vec::new());
            let correlations = race(&mut [
                &mut || drop(correlate(&one, Powers::One)),
                &mut || found = correlate(&one, Powers::OneAndRoot),
                &mut || by_two = correlate(&two, Powers::OneAndRoot),
            ]);
            assert_eq!(found, by_two);
            let cosines: Vec<f64> = found.iter().filter_map(|layer| layer.uncentered.cosine_sqrt).collect();
            assert_eq!(cosines.len(), depth);
            hasher.array(&[depth], &cosines);
            hasher.array(&[features.len()], &features);
            run.check("measure", "f32", level, &size, hasher.finish());
            let rate = 2.0 * multiply_accumulates(n, d, width, depth, c) as f64 / times[1];
            println!(
                "{}: features {:.1} ms, {:.1} Gflop/s, {:.3} of peak, with bounds {:.1} ms; correlations {:.1} ms, of \
                 G^(1/2) {:.1} more; both on two threads {:.1}",
                name("measure", "f32", level, &size),
                times[1] * 1e3,
                rate / 1e9,
                rate * times[0] / operations as f64,
                times[2] * 1e3,
                correlations[0] * 1e3,
                (correlations[1] - correlations[0]) * 1e3,
                correlations[2] * 1e3,
            );
        }
    }
}
