//! `rootwright completions`: scripts that have a shell ask `rootwright complete`.

mod candidates;

pub use candidates::{options, recipes, reference, run as complete};

use std::ffi::OsString;
use std::process::ExitCode;

use clap::ValueEnum;

use super::Done;
use super::printer::Printer;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which shell's
    shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// What a shell has to be completed.
#[derive(Debug, clap::Args)]
pub struct Words {
    /// The words of a command line, the program first, up to the cursor
    #[arg(last = true)]
    words: Vec<OsString>,
}

pub fn run(args: &Args, printer: &Printer) -> Done {
    printer.drawn(match args.shell {
        Shell::Bash => include_str!("rootwright.bash"),
        Shell::Zsh => include_str!("rootwright.zsh"),
        Shell::Fish => include_str!("rootwright.fish"),
    });
    Ok(ExitCode::SUCCESS)
}
