//! Borrowed matrix views. A constructor checks the length of the slice; every kernel checks the shapes of its arguments.

use crate::error::Error;
use crate::scalar::{Real, Scalar};
use core::slice::SliceIndex;

/// A borrowed matrix: row-major when made from a slice, strided after [`MatRef::t`].
///
/// **Shapes** `rows x columns`; element `(i, j)` has the index `i row_stride + j column_stride` in the slice.
#[derive(Debug)]
pub struct MatRef<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<T> Clone for MatRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for MatRef<'_, T> {}

impl<'a, T> MatRef<'a, T> {
    /// Views a row-major slice as a `rows x columns` matrix.
    ///
    /// **Errors** [`Error::Length`] when the slice does not hold exactly that many values.
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Result<Self, Error> {
        crate::error::check_length("matrix", rows.saturating_mul(columns), data.len())?;
        Ok(Self { data, rows, columns, row_stride: columns, column_stride: 1 })
    }

    /// Views a slice as one column.
    pub fn column_vector(data: &'a [T]) -> Self {
        Self { data, rows: data.len(), columns: 1, row_stride: 1, column_stride: 1 }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// (rows, columns).
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// The transpose, as a view of the same data.
    pub fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// Element `(i, j)`; `None` out of range.
    pub fn get(&self, i: usize, j: usize) -> Option<&'a T> {
        if i < self.rows && j < self.columns {
            self.data.get(i * self.row_stride + j * self.column_stride)
        } else {
            None
        }
    }

    /// The elements of row `i` from left to right; none out of range.
    pub fn row(&self, i: usize) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let length = if i < self.rows { self.columns } else { 0 };
        // Empty is right for a row out of range.
        let from_row = self.data.get(i.saturating_mul(self.row_stride)..).unwrap_or_default();
        from_row.iter().step_by(if self.column_stride == 0 { 1 } else { self.column_stride }).take(length)
    }

    /// The elements of column `j` from top to bottom; none out of range.
    pub fn column(&self, j: usize) -> impl Iterator<Item = &'a T> + use<'a, T> {
        self.t().row(j)
    }

    /// Row `i` as a slice, when its elements are contiguous.
    pub fn row_slice(&self, i: usize) -> Option<&'a [T]> {
        if i < self.rows && (self.column_stride == 1 || self.columns == 1) {
            let start = i * self.row_stride;
            self.data.get(start..start + self.columns)
        } else {
            None
        }
    }

    /// The rows `start .. start + count`, clipped to the matrix.
    pub fn row_range(self, start: usize, count: usize) -> Self {
        let start = if start < self.rows { start } else { self.rows };
        let count = if count < self.rows - start { count } else { self.rows - start };
        let first = start * self.row_stride;
        // Empty is right for no rows: the last row of a strided view may end before `rows row_stride`.
        let data = self.data.get(first..).unwrap_or_default();
        Self { data, rows: count, ..self }
    }

    /// The whole matrix as one row-major slice, when it is contiguous.
    pub fn as_slice(&self) -> Option<&'a [T]> {
        let contiguous = (self.column_stride == 1 || self.columns == 1)
            && (self.row_stride == self.columns || self.rows == 1);
        if contiguous { self.data.get(..self.rows * self.columns) } else { None }
    }

    /// The slice, the row stride and the column stride.
    pub(crate) fn parts(&self) -> (&'a [T], usize, usize) {
        (self.data, self.row_stride, self.column_stride)
    }

    /// Checks the shape.
    pub(crate) fn check_shape(&self, what: &'static str, expected: (usize, usize)) -> Result<(), Error> {
        crate::error::check_shape(what, expected, self.shape())
    }

    /// Checks that every row is contiguous, so that [`MatRef::row_slice`] returns it.
    pub(crate) fn check_rows(&self, what: &'static str) -> Result<(), Error> {
        if self.column_stride == 1 || self.columns == 1 {
            Ok(())
        } else {
            Err(Error::Strided { what, stride: self.column_stride })
        }
    }
}

impl<T: Scalar> MatRef<'_, T> {
    /// Checks that all elements are finite.
    ///
    /// **Errors** [`Error::NotFinite`] with row and column of the first infinity or NaN.
    pub fn check_finite(&self, what: &'static str) -> Result<(), Error> {
        if self.as_slice().is_some_and(all_finite) {
            return Ok(());
        }
        // A matrix without columns may have up to `usize::MAX` rows; skip the loop over them.
        for row in 0..if self.columns == 0 { 0 } else { self.rows } {
            if let Some(column) = self.row(row).position(|x| !x.is_finite()) {
                return Err(Error::NotFinite { what, row, column });
            }
        }
        Ok(())
    }

    /// Checks that a square matrix is symmetric. The error names the first element that differs from its mirror image.
    pub(crate) fn check_symmetric(&self, what: &'static str) -> Result<(), Error> {
        let n = self.rows;
        if let Some(all) = self.as_slice() {
            let mut differ = false;
            // A few columns at a time, so that their cache lines are read once for all rows.
            for left in (0..n).step_by(SYMMETRIC_SIDE) {
                for (i, row) in rows(all, n).enumerate().skip(left + 1) {
                    let left_of_diagonal = cut(row, left..i).iter().take(SYMMETRIC_SIDE);
                    let column = cut(all, left * n + i..).iter().step_by(n);
                    differ |= left_of_diagonal.zip(column).fold(false, |differ, (x, y)| differ | (x != y));
                }
            }
            if !differ {
                return Ok(());
            }
        }
        for i in 0..n {
            if let Some(column) = self.row(i).zip(self.t().row(i)).take(i).position(|(x, y)| x != y) {
                return Err(Error::NotSymmetric { what, row: i, column });
            }
        }
        Ok(())
    }
}

