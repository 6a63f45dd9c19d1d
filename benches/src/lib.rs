//! What the benchmarks share: names, times, and the peak against which they are read.
//!
//! A benchmark is named `{operation}-{scalar}-{level}-{size}`. Beside criterion's numbers it prints operations a second
//! and their ratio to [`fma_peak`], measured in the same run, so that machines and loads can be compared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark may panic"
)]

mod peak;

pub use peak::{fma_peak, fma_rounds};

use agop_core::digest::Digest;
use agop_core::simd::Level;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// `{operation}-{scalar}-{level}-{size}`.
pub fn name(operation: &str, scalar: &str, level: Level, size: &str) -> String {
    format!("{operation}-{scalar}-{}-{size}", level.name())
}

/// The shortest time of a call, in seconds, over about 200 ms and at least three calls.
pub fn best_time(mut call: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut best = f64::INFINITY;
    let mut calls = 0;
    while calls < 3 || begin.elapsed() < Duration::from_millis(200) {
        let start = Instant::now();
        call();
        let time = start.elapsed().as_secs_f64();
        best = if time < best { time } else { best };
        calls += 1;
    }
    best
}

/// Rounds in which every candidate is timed once; the shortest time counts.
const ROUNDS: usize = 40;

/// Seconds after which there are no more rounds, once there were five.
const SECONDS: f64 = 4.0;

/// Time that one timed batch of calls should take, in seconds.
const BATCH: f64 = 1e-3;

/// Shortest time of one call of each candidate, in seconds; they take turns, so that all meet the same
/// machine.
pub fn race(candidates: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let time = |call: &mut dyn FnMut(), calls: usize| {
        let start = Instant::now();
        for _ in 0..calls {
            call();
        }
        start.elapsed().as_secs_f64() / calls as f64
    };
    let calls: Vec<usize> = candidates
        .iter_mut()
        .map(|call| {
            time(*call, 1);
            1 + (BATCH / time(*call, 1)) as usize
        })
        .collect();
    let mut best = vec![f64::INFINITY; candidates.len()];
    let begin = Instant::now();
    for round in 0..ROUNDS {
        if round >= 5 && begin.elapsed().as_secs_f64() > SECONDS {
            break;
        }
        for ((call, calls), best) in candidates.iter_mut().zip(&calls).zip(&mut best) {
            let found = time(*call, *calls);
            *best = if found < *best { found } else { *best };
        }
    }
    best
}

/// Peaks already measured in this run, and the digests that benchmarks of one name have to agree on.
#[derive(Debug, Default)]
pub struct Run {
    peaks: HashMap<(&'static str, &'static str), f64>,
    digests: HashMap<String, Digest>,
}

impl Run {
    /// Nothing measured yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks that all levels computed the same.
    ///
    /// # Panics
    /// When another level left another digest: a wrong answer has no speed.
    pub fn check(&mut self, operation: &str, scalar: &str, level: Level, size: &str, digest: Digest) {
        let expected = *self.digests.entry(format!("{operation}-{scalar}-{size}")).or_insert(digest);
        assert_eq!(digest, expected, "{} computed something else", name(operation, scalar, level, size));
    }

    /// Prints the rate of a benchmark of `operations` floating-point operations in `time` seconds, and its ratio to the
    /// peak.
    pub fn print<T: agop_core::scalar::Real>(
        &mut self,
        name: &str,
        level: Level,
        operations: f64,
        time: f64,
    ) {
        let peak = *self.peaks.entry((T::NAME, level.name())).or_insert_with(|| fma_peak::<T>(level));
        let (rate, peak) = (operations / time / 1e9, peak / 1e9);
        println!("{name}: {rate:.2} Gflop/s, {:.3} of the fma peak of {peak:.1} Gflop/s", rate / peak);
    }
}
