//! Spectra that are known or hard: residual, orthogonality and order.

use super::{
    EPSILON, assert_near, check, check_scaled, decompose, dot, norm, random_symmetric, tridiagonal,
    wilkinson, with_spectrum,
};
use agop_tests::SplitMix64;

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
