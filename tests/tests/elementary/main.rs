//! The elementary functions against integer arithmetic: error bounds in `f64`, correct rounding in `f32`.
//!
//! Two independent computations stand behind it. The *oracle* works on big integers (fixed point, 240 bits and more)
//! and answers with the difference between the true value and a given double. The *pairs* are sums of two doubles with
//! a proven error near 2^-58, fast enough for all 2^32 inputs; where a pair cannot decide, the oracle does.
#![allow(unreachable_pub, reason = "a test has no users")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_core::elementary::{
    exp, exp_f32, gelu, gelu_f32, ln, ln_f32, normal_density, normal_density_f32, normal_distribution,
    normal_distribution_f32, normal_quantile, sigmoid, sigmoid_f32, silu, silu_f32, softplus, softplus_f32,
    tanh, tanh_f32,
};
use function::Function;
use sha2::{Digest, Sha256};
use std::sync::atomic::AtomicU32;

mod derivatives;
mod function;
mod oracle;
mod pairs;

/// `2^n`, exact down to the smallest subnormal.
fn power_of_two(n: i64) -> f64 {
    if n >= -1022 { f64::from_bits(((1023 + n) as u64) << 52) } else { f64::from_bits(1 << (n + 1074)) }
}

fn canonical(y: f32) -> u32 {
    if y.is_nan() { f32::NAN.to_bits() } else { y.to_bits() }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `[0, 1)`.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `2^low ..= 2^high` evenly in the exponent.
    fn magnitude(&mut self, low: i64, high: i64) -> f64 {
        let exponent = low + (self.next() % (high - low) as u64) as i64;
        (1.0 + self.unit()) * power_of_two(exponent)
    }

    fn sign(&mut self) -> f64 {
        if self.next() & 1 == 0 { 1.0 } else { -1.0 }
    }
}

/// The largest error in ulp of the result, and where.
fn worst(inputs: impl Iterator<Item = f64>, error: impl Fn(f64) -> f64) -> (f64, f64) {
    inputs.map(|x| (error(x).abs(), x)).fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
}

/// `count` inputs, and around each of `centers` the sixteen doubles nearest to it.
fn inputs(count: usize, centers: &[f64], mut random: impl FnMut() -> f64) -> Vec<f64> {
    let mut inputs: Vec<f64> = (0..count).map(|_| random()).collect();
    for &center in centers {
        for step in -8..8 {
            inputs.push(f64::from_bits((center.to_bits() as i64 + step) as u64));
        }
    }
    inputs
}

const COUNT: usize = 20_000;

fn exp_inputs(count: usize) -> Vec<f64> {
    let mut random = Random(11);
    inputs(
        count,
        &[1e-300, 1e-17, 1.0, -1.0, 0.346_573_6, -0.346_573_6, 709.782, -708.396_4, -744.5, -745.13],
        || {
            match random.next() % 4 {
                0 => random.sign() * random.magnitude(-60, 9),
                1 => random.sign() * random.unit(),
                2 => -708.0 - 37.0 * random.unit(), // subnormal results
                _ => 1454.0 * random.unit() - 744.5,
            }
        },
    )
}

fn ln_inputs(count: usize) -> Vec<f64> {
    let mut random = Random(12);
    let centers = [f64::MIN_POSITIVE, f64::MAX.next_down() / 2.0, 0.5f64.sqrt(), 2f64.sqrt(), 2.0, 1e-310];
    let mut inputs = inputs(count, &centers, || match random.next() % 4 {
        0 => random.magnitude(-1074, 1023),
        1 => 0.5 + random.unit(),
        2 => 1.0 + random.sign() * random.magnitude(-52, -1),
        _ => 0.1 + 10.0 * random.unit(),
    });
    inputs.retain(|&x| x != 1.0);
    inputs
}

fn tanh_inputs(count: usize) -> Vec<f64> {
    let mut random = Random(13);
    inputs(
        count,
        &[0.35, 0.519_860_4, 0.866_434, 22.0, 1.0, 19.06, power_of_two(-30), power_of_two(-39)],
        || match random.next() % 4 {
            0 => random.sign() * random.magnitude(-39, 4),
            1 => random.sign() * random.unit(),
            2 => 0.9 * random.unit(),
            _ => 23.0 * random.unit(),
        },
    )
}

