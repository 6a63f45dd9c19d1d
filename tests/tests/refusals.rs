//! What the library refuses, in which words, and that what it cannot refuse at once stays visible.
#![allow(unreachable_pub, reason = "a test has no users")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop::machine::Threads;
use agop::network::Model;
use agop_core::activation::{Activation, AnyActivation, Relu};
use agop_core::correlation::{
    GivenErrors, InputError, LayerMeasure, Powers, Route, correlate, correlate_workspace, measure_layer,
    measure_workspace,
};
use agop_core::error::Error;
use agop_core::loss::{AnyLoss, CrossEntropy, Loss, MeanSquared};
use agop_core::matrix::MatRef;
use agop_core::network::{Shape, gradient_workspace, jacobian_workspace};
use agop_core::optimizer::{Optimizer, Rule, gradient_norm};
use agop_core::simd::Level;

/// Widths, and weights whose pre-activations in `f32` overflow in the second layer; in `f64` nothing does.
const WIDTHS: [usize; 4] = [2, 2, 2, 1];
const WEIGHTS: [f64; 10] = [1e25, 0.0, 0.0, 1e25, -4e14, 8e14, -4e14, 4.1e14, 1e-39, 1e-39];

/// Why: ReLU makes 0 of minus infinity and of NaN, and saturating functions make 1 of infinity: what overflowed on the
/// way would pass for a number. Every activation, every level, few samples and many.
#[test]
fn an_overflow_inside_the_network_reaches_its_results() {
    let cases = AnyActivation::ALL.iter().filter(|a| !["tanh", "sigmoid"].contains(&a.name()));
    for (level, activation) in Level::available().flat_map(|level| cases.clone().map(move |a| (level, *a))) {
        for samples in [1, 3, 70] {
            let weights = WEIGHTS.map(|w| w as f32).to_vec();
            let mut model = Model::new(WIDTHS.to_vec(), false, activation, weights).unwrap();
            let (x, y) = (vec![1.0_f32; samples * 2], vec![0.5_f32; samples]);
            let (x, y) = (MatRef::new(&x, samples, 2).unwrap(), MatRef::new(&y, samples, 1).unwrap());
            let what = format!("{} {} {samples}", level.name(), activation.name());
            assert!(model.forward(level, x).unwrap().iter().all(|f| !f.is_finite()), "{what}: outputs");
            let mut memory = model.feature_memory(&Threads::one(), samples).unwrap();
            let features = model.features(level, x, &mut memory).unwrap();
            assert!(features[4..].iter().any(|k| !k.is_finite()), "{what}: features of the layer");
            let mut memory = model.gradient_memory(&Threads::one(), samples).unwrap();
            let before = model.parameters().to_vec();
            let optimizer = Optimizer::new(Rule::GradientDescent, 0.0);
            let found = model.train_step(level, MeanSquared, &optimizer, (x, y), &mut memory, &mut []);
            assert!(matches!(found, Err(Error::NotFinite { what: "gradient", .. })), "{what}: {found:?}");
            assert_eq!(model.parameters(), before);
            // The same in f64 is fine, but for the square of a square.
            let model = Model::new(WIDTHS.to_vec(), false, activation, WEIGHTS.to_vec()).unwrap();
            let x = vec![1.0; samples * 2];
            let outputs = model.forward(level, MatRef::new(&x, samples, 2).unwrap()).unwrap();
            assert!(outputs.iter().all(|f| f.is_finite()), "{what}: f64");
        }
    }
}

