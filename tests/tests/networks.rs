//! Five small networks against an independent float64 oracle: outputs, loss, gradients, PTK features, early-time limits,
//! and weights and correlations after five steps of both rules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop::machine::Threads;
use agop::network::Model;
use agop_core::activation::{AnyActivation, Relu};
use agop_core::correlation::{Correlation, GivenErrors, Powers, measure_layer, measure_workspace};
use agop_core::early_time::{limit, limit_workspace};
use agop_core::error::Error;
use agop_core::feature::ptk_of_layer;
use agop_core::loss::MeanSquared;
use agop_core::matrix::MatRef;
use agop_core::network::{Network, Shape, parameters};
use agop_core::optimizer::{Optimizer, Rule};
use agop_core::simd::Level;
use agop_tests::SplitMix64;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

/// Largest difference relative to the largest magnitude of the expected array.
#[track_caller]
fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(f64::MIN_POSITIVE, |m, x| if x.abs() > m { x.abs() } else { m });
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let error = (f - e).abs() / scale;
        assert!(error <= tolerance, "{what}[{i}]: {f} against {e}, relative {error:.2e} > {tolerance:.0e}");
    }
}

fn load() -> Vec<Value> {
    let text = include_str!("../fixtures/cases/networks.json");
    let document: Value = serde_json::from_str(text).unwrap();
    document["cases"].as_array().unwrap().clone()
}

struct Case {
    model: Model<f64, AnyActivation>,
    x: Vec<f64>,
    y: Vec<f64>,
    samples: usize,
}

impl Case {
    fn new(case: &Value) -> Self {
        let widths: Vec<usize> = numbers(&case["shape"]).iter().map(|w| *w as usize).collect();
        let activation = AnyActivation::from_name(case["activation"].as_str().unwrap()).unwrap();
        let model = Model::new(widths, false, activation, numbers(&case["weights"])).unwrap();
        let samples = case["samples"].as_u64().unwrap() as usize;
        Self { model, x: numbers(&case["x"]), y: numbers(&case["y"]), samples }
    }
    fn inputs(&self) -> MatRef<'_, f64> {
        MatRef::new(&self.x, self.samples, self.x.len() / self.samples).unwrap()
    }
    fn targets(&self) -> MatRef<'_, f64> {
        MatRef::new(&self.y, self.samples, self.y.len() / self.samples).unwrap()
    }
    fn gradient(&self, level: Level) -> (f64, Vec<f64>) {
        let mut memory = self.model.gradient_memory(&Threads::one(), self.samples).unwrap();
        let mut out = vec![0.0; self.model.parameters().len()];
        let loss =
            self.model.gradient(level, MeanSquared, self.inputs(), self.targets(), &mut memory, &mut out);
        (loss.unwrap(), out)
    }
    fn features(&self, level: Level) -> Vec<f64> {
        let mut memory = self.model.feature_memory(&Threads::one(), self.samples).unwrap();
        self.model.features(level, self.inputs(), &mut memory).unwrap()
    }
}

#[test]
fn passes_and_features_meet_the_oracle_on_every_level() {
    for (index, value) in load().iter().enumerate() {
        let case = Case::new(value);
        for level in Level::available() {
            let what = |name: &str| format!("case {index} {name} on {}", level.name());
            let outputs = case.model.forward(level, case.inputs()).unwrap();
            assert_close(&what("outputs"), &outputs, &numbers(&value["outputs"]), 1e-11);
            let (loss, gradient) = case.gradient(level);
            assert_close(&what("loss"), &[loss], &numbers(&value["loss"]), 1e-11);
            let shape = case.model.shape().unwrap();
            for (layer, span) in shape.spans().enumerate() {
                let expected = numbers(&value["gradients"][layer]);
                assert_close(&what("gradient"), &gradient[span.range()], &expected, 1e-11);
            }
            let features = case.features(level);
            for layer in 0..shape.hidden_layers() {
                let expected = numbers(&value["ptk_features"][layer]);
                let found = ptk_of_layer(shape, &features, layer).unwrap();
                assert_close(&what("features"), found.as_slice().unwrap(), &expected, 1e-11);
                let span = shape.layer(layer).unwrap();
                let gradient = MatRef::new(&gradient[span.range()], span.outputs, span.inputs).unwrap();
                let mut workspace = vec![0.0; limit_workspace(span.outputs, span.inputs)];
                let early = limit(level, gradient, found, Powers::One, &mut workspace).unwrap();
                let expected = value["early_time"][layer].as_f64().unwrap();
                assert_close(&what("early time"), &[early.cosine.unwrap().value], &[expected], 1e-10);
            }
        }
    }
}

