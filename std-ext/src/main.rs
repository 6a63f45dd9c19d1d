//! The command `agop`.

use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    agop::command::run(std::env::args_os(), &mut io::stdout(), &mut io::stderr()).into()
}
