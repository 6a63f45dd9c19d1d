//! Checkpoints in safetensors files: PyTorch's names in every spelling that is read, every error with its place and
//! reason, round trips, and the crate `safetensors` as a second reader.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use agop::checkpoint::{self, Checkpoint, ScalarKind};
use agop::dataset::Values;
use agop_tests::weights::{build, tensors};
use proptest::prelude::*;
use safetensors::SafeTensors;
use std::io::Write;

/// One tensor `0.weight` with this description, and these data.
fn one(description: &str, data: &[u8]) -> Vec<u8> {
    build(&format!("{{\"0.weight\":{{{description}}}}}"), data)
}

/// The error of a file, as `PLACE: REASON`; in a real file on disk, `read` must say the same after the file's name.
#[track_caller]
fn error_of(bytes: &[u8]) -> String {
    let text = checkpoint::parse(bytes).unwrap_err().to_string();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let on_disk = checkpoint::read(file.path()).unwrap_err().to_string();
    assert_eq!(on_disk, format!("{}: {text}", file.path().display()));
    assert!(!on_disk.contains('\n'));
    text
}

fn names(checkpoint: &Checkpoint) -> Vec<&str> {
    checkpoint.layers.iter().map(|layer| layer.name.as_str()).collect()
}

#[test]
fn layers_are_ordered_by_number() {
    // 0 to 11, so that "10" and "11" come before "2" as text; stored in the order of the text.
    let mut list: Vec<String> = (0..12).map(|n| format!("net.layers.{n}.weight")).collect();
    list.sort();
    let shapes: Vec<[usize; 2]> = list
        .iter()
        .map(|name| name.split('.').nth(2).unwrap().parse::<usize>().unwrap())
        .map(|n| [n + 2, n + 1])
        .collect();
    let list: Vec<(&str, &[usize])> =
        list.iter().map(String::as_str).zip(shapes.iter().map(|s| &s[..])).collect();
    let network = checkpoint::parse(&tensors(&list)).unwrap();
    assert_eq!(network.widths(), (1..14).collect::<Vec<_>>());
    assert_eq!(names(&network)[9..], ["net.layers.9", "net.layers.10", "net.layers.11"]);
    assert!(!network.has_bias());
}

#[test]
fn the_usual_names_are_read() {
    let spellings: [(&str, &str); 6] = [
        ("0", "2"),
        ("layers.0", "layers.2"),
        ("fc1", "fc2"),
        ("net.layers.2", "net.layers.10"),
        ("block3.linear", "block20.linear"),
        ("z.7", "a.8"),
    ];
    for (first, second) in spellings {
        let tensor = |prefix: &str, suffix: &str| format!("{prefix}.{suffix}");
        let (w0, b0, w1, b1) = (
            tensor(first, "weight"),
            tensor(first, "bias"),
            tensor(second, "weight"),
            tensor(second, "bias"),
        );
        let bytes = tensors(&[(&b1, &[1]), (&w0, &[3, 2]), (&w1, &[1, 3]), (&b0, &[3])]);
        let network = checkpoint::parse(&bytes).unwrap();
        assert_eq!(names(&network), [first, second]);
        assert_eq!(
            (network.widths(), network.has_bias(), network.scalar),
            (vec![2, 3, 1], true, ScalarKind::F32)
        );
        let expected = [2., 3., 4., 5., 6., 7., 11., 12., 13., 8., 9., 10., 1.];
        assert_eq!(network.parameters::<f32>().unwrap(), expected, "{first}");
        assert_eq!(network.parameters::<f64>().unwrap(), expected.map(f64::from), "{first}");
        let bytes = tensors(&[(&w0, &[3, 2]), (&w1, &[1, 3])]);
        assert_eq!(checkpoint::parse(&bytes).unwrap().parameters::<f32>().unwrap().len(), 9);
    }
    // A single layer needs no number.
    for name in ["weight", "readout.weight"] {
        let network = checkpoint::parse(&tensors(&[(name, &[2, 2])])).unwrap();
        assert_eq!((network.widths(), network.layers[0].bias.clone()), (vec![2, 2], None));
    }
    let metadata = "{\"__metadata__\":{\"format\":\"pt\"},\"weight\":{\"dtype\":\"F64\",\"shape\":[1,1],\"data_offsets\":[0,8]}}  ";
    let network = checkpoint::parse(&build(metadata, &0.1_f64.to_le_bytes())).unwrap();
    assert_eq!((network.scalar, network.scalar.name()), (ScalarKind::F64, "f64"));
    assert_eq!(network.layers[0].weight, Values::F64(vec![0.1]));
    assert_eq!(network.parameters::<f32>().unwrap()[0].to_bits(), 0.1_f32.to_bits());
}

