//! Two rows of outputs at a time, for products in which the values of a that meet a row of b lie side by side, as in
//! outer products `x^T y`: each value of b that is loaded serves two outputs.
//!
//! A limit needs this file: `tests/firmware/run` allows 2.5 instructions for each multiply-accumulate. Without it, an outer
//! product `x^T x` of one sample takes 8.1, 7.3 and 5.3 at widths 32, 37 and 64 (with it 2.5, 2.5 and 1.9), of eight
//! samples 2.9, 2.7 and 2.2 (1.9, 2.0 and 1.7), counted in QEMU on 2026-11-30. It costs 584 bytes of flash.
//!
//! ```text
//! several p     2 x 8 outputs in registers while p ascends      22 instructions for 16 terms
//! one p only    2 x 8 outputs loaded, fused and stored          23 for 16
//! ```
//! Both end a row with blocks of 4, 2 and 1 columns. Of the upper triangle, two rows are taken from the diagonal of the
//! first on; the one element of them that lies below the diagonal gets its old bits back.

use core::arch::asm;

/// The first column of 2 outputs: rows s0 and s8, values s24 and s25 of a, s16 of b.
macro_rules! terms_1 {
    () => {
        concat!(fused!("s24": "s0" "s16"), fused!("s25": "s8" "s16"))
    };
}

/// The first two columns.
macro_rules! terms_2 {
    () => {
        concat!(terms_1!(), fused!("s24": "s1" "s17"), fused!("s25": "s9" "s17"))
    };
}

/// The first four.
macro_rules! terms_4 {
    () => {
        concat!(terms_2!(), fused!("s24": "s2" "s18", "s3" "s19"), fused!("s25": "s10" "s18", "s11" "s19"))
    };
}

/// All eight: rows s0 to s7 and s8 to s15, s16 to s23 of b.
macro_rules! terms_8 {
    () => {
        concat!(
            terms_4!(),
            fused!("s24": "s4" "s20", "s5" "s21", "s6" "s22", "s7" "s23"),
            fused!("s25": "s12" "s20", "s13" "s21", "s14" "s22", "s15" "s23")
        )
    };
}

/// Outputs of two rows, in registers while p ascends.
macro_rules! block {
    ($name:ident, $width:literal, $upper:literal, $lower:literal, $right:literal, $terms:ident) => {
        /// # Safety
        /// - As [`rows_of_b`] with the width of the block for `count`, and the steps in bytes.
        #[inline(always)]
        unsafe fn $name(
            c: *mut f32,
            under: *mut f32,
            a: *const f32,
            a_step: usize,
            b: *const f32,
            b_step: usize,
            inner: usize,
        ) {
            // SAFETY: the loop runs `inner` times and reads what the caller promises; both rows of c are read before and
            // written after it. All registers that change are named, the flags are not promised to be kept, and the stack
            // is not touched.
            unsafe {
                clobbered!(
                    concat!("vldmia {c}, {{", $upper, "}}"),
                    concat!("vldmia {under}, {{", $lower, "}}"),
                    "2:",
                    "vldmia {a}, {{s24-s25}}",
                    "add {a}, {a}, {a_step}",
                    concat!("vldmia {b}, {{", $right, "}}"),
                    "add {b}, {b}, {b_step}",
                    $terms!(),
                    "subs {inner}, {inner}, #1",
                    "bne 2b",
                    concat!("vstmia {c}, {{", $upper, "}}"),
                    concat!("vstmia {under}, {{", $lower, "}}"),
                    ;
                    a = inout(reg) a => _,
                    a_step = in(reg) a_step,
                    b = inout(reg) b => _,
                    b_step = in(reg) b_step,
                    inner = inout(reg) inner => _,
                    c = in(reg) c,
                    under = in(reg) under,
                );
            }
        }
    };
}

block!(block_8, 8, "s0-s7", "s8-s15", "s16-s23", terms_8);
block!(block_4, 4, "s0-s3", "s8-s11", "s16-s19", terms_4);
block!(block_2, 2, "s0-s1", "s8-s9", "s16-s17", terms_2);
block!(block_1, 1, "s0", "s8", "s16", terms_1);

