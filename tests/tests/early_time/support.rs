//! What the early-time tests share: passes over any scalar, fixtures, data, predictions.

use agop_core::activation::{Activation, AnyActivation};
use agop_core::correlation::{Route, Traces, traces};
use agop_core::dual::Dual;
use agop_core::early_time::quadratic::{self, Readout, WordTraces, statistics, statistics_workspace};
use agop_core::early_time::{
    Derivatives, DualBackend, Path, differentiate, differentiate_workspace, expand, rate, rate_workspace,
};
use agop_core::feature;
use agop_core::kernel::{Backend, Definition, accumulate};
use agop_core::loss::{AnyLoss, Loss, MeanSquared};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{
    Network, Shape, gradient_sum, gradient_workspace, jacobian_workspace, ptk_values, weights,
};
use agop_core::reduce::{SampleTree, buffers};
use agop_core::scalar::Scalar;
use agop_core::simd::Level;
use agop_tests::{PrimeField, SplitMix64};
use nalgebra::DMatrix;
use proptest::test_runner::{FailurePersistence, FileFailurePersistence};
use serde_json::Value;

pub type Exact = PrimeField;

/// Failing seeds are kept, and run first, in `proptest-regressions/early_time_NAME.txt` of this package.
pub fn persistence(name: &str) -> Option<Box<dyn FailurePersistence>> {
    let path = format!("proptest-regressions/early_time_{name}.txt");
    Some(Box::new(FileFailurePersistence::Direct(Box::leak(path.into_boxed_str()))))
}

/// A network and its data, over any scalar.
#[derive(Clone, Debug)]
pub struct Problem<T, A> {
    pub widths: Vec<usize>,
    pub bias: bool,
    pub activation: A,
    pub parameters: Vec<T>,
    pub samples: usize,
    pub x: Vec<T>,
    pub y: Vec<T>,
}

pub fn matrix<T>(data: &[T], rows: usize) -> MatRef<'_, T> {
    MatRef::new(data, rows, data.len() / rows).unwrap()
}

impl<T: Scalar, A: Activation<T>> Problem<T, A> {
    pub fn new(
        widths: &[usize],
        activation: A,
        samples: usize,
        mut draw: impl FnMut(usize) -> Vec<T>,
    ) -> Self {
        let parameters = draw(agop_core::network::parameters(widths, false));
        let (x, y) = (draw(samples * widths[0]), draw(samples * widths[widths.len() - 1]));
        Self { widths: widths.to_vec(), bias: false, activation, parameters, samples, x, y }
    }
    /// As [`Problem::new`], with biases.
    pub fn with_bias(
        widths: &[usize],
        activation: A,
        samples: usize,
        mut draw: impl FnMut(usize) -> Vec<T>,
    ) -> Self {
        let parameters = draw(agop_core::network::parameters(widths, true));
        Self { bias: true, parameters, ..Self::new(widths, activation, samples, draw) }
    }
    pub fn shape(&self) -> Shape<'_> {
        Shape::new(&self.widths, self.bias).unwrap()
    }
    pub fn hidden(&self) -> usize {
        self.widths.len() - 2
    }
    pub fn network(&self) -> Network<'_, T, A> {
        Network::new(self.shape(), self.activation, &self.parameters).unwrap()
    }
    pub fn inputs(&self) -> MatRef<'_, T> {
        matrix(&self.x, self.samples)
    }
    pub fn targets(&self) -> MatRef<'_, T> {
        matrix(&self.y, self.samples)
    }
    pub fn forward(&self, backend: impl Backend<T>) -> Vec<T> {
        let mut out = vec![T::zero(); self.y.len()];
        let mut work = vec![T::zero(); gradient_workspace(&self.widths, 64)];
        let view = MatMut::new(&mut out, self.samples, self.shape().outputs()).unwrap();
        self.network().forward(backend, self.inputs(), view, &mut work).unwrap();
        out
    }
    pub fn gradient(&self, backend: impl Backend<T>) -> Vec<T> {
        self.gradient_of(backend, MeanSquared)
    }
    pub fn gradient_of(&self, backend: impl Backend<T>, loss: impl Loss<T>) -> Vec<T> {
        let length = gradient_sum(&self.widths, self.bias);
        let mut storage = vec![T::zero(); length * buffers(self.samples as u64)];
        let mut work = vec![T::zero(); gradient_workspace(&self.widths, 64)];
        let mut sum = SampleTree::new(&mut storage, length, 0).unwrap();
        let network = self.network();
        network
            .accumulate_gradient(backend, loss, self.inputs(), self.targets(), &mut sum, &mut work)
            .unwrap();
        network.finish_gradient(backend, loss, &mut sum).unwrap().1.to_vec()
    }
    pub fn features(&self, backend: impl Backend<T>) -> Vec<T> {
        let length = ptk_values(&self.widths);
        let mut storage = vec![T::zero(); length * buffers(self.samples as u64)];
        let mut work = vec![T::zero(); jacobian_workspace(&self.widths, 64)];
        let mut sum = SampleTree::new(&mut storage, length, 0).unwrap();
        self.network().accumulate_ptk(backend, self.inputs(), &mut sum, &mut work).unwrap();
        feature::finish_ptk(backend, self.shape(), &mut sum).unwrap().to_vec()
    }
    /// Targets such that the residual `f - y` is minus the labels: the limit of a vanishing readout.
    pub fn with_residual_of_labels(mut self, backend: impl Backend<T>) -> Self {
        let f = self.forward(backend);
        self.y = self.y.iter().zip(f).map(|(y, f)| f + y.clone()).collect();
        self
    }
    /// The same problem over another scalar.
    pub fn map<U>(&self, into: impl Fn(&T) -> U) -> Problem<U, A> {
        let all = |values: &[T]| values.iter().map(&into).collect();
        Problem {
            widths: self.widths.clone(),
            bias: self.bias,
            activation: self.activation,
            parameters: all(&self.parameters),
            samples: self.samples,
            x: all(&self.x),
            y: all(&self.y),
        }
    }
}

