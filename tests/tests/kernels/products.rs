//! Products of two matrices: every small shape in every layout, large ones, and what lies beside cache lines.

use super::{
    Kind, MOST, Matrix, Number, Pool, assert_same, assert_upper, guarded, levels, marked_below,
    plain_or_transposed,
};
use agop_core::kernel::{self, Backend, Definition, Init, Triangle};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::simd::Level;

/// One shape in one layout: `accumulate` from a non-zero c, `product` and `affine`; where c is square, the upper triangle
/// too.
fn check_product<T: Number>(pool: &mut Pool<T>, (m, k, n): (usize, usize, usize), layout: usize) {
    let kind = pool.kind();
    let a = Matrix::new(pool, kind, m, k, layout & 1 != 0);
    let b = Matrix::new(pool, kind, k, n, layout & 2 != 0);
    let c = pool.cut(kind, m * n);
    let shift = pool.rng.below(8) as usize;
    let (a, b) = (a.view(), b.view());
    let mut full = c.clone();
    Definition.accumulate(MatMut::new(&mut full, m, n).unwrap(), a, b, Triangle::Full, Init::Accumulate);
    let mut product = vec![T::zero(); m * n];
    kernel::accumulate(Definition, MatMut::new(&mut product, m, n).unwrap(), a, b).unwrap();
    let row = pool.cut(kind, n);
    let mut affine: Vec<T> = std::iter::repeat_n(&row, m).flatten().copied().collect();
    kernel::accumulate(Definition, MatMut::new(&mut affine, m, n).unwrap(), a, b).unwrap();
    let marked = if m == n { marked_below(&c, n) } else { Vec::new() };
    for level in levels() {
        // The level `scalar` is the definition: that it is called at all shows on small shapes too.
        if level == Level::scalar() && m * k * n > 2000 {
            continue;
        }
        let what = |operation: &str| {
            format!("{operation} {} {m}x{k}x{n} {kind:?} layout {layout} on {}", T::NAME, level.name())
        };
        let found = guarded(&c, (m, n), shift, |c| kernel::accumulate(level, c, a, b).unwrap());
        assert_same(&|| what("accumulate"), &found, &full);
        let found = guarded(&c, (m, n), shift, |c| kernel::product(level, c, a, b).unwrap());
        assert_same(&|| what("product"), &found, &product);
        let found = guarded(&c, (m, n), shift, |c| kernel::affine(level, c, a, b, &row).unwrap());
        assert_same(&|| what("affine"), &found, &affine);
        if m == n {
            let found = guarded(&marked, (m, n), shift, |c| {
                level.accumulate(c, a, b, Triangle::Upper, Init::Accumulate);
            });
            assert_upper(&|| what("upper"), n, &found, &full);
            let found = guarded(&marked, (m, n), shift, |c| {
                level.accumulate(c, a, b, Triangle::Upper, Init::Zero);
            });
            assert_upper(&|| what("upper from zero"), n, &found, &product);
            let found = guarded(&marked, (m, n), shift, |c| {
                level.accumulate(c, a, b, Triangle::Upper, Init::Row(&row));
            });
            assert_upper(&|| what("upper from a row"), n, &found, &affine);
        }
    }
}

fn sweep_products<T: Number>(seed: u64) {
    let mut pool = Pool::<T>::new(seed, 40_000);
    let mut turn = 0;
    for x in 0..=MOST {
        // One dimension over its range, the others few, every layout.
        for (y, z) in [(0, 3), (1, 1), (2, 17), (13, 33), (33, 8), (64, 5)] {
            for layout in 0..4 {
                for shape in [(x, y, z), (y, x, z), (y, z, x)] {
                    check_product(&mut pool, shape, layout);
                }
            }
        }
        for k in [1, 5, 31] {
            for layout in 0..4 {
                check_product(&mut pool, (x, k, x), layout);
            }
        }
        // Two dimensions over their range, the layouts in turn.
        for y in 0..=MOST {
            for shape in [(x, 3, y), (x, y, 2), (2, x, y)] {
                check_product(&mut pool, shape, turn % 4);
                turn += 1;
            }
            turn += 1;
        }
    }
}

#[test]
fn products_f32() {
    sweep_products::<f32>(1);
}

#[test]
fn products_f64() {
    sweep_products::<f64>(2);
}

/// Inner sizes around and beyond one run of the blocked loop, at sizes that leave remainders everywhere.
fn large_products<T: Number>(seed: u64) {
    let mut pool = Pool::<T>::new(seed, 310_000);
    for (shape, layouts) in [
        ((5, 255, 37), 0..4),
        ((13, 256, 33), 0..4),
        ((14, 257, 65), 0..4),
        ((3, 513, 70), 0..4),
        ((41, 600, 41), 0..4),
        ((257, 300, 129), 0..1),
        ((129, 257, 300), 2..3),
        ((130, 259, 130), 1..2),
        // Several blocks of rows, in place and packed, over one and several runs of inner indices.
        ((401, 400, 35), 0..4),
        ((390, 70, 400), 0..4),
        ((391, 261, 393), 1..2),
        // Wide tiles, right factor in place and transposed: few rows, one and several runs, several blocks of rows.
        ((3, 70, 271), 0..1),
        ((3, 70, 143), 2..3),
        ((19, 1030, 131), 0..1),
        ((19, 1030, 131), 2..3),
        ((101, 60, 201), 0..2),
        // Few inner indices: all rows at once, in strips of equal height and with one that is lower; and more rows than that.
        ((47, 40, 201), 0..2),
        ((401, 64, 75), 2..4),
        ((790, 9, 70), 2..4),
        ((401, 66, 311), 0..1),
        ((401, 66, 201), 2..3),
        // Rows of the left factor that share the sets of the first-level cache: a page apart, in f64 two.
        ((41, 1024, 41), 0..1),
        ((37, 1024, 13), 2..3),
        ((19, 1024, 130), 2..3),
    ] {
        for layout in layouts {
            check_product(&mut pool, shape, layout);
        }
    }
}

