//! The sum of scalars in the order of the bit contract: a binary tree over their index, folded like a binary counter.

use crate::scalar::Scalar;

/// Adds values in the binary-counter tree over their index.
pub(crate) struct TreeSum<T> {
    /// `sums[h]` is the pending sum of `2^h` values, if bit h of the count is set.
    sums: [T; usize::BITS as usize],
    count: usize,
}

impl<T: Scalar> TreeSum<T> {
    pub(crate) fn new() -> Self {
        Self { sums: core::array::from_fn(|_| T::zero()), count: 0 }
    }

    /// Adds the finished sum of the next `2^height` values, like a binary increment with carries. Precondition: a multiple
    /// of `2^height` values came before.
    pub(crate) fn push(&mut self, height: u32, sum: T) {
        let (mut carry, mut full) = (sum, self.count >> height);
        for slot in self.sums.iter_mut().skip(height as usize) {
            if full & 1 == 0 {
                *slot = carry;
                break;
            }
            carry = slot.clone() + carry;
            full >>= 1;
        }
        self.count = self.count.wrapping_add(1 << height);
    }

    /// Adds the pending sums from the newest to the oldest. `+0` if nothing was pushed.
    pub(crate) fn finish(self) -> T {
        let (mut total, mut full) = (None, self.count);
        for older in self.sums {
            if full == 0 {
                break;
            }
            if full & 1 == 1 {
                total = Some(match total {
                    Some(newer) => older + newer,
                    None => older,
                });
            }
            full >>= 1;
        }
        total.unwrap_or_else(T::zero)
    }
}
