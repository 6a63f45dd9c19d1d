//! `conv-digits`: measures by the oracle, and five training steps by PyTorch.

use agop::dataset::{Values, npy};
use agop_core::activation::AnyActivation;
use agop_core::correlation::{GivenErrors, Powers, measure_layer, measure_workspace};
use agop_core::early_time::{limit, limit_workspace};
use agop_core::feature::{finish_ptk, ptk_of_layer};
use agop_core::kernel::Backend;
use agop_core::loss::MeanSquared;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{Follow, Layer, Map, Network, Shape, Transform, Window, weights};
use agop_core::optimizer::{EPSILON, Optimizer, Rule};
use agop_core::reduce::{SampleTree, buffers};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::command::fixture;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// A convolution with a bias.
pub(crate) fn convolution(outputs: usize, window: Window, follow: Follow) -> Layer {
    Layer { transform: Transform::Convolution { outputs, window, bias: true }, follow }
}

fn linear(outputs: usize, follow: Follow) -> Layer {
    Layer { transform: Transform::Linear { outputs, bias: true }, follow }
}

const IMAGE: Map = Map::new(1, 8, 8);

fn digits() -> [Layer; 5] {
    let small = Window::new([3, 3]).padding([1, 1]);
    [
        convolution(6, small, Follow::Own),
        convolution(8, small.stride([2, 2]), Follow::Own),
        convolution(10, Window::new([3, 2]).padding([1, 0]).dilation([1, 2]), Follow::Own),
        linear(20, Follow::Own),
        linear(10, Follow::Nothing),
    ]
}

fn pooled() -> [Layer; 7] {
    let (tanh, gelu) = (Follow::Named(AnyActivation::Tanh), Follow::Named(AnyActivation::Gelu));
    [
        convolution(4, Window::new([3, 2]).padding([2, 1]), Follow::Own),
        Layer { transform: Transform::MaxPool([2, 2]), follow: Follow::Nothing },
        convolution(5, Window::new([2, 2]).stride([1, 2]).dilation([2, 1]).padding([0, 1]), tanh),
        Layer { transform: Transform::AveragePool([2, 2]), follow: Follow::Nothing },
        convolution(6, Window::new([1, 1]), tanh),
        linear(9, gelu),
        linear(10, Follow::Nothing),
    ]
}

/// The tensors `{name}.weight` and `{name}.bias`, one after another.
fn parameters<T: Real>(file: &str, names: &[&str]) -> Vec<T> {
    let bytes = std::fs::read(fixture(&format!("conv-digits/{file}"))).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut values = Vec::new();
    for name in names.iter().flat_map(|name| [format!("{name}.weight"), format!("{name}.bias")]) {
        let tensor = tensors.tensor(&name).unwrap();
        let wide: Vec<f64> = match tensor.dtype() {
            Dtype::F32 => tensor.data().as_chunks().0.iter().map(|x| f32::from_le_bytes(*x).into()).collect(),
            _ => tensor.data().as_chunks().0.iter().map(|x| f64::from_le_bytes(*x)).collect(),
        };
        values.extend(wide.into_iter().map(T::from_f64));
    }
    values
}

/// The images, and their classes one-hot minus 1/10.
fn data<T: Real>(samples: usize) -> (Vec<T>, Vec<T>) {
    let values = |file| npy::read(fixture(file)).unwrap().values;
    let (Values::F32(x), Values::Integers(y)) = (values("conv-digits/x.npy"), values("conv-digits/y.npy"))
    else {
        unreachable!("f32 images and integer classes");
    };
    let targets = (0..samples * 10).map(|i| if y[i / 10] == (i % 10) as i64 { 0.9 } else { -0.1 });
    let x = x[..samples * 64].iter().map(|x| T::from_f64(f64::from(*x)));
    (x.collect(), targets.map(T::from_f64).collect())
}

