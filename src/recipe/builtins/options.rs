//! `option`: the inputs of a recipe.

use crate::recipe::reports;
use regex::Regex;
use rhai::Dynamic;
use serde_json::Value;

use crate::plan::{OptionValue, option_text};
use crate::project;
use crate::recipe::args::{Call, Fields, Result};
use crate::recipe::session::Session;
use crate::recipe::{nearest, patterns};

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone option(name, [spec]) => option,
];

#[derive(Clone, Copy, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
enum OptionType {
    #[strum(serialize = "string")]
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

/// What the values of an option may be.
struct AllowedValues {
    kind: OptionType,
    /// Any where there are none.
    choices: Vec<Value>,
    /// As the recipe writes it, and what the whole of a value has to match.
    pattern: Option<(String, Regex)>,
}

impl AllowedValues {
    /// Whether a value, of a list every item, is one of the choices.
    fn is_choice(&self, value: &Value) -> bool {
        self.choices.is_empty() || items(value).iter().all(|item| self.choices.contains(item))
    }

    /// What was given for the option `name`, as a value.
    fn read(&self, call: &Call<'_>, name: &str, text: &str) -> Result<Value> {
        let refuse = |why: String| {
            let message = format!("`{text}` is no value of the option `{name}`");
            call.report("bad_option_value", message).help(why)
        };
        let value = self.kind.parse(text);
        let value = value.ok_or_else(|| refuse(format!("it wants {}", self.kind.words())))?;
        if !self.is_choice(&value) {
            let words: Vec<String> = self.choices.iter().map(option_text).collect();
            let report = refuse(format!("it is one of {}", words.join(", ")));
            return Err(match nearest(text, words.iter().map(String::as_str)) {
                Some(near) => report.help(format!("did you mean `-o {name}={near}`?")),
                None => report,
            });
        }
        if let Some((pattern, whole)) = &self.pattern
            && !items(&value)
                .iter()
                .all(|item| whole.is_match(&option_text(item)))
        {
            return Err(refuse(format!("it has to match `{pattern}`")));
        }
        Ok(value)
    }
}

/// The items of a list; what is none is one item.
fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        one => std::slice::from_ref(one),
    }
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
        .map(|pattern| -> Result<_> {
            fields.pattern("pattern", &pattern)?;
            let whole = patterns::compiled(&format!("^(?:{pattern})$"))
                .map_err(|error| fields.refuse("pattern", "bad_pattern", error.to_string()))?;
            Ok((pattern, whole))
        })
        .transpose()?;
    let choices: Option<Vec<Value>> = choices.iter().map(to_json).collect();
    let choices = choices.ok_or_else(|| {
        let message = "`choices` of `option` has to be an array of strings, numbers or booleans";
        fields.refuse("choices", "wrong_type", message)
    })?;
    let allowed = AllowedValues {
        kind,
        choices,
        pattern,
    };
    let declared = call.plan().options.iter().any(|o| o.name == name);
    if declared {
        let message = format!("the option `{name}` is declared twice");
        let report = call.refuse(0, "duplicate", message);
        return Err(report.help("declare it once, and keep its value in a variable"));
    }
    let default = default.as_ref().and_then(to_json);
    if let Some(default) = &default
        && !allowed.is_choice(default)
    {
        let words: Vec<String> = allowed.choices.iter().map(option_text).collect();
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
        choices: allowed.choices.clone(),
    });
    let given = given(call.session, &name);
    let recipe = call.plan().recipe.path.clone();
    let policy = &call.session.settings.project;
    let of_site = match given {
        Some(_) => None,
        None => policy.option(recipe.as_ref(), &name).map(str::to_owned),
    };
    let value = match (given.as_ref().or(of_site.as_ref()), default) {
        (Some(text), _) => allowed
            .read(call, &name, text)
            .map_err(|report| match of_site {
                Some(_) => report.help("the value stands in `[options]` of rootwright.toml"),
                None => report,
            })?,
        (None, Some(default)) => default,
        (None, None) => {
            let message = format!("the recipe needs the option `{name}`");
            let report = call.report("option_missing", message);
            let words = match help.as_str() {
                "" => kind.words(),
                help => help,
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
    if let Some(name) = fields.text("type")? {
        return name.parse().map_err(|_| {
            let message = format!("`{name}` is no type of an option");
            let report = fields.refuse("type", "bad_option", message);
            report.help("the types are `string`, `number`, `boolean` and `list`")
        });
    }
    let Some(value) = default.or(choices.first()) else {
        return Ok(OptionType::Text);
    };
    OptionType::of(value).ok_or_else(|| {
        let given = default.cloned().unwrap_or_default();
        let wanted = "a string, a number, a boolean or a list";
        let report = fields.wrong("default", wanted, &given);
        report.help("what belongs together is an option for each value")
    })
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
    let report = reports::unknown_option(format!("the recipe has no option `{unknown}`"));
    let has = match taken.is_empty() {
        true => "it declares no options".to_owned(),
        false => format!("it has {}", taken.join(", ")),
    };
    Err(report.help_near(unknown, taken, has))
}
