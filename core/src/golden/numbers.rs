//! Stages without a network: random numbers, elementary functions, the fused multiply-add, products.

use super::SEED;
use crate::digest::Hasher;
use crate::elementary::normal_quantile;
use crate::error::Error;
use crate::ieee::sqrt;
use crate::kernel;
use crate::matrix::{MatMut, MatRef, cut, take};
use crate::random::{Purpose, Stream};
use crate::scalar::Real;
use crate::simd::Level;

/// Columns of the wide products: more than two of the longest vectors, and not a multiple of any vector length.
const COLUMNS: usize = 37;
const ROWS: usize = 13;
/// Values of the largest of the products with its factors.
pub(super) const PRODUCTS: usize = ROWS * 3 + 3 * COLUMNS + ROWS * COLUMNS;

/// An operand of ordinary size.
fn operand<T: Real>(stream: &mut Stream) -> T {
    T::from_f64(stream.uniform() * 4.0 - 2.0)
}

#[inline(never)]
pub(super) fn random<T: Real>(numbers: &mut [T]) -> Hasher {
    let mut hasher = Hasher::new();
    let mut stream = Stream::new(SEED, Purpose::Shuffle, 3);
    for _ in 0..40 {
        hasher.number(u64::from(stream.next_u32())).number(stream.next_u64()).number(stream.below(1000));
    }
    let (values, _) = take(numbers, 60);
    stream.fill_normal(values);
    hasher.array(&[values.len()], values);
    stream.shuffle(values);
    hasher.array(&[values.len()], values);
    for _ in 0..40 {
        hasher.array(&[2], &[stream.uniform(), stream.normal()]);
    }
    hasher
}

#[inline(never)]
pub(super) fn elementary<T: Real>() -> Hasher {
    let mut hasher = Hasher::new();
    let mut stream = Stream::new(SEED, Purpose::Trial, 1);
    let mut add = |x: T, y: T| {
        hasher.array(&[4], &[x.exp(), x.ln(), x.tanh(), x / y]);
    };
    for _ in 0..100 {
        let (wide, unit, other) = (stream.uniform() * 200.0 - 100.0, stream.uniform(), operand(&mut stream));
        add(T::from_f64(wide), other);
        add(T::from_f64(unit), other);
    }
    let tiny = T::from_f64(T::UNIT_ROUNDOFF);
    for x in [T::zero(), -T::zero(), T::one(), -T::one(), tiny, T::from_f64(T::LARGEST), tiny * tiny * tiny] {
        add(x, tiny);
    }
    for _ in 0..50 {
        hasher.array(&[2], &[normal_quantile(stream.uniform()), sqrt(stream.uniform())]);
    }
    hasher
}

/// A number of either sign with a random exponent out of `range` values around 0. Rounding to the scalar may make it
/// subnormal or infinite.
fn scattered<T: Real>(stream: &mut Stream, range: u64) -> T {
    let bits = stream.next_u64();
    let exponent = 1023 - range / 2 + stream.below(range);
    let sign = bits & (1 << 63);
    T::from_f64(f64::from_bits(sign | (exponent << 52) | (bits >> 12)))
}

#[inline(never)]
pub(super) fn fused<T: Real>() -> Hasher {
    let mut hasher = Hasher::new();
    let mut stream = Stream::new(SEED, Purpose::Trial, 2);
    // Products from below the smallest subnormal to above the largest number, then products of ordinary size.
    for range in [if T::BYTES == 4 { 260 } else { 2044 }, 60, 4] {
        for _ in 0..100 {
            let (a, b): (T, T) = (scattered(&mut stream, range), scattered(&mut stream, range));
            let c: T = scattered(&mut stream, range);
            let opposite = -(a * b);
            hasher.array(&[2], &[T::fma(&a, &b, c), T::fma(&a, &b, opposite)]);
        }
    }
    hasher
}

fn fill<T: Real>(stream: &mut Stream, values: &mut [T]) {
    for value in values {
        *value = operand(stream);
    }
}

#[inline(never)]
pub(super) fn products<T: Real>(level: Level, numbers: &mut [T]) -> Result<Hasher, Error> {
    let mut hasher = Hasher::new();
    let mut stream = Stream::new(SEED, Purpose::Trial, 3);
    for (rows, inner, columns) in [(ROWS, 3, COLUMNS), (3, 9, COLUMNS), (1, 33, 5), (5, 17, 16)] {
        let (a, rest) = take(numbers, rows * inner);
        let (b, rest) = take(rest, inner * columns);
        let (c, _) = take(rest, rows * columns);
        fill(&mut stream, a);
        fill(&mut stream, b);
        let straight = (MatRef::new(a, rows, inner)?, MatRef::new(b, inner, columns)?);
        // The same numbers as transposed views, for every combination of strides.
        let transposed = (MatRef::new(a, inner, rows)?.t(), MatRef::new(b, columns, inner)?.t());
        for (left, right) in [
            (straight.0, straight.1),
            (transposed.0, straight.1),
            (straight.0, transposed.1),
            (transposed.0, transposed.1),
        ] {
            kernel::product(level, MatMut::new(c, rows, columns)?, left, right)?;
            kernel::accumulate(level, MatMut::new(c, rows, columns)?, left, right)?;
            hasher.array(&[rows, columns], c);
        }
        let c = MatRef::new(c, rows, columns)?;
        hasher.array(&[], &[kernel::dot(level, c, c)?]);
    }
    let (x, rest) = take(numbers, 7 * 19);
    let (square, rest) = take(rest, 19 * 19);
    let (y, _) = take(rest, COLUMNS);
    fill(&mut stream, x);
    fill(&mut stream, y);
    kernel::outer(level, MatMut::new(square, 19, 19)?, MatRef::new(x, 7, 19)?)?;
    hasher.array(&[19, 19], square);
    kernel::axpy(level, operand(&mut stream), cut(x, ..COLUMNS), y)?;
    hasher.array(&[COLUMNS], y);
    Ok(hasher)
}
