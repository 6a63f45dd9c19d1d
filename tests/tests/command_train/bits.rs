//! One set of bits on every level and number of threads.

use agop::machine::{Machine, Threads};
use agop::run::config::{Config, Data, RuleName, Synthetic};
use agop::run::folder::Folder;
use agop::run::named::Named;
use agop::run::problem::Problem;
use agop::run::train::Run;
use agop_core::digest::Hasher;
use agop_core::simd::Level;

/// A run small enough for software arithmetic, with everything in it that has an order: mini-batches, momentum, biases,
/// more than one sample block, the lowest-correlation policy.
fn small(scalar: &str, activation: &str) -> Config {
    let mut config = Config { scalar: Named::named(scalar).unwrap(), seed: 3, ..Config::default() };
    config.data = Data::ChainMonomial(Synthetic {
        rank: 3,
        dimension: 7,
        samples: 700,
        test_samples: 50,
        spectrum: None,
    });
    config.network.hidden = vec![19, 11];
    config.network.activation = Named::named(activation).unwrap();
    config.network.bias = true;
    config.training.steps = 12;
    config.training.batch = Some(300);
    config.training.momentum = 0.5;
    config.training.decay = 0.01;
    config.training.measure_every = 5;
    config.training.speeds = agop::run::config::Speeds::Lowest { contrast: 4.0 };
    config
}

fn digests<T: agop_core::scalar::Real>(config: &Config, machine: &Machine) -> Vec<String> {
    let problem = Problem::<T>::load(config).unwrap();
    let rules = [RuleName::Gd, RuleName::Slo].into_iter();
    let outcomes: Vec<_> = rules
        .map(|rule| {
            Run::new(config, &problem, rule, machine).unwrap().train(&mut |_| {}, &mut |_| true).unwrap()
        })
        .collect();
    let folder = Folder::new(config, problem.digest, outcomes).unwrap();
    let marks = folder.manifest.rules.values().flatten().map(|mark| mark.digest);
    marks.chain(folder.manifest.files.values().copied()).map(|digest| digest.to_string()).collect()
}

/// Every digest and every byte of every file, on each level and 1 to 5 threads.
#[test]
fn a_whole_run_has_the_same_bits_on_every_level_and_number_of_threads() {
    let more = [("f32", "gelu"), ("f64", "gelu"), ("f32", "silu"), ("f32", "sigmoid"), ("f64", "softplus")];
    for (scalar, activation) in [("f32", "tanh"), ("f64", "tanh")].into_iter().chain(more) {
        let config = small(scalar, activation);
        let run = |config: &Config, machine: &Machine| match scalar {
            "f32" => digests::<f32>(config, machine),
            _ => digests::<f64>(config, machine),
        };
        let reference = run(&config, &Machine::new(Level::scalar(), 1).unwrap());
        assert_eq!(reference.len(), 2 * 4 + 7);
        for level in Level::available() {
            for threads in [1, 2, 3, 5] {
                let machine = Machine::new(level, threads).unwrap();
                assert_eq!(run(&config, &machine), reference, "{} {threads}", level.name());
            }
        }
        // Another batch size is another sum: the digests can differ.
        let mut other = config.clone();
        other.training.batch = Some(299);
        assert_ne!(run(&other, &Machine::new(Level::scalar(), 1).unwrap()), reference);
    }
}

/// The digest of a record by its definition: every array of the state with its shape.
#[test]
fn a_record_is_hashed_with_its_layout() {
    let mut config = small("f64", "tanh");
    config.training.steps = 0;
    let machine = Machine::new(Level::scalar(), 1).unwrap();
    let problem = Problem::<f64>::load(&config).unwrap();
    let run = Run::new(&config, &problem, RuleName::Gd, &machine).unwrap();
    let outcome = run.train(&mut |_| {}, &mut |_| true).unwrap();
    let (model, record) = (&outcome.trained, &outcome.last);
    let parameters = |hash: &mut Hasher, mut values: &[f64]| {
        hash.number(3).number(1);
        for (outputs, inputs) in [(19, 7), (11, 19), (1, 11)] {
            let (weights, rest) = values.split_at(outputs * inputs);
            let (bias, rest) = rest.split_at(outputs);
            hash.array(&[outputs, inputs], weights).array(&[outputs], bias);
            values = rest;
        }
        assert!(values.is_empty());
    };
    let mut hash = Hasher::new();
    hash.number(0);
    parameters(&mut hash, model.parameters());
    // There is momentum, so a velocity, which is zero before the first update.
    hash.number(1);
    parameters(&mut hash, &vec![0.0; model.parameters().len()]);
    let mut memory = model.feature_memory(&Threads::one(), 700).unwrap();
    let features = model.features(machine.level, &problem.train.inputs, &mut memory).unwrap();
    let (first, second) = features.split_at(19 * 19);
    hash.array(&[19, 19], first).array(&[11, 11], second);
    hash.array(&[2], &[record.train_loss, record.test_loss]);
    assert_eq!(record.digest, hash.finish());
}
