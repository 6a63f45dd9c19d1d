//! Networks in words: `conv 6 3x3 pad 1, tanh, maxpool 2, flatten, linear 10`.

use crate::error::{Error, Result};
use agop_core::activation::AnyActivation;
use agop_core::error::Error as CoreError;
use agop_core::network::{Follow, Layer, Map, Shape, Transform, Window};
use std::fmt;
use std::path::Path;

/// The layers of a network and the size of its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    input: Map,
    layers: Vec<Layer>,
}

/// The words of a network, before the size of its input is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    input: Option<Map>,
    layers: Vec<Layer>,
}

const FORMS: &str = "input CxHxW, conv K RxS [stride A[xB]] [pad A[xB]] [dilation A[xB]], maxpool N, avgpool N, flatten, linear N \
                     and the names of activations";

/// A network as a TOML file gives it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// `CxHxW`.
    input: Option<String>,
    /// The parts in order.
    layers: Vec<String>,
}

impl Words {
    /// Reads a network in words, or from a file whose name ends in `.toml`: `layers`, an array of the parts, and `input`.
    ///
    /// # Errors
    /// Files that cannot be read or are no such TOML; all that [`Words::parse`] can say.
    pub fn read(given: &str, bias: bool) -> Result<Self> {
        if !given.ends_with(".toml") {
            return Self::parse(given, bias).map_err(|reason| Error::Usage(format!("--network: {reason}")));
        }
        let path = Path::new(given);
        let bytes = crate::file::read(path)?;
        let text =
            str::from_utf8(&bytes).map_err(|_| Error::input(path, "byte 0", "text that is not UTF-8"))?;
        let file: File = toml::from_str(text)
            .map_err(|error| Error::input(path, "network", error.message().to_owned()))?;
        let input = file.input.map(|input| format!("input {input}"));
        let parts: Vec<String> = input.into_iter().chain(file.layers).collect();
        Self::parse(&parts.join(", "), bias).map_err(|reason| Error::input(path, "layers", reason))
    }

    /// Reads a network in words, parts between commas.
    ///
    /// **Errors** what is wrong with which part.
    pub fn parse(text: &str, bias: bool) -> std::result::Result<Self, String> {
        let (mut input, mut layers, mut flat) = (None, Vec::<Layer>::new(), false);
        for (index, part) in text.split(',').enumerate() {
            let wrong = |reason: String| format!("part {} of the network, {part:?}: {reason}", index + 1);
            let words: Vec<&str> = part.split_whitespace().collect();
            let transform = match words.as_slice() {
                ["input", size] if layers.is_empty() && input.is_none() && !flat => {
                    let sizes: Option<Vec<usize>> = size.split('x').map(|n| n.parse().ok()).collect();
                    let map = match sizes.as_deref() {
                        Some(&[channels, rows, columns]) => Map::new(channels, rows, columns),
                        Some(&[width]) => Map::vector(width),
                        _ => return Err(wrong("expected input CxHxW, as in input 1x28x28".into())),
                    };
                    input = Some(map);
                    continue;
                }
                ["flatten"] => {
                    flat = true;
                    continue;
                }
                ["linear", outputs] => {
                    let outputs = number(outputs).map_err(wrong)?;
                    let mapped =
                        layers.iter().any(|layer| !matches!(layer.transform, Transform::Linear { .. }));
                    if mapped && !flat {
                        return Err(wrong("a linear layer takes a vector: put flatten before it".into()));
                    }
                    flat = true;
                    Transform::Linear { outputs, bias }
                }
                [kind @ ("conv" | "maxpool" | "avgpool"), ..] if flat => {
                    return Err(wrong(format!(
                        "{kind} takes a map, and there is none after flatten or linear"
                    )));
                }
                ["conv", outputs, size, options @ ..] => Transform::Convolution {
                    outputs: number(outputs).map_err(wrong)?,
                    window: window(pair(size).map_err(wrong)?, options).map_err(wrong)?,
                    bias,
                },
                ["maxpool", size] => Transform::MaxPool(pair(size).map_err(wrong)?),
                ["avgpool", size] => Transform::AveragePool(pair(size).map_err(wrong)?),
                [name] if let Some(activation) = AnyActivation::from_name(name) => {
                    let Some(layer) = layers.last_mut() else {
                        return Err(wrong(
                            "an activation follows a layer, and there is none before it".into(),
                        ));
                    };
                    if layer.follow != Follow::Nothing {
                        return Err(wrong("a second activation follows one layer".into()));
                    }
                    layer.follow = match activation {
                        AnyActivation::Linear => Follow::Nothing,
                        other => Follow::Named(other),
                    };
                    continue;
                }
                _ => {
                    let names = AnyActivation::ALL
                        .iter()
                        .map(|activation| activation.name())
                        .collect::<Vec<_>>()
                        .join(", ");
                    return Err(wrong(format!("expected {FORMS} ({names})")));
                }
            };
            layers.push(Layer { transform, follow: Follow::Nothing });
        }
        Ok(Self { input, layers })
    }

