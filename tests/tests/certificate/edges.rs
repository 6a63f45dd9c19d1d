//! Powers of two, and what is undefined.

use super::{Pair, ROUTES, power, times, two_groups};
use agop_core::correlation::{Correlations, InputError, Powers, Unbounded, Undefined};
use agop_tests::SplitMix64;

/// Powers of two change no bit of a correlation or of its bound. Control: a factor of three does.
#[test]
fn powers_of_two_change_no_bit() {
    let mut rng = SplitMix64::new(0x2f);
    let mut moved = 0;
    for _ in 0..200 {
        let pair = two_groups(&mut rng, 0.01);
        for route in ROUTES {
            let found = pair.correlate(InputError::default(), route, Powers::OneAndRoot);
            let (a, b) = (rng.between(-400, 400), rng.between(-400, 400));
            let mut scaled = pair.clone();
            times(&mut scaled, |x| x * power(a), power(b));
            let again = scaled.correlate(InputError::default(), route, Powers::OneAndRoot);
            assert_eq!(Correlations { inner: 0.0, ..found }, Correlations { inner: 0.0, ..again });
            let (a, b) = (rng.between(-100, 100), rng.between(-200, 200));
            let mut scaled = pair.clone();
            times(&mut scaled, |x| x * power(a), power(b));
            let again = scaled.correlate(InputError::default(), route, Powers::One);
            assert_eq!(again.inner, found.inner * power(4 * a + b));
            times(&mut scaled, |x| x * 3.0, 1.0);
            moved += usize::from(
                scaled.correlate(InputError::default(), route, Powers::One).cosine != found.cosine,
            );
        }
    }
    assert!(moved > 350, "{moved} of 400");
}

#[test]
fn what_is_undefined_says_why() {
    let pair = |k: usize, d: usize, w: &[f64], f: &[f64]| Pair { k, d, w: w.to_vec(), f: f.to_vec() };
    let all = |c: Correlations| [c.cosine, c.pearson, c.cosine_sqrt, c.pearson_sqrt];
    for route in ROUTES {
        let on = |p: &Pair| p.correlate(InputError::default(), route, Powers::OneAndRoot);
        let zero_weights = on(&pair(2, 3, &[0.0, -0.0, 0.0, 0.0, 0.0, 0.0], &[1.0, 0.0, 0.0, 2.0]));
        assert_eq!(all(zero_weights), [Err(Undefined::ZeroWeights); 4]);
        let zero_features = on(&pair(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 7.0], &[0.0; 4]));
        assert_eq!(all(zero_features), [Err(Undefined::ZeroGradient); 4]);
        assert_eq!(zero_features.inner.to_bits(), 0);
        // K on a row of W that is zero, and on a combination of equal rows that cancels.
        let dead_row = on(&pair(2, 2, &[1.0, 2.0, 0.0, 0.0], &[0.0, 0.0, 0.0, 5.0]));
        assert_eq!(all(dead_row), [Err(Undefined::ZeroGradient); 4]);
        let cancelled = on(&pair(2, 2, &[1.0, 2.0, 1.0, 2.0], &[1.0, -1.0, -1.0, 1.0]));
        assert_eq!(all(cancelled), [Err(Undefined::ZeroGradient); 4]);
        // One column: the only entry is its own mean. Equal columns: all entries are equal.
        let column = on(&pair(3, 1, &[0.3, -1.7, 2.9], &[2.0, 0.5, 0.1, 0.5, 3.0, 0.7, 0.1, 0.7, 4.0]));
        assert_eq!(
            (column.pearson, column.pearson_sqrt),
            (Err(Undefined::ConstantEntries), Err(Undefined::ConstantEntries))
        );
        let one = column.cosine.unwrap();
        assert!((one.value - 1.0).abs() <= one.bound.unwrap());
        let equal = on(&pair(2, 3, &[0.1, 0.1, 0.1, 0.7, 0.7, 0.7], &[2.0, 0.5, 0.5, 3.0]));
        assert_eq!(
            (equal.pearson, equal.pearson_sqrt),
            (Err(Undefined::ConstantEntries), Err(Undefined::ConstantEntries))
        );
        assert!(equal.cosine.is_ok());
        let indefinite = on(&pair(2, 2, &[1.0, 0.3, 0.2, 1.0], &[1.0, 0.0, 0.0, -1.0]));
        assert_eq!(
            (indefinite.cosine_sqrt, indefinite.pearson_sqrt),
            (Err(Undefined::Indefinite), Err(Undefined::Indefinite))
        );
        assert!(indefinite.cosine.unwrap().bound.is_ok() && indefinite.pearson.unwrap().bound.is_ok());
        let definite = pair(2, 2, &[1.0, 0.3, 0.2, 1.0], &[2.0, 0.5, 0.5, 1.0]);
        let found = on(&definite);
        assert_eq!(found.cosine_sqrt.unwrap().bound, Err(Unbounded::NotComputed));
        assert_eq!(found.pearson_sqrt.unwrap().bound, Err(Unbounded::NotComputed));
        let one_power = definite.correlate(InputError::default(), route, Powers::One);
        assert_eq!((one_power.cosine, one_power.pearson), (found.cosine, found.pearson));
        assert_eq!(one_power.cosine_sqrt, Err(Undefined::NotComputed));
        assert_eq!(one_power.pearson_sqrt, Err(Undefined::NotComputed));
    }
}
