//! Sums over samples have one set of bits, however they are computed: in whatever batches, with whatever workspace, on
//! however many threads, on any instruction set, at any address.
//!
//! Each invariance stands beside a negative control: another order of the same additions, which must differ.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop::machine::Threads;
use agop::sums::SampleSum;
use agop_core::activation::{Activation, AnyActivation, Relu, Tanh};
use agop_core::digest::{Digest, Hasher};
use agop_core::error::Error;
use agop_core::feature;
use agop_core::kernel::Definition;
use agop_core::loss::MeanSquared;
use agop_core::matrix::MatRef;
use agop_core::network::{Initializer, Network, Shape, gradient_sum, gradient_workspace, jacobian_workspace};
use agop_core::optimizer::{EPSILON, Optimizer, Rule};
use agop_core::random::{Purpose, Stream};
use agop_core::reduce::{SAMPLE_BLOCK, SampleTree, blocks, buffers, partial_buffers};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::SplitMix64;

/// Sizes around the ends of blocks, and enough blocks for a tree of three levels with a rest.
const SAMPLES: [usize; 6] = [1, 255, 256, 257, 1000, 1500];

const WIDTHS: [usize; 4] = [7, 19, 11, 3];

/// How a sum is computed; none of this may show in the result.
#[derive(Clone, Copy, Debug)]
struct Way {
    level: Level,
    threads: usize,
    /// Samples in one call.
    batch: usize,
    /// Samples that the workspace takes, and a few values more that it does not need.
    rows: usize,
    spare: usize,
    /// By how many values every slice is shifted.
    shift: usize,
}

impl Way {
    fn plain() -> Self {
        Self { level: Level::scalar(), threads: 1, batch: usize::MAX, rows: SAMPLE_BLOCK, spare: 0, shift: 0 }
    }
}

/// The ways that differ from the plain one in one respect, and some that differ in all.
fn ways(rng: &mut SplitMix64) -> Vec<Way> {
    let plain = Way::plain();
    let best = Way { level: Level::detect(), ..plain };
    let mut all: Vec<Way> = Level::available().map(|level| Way { level, ..plain }).collect();
    all.extend([1, 7, 64, 256, 300].map(|batch| Way { batch, ..best }));
    let rows = [(1, 0), (2, 1), (3, 13), (17, 5), (64, 0), (255, 1), (256, 0), (300, 7), (5000, 0)];
    all.extend(rows.map(|(rows, spare)| Way { rows, spare, ..best }));
    all.extend((1..=8).map(|threads| Way { threads, ..best }));
    all.extend((1..=7).map(|shift| Way { shift, ..best }));
    let levels: Vec<Level> = Level::available().collect();
    for _ in 0..12 {
        all.push(Way {
            level: levels[rng.below(levels.len() as u64) as usize],
            threads: rng.between(1, 8) as usize,
            batch: rng.between(1, 400) as usize,
            rows: rng.between(1, 300) as usize,
            spare: rng.between(0, 50) as usize,
            shift: rng.between(0, 7) as usize,
        });
    }
    all
}

/// A copy that starts `shift` values into its memory.
struct Shifted<T>(Vec<T>, usize);

impl<T: Real> Shifted<T> {
    fn new(values: &[T], shift: usize) -> Self {
        Self(std::iter::repeat_n(T::one(), shift).chain(values.iter().copied()).collect(), shift)
    }
    fn get(&self) -> &[T] {
        &self.0[self.1..]
    }
    fn get_mut(&mut self) -> &mut [T] {
        &mut self.0[self.1..]
    }
}

fn digest_of<T: Real>(values: &[T]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.array(&[values.len()], values);
    hasher.finish()
}

/// A network with data.
struct Problem<T> {
    widths: Vec<usize>,
    parameters: Vec<T>,
    x: Vec<T>,
    y: Vec<T>,
}

impl<T: Real> Problem<T> {
    fn new(widths: &[usize], samples: usize, seed: u64) -> Self {
        let shape = Shape::new(widths, true).unwrap();
        let mut parameters = vec![T::zero(); shape.parameters()];
        Initializer::Linear.fill(shape, seed, &mut parameters).unwrap();
        let mut x = vec![T::zero(); samples * shape.inputs()];
        let mut y = vec![T::zero(); samples * shape.outputs()];
        Stream::new(seed, Purpose::TrainInputs, 0).fill_normal(&mut x);
        Stream::new(seed, Purpose::TrainLabels, 0).fill_normal(&mut y);
        Self { widths: widths.to_vec(), parameters, x, y }
    }

