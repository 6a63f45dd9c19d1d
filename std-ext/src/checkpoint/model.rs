//! Networks from files.

use super::{read_for, read_in_order};
use crate::architecture::Architecture;
use crate::dataset::Values;
use crate::error::{Error, ParseError, Result};
use crate::network::Model;
use agop_core::activation::AnyActivation;
use agop_core::scalar::Real;
use std::path::Path;

/// A network from a file, in the scalar that is computed in; `layers` gives their order.
///
/// # Errors
/// As [`read_in_order`]; values that overflow the scalar; a network without a hidden layer.
pub fn read_model<T: Real>(
    path: &Path,
    activation: AnyActivation,
    layers: Option<&[String]>,
) -> Result<Model<T, AnyActivation>> {
    read_named_model(path, activation, layers, None).map(|(_, model, _)| model)
}

/// The names of the layers of a file, of this network where one is given, readout included, the network they make, and the relative error of reading its parameters.
pub(crate) fn read_named_model<T: Real>(
    path: &Path,
    activation: AnyActivation,
    layers: Option<&[String]>,
    network: Option<&Architecture>,
) -> Result<(Vec<String>, Model<T, AnyActivation>, f64)> {
    let checkpoint = match network {
        Some(network) => read_for(path, &network.tensors(), layers)?,
        None => read_in_order(path, layers)?,
    };
    let widths = checkpoint.widths();
    let in_file = |error: ParseError| error.in_file(path);
    let parameters = checkpoint.parameters().map_err(in_file)?;
    if widths.len() < 3 {
        return Err(Error::input(path, "tensors", "one layer only; a network needs a hidden layer"));
    }
    let bias = checkpoint.has_bias();
    let model = match network {
        Some(network) => Model::of(network.clone().with_bias(bias), activation, parameters),
        None => Model::new(widths, bias, activation, parameters),
    };
    let model = model.map_err(|error| Error::input(path, "tensors", error.to_string()))?;
    let tensors = checkpoint.layers.iter().flat_map(|layer| [Some(&layer.weight), layer.bias.as_ref()]);
    let errors = tensors.flatten().map(Values::read_error::<T>);
    let rounded = errors.fold(0.0, |most, error| if error > most { error } else { most });
    Ok((checkpoint.layers.into_iter().map(|layer| layer.name).collect(), model, rounded))
}
