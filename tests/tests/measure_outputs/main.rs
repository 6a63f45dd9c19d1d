//! `agop measure --outputs`: what agrees passes with its difference, and what does not is refused with the likely cause.
//!
//! The oracle is a forward pass of its own, in plain loops.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod causes;

use agop::dataset::{Values, npy};
use agop_core::activation::{Activation, AnyActivation};
use agop_tests::SplitMix64;
use agop_tests::command::{agop, json};
use tempfile::TempDir;

/// A network, its samples, and how its framework runs it.
#[derive(Clone)]
struct Case {
    widths: Vec<usize>,
    /// Of each layer: weights (outputs x inputs), biases.
    layers: Vec<(Vec<f64>, Vec<f64>)>,
    bias: bool,
    x: Vec<f64>,
    samples: usize,
}

fn phi(name: &str) -> impl Fn(f64) -> f64 {
    let activation = AnyActivation::from_name(name).unwrap();
    move |z| activation.value(&z)
}

impl Case {
    fn new(seed: u64, widths: &[usize], bias: bool) -> Self {
        let mut random = SplitMix64::new(seed);
        let layers = widths.windows(2).map(|w| {
            let scale = 1.5 / (w[0] as f64).sqrt();
            let weights = random.normals(w[0] * w[1]).iter().map(|w| scale * w).collect();
            (weights, if bias { random.normals(w[1]) } else { vec![] })
        });
        let layers = layers.collect();
        let samples = 40;
        let x = random.normals(samples * widths[0]);
        Self { widths: widths.to_vec(), layers, bias, x, samples }
    }

    /// `W x + b` of one layer for one sample.
    fn affine(&self, layer: usize, x: &[f64]) -> Vec<f64> {
        let (weights, bias) = &self.layers[layer];
        let rows = weights.chunks_exact(x.len()).enumerate();
        rows.map(|(i, row)| {
            row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + bias.get(i).copied().unwrap_or(0.0)
        })
        .collect()
    }

    /// The outputs, hidden layers by `hidden(x, h)`.
    fn outputs_with(&self, hidden: impl Fn(&[f64], Vec<f64>) -> Vec<f64>) -> Vec<f64> {
        let mut outputs = Vec::new();
        for x in self.x.chunks_exact(self.widths[0]) {
            let mut x = x.to_vec();
            for layer in 0..self.layers.len() {
                let h = self.affine(layer, &x);
                x = if layer + 1 < self.layers.len() { hidden(&x, h) } else { h };
            }
            outputs.extend(x);
        }
        outputs
    }

    fn outputs(&self, phi: impl Fn(f64) -> f64) -> Vec<f64> {
        self.outputs_with(|_, h| h.into_iter().map(&phi).collect())
    }

    fn parameters(&self) -> Vec<f64> {
        self.layers.iter().flat_map(|(weights, bias)| [weights.clone(), bias.clone()].concat()).collect()
    }

    /// Writes weights and samples, and these outputs; returns the arguments.
    fn arguments(&self, folder: &TempDir, outputs: &Values, shape: &[usize]) -> Vec<String> {
        let name = |name: &str| folder.path().join(name).display().to_string();
        let (weights, data, z) = (name("weights.safetensors"), name("x.npy"), name("z.npy"));
        agop::checkpoint::write(&weights, &self.widths, self.bias, &self.parameters()).unwrap();
        npy::write(&data, self.samples, self.widths[0], &self.x).unwrap();
        std::fs::write(&z, npy::encode(shape, outputs).unwrap()).unwrap();
        let arguments = ["measure", "--weights", &weights, "--data", &data, "--outputs", &z];
        arguments.map(str::to_owned).to_vec()
    }

    fn shape(&self) -> [usize; 2] {
        [self.samples, *self.widths.last().unwrap()]
    }

    /// What is said of these outputs, from the first `they` or `none` on.
    fn explained(&self, outputs: Vec<f64>, more: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let arguments = self.arguments(&folder, &Values::F64(outputs), &self.shape());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let answer = agop(&arguments);
        assert_eq!((answer.code, answer.output.as_str()), (2, ""), "{answer:?}");
        assert_eq!(answer.messages.lines().count(), 1, "{answer:?}");
        let start = answer.messages.find("they ").or(answer.messages.find("none of"));
        answer.messages[start.unwrap_or_else(|| panic!("{answer:?}"))..].trim_end().to_owned()
    }
}

