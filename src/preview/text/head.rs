//! What is above the steps: the recipe, its options, what it assumes, what it may do.

use super::page::{Page, Style, wrap};
use super::place as place_of;
use crate::plan::policy::{self, Decision, Permissions};
use crate::plan::{
    Access, Keyring, LibraryUse, NeedKind, OptionValue, Plan, Root, short as short_digest,
};

/// Where the second column starts.
const COLUMN: usize = 10;

pub fn write(page: &mut Page, plan: &Plan, permissions: Permissions) {
    if !plan.recipe.title.is_empty() {
        for line in wrap(&plan.recipe.title, page.width) {
            page.line(Style::Bold, &line);
        }
        page.end();
    }
    row(page, "recipe", &plan.recipe.path);
    for (at, root) in plan.roots.iter().enumerate() {
        let key = match (at, plan.roots.len()) {
            (0, 1) => "root",
            (0, _) => "roots",
            _ => "",
        };
        row(page, key, &describe(plan, root));
    }
    table(page, "options", plan.options.iter().map(option));
    table(page, "libraries", plan.libraries.iter().map(library));
    let assumed = plan.assumptions.iter();
    let assumed = assumed.map(|a| [format!("{} = {}", a.what, a.value), a.from.clone()]);
    table(page, "assumed", assumed);
    let captured = plan.captures.iter();
    let captured = captured.map(|c| [c.describe(), c.captured.origin().to_owned()]);
    table(page, "captured", captured);
    let inputs = plan.inputs.iter().map(|input| {
        let value = short(input.value());
        [format!("{} = {value}", input.name()), String::new()]
    });
    table(page, "inputs", inputs);
    list(page, "secrets", &secrets(plan));
    let needs: Vec<String> = [NeedKind::Tool, NeedKind::File]
        .iter()
        .flat_map(|kind| plan.needs.iter().filter(move |need| need.kind == *kind))
        .map(|need| need.name.clone())
        .collect();
    list(page, "needs", &needs);
    table(page, "keys", plan.keyrings.iter().map(keyring));
    capabilities(page, plan, permissions);
}

/// `debian-bookworm-0123456789ab.gpg` and `the packages of debian bookworm: 3 keys`
fn keyring(keyring: &Keyring) -> [String; 2] {
    let count = match keyring.fingerprints.len() {
        0 => "as the file has them".to_owned(),
        1 => "one key".to_owned(),
        count => format!("{count} keys"),
    };
    [keyring.name.clone(), format!("{}: {count}", keyring.about)]
}

/// `node: debian bookworm, amd64, forked from base after step 4`
fn describe(plan: &Plan, root: &Root) -> String {
    let mut text = match plan.roots.len() {
        1 => String::new(),
        _ => format!("{}:", root.name),
    };
    for (before, part) in [
        (" ", &root.distro),
        (" ", &root.release),
        (", ", &root.arch),
    ] {
        if !part.is_empty() {
            text.push_str(before);
            text.push_str(part);
        }
    }
    if let Some(base) = &root.base {
        let name = plan.root(base.root).map_or("?", |base| base.name.as_str());
        text.push_str(&format!(
            ", forked from {name} after step {}",
            base.after_step
        ));
    }
    text.trim_start().to_owned()
}

/// `suite = bookworm` and `default, or trixie: Debian release`
fn option(option: &OptionValue) -> [String; 2] {
    let mut note = match (option.given, &option.from) {
        (true, _) => "given".to_owned(),
        (false, Some(from)) => format!("from {from}"),
        (false, None) => "default".to_owned(),
    };
    let choices = option.choices.iter();
    let others = choices.filter(|choice| **choice != option.value);
    let others: Vec<String> = others.map(value).collect();
    if !others.is_empty() {
        note.push_str(&format!(", or {}", others.join(", ")));
    }
    if !option.help.is_empty() {
        note.push_str(": ");
        note.push_str(&option.help);
    }
    [format!("{} = {}", option.name, value(&option.value)), note]
}

/// `@site = https://example.org/site` and `v1, 0123456789ab`
fn library(library: &LibraryUse) -> [String; 2] {
    let commit = short_digest(&library.commit);
    let note = match &library.version {
        Some(version) => format!("{version}, {commit}"),
        None => commit.to_owned(),
    };
    [format!("@{} = {}", library.name, library.git), note]
}

