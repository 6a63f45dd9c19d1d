//! Traces of words in the two symmetric matrices of the data.

use crate::error::{Error, check_workspace};
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, take};
use crate::scalar::Scalar;

/// One of the two matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    /// `P = S^2`, `S = X^T diag(y) X`.
    P,
    /// `B = X^T X`.
    B,
}

/// The traces of all words that occur; the quadratic prediction needs nothing else of the data.
///
/// A trace does not change when its word is rotated. It does not change when the word is reversed either, because both
/// matrices are symmetric. Up to these there are nine words.
#[derive(Clone, Debug, PartialEq)]
pub struct WordTraces<T> {
    /// `tr P`.
    pub p: T,
    /// `tr B`.
    pub b: T,
    /// `tr P^2`.
    pub pp: T,
    /// `tr P B`.
    pub pb: T,
    /// `tr B^2`.
    pub bb: T,
    /// `tr P^2 B`.
    pub ppb: T,
    /// `tr P B^2`.
    pub pbb: T,
    /// `tr P B P B`.
    pub pbpb: T,
    /// `tr P^2 B^2`.
    pub ppbb: T,
}

impl<T: Scalar<Wide = T>> WordTraces<T> {
    /// The nine traces with one product of d x d matrices, `P B`.
    ///
    /// **Shapes** squared P and gram B (d x d), symmetric; workspace at least d^2.
    /// **Arithmetic** inner products in the order of [`Backend::dot`]:
    /// `tr P^2 B = <P, (PB)^T>`, `tr P B^2 = <PB, B>`, `tr PBPB = <PB, (PB)^T>`, `tr P^2 B^2 = <PB, PB>`.
    /// **Errors** [`Error::Shape`], [`Error::Workspace`].
    pub fn new<B: Backend<T>>(
        backend: B,
        squared: MatRef<'_, T>,
        gram: MatRef<'_, T>,
        workspace: &mut [T],
    ) -> Result<Self, Error> {
        let d = gram.rows();
        gram.check_shape("B", (d, d))?;
        squared.check_shape("P", (d, d))?;
        check_workspace("workspace", d.saturating_mul(d), workspace.len())?;
        let (product, _) = take(workspace, d * d);
        kernel::product(backend, MatMut::new(product, d, d)?, squared, gram)?;
        let mixed = MatRef::new(product, d, d)?;
        let trace = |m: MatRef<'_, T>| {
            (0..d).fold(T::zero(), |sum, i| sum + m.get(i, i).cloned().unwrap_or_else(T::zero))
        };
        Ok(Self {
            p: trace(squared),
            b: trace(gram),
            pp: backend.dot(squared, squared),
            pb: backend.dot(squared, gram),
            bb: backend.dot(gram, gram),
            ppb: backend.dot(squared, mixed.t()),
            pbb: backend.dot(mixed, gram),
            pbpb: backend.dot(mixed, mixed.t()),
            ppbb: backend.dot(mixed, mixed),
        })
    }

    /// The trace of a cyclic word with at most two of each letter; `None` for any other.
    pub(super) fn of(&self, word: &[Letter]) -> Option<&T> {
        let squares = word.iter().filter(|letter| **letter == Letter::P).count();
        let alternates = || word.iter().zip(word.iter().skip(1)).all(|(a, b)| a != b);
        Some(match (squares, word.len() - squares) {
            (1, 0) => &self.p,
            (0, 1) => &self.b,
            (2, 0) => &self.pp,
            (1, 1) => &self.pb,
            (0, 2) => &self.bb,
            (2, 1) => &self.ppb,
            (1, 2) => &self.pbb,
            (2, 2) if alternates() => &self.pbpb,
            (2, 2) => &self.ppbb,
            _ => return None,
        })
    }
}
