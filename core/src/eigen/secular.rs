//! Eigenpairs of a diagonal matrix plus a matrix of rank one, `D + rho z z^T`.
//!
//! The eigenvalues are the roots of the secular equation `f(x) = 1 / rho + sum_j z_j^2 / (d_j - x) = 0`. There is one root
//! between each pole `d_j` and the next, and one above the last pole. The eigenvector of a root x is `z_j / (d_j - x)`,
//! normalised.

use super::eight::{Choice, Eight, LANES};
use crate::ieee::sqrt;
use crate::kernel::SimdLoop;
use crate::matrix::rows_mut;

/// The largest number of steps for a root. Three to five are usual.
pub(super) const STEPS: usize = 100;

/// Finds the root above each pole. Returns the number of roots found: all, or only the first ones.
///
/// **Shapes** all slices have one length; poles strictly ascending, `rho > 0`, no z is 0.
///
/// **Result** Root i is `origins[i] + offsets[i]`. The origin is a pole next to the root, so that the distance of the root
/// from each pole has a small relative error. It is the lower pole if f is not negative at the midpoint, else the upper
/// one; for the last root it is the last pole.
///
/// **Method** f increases between two poles, so the poles bracket the root. Each step replaces f by a function with two
/// poles, the nearest on either side: the terms of the poles below the root become one term with the lower pole plus a
/// constant, which match the sum in value and slope, and likewise above. The root of that function is the root of a
/// quadratic equation. If it is outside the bracket, the step bisects instead. The last root is above all poles; for it the
/// two poles are the last one and the one before it, which stands for all others.
///
/// A root is final in two cases. Either |f| was within the rounding errors of its terms; then one more step is taken, if it
/// stays in the bracket. Or a step did not change it. With a single pole the root is `offsets[0] = rho z^2`.
///
/// **Source** J. R. Bunch, C. P. Nielsen, D. C. Sorensen, *Rank-one modification of the symmetric eigenproblem*, Numer.
/// Math. 31 (1978); R.-C. Li, *Solving secular equations stably and efficiently*, LAPACK working note 89 (1993).
pub(super) struct Roots<'a> {
    pub(super) poles: &'a [f64],
    pub(super) z: &'a [f64],
    pub(super) rho: f64,
    pub(super) origins: &'a mut [f64],
    pub(super) offsets: &'a mut [f64],
}

impl SimdLoop for Roots<'_> {
    type Output = usize;
    #[inline(always)]
    fn run(self) -> usize {
        let Self { poles, z, rho, origins, offsets } = self;
        // The largest possible distance of the last root from the last pole.
        let reach = rho * z.iter().fold(0.0, |sum, z| sum + z * z);
        if let ([pole], [origin], [offset]) = (poles, &mut *origins, &mut *offsets) {
            (*origin, *offset) = (*pole, reach);
            return 1;
        }
        let equation = Equation { poles, z, constant: Eight::all(1.0 / rho) };
        let mut found = 0;
        let places = origins.chunks_mut(LANES).zip(offsets.chunks_mut(LANES));
        for (first, (origins, offsets)) in (0..).step_by(LANES).zip(places) {
            let Some((Eight(origin), Eight(offset))) = equation.roots(first, reach) else { break };
            let places = origins.iter_mut().zip(offsets);
            for (place, root) in places.zip(origin.into_iter().zip(offset)) {
                (*place.0, *place.1) = root;
                found += 1;
            }
        }
        found
    }
}

struct Equation<'a> {
    poles: &'a [f64],
    z: &'a [f64],
    /// `1 / rho`.
    constant: Eight,
}

/// The sums of `z_j^2 / (d_j - x)` over the poles below and above a root, and their derivatives. For the last root, `right`
/// holds the term of the last pole, although that pole is below the root.
struct Terms {
    left: Eight,
    right: Eight,
    left_slope: Eight,
    right_slope: Eight,
}

/// The poles of the function with two poles that replaces f in a step.
struct TwoPoles {
    left: Eight,
    right: Eight,
    /// The lanes whose root is above both poles: that of the last root.
    beyond: Choice,
}

