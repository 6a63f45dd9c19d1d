//! The bounds of features and correlations against exact arithmetic, for networks as they are stored: rationals for ReLU,
//! linear and quadratic networks, 640 fraction bits for smooth activations. Not one value may be further from the truth
//! than its bound says. `CASES=20` tries twenty times as many networks.
#![allow(clippy::disallowed_methods, reason = "an oracle keeps no bit contract")]
#![allow(unreachable_pub, reason = "a test has no users")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod formula;
mod truth;

use agop::machine::{Machine, Threads};
use agop::measure::{Block, Features, Proof, measure};
use agop::network::Model;
use agop_core::activation::{Activation, AnyActivation, Bounded, Linear, Quadratic, Relu};
use agop_core::correlation::Powers;
use agop_core::matrix::MatRef;
use agop_core::network::parameters;
use agop_core::ptk_error::ReadError;
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::{Fixed, Rational, SplitMix64};
use truth::{Rows, correlations, exact_features, inner, minus};

/// A network before and after training, in `f64`, and its samples.
struct Case {
    widths: Vec<usize>,
    bias: bool,
    now: Vec<f64>,
    initial: Vec<f64>,
    x: Vec<f64>,
}

const FAMILIES: [&str; 7] = ["plain", "near", "kinks", "zeros", "graded", "cancelling", "one sample"];

/// `2^exponent`.
fn power(exponent: i64) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

impl Case {
    fn new(rng: &mut SplitMix64, family: usize, smooth: bool) -> Self {
        let hidden = 1 + rng.below(3) as usize;
        let mut widths = vec![1 + rng.below(5) as usize];
        widths.extend((0..hidden).map(|_| 1 + rng.below(6) as usize));
        widths.push(1 + rng.below(3) as usize);
        let bias = rng.below(2) == 0 || family == 2;
        let samples = if family == 6 { 1 } else { 1 + rng.below(7) as usize };
        let count = parameters(&widths, bias);
        let mut x = rng.normals(samples * widths[0]);
        let mut initial: Vec<f64> = rng.normals(count);
        let mut now: Vec<f64> = initial.iter().map(|w| w + 0.3 * rng.normal()).collect();
        match family {
            1 => {
                let size = [1e-3, 1e-6, 1e-9, 1e-12][rng.below(4) as usize];
                now = initial.iter().map(|w| w * (1.0 + size * rng.normal())).collect();
            }
            2 => {
                // First-layer units within rounding of zero at one of the samples.
                let (d, k) = (widths[0], widths[1]);
                for parameters in [&mut now, &mut initial] {
                    for i in 0..k {
                        let sample = rng.below(samples as u64) as usize;
                        let terms = (0..d).map(|j| parameters[i * d + j] * x[sample * d + j]);
                        let h = terms.fold(0.0, |sum, term| sum + term);
                        parameters[k * d + i] = -h * (1.0 + f64::EPSILON * rng.between(-1, 1) as f64);
                    }
                }
            }
            3 => {
                for x in [&mut x, &mut now, &mut initial] {
                    x.iter_mut().filter(|_| rng.below(2) == 0).for_each(|x| *x = 0.0);
                }
            }
            4 => {
                let range = if smooth { 4 } else { 12 };
                for x in [&mut x, &mut now, &mut initial] {
                    x.iter_mut().for_each(|x| *x *= power(rng.between(-range, range / 4)));
                }
            }
            5 => {
                // Columns in pairs that nearly cancel.
                let (d, k) = (widths[0], widths[1]);
                for parameters in [&mut now, &mut initial] {
                    for i in 0..k {
                        for j in (1..d).step_by(2) {
                            let small = 1e-9 * rng.normal();
                            parameters[i * d + j] = -parameters[i * d + j - 1] * (1.0 + small);
                        }
                    }
                }
                for sample in x.chunks_mut(d) {
                    (1..d).step_by(2).for_each(|j| sample[j] = sample[j - 1]);
                }
            }
            _ => {}
        }
        Self { widths, bias, now, initial, x }
    }

    /// W and K of a layer from parameters and features.
    fn layer(&self, parameters: &[f64], features: &[Fixed], layer: usize) -> (Rows, Rows) {
        let start: usize =
            (0..layer).map(|l| self.widths[l + 1] * (self.widths[l] + usize::from(self.bias))).sum();
        let (d, k) = (self.widths[layer], self.widths[layer + 1]);
        let first: usize = (0..layer).map(|l| self.widths[l + 1] * self.widths[l + 1]).sum();
        let w = parameters[start..start + k * d].chunks(d);
        let w = w.map(|row| row.iter().map(|x| Fixed::from_f64(*x)).collect()).collect();
        (w, features[first..first + k * k].chunks(k).map(<[Fixed]>::to_vec).collect())
    }
}

