//! `rootwright cache`

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use strum::IntoEnumIterator;

use super::printer::Printer;
use super::{Done, Global, RecipeArgs, own_files};
use crate::build::cache::{preview, remembered_keys};
use crate::diagnose::{Report, Trouble};
use crate::plan::{LayerKey, layers, short};
use crate::preview::{StepStatus, plural};
use crate::run::{self};
use crate::store::{Collected, Entry, EntryKind, Hold, Limits, Store, now};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List what the store holds: sizes, ages, who uses it
    Ls {
        /// Every download and every log, too
        #[arg(long)]
        all: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what a step's layer is made from, and whether it is there
    Explain {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// The step's number
        step: usize,
    },
    /// Remove what has not been used for long
    Gc {
        /// As much may stay: 500M, 20G
        #[arg(long, value_name = "SIZE", default_value = "20G", value_parser = size)]
        keep: u64,
        /// What was used since then stays, if the size allows: 12h, 30d
        #[arg(long, value_name = "AGE", default_value = "30d", value_parser = super::age)]
        max_age: Duration,
    },
    /// Remove entries, and layers that stand on them
    Rm {
        /// Names as `cache ls` prints them; the first digits are enough
        #[arg(required_unless_present = "everything")]
        names: Vec<String>,
        /// Remove all that no running build needs
        #[arg(long)]
        everything: bool,
    },
    /// Read everything, and compare it with the digests that were taken
    Verify,
}

