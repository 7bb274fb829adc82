//! `export`: from a recipe's spec to what the plan says of an artifact.

use rhai::{Dynamic, Map};

use super::ExportRef;
use super::packages::{call_distro, call_stdlib};
use crate::diagnose::Report;
use crate::plan::{
    Command, Compression, Export, Format, Input, OciLayers, Op, RootId, Served, ServerText, Share,
    Times, Transport,
};
use crate::recipe::args::{Call, Fields, Result, as_command, as_strings, is_name};

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone export(root, spec) => export,
];

const FORMATS: &[&str] = &[
    "dir", "nfs", "tar", "squashfs", "erofs", "cpio", "ext4", "oci",
];

/// Where neither the recipe, the environment nor the root says what times are clamped to:
/// 1 January 1980, the first that every file format can hold.
const EARLIEST: u64 = 315_532_800;

fn export(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let fields = call.fields(1)?;
    let kind = fields.required_text("format")?;
    let name = fields.required_text("name")?;
    let exclude = fields.strings("exclude")?.unwrap_or_default();
    if !is_plain_name(&name) {
        return Err(name_refused(&fields, "name", &name, "an export"));
    }
    let facts = call_distro(call, root, "boot_files", vec![])?;
    let facts = facts.try_cast::<Map>().unwrap_or_default();
    let list = |key: &str| facts.get(key).and_then(as_strings).unwrap_or_default();
    let format = format(call, &fields, &kind, &facts)?;
    let times = match &format {
        Format::Dir | Format::Nfs { .. } => Times::Kept,
        _ => times(call, &fields, facts.get("time").and_then(as_command))?,
    };
    let served = served(&fields, &format)?;
    let boot = boot(call, root, &fields, &format)?;
    fields.finish()?;
    // What the distro's module knows to be caches goes first.
    let mut left_out = list("exclude");
    left_out.extend(exclude);
    let export = Export {
        name: name.clone(),
        format,
        exclude: left_out,
        kernel: list("kernel"),
        initramfs: list("initramfs"),
        cmdline: boot
            .get("cmdline")
            .and_then(|line| line.clone().into_string().ok()),
        cmdline_command: boot.get("cmdline_command").and_then(as_command),
        packages: facts.get("packages").and_then(as_command),
        times,
        served,
        texts: texts(&boot),
    };
    let label = format!("export {name} ({kind})");
    drop(call.act(root, label, Op::Export(export))?);
    Ok(Dynamic::from(ExportRef { name }))
}

fn format(call: &Call<'_>, fields: &Fields<'_>, kind: &str, facts: &Map) -> Result<Format> {
    use Compression::{Gzip, Lz4, Lz4hc, None as Plain, Xz, Zstd};
    Ok(match kind {
        "dir" => {
            if fields.get("compress").is_some() {
                let message = "a `dir` export is not compressed";
                let report = fields.refuse("compress", "export_format", message);
                return Err(report.help("leave `compress` out"));
            }
            Format::Dir
        }
        "nfs" => {
            let version = fields.text("version")?;
            if let Some(version) = version.as_ref().filter(|version| {
                !is_plain_name(version) || ["current", "lock"].contains(&version.as_str())
            }) {
                return Err(name_refused(fields, "version", version, "a version"));
            }
            Format::Nfs {
                keep: fields
                    .number("keep", 1)?
                    .map(|keep| u32::try_from(keep).unwrap_or(u32::MAX)),
                version,
                share: match fields.text("share")?.as_deref() {
                    None | Some("links") => Share::Links,
                    Some("blocks") => Share::Blocks,
                    Some(other) => {
                        let message = format!("`{other}` is no way to share files");
                        return Err(fields
                            .refuse("share", "export_format", message)
                            .help("`links` or `blocks`"));
                    }
                },
            }
        }
        "tar" => Format::Tar {
            compression: compression(fields, kind, &[Zstd, Gzip, Xz, Plain])?,
        },
        "squashfs" => Format::Squashfs {
            compression: compression(fields, kind, &[Zstd, Gzip, Xz, Lz4, Lz4hc, Plain])?,
        },
        "erofs" => Format::Erofs {
            compression: compression(fields, kind, &[Lz4hc, Lz4, Zstd, Plain])?,
        },
        // The first is what every kernel unpacks.
        "cpio" => Format::Cpio {
            compression: compression(fields, kind, &[Gzip, Zstd, Xz, Lz4, Plain])?,
        },
        "ext4" => Format::Ext4 {
            size: fields.size("size")?,
        },
        "oci" => Format::Oci {
            archive: fields.bool("archive")?.unwrap_or(false),
            layers: match fields.text("layers")?.as_deref() {
                None | Some("one") => OciLayers::One,
                Some("steps") => OciLayers::Steps,
                Some(other) => {
                    let message = format!("`{other}` is no way to make layers");
                    return Err(fields
                        .refuse("layers", "export_format", message)
                        .help("`one`, or `steps`: one for every step that changes the root"));
                }
            },
            compression: compression(fields, kind, &[Gzip, Zstd, Plain])?,
            architecture: match (fields.text("architecture")?, facts.get("architecture")) {
                (Some(given), _) => given,
                (None, Some(fact)) => fact.clone().into_string().unwrap_or_default(),
                (None, None) => host_architecture(call),
            },
            command: fields.strings("command")?.unwrap_or_default(),
        },
        other => {
            let message = format!("there is no export format `{other}`");
            let report = fields.refuse("format", "export_format", message);
            return Err(report.help_near(
                other,
                FORMATS,
                format!("the formats are {}", quoted(FORMATS)),
            ));
        }
    })
}

