//! Networks that own their numbers: run-time sized, on the same algorithms as const-sized ones.

use crate::memory::filled;
use crate::parallel::Accumulator;
use agop_core::activation::Activation;
use agop_core::error::Error;
use agop_core::feature;
use agop_core::kernel::Backend;
use agop_core::loss::Loss;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{Network, Shape, gradient_sum, gradient_workspace, jacobian_workspace, weights};
use agop_core::optimizer::Optimizer;
use agop_core::scalar::{Real, Scalar};

/// Samples that a pass takes at a time: enough for full tiles, few enough for the second-level cache.
const ROWS: usize = 64;

/// A network with its parameters in a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Model<T, A> {
    widths: Vec<usize>,
    bias: bool,
    activation: A,
    parameters: Vec<T>,
}

impl<T: Scalar + Send + Sync, A: Activation<T> + Sync> Model<T, A> {
    /// A network of the given widths (inputs, hidden, outputs) and flat parameters.
    ///
    /// # Errors
    /// [`Error::Architecture`] or [`Error::Length`].
    pub fn new(widths: Vec<usize>, bias: bool, activation: A, parameters: Vec<T>) -> Result<Self, Error> {
        let model = Self { widths, bias, activation, parameters };
        model.view()?;
        Ok(model)
    }

    /// The shape.
    ///
    /// # Errors
    /// None for a model that was made by [`Model::new`].
    pub fn shape(&self) -> Result<Shape<'_>, Error> {
        Shape::new(&self.widths, self.bias)
    }

    /// The view on which the core works.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when a parameter is not finite.
    pub fn view(&self) -> Result<Network<'_, T, A>, Error> {
        Network::new(self.shape()?, self.activation, &self.parameters)
    }

    /// Inputs, hidden widths, outputs.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// Whether the layers have biases.
    pub fn bias(&self) -> bool {
        self.bias
    }

    /// The activation.
    pub fn activation(&self) -> A {
        self.activation
    }

    /// The flat parameters.
    pub fn parameters(&self) -> &[T] {
        &self.parameters
    }

    /// The flat parameters, to be changed in place.
    pub fn parameters_mut(&mut self) -> &mut [T] {
        &mut self.parameters
    }

    /// The weights of a layer.
    ///
    /// # Errors
    /// [`Error::Architecture`] when there is no such layer.
    pub fn weights(&self, layer: usize) -> Result<MatRef<'_, T>, Error> {
        weights(&self.parameters, self.shape()?.layer(layer)?)
    }

    /// The outputs of all samples, row-major.
    ///
    /// # Errors
    /// As [`Network::forward`], and when the memory cannot be had.
    pub fn forward<B: Backend<T>>(&self, backend: B, inputs: MatRef<'_, T>) -> crate::error::Result<Vec<T>> {
        let shape = self.shape()?;
        let length = inputs.rows().saturating_mul(shape.outputs());
        let mut outputs = filled("outputs", length, T::zero())?;
        let mut workspace = filled("workspace", gradient_workspace(&self.widths, ROWS), T::zero())?;
        let out = MatMut::new(&mut outputs, inputs.rows(), shape.outputs())?;
        self.view()?.forward(backend, inputs, out, &mut workspace)?;
        Ok(outputs)
    }

    /// Memory for gradients over at most `samples` samples.
    ///
    /// # Errors
    /// When the threads or the memory cannot be had.
    pub fn gradient_accumulator(
        &self,
        threads: usize,
        samples: usize,
    ) -> crate::error::Result<Accumulator<T>> {
        let length = gradient_sum(&self.widths, self.bias);
        Accumulator::new(threads, length, samples, gradient_workspace(&self.widths, ROWS))
    }

    /// Memory for features over at most `samples` samples.
    ///
    /// # Errors
    /// When the threads or the memory cannot be had.
    pub fn feature_accumulator(
        &self,
        threads: usize,
        samples: usize,
    ) -> crate::error::Result<Accumulator<T>> {
        let length = agop_core::network::features(&self.widths);
        Accumulator::new(threads, length, samples, jacobian_workspace(&self.widths, ROWS))
    }

    /// Mean loss and gradient; the gradient is written to `out`.
    ///
    /// # Errors
    /// As [`Network::accumulate_gradient`].
    pub fn gradient<B: Backend<T> + Send + Sync>(
        &self,
        backend: B,
        loss: impl Loss<T> + Sync,
        inputs: MatRef<'_, T>,
        targets: MatRef<'_, T>,
        memory: &mut Accumulator<T>,
        out: &mut [T],
    ) -> Result<T, Error> {
        let view = self.view()?;
        let mut sum = memory.sum(backend, inputs.rows(), |range, tree, workspace| {
            let x = inputs.row_range(range.start, range.len());
            let y = targets.row_range(range.start, range.len());
            view.accumulate_gradient(backend, loss, x, y, tree, workspace)
        })?;
        let (value, gradient) = view.finish_gradient(backend, loss, &mut sum)?;
        out.clone_from_slice(gradient);
        Ok(value)
    }

    /// PTK features of all hidden layers, one after another; [`feature::of_layer`] views one.
    ///
    /// # Errors
    /// As [`Network::accumulate_features`].
    pub fn features<B: Backend<T> + Send + Sync>(
        &self,
        backend: B,
        inputs: MatRef<'_, T>,
        memory: &mut Accumulator<T>,
    ) -> Result<Vec<T>, Error> {
        let view = self.view()?;
        let mut sum = memory.sum(backend, inputs.rows(), |range, tree, workspace| {
            view.accumulate_features(backend, inputs.row_range(range.start, range.len()), tree, workspace)
        })?;
        Ok(feature::finish(backend, self.shape()?, &mut sum)?.to_vec())
    }
}

impl<T: Real, A: Activation<T> + Sync> Model<T, A> {
    /// One step of an update rule.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    pub fn step<B: Backend<T>>(
        &mut self,
        backend: B,
        optimizer: &Optimizer<'_>,
        gradient: &mut [T],
        state: &mut [T],
    ) -> Result<(), Error> {
        let shape = Shape::new(&self.widths, self.bias)?;
        optimizer.step(backend, shape, &mut self.parameters, gradient, state)
    }
}