#[test]
fn large_products_f32() {
    large_products::<f32>(3);
}

#[test]
fn large_products_f64() {
    large_products::<f64>(4);
}

/// Products whose c is large, in groups of rows and runs of their own: all levels agree on all of it, and with the definition
/// on the rows at the begin, around the end of a block, and at the end.
#[test]
fn deep_products() {
    let (m, k, n) = (1102, 1031, 479);
    let mut pool = Pool::<f32>::new(5, 2 * m * k);
    for (kind, layout) in [(Kind::Ordinary, 0), (Kind::Ordinary, 1), (Kind::Wild, 2), (Kind::Ordinary, 3)] {
        let a = Matrix::new(&mut pool, kind, m, k, layout & 1 != 0);
        let b = Matrix::new(&mut pool, kind, k, n, layout & 2 != 0);
        let c = pool.cut(kind, m * n);
        let mut first: Option<Vec<f32>> = None;
        for level in levels().into_iter().filter(|level| *level != Level::scalar()) {
            let what = || format!("deep {m}x{k}x{n} {kind:?} layout {layout} on {}", level.name());
            let found = guarded(&c, (m, n), 3, |c| kernel::accumulate(level, c, a.view(), b.view()).unwrap());
            assert_same(&what, first.get_or_insert_with(|| found.clone()), &found);
        }
        for rows in [0..3, 368..376, m - 4..m] {
            let (count, part) = (rows.len(), rows.start * n..rows.end * n);
            let mut expected = c[part.clone()].to_vec();
            let a = a.view().row_range(rows.start, count);
            kernel::accumulate(Definition, MatMut::new(&mut expected, count, n).unwrap(), a, b.view())
                .unwrap();
            if let Some(found) = &first {
                assert_same(&|| format!("deep rows {rows:?} layout {layout}"), &found[part], &expected);
            }
        }
    }
}

/// Something done to c with b.
type Operation<'a, T> = dyn Fn(Level, MatMut<'_, T>, MatRef<'_, T>) + 'a;

/// A copy of `values` whose first lies `past` values beyond the begin of a cache line, with room around it.
fn beside_line<T: Number>(values: &[T], past: usize) -> (Vec<T>, std::ops::Range<usize>) {
    let line = 64 / size_of::<T>();
    let mut memory = vec![T::zero(); values.len() + 2 * line];
    let from = memory.as_ptr().align_offset(64) + past;
    memory[from..from + values.len()].copy_from_slice(values);
    (memory, from..from + values.len())
}

/// Large products with a transposed left factor, whose panels begin where those of c and b begin a cache line: for each
/// place of c beside the lines, b plain at the same and at another place, and b transposed; and outer products.
fn products_beside_lines<T: Number>(seed: u64) {
    let line = 64 / size_of::<T>();
    // Two runs of inner indices.
    let (m, k, n) = (17 * line, 260, 33 * line);
    let mut pool = Pool::<T>::new(seed, n * n);
    let a = Matrix::new(&mut pool, Kind::Ordinary, m, k, true);
    let (b, initial) = (pool.cut(Kind::Ordinary, k * n), pool.cut(Kind::Ordinary, n * n));
    for transposed in [false, true] {
        let operations: [&Operation<'_, T>; 3] = [
            &|level, c, b| kernel::product(level, c, a.view(), b).unwrap(),
            &|level, c, b| kernel::accumulate(level, c, a.view(), b).unwrap(),
            &|level, c, b| kernel::accumulate_outer(level, c, b).unwrap(),
        ];
        for (multiply, rows) in operations.into_iter().zip([m, m, n]) {
            let initial = &initial[..rows * n];
            let mut expected = initial.to_vec();
            multiply(
                Level::scalar(),
                MatMut::new(&mut expected, rows, n).unwrap(),
                plain_or_transposed(&b, (k, n), transposed),
            );
            for (past, apart) in (0..line).flat_map(|past| [(past, 0), (past, line / 2)]) {
                let (b, at) = beside_line(&b, (past + apart) % line);
                let b = plain_or_transposed(&b[at], (k, n), transposed);
                for level in levels().into_iter().filter(|level| *level != Level::scalar()) {
                    let (mut memory, at) = beside_line(initial, past);
                    multiply(level, MatMut::new(&mut memory[at.clone()], rows, n).unwrap(), b);
                    let what = || format!("{} on {}, {past} and {apart} past a line", T::NAME, level.name());
                    assert_same(&what, &memory[at.clone()], &expected);
                    let mut around = memory[..at.start].iter().chain(&memory[at.end..]);
                    assert!(around.all(|x| x.raw() == 0), "{}", what());
                }
            }
        }
    }
}

#[test]
fn products_beside_lines_f32() {
    products_beside_lines::<f32>(11);
}

#[test]
fn products_beside_lines_f64() {
    products_beside_lines::<f64>(12);
}
