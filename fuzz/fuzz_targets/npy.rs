//! Any bytes are an array or an error. An array has as many elements as its shape says, is written and read again with
//! the same bits, and is none any more with one byte less or one more.
//!
//! `cargo +nightly fuzz run npy fuzz/corpus/npy fuzz/seeds/npy`
#![no_main]

use agop::dataset::{Array, Values, npy};
use libfuzzer_sys::fuzz_target;

fn bits(values: &Values) -> Vec<u64> {
    match values {
        Values::F32(v) => v.iter().map(|x| u64::from(x.to_bits())).collect(),
        Values::F64(v) => v.iter().map(|x| x.to_bits()).collect(),
        Values::Integers(v) => v.iter().map(|x| x.cast_unsigned()).collect(),
    }
}

/// What follows from an array, whether or not it came from a file: samples and labels.
fn use_as_data(array: &Array) {
    if let Ok((rows, columns, values)) = array.matrix::<f32>() {
        assert_eq!(values.len(), rows * columns);
        assert!(values.iter().all(|x| x.is_finite()));
        assert_eq!(array.shape.first(), Some(&rows));
    }
    // Few enough that as many classes stay in the memory a fuzzer may use.
    let Some(&samples) = array.shape.first().filter(|&&samples| samples <= 64) else { return };
    if let Ok(targets) = array.targets::<f64>(samples, None) {
        assert_eq!(targets.values.len(), samples * targets.outputs);
        if let Some(classes) = targets.classes {
            assert_eq!(classes.iter().max().map(|most| most + 1), Some(targets.outputs));
            for (class, row) in classes.iter().zip(targets.values.chunks(targets.outputs)) {
                // The one-hot target of a single class is zero once the mean is taken off.
                let hot = |output| output == *class && targets.outputs > 1;
                assert!(row.iter().enumerate().all(|(output, &y)| (y > 0.0) == hot(output)));
            }
        }
        assert!(array.targets::<f64>(samples + 1, None).is_err());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let array = match npy::parse(bytes) {
        Ok(array) => array,
        Err(error) => {
            let line = error.in_file("x.npy").to_string();
            assert!(line.starts_with("x.npy: ") && !line.contains('\n'), "{line}");
            return;
        }
    };
    let product = array.shape.iter().fold(1_u128, |product, &n| product.saturating_mul(n as u128));
    assert!(array.values.len() as u128 == product || (array.shape.contains(&0) && array.values.is_empty()));
    let written = npy::encode(&array.shape, &array.values).unwrap();
    let again = npy::parse(&written).unwrap();
    assert_eq!(again.shape, array.shape);
    assert_eq!(bits(&again.values), bits(&array.values));
    assert!(npy::parse(&bytes[..bytes.len() - 1]).is_err());
    assert!(npy::parse(&[bytes, b" "].concat()).is_err());
    use_as_data(&array);
});
