//! Any shapes up to 40 and any bits: every level computes what the definition computes, all NaN alike; and a sum over
//! samples has one result however its blocks are split.
//!
//! `cargo +nightly fuzz run kernels`
#![no_main]

use agop_core::kernel::{self, Backend, Chain, Definition, Region};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::reduce::{SAMPLE_BLOCK, SampleTree, partial_buffers};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;

/// Largest size of a dimension.
const MOST: usize = 40;

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

/// Bytes that never end: those of the input, then a sequence that they seed.
struct Source<'a> {
    input: Unstructured<'a>,
    state: u64,
}

impl Source<'_> {
    fn bits(&mut self) -> u64 {
        if !self.input.is_empty() {
            let bits = self.input.arbitrary::<u64>().unwrap_or(0);
            self.state = self.state.rotate_left(7) ^ bits;
            return bits;
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn values<T: Number>(&mut self, count: usize, kind: Kind) -> Vec<T> {
        (0..count).map(|_| self.value(kind)).collect()
    }

    fn value<T: Number>(&mut self, kind: Kind) -> T {
        let bits = self.bits();
        match kind {
            Kind::Bits => T::of_bits(bits),
            // Equal exponents: carries, ties and cancellation in every sum.
            Kind::Near => T::from_f64((bits as i8) as f64 + (bits >> 60) as f64 * T::UNIT_ROUNDOFF),
            Kind::Finite => {
                let value = T::of_bits(bits);
                if value.is_finite() { value } else { T::one() }
            }
        }
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Bits,
    Near,
    Finite,
}

#[derive(Arbitrary, Debug)]
struct Plan {
    double: bool,
    kind: Kind,
    sizes: [u8; 3],
    transposed: [bool; 2],
    shift: u8,
    cuts: u32,
    first: u16,
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

fn kernels<T: Number>(plan: &Plan, source: &mut Source<'_>) {
    let [m, k, n] = plan.sizes.map(|size| usize::from(size) % (MOST + 1));
    let shift = usize::from(plan.shift % 8);
    let a = source.values::<T>(shift + m * k, plan.kind);
    let b = source.values::<T>(shift + k * n, plan.kind);
    let c = source.values::<T>(m * n + k * k, plan.kind);
    let (left, right) =
        (view(&a[shift..], m, k, plan.transposed[0]), view(&b[shift..], k, n, plan.transposed[1]));
    let (full, square) = (&c[..m * n], &c[m * n..]);
    for level in Level::available() {
        let accumulate = |backend: &dyn Fn(MatMut<'_, T>)| {
            let mut out = full.to_vec();
            backend(MatMut::new(&mut out, m, n).unwrap());
            out
        };
        for region in [Region::Full, Region::Upper] {
            let row = Chain::Row(b.get(..n).unwrap_or_default());
            for (start, chain) in [("+0", Chain::Begin), ("c", Chain::Continue), ("a row", row)] {
                let expected = accumulate(&|c| Definition.accumulate(c, left, right, region, chain));
                let found = accumulate(&|c| level.accumulate(c, left, right, region, chain));
                same(&format!("{region:?} from {start}"), level, &found, &expected);
            }
        }
        // Rows of the left factor are samples.
        let outer = |f: &dyn Fn(MatMut<'_, T>)| {
            let mut out = square.to_vec();
            f(MatMut::new(&mut out, k, k).unwrap());
            out
        };
        let expected = outer(&|c| kernel::outer(Definition, c, left).unwrap());
        same("outer", level, &outer(&|c| kernel::outer(level, c, left).unwrap()), &expected);
        let expected = outer(&|c| kernel::accumulate_outer(Definition, c, left).unwrap());
        same(
            "accumulate_outer",
            level,
            &outer(&|c| kernel::accumulate_outer(level, c, left).unwrap()),
            &expected,
        );
        let other = view(&a[shift..], k, m, plan.transposed[1]);
        let expected = kernel::dot(Definition, left, other.t()).unwrap();
        same("dot", level, &[kernel::dot(level, left, other.t()).unwrap()], &[expected]);
        let factor = c.first().copied().unwrap_or(T::one());
        let (mut found, mut expected) = (full.to_vec(), full.to_vec());
        let count = found.len().min(a.len() - shift);
        kernel::axpy(level, factor, &a[shift..shift + count], &mut found[..count]).unwrap();
        kernel::axpy(Definition, factor, &a[shift..shift + count], &mut expected[..count]).unwrap();
        same("axpy", level, &found, &expected);
    }
}

/// Up to 33 blocks, the last one open, in one sequence and as neighbours that merge at the cuts.
fn splits<T: Number>(plan: &Plan, source: &mut Source<'_>) {
    let blocks = usize::from(plan.sizes[0]) % 33 + 1;
    let last = 1 + usize::from(plan.shift) % SAMPLE_BLOCK;
    let values: Vec<Vec<T>> = (0..blocks).map(|_| source.values(2, plan.kind)).collect();
    let samples = |block: usize| if block + 1 == blocks { last } else { SAMPLE_BLOCK };
    let capacity = 2 * partial_buffers(blocks as u64);
    let level = Level::detect();
    let sum = |storage: &mut [T], from: usize, to: usize, whole: Option<&mut SampleTree<'_, T>>| {
        let mut tree = SampleTree::new(storage, 2, u64::from(plan.first) + from as u64).unwrap();
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
    let expected = sum(&mut storage, 0, blocks, None);
    let mut whole_storage = vec![T::one(); capacity];
    let mut whole = SampleTree::new(&mut whole_storage, 2, u64::from(plan.first)).unwrap();
    let mut from = 0;
    for to in (1..blocks).filter(|to| plan.cuts >> (to - 1) & 1 == 1).chain([blocks]) {
        // Exactly the memory that the partial sum is said to need.
        let mut storage = vec![T::one(); 2 * partial_buffers((to - from) as u64)];
        sum(&mut storage, from, to, Some(&mut whole));
        from = to;
    }
    same("split sum", level, whole.finish(level), &expected);
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let Ok(plan) = Plan::arbitrary(&mut input) else { return };
    let mut source = Source { input, state: bytes.len() as u64 };
    if plan.double {
        kernels::<f64>(&plan, &mut source);
        splits::<f64>(&plan, &mut source);
    } else {
        kernels::<f32>(&plan, &mut source);
        splits::<f32>(&plan, &mut source);
    }
});