#[test]
fn truncation_at_every_byte_is_an_error() {
    let bytes = tensors(&[("0.weight", &[2, 3]), ("0.bias", &[2])]);
    let data = bytes.len() - 32;
    for length in 0..bytes.len() {
        let text = error_of(&bytes[..length]);
        let expected = match length {
            0 => "byte 0: the file is empty, expected a safetensors file".to_owned(),
            _ if length < 8 => {
                format!("byte {length}: the file ends after {length} bytes, expected at least 8")
            }
            _ if length < data => {
                format!("byte 0: the header claims {} bytes, {} are left in the file", data - 8, length - 8)
            }
            _ if length < data + 24 => format!(
                "tensor \"0.weight\": its data end at byte 24 of the data, the file has {}",
                length - data
            ),
            _ => format!(
                "tensor \"0.bias\": its data end at byte 32 of the data, the file has {}",
                length - data
            ),
        };
        assert_eq!(text, expected, "{length} bytes");
    }
}

/// The claimed length stays right, the JSON does not: cut at every byte.
#[test]
fn a_header_cut_at_every_byte_is_an_error() {
    let bytes = tensors(&[("0.weight", &[1, 1]), ("0.bias", &[1])]);
    let header = std::str::from_utf8(&bytes[8..bytes.len() - 8]).unwrap();
    for length in 0..header.len() {
        let text = error_of(&build(&header[..length], &[0; 8]));
        assert!(text.starts_with("header: ") || text.starts_with("tensor \"0."), "{text}");
    }
}

