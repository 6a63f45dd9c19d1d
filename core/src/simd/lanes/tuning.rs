//! Constants of the product kernel, and what is known of each. None of them moves a bit.
//!
//! Machine S is a virtual Intel Sapphire Rapids core, Z a virtual AMD Zen 5 core, both AVX-512 and `f32`. Gains were measured
//! for groups of constants, below the table; the gain of each alone was not: measure it before you trust it, and write it
//! here.
//!
//! | constant | machine, date | why, and what else is known |
//! |---|---|---|
//! | [`SHORT`] | not recorded, 2026-11-21 | bounds the stack of small products: 8 KiB a panel |
//! | [`KC`] | not recorded, 2026-11-21 | a panel of two vectors stays in the first-level cache |
//! | [`KC_APART`] | not recorded, 2026-11-21 | the same where each index of a takes a page of its own |
//! | [`KC_WIDE`] | S, 2026-11-21 | a panel of four vectors stays in the second-level cache; c is read and written less often |
//! | [`WIDE_PANELS`] | S, 2026-11-21 | with fewer, wide panels do not pay |
//! | [`MC_STRIPS`] | not recorded, 2026-11-21 | more: the block leaves the second level; fewer: b is packed more often |
//! | [`MC_STRIPS_OF_F64`] | S, 2026-11-21 | the same for values of 8 bytes |
//! | [`MC_VECTORS`] | not recorded, 2026-11-21 | the packed block stays in the second-level cache |
//! | [`MC_SHORT_VECTORS`] | never timed, 2026-11-21 | NEON, WebAssembly: as many values as on AVX-512 |
//! | [`SMALL_STRIPS`] | Z, 2026-11-22 | with more strips, blocks pay |
//! | [`NEAR`] | Z, 2026-11-22 | b in place stays in the first-level cache |
//! | [`NEAR_VECTORS`] | not recorded, 2026-11-21 | the second-level cache has room for one run of rows more |
//! | [`LARGE`], [`GROUP_BLOCKS`], [`AGAIN`] | S, 2026-11-21 | before, each run went over all rows of a large c and fetched them anew |
//! | [`DOWN`] | S, 2026-11-21 | a branch that stopped at the last row was dropped: prefetching beyond is harmless |
//! | [`APART`], [`APART_BY_ROW`] | S, 2026-11-21 | below, packing a does not pay |
//! | [`PACK_STRIPS`] | not recorded, 2026-11-21 | fewer strips do not pay the copy of b |
//! | [`PACK_DEPTH`] | S, 2026-11-21 | a cache line of a holds values of two strips |
//! | [`TRANSPOSE_DEPTH`] | S, 2026-11-21 | a line of b or of the buffer holds values of several blocks |
//! | [`SAME_SET_ROWS`] | S, 2026-11-22 | the first level has eight or twelve ways |
//!
//! Gains, old and new taking turns in one process on S, 2026-11-21:
//! - panels prefetched during the tiles before, [`TRANSPOSE_DEPTH`], [`DOWN`], [`LARGE`], [`GROUP_BLOCKS`] and [`AGAIN`]
//!   together: `x W^T` at 1024 9 to 13 %, at 768 8 %, at 512 1 to 2 %; `d^T x` at 1024 3 to 8 %, `d W` 3 to 4 %
//! - packing `W^T` took 11 % of `x W^T` at 1024 before, 3 % after
//! - above [`AGAIN`] groups cost 5 %
//!
//! Tried, no gain, 2026-11-21 to 2026-11-22:
//! - prefetching c before its tile, in a burst or spread, to either cache level; prefetching the next block of a
//! - KC of 256 or 342 for wide panels, of 1024 for `d W` by narrow ones; MC of 16 to 88 strips
//! - huge pages; masked heads for rows of one sample; four squares transposed at once
//!
//! Products at 512 are 1.01 to 1.02 of the best peer on Z. On a Zen 4 they were 0.93 to 0.98; no constant was measured there.
//! Tried and rejected: code for networks of constant sizes (2026-11-22 to 2026-11-30). It made two steps of one and two
//! microseconds 4 and 5 % faster on Z, for 440 lines and 12 KiB of code a layer.

/// Largest reduction dimension of a product that needs little stack.
pub(super) const SHORT: usize = 64;

/// KC of a panel of two vectors.
pub(super) const KC: usize = 384;

/// KC of a panel of [`super::WIDE`] vectors.
pub(super) const KC_WIDE: usize = 1024;

/// KC when the columns of a are contiguous.
pub(super) const KC_APART: usize = 256;

/// MC in strips when a is read in place.
pub(super) const MC_STRIPS: usize = 32;

/// The same where a value has 8 bytes.
pub(super) const MC_STRIPS_OF_F64: usize = 24;

/// Most strips of a product with a short reduction dimension that is not divided into blocks.
pub(super) const SMALL_STRIPS: usize = 64;

/// Bytes of b that the first-level cache keeps.
pub(super) const NEAR: usize = 1 << 14;

/// Bytes of c from which on it is large: the second-level cache does not keep it from one run to the next.
pub(super) const LARGE: usize = 1 << 21;

/// Packed blocks of a in a group where c is large; of those in place it is one.
pub(super) const GROUP_BLOCKS: usize = 2;

/// Most bytes of b that are read again for each group.
pub(super) const AGAIN: usize = 1 << 23;

/// Rows by which the tile that packs a panel prefetches ahead where few tiles follow: where a is packed.
pub(super) const DOWN: usize = 16;

/// MC of a packed block in vectors.
pub(super) const MC_VECTORS: usize = 7;

/// The same of vectors of 16 bytes: as many values as in the longest.
pub(super) const MC_SHORT_VECTORS: usize = 28;

/// Most vectors in a row of b when the second-level cache has room for one run of rows more.
pub(super) const NEAR_VECTORS: usize = 24;

/// Panels of [`super::WIDE`] vectors from which on they pay where the reduction dimension is not short.
pub(super) const WIDE_PANELS: usize = 2;

/// Bytes in a cache line.
pub(super) const LINE: usize = 64;

/// Least bytes between contiguous columns of a for which a is packed.
pub(super) const APART: usize = 1024;

/// Least product of that distance and of the bytes of a row of b that go over the packed block.
pub(super) const APART_BY_ROW: usize = 1 << 21;

/// Strips that have to go over a panel of b before packing it pays.
pub(super) const PACK_STRIPS: usize = 4;

/// Indices of a that are packed at a time for all strips of a block.
pub(super) const PACK_DEPTH: usize = 16;

/// Least rows of b that are transposed at a time for all columns of a panel.
pub(super) const TRANSPOSE_DEPTH: usize = 64;

/// Bytes after which an address meets the same set of the first-level cache again.
pub(super) const SAME_SET: usize = 4096;

/// Most rows in a strip whose rows of a lie a multiple of [`SAME_SET`] apart: each takes a line of one set.
pub(super) const SAME_SET_ROWS: usize = 8;
