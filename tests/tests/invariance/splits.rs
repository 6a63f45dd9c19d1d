//! Every split of the blocks, and neighbours merged in any order.

use super::orders::{left_fold, tree_sum};
use super::{block_values, digest_of, fill};
use agop::machine::Threads;
use agop::sums::SampleSum;
use agop_core::error::Error;
use agop_core::kernel::Definition;
use agop_core::reduce::{SAMPLE_BLOCK, SampleTree, partial_buffers};
use agop_core::scalar::Real;
use agop_tests::SplitMix64;

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
