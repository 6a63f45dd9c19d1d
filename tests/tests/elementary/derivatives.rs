//! Derivatives of the activations against the oracle, in the units in which their documentation bounds the error, and
//! against dual numbers.

use crate::{Random, oracle};
use agop_core::activation::{Activation, AnyActivation, Gelu, Sigmoid, Silu, Softplus};
use agop_core::dual::Dual;
use agop_core::scalar::Real;

/// Around zero, and out to where the derivatives have reached their limits.
fn inputs(count: usize) -> Vec<f64> {
    let mut random = Random(19);
    let mut inputs: Vec<f64> = (0..count)
        .map(|_| match random.next() % 4 {
            0 => random.sign() * random.magnitude(-40, 4),
            1 => random.sign() * random.unit(),
            2 => 6.0 * random.sign() * random.unit(),
            _ => 30.0 * random.sign() * random.unit(),
        })
        .collect();
    // Zeros of derivatives, and zero.
    inputs.extend([-1.278_464_542_761_073_7, 2.399_357_280_515_467_5, -0.751_791_524_693_564_3]);
    inputs.extend([2f64.sqrt(), -(2f64.sqrt()), 0.0, -0.0]);
    inputs
}

/// Largest errors of both derivatives in unit roundoffs, of the derivative (`relative`) or of one.
fn worst<T: Real>(phi: impl Activation<T>, name: &str, relative: [bool; 2], count: usize) -> [f64; 2] {
    let unit = if T::NAME == "f32" { -24 } else { -53 };
    let mut worst = [0.0; 2];
    for x in inputs(count) {
        let z = T::from_f64(x);
        let found = [phi.derivative(&z).to_f64(), phi.second_derivative(&z).to_f64()];
        let truth = oracle::derivatives(name, z.to_f64());
        for (i, (found, truth)) in found.into_iter().zip(truth).enumerate() {
            let exponent = if relative[i] { oracle::ulp(found) + 52 } else { 0 };
            let error = truth.minus(found).in_units(unit + exponent).abs();
            let error = if relative[i] { error / (found * crate::power_of_two(-exponent)) } else { error };
            if error > worst[i] {
                worst[i] = error;
            }
        }
    }
    println!("{name} {}: {:.3} and {:.3} unit roundoffs", T::NAME, worst[0], worst[1]);
    worst
}

fn check(count: usize) {
    let both = |[a, b]: [f64; 2], bounds: [f64; 2]| {
        assert!(a < bounds[0] && b < bounds[1] && a > 0.1 && b > 0.1, "{a} {b} {bounds:?}");
    };
    both(worst::<f32>(Sigmoid, "sigmoid", [true, false], count), [3.0, 1.0]);
    both(worst::<f64>(Sigmoid, "sigmoid", [true, false], count), [8.0, 4.0]);
    both(worst::<f32>(Softplus, "softplus", [true; 2], count), [1.0, 3.0]);
    both(worst::<f64>(Softplus, "softplus", [true; 2], count), [6.0, 8.0]);
    both(worst::<f32>(Silu, "silu", [false; 2], count), [4.0, 4.0]);
    both(worst::<f64>(Silu, "silu", [false; 2], count), [8.0, 12.0]);
    both(worst::<f32>(Gelu, "gelu", [false; 2], count), [3.0, 3.0]);
    both(worst::<f64>(Gelu, "gelu", [false; 2], count), [16.0, 8.0]);
}

#[test]
fn derivatives_stay_below_their_bounds() {
    check(5_000);
}

#[test]
#[ignore = "40 times the inputs: a minute in release"]
fn derivatives_stay_below_their_bounds_on_many_inputs() {
    check(200_000);
}

/// A dual number carries the value's bits and the derivative; nested, the second derivative by another formula. Value and
/// derivative together have the bits that they have apart.
fn check_duals<T: Real>(tolerance: f64) {
    for &activation in AnyActivation::ALL {
        for x in inputs(2_000) {
            let z = T::from_f64(x);
            let dual = activation.value(&Dual::new(z, T::one()));
            let value = activation.value(&z);
            assert_eq!(dual.value.canonical_bits(), value.canonical_bits(), "{activation:?}({x:e})");
            let together = activation.value_and_derivative(&z);
            let together = [together.0, together.1].map(T::canonical_bits);
            let slope = activation.derivative(&z);
            assert_eq!(together, [value, slope].map(T::canonical_bits), "{activation:?}({x:e})");
            assert!(
                (dual.derivative.to_f64() - slope.to_f64()).abs() <= tolerance,
                "{activation:?}({x:e}): {dual:?} {slope:?}"
            );
            let second = activation.second_derivative(&z).to_f64();
            let of_slope = activation.derivative(&Dual::new(z, T::one())).derivative;
            let nested = Dual::new(Dual::new(z, T::one()), Dual::constant(T::one()));
            for found in [of_slope, activation.value(&nested).derivative.derivative] {
                let found = found.to_f64();
                assert!((found - second).abs() <= tolerance, "{activation:?}({x:e}): {found:e} {second:e}");
            }
        }
    }
}

#[test]
fn duals_differentiate() {
    check_duals::<f32>(32.0 / 16_777_216.0);
    check_duals::<f64>(32.0 * f64::EPSILON);
}

#[test]
fn derivatives_at_the_ends() {
    fn check<T: Real>(name: &str, phi: impl Activation<T>, first: [f64; 2]) {
        for (far, limit) in [-1.0, 1.0].into_iter().zip(first) {
            for z in [f64::INFINITY, T::LARGEST, 1e30].map(|z| T::from_f64(far * z)) {
                assert_eq!(phi.derivative(&z).to_f64(), limit, "{name} {z:?}");
                assert_eq!(phi.second_derivative(&z).to_f64(), 0.0, "{name} {z:?}");
            }
        }
        let nan = T::from_f64(f64::NAN);
        assert!(phi.derivative(&nan).to_f64().is_nan() && phi.second_derivative(&nan).to_f64().is_nan());
    }
    check::<f32>("sigmoid", Sigmoid, [0.0, 0.0]);
    check::<f64>("sigmoid", Sigmoid, [0.0, 0.0]);
    check::<f32>("softplus", Softplus, [0.0, 1.0]);
    check::<f64>("softplus", Softplus, [0.0, 1.0]);
    check::<f32>("silu", Silu, [0.0, 1.0]);
    check::<f64>("silu", Silu, [0.0, 1.0]);
    check::<f32>("gelu", Gelu, [0.0, 1.0]);
    check::<f64>("gelu", Gelu, [0.0, 1.0]);
}

#[test]
fn names_find_activations() {
    for &activation in AnyActivation::ALL {
        assert_eq!(AnyActivation::from_name(activation.name()), Some(activation));
    }
    assert_eq!(AnyActivation::ALL.len(), 8);
    assert_eq!(AnyActivation::from_name("GELU"), None);
}
