//! Random calls of the core with sizes of 0, 1 and near the largest, with buffers too short and too long, and with values
//! that are not finite: none panics, with overflow checks on (`cargo test` without `--release`).
//!
//! `LIBRARY_CALLS=100000` makes so many rounds of about ten calls in each group; 1000 unless told otherwise.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop_core::activation::{Activation, AnyActivation};
use agop_core::correlation::{self, GivenErrors, InputError, Powers, Route};
use agop_core::digest::Hasher;
use agop_core::dual::Dual;
use agop_core::early_time::quadratic::{self, Readout, WordTraces};
use agop_core::early_time::wide::{self, DualKernel};
use agop_core::early_time::{self, Directional, Path, Spread};
use agop_core::eigen::{eigen_workspace, symmetric_eigen};
use agop_core::feature_error::{self, LayerError, Norms, ReadError};
use agop_core::kernel::{self, Backend, Chain, Definition, Region};
use agop_core::loss::AnyLoss;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{self, Initializer, Network, Shape};
use agop_core::optimizer::{self, Optimizer, Rule};
use agop_core::random::{Purpose, Stream};
use agop_core::reduce::{self, SampleTree};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use agop_core::task::{self, AlignmentReversing};
use agop_core::{feature, golden};
use agop_tests::SplitMix64;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Most values in a buffer.
const MOST: usize = 1 << 14;

/// Where sizes, values and buffers come from.
struct Source(SplitMix64);

impl Source {
    fn one_in(&mut self, n: u64) -> bool {
        self.0.below(n) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.below(choices.len() as u64) as usize]
    }

    /// Mostly small.
    fn size(&mut self) -> usize {
        match self.0.below(12) {
            0 => self.of(&[usize::MAX, usize::MAX - 1, usize::MAX / 2 + 1, 1 << 32, 1 << 31, 65_536]),
            1 => self.of(&[16, 17, 33, 64, 65, 100]),
            _ => self.0.below(6) as usize,
        }
    }

    fn sizes(&mut self) -> [usize; 4] {
        [0; 4].map(|_| self.size())
    }

    /// The size that is asked for, or another.
    fn near(&mut self, size: usize) -> usize {
        match self.0.below(12) {
            0 => self.size(),
            1 => size.wrapping_sub(1),
            2 => size.wrapping_add(1),
            _ => size,
        }
    }

    fn number(&mut self) -> f64 {
        let hostile = [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324, 1e-200];
        if self.one_in(8) { self.of(&hostile) } else { self.0.normal() }
    }

    /// As many values as asked for or nearly so, in a buffer that can be had; one in four has values that are not finite.
    fn values<T: Real>(&mut self, count: usize) -> Vec<T> {
        let (count, hostile) = (self.near(count).min(MOST), self.one_in(4));
        (0..count).map(|_| T::from_f64(if hostile { self.number() } else { self.0.normal() })).collect()
    }

    fn duals<T: Real>(&mut self, count: usize) -> Vec<Dual<T>> {
        self.values::<T>(count).into_iter().map(|x| Dual::new(x, x)).collect()
    }

    /// Values and a shape that they have: the one that is asked for, where it can be had, or another.
    fn matrix<T: Real>(&mut self, rows: usize, columns: usize) -> Matrix<T> {
        let (rows, columns) = (self.near(rows), self.near(columns));
        let columns = if rows.saturating_mul(columns) > MOST { 0 } else { columns };
        let hostile = self.one_in(6);
        let value = |source: &mut Self| if hostile { source.number() } else { source.0.normal() };
        let values = (0..rows * columns).map(|_| T::from_f64(value(self))).collect();
        Matrix { values, rows, columns, turned: self.one_in(2) }
    }

    fn widths(&mut self) -> Vec<usize> {
        let count = if self.one_in(8) { self.0.below(3) } else { 3 + self.0.below(3) };
        (0..count).map(|_| if self.one_in(40) { self.size() } else { 1 + self.0.below(5) as usize }).collect()
    }

    fn level(&mut self) -> Level {
        let levels: Vec<_> = Level::available().collect();
        self.of(&levels)
    }
}

