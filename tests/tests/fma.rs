//! The software `fma` against the instruction: bit equality on directed and on random triples.
//!
//! Random bits alone almost never meet a halfway case, a cancellation or a subnormal, so most triples are built to land
//! there. All NaNs count as equal. On x86 a CPU without FMA fails the test: it must not pass without having compared.
#![allow(clippy::cast_lossless, reason = "a macro for two widths")]
#![allow(unsafe_code, reason = "the instruction is called where the processor has it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_core::ieee::{fma_f32, fma_f64, integer_fma, software_fma_f32, software_fma_f64};

const CHUNK: usize = 4096;
const DEFAULT_RANDOM: u64 = 10_000_000;
const LONG_RANDOM: u64 = 1_000_000_000;

/// SplitMix64: any seed gives a full-period stream, and a triple is a pure function of it.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform enough in `low..=high` for a test.
    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() >> 1) as i64 % (high - low + 1)
    }
}

/// The instruction itself, whatever the test was compiled for.
mod hardware {
    use super::CHUNK;

    macro_rules! chunk {
        ($name:ident, $inner:ident, $float:ty, $set:ident, $fused:ident, $get:ident, $always:path) => {
            pub(super) fn $name(triples: &[[$float; 3]; CHUNK], out: &mut [$float; CHUNK]) {
                #[cfg(target_arch = "x86_64")]
                {
                    use std::arch::x86_64::{$fused, $get, $set};
                    #[target_feature(enable = "fma")]
                    fn $inner(triples: &[[$float; 3]; CHUNK], out: &mut [$float; CHUNK]) {
                        for (&[a, b, c], out) in triples.iter().zip(out) {
                            *out = $get($fused($set(a), $set(b), $set(c)));
                        }
                    }
                    assert!(
                        is_x86_feature_detected!("fma"),
                        "this CPU has no FMA: nothing would be compared"
                    );
                    // SAFETY: the CPU has the feature, as just asserted.
                    unsafe { $inner(triples, out) }
                }
                // AArch64 and hard-float RISC-V: the compile target promises the instruction, so the crate uses it.
                // On a target without one this compares the software with itself, and only the literals below count.
                #[cfg(not(target_arch = "x86_64"))]
                for (&[a, b, c], out) in triples.iter().zip(out) {
                    *out = $always(a, b, c);
                }
            }
        };
    }
    chunk!(f32s, inner, f32, _mm_set_ss, _mm_fmadd_ss, _mm_cvtss_f32, agop_core::ieee::fma_f32);
    chunk!(f64s, inner, f64, _mm_set_sd, _mm_fmadd_sd, _mm_cvtsd_f64, agop_core::ieee::fma_f64);
}

