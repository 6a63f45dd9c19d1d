//! The fused multiply-add of a level against the definition, on hard operands.
//!
//! Random bits alone almost never meet a tie, a cancellation or a subnormal: most triples are built to land there, as in
//! `tests/tests/fma.rs`. All NaNs count as equal.

use agop_core::kernel::{Backend, Definition};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use core::fmt::{Error, Write};

/// For each scalar; few on the small machines, whose emulators are slow.
const TRIPLES: usize = if cfg!(target_os = "none") { 1 << 12 } else { 1 << 23 };

/// Triples with one factor in common; not always so many, so that the last vector is cut off anywhere.
const MOST: usize = 64;

/// A scalar by its bits.
pub trait Bits: Real {
    /// Bits of the fraction.
    const FRACTION: i64;
    /// The biased exponent of infinity.
    const TOP: i64;
    /// The value of the lowest bits.
    fn from_bits(bits: u64) -> Self;
}

impl Bits for f32 {
    const FRACTION: i64 = 23;
    const TOP: i64 = 255;
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits as u32)
    }
}

impl Bits for f64 {
    const FRACTION: i64 = 52;
    const TOP: i64 = 2047;
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits)
    }
}

/// Compares `axpy`, one fma an element, bit by bit; prints nothing but the first difference.
#[inline(never)]
pub fn check<T: Bits>(level: Level, out: &mut impl Write) -> Result<(), Error> {
    let mut random = Random(1);
    let (mut x, mut start) = ([T::zero(); MOST], [T::zero(); MOST]);
    let mut done = 0;
    while done < TRIPLES {
        let a = factor::<T>(&mut random);
        let one_kind = if random.next() & 1 == 0 { Some(random.next() & 7) } else { None };
        for (x, y) in x.iter_mut().zip(&mut start) {
            let kind = one_kind.unwrap_or(random.next() & 7);
            (*x, *y) = others(&mut random, a, kind);
        }
        let length = MOST - (random.next() & 7) as usize;
        let (Some(x), (mut found, mut expected)) = (x.get(..length), (start, start)) else {
            return Err(Error);
        };
        level.axpy(a, x, &mut found);
        Definition.axpy(a, x, &mut expected);
        // What lies beyond the shorter vector must stay as it is too.
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let (found, expected) = (found.canonical_bits(), expected.canonical_bits());
            if found != expected {
                let bits = |values: &[T]| values.get(i).copied().unwrap_or_default().canonical_bits();
                let (a, b, c) = (a.canonical_bits(), bits(x), bits(&start));
                return writeln!(out, "fma {} {a:#x} {b:#x} {c:#x}: {found:#x} {expected:#x}", T::NAME);
            }
        }
        done += length;
    }
    Ok(())
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

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() >> 1) as i64 % (high - low + 1)
    }

    /// Any fraction; one with few ones or few zeros, as products of such meet ties often; or one near a power of two, as
    /// products of such miss ties by little.
    fn fraction<T: Bits>(&mut self) -> u64 {
        let bit = |random: &mut Self| 1 << random.between(0, T::FRACTION - 1);
        match self.next() & 7 {
            0..=2 => self.next(),
            3 | 4 => bit(self) | (bit(self) & self.next()),
            5 => !(bit(self) | (bit(self) & self.next())),
            _ => self.between(-4, 3) as u64,
        }
    }

    /// A number with this biased exponent, or the nearest that finite numbers have.
    fn number<T: Bits>(&mut self, exponent: i64) -> T {
        let top = T::TOP - 1;
        let exponent = if exponent < 0 {
            0
        } else if exponent > top {
            top
        } else {
            exponent
        };
        let fraction = self.fraction::<T>() & ((1 << T::FRACTION) - 1);
        T::from_bits(sign::<T>(self.next()) | (exponent as u64) << T::FRACTION | fraction)
    }

    /// Zero, the ends of the subnormal and normal numbers, one, infinity or NaN.
    fn special<T: Bits>(&mut self) -> T {
        let (least, infinity) = (1 << T::FRACTION, (T::TOP as u64) << T::FRACTION);
        let bits = match self.next() & 7 {
            0 | 1 => 0,
            2 => 1,
            3 => least - (self.next() & 1),
            4 => ((T::TOP / 2) as u64) << T::FRACTION,
            5 => infinity - 1,
            6 => infinity,
            _ => infinity + (least >> 1),
        };
        T::from_bits(sign::<T>(self.next()) | bits)
    }

    /// An exponent near that of one, or any.
    fn exponent<T: Bits>(&mut self) -> i64 {
        match self.next() & 1 {
            0 => T::TOP / 2 + self.between(-T::FRACTION, T::FRACTION),
            _ => self.between(0, T::TOP - 1),
        }
    }
}

/// The sign bit, or nothing.
fn sign<T: Bits>(random: u64) -> u64 {
    ((random & 1) * (T::TOP as u64 + 1)) << T::FRACTION
}

fn factor<T: Bits>(random: &mut Random) -> T {
    match random.next() & 15 {
        0 => random.special(),
        1 => T::from_bits(random.next() >> 7),
        _ => {
            let exponent = random.exponent::<T>();
            random.number(exponent)
        }
    }
}

/// The other factor and what is added.
fn others<T: Bits>(random: &mut Random, a: T, kind: u64) -> (T, T) {
    let (bias, digits) = (T::TOP / 2, T::FRACTION);
    let first = (a.canonical_bits() >> digits) as i64 & T::TOP;
    let pair = |random: &mut Random, second: i64, added: i64| {
        let b = random.number(second);
        (b, random.number(added))
    };
    match kind {
        0 => (T::from_bits(random.next() >> 7), T::from_bits(random.next() >> 7)),
        1 => match random.next() & 3 {
            0 => (random.special(), random.special()),
            1 => (random.special(), T::from_bits(random.next() >> 7)),
            2 => (T::from_bits(random.next() >> 7), random.special()),
            _ => {
                let second = random.exponent::<T>();
                (random.number(second), random.special())
            }
        },
        // Cancellation down to the last bits of the product.
        2 | 3 => {
            let second = random.exponent::<T>();
            let b = random.number::<T>(second);
            let near = ((-(a * b)).canonical_bits() as i64).wrapping_add(random.between(-3, 3));
            (b, T::from_bits(near as u64))
        }
        // What is added within a few more than 2 p binades of the product: every alignment.
        4 | 5 => {
            let second = random.exponent::<T>();
            let added = first + second - bias + random.between(-2 * digits - 6, 2 * digits + 6);
            pair(random, second, added)
        }
        // The product about the smallest subnormal, what is added at the small end or zero.
        6 => {
            let second = bias - first + random.between(-digits - 6, digits + 6);
            let b = random.number(second);
            let added = random.between(0, 2) * random.between(0, digits);
            (
                b,
                if random.next() & 3 == 0 {
                    T::from_bits(sign::<T>(random.next()))
                } else {
                    random.number(added)
                },
            )
        }
        // The result about the largest finite number.
        _ => {
            let second = T::TOP - 1 + bias - first + random.between(-2, 1);
            let added = T::TOP - 1 - random.between(0, 2) * random.between(0, 2 * digits + 2);
            pair(random, second, added)
        }
    }
}