/// K of all hidden layers.
pub(crate) fn features<T: Real, B: Backend<T>>(
    backend: B,
    network: &Network<'_, T, AnyActivation, true>,
    x: MatRef<'_, T>,
    rows: usize,
) -> Vec<T> {
    let shape = network.shape();
    let mut storage = vec![T::default(); shape.ptk_values() * buffers(x.rows() as u64)];
    let mut sum = SampleTree::new(&mut storage, shape.ptk_values(), 0).unwrap();
    let mut work = vec![T::default(); shape.jacobian_workspace(rows)];
    network.accumulate_ptk(backend, x, &mut sum, &mut work).unwrap();
    finish_ptk(backend, shape, &mut sum).unwrap().to_vec()
}

/// The mean loss, and the gradient.
pub(crate) fn gradient<T: Real, B: Backend<T>>(
    backend: B,
    network: &Network<'_, T, AnyActivation, true>,
    (x, y): (MatRef<'_, T>, MatRef<'_, T>),
    rows: usize,
) -> (T, Vec<T>) {
    let shape = network.shape();
    let mut storage = vec![T::default(); shape.gradient_sum() * buffers(x.rows() as u64)];
    let mut sum = SampleTree::new(&mut storage, shape.gradient_sum(), 0).unwrap();
    let mut work = vec![T::default(); shape.gradient_workspace(rows)];
    network.accumulate_gradient(backend, MeanSquared, x, y, &mut sum, &mut work).unwrap();
    let (loss, gradient) = network.finish_gradient(backend, MeanSquared, &mut sum).unwrap();
    (loss, gradient.to_vec())
}

/// Checks a number against the oracle's.
fn close(found: f64, expected: &Value, tolerance: f64, what: &str) {
    let expected = expected.as_f64().unwrap();
    let error = (found - expected).abs() / expected.abs();
    assert!(error <= tolerance, "{what}: {found} and {expected}, relative {error:e}");
}

