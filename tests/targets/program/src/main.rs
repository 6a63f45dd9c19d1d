//! Prints the digests of the golden workload on every instruction set that this machine has.
//!
//! ```text
//! level scalar
//! kernels as defined
//! f32 random sha256:...
//! ...
//! f64 all sha256:...
//! level avx2
//! ...
//! end
//! ```
#![cfg_attr(any(target_os = "none", target_os = "unknown"), no_std, no_main)]

#[cfg_attr(all(target_os = "none", target_arch = "arm"), path = "cortex.rs")]
#[cfg_attr(all(target_os = "none", not(target_arch = "arm")), path = "riscv.rs")]
#[cfg_attr(target_arch = "wasm32", path = "wasm.rs")]
#[cfg_attr(not(any(target_os = "none", target_os = "unknown")), path = "hosted.rs")]
mod platform;

mod fma;

use agop_core::golden::{NUMBERS, WIDE, run};
use agop_core::kernel::{Backend, Definition, Init, Triangle};
use agop_core::matrix::{MatMut, MatRef};
use agop_core::network::Shape;
use agop_core::random::{Purpose, Stream};
use agop_core::scalar::Real;
use agop_core::simd::Level;
use core::fmt::{Error, Write};

// What fits the memory of 32 bits is a network there too.
const _: () = assert!(Shape::new(&[784, 512, 512, 10], true).is_ok());

#[cfg(not(any(target_os = "none", target_os = "unknown")))]
fn main() {
    platform::main();
}

/// Prints everything to `out`.
fn report(out: &mut impl Write) -> Result<(), Error> {
    for level in Level::available() {
        writeln!(out, "level {}", level.name())?;
        kernels::<f32>(level, out)?;
        kernels::<f64>(level, out)?;
        if level != Level::scalar() {
            fma::check::<f32>(level, out)?;
            fma::check::<f64>(level, out)?;
        }
        workload::<f32>(level, out)?;
        workload::<f64>(level, out)?;
    }
    writeln!(out, "end")
}

/// One scalar on one level; not inlined, so that the memory of the two scalars is the same.
#[inline(never)]
fn workload<T: Real>(level: Level, out: &mut impl Write) -> Result<(), Error> {
    let (mut numbers, mut wide) = ([T::zero(); NUMBERS], [0.0; WIDE]);
    let result = run(level, &mut numbers, &mut wide, |stage, digest| {
        let _ = writeln!(out, "{} {} {digest}", T::NAME, stage.name());
    });
    match result {
        Ok(digest) => writeln!(out, "{} all {digest}", T::NAME),
        Err(error) => writeln!(out, "{} error {error}", T::NAME),
    }
}

/// Compares products of every small shape and every combination of strides with the definition, bit by bit, and the
/// right factor's product with itself.
#[inline(never)]
fn kernels<T: Real>(level: Level, out: &mut impl Write) -> Result<(), Error> {
    const INNER: [usize; 7] = [0, 1, 2, 3, 4, 5, 9];
    let mut stream = Stream::new(1, Purpose::Trial, 0);
    let mut fill =
        |values: &mut [T]| values.iter_mut().for_each(|x| *x = T::from_f64(stream.uniform() - 0.5));
    let (mut a, mut b, mut first, mut second) =
        ([T::zero(); 27], [T::zero(); 9 * 37], [T::zero(); 3 * 37], [T::zero(); 3 * 37]);
    fill(&mut a);
    fill(&mut b);
    fill(&mut first);
    second.copy_from_slice(&first);
    for columns in (0..=37).filter(|_| level != Level::scalar()) {
        for (rows, inner) in (0..=3).flat_map(|rows| INNER.map(|inner| (rows, inner))) {
            for way in 0..24 {
                let (Some(a), Some(b), Some(c), Some(d)) = (
                    a.get(..rows * inner),
                    b.get(..inner * columns),
                    first.get_mut(..rows * columns),
                    second.get_mut(..rows * columns),
                ) else {
                    return Err(Error);
                };
                let view = |m, rows, columns, turned: bool| match turned {
                    true => MatRef::new(m, columns, rows).map(MatRef::t),
                    false => MatRef::new(m, rows, columns),
                };
                let (Ok(left), Ok(right)) =
                    (view(a, rows, inner, way & 1 == 1), view(b, inner, columns, way & 2 == 2))
                else {
                    return Err(Error);
                };
                let (Ok(to), Ok(of)) = (MatMut::new(c, rows, columns), MatMut::new(d, rows, columns)) else {
                    return Err(Error);
                };
                let triangle = if way & 4 == 4 { Triangle::Upper } else { Triangle::Full };
                let init = match way / 8 {
                    0 => Init::Accumulate,
                    1 => Init::Zero,
                    _ => Init::Row(b.get(..columns).unwrap_or_default()),
                };
                level.accumulate(to, left, right, triangle, init);
                Definition.accumulate(of, left, right, triangle, init);
                let same = c.iter().zip(&*d).all(|(c, d)| c.canonical_bits() == d.canonical_bits());
                if !same || level.dot(right, right).to_bits() != Definition.dot(right, right).to_bits() {
                    return writeln!(out, "kernels {} {rows} {inner} {columns} {way} differ", T::NAME);
                }
            }
        }
    }
    writeln!(out, "kernels as defined")
}
