//! One step of gradient descent of a fully connected ReLU network, by agop and by general frameworks, in turns.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml` prints the time of our step and how many times longer
//! each framework takes for the same: the same weights, the same data, the same loss `(1/2n) sum |f(x) - y|^2`, one
//! thread. Before anything is timed, the weights after a step have to agree.
#![allow(unsafe_code, reason = "the number of threads is set in the environment")]

use agop::machine::Threads;
use agop::network::Model;
use agop_benches::race;
use agop_core::activation::Relu;
use agop_core::loss::MeanSquared;
use agop_core::matrix::MatRef;
use agop_core::network::{Initializer, Shape};
use agop_core::optimizer::{Optimizer, Rule};
use agop_core::random::{Purpose, Stream};
use agop_core::simd::Level;

/// (inputs, width, hidden layers, outputs, samples).
const SIZES: [(usize, usize, usize, usize, usize); 2] = [(32, 256, 2, 1, 1500), (64, 128, 3, 10, 128)];

/// Step size.
const RATE: f64 = 1e-3;

/// The problem as plain numbers: widths, parameters layer by layer (weights row-major, then the bias), data.
struct Problem {
    widths: Vec<usize>,
    parameters: Vec<f32>,
    x: Vec<f32>,
    y: Vec<f32>,
    samples: usize,
}

impl Problem {
    /// Weights and bias of each layer: outputs, inputs, values.
    fn layers(&self) -> Vec<(usize, usize, &[f32], &[f32])> {
        let mut rest = self.parameters.as_slice();
        let mut layers = Vec::new();
        for pair in self.widths.windows(2) {
            let (inputs, outputs) = (pair[0], pair[1]);
            let (weights, after) = rest.split_at(inputs * outputs);
            let (bias, after) = after.split_at(outputs);
            layers.push((outputs, inputs, weights, bias));
            rest = after;
        }
        layers
    }
}

mod candle {
    use super::{Problem, RATE};
    use candle_core::{Device, Result, Tensor, Var};

    pub struct Network {
        layers: Vec<(Var, Var)>,
        x: Tensor,
        y: Tensor,
        samples: usize,
    }

    impl Network {
        pub fn new(problem: &Problem) -> Result<Self> {
            let cpu = &Device::Cpu;
            let layers = problem
                .layers()
                .into_iter()
                .map(|(outputs, inputs, weights, bias)| {
                    Ok((
                        Var::from_slice(weights, (outputs, inputs), cpu)?,
                        Var::from_slice(bias, (1, outputs), cpu)?,
                    ))
                })
                .collect::<Result<_>>()?;
            let samples = problem.samples;
            let x = Tensor::from_slice(&problem.x, (samples, problem.widths[0]), cpu)?;
            let y = Tensor::from_slice(&problem.y, (samples, problem.y.len() / samples), cpu)?;
            Ok(Self { layers, x, y, samples })
        }

        pub fn step(&mut self) -> Result<()> {
            let mut h = self.x.clone();
            let last = self.layers.len() - 1;
            for (layer, (weights, bias)) in self.layers.iter().enumerate() {
                h = h.matmul(&weights.t()?)?.broadcast_add(bias)?;
                if layer < last {
                    h = h.relu()?;
                }
            }
            let loss = ((h - &self.y)?.sqr()?.sum_all()? / (2.0 * self.samples as f64))?;
            let gradients = loss.backward()?;
            for var in self.layers.iter().flat_map(|(weights, bias)| [weights, bias]) {
                let gradient = gradients.get(var).expect("every parameter has a gradient");
                var.set(&(var.as_tensor() - (gradient * RATE)?)?)?;
            }
            Ok(())
        }

        pub fn parameters(&self) -> Result<Vec<f32>> {
            let mut all = Vec::new();
            for var in self.layers.iter().flat_map(|(weights, bias)| [weights, bias]) {
                all.extend(var.flatten_all()?.to_vec1::<f32>()?);
            }
            Ok(all)
        }
    }
}

mod burn {
    use super::{Problem, RATE};
    use burn_autodiff::Autodiff;
    use burn_ndarray::{NdArray, NdArrayDevice};
    use burn_tensor::{Tensor, TensorData, activation::relu};

    type Plain = NdArray<f32>;
    type Tracked = Autodiff<Plain>;
    type Matrix = Tensor<Tracked, 2>;

    pub struct Network {
        layers: Vec<(Matrix, Matrix)>,
        x: Matrix,
        y: Matrix,
        samples: usize,
    }

