//! The error bounds of the correlations against exact arithmetic: not one value may lie further from the truth than
//! its bound says. Everything on the other side is integers; the square root is enclosed to 120 bits.
//! `CASES=20` tries twenty times as many pairs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop_core::correlation::{
    Certified, Correlation, Correlations, GivenErrors, InputError, LayerMeasure, Powers, Route, Unbounded,
    Undefined, correlate, correlate_workspace, measure_layer, measure_workspace,
};
use agop_core::matrix::MatRef;
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::literal::Matrix;
use agop_tests::{Rational, SplitMix64};
use num_bigint::{BigInt, Sign};
use num_rational::BigRational;
use num_traits::{Signed, Zero};

const U: f64 = f64::EPSILON / 2.0;
const ROUTES: [Route; 2] = [Route::Gram, Route::Direct];

/// Weights (k x d) and symmetric features (k x k).
#[derive(Clone, Debug)]
struct Pair {
    k: usize,
    d: usize,
    w: Vec<f64>,
    f: Vec<f64>,
}

impl Pair {
    fn correlate(&self, given: InputError, route: Route, powers: Powers) -> Correlations {
        let (w, f) = (MatRef::new(&self.w, self.k, self.d), MatRef::new(&self.f, self.k, self.k));
        let mut workspace = vec![f64::NAN; correlate_workspace(self.k, self.d, route)];
        correlate(Level::detect(), w.unwrap(), f.unwrap(), given, route, powers, &mut workspace).unwrap()
    }
    fn exact(&self) -> Exact {
        let ((w, w_unit), (f, f_unit)) = (integers(&[&self.w]), integers(&[&self.f]));
        Exact::new(&Matrix::new(&w[0], self.d), &Matrix::new(&f[0], self.k), 4 * w_unit + f_unit)
    }
    fn height(&self, route: Route) -> usize {
        let size = if route == Route::Gram { self.k } else { self.d };
        size + size.next_power_of_two().trailing_zeros() as usize
    }
}

/// Doubles as integers in one common unit `2^unit`.
fn integers(lists: &[&[f64]]) -> (Vec<Vec<BigInt>>, i32) {
    // x = mantissa 2^(exponent - 1075), subnormals having the exponent of the smallest normals.
    let exponent = |x: f64| ((x.to_bits() >> 52 & 0x7ff) as i32).max(1);
    let mantissa = |x: f64| {
        let hidden = if x.to_bits() >> 52 & 0x7ff == 0 { 0 } else { 1_i64 << 52 };
        let magnitude = (x.to_bits() & ((1 << 52) - 1)) as i64 | hidden;
        if x < 0.0 { -magnitude } else { magnitude }
    };
    let all = || lists.iter().flat_map(|list| list.iter()).filter(|x| **x != 0.0);
    let least = all().map(|x| exponent(*x)).min().unwrap_or(1);
    let integer = |x: &f64| {
        if *x == 0.0 { BigInt::zero() } else { BigInt::from(mantissa(*x)) << (exponent(*x) - least) as usize }
    };
    (lists.iter().map(|list| list.iter().map(integer).collect()).collect(), least - 1075)
}

/// `2^q`.
fn power_of_two(q: i32) -> Rational {
    let one = BigRational::from_integer(1.into());
    let power = BigRational::from_integer(BigInt::from(1) << q.unsigned_abs() as usize);
    Rational(if q < 0 { one / power } else { power })
}

/// An enclosure of a correlation, at most 2^-120 of it wide; `None` where a norm is zero.
type Enclosure = Option<(Rational, Rational)>;

fn enclose(ff: &BigInt, fg: &BigInt, gg: &BigInt) -> Enclosure {
    let square = ff * gg;
    assert!(!square.is_negative());
    if square.is_zero() {
        return None;
    }
    let shift = 128_u64.saturating_sub(square.bits() / 2) as usize;
    let root = (square << (2 * shift)).sqrt();
    let numerator = fg << shift;
    let (a, b) = (BigRational::new(numerator.clone(), root.clone()), BigRational::new(numerator, root + 1));
    Some(if fg.sign() == Sign::Minus { (Rational(a), Rational(b)) } else { (Rational(b), Rational(a)) })
}

/// The truth about one pair.
struct Exact {
    cosine: Enclosure,
    pearson: Enclosure,
    inner: Rational,
    /// `|W|^8 |K|^2`, in the units of `inner` squared.
    size: Rational,
    /// `|G|^2 / (|W|^4 |K|^2)`.
    gradient: f64,
    /// The smaller of `var F / |F|^2` and `var G / |G|^2`.
    variation: f64,
}

