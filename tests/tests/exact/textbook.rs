//! ReLU networks on the rationals against the formulas of a textbook, in nested sums.

use super::{Case, Exact, Problem, check_traces, count, field_problem, rational_problem};
use agop_core::activation::{Activation, Quadratic, Relu};
use agop_core::scalar::Scalar;
use agop_tests::literal::Matrix;
use agop_tests::{PrimeField, Rational, SplitMix64, random_rationals};

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
