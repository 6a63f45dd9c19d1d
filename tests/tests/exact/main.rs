//! Identities that hold without any error: on the prime field they are proved at random points, on the rationals they
//! are the truth for ReLU. The other side of each equation is a nested sum or a dual number.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod identities;
mod textbook;

use agop::machine::Threads;
use agop::network::Model;
use agop_core::activation::{Activation, Relu};
use agop_core::correlation::{Route, Traces, traces};
use agop_core::dual::Dual;
use agop_core::feature::{agop, ptk_of_layer};
use agop_core::kernel::Definition;
use agop_core::loss::MeanSquared;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{gradient_sum, jacobian_workspace, parameters, ptk_values};
use agop_core::scalar::Scalar;
use agop_tests::literal::Matrix;
use agop_tests::{PrimeField, Rational, SplitMix64, random_field, random_rationals};
use std::num::NonZeroU64;

/// What makes a network but its numbers.
#[derive(Clone, Debug)]
struct Case {
    widths: Vec<usize>,
    bias: bool,
    samples: usize,
}

impl Case {
    /// Up to `depth` hidden layers, widths up to `width`.
    fn random(rng: &mut SplitMix64, depth: i64, width: i64, samples: i64) -> Self {
        let mut draw = |most| rng.between(1, most) as usize;
        let mut widths: Vec<usize> = (0..draw(depth) + 1).map(|_| draw(width)).collect();
        widths.push(draw(4));
        Self { widths, bias: draw(2) == 1, samples: draw(samples) }
    }
    fn parameters(&self) -> usize {
        parameters(&self.widths, self.bias)
    }
    fn inputs(&self) -> usize {
        self.widths[0]
    }
    fn outputs(&self) -> usize {
        *self.widths.last().unwrap()
    }
}

/// A network with data, over any exact scalar.
#[derive(Clone)]
struct Problem<T, A> {
    model: Model<T, A>,
    samples: usize,
    x: Vec<T>,
    y: Vec<T>,
}

/// Exact types that cross threads, as the vector-owned network asks.
trait Exact: Scalar<Wide = Self> + Send + Sync {}
impl<T: Scalar<Wide = T> + Send + Sync> Exact for T {}

impl<T: Exact, A: Activation<T> + Sync> Problem<T, A> {
    fn new(case: &Case, activation: A, mut draw: impl FnMut(usize) -> Vec<T>) -> Self {
        let model = Model::new(case.widths.clone(), case.bias, activation, draw(case.parameters())).unwrap();
        let (x, y) = (draw(case.samples * case.inputs()), draw(case.samples * case.outputs()));
        Self { model, samples: case.samples, x, y }
    }
    fn inputs(&self) -> MatRef<'_, T> {
        MatRef::new(&self.x, self.samples, self.x.len() / self.samples).unwrap()
    }
    fn targets(&self) -> MatRef<'_, T> {
        MatRef::new(&self.y, self.samples, self.y.len() / self.samples).unwrap()
    }
    fn hidden(&self) -> usize {
        self.model.widths().len() - 2
    }
    fn outputs(&self) -> usize {
        self.y.len() / self.samples
    }
    fn weights(&self, layer: usize) -> Matrix<T> {
        let w = self.model.weights(layer).unwrap();
        Matrix::new(w.as_slice().unwrap(), w.columns())
    }
    fn forward(&self) -> Vec<T> {
        self.model.forward(Definition, self.inputs()).unwrap()
    }
    fn gradient(&self) -> (T, Vec<T>) {
        let mut memory = self.model.gradient_memory(&Threads::new(2).unwrap(), self.samples).unwrap();
        let mut out = vec![T::zero(); self.model.parameters().len()];
        let (x, y) = (self.inputs(), self.targets());
        let loss = self.model.gradient(Definition, MeanSquared, x, y, &mut memory, &mut out).unwrap();
        assert_eq!(out.len() + 1, gradient_sum(self.model.widths(), self.model.bias()));
        (loss, out)
    }
    /// The PTK features of each hidden layer.
    fn features(&self) -> Vec<Matrix<T>> {
        let mut memory = self.model.feature_memory(&Threads::new(2).unwrap(), self.samples).unwrap();
        let all = self.model.features(Definition, self.inputs(), &mut memory).unwrap();
        assert_eq!(all.len(), ptk_values(self.model.widths()));
        let shape = self.model.shape().unwrap();
        let view = |layer| ptk_of_layer(shape, &all, layer).unwrap();
        (0..self.hidden())
            .map(|layer| Matrix::new(view(layer).as_slice().unwrap(), view(layer).rows()))
            .collect()
    }
    /// `df/dh_l`, ((n c) x k), three samples at a time.
    fn jacobians(&self, layer: usize) -> Matrix<T> {
        let k = self.model.widths()[layer + 1];
        let rows = self.samples * self.outputs();
        let mut out = vec![T::zero(); rows * k];
        let mut workspace = vec![T::zero(); jacobian_workspace(self.model.widths(), 3)];
        let target = MatMut::new(&mut out, rows, k).unwrap();
        self.model
            .view()
            .unwrap()
            .jacobians(Definition, layer, self.inputs(), target, &mut workspace)
            .unwrap();
        Matrix::new(&out, k)
    }
    /// Mean loss `(1/2n) sum |f - y|^2` of outputs.
    fn loss_of(&self, outputs: &[T]) -> T {
        let square = |(f, y): (&T, &T)| (f.clone() - y.clone()) * (f.clone() - y.clone());
        let sum = outputs.iter().zip(&self.y).map(square).reduce(|a, b| a + b).unwrap();
        sum.divide_by(count(2 * self.samples))
    }
}

