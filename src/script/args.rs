//! Arguments of built-ins: positional ones, and the fields of a map.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::builtins::{Builtin, CaptureSlot, Fetched, RootRef, Secret, is_marked, unmark};
use super::session::{STDLIB, Session};
use super::{fault, nearest, spans};
use crate::diagnose::{Frame, Report, Span};
use crate::plan::{RootId, Text};

/// A failure of a built-in; boxed, since reports are large and failures rare.
pub type Outcome<T> = Result<T, Box<Report>>;

/// One call of a built-in.
pub struct Call<'a> {
    pub session: &'a Rc<Session>,
    pub context: &'a NativeCallContext<'a>,
    pub builtin: &'static Builtin,
    pub captures: &'a CaptureSlot,
    pub args: Vec<Dynamic>,
    chain: RefCell<Option<Vec<Frame>>>,
}

impl<'a> Call<'a> {
    pub fn new(
        session: &'a Rc<Session>,
        context: &'a NativeCallContext<'a>,
        builtin: &'static Builtin,
        captures: &'a CaptureSlot,
        args: Vec<Dynamic>,
    ) -> Self {
        Call {
            session,
            context,
            builtin,
            captures,
            args,
            chain: RefCell::new(None),
        }
    }

    /// The calls from the recipe to this one.
    pub fn chain(&self) -> Vec<Frame> {
        self.chain
            .borrow_mut()
            .get_or_insert_with(|| self.session.chain(self.context))
            .clone()
    }

    /// Whether the stdlib makes the call.
    pub fn is_from_stdlib(&self) -> bool {
        self.chain()
            .last()
            .is_some_and(|frame| frame.span.file.starts_with(STDLIB))
    }

    /// The file that the call stands in.
    pub fn file(&self) -> String {
        self.chain()
            .last()
            .map(|frame| frame.span.file.clone())
            .unwrap_or_default()
    }

    pub fn report(&self, code: &str, message: impl Into<String>) -> Box<Report> {
        Box::new(Report::new(format!("script::{code}"), message).trace(self.chain()))
    }

    /// Whether argument `index` was given, and is not `()`.
    pub fn has(&self, index: usize) -> bool {
        self.args.get(index).is_some_and(|value| !value.is_unit())
    }

    fn arg(&self, index: usize) -> Dynamic {
        self.args.get(index).cloned().unwrap_or(Dynamic::UNIT)
    }

    fn wrong(&self, index: usize, wanted: &str, given: &Dynamic) -> Box<Report> {
        let name = self
            .builtin
            .params
            .get(index)
            .copied()
            .unwrap_or("argument");
        let given = words(given);
        let mut report = *self.report(
            "wrong_type",
            format!(
                "`{}` wants {wanted} for `{name}`, and got {given}",
                self.builtin.name
            ),
        );
        report = report.help(self.builtin.signature());
        let focus = self.arg_span(&report, index);
        Box::new(report.focus(focus).label(format!("this is {given}")))
    }

    /// The place of an argument in the call that the report shows.
    fn arg_span(&self, report: &Report, index: usize) -> Option<Span> {
        let [frame] = report.trace.as_slice() else {
            return None;
        };
        let text = self.session.text(&frame.span.file)?;
        let range = self.session.sources().byte_range(&frame.span)?;
        let written = spans::arguments(&text, &range);
        // In the method style the first argument stands before the name.
        let hidden = self.args.len().checked_sub(written.len())?;
        let argument = written.get(index.checked_sub(hidden)?)?;
        Some(spans::span(&frame.span.file, &text, argument))
    }

    pub fn root(&self, index: usize) -> Outcome<RootId> {
        let value = self.arg(index);
        match value.clone().try_cast::<RootRef>() {
            Some(root) => Ok(root.id),
            None => {
                let mut report = self.wrong(index, "a root", &value);
                report
                    .help
                    .push("`bootstrap(#{ … })` makes a root".to_owned());
                Err(report)
            }
        }
    }

    pub fn text(&self, index: usize) -> Outcome<String> {
        let value = self.arg(index);
        as_plain(&value).ok_or_else(|| self.wrong(index, "a string", &value))
    }

    /// A string that may hold secrets.
    pub fn secret_text(&self, index: usize) -> Outcome<Text> {
        let value = self.arg(index);
        as_text(&value).ok_or_else(|| self.wrong(index, "a string", &value))
    }

    /// An array of strings, or one string.
    pub fn strings(&self, index: usize) -> Outcome<Vec<String>> {
        let value = self.arg(index);
        as_strings(&value).ok_or_else(|| self.wrong(index, "an array of strings", &value))
    }

    pub fn array(&self, index: usize) -> Outcome<Array> {
        let value = self.arg(index);
        value
            .clone()
            .into_array()
            .map_err(|_| self.wrong(index, "an array", &value))
    }

    pub fn dynamic(&self, index: usize) -> Dynamic {
        self.arg(index)
    }

    pub fn fetched(&self, index: usize) -> Option<Fetched> {
        self.arg(index).try_cast::<Fetched>()
    }

