//! No kernel touches a byte beyond its operands.
//!
//! Every operand lies in a mapping of its own between two pages without access, once against the end and once against
//! the beginning: a read or a write one value further ends the process with SIGSEGV. The results are compared with the
//! definition besides.
#![cfg(unix)]
#![allow(unreachable_pub, reason = "a test has no users")]
#![allow(unsafe_code, reason = "pages are mapped and locked through the C library")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod fenced;

use agop_core::kernel::{Backend, Definition, Init, Triangle};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::SplitMix64;
use fenced::{EDGES, Edge, Fenced, Layout, values};

/// Largest size of the sweeps: more than two vectors of columns, three strips of 12 rows, and a remainder.
const MOST: usize = 40;

/// Multiplications from which on the level `scalar`, the definition itself, is left out.
const LARGE: usize = 2000;

/// The memory of a product.
struct Memory<T> {
    rng: SplitMix64,
    a: Fenced<T>,
    b: Fenced<T>,
    c: Fenced<T>,
    row: Fenced<T>,
}

impl<T: Real> Memory<T> {
    fn new(seed: u64, most: usize) -> Self {
        let [a, b, c, row] = [(); 4].map(|()| Fenced::new(most));
        Self { rng: SplitMix64::new(seed), a, b, c, row }
    }

