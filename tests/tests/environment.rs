//! The floating-point self-test: it passes in a sound environment, and names what is wrong in an unsound one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_core::environment::{Fault, check, check_thread};
use agop_core::error::Error;
use agop_core::simd::Level;

#[test]
fn a_sound_environment_passes_on_every_level() {
    for level in Level::available() {
        assert_eq!(check(level), Ok(()), "{}", level.name());
    }
    std::thread::spawn(|| assert_eq!((check(Level::detect()), check_thread()), (Ok(()), Ok(()))))
        .join()
        .unwrap();
}

#[test]
fn every_fault_has_its_sentence() {
    let faults = [
        (Fault::FlushToZero, "subnormal results are flushed to zero"),
        (Fault::DenormalsAreZero, "subnormal operands are taken as zero"),
        (Fault::Rounding, "the rounding mode is not to nearest, ties to even"),
        (Fault::DoubleRounding, "results are rounded twice (x87 extended precision)"),
        (Fault::FusedMultiplyAdd, "a fused multiply-add is not fused"),
    ];
    for (fault, sentence) in faults {
        assert_eq!(Error::Environment(fault).to_string(), format!("floating-point environment: {sentence}"));
    }
}

#[cfg(target_arch = "x86_64")]
mod mxcsr {
    #![allow(unsafe_code, reason = "the control register of SSE is reached by assembly only")]

    use super::{Error, Fault, Level, check, check_thread};
    use std::arch::asm;
    use std::hint::black_box;

    const DENORMALS_ARE_ZERO: u32 = 1 << 6;
    const DOWN: u32 = 1 << 13;
    const UP: u32 = 2 << 13;
    const TOWARDS_ZERO: u32 = 3 << 13;
    const FLUSH_TO_ZERO: u32 = 1 << 15;

    fn read() -> u32 {
        let mut value = 0_u32;
        // SAFETY: stmxcsr stores 4 bytes at the address, which is that of a live u32.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack, preserves_flags)) };
        value
    }

    fn write(value: u32) {
        // SAFETY: ldmxcsr loads 4 bytes from a live u32; only bits that every x86-64 processor has are ever set.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const value, options(nostack, preserves_flags, readonly));
        };
    }

    /// Sets bits of the control register of this thread until it is dropped, a panic included.
    struct Guard(u32);

    impl Guard {
        fn set(bits: u32) -> Self {
            let before = read();
            write(before | bits);
            Self(before)
        }
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            write(self.0);
        }
    }

    /// Runs `f` with the bits set, in a thread of its own: the compiler may assume a sound environment, so nothing else
    /// is computed there.
    fn under<R: Send + 'static>(bits: u32, f: impl FnOnce() -> R + Send + 'static) -> R {
        let run = move || {
            let guard = Guard::set(bits);
            // Opaque, or the compiler would move plain arithmetic past the restoring of the mode.
            let result = black_box(f());
            let during = read();
            drop(guard);
            assert_eq!(during & bits, bits, "the bits were not set while the test ran");
            assert_eq!(read() & bits, 0, "the bits were not restored");
            result
        };
        std::thread::spawn(run).join().unwrap()
    }

    fn found(bits: u32, level: Level) -> Result<(), Error> {
        under(bits, move || check(level))
    }

    #[test]
    fn each_wrong_mode_is_detected_and_named() {
        for level in Level::available() {
            let named = |bits: u32, fault: Fault| {
                assert_eq!(
                    found(bits, level),
                    Err(Error::Environment(fault)),
                    "{bits:#x} on {}",
                    level.name()
                );
            };
            named(FLUSH_TO_ZERO, Fault::FlushToZero);
            named(DENORMALS_ARE_ZERO, Fault::DenormalsAreZero);
            named(DOWN, Fault::Rounding);
            named(UP, Fault::Rounding);
            named(TOWARDS_ZERO, Fault::Rounding);
            assert_eq!(found(0, level), Ok(()), "no bit on {}", level.name());
        }
    }

    #[test]
    fn combinations_are_refused() {
        for bits in 1..16_u32 {
            let bits = ((bits & 1) << 6) | ((bits >> 1 & 1) << 15) | ((bits >> 2) << 13);
            let result = found(bits, Level::detect());
            assert!(matches!(result, Err(Error::Environment(_))), "{bits:#x}: {result:?}");
            assert_eq!(under(bits, check_thread), result, "{bits:#x}");
        }
    }

    /// The modes really change results: without this, a test that sets nothing would look the same.
    #[test]
    fn the_modes_change_results() {
        let third = || (black_box(1.0_f64) / black_box(3.0)).to_bits();
        let subnormal = || (black_box(f32::MIN_POSITIVE) * black_box(0.5)).to_bits();
        let doubled = || (black_box(f32::from_bits(1 << 22)) * black_box(4.0)).to_bits();
        assert_eq!(under(UP, third), under(0, third) + 1);
        assert_eq!(under(DOWN, third), under(0, third));
        assert_eq!((under(0, subnormal), under(FLUSH_TO_ZERO, subnormal)), (1 << 22, 0));
        assert_eq!((under(0, doubled), under(DENORMALS_ARE_ZERO, doubled)), (2 << 23, 0));
    }

    /// Every thread of a pool looks at its own environment: one that was spoilt by what ran there before is named, and
    /// nothing is added on it.
    #[test]
    fn every_thread_checks_its_own() {
        use agop::machine::Threads;
        use agop::sums::SampleSum;
        use agop_core::reduce::{SAMPLE_BLOCK, SampleTree};
        use std::sync::atomic::{AtomicUsize, Ordering};

        for bits in [FLUSH_TO_ZERO, DENORMALS_ARE_ZERO, DOWN, UP, TOWARDS_ZERO] {
            let samples = 4 * SAMPLE_BLOCK;
            let mut memory = SampleSum::<f32>::new(&Threads::new(4).unwrap(), 1, samples, 0).unwrap();
            let calls = AtomicUsize::new(0);
            let mut sum = |spoil: bool| {
                let add = |range: std::ops::Range<usize>, tree: &mut SampleTree<'_, f32>, _: &mut [f32]| {
                    calls.fetch_add(1, Ordering::Relaxed);
                    if spoil && range.contains(&(2 * SAMPLE_BLOCK)) {
                        write(read() | bits);
                    }
                    tree.advance(Level::scalar(), range.len())
                };
                memory.sum(Level::scalar(), samples, add).map(|_| ())
            };
            assert_eq!(sum(false), Ok(()));
            // Which thread takes which blocks is not said: this round may find the spoilt one, and some later round does.
            let refused = |result| matches!(result, Err(Error::Environment(_)));
            let refused = refused(sum(true)) || (0..10_000).any(|_| refused(sum(false)));
            assert!(refused, "{bits:#x} on one of the threads was not seen");
            assert!(calls.load(Ordering::Relaxed) >= 5);
        }
    }
}
