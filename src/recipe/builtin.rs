//! What is known of a built-in without running it.

use serde::Serialize;

/// Who may call a built-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    Everyone,
    /// Modules, of the stdlib or of a recipe's repository: it describes a root to the plan.
    Modules,
    /// Modules of the stdlib only: it looks at the host, or decides for every recipe.
    Stdlib,
}

/// A function that recipes call.
#[derive(Debug)]
pub struct Builtin {
    pub name: &'static str,
    pub params: &'static [&'static str],
    /// How many of the last parameters may be left out.
    pub optional: usize,
    pub access: Access,
    /// `doc/NAME.md`, in the form that src/reference/doc_comment.rs reads.
    pub doc: &'static str,
}

impl Builtin {
    pub fn takes(&self, arguments: usize) -> bool {
        (self.params.len() - self.optional..=self.params.len()).contains(&arguments)
    }

    /// `install(root, packages, [opts])`
    pub fn signature(&self) -> String {
        format!("{}({})", self.name, self.parameters().join(", "))
    }

    /// `root.install(packages, [opts])`
    pub fn method(&self) -> String {
        let parameters = self.parameters();
        match parameters.split_first() {
            Some((first, rest)) => format!("{first}.{}({})", self.name, rest.join(", ")),
            None => self.signature(),
        }
    }

    fn parameters(&self) -> Vec<String> {
        parameters(self.params, self.optional)
    }
}

/// Parameters as signatures have them, the last ones in brackets, which may be left out.
pub fn parameters(names: &[impl AsRef<str>], optional: usize) -> Vec<String> {
    let required = names.len() - optional;
    let names = names.iter().map(AsRef::as_ref).enumerate();
    let parameter = |(at, name): (usize, &str)| match at < required {
        true => name.to_owned(),
        false => format!("[{name}]"),
    };
    names.map(parameter).collect()
}
