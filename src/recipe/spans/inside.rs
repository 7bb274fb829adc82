//! What stands inside of a call: its arguments, their items and fields.

use std::ops::Range;

use super::scan::{ByteKind, Scan, is_word};

/// A step on the way from a call to what is wrong in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A parameter, counted from 0; in the method style the receiver is the first.
    Argument(usize),
    Field(String),
    Item(usize),
}

/// Where a path led.
#[derive(Clone, Debug)]
pub struct Located {
    /// What to underline: with a field, its name too.
    pub range: Range<usize>,
    /// The value alone.
    pub value: Range<usize>,
    /// Whether all of the path is written there.
    pub complete: bool,
}

/// The bytes of what `path` leads to in the call that `range` holds, as far as it is
/// written there; `parameters` is how many arguments the call has with its receiver.
pub fn locate(
    scan: &Scan,
    range: &Range<usize>,
    parameters: usize,
    path: &[Step],
) -> Option<Located> {
    let (Step::Argument(index), rest) = path.split_first()? else {
        return None;
    };
    let written = arguments(scan, range);
    let hidden = parameters.checked_sub(written.len())?;
    let Some(index) = index.checked_sub(hidden) else {
        let range = receiver(scan, range)?;
        return Some(Located {
            value: range.clone(),
            range,
            complete: rest.is_empty(),
        });
    };
    let mut found = written.get(index)?.clone();
    let mut value = found.clone();
    let mut complete = true;
    for step in rest {
        let next = match step {
            Step::Argument(_) => None,
            Step::Field(name) => one_field(scan, &value, name),
            Step::Item(index) => item(scan, &value, *index).map(|item| (item.clone(), item)),
        };
        let Some(next) = next else {
            complete = false;
            break;
        };
        (found, value) = next;
    }
    Some(Located {
        range: found,
        value,
        complete,
    })
}

/// The bytes of each argument that is written in the call that `range` holds.
pub fn arguments(scan: &Scan, range: &Range<usize>) -> Vec<Range<usize>> {
    let end = range.end;
    match open_of_last_call(scan, range.start, end) {
        Some(open) => between_commas(scan, open, end),
        None => Vec::new(),
    }
}

/// What stands between the commas of the brackets from `open` to `end`.
fn between_commas(scan: &Scan, open: usize, end: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = open + 1;
    while start < end {
        let stop = value_end(scan, start, end);
        let written = trimmed(scan, scan.skip_blank(start)..stop);
        if !written.is_empty() {
            found.push(written);
        }
        start = stop + 1;
    }
    found
}

/// The bracket that opens the arguments of the call that ends at `end`.
fn open_of_last_call(scan: &Scan, start: usize, end: usize) -> Option<usize> {
    scan.code_between(start, end)
        .filter(|(_, c)| *c == b'(')
        .map(|(index, _)| index)
        .find(|&index| scan.closing(index) == Some(end))
}

/// What stands before the `.` of a call in the method style.
fn receiver(scan: &Scan, range: &Range<usize>) -> Option<Range<usize>> {
    let start = range.start;
    let open = open_of_last_call(scan, start, range.end)?;
    let (dot, _) = scan.code_between(start, open).rfind(|(_, c)| *c == b'.')?;
    (dot > start).then_some(start..dot)
}

/// An item of an array literal; where one value stands for a list of one, that value.
fn item(scan: &Scan, range: &Range<usize>, index: usize) -> Option<Range<usize>> {
    let open = range.start;
    if scan.code_at(open) != Some(b'[') {
        return (index == 0).then(|| range.clone());
    }
    let end = scan.closing(open)?;
    // `[a] + [b]` is not one literal.
    if end != range.end {
        return None;
    }
    between_commas(scan, open, end).get(index).cloned()
}

/// `field: value` of the map literal that `range` holds, and the value alone.
fn one_field(
    scan: &Scan,
    range: &Range<usize>,
    name: &str,
) -> Option<(Range<usize>, Range<usize>)> {
    let start = range.start;
    if (scan.code_at(start), scan.code_at(start + 1)) != (Some(b'#'), Some(b'{')) {
        return None;
    }
    let end = scan.closing(start + 1)?;
    between_commas(scan, start + 1, end)
        .into_iter()
        .find_map(|whole| {
            let (key, after) = key_at(scan, whole.start)?;
            (key == Some(name)).then(|| {
                let value = scan.skip_blank(after)..whole.end;
                (whole, value)
            })
        })
}

