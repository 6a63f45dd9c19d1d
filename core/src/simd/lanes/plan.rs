//! The plan of a product: shape and level in, path and block sizes out. A pure function: it sees no memory.

use super::tuning::*;
use super::{WIDE, even, min};

/// What the kernels need to know of an instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Registers {
    /// Values in a vector.
    pub(crate) width: usize,
    /// MR of a register tile of one vector, at least `mr`.
    pub(crate) mr_single: usize,
    /// MR of a register tile of two vectors.
    pub(crate) mr: usize,
    /// MR of a register tile of [`WIDE`] vectors; zero where they do not pay.
    pub(crate) mr_wide: usize,
    /// Most rows of c, two to eight, for which blocks of a transposed b are used in registers.
    pub(crate) few_rows: usize,
    /// Columns of a block of `width` rows that is transposed in registers.
    pub(crate) square: usize,
}

/// Sizes and layouts of a product, none of them zero.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) inner: usize,
    pub(super) columns: usize,
    /// Whether all elements are wanted, not only those on and above the diagonal.
    pub(super) full: bool,
    /// Strides of rows and columns.
    pub(super) a: (usize, usize),
    pub(super) b: (usize, usize),
    /// Bytes of a value.
    pub(super) value: usize,
    /// Values of c before its start in the cache line where it starts.
    pub(super) c_past: usize,
    /// The same of b.
    pub(super) b_past: usize,
}

/// How a product is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// One to three inner indices: each row of c passes through the registers once.
    FewInner(usize),
    /// One row: the rows of b one after the other.
    OneRow,
    /// Few rows by a transposed b, whose blocks are transposed in registers and used there.
    FewRows(usize),
    /// One register tile.
    OneTile,
    /// Short reduction dimension: a and b in place, all rows over one panel at once.
    InPlace,
    /// The same by a transposed b, of which each panel is packed.
    Transposed,
    /// Blocks, with these buffers.
    Blocks(Buffers),
}

/// Buffers on the stack: KC, vectors of a panel, vectors of MC rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Buffers {
    /// [`SHORT`], 2, a in place.
    Short,
    /// [`SHORT`], [`WIDE`], a in place.
    ShortWide,
    /// [`KC_APART`], 2, a packed.
    PackedA,
    /// [`KC_WIDE`], [`WIDE`], a in place.
    LongWide,
    /// [`KC`], 2, a in place.
    Long,
}

/// Whether c is large.
#[inline(always)]
fn large(shape: &Shape) -> bool {
    shape.rows.saturating_mul(shape.columns) >= LARGE / shape.value
}

/// The path of a product.
#[inline(always)]
pub(super) fn path(shape: &Shape, registers: &Registers) -> Path {
    let Shape { rows, inner, columns, full, a, b, value, .. } = *shape;
    let Registers { width, mr_single, mr, mr_wide, few_rows, square } = *registers;
    let b_rows = b.1 == 1;
    let short = inner <= SHORT;
    if b_rows && inner <= 3 {
        return Path::FewInner(inner);
    }
    let fits = |max: usize, vectors: usize| rows <= max && columns <= vectors * width;
    if b_rows && (fits(mr_single, 1) || fits(mr, 2)) {
        return Path::OneTile;
    }
    if b_rows && rows == 1 && full && columns > 2 * width {
        return Path::OneRow;
    }
    // What exceeds whole blocks takes a pass of its own, which pays where the rows are very few or the blocks many.
    let pays = rows <= 2 || !short || inner.is_multiple_of(square);
    if b.0 == 1 && full && rows <= few_rows && pays && !(columns == 1 && b_rows) {
        return Path::FewRows(rows);
    }
    if full && short && !large(shape) {
        // No panel of b is packed: rows are too few to pay, or all of b stays in the first-level cache.
        let near = inner.saturating_mul(columns) <= NEAR / value;
        if b_rows && rows <= if near { SMALL_STRIPS } else { PACK_STRIPS } * mr {
            return Path::InPlace;
        }
        if !b_rows && rows <= SMALL_STRIPS * mr {
            return Path::Transposed;
        }
    }
    let wide_panels = if mr_wide > 0 && full { columns / (WIDE * width) } else { 0 };
    Path::Blocks(if short && wide_panels > 0 && b_rows {
        Buffers::ShortWide
    } else if short {
        Buffers::Short
    } else if a.0 == 1 && packing_pays(shape) {
        Buffers::PackedA
    } else if wide_panels >= WIDE_PANELS && a.0 != 1 {
        Buffers::LongWide
    } else {
        Buffers::Long
    })
}

/// Whether packing an a pays whose columns are contiguous.
#[inline(always)]
fn packing_pays(shape: &Shape) -> bool {
    let over = if shape.full { shape.columns } else { shape.columns / 2 };
    let bytes = |values: usize| values.saturating_mul(shape.value);
    bytes(shape.a.1) >= APART && bytes(shape.a.1).saturating_mul(bytes(over)) >= APART_BY_ROW
}

/// Sizes of the blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    /// Columns of the first panel, if it is to end with a cache line; else zero.
    pub(super) first: usize,
    /// Indices of the reduction dimension in a run.
    pub(super) kc: usize,
    /// Rows of a block.
    pub(super) mc: usize,
    /// Rows over which all runs go before the next ones: few where c is large, so that they stay in the cache.
    pub(super) group: usize,
    /// Whether the second-level cache has room for a run of b more; then tiles prefetch the next run.
    pub(super) near: bool,
    /// Whether a tile prefetches what the next one adds to: no cache near by holds that.
    pub(super) fetch: bool,
    /// Register tiles of a run.
    pub(super) tiles: usize,
}

