//! `.npy` files: every dtype, order and byte order from literal bytes, every error with its place and reason, round
//! trips, and samples and labels as training sees them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use agop::dataset::{Array, Classes, Values, npy, read_matrix, read_targets};
use agop_core::loss::AnyLoss;
use proptest::prelude::*;
use std::io::Write;

/// A file built from the format's own description, not by the crate's writer.
fn build(major: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, major, 0];
    match major {
        1 => bytes.extend((header.len() as u16).to_le_bytes()),
        _ => bytes.extend((header.len() as u32).to_le_bytes()),
    }
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn dict(descr: &str, fortran: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
}

fn parsed(descr: &str, shape: &str, data: &[u8]) -> Array {
    npy::parse(&build(1, &dict(descr, "False", shape), data)).unwrap()
}

/// The error of a file, as `PLACE: REASON`; in a real file on disk, `read` must say the same after the file's name.
#[track_caller]
fn error_of(bytes: &[u8]) -> String {
    let text = npy::parse(bytes).unwrap_err().to_string();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let on_disk = npy::read(file.path()).unwrap_err().to_string();
    assert_eq!(on_disk, format!("{}: {text}", file.path().display()));
    assert!(!on_disk.contains('\n'));
    text
}

#[test]
fn every_integer_dtype_in_both_byte_orders() {
    // value, bits as wide as the type
    let signed = [("i1", 1, vec![0, 1, -1, 127, -128]), ("i2", 2, vec![0, 258, -2, 32767, -32768])];
    let wide = [
        ("i4", 4, vec![0, 0x0102_0304, -3, i64::from(i32::MAX), i64::from(i32::MIN)]),
        ("i8", 8, vec![0, 0x0102_0304_0506_0708, -4, i64::MAX, i64::MIN]),
        ("u1", 1, vec![0, 1, 128, 255]),
        ("u2", 2, vec![0, 258, 65535]),
        ("u4", 4, vec![0, 0x0102_0304, 0xffff_ffff]),
        ("u8", 8, vec![0, 0x0102_0304_0506_0708, i64::MAX]),
        ("b1", 1, vec![0, 1, 1]),
    ];
    for (name, size, values) in signed.into_iter().chain(wide) {
        let little: Vec<u8> = values.iter().flat_map(|v: &i64| v.to_le_bytes()[..size].to_vec()).collect();
        let big: Vec<u8> = values.iter().flat_map(|v| v.to_be_bytes()[8 - size..].to_vec()).collect();
        for (mark, data) in [("<", &little), (">", &big), ("=", &little), ("|", &little), ("", &little)] {
            let array = parsed(&format!("{mark}{name}"), &format!("({},)", values.len()), data);
            assert_eq!(array.shape, [values.len()], "{mark}{name}");
            assert_eq!(array.values, Values::Integers(values.clone()), "{mark}{name}");
        }
    }
}

#[test]
fn every_float_dtype_keeps_its_bits_in_both_byte_orders() {
    let f4 = [0x3f80_0001_u32, 0x8000_0000, 0x0000_0001, 0x7f80_0000, 0x7fc0_0123, 0xff7f_ffff];
    let f8 = [0x3ff0_0000_0000_0001_u64, 1 << 63, 1, 0x7ff0_0000_0000_0000, 0x7ff8_0000_0000_0123];
    for mark in ["<", ">", "=", "|", ""] {
        let big = mark == ">";
        let data: Vec<u8> =
            f4.iter().flat_map(|b| if big { b.to_be_bytes() } else { b.to_le_bytes() }).collect();
        let Values::F32(values) = parsed(&format!("{mark}f4"), "(2, 3)", &data).values else { panic!("f4") };
        assert_eq!(values.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), f4);
        let data: Vec<u8> =
            f8.iter().flat_map(|b| if big { b.to_be_bytes() } else { b.to_le_bytes() }).collect();
        let Values::F64(values) = parsed(&format!("{mark}f8"), "(5, 1)", &data).values else { panic!("f8") };
        assert_eq!(values.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), f8);
    }
}