/// The bytes of `field: value` in the map literals that `range` holds, however deep;
/// `path` leads into nested maps (`["overlay", "size"]`).
pub fn field(scan: &Scan, range: &Range<usize>, path: &[&str]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let end = range.end;
    let mut index = range.start;
    while index < end {
        let (key, after) = key_at(scan, index)?;
        if key == Some(*first) {
            let value_end = value_end(scan, after, end);
            return if rest.is_empty() {
                Some(trimmed(scan, index..value_end))
            } else {
                field(scan, &(after..value_end), rest)
            };
        }
        index = after.max(index + 1);
    }
    None
}

/// A key with its colon at `index`, and the index after it; else the next index to try.
fn key_at(scan: &Scan, index: usize) -> Option<(Option<&str>, usize)> {
    let (c, kind) = scan.get(index)?;
    let (word, end) = if kind == ByteKind::Code && is_word(c) {
        let end = scan.word_end(index);
        (scan.text(&(index..end)), end)
    } else if kind == ByteKind::Text && c == b'"' {
        let end = index + scan.run_of(ByteKind::Text, index);
        let quoted = scan.text(&(index..end));
        (quoted.trim_matches('"'), end)
    } else {
        return Some((None, index + 1));
    };
    let colon = scan.skip_blank(end);
    let is_key = scan.code_at(colon) == Some(b':') && scan.code_at(colon + 1) != Some(b':');
    Some(if is_key {
        (Some(word), colon + 1)
    } else {
        (None, end)
    })
}

/// Where what starts at `start` ends: at a comma, at the bracket around it, or at `end`.
fn value_end(scan: &Scan, start: usize, end: usize) -> usize {
    let mut depth = 0usize;
    for (index, c) in scan.code_between(start, end) {
        match c {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return index,
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => return index,
            _ => {}
        }
    }
    end
}

fn trimmed(scan: &Scan, range: Range<usize>) -> Range<usize> {
    let length = scan.text(&range).trim_end().len();
    range.start..range.start + length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_at_their_commas() {
        let scan = Scan::new("root.install([\"a\", \"b\"], #{ x: 1, y: f(2, 3) })");
        let found: Vec<&str> = arguments(&scan, &(0..scan.text.len()))
            .iter()
            .map(|range| scan.text(range))
            .collect();
        assert_eq!(found, ["[\"a\", \"b\"]", "#{ x: 1, y: f(2, 3) }"]);
    }

    #[test]
    fn fields_are_found_by_path() {
        let scan = Scan::new(
            "dracut(root, #{ add: [\"nfs\"], overlay: #{ size: \"50%\" }, \"size\": 3 })",
        );
        let found = |path: &[&str]| {
            field(&scan, &(0..scan.text.len()), path).map(|range| scan.text(&range).to_owned())
        };
        assert_eq!(found(&["add"]).as_deref(), Some("add: [\"nfs\"]"));
        assert_eq!(
            found(&["overlay", "size"]).as_deref(),
            Some("size: \"50%\"")
        );
        assert_eq!(found(&["nothing"]), None);
    }

    #[test]
    fn a_path_leads_from_a_call_to_what_is_wrong_in_it() {
        let scan =
            Scan::new("root.nspawn_run([\"a\", 1], #{ binds: [#{ host: \"/x\" }, #{ host: 2 }] })");
        let found = |path: &[Step]| {
            let located = locate(&scan, &(0..scan.text.len()), 3, path).unwrap();
            scan.text(&located.range).to_owned()
        };
        let binds = |item: usize, name: &str| {
            found(&[
                Step::Argument(2),
                Step::Field("binds".to_owned()),
                Step::Item(item),
                Step::Field(name.to_owned()),
            ])
        };
        assert_eq!(found(&[Step::Argument(0)]), "root");
        assert_eq!(found(&[Step::Argument(1), Step::Item(1)]), "1");
        assert_eq!(binds(1, "host"), "host: 2");
        // What is not written there is left at the last that is.
        assert_eq!(binds(0, "path"), "#{ host: \"/x\" }");
    }
}
