//! The most multiply-adds that the registers alone allow: no memory, enough independent chains to hide the latency.
#![allow(unsafe_code, reason = "vector intrinsics; a measure of the machine needs its instructions")]

use agop_core::scalar::Real;
use agop_core::simd::Level;
use std::hint::black_box;

/// Rounds of all chains in one timed call.
const ROUNDS: usize = 20_000;

/// Floating-point operations a second of register-only fused multiply-adds (two each) on one thread: on vectors where
/// the level has some, else of the scalar operation that the definition uses.
pub fn fma_peak<T: Real>(level: Level) -> f64 {
    let mut operations = 0;
    let time = crate::best_time(|| operations = fma_rounds::<T>(level));
    operations as f64 / time
}

/// One timed call of [`fma_peak`]: runs the chains, and gives the number of floating-point operations in them.
pub fn fma_rounds<T: Real>(level: Level) -> usize {
    let run: fn() -> usize = match (level.name(), T::NAME) {
        #[cfg(target_arch = "x86_64")]
        ("avx2", "f32") => || {
            // SAFETY: only an available level has this name, and it proves AVX2 and FMA.
            unsafe { vectors::avx2_f32() }
        },
        #[cfg(target_arch = "x86_64")]
        ("avx2", _) => || {
            // SAFETY: as above.
            unsafe { vectors::avx2_f64() }
        },
        #[cfg(target_arch = "x86_64")]
        ("avx512", "f32") => || {
            // SAFETY: only an available level has this name, and it proves AVX-512F.
            unsafe { vectors::avx512_f32() }
        },
        #[cfg(target_arch = "x86_64")]
        ("avx512", _) => || {
            // SAFETY: as above.
            unsafe { vectors::avx512_f64() }
        },
        #[cfg(target_arch = "aarch64")]
        ("neon", "f32") => || {
            // SAFETY: only an available level has this name, and it proves NEON.
            unsafe { vectors::neon_f32() }
        },
        #[cfg(target_arch = "aarch64")]
        ("neon", _) => || {
            // SAFETY: as above.
            unsafe { vectors::neon_f64() }
        },
        _ => scalar::<T>,
    };
    run()
}

/// The definition's own fma, a call into software where the compile target has no instruction for it.
fn scalar<T: Real>() -> usize {
    let mut chains = [T::one(); 12];
    let (a, b) = black_box((T::from_f64(0.999), T::from_f64(0.001)));
    for _ in 0..ROUNDS / 16 {
        for chain in &mut chains {
            *chain = T::fma(chain, &a, b);
        }
    }
    black_box(chains);
    ROUNDS / 16 * chains.len() * 2
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vectors {
    use super::ROUNDS;
    #[cfg(target_arch = "aarch64")]
    use core::arch::aarch64::*;
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::*;
    use std::hint::black_box;

    macro_rules! peak {
        ($name:ident, $features:literal, $lanes:literal, $chains:literal, $splat:ident, $fma:ident) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name() -> usize {
                let (a, b) = black_box(($splat(0.999), $splat(0.001)));
                let mut chains = [$splat(1.0); $chains];
                for _ in 0..ROUNDS {
                    for chain in &mut chains {
                        *chain = $fma(*chain, a, b);
                    }
                }
                black_box(chains);
                ROUNDS * $chains * $lanes * 2
            }
        };
    }

    // Chains: twice the four cycles of latency times two ports would be 16; the registers hold 12 and 24 with ease.
    #[cfg(target_arch = "x86_64")]
    peak!(avx2_f32, "avx2,fma", 8, 12, _mm256_set1_ps, _mm256_fmadd_ps);
    #[cfg(target_arch = "x86_64")]
    peak!(avx2_f64, "avx2,fma", 4, 12, _mm256_set1_pd, _mm256_fmadd_pd);
    #[cfg(target_arch = "x86_64")]
    peak!(avx512_f32, "avx512f", 16, 24, _mm512_set1_ps, _mm512_fmadd_ps);
    #[cfg(target_arch = "x86_64")]
    peak!(avx512_f64, "avx512f", 8, 24, _mm512_set1_pd, _mm512_fmadd_pd);
    // This instruction adds the product of the last two to the first.
    #[cfg(target_arch = "aarch64")]
    peak!(neon_f32, "neon", 4, 24, vdupq_n_f32, vfmaq_f32);
    #[cfg(target_arch = "aarch64")]
    peak!(neon_f64, "neon", 2, 24, vdupq_n_f64, vfmaq_f64);
}
