//! Arguments by name: the fields of a map.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rhai::{Array, Dynamic, Map};

use super::args::{COMMAND, STRINGS, as_command, as_mode, as_plain, as_strings, as_text};
use super::call::{Call, Result};
use super::spans::{self, Step};
use super::type_names::type_words;
use super::{nearest, patterns};
use crate::diagnose::Report;
use crate::plan::{Command, Text};

/// The fields of a map, each read once by its name; [`Fields::finish`] refuses the rest.
pub struct Fields<'a> {
    call: &'a Call<'a>,
    /// Whose fields they are, for messages.
    of: String,
    /// Where the map stands in the call; empty where a script checks a map of its own.
    base: Vec<Step>,
    map: Map,
    known: RefCell<Vec<String>>,
}

impl<'a> Fields<'a> {
    /// Fields of a map that a script checks, in the name of `of`.
    pub fn of(call: &'a Call<'a>, of: &str, map: Map) -> Fields<'a> {
        Fields::at(call, of, map, Vec::new())
    }

    /// Fields of a map that stands where `base` leads in the call.
    pub fn at(call: &'a Call<'a>, of: &str, map: Map, base: Vec<Step>) -> Fields<'a> {
        Fields {
            call,
            of: of.to_owned(),
            base,
            map,
            known: RefCell::default(),
        }
    }

    /// An error about a field, with words where it is written.
    fn labelled(&self, name: &str, code: &str, message: String, label: &str) -> Report {
        let path = self.place(name);
        let report = self.call.labelled(&path, code, message, label);
        self.focused(report, name, label)
    }

    /// Takes a field out by name; `None` where it is absent or `()`.
    pub fn get(&self, name: &str) -> Option<Dynamic> {
        self.known.borrow_mut().push(name.to_owned());
        self.map.get(name).filter(|value| !value.is_unit()).cloned()
    }

    fn typed<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&Dynamic) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        read(&value)
            .map(Some)
            .ok_or_else(|| self.wrong(name, wanted, &value))
    }

    /// Where a field stands in the call.
    pub fn place(&self, name: &str) -> Vec<Step> {
        let mut place = self.base.clone();
        place.push(Step::Field(name.to_owned()));
        place
    }

    pub fn wrong(&self, name: &str, wanted: &str, given: &Dynamic) -> Report {
        let path = self.place(name);
        let report = self.call.wrong_value(&self.of, name, &path, wanted, given);
        let label = format!("this is {}", type_words(given.type_name()));
        self.focused(report, name, &label)
    }

    /// An error about a field that has the right type and a value that will not do.
    pub fn refuse(&self, name: &str, code: &str, message: impl Into<String>) -> Report {
        self.labelled(name, code, message.into(), "")
    }

    /// Underlines a field of a map that a script checks: in the first call of the chain
    /// that has such a field written in it.
    fn focused(&self, report: Report, name: &str, label: &str) -> Report {
        if !self.base.is_empty() {
            return report;
        }
        let session = self.call.session;
        let focus = report.trace.iter().find_map(|frame| {
            let file = &frame.span.file;
            let scan = session.modules.scan(file)?;
            let mut path: Vec<&str> = self.of.split('.').skip(1).collect();
            path.push(name);
            let found = spans::field(&scan, &scan.range(&frame.span)?, &path)?;
            Some(scan.span(file, &found))
        });
        let drawn = report.trace.first().map(|frame| frame.span.file.clone());
        let focus = focus.filter(|span| Some(&span.file) == drawn.as_ref());
        match focus {
            Some(span) if label.is_empty() => report.focus(Some(span)),
            Some(span) => report.focus(Some(span)).label(label),
            None => report,
        }
    }

    pub fn text(&self, name: &str) -> Result<Option<String>> {
        self.typed(name, "a string", as_plain)
    }

    pub fn required_text(&self, name: &str) -> Result<String> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    pub fn missing(&self, name: &str) -> Report {
        // A required field that is missing beside one that is nearly it is a typo.
        let known = self.known.borrow();
        let others = self.map.keys().map(|key| key.as_str());
        let typo = nearest(name, others.filter(|key| !known.iter().any(|k| k == key)));
        if self.map.contains_key(name) {
            let message = format!("`{name}` of `{}` is nothing, `()`", self.of);
            let report = self.labelled(name, "missing_field", message, "this is nothing");
            return report.help(
                "`replace`, `trim`, `push` and such change a value in place, and give nothing: call them on a line of their own",
            );
        }
        let message = format!("`{}` needs the field `{name}`", self.of);
        if let Some(typo) = typo {
            let report = self.labelled(typo, "missing_field", message, "this is no field");
            return report.help(format!("is `{typo}` meant to be `{name}`?"));
        }
        let report = self.call.refuse_at(&self.base, "missing_field", message);
        report.help(format!("add `{name}: …` to the map"))
    }

    /// Refuses a pattern that is no regular expression.
    pub fn pattern(&self, name: &str, pattern: &str) -> Result<()> {
        let Err(error) = patterns::compiled(pattern) else {
            return Ok(());
        };
        // The crate's own message shows the pattern anew; its last line says what is wrong.
        let text = error.to_string();
        let why = text.lines().last().unwrap_or_default();
        let why = why.strip_prefix("error: ").unwrap_or(why);
        let message = format!("`{name}` is no regular expression: {why}");
        let report = self.refuse(name, "bad_pattern", message);
        Err(report.help(
            "before `.`, `(`, `[`, `*`, `+`, `?` and such, a backslash makes them mean themselves: `\\\\(`",
        ))
    }

    pub fn secret_text(&self, name: &str) -> Result<Option<Text>> {
        self.typed(name, "a string", as_text)
    }

    pub fn strings(&self, name: &str) -> Result<Option<Vec<String>>> {
        self.typed(name, STRINGS, as_strings)
    }

    /// A command; see [`Call::command`].
    pub fn command(&self, name: &str) -> Result<Option<Command>> {
        let command = self.typed(name, COMMAND, as_command)?;
        if let Some(command) = &command {
            self.call.check_command(command, &self.place(name))?;
        }
        Ok(command)
    }

    /// A path inside of the root: absolute, without NUL.
    pub fn path(&self, name: &str) -> Result<Option<String>> {
        let path = self.text(name)?;
        if let Some(path) = &path {
            self.call.check_path(path, &self.place(name))?;
        }
        Ok(path)
    }

    /// The maps of a list, or the one map; none where the field is absent.
    pub fn maps(&self, name: &str, form: &str) -> Result<Vec<Fields<'a>>> {
        match self.get(name) {
            Some(value) => maps(self.call, (&self.of, name), self.place(name), form, &value),
            None => Ok(Vec::new()),
        }
    }

    pub fn bool(&self, name: &str) -> Result<Option<bool>> {
        self.typed(name, "a boolean", |value| value.as_bool().ok())
    }

    /// A whole number, at least `least`.
    pub fn number(&self, name: &str, least: u64) -> Result<Option<u64>> {
        let wanted = format!("a number from {least} on");
        let Some(number) = self.typed(name, &wanted, |value| value.as_int().ok())? else {
            return Ok(None);
        };
        let enough = u64::try_from(number).ok().filter(|number| *number >= least);
        enough.map(Some).ok_or_else(|| {
            let of = &self.of;
            let message = format!("`{name}` of `{of}` has to be {least} or more, and is {number}");
            let report = self.refuse(name, "number", message);
            report.help(format!("give {wanted}"))
        })
    }

    /// Bytes: a number, or one with `K`, `M`, `G` or `T` after it.
    pub fn size(&self, name: &str) -> Result<Option<u64>> {
        self.typed(name, "a size such as `\"2G\"`", |value| {
            if let Ok(number) = value.as_int() {
                return u64::try_from(number).ok().filter(|number| *number > 0);
            }
            let text = value.clone().into_string().ok()?;
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let shift = match text.get(digits.len()..)? {
                "" => 0,
                "K" => 10,
                "M" => 20,
                "G" => 30,
                "T" => 40,
                _ => return None,
            };
            let number: u64 = digits.parse().ok()?;
            number.checked_mul(1 << shift).filter(|number| *number > 0)
        })
    }

    pub fn array(&self, name: &str) -> Result<Option<Array>> {
        self.typed(name, "an array", |value| value.clone().into_array().ok())
    }

    /// Permission bits: `0o644`, or `"0644"`.
    pub fn mode(&self, name: &str) -> Result<Option<u32>> {
        if let Some(value) = self.get(name) {
            self.call.check_mode(&self.place(name), &value)?;
        }
        self.typed(name, "permission bits", as_mode)
    }

    /// A map of strings, such as an environment.
    pub fn texts(&self, name: &str) -> Result<BTreeMap<String, Text>> {
        let Some(value) = self.get(name) else {
            return Ok(BTreeMap::new());
        };
        let wanted = "a map of strings";
        let Some(map) = value.clone().try_cast::<Map>() else {
            return Err(self.wrong(name, wanted, &value));
        };
        let mut found = BTreeMap::new();
        for (key, value) in map {
            let Some(text) = as_text(&value) else {
                let mut path = self.place(name);
                path.push(Step::Field(key.to_string()));
                return Err(self.call.wrong_value(name, &key, &path, "a string", &value));
            };
            found.insert(key.to_string(), text);
        }
        Ok(found)
    }

    /// Refuses every field that was not asked for.
    pub fn finish(self) -> Result<()> {
        let known = self.known.borrow();
        let mut keys = self.map.keys();
        let unknown = keys.find(|key| !known.iter().any(|name| name == key.as_str()));
        let Some(unknown) = unknown else {
            return Ok(());
        };
        let message = format!("`{}` has no field `{unknown}`", self.of);
        let report = self.labelled(unknown, "unknown_field", message, "no such field");
        let mut fields = known.clone();
        fields.sort();
        fields.dedup();
        let has = match fields.is_empty() {
            true => "it has no fields".to_owned(),
            false => format!("it has {}", fields.join(", ")),
        };
        Err(report.help_near(unknown, &*known, has))
    }
}

