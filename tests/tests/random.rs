//! Random numbers: the cipher against another implementation, the distributions against their definitions.
//!
//! The seeds are fixed, so every statistical bound either holds for ever or never; the bounds are four standard
//! deviations, and beside each stands a distribution that it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_core::elementary::{exp, normal_quantile};
use agop_core::error::Error;
use agop_core::network::{Initializer, Shape};
use agop_core::random::{Purpose, Stream};
use agop_tests::SplitMix64;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

const PURPOSES: [Purpose; 8] = [
    Purpose::Parameters,
    Purpose::TrainInputs,
    Purpose::TestInputs,
    Purpose::TrainLabels,
    Purpose::TestLabels,
    Purpose::Shuffle,
    Purpose::Split,
    Purpose::Trial,
];

fn oracle(seed: u64, purpose: Purpose, index: u32) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream((purpose as u64) << 32 | u64::from(index));
    rng
}

#[test]
fn the_cipher_is_chacha8_word_for_word() {
    for seed in [0, 1, 42, 0xffff_ffff, 1 << 32, 0x0123_4567_89ab_cdef, u64::MAX] {
        for purpose in PURPOSES {
            for index in [0, 1, 7, u32::MAX] {
                let (mut found, mut expected) =
                    (Stream::new(seed, purpose, index), oracle(seed, purpose, index));
                for word in 0..200 {
                    let place = format!("word {word} of ({seed:#x}, {purpose:?}, {index})");
                    assert_eq!(found.next_u32(), expected.next_u32(), "{place}");
                }
                // Two words make 64 bits, the low one first; an odd position included.
                for _ in 0..3 {
                    let (low, high) = (u64::from(expected.next_u32()), u64::from(expected.next_u32()));
                    assert_eq!(found.next_u64(), low | high << 32);
                    assert_eq!(found.next_u32(), expected.next_u32());
                }
            }
        }
    }
    // Far enough for the counter to pass 2^12 blocks.
    let (mut found, mut expected) = (Stream::new(5, Purpose::Trial, 3), oracle(5, Purpose::Trial, 3));
    for _ in 0..100_000 {
        assert_eq!(found.next_u32(), expected.next_u32());
    }
    // Negative control: the neighbouring stream is another one.
    let (mut found, mut other) = (Stream::new(5, Purpose::Trial, 3), oracle(5, Purpose::Trial, 4));
    assert_ne!(found.next_u64(), other.next_u64());
}

#[test]
fn streams_share_no_words() {
    let mut seen = std::collections::HashSet::new();
    let mut count = 0;
    for seed in [0, 1, 2, 1 << 32] {
        for purpose in PURPOSES {
            for index in 0..3 {
                let mut stream = Stream::new(seed, purpose, index);
                for _ in 0..64 {
                    seen.insert(stream.next_u64());
                    count += 1;
                }
            }
        }
    }
    assert_eq!(seen.len(), count, "two streams have a word in common");
}

#[test]
fn uniforms_are_half_integers_over_2_to_the_52() {
    let (mut found, mut words) = (Stream::new(9, Purpose::Trial, 0), Stream::new(9, Purpose::Trial, 0));
    let unit = 1.0 / (1_u64 << 52) as f64;
    for _ in 0..1_000_000 {
        let (u, k) = (found.uniform(), words.next_u64() >> 12);
        assert!(u > 0.0 && u < 1.0);
        // Both factors and the product are exact in f64: 2k + 1 has at most 53 bits.
        assert_eq!(u.to_bits(), ((2 * k + 1) as f64 * (unit / 2.0)).to_bits());
        assert_eq!(((u / unit - 0.5) as u64, (u / unit).fract()), (k, 0.5));
    }
    // The ends of the range, by the same formula: neither 0 nor 1, symmetric, and finite as normals.
    let of = |k: u64| (k as f64 + 0.5) * f64::EPSILON;
    let (least, most) = (of(0), of((1 << 52) - 1));
    assert!(least > 0.0 && most < 1.0);
    assert_eq!((least, most), (unit / 2.0, 1.0 - unit / 2.0));
    let (low, high) = (normal_quantile(least), normal_quantile(most));
    assert!(low == -high && high > 8.2 && high < 8.3, "{low} {high}");
}

