//! 16-bit floats, which every `f32` holds exactly.
//!
//! Written here: the crate `half` is longer to name than these lines, and converts by instructions that a floating-point
//! environment can change. Integers and one product of normal numbers cannot be.

/// The value of an IEEE 754 binary16. A NaN keeps its sign and payload.
pub(crate) fn binary16(bits: u16) -> f32 {
    let (exponent, fraction) = (bits >> 10 & 31, bits & 0x3ff);
    let magnitude = match exponent {
        // Subnormal: fraction 2^-24, which is a normal f32.
        0 => (f32::from(fraction) * (1.0 / 16_777_216.0)).to_bits(),
        31 => 0x7f80_0000 | u32::from(fraction) << 13,
        _ => (u32::from(bits & 0x7fff) << 13) + ((127 - 15) << 23),
    };
    f32::from_bits(u32::from(bits & 0x8000) << 16 | magnitude)
}

/// The value of a bfloat16: the upper half of an `f32`.
pub(crate) fn bfloat16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against (-1)^s 2^(e - 25) (1024 + f), exact in f64, for all bits.
    #[test]
    fn every_binary16_has_its_value() {
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (bits >> 10 & 31, f64::from(bits & 0x3ff));
            let power = |n: u16| (0..n).fold(1.0 / 33_554_432.0, |x: f64, _| 2.0 * x);
            let size = match exponent {
                0 => power(1) * fraction,
                31 if fraction == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                n => power(n) * (1024.0 + fraction),
            };
            let found = binary16(bits);
            assert_eq!(found.is_sign_negative(), bits >= 0x8000, "{bits:#06x}");
            assert!(f64::from(found).abs() == size || found.is_nan() && size.is_nan(), "{bits:#06x}");
        }
        assert_eq!(
            (binary16(0x3c00), binary16(0xc000), binary16(0x0001)),
            (1.0, -2.0, 2_f32.recip() / 8_388_608.0)
        );
        assert_eq!((bfloat16(0x3f80), bfloat16(0xbf81)), (1.0, -1.007_812_5));
    }
}
