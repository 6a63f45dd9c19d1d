//! Const-sized networks: parameters in an array whose length the compiler knows.

/// Defines a const-sized network: a struct that owns its parameters and knows its sizes at compile time.
///
/// The struct has `WIDTHS`, `PARAMETERS`, `BIAS` and the buffer sizes as constants; `new()` is a `const fn` that gives
/// all-zero parameters, so a network can live in a `static`; `network()` lends the view on which every algorithm works.
///
/// ```
/// agop_core::network! {
///     /// Eight inputs, sixteen hidden units, four outputs.
///     pub struct Tiny([f32; 8 => 16 => 4], Relu, bias: true);
/// }
/// static ZERO: Tiny = Tiny::new();
/// assert_eq!(Tiny::PARAMETERS, 8 * 16 + 16 + 16 * 4 + 4);
/// let mut net = Tiny::new();
/// net.parameters.fill(0.25);
/// let x = agop_core::matrix::MatRef::new(&[1.0; 8], 1, 8)?;
/// let (mut out, mut work) = ([0.0; 4], [0.0; Tiny::gradient_workspace(1)]);
/// let level = agop_core::simd::Level::compiled();
/// net.network()?.forward(level, x, agop_core::matrix::MatMut::new(&mut out, 1, 4)?, &mut work)?;
/// assert_eq!(out, [9.25; 4]);
/// # Ok::<(), agop_core::error::Error>(())
/// ```
#[macro_export]
macro_rules! network {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident([$scalar:ty; $first:literal $(=> $width:literal)+], $activation:ident, bias: $bias:literal);
    ) => {
        $(#[$attribute])*
        #[derive(::core::clone::Clone, ::core::fmt::Debug, ::core::cmp::PartialEq)]
        $visibility struct $name {
            /// Flat parameters: `W_0` row-major (outputs x inputs), `b_0` if there are biases, `W_1`, ...
            pub parameters: [$scalar; $crate::network::parameters(&[$first $(, $width)+], $bias)],
        }

        #[allow(dead_code, reason = "a sketch need not use every size")]
        impl $name {
            /// Inputs, hidden widths, outputs.
            pub const WIDTHS: &'static [usize] = &[$first $(, $width)+];
            /// Whether the layers have biases.
            pub const BIAS: bool = $bias;
            /// Number of parameters.
            pub const PARAMETERS: usize = $crate::network::parameters(Self::WIDTHS, Self::BIAS);
            /// Values of all PTK feature matrices.
            pub const PTK_VALUES: usize = $crate::network::ptk_values(Self::WIDTHS);

            /// A network with all parameters zero.
            pub const fn new() -> Self {
                Self { parameters: [0.0; $crate::network::parameters(&[$first $(, $width)+], $bias)] }
            }

            /// Values of the workspace of forward and gradient passes over `rows` samples at a time.
            pub const fn gradient_workspace(rows: usize) -> usize {
                $crate::network::gradient_workspace(Self::WIDTHS, rows)
            }

            /// Values of the workspace of feature passes over `rows` samples at a time.
            pub const fn jacobian_workspace(rows: usize) -> usize {
                $crate::network::jacobian_workspace(Self::WIDTHS, rows)
            }

            /// Values of the storage of a gradient sum over at most `samples` samples.
            pub const fn gradient_storage(samples: u64) -> usize {
                $crate::reduce::buffers(samples) * $crate::network::gradient_sum(Self::WIDTHS, Self::BIAS)
            }

            /// Values of the storage of a feature sum over at most `samples` samples.
            pub const fn ptk_storage(samples: u64) -> usize {
                $crate::reduce::buffers(samples) * Self::PTK_VALUES
            }

            /// The shape.
            pub const fn shape() -> $crate::network::Shape<'static> {
                const { match $crate::network::Shape::new(Self::WIDTHS, Self::BIAS) {
                    ::core::result::Result::Ok(shape) => shape,
                    ::core::result::Result::Err(_) => ::core::panic!("the widths of this network are no network"),
                } }
            }

            /// The view on which every algorithm works.
            ///
            /// # Errors
            /// `Error::NotFinite` when a parameter is not finite.
            pub fn network(
                &self,
            ) -> ::core::result::Result<
                $crate::network::Network<'_, $scalar, $crate::activation::$activation>,
                $crate::error::Error,
            > {
                self.network_on($crate::kernel::Definition)
            }

            /// The same, looking for values that are not finite in the vectors of a backend.
            ///
            /// # Errors
            /// `Error::NotFinite` when a parameter is not finite.
            pub fn network_on(
                &self,
                backend: impl $crate::kernel::Backend<$scalar>,
            ) -> ::core::result::Result<
                $crate::network::Network<'_, $scalar, $crate::activation::$activation>,
                $crate::error::Error,
            > {
                $crate::network::Network::new_on(
                    backend,
                    Self::shape(),
                    $crate::activation::$activation,
                    &self.parameters,
                )
            }
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}