/// One suite a type: `$fraction` bits of fraction, `$max` the largest biased exponent (that of infinity).
macro_rules! suite {
    ($name:ident, $float:ident, $bits:ty, $fraction:expr, $max:expr, $hardware:path, $software:path, $public:path) => {
        mod $name {
            use super::{CHUNK, Random};

            const BIAS: i64 = $max / 2;

            fn build(sign: u64, exponent: i64, fraction: u64) -> $float {
                let exponent = exponent.clamp(0, $max - 1) as $bits;
                let fraction = fraction as $bits & ((1 << $fraction) - 1);
                let sign = ((sign & 1) as $bits) << (<$bits>::BITS - 1);
                $float::from_bits(sign | exponent << $fraction | fraction)
            }

            /// Fractions with few ones, few zeros or ones at both ends: their products meet ties often.
            fn sparse(random: &mut Random) -> u64 {
                let bit = |random: &mut Random| 1u64 << random.between(0, $fraction - 1);
                let few = bit(random) | (bit(random) & random.next()) | (random.next() & 1);
                if random.next() & 1 == 0 { few } else { !few }
            }

            /// One triple of one of eight kinds.
            fn triple(random: &mut Random) -> [$float; 3] {
                let kind = random.next() & 7;
                let (ra, rb, rc) = (random.next(), random.next(), random.next());
                let exponent = |random: &mut Random| random.between(0, $max - 1);
                let ea = exponent(random);
                match kind {
                    0 => [
                        $float::from_bits((ra >> 7) as $bits),
                        $float::from_bits((rb >> 7) as $bits),
                        $float::from_bits((rc >> 7) as $bits),
                    ],
                    // c close to -a b: cancellation down to the last bits of the product.
                    1 | 2 => {
                        let eb = exponent(random);
                        let (fa, fb) = if kind == 1 { (ra, rb) } else { (sparse(random), sparse(random)) };
                        let (a, b) = (build(ra >> 63, ea, fa), build(rb >> 63, eb, fb));
                        let c = ((-(a * b)).to_bits() as i64).wrapping_add(random.between(-3, 3));
                        [a, b, $float::from_bits(c as $bits)]
                    }
                    // c within a few more than 2 p binades of the product: every alignment of the three terms.
                    3 | 4 => {
                        let eb = exponent(random);
                        let ec = ea + eb - BIAS + random.between(-2 * $fraction - 6, 2 * $fraction + 6);
                        if kind == 3 {
                            [build(ra >> 63, ea, ra), build(rb >> 63, eb, rb), build(rc >> 63, ec, rc)]
                        } else {
                            let (fa, fb, fc) = (sparse(random), sparse(random), sparse(random));
                            [build(ra >> 63, ea, fa), build(rb >> 63, eb, fb), build(rc >> 63, ec, fc)]
                        }
                    }
                    // The product about the smallest subnormal, c at the small end too or zero.
                    5 | 6 => {
                        let eb = BIAS - ea + random.between(-$fraction - 6, $fraction + 6);
                        let ec = random.between(0, 3 + (rc as i64 & $fraction));
                        let (fa, fb) = if kind == 5 { (ra, rb) } else { (sparse(random), sparse(random)) };
                        let fc = rc & (random.next() | random.next().wrapping_shr(rc as u32 & 63));
                        [build(ra >> 63, ea, fa), build(rb >> 63, eb, fb), build(rc >> 63, ec * (rc as i64 >> 7 & 1), fc)]
                    }
                    // The result about the largest finite number.
                    _ => {
                        let eb = $max - 1 + BIAS - ea + random.between(-2, 1);
                        let ec = $max - 1 - random.between(0, 2) * random.between(0, 2 * $fraction + 2);
                        let (fa, fb) = if ra & 1 == 0 { (ra, rb) } else { (sparse(random), sparse(random)) };
                        [build(ra >> 63, ea, fa), build(rb >> 63, eb, fb), build(rc >> 63, ec, rc | rb)]
                    }
                }
            }

            fn same(x: $float, y: $float) -> bool {
                x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan())
            }

            fn compare(triples: &[[$float; 3]; CHUNK]) {
                let mut expected = [0.0; CHUNK];
                $hardware(triples, &mut expected);
                for (&[a, b, c], &expected) in triples.iter().zip(&expected) {
                    let found = $software(a, b, c);
                    assert!(
                        same(found, expected) && same($public(a, b, c), expected),
                        "fma({a:e}, {b:e}, {c:e}) = fma({:#x}, {:#x}, {:#x}): software {:#x}, instruction {:#x}",
                        a.to_bits(), b.to_bits(), c.to_bits(), found.to_bits(), expected.to_bits()
                    );
                }
            }

            fn random(seed: u64, count: u64) {
                let mut random = Random(seed);
                let mut triples = [[0.0; 3]; CHUNK];
                for _ in 0..count.div_ceil(CHUNK as u64) {
                    triples.fill_with(|| triple(&mut random));
                    compare(&triples);
                }
            }

            /// Zeros, the subnormal and normal ends, ties, one and its neighbours, near overflow, infinity, NaN.
            fn specials() -> Vec<$float> {
                let one: $bits = (BIAS as $bits) << $fraction;
                let least_normal: $bits = 1 << $fraction;
                let infinity = $float::INFINITY.to_bits();
                let half = (BIAS as $bits - 1) << $fraction;
                let tie = (BIAS as $bits - $fraction - 1) << $fraction; // half an ulp of one
                let root = (BIAS as $bits / 2) << $fraction; // its square is the least normal number, or near it
                let mut bits = vec![0, 1, 2, 3, 1 << ($fraction / 2), infinity, $float::NAN.to_bits()];
                for center in [least_normal, least_normal / 2, one, half, tie, root, 2 * one - root, infinity - least_normal] {
                    bits.extend([center - 1, center, center + 1, center | least_normal / 2]);
                }
                bits.extend([infinity - 1, infinity - 2, one + 3, one + least_normal - 1, least_normal + 1]);
                // The smallest subnormal is tie^k of something: powers that land a product on and about half of it.
                bits.extend([(BIAS as $bits - 2) << $fraction, 3 << $fraction, ($fraction as $bits + 1) << $fraction]);
                bits.into_iter().flat_map(|b| [$float::from_bits(b), -$float::from_bits(b)]).collect()
            }

            #[test]
            fn every_combination_of_special_values() {
                let specials = specials();
                let mut triples = [[0.0; 3]; CHUNK];
                let mut filled = 0;
                for &a in &specials {
                    for &b in &specials {
                        let product = a * b;
                        let about = [product.to_bits(), product.to_bits().wrapping_add(1), product.to_bits().wrapping_sub(1)];
                        let near = about.into_iter().flat_map(|b| [$float::from_bits(b), -$float::from_bits(b)]);
                        for c in specials.iter().copied().chain(near) {
                            triples[filled] = [a, b, c];
                            filled = (filled + 1) % CHUNK;
                            if filled == 0 {
                                compare(&triples);
                            }
                        }
                    }
                }
                compare(&triples); // the last ones, and some of the chunk before again
            }

            #[test]
            fn random_triples() {
                random(1, super::DEFAULT_RANDOM);
            }

            #[test]
            #[ignore = "10^9 triples: a minute in release on two cores"]
            fn a_thousand_million_random_triples() {
                std::thread::scope(|scope| {
                    for seed in [2, 3] {
                        scope.spawn(move || random(seed << 40, super::LONG_RANDOM / 2));
                    }
                });
            }

            /// The generator does meet what it is built for: subnormal, infinite and zero results, and triples on
            /// which rounding twice shows.
            #[test]
            fn the_random_triples_are_hard() {
                let mut random = Random(1);
                let (mut subnormal, mut infinite, mut cancelled, mut twice) = (0, 0, 0, 0);
                for _ in 0..100_000 {
                    let [a, b, c] = triple(&mut random);
                    let result = $software(a, b, c);
                    subnormal += u32::from(result.is_subnormal());
                    infinite += u32::from(result.is_infinite() && a.is_finite() && b.is_finite() && c.is_finite());
                    cancelled += u32::from(result == 0.0 && c != 0.0);
                    twice += u32::from(!same(result, a * b + c));
                }
                assert!(subnormal > 1000 && infinite > 1000 && cancelled > 20 && twice > 10_000,
                    "{subnormal} {infinite} {cancelled} {twice}");
            }
        }
    };
}

