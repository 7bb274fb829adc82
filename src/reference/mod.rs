//! The reference of the language: every built-in, and every function that the stdlib's
//! modules have for recipes, from what stands beside their source.

mod doc_comment;
mod html;
mod markdown;
mod text;

use serde::Serialize;

pub use doc_comment::{Doc, Failing, Parameter};
pub use html::html;
pub use markdown::{entry as markdown_entry, markdown, section as markdown_section};
pub use text::{TextStyle, entry as text_entry, list as text_list, section as text_section};

use crate::recipe::{self, Access, Failure, Settings, nearest};

/// The version of the reference's JSON.
const SCHEMA_VERSION: u32 = 1;

#[derive(Clone, Debug, Serialize)]
pub struct Reference {
    pub schema: u32,
    /// The version of rootwright.
    pub rootwright: String,
    pub sections: Vec<Section>,
}

/// A family of built-ins, or a module.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    pub title: String,
    /// As `import` takes it; absent for built-ins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Markdown.
    pub about: String,
    pub functions: Vec<Entry>,
}

/// A function.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// As it is called: `install`, `diskless::prepare`.
    pub name: String,
    /// `root.install(packages, [opts])`, what may be left out in brackets.
    pub signature: String,
    /// Who may call it: `everyone`, `modules` or `stdlib`.
    pub access: Access,
    #[serde(flatten)]
    pub doc: Doc,
    /// The names of the parameters, as the source has them.
    #[serde(skip)]
    pub params: Vec<String>,
    /// How many of the last ones may be left out.
    #[serde(skip)]
    pub optional: usize,
}

/// What a name means.
pub enum Topic<'a> {
    Entry(&'a Entry),
    Section(&'a Section),
}

/// What every function refuses, for the head of the reference.
pub const ERRORS_OF_ALL: &[(&str, &str)] = &[
    (
        "script::wrong_type",
        "an argument or a field has a value of another type",
    ),
    (
        "script::unknown_field",
        "a field is misspelt, or means nothing there",
    ),
    (
        "script::missing_field",
        "a field that is required is absent",
    ),
    (
        "script::secret_place",
        "a secret stands where it would show",
    ),
    ("script::nul", "a path or a word holds a NUL character"),
    ("script::modules_only", "a recipe calls what is for modules"),
    (
        "script::stdlib_only",
        "a recipe calls what is for modules of the stdlib",
    ),
];

/// The section of what recipes cannot call.
const FOR_MODULES: &str = "For modules";

impl Reference {
    /// # Errors
    /// What is wrong with the modules of a folder that stands for the stdlib.
    pub fn new(settings: &Settings) -> Result<Reference, Failure> {
        let mut sections = Vec::new();
        let mut hidden = Vec::new();
        for family in recipe::families() {
            let (mine, others): (Vec<Entry>, Vec<Entry>) = family
                .builtins
                .iter()
                .map(|registered| builtin(&registered.builtin))
                .partition(|entry| entry.access == Access::Everyone);
            hidden.extend(others);
            if !mine.is_empty() {
                sections.push(Section {
                    title: family.title.to_owned(),
                    module: None,
                    about: String::new(),
                    functions: mine,
                });
            }
        }
        for module in recipe::functions::modules(settings)? {
            let functions = module.functions.iter();
            let functions: Vec<Entry> = functions
                .map(|function| of_module(&module.name, function))
                .collect();
            let import = format!("`import \"{0}\" as {0};`", module.name);
            sections.push(Section {
                title: format!("The module {}", module.name),
                about: format!("{import}\n\n{}", module.about),
                module: Some(module.name),
                functions,
            });
        }
        sections.push(Section {
            title: FOR_MODULES.to_owned(),
            module: None,
            about:
                "They look at the host, or describe a root: a recipe that calls one is refused. \
                Distros' modules, of the stdlib or of a repository, are made of them, beside all \
                of the above."
                    .to_owned(),
            functions: hidden,
        });
        Ok(Reference {
            schema: SCHEMA_VERSION,
            rootwright: env!("CARGO_PKG_VERSION").to_owned(),
            sections,
        })
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.sections.iter().flat_map(|section| &section.functions)
    }

    /// Finds a function by its whole name, or by the last part of it, or a module.
    pub fn find(&self, name: &str) -> Option<Topic<'_>> {
        let name = name.trim_end_matches("()");
        let last = |entry: &&Entry| entry.name.rsplit("::").next() == Some(name);
        let by_title = |section: &&Section| {
            section.module.as_deref() == Some(name) || section.title.eq_ignore_ascii_case(name)
        };
        let whole = self.entries().find(|entry| entry.name == name);
        whole
            .map(Topic::Entry)
            .or_else(|| self.sections.iter().find(by_title).map(Topic::Section))
            .or_else(|| self.entries().find(last).map(Topic::Entry))
    }

    /// The name that somebody may have meant.
    pub fn near(&self, name: &str) -> Option<&str> {
        let names = self.entries().map(|entry| entry.name.as_str());
        let modules = self.sections.iter();
        let modules = modules.filter_map(|section| section.module.as_deref());
        let near = nearest(name, names.chain(modules));
        near.or_else(|| {
            let last = |entry: &'_ Entry| entry.name.rsplit("::").next().map(str::to_owned);
            let lasts: Vec<String> = self.entries().filter_map(last).collect();
            let near = nearest(name, lasts.iter().map(String::as_str))?;
            let mut entries = self.entries().map(|entry| entry.name.as_str());
            entries.find(|name| name.rsplit("::").next() == Some(near))
        })
    }
}

fn builtin(builtin: &recipe::Builtin) -> Entry {
    let of_root = builtin.params.first() == Some(&"root");
    Entry {
        name: builtin.name.to_owned(),
        signature: match of_root {
            true => builtin.method(),
            false => builtin.signature(),
        },
        access: builtin.access,
        doc: Doc::parse(builtin.doc),
        params: builtin
            .params
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        optional: builtin.optional,
    }
}

fn of_module(module: &str, function: &recipe::functions::Function) -> Entry {
    let params = recipe::parameters(&function.params, function.optional);
    let name = format!("{module}::{}", function.name);
    Entry {
        signature: format!("{name}({})", params.join(", ")),
        name,
        access: Access::Everyone,
        doc: Doc::parse(&function.doc),
        params: function.params.clone(),
        optional: function.optional,
    }
}
