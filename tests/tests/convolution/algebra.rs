//! Identities on a prime field, for random networks of maps: nothing is rounded there.

use crate::oracle::{Push, outputs};
use agop_core::activation::Quadratic;
use agop_core::dual::Dual;
use agop_core::feature::{agop, finish_ptk, ptk_of_layer};
use agop_core::kernel::Definition;
use agop_core::loss::MeanSquared;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{Follow, Layer, Map, Network, Shape, Transform, Window};
use agop_core::reduce::SampleTree;
use agop_core::scalar::Scalar;
use agop_tests::{PrimeField, SplitMix64};

type Number = Dual<PrimeField>;

fn constant(values: &[PrimeField]) -> Vec<Number> {
    values.iter().map(|x| Dual::constant(*x)).collect()
}

/// A small network of maps that is one, and how often each kind of layer came.
fn draw(rng: &mut SplitMix64, seen: &mut [usize; 4]) -> (Map, Vec<Layer>) {
    let mut below = |n: u64| (rng.bits() % n) as usize;
    loop {
        let input = Map::new(1 + below(2), 3 + below(4), 3 + below(4));
        let count = 2 + below(4);
        let mut kinds = Vec::new();
        let layers: Vec<Layer> = (0..count)
            .map(|at| {
                let kind = below(4);
                kinds.push(kind);
                let bias = below(2) == 1;
                let transform = match kind {
                    0 | 1 => {
                        let mut window = Window::new([1 + below(3), 1 + below(3)]);
                        window = window.stride([1 + below(2), 1 + below(3)]).padding([below(3), below(2)]);
                        let outputs = 1 + below(3);
                        Transform::Convolution {
                            outputs,
                            window: window.dilation([1 + below(2), 1 + below(2)]),
                            bias,
                        }
                    }
                    2 if below(2) == 0 => Transform::MaxPool([1 + below(2), 1 + below(3)]),
                    2 => Transform::AveragePool([1 + below(2), 1 + below(2)]),
                    _ => Transform::Linear { outputs: 1 + below(3), bias },
                };
                let follow = if at + 1 < count && below(3) > 0 { Follow::Own } else { Follow::Nothing };
                Layer { transform, follow }
            })
            .collect();
        let small = |shape: Shape<'_, true>| shape.hidden_layers() > 0 && shape.outputs() <= 4;
        if Shape::of_maps(input, &layers).is_ok_and(small) {
            kinds.iter().for_each(|kind| seen[*kind] += 1);
            return (input, layers);
        }
    }
}

#[test]
fn gradient_jacobians_features_and_agop_are_the_definitions() {
    let mut rng = SplitMix64::new(3);
    let mut seen = [0; 4];
    for _ in 0..150 {
        check(&mut rng, &mut seen);
    }
    assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
}

