//! Cases in which the correlation cannot move, and inputs that are none.

use crate::support::{Exact, Problem, derivatives, expansion, float_rate, pair, random_network};
use agop_core::activation::{Activation, AnyActivation, Linear, Quadratic};
use agop_core::correlation::{Powers, Route, Traces, Undefined};
use agop_core::dual::Dual;
use agop_core::early_time::{
    Path, differentiate, differentiate_workspace, limit, limit_by_samples, rate, rate_workspace,
};
use agop_core::error::Error;
use agop_core::feature::ptk_of_layer;
use agop_core::kernel::Definition;
use agop_core::loss::{AnyLoss, MeanSquared};
use agop_core::matrix::MatRef;
use agop_core::network::weights;
use agop_core::scalar::Scalar;
use agop_tests::{PrimeField, SplitMix64, random_field};

/// `rho_1 / rho_0` times `2 fg ff gg`, a polynomial.
fn numerator(t: &Traces<Dual<Exact>>) -> Exact {
    let two = Exact::from_integer(2);
    let (ff, fg, gg) = (t.ff, t.fg, t.gg);
    two * fg.derivative * ff.value * gg.value
        - fg.value * (ff.derivative * gg.value + gg.derivative * ff.value)
}

/// `C(eta)^2 - rho_0^2` times all norms, after one step of a random size.
fn moved<A: Activation<Exact>>(problem: &Problem<Exact, A>, t: &Traces<Dual<Exact>>, eta: Exact) -> Exact {
    let step: Vec<_> = problem.gradient(Definition).iter().map(|g| -(eta * *g)).collect();
    let mut there = problem.clone();
    there.parameters.iter_mut().zip(&step).for_each(|(w, s)| *w = *w + *s);
    let (shape, features) = (problem.shape(), there.features(Definition));
    let w = weights(&step, shape.layer(0).unwrap()).unwrap();
    let found = pair(w, ptk_of_layer(shape, &features, 0).unwrap(), Route::Gram);
    assert_ne!(found.gg, Exact::zero());
    found.fg * found.fg * t.ff.value * t.gg.value - t.fg.value * t.fg.value * found.ff * found.gg
}

/// Why: with one unit G is a multiple of F at all times; with one sample and one output V has rank one, F and G are both
/// multiples of `x x^T` at all times; a linear network whose first layer is zero has no gradient in its readout, so that
/// one step leaves K as it is and both matrices only grow. So the measured correlation never leaves the limit, and the
/// coefficient is exactly 0: both are seen on the field, where equality of polynomials is no matter of rounding.
#[test]
fn degenerate_cases_do_not_move_at_all() {
    let mut rng = SplitMix64::new(11);
    for (widths, samples) in
        [(vec![4, 1, 2], 5), (vec![3, 1, 1], 4), (vec![4, 5, 1], 1), (vec![2, 3, 4, 1], 1)]
    {
        let problem = Problem::new(&widths, Quadratic, samples, |n| random_field(&mut rng, n));
        let duals = derivatives(&problem, Definition, 5);
        for path in [Path::Step, Path::Flow] {
            let t = expansion(problem.shape(), &duals, 0, path);
            assert_eq!(numerator(&t), Exact::zero(), "{widths:?} {samples} {path:?}");
            assert_ne!(t.fg.derivative, Exact::zero());
            assert_eq!(moved(&problem, &t, PrimeField::new(rng.bits() >> 4)), Exact::zero(), "{widths:?}");
        }
    }
    let mut still = Problem::new(&[4, 5, 2], Linear, 6, |n| random_field(&mut rng, n));
    still.parameters[..20].fill(Exact::zero());
    let free = Problem::new(&[4, 5, 2], Linear, 6, |n| random_field(&mut rng, n));
    for (problem, constant) in [(still, true), (free, false)] {
        let duals = derivatives(&problem, Definition, 5);
        let t = expansion(problem.shape(), &duals, 0, Path::Step);
        assert_eq!(duals.1.iter().all(|k| k.derivative == Exact::zero()), constant);
        assert_eq!(numerator(&t) == Exact::zero(), constant, "the control: K moves");
        let eta = PrimeField::new(rng.bits() >> 4);
        assert_eq!(moved(&problem, &t, eta) == Exact::zero(), constant);
    }
}

