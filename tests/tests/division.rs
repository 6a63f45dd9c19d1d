//! Division by a count of samples, which takes the exact reciprocal of a power of two, against the division itself.

use agop_core::scalar::Scalar;
use agop_tests::SplitMix64;
use std::num::NonZeroU64;

/// Both scalars, alone and among others, against one division, in `f64` for both. All NaNs count as equal.
#[track_caller]
fn same(bits: u64, n: u64) {
    let count = NonZeroU64::new(n).unwrap();
    let x = f64::from_bits(bits);
    let mut several = [x; 3];
    f64::divide_all(&mut several, count);
    let expected = x / n as f64;
    for found in [x.divide_by(count), several[0], several[2]] {
        assert!(
            found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
            "{bits:016x} / {n}: {:016x}, not {:016x}",
            found.to_bits(),
            expected.to_bits()
        );
    }
    let x = f32::from_bits(bits as u32);
    let mut several = [x; 3];
    f32::divide_all(&mut several, count);
    let expected = (f64::from(x) / n as f64) as f32;
    for found in [x.divide_by(count), several[0], several[2]] {
        assert!(
            found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
            "{:08x} / {n}: {:08x}, not {:08x}",
            bits as u32,
            found.to_bits(),
            expected.to_bits()
        );
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
