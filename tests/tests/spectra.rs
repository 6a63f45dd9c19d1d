//! Powers of G and principal angles, beside d x d matrices that nalgebra decomposes, and in cases with exact answers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "the oracle's powers are the platform's")]

use agop_core::correlation::{
    GivenErrors, InputError, LayerSpectrum, Powers, PtkSpectrum, Route, Undefined, angles_workspace,
    correlate, correlate_workspace, layer_spectrum_length, ptk_spectrum_length, spectrum_workspace,
};
use agop_core::eigen::eigen_workspace;
use agop_core::error::Error;
use agop_core::kernel::{Backend, Definition};
use agop_core::matrix::MatRef;
use agop_core::simd::Level;
use agop_tests::SplitMix64;
use nalgebra::{DMatrix, SymmetricEigen};

const POWERS: [f64; 5] = [0.1, 0.25, 1.0 / 3.0, 0.5, 1.0];

/// W, W_0 and the features of a layer, row-major.
struct Layer {
    k: usize,
    d: usize,
    w: Vec<f64>,
    initial: Option<Vec<f64>>,
    ptk: Vec<f64>,
    errors: GivenErrors,
}

/// What is compared: `(cosine, pearson)` of each power, and both sets of cosines with their errors.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    powers: Vec<[Result<f64, Undefined>; 2]>,
    nfm_agop: Result<(f64, Vec<f64>), Undefined>,
    weights_ptk: Result<(f64, Vec<f64>), Undefined>,
}

impl Layer {
    fn new(k: usize, d: usize, w: Vec<f64>, ptk: Vec<f64>) -> Self {
        Self { k, d, w, initial: None, ptk, errors: GivenErrors::default() }
    }

    /// A K of full rank whose eigenvalues spread over three orders of magnitude.
    fn random(rng: &mut SplitMix64, k: usize, d: usize) -> Self {
        let scales: Vec<f64> = (0..k).map(|i| 1.0 / (1.0 + i as f64).powf(1.5)).collect();
        let j = DMatrix::from_fn(2 * k, k, |_, i| rng.normal() * scales[i].sqrt());
        let w = DMatrix::from_fn(k, d, |i, j| rng.normal() / (1.0 + 0.3 * ((i + 2 * j) % 5) as f64));
        let initial = rng.normals(k * d).iter().map(|x| 0.3 * x).collect();
        let (w, ptk) = (w.transpose().as_slice().to_vec(), (j.transpose() * j).as_slice().to_vec());
        Self { initial: Some(initial), ..Self::new(k, d, w, symmetric(&ptk, k)) }
    }

    fn measure<B: Backend<f64>>(&self, backend: B, centered: bool, rank: usize) -> Found {
        let (k, d) = (self.k, self.d);
        let mut ptk_memory = vec![f64::NAN; ptk_spectrum_length(k)];
        let mut memory = vec![f64::NAN; layer_spectrum_length(k, d)];
        let mut work = vec![f64::NAN; spectrum_workspace(k, d)];
        let view = |m: &'static str, values| MatRef::new(values, k, if m == "K" { k } else { d }).unwrap();
        let ptk = view("K", &self.ptk);
        let ptk = PtkSpectrum::new(backend, ptk, self.errors.ptk, &mut ptk_memory, &mut work).unwrap();
        let initial = self.initial.as_deref().filter(|_| centered).map(|m| view("W", m));
        let (weights, read) = ((view("W", &self.w), initial), self.errors.weights);
        let found = LayerSpectrum::new(backend, weights, read, ptk, &mut memory, &mut work).unwrap();
        let mut work = vec![f64::NAN; angles_workspace(k, rank)];
        let powers = POWERS.map(|s| {
            let p = found.power(s).unwrap();
            [p.cosine, p.pearson]
        });
        let mut cosines = vec![f64::NAN; rank];
        let nfm_agop =
            found.nfm_agop(backend, &mut cosines, &mut work).unwrap().map(|e| (e, cosines.clone()));
        let weights_ptk = found.weights_ptk(backend, &mut cosines, &mut work).unwrap().map(|e| (e, cosines));
        Found { powers: powers.to_vec(), nfm_agop, weights_ptk }
    }

