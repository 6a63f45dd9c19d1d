//! The training of one rule, with its measurements.

use super::config::{Config, RuleName, Speeds, Training};
use super::diverged::diverged;
use super::manifest::Mark;
use super::problem::Problem;
use super::report::{add_record, usual_history};
use crate::error::{Error, Result};
use crate::machine::Machine;
use crate::measure::{Features, LayerReport, Proof, measure};
use crate::memory::{Growing, collected, filled, reserved};
use crate::network::{Model, feature_memory, gradient_memory, hash_parameters};
use crate::samples::{Ahead, Samples};
use crate::sums::SampleSum;
use agop_core::activation::AnyActivation;
use agop_core::correlation::Powers;
use agop_core::digest::{Digest, Hasher};
use agop_core::feature::ptk_of_layer;
use agop_core::kernel;
use agop_core::loss::{AnyLoss, Loss};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::{Shape, parameters};
use agop_core::optimizer::{Optimizer, Rule, lowest_correlation, target_speeds};
use agop_core::ptk_error::ReadError;
use agop_core::random::{Purpose, Stream};
use agop_core::scalar::Real;

/// The state of a run at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Updates done.
    pub step: u64,
    /// Training loss: `(1/n) sum |f - y|^2`, or the mean cross-entropy.
    pub train_loss: f64,
    /// The same on the test samples.
    pub test_loss: f64,
    /// Share of test samples whose largest output is their class; `None` with one output.
    pub test_accuracy: Option<f64>,
    /// Cosine of the first layer's NFM with the expected gradient outer product, where the task knows one.
    pub feature_alignment: Option<f64>,
    /// The measures of every hidden layer.
    pub layers: Vec<LayerReport>,
    /// Of step, parameters, optimizer state and PTK features, all with their shapes, and losses.
    pub digest: Digest,
}

/// A finished training.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<T> {
    /// The rule.
    pub rule: RuleName,
    /// The network before the first update.
    pub initial: Model<T, AnyActivation>,
    /// The network after the last.
    pub trained: Model<T, AnyActivation>,
    /// The mark of each measurement.
    pub marks: Vec<Mark>,
    /// The measurements as CSV, one a line.
    pub history: Vec<u8>,
    /// The last one, that of the trained network.
    pub last: Record,
}

/// The initial network of a run: the same for every rule.
///
/// # Errors
/// Unknown names, and widths that make no network.
pub fn initial_model<T: Real>(config: &Config, problem: &Problem<T>) -> Result<Model<T, AnyActivation>> {
    let widths = widths(problem.dimension, &config.network.hidden, problem.outputs)?;
    let bias = config.network.bias;
    let shape = Shape::new(&widths, bias)?;
    let mut values = filled("parameters", parameters(&widths, bias), T::zero())?;
    config.network.initializer.fill(shape, config.seed, &mut values)?;
    Ok(Model::new(widths, bias, config.network.activation, values)?)
}

/// The widths of a network.
///
/// # Errors
/// [`Error::Usage`] for a hidden layer without width.
pub(crate) fn widths(inputs: usize, hidden: &[usize], outputs: usize) -> Result<Vec<usize>> {
    if hidden.contains(&0) {
        return Err(Error::Usage("hidden: a width is zero, expected at least 1".into()));
    }
    Ok([&[inputs], hidden, &[outputs]].concat())
}

/// Weights and samples are those that are trained on, in the run's scalar.
const EXACT: (ReadError, Proof) = (ReadError { weights: 0.0, inputs: 0.0 }, Proof::Plain);

/// A training that is ready to start.
#[derive(Debug)]
pub struct Run<'p, T> {
    pub(super) config: &'p Config,
    problem: &'p Problem<T>,
    pub(super) rule: RuleName,
    /// Updates done.
    pub(super) step: u64,
    machine: &'p Machine,
    loss: AnyLoss,
    initial: Model<T, AnyActivation>,
    initial_features: Features<T>,
    pub(super) model: Model<T, AnyActivation>,
    pub(super) speeds: Vec<f64>,
    pub(super) state: Vec<T>,
    gradients: SampleSum<T>,
    features: SampleSum<T>,
    /// Order of the samples in the current epoch, in mini-batch mode.
    order: Vec<usize>,
    /// The next batch, where it has to be read.
    ahead: Option<Ahead<T>>,
    pub(super) marks: Vec<Mark>,
    pub(super) history: Growing,
}

