//! What does not agree is refused with its likely cause.

use super::{Case, phi};
use agop_core::activation::AnyActivation;
use agop_core::elementary::{exp, tanh};
use agop_tests::SplitMix64;

#[test]
fn another_activation_is_named() {
    for (index, activation) in AnyActivation::ALL.iter().enumerate() {
        let name = activation.name();
        let case = Case::new(10 + index as u64, &[6, 9, 8, 3], index % 2 == 0);
        let assumed = if name == "relu" { "tanh" } else { "relu" };
        let said = case.explained(case.outputs(phi(name)), &["--activation", assumed]);
        assert_eq!(said, format!("they agree when the activation is {name} (--activation {name})"));
    }
    let case = Case::new(20, &[6, 9, 8, 3], true);
    let leaky = |z: f64| if z > 0.0 { z } else { 0.01 * z };
    let elu = |z: f64| if z > 0.0 { z } else { exp(z) - 1.0 };
    let gelu =
        |z: f64| 0.5 * z * (1.0 + tanh((2.0 / std::f64::consts::PI).sqrt() * (z + 0.044715 * z * z * z)));
    let not = ", which --activation does not offer";
    let said = case.explained(case.outputs(leaky), &[]);
    assert_eq!(said, format!("they agree when the activation is leaky ReLU of slope 0.01{not}"));
    let said = case.explained(case.outputs(elu), &[]);
    assert_eq!(said, format!("they agree when the activation is ELU{not}"));
    // Beside the exact GELU, from which it differs by some 1e-4.
    let said = case.explained(case.outputs(gelu), &["--activation", "gelu"]);
    assert_eq!(said, format!("they agree when the activation is GELU by tanh{not}"));
}

fn softmax(z: &[f64]) -> Vec<f64> {
    let exps: Vec<f64> = z.iter().map(|z| exp(*z)).collect();
    let sum: f64 = exps.iter().sum();
    exps.iter().map(|e| e / sum).collect()
}

#[test]
fn what_follows_the_last_layer_is_named() {
    let case = Case::new(30, &[6, 9, 8, 3], true);
    let z = case.outputs(phi("relu"));
    let rows = |function: &dyn Fn(&[f64]) -> Vec<f64>| z.chunks_exact(3).flat_map(function).collect();
    let sigmoid = phi("sigmoid");
    for (outputs, name) in [
        (rows(&softmax), "a softmax"),
        (rows(&|z| z.iter().map(|z| sigmoid(*z)).collect()), "a sigmoid"),
        (rows(&|z| z.iter().map(|z| tanh(*z)).collect()), "a tanh"),
        (rows(&|z| z.iter().map(|z| phi("relu")(*z)).collect()), "the hidden layers' activation"),
    ] {
        let said = case.explained(outputs, &[]);
        assert_eq!(
            said,
            format!("they agree when {name} follows the last layer (save the outputs before it)")
        );
    }
}

#[test]
fn transposed_weights_and_other_orders_are_named() {
    let case = Case::new(40, &[6, 6, 6, 6, 2], true);
    let transposed = |case: &Case, layers: &[usize]| {
        let mut case = case.clone();
        for layer in layers {
            let weights = case.layers[*layer].0.clone();
            case.layers[*layer].0 = (0..36).map(|i| weights[i % 6 * 6 + i / 6]).collect();
        }
        case
    };
    for layers in [&[0, 1, 2][..], &[1], &[0, 2]] {
        let said = case.explained(transposed(&case, layers).outputs(phi("relu")), &[]);
        let names: Vec<String> = layers.iter().map(|layer| (2 * layer).to_string()).collect();
        let names = names.join(", ");
        assert_eq!(
            said,
            format!("they agree when the square weights of {names} are transposed (store outputs x inputs)")
        );
    }
    let mut swapped = case.clone();
    swapped.layers.swap(0, 2);
    let said = case.explained(swapped.outputs(phi("relu")), &[]);
    let order = "4, 2, 0, 6";
    let option = order.replace(", ", ",");
    assert_eq!(said, format!("they agree when the order of the layers is {order} (--layers {option})"));
    // Two causes at once.
    let said = case.explained(transposed(&swapped, &[0, 1, 2]).outputs(phi("tanh")), &[]);
    assert!(
        said.starts_with("none of the causes tried fits: transposed square weights, another order"),
        "{said}"
    );
    let said = case.explained(transposed(&case, &[1]).outputs(phi("tanh")), &[]);
    assert!(
        said.contains("weights of 2 are transposed")
            && said.ends_with("and the activation is tanh (--activation tanh)"),
        "{said}"
    );
}

#[test]
fn biases_are_named() {
    let case = Case::new(50, &[6, 8, 8, 2], true);
    for dropped in [&[0, 1, 2][..], &[1]] {
        let mut without = case.clone();
        dropped.iter().for_each(|layer| without.layers[*layer].1 = vec![]);
        let said = case.explained(without.outputs(phi("relu")), &[]);
        let names: Vec<String> = dropped.iter().map(|layer| (2 * layer).to_string()).collect();
        assert_eq!(said, format!("they agree when the biases of {} are not applied", names.join(", ")));
    }
    // The file has none, the framework had one after the readout.
    let mut file = Case::new(51, &[6, 8, 2], false);
    let z: Vec<f64> =
        file.outputs(phi("relu")).chunks_exact(2).flat_map(|z| [z[0] + 0.3, z[1] - 0.7]).collect();
    let said = file.explained(z.clone(), &[]);
    assert!(
        said.starts_with("they differ by a constant for each output: the bias of the last layer"),
        "{said}"
    );
    let said = file.explained(z.iter().map(|z| 2.0 * z).collect(), &[]);
    assert!(
        said.starts_with("they agree when outputs f are rescaled (2.0000 f + 0.6000; 2.0000 f + -1.4000)"),
        "{said}"
    );
    // One in a hidden layer cannot be found again.
    file.layers[0].1 = vec![0.5; 8];
    let outputs = file.outputs(phi("relu"));
    file.layers[0].1 = vec![];
    let said = file.explained(outputs, &[]);
    assert!(said.starts_with("none of the causes tried fits: another activation"), "{said}");
    assert!(said.ends_with("; the file holds no biases: save them too if the network has them"), "{said}");
}

