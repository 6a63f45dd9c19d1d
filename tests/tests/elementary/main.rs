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

mod bounds;
mod derivatives;
mod function;
mod oracle;
mod pairs;
mod rounding;
mod specials;

use agop_core::elementary::{
    exp, gelu, ln, normal_density, normal_distribution, normal_quantile, sigmoid, silu, softplus, tanh,
};
use sha2::{Digest, Sha256};

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
