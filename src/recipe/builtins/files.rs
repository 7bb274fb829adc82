//! Changes to the files of a root, and files that come from elsewhere.

use std::path::{Component, Path, PathBuf};

use rhai::Dynamic;

use super::{Fetched, Typed};
use crate::diagnose::Report;
use crate::plan::{
    Action, AppendFile, Attributes, CopyIn, Download, Edit, EditFile, Input, InputFile, MakeDir,
    MovePath, Op, Part, PathPurpose, RemovePath, RootId, SetMode, SetOwner, Source, Symlink, Text,
    WriteFile, digest,
};
use crate::recipe::args::{Call, Fields, Result, as_typed};
use crate::recipe::library_modules;
use crate::recipe::shape;

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone write_file(root, path, content, [opts]) => write_file,
    Everyone append_file(root, path, content, [opts]) => append_file,
    Everyone edit_file(root, path, edits, [opts]) => edit_file,
    Everyone copy_in(root, source, path, [opts]) => copy_in,
    Everyone make_dir(root, path, [opts]) => make_dir,
    Everyone symlink(root, path, target) => symlink,
    Everyone remove_path(root, path, [opts]) => remove_path,
    Everyone move_path(root, from, to, [opts]) => move_path,
    Everyone set_mode(root, path, mode, [opts]) => set_mode,
    Everyone set_owner(root, path, owner, [opts]) => set_owner,
    Everyone file_text(source) => file_text,
    Everyone file_path(source) => file_path,
    Everyone fetch(url, spec) => fetch,
];

pub fn act(
    call: &Call<'_>,
    root: RootId,
    label: String,
    op: Op,
    fields: Fields<'_>,
) -> Result<Dynamic> {
    let action = Action {
        only_if: fields.command("only_if")?,
        about: fields.text("about")?,
        ..op.into()
    };
    fields.finish()?;
    call.act(root, label, action)
}

fn attributes(fields: &Fields<'_>) -> Result<Attributes> {
    Ok(Attributes {
        mode: fields.mode("mode")?,
        owner: owner(fields, "owner")?,
        group: owner(fields, "group")?,
    })
}

/// A name or a number.
fn owner(fields: &Fields<'_>, name: &str) -> Result<Option<String>> {
    let Some(value) = fields.get(name) else {
        return Ok(None);
    };
    match (value.as_int(), value.clone().into_string()) {
        (Ok(number), _) if number >= 0 => Ok(Some(number.to_string())),
        (_, Ok(text)) if !text.is_empty() => Ok(Some(text)),
        _ => Err(fields.wrong(name, "a name or a number", &value)),
    }
}

fn write_file(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let fields = call.fields(3)?;
    let op = WriteFile {
        path: call.path(1)?,
        content: content(call)?,
        attributes: attributes(&fields)?,
    };
    let label = format!("write {}", op.path);
    act(call, root, label, Op::WriteFile(op), fields)
}

/// What goes into a file: where a root or a file is while it is built says nothing later.
fn content(call: &Call<'_>) -> Result<Text> {
    let text = call.secret_text(2)?;
    let passing = |part: &Part| matches!(part, Part::Root {} | Part::File(_) | Part::Download(_));
    if text.parts().iter().any(passing) {
        let message = "a path that is there for one build stands in the content of a file";
        let report = call.refuse(2, "path_place", message);
        return Err(report.help("write the path that holds inside the root"));
    }
    Ok(text)
}

fn append_file(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let fields = call.fields(3)?;
    let op = AppendFile {
        path: call.path(1)?,
        content: content(call)?,
    };
    let label = format!("append to {}", op.path);
    act(call, root, label, Op::AppendFile(op), fields)
}

fn edit_file(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let path = call.path(1)?;
    let mut edits = Vec::new();
    for fields in call.maps(2, "#{ pattern: \"…\", replacement: \"…\" }")? {
        let pattern = fields.required_text("pattern")?;
        let replacement = fields.required_text("replacement")?;
        fields.pattern("pattern", &pattern)?;
        fields.finish()?;
        edits.push(Edit {
            pattern,
            replacement,
        });
    }
    let label = format!("edit {path}");
    let op = Op::EditFile(EditFile { path, edits });
    act(call, root, label, op, call.fields(3)?)
}

