//! Reading `rootwright.toml`: every key is known, or an error with its line.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, Wanted, from_here};
use crate::diagnose::{Frame, Report, SourceMap, Span, Trouble, position};
use crate::plan::Grant;
use crate::plan::address::{CREDENTIALS_HELP, without_credentials};

/// Options by name, as the command line would give them.
pub type Options = BTreeMap<String, String>;

/// What one file says.
#[derive(Debug, Default)]
pub struct Config {
    pub name: Option<String>,
    pub store: Option<PathBuf>,
    pub refresh: Option<Duration>,
    /// Free tables of strings, by distro.
    pub distros: BTreeMap<String, BTreeMap<String, String>>,
    /// For every recipe that declares them.
    pub options: Options,
    /// For one recipe, by its name.
    pub recipe_options: BTreeMap<String, Options>,
    pub libraries: Vec<Entry>,
    pub places: Places,
}

/// Where keys stand that only the rest of a repository gives a meaning.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// By distro and key; of the distro's own name where the key is empty.
    pub distros: BTreeMap<(String, String), Span>,
    pub options: BTreeMap<String, Span>,
    pub recipes: BTreeMap<String, Span>,
}

const KEYS: [&str; 6] = ["name", "store", "cache", "distro", "options", "libraries"];
const LIBRARY_KEYS: [&str; 5] = ["git", "tag", "branch", "rev", "grants"];

/// Reads a file.
///
/// # Errors
/// When it cannot be read, is no TOML, or has a key or a value that means nothing.
pub fn read(path: &Path) -> Result<Config, Trouble> {
    let shown = from_here(path).display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Report::new("site::config", format!("cannot read `{shown}`: {error}")))?;
    parse(&shown, &text).map_err(|report| {
        let mut sources = SourceMap::default();
        sources.insert(shown, text);
        Trouble::new(vec![report], sources)
    })
}

/// What the text of a file says; `shown` names the file in errors.
///
/// # Errors
/// As [`read`].
pub fn parse(shown: &str, text: &str) -> Result<Config, Report> {
    let reader = Reader { shown, text };
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        reader.refuse(&span, error.message())
    })?;
    let mut config = Config::default();
    for (key, value) in table.get_ref() {
        match key.get_ref().as_ref() {
            "name" => config.name = Some(reader.text("name", value)?),
            "store" => config.store = Some(reader.text("store", value)?.into()),
            "cache" => reader.cache(value, &mut config)?,
            "distro" => reader.distros(value, &mut config)?,
            "options" => reader.options(value, &mut config)?,
            "libraries" => reader.libraries(value, &mut config)?,
            unknown => return Err(reader.unknown(unknown, &key.span(), "setting", &KEYS)),
        }
    }
    Ok(config)
}

struct Reader<'a> {
    shown: &'a str,
    text: &'a str,
}

type Value<'a> = Spanned<DeValue<'a>>;
type Read<T> = Result<T, Report>;

