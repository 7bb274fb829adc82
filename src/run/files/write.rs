//! `WriteFile`, `AppendFile` and `EditFile`. A link at the path is followed inside of the
//! root; where it leads nowhere, its target is what is made.

use std::io::{self, Write};

use regex::RegexBuilder;

use super::FileContext;
use super::draft::{self, OwnerAndMode};
use super::error::Error;
use super::tree::{Tree, failed_to};
use crate::plan::{AppendFile, EditFile, Text, WriteFile};

/// A longer line is no help in an error.
const SHOWN: usize = 200;

pub fn write(tree: &Tree, op: &WriteFile, context: &FileContext<'_>) -> Result<(), Error> {
    let content = resolve(&op.content, context)?;
    let numbers = OwnerAndMode::of(tree, &op.attributes)?;
    let place = tree.place_followed(&op.path)?;
    draft::replace("write", &place, numbers, |file, _| file.write_all(&content))
}

pub fn append(tree: &Tree, op: &AppendFile, context: &FileContext<'_>) -> Result<(), Error> {
    let content = resolve(&op.content, context)?;
    let place = tree.place_followed(&op.path)?;
    draft::replace("append to", &place, OwnerAndMode::default(), |file, old| {
        if let Some(old) = old {
            io::copy(old, file)?;
        }
        file.write_all(&content)
    })
}

fn resolve(text: &Text, context: &FileContext<'_>) -> Result<Vec<u8>, Error> {
    text.resolve(context.values)
        .map_err(|missing| Error::Unresolved { missing })
}

pub fn edit(tree: &Tree, op: &EditFile) -> Result<(), Error> {
    let failed = |error| failed_to("edit", op.path.as_ref(), error);
    let (place, stat) = tree.existing("edit", &op.path, true)?;
    draft::writable("edit", &place)?;
    let content = tree.read(&place.path).map_err(failed)?.unwrap_or_default();
    // In bytes, an empty match could part a character.
    let mut content = String::from_utf8(content).map_err(|_| Error::NotText {
        path: op.path.clone(),
    })?;
    // What not everybody may read may be secret, and is not repeated in an error.
    let public = stat.st_mode & 0o004 != 0;
    for edit in &op.edits {
        let regex = RegexBuilder::new(&edit.pattern)
            .multi_line(true)
            .build()
            .map_err(|error| Error::Pattern {
                pattern: edit.pattern.clone(),
                error,
            })?;
        if !regex.is_match(&content) {
            return Err(Error::NoMatch {
                pattern: edit.pattern.clone(),
                path: op.path.clone(),
                nearest: public.then(|| nearest(&edit.pattern, &content)).flatten(),
            });
        }
        let replacement = edit.replacement.as_str();
        content = regex.replace_all(&content, replacement).into_owned();
    }
    draft::replace("edit", &place, OwnerAndMode::default(), |file, _| {
        file.write_all(content.as_bytes())
    })
}

/// The line that is most like the pattern, read as the text that it would match.
fn nearest(pattern: &str, content: &str) -> Option<(usize, String)> {
    let wanted: String = pattern
        .chars()
        .filter(|c| !matches!(c, '^' | '$' | '\\' | '(' | ')' | '?' | '*' | '+'))
        .collect();
    content
        .lines()
        .take(10_000)
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && line.len() <= SHOWN)
        .map(|(index, line)| (strsim::sorensen_dice(&wanted, line), index + 1, line))
        .filter(|(likeness, ..)| *likeness >= 0.4)
        .max_by(|(a, ..), (b, ..)| a.total_cmp(b))
        .map(|(_, number, line)| (number, line.to_owned()))
}
