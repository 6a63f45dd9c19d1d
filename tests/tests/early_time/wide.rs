//! The wide limit: dual kernels against quadrature, fixtures, linear networks, convergence of width, typed errors.

use crate::support::{Problem, exact_cases, layer_inputs, matrix, numbers, persistence};
use agop_core::activation::AnyActivation;
use agop_core::correlation::Undefined;
use agop_core::early_time::wide::{DualKernel, wide, wide_workspace};
use agop_core::early_time::{limit_by_samples, limit_by_samples_workspace};
use agop_core::elementary::exp;
use agop_core::error::Error;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{Initializer, Shape, jacobian_workspace};
use agop_core::simd::Level;
use agop_tests::SplitMix64;
use nalgebra::{ComplexField, DMatrix, RealField};
use proptest::prelude::*;

fn predict(
    activation: DualKernel,
    variance: f64,
    x: MatRef<'_, f64>,
    y: MatRef<'_, f64>,
    depth: usize,
) -> Result<Vec<Result<f64, Undefined>>, Error> {
    let mut rho = vec![Err(Undefined::NotComputed); depth];
    let mut work = vec![0.0; wide_workspace(x.rows(), x.columns(), y.columns(), depth)];
    wide(Level::detect(), activation, variance, x, y, &mut rho, &mut work)?;
    Ok(rho)
}

fn all(activation: DualKernel, x: MatRef<'_, f64>, y: MatRef<'_, f64>, depth: usize) -> Vec<f64> {
    predict(activation, 1.0, x, y, depth).unwrap().into_iter().map(Result::unwrap).collect()
}

/// erf by its series of positive terms `2/sqrt(pi) exp(-z^2) sum 2^n z^(2n+1) / (2n+1)!!`, and its derivative.
fn erf_and_slope(z: f64) -> (f64, f64) {
    let slope = 2.0 / std::f64::consts::PI.sqrt() * exp(-z * z);
    if z.abs() > 6.0 {
        return (z.signum(), slope);
    }
    let (mut term, mut sum, mut n) = (z, 0.0, 0.0);
    while term.abs() > 1e-18 {
        sum += term;
        n += 1.0;
        term *= 2.0 * z * z / (2.0 * n + 1.0);
    }
    (slope * sum, slope)
}

/// phi and phi' of each kernel, by other formulas.
fn activation(kernel: DualKernel, z: f64) -> (f64, f64) {
    let root = 0.5_f64.sqrt();
    match kernel {
        DualKernel::Linear => (z, 1.0),
        DualKernel::Relu => (if z > 0.0 { z } else { 0.0 }, f64::from(u8::from(z > 0.0))),
        DualKernel::Quadratic => (z * z, 2.0 * z),
        DualKernel::Sine => (ComplexField::sin(z), ComplexField::cos(z)),
        DualKernel::Erf => erf_and_slope(z),
        DualKernel::Gelu => {
            let (erf, slope) = erf_and_slope(z * root);
            let (phi, density) = (0.5 * (1.0 + erf), 0.5 * slope * root);
            (z * phi, phi + z * density)
        }
        other => panic!("no formula for {other:?}"),
    }
}

/// Why: both sides are the same integral; here by the trapezoidal rule on a grid of +-9 deviations, which converges
/// faster than any power of the step for smooth integrands. ReLU has kinks: integrated in polar coordinates it is
/// smooth on the sector where both are positive, so a coarse tolerance is enough to see a wrong formula.
#[test]
fn dual_kernels_are_the_gaussian_integrals() {
    for (a, b, c) in [(1.0, 1.0, 0.3), (0.7, 1.9, -0.8), (0.2, 0.4, 0.28), (2.5, 0.1, 0.0), (0.5, 0.5, 0.5)] {
        let (x, y): (f64, f64) = (f64::sqrt(a), c / f64::sqrt(a));
        let z = (b - y * y).sqrt();
        for kernel in DualKernel::ALL.iter().copied() {
            let (steps, tolerance) = if kernel == DualKernel::Relu { (1200, 2e-3) } else { (400, 1e-11) };
            let h = 18.0 / f64::from(steps);
            let (mut value, mut slope) = (0.0, 0.0);
            for i in 0..=steps {
                let s = h * f64::from(i) - 9.0 + 0.37 * h;
                let (pu, du) = activation(kernel, x * s);
                let (mut inner, mut inner_slope) = (0.0, 0.0);
                for j in 0..=steps {
                    let t = h * f64::from(j) - 9.0 + 0.61 * h;
                    let (pv, dv) = activation(kernel, y * s + z * t);
                    let weight = exp(-0.5 * (s * s + t * t));
                    inner += weight * pv;
                    inner_slope += weight * dv;
                }
                value += inner * pu;
                slope += inner_slope * du;
            }
            let scale = h * h / (2.0 * std::f64::consts::PI);
            let (found, found_slope) = kernel.pair(a, b, c);
            assert!((found - value * scale).abs() < tolerance, "{kernel:?}: {found} {}", value * scale);
            assert!((found_slope - slope * scale).abs() < tolerance, "{kernel:?} slope: {found_slope}");
        }
    }
}