    /// W or its change, and K.
    fn matrices(&self, centered: bool) -> (DMatrix<f64>, DMatrix<f64>) {
        let w = DMatrix::from_row_slice(self.k, self.d, &self.w);
        let initial = self.initial.as_ref().filter(|_| centered);
        let w = initial.map_or(w.clone(), |m| w - DMatrix::from_row_slice(self.k, self.d, m));
        (w, DMatrix::from_row_slice(self.k, self.k, &self.ptk))
    }
}

/// The same with a bit-symmetric matrix.
fn symmetric(m: &[f64], k: usize) -> Vec<f64> {
    (0..k * k).map(|at| m[usize::min(at / k, at % k) * k + usize::max(at / k, at % k)]).collect()
}

/// Eigenvectors as columns, largest eigenvalue first.
fn descending(m: &DMatrix<f64>) -> (Vec<f64>, DMatrix<f64>) {
    let found = SymmetricEigen::new(m.clone());
    let mut order: Vec<usize> = (0..m.nrows()).collect();
    order.sort_by(|a, b| found.eigenvalues[*b].total_cmp(&found.eigenvalues[*a]));
    let values = order.iter().map(|i| found.eigenvalues[*i]).collect();
    (values, DMatrix::from_fn(m.nrows(), m.nrows(), |i, j| found.eigenvectors[(i, order[j])]))
}

fn cosine(a: &DMatrix<f64>, b: &DMatrix<f64>) -> f64 {
    a.dot(b) / (a.norm() * b.norm())
}

fn pearson(a: &DMatrix<f64>, b: &DMatrix<f64>) -> f64 {
    cosine(&a.add_scalar(-a.mean()), &b.add_scalar(-b.mean()))
}

fn cosines(p: &DMatrix<f64>, q: &DMatrix<f64>, r: usize) -> Vec<f64> {
    let product = p.columns(0, r).transpose() * q.columns(0, r);
    product.singular_values().as_slice().to_vec()
}

/// Both routes, both pairs, several ranks: the definition in d x d matrices, by another library.
#[test]
fn powers_and_angles_are_those_of_the_definition() {
    let mut rng = SplitMix64::new(71);
    for (k, d) in [(5, 9), (9, 5), (6, 6), (12, 40), (40, 12), (1, 4), (4, 1)] {
        let layer = Layer::random(&mut rng, k, d);
        for (centered, rank) in
            [false, true].into_iter().flat_map(|c| (1..=k.min(d).min(4)).map(move |r| (c, r)))
        {
            let (w, ptk) = layer.matrices(centered);
            let (f, g) = (w.transpose() * &w, w.transpose() * &ptk * &w);
            let ((_, of_f), (values, of_g)) = (descending(&f), descending(&g));
            let found = layer.measure(Level::detect(), centered, rank);
            for (s, [of_cosine, of_pearson]) in POWERS.iter().zip(&found.powers) {
                // G has min(k, d) eigenvalues above zero.
                let powers = values.iter().zip(0..).map(|(x, i)| if i < k.min(d) { x.powf(*s) } else { 0.0 });
                let powers = DMatrix::from_diagonal(&nalgebra::DVector::from_vec(powers.collect()));
                let power = &of_g * powers * of_g.transpose();
                assert!((of_cosine.unwrap() - cosine(&f, &power)).abs() < 1e-11, "{k} x {d}, power {s}");
                if d > 1 {
                    assert!(
                        (of_pearson.unwrap() - pearson(&f, &power)).abs() < 1e-11,
                        "{k} x {d}, power {s}"
                    );
                } else {
                    assert_eq!(*of_pearson, Err(Undefined::ConstantEntries));
                }
            }
            let (_, left) = descending(&(&w * w.transpose()));
            let (_, of_k) = descending(&ptk);
            let pairs = [
                (found.nfm_agop, cosines(&of_f, &of_g, rank)),
                (found.weights_ptk, cosines(&left, &of_k, rank)),
            ];
            for (found, expected) in pairs {
                let (error, found) = found.unwrap();
                assert!(error < 1e-9, "{k} x {d}: {error:e}");
                for (found, expected) in found.iter().zip(&expected) {
                    assert!(
                        (found - expected).abs() < 1e-12 + error,
                        "{k} x {d}, rank {rank}: {found}, {expected}"
                    );
                }
            }
        }
    }
}

