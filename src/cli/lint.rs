//! `rootwright lint`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use super::printer::{Printer, table as columns};
use super::{Chosen, Done, Global, namespaces, preview};
use crate::diagnose::{Report, SourceMap, Trouble};
use crate::export::{self, OpenedExport};
use crate::lint::{self, Finding, Lint, Severity, Subject, Table};
use crate::plan::{Export, Plan, Root, Step, Transport};
use crate::preview::plural;
use crate::recipe::stdlib::Stdlib;
use crate::run::shell::{BuiltRoot, Point};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A directory, an export, or a recipe that is built
    #[arg(required_unless_present = "list", value_parser = super::repository::target, add = super::completions::recipes())]
    target: Option<PathBuf>,
    /// List the lints
    #[arg(long)]
    list: bool,
    /// Leave a lint out
    #[arg(long, value_name = "LINT")]
    skip: Vec<String>,
    /// End with status 1 for warnings, too
    #[arg(long)]
    fatal_warnings: bool,
    /// How nodes get at it [default: as exported; nfs for a directory]
    #[arg(long, value_enum)]
    via: Vec<Via>,
    #[command(flatten)]
    chosen: Chosen,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Via {
    Nfs,
    Http,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    let table = table(global).and_then(|table| table.without(&args.skip));
    let table = table.map_err(Report::from)?;
    let Some(target) = args.target.as_ref().filter(|_| !args.list) else {
        let row = |lint: &Lint| {
            let severity = lint.severity.to_string();
            [lint.name.clone(), severity, lint.reason.clone()]
        };
        printer.out(&columns(&table.lints.iter().map(row).collect::<Vec<_>>()));
        return Ok(ExitCode::SUCCESS);
    };
    if target.is_file() {
        return recipe(target, args, global, printer, &table);
    }
    if OpenedExport::is_at(target) {
        let opened = OpenedExport::open(target).map_err(Report::from)?;
        return export(target, &opened, args, printer, &table);
    }
    let subject = Subject {
        root: target.clone(),
        transports: vec![Transport::Nfs],
        ..Subject::default()
    };
    let found = look(&table, subject, args)?;
    Ok(tell(&target.display().to_string(), &found, args, printer))
}

/// The lints of the stdlib.
fn table(global: &Global) -> Result<Table, lint::Error> {
    let stdlib = Stdlib::new(global.stdlib.clone());
    let files = stdlib.list("lint").into_iter();
    let files = files.filter_map(|file| Some((file.clone(), stdlib.text(&file)?)));
    Table::new(&files.collect::<Vec<_>>())
}

fn look(table: &Table, mut subject: Subject, args: &Args) -> Result<Vec<Finding>, Trouble> {
    if !args.via.is_empty() {
        let transport = |via: &Via| match via {
            Via::Nfs => Transport::Nfs,
            Via::Http => Transport::Http,
        };
        subject.transports = args.via.iter().map(transport).collect();
    }
    lint::check(table, &subject).map_err(|error| Report::from(error).into())
}

/// An export as it is; what is packed is unpacked first.
fn export(
    target: &Path,
    opened: &OpenedExport,
    args: &Args,
    printer: &Printer,
    table: &Table,
) -> Done {
    let unpacked = export::unpack(opened).map_err(Report::from)?;
    let transport = opened.transport().or(opened.manifest.format.transport());
    let subject = Subject {
        root: unpacked.root.clone(),
        kernel: opened.kernel.clone(),
        initramfs: opened.initramfs.clone(),
        cmdline: opened.cmdline.clone(),
        transports: transport.into_iter().collect(),
        exclude: Vec::new(),
        allowed: opened.manifest.allowed.clone(),
    };
    let found = look(table, subject, args)?;
    Ok(tell(&target.display().to_string(), &found, args, printer))
}