#[test]
fn fortran_order_becomes_c_order() {
    // Element (i, j, k) of a 2 x 3 x 4 array is 100 i + 10 j + k.
    let mut c = Vec::new();
    for i in 0..2 {
        for j in 0..3 {
            for k in 0..4 {
                c.push(100 * i + 10 * j + k);
            }
        }
    }
    let mut fortran = Vec::new();
    for k in 0..4_u8 {
        for j in 0..3 {
            for i in 0..2 {
                fortran.push(100 * i + 10 * j + k);
            }
        }
    }
    let array = npy::parse(&build(1, &dict("|u1", "True", "(2, 3, 4)"), &fortran)).unwrap();
    assert_eq!(array, Array { shape: vec![2, 3, 4], values: Values::Integers(c) });
    // Where the order makes no difference.
    for shape in ["(4,)", "(1, 4)", "(4, 1)", "(1, 4, 1)"] {
        let array = npy::parse(&build(1, &dict("|u1", "True", shape), &[4, 3, 2, 1])).unwrap();
        assert_eq!(array.values, Values::Integers(vec![4, 3, 2, 1]), "{shape}");
    }
}

#[test]
fn versions_spellings_and_odd_shapes() {
    for major in [1, 2, 3] {
        let array = npy::parse(&build(major, &dict("<i2", "False", "(2,)"), &[1, 0, 2, 0])).unwrap();
        assert_eq!(array.values, Values::Integers(vec![1, 2]));
    }
    let spellings = [
        "{\"descr\":\"|u1\",\"fortran_order\":False,\"shape\":(1,2)}",
        "{'shape': (1L, 2L), 'descr': 'u1', 'fortran_order': False}   \n",
        "\t{ 'fortran_order' :True , 'shape' : ( 1 , 2 , ) , 'descr' : '|u1' , } \r\n",
    ];
    for header in spellings {
        assert_eq!(npy::parse(&build(1, header, &[7, 8])).unwrap().shape, [1, 2], "{header}");
    }
    let scalar = parsed("<i2", "()", &[5, 0]);
    assert_eq!(scalar, Array { shape: vec![], values: Values::Integers(vec![5]) });
    // Nothing is claimed, however long the other dimensions are, and wherever the zero is.
    for shape in ["(0, 1000000000000000000, 1000)", "(1000000000000000000, 1000, 0)"] {
        assert!(parsed("<f8", shape, &[]).values.is_empty());
    }
}

#[test]
fn truncation_at_every_byte_is_an_error() {
    for major in [1, 2, 3] {
        let bytes = build(major, &dict("<f4", "True", "(2, 3)"), &[0; 24]);
        let data = bytes.len() - 24;
        for length in 0..bytes.len() {
            let text = error_of(&bytes[..length]);
            let expected = match length {
                0 => "byte 0: the file is empty, expected an .npy file".to_owned(),
                _ if length < 8 => {
                    format!("byte {length}: the file ends after {length} bytes, expected at least 10")
                }
                _ if length < 10 && major == 1 => {
                    format!("byte {length}: the file ends after {length} bytes, expected at least 10")
                }
                _ if length < 12 && major > 1 => {
                    format!("byte {length}: the file ends after {length} bytes, expected at least 12")
                }
                _ if length < data => {
                    let start = if major == 1 { 10 } else { 12 };
                    format!(
                        "byte 8: the header claims {} bytes, {} are left in the file",
                        data - start,
                        length - start
                    )
                }
                _ => format!(
                    "header, key \"shape\": shape (2, 3): the header claims 24 bytes of elements, the file has {}",
                    length - data
                ),
            };
            assert_eq!(text, expected, "version {major}, {length} bytes");
        }
    }
}