/// The inputs of a layer, as plain products.
pub fn layer_inputs<T: Scalar, A: Activation<T>>(
    problem: &Problem<T, A>,
    layer: usize,
    backend: impl Backend<T>,
) -> Vec<T> {
    let mut x = problem.x.clone();
    for span in problem.shape().spans().take(layer) {
        let w = weights(&problem.parameters, span).unwrap();
        let bias = &problem.parameters[span.range()][span.weights()..];
        let bias = if problem.bias { bias.to_vec() } else { vec![T::zero(); span.outputs] };
        let mut z: Vec<T> = (0..problem.samples).flat_map(|_| bias.clone()).collect();
        let out = MatMut::new(&mut z, problem.samples, span.outputs).unwrap();
        accumulate(backend, out, matrix(&x, problem.samples), w.t()).unwrap();
        x = z.iter().map(|z| problem.activation.value(z)).collect();
    }
    x
}

pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_str().expect("a number as it stands").parse().expect("a number")],
    }
}

/// The cases of a fixture with every number as the string that stands in the file: reading floats into a JSON value may
/// move them by one ulp, and some of these predictions notice.
pub fn exact_cases(text: &str) -> Vec<Value> {
    let mut quoted = String::with_capacity(text.len() * 2);
    let (mut inside_string, mut inside_number) = (false, false);
    for c in text.chars() {
        let number = !inside_string
            && (c.is_ascii_digit()
                || matches!(c, '-' | '+' | '.' | 'e' | 'E') && (inside_number || c == '-'));
        if number != inside_number {
            quoted.push('"');
        }
        inside_number = number;
        inside_string ^= c == '"';
        quoted.push(c);
    }
    let document: Value = serde_json::from_str(&quoted).unwrap();
    document["cases"].as_array().unwrap().clone()
}

#[track_caller]
pub fn assert_relative(what: &str, found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs() / expected.abs();
    assert!(error <= tolerance, "{what}: {found} against {expected}, relative {error:.2e} > {tolerance:.0e}");
}

impl<T, A> Problem<T, A> {
    /// The same problem with another name for its activation.
    pub fn with<C>(self, activation: C) -> Problem<T, C> {
        let Self { widths, bias, parameters, samples, x, y, .. } = self;
        Problem { widths, bias, activation, parameters, samples, x, y }
    }
}

/// Widths, samples: up to three hidden layers, everything small enough for exact numbers.
pub fn draw_shape(
    rng: &mut SplitMix64,
    depth: i64,
    width: i64,
    outputs: i64,
    samples: i64,
) -> (Vec<usize>, usize) {
    let mut draw = |most| rng.between(1, most) as usize;
    let mut widths: Vec<usize> = (0..draw(depth) + 1).map(|_| draw(width)).collect();
    widths.push(draw(outputs));
    (widths, draw(samples))
}

/// Gradient and features with their derivatives along the negative gradient of the mean squared error.
pub fn derivatives<T: Scalar, A, B>(
    problem: &Problem<T, A>,
    backend: B,
    rows: usize,
) -> (Vec<Dual<T>>, Vec<Dual<T>>)
where
    A: Activation<T> + Activation<Dual<T>>,
    B: Backend<Dual<T>>,
{
    derivatives_of(problem, MeanSquared, backend, rows)
}

