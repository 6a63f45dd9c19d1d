//! Networks that own their numbers: run-time sized, on the same algorithms as const-sized ones.

use crate::architecture::Architecture;
use crate::machine::Threads;
use crate::memory::{Aligned, filled};
use crate::samples::Rows;
use crate::sums::SampleSum;
use agop_core::activation::Activation;
use agop_core::digest::Hasher;
use agop_core::error::Error;
use agop_core::feature;
use agop_core::kernel::Backend;
use agop_core::loss::Loss;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{Map, Network, Shape, Transform, Window, weights};
use agop_core::optimizer::Optimizer;
use agop_core::reduce::SampleTree;
use agop_core::scalar::{Real, Scalar};

/// Samples that a pass takes at a time: enough for full tiles, few enough for the second-level cache.
pub(crate) const ROWS: usize = 128;

/// A network with its parameters in a vector. [`Model::try_clone`] is the clone that never ends the process.
#[derive(Clone, Debug, PartialEq)]
pub struct Model<T, A> {
    architecture: Architecture,
    widths: Vec<usize>,
    bias: bool,
    /// Whether widths and bias say all of the architecture.
    dense: bool,
    activation: A,
    parameters: Aligned<T>,
}

impl<T: Scalar + Send + Sync, A: Activation<T> + Sync> Model<T, A> {
    /// A network of the given widths (inputs, hidden, outputs) and flat parameters.
    ///
    /// # Errors
    /// [`Error::Architecture`], [`Error::Length`], and [`Error::NotFinite`] when a parameter is not finite.
    pub fn new(widths: Vec<usize>, bias: bool, activation: A, parameters: Vec<T>) -> Result<Self, Error> {
        Shape::new(&widths, bias)?; // It tells which width is wrong.
        Self::of(Architecture::dense(&widths, bias), activation, parameters)
    }

