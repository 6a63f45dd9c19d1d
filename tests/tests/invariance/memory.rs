//! The memory of a sum, and what is refused without a change.

use super::{Problem, WIDTHS, block_values, fill};
use agop_core::activation::Relu;
use agop_core::error::Error;
use agop_core::kernel::Definition;
use agop_core::loss::MeanSquared;
use agop_core::matrix::MatRef;
use agop_core::network::{Network, gradient_sum, gradient_workspace};
use agop_core::reduce::{SAMPLE_BLOCK, SampleTree, blocks, buffers, partial_buffers};
use agop_core::simd::Level;

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
