//! The unit's kernels against the definition, bit by bit; then the instructions per multiply-accumulate of each product on
//! both.
//!
//! The emulator is run with one instruction a nanosecond; the counter of a Cortex-M4F on MPS2 runs at 25 MHz, so one tick
//! is 40 instructions. Each product is repeated until that does not matter.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this program counts the instructions of a microcontroller");
}

#[cfg(target_os = "none")]
mod bare {
    use agop_core::kernel::{Backend, Definition, Init, Triangle, accumulate, accumulate_outer, product};
    use agop_core::matrix::{MatMut, MatRef};
    use agop_core::simd::Level;
    use core::hint::black_box;
    use cortex_m::peripheral::SYST;
    use cortex_m::peripheral::syst::SystClkSource;
    use firmware::Print;
    use firmware::board::{Console, exit};

    const LARGEST: usize = 64;
    const REPEATS: u64 = 64;
    const INSTRUCTIONS_PER_TICK: u64 = 40;

    struct Memory {
        weights: [f32; LARGEST * LARGEST],
        batch: [f32; 8 * LARGEST],
        other: [f32; 8 * LARGEST],
        square: [f32; LARGEST * LARGEST],
    }

    /// Largest width of the comparison, values around the product that nothing may change, and largest inner size.
    const MOST: usize = 67;
    const GUARD: usize = 8;
    const INNER: [usize; 4] = [0, 1, 2, 5];

    struct Comparison {
        left: [f32; (MOST + 3) * 5],
        right: [f32; MOST * 5],
        found: [f32; (MOST + 3) * MOST + 2 * GUARD],
        expected: [f32; (MOST + 3) * MOST + 2 * GUARD],
    }

    /// Floats of every kind but infinities and NaN: signed zeros, subnormals, and magnitudes that products of two keep.
    fn fill(values: &mut [f32], state: &mut u32) {
        for value in values {
            // Marsaglia's xorshift.
            *state ^= *state << 13;
            *state ^= *state >> 17;
            *state ^= *state << 5;
            let (sign, kind, fraction) = (*state & 1 << 31, *state >> 23 & 31, *state & 0x007f_ffff);
            *value = f32::from_bits(match kind {
                0 => sign,
                1 => sign | fraction,
                2 => sign | 64 << 23 | fraction,
                _ => sign | (112 + kind) << 23 | fraction,
            });
        }
    }

    /// Products of every width, with as many rows, half as many, three more and one, of plain and transposed factors, whole
    /// and above the diagonal; on one of them `axpy` once more. Returns how many were equal, or none when one was not.
    fn compare(memory: &mut Comparison, level: Level) -> Option<u64> {
        let (mut state, mut count) = (1, 0);
        for columns in 0..=MOST {
            for (rows, inner) in
                [columns, columns / 2, columns + 3, 1].into_iter().flat_map(|rows| INNER.map(|p| (rows, p)))
            {
                for way in 0..24 {
                    let Comparison { left, right, found, expected } = &mut *memory;
                    let (left, right) = (&mut left[..rows * inner], &mut right[..inner * columns]);
                    let all = rows * columns + 2 * GUARD;
                    fill(left, &mut state);
                    fill(right, &mut state);
                    fill(&mut found[..all], &mut state);
                    expected[..all].copy_from_slice(&found[..all]);
                    let view = |m, rows, columns, turned: bool| match turned {
                        true => MatRef::new(m, columns, rows).map(MatRef::t),
                        false => MatRef::new(m, rows, columns),
                    };
                    let a = view(left, rows, inner, way & 1 == 1).ok()?;
                    let b = view(right, inner, columns, way & 2 == 2).ok()?;
                    let triangle = if way & 4 == 4 { Triangle::Upper } else { Triangle::Full };
                    let init = match way / 8 {
                        0 => Init::Accumulate,
                        1 => Init::Zero,
                        _ => Init::Row(right.get(..columns).unwrap_or_default()),
                    };
                    let inside = GUARD..GUARD + rows * columns;
                    let c = MatMut::new(&mut found[inside.clone()], rows, columns).ok()?;
                    let d = MatMut::new(&mut expected[inside], rows, columns).ok()?;
                    level.accumulate(c, a, b, triangle, init);
                    Definition.accumulate(d, a, b, triangle, init);
                    if way == 0 && inner > 0 && rows > 0 {
                        level.axpy(left[0], &right[..columns], &mut found[GUARD..][..columns]);
                        Definition.axpy(left[0], &right[..columns], &mut expected[GUARD..][..columns]);
                    }
                    let mut pairs = found[..all].iter().zip(&expected[..all]);
                    if !pairs.all(|(x, y)| x.to_bits() == y.to_bits()) {
                        return None;
                    }
                    count += 1;
                }
            }
        }
        Some(count)
    }

