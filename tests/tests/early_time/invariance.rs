//! What must not matter: scales, rotations, the order of samples.

use crate::support::{Exact, Problem, data, draw_shape, matrix, pair, persistence, predict, rotated};
use agop_core::activation::{Activation, Linear, Quadratic};
use agop_core::correlation::{Route, Traces};
use agop_core::early_time::quadratic::{Readout, statistics, statistics_workspace, trial_workspace};
use agop_core::feature::ptk_of_layer;
use agop_core::kernel::Definition;
use agop_core::network::weights;
use agop_core::random::{Purpose, Stream};
use agop_core::scalar::Scalar;
use agop_core::simd::Level;
use agop_tests::{SplitMix64, random_field};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: persistence("invariance"), ..ProptestConfig::with_cases(48) })]

    /// Why: a scale of inputs, labels or readout multiplies ff, fg, gg by c^(2m), c^(2m + e), c^(2m + 2e) and leaves the
    /// ratio; powers of two are taken out before anything is rounded, so that they change no bit. Gaussian weights have no
    /// direction, so turning the inputs changes only roundings.
    #[test]
    fn scales_and_rotations_do_not_matter(seed in any::<u64>(), power in -300_i32..300) {
        let mut rng = SplitMix64::new(seed);
        let (n, d, k) = (rng.between(2, 30) as usize, rng.between(1, 9) as usize, rng.between(1, 12) as usize);
        let (x, y) = data(&mut rng, n, d);
        let a = rng.normals(k);
        let rho = predict(&x, &y, Readout::Given(&a)).rho.unwrap();
        let scaled = |v: &[f64], by: f64| v.iter().map(|x| x * by).collect::<Vec<_>>();
        let two = f64::from_bits(((1023 + i64::from(power)) as u64) << 52);
        let same = [
            predict(&scaled(&x, two), &y, Readout::Given(&a)),
            predict(&x, &scaled(&y, two), Readout::Given(&a)),
            predict(&x, &y, Readout::Given(&scaled(&a, two))),
        ];
        for found in same {
            assert_eq!(found.rho.unwrap().to_bits(), rho.to_bits());
        }
        let close = [
            predict(&scaled(&x, 1e3 / 7.0), &y, Readout::Given(&a)),
            predict(&x, &scaled(&y, -1e-5 / 7.0), Readout::Given(&a)),
            predict(&x, &y, Readout::Given(&scaled(&a, -11.3))),
            predict(&rotated(&mut rng, &x, n, d), &y, Readout::Given(&a)),
        ];
        for found in close {
            assert!((found.rho.unwrap() - rho).abs() < 1e-11, "{} {rho}", found.rho.unwrap());
        }
        assert!(rho > 0.0 && rho <= 1.0);
        // Given weights: their scale cancels as well.
        let (w, level) = (rng.normals(k * d), Level::detect());
        let mut work = vec![0.0; statistics_workspace(d)];
        let all = statistics(level, matrix(&x, n), &y, &mut work).unwrap();
        let mut work = vec![0.0; trial_workspace(d)];
        let mut observe = |w: &[f64]| all.observe(level, matrix(w, k), &a, &mut work).unwrap().unwrap();
        let rho = observe(&w);
        assert_eq!(observe(&scaled(&w, two)).to_bits(), rho.to_bits());
        assert!((observe(&scaled(&w, 0.37)) - rho).abs() < 1e-11);
    }

    /// Why: P and B are sums over samples, and sums without rounding have no order: of small integers every partial sum is
    /// exact, so not a bit may change. The control: one label more.
    #[test]
    fn the_order_of_samples_does_not_matter_exactly(seed in any::<u64>()) {
        let mut rng = SplitMix64::new(seed);
        let (n, d) = (rng.between(2, 200) as usize, rng.between(1, 5) as usize);
        let mut integers = |count: usize| (0..count).map(|_| rng.between(-9, 9) as f64).collect::<Vec<_>>();
        let (x, mut y, a) = (integers(n * d), integers(n), integers(4));
        prop_assume!(y.iter().any(|y| *y != 0.0) && a.iter().any(|a| *a != 0.0));
        let mut order: Vec<usize> = (0..n).collect();
        Stream::new(seed, Purpose::Shuffle, 0).shuffle(&mut order);
        let moved_x: Vec<f64> = order.iter().flat_map(|i| x[i * d..(i + 1) * d].to_vec()).collect();
        let moved_y: Vec<f64> = order.iter().map(|i| y[*i]).collect();
        let found = predict(&x, &y, Readout::Given(&a));
        prop_assert_eq!(predict(&moved_x, &moved_y, Readout::Given(&a)), found);
        if d > 1 && x[..d].iter().any(|x| *x != 0.0) {
            y[0] += 1000.0;
            prop_assert_ne!(predict(&x, &y, Readout::Given(&a)).ff, found.ff);
        }
    }

    /// Why: all layers of these networks are homogeneous, so scales of inputs, labels and each layer's weights multiply
    /// the traces by powers that cancel; a reflection of inputs and first weights together changes no inner product; sums
    /// over samples have no order. All of it exact on the field.
    #[test]
    fn the_limit_at_given_weights_keeps_its_symmetries(seed in any::<u64>(), quadratic in any::<bool>()) {
        let mut rng = SplitMix64::new(seed);
        let (widths, samples) = draw_shape(&mut rng, 2, 4, 2, 5);
        if quadratic {
            symmetries(&mut rng, &widths, Quadratic, samples);
        } else {
            symmetries(&mut rng, &widths, Linear, samples);
        }
    }
}

