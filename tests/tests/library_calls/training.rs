//! Calls of networks, their bounds and optimizer steps.

use super::{MOST, Source};
use agop_core::activation::AnyActivation;
use agop_core::early_time::{self, DualBackend};
use agop_core::feature;
use agop_core::loss::AnyLoss;
use agop_core::matrix::MatRef;
use agop_core::network::{self, Initializer, Network, Shape};
use agop_core::optimizer::{self, Optimizer, Rule};
use agop_core::ptk_error::{self, LayerError, Norms, ReadError};
use agop_core::reduce::SampleTree;
use agop_core::scalar::Real;
use std::hint::black_box;

pub(super) fn networks<T: Real>(s: &mut Source) {
    let (widths, bias, level) = (s.widths(), s.one_in(2), s.level());
    let Ok(shape) = Shape::new(&widths, bias) else { return };
    let activation = s.of(AnyActivation::ALL);
    let parameters = s.values::<T>(shape.parameters());
    let Ok(network) = Network::new(shape, activation, &parameters) else { return };
    let (loss, layer) = (s.of(AnyLoss::ALL), s.near(0));
    let n = s.of(&[0, 1, 2, 3, 255, 256, 257, 300]);
    let (x, y) = (s.matrix::<T>(n, shape.inputs()), s.matrix::<T>(n, shape.outputs()));
    let rows = 1 + s.0.below(4) as usize;
    let mut work = s.values::<T>(network::jacobian_workspace(&widths, rows));
    let mut out = s.matrix::<T>(n, shape.outputs());
    let _ = network.forward(level, x.view(), out.edit(), &mut work);
    let k = shape.ptk_span(layer).map_or(0, |(_, k)| k);
    let mut out = s.matrix::<T>(n * shape.outputs(), k);
    let _ = network.jacobians(level, layer, x.view(), out.edit(), &mut work);
    let length = s.near(network::gradient_sum(&widths, bias));
    let mut storage = s.values::<T>(length.saturating_mul(2));
    if let Ok(mut sum) = SampleTree::new(&mut storage, length, 0) {
        let _ = network.accumulate_gradient(level, loss, x.view(), y.view(), &mut sum, &mut work);
        let _ = black_box(network.finish_gradient(level, loss, &mut sum).is_ok());
    }
    let length = s.near(shape.ptk_values());
    let mut storage = s.values::<T>(length.saturating_mul(2));
    if let Ok(mut sum) = SampleTree::new(&mut storage, length, 0) {
        let _ = network.accumulate_ptk(level, x.view(), &mut sum, &mut work);
        let found = feature::finish_ptk(level, shape, &mut sum).map(|k| k.to_vec()).unwrap_or_default();
        let _ = black_box(feature::ptk_of_layer(shape, &found, layer).is_ok());
        bounds(s, &network, x.view(), &found, &mut work);
    }
    let needed = early_time::differentiate_workspace(shape, n, rows);
    let mut work = s.duals::<T>(needed);
    let backend = DualBackend(level);
    if let Ok(found) = early_time::differentiate(backend, &network, loss, x.view(), y.view(), &mut work) {
        let _ = black_box(found.layer(shape, layer).is_ok());
    }
}

/// Bounds of the errors of features, and moments of a layer's inputs.
fn bounds<T: Real>(
    s: &mut Source,
    network: &Network<'_, T, AnyActivation>,
    x: MatRef<'_, T>,
    features: &[T],
    work: &mut [T],
) {
    let (shape, level, layer) = (network.shape(), s.level(), s.size());
    let widths = shape.widths();
    let mut numbers = s.values::<f64>(ptk_error::norms_length(shape));
    let mut scratch = s.values::<f64>(ptk_error::norms_workspace(shape));
    let read = ReadError { weights: s.number(), inputs: s.number() };
    if let Ok(norms) = Norms::new(level, *network, read, &mut numbers, &mut scratch) {
        let length = s.near(shape.hidden_layers()).min(MOST);
        let mut found = vec![LayerError::default(); length];
        let mut flags = vec![false; s.near(256 * widths.iter().sum::<usize>()).min(MOST)];
        let mut limits = vec![None; length];
        let _ = norms.forward(level, x, &mut found, work);
        let _ = norms.plain(&found, features, s.size() as u64, &mut limits);
        let _ = norms.certify(level, x, &mut found, &mut flags, work);
        let _ = norms.certified(&found, features, s.size() as u64, &mut limits);
        if let [first, second, ..] = found.as_mut_slice() {
            first.merge(second);
        }
    }
    let d = shape.layer(layer).map_or(0, |span| span.inputs);
    let length = s.near(d.saturating_mul(d).saturating_add(d));
    let (mut moments, mut wide) = (s.values::<f64>(length), s.values::<f64>(256 * d));
    let _ = network.accumulate_moments(level, layer, x, &mut moments, work, &mut wide);
}

pub(super) fn steps<T: Real>(s: &mut Source) {
    let widths = s.widths();
    let Ok(shape) = Shape::new(&widths, s.one_in(2)) else { return };
    let (level, speeds) = (s.level(), s.values::<f64>(shape.layers()));
    let epsilon = s.number();
    let rule = s.of(&[Rule::GradientDescent, Rule::SpeedLimited { speeds: &speeds, epsilon }]);
    let optimizer =
        Optimizer { rule, rate: s.number(), momentum: s.of(&[0.0, 0.5, 1.0]), decay: s.number().abs() };
    let (mut w, mut g) = (s.values::<T>(shape.parameters()), s.values::<T>(shape.parameters()));
    let mut state = s.values::<T>(optimizer.state(w.len()));
    let _ = (optimizer.check(shape), optimizer.step(level, shape, &mut w, &mut g, &mut state));
    for span in shape.spans() {
        let _ = black_box((optimizer::gradient_norm(level, span, &g), network::weights(&g, span).is_ok()));
    }
    let mut speeds = s.values::<f64>(3);
    let _ = optimizer::target_speeds(s.size(), s.number(), &mut speeds);
    let _ = black_box(optimizer::lowest_correlation(speeds.iter().map(|x| Some(*x))));
    let _ = s.of(Initializer::ALL).fill(shape, s.0.bits(), &mut w);
}
