//! Products whose sizes are known when compiling: a function for each, in which the tiles that it needs are written out.

use super::blocks::{accumulate, few_rows, large, slim};
use super::pack::{Strided, pack};
use super::short::equal;
use super::tile::{masked_tile, tile};
use super::{Kernel, Lanes, Product, SHORT, Start, WIDE};
use crate::kernel::{Chain, Region};
use crate::matrix::{MatMut, MatRef, gapless};
use crate::scalar::Real;
use crate::simd::Sizes;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr;

/// [`accumulate`], all elements, by code of its own where the product has the sizes and layouts P and [`fits`].
#[inline(always)]
pub(crate) fn accumulate_sized<T: Real, S: Lanes<T>, P: Sizes>(
    set: S,
    mut c: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    chain: Chain<'_, T>,
) {
    let agree = c.shape() == (P::ROWS, P::COLUMNS)
        && a.lies(P::ROWS, P::INNER, P::A_TRANSPOSED)
        && b.lies(P::INNER, P::COLUMNS, P::B_TRANSPOSED)
        && chain.fits(P::COLUMNS);
    if !const { fits::<T, S, P>() } || !agree {
        return accumulate(set, c, a, b, Region::Full, chain);
    }
    let c = c.as_mut_slice().as_mut_ptr();
    let start = Start::new(chain);
    let (a, b) = (Strided::new(a).start, Strided::new(b).start);
    set.call(Fitted::<T, P> { c, a, b, start, sizes: PhantomData });
}

/// Whether a product has code of its own: one of few inner indices and so few rows that no panel of a b whose columns are
/// contiguous is packed.
const fn fits<T: Real, S: Lanes<T>, P: Sizes>() -> bool {
    let some = P::ROWS > 0 && P::INNER > 0 && P::COLUMNS > 0;
    let small = P::INNER <= SHORT && !large::<T>(P::ROWS, P::COLUMNS);
    some && small && P::ROWS <= few_rows::<T, S>(P::INNER, P::COLUMNS)
}

/// Over a panel of V vectors: the height of its strips, how many there are, and the height of one more, zero for none.
const fn strips<T: Real, S: Lanes<T>, P: Sizes, const V: usize>() -> (usize, usize, usize) {
    let most = match V {
        1 => S::SINGLE_ROWS,
        2 => S::ROWS,
        _ => S::WIDE_ROWS,
    };
    // The compiler asks for products and panels that there are not as well.
    if most == 0 || !fits::<T, S, P>() {
        return (0, 0, 0);
    }
    let (height, count) = equal(P::ROWS, most);
    (height, count, P::ROWS - count * height)
}

/// The product of matrices of the sizes and layouts P; c overlaps no factor.
struct Fitted<T, P> {
    c: *mut T,
    a: *const T,
    b: *const T,
    start: Start<T>,
    sizes: PhantomData<P>,
}

impl<T: Real, P: Sizes> Fitted<T, P> {
    /// R rows from i on and V vectors of columns from j on, of which the first `width` columns exist.
    ///
    /// # Safety
    /// The promise of [`Product`], whose sizes are those of P; the places exist, and b is a matrix of `inner` rows of `width`
    /// values, contiguous, which are more than V - 1 vectors.
    #[inline(always)]
    unsafe fn strip<S: Lanes<T>, const R: usize, const V: usize>(
        set: S,
        product: &Product<T>,
        (i, j): (usize, usize),
        width: usize,
        b: Strided<T>,
    ) {
        let Product { c, a, start, .. } = *product;
        let (b, b_row, n, k) = (b.start, b.row, P::COLUMNS, P::INNER);
        // SAFETY: the caller's promise.
        unsafe {
            let (c, a, start) = (c.add(i * n + j), a.from(i, 0), start.from(j));
            if width == V * S::WIDTH {
                tile::<T, S, R, V>(set, c, n, a, b, b_row, k, start, ptr::null_mut(), None);
            } else {
                masked_tile::<T, S, R, V>(set, c, n, a, b, b_row, k, width, start, None, None);
            }
        }
    }

