//! The quadratic network: pairings against literal Gaussian moments, leading order, the network's own traces, fixtures.

use crate::support::{Exact, Problem, assert_relative, exact_cases, matrix, numbers, scale_rows, words};
use agop_core::activation::Quadratic;
use agop_core::correlation::{Route, traces};
use agop_core::early_time::quadratic::{
    QuadraticTraces, Readout, expected_traces, observed_traces, statistics, statistics_workspace,
};
use agop_core::feature::ptk_of_layer;
use agop_core::kernel::Definition;
use agop_core::network::weights;
use agop_core::scalar::Scalar;
use agop_core::simd::Level;
use agop_tests::literal::Matrix;
use agop_tests::{SplitMix64, random_field};

fn random_symmetric(rng: &mut SplitMix64, d: usize) -> Vec<Exact> {
    let mut m = random_field(rng, d * d);
    for i in 0..d {
        for j in 0..i {
            m[i * d + j] = m[j * d + i];
        }
    }
    m
}

/// `(e - 1)!!` for even e, 0 for odd e: the moment of a standard normal.
fn moment(e: usize) -> i64 {
    if e % 2 == 1 { 0 } else { (1..e as i64).step_by(2).product() }
}

/// All tuples of `length` numbers below `bound`.
fn tuples(length: usize, bound: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..bound.pow(length as u32)).map(move |mut code| {
        let digit = |_| {
            let digit = code % bound;
            code /= bound;
            digit
        };
        (0..length).map(digit).collect()
    })
}

/// `E a_unit^(2 times)`.
type Law<'f> = &'f dyn Fn(usize, usize) -> Exact;

/// `E tr(M C_1 .. M C_p)` by multiplying the trace out: every index sum written down, every Gaussian moment by counting
/// how often each variable occurs. No pairings.
fn literal_moment(chain: &[&[Exact]], d: usize, k: usize, readout: Law<'_>) -> Exact {
    let p = chain.len();
    let mut total = Exact::zero();
    for units in tuples(p, k) {
        let factor = (0..k).fold(Exact::one(), |product, unit| {
            product * readout(unit, units.iter().filter(|u| **u == unit).count())
        });
        for index in tuples(2 * p, d) {
            let mut counts = vec![0; k * d];
            for (slot, i) in index.iter().enumerate() {
                counts[units[slot / 2] * d + i] += 1;
            }
            let gaussian: i64 = counts.iter().map(|e| moment(*e)).product();
            if gaussian != 0 {
                let data = (0..p).fold(Exact::one(), |product, j| {
                    product * chain[j][index[2 * j + 1] * d + index[(2 * j + 2) % (2 * p)]]
                });
                total = total + factor * data * Exact::from_integer(gaussian);
            }
        }
    }
    total
}

/// Why: both sides are the same Gaussian integral; the left one by pairings and looked-up words, the right one by
/// expanding all indices. Equality at random points of the field is an identity of polynomials in P, B and a.
#[test]
fn pairings_give_the_moments_of_the_multiplied_out_trace() {
    let mut rng = SplitMix64::new(23);
    for (k, d) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (2, 3), (4, 1)] {
        let (p, b) = (random_symmetric(&mut rng, d), random_symmetric(&mut rng, d));
        let a = random_field(&mut rng, k);
        let (p, b) = (p.as_slice(), b.as_slice());
        let given = |unit: usize, times: usize| a[unit].power(2 * times as u64);
        let gaussian = |_: usize, times: usize| Exact::from_integer(moment(2 * times));
        let sign = |_: usize, _: usize| Exact::one();
        let units = k as u32;
        let all: [(Readout<'_, Exact>, Law<'_>); 3] = [
            (Readout::Given(&a), &given),
            (Readout::Gaussian { units }, &gaussian),
            (Readout::Sign { units }, &sign),
        ];
        for (readout, law) in all {
            let found = expected_traces(&words(p, b, d), readout);
            assert_eq!(found.ff.exact, literal_moment(&[p, p], d, k, law), "ff {k} {d} {readout:?}");
            assert_eq!(found.fg.exact, literal_moment(&[p, b, p], d, k, law), "fg {k} {d} {readout:?}");
            assert_eq!(found.gg.exact, literal_moment(&[b, p, b, p], d, k, law), "gg {k} {d} {readout:?}");
        }
    }
}

