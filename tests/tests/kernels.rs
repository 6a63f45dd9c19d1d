//! Every instruction set against the definition, bit for bit: products, outer products, axpy, dot, mirror.
//!
//! The level `scalar` is the definition itself; the others are compared with it on matrices that start at odd
//! addresses, hold signed zeros, subnormals and huge values, and have guards around everything that is written.
//! `REQUIRE_LEVELS=avx2,avx512` makes a level that this machine lacks a failure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_core::error::Error;
use agop_core::kernel::{self, Backend, Chain, Definition, Region};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::scalar::{Real, Scalar};
use agop_core::simd::Level;
use agop_tests::SplitMix64;
use std::io::Write as _;

/// Largest size of the sweeps: more than two panels of 32 columns and five strips of 12 rows, and a remainder.
const MOST: usize = 67;

trait Number: Real {
    const FRACTION_BITS: u32;
    const BIAS: i64;
    fn of_bits(bits: u64) -> Self;
    fn raw(self) -> u64;
}

impl Number for f32 {
    const FRACTION_BITS: u32 = 23;
    const BIAS: i64 = 127;
    fn of_bits(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    fn raw(self) -> u64 {
        u64::from(self.to_bits())
    }
}

impl Number for f64 {
    const FRACTION_BITS: u32 = 52;
    const BIAS: i64 = 1023;
    fn of_bits(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    fn raw(self) -> u64 {
        self.to_bits()
    }
}

/// What kind of numbers a matrix holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Magnitudes from 2^-9 to 2^8.
    Ordinary,
    /// Products fall among the subnormals: every rounding there is at another place.
    Tiny,
    /// Mostly ordinary; among them signed zeros, subnormals, values near the largest and the smallest.
    Wild,
}

const KINDS: [Kind; 3] = [Kind::Ordinary, Kind::Tiny, Kind::Wild];

fn number<T: Number>(rng: &mut SplitMix64, kind: Kind) -> T {
    let fraction = rng.bits() >> (64 - T::FRACTION_BITS);
    let sign = (rng.bits() & 1) << (T::BYTES as u32 * 8 - 1);
    let with = |exponent: i64| T::of_bits(sign | (exponent as u64) << T::FRACTION_BITS | fraction);
    let ordinary = T::BIAS + rng.between(-9, 8);
    match (kind, rng.below(32)) {
        (Kind::Ordinary, _) => with(ordinary),
        (Kind::Tiny, 0) => T::of_bits(sign),
        (Kind::Tiny, 1..=4) => with(0),
        (Kind::Tiny, _) => with(T::BIAS / 2 + rng.between(-12, 12)),
        (Kind::Wild, 0..=2) => T::of_bits(sign),
        (Kind::Wild, 3..=5) => with(0),
        (Kind::Wild, 6) => with(2 * T::BIAS - rng.between(8, 12)),
        (Kind::Wild, 7) => with(rng.between(1, 20)),
        (Kind::Wild, _) => with(ordinary),
    }
}

/// Long vectors of each kind, from which matrices are cut at changing offsets, so that no address stays aligned.
struct Pool<T> {
    values: [Vec<T>; 3],
    rng: SplitMix64,
}

impl<T: Number> Pool<T> {
    fn new(seed: u64, length: usize) -> Self {
        let mut rng = SplitMix64::new(seed);
        let values = KINDS.map(|kind| (0..length).map(|_| number(&mut rng, kind)).collect());
        Self { values, rng }
    }

    fn cut(&mut self, kind: Kind, length: usize) -> Vec<T> {
        let all = &self.values[kind as usize];
        let from = self.rng.below((all.len() - length) as u64 + 1) as usize;
        all[from..from + length].to_vec()
    }

    fn kind(&mut self) -> Kind {
        KINDS[self.rng.below(3) as usize]
    }
}

/// A matrix in memory, plain or transposed.
struct Matrix<T> {
    data: Vec<T>,
    first: usize,
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<T: Number> Matrix<T> {
    fn new(pool: &mut Pool<T>, kind: Kind, rows: usize, columns: usize, transposed: bool) -> Self {
        let first = pool.rng.below(8) as usize;
        let data = pool.cut(kind, rows * columns + first);
        Self { data, first, rows, columns, transposed }
    }

    fn view(&self) -> MatRef<'_, T> {
        plain_or_transposed(&self.data[self.first..], (self.rows, self.columns), self.transposed)
    }
}

fn plain_or_transposed<T>(data: &[T], (rows, columns): (usize, usize), transposed: bool) -> MatRef<'_, T> {
    if transposed {
        MatRef::new(data, columns, rows).unwrap().t()
    } else {
        MatRef::new(data, rows, columns).unwrap()
    }
}

