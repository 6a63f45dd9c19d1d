//! Products and outer products against the fma peak and against peers, all measured in turn in one process.
//!
//! `cargo bench -p agop-benches --bench products [-- FILTER]` prints one line a kernel: Gflop/s on the flops that are
//! really done, the ratio to the peak of the level, and the ratio of each peer's time to ours, the best peer's last. A
//! peer works on the same memory, which begins with a cache line, on one thread and on the best instructions it finds by
//! itself. Where one triangle is wanted, faer computes that, and the others, which have no such product, compute both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark may panic"
)]
#![allow(unsafe_code, reason = "two peers take raw pointers")]

use agop::memory::Aligned;
use agop_benches::{Run, fma_rounds, name, race};
use agop_core::digest::Hasher;
use agop_core::kernel::{outer, product};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::random::{Purpose, Stream};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::traits::ComplexField;
use nalgebra::{ClosedAddAssign, ClosedMulAssign, Dyn, MatrixView, MatrixViewMut};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, LinalgScalar, ShapeBuilder};

/// A factor in memory: values, shape, and row and column stride.
struct Factor<'a, T> {
    values: &'a [T],
    shape: (usize, usize),
    strides: (usize, usize),
}

impl<'a, T> Factor<'a, T> {
    fn new(values: &'a [T], (rows, columns): (usize, usize), transposed: bool) -> Self {
        assert_eq!(values.len(), rows * columns);
        Self { values, shape: (rows, columns), strides: if transposed { (1, rows) } else { (columns, 1) } }
    }

    fn signed_strides(&self) -> (isize, isize) {
        (self.strides.0 as isize, self.strides.1 as isize)
    }
}

/// What is to be computed: `a b`, or its upper triangle.
struct Problem<'a, T> {
    a: Factor<'a, T>,
    b: Factor<'a, T>,
    triangle: bool,
}

/// Writes a product to row-major `c`.
type Product<T> = fn(&Problem<T>, c: &mut [T]);

/// A scalar that all of them know.
trait Common: Real + ComplexField + LinalgScalar + ClosedAddAssign + ClosedMulAssign {}
impl<T: Real + ComplexField + LinalgScalar + ClosedAddAssign + ClosedMulAssign> Common for T {}

/// The peers: name and product.
fn peers<T: Common>(matrixmultiply: Product<T>) -> [(&'static str, Product<T>); 5] {
    [
        ("matrixmultiply", matrixmultiply),
        ("gemm", by_gemm),
        ("faer", by_faer),
        ("nalgebra", by_nalgebra),
        ("ndarray", by_ndarray),
    ]
}

/// One function a scalar, and no generic one.
macro_rules! by_matrixmultiply {
    ($function:path) => {
        |Problem { a, b, .. }, c| {
            let ((m, k), (_, n)) = (a.shape, b.shape);
            let ((ar, ac), (br, bc)) = (a.signed_strides(), b.signed_strides());
            assert_eq!(c.len(), m * n);
            let (a, b, c) = (a.values.as_ptr(), b.values.as_ptr(), c.as_mut_ptr());
            // SAFETY: the strides address m x k, k x n and m x n values, as the slices hold.
            unsafe { $function(m, k, n, 1.0, a, ar, ac, b, br, bc, 0.0, c, n as isize, 1) };
        }
    };
}

fn by_gemm<T: Common>(Problem { a, b, .. }: &Problem<T>, c: &mut [T]) {
    let ((m, k), (_, n)) = (a.shape, b.shape);
    let ((ar, ac), (br, bc)) = (a.signed_strides(), b.signed_strides());
    assert_eq!(c.len(), m * n);
    let (a, b, c, row) = (a.values.as_ptr(), b.values.as_ptr(), c.as_mut_ptr(), n as isize);
    let (zero, one, serial) = (T::from_f64(0.0), T::from_f64(1.0), gemm::Parallelism::None);
    // SAFETY: as above.
    unsafe {
        gemm::gemm(m, n, k, c, 1, row, false, a, ac, ar, b, bc, br, zero, one, false, false, false, serial);
    }
}

fn by_faer<'a, T: Common>(Problem { a, b, triangle }: &Problem<'a, T>, c: &mut [T]) {
    let view = |Factor { values, shape: (rows, columns), strides }: &Factor<'a, T>| {
        if strides.1 == 1 {
            faer::MatRef::from_row_major_slice(values, *rows, *columns)
        } else {
            faer::MatRef::from_column_major_slice(values, *rows, *columns)
        }
    };
    let (full, replace) = (BlockStructure::Rectangular, faer::Accum::Replace);
    let wanted = if *triangle { BlockStructure::TriangularUpper } else { full };
    let c = faer::MatMut::from_row_major_slice_mut(c, a.shape.0, b.shape.1);
    matmul(c, wanted, replace, view(a), full, view(b), full, T::from_f64(1.0), faer::Par::Seq);
}

