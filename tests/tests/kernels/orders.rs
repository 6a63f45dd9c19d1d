//! Other orders and roundings of the same sums, which must differ.

use super::{Kind, Matrix, Number, Pool, assert_same, column_sums, levels};
use agop_core::kernel;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::scalar::Scalar;
use agop_tests::literal::tree;

fn differs<T: Number>(a: &[T], b: &[T]) -> bool {
    a.iter().zip(b).any(|(a, b)| a.canonical_bits() != b.canonical_bits())
}

/// The same products with another order, or with two roundings, must not pass for the definition.
fn negative_controls<T: Number>(seed: u64) {
    let mut pool = Pool::<T>::new(seed, 10_000);
    let (m, k, n) = (9, 23, 11);
    let a = Matrix::new(&mut pool, Kind::Ordinary, m, k, false);
    let b = Matrix::new(&mut pool, Kind::Ordinary, k, n, false);
    let (a, b) = (a.view(), b.view());
    let start = pool.cut(Kind::Ordinary, m * n);
    let with = |element: &dyn Fn(usize, usize, T) -> T| -> Vec<T> {
        start.iter().enumerate().map(|(at, c)| element(at / n, at % n, *c)).collect()
    };
    let at = |i: usize, p: usize, j: usize| (*a.get(i, p).unwrap(), *b.get(p, j).unwrap());
    let chain = |i: usize, j: usize, c: T, order: &mut dyn Iterator<Item = usize>| {
        order.fold(c, |c, p| T::fma(&at(i, p, j).0, &at(i, p, j).1, c))
    };
    let ascending = with(&|i, j, c| chain(i, j, c, &mut (0..k)));
    let descending = with(&|i, j, c| chain(i, j, c, &mut (0..k).rev()));
    let unfused = with(&|i, j, c| (0..k).fold(c, |c, p| at(i, p, j).0 * at(i, p, j).1 + c));
    let from_zero = with(&|i, j, c| c + chain(i, j, T::zero(), &mut (0..k)));
    let in_lanes = with(&|i, j, c| {
        let even = chain(i, j, c, &mut (0..k).step_by(2));
        even + chain(i, j, T::zero(), &mut (1..k).step_by(2))
    });
    for level in levels() {
        let mut found = start.clone();
        kernel::accumulate(level, MatMut::new(&mut found, m, n).unwrap(), a, b).unwrap();
        assert_same(&|| format!("{} on {}", T::NAME, level.name()), &found, &ascending);
        assert!(differs(&found, &descending), "descending order has the same bits");
        assert!(differs(&found, &unfused), "two roundings have the same bits");
        assert!(differs(&found, &from_zero), "a sum from zero, added afterwards, has the same bits");
        assert!(differs(&found, &in_lanes), "lanes over the inner index have the same bits");
    }
    let (x, y) = (pool.cut(Kind::Ordinary, n * n), pool.cut(Kind::Ordinary, n * n));
    let (x, y) = (MatRef::new(&x, n, n).unwrap(), MatRef::new(&y, n, n).unwrap());
    let sums = column_sums(x, y);
    let one_chain = (0..n * n).fold(0.0, |sum, at| {
        let (x, y) = (x.get(at / n, at % n).unwrap(), y.get(at / n, at % n).unwrap());
        f64::fma(&x.to_f64(), &y.to_f64(), sum)
    });
    for level in levels() {
        let found = kernel::dot(level, x, y).unwrap();
        assert_eq!(found.to_bits(), tree(&sums).to_bits());
        assert_ne!(
            found.to_bits(),
            sums.iter().fold(0.0, |sum, x| sum + x).to_bits(),
            "left fold over columns"
        );
        assert_ne!(found.to_bits(), one_chain.to_bits(), "one chain over everything");
    }
}

#[test]
fn other_orders_and_unfused_sums_differ() {
    negative_controls::<f32>(12);
    negative_controls::<f64>(13);
}