/// Powers 1 and 1/2 are the correlations that stand without this module.
#[test]
fn powers_one_and_one_half_agree_with_the_other_way() {
    let mut rng = SplitMix64::new(72);
    for (k, d) in [(7, 20), (20, 7)] {
        let layer = Layer::random(&mut rng, k, d);
        let (w, ptk) = (MatRef::new(&layer.w, k, d).unwrap(), MatRef::new(&layer.ptk, k, k).unwrap());
        let route = Route::cheaper(k, d);
        let mut work = vec![0.0; correlate_workspace(k, d, route)];
        let given = InputError::default();
        let other = correlate(Level::detect(), w, ptk, given, route, Powers::OneAndRoot, &mut work).unwrap();
        let found = layer.measure(Level::detect(), false, 1).powers;
        let pairs =
            [(found[3], [other.cosine_sqrt, other.pearson_sqrt]), (found[4], [other.cosine, other.pearson])];
        for (found, other) in pairs.into_iter().flat_map(|(found, other)| found.into_iter().zip(other)) {
            assert!((found.unwrap() - other.unwrap().value).abs() < 1e-13);
        }
    }
}

/// The same bits on every instruction set, and by the plain loops. Control: another W has others.
#[test]
fn every_level_gives_the_same_bits() {
    let mut rng = SplitMix64::new(73);
    for (k, d) in [(17, 33), (33, 17)] {
        let layer = Layer::random(&mut rng, k, d);
        let plain = layer.measure(Definition, true, 5);
        for level in Level::available() {
            assert_eq!(layer.measure(level, true, 5), plain, "{}", level.name());
        }
        assert_ne!(Layer::random(&mut rng, k, d).measure(Definition, true, 5), plain);
    }
}

/// `W = diag(4, 2, 1)`, and eigenvectors of 8, 4, 1 turned by the angle of the triangle 3, 4, 5.
fn turned() -> [[f64; 3]; 3] {
    let q = [[1.0, 0.0, 0.0], [0.0, 3.0, 4.0], [0.0, -4.0, 3.0]];
    let product =
        |i: usize, j: usize| (8.0 * 25.0 * q[0][i] * q[0][j]) + 4.0 * q[1][i] * q[1][j] + q[2][i] * q[2][j];
    std::array::from_fn(|i| std::array::from_fn(|j| product(i, j)))
}

/// Cosines 1 and 3/5 by construction: K as it stands beside the singular vectors, and `K = W^-1 G W^-1` for G.
#[test]
fn a_case_with_exact_answers() {
    let axes = [4.0, 2.0, 1.0];
    let w: Vec<f64> = (0..9).map(|at| if at % 4 == 0 { axes[at / 3] } else { 0.0 }).collect();
    let g = turned();
    let beside = Layer::new(3, 3, w.clone(), g.concat());
    let (error, found) = beside.measure(Level::detect(), false, 2).weights_ptk.unwrap();
    assert!(error < 1e-13 && (found[0] - 1.0).abs() < 1e-15 && (found[1] - 0.6).abs() < 1e-15, "{found:?}");
    let ptk: Vec<f64> = (0..9).map(|at| g[at / 3][at % 3] / (axes[at / 3] * axes[at % 3])).collect();
    // With two more columns of zeros the other route has the same angles.
    let wide: Vec<f64> = w.chunks(3).flat_map(|row| row.iter().copied().chain([0.0, 0.0])).collect();
    for layer in [Layer::new(3, 3, w, ptk.clone()), Layer::new(3, 5, wide, ptk)] {
        let (error, found) = layer.measure(Level::detect(), false, 2).nfm_agop.unwrap();
        assert!(
            error < 1e-12 && (found[0] - 1.0).abs() < 1e-14 && (found[1] - 0.6).abs() < 1e-14,
            "{found:?}"
        );
    }
}

/// A small cosine beside a large one has the error of the large one, not its root.
#[test]
fn a_small_cosine_keeps_its_digits() {
    let small = 1e-9;
    let w = vec![4.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0];
    let ptk = vec![8.0, 0.0, 0.0, 0.0, 1.0, 3.0 * small, 0.0, 3.0 * small, 4.0];
    let (_, found) = Layer::new(3, 3, w, ptk).measure(Level::detect(), false, 2).weights_ptk.unwrap();
    assert!((found[0] - 1.0).abs() < 1e-15 && (found[1] - small).abs() < 2e-15, "{found:?}");
}

