//! Exports: the tree or an archive of it, with kernel, initramfs and manifest beside it.

use serde_json::json;

use super::super::shell_words::{Piece, joined, word};
use super::script::Script;
use super::text_pieces::Input;
use crate::plan::tool::{self, ToolPart, ToolWord};
use crate::plan::{
    Compression, Export, Format, Plan, ServerField, ServerPart, ServerText, Times, Transport,
};

pub fn write(script: &mut Script<'_>, export: &Export) {
    if let Some(why) = refusal(&export.format) {
        let message = format!("a script can't write the export `{}`: {why}", export.name);
        return script.refuse(
            &message,
            "run `rootwright build`, or choose another `format`",
        );
    }
    let mut begin = vec![word(&export.name)];
    match &export.format {
        Format::Nfs { version, .. } => {
            script.comment(
                "Older versions stay, and share no files: only `rootwright build` does that.",
            );
            begin.extend(version.as_deref().map(word));
            script.call("begin_version", begin);
        }
        _ => script.call("begin_export", begin),
    }
    if let Times::Newest { command } = &export.times {
        let words = script.in_root_words(command);
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
            script.call("export_first", words);
        }
    }
    cmdline(script, export);
    let packages = export.packages.as_ref();
    let words = packages.map_or_else(Vec::new, |command| script.arguments(command));
    if packages.is_some() {
        script.uses("in_root");
    }
    let head = [Piece::literal(manifest(script.plan, export))];
    script.call_with("export_manifest", words, Input::of(&head));
    let finish = match export.format.is_versioned() {
        true => "finish_version",
        false => "finish_export",
    };
    script.call(finish, Vec::new());
}

/// Why only rootwright writes a format.
fn refusal(format: &Format) -> Option<&'static str> {
    match format {
        Format::Ext4 { .. } => Some("a reproducible ext4 image takes more than mke2fs"),
        Format::Oci { .. } => Some("rootwright itself writes container images"),
        _ => None,
    }
}

fn artifact(script: &mut Script<'_>, export: &Export) {
    match &export.format {
        Format::Dir | Format::Nfs { .. } => {
            script.call("closed_tree", Vec::new());
            let tar = tool::tar_copy(export, ToolPart::Output);
            match export.exclude.is_empty() {
                true => pipe(script, "", export, &[tool::copy()]),
                false => pipe(script, "", export, &tar),
            }
        }
        Format::Tar { compression } => {
            compressor(script, *compression);
            let tar = tool::tar(export, *compression, ToolPart::Output);
            pipe(script, "", export, &[tar]);
        }
        Format::Squashfs { compression } => {
            script.export_tools.insert("mksquashfs");
            image(script, export, tool::squashfs(*compression));
        }
        Format::Erofs { compression } => {
            script.export_tools.insert("mkfs.erofs");
            image(script, export, tool::erofs(export, *compression));
        }
        Format::Cpio { compression } => {
            script.export_tools.insert("cpio");
            compressor(script, *compression);
            copied(script, export);
            let lead = "(cd -- \"$work/tree\" && ";
            pipe(script, lead, export, &tool::cpio(*compression));
            script.line("rm -rf --one-file-system -- \"$work/tree\"");
        }
        Format::Ext4 { .. } | Format::Oci { .. } => {}
    }
}

fn compressor(script: &mut Script<'_>, compression: Compression) {
    if let Some([program, ..]) = compression.argv() {
        script.export_tools.insert(program);
    }
}

/// Makes the copy of the root that image tools take.
fn copied(script: &mut Script<'_>, export: &Export) {
    script.line("mkdir -- \"$work/tree\"");
    pipe(script, "", export, &tool::tar_copy(export, ToolPart::Tree));
}

fn image(script: &mut Script<'_>, export: &Export, argv: Vec<ToolWord>) {
    copied(script, export);
    let time = match export.times {
        Times::Kept => String::new(),
        _ => format!(
            "SOURCE_DATE_EPOCH={} ",
            quoted(export, &ToolPart::Time.into())
        ),
    };
    pipe(script, &time, export, &[argv]);
    script.line("rm -rf --one-file-system -- \"$work/tree\"");
}

