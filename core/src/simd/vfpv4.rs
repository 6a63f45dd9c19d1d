//! The floating-point unit of Cortex-M4F and later (`vfma.f32`): scalar instructions, whole inner loops in assembly.
//!
//! ```text
//! rows of b contiguous       16 outputs of one row of c stay in registers while p ascends:
//!                            load a[i,p], load b[p, j .. j + 16], 16 vfma             23 instructions for 16 terms
//! one p only                 rows of c are loaded, fused and stored                   22 for 16
//! columns of b contiguous    4 outputs, 4 steps of p at a time:
//!                            load a[i, p .. p + 4], 4 columns of b, 16 vfma           23 for 16
//! ```
//! Every output is still one chain with p ascending: the bits are those of the definition. `f64` has no instruction here
//! and takes the definition.

use crate::kernel::{Backend, Definition, Region};
use crate::matrix::{MatMut, MatRef};
use core::arch::asm;

/// Proof that `vfma.f32` may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vfpv4(());

impl Vfpv4 {
    /// The token; the module is compiled only for targets that have the instruction.
    pub const fn compiled() -> Option<Self> {
        Some(Self(()))
    }
}

/// What a scalar does on this unit.
pub(crate) trait Loops: Sized {
    fn accumulate(set: Vfpv4, c: MatMut<'_, Self>, a: MatRef<'_, Self>, b: MatRef<'_, Self>, region: Region);
    fn axpy(set: Vfpv4, a: Self, x: &[Self], y: &mut [Self]);
}

impl Loops for f64 {
    fn accumulate(_: Vfpv4, c: MatMut<'_, Self>, a: MatRef<'_, Self>, b: MatRef<'_, Self>, region: Region) {
        Definition.accumulate(c, a, b, region);
    }
    fn axpy(_: Vfpv4, a: Self, x: &[Self], y: &mut [Self]) {
        Definition.axpy(a, x, y);
    }
}

impl Loops for f32 {
    fn axpy(_: Vfpv4, a: Self, x: &[Self], y: &mut [Self]) {
        let count = if x.len() < y.len() { x.len() } else { y.len() };
        // SAFETY: both slices hold `count` values, y is exclusively ours, and `a` is one value.
        unsafe { rank_one(y.as_mut_ptr(), &raw const a, 0, x.as_ptr(), 1, count) };
    }

