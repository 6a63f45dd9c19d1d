//! Update rules against their formulas, bit for bit; what is refused leaves parameters and memory as they were.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_core::error::Error;
use agop_core::network::Shape;
use agop_core::optimizer::{EPSILON, Optimizer, Rule, gradient_norm, lowest_correlation, target_speeds};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::SplitMix64;

const WIDTHS: [usize; 4] = [7, 13, 5, 3];
const SPEEDS: [f64; 3] = [3.0, 0.7, 0.01];

fn shape() -> Shape<'static> {
    Shape::new(&WIDTHS, true).unwrap()
}

fn values<T: Real>(rng: &mut SplitMix64, count: usize) -> Vec<T> {
    (0..count).map(|_| T::from_f64(rng.normal() * (1.0 / (1_u64 << rng.below(12)) as f64))).collect()
}

fn bits<T: Real>(values: &[T]) -> Vec<u64> {
    values.iter().map(|x| x.canonical_bits()).collect()
}

fn rule(speed_limited: bool) -> Rule<'static> {
    if speed_limited {
        Rule::SpeedLimited { speeds: &SPEEDS, epsilon: EPSILON }
    } else {
        Rule::GradientDescent
    }
}

/// The tree over column results, from its definition: the first power of two of them, then the others.
fn tree(sums: &[f64]) -> f64 {
    match sums.len() {
        0 => 0.0,
        1 => sums[0],
        n => {
            let half = n.next_power_of_two() / 2;
            tree(&sums[..half]) + tree(&sums[half..])
        }
    }
}

/// `|grad_l|_F`: one chain a column in `f64`, columns added by the tree; the bias is one column.
fn norm<T: Real>(weights: &[T], columns: usize, bias: &[T]) -> f64 {
    let chain = |values: &mut dyn Iterator<Item = &T>| {
        values.fold(0.0_f64, |sum, g| <f64 as agop_core::scalar::Scalar>::fma(&g.to_f64(), &g.to_f64(), sum))
    };
    let sums: Vec<f64> = (0..columns).map(|j| chain(&mut weights.iter().skip(j).step_by(columns))).collect();
    (tree(&sums) + chain(&mut bias.iter())).sqrt()
}

/// The step, written out from the documentation: new parameters and new velocity.
fn literal<T: Real>(optimizer: &Optimizer<'_>, w: &[T], g: &[T], v: &[T]) -> (Vec<T>, Vec<T>) {
    let (mut new_w, mut new_v) = (w.to_vec(), v.to_vec());
    for (layer, span) in shape().spans().enumerate() {
        let (weights, bias) = g[span.range()].split_at(span.weights());
        let (unit, speed) = match optimizer.rule {
            Rule::SpeedLimited { speeds, epsilon } => {
                let norm = norm(weights, span.inputs, bias);
                (if norm > 0.0 { 1.0 / (epsilon + norm) } else { 0.0 }, speeds[layer])
            }
            _ => (1.0, 1.0),
        };
        for i in span.range() {
            if optimizer.momentum == 0.0 && optimizer.decay == 0.0 {
                let factor = T::from_f64(-(optimizer.rate * speed * unit));
                new_w[i] = T::fma(&factor, &g[i], w[i]);
            } else {
                new_v[i] = T::fma(&T::from_f64(unit), &g[i], T::from_f64(optimizer.momentum) * v[i]);
                let decayed = T::fma(&T::from_f64(optimizer.decay), &w[i], new_v[i]);
                new_w[i] = T::fma(&T::from_f64(-(optimizer.rate * speed)), &decayed, w[i]);
            }
        }
    }
    (new_w, new_v)
}

fn compare_with_literal<T: Real>() {
    let mut rng = SplitMix64::new(31);
    let count = shape().parameters();
    for speed_limited in [false, true] {
        for (momentum, decay) in [(0.0, 0.0), (0.9, 0.0), (0.0, 1e-2), (0.9, 1e-4), (0.5, 0.1)] {
            let optimizer = Optimizer { rule: rule(speed_limited), rate: 0.037, momentum, decay };
            let w = values::<T>(&mut rng, count);
            for level in Level::available() {
                let (mut expected, mut memory) = (w.clone(), vec![T::zero(); count]);
                let (mut found, mut state) = (w.clone(), vec![T::zero(); optimizer.state(count)]);
                for step in 0..5 {
                    let g = values::<T>(&mut rng, count);
                    (expected, memory) = literal(&optimizer, &expected, &g, &memory);
                    optimizer.step(level, shape(), &mut found, &mut g.clone(), &mut state).unwrap();
                    let what = format!("{} {optimizer:?} step {step} on {}", T::NAME, level.name());
                    assert_eq!(bits(&found), bits(&expected), "{what}");
                    if !state.is_empty() {
                        assert_eq!(bits(&state[..count]), bits(&memory), "{what}: velocity");
                    }
                }
            }
        }
    }
}

