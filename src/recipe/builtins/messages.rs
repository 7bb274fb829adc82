//! Messages, failures, known causes, and checks of named arguments for scripts.

use std::str::FromStr;

use rhai::{Dynamic, Map};

use crate::diagnose::{Declaration, Hint, Report};
use crate::plan::{Message, MessageLevel};
use crate::recipe::args::{Call, Fields, Result};
use crate::recipe::plan_builder::add_new;
use crate::recipe::shape::Shape;

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone log(message) => |call| message(call, MessageLevel::Log),
    Everyone warn(message) => |call| message(call, MessageLevel::Warn),
    Everyone fail(message, [opts]) => fail,
    Everyone hint(spec) => hint,
    Everyone fields(of, given, spec) => fields,
];

fn message(call: &Call<'_>, level: MessageLevel) -> Result<Dynamic> {
    let text = call.text(0)?;
    let calls = call.chain();
    let message = Message { level, text, calls };
    add_new(&mut call.plan_mut().messages, message);
    Ok(Dynamic::UNIT)
}

fn fail(call: &Call<'_>) -> Result<Dynamic> {
    let message = call.text(0)?;
    let opts = call.fields(1)?;
    let cause = opts.text("cause")?;
    let help = opts.strings("help")?.unwrap_or_default();
    let field = opts.text("field")?;
    opts.finish()?;
    let mut report = match field {
        Some(field) => Fields::of(call, "fail", Map::new()).refuse(&field, "fail", message),
        None => call.report("fail", message),
    };
    report.cause = cause;
    report.help = help;
    Err(report)
}

fn hint(call: &Call<'_>) -> Result<Dynamic> {
    let fields = call.fields(0)?;
    let mut tools = fields.strings("tools")?.unwrap_or_default();
    tools.extend(fields.text("tool")?);
    if tools.is_empty() {
        return Err(fields.missing("tool"));
    }
    let pattern = fields.required_text("pattern")?;
    fields.pattern("pattern", &pattern)?;
    let unless = fields.text("unless")?;
    let cause = fields.required_text("cause")?;
    let help = fields.required_text("help")?;
    let origin = call
        .chain()
        .last()
        .map(|frame| frame.span.to_string())
        .unwrap_or_default();
    let hint = Hint::new(Declaration {
        tools,
        pattern,
        unless,
        cause,
        help,
        origin,
    })
    .map_err(|error| {
        let mut report = fields.refuse(error.field(), error.code(), error.to_string());
        report.help.clone_from(&Report::from(error).help);
        report
    })?;
    fields.finish()?;
    let mut hints = call.session.hints.borrow_mut();
    // A module's top level runs more than once.
    if !hints.iter().any(|known| known.origin == hint.origin) {
        hints.push(hint);
    }
    Ok(Dynamic::UNIT)
}

fn fields(call: &Call<'_>) -> Result<Dynamic> {
    let of = call.text(0)?;
    let value = call.arg(1);
    if !value.is_map() && !value.is_unit() {
        // `dracut.overlay` is the field `overlay` of what `dracut` was given.
        let (outer, field) = of.rsplit_once('.').unwrap_or((of.as_str(), "spec"));
        let fields = Fields::of(call, outer, Map::new());
        return Err(fields.wrong(field, "a map", &value));
    }
    let mut given = call.map(1)?;
    let spec = call.map(2)?;
    let fields = Fields::of(call, &of, given.clone());
    let mut shaped = Vec::new();
    for (name, kind) in &spec {
        let kind = kind.clone().into_string().unwrap_or_default();
        let (kind, optional) = match kind.strip_suffix('?') {
            Some(kind) => (kind, true),
            None => (kind.as_str(), false),
        };
        let value = fields.get(name);
        let Some(value) = value else {
            if optional {
                given.insert(name.clone(), Dynamic::UNIT);
                continue;
            }
            // Names that come later in the spec are known too.
            for other in spec.keys() {
                let _ = fields.get(other);
            }
            return Err(fields.missing(name));
        };
        match kind {
            "text" => fields.secret_text(name).map(drop)?,
            "bool" => fields.bool(name).map(drop)?,
            "array" => fields.array(name).map(drop)?,
            "string" | "line" | "word" | "url" => {
                let text = fields.text(name)?.unwrap_or_default();
                shaped.extend(Shape::from_str(kind).map(|shape| (name, shape, vec![text])));
            }
            "strings" | "words" | "urls" => {
                let list = fields.strings(name)?.unwrap_or_default();
                given.insert(name.clone(), list.clone().into());
                let shape = Shape::from_str(kind.trim_end_matches('s'));
                shaped.extend(shape.map(|shape| (name, shape, list)));
            }
            "number" if !value.is_int() => return Err(fields.wrong(name, "a number", &value)),
            "map" if !value.is_map() => return Err(fields.wrong(name, "a map, `#{ … }`", &value)),
            "number" | "map" | "any" => {}
            other => {
                return Err(call.report("wrong_type", format!("`fields` knows no type `{other}`")));
            }
        }
    }
    fields.finish()?;
    let fields = Fields::of(call, &of, given.clone());
    for (name, shape, texts) in shaped {
        let Some((message, help)) = texts.iter().find_map(|text| shape.fault(text)) else {
            continue;
        };
        let message = format!("the field `{name}`: {message}");
        return Err(fields.refuse(name, "unsafe_text", message).help(help));
    }
    Ok(given.into())
}