/// Tools in a pipe. After `(cd … && ` the last one writes into the export.
fn pipe(script: &mut Script<'_>, lead: &str, export: &Export, argvs: &[Vec<ToolWord>]) {
    script.export_tools.insert("tar");
    let mut words = Vec::new();
    for argv in argvs {
        if !words.is_empty() {
            words.push("|".to_owned());
        }
        // In order of bytes, whatever the language.
        if argv.first() == Some(&"sort".into()) {
            words.push("LC_ALL=C".to_owned());
        }
        words.extend(argv.iter().map(|word| quoted(export, word)));
    }
    let tail = match lead.starts_with('(') {
        true => {
            words.push(format!(">{}", quoted(export, &ToolPart::Output.into())));
            ")"
        }
        false => "",
    };
    script.command(lead, words, Input::default(), tail);
}

fn quoted(export: &Export, word: &ToolWord) -> String {
    let mut pieces = Vec::new();
    for part in &word.0 {
        match part {
            ToolPart::Literal(text) => pieces.push(Piece::literal(text)),
            ToolPart::Root => pieces.push(Piece::variable("ROOT")),
            ToolPart::Tree => {
                pieces.push(Piece::variable("work"));
                pieces.push(Piece::literal("/tree"));
            }
            ToolPart::Output => {
                pieces.push(Piece::variable("stage"));
                pieces.push(Piece::literal(format!("/{}", export.format.artifact())));
            }
            ToolPart::Time => pieces.push(match &export.times {
                Times::Until { seconds } => Piece::literal(seconds.to_string()),
                Times::Kept | Times::Newest { .. } => Piece::variable("clamp"),
            }),
        }
    }
    match pieces.iter().map(Piece::text).collect::<Option<String>>() {
        Some(text) => self::word(&text),
        None => joined(&pieces),
    }
}

/// The kernel command line, and the texts that name it.
fn cmdline(script: &mut Script<'_>, export: &Export) {
    if export.cmdline.is_none() && export.cmdline_command.is_none() {
        return;
    }
    let served = &export.served;
    let mut call = vec![word(served.server())];
    if served.path.is_some() || served.url.is_some() {
        call.push(word(served.path.as_deref().unwrap_or_default()));
    }
    let url = served.url.as_deref();
    call.extend(url.map(|url| word(url.trim_end_matches('/'))));
    script.call("served", call);
    match (&export.cmdline, &export.cmdline_command) {
        (Some(cmdline), _) => script.line(&format!("cmdline={}", word(cmdline.trim_end()))),
        (None, Some(command)) => {
            let words = script.in_root_words(command);
            script.command("cmdline=$(", words, Input::default(), ")");
        }
        (None, None) => {}
    }
    let how = match (export.format.transport(), export.format.is_versioned()) {
        (Some(Transport::Nfs), true) => vec!["nfs".to_owned()],
        (Some(Transport::Http), _) => vec!["http".to_owned()],
        _ => Vec::new(),
    };
    script.call("write_cmdline", how);
    for text in &export.texts {
        let name = Piece::literal(format!("/{}", text.name));
        let to = joined(&[Piece::variable("stage"), name]);
        let words = vec!["cat".to_owned(), format!(">{to}")];
        script.command("", words, Input::of(&server_text(text)), "");
    }
}

fn server_text(text: &ServerText) -> Vec<Piece> {
    let piece = |part: &ServerPart| match part {
        ServerPart::Literal(text) => Piece::literal(text),
        ServerPart::Field { field } => Piece::variable(match field {
            ServerField::Server => "server",
            ServerField::Dir => "dir",
            ServerField::Bundle => "bundle",
            ServerField::Url => "url",
            ServerField::Name => "export_name",
            ServerField::Version => "export_version",
            ServerField::Cmdline => "cmdline",
        }),
    };
    text.text.iter().map(piece).collect()
}

/// The manifest up to the packages, which only the root knows.
fn manifest(plan: &Plan, export: &Export) -> String {
    let options = plan.options.iter();
    let options = options.map(|option| json!({ "name": option.name, "value": option.value }));
    let head = json!({
        "made_by": "rootwright",
        "schema": 1,
        "rootwright": plan.rootwright,
        "name": export.name,
        "format": export.format,
        "recipe": { "path": plan.recipe.path, "title": plan.recipe.title },
        "options": options.collect::<Vec<_>>(),
    });
    let mut text = serde_json::to_string_pretty(&head).unwrap_or_default();
    // The packages are added to this object, and it is closed after them.
    if let Some(open) = text.strip_suffix("\n}") {
        text.truncate(open.len());
    }
    text.push_str(",\n");
    text
}
