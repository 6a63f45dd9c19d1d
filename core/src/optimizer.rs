//! Update rules: gradient descent and Speed Limited Optimization, with momentum and weight decay.
//!
//! ```text
//! gradient descent   u_l = grad_l
//! Speed Limited      u_l = C_l grad_l / (epsilon + |grad_l|_F)        layer by layer, weights and bias together
//! plain              W <- W - eta u
//! with memory        v <- mu v + u / C,   W <- W - eta C (v + lambda W)
//! ```

use crate::error::{Error, check_at_least_zero, check_length, check_workspace};
use crate::ieee::sqrt;
use crate::kernel::{self, Backend};
use crate::matrix::{MatRef, copy, cut, cut_mut, take};
use crate::network::{LayerSpan, Shape, weights};
use crate::scalar::Real;
use core::ops::Range;

/// How a layer's gradient becomes its step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Rule<'a> {
    /// The gradient itself.
    GradientDescent,
    /// The gradient with its norm fixed: every layer moves at its own speed, whatever its gradient's size.
    SpeedLimited {
        /// `C_l` for every layer, the readout included.
        speeds: &'a [f64],
        /// Added to the norm, so that a vanishing gradient stops the layer. [`EPSILON`] by default.
        epsilon: f64,
    },
}

/// Default of Speed Limited Optimization's epsilon.
pub const EPSILON: f64 = 1e-8;

