//! What the passes, and the sums that they fill, refuse: nothing has changed then.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop_core::activation::Tanh;
use agop_core::error::Error;
use agop_core::kernel::Definition;
use agop_core::loss::MeanSquared;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{
    Network, Shape, gradient_sum, gradient_workspace, jacobian_workspace, parameters, ptk_values,
};
use agop_core::reduce::{SAMPLE_BLOCK, SampleTree};
use agop_core::simd::Level;
use agop_tests::SplitMix64;

/// Inputs, two hidden layers of which the first is looked at, outputs.
const WIDTHS: [usize; 4] = [3, 4, 5, 2];

/// More than two blocks.
const SAMPLES: usize = 600;

/// Calls `check` with a network, inputs and targets on every level.
fn with_network(check: impl Fn(Level, Network<'_, f64, Tanh>, &[f64], &[f64])) {
    let mut rng = SplitMix64::new(5);
    let values = rng.normals(parameters(&WIDTHS, true));
    let (x, y) = (rng.normals(SAMPLES * 3), rng.normals(SAMPLES * 2));
    for level in Level::available() {
        let shape = Shape::new(&WIDTHS, true).unwrap();
        check(level, Network::new(shape, Tanh, &values).unwrap(), &x, &y);
    }
}

/// The first `samples` of them.
fn head(values: &[f64], samples: usize) -> MatRef<'_, f64> {
    let columns = values.len() / SAMPLES;
    MatRef::new(&values[..samples * columns], samples, columns).unwrap()
}

#[test]
fn outputs_of_another_shape_are_refused() {
    with_network(|level, network, x, _| {
        let mut work = vec![0.0; gradient_workspace(&WIDTHS, 4)];
        for (rows, columns) in [(6, 2), (8, 2), (7, 1), (7, 3), (2, 7), (0, 0), (14, 1)] {
            let mut out = vec![9.0; rows * columns];
            let to = MatMut::new(&mut out, rows, columns).unwrap();
            let expected = Error::Shape { what: "outputs", expected: (7, 2), found: (rows, columns) };
            assert_eq!(network.forward(level, head(x, 7), to, &mut work), Err(expected));
            assert_eq!(out, vec![9.0; rows * columns]);
        }
    });
}

#[test]
fn jacobians_of_another_shape_are_refused() {
    with_network(|level, network, x, _| {
        let mut work = vec![0.0; jacobian_workspace(&WIDTHS, 4)];
        for (rows, columns) in [(13, 4), (15, 4), (7, 4), (14, 3), (14, 5), (4, 14), (0, 0), (7, 8)] {
            let mut out = vec![9.0; rows * columns];
            let to = MatMut::new(&mut out, rows, columns).unwrap();
            let expected = Error::Shape { what: "Jacobians", expected: (14, 4), found: (rows, columns) };
            assert_eq!(network.jacobians(level, 0, head(x, 7), to, &mut work), Err(expected));
            assert_eq!(out, vec![9.0; rows * columns]);
        }
    });
}

#[test]
fn targets_that_are_not_finite_are_refused() {
    with_network(|level, network, x, y| {
        let mut work = vec![0.0; gradient_workspace(&WIDTHS, 4)];
        let length = gradient_sum(&WIDTHS, true);
        for (bad, row, column) in [(f64::NAN, 0, 0), (f64::INFINITY, 300, 1), (f64::NEG_INFINITY, 599, 1)] {
            let mut y = y.to_vec();
            y[row * 2 + column] = bad;
            let mut storage = vec![0.0; 2 * length];
            let mut sum = SampleTree::new(&mut storage, length, 0).unwrap();
            let (x, y) = (head(x, SAMPLES), head(&y, SAMPLES));
            let found = network.accumulate_gradient(level, MeanSquared, x, y, &mut sum, &mut work);
            assert_eq!(found, Err(Error::NotFinite { what: "targets", row, column }));
            assert_eq!((sum.samples(), sum.finish(level)), (0, &mut vec![0.0; length][..]));
        }
    });
}