/// Other roundings of the same formulas must not pass for them.
fn other_roundings<T: Real>() {
    let mut rng = SplitMix64::new(32);
    let count = shape().parameters();
    let (w, g) = (values::<T>(&mut rng, count), values::<T>(&mut rng, count));
    let step = |optimizer: Optimizer<'_>| {
        let (mut found, mut state) = (w.clone(), vec![T::zero(); optimizer.state(count)]);
        optimizer.step(Level::detect(), shape(), &mut found, &mut g.clone(), &mut state).unwrap();
        bits(&found)
    };
    let factor = T::from_f64(-0.9);
    let each = |f: &dyn Fn(T, T) -> T| bits(&w.iter().zip(&g).map(|(w, g)| f(*w, *g)).collect::<Vec<T>>());
    let descent = step(Optimizer::new(Rule::GradientDescent, 0.9));
    assert_eq!(each(&|w, g| T::fma(&factor, &g, w)), descent);
    assert_ne!(each(&|w, g| w + factor * g), descent, "two roundings");
    let decay = T::from_f64(0.7);
    let decayed = step(Optimizer { decay: 0.7, ..Optimizer::new(Rule::GradientDescent, 0.9) });
    assert_ne!(each(&|w, g| T::fma(&factor, &(g + decay * w), w)), decayed, "two roundings of the decay");
    assert_ne!(
        each(&|w, g| T::fma(&(factor * decay), &w, T::fma(&factor, &g, w))),
        decayed,
        "decay afterwards"
    );
    let slo = step(Optimizer::new(rule(true), 0.037));
    assert_ne!(
        step(Optimizer::new(Rule::SpeedLimited { speeds: &SPEEDS, epsilon: 1e-3 }, 0.037)),
        slo,
        "epsilon"
    );
}

#[test]
fn other_roundings_differ() {
    other_roundings::<f32>();
    other_roundings::<f64>();
}

#[test]
fn every_rule_is_its_formula_in_f32() {
    compare_with_literal::<f32>();
}

#[test]
fn every_rule_is_its_formula_in_f64() {
    compare_with_literal::<f64>();
}

/// Speed Limited steps have the length `eta C` whatever the size of the gradient.
#[test]
fn speed_limited_steps_have_their_speed() {
    let mut rng = SplitMix64::new(8);
    let count = shape().parameters();
    let optimizer = Optimizer::new(rule(true), 0.5);
    let g = values::<f64>(&mut rng, count);
    for scale in [1e-3, 1.0, 1e12, 1e150] {
        let mut w = vec![0.0; count];
        let mut g: Vec<f64> = g.iter().map(|g| g * scale).collect();
        optimizer.step(Level::detect(), shape(), &mut w, &mut g, &mut []).unwrap();
        for (span, speed) in shape().spans().zip(SPEEDS) {
            let moved = gradient_norm(Level::detect(), span, &w).unwrap();
            assert!(
                (moved / (0.5 * speed) - 1.0).abs() < 1e-4,
                "{scale}: moved {moved}, not {}",
                0.5 * speed
            );
        }
    }
}

