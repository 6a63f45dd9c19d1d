//! Initial weights: variances, independence and bits.

use agop_core::error::Error;
use agop_core::network::{Initializer, Shape};
use agop_core::random::{Purpose, Stream};

/// Variance of the weights, whether they are normal, and the variance of the biases.
fn formula(initializer: Initializer, inputs: f64, outputs: f64) -> (f64, bool, f64) {
    match initializer {
        Initializer::Normal => (1.0 / inputs, true, 0.0),
        Initializer::Uniform => (1.0 / inputs, false, 0.0),
        Initializer::XavierNormal => (2.0 / (inputs + outputs), true, 0.0),
        Initializer::XavierUniform => (2.0 / (inputs + outputs), false, 0.0),
        Initializer::HeNormal => (2.0 / inputs, true, 0.0),
        Initializer::HeUniform => (2.0 / inputs, false, 0.0),
        Initializer::Linear => (1.0 / (3.0 * inputs), false, 1.0 / (3.0 * inputs)),
        _ => panic!("an initializer without its formula here: {}", initializer.name()),
    }
}

#[test]
fn initializers_have_their_variances() {
    let widths = [100, 400, 250, 300];
    let shape = Shape::new(&widths, true).unwrap();
    for &initializer in Initializer::ALL {
        let mut parameters = vec![0.0_f64; shape.parameters()];
        initializer.fill(shape, 6, &mut parameters).unwrap();
        for span in shape.spans() {
            let (inputs, outputs) = (span.inputs as f64, span.outputs as f64);
            let (variance, normal, bias_variance) = formula(initializer, inputs, outputs);
            let layer = &parameters[span.range()];
            let (weights, bias) = layer.split_at(span.weights());
            let what = format!("{} {}x{}", initializer.name(), span.outputs, span.inputs);
            let check = |values: &[f64], variance: f64| {
                let n = values.len() as f64;
                let mean = values.iter().sum::<f64>() / n;
                let second = values.iter().map(|x| x * x).sum::<f64>() / n;
                // The relative variance of x^2 is kurtosis - 1: 2 for normals, 0.8 for uniforms.
                let relative = if normal { 2.0 } else { 0.8 };
                assert!(mean.abs() < 4.0 * (variance / n).sqrt(), "{what}: mean {mean}");
                let error = second / variance - 1.0;
                assert!(error.abs() < 4.0 * (relative / n).sqrt(), "{what}: variance off by {error}");
                let most = values.iter().fold(0.0, |most, x| if x.abs() > most { x.abs() } else { most });
                let edge = (3.0 * variance).sqrt();
                assert_eq!(most > edge, normal, "{what}: largest {most}, edge {edge}");
                assert!(normal || most > 0.97 * edge, "{what}: largest {most}, edge {edge}");
            };
            check(weights, variance);
            if bias_variance > 0.0 {
                check(bias, bias_variance);
            } else {
                assert!(bias.iter().all(|b| b.to_bits() == 0), "{what}: a bias is not +0");
            }
        }
    }
}

#[test]
fn layers_and_seeds_are_independent() {
    let shape = Shape::new(&[200, 200, 200, 200], true).unwrap();
    for &initializer in Initializer::ALL {
        let fill = |seed: u64| {
            let mut parameters = vec![0.0_f64; shape.parameters()];
            initializer.fill(shape, seed, &mut parameters).unwrap();
            shape
                .spans()
                .map(|span| parameters[span.offset..span.offset + span.weights()].to_vec())
                .collect::<Vec<_>>()
        };
        let (one, two) = (fill(1), fill(2));
        let all: Vec<&Vec<f64>> = one.iter().chain(&two).collect();
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
                let correlation = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
                let expected = f64::from(u8::from(i == j));
                let error = (correlation - expected).abs();
                assert!(
                    error < 4.0 / 200.0,
                    "{}: layers {i} and {j} correlate by {correlation}",
                    initializer.name()
                );
            }
        }
        // A layer's draws depend on its own size only.
        let (before, after) = (Shape::new(&[5, 7, 3], true).unwrap(), Shape::new(&[50, 7, 3], true).unwrap());
        let (mut small, mut large) = (vec![0.0_f32; before.parameters()], vec![0.0_f32; after.parameters()]);
        initializer.fill(before, 3, &mut small).unwrap();
        initializer.fill(after, 3, &mut large).unwrap();
        assert_eq!(small[before.layer(1).unwrap().range()], large[after.layer(1).unwrap().range()]);
    }
}

/// One draw a value in layout order, in `f64`, rounded once.
#[test]
fn initializers_follow_their_formula_bit_for_bit() {
    let shape = Shape::new(&[6, 5, 4], true).unwrap();
    for &initializer in Initializer::ALL {
        let mut doubles = vec![1.0_f64; shape.parameters()];
        let mut singles = vec![1.0_f32; shape.parameters()];
        initializer.fill(shape, 77, &mut doubles).unwrap();
        initializer.fill(shape, 77, &mut singles).unwrap();
        for (layer, span) in shape.spans().enumerate() {
            let mut stream = Stream::new(77, Purpose::Parameters, layer as u32);
            let (variance, normal, bias) = formula(initializer, span.inputs as f64, span.outputs as f64);
            for (index, at) in span.range().enumerate() {
                let expected = match (index < span.weights() || bias > 0.0, normal) {
                    (false, _) => 0.0,
                    (true, true) => stream.normal() * variance.sqrt(),
                    (true, false) => (2.0 * stream.uniform() - 1.0) * (3.0 * variance).sqrt(),
                };
                assert_eq!(
                    doubles[at].to_bits(),
                    expected.to_bits(),
                    "{} parameter {at}",
                    initializer.name()
                );
                assert_eq!(singles[at].to_bits(), (expected as f32).to_bits(), "{}", initializer.name());
            }
        }
        let error = initializer.fill(shape, 1, &mut doubles[1..]).unwrap_err();
        assert_eq!(error, Error::Length { what: "parameters", expected: 59, found: 58 });
    }
}