    /// The network on samples of this shape: (channels, rows, columns), (rows, columns) or (values).
    ///
    /// **Errors** samples that are no maps where the words need one, or another size than `input` says.
    pub fn on(self, sample: &[usize]) -> std::result::Result<Architecture, String> {
        let values: usize = sample.iter().product();
        let found = match *sample {
            [channels, rows, columns] => Some(Map::new(channels, rows, columns)),
            [rows, columns] => Some(Map::new(1, rows, columns)),
            [width]
                if self.layers.iter().all(|layer| matches!(layer.transform, Transform::Linear { .. })) =>
            {
                Some(Map::vector(width))
            }
            _ => None,
        };
        let input = match (self.input, found) {
            (Some(given), _) if given.values() != values => {
                return Err(format!("input has {} values, the samples have {values}", given.values()));
            }
            (Some(given), _) => given,
            (None, Some(map)) => map,
            (None, None) => {
                return Err(format!(
                    "the samples are {values} numbers in a row: begin the network with input CxHxW, as in input 1x28x28"
                ));
            }
        };
        let made = Architecture { input, layers: self.layers };
        made.shape().map_err(|error| error.to_string())?;
        Ok(made)
    }
}

fn number(word: &str) -> std::result::Result<usize, String> {
    word.parse()
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| format!("expected a number above zero, found {word:?}"))
}

/// `A` or `AxB`: along rows and along columns.
fn pair(word: &str) -> std::result::Result<[usize; 2], String> {
    let (a, b) = word.split_once('x').unwrap_or((word, word));
    match (a.parse(), b.parse()) {
        (Ok(a), Ok(b)) => Ok([a, b]),
        _ => Err(format!("expected A or AxB, as in 3x3, found {word:?}")),
    }
}

fn window(size: [usize; 2], options: &[&str]) -> std::result::Result<Window, String> {
    let (mut window, mut seen) = (Window::new(size), Vec::new());
    for option in options.chunks(2) {
        let [name, value] = option else { return Err(format!("{} has no number", option.join(" "))) };
        if seen.contains(name) {
            return Err(format!("{name} is given twice"));
        }
        seen.push(name);
        let value = pair(value)?;
        window = match *name {
            "stride" => window.stride(value),
            "pad" => window.padding(value),
            "dilation" => window.dilation(value),
            other => return Err(format!("expected stride, pad or dilation, found {other:?}")),
        };
    }
    Ok(window)
}

impl Architecture {
    /// A fully connected network (inputs, hidden widths, outputs), its hidden layers followed by the network's activation.
    pub fn dense(widths: &[usize], bias: bool) -> Self {
        let (input, outputs) = widths.split_first().map_or((0, widths), |(first, rest)| (*first, rest));
        let last = outputs.len().saturating_sub(1);
        let layers = outputs.iter().enumerate().map(|(at, &outputs)| Layer {
            transform: Transform::Linear { outputs, bias },
            follow: if at < last { Follow::Own } else { Follow::Nothing },
        });
        Self { input: Map::vector(input), layers: layers.collect() }
    }