#[test]
fn what_is_undefined_says_why() {
    let identity =
        |k: usize| -> Vec<f64> { (0..k * k).map(|at| f64::from(u8::from(at % (k + 1) == 0))).collect() };
    let mut diagonal = identity(4);
    diagonal[0] = 3.0;
    let mut steps = identity(4);
    (0..4).for_each(|i| steps[5 * i] = 4.0 - i as f64);
    let measure = |w: &[f64], ptk: &[f64], rank| {
        Layer::new(4, 4, w.to_vec(), ptk.to_vec()).measure(Level::detect(), false, rank)
    };
    // F has a gap behind its first eigenvalue alone.
    assert!(measure(&diagonal, &steps, 1).nfm_agop.is_ok());
    assert_eq!(measure(&diagonal, &steps, 2).nfm_agop, Err(Undefined::NoGap("F")));
    assert_eq!(measure(&steps, &diagonal, 2).weights_ptk, Err(Undefined::NoGap("K")));
    // Of the whole space every angle is zero.
    assert_eq!(measure(&diagonal, &steps, 4).nfm_agop, Ok((0.0, vec![1.0; 4])));
    // A wide W of rank 2 has no third direction.
    let mut flat = vec![0.0; 3 * 5];
    (flat[0], flat[6]) = (2.0, 1.0);
    let flat = Layer::new(3, 5, flat, identity(3)).measure(Level::detect(), false, 3);
    assert_eq!(flat.nfm_agop, Err(Undefined::NoGap("F")));
    // As large an error of K as its gaps.
    let mut rough = Layer::new(4, 4, steps.clone(), steps.clone());
    rough.errors.ptk = Some(0.6);
    assert_eq!(rough.measure(Level::detect(), false, 2).weights_ptk, Err(Undefined::NoGap("K")));
    rough.errors.ptk = Some(0.4);
    assert!(rough.measure(Level::detect(), false, 2).weights_ptk.is_ok());
    rough.errors.ptk = None;
    assert_eq!(rough.measure(Level::detect(), false, 2).nfm_agop, Err(Undefined::UncertainFeatures));
    assert!(rough.measure(Level::detect(), false, 2).powers[0][0].is_ok());
    let zero = vec![0.0; 16];
    let found = [measure(&zero, &steps, 1), measure(&steps, &zero, 1)];
    for (found, why) in found.into_iter().zip([Undefined::ZeroWeights, Undefined::ZeroGradient]) {
        assert_eq!((found.nfm_agop, found.weights_ptk), (Err(why), Err(why)));
        assert_eq!(found.powers, vec![[Err(why); 2]; POWERS.len()]);
    }
}

#[test]
fn what_is_no_power_and_no_rank_is_refused() {
    let one = [1.0];
    let (mut ptk_memory, mut memory) =
        (vec![0.0; ptk_spectrum_length(1)], vec![0.0; layer_spectrum_length(1, 1)]);
    let mut work = vec![0.0; spectrum_workspace(1, 1) + eigen_workspace(1)];
    let m = MatRef::new(&one, 1, 1).unwrap();
    let ptk = PtkSpectrum::new(Definition, m, Some(0.0), &mut ptk_memory, &mut work).unwrap();
    let layer = LayerSpectrum::new(Definition, (m, None), 0.0, ptk, &mut memory, &mut work).unwrap();
    for s in [0.0, -0.5, 1.5, f64::NAN, f64::INFINITY] {
        assert!(matches!(layer.power(s), Err(Error::Parameter { what: "power", .. })), "{s}");
    }
    for rank in [0, 2] {
        let found = layer.nfm_agop(Definition, &mut vec![0.0; rank], &mut vec![0.0; angles_workspace(1, 2)]);
        assert!(matches!(found, Err(Error::Parameter { what: "rank", .. })), "{rank}");
    }
}

/// Powers of two change nothing, down to where entries are subnormal but for one of the two. Control: a factor of three does.
#[test]
fn powers_of_two_change_no_bit() {
    let layer = Layer::random(&mut SplitMix64::new(74), 8, 11);
    let plain = layer.measure(Level::detect(), true, 3);
    let scaled = |w: f64, k: f64| {
        let times = |m: &[f64], x: f64| m.iter().map(|y| x * y).collect::<Vec<f64>>();
        let initial = layer.initial.as_ref().map(|m| times(m, w));
        let scaled = Layer { initial, ..Layer::new(8, 11, times(&layer.w, w), times(&layer.ptk, k)) };
        scaled.measure(Level::detect(), true, 3)
    };
    assert_eq!(scaled(2f64.powi(-300), 2f64.powi(700)), plain);
    assert_ne!(scaled(3.0, 1.0), plain);
}
