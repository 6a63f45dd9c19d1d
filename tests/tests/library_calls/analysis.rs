//! Calls of correlations, predictions and tasks.

use super::{MOST, Source};
use agop_core::activation::{Activation, AnyActivation};
use agop_core::correlation::{self, GivenErrors, InputError, LayerSpectrum, Powers, PtkSpectrum, Route};
use agop_core::digest::Hasher;
use agop_core::early_time::quadratic::{self, Readout, WordTraces};
use agop_core::early_time::wide::{self, DualKernel};
use agop_core::early_time::{self, DualBackend, Path, RunningStatistics};
use agop_core::eigen::{eigen_workspace, symmetric_eigen};
use agop_core::matrix::MatRef;
use agop_core::random::{Purpose, Stream};
use agop_core::scalar::Real;
use agop_core::task::{self, AlignmentReversing};
use agop_core::{feature, golden};
use std::hint::black_box;

pub(super) fn measures<T: Real>(s: &mut Source) {
    let ([k, d, ..], level) = (s.sizes(), s.level());
    let powers = s.of(&[Powers::One, Powers::OneAndRoot, Powers::OneAndBoundedRoot]);
    let (w, w_0) = (s.matrix::<T>(k, d), s.matrix::<T>(k, d));
    let (f, f_0) = (s.matrix::<T>(k, k), s.matrix::<T>(k, k));
    let mut work = s.values::<f64>(correlation::measure_workspace(k, d));
    let views = (w.view(), w_0.view(), f.view(), f_0.view());
    let error = |s: &mut Source| if s.one_in(3) { None } else { Some(s.number()) };
    let given = GivenErrors { weights: s.number(), ptk: error(s), initial_ptk: error(s) };
    let _ = correlation::measure_layer(level, views.0, views.1, views.2, views.3, given, powers, &mut work);
    let mut work = s.values::<f64>(correlation::spectrum_workspace(k, d));
    let (mut of_ptk, mut of_layer) = (
        s.values::<f64>(correlation::ptk_spectrum_length(k)),
        s.values::<f64>(correlation::layer_spectrum_length(k, d)),
    );
    if let Ok(ptk) = PtkSpectrum::new(level, views.2, given.ptk, &mut of_ptk, &mut work) {
        let weights = (views.0, s.one_in(2).then_some(views.1));
        let spectrum = LayerSpectrum::new(level, weights, given.weights, ptk, &mut of_layer, &mut work);
        let mut cosines = vec![0.0; s.size().min(MOST)];
        let mut work = s.values::<f64>(correlation::angles_workspace(k, cosines.len()));
        if let Ok(spectrum) = spectrum {
            let _ = spectrum.power(s.number());
            let _ = spectrum.nfm_agop(level, &mut cosines, &mut work);
            let _ = spectrum.weights_ptk(level, &mut cosines, &mut work);
        }
    }
    let length = s.near(d.saturating_mul(d).saturating_add(d));
    let (mut moments, mut work) =
        (s.values::<f64>(length), s.values::<f64>(correlation::covariance_workspace(k, d)));
    let samples = s.size() as u64;
    let _ = correlation::covariance_cosine(level, views.0, samples, &mut moments, &mut work);
    let mut work = s.values::<f64>(early_time::limit_workspace(k, d));
    let _ = early_time::limit(level, w.view(), f.view(), powers, &mut work);
    let (wide, features) = (s.matrix::<f64>(k, d), s.matrix::<f64>(k, k));
    let route = s.of(&[Route::Gram, Route::Direct]);
    let given = InputError { weights: s.number(), ptk: s.number(), computed: s.number() };
    let mut work = s.values::<f64>(correlation::correlate_workspace(k, d, route));
    let (w, f) = (wide.view(), features.view());
    let _ = correlation::correlate(level, w, f, given, route, powers, &mut work);
    let mut work = s.values::<f64>(route.workspace(k, d));
    let _ = correlation::traces(level, w, f, route, &mut work);
    let (w, f) = (wide.dual(), features.dual());
    let mut work = s.duals::<f64>(early_time::rate_workspace(k, d));
    if let (Ok(w), Ok(f)) = (MatRef::new(&w, k, d), MatRef::new(&f, k, k)) {
        let path = s.of(&[Path::Flow, Path::Step]);
        let _ = early_time::rate(DualBackend(level), w, f, path, &mut work);
        let _ = early_time::expand(DualBackend(level), w, f, path, &mut work);
    }
    let (mut a, mut values) = (s.values::<f64>(k.saturating_mul(k)), s.values::<f64>(k));
    let mut work = s.values::<f64>(eigen_workspace(k));
    let _ = symmetric_eigen(level, &mut a, &mut values, &mut work);
    let mut out = s.matrix::<f64>(d, d);
    let _ = feature::nfm(level, wide.view(), out.edit());
    let mut work = s.values::<f64>(k.saturating_mul(d));
    let _ = feature::agop(level, wide.view(), features.view(), out.edit(), &mut work);
}