#[test]
fn both_rules_meet_the_oracle_after_five_steps() {
    let level = Level::detect();
    for (index, value) in load().iter().enumerate() {
        for rule_name in ["sgd", "slo"] {
            let mut case = Case::new(value);
            let initial = case.model.clone();
            let initial_features = case.features(level);
            let settings = &value["rules"][rule_name];
            let speeds = if rule_name == "slo" { numbers(&settings["speeds"]) } else { Vec::new() };
            let rule = match rule_name {
                "sgd" => Rule::GradientDescent,
                _ => Rule::SpeedLimited { speeds: &speeds, epsilon: settings["epsilon"].as_f64().unwrap() },
            };
            let optimizer = Optimizer::new(rule, settings["rate"].as_f64().unwrap());
            let widths = case.model.widths().to_vec();
            let shape = Shape::new(&widths, case.model.bias()).unwrap();
            for _ in 0..5 {
                let (_, mut gradient) = case.gradient(level);
                optimizer.step(level, shape, case.model.parameters_mut(), &mut gradient, &mut []).unwrap();
            }
            let after = &value["after_5_steps"][rule_name];
            for (layer, span) in shape.spans().enumerate() {
                let what = format!("case {index} {rule_name} weights {layer}");
                let found = &case.model.parameters()[span.range()];
                assert_close(&what, found, &numbers(&after["weights"][layer]), 1e-11);
            }
            let features = case.features(level);
            for layer in 0..shape.hidden_layers() {
                let (w, w0) = (case.model.weights(layer).unwrap(), initial.weights(layer).unwrap());
                let mut workspace = vec![0.0; measure_workspace(w.rows(), w.columns())];
                let k = ptk_of_layer(shape, &features, layer).unwrap();
                let k0 = ptk_of_layer(shape, &initial_features, layer).unwrap();
                let m = measure_layer(
                    level,
                    w,
                    w0,
                    k,
                    k0,
                    GivenErrors::default(),
                    Powers::OneAndRoot,
                    &mut workspace,
                )
                .unwrap();
                let expected = &after["correlations"][layer];
                let check = |key: &str, found: f64, tolerance: f64| {
                    let what = format!("case {index} {rule_name} layer {layer} {key}");
                    assert_close(&what, &[found], &[expected[key].as_f64().unwrap()], tolerance);
                };
                check("uncentered_cosine", m.uncentered.cosine.unwrap().value, 1e-10);
                check("uncentered_pearson", m.uncentered.pearson.unwrap().value, 1e-10);
                check("uncentered_cosine_sqrt", m.uncentered.cosine_sqrt.unwrap().value, 1e-7);
                check("uncentered_pearson_sqrt", m.uncentered.pearson_sqrt.unwrap().value, 1e-7);
                check("centered_cosine", m.centered.cosine.unwrap().value, 1e-10);
                check("centered_pearson", m.centered.pearson.unwrap().value, 1e-10);
                check("double_centered_cosine", m.double_centered.cosine.unwrap().value, 1e-10);
                check("relative_change", m.relative_change.unwrap(), 1e-10);
                check("uncentered_inner", m.uncentered.inner, 1e-10);
                check("centered_inner", m.centered.inner, 1e-10);
            }
        }
    }
}

