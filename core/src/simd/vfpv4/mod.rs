//! The floating-point unit of Cortex-M4F and later (`vfma.f32`): scalar instructions, whole inner loops in assembly.
//!
//! ```text
//! rows of b contiguous       16 outputs of one row of c stay in registers while p ascends:
//!                            load a[i,p], load b[p, j .. j + 16], 16 vfma             23 instructions for 16 terms
//!   and columns of a         2 x 8 outputs of two rows:
//!                            load a[i .. i + 2, p], load b[p, j .. j + 8], 16 vfma    22 for 16
//!   and one p only           2 x 8 outputs are loaded, fused and stored               23 for 16
//! columns of b contiguous    4 outputs, 4 steps of p at a time:
//!                            load a[i, p .. p + 4], 4 columns of b, 16 vfma           23 for 16
//! ```
//! Every output is still one chain with p ascending: the bits are those of the definition. `f64` has no instruction here
//! and takes the definition.

use crate::kernel::definition::begin;
use crate::kernel::{Backend, Definition, Init, Triangle, agree};
use crate::matrix::{MatMut, MatRef};
use crate::scalar::Scalar;

/// Assembly that changes s0 to s26, and nothing of the stack.
macro_rules! clobbered {
    ($($code:expr,)+ ; $($operand:tt)*) => {
        asm!(
            $($code,)+
            $($operand)*
            out("s0") _, out("s1") _, out("s2") _, out("s3") _, out("s4") _, out("s5") _, out("s6") _, out("s7") _,
            out("s8") _, out("s9") _, out("s10") _, out("s11") _, out("s12") _, out("s13") _, out("s14") _,
            out("s15") _, out("s16") _, out("s17") _, out("s18") _, out("s19") _, out("s20") _, out("s21") _,
            out("s22") _, out("s23") _, out("s24") _, out("s25") _, out("s26") _,
            options(nostack)
        )
    };
}

/// `sum <- fma(x, y, sum)` for each pair of a sum and a y.
macro_rules! fused {
    ($x:literal: $($sum:literal $y:literal),+) => {
        concat!($("vfma.f32 ", $sum, ", ", $x, ", ", $y, "\n",)+)
    };
}

mod column;
mod pair;
mod row;

/// Proof that `vfma.f32` may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vfpv4(());

impl Vfpv4 {
    /// The token; the module is compiled only for targets that have the instruction.
    pub const fn compiled() -> Option<Self> {
        Some(Self(()))
    }
}

/// What a scalar does on this unit: the definition, where it has no instruction.
pub(crate) trait Loops: Scalar {
    fn accumulate(
        _: Vfpv4,
        c: MatMut<'_, Self>,
        a: MatRef<'_, Self>,
        b: MatRef<'_, Self>,
        triangle: Triangle,
        init: Init<'_, Self>,
    ) {
        Definition.accumulate(c, a, b, triangle, init);
    }
    fn axpy(_: Vfpv4, a: Self, x: &[Self], y: &mut [Self]) {
        Definition.axpy(a, x, y);
    }
}

impl Loops for f64 {}

impl Loops for f32 {
    fn axpy(_: Vfpv4, a: Self, x: &[Self], y: &mut [Self]) {
        let count = if x.len() < y.len() { x.len() } else { y.len() };
        // SAFETY: - y holds `count` values and is exclusively ours; `a` is one value, x holds `count`.
        // - y overlaps neither: it is borrowed mutably.
        unsafe { row::one_step(y.as_mut_ptr(), &raw const a, x.as_ptr(), count) };
    }

    fn accumulate(
        _: Vfpv4,
        mut c: MatMut<'_, Self>,
        a: MatRef<'_, Self>,
        b: MatRef<'_, Self>,
        triangle: Triangle,
        init: Init<'_, Self>,
    ) {
        let ((rows, columns), inner) = (c.shape(), a.columns());
        if !agree((rows, columns), a, b, init) {
            return;
        }
        begin(&mut c, triangle, init);
        if inner == 0 || columns == 0 {
            return;
        }
        let ((left, a_row, a_column), (right, b_row, b_column)) = (a.parts(), b.parts());
        let to = c.as_mut_slice().as_mut_ptr();
        let upper = triangle == Triangle::Upper;
        let pairs = match a_row == 1 && b_column == 1 {
            true if upper && columns < rows => columns / 2,
            true => rows / 2,
            false => 0,
        };
        let mut i = 0;
        if inner == 1 && pairs > 0 {
            // SAFETY: - c holds at least `2 pairs` rows of `columns` values; the one column of a holds as many values,
            // side by   side, the one row of b `columns`.
            // - `pairs` is not zero, and with `upper` at most `columns / 2`.
            // - c is borrowed mutably and overlaps neither.
            unsafe { pair::one_step(to, left.as_ptr(), right.as_ptr(), pairs, columns, upper) };
            i = 2 * pairs;
        }
        while i < 2 * pairs {
            let first = if upper { i } else { 0 };
            let to = to.wrapping_add(i * columns + first);
            let (under, left, right) =
                (to.wrapping_add(columns), left.as_ptr().wrapping_add(i), right.as_ptr().wrapping_add(first));
            // SAFETY: row i + 1 has column `first`; with `upper`, i + 1 < columns.
            let below = unsafe { under.read() };
            // SAFETY:
            // - Rows i and i + 1 of c have `columns - first` values from column `first` on.
            // - For each of the `inner` steps, the values of a for the two rows are adjacent.
            // - b has `inner` rows with these columns.
            // - `inner` is not zero. c is borrowed mutably, so it overlaps neither a nor b.
            unsafe { pair::rows_of_b(to, under, left, a_column, right, b_row, inner, columns - first) };
            if upper {
                // SAFETY: the same place was read above, and row i + 1 of c is exclusively ours.
                unsafe { under.write(below) };
            }
            i += 2;
        }
        for i in i..rows {
            let first = if upper { i } else { 0 };
            if first >= columns {
                break;
            }
            let to = to.wrapping_add(i * columns + first);
            let (left, right) =
                (left.as_ptr().wrapping_add(i * a_row), right.as_ptr().wrapping_add(first * b_column));
            let count = columns - first;
            if b_column == 1 {
                // SAFETY: - Row i of c has `count` values from column `first` on and is exclusively ours.
                // - Row i of a has `inner` values; each of as many rows of b has `count` contiguous ones from `first` on.
                // - `inner` is not zero; c is borrowed mutably and overlaps neither.
                unsafe { row::rows_of_b(to, left, a_column, right, b_row, inner, count) };
            } else {
                // SAFETY: - Row i of c has `count` values from column `first` on and is exclusively ours.
                // - Row i of a has `inner` values; each of as many rows of b has `count` from `first` on.
                // - `inner` is not zero; c is borrowed mutably and overlaps neither.
                unsafe { column::columns_of_b(to, left, a_column, right, b_row, b_column, inner, count) };
            }
        }
    }
}