#[test]
fn every_malformed_file_names_place_and_reason() {
    let key = |key: &str, value: &str| {
        let mut pairs = [("descr", "'<f4'"), ("fortran_order", "False"), ("shape", "(2,)")];
        pairs.iter_mut().filter(|pair| pair.0 == key).for_each(|pair| pair.1 = value);
        pairs.iter().map(|(k, v)| format!("'{k}': {v}, ")).collect::<String>()
    };
    let with = |name: &str, value: &str| build(1, &format!("{{{}}}", key(name, value)), &[0; 8]);
    let good = dict("<f4", "False", "(2,)");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (
            b"\xffK\x03\x04".to_vec(),
            "byte 0: not an .npy file: byte 0xff where the magic \"\\x93NUMPY\" has 0x93",
        ),
        (b"\x93NUMPX\x01\x00".to_vec(), "byte 5: not an .npy file"),
        (build(4, &good, &[0; 8]), "byte 6: version 4.0 is not read; 1.0, 2.0 and 3.0 are"),
        (build(1, "", &[]), "byte 10: the header is not a dict: expected '{', found the end of the header"),
        (build(1, "['descr']", &[]), "byte 10: the header is not a dict: expected '{', found '['"),
        (build(1, "{'descr'", &[]), "byte 18: expected ':' after a key, found the end of the header"),
        (build(1, "{'descr", &[]), "byte 11: the string does not end"),
        (build(1, "{'de\\x73cr': 1}", &[]), "byte 14: escape or line break in a string"),
        (build(1, "{7: 1}", &[]), "byte 11: expected a string, found '7'"),
        (build(1, "{}", &[]), "header: the key \"descr\" is missing"),
        (build(1, "{'descr': '<f4', 'shape': ()}", &[0; 4]), "header: the key \"fortran_order\" is missing"),
        (
            build(1, "{'descr': '<f4', 'fortran_order': True}", &[0; 4]),
            "header: the key \"shape\" is missing",
        ),
        (build(1, "{'descr': '<f4', 'descr': '<f4'}", &[]), "byte 27: the key \"descr\" stands twice"),
        (
            build(1, "{'order': 'C'}", &[]),
            "byte 11: unknown key \"order\", expected descr, fortran_order and shape",
        ),
        (
            build(1, "{'descr': '<f4' 'shape': ()}", &[]),
            "byte 26: expected ',' or '}' after a value, found '''",
        ),
        (build(1, &format!("{} x", good.trim_end()), &[0; 8]), "expected nothing after the dict, found 'x'"),
        (build(1, "\u{e9}", &[]), "byte 10: the header is not a dict: expected '{', found byte 0xc3"),
        (with("descr", "'<c8'"), "header, key \"descr\": dtype \"<c8\" is not read; f2, f4, f8, i1"),
        (with("descr", "'<f3'"), "header, key \"descr\": dtype \"<f3\" is not read"),
        (with("descr", "'|O'"), "header, key \"descr\": dtype \"|O\" is not read"),
        (with("descr", "'<U3'"), "header, key \"descr\": dtype \"<U3\" is not read"),
        (with("descr", "''"), "header, key \"descr\": dtype \"\" is not read"),
        (with("descr", "'\u{e9}4'"), "header, key \"descr\": dtype \"\u{e9}4\" is not read"),
        (with("descr", "[('x', '<f4')]"), "header, key \"descr\": structured dtypes are not read"),
        (with("descr", "4"), "byte 20: expected a string, found '4'"),
        (
            with("fortran_order", "0"),
            "byte 44: fortran_order is not a bool: expected True or False, found '0'",
        ),
        (with("shape", "[2]"), "byte 60: shape is not a tuple: expected '(', found '['"),
        (
            with("shape", "(2)"),
            "byte 63: shape is a number in parentheses, not a tuple; one dimension is written (n,)",
        ),
        (with("shape", "(-2,)"), "byte 61: a dimension is negative"),
        (with("shape", "(2.5,)"), "byte 62: expected ',' or ')' in shape, found '.'"),
        (with("shape", "(2x,)"), "byte 61: expected a dimension, found '2'"),
        (with("shape", "(,)"), "byte 61: expected a dimension, found ','"),
        (
            with("shape", "(99999999999999999999,)"),
            "byte 61: the dimension \"99999999999999999999\" exceeds 64 bits",
        ),
        (
            with("shape", "(1000000000000000000,)"),
            "header, key \"shape\": shape (1000000000000000000,): the header claims 4000000000000000000 bytes of elements, the file has 8",
        ),
        (
            with("shape", "(9223372036854775807,)"),
            "header, key \"shape\": shape (9223372036854775807,): the number of bytes overflows 64 bits",
        ),
        (with("shape", "(4294967296, 4294967296)"), "the number of bytes overflows 64 bits"),
        (with("shape", &format!("({})", "1, ".repeat(65))), "more than 64 dimensions, found '1'"),
        (build(1, &good, &[0; 9]), "1 trailing bytes after the 2 elements"),
        (build(1, &dict("|b1", "False", "(3,)"), &[0, 1, 2]), "a bool is 0 or 1, found 2"),
    ];
    for (bytes, expected) in cases {
        let text = error_of(&bytes);
        assert!(text.contains(expected), "expected {expected:?} in {text:?}");
    }
    let huge = [&[0x93_u8, 0x4e, 0x55, 0x4d, 0x50, 0x59, 2, 0, 0xff, 0xff, 0xff, 0xff][..], b"{}"].concat();
    assert_eq!(error_of(&huge), "byte 8: the header claims 4294967295 bytes, 2 are left in the file");
    let long = build(2, &" ".repeat((1 << 20) + 1), &[]);
    assert_eq!(error_of(&long), "byte 8: the header claims 1048577 bytes, at most 1048576 are read");
    let trailing = build(1, &good, &[0; 11]);
    assert!(error_of(&trailing).starts_with(&format!("byte {}: 3 trailing", trailing.len() - 3)));
    let mut data = [0_u8; 24];
    data[15] = 0x80;
    let large = build(1, &dict("<u8", "False", "(3,)"), &data);
    let expected = format!("byte {}: the unsigned integer 9223372036854775808 is above", large.len() - 16);
    assert!(error_of(&large).starts_with(&expected), "{}", error_of(&large));
}

