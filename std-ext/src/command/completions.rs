//! `agop completions` and `agop man`, by the generators of the option parser.

use super::{Arguments, DONE, write};
use crate::error::{Error, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;

/// Print a shell's completions of this command
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    agop completions bash > ~/.local/share/bash-completion/completions/agop\n  \
    agop completions zsh > ~/.zfunc/_agop")]
pub(super) struct Options {
    /// The shell
    shell: Shell,
}

pub(super) fn run(options: &Options, output: &mut dyn Write) -> Result<u8> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "agop", &mut script);
    write(output, &String::from_utf8_lossy(&script))?;
    Ok(DONE)
}

/// Print the manual page of this command or of a subcommand
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  agop man | man -l -\n  agop man train > agop-train.1")]
pub(super) struct Manual {
    /// The subcommand
    command: Option<String>,
}

pub(super) fn manual(options: &Manual, output: &mut dyn Write) -> Result<u8> {
    let mut all = Arguments::command();
    all.build();
    let command = match &options.command {
        None => all,
        Some(name) => {
            let known: Vec<&str> = all.get_subcommands().map(clap::Command::get_name).collect();
            let unknown = || Error::Usage(format!("unknown command `{name}` (known: {})", known.join(", ")));
            let found = all.find_subcommand(name).ok_or_else(unknown)?.clone();
            found.version(env!("CARGO_PKG_VERSION"))
        }
    };
    let mut page = Vec::new();
    let made = clap_mangen::Man::new(command).render(&mut page);
    made.map_err(|error| Error::Message(error.to_string()))?;
    write(output, &String::from_utf8_lossy(&page))?;
    Ok(DONE)
}
