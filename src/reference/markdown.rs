//! The reference as Markdown.

use std::fmt::Write;

use super::{ERRORS_OF_ALL, Entry, Parameter, Reference, Section};

/// What stands above the functions, on every page.
pub const HEAD: &str = "\
Recipes call built-ins, and functions of the modules that they import. In the signatures, \
what stands in brackets may be left out; `root.install(packages)` is `install(root, packages)`. \
Named arguments are the fields of a map: `#{ mode: 0o600 }`.

Of the stdlib, the modules at its top are for recipes, and in them every function that is not \
marked `private`; what stands in its folders is the business of built-ins.

The errors of a function are those of its own, by the `code` that `--error-format json` gives \
them. Every function refuses, besides:";

/// `docs/reference.md`.
pub fn markdown(reference: &Reference) -> String {
    let mut out = String::from("# Reference\n\n");
    let _ = writeln!(out, "{HEAD}\n");
    for (code, text) in ERRORS_OF_ALL {
        let _ = writeln!(out, "- `{code}`: {text}");
    }
    for section in &reference.sections {
        let names: Vec<String> = section
            .functions
            .iter()
            .map(|entry| format!("[{0}](#{1})", entry.name, anchor(&entry.name)))
            .collect();
        let title = &section.title;
        let _ = writeln!(
            out,
            "\n- **[{title}](#{})**: {}",
            anchor(title),
            names.join(", ")
        );
    }
    for found in &reference.sections {
        let _ = write!(out, "\n{}", section(found));
    }
    out
}

/// Where a heading is found in a page.
fn anchor(title: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-');
    let title = title.to_lowercase();
    title
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

/// One function, under a heading of that level.
pub fn entry(entry: &Entry, level: usize) -> String {
    let mut out = String::new();
    let doc = &entry.doc;
    let _ = writeln!(out, "{} {}\n", "#".repeat(level), entry.name);
    let _ = writeln!(out, "```text\n{}\n```\n\n{}", entry.signature, doc.summary);
    if !doc.description.is_empty() {
        let _ = writeln!(out, "\n{}", doc.description);
    }
    if !doc.parameters.is_empty() {
        out.push('\n');
        parameters(&mut out, &doc.parameters, 0);
    }
    let _ = writeln!(out, "\nGives {}.", doc.gives);
    if !doc.errors.is_empty() {
        out.push_str("\nErrors:\n\n");
        for error in &doc.errors {
            let _ = writeln!(out, "- `{}`: {}", error.code, error.text);
        }
    }
    let _ = writeln!(out, "\n```rhai\n{}\n```", doc.example);
    out
}

fn parameters(out: &mut String, list: &[Parameter], depth: usize) {
    let indent = "  ".repeat(depth);
    for parameter in list {
        let _ = write!(out, "{indent}- `{}`: {}", parameter.name, kind(parameter));
        let _ = match parameter.text.is_empty() {
            true => writeln!(out),
            false => writeln!(out, ". {}", sentence(&parameter.text)),
        };
        parameters(out, &parameter.fields, depth + 1);
        if let Some(others) = &parameter.others {
            let _ = writeln!(out, "{indent}  - and {others}");
        }
    }
}

/// The type, and whether it has to be there.
pub fn kind(parameter: &Parameter) -> String {
    match (&parameter.default, parameter.required) {
        (Some(default), _) => format!("{}, default {default}", parameter.kind),
        (None, true) => format!("{}, required", parameter.kind),
        (None, false) => parameter.kind.clone(),
    }
}

/// With a capital where a word begins it.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// The head of a section, and its functions in a list.
pub fn section(section: &Section) -> String {
    let mut out = format!("## {}\n", section.title);
    if !section.about.is_empty() {
        let _ = writeln!(out, "\n{}", section.about);
    }
    for found in &section.functions {
        let _ = write!(out, "\n{}", entry(found, 3));
    }
    out
}