/// ReLU exactly where the angle is known: 0, 60, 90, 120 and 180 degrees; and lengths that are not 1.
#[test]
fn relu_kernels_at_known_angles() {
    let third = 3.0_f64.sqrt() / 2.0;
    let pi = std::f64::consts::PI;
    for (cosine, sine, angle) in [
        (1.0, 0.0, 0.0),
        (0.5, third, pi / 3.0),
        (0.0, 1.0, pi / 2.0),
        (-0.5, third, 2.0 * pi / 3.0),
        (-1.0, 0.0, pi),
    ] {
        let (value, slope) = DualKernel::Relu.pair(9.0, 4.0, 6.0 * cosine);
        let expected = 6.0 * (sine + (pi - angle) * cosine) / (2.0 * pi);
        assert!((value - expected).abs() < 4e-15, "{cosine}: {value} {expected}");
        assert!((slope - (pi - angle) / (2.0 * pi)).abs() < 1e-15, "{cosine}: {slope}");
    }
    // On the diagonal the rounding of the cosine shows: the stated bounds hold, and 4.2e-9 is no exaggeration.
    let worst = (1..1000).map(|i| {
        let x = f64::from(i) / 7.0;
        let (value, slope) = DualKernel::Relu.pair(x, x, x);
        assert!((value - 0.5 * x).abs() < 1e-15 * x, "{x}: {value}");
        (slope - 0.5).abs()
    });
    let worst = worst.fold(0.0, |most, x| if x > most { x } else { most });
    assert!(worst < 4.2e-9 && worst > 2e-9, "{worst:e}");
}

#[test]
fn fixtures_meet_the_oracle() {
    for (index, case) in exact_cases(include_str!("../../fixtures/cases/predictions.json")).iter().enumerate()
    {
        let (x, y) = (numbers(&case["x"]), numbers(&case["y"]));
        let expected = numbers(&case["wide_relu"]);
        let found = all(DualKernel::Relu, matrix(&x, y.len()), matrix(&y, y.len()), expected.len());
        for (layer, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let error = (found - expected).abs() / expected;
            assert!(error <= 1e-10, "case {index} layer {layer}: {found} {expected} {error:.1e}");
        }
    }
}

/// Why: for linear activations `S_l` is the Gram matrix and PTK all ones in every layer, so that with `u = X^T y` summed
/// over outputs F is `X^T Y Y^T X` and G is n times `X^T (Y Y^T) X` again: rho is exactly 1 whatever the data. The control:
/// ReLU on the same data.
#[test]
fn a_linear_network_is_perfectly_aligned() {
    let mut rng = SplitMix64::new(61);
    let (x, y) = (rng.normals(12 * 5), rng.normals(12 * 2));
    let (x, y) = (matrix(&x, 12), matrix(&y, 12));
    assert!(all(DualKernel::Linear, x, y, 3).iter().all(|rho| (rho - 1.0).abs() < 1e-14));
    assert!(all(DualKernel::Relu, x, y, 3).iter().all(|rho| (rho - 1.0).abs() > 1e-4));
}

/// The angle from `atan2`, which is exactly 0 on the diagonal.
fn relu_by_exact_angle(a: f64, b: f64, c: f64) -> (f64, f64) {
    let (pi, square) = (std::f64::consts::PI, a * b - c * c);
    let root = if square > 0.0 { square.sqrt() } else { 0.0 };
    let rest = pi - RealField::atan2(root, c);
    ((root + rest * c) / (2.0 * pi), rest / (2.0 * pi))
}

