//! Four outputs of one row at a time, columns of b contiguous; any strides, one output at a time.

use super::row::block_1;
use core::arch::asm;

/// `c[j] <- fma(a[p], b[p, j], c[j])` for p ascending, at any strides; fast where a and the columns of b are contiguous.
///
/// # Safety
/// - c must be writable for `count` values.
/// - a must be readable at `inner` places `a_step` values apart.
/// - b must be readable at `inner` places `b_row` values apart, each the first of `count` places `b_column` values apart.
/// - `inner` is not zero; c overlaps neither.
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
        let (c, b) = (c.wrapping_add(j), b.wrapping_add(j * b_column));
        if j + 4 <= count && a_step == 1 && b_row == 1 {
            // SAFETY:
            // - Columns j to j + 3 are among the `count` columns of c and of b.
            // - a and the columns of b are contiguous, as the steps of 1 say.
            // - The caller promises that they are readable at `inner` places, and that `inner` is not zero.
            unsafe { four_columns(c, a, b, 4 * b_column, inner) };
            j += 4;
        } else {
            // SAFETY:
            // - Column j is among the `count` columns of c and of b.
            // - The caller promises that a and b are readable at `inner` places with these steps; here they are in bytes.
            // - The caller promises that c is writable and overlaps neither, and that `inner` is not zero.
            unsafe { block_1(c, a, 4 * a_step, b, 4 * b_row, inner) };
            j += 1;
        }
    }
}

/// Four outputs, each the chain of a with one column of b.
///
/// # Safety
/// - As [`columns_of_b`] with a count of 4, a and the columns of b contiguous, and the step between columns in bytes.
#[inline(always)]
unsafe fn four_columns(c: *mut f32, a: *const f32, b: *const f32, b_step: usize, inner: usize) {
    // SAFETY: the first loop runs `inner / 4` times and reads 4 values of a and of each column. The second runs `inner % 4`
    // times and reads one value of each. Together these are the `inner` values that the caller promises. The 4 values of c
    // are read before the loops and written after them. The operands name all registers that change. The option
    // `preserves_flags` is absent, and the code does not access the stack.
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
            fused!("s4": "s0" "s8", "s1" "s12", "s2" "s16", "s3" "s20"),
            fused!("s5": "s0" "s9", "s1" "s13", "s2" "s17", "s3" "s21"),
            fused!("s6": "s0" "s10", "s1" "s14", "s2" "s18", "s3" "s22"),
            fused!("s7": "s0" "s11", "s1" "s15", "s2" "s19", "s3" "s23"),
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
            fused!("s4": "s0" "s8", "s1" "s12", "s2" "s16", "s3" "s20"),
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
