//! Other networks that the same weights may be, and other ways to their outputs.

use super::inputs::Scaling;
use crate::error::Result;
use crate::network::Model;
use crate::notes::single_layers;
use agop_core::activation::{Activation, AnyActivation, Linear};
use agop_core::elementary::{exp, ln, sigmoid, tanh};
use agop_core::matrix::MatRef;
use agop_core::scalar::Real;
use agop_core::simd::Level;
use std::rc::Rc;

/// The layers as read, in f64.
pub(super) struct Chain {
    level: Level,
    layers: Vec<Layer>,
    activation: AnyActivation,
}

struct Layer {
    inputs: usize,
    outputs: usize,
    weights: Vec<f64>,
    bias: Option<Vec<f64>>,
}

impl Layer {
    fn is_square(&self) -> bool {
        self.inputs == self.outputs
    }
}

impl Chain {
    pub(super) fn new<T: Real>(level: Level, model: &Model<T, AnyActivation>) -> Result<Self> {
        let layers = single_layers(model)?.into_iter().map(|layer| {
            let (inputs, outputs) = (layer.shape()?.inputs(), layer.shape()?.outputs());
            let mut weights: Vec<f64> = layer.parameters().iter().map(|w| w.to_f64()).collect();
            let bias = weights.split_off(inputs * outputs);
            Ok(Layer { inputs, outputs, weights, bias: layer.bias().then_some(bias) })
        });
        Ok(Self { level, layers: layers.collect::<Result<_>>()?, activation: model.activation() })
    }

    /// Operations for the outputs of one sample.
    pub(super) fn work(&self) -> usize {
        self.layers.iter().map(|layer| 2 * layer.weights.len()).sum()
    }
}

/// What kind of cause: two of one kind exclude each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Transposed,
    Order,
    Activation,
    Last,
    Biases,
    Inputs,
    Residual,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Transposed => "transposed square weights",
            Self::Order => "another order of layers",
            Self::Activation => "another activation",
            Self::Last => "an activation after the last layer",
            Self::Biases => "biases not applied",
            Self::Inputs => "inputs scaled otherwise",
            Self::Residual => "residual connections",
        }
    }
}

/// A cause of other outputs.
pub(super) struct Cause {
    pub(super) kind: Kind,
    /// The sentence `they agree when ...`.
    pub(super) says: String,
    pub(super) apply: Box<dyn Fn(&mut Trial)>,
}

/// The network with causes applied.
#[derive(Clone)]
pub(super) struct Trial {
    order: Vec<usize>,
    /// Of each layer as read.
    transposed: Vec<bool>,
    biased: Vec<bool>,
    phi: Phi,
    last: Option<fn(&mut [f64], Phi)>,
    /// From input and pre-activation of a square hidden layer to its output.
    residual: Option<fn(f64, f64, Phi) -> f64>,
    inputs: Option<Rc<Scaling>>,
}

#[derive(Clone, Copy)]
enum Phi {
    Known(AnyActivation),
    Other(fn(f64) -> f64),
}

impl Phi {
    fn value(self, z: f64) -> f64 {
        match self {
            Self::Known(activation) => activation.value(&z),
            Self::Other(function) => function(z),
        }
    }
}

impl Trial {
    pub(super) fn new(chain: &Chain) -> Self {
        let count = chain.layers.len();
        Self {
            order: (0..count).collect(),
            transposed: vec![false; count],
            biased: vec![true; count],
            phi: Phi::Known(chain.activation),
            last: None,
            residual: None,
            inputs: None,
        }
    }

    /// The outputs of samples x (rows x d), row-major; `None` where they are not finite.
    pub(super) fn outputs(&self, chain: &Chain, mut x: Vec<f64>, rows: usize) -> Option<Vec<f64>> {
        if let Some(scaling) = &self.inputs {
            x.iter_mut().zip(scaling.iter().cycle()).for_each(|(x, (a, b))| *x = a * *x + b);
        }
        let end = self.order.len() - 1;
        for (position, &index) in self.order.iter().enumerate() {
            let layer = chain.layers.get(index)?;
            let mut h = self.pre_activations(chain, index, &x, rows)?;
            match self.residual.filter(|_| layer.is_square()) {
                _ if position == end => {}
                Some(residual) => h.iter_mut().zip(&x).for_each(|(h, x)| *h = residual(*x, *h, self.phi)),
                None => h.iter_mut().for_each(|h| *h = self.phi.value(*h)),
            }
            x = h;
        }
        if let Some(last) = self.last {
            let width = x.len() / rows;
            x.chunks_mut(width).for_each(|row| last(row, self.phi));
        }
        Some(x)
    }