fn count(n: usize) -> NonZeroU64 {
    NonZeroU64::new(n as u64).unwrap()
}

/// Values with derivatives along `direction`.
fn moving<T: Exact>(values: &[T], direction: &[T]) -> Vec<Dual<T>> {
    values.iter().zip(direction).map(|(v, d)| Dual::new(v.clone(), d.clone())).collect()
}

fn still<T: Exact>(values: &[T]) -> Vec<Dual<T>> {
    values.iter().cloned().map(Dual::constant).collect()
}

fn derivatives<T: Exact>(duals: &[Dual<T>]) -> Vec<T> {
    duals.iter().map(|d| d.derivative.clone()).collect()
}

fn unit<T: Exact>(n: usize, at: usize) -> Vec<T> {
    (0..n).map(|i| if i == at { T::one() } else { T::zero() }).collect()
}

impl<T: Exact, A: Activation<T> + Activation<Dual<T>> + Sync> Problem<T, A> {
    /// The same problem on duals, the parameters moving along `direction`.
    fn along(&self, direction: &[T]) -> Problem<Dual<T>, A> {
        let parameters = moving(self.model.parameters(), direction);
        let (widths, bias) = (self.model.widths().to_vec(), self.model.bias());
        let model = Model::new(widths, bias, self.model.activation(), parameters).unwrap();
        Problem { model, samples: self.samples, x: still(&self.x), y: still(&self.y) }
    }

    /// The same function with a bias in every layer: zeros where there was none.
    fn biased(&self) -> Self {
        if self.model.bias() {
            return self.clone();
        }
        let mut parameters = Vec::new();
        for span in self.model.shape().unwrap().spans() {
            parameters.extend_from_slice(&self.model.parameters()[span.range()]);
            parameters.extend((0..span.outputs).map(|_| T::zero()));
        }
        let widths = self.model.widths().to_vec();
        Self { model: Model::new(widths, true, self.model.activation(), parameters).unwrap(), ..self.clone() }
    }

    /// `df/dh_l` by moving one bias of layer l at a time.
    fn jacobians_by_duals(&self, layer: usize) -> Matrix<T> {
        let biased = self.biased();
        let span = biased.model.shape().unwrap().layer(layer).unwrap();
        let column = |i: usize| {
            let at = span.offset + span.weights() + i;
            derivatives(&biased.along(&unit(biased.model.parameters().len(), at)).forward())
        };
        Matrix((0..span.outputs).map(column).collect()).t()
    }

    /// Layers `l ..` as a network of its own, on the inputs of layer l.
    fn tail(&self, layer: usize) -> Self {
        let shape = self.model.shape().unwrap();
        let offset = shape.layer(layer).unwrap().offset;
        let (bias, activation) = (self.model.bias(), self.model.activation());
        let part = |widths: &[usize], parameters: &[T]| {
            Model::new(widths.to_vec(), bias, activation, parameters.to_vec()).unwrap()
        };
        let x = if layer == 0 {
            self.x.clone()
        } else {
            let head = part(&self.model.widths()[..=layer], &self.model.parameters()[..offset]);
            let h = head.forward(Definition, self.inputs()).unwrap();
            h.iter().map(|h| activation.value(h)).collect()
        };
        let model = part(&self.model.widths()[layer..], &self.model.parameters()[offset..]);
        Self { model, samples: self.samples, x, y: self.y.clone() }
    }

