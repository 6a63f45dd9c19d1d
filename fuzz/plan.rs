//! What an input of the fuzz target `kernels` says: one product on every level, beside the definition, and one sum over
//! samples in parts. `tests/tests/fuzz_seeds.rs` runs the seeds through the same code.
//!
//! ```text
//! byte 0  odd: f64            1  kind of values        2  triangle            3  where the chains begin
//!      4, 5  m: class, value  6, 7  k                  8, 9  n                10  a, b transposed (bits), large
//!     11, 12, 13  where a, b and c start, in values    14  blocks             15  samples in the last
//!     16 .. 20  cuts between blocks (bits)             20, 21  first block    22 ..  values
//! ```
//! An input that ends early goes on with bytes that it seeds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "fuzzing and testing")]

use agop_core::kernel::{self, Backend, Definition, Init, Triangle};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::reduce::{SAMPLE_BLOCK, SampleTree, partial_buffers};
use agop_core::scalar::Real;
use agop_core::simd::Level;

/// Most multiply-adds of a product: larger sizes are halved.
const MOST: usize = 1 << 18;

/// The same where the upper half of byte 10 is full: some runs and blocks begin late, and such a product takes long.
const MOST_LARGE: usize = 9 << 20;

/// Bytes that never end.
struct Source<'a> {
    input: &'a [u8],
    state: u64,
}

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        self.number(1) as u8
    }

    fn number(&mut self, bytes: usize) -> u64 {
        if let Some((first, rest)) = self.input.split_at_checked(bytes) {
            self.input = rest;
            let number = first.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
            self.state = self.state.rotate_left(7) ^ number;
            return number;
        }
        self.input = &[];
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) >> (64 - 8 * bytes)
    }

    fn values<T: Number>(&mut self, count: usize, kind: Kind) -> Vec<T> {
        (0..count).map(|_| self.value(kind)).collect()
    }

    fn value<T: Number>(&mut self, kind: Kind) -> T {
        if kind == Kind::Near {
            let [large, small] = (self.number(2) as u16).to_le_bytes();
            let (large, small) = (large as i8, small & 15);
            return T::from_f64(f64::from(large) + f64::from(small) * T::UNIT_ROUNDOFF);
        }
        let value = T::of_bits(self.number(T::BYTES));
        if kind == Kind::Bits || value.is_finite() { value } else { T::one() }
    }

    /// Mostly small, now and then so large that a product takes several blocks and runs.
    fn size(&mut self) -> usize {
        let (class, value) = (self.byte() % 8, usize::from(self.byte()));
        match class {
            0..=4 => value % 41,
            5 => value,
            _ => 5 * value,
        }
    }
}

trait Number: Real {
    fn of_bits(bits: u64) -> Self;
}

impl Number for f32 {
    fn of_bits(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
}

impl Number for f64 {
    fn of_bits(bits: u64) -> Self {
        f64::from_bits(bits)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Bits,
    /// Equal exponents: carries, ties and cancellation in every sum.
    Near,
    Finite,
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    double: bool,
    kind: Kind,
    triangle: Triangle,
    init: u8,
    sizes: (usize, usize, usize),
    transposed: (bool, bool),
    starts: [usize; 3],
    blocks: usize,
    last: usize,
    cuts: u32,
    first: u64,
}

impl Plan {
    fn new(source: &mut Source<'_>) -> Self {
        let double = source.byte() & 1 == 1;
        let kind = [Kind::Bits, Kind::Near, Kind::Finite][usize::from(source.byte() % 3)];
        let triangle = if source.byte() & 1 == 1 { Triangle::Upper } else { Triangle::Full };
        let init = source.byte() % 3;
        let (mut m, mut k, mut n) = (source.size(), source.size(), source.size());
        let layout = source.byte();
        while m * k * n > if layout >> 4 == 15 { MOST_LARGE } else { MOST } {
            let largest = m.max(k).max(n);
            let size = [&mut m, &mut k, &mut n].into_iter().find(|size| **size == largest);
            size.into_iter().for_each(|size| *size /= 2);
        }
        let starts = [0; 3].map(|_| usize::from(source.byte() % 16));
        let (blocks, last) = (usize::from(source.byte()) % 33 + 1, 1 + usize::from(source.byte()));
        Self {
            double,
            kind,
            triangle,
            init,
            sizes: (m, k, n),
            transposed: (layout & 1 == 1, layout & 2 == 2),
            starts,
            blocks,
            last,
            cuts: source.number(4) as u32,
            first: source.number(2),
        }
    }

    /// Cuts between two of the blocks.
    fn parts(&self) -> usize {
        1 + (1..self.blocks).filter(|to| self.cut(*to)).count()
    }

    fn cut(&self, before: usize) -> bool {
        self.cuts >> (before - 1) & 1 == 1
    }

