//! Nothing is left out of the documentation of a function.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;
use rootwright::reference::{Entry, Parameter};

use super::{all_wrong, reference, walk};

/// What the documentation of a function lacks.
fn lacks(entry: &Entry) -> Vec<String> {
    let doc = &entry.doc;
    let mut lacks = doc.problems.clone();
    if doc.summary.is_empty() || !doc.summary.ends_with('.') {
        lacks.push("its first paragraph is no sentence".to_owned());
    }
    if doc.example.is_empty() {
        lacks.push("it has no example".to_owned());
    }
    let names: Vec<&str> = doc.parameters.iter().map(|one| one.name.as_str()).collect();
    if names != entry.params {
        lacks.push(format!(
            "`Parameters` has {names:?}, and the function {:?}",
            entry.params
        ));
        return lacks;
    }
    let required = entry.params.len() - entry.optional;
    for (at, parameter) in doc.parameters.iter().enumerate() {
        let name = &parameter.name;
        if at < required && parameter.default.is_some() {
            lacks.push(format!("`{name}` has to be given, so it has no default"));
        }
        if at >= required && parameter.default.is_none() {
            lacks.push(format!("`{name}` may be left out, and has no default"));
        }
        let is_map = matches!(parameter.kind.as_str(), "a map" | "an array of maps");
        let has_fields = !parameter.fields.is_empty() || parameter.others.is_some();
        if is_map && !has_fields && parameter.kind != "a map of strings" {
            lacks.push(format!("the fields of `{name}` are not said"));
        }
        fields(name, &parameter.fields, &mut lacks);
    }
    lacks
}

fn fields(of: &str, list: &[Parameter], lacks: &mut Vec<String>) {
    for field in list {
        let name = format!("{of}.{}", field.name);
        if field.required == field.default.is_some() {
            lacks.push(format!("`{name}` is neither required nor has a default"));
        }
        if field.text.is_empty() {
            lacks.push(format!("`{name}` has no text"));
        }
        fields(&name, &field.fields, lacks);
    }
}

#[test]
fn every_function_is_documented() {
    let mut lacking = String::new();
    for entry in reference().entries() {
        for lack in lacks(entry) {
            lacking += &format!("{}: {lack}\n", entry.name);
        }
    }
    assert!(
        lacking.is_empty(),
        "{lacking}\nThe form is told in src/reference/form.rs. A built-in's text is `doc`, for which \
         src/recipe/builtins/doc/write_file.md is an example; a function's of the stdlib is the \
         comment above it, as in stdlib/diskless.rhai, or it is marked `private`."
    );
}

#[test]
fn a_text_that_lacks_something_is_found() {
    let mut entry = reference().entries().next().unwrap().clone();
    entry.doc = rootwright::reference::Doc::parse(
        "Does.\n\n## Parameters\n- `name` (a string; default none): x\n- `spec` (a map)\n  - `a` (a string)\n",
    );
    assert_eq!(
        lacks(&entry),
        [
            "it lacks the section `Errors`; `None of its own.` is one, too",
            "it has no example",
            "`name` has to be given, so it has no default",
            "`spec` may be left out, and has no default",
            "`spec.a` is neither required nor has a default",
            "`spec.a` has no text",
        ]
    );
}

#[test]
fn every_example_runs() {
    let wrong = all_wrong(|entry, bench| {
        let done = bench.evaluate(&entry.doc.example, entry.access);
        let reports = done.err().into_iter();
        reports
            .map(|reports| format!("{}: {reports:#?}\n{}", entry.name, entry.doc.example))
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The codes of errors that are named in the source of the built-ins.
fn raised(text: &str) -> BTreeSet<String> {
    let patterns = [
        r#"\.report\(\s*"([a-z_]+)""#,
        r#"\.refuse\(\s*\w+,\s*"([a-z_]+)""#,
        r#"\.refuse\(\s*"[a-z_0-9]+",\s*"([a-z_]+)""#,
        r#"\.refuse_at\([^"]*"([a-z_]+)""#,
        r#""script::([a-z_]+)""#,
        r#"fault::([a-z_]+)\("#,
    ];
    let mut found = BTreeSet::new();
    for pattern in patterns {
        let pattern = Regex::new(pattern).unwrap();
        found.extend(pattern.captures_iter(text).map(|found| found[1].to_owned()));
    }
    found
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

#[test]
fn errors_are_documented_and_are_there() {
    let reference = reference();
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let all: String = walk(&base)
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let mut documented: BTreeSet<String> = BTreeSet::new();
    for (code, _) in rootwright::reference::ERRORS_OF_ALL {
        documented.insert((*code).to_owned());
    }
    for entry in reference.entries() {
        for error in &entry.doc.errors {
            let (area, last) = error.code.rsplit_once("::").unwrap();
            // The code of an error type's variant is made of the variant's name.
            let variant: String = last.split('_').map(capitalized).collect();
            let is_there = all.contains(&format!("\"{}\"", error.code))
                || all.contains(&text!(r#""{last}""#, last))
                || all.contains(&format!("fault::{last}("))
                // A hint's errors are those of the script that declares it.
                || [area, "hint"].iter().any(|area| {
                    all.contains(&text!(r#"prefix = "{area}::""#, area))
                        && all.contains(&format!("\n    {variant}"))
                });
            assert!(is_there, "{}: nothing says `{}`", entry.name, error.code);
            documented.insert(error.code.clone());
        }
    }
    // What the interpreter itself is to blame for.
    documented.insert("script::no_session".to_owned());
    for path in walk(&base.join("recipe/builtins")) {
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        for code in raised(&std::fs::read_to_string(&path).unwrap()) {
            assert!(
                documented.contains(&format!("script::{code}")),
                "{} says `script::{code}`, and no function has it below `## Errors`",
                path.display()
            );
        }
    }
}
