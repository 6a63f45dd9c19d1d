//! Instruction sets: tokens that prove one, and the kernels that run on it. With `ieee` the only
//! `unsafe` of the crate.
#![allow(unsafe_code, reason = "intrinsics and raw tiles; every block carries its proof")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(lanes)]
mod lanes;
#[cfg(neon)]
mod neon;
#[cfg(simd128)]
mod simd128;
#[cfg(hardware_fma = "vfpv4")]
mod vfpv4;

#[cfg(all(target_arch = "x86", not(target_feature = "sse2")))]
compile_error!(
    "x86 without SSE2 computes in x87 registers, whose double rounding breaks the bit contract: build for i686 (SSE2) or later"
);

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
#[cfg(neon)]
pub use neon::Neon;
#[cfg(simd128)]
pub use simd128::Simd128;
#[cfg(hardware_fma = "vfpv4")]
pub use vfpv4::Vfpv4;

use crate::kernel::{Backend, Definition, Init, SimdLoop, Triangle};
use crate::matrix::{MatMut, MatRef};
use crate::scalar::{PerFloat, Real, Scalar};

/// An instruction set that is known to be there. All levels give the same bits.
///
/// A value can only be had from [`Level::scalar`], [`Level::detect`], [`Level::available`] or, where the compile target
/// guarantees it, [`Level::compiled`], or from a token, which is made the same ways: holding one is the proof that its
/// instructions may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// The definition, on the scalar instructions of the compile target.
    Scalar,
    /// x86-64 AVX2 with FMA3.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// x86-64 AVX-512F.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// AArch64 NEON.
    #[cfg(neon)]
    Neon(Neon),
    /// WebAssembly simd128.
    #[cfg(simd128)]
    Simd128(Simd128),
    /// The floating-point unit of Cortex-M4F and later.
    #[cfg(hardware_fma = "vfpv4")]
    Vfpv4(Vfpv4),
}

/// Whether [`Level::detect`] can find more than the compile target promises.
pub(crate) const DETECTS: bool = cfg!(target_arch = "x86_64");

impl Level {
    /// The reference level; always there.
    pub const fn scalar() -> Self {
        Self::Scalar
    }

    /// The best level that the compile target guarantees, for code without run-time detection.
    pub const fn compiled() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(token) = Avx512::compiled() {
                return Self::Avx512(token);
            }
            if let Some(token) = Avx2::compiled() {
                return Self::Avx2(token);
            }
        }
        #[cfg(neon)]
        if let Some(token) = Neon::compiled() {
            return Self::Neon(token);
        }
        #[cfg(simd128)]
        if let Some(token) = Simd128::compiled() {
            return Self::Simd128(token);
        }
        #[cfg(hardware_fma = "vfpv4")]
        if let Some(token) = Vfpv4::compiled() {
            return Self::Vfpv4(token);
        }
        Self::Scalar
    }

    /// The best level of this machine. Needs no `std`: on x86-64 it asks cpuid and xgetbv.
    pub fn detect() -> Self {
        let mut best = Self::compiled();
        for level in Self::available() {
            best = level;
        }
        best
    }

    /// Every level of this machine, from the reference to the best.
    pub fn available() -> impl Iterator<Item = Self> {
        let levels = [
            Some(Self::Scalar),
            #[cfg(target_arch = "x86_64")]
            Avx2::detect().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Avx512::detect().map(Self::Avx512),
            #[cfg(neon)]
            Neon::compiled().map(Self::Neon),
            #[cfg(simd128)]
            Simd128::compiled().map(Self::Simd128),
            #[cfg(hardware_fma = "vfpv4")]
            Vfpv4::compiled().map(Self::Vfpv4),
        ];
        levels.into_iter().flatten()
    }

    /// Names of all levels that this build knows, there or not.
    pub const NAMES: &'static [&'static str] = &[
        "scalar",
        #[cfg(target_arch = "x86_64")]
        "avx2",
        #[cfg(target_arch = "x86_64")]
        "avx512",
        #[cfg(neon)]
        "neon",
        #[cfg(simd128)]
        "simd128",
        #[cfg(hardware_fma = "vfpv4")]
        "vfpv4",
    ];

    /// Name as `AGOP_LEVEL` and the benchmarks spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(neon)]
            Self::Neon(_) => "neon",
            #[cfg(simd128)]
            Self::Simd128(_) => "simd128",
            #[cfg(hardware_fma = "vfpv4")]
            Self::Vfpv4(_) => "vfpv4",
        }
    }
}

/// What a float has for every [`Level`].
trait Element: Real {
    /// See [`Backend::accumulate`].
    fn accumulate(
        level: Level,
        c: MatMut<'_, Self>,
        a: MatRef<'_, Self>,
        b: MatRef<'_, Self>,
        triangle: Triangle,
        init: Init<'_, Self>,
    );
    /// See [`Backend::axpy`].
    fn axpy(level: Level, a: Self, x: &[Self], y: &mut [Self]);
    /// See [`Backend::dot`].
    fn dot(level: Level, a: MatRef<'_, Self>, b: MatRef<'_, Self>) -> f64;
}

