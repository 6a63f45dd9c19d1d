//! The floating-point self-test. It returns an error on a machine or thread whose arithmetic would give other bits.

pub use crate::error::Fault;

use crate::error::Error;
use crate::ieee;
use crate::kernel::Backend;
use crate::scalar::Real;
use crate::simd::Level;
use core::hint::black_box;

/// Tests the floating-point environment of the calling thread, for both scalars on the given level.
///
/// It detects flush-to-zero, denormals-are-zero, a changed rounding mode, x87 double rounding and a wrong fma.
///
/// **Errors** [`Error::Environment`] with the first fault found.
pub fn check(level: Level) -> Result<(), Error> {
    let fault = subnormals_f32().or_else(subnormals_f64).or_else(rounding_f32).or_else(rounding_f64);
    let fault = fault
        .or_else(double_rounding)
        .or_else(|| fused::<f32>(level, 12))
        .or_else(|| fused::<f64>(level, 27));
    match fault {
        Some(fault) => Err(Error::Environment(fault)),
        None => Ok(()),
    }
}

/// Tests the settings that may differ between threads. Call it in each thread that computes, after one [`check`] of the
/// level.
///
/// On x86-64 this reads the control register of the thread, which takes a few cycles; only if it is not the default does
/// [`check`] look for the fault. On other targets this is [`check`] on [`Level::compiled`].
///
/// **Errors** as [`check`].
pub fn check_thread() -> Result<(), Error> {
    if ieee::control_is_default() { Ok(()) } else { check(Level::compiled()) }
}

macro_rules! subnormals {
    ($name:ident, $scalar:ty) => {
        fn $name() -> Option<Fault> {
            let smallest_normal = black_box(<$scalar>::MIN_POSITIVE);
            let subnormal = black_box(<$scalar>::from_bits(3));
            // Compare bits as integers: a comparison of floats may itself treat subnormals as zero. The product must be a
            // normal number, so that flush-to-zero does not change it.
            let scale = black_box(2.0 / <$scalar>::EPSILON);
            if (subnormal * scale).to_bits() != (6.0 * <$scalar>::MIN_POSITIVE).to_bits() {
                return Some(Fault::DenormalsAreZero);
            }
            if (smallest_normal * black_box(0.5)).to_bits() != <$scalar>::MIN_POSITIVE.to_bits() / 2 {
                return Some(Fault::FlushToZero);
            }
            None
        }
    };
}

/// Half an ulp ties to even, and slightly more or less rounds to the nearer side. The two ties detect every other mode:
/// rounding up fails the first, rounding down or towards zero fails the second.
macro_rules! rounding {
    ($name:ident, $scalar:ty) => {
        fn $name() -> Option<Fault> {
            let ulp = <$scalar>::EPSILON;
            let (one, odd, half) = (black_box(1.0), black_box(1.0 + ulp), black_box(ulp * 0.5));
            let right = one + half == 1.0
                && odd + half == 1.0 + 2.0 * ulp
                && one + black_box(ulp * 0.75) == 1.0 + ulp
                && one + black_box(ulp * 0.25) == 1.0;
            if right { None } else { Some(Fault::Rounding) }
        }
    };
}

subnormals!(subnormals_f32, f32);
subnormals!(subnormals_f64, f64);
rounding!(rounding_f32, f32);
rounding!(rounding_f64, f64);

/// `1 + (2^-53 + 2^-78)` rounds up. Rounded to 64 bits first, as by the x87 unit, it becomes a tie and rounds down.
fn double_rounding() -> Option<Fault> {
    let addend = black_box(f64::EPSILON * 0.5 + f64::EPSILON / 67_108_864.0);
    if black_box(1.0) + addend == 1.0 + f64::EPSILON { None } else { Some(Fault::DoubleRounding) }
}

/// `(1 + h)^2 - (1 + 2h)` is `h^2`. If `h^2` is below half an ulp of one, only a fused operation returns it.
fn fused<T: Real>(level: Level, bits: u32) -> Option<Fault> {
    let h = T::from_f64(1.0 / (1_u64 << bits) as f64);
    let x = black_box(T::one() + h);
    let minus = -(T::one() + h + h);
    let mut lanes = [black_box(minus); 17];
    level.axpy(x, &[x; 17], &mut lanes);
    let single = T::fma(&x, &x, black_box(minus));
    let right = lanes.iter().all(|value| *value == h * h) && single == h * h;
    if right { None } else { Some(Fault::FusedMultiplyAdd) }
}
