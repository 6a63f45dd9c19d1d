//! Every instruction set against the definition, bit for bit: products, outer products, axpy, dot, mirror.
//!
//! The level `scalar` is the definition itself; the others are compared with it on matrices that start at odd
//! addresses, hold signed zeros, subnormals and huge values, and have guards around everything that is written.
//! `REQUIRE_LEVELS=avx2,avx512` makes a level that this machine lacks a failure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod orders;
mod products;
mod shapes;
mod vectors;

use agop_core::matrix::{MatMut, MatRef};
use agop_core::scalar::{Real, Scalar};
use agop_core::simd::Level;
use agop_tests::SplitMix64;
use std::io::Write as _;

/// Largest size of the sweeps: more than two panels of 32 columns and five strips of 12 rows, and a remainder.
const MOST: usize = 67;

trait Number: Real {
    const FRACTION_BITS: u32;
    const BIAS: i64;
    fn of_bits(bits: u64) -> Self;
    fn raw(self) -> u64;
}

impl Number for f32 {
    const FRACTION_BITS: u32 = 23;
    const BIAS: i64 = 127;
    fn of_bits(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    fn raw(self) -> u64 {
        u64::from(self.to_bits())
    }
}

impl Number for f64 {
    const FRACTION_BITS: u32 = 52;
    const BIAS: i64 = 1023;
    fn of_bits(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    fn raw(self) -> u64 {
        self.to_bits()
    }
}

/// What kind of numbers a matrix holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Magnitudes from 2^-9 to 2^8.
    Ordinary,
    /// Products fall among the subnormals: every rounding there is at another place.
    Tiny,
    /// Mostly ordinary; among them signed zeros, subnormals, values near the largest and the smallest.
    Wild,
}

const KINDS: [Kind; 3] = [Kind::Ordinary, Kind::Tiny, Kind::Wild];

fn number<T: Number>(rng: &mut SplitMix64, kind: Kind) -> T {
    let fraction = rng.bits() >> (64 - T::FRACTION_BITS);
    let sign = (rng.bits() & 1) << (T::BYTES as u32 * 8 - 1);
    let with = |exponent: i64| T::of_bits(sign | (exponent as u64) << T::FRACTION_BITS | fraction);
    let ordinary = T::BIAS + rng.between(-9, 8);
    match (kind, rng.below(32)) {
        (Kind::Ordinary, _) => with(ordinary),
        (Kind::Tiny, 0) => T::of_bits(sign),
        (Kind::Tiny, 1..=4) => with(0),
        (Kind::Tiny, _) => with(T::BIAS / 2 + rng.between(-12, 12)),
        (Kind::Wild, 0..=2) => T::of_bits(sign),
        (Kind::Wild, 3..=5) => with(0),
        (Kind::Wild, 6) => with(2 * T::BIAS - rng.between(8, 12)),
        (Kind::Wild, 7) => with(rng.between(1, 20)),
        (Kind::Wild, _) => with(ordinary),
    }
}

/// Long vectors of each kind, from which matrices are cut at changing offsets, so that no address stays aligned.
struct Pool<T> {
    values: [Vec<T>; 3],
    rng: SplitMix64,
}

impl<T: Number> Pool<T> {
    fn new(seed: u64, length: usize) -> Self {
        let mut rng = SplitMix64::new(seed);
        let values = KINDS.map(|kind| (0..length).map(|_| number(&mut rng, kind)).collect());
        Self { values, rng }
    }

    fn cut(&mut self, kind: Kind, length: usize) -> Vec<T> {
        let all = &self.values[kind as usize];
        let from = self.rng.below((all.len() - length) as u64 + 1) as usize;
        all[from..from + length].to_vec()
    }