/// The roots of a recipe as its last build has left them.
fn recipe(recipe: &Path, args: &Args, global: &Global, printer: &Printer, table: &Table) -> Done {
    namespaces(false, global, printer)?;
    let previewed = global.preview(recipe, &args.chosen)?;
    let plan = &previewed.evaluation.plan;
    let (store, built) = previewed.last_build().ok_or_else(|| not_built(plan))?;
    let mut worst = ExitCode::SUCCESS;
    for root in &built.plan.roots {
        let Some(mut subject) = subject(&built.plan, root) else {
            continue;
        };
        let now = plan.roots.iter().find(|known| known.name == root.name);
        subject.allowed = now.map(|root| root.allowed.clone()).unwrap_or_default();
        let found = BuiltRoot::find(&built, Point::End(root.id), store);
        let mounted = found.map_err(|_| not_built(plan))?.mount(store)?;
        subject.root = mounted.path().to_owned();
        let found = look(table, subject, args)?;
        let name = match built.plan.roots.len() {
            1 => recipe.display().to_string(),
            _ => format!("{} ({})", recipe.display(), root.name),
        };
        if tell(&name, &found, args, printer) != ExitCode::SUCCESS {
            worst = ExitCode::FAILURE;
        }
    }
    Ok(worst)
}

fn not_built(plan: &Plan) -> Trouble {
    let message = "the recipe's root is not in the store";
    preview::not_built("lint::not_built", message, &plan.recipe.path).into()
}

/// What of a root leaves the machine, and how; `None` for one that others stand on only.
fn subject(plan: &Plan, root: &Root) -> Option<Subject> {
    let steps = plan.steps.iter().filter(|step| step.root == Some(root.id));
    let exports: Vec<&Export> = steps.flat_map(Step::exports).collect();
    let mut bases = plan.roots.iter().filter_map(|root| root.base.as_ref());
    let is_base = bases.any(|base| base.root == root.id);
    let Some((first, rest)) = exports.split_first() else {
        return (!is_base).then(|| Subject {
            transports: vec![Transport::Nfs],
            ..Subject::default()
        });
    };
    // What one export does not leave out, its nodes get.
    let mut exclude = first.exclude.clone();
    exclude.retain(|pattern| rest.iter().all(|other| other.exclude.contains(pattern)));
    let transports = exports.iter();
    let transports = transports.filter_map(|export| export.format.transport());
    let mut transports: Vec<Transport> = transports.collect();
    transports.dedup();
    Some(Subject {
        cmdline: first.cmdline.clone(),
        transports,
        exclude,
        ..Subject::default()
    })
}

/// Findings of one lint that people are shown before the rest is only counted.
const SHOWN: usize = 8;

fn tell(what: &str, found: &[Finding], args: &Args, printer: &Printer) -> ExitCode {
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    let mut reports = Vec::new();
    let mut of_lint: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in found.iter().filter(|finding| finding.allowed.is_none()) {
        *counts.entry(finding.severity).or_default() += 1;
        let number = of_lint.entry(&finding.lint).or_default();
        *number += 1;
        if printer.is_for_people() && *number > SHOWN {
            continue;
        }
        let message = format!("{}: {}", finding.lint, finding.message);
        let mut report = Report::new(format!("lint::{}", finding.lint), message);
        report.severity = finding.severity;
        // People read the reason once.
        if !printer.is_for_people() || *number == 1 {
            report = report
                .cause(&finding.reason)
                .help(format!("`{}` or `diskless::prepare(root)`", finding.cure));
        }
        reports.push(report);
    }
    printer.reports(&reports, &SourceMap::default());
    if !reports.is_empty() {
        printer.gap();
    }
    for (lint, number) in of_lint {
        if printer.is_for_people() && number > SHOWN {
            printer.say(&format!("{lint}: {} more", number - SHOWN));
        }
    }
    for finding in found {
        if let Some(reason) = &finding.allowed {
            let (lint, message) = (&finding.lint, &finding.message);
            printer.say(&format!("allowed: {lint}: {message} ({reason})"));
        }
    }
    let count = |severity: Severity| counts.get(&severity).copied().unwrap_or(0);
    let words: Vec<String> = counts
        .iter()
        .map(|(severity, number)| plural(*number, &format!("{severity}"), &format!("{severity}s")))
        .collect();
    printer.say(&match words.is_empty() {
        true => format!("{what}: nothing wrong"),
        false => format!("{what}: {}", words.join(", ")),
    });
    let fatal =
        count(Severity::Error) + usize::from(args.fatal_warnings) * count(Severity::Warning);
    ExitCode::from(u8::from(fatal > 0))
}