/// The bits of guards: small subnormals, which every sum leaves changed. (A NaN with a payload would survive an fma.)
fn guard<T: Number>(at: usize) -> T {
    T::of_bits(0x100 | (at as u64 & 0xff))
}

/// Runs `f` on a matrix that starts as `initial`, at an odd address between guards; returns its raw bits.
#[track_caller]
fn guarded<T: Number>(
    initial: &[T],
    (rows, columns): (usize, usize),
    shift: usize,
    f: impl FnOnce(MatMut<'_, T>),
) -> Vec<T> {
    const MARGIN: usize = 40;
    let before = MARGIN + shift;
    let mut memory: Vec<T> = (0..before + initial.len() + MARGIN).map(guard).collect();
    memory[before..before + initial.len()].copy_from_slice(initial);
    f(MatMut::new(&mut memory[before..before + initial.len()], rows, columns).unwrap());
    for (at, value) in memory.iter().enumerate() {
        let inside = (before..before + initial.len()).contains(&at);
        assert!(
            inside || value.raw() == guard::<T>(at).raw(),
            "written outside, at {}",
            at as i64 - before as i64
        );
    }
    memory[before..before + initial.len()].to_vec()
}

#[track_caller]
fn assert_same<T: Number>(what: &dyn Fn() -> String, found: &[T], expected: &[T]) {
    assert_eq!(found.len(), expected.len(), "{}", what());
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        let (f, e) = (f.canonical_bits(), e.canonical_bits());
        assert_eq!(f, e, "{}: element {at} is {f:#x}, not {e:#x}", what());
    }
}

/// `c` with guards in the place of the elements below the diagonal.
fn marked_below<T: Number>(c: &[T], n: usize) -> Vec<T> {
    c.iter().enumerate().map(|(at, x)| if at % n < at / n { guard(at) } else { *x }).collect()
}

/// The elements from the diagonal on are as expected, those below are the guards of [`marked_below`], raw bits.
#[track_caller]
fn assert_upper<T: Number>(what: &dyn Fn() -> String, n: usize, found: &[T], expected: &[T]) {
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        if at % n < at / n {
            assert_eq!(
                f.raw(),
                guard::<T>(at).raw(),
                "{}: element {at} below the diagonal was touched",
                what()
            );
        } else {
            let (f, e) = (f.canonical_bits(), e.canonical_bits());
            assert_eq!(f, e, "{}: element {at} is {f:#x}, not {e:#x}", what());
        }
    }
}

fn differs<T: Number>(a: &[T], b: &[T]) -> bool {
    a.iter().zip(b).any(|(a, b)| a.canonical_bits() != b.canonical_bits())
}

fn levels() -> Vec<Level> {
    Level::available().collect()
}

