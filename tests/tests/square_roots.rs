//! Correlations with the square root of G where K has less than full rank: rounding leaves it eigenvalues below zero.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop::machine::Threads;
use agop::network::Model;
use agop_core::activation::AnyActivation;
use agop_core::correlation::{
    Correlations, GivenErrors, InputError, LayerMeasure, Powers, Route, Undefined, correlate,
    correlate_workspace, measure_layer, measure_workspace,
};
use agop_core::early_time::{limit, limit_workspace};
use agop_core::feature::ptk_of_layer;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::jacobian_workspace;
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::SplitMix64;

/// A matrix as its rows.
type Rows = Vec<Vec<f64>>;

fn rows<T: Real>(m: MatRef<'_, T>) -> Rows {
    (0..m.rows()).map(|i| m.row(i).map(|x| x.to_f64()).collect()).collect()
}

/// Cosine and Pearson of two matrices, from their definition.
fn correlations(f: &Rows, g: &Rows) -> [f64; 2] {
    let entries = |m: &Rows| m.concat();
    let less_mean = |m: Vec<f64>| {
        let mean = m.iter().sum::<f64>() / m.len() as f64;
        m.into_iter().map(|x| x - mean).collect::<Vec<f64>>()
    };
    let cosine = |a: &[f64], b: &[f64]| {
        let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        inner(a, b) / (inner(a, a) * inner(b, b)).sqrt()
    };
    [cosine(&entries(f), &entries(g)), cosine(&less_mean(entries(f)), &less_mean(entries(g)))]
}

/// The outer products of two lists of vectors of one length, summed with coefficients.
fn combine(vectors: &Rows, coefficient: impl Fn(usize, usize) -> f64) -> Rows {
    let d = vectors[0].len();
    let mut sum = vec![vec![0.0; d]; d];
    for (a, x) in vectors.iter().enumerate() {
        for (b, y) in vectors.iter().enumerate() {
            for (row, x) in sum.iter_mut().zip(x) {
                row.iter_mut().zip(y).for_each(|(slot, y)| *slot += coefficient(a, b) * x * y);
            }
        }
    }
    sum
}

/// Correlations of `W^T W` with the root of `G = B B^T`, where B has one column `W^T j` for each of one or two Jacobians:
/// `G^(1/2) = B (B^T B)^(-1/2) B^T`, and the root of a 2 x 2 matrix A is `(A + s) / t` with `s^2 = det A`,
/// `t^2 = tr A + 2 s`.
fn expected(w: &Rows, jacobians: &Rows) -> [f64; 2] {
    let columns: Rows = jacobians
        .iter()
        .map(|j| (0..w[0].len()).map(|i| w.iter().zip(j).map(|(row, j)| row[i] * j).sum()).collect())
        .collect();
    let inner = |a: usize, b: usize| columns[a].iter().zip(&columns[b]).map(|(x, y)| x * y).sum::<f64>();
    let f = combine(w, |a, b| f64::from(u8::from(a == b)));
    let root = if columns.len() == 1 {
        combine(&columns, |_, _| 1.0 / inner(0, 0).sqrt())
    } else {
        let (a, b, c) = (inner(0, 0), inner(0, 1), inner(1, 1));
        let s = (a * c - b * b).sqrt();
        let t = (a + c + 2.0 * s).sqrt();
        // The inverse of (A + s) / t, whose determinant is s.
        let inverse = [[(c + s) / t / s, -b / t / s], [-b / t / s, (a + s) / t / s]];
        combine(&columns, |a, b| inverse[a][b])
    };
    correlations(&f, &root)
}

struct Case<T> {
    model: Model<T, AnyActivation>,
    initial: Model<T, AnyActivation>,
    inputs: Vec<T>,
    samples: usize,
}

impl<T: Real> Case<T> {
    fn new(rng: &mut SplitMix64, widths: &[usize], activation: AnyActivation, samples: usize) -> Self {
        let count = agop_core::network::parameters(widths, false);
        let cast = |values: Vec<f64>| values.into_iter().map(T::from_f64).collect::<Vec<T>>();
        let mut model = || Model::new(widths.to_vec(), false, activation, cast(rng.normals(count))).unwrap();
        let (model, initial) = (model(), model());
        Self { model, initial, inputs: cast(rng.normals(samples * widths[0])), samples }
    }

