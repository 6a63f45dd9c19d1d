//! What is written is read again.

use super::{build, dict, error_of};
use agop::dataset::{Values, npy, read_matrix, read_targets};
use agop_core::loss::AnyLoss;
use proptest::prelude::*;
use std::io::Write;

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
