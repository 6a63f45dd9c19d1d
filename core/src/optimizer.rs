//! Update rules: gradient descent and Speed Limited Optimization (SLO), with momentum and weight decay.
//!
//! ```text
//! gradient descent   r_l = 1,                           C_l = 1
//! Speed Limited      r_l = 1 / (epsilon + |grad_l|_F),  C_l a constant        layer by layer, weights and bias together
//!
//! v <- mu v + r grad
//! W <- W - eta C (v + lambda W)
//! ```
//! Without momentum and decay v is not stored: `W <- W - (eta C r) grad`.
//!
//! **Source** SLO: Beaglehole, Mitliagkas, Agarwala, *Feature learning as alignment*, arXiv 2402.05271. Momentum: B. T.
//! Polyak, USSR Comput. Math. Math. Phys. 4 (1964). Momentum and decay of SLO are defined here.

use crate::error::{Error, check_at_least_zero, check_length, check_workspace};
use crate::ieee::sqrt;
use crate::kernel::{self, Backend};
use crate::matrix::{MatRef, copy, cut, cut_mut, split};
use crate::network::{LayerSpan, Shape, weights};
use crate::scalar::Real;
use core::ops::Range;

/// How the step of a layer depends on its gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Rule<'a> {
    /// The gradient itself.
    GradientDescent,
    /// The normalised gradient times a speed of the layer: the step length does not depend on the size of the gradient.
    SpeedLimited {
        /// `C_l` for every layer, the readout included.
        speeds: &'a [f64],
        /// Added to the norm, so that the step goes to zero with the gradient. [`EPSILON`] by default.
        epsilon: f64,
    },
}

/// Default of Speed Limited Optimization's epsilon.
pub const EPSILON: f64 = 1e-8;

/// An update rule with its rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimizer<'a> {
    /// How the step of a layer depends on its gradient.
    pub rule: Rule<'a>,
    /// Step size eta.
    pub rate: f64,
    /// Momentum mu in [0, 1).
    pub momentum: f64,
    /// Weight decay lambda.
    pub decay: f64,
}

impl<'a> Optimizer<'a> {
    /// A rule without momentum and decay.
    pub const fn new(rule: Rule<'a>, rate: f64) -> Self {
        Self { rule, rate, momentum: 0.0, decay: 0.0 }
    }

    /// Values of state that the rule keeps from step to step: none without momentum and decay, else the velocity v and as
    /// much scratch. The result saturates. The state of the first step is all zeros.
    pub const fn state(&self, parameters: usize) -> usize {
        if self.has_velocity() { parameters.saturating_mul(2) } else { 0 }
    }

    const fn has_velocity(&self) -> bool {
        self.momentum != 0.0 || self.decay != 0.0
    }

    /// Checks the parameters of the rule.
    ///
    /// **Errors** [`Error::Parameter`] for a rate, speed, epsilon, momentum or decay out of range; [`Error::Length`] for a
    /// wrong number of speeds.
    pub fn check<const MAPS: bool>(&self, shape: Shape<'_, MAPS>) -> Result<(), Error> {
        check_at_least_zero("rate", self.rate)?;
        check_at_least_zero("decay", self.decay)?;
        check_at_least_zero("momentum", self.momentum)?;
        if self.momentum >= 1.0 {
            return Err(Error::Parameter { what: "momentum", expected: "less than 1", found: self.momentum });
        }
        if let Rule::SpeedLimited { speeds, epsilon } = self.rule {
            check_length("speeds", shape.layers(), speeds.len())?;
            check_at_least_zero("epsilon", epsilon)?;
            speeds.iter().try_for_each(|speed| check_at_least_zero("speed", *speed))?;
        }
        Ok(())
    }

