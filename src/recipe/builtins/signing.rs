//! What packages are checked with before they are installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rhai::{Dynamic, Map};

use super::Typed;
use crate::plan::digest::digest_tree;
use crate::plan::{self, Command, KeyFile, Keyring, Part, PathPurpose, RootId};
use crate::recipe::args::{Call, Fields, Result, as_command};
use crate::recipe::library_modules;
use crate::recipe::plan_builder::add_new;

pub static BUILTINS: &[super::Registered] = builtins![
    Modules keyring(root, spec) => keyring,
    Modules trust_key(root, source) => trust_key,
    Modules unsigned(root, what, why) => unsigned,
];

/// Digits of a digest in a keyring's name: enough to tell sets of keys apart.
const NAME_DIGITS: usize = 12;

fn keyring(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let fields = call.fields(1)?;
    let name = fields.required_text("name")?;
    let about = fields.required_text("about")?;
    let mut fingerprints = Vec::new();
    for given in fields.strings("fingerprints")?.unwrap_or_default() {
        fingerprints.push(fingerprint(call, &given)?);
    }
    fingerprints.sort();
    fingerprints.dedup();
    let mut files = Vec::new();
    let mut contents = Vec::new();
    // Keys that the standard library pins by fingerprint are no trust that the recipe adds,
    // wherever they are found.
    let pinned = fields.bool("pinned")?.unwrap_or(false) && call.is_from_stdlib();
    for name in fields.strings("files")?.unwrap_or_default() {
        let (file, digest) = source(call, root, &name, pinned)?;
        files.push(file);
        contents.push(digest);
    }
    let fetch = commands(call, root, &fields)?;
    contents.extend(fields.text("digest")?);
    if !pinned {
        let source = match (fingerprints.is_empty(), files.first()) {
            (false, _) => fingerprints.join(", "),
            (true, Some(KeyFile::Host(path))) => path.clone(),
            (true, _) => about.clone(),
        };
        call.requires(Some(root), plan::Access::Keys { source });
    }
    let armor = fields.bool("armor")?.unwrap_or(false);
    let packages = texts(&fields, "packages")?;
    fields.finish()?;
    // Without fingerprints, what the file holds is all that tells which keys are meant.
    let decides = match fingerprints.is_empty() {
        true => contents,
        false => fingerprints.clone(),
    };
    if decides.is_empty() {
        let report = call.report("keyring", format!("the keyring `{name}` has no keys"));
        return Err(report.help("give `fingerprints`, or `files`"));
    }
    let digest = blake3::hash(format!("{decides:?} {armor}").as_bytes()).to_hex();
    let digest = digest.get(..NAME_DIGITS).unwrap_or_default();
    let ending = if armor { "asc" } else { "gpg" };
    let name = format!("{name}-{digest}.{ending}");
    let keyring = Keyring {
        root,
        name: name.clone(),
        about,
        fingerprints,
        files,
        fetch,
        armor,
        packages,
        calls: call.chain(),
    };
    let mut plan = call.plan_mut();
    match plan.keyrings.iter_mut().find(|known| known.name == name) {
        // The same keys, sought in other places as well.
        Some(known) => {
            for file in keyring.files {
                add_new(&mut known.files, file);
            }
            for command in keyring.fetch {
                add_new(&mut known.fetch, command);
            }
        }
        None => plan.keyrings.push(keyring),
    }
    Ok(Dynamic::from(Typed::of(Part::Keyring(name))))
}

/// The digits of a whole fingerprint.
fn fingerprint(call: &Call<'_>, given: &str) -> Result<String> {
    let digits: String = given
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let digits = digits.strip_prefix("0X").unwrap_or(&digits);
    let whole = matches!(digits.len(), 40 | 64) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if whole {
        return Ok(digits.to_owned());
    }
    let message = format!("`{}` is no fingerprint of a key", given.escape_debug());
    let report = asked(call).refuse("fingerprints", "fingerprint", message);
    Err(report.help(
        "a fingerprint has 40 hexadecimal digits, as `gpg --show-keys FILE` prints them; a shorter number can be forged",
    ))
}

