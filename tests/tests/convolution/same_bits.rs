//! One result on every level, for any workspace and any cut; and one position is a fully connected network.

use crate::fixture::{convolution, features, gradient};
use agop_core::activation::AnyActivation;
use agop_core::kernel::{Backend, Definition};
use agop_core::loss::MeanSquared;
use agop_core::matrix::MatRef;
use agop_core::network::{Follow, Initializer, Layer, Map, Network, Shape, Transform, Window};
use agop_core::reduce::{SAMPLE_BLOCK, SampleTree};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::SplitMix64;

fn bits<T: Real>(values: &[T]) -> Vec<u64> {
    values.iter().map(|x| x.canonical_bits()).collect()
}

fn layers() -> [Layer; 6] {
    [
        convolution(5, Window::new([3, 4]).padding([1, 0]).stride([1, 2]), Follow::Own),
        Layer { transform: Transform::MaxPool([2, 1]), follow: Follow::Nothing },
        convolution(7, Window::new([2, 2]).dilation([2, 1]), Follow::Own),
        Layer { transform: Transform::AveragePool([1, 2]), follow: Follow::Own },
        Layer { transform: Transform::Linear { outputs: 6, bias: false }, follow: Follow::Own },
        Layer { transform: Transform::Linear { outputs: 3, bias: true }, follow: Follow::Nothing },
    ]
}

fn levels_and_workspaces<T: Real>(samples: usize)
where
    Level: Backend<T>,
{
    let (layers, mut rng) = (layers(), SplitMix64::new(1));
    let shape = Shape::of_maps(Map::new(2, 9, 10), &layers).unwrap();
    let mut w = vec![T::default(); shape.parameters()];
    Initializer::Linear.fill(shape, 3, &mut w).unwrap();
    let network = Network::new(shape, AnyActivation::Tanh, &w).unwrap();
    let mut draw = |n: usize| -> Vec<T> { rng.normals(n).into_iter().map(T::from_f64).collect() };
    let (x, y) = (draw(samples * 180), draw(samples * 3));
    let (x, y) = (MatRef::new(&x, samples, 180).unwrap(), MatRef::new(&y, samples, 3).unwrap());
    let all = |level: Level, rows| {
        let (loss, step) = gradient(level, &network, (x, y), rows);
        (loss.canonical_bits(), bits(&step), bits(&features(level, &network, x, rows)))
    };
    let expected = all(Level::scalar(), 1);
    for (level, rows) in Level::available().flat_map(|level| [(level, 1), (level, 7), (level, SAMPLE_BLOCK)])
    {
        assert_eq!(all(level, rows), expected, "{} {rows}", level.name());
    }
    // In two parts that meet at a block, each in pieces.
    let part = |first: usize, count: usize, storage: &mut [T]| {
        let mut work = vec![T::default(); shape.gradient_workspace(5)];
        let mut sum = SampleTree::new(storage, shape.gradient_sum(), (first / SAMPLE_BLOCK) as u64).unwrap();
        for start in (0..count).step_by(100) {
            let length = Ord::min(100, count - start);
            let (x, y) = (x.row_range(first + start, length), y.row_range(first + start, length));
            network.accumulate_gradient(Definition, MeanSquared, x, y, &mut sum, &mut work).unwrap();
        }
        (sum.samples(), bits(sum.finish(Definition)))
    };
    let mut storage = vec![T::default(); shape.gradient_sum() * 3];
    let whole = part(0, samples, &mut storage);
    assert_eq!(whole.0, samples as u64);
    let mut later = storage.clone();
    let tail = part(SAMPLE_BLOCK, samples - SAMPLE_BLOCK, &mut later);
    assert_eq!(tail.0 as usize, samples - SAMPLE_BLOCK);
}

#[test]
fn levels_and_workspaces_change_no_bit() {
    levels_and_workspaces::<f32>(SAMPLE_BLOCK + 9);
    levels_and_workspaces::<f64>(SAMPLE_BLOCK + 1);
}

#[test]
fn one_position_is_the_fully_connected_network() {
    for bias in [false, true] {
        let widths = [6, 5, 4, 3];
        let dense = Shape::new(&widths, bias).unwrap();
        let layers: Vec<Layer> = [(5, Follow::Own), (4, Follow::Own), (3, Follow::Nothing)]
            .map(|(outputs, follow)| Layer { transform: Transform::Linear { outputs, bias }, follow })
            .to_vec();
        let maps = Shape::of_maps(Map::vector(6), &layers).unwrap();
        assert_eq!(maps.spans().collect::<Vec<_>>(), dense.spans().collect::<Vec<_>>());
        assert_eq!(maps.ptk_span(1), dense.ptk_span(1));
        assert_eq!(maps.gradient_workspace(3), dense.gradient_workspace(3));
        assert_eq!(maps.jacobian_workspace(3), dense.jacobian_workspace(3));
        let (mut rng, n) = (SplitMix64::new(2), 300);
        let (mut w, mut same) = (vec![0.0; dense.parameters()], vec![0.0; dense.parameters()]);
        for initializer in Initializer::ALL {
            initializer.fill(dense, 5, &mut w).unwrap();
            initializer.fill(maps, 5, &mut same).unwrap();
            assert_eq!(bits(&w), bits(&same));
        }
        let (x, y) = (rng.normals(n * 6), rng.normals(n * 3));
        let (x, y) = (MatRef::new(&x, n, 6).unwrap(), MatRef::new(&y, n, 3).unwrap());
        let level = Level::detect();
        let of_maps = Network::new(maps, AnyActivation::Gelu, &w).unwrap();
        let of_widths = Network::new(dense, AnyActivation::Gelu, &w).unwrap();
        let mut storage = vec![0.0; dense.gradient_sum() * 2];
        let mut sum = SampleTree::new(&mut storage, dense.gradient_sum(), 0).unwrap();
        let mut work = vec![0.0; dense.gradient_workspace(9)];
        of_widths.accumulate_gradient(level, MeanSquared, x, y, &mut sum, &mut work).unwrap();
        let (_, step) = of_widths.finish_gradient(level, MeanSquared, &mut sum).unwrap();
        assert_eq!(bits(step), bits(&gradient(level, &of_maps, (x, y), 9).1));
        let mut storage = vec![0.0; dense.ptk_values() * 2];
        let mut sum = SampleTree::new(&mut storage, dense.ptk_values(), 0).unwrap();
        let mut work = vec![0.0; dense.jacobian_workspace(9)];
        of_widths.accumulate_ptk(level, x, &mut sum, &mut work).unwrap();
        let k = agop_core::feature::finish_ptk(level, dense, &mut sum).unwrap();
        assert_eq!(bits(k), bits(&features(level, &of_maps, x, 9)));
    }
}
