//! The symmetric eigen-decomposition: residual, orthogonality, order, sign, edges, errors and bits.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod bits;
mod spectra;

use agop_core::eigen::{eigen_workspace, symmetric_eigen};
use agop_core::error::Error;
use agop_core::simd::Level;
use agop_tests::SplitMix64;

const EPSILON: f64 = f64::EPSILON; // 2^-52

/// Residual, orthogonality and eigenvalue error are held to `TOLERANCE n 2^-52`, the first and last times `|A|_F`.
/// Measured at most: residual 0.60 (n = 3), orthogonality 1.43 (n = 7), eigenvalues 0.49 (n = 6); from n = 33 on, where parts
/// are merged, 0.21, 0.49 and 0.13.
const TOLERANCE: f64 = 2.0;

/// `(eigenvalues, eigenvectors as rows)`.
fn decompose(matrix: &[f64], n: usize) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let (mut vectors, mut values) = (matrix.to_vec(), vec![f64::NAN; n]);
    symmetric_eigen(Level::detect(), &mut vectors, &mut values, &mut vec![f64::NAN; eigen_workspace(n)])?;
    Ok((values, vectors))
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Decomposes, checks everything that holds for each symmetric matrix, and returns the eigenvalues.
///
/// `unit` is a power of two that brings entries near 1, so that the checks themselves neither over- nor underflow.
fn check_scaled(name: &str, matrix: &[f64], n: usize, unit: f64) -> Vec<f64> {
    let (values, vectors) = decompose(matrix, n).unwrap();
    let size = norm(&matrix.iter().map(|x| x * unit).collect::<Vec<_>>());
    let bound = TOLERANCE * n as f64 * EPSILON;
    assert!(values.is_sorted(), "{name}: ascending");
    for (i, (value, vector)) in values.iter().zip(vectors.chunks_exact(n)).enumerate() {
        let mut residual = vec![0.0; n];
        for (r, row) in matrix.chunks_exact(n).enumerate() {
            let product: f64 = row.iter().zip(vector).map(|(a, v)| a * unit * v).sum();
            residual[r] = product - value * unit * vector[r];
        }
        let residual = norm(&residual);
        assert!(residual <= bound * size, "{name}: |A v - lambda v| = {residual:e} at {i}, |A| = {size:e}");
        for (j, other) in vectors.chunks_exact(n).enumerate() {
            let defect = (dot(vector, other) - f64::from(u8::from(i == j))).abs();
            assert!(defect <= bound, "{name}: |Z Z^T - I| = {defect:e} at ({i}, {j})");
        }
        let largest = vector.iter().fold(0.0_f64, |m, x| if x.abs() > m.abs() { *x } else { m });
        assert!(largest > 0.0, "{name}: sign of vector {i}");
    }
    let trace: f64 = (0..n).map(|i| matrix[i * n + i] * unit).sum();
    let sum: f64 = values.iter().map(|x| x * unit).sum();
    assert!((trace - sum).abs() <= bound * n as f64 * size, "{name}: trace {trace:e}, sum {sum:e}");
    values
}

fn check(name: &str, matrix: &[f64], n: usize) -> Vec<f64> {
    check_scaled(name, matrix, n, 1.0)
}

fn random_symmetric(rng: &mut SplitMix64, n: usize) -> Vec<f64> {
    let mut a = rng.normals(n * n);
    for i in 0..n {
        for j in 0..i {
            a[j * n + i] = a[i * n + j];
        }
    }
    a
}