    fn shape(&self) -> Shape<'_> {
        Shape::new(&self.widths, true).unwrap()
    }

    fn samples(&self) -> usize {
        self.x.len() / self.shape().inputs()
    }

    /// Sums over all samples by `add`, called for one batch after the other, and hands the sum to `finish`.
    fn sum<R>(
        &self,
        way: Way,
        length: usize,
        workspace: usize,
        add: impl Fn(MatRef<'_, T>, MatRef<'_, T>, &mut SampleTree<'_, T>, &mut [T]) -> Result<(), Error> + Sync,
        finish: impl FnOnce(&mut SampleTree<'_, T>) -> R,
    ) -> R {
        let n = self.samples();
        let (x, y) = (Shifted::new(&self.x, way.shift), Shifted::new(&self.y, way.shift));
        let x = MatRef::new(x.get(), n, self.shape().inputs()).unwrap();
        let y = MatRef::new(y.get(), n, self.shape().outputs()).unwrap();
        let each_batch =
            |range: std::ops::Range<usize>, tree: &mut SampleTree<'_, T>, workspace: &mut [T]| {
                range.clone().step_by(way.batch.min(n)).try_for_each(|start| {
                    let count = way.batch.min(range.end - start);
                    add(x.row_range(start, count), y.row_range(start, count), tree, workspace)
                })
            };
        if way.threads > 1 {
            let mut memory =
                SampleSum::new(&Threads::new(way.threads).unwrap(), length, n, workspace).unwrap();
            return finish(&mut memory.sum(way.level, n, each_batch).unwrap());
        }
        let mut storage = Shifted::new(&vec![T::one(); buffers(n as u64) * length], way.shift);
        let mut workspace = Shifted::new(&vec![T::one(); workspace], way.shift);
        let mut tree = SampleTree::new(storage.get_mut(), length, 0).unwrap();
        each_batch(0..n, &mut tree, workspace.get_mut()).unwrap();
        assert_eq!(tree.samples(), n as u64);
        finish(&mut tree)
    }

    fn gradient<A: Activation<T> + Sync>(&self, way: Way, activation: A) -> (T, Vec<T>) {
        let parameters = Shifted::new(&self.parameters, way.shift);
        let network = Network::new(self.shape(), activation, parameters.get()).unwrap();
        self.sum(
            way,
            gradient_sum(&self.widths, true),
            gradient_workspace(&self.widths, way.rows) + way.spare,
            |x, y, tree, workspace| {
                network.accumulate_gradient(way.level, MeanSquared, x, y, tree, workspace)
            },
            |tree| {
                let (loss, gradient) = network.finish_gradient(way.level, MeanSquared, tree).unwrap();
                (loss, gradient.to_vec())
            },
        )
    }

    fn features<A: Activation<T> + Sync>(&self, way: Way, activation: A) -> Vec<T> {
        let parameters = Shifted::new(&self.parameters, way.shift);
        let network = Network::new(self.shape(), activation, parameters.get()).unwrap();
        self.sum(
            way,
            self.shape().features(),
            jacobian_workspace(&self.widths, way.rows) + way.spare,
            |x, _, tree, workspace| network.accumulate_features(way.level, x, tree, workspace),
            |tree| feature::finish(way.level, self.shape(), tree).unwrap().to_vec(),
        )
    }

    fn digest<A: Activation<T> + Sync>(&self, way: Way, activation: A) -> Digest {
        let (loss, gradient) = self.gradient(way, activation);
        let features = self.features(way, activation);
        let mut hasher = Hasher::new();
        hasher.array(&[], &[loss]).array(&[gradient.len()], &gradient);
        for layer in 0..self.shape().hidden_layers() {
            let k = feature::of_layer(self.shape(), &features, layer).unwrap();
            hasher.array(&[k.rows(), k.columns()], k.as_slice().unwrap());
        }
        hasher.finish()
    }

    /// Trains and digests the parameters, the memory of the rule and the losses.
    fn train<A: Activation<T> + Sync>(
        mut self,
        way: Way,
        activation: A,
        optimizer: &Optimizer<'_>,
    ) -> Digest {
        let mut state = vec![T::zero(); optimizer.state(self.parameters.len())];
        let mut hasher = Hasher::new();
        for step in 0..20 {
            let (loss, gradient) = self.gradient(way, activation);
            let mut gradient = Shifted::new(&gradient, way.shift);
            let (mut parameters, widths) = (Shifted::new(&self.parameters, way.shift), self.widths.clone());
            let shape = Shape::new(&widths, true).unwrap();
            optimizer.step(way.level, shape, parameters.get_mut(), gradient.get_mut(), &mut state).unwrap();
            self.parameters.copy_from_slice(parameters.get());
            hasher.number(step).array(&[], &[loss]);
        }
        let velocity = &state[..state.len() / 2];
        hasher.array(&[self.parameters.len()], &self.parameters).array(&[velocity.len()], velocity);
        hasher.finish()
    }
}

