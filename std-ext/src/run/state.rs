//! The state of a training between two updates, kept in a file: a training that starts from it has the bits of one that
//! was never interrupted.
//!
//! A safetensors file with `parameters`, `velocity`, the `speeds` of the layers, the `history` so far and a `seal`, the
//! SHA-256 of all bytes before it. Metadata name the run. Neither the order of the samples nor a random stream is
//! stored: seed and step tell them.

use super::config::{Config, Data, RuleName};
use super::folder::{finished, sha256};
use super::manifest::{Mark, Sha256};
use super::report::longest_history;
use super::train::Run;
use crate::dataset::little_endian;
use crate::error::{Error, ParseError, Result, quote, shape_text};
use crate::file;
use crate::memory::{Growing, collected};
use agop_core::scalar::Real;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

/// Version of the file's form.
pub const SCHEMA: &str = "agop.checkpoint/1";
/// The key of the metadata: one alone has no order.
const ABOUT: &str = "agop";
const SEAL: usize = 32;

/// Which state of which training a file holds.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    schema: String,
    rule: RuleName,
    /// Updates done.
    step: u64,
    /// SHA-256 of the run's configuration, wherever its files of samples are.
    config: Sha256,
}

/// Passes bytes on and hashes them.
struct Sealed<'w> {
    to: &'w mut dyn Write,
    hash: sha2::Sha256,
}

impl Sealed<'_> {
    fn values<T: Real>(&mut self, values: &[T]) -> io::Result<()> {
        // On the stack: memory may be short.
        let mut buffer = [0; 4096];
        values.chunks(buffer.len() / T::BYTES.max(1)).try_for_each(|some| {
            let bytes = some.iter().flat_map(|x| little_endian(*x));
            buffer.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
            self.bytes(buffer.get(..some.len() * T::BYTES).unwrap_or_default())
        })
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.to.write_all(bytes)
    }
}

const fn dtype<T: Real>() -> Dtype {
    if T::BYTES == 4 { Dtype::F32 } else { Dtype::F64 }
}

