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

mod memory;
mod orders;
mod splits;
mod training;

use agop::machine::Threads;
use agop::sums::SampleSum;
use agop_core::activation::{Activation, Relu, Tanh};
use agop_core::digest::{Digest, Hasher};
use agop_core::error::Error;
use agop_core::feature;
use agop_core::kernel::Definition;
use agop_core::loss::MeanSquared;
use agop_core::matrix::MatRef;
use agop_core::network::{Initializer, Network, Shape, gradient_sum, gradient_workspace, jacobian_workspace};
use agop_core::optimizer::Optimizer;
use agop_core::random::{Purpose, Stream};
use agop_core::reduce::{SAMPLE_BLOCK, SampleTree, buffers};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::SplitMix64;
use orders::{block_sums, tree_sum};

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
            self.shape().ptk_values(),
            jacobian_workspace(&self.widths, way.rows) + way.spare,
            |x, _, tree, workspace| network.accumulate_ptk(way.level, x, tree, workspace),
            |tree| feature::finish_ptk(way.level, self.shape(), tree).unwrap().to_vec(),
        )
    }

    fn digest<A: Activation<T> + Sync>(&self, way: Way, activation: A) -> Digest {
        let (loss, gradient) = self.gradient(way, activation);
        let features = self.features(way, activation);
        let mut hasher = Hasher::new();
        hasher.array(&[], &[loss]).array(&[gradient.len()], &gradient);
        for layer in 0..self.shape().hidden_layers() {
            let k = feature::ptk_of_layer(self.shape(), &features, layer).unwrap();
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