fn one_digest<T: Real, A: Activation<T> + Sync>(activation: A, seed: u64) {
    let mut rng = SplitMix64::new(seed);
    for n in SAMPLES {
        let problem = Problem::<T>::new(&WIDTHS, n, seed + n as u64);
        let expected = problem.digest(Way::plain(), activation);
        for way in ways(&mut rng) {
            assert_eq!(problem.digest(way, activation), expected, "{} {n} samples, {way:?}", T::NAME);
        }
        let mut moved = Problem::<T>::new(&WIDTHS, n, seed + n as u64);
        moved.x[0] = moved.x[0] + T::from_f64(0.01) * moved.x[0];
        assert_ne!(
            moved.digest(Way::plain(), activation),
            expected,
            "the digest does not see one sample, {n}"
        );
    }
}

#[test]
fn relu_f32_has_one_digest() {
    one_digest::<f32, _>(Relu, 100);
}

#[test]
fn relu_f64_has_one_digest() {
    one_digest::<f64, _>(Relu, 200);
}

#[test]
fn tanh_f32_has_one_digest() {
    one_digest::<f32, _>(Tanh, 300);
}

#[test]
fn tanh_f64_has_one_digest() {
    one_digest::<f64, _>(Tanh, 400);
}

/// More threads than blocks, than cores, than any machine at hand: one digest, and a sum in the order in which threads
/// would finish is another.
#[test]
fn any_number_of_threads_has_one_digest() {
    let problem = Problem::<f32>::new(&WIDTHS, 9000, 77);
    let expected = problem.digest(Way::plain(), Relu);
    for threads in 1..=64 {
        let way = Way { threads, level: Level::detect(), ..Way::plain() };
        assert_eq!(problem.digest(way, Relu), expected, "{threads} threads");
    }
    let mut later_first = block_sums(&problem);
    let expected = digest_of(&tree_sum(&later_first));
    later_first.rotate_left(2);
    assert_ne!(digest_of(&tree_sum(&later_first)), expected, "another order of blocks has the same bits");
}

/// The sums of the blocks, each computed alone.
fn block_sums<T: Real>(problem: &Problem<T>) -> Vec<Vec<T>> {
    let (n, length) = (problem.samples(), gradient_sum(&problem.widths, true));
    let network = Network::new(problem.shape(), Relu, &problem.parameters).unwrap();
    let mut workspace = vec![T::zero(); gradient_workspace(&problem.widths, 64)];
    let x = MatRef::new(&problem.x, n, problem.shape().inputs()).unwrap();
    let y = MatRef::new(&problem.y, n, problem.shape().outputs()).unwrap();
    let block = |start| {
        let mut storage = vec![T::zero(); 2 * length];
        let mut tree = SampleTree::new(&mut storage, length, 0).unwrap();
        let (x, y) = (x.row_range(start, SAMPLE_BLOCK), y.row_range(start, SAMPLE_BLOCK));
        network.accumulate_gradient(Definition, MeanSquared, x, y, &mut tree, &mut workspace).unwrap();
        tree.finish(Definition).to_vec()
    };
    (0..n).step_by(SAMPLE_BLOCK).map(block).collect()
}

fn sum_of<T: Real>(a: &[T], b: &[T]) -> Vec<T> {
    a.iter().zip(b).map(|(a, b)| *a + *b).collect()
}

/// The tree of the contract, from its definition: the first power of two of the blocks, then the others.
fn tree_sum<T: Real>(sums: &[Vec<T>]) -> Vec<T> {
    if sums.len() == 1 {
        return sums[0].clone();
    }
    let half = sums.len().next_power_of_two() / 2;
    sum_of(&tree_sum(&sums[..half]), &tree_sum(&sums[half..]))
}

fn left_fold<T: Real>(sums: &[Vec<T>]) -> Vec<T> {
    sums[1..].iter().fold(sums[0].clone(), |sum, block| sum_of(&sum, block))
}

fn block_orders<T: Real>() {
    let problem = Problem::<T>::new(&WIDTHS, 1500, 7);
    let sums = block_sums(&problem);
    assert_eq!(sums.len(), 6);
    let (loss, gradient) = problem.gradient(Way { level: Level::detect(), threads: 3, ..Way::plain() }, Relu);
    let n = 1500.try_into().unwrap();
    let mean = |sum: Vec<T>| {
        let (value, gradient) = sum.split_last().unwrap();
        let mut all: Vec<T> = gradient.iter().map(|g| g.divide_by(n)).collect();
        all.push(value.divide_by(3000.try_into().unwrap()));
        digest_of(&all)
    };
    let mut found = gradient;
    found.push(loss);
    let found = digest_of(&found);
    assert_eq!(mean(tree_sum(&sums)), found, "the tree, written out");
    assert_ne!(mean(left_fold(&sums)), found, "a left fold over the blocks has the same bits");
    let mut reversed = sums.clone();
    reversed.reverse();
    assert_ne!(mean(tree_sum(&reversed)), found, "the blocks in another order have the same bits");
    let mut rotated = sums;
    rotated.rotate_left(1);
    assert_ne!(mean(tree_sum(&rotated)), found, "the tree from another first block has the same bits");
}

