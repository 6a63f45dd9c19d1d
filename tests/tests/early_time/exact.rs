//! The limit and its rate as exact identities: three equivalent forms, expansions in step size and time, dual lanes.

use crate::series::Series;
use crate::support::{
    Exact, Problem, derivatives, draw_shape, expansion, layer_inputs, matrix, pair, persistence,
};
use agop_core::activation::{Activation, AnyActivation, Linear, Quadratic, Relu};
use agop_core::correlation::{Route, Traces};
use agop_core::dual::Dual;
use agop_core::early_time::{DualBackend, Path, limit_by_samples, limit_by_samples_workspace};
use agop_core::feature::ptk_of_layer;
use agop_core::kernel::{Backend, Definition, Init, Triangle, accumulate, accumulate_outer, affine};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{jacobian_workspace, weights};
use agop_core::scalar::Scalar;
use agop_core::simd::Level;
use agop_tests::{SplitMix64, random_field, random_rationals};
use proptest::prelude::*;

/// Why: the three forms are one polynomial identity in weights, inputs and labels; on a field of 2^61 elements two
/// different polynomials agree at a random point with a chance of degree / 2^61.
fn three_forms(seed: u64, quadratic: bool) {
    fn run<A: Activation<Exact>>(rng: &mut SplitMix64, activation: A) {
        let (widths, samples) = draw_shape(rng, 3, 5, 3, 6);
        let draw = |n: usize| random_field(rng, n);
        let problem = if samples % 2 == 0 {
            Problem::new(&widths, activation, samples, draw)
        } else {
            Problem::with_bias(&widths, activation, samples, draw)
        };
        let (gradient, features) = (problem.gradient(Definition), problem.features(Definition));
        let shape = problem.shape();
        let outputs = problem.forward(Definition);
        let residuals: Vec<_> = outputs.iter().zip(&problem.y).map(|(f, y)| *f - *y).collect();
        for layer in 0..problem.hidden() {
            let g = weights(&gradient, shape.layer(layer).unwrap()).unwrap();
            let k = ptk_of_layer(shape, &features, layer).unwrap();
            let (n, c, width) = (samples, shape.outputs(), g.rows());
            let mut jacobians = vec![Exact::zero(); n * c * width];
            let mut work = vec![Exact::zero(); jacobian_workspace(&widths, 3)];
            let view = MatMut::new(&mut jacobians, n * c, width).unwrap();
            problem.network().jacobians(Definition, layer, problem.inputs(), view, &mut work).unwrap();
            let inner = layer_inputs(&problem, layer, Definition);
            let mut work = vec![Exact::zero(); limit_by_samples_workspace(n, c, width)];
            let found = limit_by_samples(
                Definition,
                matrix(&inner, n),
                matrix(&jacobians, n * c),
                matrix(&residuals, n),
                &mut work,
            )
            .unwrap();
            assert_eq!(found, pair(g, k, Route::Direct), "n x n against d x d, layer {layer} of {widths:?}");
            assert_eq!(found, pair(g, k, Route::Gram), "n x n against k x k, layer {layer} of {widths:?}");
        }
    }
    let mut rng = SplitMix64::new(seed);
    if quadratic { run(&mut rng, Quadratic) } else { run(&mut rng, Linear) }
}

/// The centred traces along a path `W_0 + Wbar(t)`, as power series in t.
fn centred_series<T: Scalar<Wide = T>, A: Activation<Series<T, 8>>>(
    moved: &Problem<Series<T, 8>, A>,
    start: &[Series<T, 8>],
    layer: usize,
) -> Traces<Series<T, 8>> {
    let wbar: Vec<_> = moved.parameters.iter().zip(start).map(|(w, w0)| w.clone() - w0.clone()).collect();
    let features = moved.features(Definition);
    let w = weights(&wbar, moved.shape().layer(layer).unwrap()).unwrap();
    pair(w, ptk_of_layer(moved.shape(), &features, layer).unwrap(), Route::Gram)
}

