//! Fetching what comes next into the second-level cache while the tiles at hand keep the arithmetic busy.
//!
//! A line a step and no more: a core has few places for lines on their way, and what the tiles themselves miss in the
//! first level needs some of them. No bit depends on it.

/// Lines of a panel that are fetched: all of two vectors of columns, which need not begin with one. More of a wide panel
/// did not help.
const LINES: usize = 3;

/// Where a tile fetches from: at step p the line of `start + p step`.
#[derive(Clone, Copy)]
pub(crate) struct Share<T> {
    pub(crate) start: *const T,
    pub(crate) step: usize,
}

/// A plan over several tiles.
pub(crate) struct Ahead<T> {
    share: Share<T>,
    /// Values from one line of a panel to the next; zero when all that is wanted is contiguous.
    width: usize,
    tiles: usize,
}

impl<T> Ahead<T> {
    /// Fetches what is there already.
    pub(crate) fn nothing(hot: *const T) -> Self {
        Self { share: Share { start: hot, step: 0 }, width: 0, tiles: 0 }
    }

    /// `values` in a row, evenly spread over so many steps.
    pub(crate) fn run(start: *const T, values: usize, steps: usize) -> Self {
        Self { share: Share { start, step: values.div_ceil(steps) }, width: 0, tiles: 0 }
    }

    /// The rows of a panel, `row` apart, in vectors of `width` columns.
    pub(crate) fn panel(start: *const T, row: usize, width: usize) -> Self {
        Self { share: Share { start, step: row }, width, tiles: 0 }
    }

    /// The share of the next tile, of `depth` steps; where nothing is left, the hot place.
    #[inline(always)]
    pub(crate) fn share(&mut self, hot: *const T, depth: usize) -> Share<T> {
        let Share { start, step } = self.share;
        let tile = self.tiles;
        self.tiles += 1;
        if self.width == 0 {
            Share { start: start.wrapping_add(tile * step * depth), step }
        } else if tile < LINES {
            Share { start: start.wrapping_add(tile * self.width), step }
        } else {
            Share { start: hot, step: 0 }
        }
    }
}