#[test]
fn files_that_are_no_files() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.npy");
    let text = npy::read(&missing).unwrap_err().to_string();
    assert!(text.starts_with(&format!("{}: cannot open: ", missing.display())), "{text}");
    let text = npy::read(directory.path()).unwrap_err().to_string();
    assert!(text.contains("cannot open: a directory, not a file"), "{text}");
    #[cfg(unix)]
    assert!(npy::read("/dev/zero").unwrap_err().to_string().contains("not a regular file"));
}

/// A sparse file of 4 TiB with a small claim is refused from its metadata, before any of it is read.
#[cfg(unix)]
#[test]
fn the_length_of_the_file_is_compared_before_reading() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&build(1, &dict("<f4", "False", "(2,)"), &[])).unwrap();
    // Not every file system has files that long.
    if file.as_file().set_len(1 << 42).is_ok() {
        let text = npy::read(file.path()).unwrap_err().to_string();
        assert!(text.contains("trailing bytes after the 2 elements"), "{text}");
    }
}

#[test]
fn samples_become_a_matrix() {
    let array = Array { shape: vec![2, 2, 3], values: Values::Integers((0..12).collect()) };
    let (rows, columns, values) = array.matrix::<f32>().unwrap();
    assert_eq!((rows, columns), (2, 6));
    assert_eq!(values, (0..12_u8).map(f32::from).collect::<Vec<_>>());
    let column = Array { shape: vec![3], values: Values::F32(vec![1.5, -0.0, 3.0]) };
    let (rows, columns, values) = column.matrix::<f64>().unwrap();
    assert_eq!((rows, columns, values[1].to_bits()), (3, 1, (-0.0_f64).to_bits()));

    // One rounding: 2^54 + 2^30 + 1 is above the midpoint of two f32; by way of f64 the 1 is lost and the tie goes down.
    let midpoint = (1_i64 << 54) + (1 << 30) + 1;
    let integers = Array { shape: vec![1], values: Values::Integers(vec![midpoint]) };
    assert_eq!(integers.matrix::<f32>().unwrap().2[0].to_bits(), 0x5a80_0001);
    assert_eq!((midpoint as f64 as f32).to_bits(), 0x5a80_0000);
    let double = Array { shape: vec![1], values: Values::F64(vec![0.1]) };
    assert_eq!(double.matrix::<f32>().unwrap().2[0].to_bits(), 0.1_f32.to_bits());
}

