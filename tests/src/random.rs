//! A seeded generator for tests.

/// SplitMix64: 64 bits of state, every seed good.
///
/// **Source** Steele, Lea, Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// An integer in `0..bound` (bias below `bound / 2^64`); 0 for `bound = 0`.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// An integer in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let count = high.abs_diff(low) + 1;
        low + self.below(count) as i64
    }

    /// A multiple of `2^-52` in `[-1, 1)`.
    pub fn symmetric(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (2.0 / (1u64 << 53) as f64) - 1.0
    }

    /// Mean 0, variance 1 and nearly normal: the sum of twelve uniforms. No elementary function, so no platform.
    pub fn normal(&mut self) -> f64 {
        let mut sum = 0.0;
        for _ in 0..12 {
            sum += self.symmetric();
        }
        sum / 2.0
    }

    /// `n` draws of [`Self::normal`].
    pub fn normals(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.normal()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix64;

    #[test]
    fn matches_the_published_sequence() {
        let mut rng = SplitMix64::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        for value in expected {
            assert_eq!(rng.bits(), value);
        }
    }

    #[test]
    fn draws_stay_in_their_ranges_and_reach_the_ends() {
        let mut rng = SplitMix64::new(1);
        let mut seen = [false; 7];
        for _ in 0..1000 {
            let n = rng.between(-3, 3);
            seen[usize::try_from(n + 3).unwrap()] = true;
            let x = rng.symmetric();
            assert!((-1.0..1.0).contains(&x));
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let draws = SplitMix64::new(2).normals(100_000);
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