impl Equation<'_> {
    /// Eight roots as `(origins, offsets)`, the first of them above pole `first`. Lanes past the last root repeat it. `None`
    /// if a root was not found.
    #[inline(always)]
    fn roots(&self, first: usize, reach: f64) -> Option<(Eight, Eight)> {
        let mut places = [0; LANES];
        for (lane, place) in places.iter_mut().enumerate() {
            *place = (first + lane).min(self.poles.len().wrapping_sub(2));
        }
        let at = |values: &[f64], next: usize| {
            Eight(places.map(|place| {
                let value = values.get(place + next);
                debug_assert!(value.is_some(), "there are two poles at least");
                value.copied().unwrap_or_default()
            }))
        };
        let (left, right) = (at(self.poles, 0), at(self.poles, 1));
        let (left_z, right_z) = (at(self.z, 0), at(self.z, 1));
        let (left_square, right_square) = (left_z * left_z, right_z * right_z);
        let beyond = Choice::places(|lane| first + lane + 1 >= self.poles.len());
        let two_poles = TwoPoles { left, right, beyond };

        // The sign of f at the midpoint tells the nearer pole. For the first guess the other poles count as a constant.
        let (zero, reach, gap) = (Eight::ZERO, Eight::all(reach), right - left);
        let middle = beyond.of(reach, gap) * Eight::all(0.5);
        let origin = beyond.of(right, left);
        let terms = self.terms(first, origin, middle);
        let value = self.constant + (terms.left + terms.right);
        let own = left_square / ((left - origin) - middle) + right_square / ((right - origin) - middle);
        let below = value.less(zero); // the root is above the midpoint
        let low = below.of(beyond.of(middle, -middle), zero);
        let high = below.of(beyond.of(reach, zero), middle);
        let origin = below.of(right, origin);
        let (to_left, to_right) = (left - origin, right - origin);
        let sum = (value - own) * (to_left + to_right) + (left_square + right_square);
        let product = left_square * to_right + right_square * to_left;
        let guess = two_poles.root(value - own, sum, product);

        self.refine(first, &two_poles, origin, [low, high], guess)
    }

    /// Takes steps from a guess until all eight roots are final.
    #[inline(always)]
    fn refine(
        &self,
        first: usize,
        two_poles: &TwoPoles,
        origin: Eight,
        [mut low, mut high]: [Eight; 2],
        guess: Eight,
    ) -> Option<(Eight, Eight)> {
        let tolerance = Eight::all(f64::EPSILON * self.poles.len() as f64);
        let mut offset = inside(low, high, guess).of(guess, mean(low, high));
        let mut settled = Choice::NONE;
        for _ in 0..STEPS {
            let terms = self.terms(first, origin, offset);
            let value = self.constant + (terms.left + terms.right);
            let size = self.constant + (terms.left.abs() + terms.right.abs());
            let below = value.less(Eight::ZERO);
            low = below.of(offset, low);
            high = below.of(high, offset);
            let (to_left, to_right) =
                ((two_poles.left - origin) - offset, (two_poles.right - origin) - offset);
            let rest = value - (to_left * terms.left_slope + to_right * terms.right_slope);
            let both = to_left * to_right;
            let sum = (to_left + to_right) * value - both * (terms.left_slope + terms.right_slope);
            let near = value.abs().less(tolerance * size);
            let next = offset + two_poles.root(rest, sum, both * value);
            let next = inside(low, high, next).of(next, near.of(offset, mean(low, high)));
            let stays = next.choose(offset, |next, offset| next == offset);
            offset = settled.of(offset, next);
            settled = settled.or(near).or(stays);
            if settled.all() {
                return Some((origin, offset));
            }
        }
        None
    }

    /// The terms at `origin + offset`, summed with j ascending.
    #[inline(always)]
    fn terms(&self, first: usize, origin: Eight, offset: Eight) -> Terms {
        let (mut left, mut left_slope) = (Eight::ZERO, Eight::ZERO);
        let (mut right, mut right_slope) = (Eight::ZERO, Eight::ZERO);
        let term = |(pole, z): (&f64, &f64)| {
            let (pole, z) = (Eight::all(*pole), Eight::all(*z));
            let ratio = z / ((pole - origin) - offset);
            (z * ratio, ratio * ratio)
        };
        let mut terms = self.poles.iter().zip(self.z).map(term);
        for (value, slope) in terms.by_ref().take(first) {
            left += value;
            left_slope += slope;
        }
        for (j, (value, slope)) in (first..).zip(terms.by_ref().take(LANES)) {
            let is_left = Choice::places(|lane| j <= first + lane && j + 2 <= self.poles.len());
            left += is_left.of(value, Eight::ZERO);
            left_slope += is_left.of(slope, Eight::ZERO);
            right += is_left.of(Eight::ZERO, value);
            right_slope += is_left.of(Eight::ZERO, slope);
        }
        for (value, slope) in terms {
            right += value;
            right_slope += slope;
        }
        Terms { left, right, left_slope, right_slope }
    }
}