/// What a family showed.
#[derive(Default)]
struct Tally {
    values: usize,
    bounds: usize,
    violations: Vec<String>,
    /// bound / error.
    slack: Vec<f64>,
}

impl Tally {
    fn compare(&mut self, name: &str, value: f64, bound: Option<f64>, exact: &Fixed) {
        self.values += 1;
        let Some(bound) = bound else { return };
        self.bounds += 1;
        let error = (Fixed::from_f64(value) - exact.clone()).abs();
        if error > Fixed::from_f64(bound) {
            self.violations.push(format!("{name}: {value}, exact {}, bound {bound:e}", exact.to_f64()));
        }
        if error.to_f64() > 0.0 {
            self.slack.push(bound / error.to_f64());
        }
    }

    /// The bound is that of the formula: not below it, and above by no more than its own roundings and underflow of `T`.
    fn formula<T: Real>(&mut self, found: Option<f64>, expected: Option<Fixed>) {
        assert_eq!(found.is_some(), expected.is_some());
        if let (Some(found), Some(expected)) = (found, expected) {
            let found = Fixed::from_f64(found);
            let (relative, underflow) = if T::BYTES == 8 { (1e-10, 1e-300) } else { (1e-5, 1e-16) };
            let most = expected.to_f64() * (1.0 + relative) + underflow;
            assert!(
                found >= expected && found.to_f64() <= most,
                "{:e} for {:e}",
                found.to_f64(),
                expected.to_f64()
            );
        }
    }

    fn block(&mut self, name: &str, block: &Block, exact: &[Option<Fixed>; 4]) {
        let Block { cosine, pearson, cosine_sqrt, pearson_sqrt, bound, .. } = block;
        let values = [
            (cosine, bound.cosine),
            (pearson, bound.pearson),
            (cosine_sqrt, bound.cosine_sqrt),
            (pearson_sqrt, bound.pearson_sqrt),
        ];
        for (index, ((value, bound), exact)) in values.into_iter().zip(exact).enumerate() {
            if let (Some(value), Some(exact)) = (value, exact) {
                self.compare(&format!("{name} {index}"), *value, bound, exact);
            }
        }
    }

    fn report(mut self, name: &str) {
        self.slack.sort_by(f64::total_cmp);
        let slack = |at: usize| self.slack.get(at).copied().unwrap_or(f64::NAN);
        println!(
            "{name:<34} {:>6} values, {:>6} bounds, {} violations, bound / error {:.1} least, {:.1e} median",
            self.values,
            self.bounds,
            self.violations.len(),
            slack(0),
            slack(self.slack.len() / 2)
        );
        assert!(self.violations.is_empty(), "{name}: {:#?}", self.violations);
        assert!(self.bounds > 0, "{name}: nothing was bounded");
    }
}

