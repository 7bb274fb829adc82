//! Exports: the tree or an archive of it, with kernel, initramfs and manifest beside it.

use super::super::words::{word, word_with_root};
use super::input::Input;
use super::ops::Emitter;
use crate::plan::command::{copy_argv, tar_argv, untar_argv};
use crate::plan::{Compression, Export, Format, NspawnRun, Plan, ROOT_PLACEHOLDER, Text};

/// Stands for a file of the export until the words are quoted.
const STAGE: &str = "@STAGE@";

pub fn write(script: &mut Emitter, plan: &Plan, export: &Export) {
    script.helpers.insert("export");
    let begin = vec!["begin_export".to_owned(), word(&export.name)];
    script.command("", begin, Input::default(), "");
    match &export.format {
        Format::Dir => {
            let root = format!("{STAGE}/root");
            script.line("mkdir -- \"$stage/root\"");
            if export.exclude.is_empty() {
                let argv = copy_argv(ROOT_PLACEHOLDER, &root);
                script.command("", words(&argv), Input::default(), "");
            } else {
                let mut pipe = words(&tar_argv(export, ROOT_PLACEHOLDER, "-"));
                pipe.push("|".to_owned());
                pipe.extend(words(&untar_argv(&root)));
                script.command("", pipe, Input::default(), "");
            }
        }
        Format::Tar { compression } => {
            let suffix = match compression {
                Compression::None => "",
                Compression::Gzip => {
                    script.compressors.insert("gzip");
                    ".gz"
                }
                Compression::Zstd => {
                    script.compressors.insert("zstd");
                    ".zst"
                }
            };
            let file = format!("{STAGE}/root.tar{suffix}");
            let argv = tar_argv(export, ROOT_PLACEHOLDER, &file);
            script.command("", words(&argv), Input::default(), "");
        }
    }
    for (name, patterns) in [
        ("vmlinuz", &export.kernel),
        ("initramfs.img", &export.initramfs),
    ] {
        if !patterns.is_empty() {
            let mut words = vec![name.to_owned()];
            words.extend(patterns.iter().map(|pattern| word(pattern)));
            script.helper("export_first", words, Input::default());
        }
    }
    if let Some(cmdline) = &export.cmdline {
        let line = format!("{}\n", cmdline.trim_end());
        let cat = vec!["cat".to_owned(), ">\"$stage/cmdline\"".to_owned()];
        script.command("", cat, Input::of(&Text::from(line)), "");
    }
    let mut words = Vec::new();
    if !export.packages.is_empty() {
        // The function is called with the command alone; this notes that it is needed.
        let run = NspawnRun {
            argv: export.packages.clone(),
            ..NspawnRun::default()
        };
        script.nspawn_words(&run);
        words.extend(export.packages.iter().map(|arg| word(arg)));
    }
    script.offline = true;
    let head = Text::from(manifest(plan, export));
    script.helper("export_manifest", words, Input::of(&head));
    script.line("finish_export");
}

fn words(argv: &[String]) -> Vec<String> {
    argv.iter()
        .map(|arg| match arg.contains(STAGE) {
            true => format!("\"{}\"", arg.replace(STAGE, "$stage")),
            false => word_with_root(arg),
        })
        .collect()
}

/// The manifest up to the packages, which only the root knows.
fn manifest(plan: &Plan, export: &Export) -> String {
    let options: Vec<serde_json::Value> = plan
        .options
        .iter()
        .map(|option| serde_json::json!({ "name": option.name, "value": option.value }))
        .collect();
    let head = serde_json::json!({
        "made_by": "rootwright",
        "schema": 1,
        "rootwright": plan.rootwright,
        "name": export.name,
        "format": export.format,
        "recipe": { "path": plan.recipe.path, "title": plan.recipe.title },
        "options": options,
    });
    let mut text = serde_json::to_string_pretty(&head).unwrap_or_default();
    // The packages are added to this object, and it is closed after them.
    if let Some(open) = text.strip_suffix("\n}") {
        text.truncate(open.len());
    }
    text.push_str(",\n");
    text
}