struct Matrix<T> {
    values: Vec<T>,
    rows: usize,
    columns: usize,
    turned: bool,
}

impl<T: Real> Matrix<T> {
    fn view(&self) -> MatRef<'_, T> {
        match self.turned {
            true => MatRef::new(&self.values, self.columns, self.rows).unwrap().t(),
            false => MatRef::new(&self.values, self.rows, self.columns).unwrap(),
        }
    }

    fn edit(&mut self) -> MatMut<'_, T> {
        MatMut::new(&mut self.values, self.rows, self.columns).unwrap()
    }

    fn dual(&self) -> Vec<Dual<T>> {
        self.values.iter().map(|x| Dual::new(*x, *x)).collect()
    }
}

fn views<T: Real>(s: &mut Source) {
    let [rows, columns, i, j] = s.sizes();
    let values = s.values::<T>(rows.saturating_mul(columns));
    let _ = black_box(MatRef::new(&values, rows, columns));
    let a = s.matrix::<T>(rows, columns);
    let a = a.view().row_range(s.near(i), s.near(j));
    let _ = black_box((a.get(i, j), a.row(i).count(), a.column(j).count(), a.row_slice(i), a.as_slice()));
    let _ = black_box((a.t().row_range(j, i).elements().take(MOST).count(), a.check_finite("a")));
    let mut b = s.matrix::<T>(rows, columns);
    let _ = black_box((b.edit().rows_mut().take(MOST).count(), kernel::mirror(b.edit())));
}

fn products<T: Real>(s: &mut Source) {
    let ([m, k, n, _], level) = (s.sizes(), s.level());
    let (a, b, mut c) = (s.matrix::<T>(m, k), s.matrix::<T>(k, n), s.matrix::<T>(m, n));
    let (mut d, other, row) = (s.matrix::<T>(k, k), s.matrix::<T>(m, k), s.values::<T>(n));
    let _ = kernel::accumulate(level, c.edit(), a.view(), b.view());
    let _ = kernel::product(level, c.edit(), a.view(), b.view());
    let _ = kernel::affine(level, c.edit(), a.view(), b.view(), &row);
    let _ = kernel::symmetric_product(level, d.edit(), a.view().t(), other.view());
    let _ = kernel::accumulate_outer(level, d.edit(), a.view());
    let _ = kernel::outer(level, d.edit(), a.view());
    let _ = black_box(kernel::dot(level, a.view(), other.view()));
    let mut y = s.values::<T>(row.len());
    let _ = kernel::axpy(level, T::from_f64(2.0), &row, &mut y);
    // A backend checks shapes again.
    let region = s.of(&[Region::Full, Region::Upper]);
    let chain = s.of(&[Chain::Begin, Chain::Continue, Chain::Row(&row)]);
    level.accumulate(c.edit(), a.view(), b.view(), region, chain);
    let _ = black_box(level.dot(a.view(), b.view()));
    level.axpy(T::one(), &row, &mut y);
}

fn sums<T: Real>(s: &mut Source) {
    let [length, ..] = s.sizes();
    let _ = black_box([reduce::blocks(s.0.bits()), reduce::partial_buffers(s.0.bits()) as u64]);
    let _ = black_box(reduce::buffers(s.size() as u64));
    let start = s.of(&[0, 1, 2, 255, u64::MAX - 2, u64::MAX - 1, u64::MAX]);
    let (mut first, mut second) = (s.values::<T>(length.saturating_mul(3)), s.values::<T>(length));
    let (Ok(mut a), Ok(mut b)) =
        (SampleTree::new(&mut first, length, start), SampleTree::new(&mut second, length, start))
    else {
        return;
    };
    for _ in 0..s.0.below(8) {
        let samples = s.of(&[0, 1, 100, 255, 256, 257, usize::MAX]);
        let _ = black_box(a.check_capacity(samples));
        a.open_block().iter_mut().for_each(|x| *x = *x + T::one());
        let _ = a.advance(Definition, samples);
        if s.one_in(2) {
            let _ = b.advance(Definition, s.of(&[0, 1, 256]));
            let _ = (b.merge(Definition, &a), a.merge(Definition, &b));
        }
    }
    let _ = black_box((
        a.samples(),
        a.room(),
        b.samples(),
        a.finish(Definition)[..].len(),
        b.finish(Definition).len(),
    ));
}