fn by_nalgebra<'a, T: Common>(Problem { a, b, .. }: &Problem<'a, T>, c: &mut [T]) {
    let view = |Factor { values, shape, strides }: &Factor<'a, T>| {
        let (rows, columns, down, right) = (Dyn(shape.0), Dyn(shape.1), Dyn(strides.0), Dyn(strides.1));
        MatrixView::from_slice_with_strides_generic(values, rows, columns, down, right)
    };
    let (rows, columns) = (Dyn(a.shape.0), Dyn(b.shape.1));
    let mut c = MatrixViewMut::from_slice_with_strides_generic(c, rows, columns, columns, Dyn(1));
    c.gemm(T::from_f64(1.0), &view(a), &view(b), T::from_f64(0.0));
}

fn by_ndarray<'a, T: Common>(Problem { a, b, .. }: &Problem<'a, T>, c: &mut [T]) {
    let view = |Factor { values, shape, strides }: &Factor<'a, T>| {
        ArrayView2::from_shape(shape.strides(*strides), values).unwrap()
    };
    let mut c = ArrayViewMut2::from_shape((a.shape.0, b.shape.1), c).unwrap();
    general_mat_mul(T::from_f64(1.0), &view(a), &view(b), T::from_f64(0.0), &mut c);
}

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

fn of_scalar<T: Real>(run: &mut Run, filter: &str, peers: &[(&str, Product<T>)]) {
    for Case { operation, shape: [m, k, n], transposed, triangle } in cases() {
        let size = format!("{m}x{k}x{n}");
        if !format!("{operation}-{}-{size}", T::NAME).contains(filter) {
            continue;
        }
        let memory = |count| Aligned::filled("operand", count, T::zero()).unwrap();
        let (mut x, mut y) = (memory(m * k), memory(k * n));
        Stream::new(1, Purpose::TrainInputs, 0).fill_normal(x.as_mut_slice());
        Stream::new(1, Purpose::TrainLabels, 0).fill_normal(y.as_mut_slice());
        if triangle {
            y.as_mut_slice().clone_from_slice(x.as_slice());
        }
        let (x, y) = (x.as_slice(), y.as_slice());
        let view = |data, rows, columns, transposed| {
            if transposed {
                MatRef::new(data, columns, rows).unwrap().t()
            } else {
                MatRef::new(data, rows, columns).unwrap()
            }
        };
        let (a, b) = (view(x, m, k, transposed.0), view(y, k, n, transposed.1));
        let problem = Problem {
            a: Factor::new(x, (m, k), transposed.0),
            b: Factor::new(y, (k, n), transposed.1),
            triangle,
        };
        let outputs = if triangle { n * (n + 1) / 2 } else { m * n };
        let flops = 2.0 * (outputs * k) as f64;
        for level in Level::available().filter(|level| *level != Level::scalar()) {
            let mut c = memory(m * n);
            let mut others = vec![c.clone(); peers.len()];
            let c = c.as_mut_slice();
            let mut ours = || {
                let c = MatMut::new(c, m, n).unwrap();
                if triangle { outer(level, c, b).unwrap() } else { product(level, c, a, b).unwrap() }
            };
            let mut operations = 0;
            let mut registers = || operations = fma_rounds::<T>(level);
            let mut theirs: Vec<_> = peers
                .iter()
                .zip(&mut others)
                .map(|((_, peer), other)| {
                    let problem = &problem;
                    move || peer(problem, other.as_mut_slice())
                })
                .collect();
            let mut candidates: Vec<&mut dyn FnMut()> = vec![&mut registers, &mut ours];
            candidates.extend(theirs.iter_mut().map(|call| call as &mut dyn FnMut()));
            let times = race(&mut candidates);
            let mut hasher = Hasher::new();
            hasher.array(&[m, n], c);
            run.check(operation, T::NAME, level, &size, hasher.finish());
            let (peak, rate) = (operations as f64 / times[0], flops / times[1]);
            let mut line = format!(
                "{}: {:.2} Gflop/s, {:.3} of peak;",
                name(operation, T::NAME, level, &size),
                rate / 1e9,
                rate / peak
            );
            let mut best = ("no peer", f64::INFINITY);
            for (((peer, _), other), time) in peers.iter().zip(&others).zip(&times[2..]) {
                let near = c.iter().zip(other.as_slice()).enumerate().all(|(place, (x, y))| {
                    let (x, y) = (x.to_f64(), y.to_f64());
                    (triangle && place / n > place % n) || (x - y).abs() <= 1e-2 * (1.0 + x.abs())
                });
                assert!(near, "{peer} computed something else: {size}");
                let ratio = time / times[1];
                line += &format!(" {ratio:.2}x {peer},");
                best = if ratio < best.1 { (peer, ratio) } else { best };
            }
            println!("{line} best {:.2}x {}", best.1, best.0);
        }
    }
}

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let mut run = Run::new();
    of_scalar(&mut run, &filter, &peers::<f32>(by_matrixmultiply!(matrixmultiply::sgemm)));
    of_scalar(&mut run, &filter, &peers::<f64>(by_matrixmultiply!(matrixmultiply::dgemm)));
}
