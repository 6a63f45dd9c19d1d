//! The quadratic network as it is drawn: Monte Carlo, concentration, the neglected correction, extremes.

use crate::support::{Problem, data, matrix, predict};
use agop_core::activation::Quadratic;
use agop_core::correlation::{Route, Undefined, traces};
use agop_core::early_time::quadratic::{
    Expectation, Readout, WordTraces, expected_traces, observed_traces, statistics, statistics_workspace,
    trial_workspace,
};
use agop_core::error::Error;
use agop_core::feature::ptk_of_layer;
use agop_core::kernel::Definition;
use agop_core::matrix::MatRef;
use agop_core::network::weights;
use agop_core::random::{Purpose, Stream};
use agop_core::simd::Level;
use agop_tests::SplitMix64;
use nalgebra::DMatrix;

/// Why: the mean of N independent draws is within 5 standard errors of the expectation, but for one seed in a million;
/// the seed is fixed. The control: half the readout's moments, or the leading order alone, is many errors away.
#[test]
fn monte_carlo_finds_the_expected_traces() {
    let mut rng = SplitMix64::new(37);
    let (n, d, k, draws) = (50, 8, 24, 6000);
    let (x, y) = data(&mut rng, n, d);
    let given: Vec<f64> = rng.normals(k);
    let m = DMatrix::from_row_slice(n, d, &x);
    let ym = DMatrix::from_fn(n, d, |i, j| y[i] * m[(i, j)]);
    let (b, s) = (m.transpose() * &m, m.transpose() * ym);
    let p = &s * &s;
    let mut work = vec![0.0; d * d];
    let words =
        WordTraces::new(Definition, matrix(p.as_slice(), d), matrix(b.as_slice(), d), &mut work).unwrap();
    let units = k as u32;
    for readout in [Readout::Given(given.as_slice()), Readout::Gaussian { units }, Readout::Sign { units }] {
        let expected = expected_traces(&words, readout);
        let mut stream = Stream::new(5, Purpose::Trial, 0);
        let mut all: [Vec<f64>; 3] = Default::default();
        let mut work = vec![0.0; 3 * d * d];
        for _ in 0..draws {
            let mut mixture = vec![0.0; d * d];
            for unit in 0..k {
                let a = match readout {
                    Readout::Given(values) => values[unit],
                    Readout::Gaussian { .. } => stream.normal(),
                    Readout::Sign { .. } => 1.0,
                };
                let w: Vec<f64> = (0..d).map(|_| a * stream.normal()).collect();
                for (i, slot) in mixture.iter_mut().enumerate() {
                    *slot += w[i / d] * w[i % d];
                }
            }
            let (p, b) = (matrix(p.as_slice(), d), matrix(b.as_slice(), d));
            let t = observed_traces(Definition, matrix(&mixture, d), p, b, &mut work).unwrap();
            for (list, value) in all.iter_mut().zip([t.ff, t.fg, t.gg]) {
                list.push(value);
            }
        }
        for (list, expected) in all.iter().zip([&expected.ff, &expected.fg, &expected.gg]) {
            let mean = list.iter().sum::<f64>() / f64::from(draws);
            let variance = list.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / f64::from(draws - 1);
            let error = (variance / f64::from(draws)).sqrt();
            let away = |value: f64| (mean - value).abs() / error;
            let Expectation { exact, leading } = expected;
            assert!(away(*exact) < 5.0, "{readout:?}: {mean} +- {error} against {exact}");
            assert!(away(*leading) > 5.0, "the control: {mean} +- {error} against {leading}");
        }
    }
}

/// Mean distance between drawn and predicted correlation with n = 4d, k = 2d.
fn mean_distance(d: usize, draws: u32) -> f64 {
    let mut rng = SplitMix64::new(41);
    let mut total = 0.0;
    for draw in 0..draws {
        let x = rng.normals(4 * d * d);
        let y = rng.normals(4 * d);
        let mut work = vec![0.0; statistics_workspace(d)];
        let all = statistics(Level::detect(), matrix(&x, 4 * d), &y, &mut work).unwrap();
        let readout = Readout::Sign { units: 2 * d as u32 };
        let rho = all.expect(readout).unwrap().rho.unwrap();
        let mut work = vec![0.0; trial_workspace(d)];
        let mut stream = Stream::new(43, Purpose::Trial, draw);
        let found = all.trial(Level::detect(), readout, &mut stream, &mut work).unwrap().unwrap();
        total += (found - rho).abs();
    }
    total / f64::from(draws)
}

/// Why: labels of zero move nothing; a trial says so, and does not call its weights zero.
#[test]
fn a_trial_of_zero_labels_names_the_gradient() {
    let d = 4;
    let mut work = vec![0.0; statistics_workspace(d)];
    let x = SplitMix64::new(47).normals(6 * d);
    let all = statistics(Level::detect(), matrix(&x, 6), &[0.0; 6], &mut work).unwrap();
    let mut stream = Stream::new(43, Purpose::Trial, 0);
    let mut work = vec![0.0; trial_workspace(d)];
    let found = all.trial(Level::detect(), Readout::Sign { units: 3 }, &mut stream, &mut work).unwrap();
    assert_eq!(found, Err(Undefined::ZeroLossGradient));
}

/// Why: the traces are averages over k units and d directions; their relative fluctuations, and the gap between mean
/// ratio and ratio of means, fall with the size.
#[test]
fn observed_values_concentrate_around_the_prediction() {
    let (small, large) = (mean_distance(32, 100), mean_distance(256, 100));
    println!("mean distance {small:.2e} at d = 32, {large:.2e} at d = 256");
    assert!(large <= 0.5 * small, "{small} {large}");
    assert!(large > 0.0);
}

