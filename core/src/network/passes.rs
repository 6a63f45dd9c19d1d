//! The passes, a chunk of samples at a time. How many samples a workspace takes never changes a bit.

use super::Network;
use super::shape::{forward_row, jacobian_row, rows_of};
use crate::activation::Activation;
use crate::error::{Error, check_workspace};
use crate::kernel::{self, Backend, Init, positive};
use crate::loss::Loss;
use crate::matrix::{MatMut, MatRef, copy, cut, cut_mut, rows_mut, take};
use crate::reduce::SampleTree;
use crate::scalar::Scalar;

/// What a forward pass over m samples leaves behind.
struct Trace<'w, T> {
    /// `x_1 | x_2 | ... | x_L | f`, each (m x width) row-major.
    activations: &'w mut [T],
    /// `phi'(h_0) | ... | phi'(h_{L-1})`, each (m x width).
    slopes: &'w mut [T],
    /// What is left of the workspace.
    rest: &'w mut [T],
}

/// What looks on while a chunk of m samples passes through, layer by layer. By itself it does nothing.
pub(crate) trait Visitor<T> {
    /// Whether it looks at the forward pass; if not, that pass has no code of its own.
    const FORWARD: bool = false;
    /// Pre-activations h (m x k) of a hidden layer, before the activation takes their place, and the layer's inputs.
    fn forward(&mut self, _layer: usize, _inputs: MatRef<'_, T>, _h: &[T]) {}
    /// `J_{l+1} W_{l+1}` ((m c) x k), before the slopes (m x k) make the Jacobians of hidden layer `layer` of it.
    fn backward(&mut self, _layer: usize, _product: &[T], _slopes: &[T]) {}
    /// The Jacobians ((m c) x k) of a hidden layer, from the last to the first.
    ///
    /// **Errors** end the pass.
    fn jacobian(&mut self, _layer: usize, _jacobian: MatRef<'_, T>) -> Result<(), Error> {
        Ok(())
    }
}

/// Looks at nothing.
struct Blind;

impl<T> Visitor<T> for Blind {}

/// Looks at the Jacobians.
struct Jacobians<F>(F);

impl<T, F: FnMut(usize, MatRef<'_, T>) -> Result<(), Error>> Visitor<T> for Jacobians<F> {
    #[inline(always)]
    fn jacobian(&mut self, layer: usize, jacobian: MatRef<'_, T>) -> Result<(), Error> {
        (self.0)(layer, jacobian)
    }
}

impl<'a, T: Scalar, A: Activation<T>> Network<'a, T, A> {
    /// The outputs `f(x_a)`.
    ///
    /// **Shapes** inputs (n x d), outputs (n x c); workspace at least [`super::gradient_workspace`] of one sample.
    /// **Arithmetic** every pre-activation is one fma chain over the layer's inputs, ascending, from the bias or `+0`.
    /// **Errors** [`Error::Shape`], [`Error::NotFinite`], [`Error::Workspace`]; the outputs are unchanged then.
    pub fn forward<B: Backend<T>>(
        &self,
        backend: B,
        inputs: MatRef<'_, T>,
        mut outputs: MatMut<'_, T>,
        workspace: &mut [T],
    ) -> Result<(), Error> {
        let c = self.shape.outputs();
        self.check_inputs(backend, inputs)?;
        outputs.as_ref().check_shape("outputs", (inputs.rows(), c))?;
        let rows = self.rows(workspace, forward_row(self.shape.widths()))?;
        let mut targets = outputs.as_mut_slice().chunks_mut(positive(rows * c));
        let mut start = 0;
        while start < inputs.rows() {
            let x = inputs.row_range(start, rows);
            let trace = self.trace(backend, x, workspace, &mut Blind)?;
            let (_, f) = split_end(trace.activations, x.rows() * c);
            copy(targets.next().unwrap_or_default(), f);
            start += x.rows();
        }
        Ok(())
    }

