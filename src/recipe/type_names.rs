//! The words that people have for Rhai's types, and for numbers of things.

/// One type as a noun without an article, for signatures: `string`.
pub fn noun(name: &str) -> String {
    let mut name = name.trim();
    for before in ["&", "mut ", "an ", "a "] {
        name = name.strip_prefix(before).unwrap_or(name).trim();
    }
    // Rhai says `str | ImmutableString | String` for its one type of strings.
    let name = name.split(" | ").next().unwrap_or(name);
    match name.rsplit("::").next().unwrap_or(name) {
        "string" | "ImmutableString" | "String" | "str" => "string",
        "i64" | "INT" | "int" => "number",
        "f64" | "FLOAT" | "float" => "number with a point",
        "bool" => "boolean",
        "array" | "Array" => "array",
        "map" | "Map" => "map",
        "char" => "character",
        "()" => "nothing",
        "Fn" | "FnPtr" => "function",
        "Root" | "RootRef" => "root",
        "Text" => "secret or path",
        "Fetched" => "fetched file",
        "Export" | "ExportRef" => "export",
        "Dynamic" | "?" => "value",
        other => return other.to_owned(),
    }
    .to_owned()
}

/// A type with its article, for sentences: `a string`.
pub fn type_words(name: &str) -> String {
    match noun(name).as_str() {
        "nothing" => "nothing, `()`".to_owned(),
        known @ ("array" | "export") => format!("an {known}"),
        known @ ("string"
        | "number"
        | "number with a point"
        | "boolean"
        | "map"
        | "character"
        | "function"
        | "root"
        | "secret or path"
        | "fetched file"
        | "value") => format!("a {known}"),
        other => format!("`{other}`"),
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