    fn kind(&mut self) -> Kind {
        KINDS[self.rng.below(3) as usize]
    }
}

/// A matrix in memory, plain or transposed.
struct Matrix<T> {
    data: Vec<T>,
    first: usize,
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<T: Number> Matrix<T> {
    fn new(pool: &mut Pool<T>, kind: Kind, rows: usize, columns: usize, transposed: bool) -> Self {
        let first = pool.rng.below(8) as usize;
        let data = pool.cut(kind, rows * columns + first);
        Self { data, first, rows, columns, transposed }
    }

    fn view(&self) -> MatRef<'_, T> {
        plain_or_transposed(&self.data[self.first..], (self.rows, self.columns), self.transposed)
    }
}

fn plain_or_transposed<T>(data: &[T], (rows, columns): (usize, usize), transposed: bool) -> MatRef<'_, T> {
    if transposed {
        MatRef::new(data, columns, rows).unwrap().t()
    } else {
        MatRef::new(data, rows, columns).unwrap()
    }
}

/// The bits of guards: small subnormals, which every sum leaves changed. (A NaN with a payload would survive an fma.)
fn guard<T: Number>(at: usize) -> T {
    T::of_bits(0x100 | (at as u64 & 0xff))
}

/// Runs `f` on a matrix that starts as `initial`, at an odd address between guards; returns its raw bits.
#[track_caller]
fn guarded<T: Number>(
    initial: &[T],
    (rows, columns): (usize, usize),
    shift: usize,
    f: impl FnOnce(MatMut<'_, T>),
) -> Vec<T> {
    const MARGIN: usize = 40;
    let before = MARGIN + shift;
    let mut memory: Vec<T> = (0..before + initial.len() + MARGIN).map(guard).collect();
    memory[before..before + initial.len()].copy_from_slice(initial);
    f(MatMut::new(&mut memory[before..before + initial.len()], rows, columns).unwrap());
    for (at, value) in memory.iter().enumerate() {
        let inside = (before..before + initial.len()).contains(&at);
        assert!(
            inside || value.raw() == guard::<T>(at).raw(),
            "written outside, at {}",
            at as i64 - before as i64
        );
    }
    memory[before..before + initial.len()].to_vec()
}

#[track_caller]
fn assert_same<T: Number>(what: &dyn Fn() -> String, found: &[T], expected: &[T]) {
    assert_eq!(found.len(), expected.len(), "{}", what());
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        let (f, e) = (f.canonical_bits(), e.canonical_bits());
        assert_eq!(f, e, "{}: element {at} is {f:#x}, not {e:#x}", what());
    }
}

/// `c` with guards in the place of the elements below the diagonal.
fn marked_below<T: Number>(c: &[T], n: usize) -> Vec<T> {
    c.iter().enumerate().map(|(at, x)| if at % n < at / n { guard(at) } else { *x }).collect()
}

/// The elements from the diagonal on are as expected, those below are the guards of [`marked_below`], raw bits.
#[track_caller]
fn assert_upper<T: Number>(what: &dyn Fn() -> String, n: usize, found: &[T], expected: &[T]) {
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        if at % n < at / n {
            assert_eq!(
                f.raw(),
                guard::<T>(at).raw(),
                "{}: element {at} below the diagonal was touched",
                what()
            );
        } else {
            let (f, e) = (f.canonical_bits(), e.canonical_bits());
            assert_eq!(f, e, "{}: element {at} is {f:#x}, not {e:#x}", what());
        }
    }
}

fn levels() -> Vec<Level> {
    Level::available().collect()
}

#[test]
fn every_required_level_is_there() {
    let here: Vec<&str> = levels().into_iter().map(Level::name).collect();
    let missing: Vec<&str> = Level::NAMES.iter().copied().filter(|name| !here.contains(name)).collect();
    let line = format!(
        "kernels: compared with the definition on {}; missing: {}",
        here.join(", "),
        missing.join(", ")
    );
    // Past the harness, which swallows what passing tests print.
    writeln!(std::io::stderr(), "{line}").unwrap();
    assert_eq!(here.first(), Some(&"scalar"));
    let required = std::env::var("REQUIRE_LEVELS").unwrap_or_default();
    for name in required.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        assert!(here.contains(&name), "REQUIRE_LEVELS: no level {name} here (there is: {})", here.join(", "));
    }
}

fn column_sums<T: Number>(a: MatRef<'_, T>, b: MatRef<'_, T>) -> Vec<f64> {
    let chain =
        |j| a.column(j).zip(b.column(j)).fold(0.0, |sum, (x, y)| f64::fma(&x.to_f64(), &y.to_f64(), sum));
    (0..a.columns()).map(chain).collect()
}