fn zero_gradient<T: Real>() {
    let mut rng = SplitMix64::new(2);
    let count = shape().parameters();
    for epsilon in [EPSILON, 0.0] {
        for rule in [Rule::GradientDescent, Rule::SpeedLimited { speeds: &SPEEDS, epsilon }] {
            for momentum in [0.0, 0.9] {
                let optimizer = Optimizer { momentum, ..Optimizer::new(rule, 0.1) };
                let w = values::<T>(&mut rng, count);
                for level in Level::available() {
                    for zero in [T::zero(), -T::zero()] {
                        let (mut found, mut state) = (w.clone(), vec![T::zero(); optimizer.state(count)]);
                        optimizer
                            .step(level, shape(), &mut found, &mut vec![zero; count], &mut state)
                            .unwrap();
                        assert_eq!(bits(&found), bits(&w), "{optimizer:?} moved on a zero gradient");
                        assert!(state.iter().all(|v| *v == T::zero()), "{optimizer:?}");
                    }
                }
                // One layer without a gradient: only the others move.
                let mut g = values::<T>(&mut rng, count);
                let middle = shape().layer(1).unwrap().range();
                g[middle.clone()].fill(T::zero());
                let (mut found, mut state) = (w.clone(), vec![T::zero(); optimizer.state(count)]);
                optimizer.step(Level::detect(), shape(), &mut found, &mut g, &mut state).unwrap();
                assert_eq!(bits(&found[middle.clone()]), bits(&w[middle.clone()]));
                assert_ne!(bits(&found[..middle.start]), bits(&w[..middle.start]));
                assert!(found.iter().all(|w| w.to_f64().is_finite()));
            }
        }
    }
}

#[test]
fn a_zero_gradient_moves_nothing() {
    zero_gradient::<f32>();
    zero_gradient::<f64>();
}

/// A gradient, or a step, that is refused; the parameters and the velocity keep their bits.
#[track_caller]
fn refused<T: Real>(optimizer: &Optimizer<'_>, w: &[T], g: &[T], velocity: &[T], expected: Error) {
    let count = w.len();
    for level in Level::available() {
        let mut found = w.to_vec();
        let mut state: Vec<T> = velocity.iter().copied().chain(velocity.iter().copied()).collect();
        let state = &mut state[..optimizer.state(count)];
        let result = optimizer.step(level, shape(), &mut found, &mut g.to_vec(), state);
        assert_eq!(result, Err(expected), "{optimizer:?} on {}", level.name());
        assert_eq!(bits(&found), bits(w), "the parameters moved");
        if !state.is_empty() {
            assert_eq!(bits(&state[..count]), bits(velocity), "the velocity moved");
        }
    }
}

fn refusals<T: Real>() {
    let mut rng = SplitMix64::new(3);
    let count = shape().parameters();
    let (w, g, v) =
        (values::<T>(&mut rng, count), values::<T>(&mut rng, count), values::<T>(&mut rng, count));
    let huge = T::from_f64(T::LARGEST);
    let with = |values: &[T], at: usize, value: T| {
        let mut values = values.to_vec();
        values[at] = value;
        values
    };
    for speed_limited in [false, true] {
        for (momentum, decay) in [(0.0, 0.0), (0.9, 0.0), (0.9, 0.1)] {
            let optimizer = Optimizer { rule: rule(speed_limited), rate: 0.1, momentum, decay };
            for value in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
                for at in [0, 91, count - 1] {
                    let bad = with(&g, at, T::from_f64(value));
                    let expected = Error::NotFinite { what: "gradient", row: 0, column: at };
                    refused(&optimizer, &w, &bad, &v, expected);
                }
            }
            // The last layer's parameters overflow: those before it must not have moved either.
            let (at, span) = (count - 1, shape().layer(2).unwrap());
            let slo = Rule::SpeedLimited { speeds: &[1.0, 1.0, 1e308], epsilon: 0.0 };
            let fast = Optimizer { rate: 1e3, ..optimizer };
            let fast = if speed_limited { Optimizer { rule: slo, ..fast } } else { fast };
            let (bad_w, large) = (with(&w, at, huge), with(&g, at, -T::from_f64(T::LARGEST / 1e6)));
            let (bad_g, column) = if speed_limited { (&g, span.offset) } else { (&large, at) };
            let expected = Error::NotFinite { what: "updated parameters", row: 0, column };
            refused(&fast, &bad_w, bad_g, &v, expected);
            // A gradient whose norm does not fit into f64.
            if speed_limited && T::LARGEST > 1e200 {
                let expected =
                    Error::NotFinite { what: "norm of a layer's gradient", row: 0, column: span.offset };
                refused(&optimizer, &w, &large, &v, expected);
            }
            // A velocity that overflows.
            if momentum > 0.0 && !speed_limited {
                let (bad_g, bad_v) = (with(&g, at, huge), with(&v, at, huge));
                refused(
                    &optimizer,
                    &w,
                    &bad_g,
                    &bad_v,
                    Error::NotFinite { what: "velocity", row: 0, column: at },
                );
            }
        }
    }
}