/// Values that are finite are left alone, and both functions see all others, at every place of a vector.
#[test]
fn activations_hide_nothing() {
    for activation in AnyActivation::ALL {
        for level in Level::available() {
            for length in [1, 5, 40] {
                for at in 0..length {
                    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                        let mut z: Vec<f32> = (0..length).map(|i| i as f32 - 7.5).collect();
                        let clean: Vec<f32> = z.iter().map(|z| activation.value(z)).collect();
                        z[at] = bad;
                        let mut alone = z.clone();
                        let mut slope = vec![0.0; length];
                        activation.apply_with_slope(level, &mut z, &mut slope);
                        activation.apply(level, &mut alone);
                        for i in 0..length {
                            if i == at {
                                assert!(z[i].is_nan() && slope[i].is_nan() && alone[i].is_nan());
                            } else {
                                assert_eq!((z[i], alone[i]), (clean[i], clean[i]));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// An output of minus infinity has no share in the softmax; that must not make its residual a number.
#[test]
fn cross_entropy_hides_no_overflow() {
    for bad in [f64::NEG_INFINITY, f64::INFINITY, f64::NAN] {
        for at in 0..3 {
            let mut outputs = [0.5, -1.0, 2.0];
            outputs[at] = bad;
            let _: f64 = CrossEntropy.residual(&mut outputs, &[0.0, 1.0, 0.0], 0.0);
            assert!(!outputs[at].is_finite());
        }
    }
}

/// The row of an error counts from the first sample, whoever added it; shapes are looked at before anything is shared out.
#[test]
fn threads_do_not_change_an_error() {
    let model = Model::new(vec![2, 3, 2], false, Relu, vec![0.5; 12]).unwrap();
    let (mut x, y) = (vec![1.0; 1200], vec![1.0; 1600]);
    x[1001] = f64::NAN;
    for threads in [1, 2, 3, 5] {
        let mut memory = model.gradient_memory(&Threads::new(threads).unwrap(), 800).unwrap();
        let mut features = model.feature_memory(&Threads::new(threads).unwrap(), 800).unwrap();
        let mut out = vec![7.0; 12];
        let mut gradient = |x: &[f64], n, y: &[f64], m, out: &mut [f64]| {
            let (x, y) = (MatRef::new(x, n, 2).unwrap(), MatRef::new(y, m, 2).unwrap());
            model.gradient(Level::detect(), MeanSquared, x, y, &mut memory, out)
        };
        let place = Error::NotFinite { what: "inputs", row: 500, column: 1 };
        assert_eq!(gradient(&x, 600, &y[..1200], 600, &mut out), Err(place));
        let inputs = MatRef::new(&x, 600, 2).unwrap();
        assert_eq!(model.features(Level::detect(), inputs, &mut features), Err(place));
        for targets in [400, 599, 601, 800] {
            let found = gradient(&y[..1200], 600, &y[..2 * targets], targets, &mut out);
            let shape = Error::Shape { what: "targets", expected: (600, 2), found: (targets, 2) };
            assert_eq!(found, Err(shape));
        }
        for length in [0, 11, 13] {
            let found = gradient(&y[..1200], 600, &y[..1200], 600, &mut vec![0.0; length]);
            assert_eq!(found, Err(Error::Length { what: "gradient", expected: 12, found: length }));
        }
        assert_eq!(out, [7.0; 12]);
    }
}

fn measured(w: [f64; 6], w_0: [f64; 6], k: [f64; 4], k_0: [f64; 4]) -> Result<LayerMeasure, Error> {
    let mut workspace = vec![0.0; measure_workspace(2, 3)];
    measure_layer(
        Level::detect(),
        MatRef::new(&w, 2, 3)?,
        MatRef::new(&w_0, 2, 3)?,
        MatRef::new(&k, 2, 2)?,
        MatRef::new(&k_0, 2, 2)?,
        GivenErrors::default(),
        Powers::OneAndRoot,
        &mut workspace,
    )
}

/// An error of a measure names the matrix it is about, given or a difference, and its place.
#[test]
fn a_measure_names_the_matrix() {
    let (w, w_0) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.5; 6]);
    let (k, k_0) = ([2.0, 1.0, 1.0, 3.0], [1.0, 0.5, 0.5, 1.0]);
    assert!(measured(w, w_0, k, k_0).is_ok());
    let with = |mut values: [f64; 6], x: f64| {
        values[4] = x;
        values
    };
    let square = |mut values: [f64; 4], x: f64| {
        values[3] = x;
        values
    };
    let not_finite = |what, row, column| Err(Error::NotFinite { what, row, column });
    assert_eq!(measured(with(w, f64::NAN), w_0, k, k_0), not_finite("weights", 1, 1));
    assert_eq!(measured(w, with(w_0, f64::NAN), k, k_0), not_finite("weights minus initial weights", 1, 1));
    let (low, high) = (with(w, -1.7e308), with(w_0, 1.7e308));
    assert_eq!(measured(low, high, k, k_0), not_finite("weights minus initial weights", 1, 1));
    assert_eq!(measured(w, w_0, square(k, f64::INFINITY), k_0), not_finite("features", 1, 1));
    let name = "features minus initial features";
    assert_eq!(measured(w, w_0, k, square(k_0, f64::INFINITY)), not_finite(name, 1, 1));
    let skew = |what| Err(Error::NotSymmetric { what, row: 1, column: 0 });
    assert_eq!(measured(w, w_0, [2.0, 1.0, 1.5, 3.0], k_0), skew("features"));
    assert_eq!(measured(w, w_0, k, [1.0, 0.5, 0.25, 1.0]), skew(name));
}

/// A certificate for a matrix that is not symmetric, or with a negative error, would be false.
#[test]
fn what_has_no_certificate_is_refused() {
    let (w, k) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 9.0, -9.0, 2.0]);
    let correlated = |k: &[f64], given, route| {
        let mut workspace = vec![0.0; correlate_workspace(2, 3, route)];
        let (w, k) = (MatRef::new(&w, 2, 3)?, MatRef::new(k, 2, 2)?);
        correlate(Level::detect(), w, k, given, route, Powers::One, &mut workspace)
    };
    for route in [Route::Gram, Route::Direct] {
        let exact = InputError::default();
        let skew = Error::NotSymmetric { what: "features", row: 1, column: 0 };
        assert_eq!(correlated(&k, exact, route), Err(skew));
        assert!(correlated(&[1.0, 0.5, 0.5, 2.0], exact, route).is_ok());
        for bad in [-1e-16, f64::INFINITY] {
            let expected = "a finite number, at least 0";
            for (given, what) in [
                (InputError { weights: bad, ..exact }, "error of the weights"),
                (InputError { ptk: bad, ..exact }, "error of the features"),
                (InputError { computed: bad, ..exact }, "error of the computed features"),
            ] {
                let found = correlated(&[1.0, 0.5, 0.5, 2.0], given, route);
                assert_eq!(found, Err(Error::Parameter { what, expected, found: bad }));
            }
        }
    }
}

/// Sizes that no memory has are the largest number, in debug builds too, never a small one.
#[test]
fn sizes_saturate() {
    const MOST: usize = usize::MAX;
    for (k, d) in [(MOST, MOST), (MOST, 2), (2, MOST), (1 << 33, 1 << 33)] {
        assert_eq!(measure_workspace(k, d), MOST);
        for route in [Route::Gram, Route::Direct] {
            let side = if route == Route::Gram { k } else { d };
            if side > 2 {
                assert_eq!((correlate_workspace(k, d, route), route.workspace(k, d)), (MOST, MOST));
            }
        }
    }
    let widths = [MOST, MOST, MOST];
    assert_eq!((gradient_workspace(&widths, MOST), jacobian_workspace(&widths, MOST)), (MOST, MOST));
    let shape = Shape::new(&[1, 1, 1], true).unwrap();
    assert_eq!(agop_core::early_time::differentiate_workspace(shape, MOST, MOST), MOST);
    let momentum = Optimizer { momentum: 0.5, ..Optimizer::new(Rule::GradientDescent, 0.1) };
    assert_eq!(momentum.state(MOST), MOST);
    // Formulas as documented where nothing saturates.
    assert_eq!((Route::Gram.workspace(3, 5), Route::Direct.workspace(3, 5)), (24, 71));
    let empty: [f64; 0] = [];
    let (w, k) = (MatRef::new(&empty, 0, 1 << 33).unwrap(), MatRef::new(&empty, 0, 0).unwrap());
    let exact = InputError::default();
    let found = correlate(Level::detect(), w, k, exact, Route::Direct, Powers::One, &mut []);
    assert!(matches!(found, Err(Error::Workspace { needed: MOST, .. })), "{found:?}");
    // As many rows of nothing as there are numbers.
    assert_eq!(MatRef::new(&empty, MOST, 0).unwrap().check_finite("rows"), Ok(()));
}

/// Networks of any size that memory can hold, and of no other; a layer that is not there, with how many there are.
#[test]
fn shapes_that_are_networks() {
    let most = isize::MAX as usize / 32;
    assert!(Shape::new(&[784, 512, 512, 10], true).is_ok());
    assert!(Shape::new(&[most / 4, 1, 1], false).is_ok());
    let large = |at| Err(Error::Architecture { reason: "too large for memory", at });
    assert_eq!(Shape::new(&[most, 1, 1], false).map(|_| ()), large(3));
    assert_eq!(Shape::new(&[usize::MAX, usize::MAX], false).map(|_| ()), large(2));
    let shape = Shape::new(&[3, 4, 5, 2], true).unwrap();
    assert_eq!(shape.layer(3), Err(Error::Layer { index: 3, layers: 3 }));
    assert_eq!(shape.ptk_span(2), Err(Error::Layer { index: 2, layers: 2 }));
    let text = shape.layer(3).unwrap_err().to_string();
    assert_eq!(text, "layer 3: expected an index below 3, the number of such layers");
    let last = shape.layer(2).unwrap();
    assert_eq!((last.range(), last.weights_range(), last.bias_range()), (41..53, 41..51, 51..53));
    // A gradient that ends inside the bias has no norm.
    assert_eq!(
        gradient_norm(Level::detect(), last, &[1.0; 52]),
        Err(Error::Length { what: "gradient", expected: 53, found: 52 })
    );
    assert_eq!(gradient_norm(Level::detect(), last, &[1.0; 53]), Ok(12.0_f64.sqrt()));
}

agop_core::network! {
    /// Made, compared and stepped without a value at run time.
    struct Tiny([f32; 3 => 4 => 2], Relu, bias: true);
}

/// Names of the standard library that mean something else where the macro is used.
#[allow(dead_code, unused_imports, unused_macros, reason = "the macro must not see them")]
mod crowded {
    use std::io::Result;
    pub struct Option;
    pub struct Ok;
    pub struct Err;
    pub trait Default {}
    pub trait Clone {}
    pub trait Debug {}
    pub trait PartialEq {}
    macro_rules! panic {
        ($($word:tt)*) => {
            compile_error!("another panic")
        };
    }
    agop_core::network! {
        /// As [`super::Tiny`].
        pub struct Tiny([f32; 3 => 4 => 2], Relu, bias: true);
    }
}

/// Nothing of the standard library at all.
#[no_implicit_prelude]
mod empty {
    ::agop_core::network! {
        /// As [`super::Tiny`].
        pub struct Tiny([f32; 3 => 4 => 2], Relu, bias: true);
    }
}

#[test]
fn const_sized_networks_do_not_depend_on_the_names_around_them() {
    assert_eq!(crowded::Tiny::default(), crowded::Tiny::new().clone());
    assert_eq!(empty::Tiny::default(), empty::Tiny::new().clone());
    assert_eq!(crowded::Tiny::shape(), Tiny::shape());
    assert!(crowded::Tiny::new().network().is_ok() && empty::Tiny::new().network().is_ok());
}

/// Every buffer of a const-sized network can be an array, that of momentum too.
#[test]
fn the_state_of_a_rule_can_be_static() {
    const RULE: Optimizer<'_> = Optimizer { momentum: 0.9, ..Optimizer::new(Rule::GradientDescent, 0.1) };
    static STATE: [f32; RULE.state(Tiny::PARAMETERS)] = [0.0; RULE.state(Tiny::PARAMETERS)];
    assert_eq!(STATE.len(), 2 * Tiny::PARAMETERS);
    assert_eq!(Tiny::default(), Tiny::new());
    let mut tiny = Tiny::new();
    tiny.parameters[5] = f32::NAN;
    for level in Level::available() {
        let found = tiny.network_on(level).map(|_| ());
        assert_eq!(found, Err(Error::NotFinite { what: "parameters", row: 0, column: 5 }));
    }
}

/// Names and reasons serve a caller's own errors.
#[test]
fn names_are_read_back() -> Result<(), Box<dyn core::error::Error>> {
    for loss in AnyLoss::ALL {
        assert_eq!(AnyLoss::from_name(loss.name()), Some(*loss));
    }
    for initializer in agop_core::network::Initializer::ALL {
        assert_eq!(agop_core::network::Initializer::from_name(initializer.name()), Some(*initializer));
    }
    assert_eq!((AnyLoss::from_name("l2"), agop_core::network::Initializer::from_name("")), (None, None));
    let w = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let measured = measured(w, [0.5; 6], [2.0, 1.0, 1.0, 3.0], [1.0, 0.5, 0.5, 1.0])?;
    assert!(measured.uncentered.cosine?.bound? < 1e-12);
    Ok(())
}

/// A loss takes a sample's targets as a slice: a transposed view would give it none, a loss of 0 and outputs for residuals. One
/// output a sample lies in one piece either way.
#[test]
fn transposed_targets_are_refused_not_left_out() {
    let (x, y): (Vec<f32>, [f32; 6]) =
        ((0..6).map(|i| i as f32 / 7.0 - 0.3).collect(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let x = MatRef::new(&x, 3, 2).unwrap();
    let train = |outputs: usize, targets: MatRef<'_, f32>, loss: AnyLoss| {
        let widths = vec![2, 4, outputs];
        let parameters = (0..(2 + outputs) * 4).map(|i| (i * 5 % 7) as f32 / 7.0 - 0.4).collect();
        let mut model = Model::new(widths, false, Relu, parameters).unwrap();
        let mut memory = model.gradient_memory(&Threads::one(), 3).unwrap();
        let optimizer = Optimizer::new(Rule::GradientDescent, 0.5);
        let level = Level::detect();
        let value = model.train_step(level, loss, &optimizer, (x, targets), &mut memory, &mut [])?;
        Ok::<_, Error>((value.to_bits(), model.parameters().to_vec()))
    };
    for &loss in AnyLoss::ALL {
        let found = train(2, MatRef::new(&y, 2, 3).unwrap().t(), loss).unwrap_err();
        assert_eq!(found, Error::Strided { what: "targets", stride: 3 });
        assert_eq!(
            found.to_string(),
            "targets: expected rows in one piece, found their values 3 places apart"
        );
        assert!(train(2, MatRef::new(&y, 3, 2).unwrap(), loss).is_ok());
        let (column, row) = (MatRef::new(&y[..3], 3, 1).unwrap(), MatRef::new(&y[..3], 1, 3).unwrap());
        assert_eq!(train(1, row.t(), loss), train(1, column, loss));
    }
    let other = MatRef::new(&y[1..4], 3, 1).unwrap();
    let column = MatRef::new(&y[..3], 3, 1).unwrap();
    assert_ne!(train(1, column, AnyLoss::MeanSquared), train(1, other, AnyLoss::MeanSquared));
}

/// A chunk's loss is that of its samples one after the other, on every level, bit by bit, however the sum stands before.
#[test]
fn the_loss_of_a_chunk_is_that_of_its_samples() {
    for level in Level::available() {
        for (samples, outputs) in [(1, 1), (3, 1), (1, 7), (5, 3), (40, 10)] {
            let all: Vec<f32> =
                (0..2 * samples * outputs).map(|i| (i * 31 % 97) as f32 / 50.0 - 0.9).collect();
            let (f, y) = all.split_at(samples * outputs);
            let targets = MatRef::new(y, samples, outputs).unwrap();
            for &loss in AnyLoss::ALL {
                for start in [0.0, -0.0, 3.5] {
                    let (mut together, mut apart) = (f.to_vec(), f.to_vec());
                    let sum = loss.residuals(level, &mut together, targets, start);
                    let rows = apart.chunks_exact_mut(outputs).zip(y.chunks_exact(outputs));
                    let expected = rows.fold(start, |sum, (f, y)| loss.residual(f, y, sum));
                    assert_eq!(sum.to_bits(), expected.to_bits(), "{} {samples} x {outputs}", level.name());
                    assert_eq!(together, apart);
                    assert_ne!(together, f);
                }
            }
        }
    }
}