impl TwoPoles {
    /// The root of `c x^2 - a x + b` between the poles, or above both, by the formula that does not cancel.
    #[inline(always)]
    fn root(&self, c: Eight, a: Eight, b: Eight) -> Eight {
        let square = a * a - Eight::all(4.0) * (b * c);
        let root = square.map(|x| if x > 0.0 { x } else { 0.0 }).sqrt();
        let root = self.beyond.of(-root, root);
        // (a - root) / 2c = 2b / (a + root)
        let opposite = a.choose(root, |a, root| (a < 0.0) != (root < 0.0));
        opposite.of(a - root, b + b) / opposite.of(c + c, a + root)
    }
}

#[inline(always)]
fn inside(low: Eight, high: Eight, x: Eight) -> Choice {
    low.less(x).and(x.less(high))
}

#[inline(always)]
fn mean(low: Eight, high: Eight) -> Eight {
    (low + high) * Eight::all(0.5)
}

/// Replaces z by the vector for which the computed roots are exact, and computes for each root the factor that normalises
/// the vector `z_j / (d_j - x)`.
///
/// **Shapes** all slices have one length.
///
/// **Method** Up to a common factor, `z_j^2 = prod_i (x_i - d_j) / prod_{i != j} (d_i - d_j)`; the sign is that of the given
/// z. With this z the eigenvectors are orthogonal to working precision, even for roots that are close together.
///
/// **Source** M. Gu, S. C. Eisenstat, *A stable and efficient algorithm for the rank-one modification of the symmetric
/// eigenproblem*, SIAM J. Matrix Anal. Appl. 15 (1994).
pub(super) struct Weights<'a> {
    pub(super) poles: &'a [f64],
    pub(super) z: &'a mut [f64],
    pub(super) origins: &'a [f64],
    pub(super) offsets: &'a [f64],
    pub(super) factors: &'a mut [f64],
}

impl SimdLoop for Weights<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { poles, z, origins, offsets, factors } = self;
        let products = &mut *factors;
        products.fill(1.0);
        for ((origin, offset), own) in origins.iter().zip(offsets).zip(poles) {
            for (product, pole) in products.iter_mut().zip(poles) {
                let gap = pole - own;
                *product *= ((pole - origin) - offset) / if gap == 0.0 { 1.0 } else { gap };
            }
        }
        for (z, product) in z.iter_mut().zip(products) {
            *z = sqrt(product.abs()).copysign(*z);
        }
        for ((origin, offset), factor) in origins.iter().zip(offsets).zip(factors) {
            *factor = 1.0 / sqrt(square(poles, z, *origin, *offset));
        }
    }
}

/// `sum_j (z_j / (d_j - x))^2`. Eight partial sums take every eighth term each; they are added in order, then the remaining
/// terms.
#[inline(always)]
fn square(poles: &[f64], z: &[f64], origin: f64, offset: f64) -> f64 {
    let ((several, last), (several_z, last_z)) = (poles.as_chunks(), z.as_chunks());
    let mut sums = Eight::ZERO;
    for (pole, z) in several.iter().zip(several_z) {
        let ratio = Eight(*z) / ((Eight(*pole) - Eight::all(origin)) - Eight::all(offset));
        sums += ratio * ratio;
    }
    let ratios = last.iter().zip(last_z).map(|(pole, z)| z / ((pole - origin) - offset));
    sums.0.into_iter().chain(ratios.map(|ratio| ratio * ratio)).fold(0.0, |sum, term| sum + term)
}

/// The entries of the eigenvectors that belong to some of the poles, one row for each root.
///
/// **Shapes** poles and z of one length k, the others of one length m; vectors (m x k).
pub(super) struct Vectors<'a> {
    pub(super) poles: &'a [f64],
    pub(super) z: &'a [f64],
    pub(super) origins: &'a [f64],
    pub(super) offsets: &'a [f64],
    pub(super) factors: &'a [f64],
    pub(super) vectors: &'a mut [f64],
}

impl SimdLoop for Vectors<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { poles, z, origins, offsets, factors, vectors } = self;
        let roots = origins.iter().zip(offsets).zip(factors);
        for (row, ((origin, offset), factor)) in rows_mut(vectors, poles.len()).zip(roots) {
            for ((x, pole), z) in row.iter_mut().zip(poles).zip(z) {
                *x = z / ((pole - origin) - offset) * factor;
            }
        }
    }
}
