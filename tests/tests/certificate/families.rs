//! Families of pairs from plain to ill-conditioned.

use super::{
    Pair, ROUTES, Tally, U, distance, many, median, orthonormal, outer, plain, power, size, symmetric, times,
    two_groups,
};
use agop_core::correlation::{InputError, Powers, Route};
use agop_tests::SplitMix64;

fn indefinite(rng: &mut SplitMix64) -> Pair {
    let pair = plain(rng, 8);
    let f = symmetric(&rng.normals(pair.k * pair.k), pair.k);
    Pair { f, ..pair }
}

/// One factor for each matrix, from subnormal to huge.
fn badly_scaled(rng: &mut SplitMix64) -> Pair {
    let mut pair = if rng.below(2) == 0 { plain(rng, 8) } else { indefinite(rng) };
    let mut factor = || match rng.below(5) {
        0 => 1e-150,
        1 => 1e150,
        2 => 3e-320,
        3 => 1e300,
        _ => 1e-307,
    };
    let (w, f) = (factor(), factor());
    times(&mut pair, |x| x * w, f);
    pair
}

/// Entries of one matrix far apart: a factor for each row of W, matched in K or not.
fn graded(rng: &mut SplitMix64) -> Pair {
    let mut pair = plain(rng, 7);
    let spread = [4, 30, 300, 900][rng.below(4) as usize];
    let powers: Vec<f64> = (0..pair.k).map(|_| power(rng.between(-spread, 0))).collect();
    let matched = rng.below(2) == 0;
    for (i, p) in powers.iter().enumerate() {
        pair.w[i * pair.d..(i + 1) * pair.d].iter_mut().for_each(|x| *x *= p);
        for j in 0..pair.k {
            if matched {
                // Upper and lower triangle see the same two roundings.
                let (low, high) = if i < j { (i, j) } else { (j, i) };
                pair.f[i * pair.k + j] = pair.f[i * pair.k + j] * powers[low] * powers[high];
            }
        }
    }
    pair
}

/// Columns of W that differ by `noise` only, so that all entries of F and of G are nearly equal.
pub(super) fn nearly_constant(rng: &mut SplitMix64) -> Pair {
    let mut pair = plain(rng, 8);
    let noise = [0.1, 1e-3, 1e-6, 1e-9, 1e-14][rng.below(5) as usize];
    for row in pair.w.chunks_mut(pair.d) {
        let common = row[0];
        row.iter_mut().for_each(|x| *x = common + noise * *x);
    }
    pair
}

fn rank_one(rng: &mut SplitMix64) -> Pair {
    let (k, d) = (size(rng, 8), size(rng, 8));
    let (a, b, v) = (rng.normals(k), rng.normals(d), rng.normals(k));
    let w = (0..k * d).map(|p| a[p / d] * b[p % d]).collect();
    let sign = if rng.below(4) == 0 { -1.0 } else { 1.0 };
    Pair { k, d, w, f: outer(&v, &[sign], k) }
}

fn thin(rng: &mut SplitMix64) -> Pair {
    let n = size(rng, 8);
    let (k, d) = if rng.below(2) == 0 { (1, n) } else { (n, 1) };
    Pair { k, d, w: rng.normals(k * d), f: symmetric(&rng.normals(k * k), k) }
}

/// Small integers with many zeros: exact cancellations, and gradients that vanish.
fn sparse(rng: &mut SplitMix64) -> Pair {
    let (k, d) = (size(rng, 8), size(rng, 8));
    let mut draw =
        |n: usize| (0..n).map(|_| (rng.between(-3, 3) * rng.between(0, 1)) as f64).collect::<Vec<_>>();
    let (w, f) = (draw(k * d), draw(k * k));
    Pair { k, d, w, f: symmetric(&f, k) }
}

/// Nearly orthogonal rows of one length and K near the identity: correlations near one.
fn aligned(rng: &mut SplitMix64) -> Pair {
    let n = size(rng, 8);
    let noise = [0.0, 1e-12, 1e-6, 1e-3][rng.below(4) as usize];
    let w = orthonormal(rng, n).concat().iter().map(|x| x + noise * rng.normal()).collect();
    let mut f = symmetric(&rng.normals(n * n).iter().map(|x| noise * x).collect::<Vec<_>>(), n);
    (0..n).for_each(|i| f[i * n + i] += 1.0);
    Pair { k: n, d: n, w, f }
}

