//! The square root of the contract: correctly rounded, as IEEE 754 fixes it.
//!
//! The instruction on x86-64, where the compiler may put some into one vector; `libm` elsewhere if operations on `f64` are
//! instructions, the root among them on most targets; digit by digit where each would be a call into software, which then is
//! the smaller and needs no table. All give the same bits, which `tests/sqrt.rs` checks against the instruction.

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
    // SAFETY: SSE2 is a part of x86-64.
    unsafe { root(x) }
}

/// The square root, rounded once to nearest even.
///
/// **Arithmetic** The IEEE 754 operation `squareRoot`: subnormals kept, `-0` gives `-0`, anything below it NaN.
#[inline]
pub fn sqrt(x: f64) -> f64 {
    if cfg!(soft_f64) { software_sqrt(x) } else { hardware(x) }
}

/// [`sqrt`] on integers.
///
/// With `x = m 2^e`, e even and `2^52 <= m < 2^54`, the root of `m 2^54` has 54 bits before its point: the 53 of the
/// result and one more. They are found from the highest down: each is set if the square does not pass `m 2^54` then. No
/// root lies halfway between two floats (its square would have more than 53 bits), so that last bit alone decides how to
/// round.
#[doc(hidden)]
#[inline(never)]
pub fn software_sqrt(x: f64) -> f64 {
    const ONE: u64 = 1 << 52;
    let bits = x.to_bits();
    let biased = (bits >> 52) as i32; // with the sign, which the next test takes away
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
    // The bias is odd: an odd biased exponent is an even one.
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