    /// One shape, a and b each in one layout, on every level.
    fn check_product(&mut self, (m, k, n): (usize, usize, usize), layouts: impl Iterator<Item = usize>) {
        let Self { rng, a: left, b: right, c: out, row } = self;
        let [a, b, c, start] = [m * k, k * n, m * n, n].map(|length| values::<T>(rng, length));
        let row: &[T] = row.hold(&start, Edge::End);
        let wanted = [Init::Zero, Init::Accumulate, Init::Row(row)].map(|init| {
            let mut wanted = c.clone();
            let (a, b) = (MatRef::new(&a, m, k).unwrap(), MatRef::new(&b, k, n).unwrap());
            Definition.accumulate(MatMut::new(&mut wanted, m, n).unwrap(), a, b, Triangle::Full, init);
            (init, wanted)
        });
        for layout in layouts {
            let (of_a, of_b) = (Layout(layout % 4), Layout(layout / 4));
            for edge in EDGES {
                let a = left.hold(&of_a.stored(&a, m, k, edge), edge);
                let b = right.hold(&of_b.stored(&b, k, n, edge), edge);
                let (a, b) = (of_a.view(a, m, k, edge), of_b.view(b, k, n, edge));
                for level in Level::available().filter(|l| *l != Level::scalar() || m * k * n < LARGE) {
                    for triangle in [Triangle::Full, Triangle::Upper] {
                        for (init, wanted) in &wanted {
                            let found = out.hold(&c, edge);
                            level.accumulate(MatMut::new(found, m, n).unwrap(), a, b, triangle, *init);
                            for (at, found) in found.iter().enumerate() {
                                let kept = triangle == Triangle::Upper && at % n < at / n;
                                let wanted = if kept { c[at] } else { wanted[at] };
                                assert_eq!(
                                    found.canonical_bits(),
                                    wanted.canonical_bits(),
                                    "{m}x{k}x{n} {} {of_a:?} {of_b:?} {edge:?} {triangle:?} {init:?} on {}: {at}",
                                    T::NAME,
                                    level.name()
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

fn small_products<T: Real>(seed: u64) {
    let mut memory = Memory::<T>::new(seed, 4096);
    let mut turn = 0;
    for x in 0..=MOST {
        for (y, z) in [(0, 3), (1, 1), (2, 17), (3, 9), (7, 33), (13, 25), (40, 4)] {
            for shape in [(x, y, z), (y, x, z), (y, z, x)] {
                // Every layout of each of three neighbours.
                memory.check_product(shape, (turn % 3..16).step_by(3));
                turn += 1;
            }
        }
        memory.check_product((x, 5, x), (turn % 3..16).step_by(3));
    }
}

#[test]
fn small_products_f32() {
    small_products::<f32>(1);
}

#[test]
fn small_products_f64() {
    small_products::<f64>(2);
}

/// Plain or transposed a with plain or transposed b, then windows of both.
const EACH: [usize; 8] = [0, 1, 4, 5, 10, 11, 14, 15];

fn large_products<T: Real>(seed: u64) {
    let mut memory = Memory::<T>::new(seed, 640_000);
    for (shape, layouts) in [
        // Few rows and few inner indices.
        ((1, 400, 75), &EACH[..]),
        ((2, 131, 403), &EACH),
        ((70, 1, 803), &EACH),
        ((131, 3, 133), &EACH),
        // Panels packed by the first of several strips, triangles that are wider and higher than long.
        ((60, 20, 45), &EACH),
        ((99, 64, 70), &EACH),
        ((61, 65, 133), &EACH),
        // Several runs of inner indices, also as long as can be.
        ((13, 257, 33), &EACH),
        ((7, 768, 70), &EACH),
        ((50, 768, 50), &EACH),
        // Several blocks of rows, in place and packed, over one and several runs, also as large as can be.
        ((301, 400, 35), &[0, 15]),
        ((390, 70, 401), &EACH),
        ((391, 261, 393), &[1, 11]),
        ((432, 256, 385), &[1]),
        // Wide tiles, in one and several runs.
        ((3, 70, 271), &EACH),
        ((30, 1024, 300), &[0, 10]),
        ((290, 66, 311), &[0, 10]),
        // A triangle that is packed in f32 too.
        ((520, 70, 520), &[1, 5, 11]),
    ] {
        memory.check_product(shape, layouts.iter().copied());
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

fn dot<T: Real>(seed: u64) {
    let mut rng = SplitMix64::new(seed);
    let (mut left, mut right) = (Fenced::<T>::new(80_000), Fenced::<T>::new(80_000));
    let small = (0..=MOST).flat_map(|m| (0..=MOST).map(move |n| (m, n)));
    for (m, n) in small.chain([(3, 1001), (257, 129), (300, 257)]) {
        let (a, b) = (values::<T>(&mut rng, m * n), values::<T>(&mut rng, m * n));
        let wanted = Definition.dot(MatRef::new(&a, m, n).unwrap(), MatRef::new(&b, m, n).unwrap());
        for (of_a, of_b) in [(0, 0), (0, 1), (1, 2), (2, 2), (3, 3)].map(|(a, b)| (Layout(a), Layout(b))) {
            for edge in EDGES {
                let a = left.hold(&of_a.stored(&a, m, n, edge), edge);
                let b = right.hold(&of_b.stored(&b, m, n, edge), edge);
                let (a, b) = (of_a.view(a, m, n, edge), of_b.view(b, m, n, edge));
                for level in Level::available() {
                    assert_eq!(
                        level.dot(a, b).canonical_bits(),
                        wanted.canonical_bits(),
                        "{m}x{n} {} {of_a:?} {of_b:?} {edge:?} on {}",
                        T::NAME,
                        level.name()
                    );
                }
            }
        }
    }
}

#[test]
fn dot_f32() {
    dot::<f32>(5);
}

#[test]
fn dot_f64() {
    dot::<f64>(6);
}

/// Also of vectors that differ in length.
fn axpy<T: Real>(seed: u64) {
    let mut rng = SplitMix64::new(seed);
    let (mut from, mut to) = (Fenced::<T>::new(5000), Fenced::<T>::new(5000));
    for length in (0..=MOST).chain([127, 128, 129, 1000, 4099]) {
        for (more_x, more_y) in [(0, 0), (0, 1), (1, 0), (0, 35), (35, 0)] {
            let (x, y) = (values::<T>(&mut rng, length + more_x), values(&mut rng, length + more_y));
            let a = T::from_f64(rng.symmetric());
            let mut wanted = y.clone();
            Definition.axpy(a, &x, &mut wanted);
            for edge in EDGES {
                let x = from.hold(&x, edge);
                for level in Level::available() {
                    let found = to.hold(&y, edge);
                    level.axpy(a, x, found);
                    let same =
                        found.iter().zip(&wanted).all(|(f, w)| f.canonical_bits() == w.canonical_bits());
                    assert!(same, "{length} {more_x} {more_y} {} {edge:?} on {}", T::NAME, level.name());
                }
            }
        }
    }
}

#[test]
fn axpy_f32() {
    axpy::<f32>(7);
}

#[test]
fn axpy_f64() {
    axpy::<f64>(8);
}
