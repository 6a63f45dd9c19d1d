//! The layers of a network one after another: what each does with which map, and where its parameters lie.

use super::layer::{Follow, Layer, Map, Transform, Window};
use crate::kernel::positive;

/// Where one layer lies in the flat parameters. A [`super::Shape`] makes those of its layers, in which nothing overflows; its
/// fields can be changed, and the sizes below wrap around then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerSpan {
    /// Index of the first weight.
    pub offset: usize,
    /// Columns of the weight matrix d; of a convolution the entries of a patch.
    pub inputs: usize,
    /// Rows of the weight matrix k, and length of the bias.
    pub outputs: usize,
    /// Whether a bias follows the weights.
    pub bias: bool,
}

impl LayerSpan {
    /// Number of weights.
    pub const fn weights(&self) -> usize {
        self.inputs.wrapping_mul(self.outputs)
    }

    /// Number of weights and biases.
    pub const fn parameters(&self) -> usize {
        self.weights().wrapping_add(if self.bias { self.outputs } else { 0 })
    }

    /// Weights and biases in the flat parameters.
    pub const fn range(&self) -> core::ops::Range<usize> {
        self.offset..self.offset.wrapping_add(self.parameters())
    }

    /// The weights in the flat parameters.
    pub const fn weights_range(&self) -> core::ops::Range<usize> {
        self.offset..self.offset.wrapping_add(self.weights())
    }

    /// The biases in the flat parameters; empty where there are none.
    pub const fn bias_range(&self) -> core::ops::Range<usize> {
        self.weights_range().end..self.range().end
    }
}

/// What a layer does with a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Products of weights and patches.
    Weights,
    /// The largest of a window.
    Largest,
    /// The mean of a window.
    Mean,
}

/// A layer at its place in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    /// Index among all layers.
    pub(crate) at: usize,
    /// Layers with weights before it: its own index among them, if it has some.
    pub(crate) layer: usize,
    pub(crate) span: LayerSpan,
    pub(crate) input: Map,
    pub(crate) output: Map,
    pub(crate) window: Window,
    pub(crate) follow: Follow,
    /// What stands before it: whether weights, and what follows those or the window.
    pub(crate) before: Option<(Kind, Follow)>,
}

impl Place {
    /// Layer `at` of a fully connected network.
    #[inline(always)]
    pub(super) fn dense(widths: &[usize], bias: bool, at: usize) -> Option<Self> {
        let span = span(widths, bias, at)?;
        let follow_of = |at: usize| if at + 2 < widths.len() { Follow::Own } else { Follow::Nothing };
        Some(Self {
            kind: Kind::Weights,
            at,
            layer: at,
            span,
            input: Map::vector(span.inputs),
            output: Map::vector(span.outputs),
            window: Window::new([1, 1]),
            follow: follow_of(at),
            before: if at == 0 { None } else { Some((Kind::Weights, follow_of(at - 1))) },
        })
    }

    /// Whether the only patch is the input itself, in its order.
    pub(crate) const fn whole(&self) -> bool {
        let ([r, s], [p0, p1]) = (self.window.size, self.window.padding);
        matches!(self.kind, Kind::Weights)
            && r == self.input.rows
            && s == self.input.columns
            && p0 == 0
            && p1 == 0
    }

    /// Outputs that an input reaches: k, of a convolution k r s.
    pub(super) const fn fan_out(&self) -> usize {
        if self.whole() { self.span.outputs } else { self.span.outputs.saturating_mul(self.window.places()) }
    }

    /// Whether an activation follows.
    pub(crate) const fn followed(&self) -> bool {
        !matches!(self.follow, Follow::Nothing)
    }

    /// Whether its inputs come from an activation.
    pub(crate) const fn masked(&self) -> bool {
        matches!(self.before, Some((_, Follow::Own | Follow::Named(_))))
    }

    /// What follows the layer before it.
    pub(crate) fn follow_before(&self) -> Follow {
        self.before.map_or(Follow::Nothing, |(_, follow)| follow)
    }

    /// The layer with weights whose outputs, through their activation, are its inputs.
    pub(crate) fn below(&self) -> Option<usize> {
        match self.before {
            Some((Kind::Weights, _)) => self.layer.checked_sub(1),
            _ => None,
        }
    }