#[test]
fn every_required_level_is_there() {
    let here: Vec<&str> = levels().into_iter().map(Level::name).collect();
    let missing: Vec<&str> = Level::NAMES.iter().copied().filter(|name| !here.contains(name)).collect();
    let line = format!(
        "kernels: compared with the definition on {}; missing: {}",
        here.join(", "),
        missing.join(", ")
    );
    // Past the harness, which swallows what passing tests print.
    writeln!(std::io::stderr(), "{line}").unwrap();
    assert_eq!(here.first(), Some(&"scalar"));
    let required = std::env::var("REQUIRE_LEVELS").unwrap_or_default();
    for name in required.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        assert!(here.contains(&name), "REQUIRE_LEVELS: no level {name} here (there is: {})", here.join(", "));
    }
}

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
    Definition.accumulate(MatMut::new(&mut full, m, n).unwrap(), a, b, Region::Full, Chain::Continue);
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
                level.accumulate(c, a, b, Region::Upper, Chain::Continue);
            });
            assert_upper(&|| what("upper"), n, &found, &full);
            let found = guarded(&marked, (m, n), shift, |c| {
                level.accumulate(c, a, b, Region::Upper, Chain::Begin);
            });
            assert_upper(&|| what("upper from zero"), n, &found, &product);
            let found = guarded(&marked, (m, n), shift, |c| {
                level.accumulate(c, a, b, Region::Upper, Chain::Row(&row));
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
        Definition.accumulate(MatMut::new(&mut sum, k, k).unwrap(), x.t(), x, Region::Upper, Chain::Continue);
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

/// The tree over column results, from its definition: the first power of two of them, then the others.
fn tree(sums: &[f64]) -> f64 {
    match sums.len() {
        0 => 0.0,
        1 => sums[0],
        n => {
            let half = n.next_power_of_two() / 2;
            tree(&sums[..half]) + tree(&sums[half..])
        }
    }
}

fn column_sums<T: Number>(a: MatRef<'_, T>, b: MatRef<'_, T>) -> Vec<f64> {
    let chain =
        |j| a.column(j).zip(b.column(j)).fold(0.0, |sum, (x, y)| f64::fma(&x.to_f64(), &y.to_f64(), sum));
    (0..a.columns()).map(chain).collect()
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

/// A backend that is called with shapes that do not agree answers alike on every level.
#[test]
fn disagreeing_shapes_are_alike_on_every_level() {
    let values = |n: usize| (0..n).map(|i| i as f32 - 2.5).collect::<Vec<_>>();
    let (long, short) = (values(40 * 41), values(39));
    let matrix = |rows, columns| MatRef::new(&long[..rows * columns], rows, columns).unwrap();
    let run = |level: Option<Level>| {
        for (a, b) in [((3, 5), (4, 40)), ((3, 5), (5, 39)), ((4, 5), (5, 40)), ((0, 5), (5, 40))] {
            for region in [Region::Full, Region::Upper] {
                let mut c = values(3 * 40);
                let (out, x, y) = (MatMut::new(&mut c, 3, 40).unwrap(), matrix(a.0, a.1), matrix(b.0, b.1));
                match level {
                    Some(level) => level.accumulate(out, x, y, region, Chain::Begin),
                    None => Definition.accumulate(out, x, y, region, Chain::Begin),
                }
                assert_eq!(c, values(3 * 40), "{a:?} {b:?} on {level:?}");
            }
        }
        // Nor does a row of another length.
        for length in [0, 4, 6] {
            let mut c = values(3 * 5);
            let (out, x, y) = (MatMut::new(&mut c, 3, 5).unwrap(), matrix(3, 2), matrix(2, 5));
            let chain = Chain::Row(&long[..length]);
            match level {
                Some(level) => level.accumulate(out, x, y, Region::Full, chain),
                None => Definition.accumulate(out, x, y, Region::Full, chain),
            }
            assert_eq!(c, values(3 * 5), "a row of {length} on {level:?}");
        }
    };
    run(None);
    for level in levels() {
        run(Some(level));
        for (a, b) in [((3, 5), (5, 3)), ((3, 37), (3, 36)), ((4, 9), (3, 9)), ((1, 0), (0, 1))] {
            let (a, b) = (matrix(a.0, a.1), matrix(b.0, b.1));
            assert_eq!(Backend::<f32>::dot(Definition, a, b).to_bits(), 0);
            assert_eq!(Backend::<f32>::dot(level, a, b).to_bits(), 0, "{}", level.name());
        }
        let (mut expected, mut found) = (values(45), values(45));
        Definition.axpy(0.1, &short, &mut expected);
        level.axpy(0.1, &short, &mut found);
        assert_eq!(found, expected);
        assert_ne!(found, values(45));
    }
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

/// Matrices without rows hold no memory, however many columns they have.
#[test]
fn columns_without_rows_are_not_visited() {
    let empty = MatRef::<f32>::new(&[], 0, usize::MAX).unwrap();
    for level in levels() {
        assert_eq!(kernel::dot(level, empty, empty).unwrap().to_bits(), 0, "{}", level.name());
        for chain in [Chain::Begin, Chain::Continue, Chain::Row(&[])] {
            let c = || MatMut::new(&mut [], 0, usize::MAX).unwrap();
            let none = MatRef::<f32>::new(&[], 0, 0).unwrap();
            level.accumulate(c(), none, empty, Region::Full, chain);
            level.accumulate(c(), none, empty, Region::Upper, chain);
        }
    }
}

/// Nor do matrices without columns, however many rows they have.
#[test]
fn rows_without_columns_are_not_visited() {
    for (rows, columns) in [(0, usize::MAX), (usize::MAX, 0)] {
        let empty = MatRef::<f32>::new(&[], rows, columns).unwrap();
        for empty in [empty, empty.t()] {
            // Optimised builds leave out a loop over rows without effect; what is left of it is that the end is not known.
            assert_eq!(empty.elements().size_hint(), (0, Some(0)));
            assert_eq!(empty.elements().next(), None);
        }
    }
    let full = MatRef::new(&[1, 2, 3, 4, 5, 6], 2, 3).unwrap();
    assert!(full.elements().eq(&[1, 2, 3, 4, 5, 6]) && full.t().elements().eq(&[1, 4, 2, 5, 3, 6]));
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

#[test]
fn shape_errors_carry_the_numbers_and_leave_the_output_alone() {
    let values: Vec<f64> = (0..200).map(|i| f64::from(i) + 0.5).collect();
    let of = |rows: usize, columns: usize| MatRef::new(&values[..rows * columns], rows, columns).unwrap();
    for level in levels() {
        let run = |rows: usize, columns: usize, f: &dyn Fn(MatMut<'_, f64>) -> Result<(), Error>| {
            let mut c = values[..rows * columns].to_vec();
            let result = f(MatMut::new(&mut c, rows, columns).unwrap());
            assert_eq!(c, values[..rows * columns], "the output changed");
            result
        };
        let shape = |what, expected, found| Err(Error::Shape { what, expected, found });
        let inner = shape("right factor", (4, 6), (5, 6));
        let outer = shape("product", (3, 6), (6, 3));
        assert_eq!(run(3, 6, &|c| kernel::accumulate(level, c, of(3, 4), of(5, 6))), inner);
        assert_eq!(run(3, 6, &|c| kernel::product(level, c, of(3, 4), of(6, 5).t())), inner);
        assert_eq!(run(6, 3, &|c| kernel::accumulate(level, c, of(3, 4), of(4, 6))), outer);
        assert_eq!(run(6, 3, &|c| kernel::product(level, c, of(4, 3).t(), of(4, 6))), outer);
        let square = shape("outer product", (7, 7), (7, 8));
        assert_eq!(run(7, 8, &|c| kernel::outer(level, c, of(3, 7))), square);
        assert_eq!(run(7, 8, &|c| kernel::accumulate_outer(level, c, of(3, 7))), square);
        let square = shape("symmetric product", (3, 3), (3, 4));
        assert_eq!(run(3, 4, &|c| kernel::symmetric_product(level, c, of(3, 5), of(5, 3))), square);
        let square = shape("right factor", (5, 3), (5, 4));
        assert_eq!(run(3, 3, &|c| kernel::symmetric_product(level, c, of(3, 5), of(5, 4))), square);
        assert_eq!(run(2, 3, &kernel::mirror), shape("symmetric matrix", (2, 2), (2, 3)));
        let found = kernel::dot(level, of(2, 3), of(3, 2));
        let what = "second factor of an inner product";
        assert_eq!(found, Err(Error::Shape { what, expected: (2, 3), found: (3, 2) }));
        let mut y = values[..5].to_vec();
        let length = Err(Error::Length { what: "axpy", expected: 5, found: 4 });
        assert_eq!(kernel::axpy(level, 2.0, &values[..4], &mut y), length);
        assert_eq!(y, values[..5]);
    }
    let error = MatRef::new(&values[..5], 2, 3).unwrap_err();
    assert_eq!(error, Error::Length { what: "matrix", expected: 6, found: 5 });
    assert_eq!(
        MatRef::new(&values[..1], usize::MAX, 2).unwrap_err().to_string(),
        format!("matrix: expected {} values, found 1", usize::MAX)
    );
    assert_eq!(
        MatMut::new(&mut [0.0; 7], 2, 3).unwrap_err(),
        Error::Length { what: "matrix", expected: 6, found: 7 }
    );
}