/// Coefficients 4 and 5 of the traces against the limit and its derivative; those below 4 are zero.
fn check_series<T: Scalar<Wide = T>>(found: &Traces<Series<T, 8>>, expected: &Traces<Dual<T>>) {
    let all = [(&found.ff, &expected.ff), (&found.fg, &expected.fg), (&found.gg, &expected.gg)];
    for (index, (series, dual)) in all.into_iter().enumerate() {
        let [c0, c1, c2, c3, c4, c5, ..] = &series.0;
        for low in [c0, c1, c2, c3] {
            assert_eq!(*low, T::zero(), "trace {index}");
        }
        assert_eq!((c4, c5), (&dual.value, &dual.derivative), "trace {index}");
    }
}

/// Why: with `W = W_0 - t grad` in series arithmetic the traces are polynomials in the step size, and the generic code
/// multiplies them out exactly: squared correlation and sign at 0+ are ratios of the coefficients of t^4, the
/// one-step coefficient those of t^5.
fn step_series<T, A>(problem: &Problem<T, A>)
where
    T: Scalar<Wide = T>,
    A: Activation<T> + Activation<Dual<T>> + Activation<Series<T, 8>>,
{
    let gradient = problem.gradient(Definition);
    let start = problem.map(|x| Series::constant(x.clone()));
    let mut moved = start.clone();
    for (w, g) in moved.parameters.iter_mut().zip(&gradient) {
        *w = w.clone() - Series::monomial(g.clone(), 1);
    }
    let duals = derivatives(problem, Definition, 3);
    for layer in 0..problem.hidden() {
        let expected = expansion(problem.shape(), &duals, layer, Path::Step);
        check_series(&centred_series(&moved, &start.parameters, layer), &expected);
    }
}

/// Why: Picard iteration `W <- W_0 - integral grad(W)` gains one exact Taylor coefficient of the gradient flow each time.
fn flow_series<T, A>(problem: &Problem<T, A>)
where
    T: Scalar<Wide = T>,
    A: Activation<T> + Activation<Dual<T>> + Activation<Series<T, 8>>,
{
    let start = problem.map(|x| Series::constant(x.clone()));
    let mut moved = start.clone();
    for _ in 0..3 {
        let gradient = moved.gradient(Definition);
        for ((w, w0), g) in moved.parameters.iter_mut().zip(&start.parameters).zip(&gradient) {
            *w = w0.clone() - g.integral();
        }
    }
    let duals = derivatives(problem, Definition, 2);
    for layer in 0..problem.hidden() {
        let expected = expansion(problem.shape(), &duals, layer, Path::Flow);
        check_series(&centred_series(&moved, &start.parameters, layer), &expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: persistence("exact"), ..ProptestConfig::with_cases(64) })]

    #[test]
    fn the_three_forms_of_the_limit_are_one(seed in any::<u64>(), quadratic in any::<bool>()) {
        three_forms(seed, quadratic);
    }

    #[test]
    fn one_step_expands_into_limit_and_coefficient_exactly(
        seed in any::<u64>(),
        quadratic in any::<bool>(),
        bias in any::<bool>(),
    ) {
        let mut rng = SplitMix64::new(seed);
        let (widths, samples) = draw_shape(&mut rng, 2, 3, 2, 4);
        let draw = |n: usize| random_field(&mut rng, n);
        match (quadratic, bias) {
            (true, _) => step_series(&Problem::new(&widths, Quadratic, samples, draw)),
            (false, false) => step_series(&Problem::new(&widths, Linear, samples, draw)),
            (false, true) => step_series(&Problem::with_bias(&widths, Linear, samples, draw)),
        }
    }

    #[test]
    fn gradient_flow_expands_into_limit_and_rate_exactly(
        seed in any::<u64>(),
        quadratic in any::<bool>(),
        bias in any::<bool>(),
    ) {
        let mut rng = SplitMix64::new(seed);
        let (widths, samples) = draw_shape(&mut rng, 2, 3, 2, 4);
        let draw = |n: usize| random_field(&mut rng, n);
        match (quadratic, bias) {
            (true, false) => flow_series(&Problem::new(&widths, Quadratic, samples, draw)),
            (true, true) => flow_series(&Problem::with_bias(&widths, Quadratic, samples, draw)),
            (false, _) => flow_series(&Problem::new(&widths, Linear, samples, draw)),
        }
    }
}

