//! The words that people have for Rhai's types, and for numbers of things.

/// The noun for a type, if recipes have values of it.
fn known_noun(name: &str) -> Option<&'static str> {
    Some(match name {
        "string" | "ImmutableString" | "String" | "str" => "string",
        "number" | "i64" | "INT" | "int" => "number",
        "number with a point" | "f64" | "FLOAT" | "float" => "number with a point",
        "boolean" | "bool" => "boolean",
        "array" | "Array" => "array",
        "map" | "Map" => "map",
        "character" | "char" => "character",
        "nothing" | "()" => "nothing",
        "function" | "Fn" | "FnPtr" => "function",
        "root" | "Root" | "RootRef" => "root",
        "secret or path" | "Text" => "secret or path",
        "fetched file" | "Fetched" => "fetched file",
        "export" | "Export" | "ExportRef" => "export",
        "value" | "Dynamic" | "?" => "value",
        _ => return None,
    })
}

/// The name of a type without its path, article and marks of a reference.
fn bare(name: &str) -> &str {
    let mut name = name.trim();
    for before in ["&", "mut ", "an ", "a "] {
        name = name.strip_prefix(before).unwrap_or(name).trim();
    }
    // Rhai says `str | ImmutableString | String` for its one type of strings.
    let name = name.split(" | ").next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

/// One type as a noun without an article, for signatures: `string`.
pub fn noun(name: &str) -> &str {
    let name = bare(name);
    known_noun(name).unwrap_or(name)
}

/// A type with its article, for sentences: `a string`.
pub fn type_words(name: &str) -> String {
    let name = bare(name);
    match known_noun(name) {
        Some("nothing") => "nothing, `()`".to_owned(),
        Some(noun @ ("array" | "export")) => format!("an {noun}"),
        Some(noun) => format!("a {noun}"),
        None => format!("`{name}`"),
    }
}

/// `1 argument`, `no arguments`.
pub fn arguments(count: usize) -> String {
    match count {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        n => format!("{n} arguments"),
    }
}

/// `a`, `a or b`, `a, b or c`.
pub fn or(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Lower case at the start of a message, and no full stop at its end.
pub fn lower_first(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    match chars.next() {
        // An acronym keeps its capitals.
        Some(first) if !chars.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}
