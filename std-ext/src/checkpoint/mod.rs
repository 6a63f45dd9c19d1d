//! Weights of fully connected networks in safetensors files, as PyTorch names them.
//!
//! A layer is the tensor `PREFIX.weight` (outputs x inputs) and, optionally, `PREFIX.bias` (outputs). Layers must chain:
//! each takes as many inputs as the one before has outputs.
//!
//! The order of the layers is given, or follows from the numbers in the prefixes (`layers.10` comes after `layers.2`),
//! or from the shapes. If none of these decides, the file is refused. A tensor that is not a weight or bias of a layer
//! is an error, because a network without it would be another network.
//!
//! Tied tensors, which safetensors writes once, are read under each of their names: `__metadata__` maps a name to the
//! tensor that is stored.
//!
//! Header length, shapes and offsets are compared with the length of the file before any weight is read.

use crate::dataset::Values;
use crate::error::{Error, Result, quote, shape_text};
use crate::{file, recognise};
use agop_core::scalar::Real;
use header::Header;
use order::{Link, in_order};
use safetensors::tensor::TensorInfo;
use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom};
use std::path::Path;
use tensor::{stored, values};

pub use crate::error::ParseError;
pub use model::read_model;
pub(crate) use model::read_named_model;
pub use of_network::read_for;
pub(crate) use order::natural;
pub use tensor::{Elements, Tensor};
pub use write::{encode, write};

mod header;
mod model;
mod of_network;
mod order;
mod refuse;
mod tensor;
mod write;

/// The type of the numbers of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarKind {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
}

impl ScalarKind {
    /// As the command spells it: `f32` or `f64`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// A fully connected layer. Both values are `F32` or `F64`, as the file has them (16-bit floats as the `f32` that they
/// are), and finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The part of the tensor's name before `.weight`: `layers.0`, `fc1`.
    pub name: String,
    /// Rows of the weight.
    pub outputs: usize,
    /// Columns of the weight.
    pub inputs: usize,
    /// outputs x inputs, row-major.
    pub weight: Values,
    /// outputs.
    pub bias: Option<Values>,
}

/// The layers of a network, first to last.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// At least one layer, each with as many inputs as the one before has outputs.
    pub layers: Vec<Layer>,
    /// `F64` if any weight or bias is, else `F32`.
    pub scalar: ScalarKind,
}

impl Checkpoint {
    /// Inputs of the network, then outputs of each layer.
    pub fn widths(&self) -> Vec<usize> {
        let inputs = self.layers.first().map(|layer| layer.inputs);
        inputs.into_iter().chain(self.layers.iter().map(|layer| layer.outputs)).collect()
    }

    /// True when any layer has a bias.
    pub fn has_bias(&self) -> bool {
        self.layers.iter().any(|layer| layer.bias.is_some())
    }

    /// All parameters in one vector: W_0 row-major, b_0, W_1, b_1, ... If any layer has a bias, layers without one get
    /// zeros.
    ///
    /// **Arithmetic** `f64` is rounded to nearest, ties to even, where `T` is `f32`. Sums that start with the bias +0
    /// have the bits of sums without bias.
    ///
    /// **Errors** a [`ParseError`] naming tensor, row and column of the first value that overflows `T`.
    pub fn parameters<T: Real>(&self) -> std::result::Result<Vec<T>, ParseError> {
        let mut parameters = Vec::new();
        let has_bias = self.has_bias();
        for layer in &self.layers {
            let mut append = |suffix: &str, values: &Values, columns| {
                values.append_to(&mut parameters).map_err(|(index, reason)| {
                    ParseError::new(element(&full_name(&layer.name, suffix), index, columns), reason)
                })
            };
            append(WEIGHT, &layer.weight, Some(layer.inputs))?;
            match &layer.bias {
                Some(bias) => append(BIAS, bias, None)?,
                None if has_bias => append(BIAS, &Values::Integers(vec![0; layer.outputs]), None)?,
                None => {}
            }
        }
        Ok(parameters)
    }
}

/// The first place, in order of the layers, at which two networks differ in a bit, and the two values there.
///
/// Names of layers do not count.
pub fn first_difference(expected: &Checkpoint, found: &Checkpoint) -> Option<(String, String)> {
    let shapes = [expected, found]
        .map(|c| format!("{} widths {}, biases: {}", c.scalar.name(), shape_text(&c.widths()), c.has_bias()));
    let [a, b] = &shapes;
    if a != b {
        return Some(("shape".to_owned(), format!("expected {a}, found {b}")));
    }
    let pairs = expected.layers.iter().zip(&found.layers);
    let mut tensors = pairs.flat_map(|(a, b)| {
        let weight = (WEIGHT, Some(b.inputs), Some(&a.weight), Some(&b.weight));
        [weight, (BIAS, None, a.bias.as_ref(), b.bias.as_ref())].map(|tensor| (&b.name, tensor))
    });
    tensors.find_map(|(layer, (suffix, columns, a, b))| {
        let name = full_name(layer, suffix);
        if kind(a) != kind(b) {
            return Some((tensor(&name), format!("expected {}, found {}", kind(a), kind(b))));
        }
        let (a, b) = a.zip(b)?;
        let values = a.floats().zip(b.floats()).enumerate();
        let (index, (a, b)) = values.into_iter().find(|(_, (a, b))| a.to_bits() != b.to_bits())?;
        Some((element(&name, index, columns), format!("expected {a:e}, found {b:e}")))
    })
}

