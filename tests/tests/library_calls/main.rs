//! Random calls of the core with sizes of 0, 1 and near the largest, with buffers too short and too long, and with values
//! that are not finite: none panics, with overflow checks on (`cargo test` without `--release`).
//!
//! `LIBRARY_CALLS=100000` makes so many rounds of about ten calls in each group; 1000 unless told otherwise.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod analysis;
mod kernels;
mod training;

use agop_core::dual::Dual;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::SplitMix64;
use analysis::{data, measures, predictions};
use kernels::{products, shapes, sums, views};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use training::{networks, steps};

/// Most values in a buffer.
const MOST: usize = 1 << 14;

/// Where sizes, values and buffers come from.
struct Source(SplitMix64);

impl Source {
    fn one_in(&mut self, n: u64) -> bool {
        self.0.below(n) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.below(choices.len() as u64) as usize]
    }

    /// Mostly small.
    fn size(&mut self) -> usize {
        match self.0.below(12) {
            0 => self.of(&[usize::MAX, usize::MAX - 1, usize::MAX / 2 + 1, 1 << 32, 1 << 31, 65_536]),
            1 => self.of(&[16, 17, 33, 64, 65, 100]),
            _ => self.0.below(6) as usize,
        }
    }

    fn sizes(&mut self) -> [usize; 4] {
        [0; 4].map(|_| self.size())
    }

    /// The size that is asked for, or another.
    fn near(&mut self, size: usize) -> usize {
        match self.0.below(12) {
            0 => self.size(),
            1 => size.wrapping_sub(1),
            2 => size.wrapping_add(1),
            _ => size,
        }
    }

    fn number(&mut self) -> f64 {
        let hostile = [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324, 1e-200];
        if self.one_in(8) { self.of(&hostile) } else { self.0.normal() }
    }

    /// As many values as asked for or nearly so, in a buffer that can be had; one in four has values that are not finite.
    fn values<T: Real>(&mut self, count: usize) -> Vec<T> {
        let (count, hostile) = (self.near(count).min(MOST), self.one_in(4));
        (0..count).map(|_| T::from_f64(if hostile { self.number() } else { self.0.normal() })).collect()
    }

    fn duals<T: Real>(&mut self, count: usize) -> Vec<Dual<T>> {
        self.values::<T>(count).into_iter().map(|x| Dual::new(x, x)).collect()
    }

    /// Values and a shape that they have: the one that is asked for, where it can be had, or another.
    fn matrix<T: Real>(&mut self, rows: usize, columns: usize) -> Matrix<T> {
        let (rows, columns) = (self.near(rows), self.near(columns));
        let columns = if rows.saturating_mul(columns) > MOST { 0 } else { columns };
        let hostile = self.one_in(6);
        let value = |source: &mut Self| if hostile { source.number() } else { source.0.normal() };
        let values = (0..rows * columns).map(|_| T::from_f64(value(self))).collect();
        Matrix { values, rows, columns, turned: self.one_in(2) }
    }

    fn widths(&mut self) -> Vec<usize> {
        let count = if self.one_in(8) { self.0.below(3) } else { 3 + self.0.below(3) };
        (0..count).map(|_| if self.one_in(40) { self.size() } else { 1 + self.0.below(5) as usize }).collect()
    }

    fn level(&mut self) -> Level {
        let levels: Vec<_> = Level::available().collect();
        self.of(&levels)
    }
}

struct Matrix<T> {
    values: Vec<T>,
    rows: usize,
    columns: usize,
    turned: bool,
}

impl<T: Real> Matrix<T> {
    fn view(&self) -> MatRef<'_, T> {
        match self.turned {
            true => MatRef::new(&self.values, self.columns, self.rows).unwrap().t(),
            false => MatRef::new(&self.values, self.rows, self.columns).unwrap(),
        }
    }

    fn edit(&mut self) -> MatMut<'_, T> {
        MatMut::new(&mut self.values, self.rows, self.columns).unwrap()
    }

    fn dual(&self) -> Vec<Dual<T>> {
        self.values.iter().map(|x| Dual::new(*x, *x)).collect()
    }
}

type Group = (&'static str, &'static str, fn(&mut Source));

fn groups<T: Real>() -> [Group; 9] {
    [
        (T::NAME, "views", views::<T>),
        (T::NAME, "products", products::<T>),
        (T::NAME, "sums", sums::<T>),
        (T::NAME, "shapes", shapes),
        (T::NAME, "networks", networks::<T>),
        (T::NAME, "steps", steps::<T>),
        (T::NAME, "measures", measures::<T>),
        (T::NAME, "predictions", predictions::<T>),
        (T::NAME, "data", data::<T>),
    ]
}

#[test]
fn no_call_panics() {
    let rounds = std::env::var("LIBRARY_CALLS").map_or(1000, |rounds| rounds.parse().unwrap());
    let groups = [groups::<f32>(), groups::<f64>()].concat();
    let mut failed = Vec::new();
    for (scalar, name, calls) in &groups {
        for seed in 0..rounds {
            let round = || calls(&mut Source(SplitMix64::new(seed)));
            if catch_unwind(AssertUnwindSafe(round)).is_err() {
                failed.push(format!("{name} in {scalar}, seed {seed}"));
            }
        }
    }
    // Where they are on here, they are on in the core, which has the same profile.
    let checked = catch_unwind(|| black_box(u8::MAX) + black_box(1)).is_err();
    let checks = if checked { "on" } else { "OFF" };
    println!("{} groups of calls, {rounds} rounds each, overflow checks {checks}", groups.len());
    assert!(failed.is_empty(), "{failed:#?}");
}
