//! Matrices the way a textbook writes them: nested sums in any ring, nothing shared with the kernels.

use agop_core::correlation::Traces;
use std::ops::{Add, Mul, Sub};

/// What the sums need; big integers have it too.
pub trait Ring: Clone + Add<Output = Self> + Mul<Output = Self> + Sub<Output = Self> {}
impl<T: Clone + Add<Output = T> + Mul<Output = T> + Sub<Output = T>> Ring for T {}

/// A matrix as a list of rows, with at least one row and one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix<T>(pub Vec<Vec<T>>);

fn sum<T: Ring>(terms: impl Iterator<Item = T>) -> T {
    terms.reduce(|a, b| a + b).expect("no matrix here is empty")
}

impl<T: Ring> Matrix<T> {
    /// From row-major elements.
    pub fn new(elements: &[T], columns: usize) -> Self {
        Self(elements.chunks_exact(columns).map(<[T]>::to_vec).collect())
    }

    /// The elements, row by row.
    pub fn elements(&self) -> Vec<T> {
        self.0.concat()
    }

    /// `self^T`.
    #[must_use]
    pub fn t(&self) -> Self {
        let columns = self.0.first().map_or(0, Vec::len);
        Self((0..columns).map(|j| self.0.iter().filter_map(|row| row.get(j).cloned()).collect()).collect())
    }

    /// `c_ij = sum_p a_ip b_pj`.
    #[must_use]
    pub fn times(&self, b: &Self) -> Self {
        let columns = b.t();
        let element = |row: &Vec<T>, column: &Vec<T>| {
            assert_eq!(row.len(), column.len(), "inner sizes");
            sum(row.iter().zip(column).map(|(x, y)| x.clone() * y.clone()))
        };
        Self(self.0.iter().map(|row| columns.0.iter().map(|column| element(row, column)).collect()).collect())
    }

    /// `a_ij - b_ij`.
    #[must_use]
    pub fn minus(&self, b: &Self) -> Self {
        let less = |(x, y): (&Vec<T>, &Vec<T>)| x.iter().zip(y).map(|(x, y)| x.clone() - y.clone()).collect();
        Self(self.0.iter().zip(&b.0).map(less).collect())
    }

    /// `sum_ij a_ij b_ij`.
    pub fn inner(&self, b: &Self) -> T {
        sum(self.0.iter().flatten().zip(b.0.iter().flatten()).map(|(x, y)| x.clone() * y.clone()))
    }

    /// `sum_ij a_ij`.
    pub fn entries(&self) -> T {
        sum(self.0.iter().flatten().cloned())
    }

    /// The five traces of `F = W^T W` and `G = W^T K W` with `W = self`, by forming F and G.
    pub fn traces(&self, k: &Self) -> Traces<T> {
        let f = self.t().times(self);
        let g = self.t().times(k).times(self);
        Traces { ff: f.inner(&f), fg: f.inner(&g), gg: g.inner(&g), f_sum: f.entries(), g_sum: g.entries() }
    }
}

/// The tree over column results, from its definition: the first power of two of them, then the others.
pub fn tree(sums: &[f64]) -> f64 {
    match sums.len() {
        0 => 0.0,
        1 => sums[0],
        n => {
            let half = n.next_power_of_two() / 2;
            tree(&sums[..half]) + tree(&sums[half..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_example_worked_by_hand() {
        let w = Matrix::new(&[1_i64, 2, 3, -1], 2);
        assert_eq!(w.t().elements(), [1, 3, 2, -1]);
        assert_eq!(w.t().times(&w).elements(), [10, -1, -1, 5]);
        assert_eq!(w.minus(&w.t()).elements(), [0, -1, 1, 0]);
        let k = Matrix::new(&[1, 0, 0, 0], 2);
        // F = [10 -1; -1 5], G = [1 2; 2 4].
        assert_eq!(w.traces(&k), Traces { ff: 127, fg: 26, gg: 25, f_sum: 13, g_sum: 9 });
    }
}