fn kind(values: Option<&Values>) -> &'static str {
    match values {
        None => "no bias",
        Some(Values::F32(_)) => ScalarKind::F32.name(),
        Some(_) => ScalarKind::F64.name(),
    }
}

/// The network in the bytes of a whole safetensors file.
///
/// **Errors** a [`ParseError`] at `byte N`, `header`, or `tensor "NAME"` with row and column, counted from 0, on any
/// input that is not exactly one chain of layers of finite numbers, `F16`, `BF16`, `F32` or `F64`; at `layers` if their
/// order is not certain.
///
/// **Example**
/// ```
/// use agop::checkpoint;
/// let bytes = checkpoint::encode(&[2, 1], true, &[0.5_f32, -0.5, 0.1])?;
/// let network = checkpoint::parse(&bytes)?;
/// assert_eq!(network.widths(), [2, 1]);
/// assert_eq!(network.parameters::<f32>()?, [0.5, -0.5, 0.1]);
/// # Ok::<(), checkpoint::ParseError>(())
/// ```
pub fn parse(bytes: &[u8]) -> std::result::Result<Checkpoint, ParseError> {
    parse_in_order(bytes, None)
}

/// As [`parse`], with the names of all layers (what stands before `.weight`) in the order of the computation, if given.
///
/// **Errors** also at `layers` for a name that is unknown or repeated, and for a layer that is not named.
pub fn parse_in_order(bytes: &[u8], order: Option<&[String]>) -> std::result::Result<Checkpoint, ParseError> {
    let length = bytes.len() as u64;
    let text = bytes.get(8..header::end(bytes, length)?).unwrap_or_default();
    let header = Header::parse(text, length)?;
    let data = bytes.get(8 + text.len()..).unwrap_or_default();
    assemble(&header, data, order)
}

/// The network in a safetensors file.
///
/// **Errors** [`crate::Error::Io`] when the file cannot be read, [`crate::Error::Input`] as for [`parse`].
pub fn read(path: impl AsRef<Path>) -> Result<Checkpoint> {
    read_in_order(path, None)
}

/// As [`read`], with the order of the layers as for [`parse_in_order`].
///
/// **Errors** [`crate::Error::Io`] when the file cannot be read, [`crate::Error::Input`] as for [`parse_in_order`].
pub fn read_in_order(path: impl AsRef<Path>, order: Option<&[String]>) -> Result<Checkpoint> {
    let path = path.as_ref();
    let (header, data) = read_parts(path)?;
    assemble(&header, &data, order).map_err(|error| error.in_file(path))
}

/// All tensors of a safetensors file, of any type, by name. They need not form a network.
///
/// **Errors** as for [`read`], except those about layers and shapes of a network.
pub fn read_tensors(path: impl AsRef<Path>) -> Result<BTreeMap<String, Tensor>> {
    let path = path.as_ref();
    let (header, data) = read_parts(path)?;
    let tensor = |(name, info): (&String, &TensorInfo)| {
        let tensor = stored(name, info, &data).map_err(|error| error.in_file(path))?;
        Ok((name.clone(), tensor))
    };
    header.tensors.iter().map(tensor).collect()
}

/// A tensor as a file describes it, with its numbers, NaN and infinities too.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Lengths of its dimensions, slowest first.
    pub shape: Vec<usize>,
    /// Its type as safetensors names it: `F32`.
    pub dtype: String,
    /// Its elements; `None` for a type that is not decoded.
    pub values: Option<Values>,
}

/// Every tensor of a safetensors file, whatever its numbers are; numbers in names are compared by value.
///
/// **Errors** as for [`read_tensors`], without what numbers must be.
pub fn describe(path: impl AsRef<Path>) -> Result<Vec<Described>> {
    let path = path.as_ref();
    let (header, data) = read_parts(path)?;
    let tensor = |(name, info): (&String, &TensorInfo)| {
        let values = tensor::numbers(name, info, &data).map_err(|error| error.in_file(path))?;
        let (name, shape, dtype) = (name.clone(), info.shape.clone(), info.dtype.to_string());
        Ok(Described { name, shape, dtype, values })
    };
    let mut all = header.tensors.iter().map(tensor).collect::<Result<Vec<_>>>()?;
    all.sort_by(|a, b| natural(&a.name).cmp(natural(&b.name)));
    Ok(all)
}