/// Why: what the high-dimensional limit neglects is of relative order 1/d when n, k and d grow together.
#[test]
fn the_neglected_correction_falls_with_the_size() {
    let mut rng = SplitMix64::new(47);
    let mut last = f64::INFINITY;
    for d in [8, 16, 32, 64] {
        let (x, y) = data(&mut rng, 4 * d, d);
        let found = predict(&x, &y, Readout::Gaussian { units: 2 * d as u32 });
        let (ff, fg, gg) = found.neglected;
        assert!(ff > 0.0 && fg > ff && gg > fg, "more factors, more pairings: {ff} {fg} {gg}");
        let gap = (found.rho.unwrap() - found.leading_rho.unwrap()).abs();
        println!("d = {d}: neglected {ff:.3} {fg:.3} {gg:.3}, gap of rho {gap:.4}");
        assert!(gg < 0.75 * last, "{gg} {last}");
        last = gg;
    }
}

/// Drawing by hand what `trial` draws, and the correlation of the network's own matrices.
#[test]
fn trials_are_reproducible_and_observe_what_they_draw() {
    let mut rng = SplitMix64::new(53);
    let (n, d, k) = (20, 5, 130);
    let (x, y) = data(&mut rng, n, d);
    let mut work = vec![0.0; statistics_workspace(d)];
    let all = statistics(Level::detect(), matrix(&x, n), &y, &mut work).unwrap();
    let mut work = vec![0.0; trial_workspace(d)];
    let readout = Readout::Gaussian { units: k as u32 };
    let mut stream = Stream::new(9, Purpose::Trial, 2);
    let found = all.trial(Level::detect(), readout, &mut stream, &mut work).unwrap().unwrap();
    let mut stream = Stream::new(9, Purpose::Trial, 2);
    let (mut w, mut a) = (Vec::new(), Vec::new());
    for _ in 0..k {
        a.push(stream.normal());
        w.extend((0..d).map(|_| stream.normal()));
    }
    let observed = all.observe(Level::detect(), matrix(&w, k), &a, &mut work).unwrap().unwrap();
    assert!((found - observed).abs() < 1e-13);
    w.extend(&a);
    let problem = Problem {
        widths: vec![d, k, 1],
        bias: false,
        activation: Quadratic,
        parameters: w,
        samples: n,
        x,
        y,
    };
    let problem = problem.with_residual_of_labels(Definition);
    let (gradient, features) = (problem.gradient(Definition), problem.features(Definition));
    let v = weights(&gradient, problem.shape().layer(0).unwrap()).unwrap();
    let features = ptk_of_layer(problem.shape(), &features, 0).unwrap();
    let mut space = vec![0.0; Route::Direct.workspace(k, d)];
    let t = traces(Definition, v, features, Route::Direct, &mut space).unwrap();
    assert!((t.fg / (t.ff * t.gg).sqrt() - observed).abs() < 1e-12);
    let [one, again, other] =
        [9, 9, 10].map(|seed| all.trials(Level::detect(), readout, seed, 20, &mut work).unwrap());
    assert_eq!(one, again);
    assert_ne!(one.mean(), other.mean());
    assert_eq!(one.count(), 20);
    let single = all.trials(Level::detect(), readout, 9, 1, &mut work).unwrap();
    assert_eq!((single.count(), single.deviation()), (1, None));
}

#[test]
fn extremes_and_wrong_inputs() {
    let (x, y, a) = ([1e200, -3e199, 2e200, 5e-300], [1e-250, 3e-250], [7e180]);
    let found = predict(&x, &y, Readout::Given(&a));
    assert!(found.rho.is_ok_and(|rho| rho > 0.0 && rho <= 1.0) && found.gg.is_infinite());
    for (x, y) in [([0.0; 4], [1.0, 2.0]), ([1.0; 4], [0.0; 2])] {
        assert!(predict(&x, &y, Readout::Given(&[1.0])).rho.is_err());
    }
    assert!(predict(&[1.0; 4], &[1.0; 2], Readout::Given(&[0.0])).rho.is_err());
    assert!(predict(&[1.0; 4], &[1.0; 2], Readout::Gaussian { units: 0 }).rho.is_err());
    let mut work = vec![0.0; statistics_workspace(2)];
    let level = Level::detect();
    let run = |x: &[f64], n, y: &[f64], work: &mut [f64]| {
        statistics(level, MatRef::new(x, n, 2).unwrap(), y, work).map(|found| found.dimension())
    };
    assert_eq!(run(&[1.0; 4], 2, &[1.0; 2], &mut work), Ok(2));
    assert_eq!(run(&[], 0, &[], &mut work), Err(Error::NoSamples));
    assert!(matches!(run(&[1.0; 4], 2, &[1.0; 3], &mut work), Err(Error::Length { .. })));
    assert!(matches!(run(&[1.0, 1.0, f64::NAN, 1.0], 2, &[1.0; 2], &mut work), Err(Error::NotFinite { .. })));
    assert!(matches!(run(&[1.0; 4], 2, &[1.0, f64::INFINITY], &mut work), Err(Error::NotFinite { .. })));
    assert!(matches!(run(&[1.0; 4], 2, &[1.0; 2], &mut work[1..]), Err(Error::Workspace { .. })));
}
