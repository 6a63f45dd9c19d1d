//! Numbers: the traits, dual numbers, digests.

use crate::functions::black_box_all;
use agop_core::digest::Hasher;
use agop_core::dual::Dual;
use agop_core::golden;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::Initializer;
use agop_core::random::Stream;
use agop_core::reduce::SampleTree;
use agop_core::scalar::{Ordered, Real, Scalar, Transcendental};
use agop_core::task::{self, AlignmentReversing};
use agop_core::{feature, kernel, network};
use core::ops::{Add, Div, Mul, Neg, Sub};

/// `f32` or `f64`.
pub trait Float: Real {}
impl Float for f32 {}
impl Float for f64 {}

pub fn real<T: Float>() {
    link![
        Real::from_f64 => fn(_) -> T,
        Real::to_f64 => fn(T) -> _,
        Real::magnitude_order => fn(T) -> _,
        Real::canonical_bits => fn(T) -> _,
        Hasher::array::<T>,
        Hasher::shape::<T>,
        Hasher::values::<T>,
        Initializer::fill::<T, false>,
        Initializer::fill::<T, true>,
        Stream::fill_normal::<T>,
        AlignmentReversing::fill::<T>,
        task::fill_gaussian::<T>,
        golden::run::<T> => fn(_, _, _, fn(_, _)) -> _,
        Dual::<T>::new,
        Dual::<T>::constant,
    ];
}

pub fn scalar<T: Transcendental>() {
    link![
        Scalar::zero => fn() -> T,
        Scalar::one => fn() -> T,
        Scalar::from_integer => fn(_) -> T,
        Scalar::fma => fn(&T, &T, T) -> T,
        Scalar::divide_by => fn(T, _) -> T,
        Scalar::divide_all => fn(&mut [T], _),
        Scalar::widen => fn(&T) -> _,
        Scalar::fma_wide => fn(&T, &T, _) -> _,
        Scalar::is_finite => fn(&T) -> _,
        Scalar::exceeds => fn(&T, &T) -> _,
        Ordered::is_positive => fn(&T) -> _,
        Transcendental::exp => fn(&T) -> T,
        Transcendental::ln => fn(&T) -> T,
        Transcendental::tanh => fn(&T) -> T,
        Transcendental::sigmoid => fn(&T) -> T,
        Transcendental::softplus => fn(&T) -> T,
        Transcendental::silu => fn(&T) -> T,
        Transcendental::gelu => fn(&T) -> T,
        Transcendental::normal_distribution => fn(&T) -> T,
        Transcendental::normal_density => fn(&T) -> T,
        task::chain_monomial::<T>,
        network::weights::<T>,
        feature::ptk_of_layer::<T, false>,
        feature::ptk_of_layer::<T, true>,
        kernel::mirror::<T>,
        <T as Add>::add,
        <T as Sub>::sub,
        <T as Mul>::mul,
        <T as Div>::div,
        <T as Neg>::neg,
    ];
    matrix::<T>();
    link![
        SampleTree::<T>::new,
        SampleTree::<T>::length,
        SampleTree::<T>::samples,
        SampleTree::<T>::room,
        SampleTree::<T>::check_capacity,
        SampleTree::<T>::open_block,
        SampleTree::<T>::reset,
    ];
}

fn matrix<T: Scalar>() {
    link![
        MatRef::<T>::new,
        MatRef::<T>::column_vector,
        MatRef::<T>::rows,
        MatRef::<T>::columns,
        MatRef::<T>::shape,
        MatRef::<T>::t,
        MatRef::<T>::get,
        (|a, i| black_box_all(MatRef::row(&a, i))) => fn(MatRef<'_, T>, usize),
        (|a, j| black_box_all(MatRef::column(&a, j))) => fn(MatRef<'_, T>, usize),
        MatRef::<T>::row_slice,
        MatRef::<T>::row_range,
        MatRef::<T>::as_slice,
        MatRef::<T>::check_finite,
        (|a| black_box_all(MatRef::elements(&a))) => fn(MatRef<'_, T>),
        MatMut::<T>::new,
        MatMut::<T>::rows,
        MatMut::<T>::columns,
        MatMut::<T>::shape,
        MatMut::<T>::as_ref,
        MatMut::<T>::reborrow,
        (|a| black_box_all(MatMut::rows_mut(a))) => fn(&mut MatMut<'_, T>),
        MatMut::<T>::as_mut_slice,
    ];
}

pub fn dual<T: Float>() {
    link![Dual::<T>::new, Dual::<T>::constant];
}