/// The header and all that follows it.
fn read_parts(path: &Path) -> Result<(Header, Vec<u8>)> {
    let input = |error: ParseError| error.in_file(path);
    let (mut file, length) = file::open(path)?;
    let start = file::read_exactly(path, &mut file, length.min(recognise::ENOUGH))?;
    let end = header::end(&start, length).map_err(input)? as u64;
    file.seek(SeekFrom::Start(8)).map_err(|error| Error::io(path, "read", error))?;
    let text = file::read_exactly(path, &mut file, end - 8)?;
    let header = Header::parse(&text, length).map_err(input)?;
    let data = file::read_exactly(path, &mut file, length - end)?;
    Ok((header, data))
}

const WEIGHT: &str = "weight";
const BIAS: &str = "bias";

fn full_name(prefix: &str, suffix: &str) -> String {
    if prefix.is_empty() { suffix.to_owned() } else { format!("{prefix}.{suffix}") }
}

/// The place of an error: a tensor.
fn tensor(name: &str) -> String {
    format!("tensor {}", quote(name))
}

/// The place of an error: an element of a tensor. A vector has rows only.
fn element(name: &str, index: usize, columns: Option<usize>) -> String {
    match columns.and_then(|columns| Some((index.checked_div(columns)?, index.checked_rem(columns)?))) {
        Some((row, column)) => format!("{}, row {row}, column {column}", tensor(name)),
        None => format!("{}, row {index}", tensor(name)),
    }
}

/// The parts of a tensor's name before and after the last dot.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once('.') {
        // Do not split ".weight": its parts would be those of "weight".
        Some(("", _)) | None => ("", name),
        Some(parts) => parts,
    }
}

/// The two tensors of a layer, as far as found.
#[derive(Default)]
struct Pair<'a> {
    weight: Option<&'a TensorInfo>,
    bias: Option<&'a TensorInfo>,
}

/// Makes layers of the tensors that a header describes; `data` is all that follows it.
fn assemble(
    header: &Header,
    data: &[u8],
    order: Option<&[String]>,
) -> std::result::Result<Checkpoint, ParseError> {
    let tensors = header.with_aliases()?;
    refuse::check(&tensors, order.is_some())?;
    let mut pairs: BTreeMap<&str, Pair<'_>> = BTreeMap::new();
    for (name, info) in &tensors {
        let (prefix, suffix) = split(name);
        let pair = pairs.entry(prefix).or_default();
        *if suffix == WEIGHT { &mut pair.weight } else { &mut pair.bias } = Some(*info);
    }
    let mut links = Vec::with_capacity(pairs.len());
    for (&name, pair) in &pairs {
        let Some(&[outputs, inputs]) = pair.weight.map(|weight| weight.shape.as_slice()) else {
            let reason = format!("a bias without its weight {}", quote(&full_name(name, WEIGHT)));
            return Err(ParseError::new(tensor(&full_name(name, BIAS)), reason));
        };
        if let Some(bias) = pair.bias.filter(|bias| bias.shape != [outputs]) {
            let mut reason = format!("shape {}, expected ({outputs},)", shape_text(&bias.shape));
            if bias.shape == [inputs] {
                reason +=
                    ": the weight is stored as (inputs, outputs), as Keras and Flax do; save its transpose";
            }
            return Err(ParseError::new(tensor(&full_name(name, BIAS)), reason));
        }
        links.push(Link { name, outputs, inputs });
    }
    let mut layers: Vec<Layer> = Vec::with_capacity(links.len());
    for place in in_order(&links, order)? {
        let Some(&Link { name, outputs, inputs }) = links.get(place) else { continue };
        let Some(Pair { weight: Some(weight), bias }) = pairs.get(name) else { continue };
        let bias_name = full_name(name, BIAS);
        layers.push(Layer {
            name: name.to_owned(),
            outputs,
            inputs,
            weight: values(&full_name(name, WEIGHT), weight, data, Some(inputs))?,
            bias: bias.map(|bias| values(&bias_name, bias, data, None)).transpose()?,
        });
    }
    if layers.is_empty() {
        return Err(ParseError::new("header", "there are no tensors"));
    }
    let wide = layers.iter().flat_map(|layer| [Some(&layer.weight), layer.bias.as_ref()]).flatten();
    let wide = wide.into_iter().any(|values| matches!(values, Values::F64(_)));
    Ok(Checkpoint { layers, scalar: if wide { ScalarKind::F64 } else { ScalarKind::F32 } })
}
