//! Division by a count of samples, which takes the exact reciprocal of a power of two, against the division itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_core::scalar::Real;
use agop_tests::SplitMix64;
use std::num::NonZeroU64;

/// Both scalars against one division, in `f64` for both.
#[track_caller]
fn same(bits: u64, n: u64) {
    let (x, divisor) = (f64::from_bits(bits), n as f64);
    is_quotient(x, n, x / divisor);
    let x = f32::from_bits(bits as u32);
    is_quotient(x, n, (f64::from(x) / divisor) as f32);
}

/// Alone and among others. All NaNs count as equal.
#[track_caller]
fn is_quotient<T: Real>(x: T, n: u64, expected: T) {
    let n = NonZeroU64::new(n).unwrap();
    let mut several = [x; 3];
    T::divide_all(&mut several, n);
    for found in [x.divide_by(n), several[0], several[2]] {
        assert_eq!(found.canonical_bits(), expected.canonical_bits(), "{x:?} / {n}: {found:?}");
    }
}

/// Random bits rarely are subnormal, and subnormal quotients are where a product could round otherwise: every exponent
/// comes up, every power of two, and the numbers beside it, which are no powers.
#[test]
fn a_count_divides_like_the_division() {
    let mut random = SplitMix64::new(31);
    for power in 0..64 {
        for n in [1 << power, (1_u64 << power) + 1, (1_u64 << power).wrapping_sub(1).max(1)] {
            for exponent in 0..2048_u64 {
                let fraction = random.bits();
                same(exponent << 52 | fraction >> 12, n);
                same(fraction & 1 << 63 | (exponent << 23 | fraction >> 41) & 0xffff_ffff, n);
            }
            for edge in
                [0, 1, 3, 0x000f_ffff_ffff_ffff, 0x0010_0000_0000_0000, 0x7fef_ffff_ffff_ffff, 0x007f_ffff]
            {
                same(edge, n);
                same(edge | 1 << 63, n);
            }
        }
    }
}