/// ReLU needs an order: rationals, where a series is positive when its first coefficient is.
#[test]
fn relu_expands_exactly_in_rationals() {
    let mut rng = SplitMix64::new(7);
    for _ in 0..12 {
        let (widths, samples) = draw_shape(&mut rng, 2, 3, 2, 3);
        let problem = Problem::new(&widths, Relu, samples, |n| random_rationals(&mut rng, n));
        step_series(&problem);
        flow_series(&problem);
    }
}

/// Negative control of the two tests above: the coefficients of step and flow are different numbers.
#[test]
fn step_and_flow_differ() {
    let mut rng = SplitMix64::new(3);
    let problem = Problem::new(&[3, 4, 2], Quadratic, 5, |n| random_field(&mut rng, n));
    let duals = derivatives(&problem, Definition, 5);
    let [step, flow] = [Path::Step, Path::Flow].map(|path| expansion(problem.shape(), &duals, 0, path));
    assert_eq!(step.fg.value, flow.fg.value);
    assert_ne!(step.fg.derivative, flow.fg.derivative);
}

#[test]
fn directional_lanes_give_what_the_definition_gives() {
    let mut rng = SplitMix64::new(5);
    for (m, p, n) in [(1, 1, 1), (3, 0, 2), (16, 32, 16), (17, 33, 18), (5, 70, 40), (40, 7, 3)] {
        let mut dual = |count: usize| -> Vec<Dual<Exact>> {
            let parts = random_field(&mut rng, 2 * count);
            parts.chunks_exact(2).map(|pair| Dual::new(pair[0], pair[1])).collect()
        };
        let (a, b, c) = (dual(m * p), dual(p * n), dual(m * n));
        let (a, b) = (MatRef::new(&a, m, p).unwrap(), MatRef::new(&b, p, n).unwrap());
        let (mut plain, mut tiled) = (c.clone(), c);
        accumulate(Definition, MatMut::new(&mut plain, m, n).unwrap(), a, b).unwrap();
        accumulate(DualBackend(Definition), MatMut::new(&mut tiled, m, n).unwrap(), a, b).unwrap();
        assert_eq!(plain, tiled, "{m} x {p} x {n}");
        let row = dual(n);
        affine(Definition, MatMut::new(&mut plain, m, n).unwrap(), a, b, &row).unwrap();
        affine(DualBackend(Definition), MatMut::new(&mut tiled, m, n).unwrap(), a, b, &row).unwrap();
        assert_eq!(plain, tiled, "{m} x {p} x {n} from a row");
        // Factors that do not agree leave the product as it is.
        let other = dual((p + 1) * n);
        let other = MatRef::new(&other, p + 1, n).unwrap();
        let c = MatMut::new(&mut tiled, m, n).unwrap();
        DualBackend(Definition).accumulate(c, a, other, Triangle::Full, Init::Zero);
        assert_eq!(plain, tiled, "{m} x {p} with {} x {n}", p + 1);
        let (mut plain, mut tiled) = (dual(n * n), Vec::new());
        tiled.clone_from(&plain);
        accumulate_outer(Definition, MatMut::new(&mut plain, n, n).unwrap(), b).unwrap();
        accumulate_outer(DualBackend(Definition), MatMut::new(&mut tiled, n, n).unwrap(), b).unwrap();
        assert_eq!(plain, tiled, "outer product {n}");
    }
    for level in Level::available() {
        let problem = Problem::new(&[5, 40, 17, 3], AnyActivation::Tanh, 300, |n| rng.normals(n));
        let (gradient, features) = derivatives(&problem, DualBackend(level), 64);
        let bits = |all: &[Dual<f64>]| all.iter().map(|x| x.value.to_bits()).collect::<Vec<_>>();
        let plain = |all: Vec<f64>| all.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&gradient), plain(problem.gradient(level)), "{}", level.name());
        assert_eq!(bits(&features), plain(problem.features(level)), "{}", level.name());
    }
}