macro_rules! element {
    ($scalar:ty) => {
        impl Element for $scalar {
            fn accumulate(
                level: Level,
                c: MatMut<'_, Self>,
                a: MatRef<'_, Self>,
                b: MatRef<'_, Self>,
                triangle: Triangle,
                init: Init<'_, Self>,
            ) {
                match level {
                    Level::Scalar => Definition.accumulate(c, a, b, triangle, init),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2(token) => lanes::accumulate(token, c, a, b, triangle, init),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512(token) => lanes::accumulate(token, c, a, b, triangle, init),
                    #[cfg(neon)]
                    Level::Neon(token) => lanes::accumulate(token, c, a, b, triangle, init),
                    #[cfg(simd128)]
                    Level::Simd128(token) => lanes::accumulate(token, c, a, b, triangle, init),
                    #[cfg(hardware_fma = "vfpv4")]
                    Level::Vfpv4(token) => vfpv4::Loops::accumulate(token, c, a, b, triangle, init),
                }
            }

            fn axpy(level: Level, a: Self, x: &[Self], y: &mut [Self]) {
                match level {
                    Level::Scalar => Definition.axpy(a, x, y),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2(token) => token.run(lanes::Axpy { a, x, y }),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512(token) => token.run(lanes::Axpy { a, x, y }),
                    #[cfg(neon)]
                    Level::Neon(token) => token.run(lanes::Axpy { a, x, y }),
                    #[cfg(simd128)]
                    Level::Simd128(token) => token.run(lanes::Axpy { a, x, y }),
                    #[cfg(hardware_fma = "vfpv4")]
                    Level::Vfpv4(token) => vfpv4::Loops::axpy(token, a, x, y),
                }
            }

            fn dot(level: Level, a: MatRef<'_, Self>, b: MatRef<'_, Self>) -> f64 {
                match level {
                    Level::Scalar => Definition.dot(a, b),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2(token) => token.run(lanes::Dot { a, b }),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512(token) => token.run(lanes::Dot { a, b }),
                    #[cfg(neon)]
                    Level::Neon(token) => token.run(lanes::Dot { a, b }),
                    #[cfg(simd128)]
                    Level::Simd128(token) => token.run(lanes::Dot { a, b }),
                    // The sum is in f64, for which the unit has no instruction.
                    #[cfg(hardware_fma = "vfpv4")]
                    Level::Vfpv4(_) => Definition.dot(a, b),
                }
            }
        }
    };
}

element!(f32);
element!(f64);

/// A function of [`Element`] for any [`Real`].
macro_rules! per_float {
    ($name:ident, $function:ident($($argument:ident: $type:ty),*) -> $output:ty) => {
        struct $name;

        impl PerFloat for $name {
            type Arguments<'a, T: 'a> = ($($type,)*);
            type Output = $output;
            #[inline(always)]
            fn f32(($($argument,)*): Self::Arguments<'_, f32>) -> $output {
                <f32 as Element>::$function($($argument),*)
            }
            #[inline(always)]
            fn f64(($($argument,)*): Self::Arguments<'_, f64>) -> $output {
                <f64 as Element>::$function($($argument),*)
            }
        }
    };
}

per_float!(Accumulate, accumulate(
    level: Level, c: MatMut<'a, T>, a: MatRef<'a, T>, b: MatRef<'a, T>, triangle: Triangle, init: Init<'a, T>
) -> ());
per_float!(Axpy, axpy(level: Level, a: T, x: &'a [T], y: &'a mut [T]) -> ());
per_float!(Dot, dot(level: Level, a: MatRef<'a, T>, b: MatRef<'a, T>) -> f64);

impl<T: Real> Backend<T> for Level {
    fn accumulate(
        self,
        c: MatMut<'_, T>,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        triangle: Triangle,
        init: Init<'_, T>,
    ) {
        T::choose::<Accumulate>((self, c, a, b, triangle, init));
    }

    fn axpy(self, a: T, x: &[T], y: &mut [T]) {
        T::choose::<Axpy>((self, a, x, y));
    }

    fn dot(self, a: MatRef<'_, T>, b: MatRef<'_, T>) -> <T as Scalar>::Wide {
        T::choose::<Dot>((self, a, b))
    }

    fn vectorize<P: SimdLoop>(self, loops: P) -> P::Output {
        match self {
            Self::Scalar => loops.run(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => token.run(lanes::SimdLoop(loops)),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.run(lanes::SimdLoop(loops)),
            #[cfg(neon)]
            Self::Neon(token) => token.run(lanes::SimdLoop(loops)),
            #[cfg(simd128)]
            Self::Simd128(token) => token.run(lanes::SimdLoop(loops)),
            #[cfg(hardware_fma = "vfpv4")]
            Self::Vfpv4(_) => loops.run(),
        }
    }
}

/// [`Level::compiled`] as a type: a backend without a value, so that a program links no kernels but those of its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compiled;

impl<T: Real> Backend<T> for Compiled {
    fn accumulate(
        self,
        c: MatMut<'_, T>,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        triangle: Triangle,
        init: Init<'_, T>,
    ) {
        const { Level::compiled() }.accumulate(c, a, b, triangle, init);
    }

    fn axpy(self, a: T, x: &[T], y: &mut [T]) {
        const { Level::compiled() }.axpy(a, x, y);
    }

    fn dot(self, a: MatRef<'_, T>, b: MatRef<'_, T>) -> <T as Scalar>::Wide {
        const { Level::compiled() }.dot(a, b)
    }

    fn vectorize<P: SimdLoop>(self, loops: P) -> P::Output {
        Backend::<T>::vectorize(const { Level::compiled() }, loops)
    }
}