    /// `df/dx_l`, ((n c) x d), by moving one input of layer l at a time, in all samples at once.
    fn input_derivatives(&self, layer: usize) -> Matrix<T> {
        let tail = self.tail(layer);
        let d = self.model.widths()[layer];
        let column = |j: usize| {
            let direction: Vec<T> = (0..tail.samples).flat_map(|_| unit(d, j)).collect();
            let mut duals = tail.along(&vec![T::zero(); tail.model.parameters().len()]);
            duals.x = moving(&tail.x, &direction);
            derivatives(&duals.forward())
        };
        Matrix((0..d).map(column).collect()).t()
    }

    /// Features, Jacobians and AGOP of every hidden layer against sums over dual derivatives.
    fn check_features(&self) {
        let mean = |m: &Matrix<T>| {
            let divide = |x: T| x.divide_by(count(self.samples));
            Matrix::new(&m.elements().into_iter().map(divide).collect::<Vec<_>>(), m.0[0].len())
        };
        for (layer, features) in self.features().iter().enumerate() {
            let (w, jacobians) = (self.weights(layer), self.jacobians(layer));
            assert_eq!(jacobians, self.jacobians_by_duals(layer), "Jacobians of layer {layer}");
            assert_eq!(*features, mean(&jacobians.t().times(&jacobians)), "features of layer {layer}");
            let by_inputs = self.input_derivatives(layer);
            assert_eq!(jacobians.times(&w), by_inputs, "J W of layer {layer}");
            let outer = mean(&by_inputs.t().times(&by_inputs));
            assert_eq!(agop_of(&w, features), outer, "AGOP of layer {layer}");
        }
    }

    /// The gradient against the derivative of the loss along `direction`; the loss against its definition.
    fn check_gradient(&self, direction: &[T]) {
        let (loss, gradient) = self.gradient();
        assert_eq!(loss, self.loss_of(&self.forward()));
        let duals = self.along(direction);
        let (dual_loss, dual_gradient) = duals.gradient();
        assert_eq!(dual_loss.value, loss);
        assert!(dual_gradient.iter().map(|g| &g.value).eq(&gradient));
        let slope = gradient.iter().zip(direction).map(|(g, d)| g.clone() * d.clone());
        assert_eq!(dual_loss.derivative, slope.reduce(|a, b| a + b).unwrap());
        assert_eq!(dual_loss, duals.loss_of(&duals.forward()));
    }
}

fn agop_of<T: Exact>(w: &Matrix<T>, k: &Matrix<T>) -> Matrix<T> {
    let (rows, d) = (w.0.len(), w.0[0].len());
    let (w, k) = (w.elements(), k.elements());
    let (mut out, mut workspace) = (vec![T::zero(); d * d], vec![T::zero(); rows * d]);
    let (w, k) = (MatRef::new(&w, rows, d).unwrap(), MatRef::new(&k, rows, rows).unwrap());
    agop(Definition, w, k, MatMut::new(&mut out, d, d).unwrap(), &mut workspace).unwrap();
    Matrix::new(&out, d)
}

fn traces_by<T: Exact>(w: &Matrix<T>, k: &Matrix<T>, route: Route) -> Traces<T> {
    let (rows, d) = (w.0.len(), w.0[0].len());
    let (w, k) = (w.elements(), k.elements());
    let mut workspace = vec![T::one(); route.workspace(rows, d)];
    let (w, k) = (MatRef::new(&w, rows, d).unwrap(), MatRef::new(&k, rows, rows).unwrap());
    traces(Definition, w, k, route, &mut workspace).unwrap()
}

fn check_traces<T: Exact>(w: &Matrix<T>, k: &Matrix<T>) {
    let literal = w.traces(k);
    for route in [Route::Gram, Route::Direct] {
        assert_eq!(traces_by(w, k, route), literal, "{route:?} {}x{}", w.0.len(), w.0[0].len());
    }
}

/// A random symmetric matrix from a draw of n n elements.
fn symmetric<T: Exact>(draw: Vec<T>, n: usize) -> Matrix<T> {
    Matrix(
        (0..n)
            .map(|i| (0..n).map(|j| draw[if i < j { i * n + j } else { j * n + i }].clone()).collect())
            .collect(),
    )
}

fn field_problem<A: Activation<PrimeField> + Sync>(
    case: &Case,
    activation: A,
    seed: u64,
) -> Problem<PrimeField, A> {
    let mut rng = SplitMix64::new(seed);
    Problem::new(case, activation, |n| random_field(&mut rng, n))
}

fn rational_problem(case: &Case, seed: u64) -> Problem<Rational, Relu> {
    let mut rng = SplitMix64::new(seed);
    Problem::new(case, Relu, |n| random_rationals(&mut rng, n))
}
