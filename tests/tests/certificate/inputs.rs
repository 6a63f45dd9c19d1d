//! Stated errors of the inputs.

use super::families::{Draw, nearly_constant};
use super::{Pair, ROUTES, Tally, many, plain, symmetric, two_groups};
use agop_core::correlation::{InputError, Powers};
use agop_tests::SplitMix64;

/// The matrix with an error of norm at most `0.9 e` times its own, in one of three directions.
fn disturbed(rng: &mut SplitMix64, m: &[f64], columns: usize, e: f64, keep_symmetric: bool) -> Vec<f64> {
    let mut error = vec![0.0; m.len()];
    match rng.below(3) {
        0 => error = rng.normals(m.len()),
        1 => error[rng.below(m.len() as u64) as usize] = 1.0,
        _ => {
            let row = rng.below((m.len() / columns) as u64) as usize * columns;
            error[row..row + columns].copy_from_slice(&m[row..row + columns]);
        }
    }
    if keep_symmetric {
        error = symmetric(&error, columns);
    }
    let norm = |m: &[f64]| m.iter().map(|x| x * x).sum::<f64>().sqrt();
    let scale = if norm(&error) > 0.0 { 0.9 * e * norm(m) / norm(&error) } else { 0.0 };
    m.iter().zip(&error).map(|(x, error)| x + scale * error).collect()
}

/// Matrices that are themselves off by a stated relative error: the bound covers that. Controls: the bound for
/// exact matrices does not, and neither factor's error hides behind the other's.
#[test]
fn stated_errors_of_the_inputs_are_covered() {
    let families: [(&str, Draw); 3] = [
        ("plain", |rng| plain(rng, 6)),
        ("nearly constant", nearly_constant),
        ("two groups, 1 and 0.1", |rng| two_groups(rng, 0.1)),
    ];
    for (name, draw) in families {
        for (e_w, e_f) in [(1e-3, 0.0), (0.0, 1e-3), (1e-7, 1e-7), (1e-10, 0.0), (0.0, 1e-10)] {
            let mut rng = SplitMix64::new(0xd157);
            let (mut tally, mut control) = (Tally::default(), Tally::default());
            for case in 0..many(200) {
                let pair = draw(&mut rng);
                let route = ROUTES[case % 2];
                let w = disturbed(&mut rng, &pair.w, pair.d, e_w, false);
                let f = disturbed(&mut rng, &pair.f, pair.k, e_f, true);
                let (given, exact) = (Pair { w, f, ..pair.clone() }, pair.exact());
                let stated = InputError { weights: e_w, ptk: e_f, computed: 0.0 };
                let found = given.correlate(stated, route, Powers::One);
                tally.cosine_and_pearson(&found, &exact);
                control
                    .cosine_and_pearson(&given.correlate(InputError::default(), route, Powers::One), &exact);
            }
            println!("    bounds for exact matrices: violated {} times", control.violations);
            assert!(control.violations >= 10, "{name}: errors {e_w:e}, {e_f:e} go unnoticed");
            tally.report(&format!("{name}, off by {e_w:.0e}, {e_f:.0e}"));
        }
    }
}