fn copy_in(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let path = call.path(2)?;
    let fields = call.fields(3)?;
    let attributes = attributes(&fields)?;
    let text = as_typed(&call.arg(1)).map(|typed| typed.text);
    let parts = text.as_ref().map_or(&[][..], Text::parts);
    let (source, label) = match (call.fetched(1), parts) {
        (Some(fetched), _) => (
            Source::Download(fetched.sha256),
            format!("fetch {} to {path}", fetched.url),
        ),
        (None, [part @ Part::Keyring(name)]) => (
            Source::Keyring(name.clone()),
            format!("copy {part} to {path}"),
        ),
        _ => {
            let name = call.text(1)?;
            let source = resolve_source(call, 1, &name)?;
            let digest = input_file(call, 1, &source)?;
            (Source::File(digest), format!("copy {name} to {path}"))
        }
    };
    let op = CopyIn {
        source,
        path,
        attributes,
    };
    act(call, root, label, Op::CopyIn(op), fields)
}

/// Notes a file or a tree that the plan reads when it runs, and returns its digest.
pub fn input_file(call: &Call<'_>, index: usize, source: &Path) -> Result<String> {
    let digest =
        digest::digest_tree(source).map_err(|error| unreadable(call, index, source, &error))?;
    note_file(call, source, &digest);
    Ok(digest)
}

/// The same for a file whose digest is known.
pub fn note_file(call: &Call<'_>, source: &Path, digest: &str) {
    let name = noted(call, source);
    let mut plan = call.plan_mut();
    if plan.file(digest).is_none() {
        plan.files.push(InputFile {
            digest: digest.to_owned(),
            path: source.display().to_string(),
            name,
        });
    }
}

/// The path of a file of the repository, for commands of the host.
fn file_path(call: &Call<'_>) -> Result<Dynamic> {
    let name = call.text(0)?;
    let source = resolve_source(call, 0, &name)?;
    let digest = input_file(call, 0, &source)?;
    Ok(Dynamic::from(Typed::of(Part::File(digest))))
}

fn unreadable(call: &Call<'_>, index: usize, source: &Path, error: &std::io::Error) -> Report {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no file `{}`", plain(source)),
        _ => format!("cannot read `{}`: {error}", plain(source)),
    };
    let report = call.refuse(index, "copy_source", message);
    report.help("the path is taken from the folder of the script that names it")
}

/// Bytes of a text that a recipe may take in: as many as a string of a script may have.
const TEXT_BYTES: u64 = 1 << 20;

fn file_text(call: &Call<'_>) -> Result<Dynamic> {
    let name = call.text(0)?;
    let source = resolve_source(call, 0, &name)?;
    let unreadable = |error: std::io::Error| unreadable(call, 0, &source, &error);
    let metadata = std::fs::metadata(&source).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > TEXT_BYTES {
        let message = format!("`{name}` is no file of at most 1 MiB");
        let report = call.refuse(0, "copy_source", message);
        return Err(report.help("`copy_in` brings larger files, and folders, into a root"));
    }
    let text = std::fs::read_to_string(&source).map_err(unreadable)?;
    let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
    call.session.plan.input(Input::File {
        path: noted(call, &source),
        digest,
    });
    Ok(text.into())
}