impl Exact {
    fn new(w: &Matrix<BigInt>, f: &Matrix<BigInt>, unit: i32) -> Self {
        let t = w.traces(f);
        let (d, square, features) = (w.0[0].len(), w.inner(w), f.inner(f));
        let entries = BigInt::from(d * d);
        let less = |product: &BigInt, x: &BigInt, y: &BigInt| product * &entries - x * y;
        let ff = less(&t.ff, &t.f_sum, &t.f_sum);
        let fg = less(&t.fg, &t.f_sum, &t.g_sum);
        let gg = less(&t.gg, &t.g_sum, &t.g_sum);
        let ratio = |a: &BigInt, b: BigInt| {
            if b.is_zero() { 0.0 } else { Rational(BigRational::new(a.clone(), b)).to_f64() }
        };
        let (f_part, g_part) = (ratio(&ff, &t.ff * &entries), ratio(&gg, &t.gg * &entries));
        Self {
            cosine: enclose(&t.ff, &t.fg, &t.gg),
            pearson: enclose(&ff, &fg, &gg),
            inner: Rational(BigRational::from_integer(t.fg)) * power_of_two(unit),
            gradient: ratio(&t.gg, &square * &square * &features),
            size: Rational(BigRational::from_integer(square.pow(4) * features)) * power_of_two(2 * unit),
            variation: if f_part < g_part { f_part } else { g_part },
        }
    }
}

/// The largest distance of `value` from the enclosure.
fn distance(value: f64, exact: &(Rational, Rational)) -> Rational {
    let value = Rational::from_f64(value).unwrap();
    let (below, above) = ((value.clone() - exact.0.clone()).abs(), (exact.1.clone() - value).abs());
    if below > above { below } else { above }
}

/// What a family of pairs showed.
#[derive(Default)]
struct Tally {
    /// bound / error and bound, where there is a bound.
    ratios: Vec<f64>,
    bounds: Vec<f64>,
    unbounded: usize,
    undefined: usize,
    violations: usize,
}

impl Tally {
    fn correlation(&mut self, found: Correlation, exact: &Enclosure, truth: &Exact) {
        match (found, exact) {
            (Ok(Certified { value, bound: Ok(bound) }), Some(exact)) => {
                assert!((-1.0..=1.0).contains(&value) && bound >= 0.0);
                let error = distance(value, exact);
                if error > Rational::from_f64(bound).unwrap() {
                    self.violations += 1;
                }
                self.ratios.push(bound / error.to_f64());
                self.bounds.push(bound);
            }
            // A bound for something that does not exist.
            (Ok(Certified { bound: Ok(_), .. }), None) => self.violations += 1,
            (Ok(Certified { value, bound: Err(reason) }), _) => {
                assert!((-1.0..=1.0).contains(&value));
                assert_eq!(reason, Unbounded::IllConditioned);
                self.unbounded += 1;
            }
            (Err(reason), exact) => {
                let rounding_may_hide_it = match reason {
                    Undefined::ZeroGradient => truth.gradient < 1e-13,
                    Undefined::ConstantEntries => truth.gradient < 1e-13 || truth.variation < 1e-12,
                    _ => false,
                };
                assert!(exact.is_none() || rounding_may_hide_it, "{reason:?}, {:e}", truth.variation);
                self.undefined += 1;
            }
        }
    }

    fn cosine_and_pearson(&mut self, found: &Correlations, truth: &Exact) {
        self.correlation(found.cosine, &truth.cosine, truth);
        self.correlation(found.pearson, &truth.pearson, truth);
    }

    /// Both correlations; and `|inner - tr(FG)| <= (2 d + 4 k + h + 6) u |W|^4 |K|`, from
    /// `|dM| <= g_d |W|^2`, `|dP| <= g_d |W|^2 |K| + g_k |M| |K|` and the dot's `g_h |M| |P|` (in the direct route `g_k |W|^2`
    /// and `2 sqrt2 g_k |W|^2 |K|`), with five roundings of inputs and half an ulp of the scaled result.
    fn pair(&mut self, pair: &Pair, found: &Correlations, truth: &Exact, route: Route) {
        self.cosine_and_pearson(found, truth);
        let largest = Rational::from_f64(f64::MAX).unwrap();
        if found.inner.is_infinite() {
            assert!(truth.inner.abs() > largest * Rational::from_f64(1.0 - 1e-12).unwrap());
            return;
        }
        let error = (Rational::from_f64(found.inner).unwrap() - truth.inner.clone()).abs();
        let factor = (2 * pair.d + 4 * pair.k + pair.height(route) + 6) as f64 * U;
        let factor = Rational::from_f64(factor).unwrap();
        let allowed = factor.clone() * factor * truth.size.clone();
        if error > power_of_two(-1073) && error.clone() * error > allowed {
            self.violations += 1;
        }
    }