/// Around zero, where the logistic functions are not yet their asymptotes, and far below, where results are subnormal.
fn logistic_inputs(count: usize) -> Vec<f64> {
    let mut random = Random(17);
    let centers = [1e-17, -1e-17, 40.0, -40.0, 0.346_573_6, -0.346_573_6, 0.881_373_6, -0.881_373_6, -700.0];
    inputs(count, &centers, || match random.next() % 8 {
        0 => random.sign() * random.magnitude(-60, 5),
        1 | 2 => random.sign() * random.unit(),
        3 if random.next().is_multiple_of(8) => -40.0 - 720.0 * random.unit(),
        4 if random.next().is_multiple_of(8) => -690.0 - 60.0 * random.unit(),
        _ => 45.0 * random.sign() * random.unit(),
    })
}

/// Up to where `Phi` is one, and down to where it is subnormal.
fn normal_inputs(count: usize) -> Vec<f64> {
    let mut random = Random(18);
    let centers = [1e-17, -1e-17, 1.0, -1.0, 8.3, -37.0, -38.4, -38.6];
    inputs(count, &centers, || match random.next() % 8 {
        0 => random.sign() * random.magnitude(-60, 3),
        1 => -39.0 * random.unit(),
        2 if random.next().is_multiple_of(8) => -37.0 - 1.6 * random.unit(),
        3..=5 => random.sign() * random.unit(),
        _ => 10.0 * random.sign() * random.unit(),
    })
}

fn quantile_inputs(count: usize) -> Vec<f64> {
    let mut random = Random(14);
    inputs(count, &[0.075, 0.425, 0.925, 1.388_794_386_496_402e-11, 1e-3, 0.25, 0.75], || {
        match random.next() % 8 {
            0 => random.magnitude(-100, -1),
            1 => 0.5 + random.sign() * random.magnitude(-53, -2),
            2 if random.next().is_multiple_of(8) => random.magnitude(-1074, -100),
            _ => random.unit() + f64::MIN_POSITIVE,
        }
    })
}

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

/// Random inputs decided by the oracle alone; the pairs must agree, and both must refuse the neighbours of the answer.
#[test]
fn f32_rounding_by_the_oracle_and_by_pairs() {
    let tables = pairs::Tables::new();
    let mut random = Random(16);
    for function in Function::ALL {
        let undecided = AtomicU32::new(0);
        for _ in 0..COUNT / 2 {
            let low = if matches!(function, Function::Ln) { -149 } else { -30 };
            let high = if matches!(function, Function::Ln) { 127 } else { 7 };
            let sign = if matches!(function, Function::Ln) { 1.0 } else { random.sign() };
            let x = (sign * random.magnitude(low, high)) as f32;
            let y = function.value(x);
            assert!(function.is_correct_by_oracle(x, y), "{function:?}({x:e}) = {y:e}");
            for wrong in [y.next_up(), y.next_down()].into_iter().filter(|&wrong| wrong != y) {
                assert!(!function.is_correct_by_oracle(x, wrong), "{function:?}({x:e}) is not {wrong:e}");
                assert!(
                    !function.is_correct(&tables, x, wrong, &undecided),
                    "{function:?}({x:e}) is not {wrong:e}"
                );
            }
            assert!(function.is_correct(&tables, x, y, &undecided));
        }
        assert_eq!(undecided.into_inner(), 0);
    }
}

/// A million inputs of each `f32` function, one in 4099: decided by pairs, and their bits fixed for good.
#[test]
fn f32_strided_inputs() {
    let tables = pairs::Tables::new();
    for (function, expected) in [
        (Function::Exp, "8092cc4a8e0e78319d2c647bb4fbc6070ab988d6a1daddeaafd72523668225d0"),
        (Function::Ln, "97defe6ca2cbff78a070919e56e30a6afb70ae899104c70c26bc8bdd39cfbf6f"),
        (Function::Tanh, "9f0f15aedb3e174c65646a1da79418551a181c0f8972ac97e2875bced6814144"),
        (Function::Sigmoid, "d77519131ae261276006261e44cbd46b1b44e1326cc026e1733afbb6df80afd4"),
        (Function::Silu, "c705a1d6905e75952087bf6e445e985144165c2dfa964c7e41a4408774e35e27"),
        (Function::Softplus, "4eebf590aa064372b9bb2423ec64902697249d2d6e52294e1bd3e409eca0e4c5"),
        (Function::Normal, "202aeb44a4a8a5b1ec9f9f4802334966530e4d72f3087cecfcc2e17e8037fef1"),
        (Function::Density, "8c8ee0944ddddf34a05a3fdbc17994f232cf7f63007814e073af8cb064af6d1c"),
        (Function::Gelu, "6c43813927e9b6bbc75596537fb7de1667f25b71b59922270bbcf6b2580f1319"),
    ] {
        let undecided = AtomicU32::new(0);
        let mut hash = Sha256::new();
        for bits in (0..=u32::MAX).step_by(4099) {
            let x = f32::from_bits(bits);
            let y = function.value(x);
            assert!(function.is_correct(&tables, x, y, &undecided), "{function:?}({x:e}) = {y:e}");
            hash.update(canonical(y).to_le_bytes());
        }
        assert_eq!(hex(hash), expected, "{function:?}");
    }
}