/// Steps beyond the largest number that no single value of rate, speed, epsilon or gradient gives away.
fn hidden_overflows<T: Real>() {
    let count = shape().parameters();
    let w = vec![T::from_f64(-T::LARGEST / 5.0); count];
    let only = |value: f64| {
        let mut g = vec![T::zero(); count];
        g[0] = T::from_f64(value);
        g
    };
    let large = if T::LARGEST > 1e200 { 1e140 } else { 1e17 };
    let expected = Error::NotFinite { what: "updated parameters", row: 0, column: 0 };
    let slo = |speeds, epsilon| Rule::SpeedLimited { speeds, epsilon };
    for (rule, rate, gradient) in [
        (Rule::GradientDescent, 1e3, T::LARGEST / 1e2),
        // A norm so small that the rate over it is beyond the largest number.
        (slo(&[1.0; 3], 0.0), T::LARGEST / 1e10, 1e-20),
        (slo(&[1.0; 3], 1e-20), T::LARGEST / 1e10, 1e-20),
        // A factor that is small because epsilon is large; so is the gradient.
        (slo(&[1e3; 3], large / 1e6), T::LARGEST / 1.01e3, large),
        // A rate times a speed that is infinite, and nothing to multiply it by.
        (slo(&[1e200; 3], EPSILON), 1e200, 0.0),
    ] {
        refused(&Optimizer::new(rule, rate), &w, &only(gradient), &[], expected);
    }
    // A rate that the scalar rounds to infinity, and times zero to NaN, from weights far below every limit.
    if T::LARGEST < 1e200 {
        let w = vec![T::one(); count];
        for gradient in [0.0, 0.01] {
            let step = Optimizer::new(Rule::GradientDescent, 3.0 * T::LARGEST);
            refused(&step, &w, &only(gradient), &[], expected);
        }
    }
    // A small step from the largest number, of either sign.
    for sign in [1.0, -1.0] {
        let mut w = w.clone();
        w[0] = T::from_f64(sign * T::LARGEST);
        let step = Optimizer::new(Rule::GradientDescent, 1.0);
        refused(&step, &w, &only(-sign * T::LARGEST / 1e6), &[], expected);
    }
}

#[test]
fn what_is_not_finite_is_refused_and_changes_nothing_in_f32() {
    refusals::<f32>();
    hidden_overflows::<f32>();
}

#[test]
fn what_is_not_finite_is_refused_and_changes_nothing_in_f64() {
    refusals::<f64>();
    hidden_overflows::<f64>();
}

#[test]
fn parameters_out_of_range_are_refused_with_their_value() {
    let count = shape().parameters();
    let (w, g, v) = (vec![1.0_f64; count], vec![1.0; count], vec![1.0; count]);
    let plain = Optimizer { momentum: 0.5, ..Optimizer::new(Rule::GradientDescent, 0.1) };
    let range = "a finite number, at least 0";
    for found in [-1e-300, -1.0, f64::INFINITY, f64::NEG_INFINITY] {
        let error = |what| Error::Parameter { what, expected: range, found };
        refused(&Optimizer { rate: found, ..plain }, &w, &g, &v, error("rate"));
        refused(&Optimizer { decay: found, ..plain }, &w, &g, &v, error("decay"));
        refused(&Optimizer { momentum: found, ..plain }, &w, &g, &v, error("momentum"));
        let rule = Rule::SpeedLimited { speeds: &SPEEDS, epsilon: found };
        refused(&Optimizer { rule, ..plain }, &w, &g, &v, error("epsilon"));
        let rule = Rule::SpeedLimited { speeds: &[1.0, 2.0, found], epsilon: 0.0 };
        refused(&Optimizer { rule, ..plain }, &w, &g, &v, error("speed"));
    }
    for found in [1.0, 1.5, 1e300] {
        let expected = Error::Parameter { what: "momentum", expected: "less than 1", found };
        refused(&Optimizer { momentum: found, ..plain }, &w, &g, &v, expected);
    }
    let nan = Optimizer { rate: f64::NAN, ..plain }.check(shape()).unwrap_err();
    assert!(matches!(nan, Error::Parameter { what: "rate", found, .. } if found.is_nan()));
    for (count, speeds) in [(0, &[] as &[f64]), (2, &[1.0, 2.0]), (4, &[1.0; 4])] {
        let rule = Rule::SpeedLimited { speeds, epsilon: EPSILON };
        let expected = Error::Length { what: "speeds", expected: 3, found: count };
        refused(&Optimizer { rule, ..plain }, &w, &g, &v, expected);
    }
    // Zero is in every range, and moves nothing.
    let still = Optimizer { rate: 0.0, momentum: 0.0, decay: 0.0, rule: Rule::GradientDescent };
    let mut found = w.clone();
    still.step(Level::detect(), shape(), &mut found, &mut g.clone(), &mut []).unwrap();
    assert_eq!(found, w);
}

