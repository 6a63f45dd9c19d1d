//! Calls of matrices, kernels, sums and shapes.

use super::{MOST, Source};
use agop_core::correlation::{self, Route};
use agop_core::early_time::{self, quadratic, wide};
use agop_core::eigen::eigen_workspace;
use agop_core::kernel::{self, Backend, Definition, Init, Triangle};
use agop_core::matrix::MatRef;
use agop_core::network::{self, Shape};
use agop_core::reduce::{self, SampleTree};
use agop_core::scalar::Real;
use std::hint::black_box;

pub(super) fn views<T: Real>(s: &mut Source) {
    let [rows, columns, i, j] = s.sizes();
    let values = s.values::<T>(rows.saturating_mul(columns));
    let _ = black_box(MatRef::new(&values, rows, columns));
    let a = s.matrix::<T>(rows, columns);
    let a = a.view().row_range(s.near(i), s.near(j));
    let _ = black_box((a.get(i, j), a.row(i).count(), a.column(j).count(), a.row_slice(i), a.as_slice()));
    let _ = black_box((a.t().row_range(j, i).elements().take(MOST).count(), a.check_finite("a")));
    let mut b = s.matrix::<T>(rows, columns);
    let _ = black_box((b.edit().rows_mut().take(MOST).count(), kernel::mirror(b.edit())));
}

pub(super) fn products<T: Real>(s: &mut Source) {
    let ([m, k, n, _], level) = (s.sizes(), s.level());
    let (a, b, mut c) = (s.matrix::<T>(m, k), s.matrix::<T>(k, n), s.matrix::<T>(m, n));
    let (mut d, other, row) = (s.matrix::<T>(k, k), s.matrix::<T>(m, k), s.values::<T>(n));
    let _ = kernel::accumulate(level, c.edit(), a.view(), b.view());
    let _ = kernel::product(level, c.edit(), a.view(), b.view());
    let _ = kernel::affine(level, c.edit(), a.view(), b.view(), &row);
    let _ = kernel::symmetric_product(level, d.edit(), a.view().t(), other.view());
    let _ = kernel::accumulate_outer(level, d.edit(), a.view());
    let _ = kernel::outer(level, d.edit(), a.view());
    let _ = black_box(kernel::dot(level, a.view(), other.view()));
    let mut y = s.values::<T>(row.len());
    let _ = kernel::axpy(level, T::from_f64(2.0), &row, &mut y);
    // A backend checks shapes again.
    let triangle = s.of(&[Triangle::Full, Triangle::Upper]);
    let init = s.of(&[Init::Zero, Init::Accumulate, Init::Row(&row)]);
    level.accumulate(c.edit(), a.view(), b.view(), triangle, init);
    let _ = black_box(level.dot(a.view(), b.view()));
    level.axpy(T::one(), &row, &mut y);
}

pub(super) fn sums<T: Real>(s: &mut Source) {
    let [length, ..] = s.sizes();
    let _ = black_box([reduce::blocks(s.0.bits()), reduce::partial_buffers(s.0.bits()) as u64]);
    let _ = black_box(reduce::buffers(s.size() as u64));
    let start = s.of(&[0, 1, 2, 255, u64::MAX - 2, u64::MAX - 1, u64::MAX]);
    let (mut first, mut second) = (s.values::<T>(length.saturating_mul(3)), s.values::<T>(length));
    let (Ok(mut a), Ok(mut b)) =
        (SampleTree::new(&mut first, length, start), SampleTree::new(&mut second, length, start))
    else {
        return;
    };
    for _ in 0..s.0.below(8) {
        let samples = s.of(&[0, 1, 100, 255, 256, 257, usize::MAX]);
        let _ = black_box(a.check_capacity(samples));
        a.open_block().iter_mut().for_each(|x| *x = *x + T::one());
        let _ = a.advance(Definition, samples);
        if s.one_in(2) {
            let _ = b.advance(Definition, s.of(&[0, 1, 256]));
            let _ = (b.merge(Definition, &a), a.merge(Definition, &b));
        }
    }
    let _ = black_box((
        a.samples(),
        a.room(),
        b.samples(),
        a.finish(Definition)[..].len(),
        b.finish(Definition).len(),
    ));
}

pub(super) fn shapes(s: &mut Source) {
    let (widths, [a, b, c, _]) = (s.widths(), s.sizes());
    let hostile = s.sizes();
    for widths in [&widths[..], &hostile[..], &hostile[..2]] {
        let _ = black_box([network::parameters(widths, true), network::ptk_values(widths)]);
        let _ = black_box([network::gradient_workspace(widths, a), network::jacobian_workspace(widths, b)]);
        if let Ok(shape) = Shape::new(widths, true) {
            let _ = black_box(early_time::differentiate_workspace(shape, a, b));
            let _ = black_box((shape.layer(c), shape.ptk_span(c), shape.spans().count(), shape.ptk_values()));
        }
    }
    for route in [Route::Gram, Route::Direct, Route::cheaper(a, b)] {
        let _ = black_box([route.workspace(a, b), correlation::correlate_workspace(a, b, route)]);
    }
    let _ = black_box([correlation::measure_workspace(a, b), early_time::limit_workspace(a, b)]);
    let _ = black_box([early_time::rate_workspace(a, b), early_time::limit_by_samples_workspace(a, b, c)]);
    let _ =
        black_box([quadratic::statistics_workspace(a), quadratic::trial_workspace(a), eigen_workspace(a)]);
    let _ = black_box([wide::wide_workspace(a, b, c, s.size())]);
}
