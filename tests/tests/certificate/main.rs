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

mod edges;
mod families;
mod inputs;
mod layers;

use agop_core::correlation::{
    Certified, Correlation, Correlations, InputError, Powers, Route, Unbounded, Undefined, correlate,
    correlate_workspace,
};
use agop_core::matrix::MatRef;
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
