//! Other orders of the same additions, which must differ.

use super::{Problem, WIDTHS, Way, digest_of};
use agop_core::activation::Relu;
use agop_core::kernel::Definition;
use agop_core::loss::MeanSquared;
use agop_core::matrix::MatRef;
use agop_core::network::{Network, gradient_sum, gradient_workspace};
use agop_core::reduce::{SAMPLE_BLOCK, SampleTree};
use agop_core::scalar::Real;
use agop_core::simd::Level;

/// The sums of the blocks, each computed alone.
pub(super) fn block_sums<T: Real>(problem: &Problem<T>) -> Vec<Vec<T>> {
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
pub(super) fn tree_sum<T: Real>(sums: &[Vec<T>]) -> Vec<T> {
    if sums.len() == 1 {
        return sums[0].clone();
    }
    let half = sums.len().next_power_of_two() / 2;
    sum_of(&tree_sum(&sums[..half]), &tree_sum(&sums[half..]))
}

pub(super) fn left_fold<T: Real>(sums: &[Vec<T>]) -> Vec<T> {
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
