//! The order of sums over samples: one chain inside a block of samples, and a binary tree over the blocks.
//!
//! ```text
//! block        0   1   2   3   4          a block: one ascending chain over its samples
//!               \ /     \ /    |
//!               0-1     2-3    |          after block i: merge while the top two have equal height
//!                  \   /       |
//!                   0-3        |          at the end: fold from the newest to the oldest,
//!                      \______/           always older + newer
//! ```
//! An aligned run of `2^h` blocks is a subtree. Blocks may therefore be divided among chunks, threads or ranks at any block
//! boundary, and the bits stay the same. A division inside a block continues the chain of that block.
//!
//! **Source** pairwise summation: N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, section 4.1. The blocks,
//! and the merge of partial sums like a binary counter, are defined here.

use crate::error::{Error, check_workspace};
use crate::kernel::{Backend, Init, add_assign, positive};
use crate::matrix::{copy, cut, cut_mut, take};
use crate::scalar::Scalar;

/// Samples in a block.
pub const SAMPLE_BLOCK: usize = 256;

/// The largest number of subtrees that a sum over at most `2^64` blocks holds at once.
const HEIGHTS: usize = 128;

/// Number of blocks of `samples` samples, an incomplete last one included.
pub const fn blocks(samples: u64) -> u64 {
    samples.div_ceil(SAMPLE_BLOCK as u64)
}

/// Number of buffers that a sum of at most `samples` samples from block 0 needs: the largest number of subtrees held while
/// a block is open, and one for that block.
pub const fn buffers(samples: u64) -> usize {
    let last = blocks(samples).saturating_sub(1);
    // The largest number of one bits among 0 ..= last. It is that of last, or of the largest `2^h - 1` below last.
    let below = (u64::BITS - last.leading_zeros()).saturating_sub(1);
    let max = if last.count_ones() > below { last.count_ones() } else { below };
    max as usize + 1
}

/// Number of buffers that a sum over `blocks` consecutive blocks needs, for any first block: at most
/// `2 ceil(log2 blocks) + 1` subtrees tile the range.
pub const fn partial_buffers(blocks: u64) -> usize {
    if blocks <= 1 {
        return 1;
    }
    2 * (u64::BITS - (blocks - 1).leading_zeros()) as usize + 1
}

/// A sum of vectors over samples, in the order of the bit contract, in the caller's memory.
///
/// Kernels accumulate samples into the buffer of the open block, then [`SampleTree::advance`] records how many. The storage
/// holds the subtrees from the oldest to the newest, then the open block.
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
    /// Whether the buffer of the open block is known to hold zeros. Valid while that block has no samples.
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

    /// Number of samples until the open block is full.
    pub fn room(&self) -> usize {
        SAMPLE_BLOCK - self.open
    }

    /// Checks that `samples` more samples fit into the storage.
    ///
    /// **Errors** [`Error::Workspace`] with the number of values that would be needed.
    pub fn check_capacity(&self, samples: usize) -> Result<(), Error> {
        let samples = (samples as u64).checked_add(self.open as u64);
        let last = samples.and_then(|samples| self.end.checked_add(blocks(samples).saturating_sub(1)));
        // If the number of blocks overflows, no storage is large enough.
        let needed = last.filter(|last| *last < u64::MAX).map_or(usize::MAX, |last| self.max_buffers(last));
        check_workspace("sample tree storage", needed.saturating_mul(self.length), self.storage.len())
    }

    /// The largest number of buffers in use until block `last` is open.
    fn max_buffers(&self, last: u64) -> usize {
        // An aligned run of 2^h blocks that is not full holds one subtree for each one bit of its count: at most h.
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

    /// The running sum of the open block, into which kernels accumulate.
    pub fn open_block(&mut self) -> &mut [T] {
        if self.open == 0 && !self.clear {
            self.block().fill(T::zero());
            self.clear = true;
        }
        self.block()
    }

    /// As [`SampleTree::open_block`], for kernels that write every value. With [`Init::Zero`] the block may hold any values.
    pub(crate) fn open_chains(&mut self) -> (&mut [T], Init<'_, T>) {
        let init = if self.open == 0 { Init::Zero } else { Init::Accumulate };
        self.clear = false;
        (self.block(), init)
    }

    /// The buffer after the subtrees. It is empty if the storage is full; [`SampleTree::advance`] refuses samples then.
    fn block(&mut self) -> &mut [T] {
        let first = self.held * self.length;
        self.storage.get_mut(first..first + self.length).unwrap_or_default()
    }

    /// Records that `samples` samples were added to the open block, and closes the block when it is full.
    ///
    /// **Errors** [`Error::Workspace`] when the block has less room, or no buffer. The tree is unchanged then. Call
    /// [`SampleTree::check_capacity`] before accumulating.
    pub fn advance<B: Backend<T>>(&mut self, backend: B, samples: usize) -> Result<(), Error> {
        if samples > self.room() {
            return Err(Error::Workspace { what: "open block", needed: samples, found: self.room() });
        }
        if samples > 0 {
            // The block with the largest index has no successor.
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

    /// Appends a sum over the blocks that follow. The bits are those of one tree over all samples.
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
            let subtree = cut(summands.next().unwrap_or_default(), ..later.length);
            copy(self.block(), subtree);
            self.close(backend, *height);
        }
        if later.open > 0 {
            copy(self.block(), cut(summands.next().unwrap_or_default(), ..later.length));
            self.open = later.open;
        }
        Ok(())
    }

    /// Adds all subtrees into one sum, from the newest to the oldest, and returns it. The tree is empty afterwards. The sum
    /// is in the storage, which the next use of the tree overwrites.
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

    /// Empties the sum. It starts again at the same block.
    pub fn reset(&mut self) {
        (self.held, self.open, self.end, self.clear) = (0, 0, self.start, false);
    }

    /// Closes the open block as a subtree of `height`, merges complete subtrees, and opens the next block.
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
        let (before, after) = take(self.storage, middle);
        (cut_mut(before, middle.saturating_sub(self.length)..), cut(after, ..self.length))
    }
}

/// The aligned subtrees that tile a range of blocks.
struct Tiling {
    heights: [u8; HEIGHTS],
    held: usize,
    end: u64,
}

impl Tiling {
    /// Appends a subtree of `height` and returns the number of merges that follow. Two neighbours of equal height merge if
    /// the older one starts at a multiple of twice their size.
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
            // Number of blocks of both. If it is 2^64, they cannot merge.
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
