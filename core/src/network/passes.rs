//! The passes, a chunk of samples at a time. How many samples a workspace takes never changes a bit.

use super::Network;
use super::chunk::{Blind, Visitor, split_end};
use super::shape::rows_of;
use crate::activation::Activation;
use crate::error::{Error, check_workspace};
use crate::kernel::{self, Backend, positive};
use crate::loss::Loss;
use crate::matrix::{MatMut, MatRef, copy, cut_mut};
use crate::reduce::SampleTree;
use crate::scalar::Scalar;

/// Looks at the Jacobians.
struct Jacobians<F>(F);

impl<T, F: FnMut(usize, MatRef<'_, T>) -> Result<(), Error>> Visitor<T> for Jacobians<F> {
    #[inline(always)]
    fn jacobian(&mut self, layer: usize, jacobian: MatRef<'_, T>) -> Result<(), Error> {
        (self.0)(layer, jacobian)
    }
}

impl<T: Scalar, A: Activation<T>, const MAPS: bool> Network<'_, T, A, MAPS> {
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
        let rows = self.rows(workspace, self.shape.forward_row())?;
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
        let rows = self.rows(workspace, self.shape.forward_row())?;
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
    /// **Shapes** inputs (n x d); out ((n c) x k), sample-major, k the width of hidden layer `layer`, of a convolution its
    /// outputs at all positions, (k x P) row-major; workspace at least
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
        self.shape.ptk_span(layer)?;
        let k = self.shape.place(layer).map_or(0, |place| place.output.values());
        self.check_inputs(backend, inputs)?;
        out.as_ref().check_shape("Jacobians", (inputs.rows().saturating_mul(c), k))?;
        let rows = self.rows(workspace, self.shape.jacobian_row())?;
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
        let rows = self.rows(workspace, self.shape.jacobian_row())?;
        let mut start = 0;
        while start < inputs.rows() {
            let x = inputs.row_range(start, if rows < sum.room() { rows } else { sum.room() });
            let open = sum.open_block();
            let mut add = Jacobians(|layer, jacobian: MatRef<'_, T>| {
                let (offset, k) = self.shape.ptk_span(layer)?;
                let mut ptk = MatMut::new(cut_mut(open, offset..offset + k * k), k, k)?;
                if !MAPS || jacobian.columns() == k {
                    return kernel::accumulate_outer(backend, ptk, jacobian);
                }
                let positions = jacobian.columns() / positive(k);
                crate::matrix::rows(jacobian.as_slice().unwrap_or_default(), k * positions).try_for_each(
                    |row| {
                        let row = MatRef::new(row, k, positions)?.t();
                        kernel::accumulate_outer(backend, ptk.reborrow(), row)
                    },
                )
            });
            self.each_jacobian(backend, x, workspace, &mut add)?;
            sum.advance(backend, x.rows())?;
            start += x.rows();
        }
        Ok(())
    }

    pub(crate) fn check_inputs(&self, backend: impl Backend<T>, inputs: MatRef<'_, T>) -> Result<(), Error> {
        inputs.check_shape("inputs", (inputs.rows(), self.shape.inputs()))?;
        kernel::check_finite(backend, inputs, "inputs")
    }

    pub(crate) fn rows(&self, workspace: &[T], row: usize) -> Result<usize, Error> {
        let patches = self.shape.patch_values();
        check_workspace("workspace", row.saturating_add(patches), workspace.len())?;
        Ok(rows_of(workspace.len() - patches, row))
    }
}
