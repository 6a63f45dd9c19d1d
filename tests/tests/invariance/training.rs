//! Whole trainings, and the golden digests of sums.

use super::{Problem, Way, ways};
use agop_core::activation::{AnyActivation, Tanh};
use agop_core::digest::Hasher;
use agop_core::optimizer::{EPSILON, Optimizer, Rule};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::SplitMix64;

fn rules(speeds: &[f64]) -> Vec<Optimizer<'_>> {
    let slo = Rule::SpeedLimited { speeds, epsilon: EPSILON };
    let with = |rule, momentum, decay| Optimizer { rule, rate: 0.05, momentum, decay };
    vec![
        Optimizer::new(Rule::GradientDescent, 0.1),
        with(Rule::GradientDescent, 0.9, 1e-3),
        Optimizer::new(slo, 0.05),
        with(slo, 0.5, 0.0),
        with(slo, 0.0, 1e-2),
        with(slo, 0.9, 1e-3),
    ]
}

fn one_training<T: Real>() {
    let mut rng = SplitMix64::new(17);
    let speeds = [2.0, 0.5, 0.25];
    let mut seen = Vec::new();
    for optimizer in rules(&speeds) {
        for activation in [AnyActivation::Relu, AnyActivation::Tanh] {
            let make = || Problem::<T>::new(&[5, 13, 9, 3], 600, 23);
            let expected = make().train(Way::plain(), activation, &optimizer);
            let all = ways(&mut rng);
            // Every level, some of each respect, and those that differ in all.
            for way in all.iter().take(3).chain(all.iter().skip(3).step_by(4)) {
                let found = make().train(*way, activation, &optimizer);
                assert_eq!(found, expected, "{} {optimizer:?} {activation:?} {way:?}", T::NAME);
            }
            seen.push(expected);
        }
    }
    let different: std::collections::HashSet<[u8; 32]> = seen.iter().map(|digest| digest.0).collect();
    assert_eq!(different.len(), seen.len(), "two rules gave one digest");
}

#[test]
fn a_training_in_f32_has_one_digest() {
    one_training::<f32>();
}

#[test]
fn a_training_in_f64_has_one_digest() {
    one_training::<f64>();
}

/// Everything of the contract in one small run: random numbers, initial values, tanh, gradients, an update rule with
/// memory, features.
fn golden<T: Real>(level: Level) -> String {
    let problem = Problem::<T>::new(&[5, 9, 6, 3], 1500, 42);
    let speeds = [1.0, 0.5, 0.125];
    let rule = Rule::SpeedLimited { speeds: &speeds, epsilon: EPSILON };
    let optimizer = Optimizer { rule, rate: 0.05, momentum: 0.75, decay: 1e-3 };
    let way = Way { level, threads: 2, rows: 33, ..Way::plain() };
    let features = problem.features(way, Tanh);
    let trained = problem.train(way, Tanh, &optimizer);
    let mut hasher = Hasher::new();
    hasher.array(&[features.len()], &features);
    trained.0.iter().for_each(|byte| {
        hasher.number(u64::from(*byte));
    });
    hasher.finish().to_string()
}

/// The same constants in every build profile, on every machine. A change here is a change of the contract's version.
#[test]
fn golden_digests() {
    const F32: &str = "sha256:022dd401c682d47232918aaab3e4b7d937fca7e09eebda01a2befcfe98387948";
    const F64: &str = "sha256:399c518a4c71c7d74eb920a84bcb0db4db1d4774da28dee6293a5f667ffd69dc";
    for level in Level::available() {
        assert_eq!(golden::<f32>(level), F32, "f32 on {}", level.name());
        assert_eq!(golden::<f64>(level), F64, "f64 on {}", level.name());
    }
}
