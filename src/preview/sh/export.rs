//! Exports: the tree or an archive of it, with kernel, initramfs and manifest beside it.

use super::super::shell_words::{word, word_with_root};
use super::input::Input;
use super::ops::Emitter;
use crate::plan::command::{copy_argv, tar_argv, untar_argv};
use crate::plan::image::{cpio_argvs, erofs_argv, squashfs_argv};
use crate::plan::{
    CLAMP_PLACEHOLDER, Compression, Export, Format, NspawnRun, Plan, ROOT_PLACEHOLDER, Text, Times,
    Transport,
};

/// Stands for a file of the export until the words are quoted.
const STAGE: &str = "@STAGE@";

/// Stands for the copy of the root that image tools take.
const TREE: &str = "@TREE@";

pub fn write(script: &mut Emitter, plan: &Plan, export: &Export) {
    if let Some(why) = refused(&export.format) {
        script.comment(why);
        let message = format!("the export {} is left out: {why}", export.name);
        script.line(&format!("printf '%s\\n' {} >&2", word(&message)));
        return;
    }
    script.helpers.insert("export");
    let mut begin = vec![
        match export.format.is_versioned() {
            true => "begin_version".to_owned(),
            false => "begin_export".to_owned(),
        },
        word(&export.name),
    ];
    if let Format::Nfs { version, .. } = &export.format {
        script.helpers.insert("export_version");
        script.comment("Older versions are neither shared with nor removed: that is rootwright's.");
        begin.extend(version.as_deref().map(word));
    }
    script.command("", begin, Input::default(), "");
    if let Times::Newest { command } = &export.times {
        let run = NspawnRun {
            argv: command.clone(),
            ..NspawnRun::default()
        };
        let words = script.nspawn_words(&run);
        script.command("clamp=$(", words, Input::default(), ")");
    }
    artifact(script, export);
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
    cmdline(script, export);
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
    script.line(match export.format.is_versioned() {
        true => "finish_version",
        false => "finish_export",
    });
}

/// Why a format is rootwright's alone.
fn refused(format: &Format) -> Option<&'static str> {
    match format {
        Format::Ext4 { .. } => Some(
            "an image of ext4 that is the same again takes more than mke2fs: only rootwright writes it",
        ),
        Format::Oci { .. } => Some("images of containers are written by rootwright itself"),
        _ => None,
    }
}

fn artifact(script: &mut Emitter, export: &Export) {
    let file = format!("{STAGE}/{}", export.format.artifact());
    match &export.format {
        Format::Dir | Format::Nfs { .. } => {
            script.line("mkdir -- \"$stage/root\"");
            if export.exclude.is_empty() {
                let argv = copy_argv(ROOT_PLACEHOLDER, &file);
                script.command("", words(export, &argv), Input::default(), "");
            } else {
                copy(script, export, &file);
            }
        }
        Format::Tar { compression } => {
            compressor(script, *compression);
            let argv = tar_argv(export, *compression, ROOT_PLACEHOLDER, &file);
            script.command("", words(export, &argv), Input::default(), "");
        }
        Format::Squashfs { compression } => {
            script.compressors.insert("mksquashfs");
            image(script, export, &squashfs_argv(*compression, &file, TREE));
        }
        Format::Erofs { compression } => {
            script.compressors.insert("mkfs.erofs");
            image(
                script,
                export,
                &erofs_argv(export, *compression, &file, TREE),
            );
        }
        Format::Cpio { compression } => {
            script.compressors.insert("cpio");
            compressor(script, *compression);
            staged(script, export);
            let mut argvs = cpio_argvs().to_vec();
            if let Some(program) = compression.argv() {
                argvs.push(program.iter().map(|&word| word.to_owned()).collect());
            }
            let mut pipe = Vec::new();
            for argv in &argvs {
                if !pipe.is_empty() {
                    pipe.push("|".to_owned());
                }
                // In order of bytes, whatever the language.
                if argv.first().is_some_and(|program| program == "sort") {
                    pipe.push("LC_ALL=C".to_owned());
                }
                pipe.extend(words(export, argv));
            }
            pipe.push(format!(">{}", words(export, &[file]).concat()));
            script.command("(cd -- \"$work/tree\" && ", pipe, Input::default(), ")");
            script.line("rm -rf --one-file-system -- \"$work/tree\"");
        }
        Format::Ext4 { .. } | Format::Oci { .. } => {}
    }
}

