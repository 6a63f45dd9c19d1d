//! Expected traces of Wishart words as sums over pairings.
//!
//! ```text
//! M = sum_i a_i^2 w_i w_i^T, w_i ~ N(0, I) independent
//! E tr(M C_1 M C_2 .. M C_p) = sum over the pairings sigma of 2p slots of
//!     [ product over connected components of size m of p_m ] x [ product over cycles of tr(word) ]
//! ```
//! The j-th M owns the slots 2j and 2j+1 (from 0), its two factors `w`; `C_j` joins slot 2j+1 to slot 2j+2 (mod 2p).
//! sigma pairs Gaussians that coincide: two M are connected when it pairs a slot of one with a slot of the other (then
//! they carry the same unit), and going along C, sigma, C, sigma .. closes cycles whose C form the words. A C walked
//! backwards is transposed, which a symmetric one does not feel.
//!
//! **Source** L. Isserlis, Biometrika 12 (1918) for the moments of Gaussians; the leading terms are the non-crossing
//! partitions of A. Nica and R. Speicher, *Lectures on the Combinatorics of Free Probability* (2006).

use super::readout::{MAX_FACTORS, Moments};
use super::words::{Letter, WordTraces};
use crate::scalar::Scalar;

/// For each of the 2p slots the slot it is paired with.
type Pairing = [usize; 2 * MAX_FACTORS];

const UNPAIRED: usize = usize::MAX;

/// A trace's expectation, and the part of it that survives in high dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation<T> {
    /// The exact expectation at the given width, dimension and number of samples.
    pub exact: T,
    /// Its leading order when width and dimension grow together: the non-crossing pairings (2, 5 or 14 of 3, 15 or 105),
    /// with `prod E p_m` in place of `E prod p_m`. This is what free probability gives; `exact - leading` is the
    /// finite-size correction that it neglects.
    pub leading: T,
}

/// `E tr(M C_1 .. M C_p)` for the given letters, at most four; the sum has only terms of one sign when P and B are
/// positive semidefinite, so nothing cancels.
pub(super) fn expectation<T: Scalar<Wide = T>>(
    letters: &[Letter],
    words: &WordTraces<T>,
    moments: &Moments<T>,
) -> Expectation<T> {
    let p = letters.len();
    let mut sum = Expectation { exact: T::zero(), leading: T::zero() };
    each_pairing(&mut [UNPAIRED; 2 * MAX_FACTORS], 2 * p, &mut |pairing| {
        let mut sizes = [0; MAX_FACTORS];
        let components = components(pairing, p, &mut sizes);
        let mut product = T::one();
        let cycles = each_cycle(pairing, letters, &mut |word| {
            product = product.clone() * words.of(word).cloned().unwrap_or_else(T::zero);
        });
        let sizes = sizes.get(..components).unwrap_or_default();
        sum.exact = T::fma(&moments.product(sizes), &product, sum.exact.clone());
        if components + cycles == p + 1 {
            sum.leading = T::fma(&moments.leading(sizes), &product, sum.leading.clone());
        }
    });
    sum
}

/// Visits every pairing of the slots once: the first free slot takes each later free one in turn.
fn each_pairing(pairing: &mut Pairing, slots: usize, visit: &mut impl FnMut(&Pairing)) {
    let free = |pairing: &Pairing, from: usize| {
        pairing.iter().take(slots).skip(from).position(|slot| *slot == UNPAIRED).map(|found| found + from)
    };
    let Some(first) = free(pairing, 0) else { return visit(pairing) };
    let mut next = first + 1;
    while let Some(second) = free(pairing, next) {
        set(pairing, first, second);
        set(pairing, second, first);
        each_pairing(pairing, slots, visit);
        set(pairing, second, UNPAIRED);
        next = second + 1;
    }
    set(pairing, first, UNPAIRED);
}

fn set(pairing: &mut Pairing, slot: usize, partner: usize) {
    if let Some(slot) = pairing.get_mut(slot) {
        *slot = partner;
    }
}

fn partner(pairing: &Pairing, slot: usize) -> usize {
    pairing.get(slot).copied().unwrap_or(slot)
}

/// Writes the sizes of the connected components of the factors M and returns how many there are.
fn components(pairing: &Pairing, p: usize, sizes: &mut [usize; MAX_FACTORS]) -> usize {
    let mut label: [usize; MAX_FACTORS] = core::array::from_fn(|j| j);
    for slot in 0..2 * p {
        let of = |slot: usize| label.get(slot / 2).copied().unwrap_or(0);
        let (a, b) = (of(slot), of(partner(pairing, slot)));
        for found in &mut label {
            if *found == b {
                *found = a;
            }
        }
    }
    let mut count = 0;
    for component in 0..p {
        let size = label.iter().take(p).filter(|found| **found == component).count();
        if size > 0 {
            if let Some(slot) = sizes.get_mut(count) {
                *slot = size;
            }
            count += 1;
        }
    }
    count
}

/// Visits the word of every cycle and returns how many there are.
fn each_cycle(pairing: &Pairing, letters: &[Letter], visit: &mut impl FnMut(&[Letter])) -> usize {
    let p = letters.len();
    let (mut walked, mut cycles) = ([false; MAX_FACTORS], 0);
    for start in 0..p {
        let mut word = [Letter::P; MAX_FACTORS];
        let (mut length, mut slot) = (0, 2 * start + 1);
        loop {
            // From an odd slot C_j leads forwards, from an even one backwards.
            let (j, other) = if slot % 2 == 1 {
                (slot / 2, (slot + 1) % (2 * p))
            } else {
                ((slot / 2 + p - 1) % p, (slot + 2 * p - 1) % (2 * p))
            };
            match walked.get_mut(j) {
                Some(seen) if !*seen => *seen = true,
                _ => break,
            }
            if let (Some(to), Some(from)) = (word.get_mut(length), letters.get(j)) {
                *to = *from;
            }
            length += 1;
            slot = partner(pairing, other);
        }
        if length > 0 {
            visit(word.get(..length).unwrap_or_default());
            cycles += 1;
        }
    }
    cycles
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1, 3, 15, 105 pairings, of which the Catalan numbers 1, 2, 5, 14 lead; none has more than p + 1 parts.
    #[test]
    fn pairings_and_those_that_lead_are_as_many_as_there_must_be() {
        for (p, all, leading) in [(1, 1, 1), (2, 3, 2), (3, 15, 5), (4, 105, 14)] {
            let (mut found, mut top) = (0, 0);
            let letters = [Letter::P, Letter::B, Letter::P, Letter::B];
            each_pairing(&mut [UNPAIRED; 2 * MAX_FACTORS], 2 * p, &mut |pairing| {
                let mut sizes = [0; MAX_FACTORS];
                let components = components(pairing, p, &mut sizes);
                let mut length = 0;
                let letters = letters.get(..p).unwrap_or_default();
                let cycles = each_cycle(pairing, letters, &mut |word| length += word.len());
                assert_eq!((length, sizes.iter().sum::<usize>()), (p, p));
                assert!(components + cycles <= p + 1);
                found += 1;
                top += usize::from(components + cycles == p + 1);
            });
            assert_eq!((found, top), (all, leading));
        }
    }
}