    /// The shape on which the core works.
    ///
    /// **Errors** [`CoreError::Architecture`].
    pub fn shape(&self) -> std::result::Result<Shape<'_, true>, CoreError> {
        Shape::of_maps(self.input, &self.layers)
    }

    /// Whether it is fully connected.
    pub fn is_dense(&self) -> bool {
        self.layers.iter().all(|layer| matches!(layer.transform, Transform::Linear { .. }))
    }

    /// Positions of a hidden layer: one, but for convolutions.
    pub fn positions(&self, layer: usize) -> usize {
        self.shape().ok().and_then(|shape| shape.positions(layer)).unwrap_or(1)
    }

    /// The same with or without biases.
    #[must_use]
    pub fn with_bias(mut self, with: bool) -> Self {
        for layer in &mut self.layers {
            if let Transform::Convolution { bias, .. } | Transform::Linear { bias, .. } = &mut layer.transform
            {
                *bias = with;
            }
        }
        self
    }

    /// The one activation that its layers name; `None` where they differ or name none.
    pub fn activation(&self) -> Option<AnyActivation> {
        let mut named = self.layers.iter().filter_map(|layer| match layer.follow {
            Follow::Named(name) => Some(name),
            _ => None,
        });
        let first = named.next()?;
        named.all(|name| name == first).then_some(first)
    }

    /// For each layer with weights the shape of its tensor as PyTorch stores it: (k, c, r, s) or (k, d).
    pub fn tensors(&self) -> Vec<Vec<usize>> {
        let Ok(shape) = self.shape() else { return Vec::new() };
        let weighted = self.layers.iter().filter_map(|layer| match layer.transform {
            Transform::Convolution { window, .. } => Some(Some(window)),
            Transform::Linear { .. } => Some(None),
            _ => None,
        });
        let tensor = |(window, span): (Option<Window>, agop_core::network::LayerSpan)| match window {
            Some(window) => {
                let places = window.places().max(1);
                vec![span.outputs, span.inputs / places, window.size[0], window.size[1]]
            }
            None => vec![span.outputs, span.inputs],
        };
        weighted.zip(shape.spans()).map(tensor).collect()
    }

    /// The layers in words, each with weights after its name: `conv1 conv 6 3x3 pad 1, tanh, fc1 linear 10`.
    pub fn named(&self, names: &[String]) -> String {
        let mut names = names.iter();
        let mut parts = Vec::new();
        for layer in &self.layers {
            let words = words(&layer.transform);
            let name = match layer.transform {
                Transform::Convolution { .. } | Transform::Linear { .. } => names.next(),
                _ => None,
            };
            parts.push(name.map_or_else(|| words.clone(), |name| format!("{name} {words}")));
            if let Follow::Named(activation) = layer.follow {
                parts.push(activation.name().to_owned());
            }
        }
        parts.join(", ")
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Map { channels, rows, columns, .. } = self.input;
        write!(f, "input {channels}x{rows}x{columns}, {}", self.named(&[]))
    }
}

fn words(transform: &Transform) -> String {
    let two = |[a, b]: [usize; 2]| if a == b { a.to_string() } else { format!("{a}x{b}") };
    match transform {
        Transform::Convolution { outputs, window, .. } => {
            let mut text = format!("conv {outputs} {}x{}", window.size[0], window.size[1]);
            for (name, value, plain) in
                [("stride", window.stride, 1), ("pad", window.padding, 0), ("dilation", window.dilation, 1)]
            {
                if value != [plain; 2] {
                    text += &format!(" {name} {}", two(value));
                }
            }
            text
        }
        Transform::Linear { outputs, .. } => format!("linear {outputs}"),
        Transform::MaxPool(size) => format!("maxpool {}", two(*size)),
        Transform::AveragePool(size) => format!("avgpool {}", two(*size)),
        _ => String::new(),
    }
}
