//! `rootwright add`, `update` and `vendor`

use std::path::Path;
use std::process::ExitCode;

use super::printer::Printer;
use super::{Done, Global, repository};
use crate::diagnose::{Report, SourceMap, Trouble, nearest};
use crate::plan::Grant;
use crate::project::library::{self, UpdatedLibrary, address};
use crate::project::{self, Entry, Library, Lock, Pin, Project, Wanted, config, tree};

#[derive(Debug, clap::Args)]
pub struct Add {
    /// Where its git repository is: an address, or a path
    #[arg(value_name = "URL")]
    address: String,
    /// The tag to take
    #[arg(long, group = "wanted")]
    tag: Option<String>,
    /// The branch to follow [default: the repository's own]
    #[arg(long, group = "wanted")]
    branch: Option<String>,
    /// The commit to take
    #[arg(long, group = "wanted")]
    rev: Option<String>,
    /// What imports call it [default: the last part of the address]
    #[arg(long)]
    name: Option<String>,
    /// Let it do this: host_run, unsigned, secret, secret:NAME
    #[arg(long = "grant", value_name = "GRANT", value_parser = grant)]
    grants: Vec<Grant>,
}

#[derive(Debug, clap::Args)]
pub struct Update {
    /// The libraries [default: all]
    names: Vec<String>,
    /// Take what is there even where a tag has moved or a history was rewritten
    #[arg(long)]
    accept_rewritten: bool,
}

#[derive(Debug, clap::Args)]
pub struct Vendor {
    /// The libraries [default: all]
    names: Vec<String>,
}

fn grant(text: &str) -> Result<Grant, String> {
    Grant::parse(text).ok_or_else(|| format!("expected one of {}", Grant::forms().join(", ")))
}

pub fn add(args: &Add, global: &Global, printer: &Printer) -> Done {
    let root = repository::required()?;
    let project = global.project(&root)?;
    let name = args.name.clone();
    let name = name.unwrap_or_else(|| address::name(&args.address));
    if !config::is_name(&name) {
        let message = format!("`{name}` is no name for a library");
        let help = "give it one with `--name`: small letters, digits, `_` and `-`";
        return Err(Report::new("library::name", message).help(help).into());
    }
    if project.libraries.contains_key(&name) {
        let message = format!("there is a library `{name}` already");
        let help = format!(
            "`rootwright update {name}` fetches what is new; `--name` gives this one another name"
        );
        return Err(Report::new("library::exists", message).help(help).into());
    }
    let [tag, branch, rev] = [&args.tag, &args.branch, &args.rev].map(Option::clone);
    let entry = Entry {
        name: name.clone(),
        git: as_written(&args.address, &root),
        wanted: (tag.map(Wanted::Tag))
            .or(branch.map(Wanted::Branch))
            .or(rev.map(Wanted::Rev))
            .unwrap_or(Wanted::Head),
        grants: args.grants.clone(),
        place: None,
    };
    let mut lock = Lock::read(&root)?;
    let added = library::shelf(&global.shelves(&project))
        .and_then(|shelf| library::add(&entry, &root, &mut lock, &shelf));
    let added = added.map_err(|error| error.report(&name))?;
    let mut out = format!("added the library `{name}`: {}\n", state(&added.pin));
    for module in tree::modules(&added.folder) {
        let word = module.rsplit('/').next().unwrap_or(&module);
        let alias = word.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        out.push_str(&format!("  import \"@{name}/{module}\" as {alias};\n"));
    }
    printer.out(&out);
    for submodule in &added.left_out {
        printer.say(&format!("its submodule `{submodule}` is left out"));
    }
    Ok(ExitCode::SUCCESS)
}

/// A path of the current folder as one from the repository's; an address as it is.
fn as_written(address: &str, root: &Path) -> String {
    if !address::is_path(address) || Path::new(address).is_absolute() {
        return address.to_owned();
    }
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let path = absolute(Path::new(address));
    project::from(&absolute(root), &path).display().to_string()
}

/// `v1, 0123456789ab`
fn state(pin: &Pin) -> String {
    match pin.tag.as_ref().or(pin.branch.as_ref()) {
        Some(version) => format!("{version}, {}", pin.short()),
        None => pin.short().to_owned(),
    }
}

pub fn update(args: &Update, global: &Global, printer: &Printer) -> Done {
    let root = repository::required()?;
    let project = Project::find(&root, |project| global.shelves(project))?;
    let chosen = chosen(&project, &args.names)?;
    let mut lock = Lock::read(&root)?;
    // What is no library any more needs no pin.
    lock.library
        .retain(|name, _| project.libraries.contains_key(name));
    let mut reports = Vec::new();
    for library in chosen {
        let name = &library.entry.name;
        let updated = library::shelf(&global.shelves(&project)).and_then(|shelf| {
            library::update(library, &root, &mut lock, args.accept_rewritten, &shelf)
        });
        match updated {
            Ok(None) => printer.out(&format!("{name}: nothing new\n")),
            Ok(Some(UpdatedLibrary { from, now })) => {
                let from = from.map_or_else(String::new, |from| format!("{from} -> "));
                printer.out(&format!("{name}: {from}{}\n", state(&now)));
            }
            Err(error) => reports.push(error.report(name)),
        }
    }
    lock.write(&root).map_err(|error| {
        let message = format!("cannot write `{}`: {error}", project::LOCK_FILE);
        Report::new("site::lock", message)
    })?;
    done(reports)
}

pub fn vendor(args: &Vendor, global: &Global, printer: &Printer) -> Done {
    let root = repository::required()?;
    let project = Project::find(&root, |project| global.shelves(project))?;
    let mut reports = Vec::new();
    for library in chosen(&project, &args.names)? {
        let name = &library.entry.name;
        let vendored = library::shelf(&global.shelves(&project))
            .and_then(|shelf| library::vendor(library, &root, &shelf));
        let folder = project::VENDOR;
        match vendored {
            Ok(true) => printer.out(&format!("{folder}/{name} is a copy of the library\n")),
            Ok(false) => printer.out(&format!("{folder}/{name} is as it should be\n")),
            Err(error) => reports.push(error.report(name)),
        }
    }
    done(reports)
}

fn chosen<'a>(project: &'a Project, names: &[String]) -> Result<Vec<&'a Library>, Report> {
    let known = &project.libraries;
    if names.is_empty() {
        return Ok(known.values().map(AsRef::as_ref).collect());
    }
    let one = |name: &String| {
        known.get(name).map(AsRef::as_ref).ok_or_else(|| {
            let message = format!("there is no library `{name}`");
            let report = Report::new("library::unknown", message);
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            let all = match names.as_slice() {
                [] => "rootwright.toml names none".to_owned(),
                names => format!("there are {}", names.join(", ")),
            };
            report.did_you_mean(nearest(name, names.into_iter()), all)
        })
    };
    names.iter().map(one).collect()
}

fn done(reports: Vec<Report>) -> Done {
    if reports.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Trouble::new(reports, SourceMap::default()))
}
