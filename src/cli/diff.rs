//! `rootwright diff`
//!
//! Exit status as of diff(1): 0 nothing differs, 1 something does, 2 they could not be
//! compared.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::printer::Printer;
use super::{Chosen, Done, Format, Global, namespaces, preview, repository};
use crate::diagnose::{Report, ReportContent, SourceMap, Trouble};
use crate::diff::{self, Checkout, PlanDiff, RootsDiff, Shown, Side};
use crate::export::{self, OpenedExport, Shelf, Unpacked};
use crate::plan::Plan;
use crate::run::shell::{BuiltRoot, MountedRoot, Point};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 nothing differs, 1 something does, 2 they could not be compared."
)]
pub struct Args {
    /// A recipe, the directory of a root, or an export
    #[arg(value_parser = super::repository::target, add = super::completions::recipes())]
    from: PathBuf,
    /// What it is compared with: the same recipe where absent; of an `nfs` export, the version
    /// before the current one is compared with that
    #[arg(value_parser = super::repository::target, add = super::completions::recipes())]
    to: Option<PathBuf>,
    /// The first recipe as it is at this git revision, compared with the second as it is now
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// The second recipe as it is at this git revision
    #[arg(long, value_name = "REV")]
    to_rev: Option<String>,
    /// Set an option of both recipes
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", value_parser = super::pair, add = super::completions::options())]
    options: Vec<(String, String)>,
    /// Set an option of the first recipe alone
    #[arg(long = "from-option", value_name = "NAME=VALUE", value_parser = super::pair, add = super::completions::options())]
    from_options: Vec<(String, String)>,
    /// Set an option of the second recipe alone
    #[arg(short = 'O', long = "to-option", value_name = "NAME=VALUE", value_parser = super::pair, add = super::completions::options())]
    to_options: Vec<(String, String)>,
    /// Compare the roots that the last builds of the recipes have left, and not their plans
    #[arg(long, conflicts_with_all = ["rev", "to_rev"])]
    built: bool,
    /// The root, where a recipe makes several [default: the last one]
    #[arg(long, value_name = "NAME", requires = "built")]
    root: Option<String>,
    /// Show every path that differs
    #[arg(long)]
    all: bool,
    /// Show the lines of small texts that differ
    #[arg(long)]
    lines: bool,
    /// For people, or as data
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Let the recipes themselves, and not only the stdlib, run commands on the host
    #[arg(long)]
    allow_host_run: bool,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    compare(args, global, printer).map_err(|trouble| match trouble.reports.is_empty() {
        true => trouble,
        false => Trouble { code: 2, ..trouble },
    })
}

fn compare(args: &Args, global: &Global, printer: &Printer) -> Done {
    let to = args.to.as_ref().unwrap_or(&args.from);
    match (repository::is_recipe(&args.from), repository::is_recipe(to)) {
        (false, false) => trees(args, printer),
        _ if args.built => built(args, global, printer),
        (true, true) => plans(args, global, printer),
        _ => Err(
            Report::new("diff::sides", "a recipe and a tree cannot be compared")
                .help("`--built` takes the root that the recipe's last build has left")
                .into(),
        ),
    }
}

/// One of two recipes, and how it is evaluated.
struct RecipeSide<'a> {
    recipe: &'a Path,
    revision: Option<&'a str>,
    chosen: Chosen,
}

impl RecipeSide<'_> {
    fn name(&self) -> String {
        let mut name = self.recipe.display().to_string();
        if let Some(revision) = self.revision {
            name += &format!(" at {revision}");
        }
        for (option, value) in &self.chosen.options {
            name += &format!(" -o {option}={value}");
        }
        name
    }
}

fn sides(args: &Args) -> (RecipeSide<'_>, RecipeSide<'_>) {
    let side = |recipe, revision, more: &[_]| RecipeSide {
        recipe,
        revision,
        chosen: Chosen {
            options: [args.options.as_slice(), more].concat(),
            allow_host_run: args.allow_host_run,
        },
    };
    let to = args.to.as_ref().unwrap_or(&args.from);
    (
        side(&args.from, args.rev.as_deref(), &args.from_options),
        side(to, args.to_rev.as_deref(), &args.to_options),
    )
}

fn plans(args: &Args, global: &Global, printer: &Printer) -> Done {
    let (from, to) = sides(args);
    if from.name() == to.name() {
        let message = format!("there is nothing to compare `{}` with", from.name());
        return Err(Report::new("diff::one_side", message)
            .help("name another recipe, a revision (`--rev main`), or an option of one side (`-O name=value`)")
            .into());
    }
    let (old, new) = (plan(&from, global)?, plan(&to, global)?);
    let diff = PlanDiff::between(&old, &new);
    let (from, to) = (from.name(), to.name());
    let names = (from.as_str(), to.as_str());
    let same = diff.is_empty();
    match args.format {
        Format::Json => printer.out(&diff::json("plans", names, same, &diff)),
        Format::Text if same => printer.summary("the plans are the same"),
        Format::Text => printer.out(&diff::plans_text(&diff, names)),
    }
    Ok(ExitCode::from(u8::from(!same)))
}

fn plan(one: &RecipeSide<'_>, global: &Global) -> Result<Plan, Trouble> {
    let evaluate = |recipe: &Path| -> Result<Plan, Trouble> {
        Ok(global.preview(recipe, &one.chosen)?.evaluation.plan)
    };
    let Some(revision) = one.revision else {
        return evaluate(one.recipe);
    };
    let checkout = Checkout::new(one.recipe, revision).map_err(Report::from)?;
    match evaluate(&checkout.recipe()) {
        Ok(plan) => Ok(checkout.at_home(&plan)),
        Err(trouble) => Err(at_revision(trouble, &checkout, revision)),
    }
}