pub(super) fn predictions<T: Real>(s: &mut Source) {
    let ([n, d, c, k], level) = (s.sizes(), s.level());
    let (x, y) = (s.matrix::<T>(n, d), s.matrix::<T>(n, c));
    let mut rho = vec![Ok(0.0); s.of(&[0, 1, 2, 5])];
    let mut work = s.values::<f64>(wide::wide_workspace(n, d, c, rho.len()));
    let kernel = s.of(DualKernel::ALL);
    let _ = wide::wide(level, kernel, s.number(), x.view(), y.view(), &mut rho, &mut work);
    let _ = black_box(kernel.pair(s.number(), s.number(), s.number()));
    let (x, j, r) = (s.matrix::<f64>(n, d), s.matrix::<f64>(n.saturating_mul(c), k), s.matrix::<f64>(n, c));
    let mut work = s.values::<f64>(early_time::limit_by_samples_workspace(n, c, k));
    let _ = early_time::limit_by_samples(level, x.view(), j.view(), r.view(), &mut work);
    let units = s.of(&[0, 1, 3, u32::MAX]);
    let given = s.values::<f64>(3);
    let readout = s.of(&[Readout::Given(&given), Readout::Gaussian { units }, Readout::Sign { units }]);
    let (p, b, m) = (s.matrix::<f64>(d, d), s.matrix::<f64>(d, d), s.matrix::<f64>(d, d));
    let mut work = s.values::<f64>(d.saturating_mul(d).saturating_mul(3));
    let _ = quadratic::observed_traces(level, m.view(), p.view(), b.view(), &mut work);
    if let Ok(words) = WordTraces::new(level, p.view(), b.view(), &mut work) {
        let _ = black_box(quadratic::expected_traces(&words, readout));
    }
    let labels = s.values::<f64>(n);
    let mut memory = s.values::<f64>(quadratic::statistics_workspace(d));
    let Ok(statistics) = quadratic::statistics(level, x.view(), &labels, &mut memory) else { return };
    let mut work = s.values::<f64>(quadratic::trial_workspace(d));
    let _ = black_box((statistics.dimension(), statistics.expect(readout).is_ok()));
    let w = s.matrix::<f64>(3, d);
    let _ = statistics.observe(level, w.view(), &given, &mut work);
    if readout.units() < MOST {
        let _ = statistics.trial(level, readout, &mut Stream::new(1, Purpose::Trial, 0), &mut work);
        let _ = black_box(statistics.trials(level, readout, s.0.bits(), s.of(&[0, 1, 3]), &mut work).is_ok());
    }
}

pub(super) fn data<T: Real>(s: &mut Source) {
    let [n, d, ..] = s.sizes();
    let mut stream = Stream::new(s.0.bits(), Purpose::Shuffle, s.of(&[0, 1, u32::MAX]));
    let (mut x, mut y) = (s.matrix::<T>(n, d), s.values::<T>(n));
    let spectrum = s.of(&[None, Some(0.0), Some(f64::NAN), Some(1e300), Some(1.5)]);
    let _ = task::fill_gaussian(&mut stream, spectrum, x.edit());
    let _ = AlignmentReversing::new(s.number()).fill(&mut stream, x.edit(), &mut y);
    let _ = black_box((
        task::chain_monomial(s.size(), &y),
        task::power_law_deviation(s.0.bits() as u32, s.number()),
    ));
    let mut out = s.matrix::<f64>(d, d);
    let _ = task::chain_monomial_outer_product(s.size(), spectrum, out.edit());
    stream.shuffle(&mut y);
    stream.fill_normal(&mut y);
    let _ = black_box(stream.below(s.of(&[0, 1, 2, u64::MAX])));
    let mut hasher = Hasher::new();
    let _ = black_box(hasher.number(s.0.bits()).array(&[n, d], &y).array(&[], &y));
    let mut spread = RunningStatistics::default();
    y.iter().for_each(|y| spread.add(y.to_f64()));
    let _ = black_box((spread.mean(), spread.deviation(), hasher.finish()));
    let activation = s.of(AnyActivation::ALL);
    let mut slope = s.values::<T>(y.len());
    activation.apply_with_slope(s.level(), &mut y, &mut slope);
    activation.apply(s.level(), &mut slope);
    if s.one_in(200) {
        let (mut numbers, mut wide) = (s.values::<T>(golden::NUMBERS), s.values::<f64>(golden::WIDE));
        let _ = black_box(golden::run(s.level(), &mut numbers, &mut wide, |_, _| ()).is_ok());
    }
}