    /// A network of any layers; the activation is that of the layers that name none.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub fn of(architecture: Architecture, activation: A, parameters: Vec<T>) -> Result<Self, Error> {
        let shape = architecture.shape()?;
        let widths: Vec<usize> =
            [shape.inputs()].into_iter().chain(shape.spans().map(|span| span.outputs)).collect();
        let bias = shape.spans().any(|span| span.bias);
        let dense = architecture == Architecture::dense(&widths, bias);
        let model =
            Self { architecture, widths, bias, dense, activation, parameters: Aligned::new(parameters) };
        model.view()?;
        Ok(model)
    }

    /// Its layers.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The same network in other memory.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn try_clone(&self) -> crate::error::Result<Self> {
        let Self { ref architecture, ref widths, bias, dense, activation, ref parameters } = *self;
        let (architecture, widths) = (architecture.clone(), widths.clone());
        let parameters = parameters.try_clone("parameters")?;
        Ok(Self { architecture, widths, bias, dense, activation, parameters })
    }

    /// The shape.
    ///
    /// # Errors
    /// None for a model that was made by [`Model::new`].
    pub fn shape(&self) -> Result<Shape<'_, true>, Error> {
        self.architecture.shape()
    }

    /// The view on which the core works.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when a parameter is not finite.
    pub fn view(&self) -> Result<Network<'_, T, A, true>, Error> {
        Network::new(self.shape()?, self.activation, self.parameters.as_slice())
    }

    fn view_on(&self, backend: impl Backend<T>) -> Result<Network<'_, T, A, true>, Error> {
        Network::new_on(backend, self.shape()?, self.activation, self.parameters.as_slice())
    }

    /// Inputs, then the outputs of each layer with weights (channels of a convolution).
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// Whether a layer has a bias.
    pub fn bias(&self) -> bool {
        self.bias
    }

    /// The activation.
    pub fn activation(&self) -> A {
        self.activation
    }

    /// The flat parameters.
    pub fn parameters(&self) -> &[T] {
        self.parameters.as_slice()
    }

    /// The flat parameters, to be changed in place.
    pub fn parameters_mut(&mut self) -> &mut [T] {
        self.parameters.as_mut_slice()
    }

    /// The weights of a layer.
    ///
    /// # Errors
    /// [`Error::Layer`] when there is no such layer.
    pub fn weights(&self, layer: usize) -> Result<MatRef<'_, T>, Error> {
        weights(self.parameters.as_slice(), self.shape()?.layer(layer)?)
    }

    /// The outputs of all samples, row-major.
    ///
    /// # Errors
    /// As [`Network::forward`], and when the memory cannot be had.
    pub fn forward<B: Backend<T>>(&self, backend: B, inputs: impl Rows<T>) -> crate::error::Result<Vec<T>> {
        let (view, rows, c) = (self.view_on(backend)?, inputs.rows(), self.shape()?.outputs());
        let mut outputs = filled("outputs", rows.saturating_mul(c), T::zero())?;
        let mut workspace = filled("workspace", view.shape().gradient_workspace(ROWS), T::zero())?;
        let all = inputs.each(0..rows, &mut Vec::new(), &mut |start, x| {
            let values = outputs.get_mut(start * c..(start + x.rows()) * c).unwrap_or_default();
            let out = MatMut::new(values, x.rows(), c)?;
            Ok(view.forward(backend, x, out, &mut workspace).map_err(|error| in_whole(error, start))?)
        });
        all.map(|()| outputs).map_err(Into::into)
    }

    /// Memory for gradients over at most `samples` samples.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn gradient_memory(&self, threads: &Threads, samples: usize) -> crate::error::Result<SampleSum<T>> {
        gradient_memory(self.shape()?, threads, samples)
    }

    /// Memory for features over at most `samples` samples.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn feature_memory(&self, threads: &Threads, samples: usize) -> crate::error::Result<SampleSum<T>> {
        feature_memory(self.shape()?, threads, samples)
    }

    /// Mean loss and gradient; the gradient is written to `out`.
    ///
    /// # Errors
    /// As [`Network::accumulate_gradient`], and [`Error::Length`] for `out`, which is unchanged on any error.
    pub fn gradient<B: Backend<T> + Send + Sync, X: Rows<T>>(
        &self,
        backend: B,
        loss: impl Loss<T> + Sync,
        inputs: X,
        targets: MatRef<'_, T>,
        memory: &mut SampleSum<T>,
        out: &mut [T],
    ) -> Result<T, X::Error> {
        let view = self.view_on(backend)?;
        if out.len() != self.parameters().len() {
            let (expected, found) = (self.parameters().len(), out.len());
            return Err(Error::Length { what: "gradient", expected, found }.into());
        }
        let mut sum = gradient_sums(&view, backend, loss, (inputs, targets), memory)?;
        let (value, gradient) = view.finish_gradient(backend, loss, &mut sum)?;
        out.clone_from_slice(gradient);
        Ok(value)
    }

    /// PTK features of all hidden layers, one after another; [`feature::ptk_of_layer`] views one.
    ///
    /// # Errors
    /// As [`Network::accumulate_ptk`], and [`Error::Workspace`] when the memory cannot be had.
    pub fn features<B: Backend<T> + Send + Sync, X: Rows<T>>(
        &self,
        backend: B,
        inputs: X,
        memory: &mut SampleSum<T>,
    ) -> Result<Vec<T>, X::Error> {
        let view = self.view_on(backend)?;
        let mut sum = memory.sum(backend, inputs.rows(), |range, tree, workspace| {
            inputs.each(range, &mut Vec::new(), &mut |start, x| {
                let added = view.accumulate_ptk(backend, x, tree, workspace);
                Ok(added.map_err(|error| in_whole(error, start))?)
            })
        })?;
        let finished = feature::finish_ptk(backend, self.shape()?, &mut sum)?;
        let mut features = Vec::new();
        features.try_reserve_exact(finished.len()).map_err(|_| Error::Workspace {
            what: "memory for features",
            needed: finished.len(),
            found: 0,
        })?;
        features.extend_from_slice(finished);
        Ok(features)
    }
}

