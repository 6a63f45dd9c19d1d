//! Normal draws against their distribution.

use agop_core::elementary::exp;
use agop_core::random::{Purpose, Stream};
use agop_tests::SplitMix64;

/// The distribution function of the standard normal: `1/2 + density(x) sum_k x^(2k+1) / (1 3 5 ... (2k+1))`.
fn normal_distribution(x: f64) -> f64 {
    const ROOT_OF_TAU: f64 = 2.506_628_274_631_000_2;
    let (mut term, mut sum, mut k) = (x, 0.0, 1.0);
    while term.abs() > 1e-18 {
        sum += term;
        k += 2.0;
        term *= x * x / k;
    }
    0.5 + sum * exp(-0.5 * x * x) / ROOT_OF_TAU
}

struct Statistics {
    mean: f64,
    variance: f64,
    third: f64,
    fourth: f64,
    /// `sqrt(n)` times the largest distance from the normal distribution function.
    kolmogorov_smirnov: f64,
}

fn statistics(mut draws: Vec<f64>) -> Statistics {
    let n = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n;
    let moment = |power: usize| {
        let term = |x: &f64| (0..power).fold(1.0, |product, _| product * (x - mean));
        draws.iter().map(term).sum::<f64>() / n
    };
    let (variance, third, fourth) = (moment(2), moment(3), moment(4));
    draws.sort_unstable_by(f64::total_cmp);
    let mut distance = 0.0_f64;
    for (rank, x) in draws.iter().enumerate() {
        let expected = normal_distribution(*x);
        for d in [expected - rank as f64 / n, (rank + 1) as f64 / n - expected] {
            distance = if d > distance { d } else { distance };
        }
    }
    Statistics { mean, variance, third, fourth, kolmogorov_smirnov: distance * n.sqrt() }
}

/// Four standard deviations of each estimate for normal draws; 1.95 is exceeded by one sample in a thousand.
fn is_normal(s: &Statistics, n: f64) -> bool {
    let within = |error: f64, variance: f64| error.abs() < 4.0 * (variance / n).sqrt();
    within(s.mean, 1.0)
        && within(s.variance - 1.0, 2.0)
        && within(s.third, 6.0)
        && within(s.fourth - 3.0, 96.0)
        && s.kolmogorov_smirnov < 1.95
}

#[test]
fn normals_are_normal() {
    const N: usize = 1_000_000;
    assert!((normal_distribution(1.0) - 0.841_344_746_068_542_9).abs() < 1e-15);
    assert!((normal_distribution(-3.0) - 0.001_349_898_031_630_094_6).abs() < 1e-15);
    let mut stream = Stream::new(2024, Purpose::Trial, 0);
    let draws: Vec<f64> = (0..N).map(|_| stream.normal()).collect();
    assert!(draws.iter().all(|x| x.abs() < 8.3));
    let beyond = draws.iter().filter(|x| x.abs() > 3.0).count() as f64;
    assert!((beyond - 2699.8).abs() < 4.0 * 2699.8_f64.sqrt(), "{beyond} draws beyond three deviations");
    // Neighbouring draws are not correlated.
    let pairs = draws.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / N as f64;
    assert!(pairs.abs() < 4e-3, "{pairs}");
    let s = statistics(draws);
    let line = format!(
        "mean {:.5}, variance {:.5}, third {:.5}, fourth {:.5}, sqrt(n) D {:.3}",
        s.mean, s.variance, s.third, s.fourth, s.kolmogorov_smirnov
    );
    println!("{line}");
    assert!(is_normal(&s, N as f64), "{line}");
    // Negative controls: a sum of twelve uniforms, and a scale that is off by half a percent.
    let mut rng = SplitMix64::new(1);
    assert!(!is_normal(&statistics(rng.normals(N)), N as f64), "a sum of uniforms passes for normal");
    let scaled = (0..N).map(|_| stream.normal() * 1.005).collect();
    assert!(!is_normal(&statistics(scaled), N as f64), "a wrong scale passes for normal");
}

#[test]
fn filling_rounds_each_draw_once() {
    let (mut f32s, mut f64s) = (vec![0.0_f32; 1000], vec![0.0_f64; 1000]);
    Stream::new(3, Purpose::TrainInputs, 1).fill_normal(&mut f32s);
    Stream::new(3, Purpose::TrainInputs, 1).fill_normal(&mut f64s);
    let mut stream = Stream::new(3, Purpose::TrainInputs, 1);
    for (single, double) in f32s.iter().zip(&f64s) {
        assert_eq!(double.to_bits(), stream.normal().to_bits());
        assert_eq!(single.to_bits(), (*double as f32).to_bits());
    }
}
