//! The top of the script: what it is, and what it needs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::shell_words::word;
use super::super::text::secrets;
use super::script::comment;
use crate::plan::{NeedKind, Plan, secret_variable};

/// The comment above everything.
pub fn comments(plan: &Plan) -> String {
    let mut text = String::new();
    if !plan.recipe.title.is_empty() {
        let _ = writeln!(text, "{}\n", plan.recipe.title);
    }
    let _ = writeln!(
        text,
        "Made by rootwright {} from {}, and runs without rootwright:\n\n    \
         sudo bash SCRIPT [OUT_DIR]\n\n\
         The root is made in a scratch directory, step by step as the recipe says; the\n\
         exports appear in OUT_DIR (default: out), complete or not at all. All mounts are\n\
         in a namespace of this script and end with it. In the environment:\n\n    \
         WORK    where the scratch directory is made (default: OUT_DIR)\n    \
         KEEP    if not empty, the scratch directory is kept",
        plan.rootwright, plan.recipe.path
    );
    let secrets = secrets(plan);
    if !secrets.is_empty() {
        text.push_str(
            "    SECRETS a folder with a file for each secret, named like the secret: its bytes are\n            \
             the value; a secret without a file is taken from its variable:\n",
        );
    }
    for name in &secrets {
        let variable = secret_variable(name);
        let _ = writeln!(text, "    {variable}    the secret `{name}`");
    }
    if !secrets.is_empty() {
        text.push_str("No variable can hold a NUL byte, or more than 128 KiB.\n");
    }
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(text, "\n{title}:");
            for line in lines {
                let _ = writeln!(text, "    {}", line.replace('\n', " "));
            }
        }
    };
    let options = plan.options.iter().map(|option| {
        let given = if option.given { "given" } else { "default" };
        format!("{} = {} ({given})", option.name, option.value)
    });
    section("Options", options.collect());
    let assumed = plan.assumptions.iter();
    let assumed = assumed.map(|a| format!("{} = {} ({})", a.what, a.value, a.from));
    section("Assumed", assumed.collect());
    let captured = plan.captures.iter();
    let captured = captured.map(|c| format!("{} ({})", c.describe(), c.captured.origin()));
    section("Captured", captured.collect());
    let inputs = plan.inputs.iter();
    let inputs = inputs.map(|input| format!("{} = {}", input.name(), input.value()));
    section("Inputs", inputs.collect());
    let messages = plan.messages.iter().map(|message| message.text.clone());
    section("Messages", messages.collect());
    let boots = plan.boots();
    let boots = boots.map(|boot| format!("rootwright boot OUT_DIR/{}", boot.export));
    section("Left out: a script boots no exports", boots.collect());
    format!("#!/usr/bin/env bash\n#\n{}", comment(&text, ""))
}

/// Arguments and needs; everything that is missing is said at once.
pub fn checks(plan: &Plan, tools: &[(String, String)]) -> String {
    let mut out = String::from("set -euo pipefail\nbegin \"$@\"\n");
    for (tool, why) in tools {
        let _ = writeln!(out, "need {} {}", word(tool), word(why));
    }
    for name in secrets(plan) {
        let variable = secret_variable(&name);
        let _ = writeln!(out, "need_secret {variable} {}", word(&name));
    }
    out.push_str("enter \"$@\"\n");
    for name in secret_variables(plan) {
        let variable = secret_variable(&name);
        let _ = writeln!(out, "load_secret {variable} {}", word(&name));
    }
    out
}

/// The secrets that commands get in variables.
pub fn secret_variables(plan: &Plan) -> BTreeSet<String> {
    let actions = plan.steps.iter().flat_map(|step| &step.actions);
    let runs = actions.filter_map(|action| action.op.run());
    let texts = runs.flat_map(|run| run.env.values());
    texts
        .flat_map(|text| text.secrets().map(str::to_owned))
        .collect()
}

/// The plan's needs as programs and paths, each with what it is for.
pub fn needs(plan: &Plan) -> Vec<(String, String)> {
    plan.needs
        .iter()
        .map(|need| {
            let packages = need.packages.iter();
            let packages: Vec<String> = packages
                .map(|(family, package)| format!("{package} on {family}"))
                .collect();
            let why = match packages.is_empty() {
                true => need.why.clone(),
                false => format!("{} (package {})", need.why, packages.join(", ")),
            };
            let name = match need.kind {
                NeedKind::File if !need.name.contains('/') => format!("./{}", need.name),
                NeedKind::File | NeedKind::Tool => need.name.clone(),
            };
            (name, why)
        })
        .collect()
}
