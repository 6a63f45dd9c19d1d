use crate::scalar::Transcendental;

/// The logistic function at `z` and at `-z`, each with small relative error. The derivatives of sigmoid, SiLU and softplus
/// are computed from the two.
pub(super) struct Logistic<T> {
    /// `n = sigmoid(-|z|)`, at most 1/2.
    pub(super) smaller: T,
    /// `1 - n`.
    pub(super) larger: T,
    /// Whether `z > 0`, in which case `sigmoid(z)` is `larger`.
    pub(super) positive: bool,
}

impl<T: Transcendental> Logistic<T> {
    #[inline(always)]
    pub(super) fn at(z: &T) -> Self {
        let positive = z.is_positive();
        let smaller = if positive { -z.clone() } else { z.clone() }.sigmoid();
        Self { larger: T::one() - smaller.clone(), smaller, positive }
    }

    /// `sigmoid'(z) = n (1 - n)`.
    #[inline(always)]
    pub(super) fn slope(self) -> T {
        self.smaller * self.larger
    }

    /// `sigmoid''(z) = n (1 - n) (1 - 2 n)`, negative for `z > 0`.
    #[inline(always)]
    pub(super) fn second(self) -> T {
        let rest = T::one() - (self.smaller.clone() + self.smaller.clone());
        let (positive, bend) = (self.positive, self.slope() * rest);
        if positive { -bend } else { bend }
    }
}

/// `z v` for a factor `v` that decays faster than `1/z`. The product is zero where `v` is zero, even for infinite `z`.
#[inline(always)]
pub(crate) fn damped<T: Transcendental>(z: &T, v: &T) -> T {
    if *v == T::zero() { T::zero() } else { z.clone() * v.clone() }
}
