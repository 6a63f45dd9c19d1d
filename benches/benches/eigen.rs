//! The eigen-decomposition that `G^(1/2)` is made of, beside peers and beside the feature sums of a job, on one thread.
//!
//! `cargo bench -p agop-benches --bench eigen` prints for each size the time of a decomposition with all vectors and the
//! ratio of each peer's time to it, all measured in turn on one Gram matrix of normal numbers; then for each job the time
//! of the feature sums, of the correlations with `G`, and of those with `G^(1/2)` (two decompositions a layer, four
//! where it has more inputs than outputs), with the ratios to the feature sums.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may panic")]

use agop::measure::measure;
use agop::network::Model;
use agop_benches::{Run, name, race};
use agop_core::activation::Relu;
use agop_core::correlation::Powers;
use agop_core::correlation::eigen::{eigen_workspace, symmetric_eigen};
use agop_core::digest::Hasher;
use agop_core::kernel::outer;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::Shape;
use agop_core::random::{Initializer, Purpose, Stream};
use agop_core::simd::Level;

/// Sizes of matrices.
const SIZES: [usize; 4] = [64, 128, 256, 512];

/// (samples, inputs, width, hidden layers, outputs).
const JOBS: [(usize, usize, usize, usize, usize); 2] = [(2048, 512, 512, 3, 10), (2048, 3072, 256, 5, 10)];

/// Eigenvalues may be this many times `n 2^-52 |A|_F` apart.
const TOLERANCE: f64 = 2.0;

fn beside_peers(run: &mut Run) {
    for n in SIZES {
        let (mut x, mut a) = (vec![0.0; n * n], vec![0.0; n * n]);
        Stream::new(1, Purpose::TrainInputs, 0).fill_normal(&mut x);
        outer(Level::detect(), MatMut::new(&mut a, n, n).unwrap(), MatRef::new(&x, n, n).unwrap()).unwrap();
        let size = a.iter().map(|x| x * x).sum::<f64>().sqrt();
        let theirs = nalgebra::DMatrix::from_row_slice(n, n, &a);
        let fair = faer::MatRef::from_column_major_slice(a.as_slice(), n, n);
        for level in Level::available() {
            let (mut vectors, mut values) = (a.clone(), vec![0.0; n]);
            let mut workspace = vec![0.0; eigen_workspace(n) + 96 * n];
            let (mut by_nalgebra, mut by_faer) = (Vec::new(), Vec::new());
            let times = race(&mut [
                &mut || {
                    vectors.copy_from_slice(&a);
                    symmetric_eigen(level, &mut vectors, &mut values, &mut workspace).unwrap();
                },
                &mut || by_nalgebra = theirs.clone().symmetric_eigen().eigenvalues.as_slice().to_vec(),
                &mut || {
                    let found = fair.self_adjoint_eigen(faer::Side::Lower).unwrap();
                    by_faer = found.S().column_vector().iter().copied().collect();
                },
            ]);
            let mut hasher = Hasher::new();
            hasher.array(&[n, n], &vectors);
            hasher.array(&[n], &values);
            run.check("eigen", "f64", level, &n.to_string(), hasher.finish());
            by_nalgebra.sort_by(f64::total_cmp);
            let bound = TOLERANCE * n as f64 * f64::EPSILON * size;
            for other in [&by_nalgebra, &by_faer] {
                assert!(
                    values.iter().zip(other).all(|(x, y)| (x - y).abs() <= bound),
                    "eigenvalues differ: {n}"
                );
            }
            println!(
                "{}: {:.2} ms; {:.2}x nalgebra, {:.2}x faer",
                name("eigen", "f64", level, &n.to_string()),
                times[0] * 1e3,
                times[1] / times[0],
                times[2] / times[0],
            );
        }
    }
}

fn beside_feature_sums(run: &mut Run) {
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
        let mut memory = now.feature_accumulator(1, n).unwrap();
        for level in Level::available().filter(|level| *level != Level::scalar()) {
            let initial = before.features(level, x, &mut memory).unwrap().to_vec();
            let features = now.features(level, x, &mut memory).unwrap().to_vec();
            let correlate = |powers| measure(level, &now, &before, &features, &initial, powers).unwrap();
            let mut found = Vec::new();
            let times = race(&mut [
                &mut || drop(now.features(level, x, &mut memory).unwrap()),
                &mut || drop(correlate(Powers::One)),
                &mut || found = correlate(Powers::OneAndHalf),
            ]);
            let mut hasher = Hasher::new();
            let cosines: Vec<f64> = found.iter().filter_map(|layer| layer.uncentered.cosine_sqrt).collect();
            assert_eq!(cosines.len(), depth);
            hasher.array(&[depth], &cosines);
            run.check("powers", "f64", level, &size, hasher.finish());
            println!(
                "{}: feature sums {:.1} ms; correlations {:.1} ms ({:.2}), those of G^(1/2) {:.1} ms more ({:.2})",
                name("powers", "f64", level, &size),
                times[0] * 1e3,
                times[1] * 1e3,
                times[1] / times[0],
                (times[2] - times[1]) * 1e3,
                (times[2] - times[1]) / times[0],
            );
        }
    }
}

fn main() {
    let mut run = Run::new();
    beside_peers(&mut run);
    beside_feature_sums(&mut run);
}
