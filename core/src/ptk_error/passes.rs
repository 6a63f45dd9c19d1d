//! The passes over samples: [`Norms::forward`] and [`Norms::certify`].

use super::backward::Backward;
use super::forward::Forward;
use super::{LayerError, Norms};
use crate::activation::{Activation, Bounded};
use crate::error::{Error, check_length, check_workspace};
use crate::kernel::Backend;
use crate::matrix::MatRef;
use crate::reduce::SAMPLE_BLOCK;
use crate::scalar::Real;

impl<T: Real, A: Activation<T> + Bounded, const MAPS: bool> Norms<'_, '_, T, A, MAPS> {
    /// Looks at a forward pass over samples, at most a block of them.
    ///
    /// **Shapes** inputs (n x d), `found` one for each hidden layer, workspace at least
    /// [`crate::network::gradient_workspace`] of one sample.
    /// **Errors** [`Error::Shape`], [`Error::NotFinite`], [`Error::Workspace`], [`Error::Length`], [`Error::Strided`];
    /// [`Error::Architecture`] for a
    /// network that pools.
    pub fn forward<B: Backend<T>>(
        &self,
        backend: B,
        inputs: MatRef<'_, T>,
        found: &mut [LayerError],
        workspace: &mut [T],
    ) -> Result<(), Error> {
        self.check(backend, inputs, found)?;
        let rows = self.network.rows(workspace, self.network.shape().forward_row())?;
        let mut start = 0;
        while start < inputs.rows() {
            let x = inputs.row_range(start, rows);
            self.network.each_layer(
                backend,
                x,
                workspace,
                &mut Forward::new(backend, self, found, &mut []),
            )?;
            start += x.rows();
        }
        Ok(())
    }

    /// Analyses the forward pass and the Jacobians of at most a block of samples, and merges the results into `found`.
    ///
    /// **Shapes** as [`Norms::forward`]; workspace at least [`crate::network::jacobian_workspace`] of one sample, and
    /// `flags` one value for each unit of the hidden layers and each of [`SAMPLE_BLOCK`] samples.
    /// **Errors** as [`Norms::forward`].
    pub fn certify<B: Backend<T>>(
        &self,
        backend: B,
        inputs: MatRef<'_, T>,
        found: &mut [LayerError],
        flags: &mut [bool],
        workspace: &mut [T],
    ) -> Result<(), Error> {
        self.check(backend, inputs, found)?;
        let shape = self.network.shape();
        let units = self.units(shape.hidden_layers());
        let rows = self.network.rows(workspace, shape.jacobian_row())?;
        check_workspace("flags", units.saturating_mul(SAMPLE_BLOCK), flags.len())?;
        let mut start = 0;
        while start < inputs.rows() {
            let x = inputs.row_range(start, rows);
            flags.fill(false);
            let mut visitor = Backward::new(Forward::new(backend, self, found, flags));
            self.network.each_jacobian(backend, x, workspace, &mut visitor)?;
            start += x.rows();
        }
        Ok(())
    }

    fn check(
        &self,
        backend: impl Backend<T>,
        inputs: MatRef<'_, T>,
        found: &[LayerError],
    ) -> Result<(), Error> {
        if self.network.shape().pools() {
            let reason = "no bound is known where a layer pools";
            return Err(Error::Architecture { reason, at: self.network.shape().count() });
        }
        self.network.check_inputs(backend, inputs)?;
        inputs.check_rows("inputs")?;
        check_length("errors of layers", self.network.shape().hidden_layers(), found.len())?;
        let fits = if inputs.rows() < SAMPLE_BLOCK { inputs.rows() } else { SAMPLE_BLOCK };
        inputs.check_shape("inputs", (fits, inputs.columns()))
    }
}