/// The same in floats, where it holds to rounding.
#[test]
fn degenerate_rates_vanish_to_rounding() {
    for seed in 0..20 {
        let mut rng = SplitMix64::new(seed);
        let (widths, samples) = if seed % 2 == 0 { (vec![5, 1, 2], 9) } else { (vec![5, 7, 1], 1) };
        let problem = random_network(&mut rng, &widths, AnyActivation::Tanh, samples);
        for path in [Path::Step, Path::Flow] {
            let (limit, slope) = float_rate(&problem, AnyLoss::MeanSquared, 0, path).unwrap();
            assert!((limit - 1.0).abs() < 1e-14 && slope.abs() < 1e-13, "{seed} {path:?}: {limit} {slope:e}");
        }
    }
}

#[test]
fn wrong_sizes_and_empty_data_are_typed_errors() {
    let mut rng = SplitMix64::new(1);
    let problem = Problem::new(&[3, 4, 2], Linear, 5, |n| rng.normals(n));
    let size = differentiate_workspace(problem.network().shape(), 5, 1);
    let mut work = vec![Dual::zero(); size];
    let network = problem.network();
    let run = |x, y, work: &mut [Dual<f64>]| {
        differentiate(Definition, &network, MeanSquared, x, y, work).map(|found| found.gradient.len())
    };
    assert_eq!(run(problem.inputs(), problem.targets(), &mut work), Ok(20));
    assert!(matches!(run(problem.inputs(), problem.targets(), &mut work[1..]), Err(Error::Workspace { .. })));
    assert!(matches!(run(problem.targets(), problem.targets(), &mut work), Err(Error::Shape { .. })));
    assert!(matches!(run(problem.inputs(), problem.inputs(), &mut work), Err(Error::Shape { .. })));
    let empty = (MatRef::new(&[], 0, 3).unwrap(), MatRef::new(&[], 0, 2).unwrap());
    assert_eq!(run(empty.0, empty.1, &mut work), Err(Error::NoSamples));
    let zero = [Dual::constant(0.0); 12];
    let zero = MatRef::new(&zero, 4, 3).unwrap();
    let square = [Dual::constant(1.0); 16];
    let square = MatRef::new(&square, 4, 4).unwrap();
    let mut work = vec![Dual::zero(); rate_workspace(4, 3)];
    let at_rest = Err(Undefined::ZeroLossGradient);
    assert_eq!(rate(Definition, zero, square, Path::Flow, &mut work).unwrap().map(|_| ()), at_rest);
    let (zeros, ones) = ([0.0; 12], [1.0; 16]);
    let (gradient, features) = (MatRef::new(&zeros, 4, 3).unwrap(), MatRef::new(&ones, 4, 4).unwrap());
    let found = limit(Definition, gradient, features, Powers::OneAndRoot, &mut [0.0; 500]).unwrap();
    for value in [found.cosine, found.pearson, found.cosine_sqrt, found.pearson_sqrt] {
        assert_eq!(value.map(|_| ()), at_rest);
    }
    let nan = [f64::NAN; 12];
    let found = limit(Definition, MatRef::new(&nan, 4, 3).unwrap(), features, Powers::One, &mut [0.0; 500]);
    assert_eq!(found, Err(Error::NotFinite { what: "gradient", row: 0, column: 0 }));
    assert!(rate(Definition, zero, zero, Path::Flow, &mut work).is_err());
    assert!(limit_by_samples(Definition, empty.0, empty.1, empty.1, &mut [0.0; 9]).is_err());
    // A matrix without columns may have any number of rows.
    let tall: MatRef<'_, f64> = MatRef::new(&[], usize::MAX, 0).unwrap();
    let found = limit(Definition, tall, MatRef::new(&[], 0, 0).unwrap(), Powers::One, &mut []);
    assert!(matches!(found, Err(Error::Shape { .. })), "{found:?}");
}