impl<'a, T> MatRef<'a, T> {
    /// All elements, row by row.
    pub fn elements(&self) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let whole = *self;
        // A matrix without columns may have up to `usize::MAX` rows; skip the loop over them.
        (0..if whole.columns == 0 { 0 } else { whole.rows }).flat_map(move |i| whole.row(i))
    }
}

/// Columns that [`MatRef::check_symmetric`] compares at a time.
const SYMMETRIC_SIDE: usize = 16;

/// Whether all values are finite. The loop has no early exit, so that it vectorises.
#[inline(always)]
pub(crate) fn all_finite<T: Scalar>(values: &[T]) -> bool {
    values.iter().fold(true, |finite, x| finite & x.is_finite())
}

impl<T: Real> MatRef<'_, T> {
    /// Copies the elements, row-major, as `f64`.
    pub(crate) fn widen_into(&self, to: &mut [f64]) {
        match self.as_slice() {
            Some(all) => to.iter_mut().zip(all).for_each(|(slot, x)| *slot = x.to_f64()),
            None => to.iter_mut().zip(self.elements()).for_each(|(slot, x)| *slot = x.to_f64()),
        }
    }
}

/// A mutable contiguous row-major matrix.
#[derive(Debug)]
pub struct MatMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    columns: usize,
}

impl<'a, T> MatMut<'a, T> {
    /// Views a row-major slice as a `rows x columns` matrix.
    ///
    /// **Errors** [`Error::Length`] when the slice does not hold exactly that many values.
    pub fn new(data: &'a mut [T], rows: usize, columns: usize) -> Result<Self, Error> {
        crate::error::check_length("matrix", rows.saturating_mul(columns), data.len())?;
        Ok(Self { data, rows, columns })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// (rows, columns).
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// The same matrix, read-only.
    pub fn as_ref(&self) -> MatRef<'_, T> {
        MatRef {
            data: self.data,
            rows: self.rows,
            columns: self.columns,
            row_stride: self.columns,
            column_stride: 1,
        }
    }

    /// A shorter borrow of the same matrix.
    pub fn reborrow(&mut self) -> MatMut<'_, T> {
        MatMut { data: self.data, rows: self.rows, columns: self.columns }
    }

    /// The rows from top to bottom, each as a slice.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut [T]> {
        rows_mut(self.data, self.columns)
    }

    /// All elements, row-major.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self.data
    }
}

/// The rows of a row-major slice. None if the width is zero; an incomplete last row is skipped.
///
/// This is `chunks_exact` without its division and its panic on zero, which would cost small machines code.
pub(crate) fn rows<T>(data: &[T], width: usize) -> impl Iterator<Item = &[T]> {
    let mut rest = data;
    core::iter::from_fn(move || {
        let (row, after) = rest.split_at_checked(width)?;
        rest = after;
        if width == 0 { None } else { Some(row) }
    })
}

/// As [`rows`], mutable.
pub(crate) fn rows_mut<T>(data: &mut [T], width: usize) -> impl Iterator<Item = &mut [T]> {
    let mut rest = data;
    core::iter::from_fn(move || {
        let (row, after) = core::mem::take(&mut rest).split_at_mut_checked(width)?;
        rest = after;
        if width == 0 { None } else { Some(row) }
    })
}

/// Copies as many values as both slices have. `clone_from_slice` is not used, because its length check links the panic
/// code on small machines.
pub(crate) fn copy<T: Clone>(to: &mut [T], from: &[T]) {
    to.iter_mut().zip(from).for_each(|(to, from)| to.clone_from(from));
}

/// A part of a slice. Precondition: the range is inside the slice. Otherwise a debug build panics, and a release build
/// returns an empty slice.
pub(crate) fn cut<T>(values: &[T], range: impl SliceIndex<[T], Output = [T]>) -> &[T] {
    let found = values.get(range);
    debug_assert!(found.is_some(), "a part of {} values is missing", values.len());
    found.unwrap_or_default()
}

/// As [`cut`], mutable.
pub(crate) fn cut_mut<T>(values: &mut [T], range: impl SliceIndex<[T], Output = [T]>) -> &mut [T] {
    let found = values.get_mut(range);
    debug_assert!(found.is_some(), "a part is missing");
    found.unwrap_or_default()
}

/// The first `count` values and the rest. Precondition: the slice has `count` values. Otherwise a debug build panics, and a
/// release build returns two empty slices.
pub(crate) fn take<T>(values: &mut [T], count: usize) -> (&mut [T], &mut [T]) {
    debug_assert!(count <= values.len(), "{count} values of {} are wanted", values.len());
    values.split_at_mut_checked(count).unwrap_or_default()
}

/// Consecutive parts of the given lengths, and the rest. Precondition: the slice is long enough, as for [`take`].
pub(crate) fn split<T, const N: usize>(values: &mut [T], lengths: [usize; N]) -> ([&mut [T]; N], &mut [T]) {
    let mut rest = values;
    let parts = lengths.map(|length| {
        let (part, after) = take(core::mem::take(&mut rest), length);
        rest = after;
        part
    });
    (parts, rest)
}