/// The definition, by nested sums over matrices of another library, for several outputs.
#[test]
fn the_formula_by_another_library() {
    let mut rng = SplitMix64::new(67);
    let (n, d, c, depth) = (9, 4, 3, 3);
    let (x, y) = (rng.normals(n * d), rng.normals(n * c));
    let (xm, ym) = (DMatrix::from_row_slice(n, d, &x), DMatrix::from_row_slice(n, c, &y));
    for kernel in DualKernel::ALL.iter().copied() {
        let variance = 1.7;
        let mut s = vec![&xm * xm.transpose() / d as f64];
        let mut slopes = Vec::new();
        for layer in 0..depth {
            let now = &s[layer] * variance;
            let pair = |i: usize, j: usize| match kernel {
                DualKernel::Relu => relu_by_exact_angle(now[(i, i)], now[(j, j)], now[(i, j)]),
                _ => kernel.pair(now[(i, i)], now[(j, j)], now[(i, j)]),
            };
            slopes.push(DMatrix::from_fn(n, n, |i, j| pair(i, j).1));
            let next = DMatrix::from_fn(n, n, |i, j| pair(i, j).0);
            s.push(next);
        }
        let found = predict(kernel, variance, matrix(&x, n), matrix(&y, n), depth).unwrap();
        for layer in 0..depth {
            let ones = DMatrix::from_element(n, n, 1.0);
            let ptk = slopes[layer..].iter().fold(ones, |product, slope| product.component_mul(slope));
            let labels = &ym * ym.transpose();
            let f = &s[layer] * ptk.component_mul(&labels);
            let g = &s[layer] * (&ptk * &ptk).component_mul(&labels);
            let expected = (&f * &g).trace() / ((&f * &f).trace() * (&g * &g).trace()).sqrt();
            let found = found[layer].unwrap();
            let tolerance = if kernel == DualKernel::Relu { 1e-8 } else { 1e-12 };
            assert!((found - expected).abs() < tolerance, "{kernel:?} {layer}: {found} {expected}");
        }
    }
}

/// Mean distance between the observed limit (residual = labels) and the prediction over seeds, at one width.
fn distance(kernel: DualKernel, width: usize, seeds: u64) -> f64 {
    let mut rng = SplitMix64::new(71);
    let (n, d, c, level) = (24, 8, 2, Level::detect());
    let (x, y) = (rng.normals(n * d), rng.normals(n * c));
    let predicted = all(kernel, matrix(&x, n), matrix(&y, n), 2);
    let residuals: Vec<f64> = y.iter().map(|y| -y).collect();
    let widths = vec![d, width, width, c];
    let shape = Shape::new(&widths, false).unwrap();
    let mut total = 0.0;
    for seed in 0..seeds {
        let mut parameters = vec![0.0; shape.parameters()];
        Initializer::Normal.fill(shape, seed, &mut parameters).unwrap();
        let activation = AnyActivation::from_name(kernel.name()).unwrap();
        let problem = Problem {
            widths: widths.clone(),
            bias: false,
            activation,
            parameters,
            samples: n,
            x: x.clone(),
            y: y.clone(),
        };
        for (layer, predicted) in predicted.iter().enumerate() {
            let mut jacobians = vec![0.0; n * c * width];
            let mut work = vec![0.0; jacobian_workspace(&widths, n)];
            let view = MatMut::new(&mut jacobians, n * c, width).unwrap();
            problem.network().jacobians(level, layer, problem.inputs(), view, &mut work).unwrap();
            let inner = layer_inputs(&problem, layer, level);
            let mut work = vec![0.0; limit_by_samples_workspace(n, c, width)];
            let (x, j) = (matrix(&inner, n), matrix(&jacobians, n * c));
            let t = limit_by_samples(level, x, j, matrix(&residuals, n), &mut work).unwrap();
            total += (t.fg / (t.ff.sqrt() * t.gg.sqrt()) - predicted).abs();
        }
    }
    total / (2.0 * seeds as f64)
}

