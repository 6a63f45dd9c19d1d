//! Outer products, axpy, dot and mirror.

use super::{
    KINDS, Kind, MOST, Matrix, Number, Pool, assert_same, assert_upper, column_sums, guarded, levels,
    marked_below,
};
use agop_core::kernel::{self, Backend, Definition, Init, Triangle};
use agop_core::matrix::MatMut;
use agop_core::scalar::Real;
use agop_tests::literal::tree;

/// `outer` and `accumulate_outer` against the sum of products written out; symmetric after [`kernel::mirror`].
fn sweep_outer<T: Number>(seed: u64) {
    let mut pool = Pool::<T>::new(seed, 170_000);
    let shapes = (0..=MOST).flat_map(|k| [0, 1, 2, 7, 33].map(|n| (n, k)));
    for (n, k) in shapes.chain((0..=MOST).map(|n| (n, 19))).chain([
        (300, 67),
        (513, 41),
        (256, 65),
        (1024, 53), // transposed: its rows lie a page apart, in f64 two
        (70, 395),
        (259, 401),
    ]) {
        let kind = pool.kind();
        let x = Matrix::new(&mut pool, kind, n, k, n % 3 == 1);
        let x = x.view();
        let mut expected = vec![T::zero(); k * k];
        for i in 0..k {
            for j in i..k {
                let sum =
                    (0..n).fold(T::zero(), |sum, a| T::fma(x.get(a, i).unwrap(), x.get(a, j).unwrap(), sum));
                (expected[i * k + j], expected[j * k + i]) = (sum, sum);
            }
        }
        let start = pool.cut(kind, k * k);
        let marked = marked_below(&start, k);
        let mut sum = start.clone();
        Definition.accumulate(
            MatMut::new(&mut sum, k, k).unwrap(),
            x.t(),
            x,
            Triangle::Upper,
            Init::Accumulate,
        );
        for level in levels() {
            let what = || format!("outer {} {n}x{k} {kind:?} on {}", T::NAME, level.name());
            let found = guarded(&start, (k, k), n % 8, |c| kernel::outer(level, c, x).unwrap());
            assert_same(&what, &found, &expected);
            let found = guarded(&marked, (k, k), n % 8, |c| kernel::accumulate_outer(level, c, x).unwrap());
            assert_upper(&what, k, &found, &sum);
        }
    }
}

#[test]
fn outer_products_f32() {
    sweep_outer::<f32>(5);
}

#[test]
fn outer_products_f64() {
    sweep_outer::<f64>(6);
}

fn sweep_axpy<T: Number>(seed: u64) {
    let mut pool = Pool::<T>::new(seed, 40_000);
    for length in (0..=MOST).chain([127, 128, 129, 1000, 4099]) {
        for shift in 0..8 {
            for kind in KINDS {
                let (a, x) = (pool.cut(kind, 1)[0], pool.cut(kind, length + shift));
                let (x, y) = (&x[shift..], pool.cut(kind, length));
                let expected: Vec<T> = x.iter().zip(&y).map(|(x, y)| T::fma(&a, x, *y)).collect();
                for level in levels() {
                    let found = guarded(&y, (1, length), 7 - shift, |mut y| {
                        kernel::axpy(level, a, x, y.as_mut_slice()).unwrap();
                    });
                    assert_same(
                        &|| format!("axpy {} {length} on {}", T::NAME, level.name()),
                        &found,
                        &expected,
                    );
                }
            }
        }
    }
}

#[test]
fn axpy_f32() {
    sweep_axpy::<f32>(7);
}

#[test]
fn axpy_f64() {
    sweep_axpy::<f64>(8);
}

fn sweep_dot<T: Number>(seed: u64) {
    let mut pool = Pool::<T>::new(seed, 170_000);
    let small = (0..=MOST).flat_map(|m| (0..=MOST).map(move |n| (m, n)));
    let mut turn = 0;
    for (m, n) in small.chain([(1000, 3), (3, 1000), (257, 129), (300, 257)]) {
        turn += 1;
        let kind = pool.kind();
        let a = Matrix::new(&mut pool, kind, m, n, turn % 4 == 1 || turn % 4 == 3);
        let b = Matrix::new(&mut pool, kind, m, n, turn % 4 >= 2);
        let (a, b) = (a.view(), b.view());
        let expected = tree(&column_sums(a, b));
        assert_eq!(
            expected.canonical_bits(),
            Backend::<T>::dot(Definition, a, b).canonical_bits(),
            "{m}x{n}"
        );
        for level in levels() {
            let found = kernel::dot(level, a, b).unwrap();
            let what = || format!("dot {} {m}x{n} {kind:?} turn {turn} on {}", T::NAME, level.name());
            assert_same(&what, &[found], &[expected]);
        }
    }
}

#[test]
fn dot_f32() {
    sweep_dot::<f32>(9);
}

#[test]
fn dot_f64() {
    sweep_dot::<f64>(10);
}

#[test]
fn mirror_copies_the_upper_triangle_and_nothing_else() {
    let mut pool = Pool::<f32>::new(11, 10_000);
    for n in 0..=MOST {
        let c = pool.cut(Kind::Wild, n * n);
        let found = guarded(&c, (n, n), n % 8, |c| kernel::mirror(c).unwrap());
        for (at, value) in found.iter().enumerate() {
            let (i, j) = (at / n, at % n);
            let from = if j < i { j * n + i } else { at };
            assert_eq!(value.raw(), c[from].raw(), "{n}: ({i}, {j})");
        }
    }
}
