//! Mean and deviation of what is observed.

use crate::ieee::sqrt;

/// Running mean and standard deviation of observed values.
///
/// **Arithmetic** `mean <- mean + (x - mean) / count`, `squares <- squares + (x - old mean)(x - new mean)`: nothing is
/// subtracted that is large beside the result.
/// **Source** B. P. Welford, Technometrics 4 (1962).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RunningStatistics {
    count: u32,
    mean: f64,
    squares: f64,
}

impl RunningStatistics {
    /// Takes one more value in.
    pub fn add(&mut self, x: f64) {
        self.count += 1;
        let step = x - self.mean;
        self.mean += step / f64::from(self.count);
        self.squares += step * (x - self.mean);
    }

    /// How many values there were.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Their mean; `None` of no values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// Standard deviation of one value, with `count - 1` below the sum of squares; `None` of fewer than two values.
    pub fn deviation(&self) -> Option<f64> {
        (self.count > 1).then(|| sqrt(self.squares / f64::from(self.count - 1)))
    }
}