    /// One step.
    ///
    /// **Shapes** parameters and gradient as [`Shape::parameters`]; state at least [`Optimizer::state`].
    ///
    /// **Arithmetic** `|grad_l|_F` is [`gradient_norm`], in `f64`. r is rounded once, and r is 0 for a zero norm.
    /// - Without momentum and decay: the factor `eta C r` is computed in `f64` and rounded to the scalar once. Then each
    ///   element takes one fma. The gradient is unchanged.
    /// - Otherwise `v <- fma(r, g, mu v)` with r rounded to the scalar, then `W <- fma(-eta C, fma(lambda, W, v), W)`. A
    ///   zero gradient changes only the velocity and, through it, W. On success the gradient holds `v + lambda W`.
    ///
    /// **Errors** those of [`Optimizer::check`]; [`Error::Length`] for parameters or a gradient of another length;
    /// [`Error::Workspace`] for too little state; [`Error::NotFinite`] when the gradient, its norm or a new value is not
    /// finite. On error, parameters and velocity are unchanged. With momentum or decay the gradient and the scratch half of
    /// the state may have been overwritten, so recompute the gradient before you retry.
    ///
    /// **Source** the formulas of [`crate::optimizer`].
    pub fn step<T: Real, B: Backend<T>, const MAPS: bool>(
        &self,
        backend: B,
        shape: Shape<'_, MAPS>,
        parameters: &mut [T],
        gradient: &mut [T],
        state: &mut [T],
    ) -> Result<(), Error> {
        self.check(shape)?;
        check_length("parameters", shape.parameters(), parameters.len())?;
        check_length("gradient", shape.parameters(), gradient.len())?;
        check_workspace("optimizer state", self.state(parameters.len()), state.len())?;
        if !self.has_velocity() {
            return self.step_without_velocity(backend, shape, parameters, gradient);
        }
        kernel::check_finite(backend, MatRef::new(gradient, 1, gradient.len())?, "gradient")?;
        let ([velocity, new_velocity], _) = split(state, [parameters.len(); 2]);
        let (mu, lambda) = (T::from_f64(self.momentum), T::from_f64(self.decay));
        for (layer, span) in shape.spans().enumerate() {
            let (r, c) = self.factors(backend, layer, span, gradient)?;
            let (r, minus_eta_c) = (T::from_f64(r), T::from_f64(-(self.rate * c)));
            let (v, new_v) = (slice(velocity, span), slice(new_velocity, span));
            let (w, g) = (slice(parameters, span), slice(gradient, span));
            // v' = mu v + r grad
            backend.vectorize(|| new_v.iter_mut().zip(v.iter()).for_each(|(new, v)| *new = mu * *v));
            backend.axpy(r, g, new_v);
            if let Some(index) = new_v.iter().position(|v| !v.is_finite()) {
                return Err(Error::NotFinite { what: "velocity", row: 0, column: span.offset + index });
            }
            // u = v' + lambda W, in the memory of the gradient
            copy(g, new_v);
            backend.axpy(lambda, w, g);
            check_sum(backend, span.offset, minus_eta_c, g, w)?;
        }
        // W <- W - eta C u and v <- v': every new value is finite.
        for (layer, span) in shape.spans().enumerate() {
            let minus_eta_c = T::from_f64(-(self.rate * self.speed(layer)));
            backend.axpy(minus_eta_c, slice(gradient, span), slice(parameters, span));
        }
        copy(velocity, new_velocity);
        Ok(())
    }

    /// `W <- W - (eta C r) grad`. All new values are known to be finite before the first is written.
    ///
    /// There is no scratch in which to compute them first: this rule has no state, so that it fits small machines. The
    /// largest magnitudes of W and of the gradient decide instead, in one pass over both. Only where they do not suffice
    /// each new value is computed and dropped. Rejected: new values in a buffer of 256 on the stack, checked, then computed
    /// again. A training step then executes 12 to 44 % more instructions (`benches/instructions`, AVX2).
    fn step_without_velocity<T: Real, B: Backend<T>, const MAPS: bool>(
        &self,
        backend: B,
        shape: Shape<'_, MAPS>,
        parameters: &mut [T],
        gradient: &[T],
    ) -> Result<(), Error> {
        if !all_below(backend, gradient, self.safe_gradient::<T>(), parameters, T::LARGEST / 4.0) {
            kernel::check_finite(backend, MatRef::new(gradient, 1, gradient.len())?, "gradient")?;
            self.each_factor(backend, shape, gradient, &mut |range, factor| {
                check_sum(backend, range.start, factor, cut(gradient, range.clone()), cut(parameters, range))
            })?;
        }
        self.each_factor(backend, shape, gradient, &mut |range, factor| {
            backend.axpy(factor, cut(gradient, range.clone()), cut_mut(parameters, range));
            Ok(())
        })
    }

