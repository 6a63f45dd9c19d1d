//! Sizes: what makes a network, and how many numbers everything about it takes.

use super::layer::{Follow, Layer, Map};
use super::place::{Kind, LayerSpan, Place, Walk};
use crate::error::Error;
use crate::reduce::SAMPLE_BLOCK;

/// Number of parameters: `sum over layers of outputs x inputs (+ outputs)`, saturating.
///
/// **Order** `W_0` row-major (outputs x inputs), `b_0` if there are biases, `W_1`, ...
pub const fn parameters(widths: &[usize], bias: bool) -> usize {
    Shape::of(widths, bias).parameters()
}

/// Values of all PTK feature matrices: `sum over hidden layers of k^2`, saturating.
pub const fn ptk_values(widths: &[usize]) -> usize {
    Shape::of(widths, false).ptk_values()
}

/// Values of one summand of a gradient sum: the gradient and the loss.
pub const fn gradient_sum(widths: &[usize], bias: bool) -> usize {
    Shape::of(widths, bias).gradient_sum()
}

/// [`Shape::gradient_workspace`] of a fully connected network.
pub const fn gradient_workspace(widths: &[usize], rows: usize) -> usize {
    Shape::of(widths, false).gradient_workspace(rows)
}

/// [`Shape::jacobian_workspace`] of a fully connected network.
pub const fn jacobian_workspace(widths: &[usize], rows: usize) -> usize {
    Shape::of(widths, false).jacobian_workspace(rows)
}

/// The layers of a network. A fully connected one (`MAPS` false) has widths; one of maps has [`Layer`]s, and where `MAPS` is
/// false the compiler leaves out all code for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape<'a, const MAPS: bool = false> {
    widths: &'a [usize],
    bias: bool,
    input: Map,
    layers: &'a [Layer],
}

impl<'a> Shape<'a> {
    const fn of(widths: &'a [usize], bias: bool) -> Self {
        Self { widths, bias, input: Map::vector(0), layers: &[] }
    }

    /// A fully connected network. Checks the widths: inputs and outputs at least, none zero, and sizes that memory can hold:
    /// parameters, features and the workspace of one sample are each fewer than `isize::MAX / 32` values.
    ///
    /// **Errors** [`Error::Architecture`].
    pub const fn new(widths: &'a [usize], bias: bool) -> Result<Self, Error> {
        if widths.len() < 2 {
            return Err(Error::Architecture { reason: "inputs and outputs are needed", at: widths.len() });
        }
        let mut rest = widths;
        while let [width, tail @ ..] = rest {
            if *width == 0 {
                return Err(Error::Architecture { reason: "a width is zero", at: widths.len() - rest.len() });
            }
            rest = tail;
        }
        Self::of(widths, bias).checked(widths.len())
    }

    /// Inputs, hidden widths, outputs.
    pub const fn widths(&self) -> &'a [usize] {
        self.widths
    }

    /// Whether the layers have biases.
    pub const fn bias(&self) -> bool {
        self.bias
    }
}

impl<'a> Shape<'a, true> {
    /// A network of maps. Checks that every window fits, that some layer has weights, that nothing follows the last layer,
    /// and the sizes as [`Shape::new`] does.
    ///
    /// **Errors** [`Error::Architecture`] with the index of the layer.
    pub const fn of_maps(input: Map, layers: &'a [Layer]) -> Result<Self, Error> {
        if input.values() == 0 {
            return Err(Error::Architecture { reason: "the input has no values", at: 0 });
        }
        let shape = Self { widths: &[], bias: false, input, layers };
        let mut walk = shape.walk();
        let mut last = Follow::Nothing;
        while let Some(place) = walk.step() {
            let ([p0, p1], at) = (place.window.padding, place.at);
            if place.output.channels == 0 {
                return Err(Error::Architecture { reason: "a layer without outputs", at });
            }
            if place.output.positions() == 0 {
                return Err(Error::Architecture { reason: "no window fits into the map", at });
            }
            // What lies around a map is counted with it.
            let padded = Map::new(
                place.input.channels,
                place.input.rows.saturating_add(p0.saturating_mul(2)),
                place.input.columns.saturating_add(p1.saturating_mul(2)),
            );
            if padded.values() >= LIMIT {
                return Err(Error::Architecture { reason: "too large for memory", at });
            }
            last = place.follow;
        }
        if walk.layer == 0 {
            return Err(Error::Architecture { reason: "no layer has weights", at: layers.len() });
        }
        if !matches!(last, Follow::Nothing) {
            return Err(Error::Architecture {
                reason: "an activation follows the last layer",
                at: layers.len() - 1,
            });
        }
        shape.checked(layers.len())
    }

