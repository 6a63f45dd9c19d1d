//! The order of layers: by all numbers of their names, by the shapes where one order alone fits, or as given; tied
//! tensors, missing biases and mixed types.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use agop::checkpoint::{self, Checkpoint, ScalarKind};
use agop_tests::command::{agop, fixture, json};
use agop_tests::weights::{tensors, typed};
use proptest::prelude::*;

fn names(network: &Checkpoint) -> Vec<&str> {
    network.layers.iter().map(|layer| layer.name.as_str()).collect()
}

/// A file of layers with these names and shapes, stored in another order.
fn file(layers: &[(&str, [usize; 2])]) -> Vec<u8> {
    let mut list: Vec<(String, [usize; 2])> = layers
        .iter()
        .map(|(name, shape)| (format!("{name}.weight").trim_start_matches('.').to_owned(), *shape))
        .collect();
    list.sort();
    list.reverse();
    tensors(&list.iter().map(|(name, shape)| (name.as_str(), &shape[..])).collect::<Vec<_>>())
}

#[track_caller]
fn read(layers: &[(&str, [usize; 2])]) {
    let expected: Vec<&str> = layers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names(&checkpoint::parse(&file(layers)).unwrap()), expected);
}

#[track_caller]
fn refused(bytes: &[u8], order: Option<&[&str]>, parts: &[&str]) {
    let order: Option<Vec<String>> = order.map(|names| names.iter().map(|&name| name.to_owned()).collect());
    let text = checkpoint::parse_in_order(bytes, order.as_deref()).unwrap_err().to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{text}\n{parts:?}");
}

/// Square layers: only names tell.
#[test]
fn all_numbers_from_left_to_right() {
    let cases: [&[&str]; 9] = [
        &["layer2", "layer10"],
        &["model.layers.0.mlp.0", "model.layers.0.mlp.2", "model.layers.1.mlp.0", "model.layers.1.mlp.2"],
        &["a1b2", "a1b3", "a2b4"],
        &["a1b2", "a1b3", "a2b2"],
        &["b3", "b99999999999999999999", "b100000000000000000000"],
        &["n3x", "n0007x", "n10x"],
        &["block1.linear1", "block2.linear2", "block3.linear5"],
        &["0", "1", "12"],
        &["net2.fc0", "net2.fc1"],
    ];
    for case in cases {
        read(&case.iter().map(|name| (*name, [3, 3])).collect::<Vec<_>>());
    }
}

/// The numbers say nothing that is certain; one chain fits.
#[test]
fn one_chain_that_fits() {
    read(&[("features.0", [4, 3]), ("features.2", [5, 4]), ("classifier.1", [2, 5])]);
    read(&[("fc2", [4, 3]), ("out", [2, 4])]);
    read(&[("encoder", [4, 3]), ("dense", [5, 4]), ("head", [1, 5])]);
    read(&[("z.7", [4, 3]), ("a.8", [2, 4])]);
    read(&[("Fc2", [4, 3]), ("fc1", [2, 4])]);
    read(&[("block1.lin2", [4, 3]), ("block2.lin1", [5, 4]), ("block3.lin3", [1, 5])]);
    read(&[("b.01", [4, 3]), ("b.1", [2, 4])]);
    read(&[("", [4, 3]), ("a", [2, 4])]);
    // Widths that come back: out and back again closes in one way only.
    read(&[("a", [4, 3]), ("loop", [4, 4]), ("b", [2, 4])]);
    read(&[("d", [4, 3]), ("c", [5, 4]), ("b", [4, 5]), ("a", [2, 4])]);
}

