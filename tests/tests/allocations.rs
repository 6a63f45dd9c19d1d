//! A training step, a feature sum and a measurement take no heap memory: every call to the allocator is counted.
//!
//! The core has no allocator and cannot; the networks of `agop`, whose memory is taken before the first step, need not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]
#![allow(unsafe_code, reason = "an allocator that counts")]

use agop::machine::Threads;
use agop::network::Model;
use agop_core::activation::{Activation, AnyActivation};
use agop_core::correlation::{GivenErrors, Powers, measure_layer, measure_workspace};
use agop_core::feature;
use agop_core::kernel::{outer, product};
use agop_core::loss::MeanSquared;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{Initializer, Network, Shape};
use agop_core::optimizer::{EPSILON, Optimizer, Rule};
use agop_core::random::{Purpose, Stream};
use agop_core::reduce::{SampleTree, buffers};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator; each thread counts what it asks for.
struct Counting;

fn count() {
    // A thread that is ending has no counter any more.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is passed on as it came; counting touches no heap memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, from: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(from, layout, size) }
    }
    unsafe fn dealloc(&self, from: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(from, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls to the allocator while f runs.
fn allocations(f: impl FnOnce()) -> usize {
    let before = CALLS.get();
    f();
    CALLS.get() - before
}

#[test]
fn an_allocation_is_counted() {
    assert_eq!(allocations(|| drop(black_box(Vec::<u8>::with_capacity(black_box(100))))), 1);
    let mut grown = vec![0_u8; 10];
    assert_eq!(allocations(|| grown.reserve_exact(black_box(1000))), 1);
    assert_eq!(allocations(|| drop(black_box(vec![0_u64; black_box(7)]))), 1);
    assert_eq!(allocations(|| ()), 0);
}

const N: usize = 300; // more than one block of samples

fn data<T: Real>(inputs: usize, outputs: usize) -> (Vec<T>, Vec<T>) {
    let (mut x, mut y) = (vec![T::zero(); N * inputs], vec![T::zero(); N * outputs]);
    Stream::new(1, Purpose::TrainInputs, 0).fill_normal(&mut x);
    Stream::new(1, Purpose::TrainLabels, 0).fill_normal(&mut y);
    (x, y)
}

/// Plain and with memory, by gradient descent and Speed Limited.
fn optimizers(speeds: &[f64]) -> [Optimizer<'_>; 3] {
    let limited = Rule::SpeedLimited { speeds, epsilon: EPSILON };
    [
        Optimizer::new(Rule::GradientDescent, 1e-3),
        Optimizer::new(limited, 1e-3),
        Optimizer { rule: limited, rate: 1e-3, momentum: 0.9, decay: 1e-4 },
    ]
}

/// Features of all layers and the correlations of the first, in memory that is there.
fn measure<T: Real, const MAPS: bool>(
    level: Level,
    network: Network<'_, T, impl Activation<T>, MAPS>,
    x: &[T],
) {
    let shape = network.shape();
    let inputs = MatRef::new(x, N, shape.inputs()).unwrap();
    let mut storage = vec![T::zero(); buffers(N as u64) * shape.ptk_values()];
    let mut workspace = vec![T::zero(); shape.jacobian_workspace(16)];
    let weights = network.weights(0).unwrap();
    let initial: Vec<T> = weights.elements().map(|w| *w * T::from_f64(0.5)).collect();
    let initial = MatRef::new(&initial, weights.rows(), weights.columns()).unwrap();
    let mut wide = vec![0.0; measure_workspace(weights.rows(), weights.columns())];
    let found = allocations(|| {
        let mut sum = SampleTree::new(&mut storage, shape.ptk_values(), 0).unwrap();
        network.accumulate_ptk(level, inputs, &mut sum, &mut workspace).unwrap();
        let features = feature::finish_ptk(level, shape, &mut sum).unwrap();
        let k = feature::ptk_of_layer(shape, features, 0).unwrap();
        let measured = measure_layer(
            level,
            weights,
            initial,
            k,
            k,
            GivenErrors::default(),
            Powers::OneAndRoot,
            &mut wide,
        )
        .unwrap();
        assert!(measured.centered.cosine.is_ok());
    });
    assert_eq!(found, 0, "features and correlations on {} in {}", level.name(), T::NAME);
}

fn run_time_sized<T: Real>() {
    let (x, y) = data::<T>(20, 3);
    for (level, activation) in
        Level::available().flat_map(|l| AnyActivation::ALL.iter().map(move |a| (l, *a)))
    {
        let widths = vec![20, 33, 17, 3];
        let shape = Shape::new(&[20, 33, 17, 3], true).unwrap();
        let mut parameters = vec![T::zero(); shape.parameters()];
        Initializer::Normal.fill(shape, 1, &mut parameters).unwrap();
        let mut model = Model::new(widths, true, activation, parameters).unwrap();
        let mut memory = model.gradient_memory(&Threads::one(), N).unwrap();
        let mut gradient = vec![T::zero(); shape.parameters()];
        for optimizer in optimizers(&[1.0, 0.1, 0.1]) {
            let mut state = vec![T::zero(); optimizer.state(shape.parameters())];
            let (x, y) = (MatRef::new(&x, N, 20).unwrap(), MatRef::new(&y, N, 3).unwrap());
            let found = allocations(|| {
                model.train_step(level, MeanSquared, &optimizer, (x, y), &mut memory, &mut state).unwrap();
            });
            let what = (level.name(), activation, T::NAME, optimizer.rule);
            assert_eq!(found, 0, "a training step of {what:?}");
            let found = allocations(|| {
                model.gradient(level, MeanSquared, x, y, &mut memory, &mut gradient).unwrap();
            });
            assert_eq!(found, 0, "a gradient of {what:?}");
        }
        measure(level, model.view().unwrap(), &x);
    }
}

#[test]
fn run_time_sized_networks_take_no_memory_in_a_step() {
    run_time_sized::<f32>();
    run_time_sized::<f64>();
}

mod sized {
    agop_core::network! {
        /// In single precision.
        pub struct Single([f32; 20 => 33 => 17 => 3], Relu, bias: true);
    }
    agop_core::network! {
        /// In double precision.
        pub struct Double([f64; 20 => 33 => 17 => 3], Relu, bias: true);
    }
}

macro_rules! const_sized {
    ($net:ident, $scalar:ty) => {{
        use sized::$net as Net;
        let (x, y) = data::<$scalar>(20, 3);
        for level in Level::available() {
            let mut network = Net::new();
            let mut gradient = [0.0; Net::gradient_storage(N as u64)];
            let mut workspace = [0.0; Net::gradient_workspace(16)];
            for optimizer in optimizers(&[1.0, 0.1, 0.1]) {
                let mut state = vec![0.0; optimizer.state(Net::PARAMETERS)];
                let found = allocations(|| {
                    Initializer::Normal.fill(Net::shape(), 1, &mut network.parameters).unwrap();
                    let (x, y) = (MatRef::new(&x, N, 20).unwrap(), MatRef::new(&y, N, 3).unwrap());
                    let mut sum = SampleTree::new(&mut gradient, Net::PARAMETERS + 1, 0).unwrap();
                    let view = network.network().unwrap();
                    view.accumulate_gradient(level, MeanSquared, x, y, &mut sum, &mut workspace).unwrap();
                    let (_, gradient) = view.finish_gradient(level, MeanSquared, &mut sum).unwrap();
                    optimizer
                        .step(level, Net::shape(), &mut network.parameters, gradient, &mut state)
                        .unwrap();
                });
                assert_eq!(found, 0, "a training step on {} by {:?}", level.name(), optimizer.rule);
            }
            measure::<$scalar, false>(level, network.network().unwrap(), &x);
        }
    }};
}

#[test]
fn const_sized_networks_take_no_memory_in_a_step() {
    const_sized!(Single, f32);
    const_sized!(Double, f64);
}

/// Of every way in which products are computed: few rows, few inner indices, in place, packed.
fn products<T: Real>() {
    let (x, _) = data::<T>(600, 1);
    for level in Level::available() {
        for (m, k, n) in [(1, 64, 64), (64, 1, 64), (7, 40, 9), (3, 300, 40), (420, 70, 410)] {
            let (left, right) =
                (MatRef::new(&x[..k * m], k, m).unwrap(), MatRef::new(&x[..k * n], k, n).unwrap());
            let transposed = MatRef::new(&x[..k * n], n, k).unwrap();
            let (mut c, mut square) = (vec![T::zero(); m * n], vec![T::zero(); n * n]);
            let found = allocations(|| {
                product(level, MatMut::new(&mut c, m, n).unwrap(), left.t(), right).unwrap();
                product(level, MatMut::new(&mut c, m, n).unwrap(), left.t(), transposed.t()).unwrap();
                outer(level, MatMut::new(&mut square, n, n).unwrap(), right).unwrap();
            });
            assert_eq!(found, 0, "{m} x {k} x {n} on {}", level.name());
        }
    }
}

#[test]
fn products_take_no_memory() {
    products::<f32>();
    products::<f64>();
}
