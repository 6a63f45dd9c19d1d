//! `.npy` files: every dtype, order and byte order from literal bytes, every error with its place and reason, round
//! trips, and samples and labels as training sees them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod malformed;
mod round_trips;
mod samples;

use agop::dataset::{Array, Values, npy};
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
