//! Reproducible random numbers: ChaCha8 streams, uniforms, normals and shuffles.
//!
//! Every value takes a fixed number of draws, and no result depends on the width of `usize`. 32-bit and 64-bit machines
//! therefore agree.

use crate::elementary::normal_quantile;
use crate::matrix::take;
use crate::scalar::Real;

/// The purpose of a stream. Streams of one seed with different purposes or indices are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial parameters; the index is the layer.
    Parameters = 1,
    /// Training inputs.
    TrainInputs = 2,
    /// Test inputs.
    TestInputs = 3,
    /// Random training labels.
    TrainLabels = 4,
    /// Random test labels.
    TestLabels = 5,
    /// Order of samples; the index is the epoch.
    Shuffle = 6,
    /// Division of data into training and test.
    Split = 7,
    /// Monte Carlo trials; the index is the trial.
    Trial = 8,
}

/// A stream of the ChaCha cipher with 8 rounds.
///
/// **Arithmetic** The key has 32 bytes: the seed in the first 8, little-endian, then zeros. The block counter has 64 bits
/// and starts at 0. The nonce has 64 bits, `purpose 2^32 + index`. The words of a block are returned in order
/// (little-endian as bytes). [`Stream::next_u64`] takes two words, the low one first.
///
/// **Source** D. J. Bernstein, *ChaCha, a variant of Salsa20*, 2008.
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 8],
    nonce: u64,
    counter: u64,
    block: [u32; 16],
    used: u8,
}

impl Stream {
    /// The stream of a seed for a purpose.
    #[inline(never)] // called rarely, and large on small machines
    pub fn new(seed: u64, purpose: Purpose, index: u32) -> Self {
        let mut key = [0; 8];
        let [low, high, ..] = &mut key;
        (*low, *high) = (seed as u32, (seed >> 32) as u32);
        let nonce = (u64::from(purpose as u32) << 32) | u64::from(index);
        Self { key, nonce, counter: 0, block: [0; 16], used: 16 }
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        if usize::from(self.used) >= self.block.len() {
            self.block = chacha8(&self.key, self.counter, self.nonce);
            self.counter = self.counter.wrapping_add(1);
            self.used = 0;
        }
        let word = self.block.get(usize::from(self.used)).copied().unwrap_or(0);
        self.used += 1;
        word
    }

    /// The next 64 bits, low word first.
    pub fn next_u64(&mut self) -> u64 {
        let low = u64::from(self.next_u32());
        low | (u64::from(self.next_u32()) << 32)
    }

    /// Uniform in (0, 1): `(k + 1/2) 2^-52`, where k is the top 52 of 64 bits. The value is exact, and never 0 or 1.
    pub fn uniform(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) * (f64::EPSILON)
    }

    /// Standard normal, by inversion: [`normal_quantile`] of one uniform. The magnitude is at most 8.3.
    pub fn normal(&mut self) -> f64 {
        normal_quantile(self.uniform())
    }

    /// Uniform in `0 .. bound`: the high word of the product of 64 random bits and the bound. The bias is at most
    /// `bound 2^-64`. Bound 0 gives zero.
    ///
    /// **Source** D. Lemire, *Fast random integer generation in an interval*, ACM TOMACS 29 (2019), without rejection.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Puts the items into random order, by the shuffle of Fisher and Yates from the last item down.
    ///
    /// **Source** D. E. Knuth, *The Art of Computer Programming*, volume 2, algorithm 3.4.2P.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            let (before, from_last) = take(items, last);
            // `other == last` has no place in `before`: the item keeps its place.
            if let (Some(other), Some(last)) = (before.get_mut(other), from_last.first_mut()) {
                core::mem::swap(other, last);
            }
        }
    }

    /// Fills with standard normals, each rounded from `f64`.
    pub fn fill_normal<T: Real>(&mut self, out: &mut [T]) {
        for slot in out {
            *slot = T::from_f64(self.normal());
        }
    }
}

/// The ChaCha block function with 8 rounds: 16 words.
fn chacha8(key: &[u32; 8], counter: u64, nonce: u64) -> [u32; 16] {
    let [k0, k1, k2, k3, k4, k5, k6, k7] = *key;
    let start = [
        0x6170_7865,
        0x3320_646e,
        0x7962_2d32,
        0x6b20_6574,
        k0,
        k1,
        k2,
        k3,
        k4,
        k5,
        k6,
        k7,
        counter as u32,
        (counter >> 32) as u32,
        nonce as u32,
        (nonce >> 32) as u32,
    ];
    let [mut a, mut b, mut c, mut d] = [0, 4, 8, 12].map(|row| row_of(&start, row));
    for _ in 0..4 {
        quarter_rounds(&mut a, &mut b, &mut c, &mut d);
        turn(&mut b, &mut d, &mut c);
        quarter_rounds(&mut a, &mut b, &mut c, &mut d);
        turn(&mut d, &mut b, &mut c);
    }
    let mut out = start;
    for (slot, mixed) in out.iter_mut().zip(a.into_iter().chain(b).chain(c).chain(d)) {
        *slot = slot.wrapping_add(mixed);
    }
    out
}

fn row_of(words: &[u32; 16], first: usize) -> [u32; 4] {
    let mut row = [0; 4];
    row.iter_mut().zip(words.iter().skip(first)).for_each(|(slot, word)| *slot = *word);
    row
}

/// Rotates the rows by one, two and three places, which brings the diagonals into columns. With the first two arguments
/// exchanged it brings them back.
fn turn(once: &mut [u32; 4], thrice: &mut [u32; 4], twice: &mut [u32; 4]) {
    rotate(once, 1);
    rotate(twice, 2);
    rotate(thrice, 3);
}

/// Rotates by one place at a time. The rotation of slices would link `memmove` on small machines.
fn rotate(row: &mut [u32; 4], by: usize) {
    for _ in 0..by {
        let [a, b, c, d] = *row;
        *row = [b, c, d, a];
    }
}

/// Four quarter-rounds, one on each column.
fn quarter_rounds(a: &mut [u32; 4], b: &mut [u32; 4], c: &mut [u32; 4], d: &mut [u32; 4]) {
    let step = |sum: &mut [u32; 4], with: &[u32; 4], mix: &mut [u32; 4], by: u32| {
        for ((sum, with), mix) in sum.iter_mut().zip(with).zip(mix) {
            *sum = sum.wrapping_add(*with);
            *mix = (*mix ^ *sum).rotate_left(by);
        }
    };
    step(a, b, d, 16);
    step(c, d, b, 12);
    step(a, b, d, 8);
    step(c, d, b, 7);
}
