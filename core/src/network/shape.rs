//! Sizes: which widths make a network, and how many numbers everything about it takes.

use crate::error::Error;
use crate::reduce::SAMPLE_BLOCK;

/// Number of parameters: `sum over layers of outputs x inputs (+ outputs)`, saturating.
///
/// **Order** `W_0` row-major (outputs x inputs), `b_0` if there are biases, `W_1`, ...
pub const fn parameters(widths: &[usize], bias: bool) -> usize {
    let mut total = 0_usize;
    let mut rest = widths;
    while let [inputs, tail @ ..] = rest {
        if let [outputs, ..] = tail {
            total = total.saturating_add(outputs.saturating_mul(inputs.saturating_add(bias as usize)));
        }
        rest = tail;
    }
    total
}

/// Values of all PTK feature matrices: `sum over hidden layers of k^2`, saturating.
pub const fn ptk_values(widths: &[usize]) -> usize {
    let mut total = 0_usize;
    let mut rest = hidden(widths);
    while let [k, tail @ ..] = rest {
        total = total.saturating_add(k.saturating_mul(*k));
        rest = tail;
    }
    total
}

/// Values of one summand of a gradient sum: the gradient and the loss.
pub const fn gradient_sum(widths: &[usize], bias: bool) -> usize {
    parameters(widths, bias).saturating_add(1)
}

/// Workspace of forward and gradient passes that take `rows` samples at a time: for each hidden layer its activations
/// and slopes, and the outputs.
pub const fn gradient_workspace(widths: &[usize], rows: usize) -> usize {
    rows.saturating_mul(forward_row(widths))
}

/// Workspace of Jacobian and feature passes that take `rows` samples at a time: that of the forward pass and two
/// buffers of (rows c) x (widest hidden layer).
pub const fn jacobian_workspace(widths: &[usize], rows: usize) -> usize {
    rows.saturating_mul(jacobian_row(widths))
}

pub(crate) const fn forward_row(widths: &[usize]) -> usize {
    let mut total = outputs(widths);
    let mut rest = hidden(widths);
    while let [k, tail @ ..] = rest {
        total = total.saturating_add(k.saturating_mul(2));
        rest = tail;
    }
    total
}

pub(crate) const fn jacobian_row(widths: &[usize]) -> usize {
    let pair = outputs(widths).saturating_mul(widest(hidden(widths))).saturating_mul(2);
    forward_row(widths).saturating_add(pair)
}

/// Samples that a workspace takes at a time: as many as fit, at most a block. Zero when it is too short for one.
pub(crate) const fn rows_of(workspace: usize, row: usize) -> usize {
    let rows = match workspace.checked_div(row) {
        Some(rows) => rows,
        None => SAMPLE_BLOCK,
    };
    if rows < SAMPLE_BLOCK { rows } else { SAMPLE_BLOCK }
}

const fn hidden(widths: &[usize]) -> &[usize] {
    match widths {
        [_, middle @ .., _] => middle,
        _ => &[],
    }
}

const fn outputs(widths: &[usize]) -> usize {
    match widths {
        [.., last] => *last,
        [] => 0,
    }
}

const fn widest(widths: &[usize]) -> usize {
    let mut widest = 0;
    let mut rest = widths;
    while let [width, tail @ ..] = rest {
        if *width > widest {
            widest = *width;
        }
        rest = tail;
    }
    widest
}

/// The widths of a network: inputs, hidden layers, outputs; and whether its layers have biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape<'a> {
    widths: &'a [usize],
    bias: bool,
}

/// Where one layer lies in the flat parameters. A [`Shape`] makes those of its layers, in which nothing overflows; its
/// fields can be changed, and the sizes below wrap around then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerSpan {
    /// Index of the first weight.
    pub offset: usize,
    /// Columns of the weight matrix.
    pub inputs: usize,
    /// Rows of the weight matrix, and length of the bias.
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

impl<'a> Shape<'a> {
    /// Checks the widths: inputs and outputs at least, none zero, and sizes that memory can hold: parameters, features and
    /// the workspace of one sample are each fewer than `isize::MAX / 32` values.
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
        // No scalar has more than 32 bytes.
        let limit = isize::MAX as usize / 32;
        if parameters(widths, bias) >= limit || jacobian_row(widths) >= limit || ptk_values(widths) >= limit {
            return Err(Error::Architecture { reason: "too large for memory", at: widths.len() });
        }
        Ok(Self { widths, bias })
    }

    /// Inputs, hidden widths, outputs.
    pub const fn widths(&self) -> &'a [usize] {
        self.widths
    }

    /// Whether the layers have biases.
    pub const fn bias(&self) -> bool {
        self.bias
    }

    /// Width of the input.
    pub const fn inputs(&self) -> usize {
        match self.widths {
            [first, ..] => *first,
            [] => 0,
        }
    }

    /// Number of outputs.
    pub const fn outputs(&self) -> usize {
        outputs(self.widths)
    }

    /// Weight layers, the readout included.
    pub const fn layers(&self) -> usize {
        self.widths.len() - 1
    }

    /// Hidden layers.
    pub const fn hidden_layers(&self) -> usize {
        self.widths.len() - 2
    }

    /// Number of parameters.
    pub const fn parameters(&self) -> usize {
        parameters(self.widths, self.bias)
    }

    /// Values of all PTK feature matrices.
    pub const fn ptk_values(&self) -> usize {
        ptk_values(self.widths)
    }

    /// The weight layers in order.
    pub fn spans(&self) -> impl DoubleEndedIterator<Item = LayerSpan> + ExactSizeIterator + use<'a> {
        let Self { widths, bias } = *self;
        (0..self.layers()).map(move |layer| span(widths, bias, layer))
    }

    /// Layer `layer`, the readout being the last.
    ///
    /// **Errors** [`Error::Layer`] when there is no such layer.
    pub const fn layer(&self, layer: usize) -> Result<LayerSpan, Error> {
        if layer < self.layers() {
            Ok(span(self.widths, self.bias, layer))
        } else {
            Err(Error::Layer { index: layer, layers: self.layers() })
        }
    }

    /// Where the PTK features of a hidden layer lie in the concatenation of all of them, and its width.
    ///
    /// **Errors** [`Error::Layer`] when there is no such hidden layer.
    pub const fn ptk_span(&self, layer: usize) -> Result<(usize, usize), Error> {
        let (mut rest, mut offset, mut index) = (hidden(self.widths), 0, 0);
        while let [k, tail @ ..] = rest {
            if index == layer {
                return Ok((offset, *k));
            }
            offset += *k * *k;
            index += 1;
            rest = tail;
        }
        Err(Error::Layer { index: layer, layers: self.hidden_layers() })
    }
}

pub(super) const fn span(widths: &[usize], bias: bool, layer: usize) -> LayerSpan {
    let (mut rest, mut offset, mut index) = (widths, 0, 0);
    while let [inputs, tail @ ..] = rest {
        if let [outputs, ..] = tail {
            let span = LayerSpan { offset, inputs: *inputs, outputs: *outputs, bias };
            if index == layer {
                return span;
            }
            offset += span.parameters();
            index += 1;
        }
        rest = tail;
    }
    LayerSpan { offset, inputs: 0, outputs: 0, bias }
}