    /// Visits the parameters of each layer with the factor `-eta C r` of their gradient.
    fn each_factor<T: Real, B: Backend<T>, const MAPS: bool>(
        &self,
        backend: B,
        shape: Shape<'_, MAPS>,
        gradient: &[T],
        visit: &mut dyn FnMut(Range<usize>, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // All layers have the same factor: visit them as one slice.
        if let Rule::GradientDescent = self.rule {
            return visit(0..gradient.len(), T::from_f64(-self.rate));
        }
        for (layer, span) in shape.spans().enumerate() {
            let (r, c) = self.factors(backend, layer, span, gradient)?;
            visit(span.range(), T::from_f64(-(self.rate * c * r)))?;
        }
        Ok(())
    }

    /// A magnitude G: if all entries of the gradient are below G, those of `eta C r grad` are below a quarter of the
    /// largest number, and the norm of the gradient is finite. 0 if there is no such magnitude.
    fn safe_gradient<T: Real>(&self) -> f64 {
        let limit = T::LARGEST / 4.0;
        match self.rule {
            Rule::GradientDescent if self.rate < limit => limit / self.rate,
            Rule::SpeedLimited { speeds, epsilon } => {
                // The factor is at most `eta C / epsilon`, and the step at most `eta C`. Squares of entries below 2^475
                // have a finite sum.
                let fastest = speeds.iter().fold(0.0, |max, speed| if *speed > max { *speed } else { max });
                let reach = self.rate * fastest;
                let root = f64::from_bits((1023 + 475) << 52);
                let safe = reach < limit && reach / epsilon < limit;
                if !safe {
                    0.0
                } else if root < limit {
                    root
                } else {
                    limit
                }
            }
            // The factor would round to infinity, which makes a NaN of a zero gradient.
            Rule::GradientDescent => 0.0,
        }
    }

    fn speed(&self, layer: usize) -> f64 {
        match self.rule {
            Rule::GradientDescent => 1.0,
            Rule::SpeedLimited { speeds, .. } => speeds.get(layer).copied().unwrap_or(0.0),
        }
    }

    /// `(r, C)` of a layer.
    fn factors<T: Real, B: Backend<T>>(
        &self,
        backend: B,
        layer: usize,
        span: LayerSpan,
        gradient: &[T],
    ) -> Result<(f64, f64), Error> {
        let Rule::SpeedLimited { epsilon, .. } = self.rule else { return Ok((1.0, 1.0)) };
        let norm = gradient_norm(backend, span, gradient)?;
        if !norm.is_finite() {
            return Err(Error::NotFinite { what: "norm of a layer's gradient", row: 0, column: span.offset });
        }
        Ok((if norm > 0.0 { 1.0 / (epsilon + norm) } else { 0.0 }, self.speed(layer)))
    }
}

/// `|grad_l|_F`, the norm of the gradient of a layer's weights and bias, in `f64`.
///
/// **Shapes** the gradient is laid out like the parameters.
///
/// **Arithmetic** the root of `g_W . g_W + g_b . g_b`, both by [`Backend::dot`], the bias as one column.
///
/// **Accuracy** the squares are not rescaled. A norm below about 1e-154 therefore loses digits, and it is 0 if all entries
/// are below 1e-162 in magnitude; a Speed Limited layer then makes no step. A norm above about 1e154 is infinite. No
/// gradient in `f32` reaches these limits.
///
/// **Errors** [`Error::Length`] when the gradient ends before the layer does.
pub fn gradient_norm<T: Real, B: Backend<T>>(
    backend: B,
    span: LayerSpan,
    gradient: &[T],
) -> Result<f64, Error> {
    let w = weights(gradient, span)?;
    let Some(bias) = gradient.get(span.bias_range()) else {
        return Err(Error::Length { what: "gradient", expected: span.range().end, found: gradient.len() });
    };
    let bias = MatRef::column_vector(bias);
    Ok(sqrt(backend.dot(w, w) + backend.dot(bias, bias)))
}

/// Speeds that favour one layer: `C_target = contrast`, all others `1 / contrast`.
///
/// **Errors** [`Error::Layer`] when there is no such layer, [`Error::Parameter`] unless the contrast is a positive number
/// with a finite inverse. The speeds are unchanged then.
///
/// **Source** Beaglehole, Mitliagkas, Agarwala, *Feature learning as alignment*, arXiv 2402.05271.
pub fn target_speeds(target: usize, contrast: f64, speeds: &mut [f64]) -> Result<(), Error> {
    if target >= speeds.len() {
        return Err(Error::Layer { index: target, layers: speeds.len() });
    }
    if !(contrast.is_finite() && contrast > 0.0 && (1.0 / contrast).is_finite()) {
        let expected = "a positive number with a finite inverse";
        return Err(Error::Parameter { what: "contrast", expected, found: contrast });
    }
    for (layer, speed) in speeds.iter_mut().enumerate() {
        *speed = if layer == target { contrast } else { 1.0 / contrast };
    }
    Ok(())
}

/// The hidden layer with the lowest correlation, which an adaptive policy makes the target after each measurement.
///
/// Undefined correlations (`None`, NaN) are skipped, and the first layer wins a tie. `None` if all are undefined.
pub fn lowest_correlation(correlations: impl IntoIterator<Item = Option<f64>>) -> Option<usize> {
    let mut lowest: Option<(usize, f64)> = None;
    for (layer, value) in correlations.into_iter().enumerate() {
        if let Some(value) = value
            && !value.is_nan()
            && lowest.is_none_or(|(_, min)| value < min)
        {
            lowest = Some((layer, value));
        }
    }
    lowest.map(|(layer, _)| layer)
}

fn slice<T>(all: &mut [T], span: LayerSpan) -> &mut [T] {
    cut_mut(all, span.range())
}

/// Checks that every `fma(a, x, y)` is finite, without storing any.
fn check_sum<T: Real>(backend: impl Backend<T>, offset: usize, a: T, x: &[T], y: &[T]) -> Result<(), Error> {
    // Below these bounds every product and every sum is below half the largest number.
    let limit = T::LARGEST / 4.0;
    if all_below(backend, x, limit / a.to_f64().abs(), y, limit) {
        return Ok(());
    }
    match x.iter().zip(y).position(|(x, y)| !T::fma(&a, x, *y).is_finite()) {
        Some(index) => Err(Error::NotFinite { what: "updated parameters", row: 0, column: offset + index }),
        None => Ok(()),
    }
}

/// Whether all x and all y are below their bounds in magnitude. A NaN value or a NaN bound makes this false.
fn all_below<T: Real>(backend: impl Backend<T>, x: &[T], max_x: f64, y: &[T], max_y: f64) -> bool {
    let zero = T::Order::default();
    let (max_x, max_y) = (T::from_f64(max_x), T::from_f64(max_y));
    let (largest_x, largest_y) = backend.vectorize(|| {
        x.iter().zip(y).fold((zero, zero), |(largest_x, largest_y), (x, y)| {
            (largest_x.max(x.magnitude_order()), largest_y.max(y.magnitude_order()))
        })
    });
    // `is_positive` is false for a NaN bound.
    let below = |largest: T::Order, bound: T| bound.is_positive() && largest < bound.magnitude_order();
    below(largest_x, max_x) && below(largest_y, max_y)
}