/// `c[j] <- fma(a[p][0], b[p, j], c[j])` and `under[j] <- fma(a[p][1], b[p, j], under[j])` for p ascending.
///
/// # Safety
/// - c and `under` must be writable for `count` values each, without an overlap.
/// - a must be readable for two values at `inner` places `a_step` values apart, b for `count` values at `inner` places
///   `b_step` values apart.
/// - `inner` is not zero; the rows of c overlap neither.
#[expect(clippy::too_many_arguments, reason = "a kernel's operands with their strides")]
pub(super) unsafe fn rows_of_b(
    c: *mut f32,
    under: *mut f32,
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
        let (c, under, b) = (c.wrapping_add(j), under.wrapping_add(j), b.wrapping_add(j));
        macro_rules! block {
            ($name:ident, $width:literal) => {{
                // SAFETY: - The block begins at j and is no wider than `count - j`: both rows of c have these columns.
                // - So have the rows of b, and a is the caller's.
                // - `inner` is the caller's, and so are the places of c.
                unsafe { $name(c, under, a, a_step, b, b_step, inner) };
                $width
            }};
        }
        j += match count - j {
            8.. => block!(block_8, 8),
            4.. => block!(block_4, 4),
            2.. => block!(block_2, 2),
            _ => block!(block_1, 1),
        };
    }
}

/// `c[i, j] <- fma(a[i], b[j], c[i, j])` for `2 pairs` rows of `columns` values that follow one another; with `upper` for
/// `j >= i` only.
///
/// # Safety
/// - c must be writable for `2 pairs columns` values, a readable for `2 pairs`, b for `columns`.
/// - `pairs` is not zero, and with `upper` not above `columns / 2`.
/// - c overlaps neither.
pub(super) unsafe fn one_step(
    c: *mut f32,
    a: *const f32,
    b: *const f32,
    pairs: usize,
    columns: usize,
    upper: bool,
) {
    let fewer = if upper { 2 } else { 0 };
    // SAFETY:
    // - The outer loop runs `pairs` times, and each pass reads two values of a.
    // - A pass processes the last n columns of b and of two rows of c. n is the number of columns; with `upper` it is the
    //   number from the diagonal of the first row on, which falls by two in each pass and is at least two.
    // - The first of the two rows starts one row after the second row of the pass before, plus `fewer` columns.
    // - A pass reads and writes n / 8 blocks of 8 columns in both rows, then blocks of 4, 2 and 1 by the bits of n % 8. The
    //   second pointer is then at the end of its row.
    // - With `upper` the first of the n columns in the second row is saved and restored.
    // - The operands name all registers that change. The option `preserves_flags` is absent, and the code does not access
    //   the stack.
    unsafe {
        clobbered!(
            "2:",
            "vldmia {a}!, {{s24-s25}}",
            "add {under}, {c}, {stride}",
            "vldr s26, [{under}]",
            "sub {x}, {end}, {n}, lsl #2",
            "subs {m}, {n}, #8",
            "blo 4f",
            "3:",
            "vldmia {c}, {{s0-s7}}",
            "vldmia {under}, {{s8-s15}}",
            "vldmia {x}!, {{s16-s23}}",
            terms_8!(),
            "vstmia {c}!, {{s0-s7}}",
            "vstmia {under}!, {{s8-s15}}",
            "subs {m}, {m}, #8",
            "bhs 3b",
            "4:",
            "lsls {m}, {m}, #30", // carry: bit 2 of n; negative: bit 1
            "bcc 5f",
            "vldmia {c}, {{s0-s3}}",
            "vldmia {under}, {{s8-s11}}",
            "vldmia {x}!, {{s16-s19}}",
            terms_4!(),
            "vstmia {c}!, {{s0-s3}}",
            "vstmia {under}!, {{s8-s11}}",
            "5:",
            "bpl 6f",
            "vldmia {c}, {{s0-s1}}",
            "vldmia {under}, {{s8-s9}}",
            "vldmia {x}!, {{s16-s17}}",
            terms_2!(),
            "vstmia {c}!, {{s0-s1}}",
            "vstmia {under}!, {{s8-s9}}",
            "6:",
            "lsls {m}, {m}, #2", // carry: bit 0
            "bcc 7f",
            "vldr s0, [{c}]",
            "vldr s8, [{under}]",
            "vldr s16, [{x}]",
            terms_1!(),
            "vstr s0, [{c}]",
            "vstmia {under}!, {{s8}}",
            "7:",
            "sub {x}, {under}, {n}, lsl #2",
            "cmp {fewer}, #0",
            "beq 8f",
            "vstr s26, [{x}]",
            "8:",
            "sub {n}, {n}, {fewer}",
            "add {c}, {x}, {jump}",
            "subs {pairs}, {pairs}, #1",
            "bne 2b",
            ;
            a = inout(reg) a => _,
            end = in(reg) b.wrapping_add(columns),
            c = inout(reg) c => _,
            under = out(reg) _,
            x = out(reg) _,
            n = inout(reg) columns => _,
            m = out(reg) _,
            stride = in(reg) 4 * columns,
            fewer = in(reg) fewer,
            jump = in(reg) 4 * (columns + fewer),
            pairs = inout(reg) pairs => _,
        );
    }
}
