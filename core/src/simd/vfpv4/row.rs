//! One row of outputs at a time, rows of b contiguous.

use core::arch::asm;

/// The terms of outputs s0 to s3: the value s24 of a, s16 to s19 of b.
macro_rules! terms_4 {
    () => {
        fused!("s24": "s0" "s16", "s1" "s17", "s2" "s18", "s3" "s19")
    };
}

/// The terms of outputs s0 to s7.
macro_rules! terms_8 {
    () => {
        concat!(terms_4!(), fused!("s24": "s4" "s20", "s5" "s21", "s6" "s22", "s7" "s23"))
    };
}

/// The terms of outputs s8 to s15.
macro_rules! next_8 {
    () => {
        fused!(
            "s24": "s8" "s16", "s9" "s17", "s10" "s18", "s11" "s19", "s12" "s20", "s13" "s21", "s14" "s22", "s15" "s23"
        )
    };
}

/// `c[j] <- fma(a, b[j], c[j])`.
///
/// # Safety
/// - c must be writable and b readable for `count` values, a for one.
/// - c overlaps neither.
#[inline(never)]
pub(super) unsafe fn one_step(c: *mut f32, a: *const f32, b: *const f32, count: usize) {
    // SAFETY: one loop runs `count / 16` times and reads and writes 16 values; the other runs `count % 16` times, with one
    // value. Together these are the `count` values that the caller promises. The operands name all registers that change.
    // The option `preserves_flags` is absent, and the code does not access the stack.
    unsafe {
        clobbered!(
            "vldr s24, [{a}]",
            "subs {count}, {count}, #16",
            "blo 3f",
            "2:",
            "vldmia {c}, {{s0-s15}}",
            "vldmia {b}!, {{s16-s23}}",
            terms_8!(),
            "vldmia {b}!, {{s16-s23}}",
            next_8!(),
            "vstmia {c}!, {{s0-s15}}",
            "subs {count}, {count}, #16",
            "bhs 2b",
            "3:",
            "adds {count}, {count}, #16",
            "beq 5f",
            "4:",
            "vldr s0, [{c}]",
            "vldmia {b}!, {{s16}}",
            "vfma.f32 s0, s24, s16",
            "vstmia {c}!, {{s0}}",
            "subs {count}, {count}, #1",
            "bne 4b",
            "5:",
            ;
            a = in(reg) a,
            b = inout(reg) b => _,
            c = inout(reg) c => _,
            count = inout(reg) count => _,
        );
    }
}

/// Outputs `c[0 .. width]` of one row, in registers while p ascends.
macro_rules! block {
    ($name:ident, $width:literal, $registers:literal, [$($code:expr),+]) => {
        /// # Safety
        /// - c must be writable for the width of the block.
        /// - a must be readable at `inner` places `a_step` bytes apart, b for the width at `inner` places `b_step` bytes
        ///   apart.
        /// - `inner` is not zero; c overlaps neither.
        #[inline(always)]
        pub(super) unsafe fn $name(c: *mut f32, a: *const f32, a_step: usize, b: *const f32, b_step: usize, inner: usize) {
            // SAFETY: the loop runs `inner` times and reads the values of a and b that the caller promises. The values of c
            // are read before the loop and written after it. The operands name all registers that change. The option
            // `preserves_flags` is absent, and the code does not access the stack.
            unsafe {
                clobbered!(
                    concat!("vldmia {c}, {{", $registers, "}}"),
                    "2:",
                    "vldr s24, [{a}]",
                    "add {a}, {a}, {a_step}",
                    $($code,)+
                    "add {b}, {b}, {b_step}",
                    "subs {inner}, {inner}, #1",
                    "bne 2b",
                    concat!("vstmia {c}, {{", $registers, "}}"),
                    ;
                    a = inout(reg) a => _,
                    a_step = in(reg) a_step,
                    b = inout(reg) b => _,
                    b_step = in(reg) b_step.wrapping_sub(4 * $width),
                    inner = inout(reg) inner => _,
                    c = in(reg) c,
                );
            }
        }
    };
}

block!(
    block_16,
    16,
    "s0-s15",
    ["vldmia {b}!, {{s16-s23}}", terms_8!(), "vldmia {b}!, {{s16-s23}}", next_8!()]
);
block!(block_8, 8, "s0-s7", ["vldmia {b}!, {{s16-s23}}", terms_8!()]);
block!(block_4, 4, "s0-s3", ["vldmia {b}!, {{s16-s19}}", terms_4!()]);
block!(block_1, 1, "s0", ["vldmia {b}!, {{s16}}", "vfma.f32 s0, s24, s16"]);

/// `c[j] <- fma(a[p], b[p, j], c[j])` for p ascending, rows of b contiguous.
///
/// # Safety
/// - c must be writable for `count` values.
/// - a must be readable at `inner` places `a_step` values apart, b for `count` values at `inner` places `b_step` values
///   apart.
/// - `inner` is not zero; c overlaps neither.
pub(super) unsafe fn rows_of_b(
    c: *mut f32,
    a: *const f32,
    a_step: usize,
    b: *const f32,
    b_step: usize,
    inner: usize,
    count: usize,
) {
    let (a_step, b_step) = (4 * a_step, 4 * b_step);
    let mut j = 0;
    while j < count {
        let (c, b) = (c.wrapping_add(j), b.wrapping_add(j));
        macro_rules! block {
            ($name:ident, $width:literal) => {{
                // SAFETY:
                // - The block starts at column j and has at most `count - j` columns: c and the rows of b have them.
                // - The caller promises that a and b are readable at `inner` places with these steps.
                // - The caller promises that c is writable and overlaps neither, and that `inner` is not zero.
                unsafe { $name(c, a, a_step, b, b_step, inner) };
                $width
            }};
        }
        j += match count - j {
            16.. => block!(block_16, 16),
            8.. => block!(block_8, 8),
            4.. => block!(block_4, 4),
            _ => block!(block_1, 1),
        };
    }
}
