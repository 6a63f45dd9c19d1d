//! Expected traces of Wishart words as sums over pairings.
//!
//! ```text
//! M = sum_i a_i^2 w_i w_i^T, w_i ~ N(0, I) independent
//! E tr(M C_1 M C_2 .. M C_p) = sum over the pairings sigma of 2p slots of
//!     [ product over connected components of size m of p_m ] x [ product over cycles of tr(word) ]
//! ```
//! The slots of the j-th M, j from 0, are 2j and 2j+1: its two factors `w`. `C_j` joins slot 2j+1 to slot 2j+2 (mod 2p).
//! Two M are connected if sigma pairs a slot of one with a slot of the other; they then belong to the same unit.
//! Following C and sigma in turn gives cycles, and the C of a cycle form its word. A C that is passed backwards is
//! transposed; P and B are symmetric, so this changes nothing.
//!
//! **Source** L. Isserlis, Biometrika 12 (1918) for the moments of Gaussians; the leading terms are the non-crossing
//! partitions of A. Nica and R. Speicher, *Lectures on the Combinatorics of Free Probability* (2006).

use super::readout::{MAX_FACTORS, Moments};
use super::words::{Letter, WordTraces};
use crate::matrix::cut;
use crate::scalar::Scalar;

/// For each of the 2p slots, the slot with which it is paired.
type Pairing = [usize; 2 * MAX_FACTORS];

const UNPAIRED: usize = usize::MAX;

/// The expectation of a trace, and its leading part in high dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation<T> {
    /// The exact expectation at the given width, dimension and number of samples.
    pub exact: T,
    /// The leading order when width and dimension grow together, as free probability gives it. It takes the non-crossing
    /// pairings only (2, 5 or 14 of 3, 15 or 105), and `prod E p_m` instead of `E prod p_m`. `exact - leading` is the
    /// finite-size correction.
    pub leading: T,
}

/// `E tr(M C_1 .. M C_p)` for the given letters, at most four. If P and B are positive semidefinite, no term is
/// negative, so nothing cancels.
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
        let sizes = cut(&sizes, ..components);
        sum.exact = T::fma(&moments.product(sizes), &product, sum.exact.clone());
        if components + cycles == p + 1 {
            sum.leading = T::fma(&moments.leading(sizes), &product, sum.leading.clone());
        }
    });
    sum
}

/// Visits every pairing of the slots once: it pairs the first free slot with each later free slot in turn.
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

/// Writes the sizes of the connected components of the factors M and returns their number.
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

/// Visits the word of every cycle and returns the number of cycles.
fn each_cycle(pairing: &Pairing, letters: &[Letter], visit: &mut impl FnMut(&[Letter])) -> usize {
    let p = letters.len();
    let (mut walked, mut cycles) = ([false; MAX_FACTORS], 0);
    for start in 0..p {
        let mut word = [Letter::P; MAX_FACTORS];
        let (mut length, mut slot) = (0, 2 * start + 1);
        loop {
            // From an odd slot, C_j is passed forwards; from an even slot, backwards.
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
            visit(cut(&word, ..length));
            cycles += 1;
        }
    }
    cycles
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There are 1, 3, 15, 105 pairings. Of these 1, 2, 5, 14 (the Catalan numbers) have p + 1 components and cycles; none
    /// has more.
    #[test]
    fn pairings_and_those_that_lead_are_as_many_as_there_must_be() {
        for (p, all, leading) in [(1, 1, 1), (2, 3, 2), (3, 15, 5), (4, 105, 14)] {
            let (mut found, mut top) = (0, 0);
            let letters = [Letter::P, Letter::B, Letter::P, Letter::B];
            each_pairing(&mut [UNPAIRED; 2 * MAX_FACTORS], 2 * p, &mut |pairing| {
                let mut sizes = [0; MAX_FACTORS];
                let components = components(pairing, p, &mut sizes);
                let mut length = 0;
                let letters = cut(&letters, ..p);
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
