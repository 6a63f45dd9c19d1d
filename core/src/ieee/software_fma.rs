//! The fused multiply-add in software. It gives the bits of the hardware instruction, except for NaN payloads;
//! `tests/fma.rs` checks this.
//!
//! It is compiled on every target, so that any machine can check the software version against its instruction.

/// [`super::fma_f32`] without the hardware instruction. It uses selects instead of branches, so that loops over it
/// vectorise.
///
/// The product of two `f32` is exact in `f64` (48 bits, exponents far inside the range). The sum is rounded to `f64`
/// to odd: the nearest value `s`, moved one ulp towards its own error when it is inexact and its last bit is even.
/// Rounding to odd with 53 >= 24 + 2 bits and then to nearest equals rounding once. That includes subnormal and
/// overflowing results, which need fewer bits than `s` has.
///
/// **Source** S. Boldo, G. Melquiond, *Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to
/// odd*, IEEE Trans. Comput. 57 (2008).
#[doc(hidden)]
#[inline]
pub fn software_fma_f32(a: f32, b: f32, c: f32) -> f32 {
    // An infinite or NaN sum has the error NaN, which `to_odd` counts as exact.
    let (s, e) = two_sum(f64::from(a) * f64::from(b), f64::from(c));
    f64::from_bits(to_odd(s, e)) as f32
}

/// Lower bound of the factors. From here on the rounding error of their product is a multiple of 2^-1004.
pub(crate) const LOW: f64 = f64::from_bits((1023 - 450) << 52);
/// Upper bound of the factors and of the addend.
pub(crate) const HIGH: f64 = f64::from_bits((1023 + 450) << 52);
/// Veltkamp's constant, which splits a number of 53 bits into two halves.
pub(crate) const SPLIT: f64 = 134_217_729.0; // 2^27 + 1

/// [`super::fma_f64`] without the hardware instruction.
///
/// With the exact transformations `a b = ph + pl`, `pl + c = th + tl` and `ph + th = vh + vl`, the result is
/// `vh + odd(tl + vl)`, where `odd` rounds to odd. This needs that no intermediate overflows or loses bits to underflow.
/// All other arguments go to [`integer_fma`]. Targets without `f64` instructions use [`integer_fma`] for all arguments.
///
/// **Source** S. Boldo, G. Melquiond, *Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to
/// odd*, IEEE Trans. Comput. 57 (2008).
#[doc(hidden)]
#[inline]
pub fn software_fma_f64(a: f64, b: f64, c: f64) -> f64 {
    // NaN fails the comparisons and goes to `integer_fma`.
    let tame = |x: f64| (x.abs() >= LOW) & (x.abs() < HIGH);
    if cfg!(soft_f64) || !(tame(a) & tame(b) & (c.abs() < HIGH)) {
        return integer_fma(a, b, c);
    }
    let (ph, pl) = two_product(a, b);
    let (th, tl) = two_sum(pl, c);
    let (vh, vl) = two_sum(ph, th);
    let (s, e) = two_sum(tl, vl);
    vh + f64::from_bits(to_odd(s, e))
}

/// The bits of `s + e` rounded to odd, where `s` is `s + e` rounded to nearest.
///
/// An inexact sum is never zero. Its neighbour away from zero therefore has the bits `bits + 1`, its neighbour towards zero
/// `bits - 1`. A NaN `e` counts as exact.
#[inline(always)]
fn to_odd(s: f64, e: f64) -> u64 {
    let bits = s.to_bits();
    let outward = (e > 0.0) == (s > 0.0);
    let neighbour = if outward { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
    let inexact = (e < 0.0) | (e > 0.0);
    if inexact & (bits & 1 == 0) { neighbour } else { bits }
}

/// The rounded sum and its error (D. E. Knuth, *The Art of Computer Programming*, volume 2, section 4.2.2).
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

/// The rounded product and its error (T. J. Dekker, *A floating-point technique for extending the available precision*,
/// Numer. Math. 18 (1971); the split is Veltkamp's).
#[inline(always)]
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let split = |x: f64| {
        let t = SPLIT * x;
        let high = t - (t - x);
        (high, x - high)
    };
    let (p, (ah, al), (bh, bl)) = (a * b, split(a), split(b));
    (p, al * bl - (((p - ah * bh) - al * bh) - ah * bl))
}

