//! Samples and labels as training sees them.

use agop::dataset::{Array, Classes, Values};

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
