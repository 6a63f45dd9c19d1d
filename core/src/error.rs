//! Typed errors: each names what was expected and what was found.

use core::fmt;

/// Why a function of the core refused its input.
///
/// On error the caller's state is unchanged. Workspaces may have been overwritten, and so may an argument that serves as one
/// (the gradient in [`crate::optimizer::Optimizer::step`]).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A matrix has the wrong shape (rows, columns).
    Shape {
        /// Which matrix.
        what: &'static str,
        /// Rows and columns that were needed.
        expected: (usize, usize),
        /// Rows and columns that were given.
        found: (usize, usize),
    },
    /// A slice has the wrong length.
    Length {
        /// Which slice.
        what: &'static str,
        /// The length that was needed.
        expected: usize,
        /// The length that was given.
        found: usize,
    },
    /// A workspace or accumulator is too short.
    Workspace {
        /// Which buffer.
        what: &'static str,
        /// The smallest sufficient length.
        needed: usize,
        /// The length that was given.
        found: usize,
    },
    /// A value is infinite or NaN.
    NotFinite {
        /// Which matrix or slice.
        what: &'static str,
        /// Row of the value (0 in a slice).
        row: usize,
        /// Column of the value, or its index in a slice.
        column: usize,
    },
    /// The widths do not describe a network.
    Architecture {
        /// What is wrong with it.
        reason: &'static str,
        /// Index of the offending width, or the number of widths.
        at: usize,
    },
    /// A layer that the network does not have.
    Layer {
        /// Index that was asked for.
        index: usize,
        /// Layers (or hidden layers) there are.
        layers: usize,
    },
    /// A matrix that must be symmetric is not.
    NotSymmetric {
        /// Which matrix.
        what: &'static str,
        /// Row of the first entry that differs from its mirror image.
        row: usize,
        /// Column of that entry.
        column: usize,
    },
    /// A matrix must have contiguous rows, and this one is a transposed view.
    Strided {
        /// Which matrix.
        what: &'static str,
        /// Column stride of the matrix; 1 is needed.
        stride: usize,
    },
    /// A parameter of a rule, a task or an initialiser outside its range.
    Parameter {
        /// Which parameter.
        what: &'static str,
        /// The range it must lie in.
        expected: &'static str,
        /// The value that was given.
        found: f64,
    },
    /// The angles between the rows are needed, and this row is zero, or so small relative to the largest row that its square
    /// underflows.
    NoAngle {
        /// Which matrix.
        what: &'static str,
        /// The row.
        row: usize,
    },
    /// An empty set of samples.
    NoSamples,
    /// Two partial sums are not adjacent: the later one must start at the block where the earlier one ends.
    NotAdjacent {
        /// Block index at which the earlier partial sum ends.
        end: u64,
        /// Block index at which the later one starts.
        start: u64,
    },
    /// A later partial sum cannot be appended to one that ends inside a block.
    InsideBlock {
        /// Samples in the unfinished block.
        samples: usize,
    },
    /// An iteration did not converge.
    NoConvergence {
        /// Which iteration.
        what: &'static str,
        /// Number of steps taken.
        steps: usize,
    },
    /// The floating-point environment is not the one the contract needs.
    Environment(Fault),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { what, expected, found } => {
                write!(f, "{what}: expected {} x {}, found {} x {}", expected.0, expected.1, found.0, found.1)
            }
            Self::Length { what, expected, found } => {
                write!(f, "{what}: expected {expected} values, found {found}")
            }
            Self::Workspace { what, needed, found } => {
                write!(f, "{what}: needs at least {needed} values, found {found}")
            }
            Self::NotFinite { what, row, column } => {
                write!(f, "{what}: the value at row {row}, column {column} is not finite")
            }
            Self::Architecture { reason, at } => write!(f, "network shape: {reason} (at {at})"),
            Self::Layer { index, layers } => {
                write!(f, "layer {index}: expected an index below {layers}, the number of such layers")
            }
            Self::NotSymmetric { what, row, column } => {
                write!(f, "{what}: the value at row {row}, column {column} differs from its mirror image")
            }
            Self::Strided { what, stride } => {
                write!(f, "{what}: expected rows in one piece, found their values {stride} places apart")
            }
            Self::Parameter { what, expected, found } => {
                write!(f, "{what}: expected {expected}, found {found}")
            }
            Self::NoAngle { what, row } => {
                write!(
                    f,
                    "{what}: row {row} is zero, or so small beside the largest row that its square is zero"
                )
            }
            Self::NoSamples => f.write_str("no samples"),
            Self::NotAdjacent { end, start } => {
                write!(
                    f,
                    "partial sums are not adjacent: one ends at block {end}, the next starts at {start}"
                )
            }
            Self::InsideBlock { samples } => {
                write!(
                    f,
                    "partial sum ends inside a block ({samples} samples of it): only a whole block can be extended"
                )
            }
            Self::NoConvergence { what, steps } => write!(f, "{what}: no convergence in {steps} steps"),
            Self::Environment(fault) => write!(f, "floating-point environment: {fault}"),
        }
    }
}

impl core::error::Error for Error {}

/// What is wrong with the floating-point environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Subnormal results become zero.
    FlushToZero,
    /// Subnormal operands count as zero.
    DenormalsAreZero,
    /// The rounding mode is not to nearest, ties to even.
    Rounding,
    /// Intermediate results carry more than 53 bits (x87).
    DoubleRounding,
    /// A fused multiply-add rounds twice, or differs from the software one.
    FusedMultiplyAdd,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FlushToZero => "subnormal results are flushed to zero",
            Self::DenormalsAreZero => "subnormal operands are taken as zero",
            Self::Rounding => "the rounding mode is not to nearest, ties to even",
            Self::DoubleRounding => "results are rounded twice (x87 extended precision)",
            Self::FusedMultiplyAdd => "a fused multiply-add is not fused",
        })
    }
}

impl core::error::Error for Fault {}

/// Checks the length of a slice.
pub(crate) fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Length { what, expected, found }) }
}

/// Checks the shape of a matrix, (rows, columns).
#[inline]
pub(crate) fn check_shape(
    what: &'static str,
    expected: (usize, usize),
    found: (usize, usize),
) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Shape { what, expected, found }) }
}

/// Checks a rate, a speed, a relative error.
pub(crate) fn check_at_least_zero(what: &'static str, found: f64) -> Result<(), Error> {
    if found.is_finite() && found >= 0.0 {
        Ok(())
    } else {
        Err(Error::Parameter { what, expected: "a finite number, at least 0", found })
    }
}

/// Checks that a buffer is long enough.
pub(crate) fn check_workspace(what: &'static str, needed: usize, found: usize) -> Result<(), Error> {
    if found >= needed { Ok(()) } else { Err(Error::Workspace { what, needed, found }) }
}
