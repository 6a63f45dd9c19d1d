//! Weights of fully connected networks in safetensors files, as PyTorch names them.
//!
//! A layer is the two tensors `PREFIX.weight` (outputs x inputs) and, in every layer or in none, `PREFIX.bias`
//! (outputs). Layers are ordered by the last number in their prefix, so that `layers.10` comes after `layers.2`, and
//! must chain: each takes as many inputs as the one before has outputs. Nothing is skipped: a tensor that is no layer's
//! weight or bias is an error, for a network read in part is another network.
//!
//! Header length, shapes and offsets are claims, checked against the length of the file before any weight is read.

use crate::dataset::{Array, Values, little_endian};
use crate::error::{Result, quote, shape_text};
use crate::file;
use agop_core::scalar::Real;
use header::Header;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::collections::BTreeMap;
use std::path::Path;

pub use crate::error::ParseError;

mod header;

/// The type of all weights of a checkpoint.
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

/// A fully connected layer. Both values are of the checkpoint's [`ScalarKind`], and finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// What stands before `.weight` in the tensor's name: `layers.0`, `fc1`.
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
    /// At least one layer, each with as many inputs as the one before has outputs; all have biases or none has.
    pub layers: Vec<Layer>,
    /// The type the weights were stored as.
    pub scalar: ScalarKind,
}

impl Checkpoint {
    /// Inputs of the network, then outputs of each layer.
    pub fn widths(&self) -> Vec<usize> {
        let inputs = self.layers.first().map(|layer| layer.inputs);
        inputs.into_iter().chain(self.layers.iter().map(|layer| layer.outputs)).collect()
    }

    /// True when the layers have biases.
    pub fn has_bias(&self) -> bool {
        self.layers.iter().any(|layer| layer.bias.is_some())
    }

    /// All parameters in one vector: W_0 row-major, b_0, W_1, b_1, ...
    ///
    /// **Arithmetic** `f64` is rounded to nearest, ties to even, where `T` is `f32`.
    ///
    /// **Errors** a [`ParseError`] naming tensor, row and column of the first value that overflows `T`.
    pub fn parameters<T: Real>(&self) -> std::result::Result<Vec<T>, ParseError> {
        let mut parameters = Vec::new();
        for layer in &self.layers {
            let tensors = [(WEIGHT, Some(&layer.weight)), (BIAS, layer.bias.as_ref())];
            for (suffix, values) in tensors {
                let Some(values) = values else { continue };
                values.append_to(&mut parameters).map_err(|(index, reason)| {
                    let columns = (suffix == WEIGHT).then_some(layer.inputs);
                    ParseError::new(element(&full_name(&layer.name, suffix), index, columns), reason)
                })?;
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
        let bias = a.bias.as_ref().zip(b.bias.as_ref()).map(|(a, b)| (BIAS, None, a, b));
        let weight = (WEIGHT, Some(b.inputs), &a.weight, &b.weight);
        [Some(weight), bias].into_iter().flatten().map(|tensor| (&b.name, tensor))
    });
    tensors.find_map(|(layer, (suffix, columns, a, b))| {
        let values = a.floats().zip(b.floats()).enumerate();
        let (index, (a, b)) = values.into_iter().find(|(_, (a, b))| a.to_bits() != b.to_bits())?;
        let place = element(&full_name(layer, suffix), index, columns);
        Some((place, format!("expected {a:e}, found {b:e}")))
    })
}

/// The network in the bytes of a whole safetensors file.
///
/// **Errors** a [`ParseError`] at `byte N`, `header`, or `tensor "NAME"` with row and column, counted from 0, on any
/// input that is not exactly one chain of layers of finite numbers, all `F32` or all `F64`.
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
    let length = bytes.len() as u64;
    let text = bytes.get(8..header::end(bytes, length)?).unwrap_or_default();
    let header = Header::parse(text, length)?;
    let data = bytes.get(8 + text.len()..).unwrap_or_default();
    assemble(&header, data)
}

