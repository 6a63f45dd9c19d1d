//! What the shape of the data does to the predictions: alignment-reversing sets, power-law spectra, high dimension.

use crate::support::matrix;
use agop_core::correlation::Undefined;
use agop_core::early_time::RunningStatistics;
use agop_core::early_time::quadratic::{
    Quadratic, Readout, statistics, statistics_workspace, trial_workspace,
};
use agop_core::early_time::wide::{DualKernel, wide, wide_workspace};
use agop_core::error::Error;
use agop_core::matrix::MatMut;
use agop_core::random::{Purpose, Stream};
use agop_core::simd::Level;
use agop_core::task::{AlignmentReversing, fill_gaussian};

/// Prediction, and mean and deviation over drawn weights, for signs as the readout.
fn predict_and_observe(x: &[f64], y: &[f64], units: u32, trials: u32) -> (Quadratic, RunningStatistics) {
    let (level, d) = (Level::detect(), x.len() / y.len());
    let mut work = vec![0.0; statistics_workspace(d)];
    let all = statistics(level, matrix(x, y.len()), y, &mut work).unwrap();
    let readout = Readout::Sign { units };
    let mut work = vec![0.0; trial_workspace(d)];
    (all.expect(readout).unwrap(), all.trials(level, readout, 73, trials, &mut work).unwrap())
}

fn reversing(task: AlignmentReversing, n: usize, d: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut x, mut y) = (vec![0.0; n * d], vec![0.0; n]);
    let mut stream = Stream::new(79, Purpose::TrainInputs, 0);
    task.fill(&mut stream, MatMut::new(&mut x, n, d).unwrap(), &mut y).unwrap();
    (x, y)
}

/// Why: F follows `S M S` and sees the many directions of large label weight, G follows `S M B M S` and sees the few of
/// large input weight; the prediction is exact for the traces, and at this size their ratio hardly fluctuates.
#[test]
fn the_balance_sweeps_the_correlation_from_aligned_to_reversed() {
    let (n, d, units) = (4096, 128, 4096);
    let mut last = 1.0;
    let mut worst = 0.0_f64;
    for step in 0..=10 {
        let balance = f64::from(step) / 10.0;
        let (x, y) = reversing(AlignmentReversing::new(balance), n, d);
        let (predicted, observed) = predict_and_observe(&x, &y, units, 16);
        let rho = predicted.rho.unwrap();
        let (mean, deviation) = (observed.mean().unwrap(), observed.deviation().unwrap());
        let distance = (rho - mean).abs();
        println!(
            "balance {balance:.1}: predicted {rho:.4}, measured {:.4} +- {:.4}, leading {:.4}",
            mean,
            deviation,
            predicted.leading_rho.unwrap()
        );
        assert!(distance <= 0.015, "balance {balance}: {rho} {mean}");
        assert!(rho < last + 1e-9, "falls with the balance: {rho} after {last}");
        assert!(step > 0 || rho > 0.95, "aligned at 0: {rho}");
        last = rho;
        worst = if distance > worst { distance } else { worst };
    }
    println!("largest distance {worst:.4}");
    assert!(last < 0.1, "reversed at 1: {last}");
}

/// Why: the label is constant within a group, so both matrices are diagonal up to sampling noise, with the weights that
/// the task states; a balance of 0 is the control, where nothing is reversed.
#[test]
fn the_two_gram_matrices_order_the_groups_oppositely() {
    let (n, d, q) = (6000, 12, 2);
    for (balance, contrast, label) in [(0.0, 1.0, 1.0), (0.5, 10.0, 0.5), (1.0, 100.0, 0.25)] {
        let task = AlignmentReversing { balance, reversed: q, contrast: 100.0, label_ratio: 0.25 };
        let (x, y) = reversing(task, n, d);
        let weight = |of: &dyn Fn(usize) -> f64, directions: std::ops::Range<usize>| {
            let count = directions.len() as f64;
            let square = |a: usize, i: usize| x[a * d + i] * x[a * d + i] * of(a);
            directions.map(|i| (0..n).map(|a| square(a, i)).sum::<f64>()).sum::<f64>() / count
        };
        let ratio = |of: &dyn Fn(usize) -> f64| weight(of, 0..q) / weight(of, q..d);
        let (gram, labelled) = (ratio(&|_| 1.0), ratio(&|a| y[a]));
        assert!((gram / contrast - 1.0).abs() < 0.1, "balance {balance}: {gram} {contrast}");
        assert!((labelled / label - 1.0).abs() < 0.1, "balance {balance}: {labelled} {label}");
        let crossed = (0..n).any(|a| x[a * d] != 0.0 && x[a * d + d - 1] != 0.0);
        assert!(!crossed, "no sample lies in both groups");
    }
}

