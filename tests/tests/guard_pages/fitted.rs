//! The code of const-sized networks, product by product and in whole passes.

use super::fenced::{EDGES, Fenced, Layout, values};
use agop_core::activation::Relu;
use agop_core::kernel::{Backend, Chain, Definition, Role};
use agop_core::loss::MeanSquared;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{Fitted, Network, Shape, Widths, gradient_workspace, jacobian_workspace};
use agop_core::reduce::SampleTree;
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::SplitMix64;

macro_rules! widths {
    ($($name:ident: $($width:literal)*;)*) => {
        $(
            struct $name;
            impl Widths for $name {
                const WIDTHS: &'static [usize] = &[$($width),*];
            }
        )*
    };
}

// Between them all heights of strips (outputs, where weights have their gradient), and panels of one to five vectors with all
// remainders (inputs). The first has a layer more than have code of their own, the last products that are too large for it.
widths! {
    Small: 1 2 3 4 5 6 7 8 9 10;
    Middle: 10 11 12 13 14 15 16 17 31;
    Wide: 19 24 25 32 33 40 48 49 65;
    Uneven: 67 1 130 64 5 150 2 66 128;
}

struct Memory<T> {
    rng: SplitMix64,
    a: Fenced<T>,
    b: Fenced<T>,
    c: Fenced<T>,
    row: Fenced<T>,
}

impl<T: Real> Memory<T> {
    /// One product of a layer: as a layer has it and, with `gaps`, with factors that lie otherwise.
    fn check<W: Widths, const ROWS: usize>(&mut self, layer: usize, role: Role, samples: usize, gaps: bool) {
        let Self { rng, a: left, b: right, c: out, row } = self;
        let (inputs, outputs) = (W::WIDTHS[layer], W::WIDTHS[layer + 1]);
        let ((m, k, n), transposed) = match role {
            Role::Forward => ((samples, inputs, outputs), (0, 1)),
            Role::Weights => ((outputs, samples, inputs), (1, 0)),
            Role::Inputs => ((samples, outputs, inputs), (0, 0)),
        };
        let [a, b, c, start] = [m * k, k * n, m * n, n].map(|length| values::<T>(rng, length));
        let ways = [(0, 0), (2, 0), (0, 2), (1, 0), (0, 1)];
        for (more_a, more_b) in ways.into_iter().take(if gaps { 5 } else { 1 }) {
            let (of_a, of_b) = (Layout(transposed.0 ^ more_a), Layout(transposed.1 ^ more_b));
            for edge in EDGES {
                let a = left.hold(&of_a.stored(&a, m, k, edge), edge);
                let b = right.hold(&of_b.stored(&b, k, n, edge), edge);
                let (a, b) = (of_a.view(a, m, k, edge), of_b.view(b, k, n, edge));
                let start: &[T] = row.hold(&start, edge);
                // A product of another shape is left as it is.
                for (rows, columns) in [(m - 1, n), (m + 1, n), (m, n - 1), (m, n + 1)] {
                    for level in Level::available() {
                        let fill = values::<T>(rng, rows * columns);
                        let found = out.hold(&fill, edge);
                        let view = MatMut::new(found, rows, columns).unwrap();
                        Fitted::<W, ROWS>::new(level).accumulate_layer(layer, role, view, a, b, Chain::Begin);
                        assert!(found == fill, "{role:?} of layer {layer} of {:?}", W::WIDTHS);
                    }
                }
                for chain in [Chain::Begin, Chain::Continue, Chain::Row(start), Chain::Row(&start[1..])] {
                    let mut wanted = c.clone();
                    let view = MatMut::new(&mut wanted, m, n).unwrap();
                    Definition.accumulate_layer(layer, role, view, a, b, chain);
                    for level in Level::available().filter(|level| *level != Level::scalar() || k < 4) {
                        let found = out.hold(&c, edge);
                        let view = MatMut::new(found, m, n).unwrap();
                        Fitted::<W, ROWS>::new(level).accumulate_layer(layer, role, view, a, b, chain);
                        assert!(
                            found.iter().zip(&wanted).all(|(f, w)| f.canonical_bits() == w.canonical_bits()),
                            "{role:?} of layer {layer} of {:?}, {samples} for {ROWS} samples, {of_a:?} {of_b:?} {edge:?} {} on {}",
                            W::WIDTHS,
                            T::NAME,
                            level.name()
                        );
                    }
                }
            }
        }
    }
}

