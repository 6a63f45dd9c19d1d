//! The eigen-decomposition that `G^(1/2)` is made of, beside peers, on one thread; `whole_jobs` has it beside the feature
//! sums.
//!
//! `cargo bench -p agop-benches --bench eigen` prints for each size the time of a decomposition with all vectors and the
//! ratio of each peer's time to it, all measured in turn on one Gram matrix of normal numbers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may panic")]

use agop_benches::{Run, name, race};
use agop_core::digest::Hasher;
use agop_core::eigen::{eigen_workspace, symmetric_eigen};
use agop_core::kernel::outer;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::random::{Purpose, Stream};
use agop_core::simd::Level;

/// Sizes of matrices.
const SIZES: [usize; 4] = [64, 128, 256, 512];

/// Eigenvalues may be this many times `n 2^-52 |A|_F` apart.
const TOLERANCE: f64 = 2.0;

fn main() {
    let mut run = Run::new();
    for n in SIZES {
        let (mut x, mut a) = (vec![0.0; n * n], vec![0.0; n * n]);
        Stream::new(1, Purpose::TrainInputs, 0).fill_normal(&mut x);
        outer(Level::detect(), MatMut::new(&mut a, n, n).unwrap(), MatRef::new(&x, n, n).unwrap()).unwrap();
        let size = a.iter().map(|x| x * x).sum::<f64>().sqrt();
        let theirs = nalgebra::DMatrix::from_row_slice(n, n, &a);
        let fair = faer::MatRef::from_column_major_slice(a.as_slice(), n, n);
        for level in Level::available() {
            let (mut vectors, mut values) = (a.clone(), vec![0.0; n]);
            let mut workspace = vec![0.0; eigen_workspace(n)];
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