    /// All rows over V vectors of columns from j on, of which the first `width` columns exist.
    ///
    /// # Safety
    /// As [`Fitted::strip`].
    #[inline(always)]
    unsafe fn panel<S: Lanes<T>, const V: usize>(
        set: S,
        product: &Product<T>,
        j: usize,
        width: usize,
        b: Strided<T>,
    ) {
        const { assert!(S::SINGLE_ROWS <= 16 && S::ROWS <= 16 && S::WIDE_ROWS <= 16) };
        macro_rules! strip {
            ($height:expr, $i:expr; $($r:literal)*) => {
                match const { $height } {
                    // SAFETY: the caller's promise; rows `i .. i + r` are some of the product's.
                    $($r => unsafe { Self::strip::<S, $r, V>(set, product, ($i, j), width, b) },)*
                    _ => {}
                }
            };
        }
        let (height, count, _) = const { strips::<T, S, P, V>() };
        for strip in 0..count {
            strip!(strips::<T, S, P, V>().0, strip * height; 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
        }
        strip!(strips::<T, S, P, V>().2, count * height; 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
    }
}

impl<T: Real, P: Sizes> Fitted<T, P> {
    /// The product.
    #[inline(always)]
    fn product(&self) -> Product<T> {
        let Self { c, a, b, start, .. } = *self;
        let (rows, inner, columns) = (P::ROWS, P::INNER, P::COLUMNS);
        let layout = |start, transposed, rows, columns| {
            let (row, column) = gapless(rows, columns, transposed);
            Strided { start, row, column }
        };
        let a = layout(a, P::A_TRANSPOSED, rows, inner);
        let b = layout(b, P::B_TRANSPOSED, inner, columns);
        Product { c, a, b, rows, inner, columns, region: Region::Full, start }
    }

    /// All columns; a panel of a b that is transposed is copied to `right`.
    ///
    /// # Safety
    /// The promise of [`Product`]; `right` takes two vectors for each of at most [`SHORT`] inner indices.
    #[inline(always)]
    unsafe fn panels<S: Lanes<T>>(set: S, product: &Product<T>, right: *mut T) {
        let panel = const { 2 * S::WIDTH };
        let mut j = 0;
        macro_rules! panel {
            ($vectors:expr, $width:expr) => {
                // SAFETY: the caller's promise; columns j .. j + width.
                unsafe {
                    let mut b = product.b.from(0, j);
                    if P::B_TRANSPOSED {
                        pack(set, right, panel, b, P::INNER, $width);
                        b = Strided { start: right.cast_const(), row: panel, column: 1 };
                    }
                    Self::panel::<S, $vectors>(set, product, j, $width, b);
                }
            };
        }
        if const { S::WIDE_ROWS > 0 && !P::B_TRANSPOSED } {
            while j + WIDE * S::WIDTH <= P::COLUMNS {
                panel!(WIDE, WIDE * S::WIDTH);
                j += WIDE * S::WIDTH;
            }
        }
        while j + panel <= P::COLUMNS {
            panel!(2, panel);
            j += panel;
        }
        let rest = const { P::COLUMNS % (2 * S::WIDTH) };
        if rest > S::WIDTH {
            panel!(2, rest);
        } else if rest > 0 {
            panel!(1, rest);
        }
    }
}

impl<T: Real, S: Lanes<T>, P: Sizes> Kernel<S> for Fitted<T, P> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        let product = self.product();
        if slim::<T, S, true>(set, product) {
            return;
        }
        if P::B_TRANSPOSED {
            set.call(Packed(self));
        } else {
            // SAFETY: the promise of the type; nothing is copied.
            unsafe { Self::panels(set, &product, ptr::null_mut()) }
        }
    }
}

/// A [`Fitted`] product whose b is transposed, with room for a panel of it.
struct Packed<T, P>(Fitted<T, P>);

impl<T: Real, S: Lanes<T>, P: Sizes> Kernel<S> for Packed<T, P> {
    type Output = ();
    #[inline(always)]
    fn run(self, set: S) {
        // As in `blocks::Accumulate`.
        let mut right = [[const { MaybeUninit::<S::Vector>::uninit() }; 2]; SHORT];
        let right = core::hint::black_box(right.as_mut_ptr()).cast::<T>();
        if !const { fits::<T, S, P>() } {
            return;
        }
        // SAFETY: the promise of the type; at most `SHORT` inner indices fit.
        unsafe { Fitted::<T, P>::panels(set, &self.0.product(), right) }
    }
}
