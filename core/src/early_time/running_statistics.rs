//! Mean and standard deviation of observed values.

use crate::ieee::sqrt;

/// Running mean and standard deviation of observed values.
///
/// **Arithmetic** `mean <- mean + (x - mean) / count`, `squares <- squares + (x - old mean)(x - new mean)`. No large
/// numbers cancel.
/// **Source** B. P. Welford, Technometrics 4 (1962).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RunningStatistics {
    count: u32,
    mean: f64,
    squares: f64,
}

impl RunningStatistics {
    /// Adds a value.
    pub fn add(&mut self, x: f64) {
        self.count += 1;
        let step = x - self.mean;
        self.mean += step / f64::from(self.count);
        self.squares += step * (x - self.mean);
    }

    /// Number of values.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Mean of the values; `None` without values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// Sample standard deviation, with divisor `count - 1`; `None` for fewer than two values.
    pub fn deviation(&self) -> Option<f64> {
        (self.count > 1).then(|| sqrt(self.squares / f64::from(self.count - 1)))
    }
}