/// `a b + c` in integer arithmetic: 53 x 53-bit product, alignment with a sticky bit, one rounding.
///
/// **Source** derived here.
#[doc(hidden)]
#[cfg_attr(not(soft_f64), cold)]
pub fn integer_fma(a: f64, b: f64, c: f64) -> f64 {
    const SIGN: u64 = 1 << 63;
    if !(a.is_finite() && b.is_finite()) || a == 0.0 || b == 0.0 {
        // A product with a zero, an infinity or a NaN is exact, so two operations round once.
        return a * b + c;
    }
    if !c.is_finite() {
        return c; // the product is finite, even where `a * b` would overflow
    }
    if c == 0.0 {
        // The exact product is not zero, so the sign of `c` does not matter, even if the product underflows.
        return a * b;
    }
    let (ma, ea) = decompose(a);
    let (mb, eb) = decompose(b);
    let (mc, ec) = decompose(c);
    // Both terms become 128-bit integers times a power of two. Their highest bit is bit 124 or 125, so the sum fits.
    let mut product = (u128::from(ma) * u128::from(mb)) << 20;
    let product_exponent = ea + eb - 20;
    let mut addend = u128::from(mc) << 72;
    let addend_exponent = ec - 72;
    // Shift the term with the smaller exponent to the right. Its last 20 bits (72 for the addend) are zeros, so bits are
    // lost into the sticky bit only if the exponents differ by at least 21. Then at most one leading bit cancels, and the
    // sticky bit stays far below the rounding position.
    let exponent = if product_exponent >= addend_exponent {
        addend = shift_right_sticky(addend, product_exponent.abs_diff(addend_exponent));
        product_exponent
    } else {
        product = shift_right_sticky(product, product_exponent.abs_diff(addend_exponent));
        addend_exponent
    };
    let product_sign = (a.to_bits() ^ b.to_bits()) & SIGN;
    let addend_sign = c.to_bits() & SIGN;
    let (sign, magnitude) = if product_sign == addend_sign {
        (product_sign, product + addend)
    } else if product >= addend {
        (product_sign, product - addend)
    } else {
        (addend_sign, addend - product)
    };
    if magnitude == 0 {
        return 0.0; // exact cancellation is +0 in this rounding mode
    }
    f64::from_bits(sign | round(magnitude, exponent))
}

/// `|x| = m 2^e` with `2^52 <= m < 2^53`, for finite nonzero `x`.
#[inline]
fn decompose(x: f64) -> (u64, i32) {
    let bits = x.to_bits() & (u64::MAX >> 1);
    let biased = (bits >> 52) as i32;
    let fraction = bits & ((1 << 52) - 1);
    if biased == 0 {
        let shift = fraction.leading_zeros() - 11;
        (fraction << shift, -1074 - shift as i32)
    } else {
        (fraction | 1 << 52, biased - 1075)
    }
}

/// `x >> by`, with the last bit set if a one bit was lost, for `x < 2^127`.
#[inline]
fn shift_right_sticky(x: u128, by: u32) -> u128 {
    let by = if by < 127 { by } else { 127 };
    (x >> by) | u128::from(x.trailing_zeros() < by)
}

/// The bits of `m 2^e`, `0 < m < 2^127`, rounded to nearest even.
///
/// Only one shift works on 128 bits, because such shifts are slow on small machines.
#[inline]
fn round(m: u128, e: i32) -> u64 {
    const INFINITY: u64 = 0x7ff << 52;
    const HALF: u64 = 1 << 63;
    let zeros = m.leading_zeros();
    let top = e + 127 - zeros as i32;
    if top > 1023 {
        return INFINITY;
    }
    // Keep the upper 64 bits, the highest of which is set. The lower 64 go into a sticky bit, the last of those kept. At
    // least 11 of the 64 bits are dropped below, the sticky bit among them.
    let shifted = m << zeros;
    let bits = (shifted >> 64) as u64 | u64::from(shifted as u64 != 0);
    // Exponent of the last bit of the result: it has 53 bits, fewer if it is subnormal.
    let last = if top - 52 > -1074 { top - 52 } else { -1074 };
    let drop = (last - (top - 63)).unsigned_abs();
    let significand = if drop > 64 {
        0 // below half of the smallest subnormal
    } else {
        let kept = bits.checked_shr(drop).unwrap_or(0);
        let rest = bits << (64 - drop);
        kept + u64::from(rest > HALF || (rest == HALF && kept & 1 == 1))
    };
    // The implicit bit of `significand` carries into the exponent field. A significand rounded up to 2^53 carries too.
    (((last + 1074) as u64) << 52) + significand
}
