//! Which samples train and which are held out for the test.

use crate::memory::{collected, reserved};
use agop_core::random::{Purpose, Stream};

/// The part that is held out where nothing else is said.
pub const TEST_FRACTION: f64 = 0.2;

/// Indices of the samples that train, and of those that are held out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Of the samples that train, in their order.
    pub train: Vec<usize>,
    /// Of the samples held out.
    pub test: Vec<usize>,
}

/// Holds out `floor(fraction n)` of n samples: the first in an order that the seed shuffles ([`Purpose::Split`]). The others
/// train in that order. A product within rounding of an integer is that integer.
///
/// With `strata`, the class of each sample, each class of m samples gives `floor(fraction m)`. Classes with the largest
/// rests give one more, the lower number first, until the total is reached. Every class keeps one sample to train on.
///
/// # Errors
/// A sentence when nothing would be held out or nothing would train; for a class of a single sample; when the memory cannot
/// be had.
pub fn split(samples: usize, fraction: f64, seed: u64, strata: Option<&[usize]>) -> Result<Split, String> {
    let part = |n: usize| {
        let product = fraction * n as f64;
        let whole = product.round();
        (if (product - whole).abs() <= 1e-12 * whole { whole } else { product }) as usize
    };
    let held_out = part(samples);
    if held_out == 0 {
        let least = (1.0 / fraction).ceil();
        let reason = format!("holding out {fraction} of them for the test needs at least {least}");
        return Err(format!("{samples} samples: {reason}"));
    }
    if held_out >= samples {
        return Err(format!("{samples} samples: holding out {fraction} of them leaves none to train on"));
    }
    let what = "order of the samples";
    let memory = |error: crate::Error| error.to_string();
    let mut order = collected(what, samples, 0..samples).map_err(memory)?;
    Stream::new(seed, Purpose::Split, 0).shuffle(&mut order);
    let mut test = reserved(what, held_out).map_err(memory)?;
    let Some(strata) = strata else {
        test.extend(order.drain(..held_out));
        return Ok(Split { train: order, test });
    };
    let mut sizes = vec![0_usize; strata.iter().max().map_or(0, |most| most + 1)];
    strata.iter().for_each(|class| sizes.get_mut(*class).into_iter().for_each(|size| *size += 1));
    if let Some(class) = sizes.iter().position(|size| *size == 1) {
        return Err(format!(
            "class number {class} has one sample, --stratify needs two of each: one to train on, one to test"
        ));
    }
    let mut left: Vec<usize> = sizes.iter().map(|size| part(*size)).collect();
    let mut by_rest: Vec<usize> = (0..sizes.len()).collect();
    let rest = |class: &usize| sizes.get(*class).map_or(0.0, |m| fraction * *m as f64 - part(*m) as f64);
    by_rest.sort_by(|a, b| rest(b).total_cmp(&rest(a)));
    by_rest.retain(|class| left.get(*class).is_some_and(|left| sizes.get(*class) > Some(&(left + 1))));
    by_rest.truncate(held_out - Ord::min(left.iter().sum(), held_out));
    by_rest.iter().for_each(|class| left.get_mut(*class).into_iter().for_each(|left| *left += 1));
    let mut train = reserved(what, samples).map_err(memory)?;
    for sample in order {
        let left = strata.get(sample).and_then(|class| left.get_mut(*class));
        match left.filter(|left| **left > 0) {
            Some(left) => {
                *left -= 1;
                test.push(sample);
            }
            None => train.push(sample),
        }
    }
    Ok(Split { train, test })
}