/// The fields of whoever asks, for the place of an error: the recipe's own call.
fn asked<'a>(call: &'a Call<'a>) -> Fields<'a> {
    Fields::of(call, "keyring", Map::new())
}

/// A file that may hold keys, and its digest.
fn source(call: &Call<'_>, root: RootId, name: &str, pinned: bool) -> Result<(KeyFile, String)> {
    if Path::new(name).is_absolute() {
        let allowed = pinned || call.requires_path(Some(root), name, PathPurpose::Read);
        let place = call.session.settings.host.file(name);
        let bytes = allowed.then(|| fs_err::read(place).ok()).flatten();
        let digest = bytes.map(|bytes| blake3::hash(&bytes).to_hex().to_string());
        let digest = digest.unwrap_or_else(|| "absent".to_owned());
        return Ok((KeyFile::Host(name.to_owned()), digest));
    }
    let place = in_repository(call, name)?;
    let digest = digest_tree(&place).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "there is no such file in the recipe's repository".to_owned()
            }
            _ => error.to_string(),
        };
        let message = format!("the keyring `{name}` cannot be read: {why}");
        let report = asked(call).refuse("keyring", "keyring_file", message);
        report.help(
            "the path is taken from the recipe's folder; one that starts with `/` is the host's",
        )
    })?;
    let whole = std::path::absolute(&place).unwrap_or(place);
    super::files::note_file(call, &whole, &digest);
    Ok((KeyFile::File(digest.clone()), digest))
}

fn in_repository(call: &Call<'_>, name: &str) -> Result<PathBuf> {
    let author = call.author_file();
    let (mut folder, top) = library_modules::folders(call.session, &author)?;
    // A library's keys are its own files.
    if library_modules::library_of(&author).is_none() {
        folder.clone_from(&call.session.recipe_dir);
    }
    library_modules::inside(&folder, &top, name).ok_or_else(|| {
        let message = format!("`{name}` is outside of the recipe's repository");
        asked(call)
            .refuse("keyring", "keyring_file", message)
            .help("a path that starts with `/` is the host's")
    })
}

fn commands(call: &Call<'_>, root: RootId, fields: &Fields<'_>) -> Result<Vec<Command>> {
    let mut commands = Vec::new();
    for item in fields.array("fetch")?.unwrap_or_default() {
        let command = as_command(&item).filter(|command| !command.program().is_empty());
        let Some(command) = command else {
            return Err(fields.wrong("fetch", "an array of commands", &item));
        };
        super::run::requires_host(call, Some(root), &command);
        commands.push(command);
    }
    Ok(commands)
}

/// A map of strings that holds no secrets.
pub fn texts(fields: &Fields<'_>, name: &str) -> Result<BTreeMap<String, String>> {
    let texts = fields.texts(name)?;
    let plain = |(key, text): (String, crate::plan::Text)| Some((key, text.plain()?.into_owned()));
    Ok(texts.into_iter().filter_map(plain).collect())
}

/// Notes that a key is trusted, for package managers whose keys are no OpenPGP keys.
fn trust_key(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let source = call.text(1)?;
    let mut allowed = true;
    if source.starts_with('/') {
        allowed = call.requires_path(Some(root), &source, PathPurpose::Read);
    }
    let trusted = call.requires(Some(root), plan::Access::Keys { source });
    Ok((allowed && trusted).into())
}

fn unsigned(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let what = call.text(1)?;
    let why = call.text(2)?;
    if why.trim().is_empty() {
        let message = "`allow_unsigned` does not say why";
        let report = asked(call).refuse("allow_unsigned", "unsigned", message);
        return Err(report.help(
            "say why this may be installed unchecked: `allow_unsigned: \"built on this machine\"`; the plan shows it",
        ));
    }
    call.requires(Some(root), plan::Access::Unsigned { what, why });
    Ok(Dynamic::UNIT)
}