fn compressor(script: &mut Emitter, compression: Compression) {
    if let Some([program, ..]) = compression.argv() {
        script.compressors.insert(program);
    }
}

/// A pipe from tar to tar: without what is left out.
fn copy(script: &mut Emitter, export: &Export, to: &str) {
    let pack = tar_argv(export, Compression::None, ROOT_PLACEHOLDER, "-");
    let mut pipe = words(export, &pack);
    pipe.push("|".to_owned());
    pipe.extend(words(export, &untar_argv(to)));
    script.command("", pipe, Input::default(), "");
}

fn staged(script: &mut Emitter, export: &Export) {
    script.line("mkdir -- \"$work/tree\"");
    copy(script, export, TREE);
}

fn image(script: &mut Emitter, export: &Export, argv: &[String]) {
    staged(script, export);
    let mut line = Vec::new();
    if let Some(time) = export.times.word() {
        line.push(format!("SOURCE_DATE_EPOCH={}", clamped(&time)));
    }
    line.extend(words(export, argv));
    script.command("", line, Input::default(), "");
    script.line("rm -rf --one-file-system -- \"$work/tree\"");
}

fn clamped(time: &str) -> String {
    match time == CLAMP_PLACEHOLDER {
        true => "\"$clamp\"".to_owned(),
        false => time.to_owned(),
    }
}

/// The kernel command line, and the texts in which it is.
fn cmdline(script: &mut Emitter, export: &Export) {
    if export.cmdline.is_none() && export.cmdline_command.is_empty() {
        return;
    }
    let simple = export.texts.is_empty()
        && export.cmdline_command.is_empty()
        && !export.format.is_versioned();
    if let (true, Some(cmdline)) = (simple, &export.cmdline) {
        let line = format!("{}\n", cmdline.trim_end());
        let cat = vec!["cat".to_owned(), ">\"$stage/cmdline\"".to_owned()];
        script.command("", cat, Input::of(&Text::from(line)), "");
        return;
    }
    script.helpers.insert("export_texts");
    let served = &export.served;
    let mut call = vec!["served".to_owned(), word(served.server())];
    if served.path.is_some() || served.url.is_some() {
        call.push(word(served.path.as_deref().unwrap_or_default()));
    }
    call.extend(
        served
            .url
            .as_deref()
            .map(|url| word(url.trim_end_matches('/'))),
    );
    script.command("", call, Input::default(), "");
    match &export.cmdline {
        Some(cmdline) => script.line(&format!("cmdline={}", word(cmdline.trim_end()))),
        None => {
            let run = NspawnRun {
                argv: export.cmdline_command.clone(),
                ..NspawnRun::default()
            };
            let words = script.nspawn_words(&run);
            script.command("cmdline=$(", words, Input::default(), ")");
        }
    }
    script.line(
        match (export.format.transport(), export.format.is_versioned()) {
            (Some(Transport::Nfs), true) => "write_cmdline nfs",
            (Some(Transport::Http), _) => "write_cmdline http",
            _ => "write_cmdline",
        },
    );
    for text in &export.texts {
        let call = vec!["server_text".to_owned(), word(&text.name)];
        script.command("", call, Input::of(&Text::from(text.text.clone())), "");
    }
}

fn words(export: &Export, argv: &[String]) -> Vec<String> {
    argv.iter()
        .map(|arg| {
            if let Some(tree) = arg.strip_suffix(TREE) {
                return format!("{tree}\"$work/tree\"");
            }
            if arg.contains(STAGE) {
                return format!("\"{}\"", arg.replace(STAGE, "$stage"));
            }
            if let (Some(lead), Times::Newest { .. }) =
                (arg.strip_suffix(CLAMP_PLACEHOLDER), &export.times)
            {
                return format!("\"{lead}$clamp\"");
            }
            word_with_root(arg)
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