impl<'p, T: Real> Run<'p, T> {
    /// Makes the initial network and all memory that the training needs.
    ///
    /// # Errors
    /// Unusable settings.
    pub fn new(
        config: &'p Config,
        problem: &'p Problem<T>,
        rule: RuleName,
        machine: &'p Machine,
    ) -> Result<Self> {
        config.check()?;
        let widths = widths(problem.dimension, &config.network.hidden, problem.outputs)?;
        let layers = Shape::new(&widths, config.network.bias)?.layers();
        let settings = &config.training;
        let mut speeds = vec![1.0; layers];
        match &settings.speeds {
            Speeds::Fixed(fixed) if fixed.len() == layers => speeds.clone_from(fixed),
            Speeds::Fixed(fixed) => {
                let found = fixed.len();
                let message =
                    format!("speeds: expected {layers} (one a layer, the readout included), found {found}");
                return Err(Error::Usage(message));
            }
            Speeds::Target { layer, .. } if *layer >= layers => {
                return Err(Error::Usage(format!(
                    "target: expected a layer 0 to {}, found {layer}",
                    layers - 1
                )));
            }
            Speeds::Target { layer, contrast } => target_speeds(*layer, *contrast, &mut speeds)?,
            Speeds::Lowest { contrast } => target_speeds(0, *contrast, &mut speeds)?,
        }
        let count = problem.train.count;
        let Machine { level, threads, .. } = machine;
        let shape = Shape::new(&widths, config.network.bias)?;
        // Before any weight is drawn: the features take the most memory, and drawing the most time.
        let mut features = feature_memory(shape, threads, count)?;
        let batch = settings.batch.unwrap_or(count).min(count);
        let gradients = gradient_memory(shape, threads, batch)?;
        let initial = initial_model(config, problem)?;
        let initial_features = Features::new(*level, &initial, &problem.train.inputs, EXACT, &mut features)
            .map_err(|error| diverged(rule, 0, error))?;
        let mut run = Self {
            config,
            problem,
            rule,
            step: 0,
            machine,
            loss: config.training.loss,
            model: initial.try_clone()?,
            initial,
            initial_features,
            speeds,
            state: Vec::new(),
            gradients,
            features,
            order: Vec::new(),
            ahead: None,
            marks: reserved("measurements", config.measurements() as usize)?,
            history: Growing(reserved("history", usual_history(config.measurements(), layers - 1) as usize)?),
        };
        let optimizer = optimizer(settings, rule, &run.speeds);
        optimizer.check(run.model.shape()?)?;
        run.state = filled("optimizer state", optimizer.state(run.model.parameters().len()), T::zero())?;
        Ok(run)
    }

    /// The rule.
    pub fn rule(&self) -> RuleName {
        self.rule
    }

    /// The network before the first update.
    pub fn initial(&self) -> &Model<T, AnyActivation> {
        &self.initial
    }

    /// Updates done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Trains. `progress` is told the number of updates done; `observe` sees each record as it is made and stops the
    /// training by returning false.
    ///
    /// # Errors
    /// [`Error::Diverged`] when values stop being finite, with the step at which they did; what the machine refuses.
    pub fn train(
        mut self,
        progress: &mut dyn FnMut(u64),
        observe: &mut dyn FnMut(&Record) -> bool,
    ) -> Result<Outcome<T>> {
        let stopped = Error::Message(format!("{}: no measurement", self.rule.name()));
        let last = self.train_between(progress, observe, &mut |_| Ok(true))?.ok_or(stopped)?;
        Ok(self.outcome(last))
    }