pub(super) type Draw = fn(&mut SplitMix64) -> Pair;
type Family = (&'static str, usize, Draw);

const FAMILIES: [Family; 11] = [
    ("plain", 500, |rng| plain(rng, 8)),
    ("plain, up to 24", 25, |rng| plain(rng, 24)),
    ("indefinite K", 500, indefinite),
    ("badly scaled", 500, badly_scaled),
    ("graded rows", 500, graded),
    ("nearly constant", 500, nearly_constant),
    ("rank one", 400, rank_one),
    ("one row or one column", 400, thin),
    ("sparse integers", 500, sparse),
    ("aligned", 400, aligned),
    ("two groups, 1 and 1e-2", 300, |rng| two_groups(rng, 1e-2)),
];

#[test]
fn no_value_is_further_from_the_truth_than_its_bound() {
    for (seed, (name, cases, draw)) in FAMILIES.into_iter().enumerate() {
        let mut rng = SplitMix64::new(seed as u64);
        for route in ROUTES {
            let mut tally = Tally::default();
            for _ in 0..many(cases) {
                let pair = draw(&mut rng);
                tally.pair(
                    &pair,
                    &pair.correlate(InputError::default(), route, Powers::One),
                    &pair.exact(),
                    route,
                );
            }
            tally.report(&format!("{name}, {route:?}"));
            if name.starts_with("plain") || name == "indefinite K" {
                assert!(
                    tally.unbounded == 0 && median(&tally.bounds) < 1e-12,
                    "{name}: bounds that say nothing"
                );
            }
        }
    }
}

/// The bound that knows only the three dots: `2 g / (1 - g) + 5 u`, `g = (h+1) u / (1 - (h+1) u)`.
fn naive(height: usize) -> f64 {
    let nu = (height + 1) as f64 * U;
    let g = nu / (1.0 - nu);
    2.0 * g / (1.0 - g) + 5.0 * U
}

/// K on the small singular values of W: the products lose what the dots then compare. The certificate holds; the
/// control, a bound for the dots alone, is wrong by orders of magnitude.
#[test]
fn ill_conditioned_pairs_break_the_naive_bound_and_not_the_certificate() {
    for (seed, small) in [1e-4, 1e-5, 1e-6, 1e-7, 1e-8].into_iter().enumerate() {
        for route in ROUTES {
            let mut rng = SplitMix64::new(0x2900 + seed as u64);
            let mut tally = Tally::default();
            let mut excess = Vec::new();
            for _ in 0..many(400) {
                let pair = two_groups(&mut rng, small);
                let (found, exact) =
                    (pair.correlate(InputError::default(), route, Powers::One), pair.exact());
                tally.pair(&pair, &found, &exact, route);
                if let (Ok(cosine), Some(truth)) = (found.cosine, &exact.cosine) {
                    excess.push(distance(cosine.value, truth).to_f64() / naive(pair.height(route)));
                }
            }
            tally.report(&format!("two groups, 1 and {small:.0e}, {route:?}"));
            excess.sort_by(f64::total_cmp);
            let violations = excess.iter().filter(|x| **x > 1.0).count();
            println!(
                "    naive bound violated {violations} of {} times, by a factor of {:.1e} at the median and {:.1e} at most",
                excess.len(),
                median(&excess),
                excess.last().unwrap()
            );
            assert!(violations * 20 > excess.len() * 19 && median(&excess) > 1e4);
            assert!(small < 1e-5 || tally.unbounded * 50 < tally.ratios.len(), "there is a bound to be had");
        }
    }
    // Where nothing cancels, the dots alone are most of it.
    let mut rng = SplitMix64::new(0x29ff);
    let mut violations = 0;
    for _ in 0..400 {
        let pair = plain(&mut rng, 8);
        let found = pair.correlate(InputError::default(), Route::Gram, Powers::One).cosine.unwrap();
        let error = distance(found.value, pair.exact().cosine.as_ref().unwrap()).to_f64();
        violations += usize::from(error > naive(pair.height(Route::Gram)));
    }
    println!("naive bound violated {violations} of 400 times by plain pairs");
    assert!(violations < 4);
}