/// Measures in `T` and compares with exact features from `exact`.
fn check<T: Real, A: Activation<T> + Bounded + Sync>(
    case: &Case,
    activation: A,
    proof: Proof,
    exact: [&[Fixed]; 2],
    tally: &mut Tally,
) where
    Level: agop_core::kernel::Backend<T>,
{
    let cast = |x: &[f64]| x.iter().map(|x| T::from_f64(*x)).collect::<Vec<T>>();
    let error = if T::BYTES == 4 { T::UNIT_ROUNDOFF } else { 0.0 };
    let read = ReadError { weights: error, inputs: error };
    let samples = case.x.len() / case.widths[0];
    let x = cast(&case.x);
    let x = MatRef::new(&x, samples, case.widths[0]).unwrap();
    let states = [&case.now, &case.initial].map(|parameters| {
        let model = Model::new(case.widths.clone(), case.bias, activation, cast(parameters)).unwrap();
        let mut memory = model.feature_memory(&Threads::one(), samples).unwrap();
        let features = Features::new(Level::detect(), &model, x, (read, proof), &mut memory).unwrap();
        (model, features)
    });
    let [(model, features), (initial, initial_features)] = &states;
    for ((_, features), parameters) in states.iter().zip([&case.now, &case.initial]) {
        let numbers = (cast(parameters), cast(&case.x));
        let numbers = (numbers.0.as_slice(), numbers.1.as_slice(), features.values.as_slice());
        let expected = formula::bounds(case, (activation, read), numbers);
        for ((plain, certified), found) in expected.into_iter().zip(&features.errors) {
            tally.formula::<T>(*found, if proof == Proof::Plain { plain } else { Some(certified) });
        }
    }
    let powers = if proof == Proof::Plain { Powers::OneAndRoot } else { Powers::OneAndBoundedRoot };
    let (now, then) = ((model, features), (initial, initial_features));
    let machine = Machine::new(Level::detect(), 1).unwrap();
    let reports = measure(&machine, now, then, error, powers).unwrap();
    for report in &reports {
        let layer = report.layer;
        let (w, k) = case.layer(&case.now, exact[0], layer);
        let (w_0, k_0) = case.layer(&case.initial, exact[1], layer);
        let (change, k_change) = (minus(&w, &w_0), minus(&k, &k_0));
        let size = case.widths[layer + 1];
        let first: usize = (0..layer).map(|l| case.widths[l + 1] * case.widths[l + 1]).sum();
        for ((features, k), name) in [(features, &k), (initial_features, &k_0)].into_iter().zip(["K", "K_0"])
        {
            let computed: Rows = features.values[first..first + size * size]
                .chunks(size)
                .map(|row| row.iter().map(|x| Fixed::from_f64(x.to_f64())).collect())
                .collect();
            let apart = minus(&computed, k);
            tally.compare(name, 0.0, features.errors[layer], &inner(&apart, &apart).sqrt());
        }
        let certified = proof == Proof::Certified;
        tally.block("uncentered", &report.uncentered, &correlations(&w, &k, certified));
        tally.block("centered", &report.centered, &correlations(&change, &k, certified));
        tally.block("double", &report.double_centered, &correlations(&change, &k_change, false));
    }
}

fn many(cases: usize) -> usize {
    cases * std::env::var("CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

fn family<A: Activation<f32> + Activation<f64> + Bounded + Sync>(
    name: &str,
    activation: A,
    smooth: bool,
    cases: usize,
    exact: impl Fn(&Case, &[f64]) -> Vec<Fixed>,
) {
    for (index, family) in FAMILIES.into_iter().enumerate() {
        let mut rng = SplitMix64::new(0x5eed + index as u64);
        let mut tallies = [Tally::default(), Tally::default(), Tally::default(), Tally::default()];
        let [plain, certified, plain_f32, certified_f32] = &mut tallies;
        for _ in 0..many(cases) {
            let case = Case::new(&mut rng, index, smooth);
            let (now, initial) = (exact(&case, &case.now), exact(&case, &case.initial));
            let exact = [now.as_slice(), initial.as_slice()];
            check::<f64, _>(&case, activation, Proof::Plain, exact, plain);
            check::<f64, _>(&case, activation, Proof::Certified, exact, certified);
            check::<f32, _>(&case, activation, Proof::Plain, exact, plain_f32);
            check::<f32, _>(&case, activation, Proof::Certified, exact, certified_f32);
        }
        let names = ["plain", "certified", "plain f32", "certified f32"];
        for (kind, tally) in names.into_iter().zip(tallies) {
            tally.report(&format!("{name}, {family}, {kind}"));
        }
    }
}

fn rational<A: Activation<Rational>>(activation: A) -> impl Fn(&Case, &[f64]) -> Vec<Fixed> {
    move |case, parameters| {
        let exact = |x: &[f64]| x.iter().map(|x| Rational::from_f64(*x).unwrap()).collect::<Vec<_>>();
        let (w, x) = (exact(parameters), exact(&case.x));
        let features = exact_features((&case.widths, case.bias), activation, &w, &x);
        features.iter().map(Fixed::from_rational).collect()
    }
}

#[test]
fn relu_networks() {
    family("relu", Relu, false, 12, rational(Relu));
}

#[test]
fn linear_networks() {
    family("linear", Linear, false, 4, rational(Linear));
}

#[test]
fn quadratic_networks() {
    family("quadratic", Quadratic, true, 4, rational(Quadratic));
}

#[test]
fn smooth_networks() {
    for &activation in AnyActivation::ALL {
        if matches!(activation, AnyActivation::Relu | AnyActivation::Linear | AnyActivation::Quadratic) {
            continue;
        }
        family(activation.name(), activation, true, 2, |case, parameters| {
            let exact = |x: &[f64]| x.iter().map(|x| Fixed::from_f64(*x)).collect::<Vec<_>>();
            exact_features((&case.widths, case.bias), activation, &exact(parameters), &exact(&case.x))
        });
    }
}
