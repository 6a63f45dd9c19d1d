//! What runs on a backend.

use agop_core::activation::{Activation, AnyActivation, Bounded};
use agop_core::correlation::{self, LayerSpectrum, PtkSpectrum};
use agop_core::dual::Dual;
use agop_core::early_time::{self, Derivatives, DualBackend, quadratic, wide};
use agop_core::feature;
use agop_core::kernel::{self, Backend, SimdLoop};
use agop_core::loss::{AnyLoss, Loss};
use agop_core::network::Network;
use agop_core::optimizer::{self, Optimizer};
use agop_core::ptk_error::Norms;
use agop_core::reduce::SampleTree;
use agop_core::scalar::{Real, Scalar, Transcendental};
use agop_core::simd::Level;

pub fn backend<T: Scalar, B: Backend<T>>() {
    link![
        Backend::accumulate => fn(B, _, _, _, _, _),
        Backend::axpy => fn(B, T, _, _),
        Backend::dot => fn(B, _, _) -> T::Wide,
        kernel::accumulate::<T> => fn(B, _, _, _) -> _,
        kernel::product::<T> => fn(B, _, _, _) -> _,
        kernel::affine::<T> => fn(B, _, _, _, _) -> _,
        kernel::symmetric_product::<T> => fn(B, _, _, _) -> _,
        kernel::accumulate_outer::<T> => fn(B, _, _) -> _,
        kernel::outer::<T> => fn(B, _, _) -> _,
        kernel::dot::<T> => fn(B, _, _) -> _,
        kernel::axpy::<T> => fn(B, _, _, _) -> _,
        feature::finish_ptk::<T, false> => fn(B, _, _) -> _,
        feature::finish_ptk::<T, true> => fn(B, _, _) -> _,
        feature::nfm::<T> => fn(B, _, _) -> _,
        feature::agop::<T> => fn(B, _, _, _, _) -> _,
        SampleTree::<T>::advance::<B>,
        SampleTree::<T>::merge::<B>,
        SampleTree::<T>::finish::<B>,
    ];
}

/// Closures on a backend.
pub fn plain<T: Real>() {
    link![
        (|backend, values| Backend::<T>::vectorize(backend, || sum(values))) => fn(Level, &[T]) -> T,
        SimdLoop::run => fn(fn() -> T) -> T,
    ];
}

fn sum<T: Scalar>(values: &[T]) -> T {
    values.iter().fold(T::zero(), |sum, x| sum + x.clone())
}

/// `f32` or `f64`, and what goes on in `f64`.
pub fn real<T: Real, B: Backend<T>>() {
    link![
        correlation::measure_layer::<T, Level>,
        PtkSpectrum::new::<T, Level>,
        LayerSpectrum::new::<T, Level>,
        correlation::covariance_cosine::<T, Level>,
        correlation::traces::<f64, Level>,
        early_time::limit::<T, Level>,
        early_time::expand::<f64, DualBackend<Level>>,
        early_time::rate::<T, DualBackend<Level>>,
        early_time::limit_by_samples::<f64, Level>,
        early_time::differentiate::<T, AnyActivation, AnyLoss, DualBackend<B>, false>,
        early_time::differentiate::<T, AnyActivation, AnyLoss, DualBackend<B>, true>,
        Derivatives::<T>::layer::<false>,
        Derivatives::<T>::layer::<true>,
        quadratic::statistics::<T, Level>,
        wide::wide::<T, Level>,
        Optimizer::step::<T, B, false>,
        Optimizer::step::<T, B, true>,
        optimizer::gradient_norm::<T, B>,
        correlation::traces::<Dual<f64>, DualBackend<Level>>,
    ];
}

pub fn network<T: Transcendental, A: Activation<T>, L: Loss<T>, B: Backend<T>, const MAPS: bool>() {
    link![
        Network::<T, A, MAPS>::new,
        Network::<T, A, MAPS>::new_on => fn(B, _, _, _) -> _,
        Network::<T, A, MAPS>::shape,
        Network::<T, A, MAPS>::activation,
        Network::<T, A, MAPS>::parameters,
        Network::<T, A, MAPS>::weights,
        Network::<T, A, MAPS>::bias,
        Network::<T, A, MAPS>::forward::<B>,
        Network::<T, A, MAPS>::accumulate_gradient::<B> => fn(_, _, L, _, _, _, _) -> _,
        Network::<T, A, MAPS>::finish_gradient::<B> => fn(_, _, L, _) -> _,
        Network::<T, A, MAPS>::jacobians::<B>,
        Network::<T, A, MAPS>::accumulate_ptk::<B>,
    ];
}

pub fn activation<T: Real, A: Activation<T> + Activation<Dual<T>>>() {
    link![
        Activation::value => fn(&A, &T) -> T,
        Activation::derivative => fn(&A, &T) -> T,
        Activation::second_derivative => fn(&A, &T) -> T,
        Activation::<T>::named => fn(A, _) -> _,
        Activation::value_and_derivative => fn(&A, &T) -> (T, T),
        Activation::value_and_derivative => fn(&A, &Dual<T>) -> (Dual<T>, Dual<T>),
        Activation::apply => fn(&A, Level, &mut [T]),
        Activation::apply_with_slope => fn(&A, Level, &mut [T], &mut [T]),
        Activation::apply_with_slope => fn(&A, DualBackend<Level>, &mut [Dual<T>], &mut [Dual<T>]),
    ];
}

/// What bounds the errors of features.
pub fn certificate<T: Real, A: Activation<T> + Bounded, B: Backend<T> + Backend<f64>, const MAPS: bool>() {
    link![
        Norms::<T, A, MAPS>::new => fn(B, _, _, _, _) -> _,
        Norms::<T, A, MAPS>::forward::<B>,
        Norms::<T, A, MAPS>::certify::<B>,
        Norms::<T, A, MAPS>::plain,
        Norms::<T, A, MAPS>::certified,
        Network::<T, A, MAPS>::accumulate_moments::<B>,
    ];
}

pub fn bounded<A: Bounded>() {
    link![Bounded::sensitivity => fn(&A, f64) -> _];
}

pub fn loss<T: Real, L: Loss<T> + Loss<Dual<T>>>() {
    link![
        Loss::<T>::divisor => fn(&L) -> _,
        Loss::residual => fn(&L, &mut [T], &[T], T) -> T,
        Loss::residual => fn(&L, &mut [Dual<T>], &[Dual<T>], Dual<T>) -> Dual<T>,
        Loss::residuals => fn(&L, Level, &mut [T], _, T) -> T,
        Loss::residuals => fn(&L, DualBackend<Level>, &mut [Dual<T>], _, Dual<T>) -> Dual<T>,
    ];
}
