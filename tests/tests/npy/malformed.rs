//! Files that are cut short or malformed: every error with its place and reason.

use super::{build, dict, error_of};
use agop::dataset::npy;
use std::io::Write;

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
