//! Four outputs of one row at a time, columns of b contiguous; any strides, one output at a time.

use super::row::block_1;
use core::arch::asm;

/// `c[j] <- fma(a[p], b[p, j], c[j])` for p ascending, at any strides; fast where a and the columns of b are contiguous.
///
/// # Safety
/// c must be writable for `count` values; a readable at `inner` places `a_step` values apart; b readable at `inner` places
/// `b_row` values apart, each the first of `count` places `b_column` values apart; `inner` is not zero; c overlaps neither.
#[expect(clippy::too_many_arguments, reason = "a kernel's operands with their strides")]
pub(super) unsafe fn columns_of_b(
    c: *mut f32,
    a: *const f32,
    a_step: usize,
    b: *const f32,
    b_row: usize,
    b_column: usize,
    inner: usize,
    count: usize,
) {
    let mut j = 0;
    while j < count {
        // SAFETY: columns j to j + 3, or column j, are among the `count` of the caller's promise; one column is a block of
        // width 1.
        j += unsafe {
            let (c, b) = (c.add(j), b.add(j * b_column));
            if j + 4 <= count && a_step == 1 && b_row == 1 {
                four_columns(c, a, b, 4 * b_column, inner);
                4
            } else {
                block_1(c, a, 4 * a_step, b, 4 * b_row, inner);
                1
            }
        };
    }
}

/// Four outputs, each the chain of a with one column of b.
///
/// # Safety
/// As [`columns_of_b`] with a count of 4, a and the columns of b contiguous, and the step between columns in bytes.
#[inline(always)]
unsafe fn four_columns(c: *mut f32, a: *const f32, b: *const f32, b_step: usize, inner: usize) {
    // SAFETY: the first loop reads 4 values of a and of each column `inner / 4` times, the second one of each `inner % 4`
    // times: those of the caller's promise. c is read before and written after them. All registers that change are
    // named, the flags are not promised to be kept, and the stack is not touched.
    unsafe {
        clobbered!(
            "vldmia {c}, {{s0-s3}}",
            "cmp {fours}, #0",
            "beq 3f",
            "2:",
            "vldmia {a}!, {{s4-s7}}",
            "vldmia {b0}!, {{s8-s11}}",
            "vldmia {b1}!, {{s12-s15}}",
            "vldmia {b2}!, {{s16-s19}}",
            "vldmia {b3}!, {{s20-s23}}",
            "vfma.f32 s0, s4, s8",
            "vfma.f32 s1, s4, s12",
            "vfma.f32 s2, s4, s16",
            "vfma.f32 s3, s4, s20",
            "vfma.f32 s0, s5, s9",
            "vfma.f32 s1, s5, s13",
            "vfma.f32 s2, s5, s17",
            "vfma.f32 s3, s5, s21",
            "vfma.f32 s0, s6, s10",
            "vfma.f32 s1, s6, s14",
            "vfma.f32 s2, s6, s18",
            "vfma.f32 s3, s6, s22",
            "vfma.f32 s0, s7, s11",
            "vfma.f32 s1, s7, s15",
            "vfma.f32 s2, s7, s19",
            "vfma.f32 s3, s7, s23",
            "subs {fours}, {fours}, #1",
            "bne 2b",
            "3:",
            "cmp {rest}, #0",
            "beq 5f",
            "4:",
            "vldmia {a}!, {{s4}}",
            "vldmia {b0}!, {{s8}}",
            "vldmia {b1}!, {{s12}}",
            "vldmia {b2}!, {{s16}}",
            "vldmia {b3}!, {{s20}}",
            "vfma.f32 s0, s4, s8",
            "vfma.f32 s1, s4, s12",
            "vfma.f32 s2, s4, s16",
            "vfma.f32 s3, s4, s20",
            "subs {rest}, {rest}, #1",
            "bne 4b",
            "5:",
            "vstmia {c}, {{s0-s3}}",
            ;
            a = inout(reg) a => _,
            b0 = inout(reg) b => _,
            b1 = inout(reg) b.wrapping_byte_add(b_step) => _,
            b2 = inout(reg) b.wrapping_byte_add(2 * b_step) => _,
            b3 = inout(reg) b.wrapping_byte_add(3 * b_step) => _,
            fours = inout(reg) inner / 4 => _,
            rest = inout(reg) inner % 4 => _,
            c = in(reg) c,
        );
    }
}