    pub fn map(&self, index: usize) -> Outcome<Map> {
        let value = self.arg(index);
        if value.is_unit() {
            return Ok(Map::new());
        }
        value
            .clone()
            .try_cast::<Map>()
            .ok_or_else(|| self.wrong(index, "a map, `#{ … }`", &value))
    }

    /// The named arguments in argument `index`; none where it was not given.
    pub fn fields(&self, index: usize) -> Outcome<Fields<'_>> {
        Ok(Fields {
            call: self,
            of: self.builtin.name.to_owned(),
            path: Vec::new(),
            map: self.map(index)?,
            known: RefCell::default(),
        })
    }

    /// A command: an array of words, or a script for `/bin/sh`.
    pub fn command(&self, index: usize) -> Outcome<Vec<String>> {
        let value = self.arg(index);
        let argv = as_command(&value)
            .ok_or_else(|| self.wrong(index, "an array of strings, or a script", &value))?;
        self.check_argv(&argv)?;
        Ok(argv)
    }

    pub fn check_argv(&self, argv: &[String]) -> Outcome<()> {
        if argv.first().is_none_or(String::is_empty) {
            return Err(Box::new(
                self.report("empty_command", "the command is empty")
                    .help("`[\"program\", \"argument\"]`, or a script as one string"),
            ));
        }
        if argv.iter().any(|word| word.contains('\0')) {
            return Err(self.report("nul", "a command cannot hold a NUL character"));
        }
        Ok(())
    }

    /// A path inside of the root: absolute, without NUL.
    pub fn path(&self, index: usize) -> Outcome<String> {
        let path = self.text(index)?;
        self.check_path(&path)?;
        Ok(path)
    }

    pub fn check_path(&self, path: &str) -> Outcome<()> {
        if !path.starts_with('/') {
            return Err(Box::new(
                self.report(
                    "relative_path",
                    format!("`{path}` is no path inside of the root: it does not start with `/`"),
                )
                .help(format!("`/{path}`")),
            ));
        }
        if path.contains('\0') {
            return Err(self.report("nul", "a path cannot hold a NUL character"));
        }
        Ok(())
    }
}

/// The fields of a map, each read once by its name; [`Fields::finish`] refuses the rest.
pub struct Fields<'a> {
    call: &'a Call<'a>,
    /// Whose fields they are, for messages.
    of: String,
    path: Vec<String>,
    map: Map,
    known: RefCell<Vec<String>>,
}