/// The network in a safetensors file.
///
/// **Errors** [`crate::Error::Io`] when the file cannot be read, [`crate::Error::Input`] as for [`parse`].
pub fn read(path: impl AsRef<Path>) -> Result<Checkpoint> {
    let path = path.as_ref();
    let (header, data) = read_parts(path)?;
    assemble(&header, &data).map_err(|error| error.in_file(path))
}

/// Every tensor of a safetensors file by its name, whether or not they make a network.
///
/// **Errors** as for [`read`], without what a network asks for.
pub fn read_tensors(path: impl AsRef<Path>) -> Result<BTreeMap<String, Array>> {
    let path = path.as_ref();
    let (header, data) = read_parts(path)?;
    let array = |(name, info): (&String, &TensorInfo)| {
        let columns = if info.shape.len() < 2 { None } else { info.shape.last().copied() };
        let values = values(name, info, &data, columns).map_err(|error| error.in_file(path))?;
        Ok((name.clone(), Array { shape: info.shape.clone(), values }))
    };
    header.tensors.iter().map(array).collect()
}

/// The header and all that follows it.
fn read_parts(path: &Path) -> Result<(Header, Vec<u8>)> {
    let input = |error: ParseError| error.in_file(path);
    let (mut file, length) = file::open(path)?;
    let start = file::read_exactly(path, &mut file, length.min(8))?;
    let end = header::end(&start, length).map_err(input)? as u64;
    let text = file::read_exactly(path, &mut file, end - 8)?;
    let header = Header::parse(&text, length).map_err(input)?;
    let data = file::read_exactly(path, &mut file, length - end)?;
    Ok((header, data))
}

/// The bytes of a safetensors file with the tensors of PyTorch's `nn.Sequential`, where every second module is an
/// activation: `layers.0.weight`, `layers.0.bias`, `layers.2.weight`, ... Equal arguments give equal bytes.
///
/// **Shapes** `widths`: inputs, then outputs of each layer. `parameters` as [`Checkpoint::parameters`] gives them.
///
/// **Arithmetic** the bits of every number are kept; every NaN becomes the positive quiet NaN. Numbers that are not
/// finite are written, so that a diverged run can be kept, but [`parse`] refuses them.
///
/// **Errors** a [`ParseError`] for fewer than two widths, a width of zero, or another number of parameters.
pub fn encode<T: Real>(
    widths: &[usize],
    bias: bool,
    parameters: &[T],
) -> std::result::Result<Vec<u8>, ParseError> {
    let wrong = |reason: String| ParseError::new(format!("widths {}", shape_text(widths)), reason);
    if widths.len() < 2 || widths.contains(&0) {
        return Err(wrong("expected at least two, none of them zero".to_owned()));
    }
    let dtype = if T::BYTES == 4 { Dtype::F32 } else { Dtype::F64 };
    let mut rest = parameters;
    let mut tensors = Vec::new();
    for (layer, (&inputs, &outputs)) in widths.iter().zip(widths.iter().skip(1)).enumerate() {
        let shapes = [(WEIGHT, vec![outputs, inputs]), (BIAS, vec![outputs])];
        for (suffix, shape) in shapes.into_iter().take(1 + usize::from(bias)) {
            let name = full_name(&format!("layers.{}", 2 * layer), suffix);
            let size = shape.iter().try_fold(1_usize, |product, &n| product.checked_mul(n));
            let Some((values, after)) = size.and_then(|size| rest.split_at_checked(size)) else {
                let reason =
                    format!("{} parameters are too few for tensor {}", parameters.len(), quote(&name));
                return Err(wrong(reason));
            };
            rest = after;
            tensors.push((name, shape, values));
        }
    }
    if !rest.is_empty() {
        let used = parameters.len() - rest.len();
        return Err(wrong(format!("expected {used} parameters, found {}", parameters.len())));
    }
    // The crate's own writer orders the tensors so too, but takes its memory in a way that aborts where there is none.
    tensors.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    let mut end = 0;
    let infos = tensors.iter().map(|(name, shape, values)| {
        let start = end;
        end += size_of_val(*values);
        (name.clone(), TensorInfo { dtype, shape: shape.clone(), data_offsets: (start, end) })
    });
    let infos = infos.collect();
    let wrong = |e: &dyn std::fmt::Display| ParseError::new("header", e.to_string());
    // Without metadata, whose order would be a hash map's.
    let metadata = Metadata::new(None, infos).map_err(|e| wrong(&e))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|e| wrong(&e))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = 8 + header.len() + end;
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(length)
        .map_err(|_| ParseError::new("checkpoint", format!("{length} bytes do not fit the memory")))?;
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    for (_, _, values) in tensors {
        values.iter().for_each(|&x| bytes.extend(little_endian(x)));
    }
    Ok(bytes)
}