#[test]
fn a_left_fold_and_another_order_of_blocks_differ() {
    block_orders::<f32>();
    block_orders::<f64>();
}

/// Values of a block whose sums round differently in every order.
fn block_values<T: Real>(count: usize) -> Vec<Vec<T>> {
    let mut rng = SplitMix64::new(99);
    let value = |rng: &mut SplitMix64| {
        T::from_f64((rng.symmetric() + rng.symmetric() * T::UNIT_ROUNDOFF) * (1_u64 << rng.below(6)) as f64)
    };
    (0..count).map(|_| (0..3).map(|_| value(&mut rng)).collect()).collect()
}

fn fill<T: Real>(tree: &mut SampleTree<'_, T>, blocks: &[Vec<T>]) {
    for block in blocks {
        tree.open_block().copy_from_slice(block);
        tree.advance(Definition, SAMPLE_BLOCK).unwrap();
    }
}

#[test]
fn the_first_error_in_order_is_reported_not_the_first_in_time() {
    const THREADS: usize = 4;
    let mut memory =
        SampleSum::<f64>::new(&Threads::new(THREADS).unwrap(), 1, THREADS * SAMPLE_BLOCK, 0).unwrap();
    let late = |samples: usize| {
        if samples == 0 {
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
        Err(Error::InsideBlock { samples })
    };
    let sum = memory.sum(Definition, THREADS * SAMPLE_BLOCK, |range, _, _| late(range.start));
    assert_eq!(sum.err(), Some(Error::InsideBlock { samples: 0 }));
    assert_eq!(
        memory.threads().each(9, |index| late(index).map(|()| index)),
        Err(Error::InsideBlock { samples: 0 })
    );
    assert_eq!(memory.threads().each(9, Ok::<_, Error>), Ok((0..9).collect()));
}

#[test]
fn every_block_begins_at_zero() {
    let mut storage = [7.0; 6];
    let mut tree = SampleTree::new(&mut storage, 2, 0).unwrap();
    assert_eq!(tree.open_block(), [0.0; 2], "what the storage held");
    tree.open_block().copy_from_slice(&[1.0, 2.0]);
    tree.advance(Definition, 1).unwrap();
    assert_eq!(tree.open_block(), [1.0, 2.0], "an open block goes on");
    tree.reset();
    assert_eq!(tree.open_block(), [0.0; 2], "after a reset");
    tree.open_block().copy_from_slice(&[3.0, 4.0]);
    tree.reset();
    assert_eq!(tree.open_block(), [0.0; 2], "after a reset without samples");
    tree.open_block().copy_from_slice(&[5.0, 6.0]);
    tree.advance(Definition, SAMPLE_BLOCK).unwrap();
    assert_eq!(tree.open_block(), [0.0; 2], "after a full block");
    assert_eq!(tree.finish(Definition), [5.0, 6.0]);
    assert_eq!(tree.finish(Definition), [0.0; 2], "a sum of nothing");
}

fn every_split<T: Real>(first: u64) {
    const BLOCKS: usize = 16;
    let values = block_values::<T>(BLOCKS);
    // Partial [a, b) for every a < b, made once, in exactly the memory that `partial_buffers` tells.
    let ranges: Vec<(usize, usize)> =
        (0..BLOCKS).flat_map(|a| (a + 1..=BLOCKS).map(move |b| (a, b))).collect();
    let mut memory: Vec<Vec<T>> =
        ranges.iter().map(|(a, b)| vec![T::one(); 3 * partial_buffers((b - a) as u64)]).collect();
    let mut partials = vec![vec![None; BLOCKS + 1]; BLOCKS];
    let trees: Vec<SampleTree<'_, T>> = memory
        .iter_mut()
        .zip(&ranges)
        .map(|(storage, (a, b))| {
            let mut tree = SampleTree::new(storage, 3, first + *a as u64).unwrap();
            tree.check_capacity((b - a) * SAMPLE_BLOCK).unwrap();
            fill(&mut tree, &values[*a..*b]);
            tree
        })
        .collect();
    for (index, (a, b)) in ranges.iter().enumerate() {
        partials[*a][*b] = Some(index);
    }
    let mut storage = vec![T::one(); 3 * partial_buffers(BLOCKS as u64)];
    let mut sum_by = |ends: &[usize]| {
        let mut whole = SampleTree::new(&mut storage, 3, first).unwrap();
        let mut start = 0;
        for end in ends {
            whole.merge(Definition, &trees[partials[start][*end].unwrap()]).unwrap();
            start = *end;
        }
        assert_eq!(whole.samples(), (BLOCKS * SAMPLE_BLOCK) as u64);
        digest_of(whole.finish(Definition))
    };
    let expected = sum_by(&[BLOCKS]);
    for mask in 0..1_u32 << (BLOCKS - 1) {
        let ends: Vec<usize> =
            (1..BLOCKS).filter(|end| mask >> (end - 1) & 1 == 1).chain(std::iter::once(BLOCKS)).collect();
        assert_eq!(sum_by(&ends), expected, "{} from block {first}, split at {ends:?}", T::NAME);
    }
    if first == 0 {
        assert_eq!(digest_of(&tree_sum(&values)), expected, "the tree, written out");
        assert_ne!(digest_of(&left_fold(&values)), expected, "a left fold");
        // Swapping the two leaves of one addition changes nothing, as addition is commutative; other orders show.
        for at in (0..BLOCKS).step_by(2) {
            let mut other = values.clone();
            other.swap(at, at + 1);
            assert_eq!(digest_of(&tree_sum(&other)), expected, "{}: blocks {at} and {}", T::NAME, at + 1);
        }
        let mut rng = SplitMix64::new(1);
        let mut shuffled = values.clone();
        let shows = (0..200).filter(|_| {
            for last in (1..BLOCKS).rev() {
                shuffled.swap(last, rng.below(last as u64 + 1) as usize);
            }
            digest_of(&tree_sum(&shuffled)) != expected
        });
        let shows = shows.count();
        assert!(shows >= 190, "{}: {shows} of 200 orders show", T::NAME);
    }
}

#[test]
fn all_ordered_splits_of_16_blocks_have_one_digest() {
    every_split::<f32>(0);
    every_split::<f32>(5);
    every_split::<f64>(0);
    every_split::<f64>(11);
}

/// Neighbours merged in any order: a bracketing, not only a sequence. The last block stays open.
#[test]
fn neighbours_merge_in_any_order() {
    let mut rng = SplitMix64::new(5);
    let values = block_values::<f32>(40);
    for first in [0, 3, 1 << 40] {
        let mut all = values.clone();
        all.push(vec![0.1, 0.2, 0.3]);
        // Aligned at block 0, the tree of the contract; elsewhere whatever the first bracketing gives.
        let mut expected = (first == 0).then(|| tree_sum(&all));
        for _ in 0..400 {
            let mut cuts: Vec<usize> = (0..rng.below(12)).map(|_| rng.between(1, 39) as usize).collect();
            cuts.extend([0, 40]);
            cuts.sort_unstable();
            cuts.dedup();
            let mut memory = vec![vec![1.0_f32; 3 * partial_buffers(41)]; cuts.len() - 1];
            let mut trees: Vec<SampleTree<'_, f32>> = Vec::new();
            for (storage, range) in memory.iter_mut().zip(cuts.windows(2)) {
                let mut tree = SampleTree::new(storage, 3, first + range[0] as u64).unwrap();
                fill(&mut tree, &values[range[0]..range[1]]);
                if range[1] == 40 {
                    tree.open_block().copy_from_slice(&[0.1, 0.2, 0.3]);
                    tree.advance(Definition, 77).unwrap();
                }
                trees.push(tree);
            }
            while trees.len() > 1 {
                let at = rng.below(trees.len() as u64 - 1) as usize;
                let later = trees.remove(at + 1);
                trees[at].merge(Definition, &later).unwrap();
            }
            assert_eq!(trees[0].samples(), 40 * SAMPLE_BLOCK as u64 + 77);
            let found = trees[0].finish(Definition).to_vec();
            let expected = expected.get_or_insert_with(|| found.clone());
            assert!(found.iter().zip(expected).all(|(f, e)| f.to_bits() == e.to_bits()), "{cuts:?}");
        }
    }
}

#[test]
fn sums_fit_the_memory_that_the_functions_tell_and_no_less() {
    for start in (0..130).chain([255, 256, 1000, (1 << 33) - 3]) {
        for count in 1..=70_u64 {
            let samples = count as usize * SAMPLE_BLOCK;
            let capacity = partial_buffers(count);
            let mut storage = vec![0_f32; capacity];
            let mut tree = SampleTree::new(&mut storage, 1, start).unwrap();
            assert_eq!(tree.check_capacity(samples), Ok(()), "{count} blocks from {start}");
            for block in 0..count {
                assert_eq!(tree.open_block().len(), 1, "block {block} of {count} from {start} has no buffer");
                tree.open_block()[0] = (block + 1) as f32;
                tree.advance(Definition, SAMPLE_BLOCK).unwrap();
            }
            assert_eq!(tree.finish(Definition), [(count * (count + 1) / 2) as f32]);
        }
    }
    for samples in
        (1..=40 * SAMPLE_BLOCK).step_by(17).chain((1..=40).flat_map(|b| [256 * b - 1, 256 * b, 256 * b + 1]))
    {
        let exact = buffers(samples as u64);
        let mut storage = vec![0_f64; 2 * exact];
        let tree = SampleTree::new(&mut storage, 2, 0).unwrap();
        assert_eq!(tree.check_capacity(samples), Ok(()), "{samples}");
        if exact > 1 {
            let mut storage = vec![0_f64; 2 * exact - 1];
            let tree = SampleTree::new(&mut storage, 2, 0).unwrap();
            let expected =
                Error::Workspace { what: "sample tree storage", needed: 2 * exact, found: 2 * exact - 1 };
            assert_eq!(tree.check_capacity(samples), Err(expected), "{samples}");
        }
        assert!(exact <= partial_buffers(blocks(samples as u64)), "{samples}");
    }
}

/// Any count from any block: an answer at once, and a typed error for what no memory or counter holds.
#[test]
fn the_capacity_of_any_count_is_an_answer() {
    let needs = |start: u64, open: usize, samples: usize| {
        let mut storage = vec![0_f32; 1];
        let mut tree = SampleTree::new(&mut storage, 1, start).unwrap();
        tree.advance(Definition, open).unwrap();
        match tree.check_capacity(samples) {
            Ok(()) => 1,
            Err(Error::Workspace { needed, .. }) => needed,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(needs(0, 0, 1 << 40), buffers(1 << 40));
    assert_eq!(needs(0, 0, usize::MAX), buffers(u64::MAX));
    assert_eq!(needs(0, 255, usize::MAX), usize::MAX, "the samples cannot be counted");
    // Blocks 1 to 2^33: one subtree of each size up to 2^31 on the way up, the same on the way down, and the open block.
    assert_eq!(needs(1, 0, 256 << 33), 32 + 32 + 1);
    assert_eq!(needs(u64::MAX, 0, 0), usize::MAX);
    assert_eq!(needs(u64::MAX - 2, 0, 256 * 2), 2);
    assert_eq!(needs(u64::MAX - 2, 0, 256 * 3), usize::MAX);
    let mut storage = [0_f32];
    let mut tree = SampleTree::new(&mut storage, 1, u64::MAX).unwrap();
    tree.open_block()[0] = 3.0;
    let refused = Error::Workspace { what: "sample tree storage", needed: usize::MAX, found: 1 };
    assert_eq!(tree.advance(Definition, SAMPLE_BLOCK), Err(refused));
    assert_eq!((tree.samples(), tree.open_block()), (0, &mut [3.0][..]));
}

/// Nothing asks for nothing: an empty partial sum merges into storage that is full.
#[test]
fn an_empty_partial_needs_no_buffer() {
    let mut storage = [0_f32; 1];
    let mut tree = SampleTree::new(&mut storage, 1, 0).unwrap();
    tree.open_block()[0] = 7.0;
    tree.advance(Definition, SAMPLE_BLOCK).unwrap();
    let mut nothing = [0_f32; 1];
    let later = SampleTree::new(&mut nothing, 1, 1).unwrap();
    tree.merge(Definition, &later).unwrap();
    assert_eq!(tree.finish(Definition), [7.0]);
}

/// What can be seen of a tree: its samples, its open block, and the bits of its sum.
fn state(mut tree: SampleTree<'_, f32>) -> (u64, Vec<u32>, Vec<u32>) {
    let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect();
    let (samples, open) = (tree.samples(), bits(tree.open_block()));
    (samples, open, bits(tree.finish(Definition)))
}

/// Blocks 2 .. 7 and `open` samples of block 7.
fn five_blocks<'s>(storage: &'s mut [f32], values: &[Vec<f32>], open: usize) -> SampleTree<'s, f32> {
    let mut tree = SampleTree::new(storage, 3, 2).unwrap();
    fill(&mut tree, &values[..5]);
    if open > 0 {
        tree.open_block().copy_from_slice(&[1.5, -2.5, 3.5]);
        tree.advance(Definition, open).unwrap();
    }
    tree
}

#[test]
fn refused_merges_change_nothing() {
    let values = block_values::<f32>(9);
    let check =
        |open: usize, capacity: usize, later: (u64, std::ops::Range<usize>, usize), expected: Error| {
            let (start, range, length) = later;
            let mut storage = vec![0.0; 3 * 12];
            let mut later = SampleTree::new(&mut storage, length, start).unwrap();
            if length == 3 {
                fill(&mut later, &values[range]);
            }
            let mut storage = vec![0.0; 3 * capacity];
            let before = state(five_blocks(&mut storage, &values, open));
            let mut tree = five_blocks(&mut storage, &values, open);
            assert_eq!(tree.merge(Definition, &later), Err(expected));
            assert_eq!(state(tree), before, "{expected}");
        };
    check(100, 12, (7, 5..8, 3), Error::InsideBlock { samples: 100 });
    check(255, 12, (8, 5..8, 3), Error::InsideBlock { samples: 255 });
    check(0, 12, (8, 5..8, 3), Error::NotAdjacent { end: 7, start: 8 });
    check(0, 12, (2, 0..5, 3), Error::NotAdjacent { end: 7, start: 2 });
    check(0, 12, (0, 0..2, 3), Error::NotAdjacent { end: 7, start: 0 });
    check(0, 12, (7, 5..8, 4), Error::Length { what: "summand", expected: 3, found: 4 });
    // Blocks 2 .. 7 are three subtrees (2-3, 4-5, 6); one block more needs a fourth buffer while it merges.
    check(0, 3, (7, 5..6, 3), Error::Workspace { what: "sample tree storage", needed: 12, found: 9 });
}

#[test]
fn refused_samples_change_nothing() {
    let mut none: [f32; 2] = [0.0; 2];
    let expected = Error::Workspace { what: "sample tree storage", needed: 3, found: 2 };
    assert_eq!(SampleTree::new(&mut none, 3, 0).unwrap_err(), expected);
    let mut storage = vec![0.0; 6];
    let mut tree = SampleTree::new(&mut storage, 3, 0).unwrap();
    tree.advance(Definition, 200).unwrap();
    let expected = Error::Workspace { what: "open block", needed: 57, found: 56 };
    assert_eq!(tree.advance(Definition, 57), Err(expected));
    assert_eq!((tree.samples(), tree.room()), (200, 56));
    // Three buffers are needed for the third block: the subtree 0-1 and the block make two, but 0, 1 and the open one
    // come first only when block 1 closes; so 2 buffers take 3 blocks and not 4.
    assert_eq!(tree.check_capacity(256 * 3 - 200), Ok(()));
    let expected = Error::Workspace { what: "sample tree storage", needed: 9, found: 6 };
    assert_eq!(tree.check_capacity(256 * 3 + 1 - 200), Err(expected));

    let problem = Problem::<f32>::new(&WIDTHS, 1000, 3);
    let network = Network::new(problem.shape(), Relu, &problem.parameters).unwrap();
    let length = gradient_sum(&WIDTHS, true);
    let (x, y) = (MatRef::new(&problem.x, 1000, 7).unwrap(), MatRef::new(&problem.y, 1000, 3).unwrap());
    let (first, first_y) = (x.row_range(0, 300), y.row_range(0, 300));
    let (rest, rest_y) = (x.row_range(300, 700), y.row_range(300, 700));
    let mut bad = problem.x.clone();
    bad[999 * 7 + 4] = f32::INFINITY;
    let bad = MatRef::new(&bad, 1000, 7).unwrap();
    let mut workspace = vec![0.0; gradient_workspace(&WIDTHS, 5)];
    let mut short = vec![0.0; gradient_workspace(&WIDTHS, 1) - 1];
    let mut storage = vec![0.0; 2 * length];
    let mut tree = SampleTree::new(&mut storage, length, 0).unwrap();
    let add = |x, y, workspace: &mut [f32], tree: &mut SampleTree<'_, f32>| {
        network.accumulate_gradient(Level::detect(), MeanSquared, x, y, tree, workspace)
    };
    add(first, first_y, &mut workspace, &mut tree).unwrap();
    let what = "sample tree storage";
    let expected = Error::Workspace { what, needed: 3 * length, found: 2 * length };
    assert_eq!(add(rest, rest_y, &mut workspace, &mut tree), Err(expected));
    let expected = Error::Workspace { what: "workspace", needed: short.len() + 1, found: short.len() };
    assert_eq!(add(rest.row_range(0, 9), rest_y.row_range(0, 9), &mut short, &mut tree), Err(expected));
    let expected = Error::NotFinite { what: "inputs", row: 199, column: 4 };
    assert_eq!(add(bad.row_range(800, 200), y.row_range(800, 200), &mut workspace, &mut tree), Err(expected));
    let expected = Error::Shape { what: "targets", expected: (300, 3), found: (700, 3) };
    assert_eq!(add(first, rest_y, &mut workspace, &mut tree), Err(expected));
    let found = state(tree);
    let mut storage = vec![0.0; 2 * length];
    let mut tree = SampleTree::new(&mut storage, length, 0).unwrap();
    add(first, first_y, &mut workspace, &mut tree).unwrap();
    assert_eq!(found, state(tree));
}

