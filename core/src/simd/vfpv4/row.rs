//! One row of outputs at a time, rows of b contiguous.

use core::arch::asm;

/// `c[j] <- fma(a, b[j], c[j])`.
///
/// # Safety
/// a must be readable; c writable and b readable for `count` values; c overlaps neither.
#[inline(never)]
pub(super) unsafe fn one_step(c: *mut f32, a: *const f32, b: *const f32, count: usize) {
    // SAFETY: one loop reads and writes 16 values `count / 16` times, the other one value `count % 16` times: those of the
    // caller's promise. All registers that change are named, the flags are not promised to be kept, and the stack is not
    // touched.
    unsafe {
        clobbered!(
            "vldr s24, [{a}]",
            "subs {count}, {count}, #16",
            "blo 3f",
            "2:",
            "vldmia {c}, {{s0-s15}}",
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
            "vfma.f32 s15, s24, s23",
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
    ($name:ident, $width:literal, $registers:literal, [$($code:literal),+]) => {
        /// # Safety
        /// c must be writable for the width of the block; a readable at `inner` places `a_step` bytes apart; b readable
        /// for the width at `inner` places `b_step` bytes apart; `inner` is not zero; c overlaps neither.
        #[inline(always)]
        pub(super) unsafe fn $name(c: *mut f32, a: *const f32, a_step: usize, b: *const f32, b_step: usize, inner: usize) {
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
