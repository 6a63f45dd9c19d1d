//! Networks written as safetensors files.

use super::{BIAS, ParseError, WEIGHT, full_name};
use crate::dataset::little_endian;
use crate::error::{Result, quote, shape_text};
use crate::file;
use agop_core::scalar::Real;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::path::Path;

/// The bytes of a safetensors file with the tensors of PyTorch's `nn.Sequential`, where every second module is an
/// activation: `0.weight`, `0.bias`, `2.weight`, ... `load_state_dict` takes them as they are. Equal arguments give equal
/// bytes.
///
/// **Shapes** `widths`: inputs, then outputs of each layer. `parameters` as [`super::Checkpoint::parameters`] gives them.
///
/// **Arithmetic** the bits of every number are kept; every NaN becomes the positive quiet NaN. Numbers that are not
/// finite are written, so that a diverged run can be kept, but [`super::parse`] refuses them.
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
            let name = full_name(&(2 * layer).to_string(), suffix);
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
    // The writer of the crate `safetensors` uses the same order, but a failed allocation in it aborts.
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