impl Fields<'_> {
    /// Fields of a map that a script checks, in the name of `of`.
    pub fn of<'a>(call: &'a Call<'a>, of: &str, map: Map) -> Fields<'a> {
        Fields {
            call,
            of: of.to_owned(),
            path: Vec::new(),
            map,
            known: RefCell::default(),
        }
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
    ) -> Outcome<Option<T>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        read(&value)
            .map(Some)
            .ok_or_else(|| self.wrong(name, wanted, &value))
    }

    pub fn wrong(&self, name: &str, wanted: &str, given: &Dynamic) -> Box<Report> {
        let given = words(given);
        let shown = self.shown(name);
        let report = *self.call.report(
            "wrong_type",
            format!(
                "`{}` wants {wanted} for `{shown}`, and got {given}",
                self.of
            ),
        );
        self.focused(report, name, &format!("this is {given}"))
    }

    /// An error about a field that has the right type and a value that will not do.
    pub fn refuse(&self, name: &str, code: &str, message: impl Into<String>) -> Box<Report> {
        let report = *self.call.report(code, message);
        self.focused(report, name, "here")
    }

    fn focused(&self, report: Report, name: &str, label: &str) -> Box<Report> {
        let focus = report.trace.iter().find_map(|frame| {
            let text = self.call.session.text(&frame.span.file)?;
            let range = self.call.session.sources().byte_range(&frame.span)?;
            let mut path: Vec<&str> = self.path.iter().map(String::as_str).collect();
            path.push(name);
            let found = spans::field(&text, &range, &path)?;
            Some(spans::span(&frame.span.file, &text, &found))
        });
        let in_first = focus
            .as_ref()
            .zip(report.trace.first())
            .is_some_and(|(focus, frame)| focus.file == frame.span.file);
        Box::new(if in_first {
            report.focus(focus).label(label)
        } else {
            report
        })
    }

    fn shown(&self, name: &str) -> String {
        let mut path = self.path.clone();
        path.push(name.to_owned());
        path.join(".")
    }

    pub fn text(&self, name: &str) -> Outcome<Option<String>> {
        self.typed(name, "a string", as_plain)
    }

    pub fn required_text(&self, name: &str) -> Outcome<String> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    pub fn missing(&self, name: &str) -> Box<Report> {
        let shown = self.shown(name);
        // A required field that is missing beside one that is nearly it is a typo.
        let known = self.known.borrow();
        let others = self.map.keys().map(|key| key.as_str());
        let typo = nearest(name, others.filter(|key| !known.iter().any(|k| k == key)));
        let report = *self.call.report(
            "missing_field",
            format!("`{}` needs the field `{shown}`", self.of),
        );
        match typo {
            Some(typo) => {
                let report = report.help(format!("is `{typo}` meant to be `{name}`?"));
                self.focused(report, typo, "this is no field")
            }
            None => Box::new(report.help(format!("#{{ {name}: … }}"))),
        }
    }

    pub fn secret_text(&self, name: &str) -> Outcome<Option<Text>> {
        self.typed(name, "a string", as_text)
    }

    pub fn strings(&self, name: &str) -> Outcome<Option<Vec<String>>> {
        self.typed(name, "an array of strings", as_strings)
    }

    pub fn command(&self, name: &str) -> Outcome<Option<Vec<String>>> {
        let argv = self.typed(name, "an array of strings, or a script", as_command)?;
        if let Some(argv) = &argv {
            self.call.check_argv(argv)?;
        }
        Ok(argv)
    }

    pub fn bool(&self, name: &str) -> Outcome<Option<bool>> {
        self.typed(name, "a boolean", |value| value.as_bool().ok())
    }

    /// A whole number, at least `least`.
    pub fn number(&self, name: &str, least: u64) -> Outcome<Option<u64>> {
        let wanted = format!("a number from {least} on");
        self.typed(name, &wanted, |value| {
            let number = u64::try_from(value.as_int().ok()?).ok()?;
            (number >= least).then_some(number)
        })
    }

    /// Bytes: a number, or one with `K`, `M`, `G` or `T` after it.
    pub fn size(&self, name: &str) -> Outcome<Option<u64>> {
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

    pub fn array(&self, name: &str) -> Outcome<Option<Array>> {
        self.typed(name, "an array", |value| value.clone().into_array().ok())
    }

    /// Permission bits: `0o644`, or `"0644"`.
    pub fn mode(&self, name: &str) -> Outcome<Option<u32>> {
        self.typed(name, "permission bits such as `0o644`", as_mode)
    }

    /// A map of strings, such as an environment.
    pub fn texts(&self, name: &str) -> Outcome<BTreeMap<String, Text>> {
        let found = self.typed(name, "a map of strings", |value| {
            let map = value.clone().try_cast::<Map>()?;
            map.iter()
                .map(|(key, value)| Some((key.to_string(), as_text(value)?)))
                .collect()
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Refuses every field that was not asked for.
    pub fn finish(self) -> Outcome<()> {
        let known = self.known.borrow();
        let unknown = self
            .map
            .keys()
            .find(|key| !known.iter().any(|name| name == key.as_str()));
        let Some(unknown) = unknown else {
            return Ok(());
        };
        let shown = self.shown(unknown);
        let mut report = *self.call.report(
            "unknown_field",
            format!("`{}` has no field `{shown}`", self.of),
        );
        report = match nearest(unknown, known.iter().map(String::as_str)) {
            Some(near) => report.help(format!("did you mean `{near}`?")),
            None => report.help(format!("it has {}", known.join(", "))),
        };
        Err(self.focused(report, unknown, "no such field"))
    }
}

/// A string without a secret in it.
fn as_plain(value: &Dynamic) -> Option<String> {
    let text = value.clone().into_string().ok()?;
    (!is_marked(&text)).then_some(text)
}

fn as_text(value: &Dynamic) -> Option<Text> {
    match value.clone().try_cast::<Secret>() {
        Some(secret) => Some(secret.0),
        None => value.clone().into_string().ok().map(|text| unmark(&text)),
    }
}

pub fn as_strings(value: &Dynamic) -> Option<Vec<String>> {
    if value.is_string() {
        return Some(vec![as_plain(value)?]);
    }
    let array = value.clone().into_array().ok()?;
    array.iter().map(as_plain).collect()
}

/// What a value is, in words.
fn words(value: &Dynamic) -> String {
    let secret = |value: &Dynamic| {
        value.clone().try_cast::<Secret>().is_some()
            || value
                .clone()
                .into_string()
                .is_ok_and(|text| is_marked(&text))
    };
    let in_array = value
        .clone()
        .into_array()
        .is_ok_and(|array| array.iter().any(secret));
    if secret(value) || in_array {
        // Where it would show: a command line, a path, a name.
        "a secret, which goes into contents, `env` and `stdin` only".to_owned()
    } else {
        fault::type_words(value.type_name())
    }
}

fn as_command(value: &Dynamic) -> Option<Vec<String>> {
    if value.is_string() {
        let script = as_plain(value)?;
        return Some(vec!["/bin/sh".to_owned(), "-euc".to_owned(), script]);
    }
    as_strings(value)
}

pub fn as_mode(value: &Dynamic) -> Option<u32> {
    let bits = match value.as_int() {
        Ok(number) => u32::try_from(number).ok()?,
        Err(_) => u32::from_str_radix(&value.clone().into_string().ok()?, 8).ok()?,
    };
    (bits <= 0o7777).then_some(bits)
}
