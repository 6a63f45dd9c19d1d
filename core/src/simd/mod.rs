//! Instruction sets: tokens that prove one, and the kernels that run on it. With `ieee` the only
//! `unsafe` of the crate.
#![allow(unsafe_code, reason = "intrinsics and raw tiles; every block carries its proof")]

/// A token, whether the compile target guarantees its instructions, and their names where it need not.
#[cfg(lanes)]
macro_rules! token {
    (
        $(#[$doc:meta])* $name:ident $(, enable: $features:literal)?;
        compiled: $compiled:expr,
        opaque: $opaque:path,
        prefetch: $prefetch:path,
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(());

        impl $name {
            /// The token, where the compile target guarantees the instructions.
            pub const fn compiled() -> Option<Self> {
                if $compiled { Some(Self(())) } else { None }
            }
        }

        impl Set for $name {
            #[inline(always)]
            fn call<K: Kernel<Self>>(self, kernel: K) -> K::Output {
                $(#[target_feature(enable = $features)])?
                #[inline(never)]
                fn run<K: Kernel<$name>>(set: $name, kernel: K) -> K::Output {
                    kernel.run(set)
                }
                #[allow(unused_unsafe, reason = "some targets guarantee the instructions")]
                // SAFETY: the token proves that the instructions are there.
                unsafe {
                    run(self, kernel)
                }
            }
            #[inline(always)]
            fn opaque(self, number: usize) -> usize {
                $opaque(number)
            }
            #[inline(always)]
            fn prefetch(self, address: usize) {
                $prefetch(address);
            }
        }
    };
}

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
#[cfg(lanes)]
use lanes::Set;

/// The levels besides the scalar one, from the first to the best; the expression looks for the token at run time.
macro_rules! levels {
    ($($(#[doc = $doc:literal])+ #[cfg($cfg:meta)] $set:ident = $name:literal, $detect:expr;)+) => {
        /// An instruction set that is known to be there. All levels give the same bits.
        ///
        /// A value can only be had from [`Level::scalar`], [`Level::detect`], [`Level::available`] or, where the compile
        /// target guarantees it, [`Level::compiled`], or from a token, which is made the same ways: holding one is the proof
        /// that its instructions may run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Level {
            /// The definition, on the scalar instructions of the compile target.
            Scalar,
            $($(#[doc = $doc])+ #[cfg($cfg)] $set($set),)+
        }

        impl Level {
            /// The reference level; always there.
            pub const fn scalar() -> Self {
                Self::Scalar
            }

            /// The best level that the compile target guarantees, for code without run-time detection.
            pub const fn compiled() -> Self {
                let best = Self::Scalar;
                $(
                    #[cfg($cfg)]
                    let best = match $set::compiled() {
                        Some(token) => Self::$set(token),
                        None => best,
                    };
                )+
                best
            }

            /// The best level of this machine. Needs no `std`: on x86-64 it asks cpuid and xgetbv.
            pub fn detect() -> Self {
                Self::available().last().unwrap_or(Self::Scalar)
            }

            /// Every level of this machine, from the reference to the best.
            pub fn available() -> impl Iterator<Item = Self> {
                [Some(Self::Scalar), $(#[cfg($cfg)] $detect.map(Self::$set),)+].into_iter().flatten()
            }

            /// Names of all levels that this build knows, there or not.
            pub const NAMES: &'static [&'static str] = &["scalar", $(#[cfg($cfg)] $name,)+];

            /// Name as `AGOP_LEVEL` and the benchmarks spell it.
            pub const fn name(self) -> &'static str {
                match self {
                    Self::Scalar => "scalar",
                    $(#[cfg($cfg)] Self::$set(_) => $name,)+
                }
            }
        }
    };
}

levels! {
    /// x86-64 AVX2 with FMA3.
    #[cfg(target_arch = "x86_64")]
    Avx2 = "avx2", Avx2::detect();
    /// x86-64 AVX-512F.
    #[cfg(target_arch = "x86_64")]
    Avx512 = "avx512", Avx512::detect();
    /// AArch64 NEON.
    #[cfg(neon)]
    Neon = "neon", Neon::compiled();
    /// WebAssembly simd128.
    #[cfg(simd128)]
    Simd128 = "simd128", Simd128::compiled();
    /// The floating-point unit of Cortex-M4F and later.
    #[cfg(hardware_fma = "vfpv4")]
    Vfpv4 = "vfpv4", Vfpv4::compiled();
}

/// Fetches the cache line of an address, which need not exist, into the second-level cache.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn prefetch(address: usize) {
    use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    // SAFETY: a prefetch of any address has no effect but on the caches.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(core::ptr::without_provenance(address)) };
}

/// Whether [`Level::detect`] can find more than the compile target promises.
pub(crate) const DETECTS: bool = cfg!(target_arch = "x86_64");

/// The code of a level: that of the vector sets, where `$token` is theirs, of the definition, or of a Cortex-M.
macro_rules! on_level {
    ($level:expr, $token:ident => $vectors:expr, scalar => $scalar:expr, vfpv4 => $vfpv4:expr) => {
        match $level {
            Level::Scalar => $scalar,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2($token) => $vectors,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512($token) => $vectors,
            #[cfg(neon)]
            Level::Neon($token) => $vectors,
            #[cfg(simd128)]
            Level::Simd128($token) => $vectors,
            #[cfg(hardware_fma = "vfpv4")]
            Level::Vfpv4($token) => $vfpv4,
        }
    };
}

/// A function for any [`Real`], whose code knows which float that is; a tuple of all arguments would go through memory.
macro_rules! per_float {
    ($name:ident($($argument:ident: $type:ty),*) -> $output:ty { $code:expr }) => {
        struct $name;

        impl PerFloat for $name {
            type Arguments<'a, T: 'a> = ($($type,)*);
            type Output = $output;
            #[inline(always)]
            fn f32(($($argument,)*): Self::Arguments<'_, f32>) -> $output {
                type T = f32;
                fn code<'a>($($argument: $type),*) -> $output {
                    $code
                }
                code($($argument),*)
            }
            #[inline(always)]
            fn f64(($($argument,)*): Self::Arguments<'_, f64>) -> $output {
                type T = f64;
                fn code<'a>($($argument: $type),*) -> $output {
                    $code
                }
                code($($argument),*)
            }
        }
    };
}

per_float!(Accumulate(
    level: Level, c: MatMut<'a, T>, a: MatRef<'a, T>, b: MatRef<'a, T>, triangle: Triangle, init: Init<'a, T>
) -> () {
    on_level!(
        level,
        token => lanes::accumulate(token, c, a, b, triangle, init),
        scalar => Definition.accumulate(c, a, b, triangle, init),
        vfpv4 => vfpv4::Loops::accumulate(token, c, a, b, triangle, init)
    )
});
per_float!(Axpy(level: Level, a: T, x: &'a [T], y: &'a mut [T]) -> () {
    on_level!(
        level,
        token => token.call(lanes::Axpy { a, x, y }),
        scalar => Definition.axpy(a, x, y),
        vfpv4 => vfpv4::Loops::axpy(token, a, x, y)
    )
});
// The sum is in f64, for which a Cortex-M has no instruction.
per_float!(Dot(level: Level, a: MatRef<'a, T>, b: MatRef<'a, T>) -> f64 {
    on_level!(
        level,
        token => token.call(lanes::Dot { a, b }),
        scalar => Definition.dot(a, b),
        vfpv4 => { let _ = token; Definition.dot(a, b) }
    )
});

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
        on_level!(
            self,
            token => token.call(lanes::SimdLoop(loops)),
            scalar => loops.run(),
            vfpv4 => { let _ = token; loops.run() }
        )
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
