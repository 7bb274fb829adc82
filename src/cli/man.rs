//! `rootwright man`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap_mangen::Man;

use super::printer::Printer;
use super::{Done, command};
use crate::diagnose::Report;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder that the pages are written to, such as /usr/local/share/man/man1
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub fn run(args: &Args, printer: &Printer) -> Done {
    let mut whole = command().disable_help_subcommand(true);
    whole.build();
    fs_err::create_dir_all(&args.out)
        .and_then(|()| pages(&whole, &args.out))
        .map_err(|error| {
            Report::new("man::unwritable", error.to_string())
                .help("name a folder that can be made, or written: `--out DIR`")
        })?;
    printer.say(&format!("the pages are in {}", args.out.display()));
    Ok(ExitCode::SUCCESS)
}

/// The page of a command, and those of its subcommands.
fn pages(command: &clap::Command, out: &Path) -> std::io::Result<()> {
    let man = Man::new(command.clone());
    let file = out.join(man.get_filename());
    let mut page = Vec::new();
    man.render(&mut page)?;
    fs_err::write(&file, tidy(&String::from_utf8_lossy(&page), command))?;
    let subcommands = command.get_subcommands();
    for command in subcommands.filter(|command| !command.is_hide_set()) {
        pages(command, out)?;
    }
    Ok(())
}

/// The page with a head that names program and version, and without line breaks beside
/// empty lines, which mandoc(1) warns of.
fn tidy(page: &str, command: &clap::Command) -> String {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let head = format!(
        ".TH {} 1 \"\" \"rootwright {}\" \"rootwright manual\"",
        name.to_uppercase(),
        env!("CARGO_PKG_VERSION")
    );
    let lines: Vec<&str> = page.lines().collect();
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        // An empty line is one in roff, too.
        let is_space = |at: Option<usize>| {
            let line = at.and_then(|at| lines.get(at));
            line.is_some_and(|line| matches!(*line, "" | ".sp"))
        };
        let beside = is_space(at.checked_sub(1)) || is_space(Some(at + 1));
        match *line {
            ".br" if beside => continue,
            "" => out.push_str(".sp"),
            line if line.starts_with(".TH ") => out.push_str(&head),
            line => out.push_str(line),
        }
        out.push('\n');
    }
    out
}
