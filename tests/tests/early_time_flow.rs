//! The limit of the centred correlation and its rate: fixtures, exact expansions in time, measured training.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod early_time_support;

use agop_core::activation::{Activation, AnyActivation, Linear, Quadratic, Relu};
use agop_core::correlation::{Powers, Route, Traces, traces};
use agop_core::early_time::{
    Derivatives, Directional, Path, differentiate, differentiate_workspace, expand, limit, limit_by_samples,
    limit_by_samples_workspace, limit_workspace, rate, rate_workspace,
};
use agop_core::error::Error;
use agop_core::feature::of_layer;
use agop_core::kernel::{Backend, Definition, accumulate, accumulate_outer};
use agop_core::loss::MeanSquared;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{Shape, jacobian_workspace, weights};
use agop_core::scalar::{Dual, Scalar};
use agop_core::simd::Level;
use agop_tests::{PrimeField, Rational, SplitMix64, random_field, random_rationals};
use early_time_support::{Problem, Series, exact_cases, layer_inputs, matrix, numbers};
use proptest::prelude::*;

type Exact = PrimeField;

/// Widths, samples: up to three hidden layers, everything small enough for exact numbers.
fn draw_shape(
    rng: &mut SplitMix64,
    depth: i64,
    width: i64,
    outputs: i64,
    samples: i64,
) -> (Vec<usize>, usize) {
    let mut draw = |most| rng.between(1, most) as usize;
    let mut widths: Vec<usize> = (0..draw(depth) + 1).map(|_| draw(width)).collect();
    widths.push(draw(outputs));
    (widths, draw(samples))
}

fn derivatives<T: Scalar, A, B>(
    problem: &Problem<T, A>,
    backend: B,
    rows: usize,
) -> (Vec<Dual<T>>, Vec<Dual<T>>)
where
    A: Activation<T> + Activation<Dual<T>>,
    B: Backend<Dual<T>>,
{
    let size = differentiate_workspace(&problem.widths, false, problem.samples, rows);
    let mut work = vec![Dual::<T>::zero(); size];
    let network = problem.network();
    let Derivatives { gradient, features } =
        differentiate(backend, &network, MeanSquared, problem.inputs(), problem.targets(), &mut work)
            .unwrap();
    (gradient.to_vec(), features.to_vec())
}

fn expansion<T: Scalar<Wide = T>>(
    shape: Shape<'_>,
    (gradient, features): &(Vec<Dual<T>>, Vec<Dual<T>>),
    layer: usize,
    path: Path,
) -> Traces<Dual<T>> {
    let (g, f) = Derivatives { gradient, features }.layer(shape, layer).unwrap();
    let mut work = vec![Dual::zero(); rate_workspace(g.rows(), g.columns())];
    expand(Definition, g, f, path, &mut work).unwrap()
}

/// The traces of one layer's pair by the given route.
fn pair<T: Scalar<Wide = T>>(w: MatRef<'_, T>, k: MatRef<'_, T>, route: Route) -> Traces<T> {
    let mut work = vec![T::zero(); route.workspace(w.rows(), w.columns())];
    traces(Definition, w, k, route, &mut work).unwrap()
}

