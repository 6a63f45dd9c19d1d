//! Moments of the readout: expectations of products of power sums `p_m = sum_i a_i^{2m}`.

use crate::scalar::Scalar;

/// The largest number of factors M of a word, and therefore the highest power sum.
pub(super) const MAX_FACTORS: usize = 4;

/// The readout of the quadratic network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Readout<'a, T> {
    /// These values, one for each unit.
    Given(&'a [T]),
    /// Independent standard normals; the expectation is taken over them.
    Gaussian {
        /// Number of units k.
        units: u32,
    },
    /// Independent signs, +1 or -1. Only their squares matter, so the result does not depend on the draw.
    Sign {
        /// Number of units k.
        units: u32,
    },
}

impl<T: Scalar> Readout<'_, T> {
    /// Number of units k.
    pub fn units(&self) -> usize {
        match self {
            Self::Given(values) => values.len(),
            Self::Gaussian { units } | Self::Sign { units } => *units as usize,
        }
    }

    pub(super) fn moments(&self) -> Moments<T> {
        match *self {
            Self::Given(values) => Moments::given(values.iter().cloned()),
            Self::Gaussian { units } => Moments::Random { units, moment: double_factorial },
            Self::Sign { units } => Moments::Random { units, moment: |_| 1 },
        }
    }
}

/// `E a^{2q} = (2q - 1)!!` of a standard normal.
fn double_factorial(q: usize) -> i64 {
    (1..=q as i64).fold(1, |product, i| product * (2 * i - 1))
}

/// Expectations of products of power sums.
pub(super) enum Moments<T> {
    /// `p_1 .. p_4`.
    Given([T; MAX_FACTORS]),
    /// Independent entries: their number, and `E a^{2q}` by q.
    Random { units: u32, moment: fn(usize) -> i64 },
}

impl<T: Scalar> Moments<T> {
    pub(super) fn given(values: impl Iterator<Item = T>) -> Self {
        let mut sums: [T; MAX_FACTORS] = core::array::from_fn(|_| T::zero());
        for a in values {
            let square = a.clone() * a;
            let mut power = T::one();
            for sum in &mut sums {
                power = power * square.clone();
                *sum = sum.clone() + power.clone();
            }
        }
        Self::Given(sums)
    }

    /// `E prod_c p_{m_c}` for components of sizes m_c.
    ///
    /// For random entries `prod_c p_{m_c} = sum over i_1 .. i_r of prod_c a_{i_c}^{2 m_c}`. The indices that coincide
    /// form a set partition of the components. A partition of b blocks has `k (k-1) .. (k-b+1)` choices of indices, and
    /// each block contributes one moment, of order the sum of its sizes. Note that `E p_1^2` is not `(E p_1)^2`.
    ///
    /// **Source** derived here.
    pub(super) fn product(&self, sizes: &[usize]) -> T {
        match self {
            Self::Given(_) => self.leading(sizes),
            Self::Random { units, moment } => blocks(sizes, &mut [0; MAX_FACTORS], 0, *units, *moment),
        }
    }

    /// `prod_c E p_{m_c}`: the leading order of [`Moments::product`] in k.
    pub(super) fn leading(&self, sizes: &[usize]) -> T {
        sizes.iter().fold(T::one(), |product, m| {
            product
                * match self {
                    Self::Given(sums) => {
                        m.checked_sub(1).and_then(|i| sums.get(i)).cloned().unwrap_or_else(T::one)
                    }
                    Self::Random { units, moment } => {
                        T::from_integer(i64::from(*units)) * T::from_integer(moment(*m))
                    }
                }
        })
    }
}

/// Sums over all ways to put each remaining component into an existing block or into a new one.
fn blocks<T: Scalar>(
    rest: &[usize],
    totals: &mut [usize; MAX_FACTORS],
    used: usize,
    units: u32,
    moment: fn(usize) -> i64,
) -> T {
    let Some((size, rest)) = rest.split_first() else {
        return totals.iter().take(used).enumerate().fold(T::one(), |product, (index, total)| {
            let choices = i64::from(units) - index as i64;
            product * T::from_integer(if choices > 0 { choices } else { 0 }) * T::from_integer(moment(*total))
        });
    };
    let mut sum = T::zero();
    for block in 0..=used {
        let Some(total) = totals.get_mut(block) else { break };
        *total += size;
        let now = if block == used { used + 1 } else { used };
        sum = sum + blocks(rest, totals, now, units, moment);
        if let Some(total) = totals.get_mut(block) {
            *total -= size;
        }
    }
    sum
}
