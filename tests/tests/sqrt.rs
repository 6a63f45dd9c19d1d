//! The software square root against the instruction: bit equality on directed and on random inputs.
//!
//! The standard library's square root is IEEE 754's on every target, by instruction or by the platform's library. The last
//! test needs neither: it compares squares as integers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_core::ieee::{software_sqrt, sqrt};
use agop_tests::SplitMix64;

const DEFAULT_RANDOM: u64 = 5_000_000;
const LONG_RANDOM: u64 = 1_000_000_000;

/// Both roots of the crate against the instruction. All NaNs count as equal.
#[track_caller]
fn same(x: f64) {
    let expected = x.sqrt();
    for found in [software_sqrt(x), sqrt(x)] {
        assert!(
            found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
            "sqrt of {:016x}: {:016x}, not {:016x}",
            x.to_bits(),
            found.to_bits(),
            expected.to_bits()
        );
    }
}

/// A float and those on both sides of it.
fn neighbourhood(x: f64) {
    (-3..=3).for_each(|step| same(f64::from_bits(x.to_bits().wrapping_add_signed(step))));
}

#[test]
fn special_values_and_every_power_of_two() {
    for x in [0.0, f64::MIN_POSITIVE, 1.0, f64::MAX, f64::INFINITY, f64::NAN] {
        same(x);
        same(-x);
    }
    for exponent in 0..=0x7ff_u64 {
        neighbourhood(f64::from_bits(exponent << 52));
    }
    // Subnormals: each power, and the first of them in a row.
    (0..52).for_each(|power| neighbourhood(f64::from_bits(1 << power)));
    (0..100_000).for_each(|bits| same(f64::from_bits(bits)));
    same(f64::from_bits(0xfff0_0000_0000_0001));
}

/// Squares of 26 bits are exact. Between the squares of two neighbours lies that of the number halfway, and there the
/// rounding turns: of 54 bits as of 27.
#[test]
fn exact_squares_and_halfway_cases() {
    let mut random = SplitMix64::new(1);
    for _ in 0..300_000 {
        let scale = f64::from_bits(((1023 + 2 * random.between(-480, 450)) as u64) << 52);
        let root = (random.bits() >> 38) as f64;
        neighbourhood(root * root * scale);
        neighbourhood(root * root);
        let halfway = u128::from(random.bits() >> 11 | 1) | 1 << 53; // 54 bits and odd
        let square = halfway * halfway; // 107 or 108 bits
        let cut = square.ilog2() - 52;
        let mantissa = (square >> cut) as u64 as f64;
        neighbourhood(mantissa * scale);
        neighbourhood(2.0 * mantissa * scale);
        neighbourhood(f64::from_bits(mantissa as u64 >> random.below(52)));
    }
}

fn random(count: u64, seed: u64) {
    let mut random = SplitMix64::new(seed);
    for _ in 0..count / 4 {
        let bits = random.bits();
        same(f64::from_bits(bits >> 1)); // any positive pattern
        same(f64::from_bits(bits >> 12 | 0x3ff << 52)); // [1, 2)
        same(f64::from_bits(bits >> 12 | 0x400 << 52)); // [2, 4)
        same(f64::from_bits((bits >> 12) >> (bits % 52))); // subnormal, of any length
    }
}

#[test]
fn random_inputs() {
    random(DEFAULT_RANDOM, 2);
}

#[test]
#[ignore = "10^9 inputs: minutes in release"]
fn many_random_inputs() {
    random(LONG_RANDOM, 3);
}

/// The definition, without another square root: for normal x the result r, as an integer of 53 bits, is nearer to the
/// root than its neighbours, `(r - 1/2)^2 < x < (r + 1/2)^2`.
#[test]
fn squares_of_the_halves_enclose() {
    let mut random = SplitMix64::new(4);
    for _ in 0..500_000 {
        let (m, even) = (random.bits() >> 12 | 1 << 52, random.below(2));
        let x = f64::from_bits(m & ((1 << 52) - 1) | (0x3ff + even) << 52);
        let root = software_sqrt(x);
        assert!((1.0..2.0).contains(&root));
        let r = u128::from(root.to_bits() & ((1 << 52) - 1) | 1 << 52);
        // x = m 2^(even - 52) and r = root 2^52: four times both sides in units of 2^-104.
        let radicand = u128::from(m) << (52 + even + 2);
        assert!((2 * r - 1).pow(2) < radicand && radicand < (2 * r + 1).pow(2), "{x:e}");
    }
}

/// Roots that are not rounded to nearest must not pass.
#[test]
fn truncated_roots_differ() {
    let mut random = SplitMix64::new(5);
    let wrong = (0..1000).filter(|_| {
        let x = f64::from_bits(random.bits() >> 12 | 0x3ff << 52);
        let r = software_sqrt(x);
        agop_core::ieee::fma_f64(r, r, -x) > 0.0 // rounded up: cut off, it would be the float below
    });
    let wrong = wrong.count();
    assert!((400..600).contains(&wrong), "{wrong} of 1000 roots were rounded up");
}
