//! A small image network: a training step, its PTK features, and the products that both are made of.
//!
//! `cargo bench -p agop-benches --bench convolution` prints, all measured in turn on one thread in f32: for each product the
//! ratio to the fma peak, their mean weighted by the operations of a step, and the times of a step and of K. With
//! `PYTHON=/path/to/python`, one that has torch, PyTorch's step takes turns with ours.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark may panic")]

use agop::architecture::Words;
use agop::machine::Threads;
use agop::network::Model;
use agop_benches::{fma_rounds, race};
use agop_core::activation::AnyActivation;
use agop_core::kernel::product;
use agop_core::loss::MeanSquared;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::Initializer;
use agop_core::optimizer::{Optimizer, Rule};
use agop_core::random::{Purpose, Stream};
use agop_core::simd::Level;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

const WORDS: &str =
    "conv 16 5x5, relu, maxpool 2, conv 32 5x5, relu, maxpool 2, flatten, linear 128, relu, linear 10";
const SAMPLES: usize = 128;

/// Products of a step: name, how often, (m, k, n), and which factor is a transposed view.
const PRODUCTS: [(&str, usize, [usize; 3], [bool; 2]); 11] = [
    ("conv1 W u", SAMPLES, [16, 25, 576], [false, false]),
    ("conv1 d u^T", SAMPLES, [16, 576, 25], [false, true]),
    ("conv2 W u", SAMPLES, [32, 400, 64], [false, false]),
    ("conv2 d u^T", SAMPLES, [32, 64, 400], [false, true]),
    ("conv2 W^T d", SAMPLES, [400, 32, 64], [true, false]),
    ("linear1 x W^T", 1, [SAMPLES, 512, 128], [false, true]),
    ("linear1 d^T x", 1, [128, SAMPLES, 512], [true, false]),
    ("linear1 d W", 1, [SAMPLES, 128, 512], [false, false]),
    ("linear2 x W^T", 1, [SAMPLES, 128, 10], [false, true]),
    ("linear2 d^T x", 1, [10, SAMPLES, 128], [true, false]),
    ("linear2 d W", 1, [SAMPLES, 10, 128], [false, false]),
];

/// One step for each line that it reads.
const TORCH: &str = "
import sys, torch
from torch import nn
torch.set_num_threads(1)
net = nn.Sequential(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
                    nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10))
x, y = torch.randn(128, 1, 28, 28), torch.randn(128, 10)
optimizer = torch.optim.SGD(net.parameters(), lr=0.001)
for _ in sys.stdin:
    optimizer.zero_grad()
    (0.5 * ((net(x) - y) ** 2).sum() / 128).backward()
    optimizer.step()
    print(flush=True)
";

fn normal(count: usize) -> Vec<f32> {
    let mut values = vec![0.0; count];
    Stream::new(1, Purpose::TrainInputs, 0).fill_normal(&mut values);
    values
}

fn view(values: &[f32], (rows, columns): (usize, usize), transposed: bool) -> MatRef<'_, f32> {
    if transposed {
        MatRef::new(values, columns, rows).unwrap().t()
    } else {
        MatRef::new(values, rows, columns).unwrap()
    }
}

fn main() {
    let level = Level::detect();
    println!("{WORDS}; {SAMPLES} samples of 28 x 28, f32, one thread, {}", level.name());
    let (mut flops, mut ideal) = (0.0, 0.0);
    let mut worst: (f64, &str) = (f64::INFINITY, "");
    for (name, often, [m, k, n], [left, right]) in PRODUCTS {
        let (a, b, mut c) = (normal(m * k), normal(k * n), vec![0.0; m * n]);
        let (a, b) = (view(&a, (m, k), left), view(&b, (k, n), right));
        let mut rounds = 0;
        let times = race(&mut [
            &mut || product(level, MatMut::new(&mut c, m, n).unwrap(), a, b).unwrap(),
            &mut || rounds = fma_rounds::<f32>(level),
        ]);
        let peak = rounds as f64 / times[1];
        let work = 2.0 * (m * k * n) as f64;
        let ratio = work / times[0] / peak;
        println!("{name:14} ({m} x {k}) ({k} x {n}): {ratio:.2} of peak");
        worst = if ratio < worst.0 { (ratio, name) } else { worst };
        flops += often as f64 * work;
        ideal += often as f64 * work / ratio;
    }
    println!("all, by operations: {:.2} of peak; worst: {}, {:.2}", flops / ideal, worst.1, worst.0);

    let network = Words::parse(WORDS, true).unwrap().on(&[1, 28, 28]).unwrap();
    let mut parameters = vec![0.0; network.shape().unwrap().parameters()];
    Initializer::Linear.fill(network.shape().unwrap(), 1, &mut parameters).unwrap();
    let mut model = Model::of(network, AnyActivation::Relu, parameters).unwrap();
    let still = model.clone();
    let (x, y) = (normal(SAMPLES * 784), normal(SAMPLES * 10));
    let (x, y) = (MatRef::new(&x, SAMPLES, 784).unwrap(), MatRef::new(&y, SAMPLES, 10).unwrap());
    let mut sums = model.gradient_memory(&Threads::one(), SAMPLES).unwrap();
    let mut features = model.feature_memory(&Threads::one(), SAMPLES).unwrap();
    let optimizer = Optimizer::new(Rule::GradientDescent, 0.001);
    let mut torch = std::env::var_os("PYTHON").map(|python| {
        let mut command = Command::new(python);
        let mut child =
            command.args(["-c", TORCH]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()), child)
    });
    let mut step =
        || assert!(model.train_step(level, MeanSquared, &optimizer, (x, y), &mut sums, &mut []).is_ok());
    let mut ptk = || assert!(still.features(level, x, &mut features).is_ok());
    let mut rounds = 0;
    let mut peak = || rounds = fma_rounds::<f32>(level);
    let mut theirs = || {
        if let Some((to, from, _)) = &mut torch {
            writeln!(to).unwrap();
            from.read_line(&mut String::new()).unwrap();
        }
    };
    theirs();
    let times = race(&mut [&mut step, &mut ptk, &mut peak, &mut theirs]);
    let (step, ptk, peak) = (times[0], times[1], rounds as f64 / times[2]);
    println!("step: {:.2} ms, {:.2} of peak in all; K: {:.2} ms", step * 1e3, flops / step / peak, ptk * 1e3);
    if let Some((to, _, mut child)) = torch {
        drop(to);
        child.wait().unwrap();
        println!("PyTorch's step: {:.2} ms; ours takes {:.2} of it", times[3] * 1e3, step / times[3]);
    }
}