    /// As [`Run::train`]; `between` sees the state before each measurement and update, after the last one too, and
    /// interrupts the training by returning false: nothing is given then. Else the last measurement is.
    ///
    /// # Errors
    /// As [`Run::train`], and those of `between`.
    pub fn train_between(
        &mut self,
        progress: &mut dyn FnMut(u64),
        observe: &mut dyn FnMut(&Record) -> bool,
        between: &mut dyn FnMut(&Self) -> Result<bool>,
    ) -> Result<Option<Record>> {
        let mut newest = None;
        let (steps, every, rule) =
            (self.config.training.steps, self.config.training.measure_every, self.rule);
        for step in self.step..=steps {
            self.step = step;
            if !between(self)? {
                return Ok(None);
            }
            let failed = |error| diverged(rule, step, error);
            let last = step == steps;
            if last || step % every == 0 {
                let powers = if last { Powers::OneAndRoot } else { Powers::One };
                let record = self.measure(step, powers).map_err(failed)?;
                self.choose_target(&record)?;
                let go_on = observe(&record);
                self.marks.push(Mark::new(&record));
                let added = add_record(&mut self.history, &record);
                added.map_err(|error| {
                    Error::Message(format!("{} step {step}: history: {error}", rule.name()))
                })?;
                newest = Some(record);
                if !go_on {
                    break;
                }
            }
            if !last {
                self.update(step).map_err(failed)?;
                progress(step + 1);
            }
        }
        // The last step is measured, whatever the first one was.
        Ok(newest)
    }

    /// What a training gives whose last measurement this is.
    pub fn outcome(self, last: Record) -> Outcome<T> {
        let Self { rule, initial, model: trained, marks, history: Growing(history), .. } = self;
        Outcome { rule, initial, trained, marks, history, last }
    }

    /// What the optimizer carries from step to step; the second half of its state is scratch.
    pub(super) fn velocity(&self) -> &[T] {
        self.state.get(..self.state.len() / 2).unwrap_or_default()
    }

    fn update(&mut self, step: u64) -> Result<()> {
        let (train, level, loss) = (&self.problem.train, self.machine.level, self.loss);
        let optimizer = optimizer(&self.config.training, self.rule, &self.speeds);
        let (model, sums, state) = (&mut self.model, &mut self.gradients, &mut self.state);
        match self.config.training.batch {
            Some(batch) if batch < train.count => {
                let per_epoch = train.count.div_ceil(batch) as u64;
                let (epoch, index) = (step / per_epoch, (step % per_epoch) as usize);
                if index == 0 || self.order.is_empty() {
                    self.order = collected("order of the samples", train.count, 0..train.count)?;
                    Stream::new(self.config.seed, Purpose::Shuffle, epoch as u32).shuffle(&mut self.order);
                }
                let mut batches = self.order.chunks(batch).skip(index);
                let indices = batches.next().unwrap_or_default();
                let read = self.ahead.take().map_or(Ok(None), |ahead| ahead.rows(indices))?;
                self.ahead = batches.next().and_then(|next| Ahead::start(&train.inputs, next));
                let y = train.targets_of(indices)?;
                let y = MatRef::new(&y, indices.len(), self.problem.outputs)?;
                let x = train.inputs.pick(indices, read.as_deref());
                model.train_step(level, loss, &optimizer, (x, y), sums, state)?;
            }
            _ => {
                let samples = (&train.inputs, train.targets()?);
                model.train_step(level, loss, &optimizer, samples, sums, state)?;
            }
        }
        Ok(())
    }

    fn choose_target(&mut self, record: &Record) -> Result<()> {
        if let Speeds::Lowest { contrast } = self.config.training.speeds
            && let Some(target) =
                lowest_correlation(record.layers.iter().map(|layer| layer.uncentered.cosine))
        {
            target_speeds(target, contrast, &mut self.speeds)?;
        }
        Ok(())
    }

