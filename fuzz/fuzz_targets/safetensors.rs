//! Any bytes are a network or an error. A network's parameters are as many as its shapes say and finite, it is written
//! and read again with the same bits, its file is one for the crate `safetensors` too, and is none any more with one
//! byte less or one more. Named in the order that was found, its layers are the same network.
//!
//! `cargo +nightly fuzz run safetensors fuzz/corpus/safetensors fuzz/seeds/safetensors`
#![no_main]

use agop::checkpoint::{self, ScalarKind};
use libfuzzer_sys::fuzz_target;
use safetensors::SafeTensors;

fuzz_target!(|bytes: &[u8]| {
    let network = match checkpoint::parse(bytes) {
        Ok(network) => network,
        Err(error) => {
            let line = error.in_file("x.safetensors").to_string();
            assert!(line.starts_with("x.safetensors: ") && !line.contains('\n'), "{line}");
            return;
        }
    };
    let tensors = network.layers.iter().map(|layer| 1 + usize::from(layer.bias.is_some())).sum::<usize>();
    // Fewer are stored where tied tensors have several names.
    assert!(SafeTensors::deserialize(bytes).unwrap().len() <= tensors);
    let order: Vec<String> = network.layers.iter().map(|layer| layer.name.clone()).collect();
    assert_eq!(checkpoint::parse_in_order(bytes, Some(&order)).unwrap(), network);
    let widths = network.widths();
    let parameters = network.parameters::<f64>().unwrap();
    let bias = usize::from(network.has_bias());
    assert_eq!(parameters.len(), widths.windows(2).map(|w| w[1] * (w[0] + bias)).sum::<usize>());
    assert!(parameters.iter().all(|x| x.is_finite()));
    let written = match network.scalar {
        ScalarKind::F32 => {
            checkpoint::encode(&widths, network.has_bias(), &network.parameters::<f32>().unwrap()).unwrap()
        }
        ScalarKind::F64 => checkpoint::encode(&widths, network.has_bias(), &parameters).unwrap(),
    };
    let again = checkpoint::parse(&written).unwrap();
    assert_eq!(
        (again.widths(), again.scalar, again.has_bias()),
        (widths, network.scalar, network.has_bias())
    );
    let same = again
        .parameters::<f64>()
        .unwrap()
        .iter()
        .map(|x| x.to_bits())
        .eq(parameters.iter().map(|x| x.to_bits()));
    assert!(same);
    assert!(checkpoint::parse(&bytes[..bytes.len() - 1]).is_err());
    assert!(checkpoint::parse(&[bytes, b" "].concat()).is_err());
});