impl<T: Real, A: Activation<T> + Sync> Model<T, A> {
    /// One step of an update rule on the gradient over `samples`, inputs and targets; returns the mean loss before it.
    ///
    /// The step uses the gradient in the buffer of its sum, without a copy or an allocation.
    ///
    /// # Errors
    /// As [`Network::accumulate_gradient`] and [`Optimizer::step`]; the parameters are unchanged then.
    pub fn train_step<B: Backend<T> + Send + Sync, X: Rows<T>>(
        &mut self,
        backend: B,
        loss: impl Loss<T> + Sync,
        optimizer: &Optimizer<'_>,
        samples: (X, MatRef<'_, T>),
        memory: &mut SampleSum<T>,
        state: &mut [T],
    ) -> Result<T, X::Error> {
        // Without the code for maps a small step takes a fifth fewer instructions.
        if self.dense {
            let shape = Shape::new(&self.widths, self.bias)?;
            let model = (shape, self.activation, self.parameters.as_mut_slice());
            return train_step(model, backend, loss, optimizer, samples, memory, state);
        }
        let model = (self.architecture.shape()?, self.activation, self.parameters.as_mut_slice());
        train_step(model, backend, loss, optimizer, samples, memory, state)
    }
}

/// [`Model::train_step`] with maps or without.
fn train_step<T: Real, A, B, X, const MAPS: bool>(
    (shape, activation, parameters): (Shape<'_, MAPS>, A, &mut [T]),
    backend: B,
    loss: impl Loss<T> + Sync,
    optimizer: &Optimizer<'_>,
    samples: (X, MatRef<'_, T>),
    memory: &mut SampleSum<T>,
    state: &mut [T],
) -> Result<T, X::Error>
where
    A: Activation<T> + Sync,
    B: Backend<T> + Send + Sync,
    X: Rows<T>,
{
    let view = Network::new_on(backend, shape, activation, parameters)?;
    let mut sum = gradient_sums(&view, backend, loss, samples, memory)?;
    let (value, gradient) = view.finish_gradient(backend, loss, &mut sum)?;
    optimizer.step(backend, shape, parameters, gradient, state)?;
    Ok(value)
}

/// [`Model::gradient_memory`] of a network that is not there yet.
pub(crate) fn gradient_memory<T: Scalar + Send + Sync, const MAPS: bool>(
    shape: Shape<'_, MAPS>,
    threads: &Threads,
    samples: usize,
) -> crate::error::Result<SampleSum<T>> {
    SampleSum::new(threads, shape.gradient_sum(), samples, shape.gradient_workspace(ROWS))
}

/// [`Model::feature_memory`] of a network that is not there yet.
pub(crate) fn feature_memory<T: Scalar + Send + Sync, const MAPS: bool>(
    shape: Shape<'_, MAPS>,
    threads: &Threads,
    samples: usize,
) -> crate::error::Result<SampleSum<T>> {
    SampleSum::new(threads, shape.ptk_values(), samples, shape.jacobian_workspace(ROWS))
}

/// Adds parameters, or anything laid out like them, to a digest.
///
/// **Arithmetic** the number of layers, 1 with biases and 0 without, then for each layer the arrays of its weights
/// (outputs x inputs) and biases (outputs). Networks of different shapes therefore have different digests. One that is not
/// fully connected adds the size of its input, and each convolution's or pooling layer's kind (0, 1 or 2) and window.
pub(crate) fn hash_parameters<T: Real>(hash: &mut Hasher, shape: Shape<'_, true>, values: &[T]) {
    let bias = shape.spans().any(|span| span.bias);
    hash.number(shape.layers() as u64).number(u64::from(bias));
    let windows = shape.maps().iter().filter_map(|layer| match layer.transform {
        Transform::Convolution { window, .. } => Some((0, window)),
        Transform::MaxPool(size) => Some((1, Window::tiles(size))),
        Transform::AveragePool(size) => Some((2, Window::tiles(size))),
        _ => None,
    });
    for (index, (kind, window)) in windows.enumerate() {
        if index == 0 {
            let Map { channels, rows, columns, .. } = shape.input();
            for n in [channels, rows, columns] {
                hash.number(n as u64);
            }
        }
        hash.number(kind);
        for n in [window.size, window.stride, window.padding, window.dilation].as_flattened() {
            hash.number(*n as u64);
        }
    }
    for span in shape.spans() {
        let part = |range| values.get(range).unwrap_or_default();
        hash.array(&[span.outputs, span.inputs], part(span.weights_range()));
        if span.bias {
            hash.array(&[span.outputs], part(span.bias_range()));
        }
    }
}

/// The sums of gradient and loss over samples, inputs and targets.
fn gradient_sums<'m, T, A, B, X, const MAPS: bool>(
    view: &Network<'_, T, A, MAPS>,
    backend: B,
    loss: impl Loss<T> + Sync,
    (inputs, targets): (X, MatRef<'_, T>),
    memory: &'m mut SampleSum<T>,
) -> Result<SampleTree<'m, T>, X::Error>
where
    T: Scalar + Send + Sync,
    A: Activation<T> + Sync,
    B: Backend<T> + Send + Sync,
    X: Rows<T>,
{
    if targets.rows() != inputs.rows() {
        let expected = (inputs.rows(), view.shape().outputs());
        return Err(Error::Shape { what: "targets", expected, found: targets.shape() }.into());
    }
    memory.sum(backend, inputs.rows(), |range, tree, workspace| {
        inputs.each(range, &mut Vec::new(), &mut |start, x| {
            let y = targets.row_range(start, x.rows());
            let added = view.accumulate_gradient(backend, loss, x, y, tree, workspace);
            Ok(added.map_err(|error| in_whole(error, start))?)
        })
    })
}

/// An error in a range of samples, with its row counted from the first of all samples.
fn in_whole(error: Error, start: usize) -> Error {
    match error {
        Error::NotFinite { what, row, column } => Error::NotFinite { what, row: start + row, column },
        other => other,
    }
}
