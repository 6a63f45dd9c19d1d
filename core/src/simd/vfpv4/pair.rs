//! Two rows of outputs at a time, for products in which the values of a that meet a row of b lie side by side, as in
//! outer products `x^T y`: each value of b that is loaded serves two outputs.
//!
//! ```text
//! several p     2 x 8 outputs in registers while p ascends      22 instructions for 16 terms
//! one p only    2 x 8 outputs loaded, fused and stored          23 for 16
//! ```
//! Both end a row with blocks of 4, 2 and 1 columns. Of the upper triangle, two rows are taken from the diagonal of the
//! first on; the one element of them that lies below the diagonal gets its old bits back.

use core::arch::asm;

/// The terms of 2 x 8 outputs: rows s0 to s7 and s8 to s15, values s24 and s25 of a, s16 to s23 of b.
macro_rules! terms_8 {
    () => {
        concat!(
            terms_4!(),
            "vfma.f32 s4, s24, s20\n",
            "vfma.f32 s5, s24, s21\n",
            "vfma.f32 s6, s24, s22\n",
            "vfma.f32 s7, s24, s23\n",
            "vfma.f32 s12, s25, s20\n",
            "vfma.f32 s13, s25, s21\n",
            "vfma.f32 s14, s25, s22\n",
            "vfma.f32 s15, s25, s23\n",
        )
    };
}

/// The first four columns of [`terms_8`].
macro_rules! terms_4 {
    () => {
        concat!(
            terms_2!(),
            "vfma.f32 s2, s24, s18\n",
            "vfma.f32 s3, s24, s19\n",
            "vfma.f32 s10, s25, s18\n",
            "vfma.f32 s11, s25, s19\n",
        )
    };
}

/// The first two columns.
macro_rules! terms_2 {
    () => {
        concat!(terms_1!(), "vfma.f32 s1, s24, s17\n", "vfma.f32 s9, s25, s17\n")
    };
}

/// The first column.
macro_rules! terms_1 {
    () => {
        concat!("vfma.f32 s0, s24, s16\n", "vfma.f32 s8, s25, s16\n")
    };
}

/// Outputs of two rows, in registers while p ascends.
macro_rules! block {
    ($name:ident, $width:literal, $upper:literal, $lower:literal, $right:literal, $terms:ident) => {
        /// # Safety
        /// As [`rows_of_b`] with the width of the block for `count`, and the steps in bytes.
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
/// c and `under` must be writable for `count` values each, without an overlap; a readable for two values at `inner` places
/// `a_step` values apart; b readable for `count` values at `inner` places `b_step` values apart; `inner` is not zero; the
/// rows overlap neither.
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
        // SAFETY: the block begins at j and is no wider than count - j, so it lies inside what the caller promises.
        j += unsafe {
            let (c, under, b) = (c.add(j), under.add(j), b.add(j));
            match count - j {
                8.. => (block_8(c, under, a, a_step, b, b_step, inner), 8).1,
                4.. => (block_4(c, under, a, a_step, b, b_step, inner), 4).1,
                2.. => (block_2(c, under, a, a_step, b, b_step, inner), 2).1,
                _ => (block_1(c, under, a, a_step, b, b_step, inner), 1).1,
            }
        };
    }
}

/// `c[i, j] <- fma(a[i], b[j], c[i, j])` for `2 pairs` rows of `columns` values that follow one another; with `upper` for
/// `j >= i` only.
///
/// # Safety
/// c must be writable for `2 pairs columns` values, a readable for `2 pairs`, b for `columns`; `pairs` is not zero, and with
/// `upper` not above `columns / 2`; c overlaps neither.
pub(super) unsafe fn one_step(
    c: *mut f32,
    a: *const f32,
    b: *const f32,
    pairs: usize,
    columns: usize,
    upper: bool,
) {
    let fewer = if upper { 2 } else { 0 };
    // SAFETY: the outer loop runs `pairs` times and reads two values of a. Its n columns are all, or with `upper` those from
    // the diagonal of the first row on: two less each time and at least two. They are the last n of b, and of two rows of
    // c, since the first of these begins a row and `fewer` columns after the second of the last time. In it n / 8 blocks of
    // 8 columns and, by the bits of n % 8, blocks of 4, 2 and 1 are read and written in both rows, after which the second
    // pointer stands at the end of its row. With `upper` n is at least 2, and what is saved and put back is the first of
    // the n columns in the second row. All registers that change are named, the flags are not promised to be kept, and the
    // stack is not touched.
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
            end = in(reg) b.add(columns),
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