    /// Adds samples to the sums of the gradient and the loss over samples.
    ///
    /// The mean is taken once, by [`Network::finish_gradient`].
    ///
    /// **Shapes** inputs (n x d), targets (n x c); `sum` of length [`super::gradient_sum`]; workspace at least
    /// [`super::gradient_workspace`] of one sample.
    /// **Arithmetic** `delta_L = g`; `delta_{l-1} = (delta_l W_l) o phi'(h_{l-1})`, the chain over the outputs of layer l
    /// ascending, then one product; `grad W_l += delta_l^T x_l`, `grad b_l += delta_l`, one chain over the samples of a
    /// block; blocks in the tree of [`crate::reduce`].
    /// **Errors** [`Error::Shape`], [`Error::Strided`] for targets that are a transposed view, [`Error::NotFinite`],
    /// [`Error::Workspace`], [`Error::Length`] for a sum of another length; the sum is unchanged then.
    pub fn accumulate_gradient<B: Backend<T>>(
        &self,
        backend: B,
        loss: impl Loss<T>,
        inputs: MatRef<'_, T>,
        targets: MatRef<'_, T>,
        sum: &mut SampleTree<'_, T>,
        workspace: &mut [T],
    ) -> Result<(), Error> {
        self.check_inputs(backend, inputs)?;
        targets.check_shape("targets", (inputs.rows(), self.shape.outputs()))?;
        targets.check_rows("targets")?;
        kernel::check_finite(backend, targets, "targets")?;
        crate::error::check_length("gradient sum", self.shape.parameters() + 1, sum.length())?;
        sum.check_capacity(inputs.rows())?;
        let rows = self.rows(workspace, forward_row(self.shape.widths()))?;
        let mut start = 0;
        while start < inputs.rows() {
            let x = inputs.row_range(start, if rows < sum.room() { rows } else { sum.room() });
            let y = targets.row_range(start, x.rows());
            self.add_chunk(backend, loss, x, y, sum.open_chains(), workspace)?;
            sum.advance(backend, x.rows())?;
            start += x.rows();
        }
        Ok(())
    }

    /// Divides the sums by the number of samples and empties the sum.
    ///
    /// Returns the mean loss and the gradient, laid out like the parameters.
    ///
    /// **Errors** [`Error::NoSamples`], [`Error::Length`].
    pub fn finish_gradient<'s, B: Backend<T>>(
        &self,
        backend: B,
        loss: impl Loss<T>,
        sum: &'s mut SampleTree<'_, T>,
    ) -> Result<(T, &'s mut [T]), Error> {
        crate::error::check_length("gradient sum", self.shape.parameters() + 1, sum.length())?;
        let samples = core::num::NonZeroU64::new(sum.samples()).ok_or(Error::NoSamples)?;
        let doubled = samples.get().checked_mul(loss.divisor()).and_then(core::num::NonZeroU64::new);
        let all = sum.finish(backend);
        let (gradient, value) = split_end(all, 1);
        // What is divided by one stays as it is.
        if samples.get() > 1 {
            backend.vectorize(|| T::divide_all(gradient, samples));
        }
        let value = value.first().cloned().unwrap_or_else(T::zero);
        Ok((value.divide_by(doubled.unwrap_or(samples)), gradient))
    }