    fn matrix(values: &[f32], rows: usize, columns: usize) -> Matrix {
        Tensor::from_data(TensorData::new(values.to_vec(), [rows, columns]), &NdArrayDevice::Cpu)
    }

    impl Network {
        pub fn new(problem: &Problem) -> Self {
            let layers = problem
                .layers()
                .into_iter()
                .map(|(outputs, inputs, weights, bias)| {
                    (matrix(weights, outputs, inputs).require_grad(), matrix(bias, 1, outputs).require_grad())
                })
                .collect();
            let samples = problem.samples;
            let x = matrix(&problem.x, samples, problem.widths[0]);
            let y = matrix(&problem.y, samples, problem.y.len() / samples);
            Self { layers, x, y, samples }
        }

        pub fn step(&mut self) {
            let mut h = self.x.clone();
            let last = self.layers.len() - 1;
            for (layer, (weights, bias)) in self.layers.iter().enumerate() {
                h = h.matmul(weights.clone().transpose()) + bias.clone();
                if layer < last {
                    h = relu(h);
                }
            }
            let difference = h - self.y.clone();
            let loss = (difference.clone() * difference).sum() / (2.0 * self.samples as f64);
            let gradients = loss.backward();
            let update = |parameter: &mut Matrix| {
                let gradient = parameter.grad(&gradients).expect("every parameter has a gradient");
                *parameter = Tensor::from_inner(parameter.clone().inner() - gradient * RATE).require_grad();
            };
            for (weights, bias) in &mut self.layers {
                update(weights);
                update(bias);
            }
        }

        pub fn parameters(&self) -> Vec<f32> {
            let values = |m: &Matrix| m.to_data().to_vec::<f32>().expect("single precision");
            self.layers.iter().flat_map(|(weights, bias)| [values(weights), values(bias)]).flatten().collect()
        }
    }
}

fn agree(what: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let far = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs() / (1.0 + a.abs())).fold(0.0, f32::max);
    assert!(far < 1e-5, "{what} takes another step: {far:e}");
}

/// Step by step on `level` and by the frameworks.
fn compare(
    (d, width, depth, c, samples): (usize, usize, usize, usize, usize),
    level: Level,
) -> Result<(), Box<dyn std::error::Error>> {
    let widths: Vec<usize> =
        std::iter::once(d).chain(std::iter::repeat_n(width, depth)).chain(std::iter::once(c)).collect();
    let shape = Shape::new(&widths, true)?;
    let mut parameters = vec![0.0; shape.parameters()];
    Initializer::Normal.fill(shape, 1, &mut parameters)?;
    let (mut x, mut y) = (vec![0.0; samples * d], vec![0.0; samples * c]);
    Stream::new(1, Purpose::TrainInputs, 0).fill_normal(&mut x);
    Stream::new(1, Purpose::TrainLabels, 0).fill_normal(&mut y);
    let problem = Problem { widths: widths.clone(), parameters: parameters.clone(), x, y, samples };

    let mut model = Model::new(widths, true, Relu, parameters)?;
    let mut memory = model.gradient_memory(&Threads::one(), samples)?;
    let optimizer = Optimizer::new(Rule::GradientDescent, RATE);
    let samples = (MatRef::new(&problem.x, samples, d)?, MatRef::new(&problem.y, samples, c)?);
    let mut ours = |model: &mut Model<f32, Relu>| {
        model.train_step(level, MeanSquared, &optimizer, samples, &mut memory, &mut []).expect("finite");
    };
    let (mut candle, mut burn) = (candle::Network::new(&problem)?, burn::Network::new(&problem));
    ours(&mut model);
    candle.step()?;
    burn.step();
    agree("candle", model.parameters(), &candle.parameters()?);
    agree("burn", model.parameters(), &burn.parameters());

    let (mut level_step, mut candle_step) = (|| ours(&mut model), || candle.step().expect("a step"));
    let mut burn_step = || burn.step();
    let times = race(&mut [&mut level_step, &mut candle_step, &mut burn_step]);
    println!(
        "train_step-f32-{}-{d}x{width}x{depth}x{c}-{}: {:.2} us; candle takes {:.1} times as long, burn {:.1}",
        level.name(),
        problem.samples,
        times[0] * 1e6,
        times[1] / times[0],
        times[2] / times[0],
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for threads in ["RAYON_NUM_THREADS", "MATMUL_NUM_THREADS"] {
        // SAFETY: there is no other thread yet.
        unsafe { std::env::set_var(threads, "1") };
    }
    let level = Level::detect();
    for sizes in SIZES {
        compare(sizes, level)?;
    }
    Ok(())
}