#[test]
fn outputs_that_agree_are_said_to() {
    let folder = tempfile::tempdir().unwrap();
    let case = Case::new(1, &[5, 7, 7, 3], true);
    let z = case.outputs(phi("relu"));
    let scale = z.iter().fold(0.0, |most, z| if z.abs() > most { z.abs() } else { most });
    for (bits, tolerance) in [(64, 1e-9), (32, 1e-4)] {
        let stored = |z: &[f64]| match bits {
            64 => Values::F64(z.to_vec()),
            _ => Values::F32(z.iter().map(|z| *z as f32).collect()),
        };
        let arguments = case.arguments(&folder, &stored(&z), &case.shape());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let report = json(&arguments);
        let agreement = &report["outputs"];
        assert_eq!(agreement["tolerance"], tolerance);
        assert!((agreement["scale"].as_f64().unwrap() - scale).abs() < 1e-6, "{agreement}");
        let largest = agreement["largest_difference"].as_f64().unwrap();
        assert!(largest < if bits == 64 { 1e-14 } else { 1e-6 }, "{agreement}");
        let table = agop(&arguments).output;
        let said = format!("4 7->3; outputs agree within {largest:.1e} (tolerance {tolerance:e} of ");
        assert!(table.contains(&said), "{table}");
        // A little inside the tolerance, and outside.
        for (factor, code) in [(0.9, 0), (1.1, 2)] {
            let mut moved = z.clone();
            moved[3 * 8 + 1] += factor * tolerance * scale;
            case.arguments(&folder, &stored(&moved), &case.shape());
            let answer = agop(&arguments);
            assert_eq!(answer.code, code, "{bits} {factor} {answer:?}");
            if code == 2 {
                assert!(answer.messages.contains("z.npy: row 8, column 1: "), "{answer:?}");
            } else {
                assert_eq!(json(&arguments)["outputs"]["at"], serde_json::json!([8, 1]));
            }
        }
    }
    // Computed in f32, f64 outputs cannot agree to 1e-9.
    let arguments = case.arguments(&folder, &Values::F64(z), &case.shape());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--scalar", "f32"]).collect();
    assert_eq!(json(&arguments)["outputs"]["tolerance"], 1e-4);
}

/// Half precision holds three digits: 2.5 as `f2` agrees with 2.48 and not with 2.47.
#[test]
fn outputs_may_be_f16() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = Case::new(0, &[1, 1, 1], false);
    (case.samples, case.x) = (1, vec![1.0]);
    for (output, code) in [(2.48, 0), (2.47, 2)] {
        case.layers = vec![(vec![1.0], vec![]), (vec![output], vec![])];
        let arguments = case.arguments(&folder, &Values::F64(vec![0.0]), &[1, 1]);
        let mut bytes = b"\x93NUMPY\x01\x00\x37\x00".to_vec();
        bytes.extend(b"{'descr': '<f2', 'fortran_order': False, 'shape': (1,)}");
        bytes.extend(0x4100_u16.to_le_bytes());
        std::fs::write(arguments.last().unwrap(), bytes).unwrap();
        let answer = agop(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(answer.code, code, "{answer:?}");
        assert!(format!("{answer:?}").contains("tolerance 1e-2 of 2.500"), "{answer:?}");
        // One sample shows nothing that varies.
        assert!(
            code == 2 || answer.output.contains("note: the given outputs vary by 0.0000 only"),
            "{answer:?}"
        );
    }
}

/// Why: beside a large constant the tolerance of f32 hides what the network computes.
#[test]
fn an_agreement_that_says_little_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = Case::new(4, &[4, 6, 1], true);
    for (offset, noted) in [(0.0, 0), (1e4, 1)] {
        case.layers[1].1[0] = offset;
        let z = case.outputs(phi("relu")).iter().map(|z| *z as f32).collect();
        let arguments = case.arguments(&folder, &Values::F32(z), &[40]);
        let report = json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let notes = report["notes"].as_array().unwrap();
        assert_eq!(notes.len(), noted, "{notes:?}");
        assert!(
            noted == 0 || notes[0].as_str().unwrap().contains("that they agree says little"),
            "{notes:?}"
        );
    }
}

#[test]
fn one_output_may_be_a_vector() {
    let folder = tempfile::tempdir().unwrap();
    let case = Case::new(2, &[4, 6, 1], false);
    let z = Values::F64(case.outputs(phi("relu")));
    for shape in [&[40][..], &[40, 1]] {
        let arguments = case.arguments(&folder, &z, shape);
        json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// Arrays that are no outputs: what was expected, and what was found.
#[test]
fn other_arrays_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let case = Case::new(3, &[4, 6, 2], false);
    let z = case.outputs(phi("relu"));
    let mut broken = z.clone();
    broken[7] = f64::NAN;
    let expected = "expected (40, 2), one row a sample and one column an output";
    for (values, shape, said) in [
        (Values::F64(z.clone()), &[80][..], format!("shape (80,): {expected}")),
        (Values::F64(z.clone()), &[2, 40], format!("shape (2, 40): {expected}")),
        (Values::F64(z.clone()), &[40, 2, 1], format!("shape (40, 2, 1): {expected}")),
        (Values::F64(z[..78].to_vec()), &[39, 2], format!("shape (39, 2): {expected}")),
        (Values::Integers(vec![1; 80]), &[40, 2], "outputs: integers, expected floats".to_owned()),
        (Values::F64(broken), &[40, 2], "row 3, column 1: the value is NaN".to_owned()),
    ] {
        let arguments = case.arguments(&folder, &values, shape);
        let answer = agop(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((answer.code, answer.output.as_str()), (2, ""), "{answer:?}");
        assert!(answer.messages.contains(&format!("z.npy: {said}")), "{answer:?}");
    }
}
