//! `option`: the inputs of a recipe.

use crate::recipe::fault;
use rhai::Dynamic;
use serde_json::Value;

use super::Builtin;
use crate::diagnose::Report;
use crate::plan::{OptionValue, option_text};
use crate::project;
use crate::recipe::args::{Call, Fields, Result};
use crate::recipe::session::Session;
use crate::recipe::{nearest, patterns};

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone option(name, [spec]) => option,
];

#[derive(Clone, Copy, PartialEq)]
enum OptionType {
    Text,
    Number,
    Boolean,
    List,
}

impl OptionType {
    fn words(self) -> &'static str {
        match self {
            OptionType::Text => "a string",
            OptionType::Number => "a number",
            OptionType::Boolean => "`true` or `false`",
            OptionType::List => "a list, its items separated by commas",
        }
    }

    fn of(value: &Dynamic) -> Option<OptionType> {
        if value.is_string() {
            Some(OptionType::Text)
        } else if value.is_int() {
            Some(OptionType::Number)
        } else if value.is_bool() {
            Some(OptionType::Boolean)
        } else if value.is_array() {
            Some(OptionType::List)
        } else {
            None
        }
    }

    fn parse(self, text: &str) -> Option<Value> {
        match self {
            OptionType::Text => Some(text.into()),
            OptionType::Number => text.parse::<i64>().ok().map(Value::from),
            OptionType::Boolean => match text {
                "true" | "yes" | "on" | "1" => Some(true.into()),
                "false" | "no" | "off" | "0" => Some(false.into()),
                _ => None,
            },
            OptionType::List => {
                let items = text
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty());
                Some(items.map(Value::from).collect())
            }
        }
    }
}

/// What the whole of a value has to match.
struct ValuePattern {
    /// As the recipe writes it.
    pattern: String,
    whole: regex::Regex,
}

fn option(call: &Call<'_>) -> Result<Dynamic> {
    let name = call.text(0)?;
    let fields = call.fields(1)?;
    let default = fields.get("default");
    let choices = fields.array("choices")?.unwrap_or_default();
    let help = fields.text("help")?.unwrap_or_default();
    let pattern = fields.text("pattern")?;
    let kind = kind(&fields, default.as_ref(), &choices)?;
    let pattern = pattern
        .map(|pattern| -> Result<ValuePattern> {
            fields.pattern("pattern", &pattern)?;
            let whole = patterns::compiled(&format!("^(?:{pattern})$"))
                .map_err(|error| fields.refuse("pattern", "bad_pattern", error.to_string()))?;
            Ok(ValuePattern { pattern, whole })
        })
        .transpose()?;
    let choices: Vec<Value> = choices
        .iter()
        .map(to_json)
        .collect::<Option<_>>()
        .ok_or_else(|| {
            fields.refuse(
                "choices",
                "wrong_type",
                "`choices` of `option` has to be an array of strings, numbers or booleans",
            )
        })?;
    let declared = call.plan().options.iter().any(|o| o.name == name);
    if declared {
        let message = format!("the option `{name}` is declared twice");
        let report = call.refuse(0, "duplicate", message);
        return Err(report.help("declare it once, and keep its value in a variable"));
    }
    let default = default.as_ref().and_then(to_json);
    // Of a list, every item is one of the choices.
    let is_choice = |value: &Value| match value {
        Value::Array(items) => items.iter().all(|item| choices.contains(item)),
        value => choices.contains(value),
    };
    if let Some(default) = &default
        && !choices.is_empty()
        && !is_choice(default)
    {
        let words: Vec<String> = choices.iter().map(option_text).collect();
        let message = format!("the default of `{name}` is not one of its choices");
        let report = fields.refuse("default", "bad_option", message);
        return Err(report.help(format!("the choices are {}", words.join(", "))));
    }
    fields.finish()?;

    // It is declared whatever is wrong with its value.
    let place = call.plan().options.len();
    call.plan_mut().options.push(OptionValue {
        name: name.clone(),
        value: default.clone().unwrap_or_default(),
        given: false,
        from: None,
        help: help.clone(),
        choices: choices.clone(),
    });
    let given = given(call.session, &name);
    let recipe = call.plan().recipe.path.clone();
    let policy = &call.session.settings.project;
    let of_site = match given {
        Some(_) => None,
        None => policy.option(recipe.as_ref(), &name).map(str::to_owned),
    };
    let value = match (given.as_ref().or(of_site.as_ref()), default) {
        (Some(text), _) => {
            let checked = kind
                .parse(text)
                .ok_or_else(|| bad_value(call, &name, text, format!("it wants {}", kind.words())))
                .and_then(|value| {
                    check_value(call, &name, text, &value, &choices, pattern.as_ref())?;
                    Ok(value)
                });
            checked.map_err(|report| match of_site {
                Some(_) => report.help("the value stands in `[options]` of rootwright.toml"),
                None => report,
            })?
        }
        (None, Some(default)) => default,
        (None, None) => {
            let message = format!("the recipe needs the option `{name}`");
            let report = call.report("option_missing", message);
            let words = if help.is_empty() {
                kind.words()
            } else {
                help.as_str()
            };
            return Err(report.help(format!("say `-o {name}=…`: {words}")));
        }
    };
    let dynamic = rhai::serde::to_dynamic(&value).unwrap_or(Dynamic::UNIT);
    if let Some(option) = call.plan_mut().options.get_mut(place) {
        option.value = value;
        option.given = given.is_some();
        option.from = of_site.map(|_| project::FILE.to_owned());
    }
    Ok(dynamic)
}