/// The distribution function of the standard normal: `1/2 + density(x) sum_k x^(2k+1) / (1 3 5 ... (2k+1))`.
fn normal_distribution(x: f64) -> f64 {
    const ROOT_OF_TAU: f64 = 2.506_628_274_631_000_2;
    let (mut term, mut sum, mut k) = (x, 0.0, 1.0);
    while term.abs() > 1e-18 {
        sum += term;
        k += 2.0;
        term *= x * x / k;
    }
    0.5 + sum * exp(-0.5 * x * x) / ROOT_OF_TAU
}

struct Statistics {
    mean: f64,
    variance: f64,
    third: f64,
    fourth: f64,
    /// `sqrt(n)` times the largest distance from the normal distribution function.
    kolmogorov_smirnov: f64,
}

fn statistics(mut draws: Vec<f64>) -> Statistics {
    let n = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n;
    let moment = |power: usize| {
        let term = |x: &f64| (0..power).fold(1.0, |product, _| product * (x - mean));
        draws.iter().map(term).sum::<f64>() / n
    };
    let (variance, third, fourth) = (moment(2), moment(3), moment(4));
    draws.sort_unstable_by(f64::total_cmp);
    let mut distance = 0.0_f64;
    for (rank, x) in draws.iter().enumerate() {
        let expected = normal_distribution(*x);
        for d in [expected - rank as f64 / n, (rank + 1) as f64 / n - expected] {
            distance = if d > distance { d } else { distance };
        }
    }
    Statistics { mean, variance, third, fourth, kolmogorov_smirnov: distance * n.sqrt() }
}

/// Four standard deviations of each estimate for normal draws; 1.95 is exceeded by one sample in a thousand.
fn is_normal(s: &Statistics, n: f64) -> bool {
    let within = |error: f64, variance: f64| error.abs() < 4.0 * (variance / n).sqrt();
    within(s.mean, 1.0)
        && within(s.variance - 1.0, 2.0)
        && within(s.third, 6.0)
        && within(s.fourth - 3.0, 96.0)
        && s.kolmogorov_smirnov < 1.95
}

#[test]
fn normals_are_normal() {
    const N: usize = 1_000_000;
    assert!((normal_distribution(1.0) - 0.841_344_746_068_542_9).abs() < 1e-15);
    assert!((normal_distribution(-3.0) - 0.001_349_898_031_630_094_6).abs() < 1e-15);
    let mut stream = Stream::new(2024, Purpose::Trial, 0);
    let draws: Vec<f64> = (0..N).map(|_| stream.normal()).collect();
    assert!(draws.iter().all(|x| x.abs() < 8.3));
    let beyond = draws.iter().filter(|x| x.abs() > 3.0).count() as f64;
    assert!((beyond - 2699.8).abs() < 4.0 * 2699.8_f64.sqrt(), "{beyond} draws beyond three deviations");
    // Neighbouring draws are not correlated.
    let pairs = draws.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / N as f64;
    assert!(pairs.abs() < 4e-3, "{pairs}");
    let s = statistics(draws);
    let line = format!(
        "mean {:.5}, variance {:.5}, third {:.5}, fourth {:.5}, sqrt(n) D {:.3}",
        s.mean, s.variance, s.third, s.fourth, s.kolmogorov_smirnov
    );
    println!("{line}");
    assert!(is_normal(&s, N as f64), "{line}");
    // Negative controls: a sum of twelve uniforms, and a scale that is off by half a percent.
    let mut rng = SplitMix64::new(1);
    assert!(!is_normal(&statistics(rng.normals(N)), N as f64), "a sum of uniforms passes for normal");
    let scaled = (0..N).map(|_| stream.normal() * 1.005).collect();
    assert!(!is_normal(&statistics(scaled), N as f64), "a wrong scale passes for normal");
}

