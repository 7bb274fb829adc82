//! Where a recipe comes from, and when: facts that do not differ between two builds of the
//! same commit. What is read is noted in the plan as an input.

use std::path::Path;

use rhai::Dynamic;

use crate::plan::{Input, Key, tool};
use crate::recipe::args::{Call, Result};
use crate::recipe::read::small_text;

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone git_revision() => git_revision,
    Everyone source_date(format) => source_date,
    Everyone stable_uuid(name) => stable_uuid,
];

fn git_revision(call: &Call<'_>) -> Result<Dynamic> {
    let settings = &call.session.settings;
    // Tests evaluate for a host that has no files.
    if settings.host.root != Path::new("/") {
        return Ok(Dynamic::UNIT);
    }
    let folder = &call.session.recipe_dir;
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
    let found = folder.ancestors().find_map(revision);
    call.session.plan.input(Input::GitCommit {
        commit: found.clone(),
    });
    Ok(found.map_or(Dynamic::UNIT, Dynamic::from))
}

/// The commit of the work tree that `folder` is the top of; see gitrepository-layout(5).
fn revision(folder: &Path) -> Option<String> {
    let dot_git = folder.join(".git");
    let git = if dot_git.is_dir() {
        dot_git
    } else {
        // A further work tree, or a submodule.
        let link = small_text(&dot_git, MOST_BYTES)?;
        folder.join(link.trim().strip_prefix("gitdir: ")?)
    };
    let head = small_text(&git.join("HEAD"), MOST_BYTES)?;
    let head = head.trim();
    let Some(name) = head.strip_prefix("ref: ") else {
        return commit(head);
    };
    let common = small_text(&git.join("commondir"), MOST_BYTES);
    let common = common.map_or_else(|| git.clone(), |path| git.join(path.trim()));
    let plain = name.split('/').all(|part| !part.is_empty() && part != "..");
    let own = [&git, &common].into_iter().filter(|_| plain);
    let loose = own.filter_map(|folder| small_text(&folder.join(name), MOST_BYTES));
    if let Some(found) = loose.filter_map(|text| commit(text.trim())).next() {
        return Some(found);
    }
    let packed = small_text(&common.join("packed-refs"), MOST_BYTES)?;
    let mut lines = packed.lines().filter_map(|line| line.split_once(' '));
    lines
        .find(|(_, found)| *found == name)
        .and_then(|(digits, _)| commit(digits))
}

fn commit(text: &str) -> Option<String> {
    let known = [40, 64].contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    known.then(|| text.to_owned())
}

/// Bytes of git's own little files that are read; lists of references can be long.
const MOST_BYTES: u64 = 16 << 20;

/// The environment's `SOURCE_DATE_EPOCH`, seconds since 1970, as an input of the plan.
pub fn source_date_epoch(call: &Call<'_>) -> Result<Option<u64>> {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok();
    let Some(given) = given.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    call.session.plan.input(Input::SourceDate {
        seconds: given.clone(),
    });
    given.parse().map(Some).map_err(|_| {
        let message = format!("the environment's SOURCE_DATE_EPOCH is no number: `{given}`");
        let report = call.report("source_date_epoch", message);
        report.help("it holds seconds since 1970")
    })
}

fn source_date(call: &Call<'_>) -> Result<Dynamic> {
    let format = call.text(0)?;
    let epoch = source_date_epoch(call)?;
    // A format that is wrong is so whether there is a date or not.
    let seconds = i64::try_from(epoch.unwrap_or_default()).unwrap_or(i64::MAX);
    let date = jiff::Timestamp::from_second(seconds).map_err(|_| {
        let message = format!("the environment's SOURCE_DATE_EPOCH is no date: `{seconds}`");
        let report = call.report("source_date_epoch", message);
        report.help("it holds seconds since 1970")
    })?;
    let text = jiff::fmt::strtime::format(&format, date).map_err(|error| {
        let message = format!("`{format}` is no format of a date: {error}");
        let report = call.refuse(0, "date_format", message);
        report.help("as of strftime(3): `%Y-%m-%d`")
    })?;
    Ok(epoch.map_or(Dynamic::UNIT, |_| text.into()))
}

fn stable_uuid(call: &Call<'_>) -> Result<Dynamic> {
    let key = Key::of(&[b"stable uuid", call.text(0)?.as_bytes()]);
    Ok(tool::uuid_of(&key).into())
}