    fn measure(&mut self, step: u64, powers: Powers) -> Result<Record> {
        let level = self.machine.level;
        let inputs = &self.problem.train.inputs;
        let changed = match step {
            0 => None,
            _ => Some(Features::new(level, &self.model, inputs, EXACT, &mut self.features)?),
        };
        let features = changed.as_ref().unwrap_or(&self.initial_features);
        let (now, initial) = ((&self.model, features), (&self.initial, &self.initial_features));
        let (layers, shape) = (measure(self.machine, now, initial, 0.0, powers)?, self.model.shape()?);
        let (train_loss, _) = self.evaluate(&self.problem.train)?;
        let (test_loss, test_accuracy) = self.evaluate(&self.problem.test)?;
        let feature_alignment = match &self.problem.outer_product {
            Ok(expected) => self.feature_alignment(expected)?,
            Err(_) => None,
        };
        let mut hash = Hasher::new();
        hash.number(step);
        hash_parameters(&mut hash, shape, self.model.parameters());
        let velocity = self.velocity();
        hash.number(u64::from(!velocity.is_empty()));
        if !velocity.is_empty() {
            hash_parameters(&mut hash, shape, velocity);
        }
        for layer in 0..shape.hidden_layers() {
            let k = ptk_of_layer(shape, &features.values, layer)?;
            hash.array(&[k.rows(), k.columns()], k.as_slice().unwrap_or_default());
        }
        hash.array(&[2], &[train_loss, test_loss]);
        let digest = hash.finish();
        Ok(Record { step, train_loss, test_loss, test_accuracy, feature_alignment, layers, digest })
    }

    /// Loss and accuracy on a set of samples.
    fn evaluate(&self, samples: &Samples<T>) -> Result<(f64, Option<f64>)> {
        let outputs = self.problem.outputs;
        let mut f = self.model.forward(self.machine.level, &samples.inputs)?;
        let right = if outputs > 1 {
            let rows = f.chunks_exact(outputs).zip(samples.targets.chunks_exact(outputs));
            Some(rows.filter(|(f, y)| argmax(f) == argmax(y)).count())
        } else {
            None
        };
        let accuracy = right.map(|right| right as f64 / samples.count as f64);
        let loss = match self.loss {
            AnyLoss::CrossEntropy => {
                let rows = f.chunks_exact_mut(outputs).zip(samples.targets.chunks_exact(outputs));
                rows.fold(0.0, |sum, (f, y)| sum + self.loss.residual(f, y, T::zero()).to_f64())
            }
            _ => {
                f.iter_mut().zip(&samples.targets).for_each(|(f, y)| *f = *f - *y);
                let residual = MatRef::new(&f, samples.count, outputs)?;
                kernel::dot(self.machine.level, residual, residual)?
            }
        };
        Ok((loss / samples.count as f64, accuracy))
    }

    /// Cosine of the first layer's NFM with the expected gradient outer product.
    fn feature_alignment(&self, expected: &[f64]) -> Result<Option<f64>> {
        let level = self.machine.level;
        let weights = self.model.weights(0)?;
        let (k, d) = weights.shape();
        let wide = collected("weights", k.saturating_mul(d), weights.elements().map(|w| w.to_f64()))?;
        let mut nfm = filled("neural feature matrix", d.saturating_mul(d), 0.0)?;
        agop_core::feature::nfm(level, MatRef::new(&wide, k, d)?, MatMut::new(&mut nfm, d, d)?)?;
        let (f, e) = (MatRef::new(&nfm, d, d)?, MatRef::new(expected, d, d)?);
        let dot = |a, b| kernel::dot(level, a, b);
        let norms = dot(f, f)?.sqrt() * dot(e, e)?.sqrt();
        Ok(if norms > 0.0 && norms.is_finite() { Some(dot(f, e)? / norms) } else { None })
    }
}

fn optimizer<'s>(settings: &Training, rule: RuleName, speeds: &'s [f64]) -> Optimizer<'s> {
    let rule = match rule {
        RuleName::Gd => Rule::GradientDescent,
        RuleName::Slo => Rule::SpeedLimited { speeds, epsilon: settings.epsilon },
    };
    Optimizer { rule, rate: settings.rate, momentum: settings.momentum, decay: settings.decay }
}

/// Index of the largest value, the first one among equals.
fn argmax<T: Real>(values: &[T]) -> usize {
    let mut best = (0, None);
    for (index, value) in values.iter().enumerate() {
        if best.1.is_none_or(|most| *value > most) {
            best = (index, Some(*value));
        }
    }
    best.0
}