impl<T: Real> Run<'_, T> {
    /// Keeps the state in a file, which is replaced all at once ([`file::replace_with`]).
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written; what stood there stands there still.
    pub fn save(&self, path: &Path) -> Result<()> {
        let about = self.about(self.step)?;
        let (parameters, velocity) = (self.model.parameters(), self.velocity());
        let mut end = 0;
        let lengths = [
            ("speeds", Dtype::F64, self.speeds.len()),
            ("parameters", dtype::<T>(), parameters.len()),
            ("velocity", dtype::<T>(), velocity.len()),
            ("history", Dtype::U8, self.history.0.len()),
            ("seal", Dtype::U8, SEAL),
        ];
        let infos = lengths.map(|(name, dtype, length)| {
            let start = end;
            end += length * dtype.bitsize() / 8;
            (name.to_owned(), TensorInfo { dtype, shape: vec![length], data_offsets: (start, end) })
        });
        let failed = |error: &dyn std::fmt::Display| Error::Message(format!("{}: {error}", path.display()));
        let about = serde_json::to_string(&about).map_err(|error| failed(&error))?;
        let metadata = Metadata::new(Some(HashMap::from([(ABOUT.to_owned(), about)])), infos.into());
        let mut header = metadata
            .map_err(|error| failed(&error))
            .and_then(|metadata| serde_json::to_vec(&metadata).map_err(|error| failed(&error)))?;
        header.resize(header.len().next_multiple_of(8), b' ');
        file::replace_with(path, |output| {
            let mut output = Sealed { to: output, hash: sha2::Sha256::new() };
            output.bytes(&(header.len() as u64).to_le_bytes())?;
            output.bytes(&header)?;
            output.values(&self.speeds)?;
            output.values(parameters)?;
            output.values(velocity)?;
            output.bytes(&self.history.0)?;
            let seal = finished(output.hash).0.0;
            output.to.write_all(&seal)
        })
    }

    fn about(&self, step: u64) -> Result<About> {
        let mut config = self.config.clone();
        if let Data::Files(_) = config.data {
            config.data = Config::default().data;
        }
        let config = sha256(&config.encode()?);
        Ok(About { schema: SCHEMA.to_owned(), rule: self.rule, step, config })
    }

    /// Goes on from the state in a file.
    ///
    /// # Errors
    /// What is not as it was written, or of another training, with the file's name.
    pub fn restore(&mut self, path: &Path) -> Result<()> {
        const LONGEST_HEADER: u64 = 1 << 16;
        let hidden = self.config.network.hidden.len();
        let history = longest_history(self.config.measurements(), hidden);
        let values = (2 * self.model.parameters().len() * T::BYTES + 8 * self.speeds.len()) as u64;
        let longest = history.saturating_add(values).saturating_add(LONGEST_HEADER);
        let bytes = file::read_limited(path, longest)?;
        self.restore_from(&bytes).map_err(|error| {
            let ParseError { place, reason } = error;
            let remedy = "without the file the rule is trained from its first step";
            Error::input(path, place, format!("{reason}; {remedy}"))
        })
    }

    /// As [`Run::restore`], from the bytes of the file.
    ///
    /// # Errors
    /// A [`ParseError`]; the state is then unchanged.
    pub fn restore_from(&mut self, bytes: &[u8]) -> std::result::Result<(), ParseError> {
        let wrong = |place: &str, reason: String| Err(ParseError::new(place, reason));
        let (sealed, seal) = bytes.split_at_checked(bytes.len().saturating_sub(SEAL)).unwrap_or_default();
        if sha256(sealed).0.0 != seal {
            return wrong(
                "seal",
                "the checkpoint is damaged: its bytes are not those that were written".into(),
            );
        }
        let header = |error: &dyn std::fmt::Display| ParseError::new("header", error.to_string());
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| header(&error))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| header(&error))?;
        let about = metadata.metadata().as_ref().and_then(|metadata| metadata.get(ABOUT));
        let about: About = serde_json::from_str(about.map_or("", String::as_str)).map_err(|e| header(&e))?;
        let expected = self.about(about.step).map_err(|error| header(&error))?;
        if about != expected {
            let reason = format!("expected a state of this run's {}, {SCHEMA}", self.rule.name());
            return wrong(
                "header",
                format!("{reason}, found {} of {}", about.rule.name(), quote(&about.schema)),
            );
        }
        let steps = self.config.training.steps;
        if about.step > steps {
            return wrong("header", format!("step {}, the run has {steps}", about.step));
        }
        let tensor = |name: &str, dtype: Dtype, length: Option<usize>| {
            let view = tensors.tensor(name).map_err(|error| header(&error))?;
            if view.dtype() == dtype && view.shape().len() == 1 && length.is_none_or(|n| view.shape() == [n])
            {
                return Ok(view.data());
            }
            let length = length.map_or_else(|| "(n,)".to_owned(), |n| shape_text(&[n]));
            let found = format!("{} {}", view.dtype(), shape_text(view.shape()));
            let reason = format!("expected {dtype} {length}, found {found}");
            Err(ParseError::new(format!("tensor {}", quote(name)), reason))
        };
        let parameters = tensor("parameters", dtype::<T>(), Some(self.model.parameters().len()))?;
        let velocity = tensor("velocity", dtype::<T>(), Some(self.velocity().len()))?;
        let speeds = tensor("speeds", Dtype::F64, Some(self.speeds.len()))?;
        let history = tensor("history", Dtype::U8, None)?;
        let room = |error: Error| ParseError::new("history", error.to_string());
        let every = self.config.training.measure_every;
        let measured = about.step.div_ceil(every.max(1));
        let marks = marks(history).filter(|marks: &Vec<Mark>| {
            marks.len() as u64 == measured && (0..).zip(marks).all(|(i, mark)| mark.step == i * every)
        });
        let Some(marks) = marks else {
            return wrong("history", format!("expected the measurements before step {}", about.step));
        };
        let history = collected("history", history.len(), history.iter().copied()).map_err(room)?;
        // Nothing fails from here on.
        self.model.parameters_mut().iter_mut().zip(values(parameters)).for_each(|(to, x)| *to = x);
        self.state.iter_mut().zip(values(velocity)).for_each(|(to, x)| *to = x);
        self.speeds.iter_mut().zip(values(speeds)).for_each(|(to, x)| *to = x);
        (self.step, self.marks, self.history) = (about.step, marks, Growing(history));
        Ok(())
    }
}

/// Numbers from their little-endian bytes; an `f32` is an `f64` too.
fn values<T: Real>(bytes: &[u8]) -> impl Iterator<Item = T> {
    let number = |bytes: &[u8]| match *bytes {
        [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
        _ => f64::from_le_bytes(bytes.try_into().unwrap_or_default()),
    };
    bytes.chunks_exact(T::BYTES).map(move |bytes| T::from_f64(number(bytes)))
}

/// The marks of a history: the first and the last field of every line but the one of names.
fn marks(history: &[u8]) -> Option<Vec<Mark>> {
    let lines = std::str::from_utf8(history).ok()?.lines().skip(1);
    lines
        .map(|line| {
            let (step, _) = line.split_once(',')?;
            let (_, digest) = line.rsplit_once(',')?;
            Some(Mark { step: step.parse().ok()?, digest: digest.to_owned().try_into().ok()? })
        })
        .collect()
}
