//! Operands between two pages without access.

use agop_core::matrix::MatRef;
use agop_core::scalar::Real;
use agop_tests::SplitMix64;
use std::marker::PhantomData;
use std::ptr;

/// The end of a mapping that an operand touches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edge {
    End,
    Beginning,
}

/// Both.
pub const EDGES: [Edge; 2] = [Edge::End, Edge::Beginning];

/// Memory between two pages without access.
pub struct Fenced<T> {
    mapping: *mut libc::c_void,
    page: usize,
    bytes: usize,
    values: PhantomData<T>,
}

impl<T: Real> Fenced<T> {
    /// Room for `most` values.
    pub fn new(most: usize) -> Self {
        // SAFETY: a name that POSIX knows.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap();
        let bytes = (most * size_of::<T>()).next_multiple_of(page);
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
        // SAFETY: a new mapping, wherever the system likes.
        let mapping = unsafe { libc::mmap(ptr::null_mut(), bytes + 2 * page, access, kind, -1, 0) };
        assert_ne!(mapping, libc::MAP_FAILED);
        for fence in [mapping, mapping.wrapping_byte_add(page + bytes)] {
            // SAFETY: one whole page of that mapping, to which nothing refers.
            assert_eq!(unsafe { libc::mprotect(fence, page, libc::PROT_NONE) }, 0);
        }
        Self { mapping, page, bytes, values: PhantomData }
    }

    /// A copy of `values` that touches a fence.
    pub fn hold(&mut self, values: &[T], edge: Edge) -> &mut [T] {
        let free = self.bytes.checked_sub(size_of_val(values)).unwrap();
        let before = if edge == Edge::End { free } else { 0 };
        let first = self.mapping.wrapping_byte_add(self.page + before).cast::<T>();
        // SAFETY: so many bytes between the fences, a page and whole values from its beginning, and exclusively ours.
        unsafe {
            ptr::copy_nonoverlapping(values.as_ptr(), first, values.len());
            std::slice::from_raw_parts_mut(first, values.len())
        }
    }
}

impl<T> Drop for Fenced<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`, which nothing outlives.
        unsafe { libc::munmap(self.mapping, self.bytes + 2 * self.page) };
    }
}

/// Values in -1 .. 1.
pub fn values<T: Real>(rng: &mut SplitMix64, length: usize) -> Vec<T> {
    (0..length).map(|_| T::from_f64(rng.symmetric())).collect()
}

/// How a matrix lies in memory: bit 0 for transposed, bit 1 for a window of the columns of a wider one.
#[derive(Clone, Copy, Debug)]
pub struct Layout(pub usize);

/// Columns beside a window, NaN all.
const BESIDE: usize = 3;

impl Layout {
    /// What lies in memory of the row-major matrix `m`.
    pub fn stored<T: Real>(self, m: &[T], rows: usize, columns: usize, edge: Edge) -> Vec<T> {
        let (outer, width) = if self.0 & 1 == 0 { (rows, columns) } else { (columns, rows) };
        let beside = if self.0 & 2 == 0 { 0 } else { BESIDE };
        let mut all = vec![T::from_f64(f64::NAN); outer * (width + beside)];
        for o in 0..outer {
            for w in 0..width {
                let column = if edge == Edge::End { beside + w } else { w };
                all[o * (width + beside) + column] =
                    if self.0 & 1 == 0 { m[o * columns + w] } else { m[w * columns + o] };
            }
        }
        all
    }

    /// The matrix again.
    pub fn view<T>(self, stored: &[T], rows: usize, columns: usize, edge: Edge) -> MatRef<'_, T> {
        let (outer, width) = if self.0 & 1 == 0 { (rows, columns) } else { (columns, rows) };
        let beside = if self.0 & 2 == 0 { 0 } else { BESIDE };
        let first = if edge == Edge::End { beside } else { 0 };
        let transposed = MatRef::new(stored, outer, width + beside).unwrap().t().row_range(first, width);
        if self.0 & 1 == 0 { transposed.t() } else { transposed }
    }
}