fn size(text: &str) -> Result<u64, String> {
    let wrong = || "a size is a number and K, M, G or T: 20G".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let unit: u64 = match text.get(digits.len()..).unwrap_or_default() {
        "" => 1,
        "K" | "k" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    own_files()?;
    if let Command::Explain { recipe, step } = &args.command {
        return explain(recipe, *step, global, printer);
    }
    let settings = global.plain_settings(&PathBuf::from("."))?;
    let path = global.store(&settings.project);
    let failed = run::Error::store;
    if Store::existing(&path).is_none() {
        let message = format!("there is no store at `{}`", path.display());
        let help = "the first build makes one; `--store DIR` names another";
        return Err(Report::new("cache::no_store", message).help(help).into());
    }
    let store = Store::open(&path).map_err(run::Error::from)?;
    match &args.command {
        Command::Ls { all, json } => {
            let entries = store.entries().map_err(failed)?;
            let text = match json {
                true => crate::preview::json(&entries),
                false => listed(&entries, *all),
            };
            printer.out(&text);
        }
        Command::Gc { keep, max_age } => {
            let limits = Limits {
                keep: Some(*keep),
                max_age: Some(max_age.as_secs()),
            };
            printer.out(&removed(&store.collect(limits).map_err(failed)?));
        }
        Command::Rm { names, everything } => {
            let entries = store.entries().map_err(failed)?;
            let chosen = chosen(&entries, names, *everything)?;
            match store.remove(&chosen).map_err(failed)? {
                Ok(collected) => printer.out(&removed(&collected)),
                Err(held) => {
                    let message = format!("`{}` cannot be removed", short(&held.name));
                    let held_by = held.held.map(|held| held.to_string());
                    let report = Report::new("cache::held", message);
                    let report = report.cause(held_by.unwrap_or_default());
                    return Err(report.help("wait for the build, or end it").into());
                }
            }
        }
        Command::Verify => {
            let mut count = 0;
            let damage = store.verify(&mut |_| count += 1).map_err(failed)?;
            for damage in &damage {
                printer.out(&format!("{}: {}\n", damage.path, damage.what));
            }
            let layers = plural(count, "layer", "layers");
            if damage.is_empty() {
                printer.say(&format!("{layers} read, all as they were"));
            } else {
                let things = plural(damage.len(), "thing", "things");
                printer.say(&format!("{layers} read, {things} damaged: `rootwright cache rm NAME` removes one, and the next build makes it anew"));
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Explain { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// The whole names of what was asked for.
fn chosen(entries: &[Entry], names: &[String], everything: bool) -> Result<Vec<String>, Trouble> {
    if everything {
        let is_free = |entry: &&Entry| !entry.held.as_ref().is_some_and(Hold::is_build);
        let free = entries.iter().filter(is_free);
        return Ok(free.map(|entry| entry.name.clone()).collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        let found = entries.iter();
        let found = found.filter(|entry| entry.name.starts_with(name.as_str()));
        match found.collect::<Vec<&Entry>>().as_slice() {
            [one] => chosen.push(one.name.clone()),
            [] => {
                let report = Report::new("cache::unknown", format!("the store holds no `{name}`"));
                let help = "`rootwright cache ls --all` lists what it holds";
                return Err(report.help(help).into());
            }
            several => {
                let message = format!("`{name}` begins the names of {} entries", several.len());
                let report = Report::new("cache::ambiguous", message);
                return Err(report.help("give more of its digits").into());
            }
        }
    }
    Ok(chosen)
}

/// `1.2 GB`, in powers of ten as disks are sold.
fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return match unit {
                "B" => format!("{bytes} B"),
                _ => format!("{value:.1} {unit}"),
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

fn ago(time: u64) -> String {
    let seconds = now().saturating_sub(time);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How many entries there are of a kind, and their size.
fn total(entries: &[Entry], kind: EntryKind) -> (usize, u64) {
    let of = entries.iter().filter(|entry| entry.kind == kind);
    of.fold((0, 0), |(count, sum), entry| (count + 1, sum + entry.bytes))
}

fn listed(entries: &[Entry], all: bool) -> String {
    let mut out = String::new();
    let layers = entries.iter();
    let layers = layers.filter(|entry| entry.kind == EntryKind::Layers || all);
    let layers: Vec<&Entry> = layers.collect();
    if !layers.is_empty() {
        let _ = writeln!(
            out,
            "{:<12}  {:>9}  {:>7}  {:>7}  what, and who uses it",
            "layer", "size", "made", "used"
        );
    }
    for entry in layers.iter().rev() {
        let name = match entry.kind {
            EntryKind::Layers => short(&entry.name).to_owned(),
            kind => format!("{kind}/{}", entry.name),
        };
        let label: String = entry.label.chars().take(60).collect();
        let (size, made, used) = (bytes(entry.bytes), ago(entry.made), ago(entry.used));
        let _ = writeln!(out, "{name:<12}  {size:>9}  {made:>7}  {used:>7}  {label}");
        for user in &entry.users {
            let _ = writeln!(out, "{:42}  {user}", "");
        }
    }
    if !layers.is_empty() {
        out.push('\n');
    }
    for kind in EntryKind::iter() {
        let (count, sum) = total(entries, kind);
        if count > 0 {
            let _ = writeln!(out, "{kind:<9} {count:>6}  {:>9}", bytes(sum));
        }
    }
    let sum = entries.iter().map(|entry| entry.bytes).sum();
    let _ = writeln!(out, "together          {:>9}", bytes(sum));
    out
}

fn removed(collected: &Collected) -> String {
    let mut out = String::new();
    let removed = collected.removed.iter();
    for entry in removed.filter(|entry| entry.kind == EntryKind::Layers) {
        let (name, size) = (short(&entry.name), bytes(entry.bytes));
        let _ = writeln!(out, "{name:<12}  {size:>9}  {}", entry.label);
    }
    // Of the others only how many: a store has thousands of downloads.
    for kind in EntryKind::iter().filter(|kind| *kind != EntryKind::Layers) {
        let (count, sum) = total(&collected.removed, kind);
        if count > 0 {
            let _ = writeln!(out, "{kind:<12}  {:>9}  {count} of them", bytes(sum));
        }
    }
    let freed = bytes(collected.removed.iter().map(|entry| entry.bytes).sum());
    let removed = plural(collected.removed.len(), "entry", "entries");
    let kept = bytes(collected.kept_bytes);
    let _ = writeln!(out, "{removed} removed, {freed}; {kept} stay");
    out
}

fn explain(recipe: &RecipeArgs, number: usize, global: &Global, printer: &Printer) -> Done {
    let previewed = global.preview(&recipe.recipe, &recipe.chosen)?;
    let (plan, versions) = (&previewed.evaluation.plan, &previewed.versions);
    let layers = layers(plan);
    let mut numbered = layers.iter().enumerate();
    let found = numbered.find(|(_, layer)| layer.steps.contains(&number));
    let Some((index, layer)) = found else {
        let message = match plan.step(number) {
            Some(step) => format!("step {number}, {}, makes no layer", step.label),
            None => format!("there is no step {number}"),
        };
        let help = format!("`rootwright plan` numbers the {} steps", plan.steps.len());
        return Err(Report::new("cache::no_step", message).help(help).into());
    };
    let Some(store) = &previewed.store else {
        return Err(Report::new("cache::no_store", "there is no store yet").into());
    };
    let keys = remembered_keys(plan, store, versions);
    let status = preview(plan, store, versions);
    let key: Option<&LayerKey> = keys.get(index).and_then(Option::as_ref);
    let mut out = String::new();
    for step in layer.steps(plan) {
        let _ = writeln!(out, "step {:>3}  {}", step.number, step.label);
    }
    let unknown = "not known before its archives were asked";
    let _ = writeln!(
        out,
        "key       {}",
        key.map_or(unknown, |key| key.key.as_str())
    );
    let below = layer.below.and_then(|below| keys.get(below)?.as_ref());
    let _ = match (layer.below.and_then(|below| layers.get(below)), below) {
        (Some(layer), Some(key)) => {
            let last = layer.last_step();
            writeln!(out, "on        {} (step {last})", key.key.short())
        }
        (Some(layer), None) => writeln!(out, "on        step {}, not built", layer.last_step()),
        (None, _) => writeln!(out, "on        nothing: the first layer of its root"),
    };
    let said = match status.get(&number) {
        Some(StepStatus::Cached(Some(age))) => format!("cached: {age}"),
        Some(StepStatus::Cached(None)) => "cached".to_owned(),
        Some(StepStatus::Runs(why)) => format!("runs: {why}"),
        Some(StepStatus::Follows(step)) => format!("runs: step {step} does"),
        None => "runs".to_owned(),
    };
    let _ = writeln!(out, "status    {said}");
    for (program, version) in versions.of(plan, store) {
        if layer
            .steps(plan)
            .any(|step| step.programs().contains(&program))
        {
            let _ = writeln!(out, "with      {program} {version}");
        }
    }
    if let Some(info) = key.and_then(|key| store.info(&key.key)) {
        for archive in &info.archives {
            let state = archive.look.as_ref();
            let state = state.map_or("not asked", |look| short(&look.digest));
            let (name, url) = (&archive.name, &archive.url);
            let _ = writeln!(out, "from      {name} at {state}  {url}");
        }
        let (made, seconds, recipe) = (ago(info.made), info.seconds, info.recipe);
        let _ = writeln!(out, "made      {made} ago in {seconds:.1} s, by {recipe}");
        if let Some(sum) = key.and_then(|key| store.sum(&key.key)) {
            let files = plural(usize::try_from(sum.files).unwrap_or(0), "file", "files");
            let _ = writeln!(out, "size      {}, {files}", bytes(sum.bytes));
        }
    }
    printer.out(&out);
    Ok(ExitCode::SUCCESS)
}
