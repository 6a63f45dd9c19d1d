//! Weights for a network whose layers are known: which tensor belongs to which layer.

use super::header::Header;
use super::order::{Link, by_numbers};
use super::tensor::values;
use super::{BIAS, Checkpoint, Layer, ScalarKind, WEIGHT, full_name, read_parts, refuse, split, tensor};
use crate::dataset::Values;
use crate::error::{ParseError, Result, quote, shape_text};
use safetensors::tensor::TensorInfo;
use std::collections::BTreeMap;
use std::path::Path;

/// Reads the weights of the layers that take tensors of these shapes, (k, c, r, s) or (k, d), in the order of the
/// computation; a layer's `inputs` are all but the first dimension. `order` names the layers.
///
/// The numbers in the names decide if all names have the same text around them. Else each layer takes the tensor of its
/// shape, and among several of one shape the numbers decide.
///
/// **Errors** as for [`super::read`]; at `layers` where the network has more or fewer layers or their order is not certain.
pub fn read_for(path: &Path, shapes: &[Vec<usize>], order: Option<&[String]>) -> Result<Checkpoint> {
    let (header, data) = read_parts(path)?;
    assemble(&header, &data, shapes, order).map_err(|error| error.in_file(path))
}

fn assemble(
    header: &Header,
    data: &[u8],
    shapes: &[Vec<usize>],
    order: Option<&[String]>,
) -> std::result::Result<Checkpoint, ParseError> {
    let tensors = header.with_aliases()?;
    let kernel = |(name, info): &(&&str, &&TensorInfo)| split(name).1 == WEIGHT && info.shape.len() == 4;
    let linear = tensors.iter().filter(|entry| !kernel(entry)).map(|(name, info)| (*name, *info)).collect();
    refuse::check(&linear, order.is_some())?;
    let weights: BTreeMap<&str, &TensorInfo> = tensors
        .iter()
        .filter(|(name, _)| split(name).1 == WEIGHT)
        .map(|(name, info)| (split(name).0, *info))
        .collect();
    let names = in_order(&weights, shapes, order)?;
    let mut layers = Vec::with_capacity(names.len());
    for (name, shape) in names.into_iter().zip(shapes) {
        let (Some(weight), Some((&outputs, rest))) = (weights.get(name), shape.split_first()) else {
            continue;
        };
        let full = full_name(name, WEIGHT);
        if weight.shape != *shape {
            let reason =
                format!("shape {}, the network takes {} here", shape_text(&weight.shape), shape_text(shape));
            return Err(ParseError::new(tensor(&full), reason));
        }
        let bias_name = full_name(name, BIAS);
        let bias = tensors.get(bias_name.as_str());
        if let Some(bias) = bias.filter(|bias| bias.shape != [outputs]) {
            let reason = format!("shape {}, expected ({outputs},)", shape_text(&bias.shape));
            return Err(ParseError::new(tensor(&bias_name), reason));
        }
        let inputs = rest.iter().product();
        layers.push(Layer {
            name: name.to_owned(),
            outputs,
            inputs,
            weight: values(&full, weight, data, Some(inputs))?,
            bias: bias.map(|bias| values(&bias_name, bias, data, None)).transpose()?,
        });
    }
    let alone = tensors.keys().find(|name| split(name).1 == BIAS && !weights.contains_key(split(name).0));
    if let Some(name) = alone {
        let weight = full_name(split(name).0, WEIGHT);
        return Err(ParseError::new(tensor(name), format!("a bias without its weight {}", quote(&weight))));
    }
    let wide =
        |layer: &Layer| matches!(layer.weight, Values::F64(_)) || matches!(layer.bias, Some(Values::F64(_)));
    let scalar = if layers.iter().any(wide) { ScalarKind::F64 } else { ScalarKind::F32 };
    Ok(Checkpoint { layers, scalar })
}

/// The names of the layers in the order of the computation.
fn in_order<'a>(
    weights: &BTreeMap<&'a str, &TensorInfo>,
    shapes: &[Vec<usize>],
    given: Option<&[String]>,
) -> std::result::Result<Vec<&'a str>, ParseError> {
    let wrong = |reason: String| ParseError::new("layers", reason);
    let list = || {
        let shown =
            weights.iter().take(8).map(|(name, info)| format!("{} {}", quote(name), shape_text(&info.shape)));
        shown.collect::<Vec<_>>().join(", ")
    };
    if weights.len() != shapes.len() {
        let (found, expected) = (weights.len(), shapes.len());
        return Err(wrong(format!(
            "the network has {expected} layers with weights, the file {found}: {}",
            list()
        )));
    }
    if let Some(given) = given {
        let found: Option<Vec<&str>> =
            given.iter().map(|name| weights.get_key_value(name.as_str()).map(|(name, _)| *name)).collect();
        let mut distinct = found.clone().unwrap_or_default();
        distinct.sort_unstable();
        distinct.dedup();
        return match found {
            Some(found) if distinct.len() == shapes.len() && found.len() == shapes.len() => Ok(found),
            _ => Err(wrong(format!("--layers must name each layer once: {}", list()))),
        };
    }
    let links = |shape: Option<&Vec<usize>>| -> Vec<Link<'a>> {
        let named = weights.iter().filter(|(_, info)| shape.is_none_or(|shape| info.shape == *shape));
        named.map(|(name, _)| Link { name, outputs: 0, inputs: 0 }).collect()
    };
    let sorted = |links: &[Link<'a>]| -> std::result::Result<Vec<&'a str>, String> {
        Ok(by_numbers(links)?
            .into_iter()
            .filter_map(|place| links.get(place))
            .map(|link| link.name)
            .collect())
    };
    if let Ok(names) = sorted(&links(None)) {
        return Ok(names);
    }
    let mut groups: BTreeMap<&[usize], std::vec::IntoIter<&'a str>> = BTreeMap::new();
    for shape in shapes {
        if groups.contains_key(shape.as_slice()) {
            continue;
        }
        let (links, layers) = (links(Some(shape)), shapes.iter().filter(|other| *other == shape).count());
        if links.len() != layers {
            let reason =
                format!("{layers} layers take weights {}, the file has {}", shape_text(shape), links.len());
            return Err(wrong(format!("{reason}: {}", list())));
        }
        let names = sorted(&links).map_err(|why| {
            let same = shape_text(shape);
            wrong(format!("{why}, and weights {same} fit more than one layer: give the order of the computation with --layers a,b,c"))
        })?;
        groups.insert(shape, names.into_iter());
    }
    Ok(shapes.iter().filter_map(|shape| groups.get_mut(shape.as_slice())?.next()).collect())
}