#[test]
fn wrong_lengths_are_refused_with_their_numbers() {
    let count = shape().parameters();
    let optimizer = Optimizer { decay: 0.1, ..Optimizer::new(Rule::GradientDescent, 0.1) };
    assert_eq!(optimizer.state(count), 2 * count);
    assert_eq!(Optimizer::new(rule(true), 0.1).state(count), 0);
    let step = |parameters: usize, gradient: usize, state: usize| {
        let (mut w, mut g, mut s) = (vec![1.0_f32; parameters], vec![1.0; gradient], vec![0.0; state]);
        let result = optimizer.step(Level::detect(), shape(), &mut w, &mut g, &mut s);
        assert_eq!(result.is_ok(), w.iter().any(|w| *w != 1.0));
        result
    };
    let length = |what, found| Err(Error::Length { what, expected: count, found });
    assert_eq!(step(count - 1, count, 2 * count), length("parameters", count - 1));
    assert_eq!(step(count + 1, count, 2 * count), length("parameters", count + 1));
    assert_eq!(step(count, count + 1, 2 * count), length("gradient", count + 1));
    let found = 2 * count - 1;
    let expected = Error::Workspace { what: "optimizer state", needed: 2 * count, found };
    assert_eq!(step(count, count, found), Err(expected));
    assert_eq!(step(count, count, 2 * count), Ok(()));
    // More state than is needed is no error, and not touched.
    let mut state = vec![0.0_f32; 2 * count + 3];
    state[2 * count..].copy_from_slice(&[7.0, 8.0, 9.0]);
    optimizer
        .step(Level::detect(), shape(), &mut vec![1.0; count], &mut vec![1.0; count], &mut state)
        .unwrap();
    assert_eq!(state[2 * count..], [7.0, 8.0, 9.0]);
}

#[test]
fn target_speeds_favour_one_layer() {
    let mut speeds = [0.0; 4];
    target_speeds(2, 500.0, &mut speeds).unwrap();
    assert_eq!(speeds, [1.0 / 500.0, 1.0 / 500.0, 500.0, 1.0 / 500.0]);
    target_speeds(0, 1.0, &mut speeds).unwrap();
    assert_eq!(speeds, [1.0; 4]);
    target_speeds(3, 0.25, &mut speeds).unwrap();
    assert_eq!(speeds, [4.0, 4.0, 4.0, 0.25]);
    let error = Error::Layer { index: 4, layers: 4 };
    assert_eq!(target_speeds(4, 2.0, &mut speeds), Err(error));
    // The last is positive, and so small that its inverse overflows.
    for found in [0.0, -2.0, f64::INFINITY, 1e-320] {
        let expected = "a positive number with a finite inverse";
        let error = Error::Parameter { what: "contrast", expected, found };
        assert_eq!(target_speeds(1, found, &mut speeds), Err(error));
    }
    assert!(target_speeds(1, f64::NAN, &mut speeds).is_err());
    assert_eq!(speeds, [4.0, 4.0, 4.0, 0.25], "refused, and unchanged");
}

#[test]
fn the_lowest_defined_correlation_is_the_target() {
    assert_eq!(lowest_correlation([Some(0.9), Some(0.2), Some(0.5)]), Some(1));
    assert_eq!(lowest_correlation([None, Some(0.9), None, Some(0.3)]), Some(3));
    assert_eq!(lowest_correlation([Some(0.5), Some(-0.1), Some(-0.1)]), Some(1));
    assert_eq!(lowest_correlation([Some(0.0), Some(-0.0)]), Some(0));
    assert_eq!(lowest_correlation([Some(f64::NAN), Some(0.1)]), Some(1));
    assert_eq!(lowest_correlation([Some(0.3), Some(f64::NAN), Some(0.1), Some(f64::NAN)]), Some(2));
    assert_eq!(lowest_correlation([Some(f64::NAN), None]), None);
    assert_eq!(lowest_correlation([None, None]), None);
    assert_eq!(lowest_correlation([]), None);
}