#[test]
fn every_malformed_file_names_place_and_reason() {
    let f32s = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let good = "\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]";
    let entry = |name: &str, from: usize| {
        format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[{from},{}]}}", from + 4)
    };
    let two =
        |from: usize| build(&format!("{{{},{}}}", entry("0.weight", 0), entry("1.weight", from)), &[0; 8]);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (
            u64::MAX.to_le_bytes().to_vec(),
            "byte 0: the header claims 18446744073709551615 bytes, 0 are left in the file",
        ),
        (build("", &[]), "header: expected a JSON object of tensors: EOF"),
        (
            build("[]", &[]),
            "header: expected a JSON object of tensors: invalid type: sequence, expected an object",
        ),
        (build("{} x", &[]), "header: expected a JSON object of tensors: trailing characters"),
        (build("{}", &[]), "header: there are no tensors"),
        (
            build("{\"__metadata__\":{\"a\":1}}", &[]),
            "header: expected a JSON object of tensors: invalid type: integer",
        ),
        (build("\u{0}", &[]), "header: expected a JSON object of tensors"),
        (one("", &[]), "tensor \"0.weight\": missing field `dtype`"),
        (one("\"dtype\":\"F32\",\"shape\":[1,2]", &[]), "tensor \"0.weight\": missing field `data_offsets`"),
        (one(&format!("{good},{good}"), &[0; 8]), "tensor \"0.weight\": duplicate field `dtype`"),
        (one("\"dtype\":\"F31\"", &[]), "tensor \"0.weight\": unknown variant `F31`"),
        (
            one("\"dtype\":\"I16\",\"shape\":[1,1],\"data_offsets\":[0,2]", &[0; 2]),
            "tensor \"0.weight\": only F16, BF16, F32 and F64 are read, found I16",
        ),
        (
            one("\"dtype\":\"I64\",\"shape\":[1,1],\"data_offsets\":[0,8]", &[0; 8]),
            "tensor \"0.weight\": only F16, BF16, F32 and F64 are read, found I64",
        ),
        (
            one("\"dtype\":\"F32\",\"shape\":[1,-2],\"data_offsets\":[0,8]", &[0; 8]),
            "tensor \"0.weight\": invalid value: integer `-2`",
        ),
        (
            one("\"dtype\":\"F32\",\"shape\":[1,1e30],\"data_offsets\":[0,8]", &[0; 8]),
            "tensor \"0.weight\": invalid type: floating point",
        ),
        (
            one("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]", &[0; 8]),
            "tensor \"0.weight\": shape (4294967296, 4294967296): the number of bytes overflows 64 bits",
        ),
        (
            one(
                "\"dtype\":\"F32\",\"shape\":[1,1000000000000000000],\"data_offsets\":[0,4000000000000000000]",
                &[0; 8],
            ),
            "tensor \"0.weight\": its data end at byte 4000000000000000000 of the data, the file has 8",
        ),
        (
            one("\"dtype\":\"F32\",\"shape\":[1,1000000000000000000],\"data_offsets\":[0,8]", &[0; 8]),
            "tensor \"0.weight\": shape (1, 1000000000000000000) of F32 takes 4000000000000000000 bytes, the offsets are [0, 8]",
        ),
        (
            one("\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,0]", &[0; 8]),
            "tensor \"0.weight\": its data start at byte 8 of the data, expected 0",
        ),
        (
            one("\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,7]", &[0; 8]),
            "tensor \"0.weight\": shape (1, 2) of F32 takes 8 bytes, the offsets are [0, 7]",
        ),
        (two(0), "tensor \"1.weight\": its data start at byte 0 of the data, expected 4"),
        (two(5), "tensor \"1.weight\": its data start at byte 5 of the data, expected 4"),
        (
            build(&format!("{{{0},{0}}}", entry("0.weight", 0)), &[0; 4]),
            "tensor \"0.weight\": the name stands twice in the header",
        ),
        (one(good, &[0; 9]), "1 trailing bytes after the last tensor"),
        (one(good, &f32s(&[0.5, f32::NAN])), "tensor \"0.weight\", row 0, column 1: the value is NaN"),
        (
            one("\"dtype\":\"F64\",\"shape\":[1,1],\"data_offsets\":[0,8]", &f64::NEG_INFINITY.to_le_bytes()),
            "tensor \"0.weight\", row 0, column 0: the value is infinite",
        ),
        (
            one("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]", &[0; 8]),
            "tensor \"0.weight\": shape (2,), expected (outputs, inputs)",
        ),
        (
            one("\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]", &[0; 4]),
            "tensor \"0.weight\": shape (), expected (outputs, inputs)",
        ),
        (
            one("\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]", &[]),
            "tensor \"0.weight\": shape (0, 3), expected no zero",
        ),
        (
            one("\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[0,0]", &[]),
            "tensor \"0.weight\": shape (3, 0), expected no zero",
        ),
        (
            tensors(&[("0.weight", &[3, 2]), ("2.weight", &[1, 4])]),
            "tensor \"2.weight\": 4 inputs, expected the 3 outputs of \"0.weight\"",
        ),
        (tensors(&[("0.weight", &[3, 2]), ("0.bias", &[2])]), "tensor \"0.bias\": shape (2,), expected (3,)"),
        (
            tensors(&[("0.weight", &[3, 2]), ("0.bias", &[3, 1])]),
            "tensor \"0.bias\": shape (3, 1), expected (3,)",
        ),
        (
            tensors(&[("0.weight", &[3, 2]), ("1.bias", &[3])]),
            "tensor \"1.bias\": a bias without its weight \"1.weight\"",
        ),
        (tensors(&[("0.bias", &[3])]), "tensor \"0.bias\": a bias without its weight \"0.weight\""),
        (
            tensors(&[("0.weight", &[1, 1]), ("0.scale", &[1])]),
            "tensor \"0.scale\": no weight or bias of a layer: part of a normalisation",
        ),
        (
            tensors(&[("weight", &[1, 1]), (".weight", &[1, 1])]),
            "tensor \".weight\": no weight or bias of a layer",
        ),
        (tensors(&[("0weight", &[1, 1])]), "tensor \"0weight\": no weight or bias of a layer"),
        (
            tensors(&[("a.weight", &[1, 1]), ("b.weight", &[1, 1])]),
            "layers: \"a\" has no number in its name, and more than one order fits",
        ),
        (
            tensors(&[("fc1.weight", &[1, 1]), ("readout.weight", &[1, 1])]),
            "layers: \"readout\" has no number in its name",
        ),
    ];
    for (bytes, expected) in cases {
        let text = error_of(&bytes);
        assert!(text.contains(expected), "expected {expected:?} in {text:?}");
    }
    let trailing = one(good, &[0; 11]);
    assert_eq!(
        error_of(&trailing),
        format!("byte {}: 3 trailing bytes after the last tensor", trailing.len() - 3)
    );
    let long = build(&" ".repeat((1 << 24) + 1), &[]);
    assert_eq!(error_of(&long), "byte 0: the header claims 16777217 bytes, at most 16777216 are read");
}