#[test]
fn filling_rounds_each_draw_once() {
    let (mut f32s, mut f64s) = (vec![0.0_f32; 1000], vec![0.0_f64; 1000]);
    Stream::new(3, Purpose::TrainInputs, 1).fill_normal(&mut f32s);
    Stream::new(3, Purpose::TrainInputs, 1).fill_normal(&mut f64s);
    let mut stream = Stream::new(3, Purpose::TrainInputs, 1);
    for (single, double) in f32s.iter().zip(&f64s) {
        assert_eq!(double.to_bits(), stream.normal().to_bits());
        assert_eq!(single.to_bits(), (*double as f32).to_bits());
    }
}

#[test]
fn below_is_a_multiplication() {
    let (mut found, mut words) = (Stream::new(4, Purpose::Split, 0), Stream::new(4, Purpose::Split, 0));
    for bound in [0, 1, 2, 3, 10, 1000, (1 << 32) + 1, u64::MAX] {
        for _ in 0..100 {
            let value = found.below(bound);
            assert_eq!(value, ((u128::from(words.next_u64()) * u128::from(bound)) >> 64) as u64);
            assert!(value < bound || (bound == 0 && value == 0));
        }
    }
}

#[test]
fn shuffles_are_permutations_and_uniform() {
    for length in [0, 1, 2, 3, 100, 1000] {
        let mut items: Vec<u32> = (0..length).collect();
        let mut stream = Stream::new(11, Purpose::Shuffle, length);
        stream.shuffle(&mut items);
        // The definition: from the last item down, each changes places with one at or before it.
        let mut expected: Vec<u32> = (0..length).collect();
        let mut draws = Stream::new(11, Purpose::Shuffle, length);
        for last in (1..length as usize).rev() {
            expected.swap(last, draws.below(last as u64 + 1) as usize);
        }
        assert_eq!(items, expected);
        assert_eq!(stream.next_u64(), draws.next_u64(), "a fixed number of draws");
        assert!(length < 100 || items.iter().enumerate().any(|(at, item)| at as u32 != *item));
        items.sort_unstable();
        assert!(items.into_iter().eq(0..length), "not a permutation");
    }
    // All 24 orders of four items equally often: chi squared with 23 degrees of freedom is above 49.7 once in a thousand.
    let chi_squared = |shuffle: &mut dyn FnMut(&mut [u8; 4])| {
        let mut counts = std::collections::HashMap::new();
        for _ in 0..240_000 {
            let mut items = [0, 1, 2, 3];
            shuffle(&mut items);
            *counts.entry(items).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        counts
            .values()
            .map(|count| (f64::from(*count) - 10_000.0) * (f64::from(*count) - 10_000.0) / 10_000.0)
            .sum::<f64>()
    };
    let mut stream = Stream::new(12, Purpose::Shuffle, 0);
    let found = chi_squared(&mut |items| stream.shuffle(items));
    assert!(found < 49.7, "chi squared {found}");
    // Negative control: the well-known wrong shuffle, which lets every item change places with any other.
    let naive = chi_squared(&mut |items| (0..4).for_each(|at| items.swap(at, stream.below(4) as usize)));
    assert!(naive > 1000.0, "chi squared {naive} of a biased shuffle");
}

/// Variance of the weights, whether they are normal, and the variance of the biases.
fn formula(initializer: Initializer, inputs: f64, outputs: f64) -> (f64, bool, f64) {
    match initializer {
        Initializer::Normal => (1.0 / inputs, true, 0.0),
        Initializer::Uniform => (1.0 / inputs, false, 0.0),
        Initializer::XavierNormal => (2.0 / (inputs + outputs), true, 0.0),
        Initializer::XavierUniform => (2.0 / (inputs + outputs), false, 0.0),
        Initializer::HeNormal => (2.0 / inputs, true, 0.0),
        Initializer::HeUniform => (2.0 / inputs, false, 0.0),
        Initializer::Linear => (1.0 / (3.0 * inputs), false, 1.0 / (3.0 * inputs)),
        _ => panic!("an initializer without its formula here: {}", initializer.name()),
    }
}

#[test]
fn initializers_have_their_variances() {
    let widths = [100, 400, 250, 300];
    let shape = Shape::new(&widths, true).unwrap();
    for &initializer in Initializer::ALL {
        let mut parameters = vec![0.0_f64; shape.parameters()];
        initializer.fill(shape, 6, &mut parameters).unwrap();
        for span in shape.spans() {
            let (inputs, outputs) = (span.inputs as f64, span.outputs as f64);
            let (variance, normal, bias_variance) = formula(initializer, inputs, outputs);
            let layer = &parameters[span.range()];
            let (weights, bias) = layer.split_at(span.weights());
            let what = format!("{} {}x{}", initializer.name(), span.outputs, span.inputs);
            let check = |values: &[f64], variance: f64| {
                let n = values.len() as f64;
                let mean = values.iter().sum::<f64>() / n;
                let second = values.iter().map(|x| x * x).sum::<f64>() / n;
                // The relative variance of x^2 is kurtosis - 1: 2 for normals, 0.8 for uniforms.
                let relative = if normal { 2.0 } else { 0.8 };
                assert!(mean.abs() < 4.0 * (variance / n).sqrt(), "{what}: mean {mean}");
                let error = second / variance - 1.0;
                assert!(error.abs() < 4.0 * (relative / n).sqrt(), "{what}: variance off by {error}");
                let most = values.iter().fold(0.0, |most, x| if x.abs() > most { x.abs() } else { most });
                let edge = (3.0 * variance).sqrt();
                assert_eq!(most > edge, normal, "{what}: largest {most}, edge {edge}");
                assert!(normal || most > 0.97 * edge, "{what}: largest {most}, edge {edge}");
            };
            check(weights, variance);
            if bias_variance > 0.0 {
                check(bias, bias_variance);
            } else {
                assert!(bias.iter().all(|b| b.to_bits() == 0), "{what}: a bias is not +0");
            }
        }
    }
}

#[test]
fn layers_and_seeds_are_independent() {
    let shape = Shape::new(&[200, 200, 200, 200], true).unwrap();
    for &initializer in Initializer::ALL {
        let fill = |seed: u64| {
            let mut parameters = vec![0.0_f64; shape.parameters()];
            initializer.fill(shape, seed, &mut parameters).unwrap();
            shape
                .spans()
                .map(|span| parameters[span.offset..span.offset + span.weights()].to_vec())
                .collect::<Vec<_>>()
        };
        let (one, two) = (fill(1), fill(2));
        let all: Vec<&Vec<f64>> = one.iter().chain(&two).collect();
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
                let correlation = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
                let expected = f64::from(u8::from(i == j));
                let error = (correlation - expected).abs();
                assert!(
                    error < 4.0 / 200.0,
                    "{}: layers {i} and {j} correlate by {correlation}",
                    initializer.name()
                );
            }
        }
        // A layer's draws depend on its own size only.
        let (before, after) = (Shape::new(&[5, 7, 3], true).unwrap(), Shape::new(&[50, 7, 3], true).unwrap());
        let (mut small, mut large) = (vec![0.0_f32; before.parameters()], vec![0.0_f32; after.parameters()]);
        initializer.fill(before, 3, &mut small).unwrap();
        initializer.fill(after, 3, &mut large).unwrap();
        assert_eq!(small[before.layer(1).unwrap().range()], large[after.layer(1).unwrap().range()]);
    }
}