    /// What this plan tries, of [`PATHS`]. The kernels are those that `core/src/simd/lanes/plan.rs` chooses on every
    /// vector level alike for these sizes; the wide panels are those of AVX-512.
    fn paths(&self) -> u32 {
        let ((m, k, n), (a_turned, b_turned)) = (self.sizes, self.transposed);
        let (full, some) = (self.triangle == Triangle::Full, m > 0 && k > 0 && n > 0);
        let vector = if self.double { 8 } else { 16 };
        let inside = self.starts.map(|start| !start.is_multiple_of(vector));
        let many = k > 64 && m > 16 && n > 2 * vector;
        let apart = a_turned && m * 4 >= 1024 && m * n * if self.double { 8 * 8 } else { 4 * 4 } >= 1 << 21;
        [
            a_turned && m > 1 && k > 1,
            b_turned && k > 1 && n > 1,
            inside[0],
            inside[1],
            inside[2],
            !full && m > 1,
            self.init == 0,
            self.init == 1,
            self.init == 2,
            some && k <= 3 && !b_turned,
            some && m == 1 && k > 3 && full && n > 2 * vector && !b_turned,
            some && m <= 2 && k > 3 && full && n > 1 && b_turned,
            some && m <= 6 && k > 3 && (2..=4).contains(&n) && !b_turned,
            some && m > 16 && (4..=64).contains(&k) && full && n > 2 * vector && !b_turned,
            some && m > 16 && (4..=64).contains(&k) && full && n > 1 && b_turned,
            m > 16 && (4..=64).contains(&k) && !full && n > 2 * vector,
            m > 12 * 64 && (4..=64).contains(&k) && full && n >= 4 * vector && !b_turned,
            many && !a_turned && !b_turned && n < 8 * vector,
            many && !a_turned && full && n >= 8 * vector,
            many && apart,
            many && k > 384 && !a_turned,
            many && k > 1024 && !a_turned && full && n >= 8 * vector,
            many && k > 256 && apart,
            m > 12 * 32 && n > 2 * vector && (k > 64 || k > 3 && !full),
            self.blocks > 1,
            self.parts() > 1,
            self.parts() > 4 && self.blocks > 16,
            self.first % 2 == 1,
            self.first % 256 > self.blocks as u64,
            self.last == SAMPLE_BLOCK,
        ]
        .into_iter()
        .enumerate()
        .fold(0, |paths, (bit, taken)| paths | u32::from(taken) << bit)
    }
}

/// Names of the bits of [`Plan::paths`].
pub const PATHS: [&str; 30] = [
    "a transposed",
    "b transposed",
    "a begins inside a cache line",
    "b begins inside a cache line",
    "c begins inside a cache line",
    "an upper triangle",
    "chains from +0",
    "chains from c",
    "chains from a row",
    "few inner indices",
    "one row",
    "few rows of a transposed b",
    "one tile",
    "few inner indices, b in place",
    "few inner indices, b transposed",
    "few inner indices in blocks",
    "few inner indices in wide panels",
    "many inner indices",
    "many inner indices in wide panels",
    "a packed",
    "a run of inner indices after the first",
    "the same in wide panels",
    "the same where a is packed",
    "a block of rows after the first",
    "a block of samples after the first",
    "a sum in two parts",
    "a sum in many parts",
    "a sum that begins at an odd block",
    "a sum that begins inside a large subtree",
    "a last block that is full",
];

/// Checks all that an input says; returns which paths that took.
pub fn check(input: &[u8]) -> u32 {
    let mut source = Source { input, state: input.len() as u64 };
    let plan = Plan::new(&mut source);
    if plan.double {
        kernels::<f64>(&plan, &mut source);
        splits::<f64>(&plan, &mut source);
    } else {
        kernels::<f32>(&plan, &mut source);
        splits::<f32>(&plan, &mut source);
    }
    plan.paths()
}

fn same<T: Real>(what: &str, level: Level, found: &[T], expected: &[T]) {
    assert_eq!(found.len(), expected.len());
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        assert_eq!(f.canonical_bits(), e.canonical_bits(), "{what} on {}, element {at}", level.name());
    }
}

fn view<T>(data: &[T], rows: usize, columns: usize, transposed: bool) -> MatRef<'_, T> {
    if transposed {
        MatRef::new(data, columns, rows).unwrap().t()
    } else {
        MatRef::new(data, rows, columns).unwrap()
    }
}

/// Values from a place inside a cache line on.
fn aligned<T>(values: &[T], start: usize) -> usize {
    let line = 64 / size_of::<T>();
    (line - values.as_ptr().addr() / size_of::<T>() % line) % line + start
}

