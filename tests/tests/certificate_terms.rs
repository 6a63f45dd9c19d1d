//! The certificate's formula evaluated a second time, with 640 fraction bits, and compared from both sides: a printed bound
//! is not below the formula, or a rounding went inward, and above it by no more than its own roundings, or a term changed.
//!
//! What the formula takes from computed matrices (sums of squares of M, P, F, G, v, K v) is computed here by the same public
//! kernels; the terms are those of the documentation, written down anew.
#![allow(clippy::disallowed_methods, reason = "an oracle keeps no bit contract")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop_core::correlation::{
    Certified, InputError, Powers, Route, Unbounded, correlate, correlate_workspace, traces,
};
use agop_core::kernel::{self, Definition};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::scalar::Scalar;
use agop_tests::{Fixed, SplitMix64};

/// The reals from one end to the other, exactly.
#[derive(Clone)]
struct Ends(Fixed, Fixed);

fn number(n: usize) -> Fixed {
    Fixed::from_integer(n as i64)
}

impl Ends {
    fn around(center: f64, radius: Fixed) -> Self {
        let center = Fixed::from_f64(center);
        Self(center.clone() - radius.clone(), center + radius)
    }

    fn hull(ends: [Fixed; 4]) -> Self {
        let [a, b, c, d] = ends;
        let low = Ord::min(Ord::min(a.clone(), b.clone()), Ord::min(c.clone(), d.clone()));
        Self(low, Ord::max(Ord::max(a, b), Ord::max(c, d)))
    }

    fn times(&self, other: &Self) -> Self {
        let pair = |a: &Fixed, b: &Fixed| a.clone() * b.clone();
        Self::hull([
            pair(&self.0, &other.0),
            pair(&self.0, &other.1),
            pair(&self.1, &other.0),
            pair(&self.1, &other.1),
        ])
    }

    /// Less the product of two others over n.
    fn less(&self, x: &Self, y: &Self, n: Fixed) -> Self {
        let Self(low, high) = x.times(y);
        Self(self.0.clone() - high / n.clone(), self.1.clone() - low / n)
    }

    /// The largest distance of `fg / sqrt(ff gg)` from a value; `None` where a norm can be zero.
    fn radius(ff: &Self, fg: &Self, gg: &Self, value: f64) -> Option<Fixed> {
        if !(ff.0.is_positive_number() && gg.0.is_positive_number()) {
            return None;
        }
        let least = ff.0.sqrt() * gg.0.sqrt();
        let most = ff.1.sqrt() * gg.1.sqrt();
        let over = |a: &Fixed, b: &Fixed| a.clone() / b.clone();
        let Self(low, high) =
            Self::hull([over(&fg.0, &least), over(&fg.0, &most), over(&fg.1, &least), over(&fg.1, &most)]);
        let value = Fixed::from_f64(value);
        Some(Ord::max(value.clone() - low, high - value))
    }
}

trait Sign {
    fn is_positive_number(&self) -> bool;
}

impl Sign for Fixed {
    fn is_positive_number(&self) -> bool {
        *self > Self::zero()
    }
}

fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(0.0, |most, x| if x > most { x } else { most })
}

/// `n u / (1 - n u)`.
fn gamma(n: usize) -> Fixed {
    let nu = number(n) * Fixed::from_f64(f64::EPSILON / 2.0);
    nu.clone() / (Fixed::one() - nu)
}

/// Rows, and the levels of the tree over the columns.
fn height(rows: usize, columns: usize) -> usize {
    rows + columns.next_power_of_two().trailing_zeros() as usize
}

fn norm(square: f64, height: usize) -> Fixed {
    (Fixed::from_f64(square) * (Fixed::one() + number(2) * gamma(height))).sqrt()
}

/// Norm and error of a computed matrix.
#[derive(Clone)]
struct Matrix(Fixed, Fixed);

fn inner_error(a: &Matrix, b: &Matrix, height: usize) -> Fixed {
    let (Matrix(a, da), Matrix(b, db)) = (a.clone(), b.clone());
    da.clone() * b.clone() + a.clone() * db.clone() + da * db + gamma(height) * a * b
}

fn dot(a: &[f64], b: &[f64], (rows, columns): (usize, usize)) -> f64 {
    kernel::dot(Definition, MatRef::new(a, rows, columns).unwrap(), MatRef::new(b, rows, columns).unwrap())
        .unwrap()
}

