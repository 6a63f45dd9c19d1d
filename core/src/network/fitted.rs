//! A level with code of its own for the products of one const-sized network.

use super::shape::span;
use crate::kernel::{Backend, Chain, Plain, Region, Role};
use crate::matrix::{MatMut, MatRef};
use crate::scalar::{Real, Scalar};
use crate::simd::{Level, Sizes, accumulate_sized};
use core::marker::PhantomData;

/// The widths of a network, known when compiling; [`crate::network!`] implements it.
pub trait Widths {
    /// Inputs, hidden widths, outputs.
    const WIDTHS: &'static [usize];
}

/// A [`Level`] with code of its own for each product in forward pass and gradient of the network W over ROWS samples at a
/// time, in which the sizes are constants: nothing is decided on the way. The bits are the level's.
///
/// It is for small networks, few samples and levels with vectors. The level's code for all sizes does what has none of its
/// own: products of more than 64 inner indices (a layer's inputs or outputs, or the samples over which the gradient of its
/// weights is summed); of more than a few rows (24 on AVX2, 48 on AVX-512 and NEON, 16 on WebAssembly) where a layer has
/// more than 16 KiB of weights; of layers after the eighth, of another number of samples or another network; outer products,
/// and Jacobians of more than one output.
///
/// On x86-64 it takes about 12 KiB of code for each layer and level.
#[derive(Debug)]
pub struct Fitted<W, const ROWS: usize> {
    level: Level,
    network: PhantomData<fn() -> W>,
}

impl<W, const ROWS: usize> Fitted<W, ROWS> {
    /// On that level.
    pub const fn new(level: Level) -> Self {
        Self { level, network: PhantomData }
    }
}

impl<W, const ROWS: usize> Clone for Fitted<W, ROWS> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W, const ROWS: usize> Copy for Fitted<W, ROWS> {}

/// A product of a layer.
macro_rules! role {
    ($name:ident, |$rows:ident, $inputs:ident, $outputs:ident| $sizes:expr, $a:literal, $b:literal) => {
        #[doc = concat!("[`Role::", stringify!($name), "`] of one layer.")]
        struct $name<W, const ROWS: usize, const LAYER: usize>(PhantomData<W>);

        impl<W: Widths, const ROWS: usize, const LAYER: usize> Sizes for $name<W, ROWS, LAYER> {
            const SIZES: (usize, usize, usize) = {
                let layer = span(W::WIDTHS, false, LAYER);
                let ($rows, $inputs, $outputs) = (ROWS, layer.inputs, layer.outputs);
                $sizes
            };
            const A_TRANSPOSED: bool = $a;
            const B_TRANSPOSED: bool = $b;
        }
    };
}

role!(Forward, |rows, inputs, outputs| (rows, inputs, outputs), false, true);
role!(Weights, |rows, inputs, outputs| (outputs, rows, inputs), true, false);
role!(Inputs, |rows, inputs, outputs| (rows, outputs, inputs), false, false);

impl<T: Real, W: Widths, const ROWS: usize> Backend<T> for Fitted<W, ROWS> {
    fn accumulate(
        self,
        c: MatMut<'_, T>,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        region: Region,
        chain: Chain<'_, T>,
    ) {
        self.level.accumulate(c, a, b, region, chain);
    }

    #[inline]
    fn accumulate_layer(
        self,
        layer: usize,
        role: Role,
        c: MatMut<'_, T>,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        chain: Chain<'_, T>,
    ) {
        macro_rules! sized {
            ($role:ident, $layer:literal) => {
                accumulate_sized::<T, $role<W, ROWS, $layer>>(self.level, c, a, b, chain)
            };
        }
        macro_rules! layers {
            ($($layer:literal)*) => {
                match layer {
                    $($layer if const { $layer + 1 < W::WIDTHS.len() } => match role {
                        Role::Forward => sized!(Forward, $layer),
                        Role::Weights => sized!(Weights, $layer),
                        Role::Inputs => sized!(Inputs, $layer),
                    },)*
                    _ => self.level.accumulate(c, a, b, Region::Full, chain),
                }
            };
        }
        layers!(0 1 2 3 4 5 6 7);
    }

    fn axpy(self, a: T, x: &[T], y: &mut [T]) {
        self.level.axpy(a, x, y);
    }

    fn dot(self, a: MatRef<'_, T>, b: MatRef<'_, T>) -> <T as Scalar>::Wide {
        self.level.dot(a, b)
    }

    fn vectorize<P: Plain>(self, loops: P) -> P::Output {
        Backend::<T>::vectorize(self.level, loops)
    }
}