/// Every level computes what the definition computes, all NaN alike.
fn kernels<T: Number>(plan: &Plan, source: &mut Source<'_>) {
    let (m, k, n) = plan.sizes;
    let mut values = |count: usize| source.values::<T>(count + 32, plan.kind);
    let (a, b, c) = (values(m * k), values(k * n), values(m * n));
    let [a, b] = [(&a, m * k, plan.starts[0]), (&b, k * n, plan.starts[1])].map(|(values, count, start)| {
        let first = aligned(values, start);
        &values[first..first + count]
    });
    let (left, right) = (view(a, m, k, plan.transposed.0), view(b, k, n, plan.transposed.1));
    let row = vec![T::one(); n];
    let init = [Init::Zero, Init::Accumulate, Init::Row(&row)][usize::from(plan.init)];
    // What `f` makes of the values of c, as many as there are places; what lies about them must stay.
    let on = |rows: usize, columns: usize, f: &dyn Fn(MatMut<'_, T>)| {
        let mut out = vec![T::one(); rows * columns + 32];
        let first = aligned(&out, plan.starts[2]);
        let end = first + rows * columns;
        out[first..end].iter_mut().zip(c.iter().cycle()).for_each(|(to, from)| *to = *from);
        f(MatMut::new(&mut out[first..end], rows, columns).unwrap());
        assert!(out[..first].iter().chain(&out[end..]).all(|x| *x == T::one()));
        out[first..end].to_vec()
    };
    let compare = |what: &str, rows: usize, columns: usize, f: &dyn Fn(Option<Level>, MatMut<'_, T>)| {
        let expected = on(rows, columns, &|c| f(None, c));
        for level in Level::available() {
            same(what, level, &on(rows, columns, &|c| f(Some(level), c)), &expected);
        }
    };
    compare("accumulate", m, n, &|level, c| match level {
        Some(level) => level.accumulate(c, left, right, plan.triangle, init),
        None => Definition.accumulate(c, left, right, plan.triangle, init),
    });
    // Rows of the left factor are samples.
    if m * k * k <= MOST {
        compare("outer", k, k, &|level, c| match level {
            Some(level) => kernel::outer(level, c, left).unwrap(),
            None => kernel::outer(Definition, c, left).unwrap(),
        });
        compare("accumulate_outer", k, k, &|level, c| match level {
            Some(level) => kernel::accumulate_outer(level, c, left).unwrap(),
            None => kernel::accumulate_outer(Definition, c, left).unwrap(),
        });
    }
    let other = view(a, k, m, plan.transposed.1).t();
    let factor = c[0];
    let count = (m * n).min(a.len());
    for level in Level::available() {
        let dot = kernel::dot(level, left, other).unwrap();
        same("dot", level, &[dot], &[kernel::dot(Definition, left, other).unwrap()]);
        let (mut found, mut expected) = (c[..count].to_vec(), c[..count].to_vec());
        kernel::axpy(level, factor, &a[..count], &mut found).unwrap();
        kernel::axpy(Definition, factor, &a[..count], &mut expected).unwrap();
        same("axpy", level, &found, &expected);
    }
}

/// Up to 33 blocks, the last one open unless it is full, in one sequence and as neighbours that merge at the cuts.
fn splits<T: Number>(plan: &Plan, source: &mut Source<'_>) {
    let values: Vec<Vec<T>> = (0..plan.blocks).map(|_| source.values(2, plan.kind)).collect();
    let samples = |block: usize| if block + 1 == plan.blocks { plan.last } else { SAMPLE_BLOCK };
    let capacity = 2 * partial_buffers(plan.blocks as u64);
    let level = Level::detect();
    let sum = |storage: &mut [T], from: usize, to: usize, whole: Option<&mut SampleTree<'_, T>>| {
        let mut tree = SampleTree::new(storage, 2, plan.first + from as u64).unwrap();
        tree.check_capacity((from..to).map(samples).sum()).unwrap();
        for (block, values) in values.iter().enumerate().take(to).skip(from) {
            tree.open_block().copy_from_slice(values);
            tree.advance(level, samples(block)).unwrap();
        }
        match whole {
            Some(whole) => {
                whole.merge(level, &tree).unwrap();
                Vec::new()
            }
            None => tree.finish(Definition).to_vec(),
        }
    };
    let mut storage = vec![T::one(); capacity];
    let expected = sum(&mut storage, 0, plan.blocks, None);
    let mut whole_storage = vec![T::one(); capacity];
    let mut whole = SampleTree::new(&mut whole_storage, 2, plan.first).unwrap();
    let mut from = 0;
    for to in (1..plan.blocks).filter(|to| plan.cut(*to)).chain([plan.blocks]) {
        // Exactly the memory that the partial sum is said to need.
        let mut storage = vec![T::one(); 2 * partial_buffers((to - from) as u64)];
        sum(&mut storage, from, to, Some(&mut whole));
        from = to;
    }
    same("split sum", level, whole.finish(level), &expected);
}