/// Why: at width k the kernels are averages over k units; the distance falls like `1/sqrt(k)`, so by half from each width
/// to the next fourfold one.
#[test]
fn observed_limits_converge_with_the_width() {
    for kernel in [DualKernel::Relu, DualKernel::Quadratic, DualKernel::Gelu] {
        let [small, middle, large] = [64, 256, 1024].map(|width| distance(kernel, width, 24));
        println!("{kernel:?}: {small:.4} at 64, {middle:.4} at 256, {large:.4} at 1024");
        assert!(middle < 0.75 * small && large < 0.75 * middle, "{kernel:?} {small} {middle} {large}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: persistence("wide"), ..ProptestConfig::with_cases(32) })]

    /// Why: homogeneous activations pass a scale through, which cancels; labels enter by their Gram matrix alone; inner
    /// products do not see a rotation; the traces do not see the order of samples.
    #[test]
    fn scales_rotations_and_orders_do_not_matter(seed in any::<u64>(), which in 0..DualKernel::ALL.len()) {
        let kernel = DualKernel::ALL[which];
        let mut rng = SplitMix64::new(seed);
        let (n, d, c) = (rng.between(2, 12) as usize, rng.between(1, 6) as usize, rng.between(1, 3) as usize);
        let (x, y) = (rng.normals(n * d), rng.normals(n * c));
        let run = |x: &[f64], y: &[f64]| all(kernel, matrix(x, n), matrix(y, n), 2);
        let rho = run(&x, &y);
        let scaled = |v: &[f64], by: f64| v.iter().map(|x| x * by).collect::<Vec<_>>();
        assert_eq!(run(&x, &scaled(&y, f64::from_bits((1023 - 900) << 52))), rho);
        let r = DMatrix::from_vec(d, d, rng.normals(d * d)).qr().q();
        let turned = (DMatrix::from_row_slice(n, d, &x) * r).transpose().as_slice().to_vec();
        let reversed = |v: &[f64], width: usize| v.chunks_exact(width).rev().collect::<Vec<_>>().concat();
        let mut others = vec![
            run(&turned, &y),
            run(&x, &scaled(&y, -31.7)),
            run(&reversed(&x, d), &reversed(&y, c)),
        ];
        if kernel.homogeneous() {
            assert_eq!(run(&scaled(&x, f64::from_bits((1023 + 400) << 52)), &y), rho);
            others.push(run(&scaled(&x, 0.013), &y));
        }
        // ReLU's angle is that of a rounded cosine: on the diagonal off by up to 2.6e-8.
        let tolerance = if kernel == DualKernel::Relu { 1e-7 } else { 1e-9 };
        for other in others {
            for (found, rho) in other.iter().zip(&rho) {
                assert!((found - rho).abs() < tolerance, "{kernel:?}: {found} {rho}");
            }
        }
        assert!(rho.iter().all(|rho| *rho > 0.0 && *rho <= 1.0));
    }
}

#[test]
fn zero_rows_and_wrong_sizes_are_typed_errors() {
    let (x, y) = ([1.0, 2.0, 0.0, 0.0, 3.0, 1.0], [1.0, -1.0, 0.5]);
    let (x, y) = (matrix(&x, 3), matrix(&y, 3));
    let found = predict(DualKernel::Relu, 1.0, x, y, 2);
    assert!(matches!(found, Err(Error::NoAngle { row: 1, .. })), "{found:?}");
    assert!(predict(DualKernel::Gelu, 1.0, x, y, 2).unwrap().iter().all(Result::is_ok));
    let zero = [0.0; 3];
    let found = predict(DualKernel::Erf, 1.0, x, matrix(&zero, 3), 2).unwrap();
    assert_eq!(found, [Err(Undefined::ZeroLossGradient); 2]);
    assert!(matches!(predict(DualKernel::Erf, 0.0, x, y, 2), Err(Error::Parameter { .. })));
    assert!(matches!(predict(DualKernel::Erf, f64::NAN, x, y, 2), Err(Error::Parameter { .. })));
    assert!(matches!(predict(DualKernel::Erf, 1.0, x, x.t(), 2), Err(Error::Shape { .. })));
    let huge = [1e200; 6];
    assert!(matches!(predict(DualKernel::Gelu, 1.0, matrix(&huge, 3), y, 2), Err(Error::NotFinite { .. })));
    assert!(predict(DualKernel::Relu, 1.0, matrix(&huge, 3), y, 2).unwrap()[0].is_ok());
    let nothing = MatRef::new(&[], 0, 2).unwrap();
    assert_eq!(predict(DualKernel::Relu, 1.0, nothing, nothing, 2), Err(Error::NoSamples));
    let bad = [1.0, f64::NAN, 1.0];
    assert!(matches!(predict(DualKernel::Relu, 1.0, x, matrix(&bad, 3), 2), Err(Error::NotFinite { .. })));
    let mut rho = [Ok(0.0); 2];
    let mut work = vec![0.0; wide_workspace(3, 2, 1, 2) - 1];
    let short = wide(Level::detect(), DualKernel::Erf, 1.0, x, y, &mut rho, &mut work);
    assert!(matches!(short, Err(Error::Workspace { .. })));
    assert_eq!(predict(DualKernel::Relu, 1.0, x, y, 0), Ok(Vec::new()));
    assert_eq!(DualKernel::of(AnyActivation::Tanh), None);
    assert_eq!(DualKernel::of(AnyActivation::Gelu), Some(DualKernel::Gelu));
    for kernel in DualKernel::ALL.iter().copied() {
        assert_eq!(DualKernel::from_name(kernel.name()), Some(kernel));
    }
}