/// A path as a person names it, without a `./` before it.
fn plain(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// A file as the plan names it: one of a library is the same wherever its copy is.
fn noted(call: &Call<'_>, path: &Path) -> String {
    let author = call.author_file();
    let library = library_modules::library_of(&author);
    let top = library_modules::folders(call.session, &author);
    match (library, top) {
        (Some(library), Ok((_, top))) => {
            let below = path.strip_prefix(&top).unwrap_or(path);
            format!("@{library}/{}", below.display())
        }
        _ => plain(path),
    }
}

/// The path of a file of the recipe's repository; links may not lead out of it.
fn resolve_source(call: &Call<'_>, index: usize, name: &str) -> Result<PathBuf> {
    let author = call.author_file();
    let outside = || {
        if let Some(library) = library_modules::library_of(&author) {
            let message = format!("`{name}` is outside of the library `{library}`");
            let report = call.refuse(index, "copy_source", message);
            return report.help("files that a library copies stand in it");
        }
        let message = format!("`{name}` is outside of the recipe's repository");
        call.refuse(index, "copy_source", message)
            .help("files that a recipe copies stand beside it, so that it builds the same elsewhere; a value of the host can be an option of the recipe")
    };
    let (folder, top) = library_modules::folders(call.session, &author)?;
    library_modules::inside(&folder, &top, name).ok_or_else(outside)
}

fn make_dir(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let fields = call.fields(2)?;
    let op = MakeDir {
        path: call.path(1)?,
        attributes: attributes(&fields)?,
    };
    let label = format!("make directory {}", op.path);
    act(call, root, label, Op::MakeDir(op), fields)
}

fn symlink(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let op = Symlink {
        path: call.path(1)?,
        target: call.text(2)?,
    };
    if op.target.is_empty() || op.target.contains('\0') {
        let report = call.refuse(2, "link_target", "a link needs a target");
        return Err(report.help("`root.symlink(path, target)`: the link stands at `path`"));
    }
    let label = format!("link {} to {}", op.path, op.target);
    call.act(root, label, Op::Symlink(op))
}

fn remove_path(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let fields = call.fields(2)?;
    let op = RemovePath {
        path: call.path(1)?,
        missing_ok: fields.bool("missing_ok")?.unwrap_or(false),
    };
    let mut parts = Path::new(&op.path).components();
    if !parts.any(|part| matches!(part, Component::Normal(_))) {
        let report = call.refuse(1, "remove_root", "the root itself cannot be removed");
        return Err(report.help("name what is in it: `/srv/*`"));
    }
    let label = format!("remove {}", op.path);
    act(call, root, label, Op::RemovePath(op), fields)
}

fn move_path(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let fields = call.fields(3)?;
    let op = MovePath {
        from: call.path(1)?,
        to: call.path(2)?,
        missing_ok: fields.bool("missing_ok")?.unwrap_or(false),
    };
    let label = format!("move {} to {}", op.from, op.to);
    act(call, root, label, Op::MovePath(op), fields)
}

fn set_mode(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let fields = call.fields(3)?;
    let mode = call.mode(2)?;
    let op = SetMode {
        path: call.path(1)?,
        mode,
        recursive: fields.bool("recursive")?.unwrap_or(false),
    };
    let label = format!("set mode {:04o} on {}", op.mode, op.path);
    act(call, root, label, Op::SetMode(op), fields)
}

fn set_owner(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let fields = call.fields(3)?;
    let value = call.arg(2);
    let name = match value.as_int() {
        Ok(number) => number.to_string(),
        Err(_) => call.text(2)?,
    };
    if let Some((owner, group)) = name.split_once(':') {
        let report = call.refuse(2, "owner_name", format!("`{name}` is no owner's name"));
        return Err(report.help(format!("write `\"{owner}\", #{{ group: \"{group}\" }}`")));
    }
    let op = SetOwner {
        path: call.path(1)?,
        owner: name,
        group: owner(&fields, "group")?,
        recursive: fields.bool("recursive")?.unwrap_or(false),
    };
    let label = format!("set owner {} on {}", op.owner, op.path);
    act(call, root, label, Op::SetOwner(op), fields)
}

fn fetch(call: &Call<'_>) -> Result<Dynamic> {
    let url = call.text(0)?;
    let fields = call.fields(1)?;
    let sha256 = fields.required_text("sha256")?.to_lowercase();
    let mut schemes = ["https://", "http://", "file:///"].iter();
    let known = schemes.any(|scheme| url.starts_with(scheme));
    if !known || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        let message = format!("`{url}` is no address to fetch from");
        let report = call.refuse(0, "fetch_url", message);
        return Err(report.help("it starts with `https://`, `http://` or `file:///`"));
    }
    if let Some((message, _)) = shape::credentials(&url) {
        let report = call.refuse(0, "fetch_url", message);
        return Err(report.help(
            "leave them out: the plan would show them. Have a mirror or a proxy of your site add them, or keep the file in the recipe's repository",
        ));
    }
    if let Some(path) = url.strip_prefix("file://") {
        call.requires_path(None, path, PathPurpose::Read);
    }
    if sha256.len() != 64 || !sha256.chars().all(|c| c.is_ascii_hexdigit()) {
        let message = "a sha256 digest has 64 hexadecimal digits";
        let report = fields.refuse("sha256", "fetch_digest", message);
        return Err(report.help("`sha256sum FILE` prints it"));
    }
    fields.finish()?;
    let download = Download {
        sha256: sha256.clone(),
        url: url.clone(),
        calls: call.chain(),
    };
    let mut plan = call.plan_mut();
    if plan.download(&sha256).is_none() {
        plan.downloads.push(download);
    }
    Ok(Dynamic::from(Fetched { url, sha256 }))
}
