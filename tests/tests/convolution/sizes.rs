//! What is no network of maps, and how large one is.

use crate::fixture::convolution;
use agop_core::activation::{AnyActivation, Relu};
use agop_core::error::Error;
use agop_core::network::{Follow, Layer, Map, Network, Shape, Transform, Window};

const LAST: Layer =
    Layer { transform: Transform::Linear { outputs: 2, bias: false }, follow: Follow::Nothing };

fn refused(input: Map, layers: &[Layer]) -> (&'static str, usize) {
    match Shape::of_maps(input, layers) {
        Err(Error::Architecture { reason, at }) => (reason, at),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn what_is_no_network_is_refused_by_layer() {
    let map = Map::new(1, 4, 5);
    let window = |size| convolution(3, Window::new(size), Follow::Own);
    let none = "no window fits into the map";
    for size in [[5, 1], [1, 6], [0, 1], [1, 0], [usize::MAX, 1]] {
        assert_eq!(refused(map, &[window([1, 1]), window(size), LAST]), (none, 1), "{size:?}");
    }
    for broken in [Window::new([1, 1]).stride([0, 1]), Window::new([1, 1]).dilation([1, 0])] {
        assert_eq!(refused(map, &[convolution(3, broken, Follow::Own), LAST]), (none, 0));
    }
    let pool = |size| Layer { transform: Transform::MaxPool(size), follow: Follow::Nothing };
    assert_eq!(refused(map, &[pool([5, 5]), LAST]), (none, 0));
    assert_eq!(refused(map, &[pool([2, 2])]), ("no layer has weights", 1));
    assert_eq!(refused(map, &[]), ("no layer has weights", 0));
    assert_eq!(refused(Map::new(0, 4, 5), &[LAST]), ("the input has no values", 0));
    assert_eq!(
        refused(map, &[convolution(0, Window::new([1, 1]), Follow::Own), LAST]),
        ("a layer without outputs", 0)
    );
    assert_eq!(refused(map, &[window([1, 1])]), ("an activation follows the last layer", 0));
    let large = "too large for memory";
    let far = Window::new([1, 1]).padding([usize::MAX / 2, 0]).stride([usize::MAX / 2, 1]);
    assert_eq!(refused(map, &[convolution(1, far, Follow::Own), LAST]), (large, 0));
    assert_eq!(refused(Map::new(1, usize::MAX, 2), &[LAST]), (large, 0));
    assert_eq!(refused(map, &[convolution(usize::MAX, Window::new([1, 1]), Follow::Own), LAST]), (large, 1));
}

/// A name that the network's type cannot take is an error, not another function.
#[test]
fn a_named_activation_needs_a_network_of_any() {
    let named = convolution(1, Window::new([1, 1]), Follow::Named(AnyActivation::Tanh));
    let layers = [named, LAST];
    let shape = Shape::of_maps(Map::new(1, 2, 2), &layers).unwrap();
    let w = vec![0.5; shape.parameters()];
    let found = Network::new(shape, Relu, &w);
    assert!(matches!(found, Err(Error::Architecture { at: 0, .. })), "{found:?}");
    assert!(Network::new(shape, AnyActivation::Relu, &w).is_ok());
}

/// Sizes by hand: a 5 x 5 image, 2 channels of 3 x 3 patches, pooled to 1 x 1.
#[test]
fn sizes_are_the_documented_ones() {
    let layers = [
        convolution(2, Window::new([3, 3]), Follow::Own),
        Layer { transform: Transform::MaxPool([3, 3]), follow: Follow::Nothing },
        LAST,
    ];
    let shape = Shape::of_maps(Map::new(1, 5, 5), &layers).unwrap();
    assert_eq!((shape.inputs(), shape.outputs(), shape.layers(), shape.hidden_layers()), (25, 2, 2, 1));
    assert_eq!((shape.parameters(), shape.ptk_values()), (2 * 9 + 2 + 2 * 2, 4));
    // Outputs 18, 2 and 2, slopes 18; patches 9 x 9.
    assert_eq!((shape.gradient_workspace(1), shape.gradient_workspace(3)), (40 + 81, 120 + 81));
    assert_eq!(shape.jacobian_workspace(1), 40 + 2 * 2 * 18 + 81);
}