fn shapes(s: &mut Source) {
    let (widths, [a, b, c, _]) = (s.widths(), s.sizes());
    let hostile = s.sizes();
    for widths in [&widths[..], &hostile[..], &hostile[..2]] {
        let _ = black_box([network::parameters(widths, true), network::features(widths)]);
        let _ = black_box([network::gradient_workspace(widths, a), network::jacobian_workspace(widths, b)]);
        let _ = black_box(early_time::differentiate_workspace(widths, false, a, b));
        if let Ok(shape) = Shape::new(widths, true) {
            let _ =
                black_box((shape.layer(c), shape.feature_span(c), shape.spans().count(), shape.features()));
        }
    }
    for route in [Route::Gram, Route::Direct, Route::cheaper(a, b)] {
        let _ = black_box([route.workspace(a, b), correlation::correlate_workspace(a, b, route)]);
    }
    let _ = black_box([correlation::measure_workspace(a, b), early_time::limit_workspace(a, b)]);
    let _ = black_box([early_time::rate_workspace(a, b), early_time::limit_by_samples_workspace(a, b, c)]);
    let _ =
        black_box([quadratic::statistics_workspace(a), quadratic::trial_workspace(a), eigen_workspace(a)]);
    let _ = black_box([wide::wide_workspace(a, b, c, s.size())]);
}

fn networks<T: Real>(s: &mut Source) {
    let (widths, bias, level) = (s.widths(), s.one_in(2), s.level());
    let Ok(shape) = Shape::new(&widths, bias) else { return };
    let activation = s.of(AnyActivation::ALL);
    let parameters = s.values::<T>(shape.parameters());
    let Ok(network) = Network::new(shape, activation, &parameters) else { return };
    let (loss, layer) = (s.of(AnyLoss::ALL), s.near(0));
    let n = s.of(&[0, 1, 2, 3, 255, 256, 257, 300]);
    let (x, y) = (s.matrix::<T>(n, shape.inputs()), s.matrix::<T>(n, shape.outputs()));
    let rows = 1 + s.0.below(4) as usize;
    let mut work = s.values::<T>(network::jacobian_workspace(&widths, rows));
    let mut out = s.matrix::<T>(n, shape.outputs());
    let _ = network.forward(level, x.view(), out.edit(), &mut work);
    let k = shape.feature_span(layer).map_or(0, |(_, k)| k);
    let mut out = s.matrix::<T>(n * shape.outputs(), k);
    let _ = network.jacobians(level, layer, x.view(), out.edit(), &mut work);
    let length = s.near(network::gradient_sum(&widths, bias));
    let mut storage = s.values::<T>(length.saturating_mul(2));
    if let Ok(mut sum) = SampleTree::new(&mut storage, length, 0) {
        let _ = network.accumulate_gradient(level, loss, x.view(), y.view(), &mut sum, &mut work);
        let _ = black_box(network.finish_gradient(level, loss, &mut sum).is_ok());
    }
    let length = s.near(shape.features());
    let mut storage = s.values::<T>(length.saturating_mul(2));
    if let Ok(mut sum) = SampleTree::new(&mut storage, length, 0) {
        let _ = network.accumulate_features(level, x.view(), &mut sum, &mut work);
        let found = feature::finish(level, shape, &mut sum).map(|k| k.to_vec()).unwrap_or_default();
        let _ = black_box(feature::of_layer(shape, &found, layer).is_ok());
        bounds(s, &network, x.view(), &found, &mut work);
    }
    let needed = early_time::differentiate_workspace(&widths, bias, n, rows);
    let mut work = s.duals::<T>(needed);
    let backend = Directional(level);
    if let Ok(found) = early_time::differentiate(backend, &network, loss, x.view(), y.view(), &mut work) {
        let _ = black_box(found.layer(shape, layer).is_ok());
    }
}

