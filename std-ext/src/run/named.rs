//! Choices that files and options spell as names.

use crate::checkpoint::ScalarKind;
use crate::dataset::Format;
use crate::error::{Error, Result};
use crate::samples::Standardise;
use agop_core::activation::AnyActivation;
use agop_core::loss::AnyLoss;
use agop_core::network::Initializer;
use serde::{Deserialize, Deserializer, Serializer, de};

/// One of several values, each with a name.
pub trait Named: Copy + 'static {
    /// What is chosen: `activation`.
    const WHAT: &'static str;
    /// Every value.
    const VALUES: &'static [Self];
    /// The name of this one.
    fn text(self) -> &'static str;

    /// The names of all values.
    fn names() -> impl Iterator<Item = &'static str> {
        Self::VALUES.iter().map(|value| value.text())
    }

    /// The value of that name.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown name.
    fn named(name: &str) -> Result<Self> {
        Self::VALUES.iter().copied().find(|value| value.text() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::names().collect();
            Error::Usage(format!("unknown {} `{name}` (known: {})", Self::WHAT, known.join(", ")))
        })
    }
}

macro_rules! named {
    ($($type:ty, $what:literal, $values:expr;)*) => {$(
        impl Named for $type {
            const WHAT: &'static str = $what;
            const VALUES: &'static [Self] = &$values;
            fn text(self) -> &'static str {
                self.name()
            }
        }
    )*};
}

named! {
    ScalarKind, "scalar", [Self::F32, Self::F64];
    AnyActivation, "activation", Self::ALL;
    Initializer, "initializer", Self::ALL;
    AnyLoss, "loss", Self::ALL;
    Format, "format", Self::ALL;
    Standardise, "standardisation", Self::ALL;
}

pub(super) fn serialize<T: Named, S: Serializer>(value: &T, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(value.text())
}

pub(super) fn deserialize<'d, T: Named, D: Deserializer<'d>>(from: D) -> std::result::Result<T, D::Error> {
    T::named(&String::deserialize(from)?).map_err(de::Error::custom)
}

/// `in_scalar!(kind, function::<_>(arguments))` calls `function` in the scalar type of that kind.
macro_rules! in_scalar {
    ($kind:expr, $($path:ident)::+::<_>($($argument:expr),* $(,)?)) => {
        match $kind {
            $crate::checkpoint::ScalarKind::F32 => $($path)::+::<f32>($($argument),*),
            $crate::checkpoint::ScalarKind::F64 => $($path)::+::<f64>($($argument),*),
        }
    };
}
pub(crate) use in_scalar;
