//! The order in which things are summed: blocks of samples, and the binary-counter tree over them.
//!
//! ```text
//! block        0   1   2   3   4          a block: one ascending chain over its samples
//!               \ /     \ /    |
//!               0-1     2-3    |          after block i: merge while the top two have equal height
//!                  \   /       |
//!                   0-3        |          at the end: fold from the newest to the oldest,
//!                      \______/           always older + newer
//! ```
//! An aligned power-of-two run of blocks is a subtree, so any division of the blocks among chunks, threads or ranks
//! that ends at block boundaries gives the same bits; any division inside a block continues its chain.

use crate::error::{Error, check_workspace};
use crate::kernel::{Backend, Init, add_assign, positive};
use crate::matrix::copy;
use crate::scalar::Scalar;

/// Samples in a block.
pub const SAMPLE_BLOCK: usize = 256;

/// Most subtrees a sum over `u64` many blocks can hold at once.
const HEIGHTS: usize = 128;

/// Number of blocks that `samples` samples fill or begin.
pub const fn blocks(samples: u64) -> u64 {
    samples.div_ceil(SAMPLE_BLOCK as u64)
}

/// Buffers that a sum of at most `samples` samples from block 0 on needs: the subtrees held while the last block is
/// open, and that block.
pub const fn buffers(samples: u64) -> usize {
    let last = blocks(samples).saturating_sub(1);
    // The most ones among the numbers 0 ..= last: last itself, or the longest run of ones below it.
    let below = (u64::BITS - last.leading_zeros()).saturating_sub(1);
    let max = if last.count_ones() > below { last.count_ones() } else { below };
    max as usize + 1
}

/// Buffers that a sum over `blocks` consecutive blocks needs, wherever it starts: at most `2 ceil(log2 blocks) + 1`
/// subtrees tile the range.
pub const fn partial_buffers(blocks: u64) -> usize {
    if blocks <= 1 {
        return 1;
    }
    2 * (u64::BITS - (blocks - 1).leading_zeros()) as usize + 1
}

/// A sum of vectors over samples, in the order of the contract, in the caller's memory.
///
/// The open block is a plain buffer into which kernels go on accumulating; [`SampleTree::advance`] says how many samples
/// were added. Subtrees lie in the storage from the oldest to the newest, the open block behind them.
///
/// **Shapes** every summand is a vector of `length` values; storage holds [`buffers`] (or [`partial_buffers`]) of them.
#[derive(Debug)]
pub struct SampleTree<'a, T> {
    storage: &'a mut [T],
    length: usize,
    start: u64,
    /// First block after the closed ones.
    end: u64,
    heights: [u8; HEIGHTS],
    held: usize,
    /// Samples in the open block.
    open: usize,
    /// Whether the open block, while it has no samples, holds zeros.
    clear: bool,
}

impl<'a, T: Scalar> SampleTree<'a, T> {
    /// An empty sum of vectors of `length` values that begins at block `start`.
    ///
    /// **Errors** [`Error::Workspace`] when the storage holds less than one vector.
    pub fn new(storage: &'a mut [T], length: usize, start: u64) -> Result<Self, Error> {
        check_workspace("sample tree storage", length, storage.len())?;
        let heights = [0; HEIGHTS];
        Ok(Self { storage, length, start, end: start, heights, held: 0, open: 0, clear: false })
    }

    /// Values in one summand.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Samples summed so far.
    pub fn samples(&self) -> u64 {
        ((self.end - self.start) << SAMPLE_BLOCK.ilog2()) + self.open as u64
    }

    /// Samples that the open block still takes.
    pub fn room(&self) -> usize {
        SAMPLE_BLOCK - self.open
    }

    /// Checks that `samples` more samples fit into the storage.
    ///
    /// **Errors** [`Error::Workspace`] with the number of values that would be needed.
    pub fn check_capacity(&self, samples: usize) -> Result<(), Error> {
        let samples = (samples as u64).checked_add(self.open as u64);
        let last = samples.and_then(|samples| self.end.checked_add(blocks(samples).saturating_sub(1)));
        // More blocks than can be counted have no tree.
        let needed = last.filter(|last| *last < u64::MAX).map_or(usize::MAX, |last| self.max_buffers(last));
        check_workspace("sample tree storage", needed.saturating_mul(self.length), self.storage.len())
    }

    /// The most buffers in use while the blocks up to `last` are open, one after another.
    fn max_buffers(&self, last: u64) -> usize {
        // While an aligned run of 2^h blocks is filled, its subtrees are the ones of a number below 2^h: h at most.
        let mut tiling = Tiling { heights: self.heights, held: self.held, end: self.end };
        let mut max = tiling.held;
        while let Some(h) = (last - tiling.end).checked_ilog2() {
            let aligned = tiling.end.trailing_zeros();
            let h = if aligned < h { aligned } else { h };
            let subtrees = tiling.held + h as usize;
            max = if subtrees > max { subtrees } else { max };
            tiling.push(h as u8, self.start);
        }
        (if tiling.held > max { tiling.held } else { max }) + 1
    }

    /// The open block's running sum, for kernels to go on accumulating into.
    pub fn open_block(&mut self) -> &mut [T] {
        if self.open == 0 && !self.clear {
            self.block().fill(T::zero());
            self.clear = true;
        }
        self.block()
    }

    /// As [`SampleTree::open_block`] for kernels that write every value: where their chains begin at `+0`, the block holds
    /// anything.
    pub(crate) fn open_chains(&mut self) -> (&mut [T], Init<'_, T>) {
        let init = if self.open == 0 { Init::Zero } else { Init::Accumulate };
        self.clear = false;
        (self.block(), init)
    }

