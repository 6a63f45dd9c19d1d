//! Shapes that do not agree, and matrices without rows or columns.

use super::levels;
use agop_core::error::Error;
use agop_core::kernel::{self, Backend, Definition, Init, Triangle};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::simd::Level;

/// A backend that is called with shapes that do not agree answers alike on every level.
#[test]
fn disagreeing_shapes_are_alike_on_every_level() {
    let values = |n: usize| (0..n).map(|i| i as f32 - 2.5).collect::<Vec<_>>();
    let (long, short) = (values(40 * 41), values(39));
    let matrix = |rows, columns| MatRef::new(&long[..rows * columns], rows, columns).unwrap();
    let run = |level: Option<Level>| {
        for (a, b) in [((3, 5), (4, 40)), ((3, 5), (5, 39)), ((4, 5), (5, 40)), ((0, 5), (5, 40))] {
            for triangle in [Triangle::Full, Triangle::Upper] {
                let mut c = values(3 * 40);
                let (out, x, y) = (MatMut::new(&mut c, 3, 40).unwrap(), matrix(a.0, a.1), matrix(b.0, b.1));
                match level {
                    Some(level) => level.accumulate(out, x, y, triangle, Init::Zero),
                    None => Definition.accumulate(out, x, y, triangle, Init::Zero),
                }
                assert_eq!(c, values(3 * 40), "{a:?} {b:?} on {level:?}");
            }
        }
        // Nor does a row of another length.
        for length in [0, 4, 6] {
            let mut c = values(3 * 5);
            let (out, x, y) = (MatMut::new(&mut c, 3, 5).unwrap(), matrix(3, 2), matrix(2, 5));
            let init = Init::Row(&long[..length]);
            match level {
                Some(level) => level.accumulate(out, x, y, Triangle::Full, init),
                None => Definition.accumulate(out, x, y, Triangle::Full, init),
            }
            assert_eq!(c, values(3 * 5), "a row of {length} on {level:?}");
        }
    };
    run(None);
    for level in levels() {
        run(Some(level));
        for (a, b) in [((3, 5), (5, 3)), ((3, 37), (3, 36)), ((4, 9), (3, 9)), ((1, 0), (0, 1))] {
            let (a, b) = (matrix(a.0, a.1), matrix(b.0, b.1));
            assert_eq!(Backend::<f32>::dot(Definition, a, b).to_bits(), 0);
            assert_eq!(Backend::<f32>::dot(level, a, b).to_bits(), 0, "{}", level.name());
        }
        let (mut expected, mut found) = (values(45), values(45));
        Definition.axpy(0.1, &short, &mut expected);
        level.axpy(0.1, &short, &mut found);
        assert_eq!(found, expected);
        assert_ne!(found, values(45));
    }
}

/// Matrices without rows hold no memory, however many columns they have.
#[test]
fn columns_without_rows_are_not_visited() {
    let empty = MatRef::<f32>::new(&[], 0, usize::MAX).unwrap();
    for level in levels() {
        assert_eq!(kernel::dot(level, empty, empty).unwrap().to_bits(), 0, "{}", level.name());
        for init in [Init::Zero, Init::Accumulate, Init::Row(&[])] {
            let c = || MatMut::new(&mut [], 0, usize::MAX).unwrap();
            let none = MatRef::<f32>::new(&[], 0, 0).unwrap();
            level.accumulate(c(), none, empty, Triangle::Full, init);
            level.accumulate(c(), none, empty, Triangle::Upper, init);
        }
    }
}

/// Nor do matrices without columns, however many rows they have.
#[test]
fn rows_without_columns_are_not_visited() {
    for (rows, columns) in [(0, usize::MAX), (usize::MAX, 0)] {
        let empty = MatRef::<f32>::new(&[], rows, columns).unwrap();
        for empty in [empty, empty.t()] {
            // Optimised builds leave out a loop over rows without effect; what is left of it is that the end is not known.
            assert_eq!(empty.elements().size_hint(), (0, Some(0)));
            assert_eq!(empty.elements().next(), None);
        }
    }
    let full = MatRef::new(&[1, 2, 3, 4, 5, 6], 2, 3).unwrap();
    assert!(full.elements().eq(&[1, 2, 3, 4, 5, 6]) && full.t().elements().eq(&[1, 4, 2, 5, 3, 6]));
}

#[test]
fn shape_errors_carry_the_numbers_and_leave_the_output_alone() {
    let values: Vec<f64> = (0..200).map(|i| f64::from(i) + 0.5).collect();
    let of = |rows: usize, columns: usize| MatRef::new(&values[..rows * columns], rows, columns).unwrap();
    for level in levels() {
        let run = |rows: usize, columns: usize, f: &dyn Fn(MatMut<'_, f64>) -> Result<(), Error>| {
            let mut c = values[..rows * columns].to_vec();
            let result = f(MatMut::new(&mut c, rows, columns).unwrap());
            assert_eq!(c, values[..rows * columns], "the output changed");
            result
        };
        let shape = |what, expected, found| Err(Error::Shape { what, expected, found });
        let inner = shape("right factor", (4, 6), (5, 6));
        let outer = shape("product", (3, 6), (6, 3));
        assert_eq!(run(3, 6, &|c| kernel::accumulate(level, c, of(3, 4), of(5, 6))), inner);
        assert_eq!(run(3, 6, &|c| kernel::product(level, c, of(3, 4), of(6, 5).t())), inner);
        assert_eq!(run(6, 3, &|c| kernel::accumulate(level, c, of(3, 4), of(4, 6))), outer);
        assert_eq!(run(6, 3, &|c| kernel::product(level, c, of(4, 3).t(), of(4, 6))), outer);
        let square = shape("outer product", (7, 7), (7, 8));
        assert_eq!(run(7, 8, &|c| kernel::outer(level, c, of(3, 7))), square);
        assert_eq!(run(7, 8, &|c| kernel::accumulate_outer(level, c, of(3, 7))), square);
        let square = shape("symmetric product", (3, 3), (3, 4));
        assert_eq!(run(3, 4, &|c| kernel::symmetric_product(level, c, of(3, 5), of(5, 3))), square);
        let square = shape("right factor", (5, 3), (5, 4));
        assert_eq!(run(3, 3, &|c| kernel::symmetric_product(level, c, of(3, 5), of(5, 4))), square);
        assert_eq!(run(2, 3, &kernel::mirror), shape("symmetric matrix", (2, 2), (2, 3)));
        let found = kernel::dot(level, of(2, 3), of(3, 2));
        let what = "second factor of an inner product";
        assert_eq!(found, Err(Error::Shape { what, expected: (2, 3), found: (3, 2) }));
        let mut y = values[..5].to_vec();
        let length = Err(Error::Length { what: "axpy", expected: 5, found: 4 });
        assert_eq!(kernel::axpy(level, 2.0, &values[..4], &mut y), length);
        assert_eq!(y, values[..5]);
    }
    let error = MatRef::new(&values[..5], 2, 3).unwrap_err();
    assert_eq!(error, Error::Length { what: "matrix", expected: 6, found: 5 });
    assert_eq!(
        MatRef::new(&values[..1], usize::MAX, 2).unwrap_err().to_string(),
        format!("matrix: expected {} values, found 1", usize::MAX)
    );
    assert_eq!(
        MatMut::new(&mut [0.0; 7], 2, 3).unwrap_err(),
        Error::Length { what: "matrix", expected: 6, found: 7 }
    );
}
