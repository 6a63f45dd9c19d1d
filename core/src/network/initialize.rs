//! Initial parameters.

use super::Shape;
use super::place::{Kind, Place};
use crate::error::{Error, check_length};
use crate::ieee::sqrt;
use crate::matrix::cut_mut;
use crate::random::{Purpose, Stream};
use crate::scalar::Real;

/// A distribution of initial weights. Biases start at zero, except under [`Initializer::Linear`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Initializer {
    /// `N(0, 1 / fan_in)`.
    Normal,
    /// Uniform with variance `1 / fan_in`.
    Uniform,
    /// `N(0, 2 / (fan_in + fan_out))` (Glorot and Bengio 2010).
    XavierNormal,
    /// Uniform with variance `2 / (fan_in + fan_out)`.
    XavierUniform,
    /// `N(0, 2 / fan_in)` (He et al. 2015).
    HeNormal,
    /// Uniform with variance `2 / fan_in`.
    HeUniform,
    /// Weights and biases uniform on `+-1 / sqrt(fan_in)`: the distribution of PyTorch's `Linear`.
    Linear,
}

impl Initializer {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Normal,
        Self::Uniform,
        Self::XavierNormal,
        Self::XavierUniform,
        Self::HeNormal,
        Self::HeUniform,
        Self::Linear,
    ];

    /// Name as files and the command spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Uniform => "uniform",
            Self::XavierNormal => "xavier-normal",
            Self::XavierUniform => "xavier-uniform",
            Self::HeNormal => "he-normal",
            Self::HeUniform => "he-uniform",
            Self::Linear => "linear",
        }
    }

    /// The initializer of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|initializer| initializer.name() == name)
    }

    /// Fills the parameters of a network.
    ///
    /// **Shapes** parameters as [`Shape::parameters`].
    /// **Arithmetic** layer l draws from stream (seed, [`Purpose::Parameters`], l), one draw a weight in layout order and,
    /// under [`Initializer::Linear`], then one a bias; `normal sqrt(variance)` or `(2 u - 1) sqrt(3 variance)` in `f64`,
    /// rounded to the scalar once.
    /// **Errors** [`Error::Length`].
    pub fn fill<T: Real, const MAPS: bool>(
        self,
        shape: Shape<'_, MAPS>,
        seed: u64,
        parameters: &mut [T],
    ) -> Result<(), Error> {
        check_length("parameters", shape.parameters(), parameters.len())?;
        for place in shape.places() {
            let Place { kind: Kind::Weights, layer, span, .. } = place else { continue };
            let (inputs, outputs) = (span.inputs as f64, place.fan_out() as f64);
            let (normal, variance) = match self {
                Self::Normal => (true, 1.0 / inputs),
                Self::Uniform => (false, 1.0 / inputs),
                Self::XavierNormal => (true, 2.0 / (inputs + outputs)),
                Self::XavierUniform => (false, 2.0 / (inputs + outputs)),
                Self::HeNormal => (true, 2.0 / inputs),
                Self::HeUniform => (false, 2.0 / inputs),
                Self::Linear => (false, 1.0 / (3.0 * inputs)),
            };
            let scale = sqrt(if normal { variance } else { 3.0 * variance });
            let mut stream = Stream::new(seed, Purpose::Parameters, layer as u32);
            let values = cut_mut(parameters, span.range());
            for (index, slot) in values.iter_mut().enumerate() {
                let drawn = index < span.weights() || self == Self::Linear;
                *slot = match (drawn, normal) {
                    (false, _) => T::zero(),
                    (true, true) => T::from_f64(stream.normal() * scale),
                    (true, false) => T::from_f64((2.0 * stream.uniform() - 1.0) * scale),
                };
            }
        }
        Ok(())
    }
}