#[test]
fn places_inside_tensors() {
    let mut bytes = tensors(&[("0.weight", &[3, 2]), ("0.bias", &[3])]);
    let length = bytes.len();
    bytes[length - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
    assert_eq!(error_of(&bytes), "tensor \"0.bias\", row 2: the value is infinite");
    let mut bytes = tensors(&[("0.weight", &[3, 2])]);
    let length = bytes.len();
    bytes[length - 8..length - 4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_eq!(error_of(&bytes), "tensor \"0.weight\", row 2, column 0: the value is NaN");
    // A name from outside cannot break the line, nor fill the screen.
    let text = error_of(&tensors(&[("a\nb", &[1, 1])]));
    assert!(text.starts_with("tensor \"a\\nb\": "), "{text}");
    let text = error_of(&tensors(&[(&"n".repeat(5000), &[1, 1])]));
    assert!(text.len() < 250, "{text}");
}

#[test]
fn an_overflow_to_f32_names_the_element() {
    let bytes = checkpoint::encode(&[2, 2, 1], true, &[0., 0., 0., 1e39, 0., 0., 0., 0., 0.]).unwrap();
    let network = checkpoint::parse(&bytes).unwrap();
    assert_eq!(network.parameters::<f64>().unwrap()[3], 1e39);
    let text = network.parameters::<f32>().unwrap_err().to_string();
    assert_eq!(text, "tensor \"0.weight\", row 1, column 1: the value 1e39 overflows f32");
    let bytes = checkpoint::encode(&[1, 2, 1], true, &[0., 0., 0., -1e39, 0., 0., 0.]).unwrap();
    let text = checkpoint::parse(&bytes).unwrap().parameters::<f32>().unwrap_err().to_string();
    assert_eq!(text, "tensor \"0.bias\", row 1: the value -1e39 overflows f32");
}

#[test]
fn what_is_written_is_what_pytorch_would_load() {
    let parameters: Vec<f32> = (0..13_u8).map(f32::from).collect();
    let bytes = checkpoint::encode(&[2, 3, 1], true, &parameters).unwrap();
    let header = "{\"0.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]},\
        \"0.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[12,36]},\
        \"2.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[36,40]},\
        \"2.weight\":{\"dtype\":\"F32\",\"shape\":[1,3],\"data_offsets\":[40,52]}}";
    assert_eq!(std::str::from_utf8(&bytes[8..bytes.len() - 52]).unwrap().trim_end(), header);
    assert_eq!(bytes, checkpoint::encode(&[2, 3, 1], true, &parameters).unwrap());
    let second_reader = SafeTensors::deserialize(&bytes).unwrap();
    let weight = second_reader.tensor("2.weight").unwrap();
    let expected: Vec<u8> = parameters[9..12].iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!((weight.shape(), weight.data()), (&[1, 3][..], &expected[..]));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("w.safetensors");
    checkpoint::write(&path, &[2, 3, 1], true, &parameters).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(checkpoint::read(&path).unwrap().parameters::<f32>().unwrap(), parameters);
    let wrong = |widths: &[usize], bias, count| {
        let text = checkpoint::write(&path, widths, bias, &vec![0.0_f64; count]).unwrap_err().to_string();
        text.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
    };
    assert_eq!(wrong(&[2], false, 0), "widths (2,): expected at least two, none of them zero");
    assert_eq!(wrong(&[2, 0, 1], false, 0), "widths (2, 0, 1): expected at least two, none of them zero");
    assert_eq!(wrong(&[2, 1], true, 2), "widths (2, 1): 2 parameters are too few for tensor \"0.bias\"");
    assert_eq!(wrong(&[2, 1], false, 3), "widths (2, 1): expected 2 parameters, found 3");
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "a refused write touched the file");
    // A diverged run is kept, and refused when read.
    checkpoint::write(&path, &[1, 1], false, &[f64::NAN]).unwrap();
    let text = checkpoint::read(&path).unwrap_err().to_string();
    assert!(text.ends_with("tensor \"0.weight\", row 0, column 0: the value is NaN"), "{text}");
}

proptest! {
    #[test]
    fn what_is_written_is_read(widths in prop::collection::vec(1_usize..6, 2..14), bias: bool, seed: u64) {
        let count = widths.windows(2).map(|w| w[1] * (w[0] + usize::from(bias))).sum::<usize>();
        let numbers = (0..count as u64).map(|n| (seed ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // Any finite bits: the top bit of the exponent cleared.
        let doubles: Vec<f64> = numbers.clone().map(|b| f64::from_bits(b & !(1 << 62))).collect();
        let singles: Vec<f32> = numbers.map(|b| f32::from_bits(b as u32 & !(1 << 30))).collect();
        let bytes = checkpoint::encode(&widths, bias, &doubles).unwrap();
        let network = checkpoint::parse(&bytes).unwrap();
        prop_assert_eq!(network.widths(), widths.clone());
        prop_assert_eq!((network.has_bias(), network.scalar), (bias, ScalarKind::F64));
        let bits = |v: Vec<f64>| v.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        prop_assert_eq!(bits(network.parameters().unwrap()), bits(doubles));
        prop_assert!(checkpoint::parse(&bytes[..bytes.len() - 1]).is_err());
        let network = checkpoint::parse(&checkpoint::encode(&widths, bias, &singles).unwrap()).unwrap();
        let bits = |v: Vec<f32>| v.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        prop_assert_eq!(bits(network.parameters().unwrap()), bits(singles));
    }

    /// What is accepted here, the crate `safetensors` accepts too.
    #[test]
    fn a_changed_byte_is_an_error_or_another_network(at: prop::sample::Index, byte: u8) {
        let mut bytes = tensors(&[("0.weight", &[2, 3]), ("0.bias", &[2]), ("2.weight", &[1, 2]), ("2.bias", &[1])]);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(network) = checkpoint::parse(&bytes) {
            prop_assert!(SafeTensors::deserialize(&bytes).is_ok());
            let count: usize = network.widths().windows(2).map(|w| w[1] * (w[0] + 1)).sum();
            prop_assert_eq!(network.parameters::<f64>().unwrap().len(), count);
        }
    }
}