/// Three outputs of a linear network leave K of rank three, and `f32` leaves it eigenvalues below zero.
#[test]
fn square_roots_of_rounded_features_meet_the_oracle() {
    let level = Level::detect();
    let cases = load();
    let value = cases.iter().find(|case| case["activation"] == "linear").unwrap();
    let case = Case::new(value);
    let single = |values: &[f64]| values.iter().map(|x| *x as f32).collect::<Vec<f32>>();
    let (widths, x, y) = (case.model.widths().to_vec(), single(&case.x), single(&case.y));
    let x = MatRef::new(&x, case.samples, widths[0]).unwrap();
    let y = MatRef::new(&y, case.samples, widths[widths.len() - 1]).unwrap();
    let initial =
        Model::new(widths.clone(), false, case.model.activation(), single(case.model.parameters())).unwrap();
    let features = |model: &Model<f32, AnyActivation>| {
        model.features(level, x, &mut model.feature_memory(&Threads::one(), case.samples).unwrap()).unwrap()
    };
    for rule_name in ["sgd", "slo"] {
        let settings = &value["rules"][rule_name];
        let speeds = if rule_name == "slo" { numbers(&settings["speeds"]) } else { Vec::new() };
        let rule = match rule_name {
            "sgd" => Rule::GradientDescent,
            _ => Rule::SpeedLimited { speeds: &speeds, epsilon: settings["epsilon"].as_f64().unwrap() },
        };
        let optimizer = Optimizer::new(rule, settings["rate"].as_f64().unwrap());
        let (mut model, mut gradient) = (initial.clone(), vec![0.0; initial.parameters().len()]);
        let shape = Shape::new(&widths, false).unwrap();
        for _ in 0..5 {
            let mut memory = model.gradient_memory(&Threads::one(), case.samples).unwrap();
            model.gradient(level, MeanSquared, x, y, &mut memory, &mut gradient).unwrap();
            optimizer.step(level, shape, model.parameters_mut(), &mut gradient, &mut []).unwrap();
        }
        let (now, then) = (features(&model), features(&initial));
        for layer in 0..2 {
            let (w, w_0) = (model.weights(layer).unwrap(), initial.weights(layer).unwrap());
            let (k, k_0) =
                (ptk_of_layer(shape, &now, layer).unwrap(), ptk_of_layer(shape, &then, layer).unwrap());
            let mut workspace = vec![0.0; measure_workspace(w.rows(), w.columns())];
            let found = measure_layer(
                level,
                w,
                w_0,
                k,
                k_0,
                GivenErrors::default(),
                Powers::OneAndRoot,
                &mut workspace,
            )
            .unwrap();
            let expected = &value["after_5_steps"][rule_name]["correlations"][layer];
            let check = |key: &str, found: Correlation| {
                let what = format!("{rule_name} layer {layer} {key}");
                let found = found.unwrap_or_else(|why| panic!("{what}: {why}"));
                assert_close(&what, &[found.value], &numbers(&expected[key]), 1e-3);
            };
            check("uncentered_cosine_sqrt", found.uncentered.cosine_sqrt);
            check("uncentered_pearson_sqrt", found.uncentered.pearson_sqrt);
            assert!(found.centered.cosine_sqrt.is_ok() && found.centered.pearson_sqrt.is_ok());
        }
    }
}

#[test]
fn parameters_that_are_not_finite_are_refused_with_their_place() {
    let shape = Shape::new(&[5, 7, 2], true).unwrap();
    for level in Level::available() {
        for at in [0, 17, shape.parameters() - 1] {
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut values = vec![1.0; shape.parameters()];
                values[at] = value;
                let found = Network::new_on(level, shape, Relu, &values).map(|_| ());
                assert_eq!(
                    found,
                    Err(Error::NotFinite { what: "parameters", row: 0, column: at }),
                    "{}",
                    level.name()
                );
            }
        }
    }
}

/// Why: the fixtures know some activations only; here the gradient of each smooth one meets central differences of the
/// loss, whose error is of the order of the square of the step.
#[test]
fn gradients_of_smooth_activations_meet_central_differences() {
    let mut rng = SplitMix64::new(29);
    let (widths, samples) = (vec![4, 7, 5, 2], 9);
    let (x, y) = (rng.normals(4 * samples), rng.normals(2 * samples));
    let values = rng.normals(parameters(&widths, true));
    for &activation in AnyActivation::ALL.iter().filter(|activation| **activation != AnyActivation::Relu) {
        let model = Model::new(widths.clone(), true, activation, values.clone()).unwrap();
        let mut case = Case { model, x: x.clone(), y: y.clone(), samples };
        let level = Level::detect();
        let (_, gradient) = case.gradient(level);
        let step = 1e-5;
        let mut differences = Vec::new();
        for (i, &value) in values.iter().enumerate() {
            let mut loss = |by: f64| {
                case.model.parameters_mut()[i] = value + by;
                case.gradient(level).0
            };
            differences.push((loss(step) - loss(-step)) / (2.0 * step));
            loss(0.0);
        }
        assert_close(activation.name(), &differences, &gradient, 1e-8);
    }
}