/// The bounds of cosine and Pearson that the formula gives, and how much the certificate's own roundings grow in each.
fn formula(
    (k, d): (usize, usize),
    (w, f): (&[f64], &[f64]),
    given: InputError,
    route: Route,
    values: [f64; 2],
) -> [Option<(Fixed, f64)>; 2] {
    let (w_view, f_view) = (MatRef::new(w, k, d).unwrap(), MatRef::new(f, k, k).unwrap());
    let mut work = vec![0.0; route.workspace(k, d)];
    let t = traces(Definition, w_view, f_view, route, &mut work).unwrap();
    let [e_w, e_k, e_c] = [given.weights, given.ptk, given.computed].map(Fixed::from_f64);
    let w_norm = norm(dot(w, w, (k, d)), height(k, d));
    let k_norm = norm(dot(f, f, (k, k)), height(k, k));
    let computed = e_c * k_norm.clone();
    let two = || number(2);
    let twice = two() * e_w.clone() + e_w.clone() * e_w.clone();
    let w_square = w_norm.clone() * w_norm.clone();
    let moved =
        |error: Fixed, factor: &Matrix| error + (factor.0.clone() + factor.1.clone()) * computed.clone();
    let (a, b, size) = if route == Route::Gram {
        let (mut m, mut p) = (vec![0.0; k * k], vec![0.0; k * k]);
        kernel::outer(Definition, MatMut::new(&mut m, k, k).unwrap(), w_view.t()).unwrap();
        let m_view = MatRef::new(&m, k, k).unwrap();
        kernel::product(Definition, MatMut::new(&mut p, k, k).unwrap(), m_view, f_view).unwrap();
        let m = Matrix(norm(t.ff, height(k, k)), (twice + gamma(d)) * w_square);
        let error = (m.1.clone() + (m.0.clone() + m.1.clone()) * e_k.clone()) * k_norm.clone()
            + gamma(k) * m.0.clone() * k_norm.clone();
        let p = Matrix(norm(dot(&p, &p, (k, k)), height(k, k)), moved(error, &m));
        (m, p, k)
    } else {
        let f = Matrix(norm(t.ff, height(d, d)), (twice + gamma(k)) * w_square);
        let t_norm = k_norm.clone() * w_norm.clone() * (Fixed::one() + gamma(k));
        let t_error = (e_k.clone() + e_w.clone() + e_k.clone() * e_w.clone() + gamma(k))
            * k_norm.clone()
            * w_norm.clone();
        let error = gamma(k) * w_norm.clone() * t_norm.clone()
            + w_norm.clone() * t_error.clone()
            + e_w.clone() * w_norm.clone() * (t_norm + t_error);
        let g = Matrix(norm(t.gg, height(d, d)), moved(two().sqrt() * error, &f));
        (f, g, d)
    };
    let v_error = (gamma(d) + e_w.clone() + gamma(d) * e_w) * number(d).sqrt() * w_norm;
    let v = Matrix(norm(t.f_sum, height(k, 1)), v_error);
    let (mut sums, mut kv) = (vec![0.0; k], vec![0.0; k]);
    for (sum, row) in sums.iter_mut().zip(w.chunks(d)) {
        *sum = row.iter().fold(0.0, |sum, w| sum + w);
    }
    let column = MatMut::new(&mut kv, k, 1).unwrap();
    kernel::product(Definition, column, f_view, MatRef::column_vector(&sums)).unwrap();
    let error =
        (v.1.clone() + (v.0.clone() + v.1.clone()) * e_k) * k_norm.clone() + gamma(k) * k_norm * v.0.clone();
    let kv = Matrix(norm(dot(&kv, &kv, (k, 1)), height(k, 1)), moved(error, &v));
    let h = height(size, size);
    let ff = Ends::around(t.ff, inner_error(&a, &a, h));
    let fg = Ends::around(t.fg, inner_error(&a, &b, h));
    let gg = Ends::around(t.gg, inner_error(&b, &b, h));
    let f_sum = Ends::around(t.f_sum, inner_error(&v, &v, height(k, 1)));
    let g_sum = Ends::around(t.g_sum, inner_error(&v, &kv, height(k, 1)));
    let n = || number(d * d);
    let (ff_rest, gg_rest) = (ff.less(&f_sum, &f_sum, n()), gg.less(&g_sum, &g_sum, n()));
    // What a rounding before the subtraction is worth after it.
    let worth = |whole: &Ends, rest: &Ends| whole.1.to_f64() / rest.0.to_f64();
    let worth = largest([worth(&ff, &ff_rest), worth(&gg, &gg_rest)]);
    let pearson = Ends::radius(&ff_rest, &fg.less(&f_sum, &g_sum, n()), &gg_rest, values[1]);
    [
        Ends::radius(&ff, &fg, &gg, values[0]).map(|radius| (radius, 1.0)),
        pearson.map(|radius| (radius, worth)),
    ]
}