#[test]
fn samples_that_are_no_matrix() {
    let error = |shape: &[usize], values: Values| {
        Array { shape: shape.to_vec(), values }.matrix::<f32>().unwrap_err().to_string()
    };
    assert_eq!(
        error(&[], Values::F32(vec![1.0])),
        "shape (): a single number is no matrix, expected one dimension or more"
    );
    assert_eq!(error(&[0, 3], Values::F32(vec![])), "shape (0, 3): there are no rows");
    assert_eq!(error(&[3, 0], Values::F32(vec![])), "shape (3, 0): there are no columns");
    assert_eq!(
        error(&[2, 2], Values::F32(vec![1.0])),
        "shape (2, 2): the product of the shape is not the 1 elements"
    );
    assert_eq!(
        error(&[2, 3], Values::F32(vec![0., 0., 0., 0., 0., f32::NAN])),
        "row 1, column 2: the value is NaN"
    );
    assert_eq!(
        error(&[2], Values::F64(vec![0., f64::NEG_INFINITY])),
        "row 1, column 0: the value is infinite"
    );
    assert_eq!(
        error(&[1, 2], Values::F64(vec![0., -1e39])),
        "row 0, column 1: the value -1e39 overflows f32"
    );
    // The largest f64 that still rounds to the largest f32, and the next.
    let limit = f64::from_bits(0x47ef_ffff_efff_ffff);
    let fits = Array { shape: vec![1], values: Values::F64(vec![limit]) };
    assert_eq!(fits.matrix::<f32>().unwrap().2, [f32::MAX]);
    assert!(error(&[1], Values::F64(vec![limit.next_up()])).contains("overflows f32"));
}

#[test]
fn labels_become_targets() {
    let labels = Array { shape: vec![3], values: Values::Integers(vec![2, 0, 2]) };
    let both = Array { shape: vec![3, 1], values: Values::Integers(vec![0, 1, 2]) };
    let classes = |array: &Array| Classes::of(array).unwrap().unwrap();
    let all = classes(&labels).beside(&classes(&both));
    let targets = labels.targets::<f64>(3, Some(&all)).unwrap();
    let (hot, cold) = (1.0 - 1.0 / 3.0, -(1.0 / 3.0));
    assert_eq!((targets.outputs, targets.classes), (3, Some(vec![2, 0, 2])));
    assert_eq!(targets.values, [cold, cold, hot, hot, cold, cold, cold, cold, hot]);
    assert_eq!(targets.meaning, "3 classes 0..2");
    assert_eq!(both.targets::<f64>(3, None).unwrap().classes, Some(vec![0, 1, 2]));

    let floats = Array { shape: vec![2], values: Values::F32(vec![0.5, 3.0]) };
    let targets = floats.targets::<f64>(2, None).unwrap();
    assert_eq!((targets.outputs, targets.values, targets.classes), (1, vec![0.5, 3.0], None));
    assert_eq!(targets.meaning, "1 output, regression");
    let whole = Array { shape: vec![2], values: Values::F32(vec![2.0, 3.0]) };
    let meaning = whole.targets::<f64>(2, None).unwrap().meaning;
    assert_eq!(meaning, "1 output, regression (whole numbers as floats; integers would be classes)");
    let table = Array { shape: vec![2, 2], values: Values::Integers(vec![1, -2, 3, 4]) };
    assert_eq!(Classes::of(&table), Ok(None));
    let targets = table.targets::<f32>(2, None).unwrap();
    assert_eq!(targets.values, [1.0, -2.0, 3.0, 4.0]);
    assert_eq!(targets.meaning, "2 outputs, regression");
}

