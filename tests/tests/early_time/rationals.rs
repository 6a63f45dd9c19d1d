//! The limit in exact rationals: measured after finite steps, with no series and no rounding.

use crate::support::{Problem, derivatives, draw_shape, expansion, float_rate, layer_inputs, pair};
use agop_core::activation::{Activation, AnyActivation, Linear, Quadratic, Relu};
use agop_core::correlation::Route;
use agop_core::dual::Dual;
use agop_core::early_time::Path;
use agop_core::feature::ptk_of_layer;
use agop_core::kernel::Definition;
use agop_core::loss::AnyLoss;
use agop_core::network::weights;
use agop_core::scalar::Scalar;
use agop_tests::{Rational, SplitMix64, random_rationals};

/// The centred traces after one step of size eta, over eta^4; `None` when an activation switched on the way.
fn after_step<A: Activation<Rational>>(
    problem: &Problem<Rational, A>,
    gradient: &[Rational],
    eta: &Rational,
    layer: usize,
) -> Option<[Rational; 3]> {
    let step: Vec<_> = gradient.iter().map(|g| -(eta.clone() * g.clone())).collect();
    let mut there = problem.clone();
    there.parameters = problem.parameters.iter().zip(&step).map(|(w, s)| w.clone() + s.clone()).collect();
    let on = |problem: &Problem<Rational, A>| {
        let inner = (1..=problem.hidden()).flat_map(|layer| layer_inputs(problem, layer, Definition));
        inner.map(|x| x > Rational::zero()).collect::<Vec<_>>()
    };
    if on(problem) != on(&there) {
        return None;
    }
    let features = there.features(Definition);
    let w = weights(&step, problem.shape().layer(layer).unwrap()).unwrap();
    let t = pair(w, ptk_of_layer(problem.shape(), &features, layer).unwrap(), Route::Gram);
    let fourth = eta.clone() * eta.clone() * eta.clone() * eta.clone();
    Some([t.ff, t.fg, t.gg].map(|trace| trace / fourth.clone()))
}

/// The value at 0 of the polynomial through the points.
fn at_zero(points: &[(Rational, Rational)]) -> Rational {
    points.iter().enumerate().fold(Rational::zero(), |sum, (j, (x, y))| {
        let others = points.iter().enumerate().filter(|(m, _)| *m != j);
        sum + others
            .fold(y.clone(), |term, (_, (other, _))| term * other.clone() / (other.clone() - x.clone()))
    })
}

/// `(rho^2, whether rho > 0)` of three traces.
fn squared([ff, fg, gg]: &[Rational; 3]) -> (Rational, bool) {
    (fg.clone() * fg.clone() / (ff.clone() * gg.clone()), *fg > Rational::zero())
}

/// Whether limit and finite steps agree exactly; `None` where they cannot be compared.
fn compare<A>(problem: &Problem<Rational, A>, degree: usize) -> Option<()>
where
    A: Activation<Rational> + Activation<Dual<Rational>>,
{
    let gradient = problem.gradient(Definition);
    let duals = derivatives(problem, Definition, 3);
    let mut compared = None;
    for layer in 0..problem.hidden() {
        let t = expansion(problem.shape(), &duals, layer, Path::Step);
        let expected = [t.ff, t.fg, t.gg].map(|trace| trace.value);
        if expected.contains(&Rational::zero()) {
            continue;
        }
        // One point more than the degree needs: were the degree higher, the value would depend on it.
        let steps = (1..=degree as i64 + 2).map(|j| Rational::new(j, 1 << 24));
        let all: Option<Vec<_>> =
            steps.map(|eta| after_step(problem, &gradient, &eta, layer).map(|found| (eta, found))).collect();
        let all = all?;
        let through = |count: usize| {
            [0, 1, 2].map(|trace| {
                let points = all.iter().take(count).map(|(eta, found)| (eta.clone(), found[trace].clone()));
                at_zero(&points.collect::<Vec<_>>())
            })
        };
        let found = through(degree + 1);
        assert_eq!(found, through(degree + 2), "the degree is not above {degree}");
        assert_ne!(found, through(1), "the control: a finite step is not the limit");
        assert_eq!(squared(&found), squared(&expected), "layer {layer} of {:?}", problem.widths);
        compared = Some(());
    }
    compared
}

/// Why: after a step of size eta the traces are eta^4 times polynomials in eta (between kinks), of degree four for each
/// layer above and, for the quadratic activation, its own slope. Measured at enough rational sizes they are known
/// exactly; squared correlation and sign at 0+ are the ratio of their constant coefficients.
#[test]
fn squared_limit_and_sign_are_the_ratio_of_the_polynomials_coefficients() {
    let mut rng = SplitMix64::new(59);
    let mut compared = [0; 3];
    for _ in 0..10 {
        let (widths, samples) = draw_shape(&mut rng, 2, 3, 2, 3);
        let degree = 4 * (widths.len() - 2);
        let draw = |n: usize, rng: &mut SplitMix64| random_rationals(rng, n);
        let linear = Problem::new(&widths, Linear, samples, |n| draw(n, &mut rng));
        compared[0] += usize::from(compare(&linear, degree).is_some());
        let relu = Problem::new(&widths, Relu, samples, |n| draw(n, &mut rng));
        compared[1] += usize::from(compare(&relu, degree).is_some());
        let shallow = [widths[0], widths[1], 2];
        let quadratic = Problem::new(&shallow, Quadratic, samples, |n| draw(n, &mut rng));
        compared[2] += usize::from(compare(&quadratic, 8).is_some());
    }
    println!("compared: {} linear, {} ReLU, {} quadratic", compared[0], compared[1], compared[2]);
    assert!(compared.iter().all(|count| *count >= 4), "{compared:?}");
}

#[test]
fn a_rational_limit_is_the_float_limit() {
    let mut rng = SplitMix64::new(19);
    let exact = Problem::new(&[3, 4, 2], Relu, 6, |n| random_rationals(&mut rng, n));
    let duals = derivatives(&exact, Definition, 4);
    let t = expansion(exact.shape(), &duals, 0, Path::Flow);
    let value = |x: &Dual<Rational>| (x.value.to_f64(), x.derivative.to_f64());
    let ((ff, dff), (fg, dfg), (gg, dgg)) = (value(&t.ff), value(&t.fg), value(&t.gg));
    let rho = fg / (ff * gg).sqrt();
    let expected = rho * (dfg / fg - dff / (2.0 * ff) - dgg / (2.0 * gg));
    let float = exact.map(Rational::to_f64);
    let float = float.with(AnyActivation::Relu);
    let (limit, slope) = float_rate(&float, AnyLoss::MeanSquared, 0, Path::Flow).unwrap();
    assert!((limit - rho).abs() < 1e-13 && (slope - expected).abs() < 1e-12 * (1.0 + expected.abs()));
}