#[test]
fn what_is_not_certain_is_refused() {
    let square = [3, 3];
    let bytes = file(&[("a", square), ("b", square)]);
    let text = checkpoint::parse(&bytes).unwrap_err().to_string();
    assert_eq!(
        text,
        "layers: \"a\" has no number in its name, and more than one order fits the shapes (outputs, inputs): \"a\" (3, 3), \"b\" (3, 3); \
         give the order of the computation with --layers a,b,c"
    );
    let several = "more than one order fits the shapes";
    refused(
        &file(&[("fc2", square), ("out", square)]),
        None,
        &["\"out\" has no number", several, "--layers a,b,c"],
    );
    refused(&file(&[("a.1", square), ("a.01", square)]), None, &["have the same numbers", several]);
    refused(
        &file(&[("a.0", square), ("b.1", square)]),
        None,
        &["\"a.0\" and \"b.1\" differ in more", several],
    );
    refused(&file(&[("fc1", square), ("FC2", square)]), None, &["differ in more than numbers", several]);
    refused(&file(&[("", square), ("0", square)]), None, &["\"\" has no number", several]);
    let turned = [("block1.lin2", square), ("block2.lin1", square)];
    refused(
        &file(&turned),
        None,
        &["all numbers and the last ones order \"block1.lin2\" and \"block2.lin1\" differently", several],
    );
    // Two ways round, a closed chain, none.
    let ways = [("a", [4, 3]), ("b", [3, 4]), ("c", [5, 3]), ("d", [3, 5])];
    refused(&file(&ways), None, &[several, "\"a\" (4, 3)"]);
    refused(&file(&[("in", [4, 3]), ("out", [3, 4])]), None, &[several]);
    refused(
        &file(&[("in", [4, 3]), ("out", [5, 7])]),
        None,
        &["no order fits the shapes", "\"in\" (4, 3), \"out\" (5, 7)"],
    );
    refused(&file(&[("q", [4, 3]), ("k", [4, 3]), ("o", [3, 4])]), None, &[several]);
    // The numbers say one order, the shapes fit another one only: stored as (inputs, outputs), or counted backwards.
    let reversed = file(&[("fc1", [3, 4]), ("fc2", [4, 2])]);
    refused(
        &reversed,
        None,
        &[
            "the numbers in their names say \"fc1\" (3, 4), \"fc2\" (4, 2)",
            "fit as \"fc2\" (4, 2), \"fc1\"",
            "transpose",
        ],
    );
    let reversed = [("fc1", [3, 4]), ("fc2", [4, 4]), ("fc3", [4, 4]), ("fc4", [4, 2])];
    refused(&file(&reversed), None, &["fit as \"fc4\" (4, 2), \"fc3\" (4, 4), \"fc2\"", "transpose"]);
    // Neither fits.
    refused(
        &file(&[("fc1", [3, 4]), ("fc2", [5, 2])]),
        None,
        &["tensor \"fc2.weight\": 2 inputs, expected the 3 outputs"],
    );
}

#[test]
fn the_order_that_is_given() {
    let bytes = file(&[("dense", [3, 3]), ("encoder", [3, 3]), ("head", [3, 3])]);
    let order = ["encoder", "dense", "head"].map(str::to_owned);
    assert_eq!(names(&checkpoint::parse_in_order(&bytes, Some(&order)).unwrap()), order);
    let has = "the file has \"dense\" (3, 3), \"encoder\" (3, 3), \"head\" (3, 3)";
    refused(&bytes, Some(&["encoder", "dense", "haed"]), &["layers: there is no layer \"haed\"", has]);
    refused(&bytes, Some(&["encoder", "dense", "head", "dense"]), &["layers: \"dense\" is given twice", has]);
    refused(&bytes, Some(&["encoder", "head"]), &["layers: \"dense\" is not given", has]);
    refused(&bytes, Some(&[]), &["layers: \"dense\" is not given", has]);
    let bytes = file(&[("0", [4, 3]), ("1", [2, 4])]);
    refused(
        &bytes,
        Some(&["1", "0"]),
        &["tensor \"0.weight\": 3 inputs, expected the 2 outputs of \"1.weight\""],
    );
    // The empty prefix has a name too, and a given layer may be called as embeddings are.
    let order = ["embed", ""].map(str::to_owned);
    let bytes = file(&[("embed", [3, 3]), ("", [3, 3])]);
    assert_eq!(names(&checkpoint::parse_in_order(&bytes, Some(&order)).unwrap()), order);
}

/// Neither a search nor a message grows with the number of orders.
#[test]
fn many_layers_are_refused_or_read_at_once() {
    let called: Vec<String> = (0..4000)
        .map(|n| {
            format!("{}x", "ab".repeat(1 + n % 7)) + &format!("{n:b}").replace('0', "p").replace('1', "q")
        })
        .collect();
    let same: Vec<_> = called.iter().map(|name| (name.as_str(), [1, 1])).collect();
    let text = checkpoint::parse(&file(&same)).unwrap_err().to_string();
    assert!(text.contains("(4000 layers)") && text.len() < 2000, "{text}");
    // 1 -> 2 -> ... -> 2000 -> 2001 -> 2000 would not be one chain; each width with a loop is.
    let mut chain: Vec<(&str, [usize; 2])> = Vec::new();
    for (n, pair) in called.chunks(2).take(300).enumerate() {
        chain.extend([(pair[0].as_str(), [n + 1, n + 1]), (pair[1].as_str(), [n + 2, n + 1])]);
    }
    read(&chain);
}

