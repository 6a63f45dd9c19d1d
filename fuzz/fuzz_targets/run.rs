//! Any bytes are a configuration, a manifest and a checkpoint of a training, or an error of one line. A configuration and a
//! manifest that are read are written and read again as the same. Checkpoints get a right seal, which no mutation finds.
//!
//! `cargo +nightly fuzz run run fuzz/corpus/run fuzz/seeds/run`
#![no_main]

use agop::error::ParseError;
use agop::machine::Machine;
use agop::run::config::{Config, Data, RuleName, Speeds, Synthetic};
use agop::run::config_file;
use agop::run::manifest::Manifest;
use agop::run::problem::Problem;
use agop::run::train::Run;
use agop_core::simd::Level;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

fn one_line(error: &ParseError) {
    assert!(!error.to_string().contains('\n'), "{error}");
}

/// A training of a few numbers.
fn small() -> &'static (Config, Problem<f32>, Machine) {
    static SMALL: OnceLock<(Config, Problem<f32>, Machine)> = OnceLock::new();
    SMALL.get_or_init(|| {
        let sizes = Synthetic { rank: 2, dimension: 2, samples: 4, test_samples: 2, spectrum: None };
        let mut config = Config { data: Data::ChainMonomial(sizes), ..Config::default() };
        config.network.hidden = vec![3];
        config.training.speeds = Speeds::Fixed(vec![1.0; 2]);
        config.training.steps = 4;
        let problem = Problem::load(&config).expect("a small problem");
        (config, problem, Machine::new(Level::detect(), 1).expect("one thread"))
    })
}

fuzz_target!(|bytes: &[u8]| {
    match config_file::parse(bytes) {
        Ok(config) => {
            let text = config.encode().expect("a configuration that was read");
            assert_eq!(config_file::parse(&text).as_ref(), Ok(&config));
        }
        Err(error) => one_line(&error),
    }
    match Manifest::parse(bytes) {
        Ok(manifest) => {
            let text = manifest.encode().expect("a manifest that was read");
            assert_eq!(Manifest::parse(&text).as_ref(), Ok(&manifest));
        }
        Err(error) => one_line(&error),
    }
    let (config, problem, machine) = small();
    let mut run = Run::new(config, problem, RuleName::Gd, machine).expect("a small run");
    let sealed = [bytes, &Sha256::digest(bytes)[..]].concat();
    for bytes in [bytes, &sealed] {
        if let Err(error) = run.restore_from(bytes) {
            one_line(&error);
        }
    }
});
