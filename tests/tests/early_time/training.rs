//! Limit and rate against an oracle and against measured training.

use crate::support::{
    Problem, exact_cases, float_rate, layer_inputs, matrix, numbers, persistence, random_network,
};
use agop_core::activation::AnyActivation;
use agop_core::correlation::Powers;
use agop_core::early_time::{Path, limit, limit_by_samples, limit_by_samples_workspace, limit_workspace};
use agop_core::feature::ptk_of_layer;
use agop_core::kernel::Definition;
use agop_core::loss::AnyLoss;
use agop_core::matrix::MatMut;
use agop_core::network::{jacobian_workspace, weights};
use agop_core::simd::Level;
use agop_tests::SplitMix64;
use proptest::prelude::*;

fn fixture(case: &serde_json::Value) -> Problem<f64, AnyActivation> {
    Problem {
        widths: numbers(&case["shape"]).iter().map(|w| *w as usize).collect(),
        bias: false,
        activation: AnyActivation::from_name(case["activation"].as_str().unwrap()).unwrap(),
        parameters: numbers(&case["weights"]),
        samples: numbers(&case["samples"])[0] as usize,
        x: numbers(&case["x"]),
        y: numbers(&case["y"]),
    }
}

#[test]
fn limits_and_rates_meet_the_oracle() {
    let mut rates = 0;
    for (index, case) in exact_cases(include_str!("../../fixtures/cases/networks.json")).iter().enumerate() {
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
            let (limit, slope) = float_rate(&problem, AnyLoss::MeanSquared, layer, Path::Flow).unwrap();
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
    let k = ptk_of_layer(shape, &features, layer).unwrap();
    limit(level, w, k, Powers::One, &mut work).unwrap().cosine.unwrap().value
}

/// A random network and loss. Of one output cross-entropy has no gradient.
fn random(seed: u64, activation: AnyActivation) -> (Problem<f64, AnyActivation>, AnyLoss) {
    let mut rng = SplitMix64::new(seed);
    let mut widths = vec![rng.between(2, 8) as usize];
    widths.extend((0..rng.between(1, 3)).map(|_| rng.between(2, 9) as usize));
    widths.push(rng.between(1, 3) as usize);
    let samples = rng.between(2, 20) as usize;
    let entropy = rng.between(0, 1) == 1 && widths[widths.len() - 1] > 1;
    let loss = if entropy { AnyLoss::CrossEntropy } else { AnyLoss::MeanSquared };
    (random_network(&mut rng, &widths, activation, samples), loss)
}

/// Parameters after gradient flow for a time, by the classical Runge-Kutta method in 32 steps.
fn flowed(problem: &Problem<f64, AnyActivation>, loss: AnyLoss, time: f64) -> Vec<f64> {
    let (level, h) = (Level::detect(), time / 32.0);
    let mut w = problem.parameters.clone();
    let slope = |w: &[f64]| Problem { parameters: w.to_vec(), ..problem.clone() }.gradient_of(level, loss);
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

/// The way from the initial parameters: the distance `C(t) - rho_0` over three halvings of t, with limit and slope.
struct Way {
    slope: f64,
    times: Vec<f64>,
    distances: Vec<f64>,
    /// Whether a ReLU switched.
    kink: bool,
}

impl Way {
    /// Parameters move by about this part of their length; `None` where the gradient is zero.
    fn new(
        problem: &Problem<f64, AnyActivation>,
        loss: AnyLoss,
        layer: usize,
        path: Path,
        part: f64,
    ) -> Option<Self> {
        let (rho, slope) = float_rate(problem, loss, layer, path)?;
        let gradient = problem.gradient_of(Level::detect(), loss);
        let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let first = part * norm(&problem.parameters) / norm(&gradient);
        let times: Vec<f64> = (0..4).map(|halving| first / f64::from(1 << halving)).collect();
        let ends = times.iter().map(|t| match path {
            Path::Step => problem.parameters.iter().zip(&gradient).map(|(w, g)| w - t * g).collect(),
            Path::Flow => flowed(problem, loss, *t),
        });
        let ends: Vec<Vec<f64>> = ends.collect();
        let switches = |parameters: &[f64]| {
            let there = Problem { parameters: parameters.to_vec(), ..problem.clone() };
            let inner = (1..=problem.hidden()).flat_map(|layer| layer_inputs(&there, layer, Definition));
            inner.map(|x| x > 0.0).collect::<Vec<_>>()
        };
        let relu = problem.activation == AnyActivation::Relu;
        let kink = relu && ends.iter().any(|end| switches(end) != switches(&problem.parameters));
        let distances = ends.iter().map(|end| measured(problem, end, layer) - rho).collect();
        Some(Self { slope, times, distances, kink })
    }

    /// With a first step so short that the second order is small beside 1: deep networks explode at their own pace.
    fn tame(
        problem: &Problem<f64, AnyActivation>,
        loss: AnyLoss,
        layer: usize,
        path: Path,
        part: f64,
    ) -> Option<Self> {
        for shorter in [1.0, 0.1, 0.01] {
            let way = Self::new(problem, loss, layer, path, part * shorter)?;
            let square = way.times[0] * way.times[0];
            if way.remainders().iter().all(|remainder| remainder.abs() * square < 1e-3) {
                return Some(way);
            }
        }
        None
    }

    /// `(C(t) - rho_0 - t rho_1) / t^2`: `rho_2 + t rho_3 + ..`.
    fn remainders(&self) -> Vec<f64> {
        let all = self.times.iter().zip(&self.distances);
        all.map(|(t, distance)| (distance - t * self.slope) / (t * t)).collect()
    }

    /// The first-order coefficient is right: the remainders converge, their differences fall with t. A wrong one would
    /// double the differences each time.
    fn check_slope(&self) {
        let found = self.remainders();
        let differences: Vec<f64> = found.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
        let largest = if differences[0] > differences[1] { differences[0] } else { differences[1] };
        // What rounding of W - W_0 leaves in C, with room, over t^2.
        let (first, last) = (self.times[0], self.times[3]);
        let noise = 1e-10 / (last * last) * (first / last);
        assert!(differences[2] <= largest + noise, "t = {first}: {found:?}");
    }

    /// Whether the linear term is so large beside the next one and beside rounding that the distance must halve.
    fn is_linear(&self) -> bool {
        let most =
            self.remainders().into_iter().fold(0.0, |most, x| if x.abs() > most { x.abs() } else { most });
        let (first, last) = (self.times[0], self.times[3]);
        most * first < 0.02 * self.slope.abs() && self.slope.abs() * last > 1e-9
    }
}

const SMOOTH: [AnyActivation; 7] = [
    AnyActivation::Tanh,
    AnyActivation::Quadratic,
    AnyActivation::Linear,
    AnyActivation::Sigmoid,
    AnyActivation::Softplus,
    AnyActivation::Silu,
    AnyActivation::Gelu,
];
const ALL: [AnyActivation; 8] = [
    AnyActivation::Relu,
    AnyActivation::Tanh,
    AnyActivation::Quadratic,
    AnyActivation::Linear,
    AnyActivation::Sigmoid,
    AnyActivation::Softplus,
    AnyActivation::Silu,
    AnyActivation::Gelu,
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: persistence("training"), ..ProptestConfig::with_cases(48) })]

    /// Why: where no kink is crossed C-NFC is analytic in the step size, and its value at 0+ is the limit. So the distance
    /// from the limit is linear but for a square, and halves when the step does.
    #[test]
    fn the_distance_from_the_limit_halves_with_the_step(seed in any::<u64>(), which in 0..ALL.len()) {
        let (problem, loss) = random(seed, ALL[which]);
        let mut linear = 0;
        for layer in 0..problem.hidden() {
            let Some(way) = Way::new(&problem, loss, layer, Path::Step, 1e-4) else { continue };
            if way.kink || !way.is_linear() {
                continue;
            }
            for pair in way.distances.windows(2) {
                let ratio = pair[1] / pair[0];
                prop_assert!((ratio - 0.5).abs() < 0.02, "layer {layer} {loss:?}: {:?}", way.distances);
            }
            linear += 1;
        }
        // At least one layer of each accepted case has been measured.
        prop_assume!(linear > 0);
    }

    /// Why: as above; what is left after limit and coefficient is a square of the step times a
    /// number that converges.
    #[test]
    fn after_one_step_the_measure_leaves_the_limit_along_the_coefficient(seed in any::<u64>(), which in 0..ALL.len()) {
        let (problem, loss) = random(seed, ALL[which]);
        let part = if which == 0 { 1e-4 } else { 1e-3 };
        let ways = (0..problem.hidden()).filter_map(|layer| Way::tame(&problem, loss, layer, Path::Step, part));
        let ways: Vec<_> = ways.filter(|way| !way.kink).collect();
        prop_assume!(!ways.is_empty());
        ways.iter().for_each(Way::check_slope);
    }

    /// Why: as above, with the time of an integrated gradient flow of a smooth network.
    #[test]
    fn along_gradient_flow_the_measure_leaves_the_limit_at_the_rate(seed in any::<u64>(), which in 0..SMOOTH.len()) {
        let (problem, loss) = random(seed, SMOOTH[which]);
        for layer in 0..problem.hidden() {
            if let Some(way) = Way::tame(&problem, loss, layer, Path::Flow, 1e-3) {
                way.check_slope();
            }
        }
    }
}
