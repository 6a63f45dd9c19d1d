//! Identities on the prime field and on the rationals.

use super::{Case, agop_of, check_traces, derivatives, field_problem, symmetric, traces_by, unit};
use agop_core::activation::{Linear, Quadratic};
use agop_core::correlation::Route;
use agop_core::feature::nfm;
use agop_core::kernel::Definition;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::scalar::Scalar;
use agop_tests::literal::Matrix;
use agop_tests::{PrimeField, SplitMix64, random_field, random_rationals};
use proptest::prelude::*;

fn any_case() -> impl Strategy<Value = Case> {
    let widths = (1..=7_usize, prop::collection::vec(1..=7_usize, 1..=4), 1..=4_usize);
    (widths, any::<bool>(), 1..=20_usize).prop_map(|((inputs, hidden, outputs), bias, samples)| {
        let widths = [vec![inputs], hidden, vec![outputs]].concat();
        Case { widths, bias, samples }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agop_is_the_mean_outer_product_of_input_derivatives(case in any_case(), seed in any::<u64>()) {
        field_problem(&case, Quadratic, seed).check_features();
        field_problem(&case, Linear, seed).check_features();
    }

    #[test]
    fn gradients_are_derivatives_of_the_loss(case in any_case(), seed in any::<u64>()) {
        let direction = random_field(&mut SplitMix64::new(!seed), case.parameters());
        field_problem(&case, Quadratic, seed).check_gradient(&direction);
        field_problem(&case, Linear, seed).check_gradient(&direction);
    }

    #[test]
    fn both_routes_give_the_traces_of_the_full_matrices(k in 1..=9_usize, d in 1..=9_usize, seed in any::<u64>()) {
        let mut rng = SplitMix64::new(seed);
        let w = Matrix::new(&random_field(&mut rng, k * d), d);
        check_traces(&w, &symmetric(random_field(&mut rng, k * k), k));
        let w = Matrix::new(&random_rationals(&mut rng, k * d), d);
        check_traces(&w, &symmetric(random_rationals(&mut rng, k * k), k));
    }
}

#[test]
fn seeded_networks_on_the_prime_field() {
    let mut rng = SplitMix64::new(0xa60b);
    for seed in 0..300 {
        let case = Case::random(&mut rng, 4, 7, 20);
        field_problem(&case, Quadratic, seed).check_features();
        let direction = random_field(&mut rng, case.parameters());
        field_problem(&case, Quadratic, seed).check_gradient(&direction);
    }
}

#[test]
fn every_single_partial_derivative_of_small_networks() {
    let mut rng = SplitMix64::new(0x51);
    for seed in 0..30 {
        let case = Case::random(&mut rng, 3, 4, 5);
        let problem = field_problem(&case, Quadratic, seed);
        let n = case.parameters();
        let (_, gradient) = problem.gradient();
        for (at, partial) in gradient.iter().enumerate() {
            let (loss, _) = problem.along(&unit(n, at)).gradient();
            assert_eq!(loss.derivative, *partial, "parameter {at} of {case:?}");
        }
    }
}

/// Gradients of gradients: `u^T H v = v^T H u`, with `H v` the derivative of the gradient along v.
#[test]
fn the_derivative_of_the_gradient_is_symmetric() {
    let mut rng = SplitMix64::new(0x4e55);
    for seed in 0..40 {
        let case = Case::random(&mut rng, 4, 6, 8);
        let problem = field_problem(&case, Quadratic, seed);
        let (u, v) = (random_field(&mut rng, case.parameters()), random_field(&mut rng, case.parameters()));
        let product = |u: &[PrimeField], v: &[PrimeField]| {
            let hessian_v = derivatives(&problem.along(v).gradient().1);
            u.iter().zip(&hessian_v).fold(PrimeField::zero(), |sum, (a, b)| sum + *a * *b)
        };
        assert_eq!(product(&u, &v), product(&v, &u), "{case:?}");
        assert_ne!(product(&u, &v), product(&u, &u), "{case:?}");
    }
}

/// 700 samples are three blocks: two threads, the tree, and the mean.
#[test]
fn sums_over_several_blocks_are_the_same_sums() {
    for bias in [false, true] {
        let case = Case { widths: vec![3, 4, 2, 2], bias, samples: 700 };
        let problem = field_problem(&case, Quadratic, 700);
        problem.check_features();
        problem.check_gradient(&random_field(&mut SplitMix64::new(701), case.parameters()));
    }
}

/// `tr(F G)` and `tr(G^2)` over `W = W_0 + Wbar` and `K = K_0 + (K - K_0)`: the sum over all choices of parts is the
/// whole, and the choice of the centred part everywhere is what the traces of the centred pair give.
#[test]
fn centred_parts_add_up_to_the_whole() {
    let mut rng = SplitMix64::new(0xce);
    for _ in 0..40 {
        let (k, d) = (rng.between(1, 6) as usize, rng.between(1, 6) as usize);
        let mut matrix = || Matrix::new(&random_field(&mut rng, k * d), d);
        let (w, w_0) = (matrix(), matrix());
        let (ptk, ptk_0) =
            (symmetric(random_field(&mut rng, k * k), k), symmetric(random_field(&mut rng, k * k), k));
        let parts = [w_0.clone(), w.minus(&w_0)];
        let ptk_parts = [ptk_0.clone(), ptk.minus(&ptk_0)];
        let f = |a: usize, b: usize| parts[a].t().times(&parts[b]);
        let g = |a: usize, b: usize, c: usize| parts[a].t().times(&ptk_parts[c]).times(&parts[b]);
        let zero = PrimeField::zero();
        let (mut fg, mut gg) = (zero, zero);
        for choice in 0..32_usize {
            let bit = |i: usize| choice >> i & 1;
            fg = fg + f(bit(0), bit(1)).inner(&g(bit(2), bit(3), bit(4)));
        }
        for choice in 0..64_usize {
            let bit = |i: usize| choice >> i & 1;
            gg = gg + g(bit(0), bit(1), bit(2)).inner(&g(bit(3), bit(4), bit(5)));
        }
        for route in [Route::Gram, Route::Direct] {
            let whole = traces_by(&w, &ptk, route);
            assert_eq!((whole.fg, whole.gg), (fg, gg));
            let centred = traces_by(&parts[1], &ptk, route);
            assert_eq!(centred.fg, f(1, 1).inner(&g(1, 1, 0)) + f(1, 1).inner(&g(1, 1, 1)));
            let double = traces_by(&parts[1], &ptk_parts[1], route);
            assert_eq!((double.fg, double.gg), (f(1, 1).inner(&g(1, 1, 1)), g(1, 1, 1).inner(&g(1, 1, 1))));
        }
        let mut out = vec![zero; d * d];
        let elements = w.elements();
        nfm(Definition, MatRef::new(&elements, k, d).unwrap(), MatMut::new(&mut out, d, d).unwrap()).unwrap();
        let sum = |i: usize| (0..4).fold(zero, |sum, c| sum + f(c & 1, c >> 1).elements()[i]);
        assert!((0..d * d).all(|i| out[i] == sum(i)));
    }
}

/// Control: the identities are not true of everything. With an asymmetric K the transposed product, the mirrored
/// triangle and the two routes all differ; products that only associate differently do not.
#[test]
fn an_asymmetric_middle_matrix_is_told_apart() {
    let mut rng = SplitMix64::new(0xa5);
    for _ in 0..50 {
        let (k, d) = (rng.between(2, 7) as usize, rng.between(2, 7) as usize);
        let w = Matrix::new(&random_field(&mut rng, k * d), d);
        let asymmetric = Matrix::new(&random_field(&mut rng, k * k), k);
        let product = w.t().times(&asymmetric).times(&w);
        assert_eq!(product, w.t().times(&asymmetric.times(&w)));
        assert_ne!(product, w.t().times(&asymmetric.t()).times(&w));
        assert_ne!(agop_of(&w, &asymmetric), product);
        assert_ne!(traces_by(&w, &asymmetric, Route::Gram).gg, w.traces(&asymmetric).gg);
        // One wrong entry, on both sides of the diagonal, in each of the five traces but those of F alone.
        let ptk = symmetric(random_field(&mut rng, k * k), k);
        let mut wrong = ptk.clone();
        wrong.0[0][1] = wrong.0[0][1] + PrimeField::one();
        wrong.0[1][0] = wrong.0[0][1];
        let (right, wrong) = (w.traces(&ptk), traces_by(&w, &wrong, Route::Gram));
        assert_eq!((right.ff, right.f_sum), (wrong.ff, wrong.f_sum));
        assert!(right.fg != wrong.fg && right.gg != wrong.gg && right.g_sum != wrong.g_sum);
    }
}