    /// The layers.
    pub const fn maps(&self) -> &'a [Layer] {
        self.layers
    }
}

/// No scalar has more than 32 bytes.
const LIMIT: usize = isize::MAX as usize / 32;

impl<'a, const MAPS: bool> Shape<'a, MAPS> {
    const fn checked(self, at: usize) -> Result<Self, Error> {
        let row = self.jacobian_row().saturating_add(self.patch_values());
        if self.parameters() >= LIMIT || row >= LIMIT || self.ptk_values() >= LIMIT {
            return Err(Error::Architecture { reason: "too large for memory", at });
        }
        Ok(self)
    }

    /// From the input to the outputs.
    #[inline(always)]
    const fn walk(self) -> Walk<'a, MAPS> {
        Walk::new(self.widths, self.bias, self.input, self.layers)
    }

    /// The input's size; a vector for a fully connected network.
    pub const fn input(&self) -> Map {
        match (MAPS, self.widths) {
            (false, [first, ..]) => Map::vector(*first),
            _ => self.input,
        }
    }

    /// Values of the input.
    pub const fn inputs(&self) -> usize {
        self.input().values()
    }

    /// The last layer, if there is one.
    const fn last(self) -> Option<Place> {
        let (mut walk, mut last) = (self.walk(), None);
        while let Some(place) = walk.step() {
            last = Some(place);
        }
        last
    }

    /// Number of outputs.
    pub const fn outputs(&self) -> usize {
        match (MAPS, self.widths) {
            (false, [.., last]) => *last,
            _ => match self.last() {
                Some(place) => place.output.values(),
                None => 0,
            },
        }
    }

    /// Layers of all kinds.
    pub(crate) const fn count(&self) -> usize {
        if MAPS { self.layers.len() } else { self.widths.len().saturating_sub(1) }
    }

    /// Layers with weights, the readout included.
    pub const fn layers(&self) -> usize {
        if !MAPS {
            return self.count();
        }
        let mut walk = self.walk();
        while walk.step().is_some() {}
        walk.layer
    }

    /// Layers with weights but the last.
    pub const fn hidden_layers(&self) -> usize {
        self.layers().saturating_sub(1)
    }

    /// Number of parameters, saturating: for each layer with weights `outputs x inputs (+ outputs)`.
    ///
    /// **Order** `W_0` row-major (outputs x inputs), `b_0` if there is a bias, `W_1`, ...
    pub const fn parameters(&self) -> usize {
        let mut walk = self.walk();
        while walk.step().is_some() {}
        walk.offset
    }

    /// Values of all PTK feature matrices, saturating: `sum over hidden layers of k^2`.
    pub const fn ptk_values(&self) -> usize {
        let (mut walk, hidden, mut total) = (self.walk(), self.hidden_layers(), 0_usize);
        while let Some(Place { kind, layer, span, .. }) = walk.step() {
            if matches!(kind, Kind::Weights) && layer < hidden {
                total = total.saturating_add(span.outputs.saturating_mul(span.outputs));
            }
        }
        total
    }

    /// Values of one summand of a gradient sum: the gradient and the loss.
    pub const fn gradient_sum(&self) -> usize {
        self.parameters().saturating_add(1)
    }

    /// Workspace of forward and gradient passes that take `rows` samples at a time: for each layer its outputs, its slopes
    /// where an activation follows, and the patches of one sample.
    pub const fn gradient_workspace(&self, rows: usize) -> usize {
        rows.saturating_mul(self.forward_row()).saturating_add(self.patch_values())
    }

    /// Workspace of Jacobian and feature passes that take `rows` samples at a time: that of the forward pass and two
    /// buffers of (rows c) x (largest map).
    pub const fn jacobian_workspace(&self, rows: usize) -> usize {
        rows.saturating_mul(self.jacobian_row()).saturating_add(self.patch_values())
    }

    /// Values that the forward pass of one sample keeps: outputs of all layers, and slopes.
    pub(crate) const fn kept(&self) -> (usize, usize) {
        let (mut walk, mut values, mut slopes) = (self.walk(), 0_usize, 0_usize);
        while let Some(place) = walk.step() {
            let size = place.output.values();
            values = values.saturating_add(size);
            if place.followed() {
                slopes = slopes.saturating_add(size);
            }
        }
        (values, slopes)
    }

    pub(crate) const fn forward_row(&self) -> usize {
        let (values, slopes) = self.kept();
        values.saturating_add(slopes)
    }

    pub(crate) const fn jacobian_row(&self) -> usize {
        let (mut walk, mut widest) = (self.walk(), 0);
        while let Some(place) = walk.step() {
            let inputs = if place.at == 0 { 0 } else { place.input.values() };
            // The Jacobian of a last layer that is not linear begins as the identity.
            let outputs =
                if place.at + 1 == self.count() && !place.whole() { place.output.values() } else { 0 };
            let wider = if inputs > outputs { inputs } else { outputs };
            widest = if wider > widest { wider } else { widest };
        }
        self.forward_row().saturating_add(self.outputs().saturating_mul(widest).saturating_mul(2))
    }

    /// Values of the patches of one sample in the layer that has most.
    pub(crate) const fn patch_values(&self) -> usize {
        if !MAPS {
            return 0;
        }
        let (mut walk, mut most) = (self.walk(), 0);
        while let Some(place) = walk.step() {
            let values = place.patches();
            most = if values > most { values } else { most };
        }
        most
    }

    /// The layers in order, with or without weights.
    pub(crate) fn places(&self) -> impl DoubleEndedIterator<Item = Place> + use<'a, MAPS> {
        let shape = *self;
        (0..shape.count()).filter_map(move |at| shape.place_at(at))
    }

    /// Layer `at` of all. Inlined, so that what a caller does not ask for costs nothing.
    #[inline(always)]
    pub(crate) fn place_at(&self, at: usize) -> Option<Place> {
        if !MAPS {
            return Place::dense(self.widths, self.bias, at);
        }
        let mut walk = self.walk();
        for _ in 0..at {
            walk.step();
        }
        walk.step()
    }

    /// The layers with weights in order.
    pub fn spans(&self) -> impl DoubleEndedIterator<Item = LayerSpan> + use<'a, MAPS> {
        self.places().filter(|place| place.kind == Kind::Weights).map(|place| place.span)
    }

    /// Layer `layer` of those with weights, the readout being the last.
    ///
    /// **Errors** [`Error::Layer`] when there is no such layer.
    pub const fn layer(&self, layer: usize) -> Result<LayerSpan, Error> {
        match self.place(layer) {
            Some(place) => Ok(place.span),
            None => Err(Error::Layer { index: layer, layers: self.layers() }),
        }
    }

    /// Where the PTK features of a hidden layer lie in the concatenation of all of them, and its width.
    ///
    /// **Errors** [`Error::Layer`] when there is no such hidden layer.
    pub const fn ptk_span(&self, layer: usize) -> Result<(usize, usize), Error> {
        let (mut walk, hidden, mut offset) = (self.walk(), self.hidden_layers(), 0);
        while let Some(Place { kind, layer: index, span, .. }) = walk.step() {
            if matches!(kind, Kind::Weights) && index < hidden {
                if index == layer {
                    return Ok((offset, span.outputs));
                }
                offset += span.outputs * span.outputs;
            }
        }
        Err(Error::Layer { index: layer, layers: hidden })
    }

    /// Positions P at which a layer's weights are applied; `None` when there is no such layer.
    pub const fn positions(&self, layer: usize) -> Option<usize> {
        match self.place(layer) {
            Some(place) => Some(place.output.positions()),
            None => None,
        }
    }

    /// Whether a layer pools.
    pub(crate) const fn pools(&self) -> bool {
        MAPS && self.count() > self.layers()
    }

    /// The layer with weights of that index.
    pub(crate) const fn place(&self, layer: usize) -> Option<Place> {
        let mut walk = self.walk();
        while let Some(place) = walk.step() {
            if matches!(place.kind, Kind::Weights) && place.layer == layer {
                return Some(place);
            }
        }
        None
    }
}

/// Samples that a workspace takes at a time: as many as fit, at most a block. Zero when it is too short for one.
pub(crate) const fn rows_of(workspace: usize, row: usize) -> usize {
    let rows = match workspace.checked_div(row) {
        Some(rows) => rows,
        None => SAMPLE_BLOCK,
    };
    if rows < SAMPLE_BLOCK { rows } else { SAMPLE_BLOCK }
}