fn products<T: Real, W: Widths, const ROWS: usize>() {
    let [a, b, c, row] = [(); 4].map(|()| Fenced::new(20_000));
    let mut memory = Memory::<T> { rng: SplitMix64::new(ROWS as u64), a, b, c, row };
    for layer in 0..W::WIDTHS.len() - 1 {
        for role in [Role::Forward, Role::Weights, Role::Inputs] {
            memory.check::<W, ROWS>(layer, role, ROWS, true);
            memory.check::<W, ROWS>(layer, role, ROWS + 1, false);
        }
    }
}

#[test]
fn products_of_layers_f32() {
    products::<f32, Small, 3>();
    products::<f32, Middle, 1>();
    products::<f32, Middle, 2>();
    products::<f32, Wide, 13>();
    products::<f32, Uneven, 8>();
}

#[test]
fn products_of_layers_f64() {
    products::<f64, Small, 8>();
    products::<f64, Wide, 5>();
}

/// What the passes over `samples` samples, `at_a_time`, leave in memory.
fn passes<T: Real>(
    backend: impl Backend<T>,
    widths: &[usize],
    bias: bool,
    (samples, at_a_time): (usize, usize),
) -> Vec<u64>
where
    Relu: agop_core::activation::Activation<T>,
{
    let mut rng = SplitMix64::new(7);
    let shape = Shape::new(widths, bias).unwrap();
    let parameters = values::<T>(&mut rng, shape.parameters());
    let (x, y) =
        (values::<T>(&mut rng, samples * widths[0]), values::<T>(&mut rng, samples * shape.outputs()));
    let x = MatRef::new(&x, samples, widths[0]).unwrap();
    let y = MatRef::new(&y, samples, shape.outputs()).unwrap();
    let network = Network::new(shape, Relu, &parameters).unwrap();
    let mut work = vec![T::zero(); gradient_workspace(widths, at_a_time)];
    let mut all = vec![T::zero(); samples * shape.outputs()];
    network.forward(backend, x, MatMut::new(&mut all, samples, shape.outputs()).unwrap(), &mut work).unwrap();
    let mut storage = vec![T::zero(); shape.parameters() + 1];
    let mut sum = SampleTree::new(&mut storage, shape.parameters() + 1, 0).unwrap();
    network.accumulate_gradient(backend, MeanSquared, x, y, &mut sum, &mut work).unwrap();
    let (loss, gradient) = network.finish_gradient(backend, MeanSquared, &mut sum).unwrap();
    all.push(loss);
    all.extend_from_slice(gradient);
    let mut work = vec![T::zero(); jacobian_workspace(widths, at_a_time)];
    let mut storage = vec![T::zero(); shape.features()];
    let mut sum = SampleTree::new(&mut storage, shape.features(), 0).unwrap();
    network.accumulate_features(backend, x, &mut sum, &mut work).unwrap();
    all.extend_from_slice(agop_core::feature::finish(backend, shape, &mut sum).unwrap());
    all.iter().map(|value| value.canonical_bits()).collect()
}

/// Passes over its own number of samples, over fewer and more, and of a network that it is not for.
#[test]
fn passes_of_a_network_and_of_another() {
    for level in Level::available() {
        for (samples, at_a_time) in [(3, 3), (2, 2), (7, 3), (8, 8)] {
            for bias in [false, true] {
                for widths in [Small::WIDTHS, &[1, 2, 3], &[4, 20, 20, 2]] {
                    let of = (samples, at_a_time);
                    let wanted = passes::<f32>(Definition, widths, bias, of);
                    let fitted = Fitted::<Small, 3>::new(level);
                    assert_eq!(
                        passes::<f32>(fitted, widths, bias, of),
                        wanted,
                        "{widths:?} {}",
                        level.name()
                    );
                }
            }
        }
    }
}
