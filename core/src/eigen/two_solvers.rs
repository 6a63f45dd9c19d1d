//! QL and divide and conquer decompose the same tridiagonal matrices; each is held against the other.

use super::{divide, sweeps};
use crate::ieee::sqrt;
use crate::kernel::Definition;
use crate::matrix::rows;

const N: usize = 75;
const EPSILON: f64 = f64::EPSILON;

/// Eigenvalues and eigenvectors as rows.
struct Pairs {
    values: [f64; N],
    vectors: [f64; N * N],
}

/// QL on the whole matrix.
fn by_sweeps(diagonal: [f64; N], off_diagonal: &[f64; N]) -> Pairs {
    let mut pairs = Pairs { values: diagonal, vectors: [f64::NAN; N * N] };
    let found = sweeps::decompose::<N, _>(Definition, &mut pairs.vectors, &mut pairs.values, off_diagonal);
    assert_eq!(found, Ok(()));
    pairs
}

/// Divide and conquer with parts of at most LEAF rows.
fn by_division<const LEAF: usize>(diagonal: [f64; N], off_diagonal: &[f64; N]) -> Pairs {
    let mut pairs = Pairs { values: diagonal, vectors: [f64::NAN; N * N] };
    let (mut a, mut b, mut c) = ([f64::NAN; N * N], [f64::NAN; N * N], [f64::NAN; N * N]);
    let mut lines = [f64::NAN; divide::LINES * N];
    let buffers = [a.as_mut_slice(), &mut b, &mut c];
    let found =
        divide::decompose::<LEAF, _>(Definition, &mut pairs.values, off_diagonal, buffers, &mut lines);
    assert!(found.is_ok());
    if let Ok([vectors, ..]) = found {
        pairs.vectors.copy_from_slice(vectors);
    }
    pairs
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).fold(0.0, |sum, (x, y)| sum + x * y)
}

/// `|T z - lambda z|`.
fn residual(diagonal: &[f64], off_diagonal: &[f64], z: &[f64], lambda: f64) -> f64 {
    let before = z.iter().zip(off_diagonal).map(|(z, e)| z * e);
    let before = core::iter::once(0.0).chain(before);
    let after = z.iter().skip(1).zip(off_diagonal).map(|(z, e)| z * e).chain([0.0]);
    let here = z.iter().zip(diagonal).map(|(z, d)| z * (d - lambda));
    sqrt(here.zip(before).zip(after).map(|((x, y), z)| (x + y + z) * (x + y + z)).sum())
}

/// Both solvers: small residuals, equal eigenvalues, and orthogonal vectors wherever the eigenvalues differ.
///
/// Vectors x of the one and y of the other with eigenvalues a and b have `(a - b) x^T y = x^T (r_y - r_x)`, r the residuals,
/// so `|a - b| |x^T y|` is at most twice the largest residual. This holds for clusters of eigenvalues too.
fn hold_together(name: &str, diagonal: [f64; N], off_diagonal: [f64; N]) {
    let size = sqrt(dot(&diagonal, &diagonal) + 2.0 * dot(&off_diagonal[..N - 1], &off_diagonal[..N - 1]));
    let bound = N as f64 * EPSILON * size;
    let plain = by_sweeps(diagonal, &off_diagonal);
    let divided = [
        (32, by_division::<32>(diagonal, &off_diagonal)),
        (5, by_division::<5>(diagonal, &off_diagonal)),
        (2, by_division::<2>(diagonal, &off_diagonal)),
    ];
    for (leaf, found) in &divided {
        for (i, (a, b)) in plain.values.iter().zip(&found.values).enumerate() {
            assert!((a - b).abs() <= bound, "{name}, leaf {leaf}: eigenvalue {i} is {a:e} and {b:e}");
        }
        for (a, x) in plain.values.iter().zip(rows(&plain.vectors, N)) {
            for (b, y) in found.values.iter().zip(rows(&found.vectors, N)) {
                let product = ((a - b) * dot(x, y)).abs();
                assert!(
                    product <= 2.0 * bound,
                    "{name}, leaf {leaf}: vectors of {a:e} and {b:e}: {product:e}"
                );
            }
        }
    }
    for (leaf, found) in divided.iter().map(|(leaf, found)| (*leaf, found)).chain([(N, &plain)]) {
        for (i, (value, z)) in found.values.iter().zip(rows(&found.vectors, N)).enumerate() {
            let residual = residual(&diagonal, &off_diagonal, z, *value);
            assert!(residual <= bound, "{name}, leaf {leaf}: residual {residual:e} at {i}");
            for (j, other) in rows(&found.vectors, N).enumerate() {
                let defect = (dot(z, other) - f64::from(u8::from(i == j))).abs();
                assert!(defect <= N as f64 * EPSILON, "{name}, leaf {leaf}: |Z Z^T - I| = {defect:e}");
            }
        }
    }
}

#[test]
fn the_two_solvers_agree() {
    // In (-1, 1), from a multiplicative sequence.
    let number = |i: usize| {
        ((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    let of = |f: &dyn Fn(usize) -> f64| -> [f64; N] { core::array::from_fn(f) };
    hold_together("scattered", of(&|i| number(2 * i)), of(&|i| number(2 * i + 1)));
    // Pairs of eigenvalues that agree to working precision.
    hold_together("Wilkinson's", of(&|i| i.abs_diff(N / 2) as f64), [1.0; N]);
    hold_together("second difference", [2.0; N], [-1.0; N]);
    // Blocks of five whose spectra agree up to the glue.
    let glue = of(&|i| if i % 5 == 4 { 1e-12 } else { 1.0 });
    hold_together("glued", of(&|i| (i % 5) as f64), glue);
    hold_together("decoupled", of(&|i| number(i)), of(&|i| if i % 3 == 0 { 0.0 } else { number(i + N) }));
    hold_together(
        "graded",
        of(&|i| 1.0 / (1_u64 << (i % 60)) as f64),
        of(&|i| 0.1 / (1_u64 << (i % 60)) as f64),
    );
    hold_together("zero", [0.0; N], [0.0; N]);
}