/// Bounds of the errors of features, and moments of a layer's inputs.
fn bounds<T: Real>(
    s: &mut Source,
    network: &Network<'_, T, AnyActivation>,
    x: MatRef<'_, T>,
    features: &[T],
    work: &mut [T],
) {
    let (shape, level, layer) = (network.shape(), s.level(), s.size());
    let widths = shape.widths();
    let mut numbers = s.values::<f64>(feature_error::norms_length(widths));
    let mut scratch = s.values::<f64>(feature_error::norms_workspace(widths));
    let read = ReadError { weights: s.number(), inputs: s.number() };
    if let Ok(norms) = Norms::new(level, *network, read, &mut numbers, &mut scratch) {
        let length = s.near(shape.hidden_layers()).min(MOST);
        let mut found = vec![LayerError::default(); length];
        let mut flags = vec![false; s.near(256 * widths.iter().sum::<usize>()).min(MOST)];
        let mut limits = vec![None; length];
        let _ = norms.forward(level, x, &mut found, work);
        let _ = norms.plain(&found, features, s.size() as u64, &mut limits);
        let _ = norms.certify(level, x, &mut found, &mut flags, work);
        let _ = norms.certified(&found, features, s.size() as u64, &mut limits);
        if let [first, second, ..] = found.as_mut_slice() {
            first.merge(second);
        }
    }
    let d = shape.layer(layer).map_or(0, |span| span.inputs);
    let length = s.near(d.saturating_mul(d).saturating_add(d));
    let (mut moments, mut wide) = (s.values::<f64>(length), s.values::<f64>(256 * d));
    let _ = network.accumulate_moments(level, layer, x, &mut moments, work, &mut wide);
}

fn steps<T: Real>(s: &mut Source) {
    let widths = s.widths();
    let Ok(shape) = Shape::new(&widths, s.one_in(2)) else { return };
    let (level, speeds) = (s.level(), s.values::<f64>(shape.layers()));
    let epsilon = s.number();
    let rule = s.of(&[Rule::GradientDescent, Rule::SpeedLimited { speeds: &speeds, epsilon }]);
    let optimizer =
        Optimizer { rule, rate: s.number(), momentum: s.of(&[0.0, 0.5, 1.0]), decay: s.number().abs() };
    let (mut w, mut g) = (s.values::<T>(shape.parameters()), s.values::<T>(shape.parameters()));
    let mut state = s.values::<T>(optimizer.state(w.len()));
    let _ = (optimizer.check(shape), optimizer.step(level, shape, &mut w, &mut g, &mut state));
    for span in shape.spans() {
        let _ = black_box((optimizer::gradient_norm(level, span, &g), network::weights(&g, span).is_ok()));
    }
    let mut speeds = s.values::<f64>(3);
    let _ = optimizer::target_speeds(s.size(), s.number(), &mut speeds);
    let _ = black_box(optimizer::lowest_correlation(speeds.iter().map(|x| Some(*x))));
    let _ = s.of(Initializer::ALL).fill(shape, s.0.bits(), &mut w);
}