#[test]
fn parameters_outside_their_range_are_typed_errors() {
    let good = AlignmentReversing::new(0.5);
    let run = |task: AlignmentReversing| {
        let mut stream = Stream::new(1, Purpose::TrainInputs, 0);
        task.fill(&mut stream, MatMut::new(&mut [0.0; 12], 3, 4).unwrap(), &mut [0.0; 3])
    };
    assert_eq!(run(good), Ok(()));
    for bad in [
        AlignmentReversing { balance: -0.1, ..good },
        AlignmentReversing { balance: f64::NAN, ..good },
        AlignmentReversing { balance: 1.1, ..good },
        AlignmentReversing { reversed: 0, ..good },
        AlignmentReversing { reversed: 4, ..good },
        AlignmentReversing { contrast: 0.5, ..good },
        AlignmentReversing { contrast: f64::INFINITY, ..good },
        AlignmentReversing { label_ratio: 0.0, ..good },
        AlignmentReversing { label_ratio: 2.0, ..good },
    ] {
        assert!(matches!(run(bad), Err(Error::Parameter { .. })), "{bad:?}");
    }
    let mut stream = Stream::new(1, Purpose::TrainInputs, 0);
    let found = good.fill(&mut stream, MatMut::new(&mut [0.0; 12], 3, 4).unwrap(), &mut [0.0; 4]);
    assert!(matches!(found, Err(Error::Length { .. })));
}

fn gaussian(n: usize, d: usize, spectrum: Option<f64>) -> (Vec<f64>, Vec<f64>) {
    let (mut x, mut y) = (vec![0.0; n * d], vec![0.0; n]);
    let mut stream = Stream::new(83, Purpose::TrainInputs, 0);
    fill_gaussian(&mut stream, spectrum, MatMut::new(&mut x, n, d).unwrap()).unwrap();
    Stream::new(83, Purpose::TrainLabels, 0).fill_normal(&mut y);
    (x, y)
}

/// Why: the steeper the spectrum, the fewer directions carry the traces, and `B` turns `S M B M S` away from `S M S`.
/// The ratio of means is not the mean ratio, but at this size they are close.
#[test]
fn structured_spectra_fall_below_one_as_predicted() {
    let (n, d, units) = (1024, 128, 1024);
    let mut found = Vec::new();
    for alpha in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let (x, y) = gaussian(n, d, Some(alpha));
        let (predicted, observed) = predict_and_observe(&x, &y, units, 16);
        let rho = predicted.rho.unwrap();
        let (mean, deviation) = (observed.mean().unwrap(), observed.deviation().unwrap());
        println!("alpha {alpha}: predicted {rho:.4}, measured {mean:.4} +- {deviation:.4}");
        assert!((rho - mean).abs() < 0.015, "{alpha}: {rho} {mean}");
        found.push(rho);
    }
    assert!(found[0] > found[2] && found[2] > found[4], "{found:?}");
}

/// Why: with isotropic inputs `B` tends to a multiple of the identity as samples for each direction grow, so G tends to a
/// multiple of F.
#[test]
fn isotropic_quadratic_networks_tend_to_one() {
    let mut last = 0.0;
    for factor in [1, 4, 16, 64] {
        let d = 48;
        let (x, y) = gaussian(2 * factor * d, d, None);
        let (predicted, _) = predict_and_observe(&x, &y, (2 * factor * d) as u32, 0);
        let rho = predicted.rho.unwrap();
        println!("n/d = k/d = {}: {rho:.4}", 2 * factor);
        assert!(rho > last);
        last = rho;
    }
    assert!(last > 0.99, "{last}");
}

/// Why: inner products of independent high-dimensional inputs vanish against their norms, so every kernel tends to a
/// constant plus a multiple of the identity.
#[test]
fn wide_networks_on_isotropic_inputs_tend_to_one() {
    let mut last = 0.0;
    for d in [20, 40, 80, 160, 320] {
        let (x, y) = gaussian(2 * d, d, None);
        let mut rho = [Err(Undefined::NotComputed); 2];
        let mut work = vec![0.0; wide_workspace(2 * d, d, 1, 2)];
        let (x, y) = (matrix(&x, 2 * d), matrix(&y, 2 * d));
        wide(Level::detect(), DualKernel::Relu, 1.0, x, y, &mut rho, &mut work).unwrap();
        let first = rho[0].unwrap();
        println!("d = {d}: {first:.4}");
        assert!(first > last && first < 1.0);
        last = first;
    }
    assert!(last > 0.97, "{last}");
}