proptest! {
    /// Against all permutations.
    #[test]
    fn shapes_decide_where_one_order_fits(shapes in prop::collection::vec((1_usize..4, 1_usize..4), 2..7)) {
        let called: Vec<String> = (0..shapes.len()).map(|n| ["f", "c", "e", "a", "d", "b"][n].to_owned()).collect();
        let layers: Vec<(&str, [usize; 2])> =
            called.iter().zip(&shapes).map(|(name, &(o, i))| (name.as_str(), [o, i])).collect();
        let mut fitting = Vec::new();
        let mut orders = vec![vec![]];
        for _ in 0..layers.len() {
            orders = orders
                .iter()
                .flat_map(|order: &Vec<usize>| {
                    (0..layers.len()).filter(|n| !order.contains(n)).map(|n| [&order[..], &[n]].concat())
                })
                .collect();
        }
        for order in orders {
            if order.windows(2).all(|pair| layers[pair[0]].1[0] == layers[pair[1]].1[1]) {
                fitting.push(order);
            }
        }
        match (checkpoint::parse(&file(&layers)), fitting.as_slice()) {
            (Ok(network), [order]) => {
                prop_assert_eq!(names(&network), order.iter().map(|&n| layers[n].0).collect::<Vec<_>>());
            }
            (Err(error), fitting) => {
                prop_assert_ne!(fitting.len(), 1);
                let part = if fitting.is_empty() { "no order fits" } else { "more than one order fits" };
                prop_assert!(error.to_string().contains(part), "{}", error);
            }
            (Ok(_), _) => prop_assert!(false, "{} orders fit", fitting.len()),
        }
    }
}

/// The right values of networks that were once read in another order, or without a layer.
#[test]
fn fixtures_are_read_as_what_they_are() {
    let path = |name: &str| fixture(&format!("silent/{name}"));
    let straight = [0.7008808575419714, 0.7352887273769894, 0.5130066796163216];
    let tied = [0.7781178706634646, 0.5862298486274319, 0.5183046592630465];
    for (name, expected) in [("straight", straight), ("tied", tied), ("tied.spelled", tied)] {
        let file = path(&format!("{name}.safetensors"));
        let report = json(&["measure", "--init", &file, "--weights", &file, "--data", &path("x.npy")]);
        for (layer, expected) in report["layers"].as_array().unwrap().iter().zip(expected) {
            let found = layer["uncentered"]["cosine"].as_f64().unwrap();
            assert!((found - expected).abs() < 1e-12, "{name}: {found} {expected}");
        }
    }
    let [one, other] =
        ["tied", "tied.spelled"].map(|name| checkpoint::read(path(&format!("{name}.safetensors"))).unwrap());
    assert_eq!(one, other);

    let file = path("order.safetensors");
    let error = checkpoint::read(&file).unwrap_err().to_string();
    for part in ["\"block1.lin2\" (8, 8), \"block2.lin1\" (8, 8)", "\"head.lin4\" (2, 8)", "--layers a,b,c"] {
        assert!(error.contains(part), "{error}");
    }
    let order = ["block1.lin2", "block2.lin1", "block3.lin3", "head.lin4"].map(str::to_owned);
    let network = checkpoint::read_in_order(&file, Some(&order)).unwrap();
    let parameters = |network: &Checkpoint| network.parameters::<f64>().unwrap();
    assert_eq!(parameters(&network), parameters(&checkpoint::read(path("straight.safetensors")).unwrap()));
    assert_eq!(names(&network), order);

    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("y.npy");
    let samples = agop::dataset::npy::read(path("x.npy")).unwrap().shape[0];
    let directions: Vec<f64> = (0..2 * samples).map(|n| f64::from(n as u32 % 7) - 3.0).collect();
    agop::dataset::npy::write(&labels, samples, 2, &directions).unwrap();
    let labels = labels.display().to_string();
    let predict = |file: &str, more: &[&str]| {
        agop(
            &[&["predict", "--data", &path("x.npy"), "--labels", &labels, "--init", file, "--json"], more]
                .concat(),
        )
    };
    let given = predict(&file, &["--layers", &order.join(",")]);
    assert_eq!((given.code, given.messages.as_str()), (0, ""));
    assert_eq!(given.output, predict(&path("straight.safetensors"), &[]).output);
    assert_eq!(predict(&file, &[]).code, 2);
    let hidden =
        agop(&["predict", "--data", &path("x.npy"), "--labels", &labels, "--hidden", "4", "--layers", "a"]);
    assert!(
        hidden.code == 2 && hidden.messages.contains("cannot be used with '--layers <A,..>'"),
        "{}",
        hidden.messages
    );
}