/// An update rule with its rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimizer<'a> {
    /// How a layer's gradient becomes its step.
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

    /// Values of state that the rule carries from step to step: none without momentum and decay, else a velocity and as
    /// much scratch; saturating. It starts at zero.
    pub const fn state(&self, parameters: usize) -> usize {
        if self.plain() { 0 } else { parameters.saturating_mul(2) }
    }

    const fn plain(&self) -> bool {
        self.momentum == 0.0 && self.decay == 0.0
    }

    /// Checks the parameters of the rule.
    ///
    /// **Errors** [`Error::Parameter`] for a rate, speed, epsilon, momentum or decay out of range; [`Error::Length`] for a
    /// wrong number of speeds.
    pub fn check(&self, shape: Shape<'_>) -> Result<(), Error> {
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
    /// **Arithmetic** `|grad_l|_F` in `f64` ([`Backend::dot`] over the weights, plus that over the bias as a column).
    /// Plain: the factor `eta C_l r` (or eta) in `f64`, where r is the rounded `1 / (epsilon + |grad_l|)`, rounded to the
    /// scalar once, then one fma an element. With momentum or decay: `v <- fma(s, g, mu v)`, s the rounded r (or 1), then
    /// `W <- fma(-eta C_l, fma(lambda, W, v), W)`. A zero gradient moves nothing but the memory. The gradient stays as it
    /// is in the plain case; with momentum or decay a success leaves `v + lambda W` (the old W) in its place.
    /// **Errors** those of [`Optimizer::check`]; [`Error::Length`] for parameters or a gradient of another length;
    /// [`Error::Workspace`] for too little state; [`Error::NotFinite`] when the gradient, its norm or a new value is not
    /// finite. Parameters and velocity are unchanged then. With momentum or decay the gradient and the scratch half of the
    /// state may have been overwritten: recompute the gradient before you retry.
    pub fn step<T: Real, B: Backend<T>>(
        &self,
        backend: B,
        shape: Shape<'_>,
        parameters: &mut [T],
        gradient: &mut [T],
        state: &mut [T],
    ) -> Result<(), Error> {
        self.check(shape)?;
        check_length("parameters", shape.parameters(), parameters.len())?;
        check_length("gradient", shape.parameters(), gradient.len())?;
        check_workspace("optimizer state", self.state(parameters.len()), state.len())?;
        if self.plain() {
            return self.plain_step(backend, shape, parameters, gradient);
        }
        kernel::check_finite(backend, MatRef::new(gradient, 1, gradient.len())?, "gradient")?;
        let (velocity, next) = take(state, parameters.len());
        let next = cut_mut(next, ..parameters.len());
        let momentum = T::from_f64(self.momentum);
        for (layer, span) in shape.spans().enumerate() {
            let (unit, speed) = self.factors(backend, layer, span, gradient)?;
            let (v, next) = (slice(velocity, span), slice(next, span));
            let (w, g) = (slice(parameters, span), slice(gradient, span));
            // next <- mu v + r grad
            backend.vectorize(|| next.iter_mut().zip(v.iter()).for_each(|(n, v)| *n = momentum * *v));
            backend.axpy(T::from_f64(unit), g, next);
            if let Some(index) = next.iter().position(|v| !v.is_finite()) {
                return Err(Error::NotFinite { what: "velocity", row: 0, column: span.offset + index });
            }
            // grad <- next + lambda W
            copy(g, next);
            backend.axpy(T::from_f64(self.decay), w, g);
            check_update(backend, span.offset, T::from_f64(-(self.rate * speed)), g, w)?;
        }
        // W <- W - eta C grad, v <- next: nothing fails from here on.
        for (layer, span) in shape.spans().enumerate() {
            let factor = T::from_f64(-(self.rate * self.speed(layer)));
            backend.axpy(factor, slice(gradient, span), slice(parameters, span));
        }
        copy(velocity, next);
        Ok(())
    }

    /// `W <- W - eta u`, refused before any W is written where a new value is not finite.
    fn plain_step<T: Real, B: Backend<T>>(
        &self,
        backend: B,
        shape: Shape<'_>,
        parameters: &mut [T],
        gradient: &[T],
    ) -> Result<(), Error> {
        if !self.bounded(backend, parameters, gradient) {
            kernel::check_finite(backend, MatRef::new(gradient, 1, gradient.len())?, "gradient")?;
            self.each_factor(backend, shape, gradient, &mut |range, factor| {
                let w = cut(parameters, range.clone());
                check_update(backend, range.start, factor, cut(gradient, range), w)
            })?;
        }
        self.each_factor(backend, shape, gradient, &mut |range, factor| {
            let w = cut_mut(parameters, range.clone());
            backend.axpy(factor, cut(gradient, range), w);
            Ok(())
        })
    }

    /// Visits the parameters of each layer with the factor `-eta C r` of their gradient.
    fn each_factor<T: Real, B: Backend<T>>(
        &self,
        backend: B,
        shape: Shape<'_>,
        gradient: &[T],
        visit: &mut dyn FnMut(Range<usize>, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // One factor for all layers: one vector.
        if let Rule::GradientDescent = self.rule {
            return visit(0..gradient.len(), T::from_f64(-self.rate));
        }
        for (layer, span) in shape.spans().enumerate() {
            let (unit, speed) = self.factors(backend, layer, span, gradient)?;
            visit(span.range(), T::from_f64(-(self.rate * speed * unit)))?;
        }
        Ok(())
    }

    /// Whether the largest magnitudes alone, found in one pass, show that the plain step succeeds.
    fn bounded<T: Real>(&self, backend: impl Backend<T>, parameters: &[T], gradient: &[T]) -> bool {
        let limit = T::LARGEST / 4.0;
        let max_gradient = match self.rule {
            // Beyond the scalar's range the factor is infinite, and a NaN times zero.
            Rule::GradientDescent if self.rate >= limit => return false,
            Rule::GradientDescent => limit / self.rate,
            // The factor is at most `eta C / epsilon`, and what it multiplies by at most `eta C`. Squares of values below
            // 2^475 have a finite sum.
            Rule::SpeedLimited { speeds, epsilon } => {
                let fastest = speeds.iter().fold(0.0, |max, speed| if *speed > max { *speed } else { max });
                let reach = self.rate * fastest;
                if !(reach < limit && reach / epsilon < limit) {
                    return false;
                }
                let root = f64::from_bits((1023 + 475) << 52);
                if root < limit { root } else { limit }
            }
        };
        within(backend, gradient, max_gradient, parameters, limit)
    }

    fn speed(&self, layer: usize) -> f64 {
        match self.rule {
            Rule::GradientDescent => 1.0,
            Rule::SpeedLimited { speeds, .. } => speeds.get(layer).copied().unwrap_or(0.0),
        }
    }

    /// The factor r of the gradient, and the layer's speed C.
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

/// `|grad_l|_F` of a layer's weights and bias, in `f64`.
///
/// **Accuracy** squares are summed as they are: a norm below about 1e-154 has lost digits, and is 0 where all entries are
/// below 1e-162 in magnitude (a Speed Limited layer does not move then); one above about 1e154 is infinite. No gradient in
/// `f32` comes near.
/// **Errors** [`Error::Length`] when the gradient, laid out like the parameters, ends before the layer does.
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

/// The hidden layer with the lowest correlation: the target of the policy that re-chooses it at each measurement.
///
/// Undefined correlations (`None`, NaN) do not compete; ties go to the earlier layer; `None` when nothing is defined.
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

/// Refuses a step `y + a x` of which one value is not finite, before it is taken.
fn check_update<T: Real>(
    backend: impl Backend<T>,
    offset: usize,
    a: T,
    x: &[T],
    y: &[T],
) -> Result<(), Error> {
    // Below these no product and no sum comes near the largest number.
    let limit = T::LARGEST / 4.0;
    if within(backend, x, limit / a.to_f64().abs(), y, limit) {
        return Ok(());
    }
    match x.iter().zip(y).position(|(x, y)| !T::fma(&a, x, *y).is_finite()) {
        Some(index) => Err(Error::NotFinite { what: "updated parameters", row: 0, column: offset + index }),
        None => Ok(()),
    }
}

/// Whether all x and y are smaller in magnitude than their bounds; a NaN is not, and nothing is smaller than one.
fn within<T: Real>(backend: impl Backend<T>, x: &[T], max_x: f64, y: &[T], max_y: f64) -> bool {
    let zero = T::Order::default();
    let (max_x, max_y) = (T::from_f64(max_x), T::from_f64(max_y));
    let (largest_x, largest_y) = backend.vectorize(|| {
        x.iter().zip(y).fold((zero, zero), |(largest_x, largest_y), (x, y)| {
            (largest_x.max(x.magnitude_order()), largest_y.max(y.magnitude_order()))
        })
    });
    // A bound that is NaN is not above zero.
    let below = |largest: T::Order, bound: T| bound.is_positive() && largest < bound.magnitude_order();
    below(largest_x, max_x) && below(largest_y, max_y)
}