/// The leading order by another road: non-crossing partitions with Kreweras complements, as permutations.
#[test]
fn the_leading_order_is_the_sum_over_non_crossing_partitions() {
    let mut rng = SplitMix64::new(29);
    let (k, d) = (5, 3);
    let (p, b) = (random_symmetric(&mut rng, d), random_symmetric(&mut rng, d));
    let a = random_field(&mut rng, k);
    let power_sum = |m: usize| a.iter().fold(Exact::zero(), |sum, a| sum + a.power(2 * m as u64));
    let cycles = |of: &[usize]| {
        let mut seen = vec![false; of.len()];
        let mut all: Vec<Vec<usize>> = Vec::new();
        for start in 0..of.len() {
            let (mut cycle, mut at) = (Vec::new(), start);
            while !seen[at] {
                seen[at] = true;
                cycle.push(at);
                at = of[at];
            }
            if !cycle.is_empty() {
                all.push(cycle);
            }
        }
        all
    };
    let found = expected_traces(&words(&p, &b, d), Readout::Given(&a));
    let leading = [&found.ff.leading, &found.fg.leading, &found.gg.leading];
    let chains: [&[&[Exact]]; 3] = [&[&p, &p], &[&p, &b, &p], &[&b, &p, &b, &p]];
    for (chain, found) in chains.into_iter().zip(leading) {
        let size = chain.len();
        let (mut sum, mut count) = (Exact::zero(), 0);
        for alpha in tuples(size, size).filter(|t| (0..size).all(|i| t.contains(&i))) {
            // alpha^-1 after the full cycle: what the chain's matrices go round.
            let inverse = |j: usize| alpha.iter().position(|image| *image == j).unwrap();
            let complement: Vec<usize> = (0..size).map(|i| inverse((i + 1) % size)).collect();
            let (blocks, rounds) = (cycles(&alpha), cycles(&complement));
            if blocks.len() + rounds.len() != size + 1 {
                continue;
            }
            count += 1;
            let mut term =
                blocks.iter().fold(Exact::one(), |product, block| product * power_sum(block.len()));
            for round in rounds {
                let product =
                    round.iter().map(|j| Matrix::new(chain[*j], d)).reduce(|x, y| x.times(&y)).unwrap();
                term = term * (0..d).fold(Exact::zero(), |sum, i| sum + product.0[i][i]);
            }
            sum = sum + term;
        }
        assert_eq!(count, [2, 5, 14][size - 2]);
        assert_eq!(*found, sum, "{size}");
    }
}

/// Why: F and G of the quadratic network are these words in M, P and B up to constants: `(2/n)^4` and one `4/n` for each G.
#[test]
fn the_three_traces_are_those_of_the_network() {
    let mut rng = SplitMix64::new(31);
    for (n, d, k) in [(1, 1, 1), (4, 3, 2), (3, 4, 5), (6, 2, 4)] {
        let problem = Problem::new(&[d, k, 1], Quadratic, n, |count| random_field(&mut rng, count));
        let labels = problem.y.clone();
        let problem = problem.with_residual_of_labels(Definition);
        let (gradient, features) = (problem.gradient(Definition), problem.features(Definition));
        let shape = problem.shape();
        let v = weights(&gradient, shape.layer(0).unwrap()).unwrap();
        let mut work = vec![Exact::zero(); Route::Direct.workspace(k, d)];
        let features = ptk_of_layer(shape, &features, 0).unwrap();
        let t = traces(Definition, v, features, Route::Direct, &mut work).unwrap();
        let x = Matrix::new(&problem.x, d);
        let yx = Matrix::new(&scale_rows(&problem.x, &labels), d);
        let (gram, s) = (x.t().times(&x).elements(), x.t().times(&yx));
        let squared = s.times(&s).elements();
        let (w, a) = problem.parameters.split_at(k * d);
        let aw = Matrix::new(&scale_rows(w, a), d);
        let mixture = aw.t().times(&aw).elements();
        let mut work = vec![Exact::zero(); 3 * d * d];
        let found = observed_traces(
            Definition,
            matrix(&mixture, d),
            matrix(&squared, d),
            matrix(&gram, d),
            &mut work,
        )
        .unwrap();
        let ratio = |a: i64| Exact::from_integer(a) / Exact::from_integer(n as i64);
        let (two, four) = (ratio(2).power(4), ratio(4));
        let expected = QuadraticTraces {
            ff: two * found.ff,
            fg: two * four * found.fg,
            gg: two * four * four * found.gg,
        };
        assert_eq!(QuadraticTraces { ff: t.ff, fg: t.fg, gg: t.gg }, expected, "{n} {d} {k}");
    }
}

#[test]
fn predictions_meet_the_oracle() {
    for (index, case) in exact_cases(include_str!("../../fixtures/cases/predictions.json")).iter().enumerate()
    {
        let (x, y, a) = (numbers(&case["x"]), numbers(&case["y"]), numbers(&case["readout"]));
        let expected = |key: &str| numbers(&case["quadratic"][key])[0];
        for level in Level::available() {
            let mut work = vec![0.0; statistics_workspace(x.len() / y.len())];
            let all = statistics(level, matrix(&x, y.len()), &y, &mut work).unwrap();
            let found = all.expect(Readout::Given(&a)).unwrap();
            let what = |key: &str| format!("case {index} {key} {}", level.name());
            assert_relative(&what("ff"), found.ff, expected("tr_f_f"), 1e-10);
            assert_relative(&what("fg"), found.fg, expected("tr_f_g"), 1e-10);
            assert_relative(&what("gg"), found.gg, expected("tr_g_g"), 1e-10);
            assert_relative(&what("rho"), found.rho.unwrap(), expected("rho"), 1e-10);
        }
    }
}