    /// The output Jacobians `J_a = df(x_a)/dh_l` of one hidden layer.
    ///
    /// **Shapes** inputs (n x d); out ((n c) x k), sample-major, k the width of hidden layer `layer`; workspace at least
    /// [`super::jacobian_workspace`] of one sample.
    /// **Arithmetic** `J_{L-1} = W_L o phi'(h_{L-1})`, one product; `J_{l-1} = (J_l W_l) o phi'(h_{l-1})`, the chain over
    /// the width of layer l ascending, then one product.
    /// **Errors** [`Error::Shape`], [`Error::NotFinite`], [`Error::Workspace`], [`Error::Layer`]; `out` is unchanged then.
    pub fn jacobians<B: Backend<T>>(
        &self,
        backend: B,
        layer: usize,
        inputs: MatRef<'_, T>,
        mut out: MatMut<'_, T>,
        workspace: &mut [T],
    ) -> Result<(), Error> {
        let c = self.shape.outputs();
        let (_, k) = self.shape.ptk_span(layer)?;
        self.check_inputs(backend, inputs)?;
        out.as_ref().check_shape("Jacobians", (inputs.rows().saturating_mul(c), k))?;
        let rows = self.rows(workspace, jacobian_row(self.shape.widths()))?;
        let mut targets = out.as_mut_slice().chunks_mut(positive(rows * c * k));
        let mut start = 0;
        while start < inputs.rows() {
            let x = inputs.row_range(start, rows);
            let target = targets.next().unwrap_or_default();
            let mut keep = Jacobians(|found, jacobian: MatRef<'_, T>| {
                if found == layer
                    && let Some(values) = jacobian.as_slice()
                {
                    copy(target, values);
                }
                Ok(())
            });
            self.each_jacobian(backend, x, workspace, &mut keep)?;
            start += x.rows();
        }
        Ok(())
    }

    /// Adds samples to the sums `sum_a J_a^T J_a` of every hidden layer, upper triangles only.
    ///
    /// The mean is taken once, by [`crate::feature::finish_ptk`].
    ///
    /// **Shapes** inputs (n x d); `sum` of length [`super::ptk_values`]; workspace at least [`super::jacobian_workspace`]
    /// of one sample.
    /// **Arithmetic** inside a block one chain over (sample, output) for each element; blocks in the tree of
    /// [`crate::reduce`].
    /// **Errors** [`Error::Shape`], [`Error::NotFinite`], [`Error::Workspace`], [`Error::Length`] for a sum of another
    /// length; the sum is unchanged then.
    pub fn accumulate_ptk<B: Backend<T>>(
        &self,
        backend: B,
        inputs: MatRef<'_, T>,
        sum: &mut SampleTree<'_, T>,
        workspace: &mut [T],
    ) -> Result<(), Error> {
        self.check_inputs(backend, inputs)?;
        crate::error::check_length("feature sum", self.shape.ptk_values(), sum.length())?;
        sum.check_capacity(inputs.rows())?;
        let rows = self.rows(workspace, jacobian_row(self.shape.widths()))?;
        let mut start = 0;
        while start < inputs.rows() {
            let x = inputs.row_range(start, if rows < sum.room() { rows } else { sum.room() });
            let open = sum.open_block();
            let mut add = Jacobians(|layer, jacobian: MatRef<'_, T>| {
                let (offset, k) = self.shape.ptk_span(layer)?;
                let ptk = cut_mut(open, offset..offset + k * k);
                kernel::accumulate_outer(backend, MatMut::new(ptk, k, k)?, jacobian)
            });
            self.each_jacobian(backend, x, workspace, &mut add)?;
            sum.advance(backend, x.rows())?;
            start += x.rows();
        }
        Ok(())
    }

    /// Forward pass over the rows of x, keeping activations and slopes.
    fn trace<'w, B: Backend<T>, V: Visitor<T>>(
        &self,
        backend: B,
        x: MatRef<'_, T>,
        workspace: &'w mut [T],
        visitor: &mut V,
    ) -> Result<Trace<'w, T>, Error> {
        let m = x.rows();
        let hidden: usize = self.shape.widths().iter().skip(1).take(self.shape.hidden_layers()).sum();
        let (activations, rest) = split_start(workspace, m * (hidden + self.shape.outputs()));
        let (slopes, rest) = split_start(rest, m * hidden);
        let (mut later, mut later_slopes) = (&mut *activations, &mut *slopes);
        let mut previous = x;
        for (layer, span) in self.shape.spans().enumerate() {
            let (z, after) = split_start(later, m * span.outputs);
            let weights = self.weights(layer)?.t();
            let init = self.bias(layer)?.map_or(Init::Zero, Init::Row);
            // A view that is used again is copied: 72 bytes of flash on a Cortex-M4F.
            let inputs = if V::FORWARD { previous } else { x };
            let h = MatMut::new(z, m, span.outputs)?;
            kernel::chains(backend, h, previous, weights, init)?;
            if layer < self.shape.hidden_layers() {
                let (slope, after_slope) = split_start(later_slopes, m * span.outputs);
                if V::FORWARD {
                    visitor.forward(layer, inputs, z);
                }
                self.activation.apply_with_slope(backend, z, slope);
                later_slopes = after_slope;
            }
            previous = MatRef::new(z, m, span.outputs)?;
            later = after;
        }
        Ok(Trace { activations, slopes, rest })
    }

    /// Forward and backward over one chunk inside a block. `delta_l` takes the place of `x_{l+1}` once that is used up.
    fn add_chunk<B: Backend<T>>(
        &self,
        backend: B,
        loss: impl Loss<T>,
        x: MatRef<'_, T>,
        y: MatRef<'_, T>,
        (sum, init): (&mut [T], Init<'_, T>),
        workspace: &mut [T],
    ) -> Result<(), Error> {
        let (m, c) = (x.rows(), self.shape.outputs());
        let Trace { activations, slopes, .. } = self.trace(backend, x, workspace, &mut Blind)?;
        let (gradient, value) = split_end(sum, 1);
        let (mut earlier, mut delta) = split_end(activations, m * c);
        if let Some(value) = value.first_mut() {
            if let Init::Zero = init {
                *value = T::zero();
            }
            *value = loss.residuals(backend, delta, y, value.clone());
        }
        let mut slopes = slopes;
        for span in self.shape.spans().rev() {
            let residual = MatRef::new(delta, m, span.outputs)?;
            let gradient = cut_mut(gradient, span.range());
            let (weights, bias) = split_start(gradient, span.weights());
            let weights = MatMut::new(weights, span.outputs, span.inputs)?;
            if span.bias {
                if let Init::Zero = init {
                    bias.fill(T::zero());
                }
                kernel::add_rows(backend, bias, delta);
            }
            if span.offset == 0 {
                return kernel::chains(backend, weights, residual.t(), x, init);
            }
            let (before, current) = split_end(earlier, m * span.inputs);
            let inputs = MatRef::new(current, m, span.inputs)?;
            kernel::chains(backend, weights, residual.t(), inputs, init)?;
            let next = super::weights(self.parameters, span)?;
            let next_delta = MatMut::new(current, m, span.inputs)?;
            kernel::product(backend, next_delta, residual, next)?;
            let (before_slopes, slope) = split_end(slopes, m * span.inputs);
            kernel::mask_assign(backend, current, slope, span.inputs, 1);
            (earlier, delta, slopes) = (before, current, before_slopes);
        }
        Ok(())
    }

    /// Forward and backward over one chunk of samples, for the Jacobians of each hidden layer.
    pub(crate) fn each_jacobian<B: Backend<T>, V: Visitor<T>>(
        &self,
        backend: B,
        x: MatRef<'_, T>,
        workspace: &mut [T],
        visitor: &mut V,
    ) -> Result<(), Error> {
        let (m, c) = (x.rows(), self.shape.outputs());
        let Trace { mut slopes, rest, .. } = if V::FORWARD {
            self.trace(backend, x, workspace, visitor)?
        } else {
            self.trace(backend, x, workspace, &mut Blind)?
        };
        let (mut current, mut next) = take(rest, rest.len() / 2);
        for (layer, span) in self.shape.spans().enumerate().skip(1).rev() {
            let (before, slope) = split_end(slopes, m * span.inputs);
            slopes = before;
            let weights = self.weights(layer)?;
            let jacobian = cut_mut(next, ..m * c * span.inputs);
            if layer == self.shape.hidden_layers() {
                let readout = weights.as_slice().unwrap_or_default();
                rows_mut(jacobian, readout.len()).for_each(|rows| copy(rows, readout));
            } else {
                let above = MatRef::new(cut(current, ..m * c * span.outputs), m * c, span.outputs)?;
                let below = MatMut::new(jacobian, m * c, span.inputs)?;
                kernel::product(backend, below, above, weights)?;
            }
            visitor.backward(layer - 1, jacobian, slope);
            kernel::mask_assign(backend, jacobian, slope, span.inputs, c);
            visitor.jacobian(layer - 1, MatRef::new(jacobian, m * c, span.inputs)?)?;
            (current, next) = (next, current);
        }
        Ok(())
    }

    /// A forward pass over one chunk of samples that leaves nothing but what the visitor saw.
    pub(crate) fn each_layer<B: Backend<T>>(
        &self,
        backend: B,
        x: MatRef<'_, T>,
        workspace: &mut [T],
        visitor: &mut impl Visitor<T>,
    ) -> Result<(), Error> {
        self.trace(backend, x, workspace, visitor).map(|_| ())
    }

    pub(crate) fn check_inputs(&self, backend: impl Backend<T>, inputs: MatRef<'_, T>) -> Result<(), Error> {
        inputs.check_shape("inputs", (inputs.rows(), self.shape.inputs()))?;
        kernel::check_finite(backend, inputs, "inputs")
    }

    pub(crate) fn rows(&self, workspace: &[T], row: usize) -> Result<usize, Error> {
        check_workspace("workspace", row, workspace.len())?;
        Ok(rows_of(workspace.len(), row))
    }
}

/// The first `count` values and the others; all and none when there are fewer.
fn split_start<T>(slice: &mut [T], count: usize) -> (&mut [T], &mut [T]) {
    let count = if count < slice.len() { count } else { slice.len() };
    take(slice, count)
}

/// All but the last `count` values, and those.
fn split_end<T>(slice: &mut [T], count: usize) -> (&mut [T], &mut [T]) {
    let middle = slice.len().saturating_sub(count);
    take(slice, middle)
}