/// A buffer that is not there takes no samples: what was not summed is not counted.
#[test]
fn a_block_without_a_buffer_takes_no_samples() {
    let mut storage = vec![0.0_f32; 3];
    let mut tree = SampleTree::new(&mut storage, 3, 0).unwrap();
    tree.open_block().copy_from_slice(&[1.0, 2.0, 3.0]);
    tree.advance(Definition, SAMPLE_BLOCK).unwrap();
    assert!(tree.open_block().is_empty());
    let expected = Error::Workspace { what: "sample tree storage", needed: 6, found: 3 };
    assert_eq!(tree.advance(Definition, 1), Err(expected));
    assert_eq!(tree.advance(Definition, 0), Ok(()));
    assert_eq!(tree.samples(), SAMPLE_BLOCK as u64);
    assert_eq!(tree.finish(Definition), [1.0, 2.0, 3.0]);
}

fn rules(speeds: &[f64]) -> Vec<Optimizer<'_>> {
    let slo = Rule::SpeedLimited { speeds, epsilon: EPSILON };
    let with = |rule, momentum, decay| Optimizer { rule, rate: 0.05, momentum, decay };
    vec![
        Optimizer::new(Rule::GradientDescent, 0.1),
        with(Rule::GradientDescent, 0.9, 1e-3),
        Optimizer::new(slo, 0.05),
        with(slo, 0.5, 0.0),
        with(slo, 0.0, 1e-2),
        with(slo, 0.9, 1e-3),
    ]
}