impl Call<'_> {
    /// The named arguments in argument `index`; none where it was not given.
    pub fn fields(&self, index: usize) -> Result<Fields<'_>> {
        let base = vec![Step::Argument(index)];
        Ok(Fields::at(self, self.builtin.name, self.map(index)?, base))
    }

    /// The maps of a list, or the one map, in argument `index`.
    pub fn maps(&self, index: usize, form: &str) -> Result<Vec<Fields<'_>>> {
        let value = self.arg(index);
        let base = vec![Step::Argument(index)];
        let name = self.builtin.params.get(index).unwrap_or(&"argument");
        maps(self, (self.builtin.name, name), base, form, &value)
    }
}

/// The fields of each map of a list, or of the one map that stands for a list; `name` is
/// the field or parameter of a function, after the function, and `form` how it is written.
fn maps<'a>(
    call: &'a Call<'a>,
    name: (&str, &str),
    base: Vec<Step>,
    form: &str,
    value: &Dynamic,
) -> Result<Vec<Fields<'a>>> {
    let items = match value.clone().into_array() {
        Ok(items) => items,
        Err(_) => vec![value.clone()],
    };
    let mut found = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let mut path = base.clone();
        path.push(Step::Item(index));
        let given = item.clone();
        let Some(map) = item.try_cast::<Map>() else {
            let mut report = call.wrong_value(name.0, name.1, &path, "a map", &given);
            report.help = vec![format!("write `{form}`")];
            return Err(report);
        };
        found.push(Fields::at(call, name.1, map, path));
    }
    Ok(found)
}
