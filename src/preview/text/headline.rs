//! Operations on files in one line each.

use crate::plan::{Attributes, Compression, Format, Op, Part, Plan, Source, Text, Via};

/// `make directory`, `/srv`, `mode 0700`.
pub struct Headline {
    pub verb: &'static str,
    pub what: String,
    pub note: String,
}

impl Headline {
    /// `None` for commands, which are shown as such.
    pub fn of(plan: Option<&Plan>, op: &Op) -> Option<Headline> {
        let line = |verb, what: String, note: String| {
            Some(Headline {
                verb,
                what: one_line(&what),
                note,
            })
        };
        match op {
            Op::Run(_) => None,
            Op::WriteFile(file) => {
                let note = size(&file.content, &file.attributes);
                line("write", file.path.clone(), note)
            }
            Op::AppendFile(file) => {
                let note = size(&file.content, &Attributes::default());
                line("append to", file.path.clone(), note)
            }
            Op::EditFile(file) => line("edit", file.path.clone(), String::new()),
            Op::CopyIn(copy) => {
                let (verb, source) = source(plan, &copy.source);
                let what = format!("{source} → {}", copy.path);
                line(verb, what, attributes(&copy.attributes))
            }
            Op::MakeDir(dir) => line(
                "make directory",
                dir.path.clone(),
                attributes(&dir.attributes),
            ),
            Op::Symlink(link) => {
                let what = format!("{} → {}", link.path, link.target);
                line("link", what, String::new())
            }
            Op::RemovePath(path) => line("remove", path.path.clone(), if_exists(path.missing_ok)),
            Op::MovePath(path) => {
                let what = format!("{} → {}", path.from, path.to);
                line("move", what, if_exists(path.missing_ok))
            }
            Op::SetMode(set) => {
                let what = format!("{:04o} {}", set.mode, set.path);
                line("mode", what, below(set.recursive))
            }
            Op::SetOwner(set) => {
                let group = set
                    .group
                    .as_ref()
                    .map_or(String::new(), |g| format!(":{g}"));
                let what = format!("{}{group} {}", set.owner, set.path);
                line("owner", what, below(set.recursive))
            }
            Op::RequirePaths(paths) => {
                line("require", format!("for {}", paths.purpose), String::new())
            }
            Op::Export(export) => {
                let file = export.format.artifact();
                let slash = if export.format.is_folder() { "/" } else { "" };
                let version = match &export.format {
                    Format::Nfs { version, .. } => {
                        format!("{}/", version.as_deref().unwrap_or("VERSION"))
                    }
                    _ => String::new(),
                };
                let mut how = match &export.format {
                    Format::Dir => "directory".to_owned(),
                    Format::Nfs {
                        keep: Some(keep), ..
                    } => format!("nfs, {keep} versions kept"),
                    format => format.name().to_owned(),
                };
                match export.format.compression() {
                    None | Some(Compression::None) => {}
                    Some(compression) => how.push_str(&format!(", {}", compression.name())),
                }
                line(
                    "export",
                    format!("{}/{version}{file}{slash}", export.name),
                    how,
                )
            }
            Op::ExpectBoot(expect) => {
                let mut notes = vec!["in QEMU".to_owned()];
                notes.extend((expect.via == Via::Pxe).then(|| "from the firmware on".to_owned()));
                notes.extend(expect.memory.map(|memory| format!("{memory} MiB")));
                notes.push(format!("{} s at most", expect.timeout));
                line("boot", expect.export.clone(), notes.join(", "))
            }
        }
    }

    pub fn text(&self) -> String {
        format!("{} {}", self.verb, self.what)
    }
}

/// What a copy does, and what it is of.
fn source(plan: Option<&Plan>, source: &Source) -> (&'static str, String) {
    match source {
        Source::File(digest) => match plan.and_then(|plan| plan.file(digest)) {
            Some(file) => ("copy in", file.name.clone()),
            None => ("copy in", Part::File(digest.clone()).to_string()),
        },
        Source::Download(sha256) => match plan.and_then(|plan| plan.download(sha256)) {
            Some(file) => ("fetch", file.url.clone()),
            None => ("fetch", Part::Download(sha256.clone()).to_string()),
        },
        Source::Keyring(name) => ("copy in", format!("the keyring {name}")),
    }
}

/// Line breaks written as `\n`.
pub fn one_line(text: &str) -> String {
    text.replace('\n', "\\n")
}

/// `27 bytes, mode 0600`
fn size(content: &Text, attr: &Attributes) -> String {
    let mut note = if content.is_empty() {
        "empty".to_owned()
    } else if content.secrets().next().is_some() {
        // Its length would say something about the secret.
        "with a secret".to_owned()
    } else {
        super::page::count(content.to_string().len(), "byte", "bytes")
    };
    let attributes = attributes(attr);
    if !attributes.is_empty() {
        note.push_str(&format!(", {attributes}"));
    }
    note
}

fn attributes(attributes: &Attributes) -> String {
    let mut parts = Vec::new();
    if let Some(mode) = attributes.mode {
        parts.push(format!("mode {mode:04o}"));
    }
    if let Some(owner) = &attributes.owner {
        parts.push(format!("owner {owner}"));
    }
    if let Some(group) = &attributes.group {
        parts.push(format!("group {group}"));
    }
    parts.join(", ")
}

fn below(recursive: bool) -> String {
    if recursive { "and all below" } else { "" }.to_owned()
}

fn if_exists(missing_ok: bool) -> String {
    if missing_ok { "if it exists" } else { "" }.to_owned()
}
