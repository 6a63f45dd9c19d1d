//! Tensors that are not a weight or bias of a linear layer: the message says what they are, and what to do.

use super::{BIAS, ParseError, WEIGHT, full_name, split, tensor};
use crate::error::{quote, shape_text};
use safetensors::tensor::TensorInfo;
use std::collections::BTreeMap;

const ALONE: &str = "save the linear layers alone, and their inputs as the data";
const FOLD: &str = "fold the normalisation into the linear layer before it";
const REMOVE: &str = "save the file without it";
const OPTIMIZER: &str = "state of an optimizer";
const STATE_DICT: &str = "save the model's state_dict alone";
const ATTENTION: &str = "part of attention";

/// The position of a pattern in a name, whose parts are separated by dots or slashes.
#[derive(Clone, Copy, PartialEq)]
enum At {
    /// At the start of the last part.
    Last,
    /// A whole part; the start of a part if the pattern ends with an underscore, its end if it starts with one.
    Any,
    /// As [`At::Any`], but a layer may be called so if its place in the order is given.
    Unnamed,
}

/// Patterns in lower case, what has them, and what to do.
const NAMES: &[(At, &str, &str, &str)] = &[
    (At::Any, "exp_avg exp_avg_sq max_exp_avg_sq momentum_buffer square_avg", OPTIMIZER, STATE_DICT),
    (At::Unnamed, "optimizer optimizer_state optimizer_states optimizer_state_dict", OPTIMIZER, STATE_DICT),
    (At::Any, "lora_", "a low-rank addition to a weight (LoRA)", "merge it into the weight before saving"),
    (At::Any, "parametrizations", "a parametrised weight", "remove the parametrisation before saving"),
    (
        At::Unnamed,
        "embed embed_ _embed embedding embeddings _embedding _embeddings _emb",
        "an embedding",
        ALONE,
    ),
    (At::Unnamed, "wte wpe", "an embedding", ALONE),
    (At::Unnamed, "q_proj k_proj v_proj qkv c_attn in_proj", ATTENTION, ALONE),
    (At::Last, "in_proj_ q_proj_ k_proj_ v_proj_ bias_k bias_v", ATTENTION, ALONE),
    (At::Last, "weight_ih weight_hh weight_hr bias_ih bias_hh", "part of a recurrent layer", ALONE),
    (At::Last, "weight_g weight_v", "part of a weight under weight normalisation", "remove it before saving"),
    (
        At::Last,
        "weight_orig weight_mask weight_u bias_orig bias_mask",
        "part of a pruned or spectrally normalised weight",
        "remove the pruning or normalisation before saving",
    ),
    (
        At::Last,
        "running_mean running_var num_batches_tracked moving_mean moving_var",
        "a buffer of batch normalisation",
        FOLD,
    ),
    (At::Last, "gamma beta", "part of a normalisation layer", ALONE),
    (
        At::Last,
        "qweight qzeros scales g_idx zero_point absmax scb weight_scale weight_packed weight_zero_point",
        "part of quantised weights",
        "save the weights as the numbers that they stand for",
    ),
    (At::Last, "scale", "part of a normalisation layer or of quantised weights", ALONE),
    (
        At::Last,
        "kernel",
        "a weight of Keras or Flax, which is stored as (inputs, outputs)",
        "save its transpose as NAME.weight",
    ),
    (At::Last, "step epoch iteration global_step", "state of the training", REMOVE),
];

/// Checks that all tensors are weights and biases of linear layers. `given`: the user named the layers, and may use a name
/// that embeddings have too.
///
/// **Errors** a [`ParseError`] at the first tensor whose shape is not that of a linear layer; if there is none, at the
/// first whose name is known to be something else; if there is none, at the first that is not named weight or bias.
pub(super) fn check(tensors: &BTreeMap<&str, &TensorInfo>, given: bool) -> Result<(), ParseError> {
    let by_shape = tensors.iter().find_map(|(name, info)| {
        let (prefix, suffix) = split(name);
        let beside = |suffix| tensors.get_key_value(full_name(prefix, suffix).as_str());
        let reason =
            of_shape(&info.shape, beside("running_mean"), beside(BIAS)).filter(|_| suffix == WEIGHT)?;
        Some((name, reason))
    });
    let no_layer = |name: &str| match split(name).1 {
        WEIGHT | BIAS => "",
        _ => "no weight or bias of a layer: ",
    };
    let by_name = || {
        let reason = |(what, way)| format!("{what}; {way}");
        let (name, reason) = tensors.keys().find_map(|name| Some((name, known(name, given).map(reason)?)))?;
        Some((name, no_layer(name).to_owned() + &reason))
    };
    let unknown = || {
        let (name, info) = tensors.iter().find(|(name, _)| !no_layer(name).is_empty())?;
        let scalar = info.shape.is_empty();
        let what = if scalar { "a single number" } else { "expected a name ending in .weight or .bias" };
        Some((name, format!("{}{what}; {REMOVE} if it is no part of the network", no_layer(name))))
    };
    match by_shape.or_else(by_name).or_else(unknown) {
        Some((name, reason)) => Err(ParseError::new(tensor(name), reason)),
        None => Ok(()),
    }
}

type Beside<'a> = Option<(&'a &'a str, &'a &'a TensorInfo)>;

/// Why a weight of this shape is none of a linear layer.
fn of_shape(shape: &[usize], mean: Beside<'_>, bias: Beside<'_>) -> Option<String> {
    let what = match (shape, mean, bias) {
        ([0, _] | [_, 0], ..) => return Some(format!("shape {}, expected no zero", shape_text(shape))),
        ([_, _], _, Some((_, bias))) if bias.shape == shape => {
            format!("a normalisation layer, with a bias of this shape; {ALONE}")
        }
        ([_, _], ..) => return None,
        ([], ..) => format!("a single number; {REMOVE}"),
        ([_], Some((mean, _)), _) => format!("batch normalisation, with {} beside it; {FOLD}", quote(mean)),
        ([_], ..) => format!("a normalisation layer (or PReLU), with one number for each unit; {ALONE}"),
        ([_, _, _, ..], ..) if shape.len() < 6 => format!("a convolution; {ALONE}"),
        _ => ALONE.to_owned(),
    };
    Some(format!("shape {}, expected (outputs, inputs): {what}", shape_text(shape)))
}

/// What a name tells.
fn known(name: &str, given: bool) -> Option<(&'static str, &'static str)> {
    let name = name.to_lowercase();
    let name = name.strip_suffix(":0").unwrap_or(&name);
    let parts: Vec<&str> = name.split(['.', '/']).collect();
    let stands = |at: At, pattern: &str| match at {
        At::Last => parts.last().is_some_and(|last| last.starts_with(pattern)),
        At::Unnamed if given => false,
        At::Any | At::Unnamed => {
            let start = |part: &str| pattern.ends_with('_') && part.starts_with(pattern);
            let end = |part: &str| pattern.starts_with('_') && part.ends_with(pattern);
            parts.iter().any(|part| *part == pattern || start(part) || end(part))
        }
    };
    let row =
        NAMES.iter().find(|(at, patterns, ..)| patterns.split(' ').any(|pattern| stands(*at, pattern)))?;
    Some((row.2, row.3))
}