    /// At least as many windows as see any one entry of the input.
    pub(crate) const fn overlap(&self) -> usize {
        let ([r, s], [t0, t1], [e0, e1]) = (self.window.size, self.window.stride, self.window.dilation);
        let rows = if e0 == 1 { r.div_ceil(positive(t0)) } else { r };
        rows.saturating_mul(if e1 == 1 { s.div_ceil(positive(t1)) } else { s })
    }

    /// Values of the patches of one sample (d x P), if they are not its input itself; saturating.
    pub(super) const fn patches(&self) -> usize {
        match self.kind {
            Kind::Weights if !self.whole() => self.span.inputs.saturating_mul(self.output.positions()),
            _ => 0,
        }
    }
}

/// The layers one after another.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'a, const MAPS: bool> {
    widths: &'a [usize],
    bias: bool,
    input: Map,
    layers: &'a [Layer],
    at: usize,
    /// Layers with weights so far.
    pub(super) layer: usize,
    /// Parameters so far.
    pub(super) offset: usize,
    before: Option<(Kind, Follow)>,
}

impl<'a, const MAPS: bool> Walk<'a, MAPS> {
    /// From the input on.
    pub(super) const fn new(widths: &'a [usize], bias: bool, input: Map, layers: &'a [Layer]) -> Self {
        Self { widths, bias, input, layers, at: 0, layer: 0, offset: 0, before: None }
    }

    /// The next layer; all sizes saturate. Inlined, so that what a caller does not ask for costs nothing.
    #[inline(always)]
    pub(super) const fn step(&mut self) -> Option<Place> {
        let (kind, input, window, outputs, bias, follow);
        if MAPS {
            let [layer, rest @ ..] = self.layers else { return None };
            self.layers = rest;
            (input, follow) = (self.input, layer.follow);
            (kind, window, outputs, bias) = match layer.transform {
                Transform::Convolution { outputs, window, bias } => (Kind::Weights, window, outputs, bias),
                Transform::Linear { outputs, bias } => {
                    (Kind::Weights, Window::new([input.rows, input.columns]), outputs, bias)
                }
                Transform::MaxPool(size) => (Kind::Largest, Window::tiles(size), input.channels, false),
                Transform::AveragePool(size) => (Kind::Mean, Window::tiles(size), input.channels, false),
            };
        } else {
            let [first, rest @ ..] = self.widths else { return None };
            let [second, after @ ..] = rest else { return None };
            self.widths = rest;
            (input, outputs) = (Map::vector(*first), *second);
            (kind, window, bias) = (Kind::Weights, Window::new([1, 1]), self.bias);
            follow = if after.is_empty() { Follow::Nothing } else { Follow::Own };
        }
        let output = if MAPS {
            let [rows, columns] = window.fits(input);
            Map::new(outputs, rows, columns)
        } else {
            Map::vector(outputs)
        };
        let (offset, inputs) = (self.offset, input.channels.saturating_mul(window.places()));
        let span = match kind {
            Kind::Weights => LayerSpan { offset, inputs, outputs, bias },
            Kind::Largest | Kind::Mean => LayerSpan { offset, inputs: 0, outputs: 0, bias },
        };
        let (at, layer, before) = (self.at, self.layer, self.before);
        self.input = output;
        self.at += 1;
        self.before = Some((kind, follow));
        if let Kind::Weights = kind {
            self.layer += 1;
            let parameters = inputs.saturating_mul(outputs).saturating_add(if bias { outputs } else { 0 });
            self.offset = offset.saturating_add(parameters);
        }
        Some(Place { kind, at, layer, span, input, output, window, follow, before })
    }
}

/// The span of a layer of a fully connected network.
const fn span(widths: &[usize], bias: bool, layer: usize) -> Option<LayerSpan> {
    let (mut rest, mut offset, mut index) = (widths, 0, 0);
    while let [inputs, tail @ ..] = rest {
        if let [outputs, ..] = tail {
            let span = LayerSpan { offset, inputs: *inputs, outputs: *outputs, bias };
            if index == layer {
                return Some(span);
            }
            offset += span.parameters();
            index += 1;
        }
        rest = tail;
    }
    None
}
