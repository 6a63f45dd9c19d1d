//! The measures of a layer, from its parameters.

use super::{Exact, Pair, ROUTES, Tally, U, integers, many, plain, power, symmetric};
use agop_core::correlation::{
    Correlations, GivenErrors, InputError, LayerMeasure, Powers, Route, Undefined, measure_layer,
    measure_workspace,
};
use agop_core::matrix::MatRef;
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_tests::literal::Matrix;
use agop_tests::{Rational, SplitMix64};
use num_bigint::BigInt;
use num_rational::BigRational;

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
        let both = InputError { weights: U, ptk: U, computed: 0.0 };
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

#[test]
fn undefined_measures_of_a_layer() {
    let all = |c: Correlations| [c.cosine, c.pearson, c.cosine_sqrt, c.pearson_sqrt];
    let f = vec![2.0, 0.5, 0.5, 1.0];
    let (w, zero) = (vec![1.0, 0.3, 0.2, 1.0, -0.4, 0.9], vec![0.0; 6]);
    let layer = |w: &[f64], w_0: &[f64], f_0: &[f64]| {
        let layer = Layer { k: 2, d: 3, w: w.to_vec(), w_0: w_0.to_vec(), f: f.clone(), f_0: f_0.to_vec() };
        layer.measure(Powers::OneAndRoot)
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
