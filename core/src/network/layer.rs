//! Layers of maps: convolutions, pooling, and the linear layers after them.

use crate::activation::AnyActivation;

/// The size of a map: channels, rows, columns. A vector is a map of one row and one column.
///
/// **Order** a map's values lie channel by channel, each row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    /// Channels c.
    pub channels: usize,
    /// Rows H.
    pub rows: usize,
    /// Columns W.
    pub columns: usize,
}

impl Map {
    /// A map of that many channels, rows and columns.
    pub const fn new(channels: usize, rows: usize, columns: usize) -> Self {
        Self { channels, rows, columns }
    }

    /// A vector.
    pub const fn vector(width: usize) -> Self {
        Self::new(width, 1, 1)
    }

    /// Positions `P = H W`, saturating.
    pub const fn positions(&self) -> usize {
        self.rows.saturating_mul(self.columns)
    }

    /// Values `c H W`, saturating.
    pub const fn values(&self) -> usize {
        self.channels.saturating_mul(self.positions())
    }
}

/// The windows of a convolution or a pooling layer, along rows and along columns.
///
/// Window (i, j) begins at row `i t_0 - p_0` and column `j t_1 - p_1`; its place (a, b) lies `a e_0` rows and `b e_1`
/// columns further on. Outside of the map everything is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Window {
    /// Rows r and columns s of the kernel.
    pub size: [usize; 2],
    /// Strides t.
    pub stride: [usize; 2],
    /// Zeros p around the map on each side.
    pub padding: [usize; 2],
    /// Distances e between neighbours in the kernel.
    pub dilation: [usize; 2],
}

impl Window {
    /// A window of that size: stride 1, no padding, dilation 1.
    pub const fn new(size: [usize; 2]) -> Self {
        Self { size, stride: [1, 1], padding: [0, 0], dilation: [1, 1] }
    }

    /// Windows side by side, as pooling takes them.
    pub const fn tiles(size: [usize; 2]) -> Self {
        Self { stride: size, ..Self::new(size) }
    }

    /// The same with these strides.
    pub const fn stride(self, stride: [usize; 2]) -> Self {
        Self { stride, ..self }
    }

    /// The same with that many zeros around the map.
    pub const fn padding(self, padding: [usize; 2]) -> Self {
        Self { padding, ..self }
    }

    /// The same with these distances inside the kernel.
    pub const fn dilation(self, dilation: [usize; 2]) -> Self {
        Self { dilation, ..self }
    }

    /// Entries of one channel, `r s`, saturating.
    pub const fn places(&self) -> usize {
        let [r, s] = self.size;
        r.saturating_mul(s)
    }

    /// Windows that fit: `floor((H + 2 p_0 - e_0 (r - 1) - 1) / t_0) + 1` rows, and columns alike; 0 where none does.
    pub const fn fits(&self, map: Map) -> [usize; 2] {
        let ([r, s], [t0, t1]) = (self.size, self.stride);
        let ([p0, p1], [e0, e1]) = (self.padding, self.dilation);
        [fits(map.rows, r, t0, p0, e0), fits(map.columns, s, t1, p1, e1)]
    }
}

const fn fits(length: usize, size: usize, stride: usize, padding: usize, dilation: usize) -> usize {
    let length = length.saturating_add(padding.saturating_mul(2));
    let reach = dilation.saturating_mul(size.saturating_sub(1)).saturating_add(1);
    match (length.checked_sub(reach), size, dilation) {
        (None, ..) | (_, 0, _) | (_, _, 0) => 0,
        (Some(room), ..) => match room.checked_div(stride) {
            Some(steps) => steps.saturating_add(1),
            None => 0,
        },
    }
}

/// What a layer computes before its activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transform {
    /// `h_p = W u_p (+ b)` at every position p, u_p the patch under the window: entry `(ci r + a) s + b` is channel ci of
    /// the input at place (a, b). The kernel is not flipped.
    Convolution {
        /// Output channels k.
        outputs: usize,
        /// Which inputs a patch holds.
        window: Window,
        /// Whether there is a bias for each output channel.
        bias: bool,
    },
    /// `h = W u (+ b)`, u all values of the input: a convolution whose window is the whole map.
    Linear {
        /// Outputs k.
        outputs: usize,
        /// Whether there is a bias.
        bias: bool,
    },
    /// The largest value of each of the windows that tile the map, channel by channel; the first of equals, row by row. What
    /// fills no window is dropped.
    MaxPool([usize; 2]),
    /// The mean of each of these windows.
    AveragePool([usize; 2]),
}

/// Which activation follows a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Follow {
    /// None.
    Nothing,
    /// The network's own.
    Own,
    /// This one; only a network over [`AnyActivation`] takes it.
    Named(AnyActivation),
}

/// A layer of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// What it computes.
    pub transform: Transform,
    /// What is applied to that.
    pub follow: Follow,
}