/// The blocks of a product whose buffers have room for `kc` rows of b and, if a is packed, for `mc_vectors` of a.
#[inline(always)]
pub(super) fn blocks(shape: &Shape, registers: &Registers, kc: usize, mc_vectors: usize) -> Blocks {
    let Shape { rows, inner, columns, full, a, b, value, .. } = *shape;
    let Registers { width, mr, .. } = *registers;
    let (panel, long, packed) = (2 * width, kc > SHORT, mc_vectors > 0);
    let near = b.1 == 1 && columns <= NEAR_VECTORS * width;
    let (strips, panels) = (rows.div_ceil(mr), columns.div_ceil(panel));
    let max_strips = match (packed, value) {
        (true, _) => mc_vectors * width / mr,
        (false, 8) => MC_STRIPS_OF_F64,
        (false, _) => MC_STRIPS,
    };
    let mc = even(strips, max_strips) * mr;
    let max = if a.0 == 1 { min(kc, KC_APART) } else { kc };
    let again = inner * columns <= AGAIN / value;
    let large = large(shape);
    Blocks {
        // Align c to cache lines only when a is packed: those tiles are two vectors wide and suffer most.
        first: if packed { before_line(shape) % panel } else { 0 },
        kc: if long { even(inner, max) } else { inner },
        mc,
        group: if long && large && again && !near {
            mc * if packed { GROUP_BLOCKS } else { 1 }
        } else {
            rows
        },
        near,
        fetch: large && width * value == LINE,
        tiles: if full { strips * panels } else { (strips + 1) * panels / 2 + 1 },
    }
}

/// Columns of c before one that begins a cache line in all of its rows and, unless b is packed anyway, in those of b; zero
/// where there is none.
#[inline(always)]
fn before_line(shape: &Shape) -> usize {
    let line = LINE / shape.value;
    let alike = shape.b.1 != 1 || (shape.b.0.is_multiple_of(line) && shape.b_past == shape.c_past);
    if alike && shape.columns.is_multiple_of(line) { (line - shape.c_past) % line } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVX512: Registers =
        Registers { width: 16, mr_single: 16, mr: 12, mr_wide: 6, few_rows: 8, square: 8 };
    const AVX2: Registers = Registers { width: 8, mr_single: 8, mr: 6, mr_wide: 0, few_rows: 2, square: 8 };

    /// `x W^T` (b transposed), `d W` (none), `d^T x` (a transposed).
    fn shape(kind: &str, rows: usize, inner: usize, columns: usize) -> Shape {
        let a = if kind == "dtx" { (1, rows) } else { (inner, 1) };
        let b = if kind == "xwt" { (1, inner) } else { (columns, 1) };
        Shape { rows, inner, columns, full: true, a, b, value: 4, c_past: 0, b_past: 0 }
    }

    #[test]
    fn paths() {
        for (kind, (m, k, n), on_512, on_2) in [
            ("dw", (70, 3, 800), Path::FewInner(3), Path::FewInner(3)),
            ("dw", (1, 64, 64), Path::OneRow, Path::OneRow),
            ("xwt", (1, 64, 64), Path::FewRows(1), Path::FewRows(1)),
            ("xwt", (8, 64, 32), Path::FewRows(8), Path::Transposed),
            ("xwt", (8, 65, 32), Path::FewRows(8), Path::Blocks(Buffers::Long)),
            ("xwt", (8, 63, 32), Path::Transposed, Path::Transposed),
            ("dw", (6, 64, 16), Path::OneTile, Path::OneTile),
            ("dw", (32, 32, 32), Path::InPlace, Path::InPlace),
            ("dw", (64, 64, 65), Path::Blocks(Buffers::ShortWide), Path::Blocks(Buffers::Short)),
            ("xwt", (128, 128, 128), Path::Blocks(Buffers::LongWide), Path::Blocks(Buffers::Long)),
            ("dtx", (128, 128, 128), Path::Blocks(Buffers::Long), Path::Blocks(Buffers::Long)),
            ("dtx", (1024, 256, 1024), Path::Blocks(Buffers::PackedA), Path::Blocks(Buffers::PackedA)),
        ] {
            assert_eq!(path(&shape(kind, m, k, n), &AVX512), on_512, "{kind} {m} {k} {n}");
            assert_eq!(path(&shape(kind, m, k, n), &AVX2), on_2, "{kind} {m} {k} {n}");
        }
        let upper = Shape { full: false, ..shape("dtx", 2, 64, 64) };
        assert_eq!(path(&upper, &AVX2), Path::Blocks(Buffers::Short));
    }

    #[test]
    fn blocks_fit_their_buffers() {
        for registers in [AVX512, AVX2] {
            for n in [1, 7, 65, 129, 511, 512, 1000, 3000] {
                for kind in ["xwt", "dw", "dtx"] {
                    for (kc, mc_vectors) in [(KC, 0), (KC_WIDE, 0), (KC_APART, MC_VECTORS)] {
                        let shape = Shape { c_past: n % 16, ..shape(kind, n, n, n) };
                        let found = blocks(&shape, &registers, kc, mc_vectors);
                        assert!(found.kc >= 1 && found.kc <= kc && found.mc.is_multiple_of(registers.mr));
                        assert!(mc_vectors == 0 || found.mc <= mc_vectors * registers.width);
                        assert!(found.group >= 1 && found.first < 2 * registers.width);
                        assert!(found.tiles >= n.div_ceil(registers.mr));
                    }
                }
            }
        }
        assert_eq!(blocks(&shape("dw", 2048, 64, 512), &AVX512, SHORT, 0).group, 2048);
        assert_eq!(blocks(&shape("xwt", 1024, 1024, 1024), &AVX512, KC_WIDE, 0).group, 348);
    }
}