/// One draw a value in layout order, in `f64`, rounded once.
#[test]
fn initializers_follow_their_formula_bit_for_bit() {
    let shape = Shape::new(&[6, 5, 4], true).unwrap();
    for &initializer in Initializer::ALL {
        let mut doubles = vec![1.0_f64; shape.parameters()];
        let mut singles = vec![1.0_f32; shape.parameters()];
        initializer.fill(shape, 77, &mut doubles).unwrap();
        initializer.fill(shape, 77, &mut singles).unwrap();
        for (layer, span) in shape.spans().enumerate() {
            let mut stream = Stream::new(77, Purpose::Parameters, layer as u32);
            let (variance, normal, bias) = formula(initializer, span.inputs as f64, span.outputs as f64);
            for (index, at) in span.range().enumerate() {
                let expected = match (index < span.weights() || bias > 0.0, normal) {
                    (false, _) => 0.0,
                    (true, true) => stream.normal() * variance.sqrt(),
                    (true, false) => (2.0 * stream.uniform() - 1.0) * (3.0 * variance).sqrt(),
                };
                assert_eq!(
                    doubles[at].to_bits(),
                    expected.to_bits(),
                    "{} parameter {at}",
                    initializer.name()
                );
                assert_eq!(singles[at].to_bits(), (expected as f32).to_bits(), "{}", initializer.name());
            }
        }
        let error = initializer.fill(shape, 1, &mut doubles[1..]).unwrap_err();
        assert_eq!(error, Error::Length { what: "parameters", expected: 59, found: 58 });
    }
}

