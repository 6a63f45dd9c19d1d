//! First and second moments of a layer's inputs: a control beside the features.

use super::Network;
use super::chunk::Visitor;
use crate::activation::Activation;
use crate::error::{Error, check_length, check_workspace};
use crate::kernel::{self, Backend};
use crate::matrix::{MatMut, MatRef, cut_mut, take};
use crate::reduce::SAMPLE_BLOCK;
use crate::scalar::Real;

/// Adds the inputs of one layer to their moments.
struct Moments<'m, B> {
    backend: B,
    layer: usize,
    outer: &'m mut [f64],
    sum: &'m mut [f64],
    wide: &'m mut [f64],
}

impl<T: Real, B: Backend<f64>> Visitor<T> for Moments<'_, B> {
    const FORWARD: bool = true;

    fn forward(&mut self, layer: usize, _: usize, inputs: MatRef<'_, T>, _: &[T]) {
        if layer != self.layer {
            return;
        }
        // An image can have more patches than a block has samples.
        for start in (0..inputs.rows()).step_by(SAMPLE_BLOCK) {
            let part = inputs.row_range(start, SAMPLE_BLOCK);
            let (m, d) = part.shape();
            let wide = cut_mut(self.wide, ..m * d);
            part.widen_into(wide);
            kernel::add_rows(self.backend, self.sum, wide);
            let views = (MatMut::new(self.outer, d, d), MatRef::new(wide, m, d));
            if let (Ok(outer), Ok(x)) = views {
                // The shapes agree by the lengths that were checked.
                let _ = kernel::accumulate_outer(self.backend, outer, x);
            }
        }
    }
}

impl<T: Real, A: Activation<T>, const MAPS: bool> Network<'_, T, A, MAPS> {
    /// Adds samples to the moments of the inputs of hidden layer `layer`; of a convolution, of its patches.
    ///
    /// **Shapes** inputs (n x d_0); `moments` (d d + d), d the inputs of the layer: the upper triangle of `sum_a x_a x_a^T`,
    /// then `sum_a x_a`; workspace at least [`super::gradient_workspace`] of one sample; `wide` at least d values for each
    /// of [`SAMPLE_BLOCK`] samples.
    /// **Arithmetic** in `f64`; one chain over all samples for each element, not the tree of [`crate::reduce`], whose
    /// buffers would each be as large as the moments.
    /// **Errors** [`Error::Layer`], [`Error::Shape`], [`Error::NotFinite`], [`Error::Workspace`], [`Error::Length`]; the
    /// moments are unchanged then.
    pub fn accumulate_moments<B: Backend<T> + Backend<f64>>(
        &self,
        backend: B,
        layer: usize,
        inputs: MatRef<'_, T>,
        moments: &mut [f64],
        workspace: &mut [T],
        wide: &mut [f64],
    ) -> Result<(), Error> {
        self.shape.ptk_span(layer)?;
        let d = self.shape.layer(layer)?.inputs;
        self.check_inputs(backend, inputs)?;
        check_length("moments", d.saturating_mul(d).saturating_add(d), moments.len())?;
        check_workspace("samples in f64", d.saturating_mul(SAMPLE_BLOCK), wide.len())?;
        let rows = self.rows(workspace, self.shape.forward_row())?;
        let (outer, sum) = take(moments, d * d);
        let mut visitor = Moments { backend, layer, outer, sum, wide };
        let mut start = 0;
        while start < inputs.rows() {
            let x = inputs.row_range(start, rows);
            self.each_layer(backend, x, workspace, &mut visitor)?;
            start += x.rows();
        }
        Ok(())
    }
}