fn check(rng: &mut SplitMix64, seen: &mut [usize; 4]) {
    let (input, layers) = draw(rng, seen);
    let shape = Shape::of_maps(input, &layers).unwrap();
    let mut draw = |n: usize| -> Vec<PrimeField> {
        (0..n).map(|_| PrimeField::from_integer((rng.bits() >> 1) as i64)).collect()
    };
    let (n, c, d) = (3, shape.outputs(), shape.inputs());
    let (w, x, y) = (draw(shape.parameters()), draw(n * d), draw(n * c));
    let (inputs, targets) = (MatRef::new(&x, n, d).unwrap(), MatRef::new(&y, n, c).unwrap());
    let network = Network::new(shape, Quadratic, &w).unwrap();
    let square = |z: Number| z * z;
    let run = |w: &[Number], a: usize, push: &Push<Number>| {
        outputs(input, &layers, w, &constant(&x[a * d..(a + 1) * d]), square, push)
    };
    let one = Dual::new(PrimeField::zero(), PrimeField::one());
    let slopes = |push: Push<Number>, a: usize| -> Vec<PrimeField> {
        run(&constant(&w), a, &push).into_iter().map(|f| f.derivative).collect()
    };

    let mut found = vec![PrimeField::zero(); n * c];
    let mut work = vec![PrimeField::zero(); shape.gradient_workspace(2)];
    network.forward(Definition, inputs, MatMut::new(&mut found, n, c).unwrap(), &mut work).unwrap();
    let expected: Vec<PrimeField> =
        (0..n).flat_map(|a| run(&constant(&w), a, &Push::Nothing)).map(|f| f.value).collect();
    assert_eq!(found, expected, "outputs of {layers:?}");

    // The gradient of (1/2n) sum |f - y|^2.
    let mut storage = vec![PrimeField::zero(); shape.gradient_sum()];
    let mut sum = SampleTree::new(&mut storage, shape.gradient_sum(), 0).unwrap();
    network.accumulate_gradient(Definition, MeanSquared, inputs, targets, &mut sum, &mut work).unwrap();
    let (_, gradient) = network.finish_gradient(Definition, MeanSquared, &mut sum).unwrap();
    let samples = std::num::NonZeroU64::new(n as u64).unwrap();
    for (index, found) in gradient.iter().enumerate() {
        let mut moved = constant(&w);
        moved[index] = moved[index] + one;
        let all = (0..n).flat_map(|a| run(&moved, a, &Push::Nothing));
        let expected =
            all.zip(&y).fold(PrimeField::zero(), |sum, (f, y)| sum + (f.value - *y) * f.derivative);
        assert_eq!(*found, expected.divide_by(samples), "gradient {index} of {layers:?}");
    }

    let mut storage = vec![PrimeField::zero(); shape.ptk_values()];
    let mut sum = SampleTree::new(&mut storage, shape.ptk_values(), 0).unwrap();
    let mut work = vec![PrimeField::zero(); shape.jacobian_workspace(2)];
    network.accumulate_ptk(Definition, inputs, &mut sum, &mut work).unwrap();
    let features = finish_ptk(Definition, shape, &mut sum).unwrap().to_vec();
    let weighted = layers.iter().enumerate().filter(|(_, layer)| {
        matches!(layer.transform, Transform::Convolution { .. } | Transform::Linear { .. })
    });
    for (layer, (at, _)) in weighted.enumerate().take(shape.hidden_layers()) {
        let span = shape.layer(layer).unwrap();
        let (k, d) = (span.outputs, span.inputs);
        let units = units_of(input, &layers, at);
        let mut jacobians = vec![PrimeField::zero(); n * c * units];
        let to = MatMut::new(&mut jacobians, n * c, units).unwrap();
        network.jacobians(Definition, layer, inputs, to, &mut work).unwrap();
        let positions = units / k;
        let zero = || vec![PrimeField::zero(); k * k];
        let (mut expected, mut patches) = (zero(), vec![PrimeField::zero(); d * d]);
        for a in 0..n {
            let j: Vec<Vec<PrimeField>> =
                (0..units).map(|unit| slopes(Push::Output(at, unit, one), a)).collect();
            for (unit, column) in j.iter().enumerate() {
                for (o, value) in column.iter().enumerate() {
                    assert_eq!(
                        jacobians[(a * c + o) * units + unit],
                        *value,
                        "J of layer {at} of {layers:?}"
                    );
                }
            }
            for p in 0..positions {
                outer(&mut expected, &(0..k).map(|i| j[i * positions + p].clone()).collect::<Vec<_>>());
                outer(
                    &mut patches,
                    &(0..d).map(|e| slopes(Push::Patch(at, p, e, one), a)).collect::<Vec<_>>(),
                );
            }
        }
        expected.iter_mut().chain(&mut patches).for_each(|x| *x = x.divide_by(samples));
        let found = ptk_of_layer(shape, &features, layer).unwrap();
        assert_eq!(found.as_slice().unwrap(), expected, "K of layer {at} of {layers:?}");
        // W^T K W is the mean outer product of what moves the outputs through each patch.
        let (mut g, mut work) = (vec![PrimeField::zero(); d * d], vec![PrimeField::zero(); k * d]);
        let weights = network.weights(layer).unwrap();
        agop(Definition, weights, found, MatMut::new(&mut g, d, d).unwrap(), &mut work).unwrap();
        assert_eq!(g, patches, "AGOP of layer {at} of {layers:?}");
    }
}

/// `sum += x x^T` of the rows of x.
fn outer(sum: &mut [PrimeField], x: &[Vec<PrimeField>]) {
    for (i, left) in x.iter().enumerate() {
        for (j, right) in x.iter().enumerate() {
            let product = left.iter().zip(right).fold(PrimeField::zero(), |sum, (a, b)| sum + *a * *b);
            sum[i * x.len() + j] = sum[i * x.len() + j] + product;
        }
    }
}

/// Pre-activations of a layer.
fn units_of(input: Map, layers: &[Layer], at: usize) -> usize {
    Shape::of_maps(input, &[&layers[..at], &[Layer { follow: Follow::Nothing, ..layers[at] }]].concat())
        .unwrap()
        .outputs()
}
