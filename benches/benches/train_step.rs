//! One training step, gradient and update, of fully connected ReLU networks on one thread, on every level.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may panic")]

use agop::machine::Threads;
use agop::network::Model;
use agop_benches::{Run, best_time, name};
use agop_core::activation::Relu;
use agop_core::digest::Hasher;
use agop_core::loss::MeanSquared;
use agop_core::matrix::MatRef;
use agop_core::network::{Initializer, Shape, parameters};
use agop_core::optimizer::{EPSILON, Optimizer, Rule};
use agop_core::random::{Purpose, Stream};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use criterion::{Criterion, criterion_group, criterion_main};

/// (inputs, width, hidden layers, outputs, samples).
const SIZES: [(usize, usize, usize, usize, usize); 4] =
    [(32, 256, 2, 1, 1500), (64, 128, 3, 10, 128), (16, 32, 2, 4, 8), (64, 64, 2, 10, 1)];

/// Above this many multiply-adds the level `scalar` is left out: with the software fma it would take minutes.
const SCALAR_MOST: usize = 50_000_000;

/// Multiply-adds of the products of one step: forward, weight gradients, and residuals of all layers but the first.
fn products(widths: &[usize], samples: usize) -> usize {
    let weights = parameters(widths, false);
    let first = parameters(widths.get(..2).unwrap_or_default(), false);
    samples * (3 * weights - first)
}

/// (inputs, width, hidden layers, outputs, samples) on a level.
fn on_level<T: Real>(
    criterion: &mut Criterion,
    run: &mut Run,
    (d, width, depth, c, samples): (usize, usize, usize, usize, usize),
    level: Level,
) {
    let size = format!("{d}x{width}x{depth}x{c}-{samples}");
    let widths: Vec<usize> =
        std::iter::once(d).chain(std::iter::repeat_n(width, depth)).chain(std::iter::once(c)).collect();
    let name = name("train_step", T::NAME, level, &size);
    let products = products(&widths, samples);
    if level == Level::scalar() && products > SCALAR_MOST {
        println!("{name}: left out ({products} multiply-adds on the scalar level)");
        return;
    }
    let shape = Shape::new(&widths, true).unwrap();
    let (mut x, mut y) = (vec![T::zero(); samples * d], vec![T::zero(); samples * c]);
    Stream::new(1, Purpose::TrainInputs, 0).fill_normal(&mut x);
    Stream::new(1, Purpose::TrainLabels, 0).fill_normal(&mut y);
    let (x, y) = (MatRef::new(&x, samples, d).unwrap(), MatRef::new(&y, samples, c).unwrap());
    let speeds = vec![1.0; shape.layers()];
    let optimizer = Optimizer::new(Rule::SpeedLimited { speeds: &speeds, epsilon: EPSILON }, 1e-4);
    let mut initial = vec![T::zero(); shape.parameters()];
    Initializer::Normal.fill(shape, 1, &mut initial).unwrap();
    let mut model = Model::new(widths, true, Relu, initial).unwrap();
    let mut memory = model.gradient_memory(&Threads::one(), samples).unwrap();
    let mut step = |model: &mut Model<T, Relu>| {
        model.train_step(level, MeanSquared, &optimizer, (x, y), &mut memory, &mut []).unwrap()
    };
    // The answer after three steps, from the same start every time.
    let mut hasher = Hasher::new();
    for _ in 0..3 {
        let loss = step(&mut model);
        hasher.array(&[], &[loss]);
    }
    hasher.array(&[model.parameters().len()], model.parameters());
    run.check("train_step", T::NAME, level, &size, hasher.finish());
    let time = best_time(|| {
        step(&mut model);
    });
    criterion.bench_function(&name, |bencher| bencher.iter(|| step(&mut model)));
    run.print::<T>(&name, level, 2.0 * products as f64, time);
}

fn of_scalar<T: Real>(criterion: &mut Criterion, run: &mut Run) {
    for sizes in SIZES {
        for level in Level::available() {
            on_level::<T>(criterion, run, sizes, level);
        }
    }
}

fn train_step(criterion: &mut Criterion) {
    let mut run = Run::new();
    of_scalar::<f32>(criterion, &mut run);
    of_scalar::<f64>(criterion, &mut run);
}

criterion_group!(benches, train_step);
criterion_main!(benches);
