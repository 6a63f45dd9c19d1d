//! The error of the `f64` functions in ulp of the result, by the oracle.

use super::{
    COUNT, Random, exp_inputs, ln_inputs, logistic_inputs, normal_inputs, oracle, power_of_two,
    quantile_inputs, tanh_inputs, worst,
};
use agop_core::elementary::{
    exp, gelu, ln, normal_density, normal_distribution, normal_quantile, sigmoid, silu, softplus, tanh,
};

fn exp_error(x: f64) -> f64 {
    let y = exp(x);
    oracle::exp_minus(x, y).in_units(oracle::ulp(y))
}

fn ln_error(x: f64) -> f64 {
    let y = ln(x);
    oracle::ln_minus(x, y).in_units(oracle::ulp(y))
}

fn tanh_error(x: f64) -> f64 {
    let y = tanh(x);
    oracle::tanh_minus(x, y).in_units(oracle::ulp(y))
}

fn sigmoid_error(x: f64) -> f64 {
    let y = sigmoid(x);
    oracle::sigmoid_minus(x, y).in_units(oracle::ulp(y))
}

fn silu_error(x: f64) -> f64 {
    let y = silu(x);
    oracle::silu_minus(x, y).in_units(oracle::ulp(y))
}

fn softplus_error(x: f64) -> f64 {
    let y = softplus(x);
    oracle::softplus_minus(x, y).in_units(oracle::ulp(y))
}

fn normal_error(x: f64) -> f64 {
    let y = normal_distribution(x);
    oracle::normal_minus(x, y).in_units(oracle::ulp(y))
}

fn density_error(x: f64) -> f64 {
    let y = normal_density(x);
    oracle::density_minus(x, y).in_units(oracle::ulp(y))
}

fn gelu_error(x: f64) -> f64 {
    let y = gelu(x);
    oracle::gelu_minus(x, y).in_units(oracle::ulp(y))
}

/// Of the lower half: the upper one is its mirror image, bit by bit.
fn quantile_error(p: f64) -> f64 {
    let y = normal_quantile(p);
    if p == 0.5 {
        return y;
    }
    let (low, mirrored) = if p > 0.5 { (1.0 - p, -y) } else { (p, y) };
    oracle::quantile_minus(low, mirrored).in_units(oracle::ulp(y))
}

fn check_bounds(count: usize) {
    let results = [
        ("exp", 1.0, worst(exp_inputs(count).into_iter(), exp_error)),
        ("ln", 1.0, worst(ln_inputs(count).into_iter(), ln_error)),
        ("tanh", 2.0, worst(tanh_inputs(count).into_iter(), tanh_error)),
        ("sigmoid", 3.0, worst(logistic_inputs(count).into_iter(), sigmoid_error)),
        ("silu", 4.0, worst(logistic_inputs(count).into_iter(), silu_error)),
        ("softplus", 4.0, worst(logistic_inputs(count).into_iter(), softplus_error)),
        ("normal_distribution", 8.0, worst(normal_inputs(count / 4).into_iter(), normal_error)),
        ("normal_density", 4.0, worst(normal_inputs(count / 4).into_iter(), density_error)),
        ("gelu", 9.0, worst(normal_inputs(count / 4).into_iter(), gelu_error)),
        ("normal_quantile", 8.0, worst(quantile_inputs(count / 10).into_iter(), quantile_error)),
    ];
    for (name, bound, (error, x)) in results {
        println!("{name}: {error:.4} ulp at {x:e}");
        assert!(error > 0.45 && error < bound, "{name}: {error} ulp at {x:e}, bound {bound}");
    }
}

#[test]
fn f64_errors_stay_below_their_bounds() {
    check_bounds(COUNT);
}

#[test]
#[ignore = "100 times the inputs: minutes in release"]
fn f64_errors_stay_below_their_bounds_on_many_inputs() {
    check_bounds(100 * COUNT);
}

/// Below 2^-39 the oracle would need more bits; there `tanh x = x - x^3/3` decides.
#[test]
fn f64_tanh_of_tiny_arguments() {
    let mut random = Random(15);
    for _ in 0..COUNT {
        let x = random.sign() * random.magnitude(-1074, -39);
        let error = (tanh(x) - x + x * (x * x / 3.0)) / power_of_two(-52) / x.abs();
        assert!(error.abs() < 1.0 && tanh(-x) == -tanh(x), "{x:e}");
        assert_eq!(exp(x), 1.0 + x);
    }
}
