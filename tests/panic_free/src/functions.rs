//! Functions and methods of one signature.

use crate::{Deep, Narrow};
use agop_core::activation::AnyActivation;
use agop_core::correlation::{self, LayerSpectrum, Route};
use agop_core::digest::Hasher;
use agop_core::early_time::quadratic::{self, Readout, Statistics, WordTraces};
use agop_core::early_time::wide::{self, DualKernel};
use agop_core::early_time::{self, RunningStatistics};
use agop_core::eigen;
use agop_core::elementary;
use agop_core::environment;
use agop_core::golden::Stage;
use agop_core::ieee;
use agop_core::loss::AnyLoss;
use agop_core::network::{self, Initializer, LayerSpan, Map, Shape, Window};
use agop_core::optimizer::{self, Optimizer};
use agop_core::ptk_error::{self, LayerError};
use agop_core::random::Stream;
use agop_core::reduce;
use agop_core::simd::Level;
#[cfg(target_arch = "x86_64")]
use agop_core::simd::{Avx2, Avx512};
use agop_core::task::{self, AlignmentReversing};

/// What shapes of both kinds share.
fn shapes<const MAPS: bool>() {
    link![
        Shape::<MAPS>::input,
        Shape::<MAPS>::inputs,
        Shape::<MAPS>::outputs,
        Shape::<MAPS>::layers,
        Shape::<MAPS>::hidden_layers,
        Shape::<MAPS>::parameters,
        Shape::<MAPS>::ptk_values,
        Shape::<MAPS>::gradient_sum,
        Shape::<MAPS>::gradient_workspace,
        Shape::<MAPS>::jacobian_workspace,
        Shape::<MAPS>::positions,
        (|shape| black_box_all(Shape::spans(&shape))) => fn(Shape<'_, MAPS>),
        Shape::<MAPS>::layer,
        Shape::<MAPS>::ptk_span,
    ];
}

pub fn all() {
    shapes::<false>();
    shapes::<true>();
    link![
        Map::new,
        Map::vector,
        Map::positions,
        Map::values,
        Window::new,
        Window::tiles,
        Window::stride,
        Window::padding,
        Window::dilation,
        Window::places,
        Window::fits,
    ];
    link![
        AnyActivation::name,
        AnyActivation::from_name,
        AnyLoss::name,
        AnyLoss::from_name,
        correlation::measure_workspace,
        correlation::correlate_workspace,
        correlation::correlate::<Level>,
        correlation::covariance_workspace,
        correlation::ptk_spectrum_length,
        correlation::layer_spectrum_length,
        correlation::spectrum_workspace,
        correlation::angles_workspace,
        LayerSpectrum::power,
        LayerSpectrum::nfm_agop::<Level>,
        LayerSpectrum::weights_ptk::<Level>,
        ptk_error::norms_length::<false>,
        ptk_error::norms_length::<true>,
        ptk_error::norms_workspace::<false>,
        ptk_error::norms_workspace::<true>,
        LayerError::merge,
        eigen::eigen_workspace,
        eigen::symmetric_eigen::<Level>,
        Route::cheaper,
        Route::workspace,
        Hasher::new,
        Hasher::number,
        Hasher::finish,
        early_time::limit_workspace,
        early_time::differentiate_workspace::<false>,
        early_time::differentiate_workspace::<true>,
        early_time::rate_workspace,
        early_time::limit_by_samples_workspace,
        quadratic::statistics_workspace,
        quadratic::trial_workspace,
        Statistics::dimension,
        Statistics::expect,
        Statistics::observe::<Level>,
        Statistics::trial::<Level>,
        Statistics::trials::<Level>,
        Readout::<f64>::units,
        quadratic::expected_traces::<f64>,
        quadratic::observed_traces::<f64, Level>,
        WordTraces::<f64>::new::<Level>,
        RunningStatistics::add,
        RunningStatistics::count,
        RunningStatistics::mean,
        RunningStatistics::deviation,
        DualKernel::name,
        DualKernel::from_name,
        DualKernel::of,
        DualKernel::homogeneous,
        DualKernel::pair,
        wide::wide_workspace,
        environment::check,
        environment::check_thread,
        Stage::name,
        network::parameters,
        network::ptk_values,
        network::gradient_sum,
        network::gradient_workspace,
        network::jacobian_workspace,
        LayerSpan::weights,
        LayerSpan::parameters,
        LayerSpan::range,
        LayerSpan::weights_range,
        LayerSpan::bias_range,
        Shape::new,
        Shape::widths,
        Shape::bias,
        Shape::of_maps,
        Shape::maps,
        Optimizer::new,
        Optimizer::state,
        Optimizer::check::<false>,
        Optimizer::check::<true>,
        optimizer::target_speeds,
        optimizer::lowest_correlation => fn([Option<f64>; 3]) -> _,
        Initializer::name,
        Initializer::from_name,
        Stream::new,
        Stream::next_u32,
        Stream::next_u64,
        Stream::uniform,
        Stream::normal,
        Stream::below,
        Stream::shuffle::<u64>,
        reduce::blocks,
        reduce::buffers,
        reduce::partial_buffers,
        ieee::fma_f32,
        ieee::fma_f64,
        ieee::software_fma_f32,
        ieee::software_fma_f64,
        ieee::integer_fma,
        ieee::sqrt,
        ieee::software_sqrt,
        Level::scalar,
        Level::compiled,
        Level::detect,
        (|| black_box_all(Level::available())) => fn(),
        Level::name,
        task::power_law_deviation,
        task::chain_monomial_outer_product,
        AlignmentReversing::new,
    ];
    #[cfg(target_arch = "x86_64")]
    link![Avx2::compiled, Avx2::detect, Avx512::compiled, Avx512::detect];
    #[cfg(all(target_arch = "arm", target_feature = "vfp4"))]
    link![agop_core::simd::Vfpv4::compiled];
    link![
        elementary::exp,
        elementary::exp_f32,
        elementary::gelu,
        elementary::gelu_f32,
        elementary::ln,
        elementary::ln_f32,
        elementary::normal_density,
        elementary::normal_density_f32,
        elementary::normal_distribution,
        elementary::normal_distribution_f32,
        elementary::normal_quantile,
        elementary::sigmoid,
        elementary::sigmoid_f32,
        elementary::silu,
        elementary::silu_f32,
        elementary::softplus,
        elementary::softplus_f32,
        elementary::tanh,
        elementary::tanh_f32,
    ];
}

pub fn constant_sizes() {
    link![
        Narrow::new,
        Narrow::gradient_workspace,
        Narrow::jacobian_workspace,
        Narrow::gradient_storage,
        Narrow::ptk_storage,
        Narrow::shape,
        Narrow::network,
        Narrow::network_on => fn(_, Level) -> _,
        Deep::network,
        Deep::network_on => fn(_, Level) -> _,
    ];
}

/// Goes to the end of what a function returned.
pub fn black_box_all<I: Iterator>(items: I) {
    items.for_each(|item| {
        core::hint::black_box(item);
    });
}
