//! `capture` and `secret`: values that the plan does not hold.

use rhai::Dynamic;

use super::{Typed, run};
use crate::plan::{
    self, Captured, CapturedOutput, Part, RootId, RunPlace, policy, secret_variable,
};
use crate::recipe::args::{Call, Result, is_name};
use crate::recipe::capture_slot::CaptureCall;

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone capture(root, command, [opts]) => capture,
    Everyone secret(name, [opts]) => secret,
];

fn capture(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let (run, fields) = run::in_root(call, root, RunPlace::Root)?;
    let preview = fields.text("preview")?;
    fields.finish()?;
    // Its steps run before the whole plan is known: nothing runs that policy refuses.
    let permissions = call.session.settings.permissions;
    let refused = policy::refusals(&call.plan(), permissions);
    if let Some(report) = refused.into_iter().next() {
        return Err(report);
    }
    if call.session.plan.step_is_open() {
        return Err(call.report(
            "capture_in_step",
            "`capture` cannot run inside of another built-in",
        ));
    }
    let command = run.command.clone();
    let asked = CaptureCall {
        plan: call.plan().clone(),
        root,
        run,
        preview,
        calls: call.chain(),
        sources: call.session.modules.sources(),
    };
    let captured = call
        .session
        .budget
        .pause(|| call.session.captures.ask(asked))?;
    let without_break = |text: String| match text.strip_suffix('\n') {
        Some(text) => text.to_owned(),
        None => text,
    };
    let captured = match captured {
        Captured::Built(text) => Captured::Built(without_break(text)),
        Captured::Remembered(text) => Captured::Remembered(without_break(text)),
        Captured::Preview(text) => Captured::Preview(without_break(text)),
    };
    let output = captured.output().to_owned();
    let mut plan = call.plan_mut();
    plan.captures.push(CapturedOutput { command, captured });
    Ok(output.into())
}

fn secret(call: &Call<'_>) -> Result<Dynamic> {
    let name = call.text(0)?;
    if !is_name(&name, "_-") {
        let message = format!("`{name}` is no name for a secret");
        let report = call.refuse(0, "secret_name", message);
        return Err(report.help("a name has letters, digits, `_` and `-`"));
    }
    call.requires(None, plan::Access::Secret { name: name.clone() });
    let variable = secret_variable(&name);
    let mut secrets = call.session.plan.secrets.borrow_mut();
    let known = secrets.entry(variable).or_insert_with(|| name.clone());
    if *known != name {
        let message = format!("the secrets `{known}` and `{name}` have the same variable");
        let report = call.refuse(0, "secret_variable", message);
        return Err(report
            .cause(format!(
                "`{}` would be the value of both",
                secret_variable(&name)
            ))
            .help("use names that differ in more than case, `-`, and `_`"));
    }
    let fields = call.fields(1)?;
    let trim = fields.bool("trim")?.unwrap_or(false);
    fields.finish()?;
    let part = match trim {
        true => Part::SecretLine(name),
        false => Part::Secret(name),
    };
    Ok(Dynamic::from(Typed::of(part)))
}