    fn report(&mut self, name: &str) {
        self.ratios.sort_by(f64::total_cmp);
        self.bounds.sort_by(f64::total_cmp);
        let (ratio, bound) = (median(&self.ratios), median(&self.bounds));
        let least = self.ratios.first().copied().unwrap_or(f64::NAN);
        println!(
            "{name:32} {:6} bounds, median {bound:8.1e}, bound/error median {ratio:8.1e} least {least:8.1e}; \
             {} unbounded, {} undefined",
            self.ratios.len(),
            self.unbounded,
            self.undefined
        );
        assert_eq!(self.violations, 0, "{name}: bounds violated");
    }
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// That many cases, times `CASES`.
fn many(cases: usize) -> usize {
    cases * std::env::var("CASES").map_or(1, |factor| factor.parse().expect("CASES is a whole number"))
}

fn size(rng: &mut SplitMix64, most: i64) -> usize {
    rng.between(1, most) as usize
}

fn symmetric(draw: &[f64], n: usize) -> Vec<f64> {
    let at = |i: usize, j: usize| if i < j { i * n + j } else { j * n + i };
    (0..n * n).map(|p| draw[at(p / n, p % n)]).collect()
}

/// `sum_r s_r v_r v_r^T` over the rows of v, symmetric bit for bit.
fn outer(v: &[f64], s: &[f64], n: usize) -> Vec<f64> {
    let element = |i: usize, j: usize| v.chunks(n).zip(s).map(|(row, s)| s * (row[i] * row[j])).sum::<f64>();
    (0..n * n).map(|p| element(p / n, p % n)).collect()
}

/// `n` orthonormal rows of length `n`, up to rounding.
fn orthonormal(rng: &mut SplitMix64, n: usize) -> Vec<Vec<f64>> {
    let mut rows: Vec<Vec<f64>> = Vec::new();
    while rows.len() < n {
        let mut row = rng.normals(n);
        for _ in 0..2 {
            for other in &rows {
                let along: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
        }
        let norm = row.iter().map(|a| a * a).sum::<f64>().sqrt();
        if norm > 1e-3 {
            rows.push(row.iter().map(|a| a / norm).collect());
        }
    }
    rows
}

fn plain(rng: &mut SplitMix64, most: i64) -> Pair {
    let (k, d) = (size(rng, most), size(rng, most));
    let rows = size(rng, 2 * k as i64);
    let (w, j) = (rng.normals(k * d), rng.normals(rows * k));
    Pair { k, d, w, f: outer(&j, &vec![1.0 / rows as f64; rows], k) }
}

fn indefinite(rng: &mut SplitMix64) -> Pair {
    let pair = plain(rng, 8);
    let f = symmetric(&rng.normals(pair.k * pair.k), pair.k);
    Pair { f, ..pair }
}

/// `W = U S V^T` with singular values 1 and `small`, K on the left singular vectors of the small group.
fn two_groups(rng: &mut SplitMix64, small: f64) -> Pair {
    let k = rng.between(2, 8) as usize;
    let d = rng.between(2, 8) as usize;
    let rank = if k < d { k } else { d };
    let large = size(rng, rank as i64 - 1);
    let (u, v) = (orthonormal(rng, k), orthonormal(rng, d));
    let s = |r: usize| if r < large { 1.0 } else { small };
    let element = |i: usize, j: usize| (0..rank).map(|r| s(r) * (u[r][i] * v[r][j])).sum::<f64>();
    let w = (0..k * d).map(|p| element(p / d, p % d)).collect();
    let weights: Vec<f64> = (large..rank).map(|_| 1.0 + rng.symmetric() / 2.0).collect();
    Pair { k, d, w, f: outer(&u[large..rank].concat(), &weights, k) }
}

fn times(pair: &mut Pair, w: impl FnMut(f64) -> f64, f: f64) {
    pair.w = pair.w.iter().copied().map(w).collect();
    pair.f.iter_mut().for_each(|x| *x *= f);
}

fn power(exponent: i64) -> f64 {
    Rational::to_f64(&power_of_two(exponent as i32))
}

/// One factor for each matrix, from subnormal to huge.
fn badly_scaled(rng: &mut SplitMix64) -> Pair {
    let mut pair = if rng.below(2) == 0 { plain(rng, 8) } else { indefinite(rng) };
    let mut factor = || match rng.below(5) {
        0 => 1e-150,
        1 => 1e150,
        2 => 3e-320,
        3 => 1e300,
        _ => 1e-307,
    };
    let (w, f) = (factor(), factor());
    times(&mut pair, |x| x * w, f);
    pair
}

/// Entries of one matrix far apart: a factor for each row of W, matched in K or not.
fn graded(rng: &mut SplitMix64) -> Pair {
    let mut pair = plain(rng, 7);
    let spread = [4, 30, 300, 900][rng.below(4) as usize];
    let powers: Vec<f64> = (0..pair.k).map(|_| power(rng.between(-spread, 0))).collect();
    let matched = rng.below(2) == 0;
    for (i, p) in powers.iter().enumerate() {
        pair.w[i * pair.d..(i + 1) * pair.d].iter_mut().for_each(|x| *x *= p);
        for j in 0..pair.k {
            if matched {
                // Upper and lower triangle see the same two roundings.
                let (low, high) = if i < j { (i, j) } else { (j, i) };
                pair.f[i * pair.k + j] = pair.f[i * pair.k + j] * powers[low] * powers[high];
            }
        }
    }
    pair
}

/// Columns of W that differ by `noise` only, so that all entries of F and of G are nearly equal.
fn nearly_constant(rng: &mut SplitMix64) -> Pair {
    let mut pair = plain(rng, 8);
    let noise = [0.1, 1e-3, 1e-6, 1e-9, 1e-14][rng.below(5) as usize];
    for row in pair.w.chunks_mut(pair.d) {
        let common = row[0];
        row.iter_mut().for_each(|x| *x = common + noise * *x);
    }
    pair
}

fn rank_one(rng: &mut SplitMix64) -> Pair {
    let (k, d) = (size(rng, 8), size(rng, 8));
    let (a, b, v) = (rng.normals(k), rng.normals(d), rng.normals(k));
    let w = (0..k * d).map(|p| a[p / d] * b[p % d]).collect();
    let sign = if rng.below(4) == 0 { -1.0 } else { 1.0 };
    Pair { k, d, w, f: outer(&v, &[sign], k) }
}

fn thin(rng: &mut SplitMix64) -> Pair {
    let n = size(rng, 8);
    let (k, d) = if rng.below(2) == 0 { (1, n) } else { (n, 1) };
    Pair { k, d, w: rng.normals(k * d), f: symmetric(&rng.normals(k * k), k) }
}

/// Small integers with many zeros: exact cancellations, and gradients that vanish.
fn sparse(rng: &mut SplitMix64) -> Pair {
    let (k, d) = (size(rng, 8), size(rng, 8));
    let mut draw =
        |n: usize| (0..n).map(|_| (rng.between(-3, 3) * rng.between(0, 1)) as f64).collect::<Vec<_>>();
    let (w, f) = (draw(k * d), draw(k * k));
    Pair { k, d, w, f: symmetric(&f, k) }
}

/// Nearly orthogonal rows of one length and K near the identity: correlations near one.
fn aligned(rng: &mut SplitMix64) -> Pair {
    let n = size(rng, 8);
    let noise = [0.0, 1e-12, 1e-6, 1e-3][rng.below(4) as usize];
    let w = orthonormal(rng, n).concat().iter().map(|x| x + noise * rng.normal()).collect();
    let mut f = symmetric(&rng.normals(n * n).iter().map(|x| noise * x).collect::<Vec<_>>(), n);
    (0..n).for_each(|i| f[i * n + i] += 1.0);
    Pair { k: n, d: n, w, f }
}

type Draw = fn(&mut SplitMix64) -> Pair;
type Family = (&'static str, usize, Draw);

const FAMILIES: [Family; 11] = [
    ("plain", 500, |rng| plain(rng, 8)),
    ("plain, up to 24", 25, |rng| plain(rng, 24)),
    ("indefinite K", 500, indefinite),
    ("badly scaled", 500, badly_scaled),
    ("graded rows", 500, graded),
    ("nearly constant", 500, nearly_constant),
    ("rank one", 400, rank_one),
    ("one row or one column", 400, thin),
    ("sparse integers", 500, sparse),
    ("aligned", 400, aligned),
    ("two groups, 1 and 1e-2", 300, |rng| two_groups(rng, 1e-2)),
];

#[test]
fn no_value_is_further_from_the_truth_than_its_bound() {
    for (seed, (name, cases, draw)) in FAMILIES.into_iter().enumerate() {
        let mut rng = SplitMix64::new(seed as u64);
        for route in ROUTES {
            let mut tally = Tally::default();
            for _ in 0..many(cases) {
                let pair = draw(&mut rng);
                tally.pair(
                    &pair,
                    &pair.correlate(InputError::default(), route, Powers::One),
                    &pair.exact(),
                    route,
                );
            }
            tally.report(&format!("{name}, {route:?}"));
            if name.starts_with("plain") || name == "indefinite K" {
                assert!(
                    tally.unbounded == 0 && median(&tally.bounds) < 1e-12,
                    "{name}: bounds that say nothing"
                );
            }
        }
    }
}

/// The bound that knows only the three dots: `2 g / (1 - g) + 5 u`, `g = (h+1) u / (1 - (h+1) u)`.
fn naive(height: usize) -> f64 {
    let nu = (height + 1) as f64 * U;
    let g = nu / (1.0 - nu);
    2.0 * g / (1.0 - g) + 5.0 * U
}

/// K on the small singular values of W: the products lose what the dots then compare. The certificate holds; the
/// control, a bound for the dots alone, is wrong by orders of magnitude.
#[test]
fn ill_conditioned_pairs_break_the_naive_bound_and_not_the_certificate() {
    for (seed, small) in [1e-4, 1e-5, 1e-6, 1e-7, 1e-8].into_iter().enumerate() {
        for route in ROUTES {
            let mut rng = SplitMix64::new(0x2900 + seed as u64);
            let mut tally = Tally::default();
            let mut excess = Vec::new();
            for _ in 0..many(400) {
                let pair = two_groups(&mut rng, small);
                let (found, exact) =
                    (pair.correlate(InputError::default(), route, Powers::One), pair.exact());
                tally.pair(&pair, &found, &exact, route);
                if let (Ok(cosine), Some(truth)) = (found.cosine, &exact.cosine) {
                    excess.push(distance(cosine.value, truth).to_f64() / naive(pair.height(route)));
                }
            }
            tally.report(&format!("two groups, 1 and {small:.0e}, {route:?}"));
            excess.sort_by(f64::total_cmp);
            let violations = excess.iter().filter(|x| **x > 1.0).count();
            println!(
                "    naive bound violated {violations} of {} times, by a factor of {:.1e} at the median and {:.1e} at most",
                excess.len(),
                median(&excess),
                excess.last().unwrap()
            );
            assert!(violations * 20 > excess.len() * 19 && median(&excess) > 1e4);
            assert!(small < 1e-5 || tally.unbounded * 50 < tally.ratios.len(), "there is a bound to be had");
        }
    }
    // Where nothing cancels, the dots alone are most of it.
    let mut rng = SplitMix64::new(0x29ff);
    let mut violations = 0;
    for _ in 0..400 {
        let pair = plain(&mut rng, 8);
        let found = pair.correlate(InputError::default(), Route::Gram, Powers::One).cosine.unwrap();
        let error = distance(found.value, pair.exact().cosine.as_ref().unwrap()).to_f64();
        violations += usize::from(error > naive(pair.height(Route::Gram)));
    }
    println!("naive bound violated {violations} of 400 times by plain pairs");
    assert!(violations < 4);
}

/// The matrix with an error of norm at most `0.9 e` times its own, in one of three directions.
fn disturbed(rng: &mut SplitMix64, m: &[f64], columns: usize, e: f64, keep_symmetric: bool) -> Vec<f64> {
    let mut error = vec![0.0; m.len()];
    match rng.below(3) {
        0 => error = rng.normals(m.len()),
        1 => error[rng.below(m.len() as u64) as usize] = 1.0,
        _ => {
            let row = rng.below((m.len() / columns) as u64) as usize * columns;
            error[row..row + columns].copy_from_slice(&m[row..row + columns]);
        }
    }
    if keep_symmetric {
        error = symmetric(&error, columns);
    }
    let norm = |m: &[f64]| m.iter().map(|x| x * x).sum::<f64>().sqrt();
    let scale = if norm(&error) > 0.0 { 0.9 * e * norm(m) / norm(&error) } else { 0.0 };
    m.iter().zip(&error).map(|(x, error)| x + scale * error).collect()
}

/// Matrices that are themselves off by a stated relative error: the bound covers that. Controls: the bound for
/// exact matrices does not, and neither factor's error hides behind the other's.
#[test]
fn stated_errors_of_the_inputs_are_covered() {
    let families: [(&str, Draw); 3] = [
        ("plain", |rng| plain(rng, 6)),
        ("nearly constant", nearly_constant),
        ("two groups, 1 and 0.1", |rng| two_groups(rng, 0.1)),
    ];
    for (name, draw) in families {
        for (e_w, e_f) in [(1e-3, 0.0), (0.0, 1e-3), (1e-7, 1e-7), (1e-10, 0.0), (0.0, 1e-10)] {
            let mut rng = SplitMix64::new(0xd157);
            let (mut tally, mut control) = (Tally::default(), Tally::default());
            for case in 0..many(200) {
                let pair = draw(&mut rng);
                let route = ROUTES[case % 2];
                let w = disturbed(&mut rng, &pair.w, pair.d, e_w, false);
                let f = disturbed(&mut rng, &pair.f, pair.k, e_f, true);
                let (given, exact) = (Pair { w, f, ..pair.clone() }, pair.exact());
                let stated = InputError { weights: e_w, features: e_f, computed: 0.0 };
                let found = given.correlate(stated, route, Powers::One);
                tally.cosine_and_pearson(&found, &exact);
                control
                    .cosine_and_pearson(&given.correlate(InputError::default(), route, Powers::One), &exact);
            }
            println!("    bounds for exact matrices: violated {} times", control.violations);
            assert!(control.violations >= 10, "{name}: errors {e_w:e}, {e_f:e} go unnoticed");
            tally.report(&format!("{name}, off by {e_w:.0e}, {e_f:.0e}"));
        }
    }
}

/// A layer and its initialisation in any precision.
struct Layer<T> {
    k: usize,
    d: usize,
    w: Vec<T>,
    w_0: Vec<T>,
    f: Vec<T>,
    f_0: Vec<T>,
}

impl<T: Real> Layer<T> {
    /// Differences of every size beside what they are taken from, so that they are rounded.
    fn random(rng: &mut SplitMix64) -> Self {
        let pair = plain(rng, 8);
        let (k, d) = (pair.k, pair.d);
        let mut near = |m: &[f64], other: Vec<f64>| -> Vec<f64> {
            let (keep, add) = (rng.below(2) as f64, [1e-6, 0.01, 0.3, 1.0, 30.0][rng.below(5) as usize]);
            m.iter().zip(other).map(|(x, y)| keep * x + add * y).collect()
        };
        let mut other = SplitMix64::new(pair.w[0].to_bits());
        let w_0 = near(&pair.w, other.normals(k * d));
        let f_0 = near(&pair.f, symmetric(&other.normals(k * k), k));
        let scale = [1.0, 1e-15, 1e12][rng.below(3) as usize];
        let cast = |m: &[f64]| m.iter().map(|x| T::from_f64(x * scale)).collect();
        Self { k, d, w: cast(&pair.w), w_0: cast(&w_0), f: cast(&pair.f), f_0: cast(&f_0) }
    }

    fn measure(&self, powers: Powers) -> LayerMeasure {
        let (k, d) = (self.k, self.d);
        let mut workspace = vec![f64::NAN; measure_workspace(k, d)];
        let (w, w_0) = (MatRef::new(&self.w, k, d).unwrap(), MatRef::new(&self.w_0, k, d).unwrap());
        let (f, f_0) = (MatRef::new(&self.f, k, k).unwrap(), MatRef::new(&self.f_0, k, k).unwrap());
        measure_layer(Level::detect(), w, w_0, f, f_0, GivenErrors::default(), powers, &mut workspace)
            .unwrap()
    }
}

fn wide<T: Real>(m: &[T]) -> Vec<f64> {
    m.iter().map(|x| x.to_f64()).collect()
}

fn check_measures<T: Real>() {
    let mut rng = SplitMix64::new(0x3ea5);
    let mut tallies: [Tally; 4] = std::array::from_fn(|_| Tally::default());
    for _ in 0..many(500) {
        let layer = Layer::<T>::random(&mut rng);
        let (k, d, measured) = (layer.k, layer.d, layer.measure(Powers::One));
        let (w, w_0, f, f_0) = (wide(&layer.w), wide(&layer.w_0), wide(&layer.f), wide(&layer.f_0));
        let (weights, w_unit) = integers(&[&w, &w_0]);
        let (features, f_unit) = integers(&[&f, &f_0]);
        let matrix = |m: &[Vec<BigInt>], at: usize, columns: usize| Matrix::new(&m[at], columns);
        let (exact_w, exact_f) = (matrix(&weights, 0, d), matrix(&features, 0, k));
        let (bar, f_bar) = (exact_w.minus(&matrix(&weights, 1, d)), exact_f.minus(&matrix(&features, 1, k)));
        let unit = 4 * w_unit + f_unit;
        let truths = [
            Exact::new(&exact_w, &exact_f, unit),
            Exact::new(&bar, &exact_f, unit),
            Exact::new(&bar, &f_bar, unit),
        ];
        let pair = Pair { k, d, w: w.clone(), f: f.clone() };
        let route = Route::cheaper(k, d);
        for ((tally, found), truth) in tallies
            .iter_mut()
            .zip([measured.uncentered, measured.centered, measured.double_centered])
            .zip(&truths)
        {
            tally.pair(&pair, &found, truth, route);
        }
        // The stated errors are those of one rounding, which the other roundings would hide if they were forgotten.
        let less = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        let rounded = Pair { k, d, w: less(&w, &w_0), f: less(&f, &f_0) };
        let centred = Pair { f: f.clone(), ..rounded.clone() };
        let one = InputError { weights: U, ..InputError::default() };
        let both = InputError { weights: U, features: U, computed: 0.0 };
        assert_eq!(measured.uncentered, pair.correlate(InputError::default(), route, Powers::One));
        assert_eq!(measured.centered, centred.correlate(one, route, Powers::One));
        let double = rounded.correlate(both, route, Powers::One);
        assert_eq!(
            (measured.double_centered.cosine, measured.double_centered.pearson),
            (double.cosine, double.pearson)
        );
        assert_eq!(measured.double_centered.inner, double.inner);
        for route in ROUTES {
            tallies[3].pair(&rounded, &rounded.correlate(both, route, Powers::One), &truths[2], route);
        }
        // |W - W_0| / |W|: two dots of height h, two roots, a quotient.
        let squared = BigRational::new(bar.inner(&bar), exact_w.inner(&exact_w));
        let found = Rational::from_f64(measured.relative_change.unwrap()).unwrap();
        let off = (found.clone() * found - Rational(squared.clone())).abs();
        let height = k + d.next_power_of_two().trailing_zeros() as usize;
        assert!(off <= Rational(squared) * Rational::from_f64((2 * height + 8) as f64 * U).unwrap());
    }
    for (tally, name) in tallies.iter_mut().zip(["uncentred", "centred", "double-centred", "both routes"]) {
        tally.report(&format!("{} layers, {name}", T::NAME));
    }
}

#[test]
fn measures_of_layers_with_rounded_differences() {
    check_measures::<f64>();
    check_measures::<f32>();
}

/// Powers of two change no bit of a correlation or of its bound. Control: a factor of three does.
#[test]
fn powers_of_two_change_no_bit() {
    let mut rng = SplitMix64::new(0x2f);
    let mut moved = 0;
    for _ in 0..200 {
        let pair = two_groups(&mut rng, 0.01);
        for route in ROUTES {
            let found = pair.correlate(InputError::default(), route, Powers::OneAndHalf);
            let (a, b) = (rng.between(-400, 400), rng.between(-400, 400));
            let mut scaled = pair.clone();
            times(&mut scaled, |x| x * power(a), power(b));
            let again = scaled.correlate(InputError::default(), route, Powers::OneAndHalf);
            assert_eq!(Correlations { inner: 0.0, ..found }, Correlations { inner: 0.0, ..again });
            let (a, b) = (rng.between(-100, 100), rng.between(-200, 200));
            let mut scaled = pair.clone();
            times(&mut scaled, |x| x * power(a), power(b));
            let again = scaled.correlate(InputError::default(), route, Powers::One);
            assert_eq!(again.inner, found.inner * power(4 * a + b));
            times(&mut scaled, |x| x * 3.0, 1.0);
            moved += usize::from(
                scaled.correlate(InputError::default(), route, Powers::One).cosine != found.cosine,
            );
        }
    }
    assert!(moved > 350, "{moved} of 400");
}

#[test]
fn what_is_undefined_says_why() {
    let pair = |k: usize, d: usize, w: &[f64], f: &[f64]| Pair { k, d, w: w.to_vec(), f: f.to_vec() };
    let all = |c: Correlations| [c.cosine, c.pearson, c.cosine_sqrt, c.pearson_sqrt];
    for route in ROUTES {
        let on = |p: &Pair| p.correlate(InputError::default(), route, Powers::OneAndHalf);
        let zero_weights = on(&pair(2, 3, &[0.0, -0.0, 0.0, 0.0, 0.0, 0.0], &[1.0, 0.0, 0.0, 2.0]));
        assert_eq!(all(zero_weights), [Err(Undefined::ZeroWeights); 4]);
        let zero_features = on(&pair(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 7.0], &[0.0; 4]));
        assert_eq!(all(zero_features), [Err(Undefined::ZeroGradient); 4]);
        assert_eq!(zero_features.inner.to_bits(), 0);
        // K on a row of W that is zero, and on a combination of equal rows that cancels.
        let dead_row = on(&pair(2, 2, &[1.0, 2.0, 0.0, 0.0], &[0.0, 0.0, 0.0, 5.0]));
        assert_eq!(all(dead_row), [Err(Undefined::ZeroGradient); 4]);
        let cancelled = on(&pair(2, 2, &[1.0, 2.0, 1.0, 2.0], &[1.0, -1.0, -1.0, 1.0]));
        assert_eq!(all(cancelled), [Err(Undefined::ZeroGradient); 4]);
        // One column: the only entry is its own mean. Equal columns: all entries are equal.
        let column = on(&pair(3, 1, &[0.3, -1.7, 2.9], &[2.0, 0.5, 0.1, 0.5, 3.0, 0.7, 0.1, 0.7, 4.0]));
        assert_eq!(
            (column.pearson, column.pearson_sqrt),
            (Err(Undefined::ConstantEntries), Err(Undefined::ConstantEntries))
        );
        let one = column.cosine.unwrap();
        assert!((one.value - 1.0).abs() <= one.bound.unwrap());
        let equal = on(&pair(2, 3, &[0.1, 0.1, 0.1, 0.7, 0.7, 0.7], &[2.0, 0.5, 0.5, 3.0]));
        assert_eq!(
            (equal.pearson, equal.pearson_sqrt),
            (Err(Undefined::ConstantEntries), Err(Undefined::ConstantEntries))
        );
        assert!(equal.cosine.is_ok());
        let indefinite = on(&pair(2, 2, &[1.0, 0.3, 0.2, 1.0], &[1.0, 0.0, 0.0, -1.0]));
        assert_eq!(
            (indefinite.cosine_sqrt, indefinite.pearson_sqrt),
            (Err(Undefined::Indefinite), Err(Undefined::Indefinite))
        );
        assert!(indefinite.cosine.unwrap().bound.is_ok() && indefinite.pearson.unwrap().bound.is_ok());
        let definite = pair(2, 2, &[1.0, 0.3, 0.2, 1.0], &[2.0, 0.5, 0.5, 1.0]);
        let found = on(&definite);
        assert_eq!(found.cosine_sqrt.unwrap().bound, Err(Unbounded::NotComputed));
        assert_eq!(found.pearson_sqrt.unwrap().bound, Err(Unbounded::NotComputed));
        let one_power = definite.correlate(InputError::default(), route, Powers::One);
        assert_eq!((one_power.cosine, one_power.pearson), (found.cosine, found.pearson));
        assert_eq!(one_power.cosine_sqrt, Err(Undefined::NotComputed));
        assert_eq!(one_power.pearson_sqrt, Err(Undefined::NotComputed));
    }
}

#[test]
fn undefined_measures_of_a_layer() {
    let all = |c: Correlations| [c.cosine, c.pearson, c.cosine_sqrt, c.pearson_sqrt];
    let f = vec![2.0, 0.5, 0.5, 1.0];
    let (w, zero) = (vec![1.0, 0.3, 0.2, 1.0, -0.4, 0.9], vec![0.0; 6]);
    let layer = |w: &[f64], w_0: &[f64], f_0: &[f64]| {
        let layer = Layer { k: 2, d: 3, w: w.to_vec(), w_0: w_0.to_vec(), f: f.clone(), f_0: f_0.to_vec() };
        layer.measure(Powers::OneAndHalf)
    };
    let untouched = layer(&w, &w, &f);
    assert_eq!(untouched.relative_change, Ok(0.0));
    assert!(all(untouched.uncentered).iter().all(Result::is_ok));
    assert_eq!(all(untouched.centered), [Err(Undefined::ZeroWeights); 4]);
    assert_eq!(all(untouched.double_centered), [Err(Undefined::ZeroWeights); 4]);
    let same_features = layer(&w, &zero, &f);
    assert_eq!(same_features.relative_change, Ok(1.0));
    assert_eq!(all(same_features.double_centered), [Err(Undefined::ZeroGradient); 4]);
    assert_eq!(same_features.centered.cosine.unwrap().value, same_features.uncentered.cosine.unwrap().value);
    let moved = layer(&w, &zero, &[1.0, 0.0, 0.0, 3.0]);
    assert_eq!(all(moved.double_centered)[2..], [Err(Undefined::Indefinite); 2]);
    assert!(moved.double_centered.cosine.unwrap().bound.is_ok());
    let vanished = layer(&zero, &w, &f);
    assert_eq!(vanished.relative_change, Err(Undefined::ZeroWeights));
    assert_eq!(all(vanished.uncentered), [Err(Undefined::ZeroWeights); 4]);
    assert!(vanished.centered.cosine.is_ok());
    // Squares of entries beyond the range of doubles: neither zero, nor infinite, nor NaN.
    let half: Vec<f64> = w.iter().map(|x| x / 2.0).collect();
    for exponent in [-1000, -600, 600, 1000] {
        let scaled = |m: &[f64]| m.iter().map(|x| x * power(exponent)).collect::<Vec<_>>();
        assert_eq!(layer(&scaled(&w), &scaled(&half), &f).relative_change, Ok(0.5), "2^{exponent}");
    }
}
