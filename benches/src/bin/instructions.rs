//! Runs one small job a given number of times, to be counted by a simulator: see `benches/instructions`.
//!
//! `instructions` lists the jobs, `instructions LEVEL JOB TIMES` runs one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark may panic")]

use agop::machine::Threads;
use agop::network::Model;
use agop_core::activation::Relu;
use agop_core::kernel::{accumulate_outer, product};
use agop_core::loss::MeanSquared;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{Initializer, Shape};
use agop_core::optimizer::Optimizer;
use agop_core::optimizer::{EPSILON, Rule};
use agop_core::random::{Purpose, Stream};
use agop_core::simd::Level;
use std::hint::black_box;

/// Name, and what runs the job so often on a level.
type Job = (&'static str, fn(Level, usize));

const JOBS: &[Job] = &[
    ("train_step-16x32x2x4-8", |level, times| train(level, &[16, 32, 32, 4], 8, false, times)),
    ("train_step_limited-16x32x2x4-8", |level, times| train(level, &[16, 32, 32, 4], 8, true, times)),
    ("train_step-64x64x2x10-1", |level, times| train(level, &[64, 64, 64, 10], 1, false, times)),
    ("outer-32x8", |level, times| outer(level, 32, 8, times)),
    ("outer-256x64", |level, times| outer(level, 256, 64, times)),
    ("xwt-8x8x8", |level, times| forward(level, 8, 8, times)),
    ("xwt-16x16x16", |level, times| forward(level, 16, 16, times)),
    ("xwt-64x64x64", |level, times| forward(level, 64, 64, times)),
    ("xwt-1x64x64", |level, times| forward(level, 1, 64, times)),
    ("dw-64x64x64", |level, times| backward(level, 64, 64, times)),
    ("dw-1x64x64", |level, times| backward(level, 1, 64, times)),
    ("dtx-64x64x64", |level, times| weight_gradient(level, 64, 64, times)),
    ("dtx-1x64x64", |level, times| weight_gradient(level, 1, 64, times)),
];

fn normal(count: usize, purpose: Purpose) -> Vec<f32> {
    let mut values = vec![0.0; count];
    Stream::new(1, purpose, 0).fill_normal(&mut values);
    values
}

fn train(level: Level, widths: &[usize], samples: usize, limited: bool, times: usize) {
    let shape = Shape::new(widths, true).unwrap();
    let x = normal(samples * shape.inputs(), Purpose::TrainInputs);
    let y = normal(samples * shape.outputs(), Purpose::TrainLabels);
    let (x, y) = (
        MatRef::new(&x, samples, shape.inputs()).unwrap(),
        MatRef::new(&y, samples, shape.outputs()).unwrap(),
    );
    let speeds = vec![1.0; shape.layers()];
    let rule = if limited {
        Rule::SpeedLimited { speeds: &speeds, epsilon: EPSILON }
    } else {
        Rule::GradientDescent
    };
    let optimizer = Optimizer::new(rule, 1e-4);
    let mut parameters = vec![0.0; shape.parameters()];
    Initializer::Normal.fill(shape, 1, &mut parameters).unwrap();
    let mut model = Model::new(widths.to_vec(), true, Relu, parameters).unwrap();
    let mut memory = model.gradient_memory(&Threads::one(), samples).unwrap();
    for _ in 0..times {
        model.train_step(level, MeanSquared, &optimizer, (x, y), &mut memory, &mut []).unwrap();
    }
    black_box(model.parameters());
}

fn outer(level: Level, samples: usize, k: usize, times: usize) {
    let x = normal(samples * k, Purpose::TrainInputs);
    let mut c = vec![0.0; k * k];
    for _ in 0..times {
        let c = MatMut::new(&mut c, k, k).unwrap();
        accumulate_outer(level, c, MatRef::new(black_box(&x), samples, k).unwrap()).unwrap();
    }
    black_box(&c);
}

/// `x W^T`, x (m x k), W (k x k).
fn forward(level: Level, m: usize, k: usize, times: usize) {
    let (x, w) = (normal(m * k, Purpose::TrainInputs), normal(k * k, Purpose::TrainLabels));
    products(level, MatRef::new(&x, m, k).unwrap(), MatRef::new(&w, k, k).unwrap().t(), times);
}

/// `d W`, d (m x k), W (k x k).
fn backward(level: Level, m: usize, k: usize, times: usize) {
    let (d, w) = (normal(m * k, Purpose::TrainInputs), normal(k * k, Purpose::TrainLabels));
    products(level, MatRef::new(&d, m, k).unwrap(), MatRef::new(&w, k, k).unwrap(), times);
}

/// `d^T x`, d and x (m x k).
fn weight_gradient(level: Level, m: usize, k: usize, times: usize) {
    let (d, x) = (normal(m * k, Purpose::TrainInputs), normal(m * k, Purpose::TrainLabels));
    products(level, MatRef::new(&d, m, k).unwrap().t(), MatRef::new(&x, m, k).unwrap(), times);
}

fn products(level: Level, a: MatRef<'_, f32>, b: MatRef<'_, f32>, times: usize) {
    let (rows, columns) = (a.rows(), b.columns());
    let mut c = vec![0.0; rows * columns];
    for _ in 0..times {
        let (a, b) = (black_box(a), black_box(b));
        product(level, MatMut::new(&mut c, rows, columns).unwrap(), a, b).unwrap();
    }
    black_box(&c);
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [level, job, times] = arguments.as_slice() else {
        JOBS.iter().for_each(|(name, _)| println!("{name}"));
        return;
    };
    let Some(level) = Level::available().find(|known| known.name() == level) else {
        panic!("this machine has no level {level}");
    };
    let (_, run) = JOBS.iter().find(|(name, _)| name == job).unwrap();
    run(level, times.parse().unwrap());
}
