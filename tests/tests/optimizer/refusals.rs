//! What is refused, and that it changes nothing.

use super::{SPEEDS, refused, rule, shape, values};
use agop_core::error::Error;
use agop_core::optimizer::{EPSILON, Optimizer, Rule};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::SplitMix64;

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