    fn pre_activations(&self, chain: &Chain, index: usize, x: &[f64], rows: usize) -> Option<Vec<f64>> {
        let Layer { inputs, outputs, ref weights, ref bias } = *chain.layers.get(index)?;
        let mut parameters = if *self.transposed.get(index)? {
            (0..inputs).flat_map(|j| weights.iter().skip(j).step_by(inputs).copied()).collect()
        } else {
            weights.clone()
        };
        let bias = bias.as_ref().filter(|_| self.biased.get(index) == Some(&true));
        parameters.extend(bias.into_iter().flatten());
        let layer = Model::new(vec![inputs, outputs], bias.is_some(), Linear, parameters).ok()?;
        layer.forward(chain.level, MatRef::new(x, rows, inputs).ok()?).ok()
    }
}

/// Combinations of transposed layers that are tried: all of so many layers, else all at once and each alone.
const MOST_SQUARES: usize = 8;
/// Orders of the layers that are tried.
const MOST_ORDERS: usize = 1000;

/// All causes, the likeliest kinds first.
pub(super) fn all(names: &[String], chain: &Chain, inputs: Vec<(String, Scaling)>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut add = |kind, says: String, apply: Box<dyn Fn(&mut Trial)>| {
        causes.push(Cause { kind, says, apply });
    };
    let listed = |layers: &[usize]| {
        layers.iter().filter_map(|i| names.get(*i).map(String::as_str)).collect::<Vec<_>>().join(", ")
    };
    for chosen in subsets(&matching(chain, Layer::is_square)) {
        let says =
            format!("the square weights of {} are transposed (store outputs x inputs)", listed(&chosen));
        let flip = move |trial: &mut Trial| {
            let layers = trial.transposed.iter_mut().enumerate();
            layers.for_each(|(layer, transposed)| *transposed = chosen.contains(&layer));
        };
        add(Kind::Transposed, says, Box::new(flip));
    }
    for order in orders(chain) {
        let says = format!(
            "the order of the layers is {} (--layers {})",
            listed(&order),
            listed(&order).replace(", ", ",")
        );
        add(Kind::Order, says, Box::new(move |trial| trial.order.clone_from(&order)));
    }
    for &activation in AnyActivation::ALL.iter().filter(|activation| **activation != chain.activation) {
        let says = format!("the activation is {0} (--activation {0})", activation.name());
        add(Kind::Activation, says, Box::new(move |trial| trial.phi = Phi::Known(activation)));
    }
    for (name, function) in OTHERS {
        let says = format!("the activation is {name}, which --activation does not offer");
        add(Kind::Activation, says, Box::new(|trial| trial.phi = Phi::Other(*function)));
    }
    for (name, function) in LAST {
        let says = format!("{name} follows the last layer (save the outputs before it)");
        add(Kind::Last, says, Box::new(|trial| trial.last = Some(*function)));
    }
    for chosen in subsets(&matching(chain, |layer| layer.bias.is_some())) {
        let says = format!("the biases of {} are not applied", listed(&chosen));
        let drop = move |trial: &mut Trial| {
            let layers = trial.biased.iter_mut().enumerate();
            layers.for_each(|(layer, biased)| *biased = !chosen.contains(&layer));
        };
        add(Kind::Biases, says, Box::new(drop));
    }
    for (says, scaling) in inputs {
        let scaling = Rc::new(scaling);
        add(Kind::Inputs, says, Box::new(move |trial| trial.inputs = Some(Rc::clone(&scaling))));
    }
    let hidden = chain.layers.split_last().map(|(_, hidden)| hidden).unwrap_or_default();
    for (name, function) in RESIDUAL.iter().filter(|_| hidden.iter().any(Layer::is_square)) {
        let says =
            format!("square hidden layers give {name}: a residual network, not the chain measured here");
        add(Kind::Residual, says, Box::new(|trial| trial.residual = Some(*function)));
    }
    causes
}

fn matching(chain: &Chain, property: impl Fn(&Layer) -> bool) -> Vec<usize> {
    chain.layers.iter().enumerate().filter(|(_, layer)| property(layer)).map(|(index, _)| index).collect()
}

