//! Notes below a table: why a number is missing, whether a layer is dead, whether the inputs have unit scale.

use crate::error::Result;
use crate::network::Model;
use crate::samples::Rows;
use agop_core::activation::{Activation, AnyActivation};
use agop_core::matrix::MatRef;
use agop_core::scalar::Real;
use agop_core::simd::Level;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A number in few characters: with `digits` decimals, or in scientific notation if it is very small or large. `-` for
/// `None`.
pub(crate) fn number(x: Option<f64>, digits: usize) -> String {
    match x {
        None => "-".to_owned(),
        Some(x) if x == 0.0 || (1e-4..1e5).contains(&x.abs()) => format!("{x:.digits$}"),
        Some(x) => format!("{x:.3e}"),
    }
}

/// A name from a file in at most `width` characters, control characters escaped, the middle cut out where it is longer.
pub(crate) fn cut(name: &str, width: usize) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let shown: Vec<char> = name.chars().map(escape).collect::<String>().chars().collect();
    let (head, tail) = (width.saturating_sub(2) / 2, width.saturating_sub(1) / 2);
    if shown.len() <= width {
        return shown.into_iter().collect();
    }
    let end = shown.iter().skip(shown.len() - tail);
    shown.iter().take(head).chain(&['.', '.']).chain(end).collect()
}

/// Reasons of missing numbers, each with all places where it holds.
#[derive(Debug, Default)]
pub(crate) struct Reasons(BTreeMap<(String, String), Vec<String>>);

impl Reasons {
    /// Notes that `what` is missing at `place`.
    pub(crate) fn add(&mut self, what: impl Into<String>, place: impl Into<String>, reason: &str) {
        self.0.entry((what.into(), reason.to_owned())).or_default().push(place.into());
    }

    /// Notes those of `columns`, keys with their headings, whose reason a block at `place` gives in `why`.
    pub(crate) fn add_block(
        &mut self,
        name: &str,
        place: &str,
        why: &BTreeMap<String, String>,
        columns: &[(&str, &str)],
    ) {
        let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (key, heading) in columns {
            if let Some(reason) = why.get(*key) {
                missing.entry(reason).or_default().push(heading);
            }
        }
        for (reason, headings) in missing {
            self.add(format!("{name} {}", headings.join(", ")).trim(), place, reason);
        }
    }

    /// A line for each reason.
    pub(crate) fn lines(&self) -> String {
        let mut out = String::new();
        for ((what, reason), places) in &self.0 {
            let _ = writeln!(out, "- {what} ({}): {reason}", places.join(", "));
        }
        out
    }
}

/// The hidden layers whose units are zero on all samples.
/// None of a network of maps: the correlations of a dead layer say so themselves.
///
/// **Shapes** inputs (n x d), d the width of the network's input.
///
/// # Errors
/// As [`Model::forward`].
pub(crate) fn dead_layers<T: Real>(
    level: Level,
    model: &Model<T, AnyActivation>,
    inputs: impl Rows<T>,
) -> Result<Vec<usize>> {
    const ROWS: usize = 1024;
    if !model.architecture().is_dense() {
        return Ok(Vec::new());
    }
    let layers = single_layers(model)?;
    let hidden = layers.len() - 1;
    let mut alive = vec![false; hidden];
    let phi = model.activation();
    let mut start = 0;
    // Few samples show that a layer lives.
    while start < inputs.rows() && alive.contains(&false) {
        let end = Ord::min(start + ROWS, inputs.rows());
        let mut chunk = Vec::new();
        let copied = inputs.each(start..end, &mut Vec::new(), &mut |_, x| {
            chunk.extend(x.elements().copied());
            Ok(())
        });
        copied.map_err(Into::into)?;
        let (mut x, rows) = (chunk, end - start);
        for (layer, alive) in layers.iter().zip(&mut alive) {
            x = layer.forward(level, MatRef::new(&x, rows, x.len() / rows)?)?;
            phi.apply(level, &mut x);
            *alive |= x.iter().any(|x| *x != T::zero());
        }
        start = end;
    }
    Ok((0..hidden).zip(alive).filter(|(_, alive)| !alive).map(|(layer, _)| layer).collect())
}

/// Each layer of a network as a network without hidden ones.
///
/// # Errors
/// None for a model that was made by [`Model::new`].
pub(crate) fn single_layers<T: Real>(
    model: &Model<T, AnyActivation>,
) -> Result<Vec<Model<T, AnyActivation>>> {
    let layer = |span: agop_core::network::LayerSpan| {
        let end = if span.bias { span.bias_range().end } else { span.weights_range().end };
        let parameters = model.parameters().get(span.weights_range().start..end).unwrap_or_default();
        let widths = vec![span.inputs, span.outputs];
        Ok(Model::new(widths, span.bias, model.activation(), parameters.to_vec())?)
    };
    model.shape()?.spans().map(layer).collect()
}

/// What to say of inputs whose root mean square is not within [0.05, 20]; `remedy` says what to do.
pub(crate) fn scale_of_inputs(rms: f64, remedy: &str) -> Option<String> {
    match rms {
        0.0 => Some("all inputs are zero".to_owned()),
        0.05..=20.0 => None,
        _ => {
            let rms = number(Some(rms), 2);
            Some(format!("the inputs have root mean square {rms}, far from 1: {remedy}"))
        }
    }
}

/// What to say of dead layers, by name; nothing where there are none.
pub(crate) fn dead(names: &[String]) -> Option<String> {
    let (is, its) = match names {
        [] => return None,
        [_] => ("is", "its"),
        _ => ("are", "their"),
    };
    let names = names.join(", ");
    Some(format!("{names} {is} dead: all {its} units are zero on all samples, so no gradient passes"))
}