pub fn derivatives_of<T: Scalar, A, B>(
    problem: &Problem<T, A>,
    loss: impl Loss<Dual<T>>,
    backend: B,
    rows: usize,
) -> (Vec<Dual<T>>, Vec<Dual<T>>)
where
    A: Activation<T> + Activation<Dual<T>>,
    B: Backend<Dual<T>>,
{
    let size = differentiate_workspace(problem.network().shape(), problem.samples, rows);
    let mut work = vec![Dual::<T>::zero(); size];
    let network = problem.network();
    let Derivatives { gradient, ptk: features } =
        differentiate(backend, &network, loss, problem.inputs(), problem.targets(), &mut work).unwrap();
    (gradient.to_vec(), features.to_vec())
}

/// The traces of the centred pair of one layer to first order.
pub fn expansion<T: Scalar<Wide = T>>(
    shape: Shape<'_>,
    (gradient, features): &(Vec<Dual<T>>, Vec<Dual<T>>),
    layer: usize,
    path: Path,
) -> Traces<Dual<T>> {
    let (g, f) = Derivatives { gradient, ptk: features }.layer(shape, layer).unwrap();
    let mut work = vec![Dual::zero(); rate_workspace(g.rows(), g.columns())];
    expand(Definition, g, f, path, &mut work).unwrap()
}

/// The traces of one layer's pair by the given route.
pub fn pair<T: Scalar<Wide = T>>(w: MatRef<'_, T>, k: MatRef<'_, T>, route: Route) -> Traces<T> {
    let mut work = vec![T::zero(); route.workspace(w.rows(), w.columns())];
    traces(Definition, w, k, route, &mut work).unwrap()
}

/// A network with Gaussian weights (and, by chance, biases) of variance 1/fan_in on Gaussian data.
pub fn random_network(
    rng: &mut SplitMix64,
    widths: &[usize],
    activation: AnyActivation,
    samples: usize,
) -> Problem<f64, AnyActivation> {
    let mut problem = if rng.between(0, 1) == 1 {
        Problem::with_bias(widths, activation, samples, |n| rng.normals(n))
    } else {
        Problem::new(widths, activation, samples, |n| rng.normals(n))
    };
    let spans: Vec<_> = problem.shape().spans().collect();
    for span in spans {
        for w in &mut problem.parameters[span.range()] {
            *w /= (span.inputs as f64).sqrt();
        }
    }
    problem
}

/// Limit and slope of one layer; `None` where they are undefined.
pub fn float_rate(
    problem: &Problem<f64, AnyActivation>,
    loss: AnyLoss,
    layer: usize,
    path: Path,
) -> Option<(f64, f64)> {
    let level = DualBackend(Level::detect());
    let (gradient, features) = derivatives_of(problem, loss, level, 64);
    let (g, f) = Derivatives { gradient: &gradient, ptk: &features }.layer(problem.shape(), layer).unwrap();
    let mut work = vec![Dual::zero(); rate_workspace(g.rows(), g.columns())];
    let rate = rate(level, g, f, path, &mut work).unwrap().ok()?;
    Some((rate.limit, rate.slope))
}

/// The nine traces of words over the field.
pub fn words(p: &[Exact], b: &[Exact], d: usize) -> WordTraces<Exact> {
    let mut work = vec![Exact::zero(); d * d];
    WordTraces::new(Definition, matrix(p, d), matrix(b, d), &mut work).unwrap()
}

/// Each row times its own factor.
pub fn scale_rows(x: &[Exact], by: &[Exact]) -> Vec<Exact> {
    x.chunks_exact(x.len() / by.len()).zip(by).flat_map(|(row, y)| row.iter().map(|x| *x * *y)).collect()
}

pub fn predict(x: &[f64], y: &[f64], readout: Readout<'_, f64>) -> quadratic::Quadratic {
    let d = x.len() / y.len();
    let mut work = vec![0.0; statistics_workspace(d)];
    statistics(Level::detect(), matrix(x, y.len()), y, &mut work).unwrap().expect(readout).unwrap()
}

/// Inputs N(0, I) and labels from a quadratic teacher plus noise.
pub fn data(rng: &mut SplitMix64, n: usize, d: usize) -> (Vec<f64>, Vec<f64>) {
    let x = rng.normals(n * d);
    let y = x.chunks_exact(d).map(|row| row[0] * row[1 % d] + 0.5 * rng.normal()).collect();
    (x, y)
}

/// `X R` with R orthogonal, from the QR decomposition of a random matrix.
pub fn rotated(rng: &mut SplitMix64, x: &[f64], n: usize, d: usize) -> Vec<f64> {
    let r = DMatrix::from_vec(d, d, rng.normals(d * d)).qr().q();
    (DMatrix::from_row_slice(n, d, x) * r).transpose().as_slice().to_vec()
}