fn one_training<T: Real>() {
    let mut rng = SplitMix64::new(17);
    let speeds = [2.0, 0.5, 0.25];
    let mut seen = Vec::new();
    for optimizer in rules(&speeds) {
        for activation in [AnyActivation::Relu, AnyActivation::Tanh] {
            let make = || Problem::<T>::new(&[5, 13, 9, 3], 600, 23);
            let expected = make().train(Way::plain(), activation, &optimizer);
            let all = ways(&mut rng);
            // Every level, some of each respect, and those that differ in all.
            for way in all.iter().take(3).chain(all.iter().skip(3).step_by(4)) {
                let found = make().train(*way, activation, &optimizer);
                assert_eq!(found, expected, "{} {optimizer:?} {activation:?} {way:?}", T::NAME);
            }
            seen.push(expected);
        }
    }
    let different: std::collections::HashSet<[u8; 32]> = seen.iter().map(|digest| digest.0).collect();
    assert_eq!(different.len(), seen.len(), "two rules gave one digest");
}

#[test]
fn a_training_in_f32_has_one_digest() {
    one_training::<f32>();
}

#[test]
fn a_training_in_f64_has_one_digest() {
    one_training::<f64>();
}

/// Everything of the contract in one small run: random numbers, initial values, tanh, gradients, an update rule with
/// memory, features.
fn golden<T: Real>(level: Level) -> String {
    let problem = Problem::<T>::new(&[5, 9, 6, 3], 1500, 42);
    let speeds = [1.0, 0.5, 0.125];
    let rule = Rule::SpeedLimited { speeds: &speeds, epsilon: EPSILON };
    let optimizer = Optimizer { rule, rate: 0.05, momentum: 0.75, decay: 1e-3 };
    let way = Way { level, threads: 2, rows: 33, ..Way::plain() };
    let features = problem.features(way, Tanh);
    let trained = problem.train(way, Tanh, &optimizer);
    let mut hasher = Hasher::new();
    hasher.array(&[features.len()], &features);
    trained.0.iter().for_each(|byte| {
        hasher.number(u64::from(*byte));
    });
    hasher.finish().to_string()
}

/// The same constants in every build profile, on every machine. A change here is a change of the contract's version.
#[test]
fn golden_digests() {
    const F32: &str = "sha256:022dd401c682d47232918aaab3e4b7d937fca7e09eebda01a2befcfe98387948";
    const F64: &str = "sha256:399c518a4c71c7d74eb920a84bcb0db4db1d4774da28dee6293a5f667ffd69dc";
    for level in Level::available() {
        assert_eq!(golden::<f32>(level), F32, "f32 on {}", level.name());
        assert_eq!(golden::<f64>(level), F64, "f64 on {}", level.name());
    }
}
