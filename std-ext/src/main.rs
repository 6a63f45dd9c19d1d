//! The command `agop`.

use std::hint::black_box;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    grow_stack();
    agop::command::run(std::env::args_os(), &mut io::stdout(), &mut io::stderr()).into()
}

/// Writes to a MiB of stack, so that it is there before data take the memory: kernels pack up to 256 KiB on it, and a
/// stack that cannot grow ends the process by a signal.
#[inline(never)]
fn grow_stack() {
    black_box(&mut [0_u8; 1 << 20]);
}
