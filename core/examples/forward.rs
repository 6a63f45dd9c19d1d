//! A network on the stack, its initial weights, and the bits of one output: `cargo run -p agop-core --example forward`.

use agop_core::error::Error;
use agop_core::matrix::{MatMut, MatRef};
use agop_core::{network::Initializer, simd::Level};

agop_core::network! {
    /// 16 inputs, two hidden layers, one output.
    pub struct Tiny([f32; 16 => 32 => 32 => 1], Relu, bias: false);
}

fn main() -> Result<(), Error> {
    let level = Level::detect();
    let mut net = Tiny::new();
    Initializer::Normal.fill(Tiny::shape(), 1, &mut net.parameters)?;
    let (mut out, mut work) = ([0.0; 1], [0.0; Tiny::gradient_workspace(1)]);
    let x = MatRef::new(&[0.5; 16], 1, 16)?;
    net.network()?.forward(level, x, MatMut::new(&mut out, 1, 1)?, &mut work)?;
    println!("{} on {}: bits {:#010x}", out[0], level.name(), out[0].to_bits());
    assert_eq!(out[0].to_bits(), 0xbdc8_068a); // on every machine
    Ok(())
}
