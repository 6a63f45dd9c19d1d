//! What the fuzz targets `npz`, `csv`, `idx` and `cifar` check: any bytes are samples or an error of one line. Samples are
//! the same numbers read at once, in blocks and backwards. `tests/tests/fuzz_seeds.rs` runs the seeds, whole and damaged,
//! through the same code.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "fuzzing and testing")]

use agop::dataset::{Format, Labels, Reading, Source, parse};
use std::path::Path;

/// Checks what these bytes are in a format; true where they are samples.
pub fn check(format: Format, bytes: &[u8]) -> bool {
    let column = (format == Format::Csv).then(|| "0".to_owned());
    let columns = [None, column];
    let mut read = false;
    for label in columns.iter().take(if format == Format::Csv { 2 } else { 1 }) {
        let reading = Reading { format: Some(format), label: label.clone(), ..Reading::default() };
        match parse(Path::new("x"), bytes.to_vec(), &reading) {
            Ok(opened) => {
                read = true;
                samples(opened.inputs, opened.labels);
                assert!(opened.taken.iter().all(|clause| !clause.contains('\n')));
            }
            Err(error) => one_line(&error),
        }
    }
    read
}

fn one_line(error: &agop::Error) {
    let line = error.to_string();
    assert!(line.starts_with("x:") && !line.contains('\n'), "{line}");
}

fn samples(inputs: Source, labels: Option<Labels>) {
    let (rows, columns) = (inputs.count(), inputs.dimension());
    match inputs.read_all::<f64>() {
        Ok(all) => {
            assert_eq!(all.len(), rows * columns);
            assert!(all.iter().all(|x| x.is_finite()));
            let mut blocks = Vec::<f64>::new();
            for start in (0..rows).step_by(3) {
                inputs.read_rows(start..rows.min(start + 3), &mut blocks).unwrap();
            }
            assert_eq!(blocks, all);
            let (mut backwards, last): (Vec<f64>, _) = (Vec::new(), rows.min(64));
            inputs.gather(&(0..last).rev().collect::<Vec<_>>(), &mut backwards).unwrap();
            let expected = all.chunks(columns).take(last).rev().flatten().copied().collect::<Vec<_>>();
            assert_eq!(backwards, expected);
        }
        Err(error) => one_line(&error),
    }
    assert!(inputs.read_rows(0..rows + 1, &mut Vec::<f32>::new()).is_err());
    // Few enough that as many classes stay in the memory a fuzzer may use.
    let Some(labels) = labels.filter(|_| rows <= 64) else { return };
    match labels.targets::<f32>(rows, None) {
        Ok(targets) => assert_eq!(targets.values.len(), rows * targets.outputs),
        Err(error) => one_line(&error),
    }
}
