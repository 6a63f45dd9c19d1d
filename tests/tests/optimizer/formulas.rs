//! Every rule against its formula in plain loops.

use super::{SPEEDS, bits, norm, rule, shape, values};
use agop_core::optimizer::{Optimizer, Rule};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::SplitMix64;

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