    fn inputs(&self) -> MatRef<'_, T> {
        MatRef::new(&self.inputs, self.samples, self.inputs.len() / self.samples).unwrap()
    }

    fn features(&self) -> Vec<T>
    where
        Level: agop_core::kernel::Backend<T>,
    {
        let mut memory = self.model.feature_memory(&Threads::one(), self.samples).unwrap();
        self.model.features(Level::detect(), self.inputs(), &mut memory).unwrap()
    }

    fn measure(&self, layer: usize) -> LayerMeasure
    where
        Level: agop_core::kernel::Backend<T>,
    {
        let features = self.features();
        let k = ptk_of_layer(self.model.shape().unwrap(), &features, layer).unwrap();
        let (w, w_0) = (self.model.weights(layer).unwrap(), self.initial.weights(layer).unwrap());
        let mut work = vec![0.0; measure_workspace(w.rows(), w.columns())];
        measure_layer(Level::detect(), w, w_0, k, k, GivenErrors::default(), Powers::OneAndRoot, &mut work)
            .unwrap()
    }

    /// What [`measure_layer`] should find: of W, and of `W - W_0`. All Jacobians that differ must be given.
    fn expected(&self, layer: usize, jacobians: &Rows) -> [[f64; 2]; 2] {
        let (w, w_0) = (rows(self.model.weights(layer).unwrap()), rows(self.initial.weights(layer).unwrap()));
        let change = w.iter().zip(&w_0).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect()).collect();
        [expected(&w, jacobians), expected(&change, jacobians)]
    }

    fn jacobians(&self, layer: usize) -> Rows
    where
        Level: agop_core::kernel::Backend<T>,
    {
        let (rows_found, k) =
            (self.samples * self.model.widths().last().unwrap(), self.model.widths()[layer + 1]);
        let mut out = vec![T::zero(); rows_found * k];
        let mut work = vec![T::zero(); jacobian_workspace(self.model.widths(), self.samples)];
        let view = MatMut::new(&mut out, rows_found, k).unwrap();
        let network = self.model.view().unwrap();
        network.jacobians(Level::detect(), layer, self.inputs(), view, &mut work).unwrap();
        rows(MatRef::new(&out, rows_found, k).unwrap())
    }
}

#[track_caller]
fn assert_near(what: &str, found: Correlations, expected: [f64; 2], tolerance: f64) {
    let found = [found.cosine_sqrt, found.pearson_sqrt].map(|found| found.map(|found| found.value));
    for (found, expected) in found.into_iter().zip(expected) {
        let found = found.unwrap_or_else(|why| panic!("{what}: {why}"));
        assert!((found - expected).abs() < tolerance, "{what}: {found} against {expected}");
    }
}

/// Wide and narrow layers: both routes.
const WIDTHS: [[usize; 4]; 3] = [[5, 17, 9, 1], [19, 8, 11, 1], [12, 12, 3, 1]];

/// Of a linear network with one output all samples have the same Jacobian: G has rank one.
fn linear_networks<T: Real>(tolerance: f64)
where
    Level: agop_core::kernel::Backend<T>,
{
    for seed in 0..20 {
        let mut rng = SplitMix64::new(seed);
        for widths in WIDTHS {
            let case = Case::<T>::new(&mut rng, &widths, AnyActivation::Linear, 100);
            for layer in 0..2 {
                let (found, jacobians) = (case.measure(layer), case.jacobians(layer)[..1].to_vec());
                let [uncentered, centered] = case.expected(layer, &jacobians);
                let what = format!("{} {widths:?} layer {layer} seed {seed}", T::NAME);
                assert_near(&what, found.uncentered, uncentered, tolerance);
                assert_near(&format!("{what} centred"), found.centered, centered, tolerance);
                assert_eq!(found.double_centered.cosine_sqrt, Err(Undefined::ZeroGradient));
                // The same of the limit, with the weights in place of the gradient.
                let w = case.model.weights(layer).unwrap();
                let features = case.features();
                let k = ptk_of_layer(case.model.shape().unwrap(), &features, layer).unwrap();
                let mut work = vec![0.0; limit_workspace(w.rows(), w.columns())];
                let early = limit(Level::detect(), w, k, Powers::OneAndRoot, &mut work).unwrap();
                assert_eq!(early, found.uncentered);
            }
        }
    }
}

