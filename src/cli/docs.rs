//! `rootwright docs`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::printer::Printer;
use super::{Done, Global};
use crate::diagnose::Report;
use crate::diagnose::terminal::json;
use crate::recipe;
use crate::reference::{self, Reference, Topic};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A function, `install` or `diskless::prepare`, or a module; all of them where absent
    #[arg(add = super::completions::reference())]
    name: Option<String>,
    /// How it is written: for people, as Markdown, as a site, or as data
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The folder that the site is written to
    #[arg(long, value_name = "DIR", required_if_eq("format", "html"))]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Markdown,
    /// One page with a search, which needs nothing else
    Html,
    Json,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    let settings = recipe::Settings {
        stdlib: global.stdlib.clone(),
        ..recipe::Settings::default()
    };
    let whole = Reference::new(&settings)?;
    if let Some(out) = args.out.as_ref().filter(|_| args.format == Format::Html) {
        let page = out.join("index.html");
        fs_err::create_dir_all(out)
            .and_then(|()| fs_err::write(&page, reference::html(&whole)))
            .map_err(|error| {
                Report::new("docs::unwritable", error.to_string())
                    .help("name a folder that can be made, or written: `--out DIR`")
            })?;
        printer.say(&format!("{} is written", page.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let look = printer.look();
    let found = match &args.name {
        Some(name) => Some(whole.find(name).ok_or_else(|| nothing(&whole, name))?),
        None => None,
    };
    printer.drawn(&match (args.format, found) {
        (Format::Text, None) => reference::text_list(&whole, look),
        (Format::Text, Some(Topic::Entry(entry))) => reference::text_entry(entry, look),
        (Format::Text, Some(Topic::Section(section))) => reference::text_section(section, look),
        (Format::Markdown | Format::Html, None) => reference::markdown(&whole),
        (Format::Markdown | Format::Html, Some(Topic::Entry(entry))) => {
            reference::markdown_entry(entry, 1)
        }
        (Format::Markdown | Format::Html, Some(Topic::Section(section))) => {
            reference::markdown_section(section)
        }
        (Format::Json, None) => json(&whole),
        (Format::Json, Some(Topic::Entry(entry))) => json(entry),
        (Format::Json, Some(Topic::Section(section))) => json(section),
    });
    Ok(ExitCode::SUCCESS)
}

fn nothing(whole: &Reference, name: &str) -> Report {
    let report = Report::new("docs::unknown", format!("there is no function `{name}`"));
    report.did_you_mean(whole.near(name), "`rootwright docs` has them all")
}