/// `Q diag(values) Q^T` with a random orthogonal `Q`: a product of `n` random reflectors.
fn with_spectrum(rng: &mut SplitMix64, values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let mut a = vec![0.0; n * n];
    for (i, value) in values.iter().enumerate() {
        a[i * n + i] = *value;
    }
    for _ in 0..n {
        let v = rng.normals(n);
        let factor = 2.0 / dot(&v, &v);
        let p: Vec<f64> = a.chunks_exact(n).map(|row| factor * dot(row, &v)).collect();
        let half = factor * dot(&p, &v) / 2.0;
        let w: Vec<f64> = p.iter().zip(&v).map(|(p, v)| p - half * v).collect();
        for i in 0..n {
            for j in 0..n {
                a[i * n + j] -= v[i] * w[j] + w[i] * v[j];
            }
        }
    }
    a
}

fn assert_near(name: &str, found: &[f64], expected: &[f64], size: f64) {
    let bound = TOLERANCE * found.len() as f64 * EPSILON * size;
    let mut expected = expected.to_vec();
    expected.sort_by(f64::total_cmp);
    for (i, (f, e)) in found.iter().zip(&expected).enumerate() {
        assert!((f - e).abs() <= bound, "{name}: eigenvalue {i} is {f:e}, expected {e:e} within {bound:e}");
    }
}

/// `n x n` with this diagonal and these couplings.
fn tridiagonal(n: usize, diagonal: impl Fn(usize) -> f64, coupling: impl Fn(usize) -> f64) -> Vec<f64> {
    let entry = |(i, j): (usize, usize)| match i.abs_diff(j) {
        0 => diagonal(i),
        1 => coupling(i.min(j)),
        _ => 0.0,
    };
    (0..n * n).map(|ij| entry((ij / n, ij % n))).collect()
}

/// The diagonal of copies of Wilkinson's matrix of 21 rows, whose couplings are 1.
fn wilkinson(i: usize) -> f64 {
    (i % 21).abs_diff(10) as f64
}

#[test]
fn wrong_lengths_and_values_are_typed_errors() {
    const WORKSPACE: usize = eigen_workspace(3);
    const MATRIX: &str = "matrix of an eigen-decomposition";
    let beyond = |column| Error::NotFinite { what: "eigenvalues", row: 0, column };
    let run = |matrix: usize, values: usize, workspace: usize| {
        symmetric_eigen(
            Level::detect(),
            &mut vec![1.0; matrix],
            &mut vec![0.0; values],
            &mut vec![0.0; workspace],
        )
    };
    assert_eq!(run(0, 0, 0), Ok(()));
    assert_eq!(run(9, 3, WORKSPACE), Ok(()));
    assert_eq!(run(9, 3, WORKSPACE + 1), Ok(()));
    assert_eq!(run(8, 3, WORKSPACE), Err(Error::Length { what: MATRIX, expected: 9, found: 8 }));
    assert_eq!(run(10, 3, WORKSPACE), Err(Error::Length { what: MATRIX, expected: 9, found: 10 }));
    assert_eq!(run(1, 0, 0), Err(Error::Length { what: MATRIX, expected: 0, found: 1 }));
    let short = WORKSPACE - 1;
    assert_eq!(
        run(9, 3, short),
        Err(Error::Workspace {
            what: "workspace of an eigen-decomposition",
            needed: WORKSPACE,
            found: short
        })
    );
    assert_eq!([32, 33, 1000].map(eigen_workspace), [32, 33, 1000].map(|n| 3 * n * n + 66 * n + 2048));
    assert_eq!(eigen_workspace(usize::MAX), usize::MAX);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for place in 0..9 {
            let mut matrix = [1.0; 9];
            matrix[place] = bad;
            let before = matrix.map(f64::to_bits);
            let error = symmetric_eigen(Level::detect(), &mut matrix, &mut [0.0; 3], &mut [0.0; WORKSPACE]);
            assert_eq!(error, Err(Error::NotFinite { what: MATRIX, row: place / 3, column: place % 3 }));
            assert_eq!(matrix.map(f64::to_bits), before, "nothing written");
        }
    }
    assert_eq!(decompose(&[1e308; 16], 4), Err(beyond(3)));
    assert_eq!(decompose(&[-1e308; 16], 4), Err(beyond(0)));
}
