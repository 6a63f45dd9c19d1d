//! What runs on a backend.

use agop_core::activation::{Activation, AnyActivation, Bounded};
use agop_core::correlation;
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
        feature::finish_ptk::<T> => fn(B, _, _) -> _,
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
        correlation::covariance_cosine::<T, Level>,
        correlation::traces::<f64, Level>,
        early_time::limit::<T, Level>,
        early_time::expand::<f64, DualBackend<Level>>,
        early_time::rate::<T, DualBackend<Level>>,
        early_time::limit_by_samples::<f64, Level>,
        early_time::differentiate::<T, AnyActivation, AnyLoss, DualBackend<B>>,
        Derivatives::<T>::layer,
        quadratic::statistics::<T, Level>,
        wide::wide::<T, Level>,
        Optimizer::step::<T, B>,
        optimizer::gradient_norm::<T, B>,
        correlation::traces::<Dual<f64>, DualBackend<Level>>,
    ];
}

pub fn network<T: Transcendental, A: Activation<T>, L: Loss<T>, B: Backend<T>>() {
    link![
        Network::<T, A>::new,
        Network::<T, A>::new_on => fn(B, _, _, _) -> _,
        Network::<T, A>::shape,
        Network::<T, A>::activation,
        Network::<T, A>::parameters,
        Network::<T, A>::weights,
        Network::<T, A>::bias,
        Network::<T, A>::forward::<B>,
        Network::<T, A>::accumulate_gradient::<B> => fn(_, _, L, _, _, _, _) -> _,
        Network::<T, A>::finish_gradient::<B> => fn(_, _, L, _) -> _,
        Network::<T, A>::jacobians::<B>,
        Network::<T, A>::accumulate_ptk::<B>,
    ];
}

pub fn activation<T: Real, A: Activation<T> + Activation<Dual<T>>>() {
    link![
        Activation::value => fn(&A, &T) -> T,
        Activation::derivative => fn(&A, &T) -> T,
        Activation::second_derivative => fn(&A, &T) -> T,
        Activation::value_and_derivative => fn(&A, &T) -> (T, T),
        Activation::value_and_derivative => fn(&A, &Dual<T>) -> (Dual<T>, Dual<T>),
        Activation::apply => fn(&A, Level, &mut [T]),
        Activation::apply_with_slope => fn(&A, Level, &mut [T], &mut [T]),
        Activation::apply_with_slope => fn(&A, DualBackend<Level>, &mut [Dual<T>], &mut [Dual<T>]),
    ];
}

/// What bounds the errors of features.
pub fn certificate<T: Real, A: Activation<T> + Bounded, B: Backend<T> + Backend<f64>>() {
    link![
        Norms::<T, A>::new => fn(B, _, _, _, _) -> _,
        Norms::<T, A>::forward::<B>,
        Norms::<T, A>::certify::<B>,
        Norms::<T, A>::plain,
        Norms::<T, A>::certified,
        Network::<T, A>::accumulate_moments::<B>,
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
