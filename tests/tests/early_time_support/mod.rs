//! What the early-time tests share: passes over any scalar, and truncated power series as a scalar.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic, and need not use everything"
)]

use agop_core::activation::Activation;
use agop_core::feature;
use agop_core::kernel::{Backend, accumulate};
use agop_core::loss::{Loss, MeanSquared};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{
    Network, Shape, features, gradient_sum, gradient_workspace, jacobian_workspace, weights,
};
use agop_core::reduce::{SampleTree, buffers};
use agop_core::scalar::{Ordered, Scalar};
use serde_json::Value;
use std::num::NonZeroU64;
use std::ops::{Add, Mul, Neg, Sub};

/// A network without biases and its data, over any scalar.
#[derive(Clone, Debug)]
pub struct Problem<T, A> {
    pub widths: Vec<usize>,
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
        Self { widths: widths.to_vec(), activation, parameters, samples, x, y }
    }
    pub fn shape(&self) -> Shape<'_> {
        Shape::new(&self.widths, false).unwrap()
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
        let length = gradient_sum(&self.widths, false);
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
        let length = features(&self.widths);
        let mut storage = vec![T::zero(); length * buffers(self.samples as u64)];
        let mut work = vec![T::zero(); jacobian_workspace(&self.widths, 64)];
        let mut sum = SampleTree::new(&mut storage, length, 0).unwrap();
        self.network().accumulate_features(backend, self.inputs(), &mut sum, &mut work).unwrap();
        feature::finish(backend, self.shape(), &mut sum).unwrap().to_vec()
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
        let mut z = vec![T::zero(); problem.samples * span.outputs];
        let out = MatMut::new(&mut z, problem.samples, span.outputs).unwrap();
        accumulate(backend, out, matrix(&x, problem.samples), w.t()).unwrap();
        x = z.iter().map(|z| problem.activation.value(z)).collect();
    }
    x
}

/// A power series `c_0 + c_1 t + ...` cut off at `t^N`: running an algorithm on it expands it exactly around t = 0+.
#[derive(Clone, Debug, PartialEq)]
pub struct Series<T, const N: usize>(pub [T; N]);

impl<T: Scalar, const N: usize> Series<T, N> {
    pub fn constant(x: T) -> Self {
        Self::monomial(x, 0)
    }
    /// `x t^power`.
    pub fn monomial(x: T, power: usize) -> Self {
        Self(std::array::from_fn(|i| if i == power { x.clone() } else { T::zero() }))
    }
    /// `integral from 0 to t`.
    pub fn integral(&self) -> Self {
        Self(std::array::from_fn(|i| match NonZeroU64::new(i as u64) {
            Some(power) => self.0[i - 1].clone().divide_by(power),
            None => T::zero(),
        }))
    }
}

impl<T: Scalar, const N: usize> Add for Series<T, N> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].clone() + other.0[i].clone()))
    }
}

impl<T: Scalar, const N: usize> Sub for Series<T, N> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].clone() - other.0[i].clone()))
    }
}

impl<T: Scalar, const N: usize> Neg for Series<T, N> {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.map(|x| -x))
    }
}

impl<T: Scalar, const N: usize> Mul for Series<T, N> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| {
            (0..=i).fold(T::zero(), |sum, j| T::fma(&self.0[j], &other.0[i - j], sum))
        }))
    }
}

impl<T: Scalar<Wide = T>, const N: usize> Scalar for Series<T, N> {
    type Wide = Self;
    fn zero() -> Self {
        Self::constant(T::zero())
    }
    fn one() -> Self {
        Self::constant(T::one())
    }
    fn from_integer(n: i64) -> Self {
        Self::constant(T::from_integer(n))
    }
    fn fma(a: &Self, b: &Self, c: Self) -> Self {
        a.clone() * b.clone() + c
    }
    fn divide_by(self, n: NonZeroU64) -> Self {
        Self(self.0.map(|x| x.divide_by(n)))
    }
    fn widen(&self) -> Self {
        self.clone()
    }
}

/// The sign for small t > 0.
impl<T: Ordered + Scalar<Wide = T>, const N: usize> Ordered for Series<T, N> {
    fn is_positive(&self) -> bool {
        self.0.iter().find(|x| **x != T::zero()).is_some_and(T::is_positive)
    }
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
        let Self { widths, parameters, samples, x, y, .. } = self;
        Problem { widths, activation, parameters, samples, x, y }
    }
}

/// Failing seeds are kept beside the tests, `tests/early_time_NAME.regressions`.
pub fn persistence(name: &str) -> Option<Box<dyn proptest::test_runner::FailurePersistence>> {
    let path = format!("tests/early_time_{name}.regressions");
    Some(Box::new(proptest::test_runner::FileFailurePersistence::Direct(Box::leak(path.into_boxed_str()))))
}