#[test]
fn tied_tensors_have_all_their_names() {
    let (square, row) = ([1.0, 2.0, 3.0, 4.0_f32], [5.0, 6.0_f32]);
    let bytes = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let (square, row) = (bytes(&square), bytes(&row));
    let list: [(&str, &str, &[usize], &[u8]); 3] = [
        ("fc1.weight", "F32", &[2, 2], &square),
        ("fc1.bias", "F32", &[2], &row),
        ("fc9.weight", "F32", &[1, 2], &row),
    ];
    let tied =
        [("format", "pt"), ("fc2.weight", "fc1.weight"), ("fc2.bias", "fc1.bias"), ("note.weight", "heavy")];
    let network = checkpoint::parse(&typed(&tied, &list)).unwrap();
    assert_eq!(names(&network), ["fc1", "fc2", "fc9"]);
    let expected = [1., 2., 3., 4., 5., 6., 1., 2., 3., 4., 5., 6., 5., 6., 0.];
    assert_eq!(network.parameters::<f32>().unwrap(), expected);
    // A tensor that is stored is no alias.
    let network = checkpoint::parse(&typed(&[("fc9.weight", "fc1.weight")], &list)).unwrap();
    assert_eq!(names(&network), ["fc1", "fc9"]);
    let wrong = |metadata: &[(&str, &str)], parts: &[&str]| refused(&typed(metadata, &list), None, parts);
    let start = "tensor \"fc2.weight\": stands in __metadata__ for";
    wrong(&[("fc2.weight", "fc7.weight")], &[start, "\"fc7.weight\", which the file does not have"]);
    wrong(
        &[("fc2.weight", "fc3.weight"), ("fc3.weight", "fc1.weight")],
        &[start, "\"fc3.weight\", which is not stored either"],
    );
    wrong(&[("fc2.weight", "fc3.weight"), ("fc3.weight", "fc2.weight")], &["which is not stored either"]);
    wrong(&[("fc2.weight", "fc2.weight")], &[start, "which is not stored either"]);
    wrong(
        &[("fc2.weight", "fc1.weight"), ("fc2.weight", "fc9.weight")],
        &["\"fc2.weight\" stands twice in __metadata__"],
    );
    wrong(&[("fc2.bias", "fc1.bias")], &["tensor \"fc2.bias\": a bias without its weight"]);
    wrong(&[("fc2.weight", "fc1.bias")], &["tensor \"fc2.weight\": shape (2,), expected (outputs, inputs)"]);
    // A small file cannot stand for a huge network.
    let many: Vec<String> = (0..3000).map(|n| format!("fc{n}.weight")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "fc1.weight")).collect();
    wrong(&many, &["header: the aliases in __metadata__ stand for 47968 bytes, 32 are stored"]);
}

#[test]
fn biases_and_types_may_differ_between_layers() {
    let single = |x: f32| x.to_le_bytes().to_vec();
    let double = |x: f64| x.to_le_bytes().to_vec();
    let one: &[usize] = &[1, 1];
    let parse = |list: &[(&str, &str, &[usize], &[u8])]| checkpoint::parse(&typed(&[], list)).unwrap();
    let network = parse(&[
        ("0.weight", "F16", one, &[0x01, 0xbc]),
        ("1.weight", "F64", one, &double(0.1)),
        ("1.bias", "BF16", &[1], &[0x80, 0x3f]),
        ("2.weight", "F32", one, &single(0.1)),
    ]);
    assert_eq!((network.has_bias(), network.scalar), (true, ScalarKind::F64));
    let expected = [-(1.0 + 1.0 / 1024.0), 0.0, 0.1, 1.0, f64::from(0.1_f32), 0.0];
    let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&network.parameters().unwrap()), bits(&expected));
    assert_eq!(parse(&[("0.weight", "BF16", one, &[0x80, 0x3f])]).scalar, ScalarKind::F32);

    let base = parse(&[("0.weight", "F64", one, &double(0.5)), ("1.weight", "F64", one, &double(0.5))]);
    let difference = |second: &str, bytes: &[u8], bias: Option<&str>| {
        let zero = [0; 4];
        let mut list: Vec<(&str, &str, &[usize], &[u8])> =
            vec![("0.weight", "F64", one, &[0, 0, 0, 0, 0, 0, 0xe0, 0x3f]), ("1.weight", second, one, bytes)];
        list.extend(bias.map(|name| (name, "F32", &one[1..], &zero[..])));
        parse(&list)
    };
    let single_half = difference("F32", &single(0.5), None);
    let found = checkpoint::first_difference(&base, &single_half).unwrap();
    assert_eq!(found, ("tensor \"1.weight\"".to_owned(), "expected f64, found f32".to_owned()));
    assert_eq!(checkpoint::first_difference(&base, &base), None);
    let [first, second] = ["0.bias", "1.bias"].map(|name| difference("F64", &double(0.5), Some(name)));
    let found = checkpoint::first_difference(&first, &second).unwrap();
    assert_eq!(found, ("tensor \"0.bias\"".to_owned(), "expected f32, found no bias".to_owned()));
}
