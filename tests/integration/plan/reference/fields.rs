//! What is documented of arguments is what the functions take: they are called with a field
//! that nobody has, and with values of a type that nothing has.

use std::collections::BTreeSet;

use regex::Regex;
use rootwright::diagnose::Report;
use rootwright::reference::{Entry, Parameter};

use super::{Bench, all_wrong};

/// A field that nothing has.
const NO_FIELD: &str = "zzzzzzzz";
/// A value that nothing takes.
const WRONG: &str = "'c'";

/// Values for what takes more than its type says.
const VALUES: &[(&str, &str)] = &[
    ("distro", r#""debian""#),
    ("release", r#""bookworm""#),
    ("url", r#""https://mirror.example.org/x""#),
    (
        "sha256",
        r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#,
    ),
    ("lint", r#""resolv-conf""#),
    ("tool", r#""frobnicate""#),
    ("host", r#""/srv""#),
    ("path", r#""/a""#),
    ("function", r#""boot_files""#),
];

/// A value of a parameter. `target` leads from it to the place that is to be wrong.
fn value(parameter: &Parameter, target: Option<&[&str]>, variant: usize) -> String {
    if target.is_some_and(<[&str]>::is_empty) {
        return WRONG.to_owned();
    }
    if !parameter.fields.is_empty() {
        let (first, rest) = match target {
            Some([first, rest @ ..]) => (*first, rest),
            _ => ("", &[][..]),
        };
        let mut fields: Vec<String> = parameter
            .fields
            .iter()
            // A hint names its tool in one of two ways.
            .filter(|field| field.required || field.name == first || field.name == "tool")
            .map(|field| {
                let target = (field.name == first).then_some(rest);
                format!("{}: {}", field.name, value(field, target, variant))
            })
            .collect();
        if first == NO_FIELD {
            fields.push(format!("{NO_FIELD}: 1"));
        }
        let map = format!("#{{ {} }}", fields.join(", "));
        return match parameter.kind.as_str() {
            "an array of maps" => format!("[{map}]"),
            _ => map,
        };
    }
    if let Some((_, value)) = VALUES.iter().find(|(name, _)| *name == parameter.name) {
        return (*value).to_owned();
    }
    if let Some(choice) = choices(parameter).get(variant) {
        return text!(r#""{choice}""#, choice);
    }
    match parameter.kind.as_str() {
        "a root" => "root",
        "an export" => r#"bootstrap(#{ distro: "debian", release: "bookworm" }).export(#{ format: "cpio", name: "e" })"#,
        "a path" => r#""/a""#,
        "an array of strings" | "an array of strings or a script" => r#"["a"]"#,
        "permission bits" => "0o644",
        "a map of strings" => r#"#{ A: "a" }"#,
        "a boolean" | "a boolean or a map" => "true",
        kind if kind.starts_with("a number") => "1",
        kind if kind.starts_with("a size") => r#""2G""#,
        "an array" => "[]",
        "a map" | "a function" => "#{}",
        "a string or a fetched file" => {
            r#"fetch("https://mirror.example.org/x", #{ sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" })"#
        }
        "any value" => "1",
        kind if kind.starts_with("a string") || kind.starts_with("a name") => r#""a""#,
        other => panic!("`{other}` of `{}` is a type that the test does not know", parameter.name),
    }
    .to_owned()
}

/// What a required string has to be one of.
fn choices(parameter: &Parameter) -> Vec<String> {
    let quoted = Regex::new(r#"`"([a-z0-9]+)"`"#).unwrap();
    let found: Vec<String> = quoted
        .captures_iter(&parameter.text)
        .map(|found| found[1].to_owned())
        .collect();
    match parameter.required && parameter.kind == "a string" {
        true => found,
        false => Vec::new(),
    }
}

/// A script that calls a function, wrong at one place.
fn script(entry: &Entry, target: &[&str], variant: usize) -> String {
    let wrong = entry
        .params
        .iter()
        .position(|name| name == target[0])
        .unwrap();
    let required = entry.params.len() - entry.optional;
    let arguments: Vec<String> = entry
        .doc
        .parameters
        .iter()
        .enumerate()
        .take(required.max(wrong + 1))
        .map(|(at, parameter)| value(parameter, (at == wrong).then(|| &target[1..]), variant))
        .collect();
    let mut script = String::new();
    if let Some((module, _)) = entry.name.split_once("::") {
        script += &text!(
            r#"import "{module}" as {module};
"#,
            module
        );
    }
    if entry.params.iter().any(|name| name == "root") {
        script += r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
"#;
    }
    script += &format!("{}({});\n", entry.name, arguments.join(", "));
    script
}

struct Probe<'a> {
    bench: &'a Bench,
    entry: &'a Entry,
    variants: usize,
    wrong: Vec<String>,
}

impl Probe<'_> {
    /// The first report for each variant of a call that is wrong at one place.
    fn reports(&self, target: &[&str]) -> Vec<(String, Report)> {
        (0..self.variants)
            .filter_map(|variant| {
                let script = script(self.entry, target, variant);
                let mut reports = self.bench.evaluate(&script, self.entry.access).err()?;
                Some((script, reports.swap_remove(0)))
            })
            .collect()
    }

    fn fields(&mut self, path: &[&str], parameter: &Parameter) {
        if !parameter.fields.is_empty() && parameter.others.is_none() {
            self.names(path, parameter);
        }
        for field in &parameter.fields {
            let mut path = path.to_vec();
            path.push(&field.name);
            self.kind(&path, field);
            self.fields(&path, field);
        }
    }

    /// The fields that are there are those that an error names.
    fn names(&mut self, path: &[&str], parameter: &Parameter) {
        let mut target = path.to_vec();
        target.push(NO_FIELD);
        let mut taken = BTreeSet::new();
        for (script, report) in self.reports(&target) {
            let listed = report
                .help
                .iter()
                .find_map(|help| help.strip_prefix("it has "));
            match listed {
                Some(listed) if report.code == "script::unknown_field" => {
                    taken.extend(listed.split(", ").map(str::to_owned));
                }
                _ => self.wrong.push(format!(
                    "{}: `{script}` says {}: {}",
                    self.entry.name, report.code, report.message
                )),
            }
        }
        let named = parameter.fields.iter().map(|field| field.name.clone());
        let named: BTreeSet<String> = named.collect();
        let of = format!("{}, `{}`", self.entry.name, path.join("."));
        for field in taken.difference(&named) {
            self.wrong
                .push(format!("{of}: the field `{field}` is not documented"));
        }
        for field in named.difference(&taken) {
            self.wrong
                .push(format!("{of}: there is no field `{field}`"));
        }
    }

    /// The type is the one that an error names.
    fn kind(&mut self, path: &[&str], parameter: &Parameter) {
        let kind = parameter.kind.as_str();
        // What takes several types says so in words of its own.
        let open = ["any value", "an array", "a map", "a boolean or a map"];
        if open.contains(&kind) || kind.contains(", a boolean or a list") {
            return;
        }
        let wanted = match kind {
            "a path" | "a string or a secret" | "a string or a fetched file" => "a string",
            "an array of maps" => "a map",
            "a string, or an array of them" => "an array of strings",
            kind => kind,
        };
        let reports = self.reports(path);
        // What is no array at all is told of before its items.
        let array = kind == "an array of strings"
            && reports
                .iter()
                .any(|(_, report)| report.message.contains("has to be an array, and "));
        let has_to_be = format!("has to be {wanted}, and ");
        let either = "has to be a name or a number, and ";
        let said = reports.iter().any(|(_, report)| {
            report.message.contains(&has_to_be)
                || (kind == "a name or a number" && report.message.contains(either))
        });
        // The owner of `set_owner` is a string, or a number.
        let owner = kind == "a name or a number"
            && reports
                .iter()
                .any(|(_, report)| report.message.contains("has to be a string"));
        if !said && !owner && !array {
            let messages: Vec<&str> = reports
                .iter()
                .map(|(_, one)| one.message.as_str())
                .collect();
            self.wrong.push(format!(
                "{}, `{}`: {kind} is documented, and an error says {messages:?}",
                self.entry.name,
                path.join(".")
            ));
        }
    }
}

#[test]
fn fields_and_types_are_those_that_functions_take() {
    let wrong = all_wrong(|entry, bench| {
        let fields = entry
            .doc
            .parameters
            .iter()
            .flat_map(|parameter| &parameter.fields);
        let mut probe = Probe {
            bench,
            entry,
            variants: fields
                .map(|field| choices(field).len())
                .max()
                .unwrap_or(0)
                .max(1),
            wrong: Vec::new(),
        };
        for parameter in &entry.doc.parameters {
            let path = [parameter.name.as_str()];
            // What a function of the stdlib is given, it gives to a built-in.
            if !entry.name.contains("::") {
                probe.kind(&path, parameter);
            }
            probe.fields(&path, parameter);
        }
        probe.wrong
    });
    assert!(
        wrong.is_empty(),
        "{}\n\nThe documentation of a built-in is src/script/builtins/doc/NAME.md.",
        wrong.join("\n")
    );
}
