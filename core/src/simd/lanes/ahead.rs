//! Fetching what comes next into the second-level cache while the tiles at hand keep the arithmetic busy.
//!
//! A line a step and no more: a core has few places for lines on their way, and what the tiles themselves miss in the
//! first level needs some of them. No bit depends on it.

use crate::kernel::positive;
use core::ops::Range;

/// Where a tile fetches from: at step p the line of `start + p step`.
#[derive(Clone, Copy)]
pub(crate) struct Share<T> {
    pub(crate) start: *const T,
    pub(crate) step: usize,
    /// How many rows further down a tile that copies its panel fetches from that panel, all of a row.
    pub(crate) down: usize,
}

/// A plan over several tiles.
pub(crate) struct Ahead<T> {
    share: Share<T>,
    /// Values from one line of a panel to the next; zero when all that is wanted is contiguous.
    width: usize,
    /// Tiles before the first that fetches a line of the panel, and before the first after the last.
    lines: Range<usize>,
    /// What the tiles before those fetch, a line each.
    block: Share<T>,
    /// Values from one of its lines to the next; zero when there is none.
    block_width: usize,
    tiles: usize,
}

impl<T: Copy> Ahead<T> {
    /// Fetches what is there already.
    pub(crate) fn nothing(hot: *const T) -> Self {
        Self::run(hot, 0, 1)
    }

    /// `values` in a row, evenly spread over so many steps.
    pub(crate) fn run(start: *const T, values: usize, steps: usize) -> Self {
        let share = Share { start, step: values.div_ceil(positive(steps)), down: 0 };
        Self { share, width: 0, lines: 0..0, block: share, block_width: 0, tiles: 0 }
    }

    /// `lines` of a panel that come `width` values apart, each by steps of `step` values, one line in each of the last
    /// tiles before it, of which there are `tiles`: what comes earlier may be gone when its turn comes.
    pub(crate) fn panel(start: *const T, step: usize, width: usize, lines: usize, tiles: usize) -> Self {
        let first = tiles.saturating_sub(lines);
        let share = Share { start, step, down: 0 };
        let block = Share { step: 0, ..share };
        Self { share, width, lines: first..first + lines, block, block_width: 0, tiles: 0 }
    }

    /// The same, and the tiles before those fetch a block's lines, `width` values apart, each by steps of `step` values.
    pub(crate) fn and_block(self, start: *const T, step: usize, width: usize) -> Self {
        Self { block: Share { start, step, down: self.share.down }, block_width: width, ..self }
    }

    /// The same, and tiles that copy their panel fetch `down` rows ahead.
    pub(crate) fn and_down(self, down: usize) -> Self {
        Self { share: Share { down, ..self.share }, ..self }
    }

    /// Whether every tile fetches what is there already.
    pub(crate) fn is_nothing(&self) -> bool {
        self.width == 0 && self.share.step == 0
    }

    /// The share of the next tile, of `depth` steps; where nothing is left, the hot place.
    #[inline(always)]
    pub(crate) fn share(&mut self, hot: *const T, depth: usize) -> Share<T> {
        let Share { start, step, down } = self.share;
        let tile = self.tiles;
        self.tiles += 1;
        if self.width == 0 {
            Share { start: start.wrapping_add(tile * step * depth), step, down }
        } else if self.lines.contains(&tile) {
            Share { start: start.wrapping_add((tile - self.lines.start) * self.width), step, down }
        } else if tile < self.lines.start && self.block_width > 0 {
            Share { start: self.block.start.wrapping_add(tile * self.block_width), ..self.block }
        } else {
            Share { start: hot, step: 0, down }
        }
    }
}
