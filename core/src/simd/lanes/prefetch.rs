//! Prefetching what comes next into the second-level cache while the tiles at hand keep the arithmetic busy.
//!
//! One line a step and no more: a core has few places for lines on their way, and the tiles' own misses in the first level
//! need some of them. No bit depends on it. Addresses are numbers: none is ever read.

use crate::kernel::positive;
use core::ops::Range;

/// What a tile prefetches: at step p the line of `start + p step`, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Share {
    pub(super) start: usize,
    pub(super) step: usize,
    /// How many rows further down a tile that packs its panel prefetches from that panel, all of a row.
    pub(super) down: usize,
}

/// A plan over several tiles.
pub(super) struct Prefetch {
    share: Share,
    /// Bytes from one line of a panel to the next; zero when all that is wanted is contiguous.
    apart: usize,
    /// Indices of the tiles that each prefetch one line of the next panel.
    lines: Range<usize>,
    /// What earlier tiles prefetch, a line of the next block of a each.
    block: Share,
    /// Bytes from one of its lines to the next; zero when there is none.
    block_apart: usize,
    tiles: usize,
}

impl Prefetch {
    /// `values` in a row, evenly spread over so many steps; none of them prefetches what is there already.
    #[inline(always)]
    pub(super) fn run<T>(start: *const T, values: usize, steps: usize) -> Self {
        let step = values.div_ceil(positive(steps)) * size_of::<T>();
        let share = Share { start: start.addr(), step, down: 0 };
        Self { share, apart: 0, lines: 0..0, block: share, block_apart: 0, tiles: 0 }
    }

    /// `lines` of a panel, `apart` values from one to the next, each by steps of `step` values: one line in each of the
    /// last of `tiles` tiles, as what comes earlier may be evicted before its turn.
    #[inline(always)]
    pub(super) fn panel<T>(start: *const T, step: usize, apart: usize, lines: usize, tiles: usize) -> Self {
        let first = tiles.saturating_sub(lines);
        let share = Share { start: start.addr(), step: step * size_of::<T>(), down: 0 };
        let apart = apart * size_of::<T>();
        Self { share, apart, lines: first..first + lines, block: share, block_apart: 0, tiles: 0 }
    }

    /// The same, and earlier tiles prefetch a block's lines, `apart` values from one to the next.
    #[inline(always)]
    pub(super) fn and_block<T>(self, start: *const T, step: usize, apart: usize) -> Self {
        let bytes = size_of::<T>();
        let block = Share { start: start.addr(), step: step * bytes, ..self.share };
        Self { block, block_apart: apart * bytes, ..self }
    }

    /// The same, and tiles that pack their panel prefetch `down` rows ahead.
    #[inline(always)]
    pub(super) fn and_down(self, down: usize) -> Self {
        Self { share: Share { down, ..self.share }, ..self }
    }

    /// Whether every tile prefetches what is there already.
    #[inline(always)]
    pub(super) fn is_nothing(&self) -> bool {
        self.apart == 0 && self.share.step == 0
    }

    /// The share of the next tile, of `depth` steps; where nothing is left, an address that is in the cache.
    #[inline(always)]
    pub(super) fn share(&mut self, hot: usize, depth: usize) -> Share {
        let Share { start, step, down } = self.share;
        let tile = self.tiles;
        self.tiles += 1;
        if self.apart == 0 {
            Share { start: start.wrapping_add(tile * step * depth), step, down }
        } else if self.lines.contains(&tile) {
            Share { start: start.wrapping_add((tile - self.lines.start) * self.apart), step, down }
        } else if tile < self.lines.start && self.block_apart > 0 {
            Share { start: self.block.start.wrapping_add(tile * self.block_apart), ..self.block }
        } else {
            Share { start: hot, step: 0, down }
        }
    }
}