/// Outward steps of the interval operations, each of a unit in the last place.
const ROUNDINGS: f64 = 10.0 * f64::EPSILON;

#[test]
fn bounds_are_those_of_the_formula() {
    let mut rng = SplitMix64::new(0xf0a);
    let (mut compared, mut most, mut none) = (0, 0.0_f64, 0);
    for case in 0..1200 {
        // Long sums of which little is known: there the rounding of a norm is more than the outward steps.
        let long = case % 40 < 2;
        let [least, spread, columns] = if long { [150, 100, 3] } else { [1, 30, 30] };
        let (k, d) = ((least + rng.below(spread)) as usize, 1 + rng.below(columns) as usize);
        let route = [Route::Gram, Route::Direct][case % 2];
        let mut w = rng.normals(k * d);
        let x = rng.normals(k * k);
        let rank = 1 + rng.below(k as u64) as usize;
        let mut f: Vec<f64> = (0..k * k)
            .map(|index| (0..rank).map(|r| x[r * k + index / k] * x[r * k + index % k]).sum::<f64>())
            .collect();
        // Largest entry in [1/2, 1): what the certificate scales to.
        for values in [&mut w, &mut f] {
            let largest = largest(values.iter().map(|x| x.abs()));
            let exponent = (largest.to_bits() >> 52) as i64 - 1022;
            let factor = f64::from_bits(((1023 - exponent) as u64) << 52);
            values.iter_mut().for_each(|x| *x *= factor);
        }
        let mut draw =
            || [0.0, 1e-15, 1e-13, 1e-9, 1e-5][rng.below(5) as usize] * (1.0 + rng.below(9) as f64);
        let size = [1e-2, 1e-3, 2e-4][case % 3];
        let (weights, features, computed) =
            if long { (size / 2.0, size, size) } else { (draw(), draw(), draw()) };
        let given = InputError { weights, ptk: features, computed };
        let views = (MatRef::new(&w, k, d).unwrap(), MatRef::new(&f, k, k).unwrap());
        let mut work = vec![0.0; correlate_workspace(k, d, route)];
        let found = correlate(Definition, views.0, views.1, given, route, Powers::One, &mut work).unwrap();
        let pair = [found.cosine, found.pearson];
        let values = pair.map(|c| c.map_or(0.0, |c| c.value));
        let expected = formula((k, d), (&w, &f), given, route, values);
        for (found, expected) in pair.into_iter().zip(expected) {
            let Ok(Certified { bound, .. }) = found else { continue };
            let Some((expected, worth)) = expected.filter(|(radius, _)| *radius <= Fixed::one()) else {
                assert_eq!(bound, Err(Unbounded::IllConditioned), "{k} x {d}, {route:?}, {given:?}");
                none += 1;
                continue;
            };
            let bound = bound.unwrap_or(1.0);
            let excess = (Fixed::from_f64(bound) - expected.clone()).to_f64();
            assert!(excess > 0.0, "{k} x {d}, {route:?}, {given:?}: {bound:e} below {:e}", expected.to_f64());
            let allowed = ROUNDINGS * worth + 1e-12 * expected.to_f64();
            assert!(
                excess < allowed,
                "{k} x {d}, {route:?}, {given:?}: {bound:e} above {:e}",
                expected.to_f64()
            );
            compared += 1;
            most = largest([most, excess / worth]);
        }
    }
    println!(
        "{compared} bounds, {none} without one; at most {:.1} units of 2^-53 above the formula",
        most / (f64::EPSILON / 2.0)
    );
    assert!(compared > 1500);
}