/// Why: the three forms are one polynomial identity in weights, inputs and labels; on a field of 2^61 elements two
/// different polynomials agree at a random point with a chance of degree / 2^61.
fn three_forms(seed: u64, quadratic: bool) {
    fn run<A: Activation<Exact>>(rng: &mut SplitMix64, activation: A) {
        let (widths, samples) = draw_shape(rng, 3, 5, 3, 6);
        let problem = Problem::new(&widths, activation, samples, |n| random_field(rng, n));
        let (gradient, features) = (problem.gradient(Definition), problem.features(Definition));
        let shape = problem.shape();
        let outputs = problem.forward(Definition);
        let residuals: Vec<_> = outputs.iter().zip(&problem.y).map(|(f, y)| *f - *y).collect();
        for layer in 0..problem.hidden() {
            let g = weights(&gradient, shape.layer(layer).unwrap()).unwrap();
            let k = of_layer(shape, &features, layer).unwrap();
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
    pair(w, of_layer(moved.shape(), &features, layer).unwrap(), Route::Gram)
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
    #![proptest_config(ProptestConfig { failure_persistence: early_time_support::persistence("flow"), ..ProptestConfig::with_cases(64) })]

    #[test]
    fn the_three_forms_of_the_limit_are_one(seed in any::<u64>(), quadratic in any::<bool>()) {
        three_forms(seed, quadratic);
    }

    #[test]
    fn one_step_expands_into_limit_and_coefficient_exactly(seed in any::<u64>(), quadratic in any::<bool>()) {
        let mut rng = SplitMix64::new(seed);
        let (widths, samples) = draw_shape(&mut rng, 2, 3, 2, 4);
        if quadratic {
            step_series(&Problem::new(&widths, Quadratic, samples, |n| random_field(&mut rng, n)));
        } else {
            step_series(&Problem::new(&widths, Linear, samples, |n| random_field(&mut rng, n)));
        }
    }

    #[test]
    fn gradient_flow_expands_into_limit_and_rate_exactly(seed in any::<u64>(), quadratic in any::<bool>()) {
        let mut rng = SplitMix64::new(seed);
        let (widths, samples) = draw_shape(&mut rng, 2, 3, 2, 4);
        if quadratic {
            flow_series(&Problem::new(&widths, Quadratic, samples, |n| random_field(&mut rng, n)));
        } else {
            flow_series(&Problem::new(&widths, Linear, samples, |n| random_field(&mut rng, n)));
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

/// `rho_1 / rho_0` times `2 fg ff gg`, a polynomial.
fn numerator(t: &Traces<Dual<Exact>>) -> Exact {
    let two = Exact::from_integer(2);
    let (ff, fg, gg) = (t.ff, t.fg, t.gg);
    two * fg.derivative * ff.value * gg.value
        - fg.value * (ff.derivative * gg.value + gg.derivative * ff.value)
}

/// Why: with one unit G is a multiple of F at all times; with one sample and one output V has rank one, the correlation
/// is 1, its maximum, and a smooth function has slope 0 there; with constant K a step moves neither matrix's shape.
#[test]
fn degenerate_cases_do_not_move_at_all() {
    let mut rng = SplitMix64::new(11);
    let mut shapes: Vec<(Vec<usize>, usize)> =
        vec![(vec![4, 1, 2], 5), (vec![3, 1, 1], 4), (vec![4, 5, 1], 1)];
    shapes.push((vec![2, 3, 4, 1], 1));
    for (widths, samples) in shapes {
        let problem = Problem::new(&widths, Quadratic, samples, |n| random_field(&mut rng, n));
        let duals = derivatives(&problem, Definition, 5);
        for path in [Path::Step, Path::Flow] {
            let t = expansion(problem.shape(), &duals, 0, path);
            assert_eq!(numerator(&t), Exact::zero(), "{widths:?} {samples} {path:?}");
            assert_ne!(t.fg.derivative, Exact::zero());
        }
    }
    let problem = Problem::new(&[4, 5, 2], Quadratic, 6, |n| random_field(&mut rng, n));
    let (gradient, features) = derivatives(&problem, Definition, 5);
    let frozen = features.iter().map(|k| Dual::constant(k.value)).collect();
    let t = expansion(problem.shape(), &(gradient.clone(), frozen), 0, Path::Step);
    assert_eq!(numerator(&t), Exact::zero());
    let t = expansion(problem.shape(), &(gradient, features), 0, Path::Step);
    assert_ne!(numerator(&t), Exact::zero(), "the control: K moves");
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
        accumulate(Directional(Definition), MatMut::new(&mut tiled, m, n).unwrap(), a, b).unwrap();
        assert_eq!(plain, tiled, "{m} x {p} x {n}");
        let (mut plain, mut tiled) = (dual(n * n), Vec::new());
        tiled.clone_from(&plain);
        accumulate_outer(Definition, MatMut::new(&mut plain, n, n).unwrap(), b).unwrap();
        accumulate_outer(Directional(Definition), MatMut::new(&mut tiled, n, n).unwrap(), b).unwrap();
        assert_eq!(plain, tiled, "outer product {n}");
    }
    for level in Level::available() {
        let problem = Problem::new(&[5, 40, 17, 3], AnyActivation::Tanh, 300, |n| rng.normals(n));
        let (gradient, features) = derivatives(&problem, Directional(level), 64);
        let bits = |all: &[Dual<f64>]| all.iter().map(|x| x.value.to_bits()).collect::<Vec<_>>();
        let plain = |all: Vec<f64>| all.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&gradient), plain(problem.gradient(level)), "{}", level.name());
        assert_eq!(bits(&features), plain(problem.features(level)), "{}", level.name());
    }
}

fn fixture(case: &serde_json::Value) -> Problem<f64, AnyActivation> {
    Problem {
        widths: numbers(&case["shape"]).iter().map(|w| *w as usize).collect(),
        activation: AnyActivation::from_name(case["activation"].as_str().unwrap()).unwrap(),
        parameters: numbers(&case["weights"]),
        samples: numbers(&case["samples"])[0] as usize,
        x: numbers(&case["x"]),
        y: numbers(&case["y"]),
    }
}

fn float_rate(problem: &Problem<f64, AnyActivation>, layer: usize, path: Path) -> (f64, f64) {
    let level = Directional(Level::detect());
    let (gradient, features) = derivatives(problem, level, 64);
    let (g, f) =
        Derivatives { gradient: &gradient, features: &features }.layer(problem.shape(), layer).unwrap();
    let mut work = vec![Dual::zero(); rate_workspace(g.rows(), g.columns())];
    let rate = rate(level, g, f, path, &mut work).unwrap().unwrap();
    (rate.limit, rate.slope)
}

#[test]
fn limits_and_rates_meet_the_oracle() {
    let mut rates = 0;
    for (index, case) in exact_cases(include_str!("../fixtures/cases/networks.json")).iter().enumerate() {
        let problem = fixture(case);
        let (n, c) = (problem.samples, problem.shape().outputs());
        let outputs = problem.forward(Level::detect());
        let residuals: Vec<_> = outputs.iter().zip(&problem.y).map(|(f, y)| f - y).collect();
        for layer in 0..problem.hidden() {
            let expected = numbers(&case["early_time"][layer])[0];
            let width = problem.shape().layer(layer).unwrap().outputs;
            let mut jacobians = vec![0.0; n * c * width];
            let mut work = vec![0.0; jacobian_workspace(&problem.widths, 64)];
            let view = MatMut::new(&mut jacobians, n * c, width).unwrap();
            let network = problem.network();
            network.jacobians(Level::detect(), layer, problem.inputs(), view, &mut work).unwrap();
            let inner = layer_inputs(&problem, layer, Definition);
            let mut work = vec![0.0; limit_by_samples_workspace(n, c, width)];
            let (x, j, g) = (matrix(&inner, n), matrix(&jacobians, n * c), matrix(&residuals, n));
            let t = limit_by_samples(Level::detect(), x, j, g, &mut work).unwrap();
            let found = t.fg / (t.ff.sqrt() * t.gg.sqrt());
            assert!((found - expected).abs() <= 1e-10, "case {index} layer {layer}: {found} {expected}");
            let (limit, slope) = float_rate(&problem, layer, Path::Flow);
            assert!((limit - expected).abs() <= 1e-10, "case {index} layer {layer}: {limit} {expected}");
            if let Some(expected) = case["flow_rate"].get(layer) {
                let expected = numbers(expected)[0];
                let tolerance = 1e-9 * if expected.abs() > 1e-3 { expected.abs() } else { 1e-3 };
                assert!(
                    (slope - expected).abs() <= tolerance,
                    "case {index} layer {layer}: {slope} {expected}"
                );
                rates += 1;
            }
        }
    }
    assert_eq!(rates, 4, "the rates of three smooth networks");
}

/// C-NFC of a problem whose parameters have moved.
fn measured(problem: &Problem<f64, AnyActivation>, moved: &[f64], layer: usize) -> f64 {
    let (level, shape) = (Level::detect(), problem.shape());
    let wbar: Vec<_> = moved.iter().zip(&problem.parameters).map(|(w, w0)| w - w0).collect();
    let there = Problem { parameters: moved.to_vec(), ..problem.clone() };
    let features = there.features(level);
    let w = weights(&wbar, shape.layer(layer).unwrap()).unwrap();
    let mut work = vec![0.0; limit_workspace(w.rows(), w.columns())];
    let k = of_layer(shape, &features, layer).unwrap();
    limit(level, w, k, Powers::One, &mut work).unwrap().cosine.unwrap().value
}

/// A random smooth network with weights N(0, 1/fan_in); ReLU where asked.
fn smooth(seed: u64, activation: AnyActivation) -> Problem<f64, AnyActivation> {
    let mut rng = SplitMix64::new(seed);
    let widths: Vec<usize> = [
        vec![rng.between(2, 8) as usize],
        (0..rng.between(1, 3)).map(|_| rng.between(2, 9) as usize).collect(),
        vec![rng.between(1, 3) as usize],
    ]
    .concat();
    let samples = rng.between(2, 20) as usize;
    let mut problem = Problem::new(&widths, activation, samples, |n| rng.normals(n));
    let spans: Vec<_> = problem.shape().spans().collect();
    for span in spans {
        for w in &mut problem.parameters[span.range()] {
            *w /= (span.inputs as f64).sqrt();
        }
    }
    problem
}

/// Parameters after gradient flow for a time, by the classical Runge-Kutta method in 32 steps.
fn flowed(problem: &Problem<f64, AnyActivation>, time: f64) -> Vec<f64> {
    let (level, h) = (Level::detect(), time / 32.0);
    let mut w = problem.parameters.clone();
    let slope = |w: &[f64]| Problem { parameters: w.to_vec(), ..problem.clone() }.gradient(level);
    let moved = |w: &[f64], g: &[f64], by: f64| w.iter().zip(g).map(|(w, g)| w - by * g).collect::<Vec<_>>();
    for _ in 0..32 {
        let k1 = slope(&w);
        let k2 = slope(&moved(&w, &k1, h / 2.0));
        let k3 = slope(&moved(&w, &k2, h / 2.0));
        let k4 = slope(&moved(&w, &k3, h));
        let mean: Vec<_> = (0..w.len()).map(|i| (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]) / 6.0).collect();
        w = moved(&w, &mean, h);
    }
    w
}

/// The remainder `(C(t) - rho_0 - t rho_1) / t^2` over three halvings of t: bounded, as it tends to rho_2.
fn remainders(
    problem: &Problem<f64, AnyActivation>,
    layer: usize,
    path: Path,
    first: f64,
) -> Vec<(f64, f64)> {
    let (rho, slope) = float_rate(problem, layer, path);
    let gradient = problem.gradient(Level::detect());
    (0..4)
        .map(|halving| {
            let t = first / f64::from(1 << halving);
            let moved = match path {
                Path::Step => problem.parameters.iter().zip(&gradient).map(|(w, g)| w - t * g).collect(),
                Path::Flow => flowed(problem, t),
            };
            let distance = measured(problem, &moved, layer) - rho;
            (distance.abs(), (distance - t * slope).abs() / (t * t))
        })
        .collect()
}

/// A step size in which the gradient moves the parameters by about this part of their length.
fn step_size(problem: &Problem<f64, AnyActivation>, part: f64) -> f64 {
    let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    part * norm(&problem.parameters) / norm(&problem.gradient(Level::detect()))
}

fn check_remainders(problem: &Problem<f64, AnyActivation>, path: Path, part: f64) {
    let t = step_size(problem, part);
    for layer in 0..problem.hidden() {
        let found = remainders(problem, layer, path, t);
        // What rounding of W - W_0 leaves in C, with room, over t^2.
        let noise = |halving: usize| 1e-10 * f64::from(1 << (2 * halving)) / (t * t);
        let largest = if found[0].1 > found[1].1 { found[0].1 } else { found[1].1 };
        for (halving, (_, remainder)) in found.iter().enumerate().skip(2) {
            let bound = 2.0 * largest + noise(halving);
            assert!(*remainder <= bound, "layer {layer} {path:?} t = {t}: {found:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: early_time_support::persistence("flow"), ..ProptestConfig::with_cases(48) })]

    /// Why: C-NFC is analytic in the step size where no kink is crossed, so what is left after limit and coefficient
    /// falls as its square.
    #[test]
    fn after_one_step_the_measure_leaves_the_limit_along_the_coefficient(seed in any::<u64>(), which in 0_usize..3) {
        let activation = [AnyActivation::Tanh, AnyActivation::Quadratic, AnyActivation::Linear][which];
        check_remainders(&smooth(seed, activation), Path::Step, 1e-3);
    }

    /// Why: as above, with the time of an integrated gradient flow.
    #[test]
    fn along_gradient_flow_the_measure_leaves_the_limit_at_the_rate(seed in any::<u64>(), which in 0_usize..3) {
        let activation = [AnyActivation::Tanh, AnyActivation::Quadratic, AnyActivation::Linear][which];
        check_remainders(&smooth(seed, activation), Path::Flow, 1e-3);
    }
}

#[test]
fn wrong_sizes_and_empty_data_are_typed_errors() {
    let mut rng = SplitMix64::new(1);
    let problem = Problem::new(&[3, 4, 2], Linear, 5, |n| rng.normals(n));
    let size = differentiate_workspace(&problem.widths, false, 5, 1);
    let mut work = vec![Dual::zero(); size];
    let network = problem.network();
    let run = |x, y, work: &mut [Dual<f64>]| {
        differentiate(Definition, &network, MeanSquared, x, y, work).map(|found| found.gradient.len())
    };
    assert_eq!(run(problem.inputs(), problem.targets(), &mut work), Ok(20));
    assert!(matches!(run(problem.inputs(), problem.targets(), &mut work[1..]), Err(Error::Workspace { .. })));
    assert!(matches!(run(problem.targets(), problem.targets(), &mut work), Err(Error::Shape { .. })));
    assert!(matches!(run(problem.inputs(), problem.inputs(), &mut work), Err(Error::Shape { .. })));
    let empty = (MatRef::new(&[], 0, 3).unwrap(), MatRef::new(&[], 0, 2).unwrap());
    assert_eq!(run(empty.0, empty.1, &mut work), Err(Error::NoSamples));
    let zero = [Dual::constant(0.0); 12];
    let zero = MatRef::new(&zero, 4, 3).unwrap();
    let square = [Dual::constant(1.0); 16];
    let square = MatRef::new(&square, 4, 4).unwrap();
    let mut work = vec![Dual::zero(); rate_workspace(4, 3)];
    assert!(rate(Definition, zero, square, Path::Flow, &mut work).unwrap().is_err());
    assert!(rate(Definition, zero, zero, Path::Flow, &mut work).is_err());
    assert!(limit_by_samples(Definition, empty.0, empty.1, empty.1, &mut [0.0; 9]).is_err());
}

#[test]
fn a_rational_limit_is_the_float_limit() {
    let mut rng = SplitMix64::new(19);
    let exact = Problem::new(&[3, 4, 2], Relu, 6, |n| random_rationals(&mut rng, n));
    let duals = derivatives(&exact, Definition, 4);
    let t = expansion(exact.shape(), &duals, 0, Path::Flow);
    let value = |x: &Dual<Rational>| (x.value.to_f64(), x.derivative.to_f64());
    let ((ff, dff), (fg, dfg), (gg, dgg)) = (value(&t.ff), value(&t.fg), value(&t.gg));
    let rho = fg / (ff * gg).sqrt();
    let expected = rho * (dfg / fg - dff / (2.0 * ff) - dgg / (2.0 * gg));
    let float = exact.map(Rational::to_f64);
    let float = float.with(AnyActivation::Relu);
    let (limit, slope) = float_rate(&float, 0, Path::Flow);
    assert!((limit - rho).abs() < 1e-13 && (slope - expected).abs() < 1e-12 * (1.0 + expected.abs()));
}