suite!(binary32, f32, u32, 23, 255, crate::hardware::f32s, crate::software_fma_f32, crate::fma_f32);
suite!(binary64, f64, u64, 52, 2047, crate::hardware::f64s, crate::software_fma_f64, crate::fma_f64);
// What machines without f64 in hardware take for everything, and all others for extreme operands.
suite!(binary64_integers, f64, u64, 52, 2047, crate::hardware::f64s, crate::integer_fma, crate::fma_f64);

/// Results known without any machine, so that a target without the instruction is checked too.
#[test]
fn literal_results() {
    let e32 = f32::EPSILON;
    assert_eq!(software_fma_f32(1.0 + e32, 1.0 - e32, -1.0), -(e32 * e32));
    let e64 = f64::EPSILON;
    assert_eq!(software_fma_f64(1.0 + e64, 1.0 - e64, -1.0), -(e64 * e64));
    for (a, b, c, bits) in [
        (1.0, -1.0, 1.0, 0),                                        // exact cancellation is +0
        (-0.0, 1.0, -0.0, 1 << 63),                                 // -0 + -0
        (0.0, 1.0, -0.0, 0),                                        // +0 + -0
        (-f64::MIN_POSITIVE, f64::MIN_POSITIVE, 0.0, 1 << 63),      // underflow keeps the sign of the product
        (f64::from_bits(1), 0.5, 0.0, 0), // half of the smallest subnormal: tie to even
        (f64::from_bits(3), 0.5, 0.0, 2), // 1.5 of it: tie to even
        (f64::from_bits(1), 0.5, f64::MIN_POSITIVE * e64 * e64, 0), // the addend underflowed before the call
        (f64::from_bits(1), -0.5, f64::from_bits(1), 0), // half of it again, as a difference
        (f64::MAX, 1.0, f64::MAX * e64 / 4.0, f64::MAX.to_bits()), // just under the tie at overflow
        (f64::MAX, 1.0, f64::from_bits(0x7c9 << 52), f64::INFINITY.to_bits()), // the tie itself, 2^970
        (f64::MAX, 2.0, -f64::MAX, f64::MAX.to_bits()), // no overflow in between
        (f64::INFINITY, 1.0, f64::MAX, f64::INFINITY.to_bits()),
        (f64::MAX, 2.0, f64::NEG_INFINITY, f64::NEG_INFINITY.to_bits()), // a finite product, not inf - inf
    ] {
        assert_eq!(software_fma_f64(a, b, c).to_bits(), bits, "fma({a:e}, {b:e}, {c:e})");
    }
    assert!(software_fma_f64(0.0, f64::INFINITY, 1.0).is_nan());
    assert!(software_fma_f64(f64::INFINITY, 1.0, f64::NEG_INFINITY).is_nan());
    assert!(software_fma_f32(0.0, f32::INFINITY, 1.0).is_nan());
    assert_eq!(software_fma_f32(-1e-30, 1e-30, 0.0).to_bits(), 1 << 31);
    assert_eq!(software_fma_f32(f32::MAX, 2.0, -f32::MAX), f32::MAX);
}

/// Negative control: the step to odd and the single rounding are both needed.
#[test]
fn rounding_twice_differs() {
    // a b + c lies 2^-70 below the middle of two floats; in f64 it falls on the middle, and the tie goes up.
    let (a, b, c) = (f32::from_bits(0x3f80_0001), f32::from_bits(0x337f_fffe), f32::from_bits(0x3f80_0001));
    let through_f64 = (f64::from(a) * f64::from(b) + f64::from(c)) as f32;
    assert_eq!(software_fma_f32(a, b, c).to_bits(), 0x3f80_0001);
    assert_eq!(through_f64.to_bits(), 0x3f80_0002);

    let (a, b, c) = (1.0 + f64::EPSILON, 1.0 + f64::EPSILON, -1.0 - 2.0 * f64::EPSILON);
    assert_eq!(a * b + c, 0.0);
    assert_eq!(software_fma_f64(a, b, c), f64::EPSILON * f64::EPSILON);
}
