//! The symmetric eigen-decomposition: residual, orthogonality, order, sign, edges, errors and bits.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

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

#[test]
fn random_matrices_of_every_size_agree_with_nalgebra() {
    let mut rng = SplitMix64::new(1968);
    for n in (1..=70).chain([256]) {
        let a = random_symmetric(&mut rng, n);
        let values = check(&format!("random {n}"), &a, n);
        let oracle = nalgebra::SymmetricEigen::new(nalgebra::DMatrix::from_row_slice(n, n, &a));
        assert_near(&format!("nalgebra {n}"), &values, oracle.eigenvalues.as_slice(), norm(&a));
    }
}

#[test]
fn gram_matrices_of_low_rank() {
    let mut rng = SplitMix64::new(3);
    for (n, rank) in [(2, 1), (5, 1), (16, 3), (64, 1), (70, 10), (128, 127)] {
        let x = rng.normals(n * rank);
        let a: Vec<f64> =
            (0..n * n).map(|ij| dot(&x[ij / n * rank..][..rank], &x[ij % n * rank..][..rank])).collect();
        let values = check(&format!("rank {rank} of {n}"), &a, n);
        let null = n as f64 * EPSILON * norm(&a);
        assert_eq!(values.iter().filter(|v| v.abs() > null).count(), rank, "rank {rank} of {n}");
    }
}

#[test]
fn graded_spectra() {
    let mut rng = SplitMix64::new(4);
    for n in [2, 7, 33, 70] {
        for step in [0.5, 0.1, 1e-3, 1e-8] {
            let spectrum: Vec<f64> = (0..n).scan(1.0, |x, _| Some(std::mem::replace(x, *x * step))).collect();
            let mixed = with_spectrum(&mut rng, &spectrum);
            check(&format!("spectrum {step:e}^i, {n}"), &mixed, n);
            // Graded by rows and columns, towards either corner: entries a_ij s^(i + j).
            let base = random_symmetric(&mut rng, n);
            let down: Vec<f64> =
                base.iter().enumerate().map(|(ij, a)| a * spectrum[ij / n] * spectrum[ij % n]).collect();
            check(&format!("graded down {step:e}, {n}"), &down, n);
            let up: Vec<f64> = down.iter().rev().copied().collect();
            check(&format!("graded up {step:e}, {n}"), &up, n);
        }
    }
}

#[test]
fn repeated_and_clustered_eigenvalues() {
    let mut rng = SplitMix64::new(6);
    for n in [3, 12, 48, 65, 130] {
        let sets: [Vec<f64>; 4] = [
            (0..n).map(|i| f64::from(i % 3)).collect(),
            vec![-2.5; n as usize],
            (0..n).map(|i| 1.0 + f64::from(i) * EPSILON).collect(),
            (0..n).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect(),
        ];
        for (k, spectrum) in sets.iter().enumerate() {
            let a = with_spectrum(&mut rng, spectrum);
            let values = check(&format!("repeated set {k}, {n}"), &a, n as usize);
            let mut expected = spectrum.clone();
            expected.sort_by(f64::total_cmp);
            for (v, e) in values.iter().zip(&expected) {
                // The construction of the matrix rounds too.
                assert!((v - e).abs() <= 20.0 * f64::from(n) * EPSILON * norm(spectrum), "{v:e} {e:e}");
            }
        }
    }
}