    /// Instructions of one call, in hundredths per multiply-accumulate.
    fn measure(timer: &mut SYST, terms: usize, mut f: impl FnMut()) -> u64 {
        let before = SYST::get_current();
        timer.clear_current();
        let _ = black_box(before);
        let start = SYST::get_current();
        for _ in 0..REPEATS {
            f();
        }
        let ticks = u64::from(start.wrapping_sub(SYST::get_current()) & 0x00ff_ffff);
        ticks * INSTRUCTIONS_PER_TICK * 100 / (REPEATS * terms as u64)
    }

    fn row(name: &str, n: usize, rows: usize, values: [u64; 2]) {
        let mut out = Console;
        out.text(name);
        out.text("  width ");
        out.whole(n as u64);
        out.text("  rows ");
        out.whole(rows as u64);
        for (level, value) in Level::available().zip(values) {
            out.text("  ");
            out.text(level.name());
            out.text(" ");
            out.whole(value / 100);
            out.text(".");
            out.whole(value / 10 % 10);
            out.whole(value % 10);
        }
        out.text("\n");
    }

    #[cortex_m_rt::entry]
    fn main() -> ! {
        static mut MEMORY: Memory = Memory {
            weights: [0.25; LARGEST * LARGEST],
            batch: [0.5; 8 * LARGEST],
            other: [0.125; 8 * LARGEST],
            square: [0.0; LARGEST * LARGEST],
        };
        static mut COMPARISON: Comparison =
            Comparison { left: [0.0; _], right: [0.0; _], found: [0.0; _], expected: [0.0; _] };
        let Some(core) = cortex_m::Peripherals::take() else { exit(false) };
        let mut timer = core.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(0x00ff_ffff);
        timer.clear_current();
        timer.enable_counter();
        for level in Level::available().skip(1) {
            let Some(count) = compare(COMPARISON, level) else {
                Console.text("a product differs from the definition\n");
                exit(false)
            };
            Console.text("products equal to the definition: ");
            Console.whole(count);
            Console.text("\n");
        }
        let mut passed = true;
        for n in [32, 37, 64] {
            for m in [1, 8] {
                let Memory { weights, batch, other, square } = &mut *MEMORY;
                let mut all = [[0; 2]; 4];
                for (at, level) in Level::available().enumerate().take(2) {
                    let w = &weights[..n * n];
                    let x = &batch[..m * n];
                    let out = &mut other[..m * n];
                    all[0][at] = measure(&mut timer, m * n * n, || {
                        let (Ok(w), Ok(x)) = (MatRef::new(w, n, n), MatRef::new(x, m, n)) else { return };
                        let Ok(out) = MatMut::new(out, m, n) else { return };
                        passed &= product(level, out, black_box(x), w.t()).is_ok();
                    });
                    all[1][at] = measure(&mut timer, m * n * n, || {
                        let (Ok(w), Ok(x)) = (MatRef::new(w, n, n), MatRef::new(x, m, n)) else { return };
                        let Ok(out) = MatMut::new(out, m, n) else { return };
                        passed &= product(level, out, black_box(x), w).is_ok();
                    });
                    let square = &mut square[..n * n];
                    all[2][at] = measure(&mut timer, m * n * n, || {
                        let (Ok(d), Ok(x)) = (MatRef::new(out, m, n), MatRef::new(x, m, n)) else { return };
                        let Ok(square) = MatMut::new(square, n, n) else { return };
                        passed &= accumulate(level, square, black_box(d).t(), x).is_ok();
                    });
                    all[3][at] = measure(&mut timer, m * n * (n + 1) / 2, || {
                        let Ok(x) = MatRef::new(x, m, n) else { return };
                        let Ok(square) = MatMut::new(square, n, n) else { return };
                        passed &= accumulate_outer(level, square, black_box(x)).is_ok();
                    });
                }
                for (name, values) in ["x W^T", "d W  ", "d^T x", "x^T x"].into_iter().zip(all) {
                    row(name, n, m, values);
                }
            }
        }
        exit(passed)
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }
}
