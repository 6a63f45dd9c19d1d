//! Pooling where it is decided: equal values, values that are not finite, and maps that windows do not tile.

use crate::fixture::convolution;
use agop_core::activation::Linear;
use agop_core::loss::MeanSquared;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{Follow, Layer, Map, Network, Shape, Transform, Window};
use agop_core::reduce::SampleTree;
use agop_core::simd::Level;

/// Two channels of one row of windows more than a group of them wide, and what is left at both ends.
const MAP: Map = Map::new(2, 7, 29);

/// Output and gradient of `1 x 1 convolution of both channels, pooling, sum with weights 1, 2, ...` for the label 0.
fn gradient(size: [usize; 2], weights: [f64; 2], x: &[f64]) -> (f64, Vec<f64>) {
    let layers = [
        convolution(1, Window::new([1, 1]), Follow::Nothing),
        Layer { transform: Transform::MaxPool(size), follow: Follow::Nothing },
        Layer { transform: Transform::Linear { outputs: 1, bias: false }, follow: Follow::Nothing },
    ];
    let shape = Shape::of_maps(MAP, &layers).unwrap();
    let mut parameters = vec![weights[0], weights[1], 0.0];
    parameters.extend((1..=shape.parameters() - 3).map(|n| n as f64));
    let network = Network::new(shape, Linear, &parameters).unwrap();
    let x = MatRef::new(x, 1, MAP.values()).unwrap();
    let mut storage = vec![0.0; 2 * shape.gradient_sum()];
    let mut sum = SampleTree::new(&mut storage, shape.gradient_sum(), 0).unwrap();
    let (mut workspace, mut out) = (vec![0.0; shape.gradient_workspace(1)], [0.0]);
    let level = Level::compiled();
    network.forward(level, x, MatMut::new(&mut out, 1, 1).unwrap(), &mut workspace).unwrap();
    let y = MatRef::new(&[0.0], 1, 1).unwrap();
    network.accumulate_gradient(level, MeanSquared, x, y, &mut sum, &mut workspace).unwrap();
    let (_, gradient) = network.finish_gradient(level, MeanSquared, &mut sum).unwrap();
    (out[0], gradient.to_vec())
}

/// Indices of the windows of a map's channel, each row by row.
fn windows([r, s]: [usize; 2]) -> Vec<Vec<usize>> {
    let (rows, columns) = (MAP.rows / r, MAP.columns / s);
    let window = |i: usize, j: usize| {
        let entries = (0..r).flat_map(move |a| (0..s).map(move |b| (i * r + a) * MAP.columns + j * s + b));
        entries.collect()
    };
    (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))).map(|(i, j)| window(i, j)).collect()
}

/// Small whole numbers, so that most windows have equals and every sum is exact.
#[test]
fn the_first_of_equals_is_taken() {
    let x: Vec<f64> = (0..MAP.values() as u32).map(|n| f64::from((n * n * 7 + n * 5) % 11 % 3)).collect();
    let (first, second) = x.split_at(MAP.positions());
    let mut ties = 0;
    for size in [[2, 2], [3, 2], [2, 3], [1, 1], [7, 29], [1, 5]] {
        let (mut f, mut at, mut pooled) = (0.0, Vec::new(), Vec::new());
        for (index, window) in windows(size).iter().enumerate() {
            let h = |n: usize| first[n] + second[n];
            let best =
                window.iter().copied().reduce(|best, n| if h(n) > h(best) { n } else { best }).unwrap();
            let other =
                |&&n: &&usize| h(n) == h(best) && (first[n], second[n]) != (first[best], second[best]);
            ties += window.iter().filter(other).count();
            f += h(best) * (index + 1) as f64;
            at.push(best);
            pooled.push(h(best));
        }
        let sent = |channel: &[f64]| -> f64 {
            at.iter().enumerate().map(|(index, &n)| f * (index + 1) as f64 * channel[n]).sum()
        };
        let mut expected = vec![sent(first), sent(second), sent(&[1.0; MAP.positions()])];
        expected.extend(pooled.iter().map(|value| f * value));
        assert_eq!(gradient(size, [1.0, 1.0], &x), (f, expected), "{size:?}");
    }
    assert!(ties > 20, "{ties} ties");
}

/// One value that overflows, at any place of any window, is seen in the output and in the gradient.
#[test]
fn an_overflow_is_not_pooled_away() {
    for size in [[2, 2], [2, 3]] {
        for entry in windows(size).concat() {
            for huge in [-1e10, 1e10] {
                let mut x = vec![1.0; MAP.values()];
                x[entry] = huge;
                let (f, gradient) = gradient(size, [1e300, 0.0], &x);
                assert!(
                    !f.is_finite() && !gradient[0].is_finite(),
                    "{size:?} {entry} {huge}: {f} {gradient:?}"
                );
            }
        }
    }
}