fn measures<T: Real>(s: &mut Source) {
    let ([k, d, ..], level) = (s.sizes(), s.level());
    let powers = s.of(&[Powers::One, Powers::OneAndHalf, Powers::OneAndBoundedHalf]);
    let (w, w_0) = (s.matrix::<T>(k, d), s.matrix::<T>(k, d));
    let (f, f_0) = (s.matrix::<T>(k, k), s.matrix::<T>(k, k));
    let mut work = s.values::<f64>(correlation::measure_workspace(k, d));
    let views = (w.view(), w_0.view(), f.view(), f_0.view());
    let error = |s: &mut Source| if s.one_in(3) { None } else { Some(s.number()) };
    let given = GivenErrors { weights: s.number(), features: error(s), initial_features: error(s) };
    let _ = correlation::measure_layer(level, views.0, views.1, views.2, views.3, given, powers, &mut work);
    let length = s.near(d.saturating_mul(d).saturating_add(d));
    let (mut moments, mut work) =
        (s.values::<f64>(length), s.values::<f64>(correlation::covariance_workspace(k, d)));
    let samples = s.size() as u64;
    let _ = correlation::covariance_cosine(level, views.0, samples, &mut moments, &mut work);
    let mut work = s.values::<f64>(early_time::limit_workspace(k, d));
    let _ = early_time::limit(level, w.view(), f.view(), powers, &mut work);
    let (wide, features) = (s.matrix::<f64>(k, d), s.matrix::<f64>(k, k));
    let route = s.of(&[Route::Gram, Route::Direct]);
    let given = InputError { weights: s.number(), features: s.number(), computed: s.number() };
    let mut work = s.values::<f64>(correlation::correlate_workspace(k, d, route));
    let (w, f) = (wide.view(), features.view());
    let _ = correlation::correlate(level, w, f, given, route, powers, &mut work);
    let mut work = s.values::<f64>(route.workspace(k, d));
    let _ = correlation::traces(level, w, f, route, &mut work);
    let (w, f) = (wide.dual(), features.dual());
    let mut work = s.duals::<f64>(early_time::rate_workspace(k, d));
    if let (Ok(w), Ok(f)) = (MatRef::new(&w, k, d), MatRef::new(&f, k, k)) {
        let path = s.of(&[Path::Flow, Path::Step]);
        let _ = early_time::rate(Directional(level), w, f, path, &mut work);
        let _ = early_time::expand(Directional(level), w, f, path, &mut work);
    }
    let (mut a, mut values) = (s.values::<f64>(k.saturating_mul(k)), s.values::<f64>(k));
    let mut work = s.values::<f64>(eigen_workspace(k));
    let _ = symmetric_eigen(level, &mut a, &mut values, &mut work);
    let mut out = s.matrix::<f64>(d, d);
    let _ = feature::nfm(level, wide.view(), out.edit());
    let mut work = s.values::<f64>(k.saturating_mul(d));
    let _ = feature::agop(level, wide.view(), features.view(), out.edit(), &mut work);
}

fn predictions<T: Real>(s: &mut Source) {
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

fn data<T: Real>(s: &mut Source) {
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
    let mut spread = Spread::default();
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

type Group = (&'static str, &'static str, fn(&mut Source));

fn groups<T: Real>() -> [Group; 9] {
    [
        (T::NAME, "views", views::<T>),
        (T::NAME, "products", products::<T>),
        (T::NAME, "sums", sums::<T>),
        (T::NAME, "shapes", shapes),
        (T::NAME, "networks", networks::<T>),
        (T::NAME, "steps", steps::<T>),
        (T::NAME, "measures", measures::<T>),
        (T::NAME, "predictions", predictions::<T>),
        (T::NAME, "data", data::<T>),
    ]
}

#[test]
fn no_call_panics() {
    let rounds = std::env::var("LIBRARY_CALLS").map_or(1000, |rounds| rounds.parse().unwrap());
    let groups = [groups::<f32>(), groups::<f64>()].concat();
    let mut failed = Vec::new();
    for (scalar, name, calls) in &groups {
        for seed in 0..rounds {
            let round = || calls(&mut Source(SplitMix64::new(seed)));
            if catch_unwind(AssertUnwindSafe(round)).is_err() {
                failed.push(format!("{name} in {scalar}, seed {seed}"));
            }
        }
    }
    // Where they are on here, they are on in the core, which has the same profile.
    let checked = catch_unwind(|| black_box(u8::MAX) + black_box(1)).is_err();
    let checks = if checked { "on" } else { "OFF" };
    println!("{} groups of calls, {rounds} rounds each, overflow checks {checks}", groups.len());
    assert!(failed.is_empty(), "{failed:#?}");
}