/// What went wrong in files of a folder that is soon gone, in names that say where they are.
fn at_revision(trouble: Trouble, checkout: &Checkout, revision: &str) -> Trouble {
    let mut sources = SourceMap::default();
    let mut rename = |file: &mut String| {
        let home = checkout.named_at_home(file);
        let name = match home == *file {
            true => home,
            false => format!("{home} at {revision}"),
        };
        if let Some(text) = trouble.sources.get(file) {
            sources.insert(name.clone(), text.clone());
        }
        *file = name;
    };
    let mut reports = trouble.reports;
    for report in &mut reports {
        let report: &mut ReportContent = report;
        report.message = checkout.named_at_home(&report.message);
        let frames = report.trace.iter_mut().map(|frame| &mut frame.span);
        for span in frames.chain(report.focus.as_mut()) {
            rename(&mut span.file);
        }
    }
    Trouble {
        reports,
        sources,
        code: trouble.code,
    }
}

/// What keeps a tree there while it is looked at.
#[expect(dead_code, reason = "they are held, not read")]
enum Kept {
    Unpacked(Unpacked),
    Mounted(MountedRoot),
    Nothing,
}

fn trees(args: &Args, printer: &Printer) -> Done {
    let (from, to) = match &args.to {
        Some(to) => (args.from.clone(), to.clone()),
        None => versions(&args.from)?,
    };
    let (old, _old) = tree(&from)?;
    let (new, _new) = tree(&to)?;
    let names = (from.display().to_string(), to.display().to_string());
    tell(args, printer, (&names.0, &names.1), (&old, &new))
}

/// The current version of an export, after the one before it.
fn versions(path: &Path) -> Result<(PathBuf, PathBuf), Trouble> {
    let alone = |message: String| {
        Report::new("diff::one_side", message).help("name what it is to be compared with")
    };
    let shown = path.display();
    let shelf = Shelf::open(path)
        .map_err(|_| alone(format!("there is nothing to compare `{shown}` with")))?;
    let versions = shelf.versions().map_err(Report::from)?;
    let at = versions.iter().position(|version| version.current);
    let pair = at.and_then(|at| Some((versions.get(at.checked_sub(1)?)?, versions.get(at)?)));
    let (before, current) =
        pair.ok_or_else(|| alone(format!("`{shown}` has no version before the current one")))?;
    Ok((path.join(&before.name), path.join(&current.name)))
}

/// A directory as it is, an export by its manifest; what is packed is unpacked.
fn tree(path: &Path) -> Result<(Side, Kept), Trouble> {
    if OpenedExport::is_at(path) {
        let opened = OpenedExport::open(path).map_err(Report::from)?;
        let unpacked = export::unpack(&opened).map_err(Report::from)?;
        let (root, manifest) = (unpacked.root.clone(), Some(opened.manifest));
        return Ok((Side { root, manifest }, Kept::Unpacked(unpacked)));
    }
    let root = fs_err::canonicalize(path)
        .map_err(|error| Report::new("diff::no_tree", error.to_string()))?;
    if !root.is_dir() {
        let shown = path.display();
        let message = format!("`{shown}` is no recipe, no directory and no export");
        return Err(Report::new("diff::no_tree", message).into());
    }
    let manifest = None;
    Ok((Side { root, manifest }, Kept::Nothing))
}

fn built(args: &Args, global: &Global, printer: &Printer) -> Done {
    namespaces(false, global, printer)?;
    let (from, to) = sides(args);
    if from.name() == to.name() {
        return plans(args, global, printer);
    }
    let (old, _old) = last_build(&from, args, global)?;
    let (new, _new) = last_build(&to, args, global)?;
    let (from, to) = (from.name(), to.name());
    tell(args, printer, (&from, &to), (&old, &new))
}

/// The root that the last build of a recipe has left; of what is no recipe, its tree.
fn last_build(one: &RecipeSide<'_>, args: &Args, global: &Global) -> Result<(Side, Kept), Trouble> {
    if !one.recipe.is_file() || !repository::is_recipe(one.recipe) {
        return tree(one.recipe);
    }
    let previewed = global.preview(one.recipe, &one.chosen)?;
    let not_built = || {
        let message = format!("the root of `{}` is not in the store", one.name());
        preview::not_built("diff::not_built", message, &one.name())
    };
    let (store, built) = previewed.last_build().ok_or_else(not_built)?;
    let root = preview::root(&built.plan, args.root.as_deref())?;
    let root = BuiltRoot::find(&built, Point::End(root), store).map_err(|_| not_built())?;
    let mounted = root.mount(store)?;
    let (root, manifest) = (mounted.path().to_owned(), None);
    Ok((Side { root, manifest }, Kept::Mounted(mounted)))
}

fn tell(args: &Args, printer: &Printer, names: (&str, &str), sides: (&Side, &Side)) -> Done {
    let diff = RootsDiff::between(sides.0, sides.1).map_err(Report::from)?;
    let same = diff.is_empty();
    let shown = Shown {
        all: args.all,
        lines: args.lines,
    };
    match args.format {
        Format::Json => printer.out(&diff::json("roots", names, same, &diff)),
        Format::Text if same => printer.summary("the roots are the same"),
        Format::Text => printer.out(&diff::roots_text(&diff, names, sides, shown)),
    }
    Ok(ExitCode::from(u8::from(!same)))
}