/// Why: with the largest class plus one for their number, a gap or a first class of 1 gives outputs that no sample has.
#[test]
fn classes_are_numbered_in_order() {
    for (labels, numbers, meaning) in [
        (vec![1, 3, 2, 1], vec![0, 2, 1, 0], "3 classes 1..3 numbered 0..2"),
        (vec![50, 0, 100, 0], vec![1, 0, 2, 0], "3 classes 0, 50, 100 numbered 0..2"),
        (vec![7, 7], vec![0, 0], "1 class 7 numbered 0"),
        (vec![0, 0], vec![0, 0], "1 class 0"),
        (
            vec![0, 2, 4, 6, 8, 10, 12, 14, 16, 19],
            (0..10).collect(),
            "10 classes 0, 2, 4, 6, 8, 10, 12, 14, ..., 19 numbered 0..9",
        ),
    ] {
        let count = labels.len();
        let array = Array { shape: vec![count], values: Values::Integers(labels) };
        let targets = array.targets::<f64>(count, None).unwrap();
        assert_eq!(targets.outputs, numbers.iter().max().unwrap() + 1);
        assert_eq!((targets.classes, targets.meaning.as_str()), (Some(numbers), meaning));
    }
}

/// Test labels have the numbers of the training labels; only where both together are 0 to C - 1 can they add a class.
#[test]
fn test_labels_use_the_numbers_of_the_training_labels() {
    let array =
        |labels: &[i64]| Array { shape: vec![labels.len()], values: Values::Integers(labels.to_vec()) };
    let classes = |labels: &[i64]| Classes::of(&array(labels)).unwrap().unwrap();
    for (train, test, expected) in [
        (&[0, 1, 2][..], &[1, 1][..], Ok(vec![1, 1])),
        (&[0, 2], &[1, 2], Ok(vec![1, 2])),
        (&[1, 3], &[3, 3], Ok(vec![1, 1])),
        (&[0, 1], &[0, 2], Ok(vec![0, 2])),
        (
            &[1, 3],
            &[3, 2],
            Err("row 1: class 2 never occurs in the training labels (2 classes 1, 3 numbered 0..1)"),
        ),
        (&[0, 1], &[0, 3], Err("row 1: class 3 never occurs in the training labels (2 classes 0..1)")),
    ] {
        let numbering = classes(train).beside(&classes(test));
        let targets = array(test).targets::<f64>(2, Some(&numbering));
        let found = targets.map(|targets| targets.classes.unwrap()).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{train:?} {test:?}");
    }
}

#[test]
fn labels_that_are_no_targets() {
    let error = |labels: Vec<i64>, samples| {
        let array = Array { shape: vec![labels.len()], values: Values::Integers(labels) };
        array.targets::<f32>(samples, None).unwrap_err().to_string()
    };
    assert_eq!(error(vec![0, 1], 3), "shape (2,): 2 rows of labels for 3 samples");
    assert_eq!(error(vec![0, 1], 1), "shape (2,): 2 rows of labels for 1 samples");
    assert_eq!(error(vec![0, 1, -1], 3), "row 2: class -1, expected 0 to 65535");
    assert_eq!(error(vec![0, 65536], 2), "row 1: class 65536, the largest allowed is 65535");
    assert_eq!(error(vec![], 0), "shape (0,): there are no rows");
    let floats = Array { shape: vec![2], values: Values::F64(vec![1.0, f64::NAN]) };
    assert_eq!(floats.targets::<f64>(2, None).unwrap_err().to_string(), "row 1, column 0: the value is NaN");
}

#[test]
fn matrices_are_saved_and_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.npy");
    npy::write(&path, 2, 2, &[1.5_f32, -0.0, f32::MIN_POSITIVE, 1e-45]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
    assert!(bytes[10..].starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), } "));
    assert_eq!((bytes.len(), bytes[127]), (128 + 16, b'\n'));
    let (rows, columns, values) = read_matrix::<f32>(&path).unwrap();
    assert_eq!((rows, columns, values[1].to_bits(), values[3].to_bits()), (2, 2, 0x8000_0000, 1));
    npy::write(&path, 3, 1, &[1.0_f64, 2.0, 1e300]).unwrap();
    assert_eq!(read_targets::<f64>(&path, 3, AnyLoss::MeanSquared).unwrap().values, [1.0, 2.0, 1e300]);
    let text = read_targets::<f32>(&path, 3, AnyLoss::MeanSquared).unwrap_err().to_string();
    assert_eq!(text, format!("{}: row 2, column 0: the value 1e300 overflows f32", path.display()));
    let text = npy::write(&path, 2, 2, &[0.0_f64; 3]).unwrap_err().to_string();
    assert_eq!(text, format!("{}: shape: a 2 x 2 matrix does not have the 3 elements given", path.display()));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "a temporary file was left behind");
}