/// All at once, each alone, then the others.
fn subsets(of: &[usize]) -> Vec<Vec<usize>> {
    let whole = (1_usize << Ord::min(of.len(), MOST_SQUARES)) - 1;
    let chosen = |bits: usize| {
        of.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, layer)| *layer).collect()
    };
    let mut subsets: Vec<Vec<usize>> = vec![of.to_vec()];
    subsets.extend(of.iter().map(|layer| vec![*layer]));
    if of.len() <= MOST_SQUARES {
        subsets.extend((1..whole).filter(|bits| bits.count_ones() > 1).map(chosen));
    }
    subsets.retain(|subset| !subset.is_empty());
    subsets.dedup();
    subsets
}

/// Other orders in which the layers chain from the same inputs to the same outputs.
fn orders(chain: &Chain) -> Vec<Vec<usize>> {
    let layers = &chain.layers;
    let Some((first, last)) = layers.first().zip(layers.last()) else { return Vec::new() };
    let mut orders = Vec::new();
    let mut open = vec![(Vec::new(), first.inputs)];
    let mut steps = 0;
    while let Some((order, width)) = open.pop() {
        steps += 1;
        if orders.len() > MOST_ORDERS || steps > MOST_ORDERS * layers.len() {
            break;
        }
        if order.len() == layers.len() {
            if width == last.outputs {
                orders.push(order);
            }
            continue;
        }
        for (index, layer) in layers.iter().enumerate().rev() {
            if layer.inputs == width && !order.contains(&index) {
                let mut longer: Vec<usize> = order.clone();
                longer.push(index);
                open.push((longer, layer.outputs));
            }
        }
    }
    orders.retain(|order| !order.iter().copied().eq(0..layers.len()));
    orders
}

fn leaky(z: f64, slope: f64) -> f64 {
    if z > 0.0 { z } else { slope * z }
}

fn elu(z: f64) -> f64 {
    if z > 0.0 { z } else { exp(z) - 1.0 }
}

fn between(z: f64, low: f64, high: f64) -> f64 {
    if z < low {
        low
    } else if z > high {
        high
    } else {
        z
    }
}

/// Functions by name.
type Named<F> = &'static [(&'static str, F)];

/// Activations that frameworks have and networks here have not.
const OTHERS: Named<fn(f64) -> f64> = &[
    ("leaky ReLU of slope 0.01", |z| leaky(z, 0.01)),
    ("leaky ReLU of slope 0.1", |z| leaky(z, 0.1)),
    ("leaky ReLU of slope 0.2", |z| leaky(z, 0.2)),
    ("leaky ReLU of slope 0.3", |z| leaky(z, 0.3)),
    ("ELU", elu),
    ("SELU", |z| 1.050_700_987_355_480_5 * if z > 0.0 { z } else { 1.673_263_242_354_377_2 * elu(z) }),
    ("ReLU6", |z| between(z, 0.0, 6.0)),
    ("squared ReLU", |z| if z > 0.0 { z * z } else { 0.0 }),
    ("GELU by tanh", |z| 0.5 * z * (1.0 + tanh(0.797_884_560_802_865_4 * (z + 0.044_715 * z * z * z)))),
    ("quick GELU z sigmoid(1.702 z)", |z| z * sigmoid(1.702 * z)),
    ("hard swish", |z| z * between(z + 3.0, 0.0, 6.0) / 6.0),
    ("Mish", |z| z * tanh(ln(1.0 + exp(between(z, -700.0, 700.0))))),
    ("softsign", |z| z / (1.0 + z.abs())),
];

fn softmax(row: &mut [f64]) -> f64 {
    let most = row.iter().fold(f64::NEG_INFINITY, |most, f| if *f > most { *f } else { most });
    row.iter_mut().for_each(|f| *f = exp(*f - most));
    let sum = row.iter().sum::<f64>();
    row.iter_mut().for_each(|f| *f /= sum);
    most + ln(sum)
}

/// What may follow the last layer.
const LAST: Named<fn(&mut [f64], Phi)> = &[
    ("a softmax", |row, _| {
        softmax(row);
    }),
    ("a log-softmax", |row, _| {
        let sum = softmax(&mut row.to_vec());
        row.iter_mut().for_each(|f| *f -= sum);
    }),
    ("a sigmoid", |row, _| row.iter_mut().for_each(|f| *f = sigmoid(*f))),
    ("a tanh", |row, _| row.iter_mut().for_each(|f| *f = tanh(*f))),
    ("the hidden layers' activation", |row, phi| row.iter_mut().for_each(|f| *f = phi.value(*f))),
];

/// How a square hidden layer may use its input again.
const RESIDUAL: Named<fn(f64, f64, Phi) -> f64> =
    &[("x + phi(W x)", |x, h, phi| x + phi.value(h)), ("phi(x + W x)", |x, h, phi| phi.value(x + h))];