/// The bits of the `f64` functions are part of the contract, within the error bound they happen to have.
#[test]
fn f64_bits_are_fixed() {
    let hash = |inputs: Vec<f64>, f: fn(f64) -> f64| {
        let mut hash = Sha256::new();
        for x in inputs {
            hash.update(f(x).to_le_bytes());
        }
        hex(hash)
    };
    assert_eq!(
        hash(exp_inputs(COUNT), exp),
        "76a90f94771e87fcc57228f23d45667f24d4ee1255c095d6698be5e79d0c1af7"
    );
    assert_eq!(
        hash(ln_inputs(COUNT), ln),
        "38110592ea4ac2670281bd94809858dc0178e38092e8ff316a6e3bfe7ad75b96"
    );
    assert_eq!(
        hash(tanh_inputs(COUNT), tanh),
        "d39c2bf268130f42523469e7bdfc6a8d17973b0c6473452e1e2f7e219905fca1"
    );
    assert_eq!(
        hash(quantile_inputs(COUNT), normal_quantile),
        "e4fee27bfff5137eef7ef1b41e567e5ef6be9e05d0c07217074ef8aac332f532"
    );
    for (name, inputs, f, expected) in [
        (
            "sigmoid",
            logistic_inputs(COUNT),
            sigmoid as fn(f64) -> f64,
            "90f3f8e7b081817878ec0cf0e5e930f6cd5c8d0754808ad6cc2a36a3b26f51e0",
        ),
        (
            "silu",
            logistic_inputs(COUNT),
            silu,
            "912be8285b76bdbc9a5d4410c521a2df71144db59f8570d0647bd467888f9a4e",
        ),
        (
            "softplus",
            logistic_inputs(COUNT),
            softplus,
            "a931b6e31e488d7ecda31eb09ab7f7110f110d7f532861b3253d5da41e887cc2",
        ),
        (
            "normal_distribution",
            normal_inputs(COUNT),
            normal_distribution,
            "f29e5f0fc0abf689f61400f2a1dce52069da467c59fe5acfa288adea49b1c255",
        ),
        (
            "normal_density",
            normal_inputs(COUNT),
            normal_density,
            "a833375fe2997fc32cb0ce4ab3464d5324a0e95917372f105c129b3bee4bf099",
        ),
        (
            "gelu",
            normal_inputs(COUNT),
            gelu,
            "c7ac71f697830e4a3a283a7c1b19dfda9b9610d6cb1b4ef021106e076c88bd59",
        ),
    ] {
        assert_eq!(hash(inputs, f), expected, "{name}");
    }
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn exp_f32_is_correctly_rounded_everywhere() {
    Function::Exp.prove("1504410ca3d7087583f44605a63b2cfaf40cc4361f0ec7e01d7fec2226e33032");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn ln_f32_is_correctly_rounded_everywhere() {
    Function::Ln.prove("9eb582fd2aec8732471af4682596576421a25cc31870e886cbd2244753656163");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn tanh_f32_is_correctly_rounded_everywhere() {
    Function::Tanh.prove("fd247bbd38c4e8d7a737c2012e3a60213528dd4a78fde67bea45c74db055b42a");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn sigmoid_f32_is_correctly_rounded_everywhere() {
    Function::Sigmoid.prove("d5af640a21b0126dff360d938af392b96eb21a17a01754ec237ea9d18f87d16d");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn silu_f32_is_correctly_rounded_everywhere() {
    Function::Silu.prove("4321d7902812f0dd159546445be9dc19e4511d0ceef0826e502e132d8181d5f2");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn softplus_f32_is_correctly_rounded_everywhere() {
    Function::Softplus.prove("919d7a9410f19d67a3c8683176b37418ef605d7769d05004d61ef2164ee67e02");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn normal_distribution_f32_is_correctly_rounded_everywhere() {
    Function::Normal.prove("c3366fb5b168c2264fc712da647473900fd5eef202a2edb488145f5577606463");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn gelu_f32_is_correctly_rounded_everywhere() {
    Function::Gelu.prove("ab5383036a666f56ea025daa79dabf9c8ad36dffd72a946b20d94e2331f456cb");
}

#[test]
#[ignore = "all 2^32 inputs: minutes in release on two cores"]
fn normal_density_f32_is_correctly_rounded_everywhere() {
    Function::Density.prove("ad592ccaa92dfa780d36fa83a4f3f25779ffb983ae002046cb91cf780a742a95");
}