/// Writes [`encode`]'s bytes; the file is replaced all at once ([`file::replace`]).
///
/// **Errors** [`crate::Error::Input`] as for [`encode`], [`crate::Error::Io`] when the file cannot be written.
pub fn write<T: Real>(path: impl AsRef<Path>, widths: &[usize], bias: bool, parameters: &[T]) -> Result<()> {
    let path = path.as_ref();
    let bytes = encode(widths, bias, parameters).map_err(|error| error.in_file(path))?;
    file::replace(path, &bytes)
}

const WEIGHT: &str = "weight";
const BIAS: &str = "bias";

fn full_name(prefix: &str, suffix: &str) -> String {
    if prefix.is_empty() { suffix.to_owned() } else { format!("{prefix}.{suffix}") }
}

/// A tensor as the place of an error.
fn tensor(name: &str) -> String {
    format!("tensor {}", quote(name))
}

/// An element of a tensor as the place of an error. A vector has rows only.
fn element(name: &str, index: usize, columns: Option<usize>) -> String {
    match columns.and_then(|columns| Some((index.checked_div(columns)?, index.checked_rem(columns)?))) {
        Some((row, column)) => format!("{}, row {row}, column {column}", tensor(name)),
        None => format!("{}, row {index}", tensor(name)),
    }
}

/// The two tensors of a layer, as far as found.
#[derive(Default)]
struct Pair<'a> {
    weight: Option<&'a TensorInfo>,
    bias: Option<&'a TensorInfo>,
}

/// Makes layers of the tensors that a header describes; `data` is all that follows it.
fn assemble(header: &Header, data: &[u8]) -> std::result::Result<Checkpoint, ParseError> {
    let mut pairs: BTreeMap<&str, Pair<'_>> = BTreeMap::new();
    for (name, info) in &header.tensors {
        let (prefix, suffix) = match name.rsplit_once('.') {
            // ".weight" would be a second "weight".
            Some(("", _)) => ("", ""),
            Some(parts) => parts,
            None => ("", name.as_str()),
        };
        let pair = pairs.entry(prefix).or_default();
        match suffix {
            WEIGHT => pair.weight = Some(info),
            BIAS => pair.bias = Some(info),
            _ => {
                let reason = "no weight or bias of a layer: expected a name ending in .weight or .bias";
                return Err(ParseError::new(tensor(name), reason));
            }
        }
    }
    let all_biases = pairs.values().any(|pair| pair.bias.is_some());
    let mut layers: Vec<Layer> = Vec::with_capacity(pairs.len());
    for prefix in in_order(&pairs)? {
        let Some(Pair { weight, bias }) = pairs.get(prefix) else { continue };
        let (weight_name, bias_name) = (full_name(prefix, WEIGHT), full_name(prefix, BIAS));
        let Some(weight) = weight else {
            let reason = format!("a bias without its weight {}", quote(&weight_name));
            return Err(ParseError::new(tensor(&bias_name), reason));
        };
        let &[outputs, inputs] = weight.shape.as_slice() else {
            let reason = format!("shape {}, expected (outputs, inputs)", shape_text(&weight.shape));
            return Err(ParseError::new(tensor(&weight_name), reason));
        };
        if outputs == 0 || inputs == 0 {
            let reason = format!("shape {}, expected no zero", shape_text(&weight.shape));
            return Err(ParseError::new(tensor(&weight_name), reason));
        }
        if let Some(before) = layers.last().filter(|before| before.outputs != inputs) {
            let reason = format!(
                "{inputs} inputs, expected the {} outputs of {}",
                before.outputs,
                quote(&full_name(&before.name, WEIGHT))
            );
            return Err(ParseError::new(tensor(&weight_name), reason));
        }
        if bias.is_none() && all_biases {
            let reason = format!("no {} beside it, though other layers have biases", quote(&bias_name));
            return Err(ParseError::new(tensor(&weight_name), reason));
        }
        if let Some(bias) = bias.filter(|bias| bias.shape != [outputs]) {
            let reason = format!("shape {}, expected ({outputs},)", shape_text(&bias.shape));
            return Err(ParseError::new(tensor(&bias_name), reason));
        }
        layers.push(Layer {
            name: prefix.to_owned(),
            outputs,
            inputs,
            weight: values(&weight_name, weight, data, Some(inputs))?,
            bias: bias.map(|bias| values(&bias_name, bias, data, None)).transpose()?,
        });
    }
    let scalar = match layers.first().map(|layer| &layer.weight) {
        None => return Err(ParseError::new("header", "there are no tensors")),
        Some(Values::F32(_)) => ScalarKind::F32,
        Some(_) => ScalarKind::F64,
    };
    Ok(Checkpoint { layers, scalar })
}

