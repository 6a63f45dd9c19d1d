//! Products and outer products against the fma peak and against peers, all measured in turn in one process.
//!
//! `cargo bench -p agop-benches --bench products [-- FILTER]` prints one line a kernel: Gflop/s on the flops that are
//! really done, the ratio to the peak of the level, and the ratio of the best peer's time to ours. A peer does the
//! general product of the same shape, on the best instructions it finds by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may panic")]
#![allow(unsafe_code, reason = "the peers take raw pointers")]

use agop_benches::{Run, fma_rounds, name, race};
use agop_core::digest::Hasher;
use agop_core::kernel::{outer, product};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::random::{Purpose, Stream};
use agop_core::scalar::Real;
use agop_core::simd::Level;

/// Row and column stride of a factor.
type Strides = (isize, isize);

/// General products `c = a b` of the peers.
trait Peer: Real {
    fn matrixmultiply(shape: [usize; 3], a: (&[Self], Strides), b: (&[Self], Strides), c: &mut [Self]);
    fn gemm(shape: [usize; 3], a: (&[Self], Strides), b: (&[Self], Strides), c: &mut [Self]);
}

macro_rules! peer {
    ($scalar:ty, $function:ident) => {
        impl Peer for $scalar {
            fn matrixmultiply(
                [m, k, n]: [usize; 3],
                (a, (ar, ac)): (&[Self], Strides),
                (b, (br, bc)): (&[Self], Strides),
                c: &mut [Self],
            ) {
                let (a, b, c, row) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), n as isize);
                // SAFETY: the strides address m x k, k x n and m x n values, as the slices hold.
                unsafe { matrixmultiply::$function(m, k, n, 1.0, a, ar, ac, b, br, bc, 0.0, c, row, 1) };
            }

            fn gemm(
                [m, k, n]: [usize; 3],
                (a, (ar, ac)): (&[Self], Strides),
                (b, (br, bc)): (&[Self], Strides),
                c: &mut [Self],
            ) {
                let (a, b, c, row) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), n as isize);
                let serial = gemm::Parallelism::None;
                // SAFETY: as above.
                unsafe {
                    gemm::gemm(
                        m, n, k, c, 1, row, false, a, ac, ar, b, bc, br, 0.0, 1.0, false, false, false,
                        serial,
                    );
                }
            }
        }
    };
}

peer!(f32, sgemm);
peer!(f64, dgemm);

/// One shape: which factor is stored transposed, and whether only one triangle is wanted.
struct Case {
    operation: &'static str,
    shape: [usize; 3],
    transposed: (bool, bool),
    triangle: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (samples, k) in [(65536, 256), (65536, 64), (16384, 512), (256, 256), (256, 512), (256, 64), (32, 8)]
    {
        cases.push(Case {
            operation: "outer",
            shape: [k, samples, k],
            transposed: (true, false),
            triangle: true,
        });
    }
    for (m, k) in [
        (8, 8),
        (16, 16),
        (32, 32),
        (64, 64),
        (128, 128),
        (256, 256),
        (512, 512),
        (1024, 1024),
        (1, 64),
        (8, 32),
    ] {
        let shape = [m, k, k];
        cases.push(Case { operation: "xwt", shape, transposed: (false, true), triangle: false });
        cases.push(Case { operation: "dw", shape, transposed: (false, false), triangle: false });
        let shape = [k, m, k];
        cases.push(Case { operation: "dtx", shape, transposed: (true, false), triangle: false });
    }
    cases
}

fn of_scalar<T: Peer>(run: &mut Run, filter: &str) {
    for Case { operation, shape: [m, k, n], transposed, triangle } in cases() {
        let size = format!("{m}x{k}x{n}");
        if !format!("{operation}-{}-{size}", T::NAME).contains(filter) {
            continue;
        }
        let (mut x, mut y) = (vec![T::zero(); m * k], vec![T::zero(); k * n]);
        Stream::new(1, Purpose::TrainInputs, 0).fill_normal(&mut x);
        Stream::new(1, Purpose::TrainLabels, 0).fill_normal(&mut y);
        if triangle {
            y.clone_from(&x);
        }
        let view = |data, rows, columns, transposed| {
            if transposed {
                MatRef::new(data, columns, rows).unwrap().t()
            } else {
                MatRef::new(data, rows, columns).unwrap()
            }
        };
        let (a, b) = (view(&x, m, k, transposed.0), view(&y, k, n, transposed.1));
        let strides = |rows: usize, columns: usize, transposed| {
            if transposed { (1, rows as isize) } else { (columns as isize, 1) }
        };
        let (sa, sb) = (strides(m, k, transposed.0), strides(k, n, transposed.1));
        let outputs = if triangle { n * (n + 1) / 2 } else { m * n };
        let flops = 2.0 * (outputs * k) as f64;
        for level in Level::available().filter(|level| *level != Level::scalar()) {
            let (mut c, mut c1, mut c2) =
                (vec![T::zero(); m * n], vec![T::zero(); m * n], vec![T::zero(); m * n]);
            let mut ours = || {
                let c = MatMut::new(&mut c, m, n).unwrap();
                if triangle { outer(level, c, b).unwrap() } else { product(level, c, a, b).unwrap() }
            };
            let mut operations = 0;
            let mut registers = || operations = fma_rounds::<T>(level);
            let times = race(&mut [
                &mut registers,
                &mut ours,
                &mut || T::matrixmultiply([m, k, n], (&x, sa), (&y, sb), &mut c1),
                &mut || T::gemm([m, k, n], (&x, sa), (&y, sb), &mut c2),
            ]);
            let mut hasher = Hasher::new();
            hasher.array(&[m, n], &c);
            run.check(operation, T::NAME, level, &size, hasher.finish());
            for (other, peer) in [(&c1, "matrixmultiply"), (&c2, "gemm")] {
                let far = c.iter().zip(other).any(|(x, y)| {
                    let (x, y) = (x.to_f64(), y.to_f64());
                    (x - y).abs() > 1e-2 * (1.0 + x.abs())
                });
                assert!(!far, "{peer} computed something else: {size}");
            }
            let peak = operations as f64 / times[0];
            let rate = flops / times[1];
            let (matrixmultiply, gemm) = (times[2] / times[1], times[3] / times[1]);
            println!(
                "{}: {:.2} Gflop/s, {:.3} of peak; {matrixmultiply:.2}x matrixmultiply, {gemm:.2}x gemm",
                name(operation, T::NAME, level, &size),
                rate / 1e9,
                rate / peak,
            );
        }
    }
}

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let mut run = Run::new();
    of_scalar::<f32>(&mut run, &filter);
    of_scalar::<f64>(&mut run, &filter);
}