#[test]
fn linear_networks_with_one_output() {
    linear_networks::<f64>(1e-7);
    linear_networks::<f32>(3e-3);
}

/// Two samples leave K of rank two.
fn fewer_samples_than_units<T: Real>(tolerance: f64)
where
    Level: agop_core::kernel::Backend<T>,
{
    for seed in 0..20 {
        let mut rng = SplitMix64::new(100 + seed);
        for widths in WIDTHS {
            let case = Case::<T>::new(&mut rng, &widths, AnyActivation::Tanh, 2);
            for layer in 0..2 {
                let found = case.measure(layer);
                let [uncentered, centered] = case.expected(layer, &case.jacobians(layer));
                let what = format!("{} {widths:?} layer {layer} seed {seed}", T::NAME);
                assert_near(&what, found.uncentered, uncentered, tolerance);
                assert_near(&format!("{what} centred"), found.centered, centered, tolerance);
            }
        }
    }
}

#[test]
fn networks_with_fewer_samples_than_units() {
    fewer_samples_than_units::<f64>(1e-7);
    fewer_samples_than_units::<f32>(3e-3);
}

fn pair(route: Route, w: MatRef<'_, f64>, k: MatRef<'_, f64>) -> Correlations {
    let mut work = vec![0.0; correlate_workspace(w.rows(), w.columns(), route)];
    correlate(Level::detect(), w, k, InputError::default(), route, Powers::OneAndRoot, &mut work).unwrap()
}

/// Where nothing says that K is a Gram matrix, what is negative in it counts, also beside a measure that takes it for one.
#[test]
fn matrices_of_which_nothing_is_known() {
    let mut rng = SplitMix64::new(5);
    let mut refused = 0;
    for _ in 0..20 {
        let case = Case::<f32>::new(&mut rng, &WIDTHS[0], AnyActivation::Linear, 100);
        let k: Vec<f64> = case.features()[..17 * 17].iter().map(|x| f64::from(*x)).collect();
        let w: Vec<f64> = case.model.weights(0).unwrap().elements().map(|x| f64::from(*x)).collect();
        let (w, k) = (MatRef::new(&w, 17, 5).unwrap(), MatRef::new(&k, 17, 17).unwrap());
        let found = pair(Route::Gram, w, k);
        refused += usize::from(found.cosine_sqrt == Err(Undefined::Indefinite));
        assert!(case.measure(0).uncentered.cosine_sqrt.is_ok());
    }
    assert!(refused > 0);
    // `K^(1/2) W W^T K^(1/2)` is a Gram matrix for any K that has a root: where W lies on the small eigenvalues of K,
    // rounding leaves it negative ones that are not small beside its largest.
    for step in 1..50 {
        let (sin, cos) = (f64::from(step) / 10.0).sin_cos();
        let (u, v) = ([cos, sin], [-sin, cos]);
        let at = |i: usize, j: usize| u[i] * u[j] + 2e-7 * v[i] * v[j];
        let k = [at(0, 0), at(0, 1), at(0, 1), at(1, 1)];
        let w: Vec<f64> = v.iter().flat_map(|v| [0.3, -0.2, 0.9].map(|x| x * v)).collect();
        let (w, k) = (MatRef::new(&w, 2, 3).unwrap(), MatRef::new(&k, 2, 2).unwrap());
        let found = pair(Route::Gram, w, k).cosine_sqrt.unwrap().value;
        assert!((found - 1.0).abs() < 1e-3, "{step}: {found}");
    }
}