/// The prefixes in the order of their last numbers. A single one needs no number.
fn in_order<'a>(pairs: &BTreeMap<&'a str, Pair<'_>>) -> std::result::Result<Vec<&'a str>, ParseError> {
    let place = |prefix: &str, pair: &Pair<'_>| {
        tensor(&full_name(prefix, if pair.weight.is_some() { WEIGHT } else { BIAS }))
    };
    let mut numbered: BTreeMap<u64, &'a str> = BTreeMap::new();
    for (&prefix, pair) in pairs {
        let number = match last_number(prefix).map(str::parse) {
            Some(Ok(number)) => number,
            _ if pairs.len() == 1 => 0,
            Some(Err(_)) => return Err(ParseError::new(place(prefix, pair), "its number exceeds 64 bits")),
            None => {
                let reason = format!("no number in its name to order it among {} layers", pairs.len());
                return Err(ParseError::new(place(prefix, pair), reason));
            }
        };
        if let Some(other) = numbered.insert(number, prefix) {
            let reason = format!("its number {number} is also that of layer {}", quote(other));
            return Err(ParseError::new(place(prefix, pair), reason));
        }
    }
    Ok(numbered.into_values().collect())
}

/// The last run of digits.
fn last_number(prefix: &str) -> Option<&str> {
    let end = prefix.trim_end_matches(|c: char| !c.is_ascii_digit());
    let start = end.trim_end_matches(|c: char| c.is_ascii_digit());
    end.get(start.len()..).filter(|digits| !digits.is_empty())
}

/// The numbers of one tensor, all finite. The header was found to agree with the length of `data`.
fn values(
    name: &str,
    info: &TensorInfo,
    data: &[u8],
    columns: Option<usize>,
) -> std::result::Result<Values, ParseError> {
    let (start, end) = info.data_offsets;
    let bytes = data.get(start..end).unwrap_or_default();
    let infinite = |index: usize, x: f64| {
        let what = if x.is_nan() { "the value is NaN" } else { "the value is infinite" };
        ParseError::new(element(name, index, columns), what)
    };
    let no_room = |_| ParseError::new(tensor(name), format!("{} bytes do not fit the memory", bytes.len()));
    if info.dtype == Dtype::F32 {
        let (chunks, _) = bytes.as_chunks::<4>();
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(chunks.len()).map_err(no_room)?;
        numbers.extend(chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)));
        match numbers.iter().position(|x| !x.is_finite()) {
            Some(index) => Err(infinite(index, numbers.get(index).copied().map_or(f64::NAN, f64::from))),
            None => Ok(Values::F32(numbers)),
        }
    } else {
        let (chunks, _) = bytes.as_chunks::<8>();
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(chunks.len()).map_err(no_room)?;
        numbers.extend(chunks.iter().map(|chunk| f64::from_le_bytes(*chunk)));
        match numbers.iter().position(|x| !x.is_finite()) {
            Some(index) => Err(infinite(index, numbers.get(index).copied().unwrap_or(f64::NAN))),
            None => Ok(Values::F64(numbers)),
        }
    }
}
