//! Operations on files in one line each.

use crate::plan::{
    Attributes, Compression, Export, Format, Op, Plan, Source, TREE_LINK, Text, Via,
};

/// `make directory`, `/srv`, `mode 0700`.
pub struct Headline {
    pub verb: &'static str,
    pub what: String,
    pub note: String,
}

impl Headline {
    /// `None` for commands, which are shown as such.
    pub fn of(plan: Option<&Plan>, op: &Op) -> Option<Headline> {
        let (verb, what, note) = match op {
            Op::Run(_) => return None,
            Op::WriteFile(file) => {
                let note = size(&file.content, &file.attributes);
                ("write", file.path.clone(), note)
            }
            Op::AppendFile(file) => {
                let note = size(&file.content, &Attributes::default());
                ("append to", file.path.clone(), note)
            }
            Op::EditFile(file) => ("edit", file.path.clone(), String::new()),
            Op::CopyIn(copy) => {
                let (verb, source) = source(plan, &copy.source);
                let what = format!("{source} → {}", copy.path);
                (verb, what, attributes(&copy.attributes))
            }
            Op::MakeDir(dir) => {
                let note = attributes(&dir.attributes);
                ("make directory", dir.path.clone(), note)
            }
            Op::Symlink(link) => {
                let what = format!("{} → {}", link.path, link.target);
                ("link", what, String::new())
            }
            Op::RemovePath(path) => ("remove", path.path.clone(), if_exists(path.missing_ok)),
            Op::MovePath(path) => {
                let what = format!("{} → {}", path.from, path.to);
                ("move", what, if_exists(path.missing_ok))
            }
            Op::SetMode(set) => {
                let what = format!("{:04o} {}", set.mode, set.path);
                ("mode", what, below(set.recursive))
            }
            Op::SetOwner(set) => {
                let group = set.group.as_ref();
                let group = group.map_or(String::new(), |group| format!(":{group}"));
                let what = format!("{}{group} {}", set.owner, set.path);
                ("owner", what, below(set.recursive))
            }
            Op::RequirePaths(paths) => ("require", format!("for {}", paths.purpose), String::new()),
            Op::Export(export) => ("export", artifact(export), format(&export.format)),
            Op::ExpectBoot(expect) => {
                let mut notes = vec!["in QEMU".to_owned()];
                notes.extend((expect.via == Via::Pxe).then(|| "from the firmware on".to_owned()));
                notes.extend(expect.memory.map(|memory| format!("{memory} MiB")));
                notes.push(format!("{} s at most", expect.timeout));
                ("boot", expect.export.clone(), notes.join(", "))
            }
        };
        Some(Headline {
            verb,
            what: one_line(&what),
            note,
        })
    }

    pub fn text(&self) -> String {
        format!("{} {}", self.verb, self.what)
    }
}

/// `node/VERSION/root/`
fn artifact(export: &Export) -> String {
    let file = match export.format.is_tree() {
        true => TREE_LINK.to_owned(),
        false => export.format.artifact(),
    };
    let slash = if export.format.is_folder() { "/" } else { "" };
    let version = match &export.format {
        Format::Nfs { version, .. } => version.as_deref().unwrap_or("VERSION").to_owned() + "/",
        _ => String::new(),
    };
    format!("{}/{version}{file}{slash}", export.name)
}

/// `squashfs, zstd`
fn format(format: &Format) -> String {
    let how = match format {
        Format::Dir => "directory".to_owned(),
        Format::Nfs {
            keep: Some(keep), ..
        } => format!("nfs, {keep} versions kept"),
        format => format.name().to_owned(),
    };
    match format.compression() {
        None | Some(Compression::None) => how,
        Some(compression) => format!("{how}, {}", compression.name()),
    }
}

/// What a copy does, and what it is of.
fn source(plan: Option<&Plan>, source: &Source) -> (&'static str, String) {
    let (verb, known) = match source {
        Source::Keyring(name) => return ("copy in", format!("the keyring {name}")),
        Source::File(digest) => {
            let file = plan.and_then(|plan| plan.file(digest));
            ("copy in", file.map(|file| file.name.clone()))
        }
        Source::Download(sha256) => {
            let file = plan.and_then(|plan| plan.download(sha256));
            ("fetch", file.map(|file| file.url.clone()))
        }
    };
    (verb, known.unwrap_or_else(|| source.part().to_string()))
}

/// Line breaks written as `\n`.
pub fn one_line(text: &str) -> String {
    text.replace('\n', "\\n")
}

/// `27 bytes, mode 0600`
fn size(content: &Text, attributes: &Attributes) -> String {
    let note = if content.is_empty() {
        "empty".to_owned()
    } else if content.secrets().next().is_some() {
        // Its length would say something about the secret.
        "with a secret".to_owned()
    } else {
        super::page::plural(content.to_string().len(), "byte", "bytes")
    };
    match self::attributes(attributes).as_str() {
        "" => note,
        attributes => format!("{note}, {attributes}"),
    }
}

fn attributes(attributes: &Attributes) -> String {
    let parts = [
        attributes.mode.map(|mode| format!("mode {mode:04o}")),
        attributes
            .owner
            .as_ref()
            .map(|owner| format!("owner {owner}")),
        attributes
            .group
            .as_ref()
            .map(|group| format!("group {group}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

fn below(recursive: bool) -> String {
    if recursive { "and all below" } else { "" }.to_owned()
}

fn if_exists(missing_ok: bool) -> String {
    if missing_ok { "if it exists" } else { "" }.to_owned()
}
