//! Powers of two that keep products of many factors inside the range of `f64`; scaling by them rounds nothing.

use crate::ieee::{exponent, sqrt, times_power_of_two};

/// Brings the largest magnitude into [1/2, 1) and returns the exponent taken out; 0 for all zeros.
pub(super) fn normalize(values: &mut [f64]) -> i32 {
    let taken = exponent(values.iter().copied()).unwrap_or(0);
    for x in values {
        *x = times_power_of_two(*x, -taken);
    }
    taken
}

/// `fg / sqrt(ff gg)` of positive `ff` and `gg`, held within [-1, 1].
pub(super) fn cosine(ff: f64, fg: f64, gg: f64) -> f64 {
    let value = fg / (sqrt(ff) * sqrt(gg));
    if value.abs() > 1.0 { if value > 0.0 { 1.0 } else { -1.0 } } else { value }
}