#[test]
fn scaled_inputs_are_named() {
    let mut case = Case::new(60, &[6, 8, 2], true);
    case.x.iter_mut().for_each(|x| *x = (128.0 + 50.0 * *x).round());
    let scaled = |scale: &dyn Fn(usize, f64) -> f64| {
        let mut case = case.clone();
        case.x.iter_mut().enumerate().for_each(|(i, x)| *x = scale(i % 6, *x));
        case.outputs(phi("relu"))
    };
    let column = |j: usize| case.x.iter().skip(j).step_by(6);
    let mean = |j: usize| column(j).sum::<f64>() / 40.0;
    let deviation =
        |j: usize, n: f64| (column(j).map(|x| (x - mean(j)) * (x - mean(j))).sum::<f64>() / n).sqrt();
    let mean_of_all = case.x.iter().sum::<f64>() / 240.0;
    let squares = case.x.iter().map(|x| (x - mean_of_all) * (x - mean_of_all)).sum::<f64>();
    for (outputs, name) in [
        (scaled(&|_, x| x / 255.0), "divided by 255"),
        (scaled(&|_, x| x / 127.5 - 1.0), "taken from 0..255 to -1..1"),
        (
            scaled(&|j, x| (x - mean(j)) / deviation(j, 40.0)),
            "standardised, each column by its mean and standard deviation",
        ),
        (
            scaled(&|j, x| (x - mean(j)) / deviation(j, 39.0)),
            "standardised, each column by its mean and standard deviation (n - 1)",
        ),
        (
            scaled(&|_, x| (x - mean_of_all) / (squares / 240.0).sqrt()),
            "standardised, all by one mean and standard deviation",
        ),
        (scaled(&|_, x| (x / 255.0 - 0.1307) / 0.3081), "normalised as (x / 255 - 0.1307) / 0.3081"),
    ] {
        let said = case.explained(outputs, &[]);
        assert_eq!(
            said,
            format!("they agree when the inputs are {name} (give --data as the network takes them)")
        );
    }
    // With another activation at once.
    let mut small = case.clone();
    small.x.iter_mut().for_each(|x| *x /= 255.0);
    let said = case.explained(small.outputs(phi("gelu")), &[]);
    assert!(
        said.contains("the activation is gelu") && said.contains("and the inputs are divided by 255"),
        "{said}"
    );
}

#[test]
fn residual_connections_are_named() {
    let case = Case::new(70, &[6, 8, 8, 8, 2], true);
    let relu = phi("relu");
    let outer = |x: &[f64], h: Vec<f64>| -> Vec<f64> {
        let square = x.len() == h.len();
        h.iter().enumerate().map(|(i, h)| relu(*h) + if square { x[i] } else { 0.0 }).collect()
    };
    let said = case.explained(case.outputs_with(outer), &[]);
    assert_eq!(
        said,
        "they agree when square hidden layers give x + phi(W x): a residual network, not the chain measured here"
    );
    let inner = |x: &[f64], h: Vec<f64>| -> Vec<f64> {
        let square = x.len() == h.len();
        h.iter().enumerate().map(|(i, h)| relu(*h + if square { x[i] } else { 0.0 })).collect()
    };
    assert!(case.explained(case.outputs_with(inner), &[]).contains("phi(x + W x)"));
}

#[test]
fn rearranged_outputs_are_named() {
    let case = Case::new(80, &[6, 8, 3], true);
    let z = case.outputs(phi("relu"));
    let rows: Vec<&[f64]> = z.chunks_exact(3).collect();
    let shuffled = (0..40).flat_map(|i| rows[i * 7 % 40].to_vec()).collect();
    let said = case.explained(shuffled, &[]);
    assert_eq!(said, "they agree when the rows are taken in another order: save both files unshuffled");
    let columns = rows.iter().flat_map(|row| [row[2], row[0], row[1]]).collect();
    assert_eq!(case.explained(columns, &[]), "they agree when the columns are taken in the order [2, 0, 1]");
}

/// Outputs of coarser arithmetic are no other network, but not those of this one to the stated digits either.
#[test]
fn coarser_arithmetic_is_named() {
    let case = Case::new(90, &[6, 8, 3], true);
    let z = case.outputs(phi("relu"));
    let rounded = |unit: f64| z.iter().map(|z| (z / unit).round() * unit).collect::<Vec<f64>>();
    let said = case.explained(rounded(1e-6), &[]);
    assert_eq!(
        said,
        "they agree within 1e-4, the tolerance of f32: save them as float32 if they were computed so"
    );
    assert!(
        case.explained(rounded(1e-2), &[]).starts_with("they agree within 1e-2, as outputs computed in half")
    );
}

/// No cause explains random numbers, and none is made up for few of them.
#[test]
fn nothing_is_made_up() {
    for samples in [1, 2, 5, 40] {
        for seed in 0..5 {
            let mut case = Case::new(100 + seed, &[4, 4, 4, 1], true);
            case.samples = samples;
            case.x.truncate(4 * samples);
            let said = case.explained(SplitMix64::new(seed).normals(samples), &[]);
            assert!(said.starts_with("none of the causes tried fits: ") || samples == 1, "{samples} {said}");
        }
    }
}