impl Reader<'_> {
    fn place(&self, range: &Range<usize>) -> Span {
        Span {
            file: self.shown.to_owned(),
            start: position(self.text, range.start),
            end: position(self.text, range.end),
        }
    }

    fn refuse(&self, range: &Range<usize>, message: impl Into<String>) -> Report {
        Report::new("site::config", message).trace(vec![Frame::here(self.place(range))])
    }

    fn unknown(&self, name: &str, range: &Range<usize>, what: &str, known: &[&str]) -> Report {
        let report = self.refuse(range, format!("there is no {what} `{name}`"));
        report.help_near(name, known, format!("there are {}", known.join(", ")))
    }

    fn wrong(&self, name: &str, wanted: &str, value: &Value<'_>) -> Report {
        let found = value.get_ref().type_str();
        let message = format!("`{name}` has to be {wanted}, and is of type {found}");
        self.refuse(&value.span(), message)
    }

    fn text(&self, name: &str, value: &Value<'_>) -> Read<String> {
        let text = value.get_ref().as_str();
        text.map(str::to_owned)
            .ok_or_else(|| self.wrong(name, "a string", value))
    }

    fn table<'v, 'i>(&self, name: &str, form: &str, value: &'v Value<'i>) -> Read<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        table.ok_or_else(|| self.wrong(name, "a table", value).help(form))
    }

    fn cache(&self, value: &Value<'_>, config: &mut Config) -> Read<()> {
        let form = "[cache] and, below it, refresh = \"7d\"";
        for (key, value) in self.table("cache", form, value)? {
            match key.get_ref().as_ref() {
                "refresh" => {
                    let text = self.text("refresh", value)?;
                    config.refresh = Some(age(&text).ok_or_else(|| {
                        let message = format!("`{text}` is no length of time");
                        self.refuse(&value.span(), message)
                            .help("a number and `s`, `m`, `h` or `d`: refresh = \"7d\"")
                    })?);
                }
                name => {
                    let what = "setting of `cache`";
                    return Err(self.unknown(name, &key.span(), what, &["refresh"]));
                }
            }
        }
        Ok(())
    }

    fn distros(&self, value: &Value<'_>, config: &mut Config) -> Read<()> {
        let form = "[distro.NAME] and, below it, mirror = \"…\"";
        for (distro, value) in self.table("distro", form, value)? {
            let place = self.place(&distro.span());
            let distro = distro.get_ref().to_string();
            let places = &mut config.places.distros;
            places.insert((distro.clone(), String::new()), place);
            let known = config.distros.entry(distro.clone()).or_default();
            for (key, value) in self.table(&distro, form, value)? {
                let name = key.get_ref().to_string();
                let text = self.text(&name, value)?;
                if text.contains(char::is_control) {
                    let message = format!("`{name}` has a line break or a control character in it");
                    return Err(self
                        .refuse(&value.span(), message)
                        .help("write it on one line"));
                }
                if let Some(left) = text.split_whitespace().find_map(without_credentials) {
                    let message = format!("`{name}`: `{left}` has credentials in it");
                    return Err(self.refuse(&value.span(), message).help(CREDENTIALS_HELP));
                }
                places.insert((distro.clone(), name.clone()), self.place(&key.span()));
                known.insert(name, text);
            }
        }
        Ok(())
    }

    fn options(&self, value: &Value<'_>, config: &mut Config) -> Read<()> {
        let form = "[options] for every recipe, [options.RECIPE] for one; below it, NAME = VALUE";
        for (key, value) in self.table("options", form, value)? {
            let name = key.get_ref().to_string();
            match value.get_ref().as_table() {
                Some(table) => {
                    let places = &mut config.places.recipes;
                    places.insert(name.clone(), self.place(&key.span()));
                    let of = config.recipe_options.entry(name).or_default();
                    for (key, value) in table {
                        let name = key.get_ref().to_string();
                        of.insert(name.clone(), self.option(&name, value)?);
                    }
                }
                None => {
                    let text = self.option(&name, value)?;
                    let places = &mut config.places.options;
                    places.insert(name.clone(), self.place(&key.span()));
                    config.options.insert(name, text);
                }
            }
        }
        Ok(())
    }

    /// A value of an option, as the command line gives it.
    fn option(&self, name: &str, value: &Value<'_>) -> Read<String> {
        let plain = |value: &DeValue<'_>| match value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Boolean(value) => Some(value.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
            _ => None,
        };
        let wanted = "a string, a number, a boolean or an array of strings";
        let text = match value.get_ref() {
            DeValue::Array(items) => {
                let items = items.iter().map(|item| plain(item.get_ref()));
                items
                    .collect::<Option<Vec<String>>>()
                    .map(|items| items.join(","))
            }
            single => plain(single),
        };
        text.ok_or_else(|| self.wrong(name, wanted, value))
    }

    fn libraries(&self, value: &Value<'_>, config: &mut Config) -> Read<()> {
        let form = "[libraries.NAME] and, below it, git = \"…\"";
        for (key, value) in self.table("libraries", form, value)? {
            let name = key.get_ref().to_string();
            if !is_name(&name) {
                let message = format!("`{name}` is no name for a library");
                let refused = self.refuse(&key.span(), message);
                return Err(refused.help("small letters, digits, `_` and `-`"));
            }
            let table = self.table(&name, form, value)?;
            let place = self.place(&key.span());
            config.libraries.push(self.library(name, table, place)?);
        }
        Ok(())
    }

    fn library(&self, name: String, table: &DeTable<'_>, place: Span) -> Read<Entry> {
        let mut git = None;
        let mut wanted: Option<(Wanted, Range<usize>)> = None;
        let mut grants = Vec::new();
        for (key, value) in table {
            let field = key.get_ref().as_ref();
            match field {
                "git" => git = Some(self.text("git", value)?),
                "tag" | "branch" | "rev" => {
                    let text = self.text(field, value)?;
                    if let Some((_, other)) = &wanted {
                        let other = self.text.get(other.clone()).unwrap_or_default();
                        let message = format!("`{name}` has `{other}` already");
                        let refused = self.refuse(&key.span(), message);
                        return Err(refused.help("one of `tag`, `branch` and `rev` decides"));
                    }
                    let state = match field {
                        "tag" => Wanted::Tag(text),
                        "branch" => Wanted::Branch(text),
                        _ => Wanted::Rev(text),
                    };
                    wanted = Some((state, key.span()));
                }
                "grants" => grants = self.grants(value)?,
                unknown => {
                    let what = "setting of a library";
                    return Err(self.unknown(unknown, &key.span(), what, &LIBRARY_KEYS));
                }
            }
        }
        let Some(git) = git else {
            let message = format!("the library `{name}` has no address");
            let report = Report::new("site::config", message).trace(vec![Frame::here(place)]);
            return Err(report.help("git = \"https://…\""));
        };
        Ok(Entry {
            name,
            git,
            wanted: wanted.map_or(Wanted::Head, |(wanted, _)| wanted),
            grants,
            place: Some(place),
        })
    }

    fn grants(&self, value: &Value<'_>) -> Read<Vec<Grant>> {
        let form = "grants = [\"host_run\"]";
        let Some(items) = value.get_ref().as_array() else {
            return Err(self.wrong("grants", "an array", value).help(form));
        };
        let mut grants = Vec::new();
        for item in items.iter() {
            let text = self.text("grants", item)?;
            let unknown = || self.unknown(&text, &item.span(), "grant", &Grant::forms());
            grants.push(Grant::parse(&text).ok_or_else(unknown)?);
        }
        Ok(grants)
    }
}

/// Whether a word can name a library.
pub fn is_name(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(plain)
}

/// A length of time: a number and `s`, `m`, `h` or `d`.
pub fn age(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}
