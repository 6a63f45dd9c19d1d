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

mod initializers;
mod normals;

use agop_core::elementary::normal_quantile;
use agop_core::network::{Initializer, Shape};
use agop_core::random::{Purpose, Stream};
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
