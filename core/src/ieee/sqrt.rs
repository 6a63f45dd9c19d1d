//! The square root of the contract: correctly rounded, as IEEE 754 fixes it.
//!
//! There are three implementations. All give the same bits; `tests/sqrt.rs` checks them against the instruction.
//! - x86-64: the intrinsic, which the compiler can vectorise.
//! - Other targets with `f64` instructions: `libm`, which uses the square root instruction on most of them.
//! - Targets without `f64` instructions: digit by digit on integers, which is smaller than `libm` and needs no table.

#[cfg(not(target_arch = "x86_64"))]
use libm::sqrt as hardware;

/// The square root by the instruction.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn hardware(x: f64) -> f64 {
    use core::arch::x86_64::{_mm_cvtsd_f64, _mm_set_sd, _mm_sqrt_sd};
    #[target_feature(enable = "sse2")]
    #[inline]
    fn root(x: f64) -> f64 {
        _mm_cvtsd_f64(_mm_sqrt_sd(_mm_set_sd(x), _mm_set_sd(x)))
    }
    // SAFETY: every x86-64 processor has SSE2.
    unsafe { root(x) }
}

/// The square root, rounded once to nearest even.
///
/// **Arithmetic** The operation `squareRoot`: subnormals are kept, `-0` gives `-0`, negative numbers give NaN.
///
/// **Source** IEEE 754-2019, section 5.4.1.
#[inline]
pub fn sqrt(x: f64) -> f64 {
    if cfg!(soft_f64) { software_sqrt(x) } else { hardware(x) }
}

/// [`sqrt`] on integers.
///
/// Let `x = m 2^e` with e even and `2^52 <= m < 2^54`. The integer part of the root of `m 2^54` has 54 bits: the 53 of the
/// result and one more. They are found from the highest to the lowest: a bit is set if the square then stays at most
/// `m 2^54`. No root is the midpoint of two floats, because the square of a midpoint has more than 53 bits. The last bit
/// alone therefore decides the rounding.
///
/// **Source** the digit-by-digit method; this arrangement is derived here.
#[doc(hidden)]
#[inline(never)]
pub fn software_sqrt(x: f64) -> f64 {
    const ONE: u64 = 1 << 52;
    let bits = x.to_bits();
    let biased = (bits >> 52) as i32; // the sign bit is included; the next two tests return for negative numbers
    if bits << 1 == 0 || bits == f64::INFINITY.to_bits() {
        return x;
    }
    if biased >= 0x7ff {
        return f64::NAN;
    }
    let (mut m, mut exponent) = if biased == 0 {
        let shift = bits.leading_zeros() as i32 - 11;
        (bits << shift, 1 - shift)
    } else {
        (bits & (ONE - 1) | ONE, biased)
    };
    // The bias is odd, so an odd biased exponent means an even exponent.
    if exponent & 1 == 0 {
        m <<= 1;
        exponent -= 1;
    }
    // Invariant: `root` holds the bits found so far, and `rest = (m 2^54 - root^2) / bit` is below 2^57.
    let (mut rest, mut root, mut bit) = (m << 1, 0, 2 * ONE);
    while bit > 0 {
        let step = 2 * root + bit;
        if rest >= step {
            rest -= step;
            root += bit;
        }
        rest <<= 1;
        bit >>= 1;
    }
    // The implicit bit of the rounded root adds one to the exponent.
    let half = ((exponent + 1023) >> 1) as u64 - 1;
    f64::from_bits(((root + 1) >> 1) + (half << 52))
}