#[test]
fn zero_identity_and_diagonal_matrices_are_exact() {
    for n in [1, 2, 9] {
        let (values, vectors) = decompose(&vec![0.0; n * n], n).unwrap();
        let identity: Vec<f64> = (0..n * n).map(|ij| f64::from(u8::from(ij / n == ij % n))).collect();
        assert_eq!((values, &vectors), (vec![0.0; n], &identity));
        assert_eq!(decompose(&identity, n).unwrap(), (vec![1.0; n], identity));
    }
    let diagonal = [3.0, -1e-150, 1e150, 0.1, -7.0, 0.1, 0.0];
    let n = diagonal.len();
    let a: Vec<f64> = (0..n * n).map(|ij| if ij / n == ij % n { diagonal[ij / n] } else { 0.0 }).collect();
    let (values, vectors) = decompose(&a, n).unwrap();
    assert_eq!(values, [-7.0, -1e-150, 0.0, 0.1, 0.1, 3.0, 1e150]);
    for (value, vector) in values.iter().zip(vectors.chunks_exact(n)) {
        let place = vector.iter().position(|x| *x == 1.0).unwrap();
        assert_eq!(diagonal[place], *value);
        assert_eq!(vector.iter().filter(|x| **x == 0.0).count(), n - 1);
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the platform's sine is only an oracle here")]
fn known_spectra() {
    // The second-difference matrix: 4 sin^2(k pi / 2(n + 1)).
    let n = 50;
    let second_difference = tridiagonal(n, |_| 2.0, |_| -1.0);
    let values = check("second difference", &second_difference, n);
    let expected = (1..=n).map(|k| {
        let half_angle = k as f64 * std::f64::consts::PI / (2 * (n + 1)) as f64;
        4.0 * half_angle.sin() * half_angle.sin()
    });
    assert_near("second difference", &values, &expected.collect::<Vec<_>>(), norm(&second_difference));
    // Wilkinson's W21+: pairs that agree to 14 digits.
    let n = 21;
    let values = check("Wilkinson", &tridiagonal(n, wilkinson, |_| 1.0), n);
    assert!((values[20] - 10.746_194_182_903_39).abs() < 1e-12, "{}", values[20]);
    assert!((values[20] - values[19]).abs() < 1e-12);
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

/// What dividing and conquering finds hard: copies of Wilkinson's matrix, whose eigenvalues agree to many digits, hardly
/// coupled; roots that crowd at their poles; couplings of either sign and of every size, where a part is divided too.
#[test]
fn hard_tridiagonal_matrices() {
    for glue in [1e-3, 1e-8, 1e-14, 1e-100, 0.0, -1e-8] {
        let n = 210;
        let coupling = |i: usize| if i % 21 == 20 { glue } else { 1.0 };
        let a = tridiagonal(n, wilkinson, coupling);
        let values = check(&format!("Wilkinson, glue {glue:e}"), &a, n);
        assert!((values[n - 1] - 10.746_194_182_903_39).abs() < 1e-3);
    }
    for n in [33, 64, 100, 129] {
        check(&format!("constant {n}"), &tridiagonal(n, |_| 1.0, |_| -1.0), n);
        check(&format!("zero diagonal {n}"), &tridiagonal(n, |_| 0.0, |i| (i + 1) as f64), n);
        check(
            &format!("one coupling {n}"),
            &tridiagonal(n, |i| i as f64, |i| f64::from(u8::from(i == n / 2 - 1))),
            n,
        );
    }
    let mut rng = SplitMix64::new(10);
    for case in 0..400 {
        let n = [33, 40, 64, 65, 97][case % 5];
        let range = [3, 30, 60, 300, 1000][case / 5 % 5];
        let mut wild = |_| {
            let size = f64::from_bits((1023 - rng.below(range)) << 52);
            if rng.below(8) == 0 { 0.0 } else { rng.normals(1)[0] * size }
        };
        let (d, e): (Vec<f64>, Vec<f64>) = ((0..n).map(&mut wild).collect(), (0..n).map(&mut wild).collect());
        check(&format!("wild {case}"), &tridiagonal(n, |i| d[i], |i| e[i]), n);
    }
}

#[test]
fn extreme_scales() {
    let mut rng = SplitMix64::new(8);
    for n in [1, 2, 5, 40] {
        let a = random_symmetric(&mut rng, n);
        for (scale, unit) in [(1e300, 2.0_f64.recip()), (1e-300, 2.0)] {
            // unit^996, exactly, beside 1e300 = 2^996.6.
            let unit = (0..996).fold(1.0, |u, _| u * unit);
            let scaled: Vec<f64> = a.iter().map(|x| x * scale).collect();
            check_scaled(&format!("{scale:e} x {n}"), &scaled, n, unit);
        }
        // A column whose squares underflow beside an entry of size 1.
        let mut tiny: Vec<f64> = a.iter().map(|x| x * 1e-200).collect();
        tiny[0] = 1.0;
        check(&format!("1 and 1e-200, {n}"), &tiny, n);
        tiny.reverse();
        check(&format!("1e-200 and 1, {n}"), &tiny, n);
        // A coupled block of a few units of the smallest number beside an entry of size 1: relative rounding errors
        // do not exist there, and QL must still settle.
        let mut few: Vec<f64> = a.iter().map(|x| (x * 8.0).round() * f64::from_bits(1)).collect();
        few[n * n - 1] = 1.0;
        check(&format!("subnormal block, {n}"), &few, n);
        // All entries subnormal.
        let subnormal: Vec<f64> = a.iter().map(|x| x * 1e-310).collect();
        let (values, vectors) = decompose(&subnormal, n).unwrap();
        assert!(values.is_sorted() && vectors.iter().all(|x| x.is_finite() && x.abs() <= 1.0 + 1e-12));
    }
    let smallest = f64::from_bits(1);
    assert_eq!(decompose(&[smallest], 1).unwrap(), (vec![smallest], vec![1.0]));
}

/// Only the lower triangle is read, and a power of two changes no bit of the vectors.
#[test]
fn the_upper_triangle_and_powers_of_two_do_not_matter() {
    let mut rng = SplitMix64::new(9);
    for n in [5, 13, 40] {
        let a = random_symmetric(&mut rng, n);
        let (values, vectors) = decompose(&a, n).unwrap();
        // Large enough to matter if it were scaled along.
        let mut lower = a.clone();
        for i in 0..n {
            lower[i * n + i + 1..(i + 1) * n].fill(1e300);
        }
        assert_eq!(decompose(&lower, n).unwrap(), (values.clone(), vectors.clone()));
        // Negative control: the lower triangle does matter.
        lower[(n - 1) * n] += 0.125;
        assert_ne!(decompose(&lower, n).unwrap().1, vectors);
        for factor in [-900, -1, 10, 1000].map(|q: i64| f64::from_bits(((1023 + q) as u64) << 52)) {
            let scaled: Vec<f64> = a.iter().map(|x| x * factor).collect();
            let expected: Vec<f64> = values.iter().map(|x| x * factor).collect();
            assert_eq!(decompose(&scaled, n).unwrap(), (expected, vectors.clone()), "{factor:e}");
        }
        // Negative control: a factor that is no power of two does change bits.
        let scaled: Vec<f64> = a.iter().map(|x| x * 1.1).collect();
        assert_ne!(decompose(&scaled, n).unwrap().1, vectors);
    }
}

/// Neither the backend nor what a workspace holds or is too long by moves a bit; control: another matrix does. Blocks that
/// hardly couple part in the course of the iteration: sweeps then end, and begin, at different rows, and rows are set aside.
#[test]
fn levels_and_workspaces_agree_to_the_bit() {
    let mut rng = SplitMix64::new(6);
    for n in [1, 2, 7, 8, 33, 64, 65, 130, 200] {
        let mut a = random_symmetric(&mut rng, n);
        if n > 33 {
            for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
                a[i * n + j] *= match (i.abs_diff(j), i / 7 == j / 7) {
                    (0, _) | (1, true) => 1.0,
                    (1, false) => 1e-6,
                    _ => 0.0,
                };
            }
        }
        let bits = |level: Level, spare: usize, a: &[f64]| {
            let (mut vectors, mut values) = (a.to_vec(), vec![f64::NAN; n]);
            let mut workspace = vec![f64::NAN; eigen_workspace(n) + spare];
            symmetric_eigen(level, &mut vectors, &mut values, &mut workspace).unwrap();
            values.iter().chain(&vectors).map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        let reference = bits(Level::scalar(), 0, &a);
        for level in Level::available() {
            for spare in [0, 1, 500] {
                assert_eq!(bits(level, spare, &a), reference, "{} {n} {spare}", level.name());
            }
        }
        let other: Vec<f64> = a.iter().map(|x| x * 3.0).collect();
        assert_ne!(bits(Level::scalar(), 0, &other), reference);
    }
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

/// FNV-1a over little-endian bits.
fn hash<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> u64 {
    let bytes = numbers.into_iter().flat_map(|x| x.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Eigenvalues, then eigenvectors, of [`golden_bits`]' first matrix.
const GOLDEN_3X3: [u64; 12] = [
    0xbff1_fccb_6538_2d86, // -1.124
    0x3ff8_1705_e342_c070, // 1.506
    0x400c_f2e2_c0fa_b689, // 3.619
    0xbfc8_4eac_047d_5913,
    0xbfba_ef81_d044_6483,
    0x3fef_3c9c_fd68_6a02,
    0x3fea_7c7c_c785_0a71,
    0x3fe0_9031_7fd1_8f45,
    0x3fcb_c07e_744c_1044,
    0xbfe0_e5f0_7ada_832e,
    0x3feb_2c0d_cf7d_fecd,
    0xbf86_f2c5_5be2_a33f,
];

/// The same bits on every target and in every build profile. All constants were found twice: by this crate and by index loops
/// in Python, whose floats are fused only where the C library's fma is called. The last two set rows aside and turn some.
#[test]
fn golden_bits() {
    let (values, vectors) = decompose(&[2.0, -1.0, 0.5, -1.0, 3.0, 0.25, 0.5, 0.25, -1.0], 3).unwrap();
    for (x, bits) in values.iter().chain(&vectors).zip(GOLDEN_3X3) {
        assert_eq!(x.to_bits(), bits, "found {:#018x}", x.to_bits());
    }
    let mut digests = Vec::new();
    for n in [1, 2, 3, 4, 17, 40, 128] {
        let a = random_symmetric(&mut SplitMix64::new(n as u64), n);
        let (values, vectors) = decompose(&a, n).unwrap();
        digests.push(hash(values.iter().chain(&vectors)));
    }
    let constant = tridiagonal(64, |_| 1.0, |_| -1.0);
    let glued = tridiagonal(64, wilkinson, |i| if i % 21 == 20 { -1e-8 } else { 1.0 });
    for a in [constant, glued] {
        let (values, vectors) = decompose(&a, 64).unwrap();
        digests.push(hash(values.iter().chain(&vectors)));
    }
    let golden = [
        0x7435_2818_8954_7c53,
        0x8811_2a4d_2595_ca53,
        0x5cec_9a49_587f_5e83,
        0xdf29_8b41_01c3_0812,
        0x306a_7765_1fe4_8880,
        0x0597_cf7d_0bd4_8811,
        0x7dd2_7714_f8f9_0c85,
        0x2fcb_8efc_4d22_2679,
        0x22f5_004f_0e75_56e9,
    ];
    assert_eq!(digests, golden);
}