fn kind(fields: &Fields<'_>, default: Option<&Dynamic>, choices: &[Dynamic]) -> Result<OptionType> {
    let named = fields.text("type")?;
    let found = match (named.as_deref(), default.or(choices.first())) {
        (Some("string"), _) => Some(OptionType::Text),
        (Some("number"), _) => Some(OptionType::Number),
        (Some("boolean"), _) => Some(OptionType::Boolean),
        (Some("list"), _) => Some(OptionType::List),
        (Some(other), _) => {
            let message = format!("`{other}` is no type of an option");
            let report = fields.refuse("type", "bad_option", message);
            return Err(report.help("the types are `string`, `number`, `boolean` and `list`"));
        }
        (None, Some(value)) => OptionType::of(value),
        (None, None) => Some(OptionType::Text),
    };
    found.ok_or_else(|| {
        let given = default.cloned().unwrap_or_default();
        let wanted = "a string, a number, a boolean or a list";
        let report = fields.wrong("default", wanted, &given);
        report.help("what belongs together is an option for each value")
    })
}

fn check_value(
    call: &Call<'_>,
    name: &str,
    text: &str,
    value: &Value,
    choices: &[Value],
    pattern: Option<&ValuePattern>,
) -> Result<()> {
    let items: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        value => vec![value],
    };
    if !choices.is_empty() && !items.iter().all(|item| choices.contains(item)) {
        let words: Vec<String> = choices.iter().map(option_text).collect();
        let mut report = bad_value(
            call,
            name,
            text,
            format!("it is one of {}", words.join(", ")),
        );
        if let Some(near) = nearest(text, words.iter().map(String::as_str)) {
            report = report.help(format!("did you mean `-o {name}={near}`?"));
        }
        return Err(report);
    }
    if let Some(pattern) = pattern
        && !items
            .iter()
            .all(|item| pattern.whole.is_match(&option_text(item)))
    {
        let shown = &pattern.pattern;
        return Err(bad_value(
            call,
            name,
            text,
            format!("it has to match `{shown}`"),
        ));
    }
    Ok(())
}

fn bad_value(call: &Call<'_>, name: &str, text: &str, why: String) -> Report {
    call.report(
        "bad_option_value",
        format!("`{text}` is no value of the option `{name}`"),
    )
    .help(why)
}

fn given(session: &Session, name: &str) -> Option<String> {
    let options = &session.settings.options;
    let found = options.iter().rev().find(|(given, _)| given == name);
    found.map(|(_, value)| value.clone())
}

fn to_json(value: &Dynamic) -> Option<Value> {
    rhai::serde::from_dynamic::<Value>(value).ok()
}

/// Refuses options that were given and that the recipe never declared.
pub fn check_given(session: &Session) -> Result<()> {
    if session.settings.shared_options {
        return Ok(());
    }
    let plan = session.plan.borrow();
    let mut taken: Vec<&str> = plan.options.iter().map(|o| o.name.as_str()).collect();
    taken.sort_unstable();
    let mut given = session.settings.options.iter();
    let Some((unknown, _)) = given.find(|(name, _)| !taken.contains(&name.as_str())) else {
        return Ok(());
    };
    let report = fault::unknown_option(format!("the recipe has no option `{unknown}`"));
    let has = match taken.is_empty() {
        true => "it declares no options".to_owned(),
        false => format!("it has {}", taken.join(", ")),
    };
    Err(report.help_near(unknown, taken, has))
}
