//! Identities that hold without any error: on the prime field they are proved at random points, on the rationals they
//! are the truth for ReLU. The other side of each equation is a nested sum or a dual number.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use agop::machine::Threads;
use agop::network::Model;
use agop_core::activation::{Activation, Linear, Quadratic, Relu};
use agop_core::correlation::{Route, Traces, traces};
use agop_core::dual::Dual;
use agop_core::feature::{agop, nfm, of_layer};
use agop_core::kernel::Definition;
use agop_core::loss::MeanSquared;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{features, gradient_sum, jacobian_workspace, parameters};
use agop_core::scalar::Scalar;
use agop_tests::literal::Matrix;
use agop_tests::{PrimeField, Rational, SplitMix64, random_field, random_rationals};
use proptest::prelude::*;
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
        assert_eq!(all.len(), features(self.model.widths()));
        let shape = self.model.shape().unwrap();
        let view = |layer| of_layer(shape, &all, layer).unwrap();
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

fn any_case() -> impl Strategy<Value = Case> {
    let widths = (1..=7_usize, prop::collection::vec(1..=7_usize, 1..=4), 1..=4_usize);
    (widths, any::<bool>(), 1..=20_usize).prop_map(|((inputs, hidden, outputs), bias, samples)| {
        let widths = [vec![inputs], hidden, vec![outputs]].concat();
        Case { widths, bias, samples }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agop_is_the_mean_outer_product_of_input_derivatives(case in any_case(), seed in any::<u64>()) {
        field_problem(&case, Quadratic, seed).check_features();
        field_problem(&case, Linear, seed).check_features();
    }

    #[test]
    fn gradients_are_derivatives_of_the_loss(case in any_case(), seed in any::<u64>()) {
        let direction = random_field(&mut SplitMix64::new(!seed), case.parameters());
        field_problem(&case, Quadratic, seed).check_gradient(&direction);
        field_problem(&case, Linear, seed).check_gradient(&direction);
    }

    #[test]
    fn both_routes_give_the_traces_of_the_full_matrices(k in 1..=9_usize, d in 1..=9_usize, seed in any::<u64>()) {
        let mut rng = SplitMix64::new(seed);
        let w = Matrix::new(&random_field(&mut rng, k * d), d);
        check_traces(&w, &symmetric(random_field(&mut rng, k * k), k));
        let w = Matrix::new(&random_rationals(&mut rng, k * d), d);
        check_traces(&w, &symmetric(random_rationals(&mut rng, k * k), k));
    }
}

#[test]
fn seeded_networks_on_the_prime_field() {
    let mut rng = SplitMix64::new(0xa60b);
    for seed in 0..300 {
        let case = Case::random(&mut rng, 4, 7, 20);
        field_problem(&case, Quadratic, seed).check_features();
        let direction = random_field(&mut rng, case.parameters());
        field_problem(&case, Quadratic, seed).check_gradient(&direction);
    }
}

#[test]
fn every_single_partial_derivative_of_small_networks() {
    let mut rng = SplitMix64::new(0x51);
    for seed in 0..30 {
        let case = Case::random(&mut rng, 3, 4, 5);
        let problem = field_problem(&case, Quadratic, seed);
        let n = case.parameters();
        let (_, gradient) = problem.gradient();
        for (at, partial) in gradient.iter().enumerate() {
            let (loss, _) = problem.along(&unit(n, at)).gradient();
            assert_eq!(loss.derivative, *partial, "parameter {at} of {case:?}");
        }
    }
}

/// Gradients of gradients: `u^T H v = v^T H u`, with `H v` the derivative of the gradient along v.
#[test]
fn the_derivative_of_the_gradient_is_symmetric() {
    let mut rng = SplitMix64::new(0x4e55);
    for seed in 0..40 {
        let case = Case::random(&mut rng, 4, 6, 8);
        let problem = field_problem(&case, Quadratic, seed);
        let (u, v) = (random_field(&mut rng, case.parameters()), random_field(&mut rng, case.parameters()));
        let product = |u: &[PrimeField], v: &[PrimeField]| {
            let hessian_v = derivatives(&problem.along(v).gradient().1);
            u.iter().zip(&hessian_v).fold(PrimeField::zero(), |sum, (a, b)| sum + *a * *b)
        };
        assert_eq!(product(&u, &v), product(&v, &u), "{case:?}");
        assert_ne!(product(&u, &v), product(&u, &u), "{case:?}");
    }
}

/// 700 samples are three blocks: two threads, the tree, and the mean.
#[test]
fn sums_over_several_blocks_are_the_same_sums() {
    for bias in [false, true] {
        let case = Case { widths: vec![3, 4, 2, 2], bias, samples: 700 };
        let problem = field_problem(&case, Quadratic, 700);
        problem.check_features();
        problem.check_gradient(&random_field(&mut SplitMix64::new(701), case.parameters()));
    }
}

/// `tr(F G)` and `tr(G^2)` over `W = W_0 + Wbar` and `K = K_0 + (K - K_0)`: the sum over all choices of parts is the
/// whole, and the choice of the centred part everywhere is what the traces of the centred pair give.
#[test]
fn centred_parts_add_up_to_the_whole() {
    let mut rng = SplitMix64::new(0xce);
    for _ in 0..40 {
        let (k, d) = (rng.between(1, 6) as usize, rng.between(1, 6) as usize);
        let mut matrix = || Matrix::new(&random_field(&mut rng, k * d), d);
        let (w, w_0) = (matrix(), matrix());
        let (ptk, ptk_0) =
            (symmetric(random_field(&mut rng, k * k), k), symmetric(random_field(&mut rng, k * k), k));
        let parts = [w_0.clone(), w.minus(&w_0)];
        let ptk_parts = [ptk_0.clone(), ptk.minus(&ptk_0)];
        let f = |a: usize, b: usize| parts[a].t().times(&parts[b]);
        let g = |a: usize, b: usize, c: usize| parts[a].t().times(&ptk_parts[c]).times(&parts[b]);
        let zero = PrimeField::zero();
        let (mut fg, mut gg) = (zero, zero);
        for choice in 0..32_usize {
            let bit = |i: usize| choice >> i & 1;
            fg = fg + f(bit(0), bit(1)).inner(&g(bit(2), bit(3), bit(4)));
        }
        for choice in 0..64_usize {
            let bit = |i: usize| choice >> i & 1;
            gg = gg + g(bit(0), bit(1), bit(2)).inner(&g(bit(3), bit(4), bit(5)));
        }
        for route in [Route::Gram, Route::Direct] {
            let whole = traces_by(&w, &ptk, route);
            assert_eq!((whole.fg, whole.gg), (fg, gg));
            let centred = traces_by(&parts[1], &ptk, route);
            assert_eq!(centred.fg, f(1, 1).inner(&g(1, 1, 0)) + f(1, 1).inner(&g(1, 1, 1)));
            let double = traces_by(&parts[1], &ptk_parts[1], route);
            assert_eq!((double.fg, double.gg), (f(1, 1).inner(&g(1, 1, 1)), g(1, 1, 1).inner(&g(1, 1, 1))));
        }
        let mut out = vec![zero; d * d];
        let elements = w.elements();
        nfm(Definition, MatRef::new(&elements, k, d).unwrap(), MatMut::new(&mut out, d, d).unwrap()).unwrap();
        let sum = |i: usize| (0..4).fold(zero, |sum, c| sum + f(c & 1, c >> 1).elements()[i]);
        assert!((0..d * d).all(|i| out[i] == sum(i)));
    }
}

/// Control: the identities are not true of everything. With an asymmetric K the transposed product, the mirrored
/// triangle and the two routes all differ; products that only associate differently do not.
#[test]
fn an_asymmetric_middle_matrix_is_told_apart() {
    let mut rng = SplitMix64::new(0xa5);
    for _ in 0..50 {
        let (k, d) = (rng.between(2, 7) as usize, rng.between(2, 7) as usize);
        let w = Matrix::new(&random_field(&mut rng, k * d), d);
        let asymmetric = Matrix::new(&random_field(&mut rng, k * k), k);
        let product = w.t().times(&asymmetric).times(&w);
        assert_eq!(product, w.t().times(&asymmetric.times(&w)));
        assert_ne!(product, w.t().times(&asymmetric.t()).times(&w));
        assert_ne!(agop_of(&w, &asymmetric), product);
        assert_ne!(traces_by(&w, &asymmetric, Route::Gram).gg, w.traces(&asymmetric).gg);
        // One wrong entry, on both sides of the diagonal, in each of the five traces but those of F alone.
        let ptk = symmetric(random_field(&mut rng, k * k), k);
        let mut wrong = ptk.clone();
        wrong.0[0][1] = wrong.0[0][1] + PrimeField::one();
        wrong.0[1][0] = wrong.0[0][1];
        let (right, wrong) = (w.traces(&ptk), traces_by(&w, &wrong, Route::Gram));
        assert_eq!((right.ff, right.f_sum), (wrong.ff, wrong.f_sum));
        assert!(right.fg != wrong.fg && right.gg != wrong.gg && right.g_sum != wrong.g_sum);
    }
}

/// The gradient by the textbook: sums over every path through the network, nothing reused, no kernel called.
struct Textbook<'a, T> {
    widths: &'a [usize],
    weights: Vec<Matrix<T>>,
    biases: Vec<Vec<T>>,
    value: fn(&T) -> T,
    slope: fn(&T) -> T,
}

impl<'a, T: Exact> Textbook<'a, T> {
    fn new<A: Activation<T> + Sync>(p: &'a Problem<T, A>, value: fn(&T) -> T, slope: fn(&T) -> T) -> Self {
        let (mut weights, mut biases, mut at) = (Vec::new(), Vec::new(), 0);
        for pair in p.model.widths().windows(2) {
            let (end, bias) = (at + pair[0] * pair[1], if p.model.bias() { pair[1] } else { 0 });
            weights.push(Matrix::new(&p.model.parameters()[at..end], pair[0]));
            biases.push(if bias > 0 {
                p.model.parameters()[end..end + bias].to_vec()
            } else {
                vec![T::zero(); pair[1]]
            });
            at = end + bias;
        }
        Self { widths: p.model.widths(), weights, biases, value, slope }
    }
    /// `h_l[i] = b_l[i] + sum_j W_l[i,j] x_l[j]`.
    fn h(&self, x: &[T], layer: usize, i: usize) -> T {
        (0..self.widths[layer]).fold(self.biases[layer][i].clone(), |sum, j| {
            sum + self.weights[layer].0[i][j].clone() * self.x(x, layer, j)
        })
    }
    /// `x_0 = x`, `x_{l+1} = phi(h_l)`.
    fn x(&self, x: &[T], layer: usize, j: usize) -> T {
        if layer == 0 { x[j].clone() } else { (self.value)(&self.h(x, layer - 1, j)) }
    }
    /// `df_o/dh_l[i] = sum_m df_o/dh_{l+1}[m] W_{l+1}[m,i] phi'(h_l[i])`.
    fn df_dh(&self, x: &[T], o: usize, layer: usize, i: usize) -> T {
        if layer + 1 == self.weights.len() {
            return if i == o { T::one() } else { T::zero() };
        }
        let paths = (0..self.widths[layer + 2]).fold(T::zero(), |sum, m| {
            sum + self.df_dh(x, o, layer + 1, m) * self.weights[layer + 1].0[m][i].clone()
        });
        paths * (self.slope)(&self.h(x, layer, i))
    }
    /// `(1/n) sum_a sum_o (f_o - y_o) df_o/dh_l[i] x_l[j]`, laid out like the parameters.
    fn gradient<A: Activation<T> + Sync>(&self, p: &Problem<T, A>) -> Vec<T> {
        let (last, c) = (self.weights.len() - 1, p.outputs());
        let mut out = Vec::new();
        let mean = |term: &dyn Fn(&[T], usize) -> T| {
            let mut sum = T::zero();
            for (x, y) in p.x.chunks(self.widths[0]).zip(p.y.chunks(c)) {
                for (o, y) in y.iter().enumerate() {
                    sum = sum + (self.h(x, last, o) - y.clone()) * term(x, o);
                }
            }
            sum.divide_by(count(p.samples))
        };
        for layer in 0..=last {
            for i in 0..self.widths[layer + 1] {
                for j in 0..self.widths[layer] {
                    out.push(mean(&|x, o| self.df_dh(x, o, layer, i) * self.x(x, layer, j)));
                }
            }
            for i in 0..if p.model.bias() { self.widths[layer + 1] } else { 0 } {
                out.push(mean(&|x, o| self.df_dh(x, o, layer, i)));
            }
        }
        out
    }
    /// `K[i,j] = (1/n) sum_a sum_o df_o/dh_l[i] df_o/dh_l[j]`.
    fn features<A: Activation<T> + Sync>(&self, p: &Problem<T, A>, layer: usize) -> Matrix<T> {
        let k = self.widths[layer + 1];
        let element = |i: usize, j: usize| {
            let mut sum = T::zero();
            for x in p.x.chunks(self.widths[0]) {
                for o in 0..p.outputs() {
                    sum = sum + self.df_dh(x, o, layer, i) * self.df_dh(x, o, layer, j);
                }
            }
            sum.divide_by(count(p.samples))
        };
        Matrix((0..k).map(|i| (0..k).map(|j| element(i, j)).collect()).collect())
    }
}

/// ReLU as the page defines it, apart from the crate's.
fn relu(z: &Rational) -> Rational {
    if *z > Rational::zero() { z.clone() } else { Rational::zero() }
}

fn relu_slope(z: &Rational) -> Rational {
    if *z > Rational::zero() { Rational::one() } else { Rational::zero() }
}

fn check_relu(problem: &Problem<Rational, Relu>, direction: &[Rational]) {
    let textbook = Textbook::new(problem, relu, relu_slope);
    assert_eq!(problem.gradient().1, textbook.gradient(problem));
    problem.check_gradient(direction);
    problem.check_features();
    for (layer, features) in problem.features().iter().enumerate() {
        assert_eq!(*features, textbook.features(problem, layer), "features of layer {layer}");
        check_traces(&problem.weights(layer), features);
    }
}

#[test]
fn relu_networks_on_the_rationals_are_the_textbook() {
    let mut rng = SplitMix64::new(0x7e1);
    let mut dead = 0;
    for seed in 0..80 {
        let case = Case::random(&mut rng, 3, 4, 4);
        let problem = rational_problem(&case, seed);
        check_relu(&problem, &random_rationals(&mut rng, case.parameters()));
        dead += usize::from(
            problem.features().iter().any(|k| k.0.iter().flatten().all(|x| *x == Rational::zero())),
        );
    }
    assert!(dead < 40, "{dead} of 80 networks have a layer through which nothing flows");
}

/// The exact value of each double: long fractions instead of short ones.
#[test]
fn relu_networks_with_weights_from_doubles() {
    let mut rng = SplitMix64::new(0xf64);
    for _ in 0..6 {
        let case = Case::random(&mut rng, 2, 4, 3);
        let mut draw = |n| rng.normals(n).iter().map(|x| Rational::from_f64(*x).unwrap()).collect::<Vec<_>>();
        let problem = Problem::new(&case, Relu, &mut draw);
        check_relu(&problem, &draw(case.parameters()));
    }
}

/// A pre-activation of exactly zero lies on the flat side, in values and in derivatives.
#[test]
fn relu_is_flat_at_zero() {
    let case = Case { widths: vec![2, 2, 1], bias: false, samples: 1 };
    let numbers = |n: usize| match n {
        6 => [1, -1, 2, 1, 3, 5].map(Rational::from_integer).to_vec(),
        _ => vec![Rational::one(); n],
    };
    // x = (1, 1): h = (0, 3), f = 15, g = 14.
    let problem = Problem::new(&case, Relu, numbers);
    assert_eq!(problem.forward(), [Rational::from_integer(15)]);
    assert_eq!(problem.gradient().1, [0, 0, 70, 70, 0, 42].map(Rational::from_integer));
    check_relu(&problem, &vec![Rational::one(); 6]);
}

/// Control: the textbook with two equally wide hidden layers exchanged is another gradient, on either scalar.
#[test]
fn the_wrong_layer_order_is_another_gradient() {
    let case = Case { widths: vec![3, 3, 3, 3, 2], bias: false, samples: 3 };
    let double = |z: &PrimeField| *z + *z;
    let problem = field_problem(&case, Quadratic, 9);
    let mut textbook = Textbook::new(&problem, |z| *z * *z, double);
    assert_eq!(textbook.gradient(&problem), problem.gradient().1);
    textbook.weights.swap(1, 2);
    assert_ne!(textbook.gradient(&problem), problem.gradient().1);
    textbook.weights.swap(1, 2);
    textbook.weights[1] = textbook.weights[1].t();
    assert_ne!(textbook.gradient(&problem), problem.gradient().1);
    let problem = rational_problem(&case, 10);
    let mut textbook = Textbook::new(&problem, relu, relu_slope);
    assert_eq!(textbook.gradient(&problem), problem.gradient().1);
    textbook.weights.swap(1, 2);
    assert_ne!(textbook.gradient(&problem), problem.gradient().1);
}