/// The traces of every layer, residual = labels.
fn limits<A: Activation<Exact>>(problem: &Problem<Exact, A>) -> Vec<Traces<Exact>> {
    let problem = problem.clone().with_residual_of_labels(Definition);
    let (gradient, features) = (problem.gradient(Definition), problem.features(Definition));
    let shape = problem.shape();
    let layer = |layer: usize| {
        let v = weights(&gradient, shape.layer(layer).unwrap()).unwrap();
        pair(v, ptk_of_layer(shape, &features, layer).unwrap(), Route::Gram)
    };
    (0..problem.hidden()).map(layer).collect()
}

fn symmetries<A: Activation<Exact>>(rng: &mut SplitMix64, widths: &[usize], activation: A, samples: usize) {
    let problem = Problem::new(widths, activation, samples, |n| random_field(rng, n));
    let plain = limits(&problem);
    // Squared correlations as fractions.
    let same = |found: &[Traces<Exact>]| {
        plain.iter().zip(found).all(|(a, b)| a.fg * a.fg * b.ff * b.gg == b.fg * b.fg * a.ff * a.gg)
    };
    let times = |values: &mut [Exact], by: Exact| values.iter_mut().for_each(|x| *x = *x * by);
    let mut scaled = problem.clone();
    times(&mut scaled.x, random_field(rng, 1)[0]);
    times(&mut scaled.y, random_field(rng, 1)[0]);
    let spans: Vec<_> = problem.shape().spans().collect();
    for span in spans {
        times(&mut scaled.parameters[span.range()], random_field(rng, 1)[0]);
    }
    assert!(same(&limits(&scaled)), "scales {widths:?} {samples}");
    let (d, mut turned) = (widths[0], problem.clone());
    let axis = random_field(rng, d);
    let first = d * widths[1];
    turned.x = reflected(&problem.x, &axis);
    turned.parameters[..first].clone_from_slice(&reflected(&problem.parameters[..first], &axis));
    // Pearson's means know the axes, the other three traces do not.
    let cosine = |all: &[Traces<Exact>]| all.iter().map(|t| (t.ff, t.fg, t.gg)).collect::<Vec<_>>();
    assert_eq!(cosine(&limits(&turned)), cosine(&plain), "rotation {widths:?} {samples}");
    let mut reversed = problem.clone();
    let reverse = |values: &[Exact]| -> Vec<Exact> {
        values.chunks_exact(values.len() / samples).rev().flatten().copied().collect()
    };
    (reversed.x, reversed.y) = (reverse(&problem.x), reverse(&problem.y));
    assert_eq!(limits(&reversed), plain, "order {widths:?} {samples}");
    // Controls, where more than one direction of samples, inputs and units lets the correlation differ from 1.
    if samples > 1 && d > 1 && widths[1] > 1 && plain[0].ff * plain[0].gg != plain[0].fg * plain[0].fg {
        let mut alone = problem.clone();
        alone.x = reflected(&problem.x, &axis);
        times(&mut alone.y[..1], Exact::from_integer(3));
        assert!(!same(&limits(&alone)), "the control {widths:?} {samples}");
    }
}

/// Rows reflected at the hyperplane orthogonal to the axis: `x - 2 (x . a) / (a . a) a`.
fn reflected(rows: &[Exact], axis: &[Exact]) -> Vec<Exact> {
    let dot = |x: &[Exact], y: &[Exact]| x.iter().zip(y).fold(Exact::zero(), |sum, (x, y)| sum + *x * *y);
    let reflect = |row: &[Exact]| {
        let factor = Exact::from_integer(2) * dot(row, axis) / dot(axis, axis);
        row.iter().zip(axis).map(|(x, a)| *x - factor * *a).collect::<Vec<_>>()
    };
    rows.chunks_exact(axis.len()).flat_map(reflect).collect()
}
