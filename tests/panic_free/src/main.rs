//! Takes the address of every public function of `agop-core`, so that all of them are linked, for any arguments.
//!
//! A new public function needs a line here: `./run` names those that have none. Functions are spelled with the path of
//! their public module, methods with their type or trait.
#![no_std]
#![no_main]

/// The addresses of functions; where a type cannot be named, of functions of that signature.
macro_rules! link {
    ($($function:expr $(=> $signature:ty)?),* $(,)?) => {
        $( core::hint::black_box(link!(@ $function $(, $signature)?)); )*
    };
    (@ $function:expr) => { $function as *const () };
    (@ $function:expr, $signature:ty) => { $function as $signature as *const () };
}

mod functions;
mod scalars;
mod vectors;

use agop_core::activation::{AnyActivation, Gelu, Linear, Quadratic, Relu, Sigmoid, Silu, Softplus, Tanh};
use agop_core::dual::Dual;
use agop_core::early_time::DualBackend;
use agop_core::kernel::Definition;
use agop_core::loss::{AnyLoss, CrossEntropy, MeanSquared};
use agop_core::simd::{Compiled, Level};

agop_core::network! {
    /// Of constant sizes, in the narrow scalar.
    pub struct Narrow([f32; 5 => 7 => 3], Relu, bias: true);
}

agop_core::network! {
    /// Of constant sizes, in the wide scalar.
    pub struct Deep([f64; 5 => 7 => 6 => 3], Gelu, bias: false);
}

/// The program begins here on every target.
// SAFETY: the name is exported once.
#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    functions::all();
    functions::constant_sizes();
    both::<f32>();
    both::<f64>();
    vectors::bounded::<AnyActivation>();
    vectors::bounded::<Gelu>();
    vectors::bounded::<Linear>();
    vectors::bounded::<Quadratic>();
    vectors::bounded::<Relu>();
    vectors::bounded::<Sigmoid>();
    vectors::bounded::<Silu>();
    vectors::bounded::<Softplus>();
    vectors::bounded::<Tanh>();
    scalars::scalar::<f32>();
    scalars::scalar::<f64>();
    scalars::scalar::<Dual<f32>>();
    scalars::scalar::<Dual<f64>>();
    #[cfg(feature = "planted")]
    link!(planted);
}

/// What there is in both scalars, and on dual numbers of them.
fn both<T: scalars::Float>() {
    scalars::real::<T>();
    scalars::dual::<T>();
    vectors::backend::<T, Definition>();
    vectors::backend::<T, Level>();
    vectors::backend::<T, Compiled>();
    vectors::backend::<Dual<T>, Definition>();
    vectors::backend::<Dual<T>, DualBackend<Level>>();
    vectors::plain::<T>();
    vectors::real::<T, Level>();
    vectors::certificate::<T, AnyActivation, Level, false>();
    vectors::certificate::<T, AnyActivation, Level, true>();
    vectors::network::<T, AnyActivation, AnyLoss, Level, false>();
    vectors::network::<T, AnyActivation, AnyLoss, Level, true>();
    vectors::network::<Dual<T>, AnyActivation, AnyLoss, DualBackend<Level>, false>();
    vectors::network::<Dual<T>, AnyActivation, AnyLoss, DualBackend<Level>, true>();
    vectors::activation::<T, AnyActivation>();
    vectors::activation::<T, Gelu>();
    vectors::activation::<T, Linear>();
    vectors::activation::<T, Quadratic>();
    vectors::activation::<T, Relu>();
    vectors::activation::<T, Sigmoid>();
    vectors::activation::<T, Silu>();
    vectors::activation::<T, Softplus>();
    vectors::activation::<T, Tanh>();
    vectors::loss::<T, AnyLoss>();
    vectors::loss::<T, CrossEntropy>();
    vectors::loss::<T, MeanSquared>();
}

#[cfg(feature = "planted")]
fn planted(values: &[u8], at: usize) -> u8 {
    values[at]
}

/// Linked where something can panic.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::black_box(info);
    }
}