/// What the plan does beyond changing its own roots: each access once, with who asks and
/// whether it is allowed.
fn capabilities(page: &mut Page, plan: &Plan, permissions: Permissions) {
    let mut rows: Vec<(Style, String, String)> = Vec::new();
    for (capability, decision) in policy::review(plan, permissions) {
        let libraries = capability.libraries();
        let mut who: Vec<String> = libraries.iter().map(|name| format!("@{name}")).collect();
        let refused = match &decision {
            Decision::Allowed => None,
            Decision::NoGrant { library, grant } => {
                Some(format!("refused: @{library} has no grant `{grant}`"))
            }
            Decision::NoPermission => Some("refused without --allow-host-run".to_owned()),
        };
        let unsigned = matches!(capability.access, Access::Unsigned { .. });
        // Each place on its own: this is what to look at first.
        let place = capability.calls.first().filter(|_| unsigned);
        who.extend(place.map(|frame| place_of(std::slice::from_ref(frame))));
        let style = match refused.is_some() || unsigned {
            true => Style::Red,
            false => Style::Plain,
        };
        let what = capability.access.to_string();
        who.extend(refused.or_else(|| (!libraries.is_empty()).then(|| "granted".to_owned())));
        let note = who.join(", ");
        if !rows.iter().any(|row| (&row.1, &row.2) == (&what, &note)) {
            rows.push((style, what, note));
        }
    }
    if rows.is_empty() {
        return;
    }
    page.end();
    page.line(Style::Cyan, "beyond its own roots, this plan does");
    for (style, what, note) in rows {
        let note = match note.as_str() {
            "" => note,
            note => format!(" ({note})"),
        };
        let width = page.width.saturating_sub(COLUMN);
        for (at, line) in wrap(&format!("{what}{note}"), width).iter().enumerate() {
            page.spaces(if at == 0 { COLUMN } else { COLUMN + 2 });
            page.line(style, line);
        }
    }
}

/// A value as one would give it with `-o`.
fn value(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) if !items.is_empty() => {
            items.iter().map(self::value).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

/// A digest in as many digits as a reader compares.
fn short(value: &str) -> String {
    if value.len() == 64 && value.chars().all(|c| c.is_ascii_hexdigit()) {
        value.chars().take(12).collect()
    } else {
        value.to_owned()
    }
}

/// The secrets that the plan uses, by name.
pub fn secrets(plan: &Plan) -> Vec<String> {
    plan.secrets().into_keys().collect()
}

fn row(page: &mut Page, key: &str, text: &str) {
    put_key(page, key);
    page.line(Style::Plain, text);
}

fn put_key(page: &mut Page, key: &str) {
    page.put(Style::Cyan, key);
    page.spaces(COLUMN.saturating_sub(key.len()));
}

/// Pairs in two aligned columns; a note that does not fit goes below its value.
fn table(page: &mut Page, key: &str, rows: impl Iterator<Item = [String; 2]>) {
    let rows: Vec<[String; 2]> = rows.collect();
    // One long value must not push every note to the right edge.
    let widest = page.width.saturating_sub(COLUMN) * 3 / 5;
    let align = rows
        .iter()
        .map(|[value, _]| value.chars().count())
        .filter(|width| *width <= widest)
        .max()
        .unwrap_or(0);
    for (at, [value, note]) in rows.iter().enumerate() {
        put_key(page, if at == 0 { key } else { "" });
        let value = value.replace('\n', " ");
        page.put(Style::Plain, &value);
        if note.is_empty() {
            page.end();
            continue;
        }
        let width = value.chars().count();
        let start = COLUMN + align + 2;
        if width > align {
            page.end();
            page.spaces(start);
        } else {
            page.spaces(align + 2 - width);
        }
        let lines = wrap(note, page.width.saturating_sub(start).max(20));
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                page.spaces(start);
            }
            page.line(Style::Dim, line);
        }
    }
}

fn list(page: &mut Page, key: &str, names: &[String]) {
    let width = page.width.saturating_sub(COLUMN);
    for (at, line) in wrap(&names.join(", "), width).iter().enumerate() {
        row(page, if at == 0 { key } else { "" }, line);
    }
}