/// The first of `allowed` where the recipe says nothing.
fn compression(fields: &Fields<'_>, kind: &str, allowed: &[Compression]) -> Result<Compression> {
    let Some(given) = fields.text("compress")? else {
        return Ok(allowed.first().copied().unwrap_or(Compression::None));
    };
    let found = allowed.iter().find(|known| known.name() == given);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = allowed.iter().map(|known| known.name()).collect();
        let message = format!("`{given}` is no compression of `{kind}`");
        fields
            .refuse("compress", "export_format", message)
            .help(format!("it takes {}", quoted(&names)))
    })
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// The recipe's, else `SOURCE_DATE_EPOCH`, else what the distro's module asks the root.
fn times(call: &Call<'_>, fields: &Fields<'_>, command: Option<Command>) -> Result<Times> {
    if let Some(seconds) = fields.number("time", 0)? {
        return Ok(Times::Until { seconds });
    }
    if let Some(seconds) = super::revision::source_date_epoch(call)? {
        return Ok(Times::Until { seconds });
    }
    Ok(match command {
        None => Times::Until { seconds: EARLIEST },
        Some(command) => Times::Newest { command },
    })
}

/// What is said of the server, where the format is one that nodes boot.
fn served(fields: &Fields<'_>, format: &Format) -> Result<Served> {
    if matches!(
        format,
        Format::Tar { .. } | Format::Ext4 { .. } | Format::Oci { .. }
    ) {
        return Ok(Served::default());
    }
    let served = Served {
        server: fields.text("server")?,
        path: fields.text("path")?,
        url: fields.text("url")?,
    };
    for (name, value) in [
        ("server", &served.server),
        ("path", &served.path),
        ("url", &served.url),
    ] {
        let bad = |value: &&String| {
            value.is_empty() || value.chars().any(|c| c.is_whitespace() || c == '"')
        };
        if let Some(value) = value.as_ref().filter(bad) {
            let message = format!("`{value}` cannot be part of a kernel command line");
            return Err(fields.refuse(name, "export_served", message));
        }
    }
    if let Some(path) = served.path.as_ref().filter(|path| !path.starts_with('/')) {
        let message = format!("`{path}` does not start with `/`");
        return Err(fields.refuse("path", "relative_path", message));
    }
    Ok(served)
}

/// What the stdlib knows of booting it.
fn boot(call: &Call<'_>, root: RootId, fields: &Fields<'_>, format: &Format) -> Result<Map> {
    let clients = match format {
        Format::Nfs { .. } => fields.text("clients")?.unwrap_or_else(|| "*".to_owned()),
        _ => String::new(),
    };
    if clients.contains(['\n', '(', ')', '#', '"']) {
        let message = format!("`{clients}` names no clients as exports(5) does");
        return Err(fields.refuse("clients", "export_served", message));
    }
    let transport = format.transport().map_or("", Transport::name);
    let spec = Map::from([
        ("format".into(), format.name().into()),
        ("artifact".into(), format.artifact().into()),
        ("transport".into(), transport.into()),
        ("clients".into(), clients.into()),
    ]);
    let boot = call_stdlib(call, root, "export/boot", "boot", spec)?;
    Ok(boot.try_cast::<Map>().unwrap_or_default())
}

fn texts(boot: &Map) -> Vec<ServerText> {
    let texts = boot
        .get("texts")
        .and_then(|texts| texts.clone().into_array().ok());
    let text = |item: &Dynamic| -> Option<ServerText> {
        let map = item.clone().try_cast::<Map>()?;
        let text = |key: &str| map.get(key)?.clone().into_string().ok();
        let values = map.get("values")?.clone().try_cast::<Map>()?;
        let value =
            |(key, value): (_, Dynamic)| Some((String::from(key), value.into_string().ok()?));
        let values = values.into_iter().filter_map(value).collect();
        Some(ServerText::parse(text("name")?, &text("text")?, &values))
    };
    texts.unwrap_or_default().iter().filter_map(text).collect()
}

/// As OCI names it.
fn host_architecture(call: &Call<'_>) -> String {
    let host = std::env::consts::ARCH;
    call.session.plan.input(Input::HostArchitecture {
        name: host.to_owned(),
    });
    match host {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
    .to_owned()
}

fn name_refused(fields: &Fields<'_>, field: &str, name: &str, what: &str) -> Report {
    let message = format!("`{name}` is no name for {what}");
    let report = fields.refuse(field, "export_name", message);
    match name.contains("${") {
        true => report.help("only backticks put values into text: `` `node-${release}` ``"),
        false => {
            report.help("letters, digits, `.`, `_`, `+` and `-`, not starting with `.` or `-`")
        }
    }
}

fn is_plain_name(name: &str) -> bool {
    is_name(name, "._+-") && name.len() <= 200 && !name.starts_with(['.', '-'])
}
