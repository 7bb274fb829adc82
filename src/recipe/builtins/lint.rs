//! What a recipe says to the lints.

use rhai::Dynamic;

use crate::plan::{Allowed, RootId};
use crate::recipe::args::{Call, Result};
use crate::recipe::stdlib::Stdlib;

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone allow_lint(root, lint, reason, [opts]) => allow,
];

fn allow(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let (lint, reason) = (call.text(1)?, call.text(2)?);
    let opts = call.fields(3)?;
    let path = opts.text("path")?;
    opts.finish()?;
    let known = names(&call.session.stdlib());
    if !known.contains(&lint) {
        let report = call.report("no_lint", format!("there is no lint `{lint}`"));
        return Err(report.help_near(&lint, known, "`rootwright lint --list` has them all"));
    }
    if reason.trim().is_empty() {
        let message = format!("`{lint}` is allowed without a reason");
        let report = call.report("no_reason", message);
        return Err(report.help("say why it does no harm here; whoever looks at the root reads it"));
    }
    let calls = call.chain();
    let mut plan = call.plan_mut();
    if let Some(root) = plan.roots.iter_mut().find(|known| known.id == root) {
        root.allowed.push(Allowed {
            lint,
            path,
            reason,
            calls,
        });
    }
    Ok(Dynamic::UNIT)
}

/// The names of the lints in the stdlib's tables.
fn names(stdlib: &Stdlib) -> Vec<String> {
    let mut names = Vec::new();
    for file in stdlib.list("lint") {
        let table = stdlib
            .text(&file)
            .and_then(|text| text.parse::<toml::Table>().ok());
        let lints = table
            .as_ref()
            .and_then(|table| table.get("lint")?.as_array());
        for lint in lints.into_iter().flatten() {
            let name = lint.get("name").and_then(toml::Value::as_str);
            names.extend(name.map(str::to_owned));
        }
    }
    names
}