/// First values, in bits: a change here is a change of the contract's version.
#[test]
fn first_values_are_these() {
    let mut stream = Stream::new(42, Purpose::Parameters, 0);
    let words: Vec<u32> = (0..4).map(|_| stream.next_u32()).collect();
    assert_eq!(words, [0xbf1f_06f0, 0x7696_ff02, 0x36db_11ae, 0x6649_1aba]);
    let uniforms: Vec<u64> = (0..4).map(|_| stream.uniform().to_bits()).collect();
    assert_eq!(
        uniforms,
        [0x3feb_9c98_de1c_ca69, 0x3feb_4c74_21c2_8d4f, 0x3fb2_909e_e2f9_39c8, 0x3fe4_dbc9_b864_d347],
        "{uniforms:#x?}"
    );
    let normals: Vec<u64> = (0..8).map(|_| stream.normal().to_bits()).collect();
    assert_eq!(
        normals,
        [
            0xbfe9_2cdc_dbd9_3be9,
            0x3ffa_3f84_e7be_7405,
            0xbff3_35a7_a85f_ef04,
            0xbfc2_28e7_66b4_9078,
            0x3ff4_ee3f_ae79_475b,
            0x3fbd_62f8_8c81_e2af,
            0x3fe2_5a13_cdcc_9af1,
            0x3fa6_c194_8ff5_43c7
        ],
        "{normals:#x?}"
    );
    let mut items = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    stream.shuffle(&mut items);
    assert_eq!(items, [7, 8, 1, 3, 4, 0, 2, 6, 5, 9]);
    let shape = Shape::new(&[3, 2, 1], true).unwrap();
    let weights = [
        [0xbd5a_343a, 0x3e66_ba23, 0xbf85_fcd3],
        [0xbd96_9010, 0x3e9b_7937, 0xbf87_030e],
        [0xbd6f_07d0, 0x3e7c_bfb6, 0xbf9a_b72f],
        [0xbda4_eee7, 0x3eaa_500c, 0xbf9b_e5fb],
        [0xbd9a_4b25, 0x3ea3_2611, 0xbfbd_7cb1],
        [0xbdd4_ed89, 0x3edb_df6b, 0xbfbe_ef8b],
        [0xbd2d_dad9, 0x3e33_867c, 0xbf1b_e5fb],
    ];
    assert_eq!(Initializer::ALL.len(), weights.len());
    for (initializer, expected) in Initializer::ALL.iter().zip(weights) {
        let mut parameters = [0.0_f32; 11];
        initializer.fill(shape, 42, &mut parameters).unwrap();
        let found = [parameters[0], parameters[5], parameters[8]].map(f32::to_bits);
        assert_eq!(found, expected, "{}: {found:#x?}", initializer.name());
    }
}