fn check_measures<T: Real>(tolerance: f64)
where
    Level: Backend<T>,
{
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("conv-digits/expected.json")).unwrap())
            .unwrap();
    let (layers, level) = (digits(), Level::detect());
    let shape = Shape::of_maps(IMAGE, &layers).unwrap();
    let names = ["0", "2", "4", "7", "9"];
    let people = ["conv1", "conv2", "conv3", "fc1", "fc2"];
    let (w, w0) = (parameters::<T>("trained.safetensors", &names), parameters("init.safetensors", &names));
    assert_eq!(w, parameters::<T>("trained.named.safetensors", &people));
    let (x, y) = data::<T>(300);
    let (x, y) = (MatRef::new(&x, 300, 64).unwrap(), MatRef::new(&y, 300, 10).unwrap());
    let network = |w| Network::new(shape, AnyActivation::Tanh, w).unwrap();
    let mut out = vec![T::default(); 40];
    let mut work = vec![T::default(); shape.gradient_workspace(3)];
    let to = MatMut::new(&mut out, 4, 10).unwrap();
    network(&w).forward(level, x.row_range(0, 4), to, &mut work).unwrap();
    let first =
        expected["outputs_of_first_4"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
    let scale = 0.8; // of the outputs
    for (found, expected) in out.iter().zip(first) {
        assert!((found.to_f64() - expected.as_f64().unwrap()).abs() <= tolerance * scale);
    }
    let (k, k0) = (features(level, &network(&w), x, 64), features(level, &network(&w0), x, 64));
    let (_, step) = gradient(level, &network(&w0), (x, y), 64);
    for (layer, expected) in expected["layers"].as_array().unwrap().iter().enumerate() {
        let span = shape.layer(layer).unwrap();
        let (w, w0, step) =
            (weights(&w, span).unwrap(), weights(&w0, span).unwrap(), weights(&step, span).unwrap());
        let ptk = |k| ptk_of_layer(shape, k, layer).unwrap();
        let all =
            ptk(&k).elements().zip(expected["ptk_features"].as_array().unwrap().iter().flat_map(|row| {
                row.as_array().map_or_else(|| std::slice::from_ref(row).iter(), |row| row.iter())
            }));
        let norm = expected["ptk_norm"].as_f64().unwrap();
        for (found, expected) in all {
            assert!(
                (found.to_f64() - expected.as_f64().unwrap()).abs() <= tolerance * norm,
                "K of layer {layer}"
            );
        }
        let trace = |k| (0..span.outputs).map(|i| ptk(k).get(i, i).unwrap().to_f64()).sum();
        close(trace(&k), &expected["ptk_trace"], tolerance, "trace of K");
        close(trace(&k0), &expected["initial_ptk_trace"], tolerance, "trace of K_0");
        let mut work = vec![0.0; measure_workspace(span.outputs, span.inputs)];
        let errors = GivenErrors::default();
        let powers = Powers::OneAndRoot;
        let found = measure_layer(level, w, w0, ptk(&k), ptk(&k0), errors, powers, &mut work).unwrap();
        close(found.relative_change.unwrap(), &expected["relative_change"], tolerance, "relative change");
        let blocks = [
            ("uncentered", &found.uncentered),
            ("centered", &found.centered),
            ("double_centered", &found.double_centered),
        ];
        for (name, block) in blocks {
            let values = [
                ("cosine", block.cosine.map(|x| x.value)),
                ("pearson", block.pearson.map(|x| x.value)),
                ("cosine_sqrt", block.cosine_sqrt.map(|x| x.value)),
                ("pearson_sqrt", block.pearson_sqrt.map(|x| x.value)),
            ];
            for (measure, value) in values {
                match &expected[name][measure] {
                    Value::Null => assert!(value.is_err(), "{name} {measure} of layer {layer}"),
                    expected => {
                        close(value.unwrap(), expected, tolerance, &format!("{name} {measure} of {layer}"));
                    }
                }
            }
        }
        let mut work = vec![0.0; limit_workspace(span.outputs, span.inputs)];
        let early = limit(level, step, ptk(&k0), Powers::One, &mut work).unwrap();
        close(early.cosine.unwrap().value, &expected["early_time"], tolerance, "early time");
    }
}

#[test]
fn every_measure_is_the_oracles() {
    check_measures::<f64>(1e-9);
    check_measures::<f32>(1e-4);
}

/// Ties and leftovers of pooling, strides, dilation, padding, and activations by layer.
#[test]
fn five_steps_are_pytorchs() {
    let names = ["0", "3", "6", "9", "11"];
    let (layers, level) = (pooled(), Level::detect());
    let shape = Shape::of_maps(IMAGE, &layers).unwrap();
    let (x, y) = data::<f64>(70);
    let samples = (MatRef::new(&x, 70, 64).unwrap(), MatRef::new(&y, 70, 10).unwrap());
    let limited = Rule::SpeedLimited { speeds: &[2.0, 0.5, 0.5, 0.5, 0.5], epsilon: EPSILON };
    let losses =
        [("gd", Rule::GradientDescent, 0.1, 0.5122252846968823), ("slo", limited, 0.02, 0.6059954002697523)];
    for (file, rule, rate, last) in losses {
        let mut w = parameters::<f64>("pooled.init.safetensors", &names);
        let mut value = 0.0;
        for _ in 0..5 {
            let network = Network::new(shape, AnyActivation::Relu, &w).unwrap();
            let (loss, mut step) = gradient(level, &network, samples, 16);
            Optimizer::new(rule, rate).step(level, shape, &mut w, &mut step, &mut []).unwrap();
            value = loss;
        }
        assert!((value - last).abs() <= 1e-13, "{file}: {value}");
        let expected = parameters::<f64>(&format!("pooled.{file}.safetensors"), &names);
        for (a, b) in w.iter().zip(&expected) {
            assert!((a - b).abs() <= 1e-13, "{file}: {a} and {b}");
        }
    }
}
