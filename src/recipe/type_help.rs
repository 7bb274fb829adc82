//! What to write for a value of the wrong type.

use rhai::Dynamic;

use super::args::is_of_strings;
use super::builtins::Fetched;

/// The cure for `given` in `name`, which has to be `wanted`; `whole` unless it is one item
/// of a list.
pub fn cure(name: &str, wanted: &str, given: &Dynamic, whole: bool) -> Option<String> {
    let number = given.is_int() || given.is_float();
    Some(match wanted {
        "a string" if number || given.is_bool() => {
            format!("in quotes it is a string: `\"{given}\"`")
        }
        "a string" if given.is_array() && matches!(name, "content" | "message") => {
            "`join(list, \"\\n\")` makes one string of a list".to_owned()
        }
        "a string" if given.is::<Fetched>() => {
            "`root.copy_in(file, \"/path\")` puts a fetched file into a root".to_owned()
        }
        "a root" => "`let root = bootstrap(#{ … });` makes a root".to_owned(),
        "a map" => "a map is written `#{ name: value }`".to_owned(),
        "an array" => "an array is written `[\"a\", \"b\"]`".to_owned(),
        "a map of strings" => "a map is written `#{ NAME: \"value\" }`".to_owned(),
        "a boolean" => "write `true` or `false`, without quotes".to_owned(),
        "permission bits" => "write `0o644`: a number that starts with `0o` is octal".to_owned(),
        wanted if is_of_strings(wanted) && number && !whole => {
            format!("in quotes it is a string: `\"{given}\"`")
        }
        _ => return None,
    })
}
