//! Matrices scaled by powers of two. Scaling changes no correlation.

use crate::error::Error;
use crate::ieee::{exponent_of, power_of_two, sqrt};
use crate::kernel::Backend;
use crate::matrix::MatRef;
use crate::scalar::Real;

/// A matrix divided by a power of two, so that its largest magnitude is in [1/2, 1).
pub(super) struct Scaled<'a> {
    pub(super) matrix: MatRef<'a, f64>,
    /// The exponent of that power; `None` for a zero matrix.
    pub(super) exponent: Option<i32>,
    /// Sum of the squares of the scaled entries.
    pub(super) square: f64,
}

impl<'a> Scaled<'a> {
    /// Scales a matrix in place.
    ///
    /// **Errors** [`Error::NotFinite`], and [`Error::NotSymmetric`] if the matrix must be symmetric. Both name the matrix.
    pub(super) fn new<B: Backend<f64>>(
        backend: B,
        name: &'static str,
        (rows, columns): (usize, usize),
        values: &'a mut [f64],
        symmetric: bool,
    ) -> Result<Self, Error> {
        let given = MatRef::new(values, rows, columns)?;
        // In this order infinities and NaN are larger than all numbers.
        let largest =
            backend.vectorize(|| values.iter().fold(0, |largest: i64, x| largest.max(x.magnitude_order())));
        if largest >= f64::INFINITY.magnitude_order() {
            given.check_finite(name)?;
        }
        if symmetric {
            given.check_symmetric(name)?;
        }
        let exponent = exponent_of(f64::from_bits(largest.unsigned_abs()));
        let mut left = -exponent.unwrap_or(0);
        while left != 0 {
            let step = left.clamp(-1000, 1000);
            let factor = power_of_two(step);
            backend.vectorize(|| values.iter_mut().for_each(|x| *x *= factor));
            left -= step;
        }
        let matrix = MatRef::new(values, rows, columns)?;
        Ok(Self { matrix, exponent, square: backend.dot(matrix, matrix) })
    }

    /// `|m|_F` of the matrix before scaling, as a number and the exponent of a power of two; `None` for a zero matrix.
    pub(super) fn norm(&self) -> Option<(f64, i32)> {
        self.exponent.map(|exponent| (sqrt(self.square), exponent))
    }
}