    fn accumulate(
        _: Vfpv4,
        mut c: MatMut<'_, Self>,
        a: MatRef<'_, Self>,
        b: MatRef<'_, Self>,
        region: Region,
    ) {
        let ((rows, columns), inner) = (c.shape(), a.columns());
        if a.rows() != rows || b.rows() != inner || b.columns() != columns || inner == 0 {
            return;
        }
        let ((left, a_row, a_column), (right, b_row, b_column)) = (a.parts(), b.parts());
        let to = c.as_mut_slice().as_mut_ptr();
        if inner == 1 && b_column == 1 && region == Region::Full && rows > 0 {
            // SAFETY: c holds `rows` consecutive rows of `columns` values and is exclusively ours; the one column of a has
            // `rows` places, the one row of b `columns` values.
            return unsafe { rank_one(to, left.as_ptr(), 4 * a_row, right.as_ptr(), rows, columns) };
        }
        for i in 0..rows {
            let first = if region == Region::Upper { i } else { 0 };
            if first >= columns {
                break;
            }
            // SAFETY: (i, 0) and (i, first) are elements of a and c, as i < rows, inner > 0 and first < columns; column
            // `first` of b starts inside it likewise.
            let (to, left, right) = unsafe {
                (
                    to.add(i * columns + first),
                    left.as_ptr().add(i * a_row),
                    right.as_ptr().add(first * b_column),
                )
            };
            let count = columns - first;
            // SAFETY: `count` outputs from `to` on belong to row i of c, which is exclusively ours; `left` walks the
            // `inner` elements of row i of a; `right` walks `inner` rows of b, `count` columns of each, at their strides.
            unsafe {
                match b_column {
                    1 => rows_of_b(to, left, a_column, right, b_row, inner, count),
                    _ => columns_of_b(to, left, a_column, right, b_row, b_column, inner, count),
                }
            }
        }
    }
}

/// Assembly that changes s0 to s24, and nothing of the stack.
macro_rules! clobbered {
    ($($code:expr,)+ ; $($operand:tt)*) => {
        asm!(
            $($code,)+
            $($operand)*
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _,
            out("s15") _, out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _,
            out("s22") _, out("s23") _, out("s24") _,
            options(nostack)
        )
    };
}

/// `c[i, j] <- fma(a[i], b[j], c[i, j])` for consecutive rows of `count` values.
///
/// # Safety
/// c must be writable for `rows * count` values; a readable at `rows` places `a_step` bytes apart; b readable for `count`
/// values; `rows` is not zero; c overlaps neither.
unsafe fn rank_one(c: *mut f32, a: *const f32, a_step: usize, b: *const f32, rows: usize, count: usize) {
    // SAFETY: the outer loop runs `rows` times; in it one loop reads and writes 16 values `count / 16` times, the other one
    // value `count % 16` times: those of the caller's promise. All registers that change are named, the flags are not
    // promised to be kept, and the stack is not touched.
    unsafe {
        clobbered!(
            "2:",
            "vldr s24, [{a}]",
            "add {a}, {a}, {a_step}",
            "mov {x}, {b}",
            "mov {n}, {blocks}",
            "cmp {n}, #0",
            "beq 4f",
            "3:",
            "vldmia {c}, {{s0-s15}}",
            "vldmia {x}!, {{s16-s23}}",
            "vfma.f32 s0, s24, s16",
            "vfma.f32 s1, s24, s17",
            "vfma.f32 s2, s24, s18",
            "vfma.f32 s3, s24, s19",
            "vfma.f32 s4, s24, s20",
            "vfma.f32 s5, s24, s21",
            "vfma.f32 s6, s24, s22",
            "vfma.f32 s7, s24, s23",
            "vldmia {x}!, {{s16-s23}}",
            "vfma.f32 s8, s24, s16",
            "vfma.f32 s9, s24, s17",
            "vfma.f32 s10, s24, s18",
            "vfma.f32 s11, s24, s19",
            "vfma.f32 s12, s24, s20",
            "vfma.f32 s13, s24, s21",
            "vfma.f32 s14, s24, s22",
            "vfma.f32 s15, s24, s23",
            "vstmia {c}!, {{s0-s15}}",
            "subs {n}, {n}, #1",
            "bne 3b",
            "4:",
            "mov {n}, {rest}",
            "cmp {n}, #0",
            "beq 6f",
            "5:",
            "vldr s0, [{c}]",
            "vldmia {x}!, {{s16}}",
            "vfma.f32 s0, s24, s16",
            "vstmia {c}!, {{s0}}",
            "subs {n}, {n}, #1",
            "bne 5b",
            "6:",
            "subs {rows}, {rows}, #1",
            "bne 2b",
            ;
            a = inout(reg) a => _,
            a_step = in(reg) a_step,
            b = in(reg) b,
            c = inout(reg) c => _,
            x = out(reg) _,
            n = out(reg) _,
            rows = inout(reg) rows => _,
            blocks = in(reg) count / 16,
            rest = in(reg) count % 16,
        );
    }
}

/// Outputs `c[0 .. width]` of one row, in registers while p ascends.
macro_rules! block {
    ($name:ident, $width:literal, $registers:literal, [$($code:literal),+]) => {
        /// # Safety
        /// c must be writable for the width of the block; a readable at `inner` places `a_step` bytes apart; b readable
        /// for the width at `inner` places `b_step` bytes apart; `inner` is not zero; c overlaps neither.
        #[inline(always)]
        unsafe fn $name(c: *mut f32, a: *const f32, a_step: usize, b: *const f32, b_step: usize, inner: usize) {
            // SAFETY: the loop runs `inner` times and reads what the caller promises; c is read before and written after
            // it. All registers that change are named, the flags are not promised to be kept, and the stack is not
            // touched.
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
    [
        "vldmia {b}!, {{s16-s23}}",
        "vfma.f32 s0, s24, s16",
        "vfma.f32 s1, s24, s17",
        "vfma.f32 s2, s24, s18",
        "vfma.f32 s3, s24, s19",
        "vfma.f32 s4, s24, s20",
        "vfma.f32 s5, s24, s21",
        "vfma.f32 s6, s24, s22",
        "vfma.f32 s7, s24, s23",
        "vldmia {b}!, {{s16-s23}}",
        "vfma.f32 s8, s24, s16",
        "vfma.f32 s9, s24, s17",
        "vfma.f32 s10, s24, s18",
        "vfma.f32 s11, s24, s19",
        "vfma.f32 s12, s24, s20",
        "vfma.f32 s13, s24, s21",
        "vfma.f32 s14, s24, s22",
        "vfma.f32 s15, s24, s23"
    ]
);

block!(
    block_8,
    8,
    "s0-s7",
    [
        "vldmia {b}!, {{s16-s23}}",
        "vfma.f32 s0, s24, s16",
        "vfma.f32 s1, s24, s17",
        "vfma.f32 s2, s24, s18",
        "vfma.f32 s3, s24, s19",
        "vfma.f32 s4, s24, s20",
        "vfma.f32 s5, s24, s21",
        "vfma.f32 s6, s24, s22",
        "vfma.f32 s7, s24, s23"
    ]
);

block!(
    block_4,
    4,
    "s0-s3",
    [
        "vldmia {b}!, {{s16-s19}}",
        "vfma.f32 s0, s24, s16",
        "vfma.f32 s1, s24, s17",
        "vfma.f32 s2, s24, s18",
        "vfma.f32 s3, s24, s19"
    ]
);

block!(block_1, 1, "s0", ["vldmia {b}!, {{s16}}", "vfma.f32 s0, s24, s16"]);

/// `c[j] <- fma(a[p], b[p, j], c[j])` for p ascending, rows of b contiguous.
///
/// # Safety
/// c must be writable for `count` values; a readable at `inner` places `a_step` values apart; b readable for `count`
/// values at `inner` places `b_step` values apart; `inner` is not zero; c overlaps neither.
unsafe fn rows_of_b(
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
        // SAFETY: the block begins at j and is no wider than count - j, so it lies inside what the caller promises.
        j += unsafe {
            let (c, b) = (c.add(j), b.add(j));
            match count - j {
                16.. => (block_16(c, a, a_step, b, b_step, inner), 16).1,
                8.. => (block_8(c, a, a_step, b, b_step, inner), 8).1,
                4.. => (block_4(c, a, a_step, b, b_step, inner), 4).1,
                _ => (block_1(c, a, a_step, b, b_step, inner), 1).1,
            }
        };
    }
}

/// `c[j] <- fma(a[p], b[p, j], c[j])` for p ascending, at any strides; fast where a and the columns of b are contiguous.
///
/// # Safety
/// c must be writable for `count` values; a readable at `inner` places `a_step` values apart; b readable at `inner` places
/// `b_row` values apart, each the first of `count` places `b_column` values apart; `inner` is not zero; c overlaps neither.
#[expect(clippy::too_many_arguments, reason = "a kernel's operands with their strides")]
unsafe fn columns_of_b(
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
