//! Zeros, infinities, NaN and the ends of the ranges.

use super::function::Function;
use agop_core::elementary::{
    exp, exp_f32, gelu, gelu_f32, ln, ln_f32, normal_density, normal_density_f32, normal_distribution,
    normal_distribution_f32, normal_quantile, sigmoid, sigmoid_f32, silu, silu_f32, softplus, softplus_f32,
    tanh, tanh_f32,
};

#[test]
fn f64_special_arguments() {
    let bits = |x: f64| x.to_bits();
    let inf = f64::INFINITY;
    for f in
        [exp, ln, tanh, normal_quantile, sigmoid, silu, softplus, normal_density, normal_distribution, gelu]
    {
        assert!(f(f64::NAN).is_nan());
    }
    assert_eq!(
        [exp(0.0), exp(-0.0), exp(inf), exp(1e308), exp(709.782_712_893_384_1)],
        [1.0, 1.0, inf, inf, inf]
    );
    assert!(exp(709.782_712_893_383_9).is_finite());
    assert_eq!([exp(-inf), exp(-1e308), exp(-745.133_219_101_941_3)].map(bits), [0; 3]);
    assert_eq!(bits(exp(-745.133_219_101_941_1)), 1);
    assert_eq!([ln(0.0), ln(-0.0), ln(inf)], [-inf, -inf, inf]);
    assert_eq!(bits(ln(1.0)), 0);
    assert!([-1.0, -inf, -f64::from_bits(1)].into_iter().all(|x| ln(x).is_nan()));
    assert_eq!([tanh(0.0), tanh(-0.0)].map(bits), [0, 1 << 63]);
    assert_eq!([tanh(inf), tanh(-inf), tanh(1e308), tanh(-23.0)], [1.0, -1.0, 1.0, -1.0]);
    assert_eq!([tanh(f64::from_bits(1)), tanh(f64::MIN_POSITIVE)], [f64::from_bits(1), f64::MIN_POSITIVE]);
    assert_eq!([normal_quantile(0.0), normal_quantile(-0.0), normal_quantile(1.0)], [-inf, -inf, inf]);
    assert_eq!(bits(normal_quantile(0.5)), 0);
    assert!([-1e-300, 1.0f64.next_up(), inf, -inf].into_iter().all(|p| normal_quantile(p).is_nan()));
    assert_eq!(normal_quantile(0.25), -normal_quantile(0.75));
    assert!(normal_quantile(f64::from_bits(1)) < -38.4);
}

#[test]
fn f32_special_arguments() {
    let inf = f32::INFINITY;
    for f in Function::ALL.map(|function| move |x| function.value(x)) {
        assert!(f(f32::NAN).is_nan() && f(-f32::NAN).is_nan() && f(f32::from_bits(0x7f80_0001)).is_nan());
    }
    assert_eq!([exp_f32(inf), exp_f32(3e38), exp_f32(88.722_84), exp_f32(-0.0)], [inf, inf, inf, 1.0]);
    assert_eq!(exp_f32(88.722_83), 3.402_798_6e38);
    assert_eq!([exp_f32(-inf), exp_f32(-3e38), exp_f32(-104.0)].map(f32::to_bits), [0; 3]);
    assert_eq!(exp_f32(-103.9).to_bits(), 1);
    assert_eq!([ln_f32(0.0), ln_f32(-0.0), ln_f32(inf)], [-inf, -inf, inf]);
    assert_eq!(ln_f32(1.0).to_bits(), 0);
    assert!([-1.0, -inf, -f32::from_bits(1)].into_iter().all(|x| ln_f32(x).is_nan()));
    assert_eq!([tanh_f32(0.0), tanh_f32(-0.0)].map(f32::to_bits), [0, 1 << 31]);
    assert_eq!([tanh_f32(inf), tanh_f32(-inf), tanh_f32(f32::from_bits(1))], [1.0, -1.0, f32::from_bits(1)]);
}