#[test]
fn feature_sums_of_another_length_or_without_room_are_refused() {
    with_network(|level, network, x, _| {
        let mut work = vec![0.0; jacobian_workspace(&WIDTHS, 4)];
        let expected = ptk_values(&WIDTHS);
        let mut refused = |length: usize, buffers: usize, reason: Error| {
            let mut storage = vec![0.0; length * buffers];
            let mut sum = SampleTree::new(&mut storage, length, 0).unwrap();
            assert_eq!(network.accumulate_ptk(level, head(x, SAMPLES), &mut sum, &mut work), Err(reason));
            assert_eq!((sum.samples(), sum.finish(level)), (0, &mut vec![0.0; length][..]));
        };
        for found in [0, 1, expected - 1, expected + 1, 2 * expected] {
            refused(found, 9, Error::Length { what: "feature sum", expected, found });
        }
        let (needed, found) = (2 * expected, expected);
        refused(expected, 1, Error::Workspace { what: "sample tree storage", needed, found });
    });
}

/// The gradient's chains begin at zero, whatever the open block was lent for before, unless samples were added there.
#[test]
fn a_gradient_begins_its_blocks_anew() {
    with_network(|level, network, x, y| {
        let length = gradient_sum(&WIDTHS, true);
        let mut work = vec![0.0; gradient_workspace(&WIDTHS, 7)];
        let mut sum_of = |dirty: bool, first: usize| {
            let mut storage = vec![3.0; 3 * length];
            let mut sum = SampleTree::new(&mut storage, length, 0).unwrap();
            for (from, count) in [(0, first), (first, SAMPLES - first)] {
                if dirty && sum.room() == SAMPLE_BLOCK {
                    sum.open_block().fill(7.0);
                }
                let part = |values| head(values, SAMPLES).row_range(from, count);
                network
                    .accumulate_gradient(level, MeanSquared, part(x), part(y), &mut sum, &mut work)
                    .unwrap();
            }
            sum.finish(level).iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        for first in [0, 100, SAMPLE_BLOCK, 2 * SAMPLE_BLOCK] {
            assert_eq!(sum_of(true, first), sum_of(false, SAMPLES), "{first}");
        }
    });
}

/// `blocks` full blocks of ones and `open` samples more, from block `start` on.
fn ones(storage: &mut [f32], length: usize, start: u64, blocks: usize, open: usize) -> SampleTree<'_, f32> {
    let mut sum = SampleTree::new(storage, length, start).unwrap();
    for samples in std::iter::repeat_n(SAMPLE_BLOCK, blocks).chain([open]) {
        if samples > 0 {
            sum.open_block().fill(1.0);
        }
        sum.advance(Definition, samples).unwrap();
    }
    sum
}

/// An open block needs a buffer of its own, behind the subtrees that are there and those that come with it.
#[test]
fn a_merge_without_room_for_the_open_block_is_refused() {
    // Blocks held, blocks and samples that come, and the buffers needed: 2-6 are three subtrees.
    for (held, blocks, open, needed) in
        [(5, 0, 1, 4), (5, 0, 255, 4), (0, 1, 9, 2), (1, 1, 9, 2), (2, 3, 1, 4)]
    {
        let merge = |buffers: usize| {
            let (mut storage, mut more) = ([0.0; 2 * 9], [0.0; 2 * 9]);
            let later = ones(&mut more, 2, 2 + held as u64, blocks, open);
            let mut sum = ones(&mut storage[..2 * buffers], 2, 2, held, 0);
            let found = sum.merge(Definition, &later);
            (found, sum.samples(), sum.finish(Definition)[0])
        };
        let (samples, what) = (SAMPLE_BLOCK as u64, "sample tree storage");
        let refused = Error::Workspace { what, needed: 2 * needed, found: 2 * (needed - 1) };
        assert_eq!(merge(needed - 1), (Err(refused), samples * held as u64, held as f32));
        let merged = samples * (held + blocks) as u64 + open as u64;
        assert_eq!(merge(needed), (Ok(()), merged, (held + blocks + 1) as f32));
    }
}

/// Sums of no values count samples all the same, whatever storage they were given.
#[test]
fn sums_of_no_values_merge() {
    for values in [0, 1, 3] {
        let (mut storage, mut more) = (vec![0.0; values], vec![0.0; values]);
        let later = ones(&mut more, 0, 3, 6, 20);
        let mut sum = ones(&mut storage, 0, 0, 3, 0);
        sum.merge(Definition, &later).unwrap();
        assert_eq!(sum.samples(), 9 * SAMPLE_BLOCK as u64 + 20);
        assert!(sum.finish(Definition).is_empty());
    }
}