    /// The buffer behind the subtrees.
    fn block(&mut self) -> &mut [T] {
        let first = self.held * self.length;
        self.storage.get_mut(first..first + self.length).unwrap_or_default()
    }

    /// Says that `samples` samples were added to the open block, and closes it when it is full.
    ///
    /// **Errors** [`Error::Workspace`] when the block cannot take them, or has no buffer to take them in (nothing
    /// changes then: ask [`SampleTree::check_capacity`] before accumulating).
    pub fn advance<B: Backend<T>>(&mut self, backend: B, samples: usize) -> Result<(), Error> {
        if samples > self.room() {
            return Err(Error::Workspace { what: "open block", needed: samples, found: self.room() });
        }
        if samples > 0 {
            // Nothing follows the last block that can be counted.
            let buffers = if self.end == u64::MAX { usize::MAX } else { self.held + 1 };
            let needed = buffers.saturating_mul(self.length);
            check_workspace("sample tree storage", needed, self.storage.len())?;
        }
        self.open += samples;
        if self.open == SAMPLE_BLOCK {
            self.open = 0;
            self.close(backend, 0);
        }
        Ok(())
    }

    /// Appends a sum over the blocks that follow; same bits as if its samples had come here.
    ///
    /// **Errors** [`Error::NotAdjacent`], [`Error::InsideBlock`], [`Error::Length`] or [`Error::Workspace`].
    pub fn merge<B: Backend<T>>(&mut self, backend: B, later: &SampleTree<'_, T>) -> Result<(), Error> {
        crate::error::check_length("summand", self.length, later.length)?;
        if self.open != 0 {
            return Err(Error::InsideBlock { samples: self.open });
        }
        if later.start != self.end {
            return Err(Error::NotAdjacent { end: self.end, start: later.start });
        }
        let mut tiling = Tiling { heights: self.heights, held: self.held, end: self.end };
        let mut needed = 0;
        for height in later.heights.iter().take(later.held) {
            if tiling.held + 1 > needed {
                needed = tiling.held + 1;
            }
            tiling.push(*height, self.start);
        }
        if later.open > 0 && tiling.held + 1 > needed {
            needed = tiling.held + 1;
        }
        check_workspace("sample tree storage", needed.saturating_mul(self.length), self.storage.len())?;
        let mut summands = later.storage.chunks_exact(positive(later.length));
        for height in later.heights.iter().take(later.held) {
            let subtree = summands.next().unwrap_or_default();
            copy(self.block(), subtree);
            self.close(backend, *height);
        }
        if later.open > 0 {
            copy(self.block(), summands.next().unwrap_or_default());
            self.open = later.open;
        }
        Ok(())
    }

    /// Folds everything into one sum, newest to oldest, and returns it. The tree is empty afterwards and the sum stays
    /// where it is until the next [`SampleTree::reset`].
    pub fn finish<B: Backend<T>>(&mut self, backend: B) -> &mut [T] {
        let mut live = self.held + usize::from(self.open > 0);
        if live == 0 {
            return self.open_block();
        }
        while live > 1 {
            let (older, newer) = self.top_two(live);
            add_assign(backend, older, newer);
            live -= 1;
        }
        self.reset();
        self.block()
    }

    /// Empties the sum, to begin again at the same block.
    pub fn reset(&mut self) {
        (self.held, self.open, self.end, self.clear) = (0, 0, self.start, false);
    }

    /// Closes the open block as a subtree of `height`, merges what is complete, and opens the next.
    fn close<B: Backend<T>>(&mut self, backend: B, height: u8) {
        let mut tiling = Tiling { heights: self.heights, held: self.held, end: self.end };
        let merges = tiling.push(height, self.start);
        let mut live = self.held + 1;
        for _ in 0..merges {
            let (older, newer) = self.top_two(live);
            add_assign(backend, older, newer);
            live -= 1;
        }
        (self.heights, self.held, self.end, self.clear) = (tiling.heights, tiling.held, tiling.end, false);
    }

    /// The last two of the first `live` buffers.
    fn top_two(&mut self, live: usize) -> (&mut [T], &[T]) {
        let middle = (live - 1) * self.length;
        let (before, after) = self.storage.split_at_mut_checked(middle).unwrap_or_default();
        let older = before.get_mut(middle.saturating_sub(self.length)..).unwrap_or_default();
        (older, after.get(..self.length).unwrap_or_default())
    }
}

/// Which aligned subtrees tile a range of blocks.
struct Tiling {
    heights: [u8; HEIGHTS],
    held: usize,
    end: u64,
}

impl Tiling {
    /// Appends a subtree of `height` and says how many merges that completes: two neighbours of equal height merge when
    /// the older one begins at a multiple of twice their size.
    fn push(&mut self, height: u8, start: u64) -> usize {
        if let Some(slot) = self.heights.get_mut(self.held) {
            *slot = height;
            self.held += 1;
        }
        self.end = self.end.saturating_add(1 << height);
        let mut merges = 0;
        while self.held >= 2 {
            let (Some(newer), Some(older)) =
                (self.heights.get(self.held - 1).copied(), self.heights.get(self.held - 2).copied())
            else {
                break;
            };
            // Both runs together; none of 2^64 blocks can be.
            let Some(run) = 2_u64.checked_shl(u32::from(newer)).filter(|run| *run > 0) else { break };
            let older_start = self.end - run;
            if newer != older || older_start < start || !older_start.is_multiple_of(run) {
                break;
            }
            self.held -= 1;
            if let Some(slot) = self.heights.get_mut(self.held - 1) {
                *slot = older + 1;
            }
            merges += 1;
        }
        merges
    }
}