#[test]
fn f64_special_arguments_of_activations() {
    let bits = |x: f64| x.to_bits();
    let (inf, tiny) = (f64::INFINITY, f64::from_bits(1));
    assert_eq!([sigmoid(0.0), sigmoid(-0.0), sigmoid(inf), sigmoid(1e308)], [0.5, 0.5, 1.0, 1.0]);
    assert_eq!([sigmoid(-inf), softplus(-inf), normal_distribution(-inf)].map(bits), [0; 3]);
    assert_eq!([sigmoid(-1e308), softplus(-1e308), normal_distribution(-1e308)].map(bits), [0; 3]);
    assert_eq!([sigmoid(-745.133), softplus(-745.133)].map(bits), [1; 2]);
    assert_eq!([softplus(inf), softplus(1e308), softplus(-0.0)], [inf, 1e308, std::f64::consts::LN_2]);
    assert_eq!([normal_distribution(0.0), normal_distribution(inf)], [0.5, 1.0]);
    assert_eq!(bits(normal_distribution(-38.467_405_617_144_34)), 1);
    assert_eq!([normal_density(inf), normal_density(-inf), normal_density(-1e308)].map(bits), [0; 3]);
    assert_eq!(bits(normal_density(38.56)), 1);
    for unit in [silu, gelu] {
        assert_eq!(
            [unit(0.0), unit(-0.0), unit(-inf), unit(-1e308)].map(bits),
            [0, 1 << 63, 1 << 63, 1 << 63]
        );
        assert_eq!([unit(inf), unit(1e308), unit(2.0 * f64::MIN_POSITIVE)], [inf, 1e308, f64::MIN_POSITIVE]);
        assert_eq!(unit(4.0 * tiny), 2.0 * tiny);
    }
    assert_eq!([silu(-751.7), gelu(-38.56)].map(bits), [bits(-tiny); 2]);
    assert_eq!(bits(silu(-755.0)), 1 << 63);
}

/// Signed zeros, the ends, the middles of subnormal floats, and the exceptional inputs.
#[test]
fn f32_special_arguments_of_activations() {
    let (inf, tiny) = (f32::INFINITY, f32::from_bits(1));
    for function in [Function::Sigmoid, Function::Softplus, Function::Normal, Function::Density] {
        assert_eq!([function.value(-inf), function.value(-3e38)].map(f32::to_bits), [0; 2]);
    }
    assert_eq!(
        [sigmoid_f32(0.0), sigmoid_f32(-0.0), sigmoid_f32(inf), sigmoid_f32(3e38)],
        [0.5, 0.5, 1.0, 1.0]
    );
    assert_eq!([normal_distribution_f32(-0.0), normal_distribution_f32(inf)], [0.5, 1.0]);
    assert_eq!([softplus_f32(inf), softplus_f32(3e38), softplus_f32(120.0)], [inf, 3e38, 120.0]);
    assert_eq!(
        [sigmoid_f32(-103.9), softplus_f32(-103.9), normal_distribution_f32(-14.16)].map(f32::to_bits),
        [1; 3]
    );
    assert_eq!([normal_density_f32(0.0), normal_density_f32(14.3)], [0.398_942_3, f32::from_bits(1)]);
    for unit in [silu_f32, gelu_f32] {
        assert_eq!(
            [unit(0.0), unit(-0.0), unit(-inf), unit(-3e38)].map(f32::to_bits),
            [0, 1 << 31, 1 << 31, 1 << 31]
        );
        assert_eq!([unit(inf), unit(3e38), unit(1e-38)], [inf, 3e38, 0.5e-38]);
        // A little above the middle of two subnormals.
        assert_eq!(
            [unit(tiny), unit(-tiny), unit(3.0 * tiny), unit(-3.0 * tiny)],
            [tiny, -0.0, 2.0 * tiny, -tiny]
        );
    }
    // 1/2 + x/4 is the middle of two floats here, and the value a little nearer to 1/2.
    assert_eq!(sigmoid_f32(3.0 / 8_388_608.0), 0.5f32.next_up());
    assert_eq!(sigmoid_f32(-3.0 / 16_777_216.0), 0.5f32.next_down());
    for (function, x, y) in [
        (Function::Sigmoid, 0xba92_8601, 0x3eff_db5f),
        (Function::Softplus, 0x39ea_41d0, 0x3f31_80bd),
        (Function::Normal, 0x33a0_6c99, 0x3f00_0001),
        (Function::Normal, 0xb320_6c99, 0x3eff_ffff),
        (Function::Gelu, 0x37b0_a46f, 0x3730_a531),
    ] {
        let (x, y) = (f32::from_bits(x), f32::from_bits(y));
        assert_eq!(function.value(x), y, "{function:?}({x:e})");
        assert!(function.is_correct_by_oracle(x, y), "{function:?}({x:e})");
    }
}
