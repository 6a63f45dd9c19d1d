//! `c = x^T x`: the kernel under neural feature matrices and PTK features, on every level.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may panic")]

use agop_benches::{Run, best_time, name};
use agop_core::digest::Hasher;
use agop_core::kernel::outer;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::random::{Purpose, Stream};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// (samples, size).
const SIZES: [(usize, usize); 4] = [(32, 8), (4096, 64), (4096, 256), (16384, 512)];

/// Above this many multiply-adds the level `scalar` is left out: with the software fma it would take minutes.
const SCALAR_MOST: usize = 50_000_000;

fn of_scalar<T: Real>(criterion: &mut Criterion, run: &mut Run) {
    for (samples, k) in SIZES {
        let size = format!("{samples}x{k}");
        let products = samples * k * (k + 1) / 2;
        let mut x = vec![T::zero(); samples * k];
        Stream::new(1, Purpose::TrainInputs, 0).fill_normal(&mut x);
        let x = MatRef::new(&x, samples, k).unwrap();
        let mut c = vec![T::zero(); k * k];
        for level in Level::available() {
            let name = name("outer", T::NAME, level, &size);
            if level == Level::scalar() && products > SCALAR_MOST {
                println!("{name}: left out ({products} multiply-adds on the scalar level)");
                continue;
            }
            let mut compute = || outer(level, MatMut::new(&mut c, k, k).unwrap(), x).unwrap();
            let time = best_time(&mut compute);
            let mut group = criterion.benchmark_group("outer_product");
            group.throughput(Throughput::Elements(products as u64));
            group.bench_function(&name, |bencher| bencher.iter(&mut compute));
            group.finish();
            let mut hasher = Hasher::new();
            hasher.array(&[k, k], &c);
            run.check("outer", T::NAME, level, &size, hasher.finish());
            run.print::<T>(&name, level, 2.0 * products as f64, time);
        }
    }
}

fn outer_product(criterion: &mut Criterion) {
    let mut run = Run::new();
    of_scalar::<f32>(criterion, &mut run);
    of_scalar::<f64>(criterion, &mut run);
}

criterion_group!(benches, outer_product);
criterion_main!(benches);
