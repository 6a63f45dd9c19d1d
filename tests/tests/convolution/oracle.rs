//! A network of maps by its definition, one number after another, on any scalar.

use agop_core::network::{Follow, Layer, Map, Transform, Window};
use agop_core::scalar::Scalar;
use std::num::NonZeroU64;

/// What is added to one number on the way, to see how the outputs move.
pub(crate) enum Push<T> {
    Nothing,
    /// To a pre-activation of a layer: channel by channel, row by row.
    Output(usize, usize, T),
    /// To entry `(ci r + a) s + b` of the patch at a position of a layer.
    Patch(usize, usize, usize, T),
}

/// The outputs for an input x; phi is the activation.
pub(crate) fn outputs<T: Scalar>(
    input: Map,
    layers: &[Layer],
    parameters: &[T],
    x: &[T],
    phi: impl Fn(T) -> T,
    push: &Push<T>,
) -> Vec<T> {
    let (mut map, mut x, mut rest) = (input, x.to_vec(), parameters);
    for (at, layer) in layers.iter().enumerate() {
        let (window, kind) = match layer.transform {
            Transform::Convolution { outputs, window, bias } => (window, Some((outputs, bias))),
            Transform::Linear { outputs, bias } => {
                (Window::new([map.rows, map.columns]), Some((outputs, bias)))
            }
            Transform::MaxPool(size) | Transform::AveragePool(size) => (Window::tiles(size), None),
            _ => unreachable!("no other layers"),
        };
        let [rows, columns] = window.fits(map);
        let channels = kind.map_or(map.channels, |(outputs, _)| outputs);
        let d = map.channels * window.size[0] * window.size[1];
        let mut out = Vec::new();
        for k in 0..channels {
            for position in 0..rows * columns {
                let (i, j) = (position / columns, position % columns);
                let entry = |ci: usize, a: usize, b: usize| {
                    let y = (i * window.stride[0] + a * window.dilation[0]).checked_sub(window.padding[0]);
                    let z = (j * window.stride[1] + b * window.dilation[1]).checked_sub(window.padding[1]);
                    match (y, z) {
                        (Some(y), Some(z)) if y < map.rows && z < map.columns => {
                            x[(ci * map.rows + y) * map.columns + z].clone()
                        }
                        _ => T::zero(),
                    }
                };
                let places = || (0..window.size[0]).flat_map(|a| (0..window.size[1]).map(move |b| (a, b)));
                let value = match (kind, layer.transform) {
                    (Some((outputs, bias)), _) => {
                        let mut sum = if bias { rest[outputs * d + k].clone() } else { T::zero() };
                        for ci in 0..map.channels {
                            for (a, b) in places() {
                                let index = (ci * window.size[0] + a) * window.size[1] + b;
                                let mut u = entry(ci, a, b);
                                if let Push::Patch(layer, p, e, by) = push
                                    && (*layer, *p, *e) == (at, position, index)
                                {
                                    u = u + by.clone();
                                }
                                sum = sum + rest[k * d + index].clone() * u;
                            }
                        }
                        sum
                    }
                    (None, Transform::AveragePool(_)) => {
                        let sum = places().fold(T::zero(), |sum, (a, b)| sum + entry(k, a, b));
                        sum.divide_by(NonZeroU64::new((window.size[0] * window.size[1]) as u64).unwrap())
                    }
                    _ => {
                        let values = places().map(|(a, b)| entry(k, a, b));
                        values.reduce(|best, x| if x.exceeds(&best) { x } else { best }).unwrap()
                    }
                };
                let value = match push {
                    Push::Output(layer, unit, by) if (*layer, *unit) == (at, out.len()) => value + by.clone(),
                    _ => value,
                };
                out.push(value);
            }
        }
        if let Some((outputs, bias)) = kind {
            rest = &rest[outputs * d + if bias { outputs } else { 0 }..];
        }
        x = match layer.follow {
            Follow::Nothing => out,
            _ => out.into_iter().map(&phi).collect(),
        };
        map = Map::new(channels, rows, columns);
    }
    x
}
