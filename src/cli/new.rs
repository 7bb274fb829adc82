//! `rootwright new`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::printer::Printer;
use super::{Done, Global};
use crate::diagnose::Report;
use crate::project;
use crate::recipe::stdlib::Stdlib;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to make; its last part is the repository's name
    path: PathBuf,
}

/// Where the stdlib has the files of a new repository.
const TEMPLATES: &str = "new";
/// What stands for the `.` that a file's name begins with.
const DOT: &str = "dot-";

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    let name = name(&args.path)?;
    let shown = args.path.display();
    let used = match std::fs::read_dir(&args.path) {
        Ok(mut entries) => entries.next().is_some(),
        // A file is in the way, too.
        Err(_) => args.path.symlink_metadata().is_ok(),
    };
    if used {
        let report = Report::new("new::exists", format!("`{shown}` is there already"));
        let help = "`new` makes a folder and overwrites nothing: give it another name";
        return Err(report.help(help).into());
    }
    let above = args.path.parent().filter(|p| !p.as_os_str().is_empty());
    if let Some(root) = project::repository(above.unwrap_or(Path::new("."))) {
        let root = root.display();
        let message = format!("`{shown}` would be inside of the repository `{root}`");
        let help = "to add a recipe, write `NAME.rhai` there; a new repository goes beside it";
        return Err(Report::new("new::inside", message).help(help).into());
    }
    let stdlib = Stdlib::new(global.stdlib.clone());
    let mut made = Vec::new();
    for template in stdlib.tree(TEMPLATES) {
        let text = stdlib.text(&template).unwrap_or_default();
        let text = text
            .replace("{{name}}", &name)
            .replace("{{source}}", env!("CARGO_PKG_REPOSITORY"));
        let path = target(&template);
        write(&args.path.join(&path), &text)?;
        made.push(path);
    }
    if made.is_empty() {
        let report = Report::new("new::no_templates", "the stdlib has no files in `new/`");
        return Err(report.help("the folder of `--stdlib` lacks them").into());
    }
    made.sort();
    let mut out = format!("{shown} is a recipe repository now:\n");
    for path in &made {
        out.push_str(&format!("  {}\n", path.display()));
    }
    printer.out(&out);
    printer.summary(&format!("next: cd {shown} && rootwright plan node"));
    Ok(ExitCode::SUCCESS)
}

/// The repository's name, which stands in its files as it is.
fn name(path: &Path) -> Result<String, Report> {
    let name = path.file_name().and_then(|name| name.to_str());
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    match name {
        Some(name) if name.chars().all(plain) && !name.starts_with('.') => Ok(name.to_owned()),
        _ => {
            let message = format!(
                "`{}` does not end in a name for a repository",
                path.display()
            );
            Err(Report::new("new::name", message).help("letters, digits, `-`, `_` and `.`"))
        }
    }
}

/// Where a template goes: `new/dot-github/x` to `.github/x`.
fn target(template: &str) -> PathBuf {
    let parts = template.split('/').skip(1);
    parts
        .map(|part| match part.strip_prefix(DOT) {
            Some(rest) => format!(".{rest}"),
            None => part.to_owned(),
        })
        .collect()
}

fn write(path: &Path, text: &str) -> Result<(), Report> {
    let folder = path.parent().map_or(Ok(()), fs_err::create_dir_all);
    folder
        .and_then(|()| fs_err::write(path, text))
        .map_err(|error| Report::new("new::files", error.to_string()))
}
