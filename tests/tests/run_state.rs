//! The checkpoint of a training: what is not as it was written is refused, and the state stays as it was.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use agop::machine::Machine;
use agop::run::config::{Config, Data, RuleName, Speeds, Synthetic};
use agop::run::problem::Problem;
use agop::run::train::Run;
use agop_core::simd::Level;
use std::fs;

fn config(seed: u64) -> Config {
    let sizes = Synthetic { rank: 2, dimension: 2, samples: 4, test_samples: 2, spectrum: None };
    let mut config = Config { data: Data::ChainMonomial(sizes), seed, ..Config::default() };
    config.network.hidden = vec![3];
    config.training.steps = 4;
    config.training.momentum = 0.5;
    config.training.speeds = Speeds::Fixed(vec![1.0; 2]);
    config
}

#[test]
fn a_checkpoint_that_is_not_as_it_was_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    let machine = Machine::new(Level::detect(), 1).unwrap();
    let (config, other) = (config(1), config(2));
    let [problem, other_problem] = [&config, &other].map(|config| Problem::<f32>::load(config).unwrap());
    let mut run = Run::new(&config, &problem, RuleName::Gd, &machine).unwrap();
    run.save(&file).unwrap();
    let bytes = fs::read(&file).unwrap();
    run.restore_from(&bytes).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        assert_eq!(run.restore_from(&changed).unwrap_err().place, "seal", "byte {at}");
    }
    for length in [0, 1, 31, 32, bytes.len() - 1] {
        assert_eq!(run.restore_from(&bytes[..length]).unwrap_err().place, "seal", "{length} bytes");
    }
    // A whole one of another run, and of the other rule.
    let others = [
        Run::new(&other, &other_problem, RuleName::Gd, &machine).unwrap(),
        Run::new(&config, &problem, RuleName::Slo, &machine).unwrap(),
    ];
    for other in others {
        other.save(&file).unwrap();
        assert_eq!(run.restore_from(&fs::read(&file).unwrap()).unwrap_err().place, "header");
    }
    run.save(&file).unwrap();
    assert_eq!(fs::read(&file).unwrap(), bytes, "the state is unchanged");
}
