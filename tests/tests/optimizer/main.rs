//! Update rules against their formulas, bit for bit; what is refused leaves parameters and memory as they were.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod formulas;
mod refusals;

use agop_core::error::Error;
use agop_core::network::Shape;
use agop_core::optimizer::{EPSILON, Optimizer, Rule, gradient_norm, lowest_correlation, target_speeds};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::SplitMix64;
use agop_tests::literal::tree;

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

/// `|grad_l|_F`: one chain a column in `f64`, columns added by the tree; the bias is one column.
fn norm<T: Real>(weights: &[T], columns: usize, bias: &[T]) -> f64 {
    let chain = |values: &mut dyn Iterator<Item = &T>| {
        values.fold(0.0_f64, |sum, g| <f64 as agop_core::scalar::Scalar>::fma(&g.to_f64(), &g.to_f64(), sum))
    };
    let sums: Vec<f64> = (0..columns).map(|j| chain(&mut weights.iter().skip(j).step_by(columns))).collect();
    (tree(&sums) + chain(&mut bias.iter())).sqrt()
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