/// Longer than the chunks in which a file is decoded.
#[test]
fn long_files_read_as_they_parse() {
    let values: Vec<i64> =
        (0..50_001).map(|n: i64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)).collect();
    let bytes = npy::encode(&[50_001], &Values::Integers(values.clone())).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let array = npy::read(file.path()).unwrap();
    assert_eq!(array.values, Values::Integers(values));
    let mut large = build(1, &dict("<u8", "False", "(30000,)"), &[0; 240_000]);
    let length = large.len();
    large[length - 1] = 0xff;
    assert!(error_of(&large).starts_with(&format!("byte {}: the unsigned integer", length - 8)));
}

fn arrays() -> impl Strategy<Value = (Vec<usize>, Values)> {
    prop::collection::vec(0_usize..5, 0..4).prop_flat_map(|shape| {
        let n = shape.iter().product::<usize>();
        let values = prop_oneof![
            prop::collection::vec(any::<u32>(), n)
                .prop_map(|v| Values::F32(v.into_iter().map(f32::from_bits).collect())),
            prop::collection::vec(any::<u64>(), n)
                .prop_map(|v| Values::F64(v.into_iter().map(f64::from_bits).collect())),
            prop::collection::vec(any::<i64>(), n).prop_map(Values::Integers),
        ];
        (Just(shape), values)
    })
}

fn bits(values: &Values) -> Vec<u64> {
    match values {
        Values::F32(v) => v.iter().map(|x| u64::from(x.to_bits())).collect(),
        Values::F64(v) => v.iter().map(|x| x.to_bits()).collect(),
        Values::Integers(v) => v.iter().map(|x| x.cast_unsigned()).collect(),
    }
}

proptest! {
    #[test]
    fn encoded_arrays_parse_to_the_same_bits((shape, values) in arrays()) {
        let bytes = npy::encode(&shape, &values).unwrap();
        let array = npy::parse(&bytes).unwrap();
        prop_assert_eq!(&array.shape, &shape);
        prop_assert_eq!(bits(&array.values), bits(&values));
        prop_assert!(npy::parse(&bytes[..bytes.len() - 1]).is_err());
    }

    /// One changed byte in the header never makes another number of elements than the shape says.
    #[test]
    fn a_changed_header_byte_is_an_error_or_another_array(at in 0_usize..128, byte: u8) {
        let mut bytes = npy::encode(&[3, 2], &Values::F64(vec![1., 2., 3., 4., 5., 6.])).unwrap();
        bytes[at] = byte;
        if let Ok(array) = npy::parse(&bytes) {
            prop_assert_eq!(array.values.len(), array.shape.iter().product::<usize>());
        }
    }

    #[test]
    fn the_two_orders_hold_the_same_array(rows in 1_usize..6, columns in 1_usize..6, seed: u16) {
        let element = |i: usize, j: usize| seed.wrapping_add((100 * i + j) as u16);
        let c: Vec<u8> = (0..rows * columns).flat_map(|n| element(n / columns, n % columns).to_be_bytes()).collect();
        let f: Vec<u8> = (0..rows * columns).flat_map(|n| element(n % rows, n / rows).to_be_bytes()).collect();
        let shape = format!("({rows}, {columns})");
        let from_c = npy::parse(&build(2, &dict(">u2", "False", &shape), &c)).unwrap();
        let from_f = npy::parse(&build(3, &dict(">u2", "True", &shape), &f)).unwrap();
        prop_assert_eq!(from_c, from_f);
    }
}
